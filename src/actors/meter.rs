//! Counts an account's calls over the time of a run, for the report: a few buckets, however long the run. Pure.

use crate::domain::failure::Service;
use crate::domain::report::CallCurve;
use crate::domain::time::Timestamp;
use std::time::Duration;

/// How long a bucket is to begin with: a short run is to have a curve too.
const BUCKET: Duration = Duration::from_secs(1);
/// Buckets at most; with more, two become one.
const MOST: usize = 120;

/// The calls of one account since a moment.
#[derive(Clone, Debug)]
pub(super) struct CallMeter {
    from: Timestamp,
    bucket: Duration,
    calls: Vec<u32>,
}

impl CallMeter {
    /// Counts from this moment on.
    pub(super) fn new(from: Timestamp) -> CallMeter {
        CallMeter { from, bucket: BUCKET, calls: Vec::new() }
    }

    /// A call leaves. A clock set back counts for the last bucket.
    pub(super) fn count(&mut self, now: Timestamp) {
        let index = |bucket: Duration| now.since(self.from).as_millis() / bucket.as_millis().max(1);
        while index(self.bucket) >= MOST as u128 {
            self.calls = self.calls.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.bucket *= 2;
        }
        let at = usize::try_from(index(self.bucket)).unwrap_or(0).max(self.calls.len().saturating_sub(1));
        self.calls.resize(at + 1, 0);
        if let Some(bucket) = self.calls.last_mut() {
            *bucket = bucket.saturating_add(1);
        }
    }

    /// What was counted, beside the most that may leave in a bucket. In less than the limit's window all of it may
    /// leave at once: a share of it would be no bound.
    pub(super) fn curve(&self, service: Service, limit: Option<(u64, Duration)>) -> CallCurve {
        let bucket_ms = u64::try_from(self.bucket.as_millis()).unwrap_or(u64::MAX);
        let most = limit.filter(|(_, window)| self.bucket >= *window).map(|(max, window)| {
            let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
            max.saturating_mul(bucket_ms) / window
        });
        CallCurve { service, from: self.from, bucket_ms, calls: self.calls.clone(), most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(seconds: impl IntoIterator<Item = u64>) -> CallMeter {
        let mut meter = CallMeter::new(Timestamp(0));
        for second in seconds {
            meter.count(Timestamp(0).plus(Duration::from_secs(second)));
        }
        meter
    }

    #[test]
    fn calls_stand_in_the_bucket_of_their_moment() {
        let meter = counted([0, 0, 1, 3, 3]);
        assert_eq!(meter.calls, vec![2, 1, 0, 2]);
        let curve = meter.curve(Service::HubSpot, Some((100, Duration::from_secs(10))));
        assert_eq!((curve.bucket_ms, curve.most), (1_000, None));
    }

    #[test]
    fn a_long_run_has_longer_buckets_and_loses_no_call() {
        let meter = counted((0..10_000).map(|call| call * 3));
        assert!(meter.calls.len() <= MOST, "{}", meter.calls.len());
        assert_eq!(meter.calls.iter().sum::<u32>(), 10_000);
        assert_eq!(meter.bucket, Duration::from_secs(256));
        let curve = meter.curve(Service::HubSpot, Some((100, Duration::from_secs(10))));
        assert_eq!((curve.bucket_ms, curve.most), (256_000, Some(2_560)));
    }

    #[test]
    fn a_clock_set_back_counts_no_call_twice_and_none_is_lost() {
        assert_eq!(counted([5, 2]).calls, vec![0, 0, 0, 0, 0, 2]);
    }
}
