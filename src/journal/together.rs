//! What the committer promises to those who write at the same time, tried by real threads again and again.

use super::applier::Signal;
use super::change::{self, Effect};
use super::committer::Committer;
use super::fault::Fault;
use super::log::LogWriter;
use super::medium::Appender;
use super::overlay::{Known, Overlay};
use super::store::{Sequence, StoreError};
use futures::executor::block_on;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::spawn;
use std::time::Duration;

/// Often enough that threads come into each other's way in more than one order.
fn in_any_order(case: fn()) {
    (0..20).for_each(|_| case());
}

/// A key, and what its writer was told.
type Told = (u64, Result<Sequence, StoreError>);

const WRITERS: u64 = 3;
const EACH: u64 = 3;

/// A file that counts what was written and what of it is on the disk, and refuses from some sync on.
struct Counted {
    written: u64,
    synced: Arc<AtomicU64>,
    refuses_at: u64,
}

impl Appender for Counted {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.written >= self.refuses_at {
            return Err(io::Error::other("the disk is gone"));
        }
        self.synced.store(self.written, Ordering::SeqCst);
        Ok(())
    }
}

struct Journal {
    committer: Committer,
    overlay: Arc<Overlay>,
    signal: Arc<Signal>,
    fault: Arc<Fault>,
    synced: Arc<AtomicU64>,
}

impl Journal {
    /// With an overlay that takes so many bytes before commits wait.
    fn new(room: usize) -> Arc<Journal> {
        let (overlay, fault) = (Arc::new(Overlay::default()), Arc::new(Fault::default()));
        let signal = Arc::new(Signal::new(room, 0));
        let committer = Committer::new(0, Arc::clone(&fault), Arc::clone(&overlay), Arc::clone(&signal));
        Arc::new(Journal { committer, overlay, signal, fault, synced: Arc::default() })
    }

    fn log(&self, refuses_at: u64) -> LogWriter {
        LogWriter::over(Box::new(Counted { written: 0, synced: Arc::clone(&self.synced), refuses_at }))
    }

    fn commit(&self, key: u64) -> Result<Sequence, StoreError> {
        let (key, effect) = (key.to_be_bytes().to_vec(), Effect::Put(vec![7; 20]));
        let mut payload = Vec::new();
        change::write(&mut payload, &key, &effect);
        block_on(self.committer.commit(payload, vec![(key, effect)]))
    }

    /// As the applier does, with nothing behind it. What it took, by key.
    fn apply(&self) -> u64 {
        let mut taken = 0;
        loop {
            let stop = self.signal.next_stop(Duration::ZERO);
            let layer = self.overlay.take();
            self.signal.wake();
            taken += layer.effects.len() as u64;
            self.overlay.applied();
            if stop || self.fault.get().is_some() {
                return taken;
            }
        }
    }
}

/// Runs writers, committer and applier; what each writer was told, and how much was applied.
fn run(journal: &Arc<Journal>, refuses_at: u64) -> (Vec<Told>, u64) {
    let log = journal.log(refuses_at);
    let committer = {
        let journal = Arc::clone(journal);
        spawn(move || journal.committer.run(log))
    };
    let applier = {
        let journal = Arc::clone(journal);
        spawn(move || journal.apply())
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let journal = Arc::clone(journal);
            spawn(move || {
                let mut told = Vec::new();
                for number in 0..EACH {
                    let key = writer * EACH + number;
                    let outcome = journal.commit(key);
                    if let Ok(sequence) = outcome {
                        assert!(journal.synced.load(Ordering::SeqCst) > 0, "told before the first sync");
                        assert!(sequence <= journal.committer.committed(), "told before it counts");
                    }
                    told.push((key, outcome));
                }
                told
            })
        })
        .collect();
    let told = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    journal.committer.close();
    committer.join().unwrap();
    journal.signal.stop();
    journal.signal.wake();
    (told, applier.join().unwrap())
}

#[test]
fn everybody_is_told_once_in_order_and_after_the_sync() {
    in_any_order(|| {
        // So little room that the committer waits for the applier after each group.
        let journal = Journal::new(1);
        let (told, applied) = run(&journal, u64::MAX);
        let mut sequences: Vec<Sequence> = told.iter().map(|(_, told)| *told.as_ref().unwrap()).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=WRITERS * EACH).collect::<Vec<_>>(), "each has a number of its own");
        for writer in told.chunks(EACH as usize) {
            assert!(writer.is_sorted_by_key(|(_, told)| *told.as_ref().unwrap()), "in the order of asking");
        }
        assert_eq!(applied, WRITERS * EACH, "nothing is lost on the way to the index");
        let closed = journal.commit(99);
        assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
    });
}

#[test]
fn what_is_told_can_be_read() {
    in_any_order(|| {
        let journal = Journal::new(1 << 20);
        let log = journal.log(u64::MAX);
        let committer = {
            let journal = Arc::clone(&journal);
            spawn(move || journal.committer.run(log))
        };
        let writers = [1, 2].map(|key| {
            let journal = Arc::clone(&journal);
            spawn(move || {
                journal.commit(key).unwrap();
                let known = journal.overlay.read().look(&key.to_be_bytes());
                assert!(matches!(known, Known::Value(_)), "nobody applies, so it must be here");
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        journal.committer.close();
        committer.join().unwrap();
    });
}

#[test]
fn after_a_failed_sync_everybody_is_refused_and_nobody_waits() {
    in_any_order(|| {
        let journal = Journal::new(1);
        let (told, _) = run(&journal, 150);
        let mut by_writer = BTreeMap::<u64, Vec<bool>>::new();
        for (key, told) in &told {
            by_writer.entry(key / EACH).or_default().push(told.is_ok());
        }
        for told in by_writer.values() {
            assert!(told.is_sorted_by(|before, after| before >= after), "once refused, always refused");
        }
        let acknowledged = told.iter().filter(|(_, told)| told.is_ok()).count() as u64;
        assert_eq!(journal.committer.committed(), acknowledged);
        assert!(told.iter().any(|(_, told)| matches!(told, Err(StoreError::Write { .. }))));
    });
}
