//! Many entries in few: neighbours lie together in a block, and the store below sees the blocks. sled holds some bytes in
//! memory for each of its entries, wherever their values are; so the mirror's memory hardly grows with its records.
//!
//! It promises what [`Shelf`] does: a put becomes one put of the store below, with every block that it changes; whoever
//! reads while somebody writes sees the entries from before or from behind, and none of them twice or not at all. It
//! never holds a block longer than a call takes, and writes none that stays as it was.
//!
//! A block lies under the key of its first entry, its *fence*, and holds all keys from there to the next fence of its
//! drawer ([`key::drawer`]). A drawer's first fence is what its keys have in common.

use super::block::{self, Rows};
use super::key::{self, Drawer};
use super::repack::Repack;
use super::shelf::{Changes, Entry, Ground, Shelf, ShelfError};
use std::sync::{Arc, PoisonError, RwLock};

/// Before each fence in the store below; no entry's key begins with it.
const BLOCKS: u8 = 1;
/// Blocks read at a time where more than one is.
const AT_A_TIME: usize = 8;

/// The key of a block in the store below.
pub(super) fn below(fence: &[u8]) -> Vec<u8> {
    [&[BLOCKS], fence].concat()
}

/// The fence in a key of the store below.
pub(super) fn fence_in(below: &[u8]) -> Option<&[u8]> {
    below.strip_prefix(&[BLOCKS])
}

/// What the keys of a drawer have in common.
pub(super) fn common(key: &[u8], drawer: Drawer) -> &[u8] {
    key.get(..drawer.prefix).unwrap_or(key)
}

/// The last fence at or before a key, whatever drawer it is of.
pub(super) fn fence_before<G: Ground>(ground: &G, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
    // Nothing lies between a key and itself with a zero behind it.
    let behind = [&[BLOCKS], key, &[0]].concat();
    Ok(ground.before(&behind)?.and_then(|found| fence_in(&found).map(<[u8]>::to_vec)))
}

/// A store whose entries are packed.
pub struct Packed<G> {
    ground: Arc<G>,
    /// A block that is divided, or joined with its neighbour, must not be read half before and half behind that.
    gate: RwLock<()>,
}

impl<G: Ground> Packed<G> {
    /// In a store that nobody else writes to.
    pub fn over(ground: Arc<G>) -> Packed<G> {
        Packed { ground, gate: RwLock::default() }
    }

    fn scan_blocks(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, ShelfError> {
        let _steady = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut entries = Vec::new();
        let first = fence_before(self.ground.as_ref(), after.unwrap_or(prefix).max(prefix))?;
        let mut at = below(first.as_deref().unwrap_or(prefix));
        let mut blocks: Vec<Entry> =
            self.ground.get(&at)?.map(|bytes| (at.clone(), bytes)).into_iter().collect();
        loop {
            for (fence, bytes) in &blocks {
                let is_behind = |key: &[u8]| key > prefix && !key.starts_with(prefix);
                if fence_in(fence).is_none_or(is_behind) {
                    return Ok(entries);
                }
                let mut rows = Rows::of(bytes)?;
                while let Some((key, value)) = rows.next()? {
                    if entries.len() >= limit || is_behind(key) {
                        return Ok(entries);
                    }
                    if key.starts_with(prefix) && after.is_none_or(|after| key > after) {
                        entries.push((key.to_vec(), value.to_vec()));
                    }
                }
            }
            blocks = self.ground.scan(&[BLOCKS], Some(&at), AT_A_TIME)?;
            match blocks.last() {
                Some((last, _)) => at.clone_from(last),
                None => return Ok(entries),
            }
        }
    }
}

impl<G: Ground> Shelf for Packed<G> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        let Some(drawer) = key::drawer(key) else { return self.ground.get(key) };
        let _steady = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let fence = fence_before(self.ground.as_ref(), key)?;
        let Some(fence) = fence.filter(|fence| fence.starts_with(common(key, drawer))) else {
            return Ok(None);
        };
        match self.ground.get(&below(&fence))? {
            Some(bytes) => block::find(&bytes, key),
            None => Ok(None),
        }
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, ShelfError> {
        if prefix.is_empty() {
            // By letters: some lie in blocks, some do not.
            let mut entries: Vec<Entry> = Vec::new();
            for letter in BLOCKS + 1..=u8::MAX {
                entries.extend(self.scan(&[letter], after, limit - entries.len())?);
            }
            return Ok(entries);
        }
        match key::drawer(prefix) {
            None => self.ground.scan(prefix, after, limit),
            Some(_) => self.scan_blocks(prefix, after, limit),
        }
    }

