//! The one place of the benchmarks that looks at a clock: one that never goes back.

use std::time::{Duration, Instant};

/// Runs from its start on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    pub(super) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// How long it has been running.
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// So many in this time, for each second.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn per_second(count: u64, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64().max(1e-9)
}

/// Of sorted waits, the one that so many of a hundred do not exceed, in milliseconds.
pub(super) fn percentile(sorted: &[Duration], hundredth: usize) -> f64 {
    let at = (sorted.len() * hundredth / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |wait| wait.as_secs_f64() * 1000.0)
}
