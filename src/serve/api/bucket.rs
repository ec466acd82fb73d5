//! How many requests somebody may make: a bucket that fills up evenly and holds a tenth of a minute's worth. Pure: the
//! moment is an argument.

use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

/// Buckets of so many are remembered; beyond that, full ones are let go first.
const REMEMBERED: usize = 10_000;

/// One bucket for each key.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    per_minute: u32,
    /// Until when each is drawn on: one that lies back is full.
    drawn: BTreeMap<K, i64>,
}

impl<K: Ord + Copy> Buckets<K> {
    pub(super) fn new(per_minute: u32) -> Buckets<K> {
        Buckets { per_minute: per_minute.max(1), drawn: BTreeMap::new() }
    }

    /// Takes one request out.
    ///
    /// # Errors
    /// After how many seconds there is one.
    pub(super) fn take(&mut self, key: K, now: Timestamp) -> Result<(), u64> {
        // In millionths of a second, so that high rates are not rounded away.
        let now = now.0.saturating_mul(1_000);
        let each = (60_000_000 / i64::from(self.per_minute)).max(1);
        let holds = each.saturating_mul((i64::from(self.per_minute) / 10).max(5));
        if self.drawn.len() >= REMEMBERED && !self.drawn.contains_key(&key) {
            self.drawn.retain(|_, until| *until > now);
        }
        let until = self.drawn.get(&key).copied().unwrap_or(now).max(now).saturating_add(each);
        // A clock set back leaves nobody waiting longer than the bucket takes to fill.
        let until = until.min(now.saturating_add(holds).saturating_add(each));
        if until > now.saturating_add(holds) {
            let wait = until.saturating_sub(now).saturating_sub(holds);
            return Err(u64::try_from(wait).unwrap_or(0).div_ceil(1_000_000).max(1));
        }
        self.drawn.insert(key, until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_tenth_at_once_then_evenly_and_to_each_its_own() {
        let mut buckets = Buckets::new(600);
        let given = |buckets: &mut Buckets<u8>, key, at| {
            (0..1_000).take_while(|_| buckets.take(key, Timestamp(at)).is_ok()).count()
        };
        assert_eq!(given(&mut buckets, 1, 0), 60);
        assert_eq!(given(&mut buckets, 2, 0), 60);
        assert_eq!(given(&mut buckets, 1, 1_000), 10);
        assert_eq!(given(&mut buckets, 1, 3_600_000), 60);
        assert_eq!(buckets.take(1, Timestamp(3_600_000)), Err(1));
        assert_eq!(given(&mut buckets, 1, 0), 0, "a clock set back gives nothing away");
    }
}