    fn put(&self, changes: Changes) -> Result<(), ShelfError> {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let (mut changed, mut repack) = (Changes::new(), Repack::of(self.ground.as_ref()));
        for (key, value) in changes {
            match key::drawer(&key) {
                Some(drawer) => repack.change(key, value, drawer)?,
                None => changed.push((key, value)),
            }
        }
        changed.extend(repack.changes()?);
        self.ground.put(changed)
    }

    fn hand_over(&self) -> Result<(), ShelfError> {
        self.ground.hand_over()
    }

    fn settle(&self) -> Result<(), ShelfError> {
        self.ground.settle()
    }

    fn rewrite(&self) -> Result<(), ShelfError> {
        self.ground.rewrite()
    }

    fn clear(&self) -> Result<(), ShelfError> {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.ground.clear()
    }

    fn size(&self) -> u64 {
        self.ground.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::shelf::Memory;
    use proptest::prelude::*;

    fn blocks(memory: &Memory) -> Vec<Entry> {
        memory.scan(&[BLOCKS], None, usize::MAX).unwrap()
    }

    /// Keys of several drawers, close to each other, and some that lie by themselves.
    fn any_key() -> impl Strategy<Value = Vec<u8>> {
        let begins: [&[u8]; 7] = [b"o1\0", b"o11\0", b"o2\0", b"c", b"n", b"a1\x002\0", b"M"];
        let ends = proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(255)], 0..4);
        (proptest::sample::select(begins.to_vec()), ends).prop_map(|(begin, end)| [begin, &end].concat())
    }

    fn any_put() -> impl Strategy<Value = Changes> {
        let value = prop_oneof![
            2 => (0..40_usize).prop_map(|length| Some(vec![7; length])),
            1 => (300..900_usize).prop_map(|length| Some(vec![8; length])),
            1 => (2_000..5_000_usize).prop_map(|length| Some(vec![9; length])),
            4 => Just(None),
        ];
        proptest::collection::vec((any_key(), value), 0..20)
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_store_holds(
            puts in proptest::collection::vec(any_put(), 1..30), prefix in any_key(), after in any_key(), limit in 0..30_usize,
        ) {
            let (memory, plain) = (Arc::new(Memory::default()), Memory::default());
            let packed = Packed::over(memory.clone());
            for (number, put) in puts.iter().enumerate() {
                packed.put(put.clone()).unwrap();
                plain.put(put.clone()).unwrap();
                prop_assert_eq!(memory.puts().0.len(), number + 1, "a put is one put");
                let all = plain.scan(b"", None, usize::MAX).unwrap();
                prop_assert_eq!(&packed.scan(b"", None, usize::MAX).unwrap(), &all);
                for (key, value) in all {
                    prop_assert_eq!(packed.get(&key).unwrap(), Some(value));
                }
                for (key, _) in put {
                    prop_assert_eq!(packed.get(key).unwrap(), plain.get(key).unwrap());
                }
                for (below, bytes) in blocks(&memory) {
                    let fence = fence_in(&below).unwrap();
                    let rows = block::unpacked(&bytes).unwrap();
                    let drawer = key::drawer(&rows[0].0).unwrap();
                    prop_assert!(fence == common(&rows[0].0, drawer) || fence == rows[0].0);
                    prop_assert!(bytes.len() <= drawer.most || rows.len() == 1);
                }
                for prefix in [&prefix[..], &prefix[..1], b"o", b"o1\0\0"] {
                    for after in [None, Some(&after[..])] {
                        prop_assert_eq!(
                            packed.scan(prefix, after, limit).unwrap(), plain.scan(prefix, after, limit).unwrap());
                    }
                }
            }
        }
    }

    fn numbered(number: u64) -> Vec<u8> {
        key::change(number)
    }

    fn put(packed: &Packed<Memory>, numbers: impl Iterator<Item = u64>, value: Option<&[u8]>) {
        packed.put(numbers.map(|number| (numbered(number), value.map(<[u8]>::to_vec))).collect()).unwrap();
    }

    #[test]
    fn what_comes_at_the_end_leaves_full_blocks_and_what_is_thinned_out_is_joined() {
        let memory = Arc::new(Memory::default());
        let packed = Packed::over(memory.clone());
        for step in 0..100 {
            put(&packed, step * 100..(step + 1) * 100, Some(&[1; 20]));
        }
        let full = blocks(&memory);
        let bytes: usize = full.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes / full.len() > 1_900, "{} blocks of {bytes} bytes", full.len());
        // All but every fiftieth go, in no order.
        for step in 0..50 {
            put(&packed, (0..10_000).filter(|number| number % 50 != 0 && number * 7 % 50 == step), None);
        }
        let left = blocks(&memory).len();
        assert!(left * 8 < full.len(), "{left} blocks of {}", full.len());
        assert_eq!(packed.scan(b"c", None, usize::MAX).unwrap().len(), 200);
        put(&packed, 0..10_000, None);
        assert_eq!(blocks(&memory), []);
    }

    #[test]
    fn a_put_writes_the_blocks_it_changes_and_no_other() {
        let memory = Arc::new(Memory::default());
        let packed = Packed::over(memory.clone());
        put(&packed, 0..10_000, Some(&[1; 20]));
        let written = || memory.puts().0.last().unwrap().len();
        put(&packed, [5_000].into_iter(), Some(&[2; 20]));
        assert_eq!(written(), 1);
        put(&packed, 5_000..5_010, Some(&[2; 20]));
        assert!(written() <= 2);
        put(&packed, 5_000..5_010, Some(&[2; 20]));
        assert_eq!(written(), 0, "nothing changed");
        put(&packed, 20_000..30_000, None);
        assert_eq!(written(), 0, "nothing was there");
    }

    #[test]
    fn of_a_key_that_was_deleted_nothing_is_left_in_a_fence() {
        let memory = Arc::new(Memory::default());
        let packed = Packed::over(memory.clone());
        let key =
            |number: u64| [&b"x1\0email\0"[..], format!("p{number:03}@example.com\0").as_bytes()].concat();
        packed.put((0..400).map(|number| (key(number), Some(vec![1; 8]))).collect()).unwrap();
        assert!(blocks(&memory).len() > 4);
        for number in (0..400).map(|number| number * 7 % 400) {
            packed.put(vec![(key(number), None)]).unwrap();
            assert!(blocks(&memory).iter().all(|(below, _)| fence_in(below) != Some(&key(number)[..])));
        }
        assert_eq!(blocks(&memory), []);
    }

    #[test]
    fn whoever_reads_while_blocks_are_divided_and_joined_sees_everybody_once() {
        let packed = Arc::new(Packed::over(Arc::new(Memory::default())));
        let stays = |number: &u64| number.is_multiple_of(10);
        put(&packed, (0..600).filter(stays), Some(&[1; 20]));
        let writer = Arc::clone(&packed);
        let writing = std::thread::spawn(move || {
            for round in 0..8 {
                let value: Option<&[u8]> = (round % 2 == 0).then_some(&[2; 60]);
                put(&writer, (0..600).filter(|number| !stays(number)), value);
            }
        });
        while !writing.is_finished() {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let rows = packed.scan(b"c", after.as_deref(), 100).unwrap();
                let Some((last, _)) = rows.last() else { break };
                after = Some(last.clone());
                seen.extend(rows.iter().filter_map(|(key, _)| key::last_number(key)).filter(stays));
            }
            assert!(seen.into_iter().eq((0..600).filter(stays)));
        }
        writing.join().unwrap();
    }

    #[test]
    fn a_damaged_block_is_told_and_not_taken_for_an_empty_one() {
        let memory = Arc::new(Memory::default());
        let packed = Packed::over(memory.clone());
        put(&packed, 0..10, Some(b"v"));
        let (key, mut bytes) = blocks(&memory).remove(0);
        bytes[5] ^= 1;
        memory.put(vec![(key, Some(bytes))]).unwrap();
        let damaged = |error| matches!(error, ShelfError::Damaged(_));
        assert!(packed.get(&numbered(3)).is_err_and(damaged));
        assert!(packed.scan(b"c", None, 9).is_err_and(damaged));
        assert!(packed.put(vec![(numbered(3), None)]).is_err_and(damaged));
    }
}
