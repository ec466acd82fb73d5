//! Count and hash per table: what the index and a snapshot are checked against.
//!
//! The hash is a sum over the entries, so that it can be kept up to date one entry at a time. Each
//! entry's share is mixed after its checksums are taken: plain checksums are linear, and two values that
//! changed places would cancel out.

use std::collections::BTreeMap;

/// Of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// How many keys.
    pub(crate) count: u64,
    /// Sum of the entries' hashes.
    pub(crate) hash: u64,
}

/// Of all tables, by number; tables without entries are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals(BTreeMap<u8, Total>);

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn entry_hash(key: &[u8], value: &[u8]) -> u64 {
    let sums = (u64::from(crc32fast::hash(key)) << 32) | u64::from(crc32fast::hash(value));
    let lengths = ((key.len() as u64) << 32) ^ value.len() as u64;
    mix(sums ^ mix(lengths.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

impl Totals {
    /// An entry came. The key's first byte is its table.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        let total = self.0.entry(key.first().copied().unwrap_or_default()).or_default();
        total.count = total.count.wrapping_add(1);
        total.hash = total.hash.wrapping_add(entry_hash(key, value));
    }

    /// An entry went.
    pub(crate) fn remove(&mut self, key: &[u8], value: &[u8]) {
        let table = key.first().copied().unwrap_or_default();
        let total = self.0.entry(table).or_default();
        total.count = total.count.wrapping_sub(1);
        total.hash = total.hash.wrapping_sub(entry_hash(key, value));
        if *total == Total::default() {
            self.0.remove(&table);
        }
    }

    /// All entries.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().map(|total| total.count).sum()
    }

    /// As bytes: number of tables u8, then table u8, count u64, hash u64 of each.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for (table, total) in &self.0 {
            out.push(*table);
            out.extend_from_slice(&total.count.to_le_bytes());
            out.extend_from_slice(&total.hash.to_le_bytes());
        }
    }

    /// Back from bytes, with what follows them.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Totals, &[u8])> {
        let (tables, mut rest) = bytes.split_first()?;
        let mut totals = Totals::default();
        for _ in 0..*tables {
            let (table, after) = rest.split_first()?;
            let (count, after) = after.split_first_chunk::<8>()?;
            let (hash, after) = after.split_first_chunk::<8>()?;
            let total = Total { count: u64::from_le_bytes(*count), hash: u64::from_le_bytes(*hash) };
            totals.0.insert(*table, total);
            rest = after;
        }
        Some((totals, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_went_leaves_no_trace() {
        let mut totals = Totals::default();
        totals.add(&[1, 2], b"a");
        totals.remove(&[1, 2], b"a");
        assert_eq!(totals, Totals::default());
    }

    #[test]
    fn values_that_changed_places_are_noticed() {
        let (mut one, mut other) = (Totals::default(), Totals::default());
        one.add(&[1, 1], b"a");
        one.add(&[1, 2], b"b");
        other.add(&[1, 1], b"b");
        other.add(&[1, 2], b"a");
        assert_ne!(one, other);
        assert_eq!(one.count(), other.count());
    }

    #[test]
    fn totals_come_back_from_their_bytes() {
        let mut totals = Totals::default();
        totals.add(&[1, 1], b"a");
        totals.add(&[9, 1], b"b");
        let mut bytes = Vec::new();
        totals.write(&mut bytes);
        assert_eq!(Totals::read(&bytes), Some((totals, &[][..])));
    }
}
