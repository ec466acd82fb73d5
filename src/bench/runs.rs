//! Calls and time of whole runs: the real app on the simulated accounts, each call taking 30 ms, with the services' real
//! limits; beside the fewest calls that do the same, and the least time in which the limits let these be made.

use super::error::BenchError;
use super::floor::{self, Calls};
use super::stage::{Stage, sync};
use super::stopwatch::Stopwatch;
use super::{Found, Size, handovers};
use crate::app::Ports;
use crate::sandbox::scenario;
use crate::serve::bench::{Aim, Figure, Unit};
use std::path::Path;
use std::time::Duration;

/// How long each call takes.
pub(super) const LATENCY: Duration = Duration::from_millis(30);
/// After so long, search has seen every change.
const LAG: Duration = Duration::from_secs(4);
/// Below this, the limits force nothing: a run takes as long as its lanes wait for company and a batch of the service's
/// takes, and no aim is held against that.
const FORCED: Duration = Duration::from_secs(10);
/// Times the fewest calls.
pub(super) const CALLS: f64 = 1.2;
/// Times the least time.
pub(super) const TIME: f64 = 1.25;

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (mut figures, mut notes) = (Vec::new(), Vec::new());
    for people in size.pick(&[1_000, 10_000, 100_000][..], &[200][..]) {
        let (some, said) = runs(&folder.join(format!("runs-{people}")), *people).await?;
        figures.extend(some);
        notes.extend(said);
    }
    let (some, said) = handovers::measure(folder, size).await?;
    figures.extend(some);
    notes.extend(said);
    Ok((figures, notes))
}

/// The first run, and one with nothing changed since.
async fn runs(folder: &Path, people: usize) -> Result<Found, BenchError> {
    let sandbox = scenario::named("large", 1, Some(people))
        .ok_or_else(|| BenchError::Broke("there is no scenario `large`".to_owned()))?;
    let stage = Stage::serve(folder, sandbox, LATENCY).await?;
    let app = stage.open(&[], Ports::default())?;
    let ids = app.config.hubspot.list_write_limit as u64;
    let (mut figures, mut notes) = (Vec::new(), Vec::new());

    let before = floor::reading(&stage.sizes(&app));
    let first = Taken::of(&stage, sync(&app)).await?;
    let floor = before.then(floor::changing(stage.sandbox().effects.all(), ids));
    figures.extend(first.figures(&format!("{people} people, first run"), floor));
    notes.push(format!("{people} people, first run: {}", first.kinds));

    // Search and the marks of lists have seen what the first run did, and a second run has read it.
    tokio::time::sleep(LAG).await;
    let second = Taken::of(&stage, sync(&app)).await?;
    notes.push(format!("{people} people, the run after: {} calls, {:.1} s", second.calls, second.seconds));
    tokio::time::sleep(LAG).await;
    let floor = floor::reading_changes(&stage.sizes(&app));
    let again = Taken::of(&stage, sync(&app)).await?;
    figures.extend(again.figures(&format!("{people} people, no change"), floor));
    notes.push(format!("{people} people, no change: {}", again.kinds));

    app.close().await;
    drop(app);
    stage.close().await;
    Ok((figures, notes))
}

/// What a run took.
pub(super) struct Taken {
    pub(super) calls: u64,
    pub(super) seconds: f64,
    /// The most frequent calls, in words.
    pub(super) kinds: String,
}

impl Taken {
    /// Measures a run.
    pub(super) async fn of<T>(
        stage: &Stage,
        run: impl Future<Output = Result<T, BenchError>>,
    ) -> Result<Taken, BenchError> {
        stage.sandbox().calls.clear();
        let watch = Stopwatch::start();
        run.await?;
        let seconds = watch.elapsed().as_secs_f64();
        let sandbox = stage.sandbox();
        let mut kinds: Vec<_> = sandbox.calls.all().iter().collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), *kind));
        let kinds: Vec<String> = kinds
            .iter()
            .take(10)
            .map(|(kind, count)| format!("{count}\u{a0}{} {}", kind.method, short(&kind.template)))
            .collect();
        Ok(Taken { calls: sandbox.calls.total(), seconds, kinds: kinds.join(" · ") })
    }

    /// Calls and time beside the floor.
    #[expect(clippy::cast_precision_loss, reason = "calls are far below 2^52")]
    pub(super) fn figures(&self, what: &str, floor: Calls) -> [Figure; 2] {
        let least = floor.least_time(LATENCY);
        let time = Figure::alone(format!("{what}: time"), Unit::Seconds, self.seconds)
            .beside("least", least.as_secs_f64());
        [
            Figure::alone(format!("{what}: calls"), Unit::Calls, self.calls as f64)
                .beside("fewest", floor.all() as f64)
                .aim(Aim::RatioAtMost(CALLS)),
            if least >= FORCED { time.aim(Aim::RatioAtMost(TIME)) } else { time },
        ]
    }
}

/// The end of a path: `memberships/add`.
fn short(template: &str) -> String {
    let parts: Vec<&str> = template.split('/').filter(|part| !part.is_empty()).collect();
    parts.get(parts.len().saturating_sub(2)..).unwrap_or_default().join("/")
}
