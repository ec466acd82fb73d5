//! When a step is tried again: jittered exponential back-off as data. Chance is a parameter.

use crate::domain::time::Timestamp;
use std::time::Duration;

/// How long a call the service may still be working on can go on after it was sent: their limit is
/// 120 s, and 10 s for what a network may hold (design §3.3).
pub const STILL_RUNNING: Duration = Duration::from_secs(130);

/// [`STILL_RUNNING`], save where a test of the real binary set it lower so as not to wait.
pub fn still_running() -> Duration {
    crate::failpoint::still_running(STILL_RUNNING)
}

/// How old a plan may be when its moves begin (design §3.10).
pub const STALE_AFTER: Duration = Duration::from_secs(60);

/// Retry policy: part of the config's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// First wait.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
    /// Wait before a step in doubt is probed: the first call may still be running.
    pub before_probe: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
            before_probe: Duration::from_secs(2),
        }
    }
}

impl RetryPolicy {
    /// The wait after `attempts` calls: doubled each time, between half and the whole of it by chance
    /// (`fraction` in 0..1), never above the longest.
    pub fn wait(&self, attempts: u32, fraction: f64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1u32.checked_shl(attempts.saturating_sub(1).min(20)).unwrap_or(u32::MAX));
        let whole = doubled.min(self.longest);
        whole.mul_f64(0.5 + 0.5 * fraction.clamp(0.0, 1.0))
    }

    /// The moment of the next try.
    pub fn next(&self, now: Timestamp, attempts: u32, fraction: f64) -> Timestamp {
        now.plus(self.wait(attempts, fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_never_pass_it() {
        let policy = RetryPolicy::default();
        let whole: Vec<_> = (1..=12).map(|attempts| policy.wait(attempts, 1.0)).collect();
        assert_eq!(whole.first(), Some(&Duration::from_millis(500)));
        assert_eq!(whole.get(1), Some(&Duration::from_secs(1)));
        assert!(whole.iter().all(|wait| *wait <= policy.longest));
        assert_eq!(policy.wait(200, 1.0), policy.longest);
        assert_eq!(policy.wait(3, 0.0), Duration::from_secs(1));
    }
}
