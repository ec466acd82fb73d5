//! How often, and after what wait, a read that failed is made again. A read has no effect, so one in doubt is
//! repeated too. Pure: whoever asks does the waiting.

use super::failure::FailureClass;
use std::time::Duration;

/// Tries of one call, when it fails.
const TRIES: u32 = 8;
/// Waits of one call, when the account's limit is what stops it: that is no failure.
const WAITS: u32 = 60;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A service that asks for more than this is not waited for: a day's quota, say. Whoever comes next goes on.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// One call being made, maybe more than once.
#[derive(Clone, Copy, Debug)]
pub struct Reread {
    tries: u32,
    waits: u32,
    pause: Duration,
}

impl Default for Reread {
    fn default() -> Reread {
        Reread { tries: 0, waits: 0, pause: FIRST_PAUSE }
    }
}

impl Reread {
    /// How long to wait before it is made again; none when it is not worth it.
    pub fn after(&mut self, class: FailureClass) -> Option<Duration> {
        let wait = match class {
            FailureClass::Transient | FailureClass::InDoubt if self.tries + 1 < TRIES => {
                self.tries += 1;
                self.pause
            }
            FailureClass::RateLimited { retry_after }
                if self.waits < WAITS && retry_after.unwrap_or_default() <= LONGEST_WAIT =>
            {
                self.waits += 1;
                retry_after.unwrap_or(self.pause)
            }
            _ => return None,
        };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_borne_eight_times_and_growing_slower() {
        let mut reread = Reread::default();
        let waits: Vec<u64> =
            std::iter::from_fn(|| reread.after(FailureClass::InDoubt)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60]);
    }

    #[test]
    fn a_limit_is_waited_for_as_told_and_a_refusal_or_a_day_is_not() {
        let limited = |secs| FailureClass::RateLimited { retry_after: Some(Duration::from_secs(secs)) };
        assert_eq!(Reread::default().after(limited(10)), Some(Duration::from_secs(10)));
        assert_eq!(Reread::default().after(limited(3600)), None);
        for class in [FailureClass::Permanent, FailureClass::Unauthorized, FailureClass::Misconfigured] {
            assert_eq!(Reread::default().after(class), None);
        }
    }
}
