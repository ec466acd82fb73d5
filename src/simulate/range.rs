//! Many seeds, on a few threads: each seed on one of them from beginning to end, so that nothing of one reaches
//! another.

use super::held;
use super::seed::{Outcome, simulate};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use tracing::subscriber::{NoSubscriber, with_default};

/// What many seeds came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Seeds played.
    pub seeds: u64,
    /// Seeds of which something does not hold.
    pub failed: Vec<u64>,
    /// Processes that lived.
    pub processes: u64,
    /// Processes that were killed.
    pub killed: u64,
    /// Calls that arrived.
    pub calls: u64,
    /// The same for the same traces, in whatever order they were played.
    pub fingerprint: u64,
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        if !outcome.broken.is_empty() {
            self.failed.push(outcome.seed);
        }
        self.processes += outcome.processes;
        self.killed += outcome.killed;
        self.calls += outcome.calls;
        let spread = outcome.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.fingerprint = self.fingerprint.wrapping_add(spread ^ u64::from(outcome.fingerprint));
    }
}

/// Plays seeds on so many threads; `ended` hears of each as it ends. Nothing is logged meanwhile: what a simulation
/// breaks on purpose is no news.
///
/// # Errors
/// This machine cannot: no thread, no directory.
pub fn simulate_all(
    seeds: Range<u64>,
    threads: usize,
    scratch: &Path,
    mut ended: impl FnMut(&Outcome),
) -> io::Result<Summary> {
    let next = AtomicU64::new(seeds.start);
    let problem = Mutex::new(None);
    let mut summary = Summary::default();
    std::thread::scope(|scope| -> io::Result<()> {
        let (tell, told) = sync_channel(64);
        for _ in 0..threads.max(1) {
            let (tell, next, problem) = (tell.clone(), &next, &problem);
            let work = move || loop {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= seeds.end || held(problem).is_some() {
                    break;
                }
                match with_default(NoSubscriber::default(), || simulate(seed, false, scratch)) {
                    Ok(outcome) => {
                        if tell.send(outcome).is_err() {
                            break;
                        }
                    }
                    Err(why) => *held(problem) = Some(why),
                }
            };
            std::thread::Builder::new().name("seeds".to_owned()).spawn_scoped(scope, work)?;
        }
        drop(tell);
        for outcome in told {
            summary.add(&outcome);
            ended(&outcome);
        }
        Ok(())
    })?;
    summary.failed.sort_unstable();
    held(&problem).take().map_or(Ok(summary), Err)
}
