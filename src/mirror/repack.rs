//! What a put does to blocks: which are written anew, which are divided or joined, and which go.
//!
//! It promises: every key lies in the block of the last fence before it, in its own drawer; a block that grew too long
//! is divided, one that shrank to less than a quarter joins a neighbour where both leave room; a block whose entries
//! stay as they are is not written; a fence is a drawer's first or the key of its block's first entry, so that nothing
//! of a key outlives its entry. It never writes: it says what is to be put. Of blocks it holds the bytes, and the
//! entries of one at a time: a put may change thousands of them.

use super::block;
use super::key::Drawer;
use super::packed::{below, common, fence_before, fence_in};
use super::shelf::{Changes, Ground, ShelfError};
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// Changes of one block.
struct Due {
    drawer: Drawer,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

/// Changes of blocks being put together.
pub(super) struct Repack<'a, G> {
    ground: &'a G,
    due: BTreeMap<Vec<u8>, Due>,
    /// Blocks as they will be, by fence; none where one goes.
    blocks: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'a, G: Ground> Repack<'a, G> {
    pub(super) fn of(ground: &'a G) -> Repack<'a, G> {
        Repack { ground, due: BTreeMap::new(), blocks: BTreeMap::new() }
    }

    /// Takes in a change; a later one of the same key takes the place of it.
    pub(super) fn change(
        &mut self,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
        drawer: Drawer,
    ) -> Result<(), ShelfError> {
        let common = common(&key, drawer);
        let fence = fence_before(self.ground, &key)?.filter(|fence| fence.starts_with(common));
        let fence = fence.unwrap_or_else(|| common.to_vec());
        let due = self.due.entry(fence).or_insert_with(|| Due { drawer, changes: BTreeMap::new() });
        due.changes.insert(key, value);
        Ok(())
    }

    /// Everything the store below is to put.
    pub(super) fn changes(mut self) -> Result<Changes, ShelfError> {
        let mut small = Vec::new();
        for (fence, Due { drawer, changes }) in std::mem::take(&mut self.due) {
            if self.renew(&fence, drawer, changes)? {
                small.push((fence, drawer));
            }
        }
        for (fence, drawer) in small {
            self.join(&fence, drawer)?;
        }
        Ok(self.blocks.into_iter().map(|(fence, bytes)| (below(&fence), bytes)).collect())
    }

    /// Changes a block. Whether it has become so small that it is to join another.
    fn renew(
        &mut self,
        fence: &[u8],
        drawer: Drawer,
        changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<bool, ShelfError> {
        let held = self.ground.get(&below(fence))?;
        let before = held.as_ref().map_or(0, Vec::len);
        let rows = held.map(|bytes| block::unpacked(&bytes)).transpose()?.unwrap_or_default();
        let last = rows.last().map(|(key, _)| key.clone());
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = rows.into_iter().collect();
        let mut is_changed = false;
        for (key, value) in changes.into_iter().filter(|(_, value)| value.is_some() || before > 0) {
            is_changed |= rows.get(&key) != value.as_ref();
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        if !is_changed {
            return Ok(false);
        }
        let grows = rows.last_key_value().map(|(key, _)| key) > last.as_ref();
        let at_end = grows && self.behind(fence, drawer)?.is_none();
        let rows: Vec<_> = rows.into_iter().collect();
        let blocks = block::packed(&rows, drawer.most, at_end);
        let is_small = match blocks.as_slice() {
            [(_, bytes)] => bytes.len() < before && bytes.len() <= drawer.most / 4,
            _ => false,
        };
        self.blocks.insert(fence.to_vec(), None);
        let is_first = fence.len() == drawer.prefix;
        for (number, (first, bytes)) in blocks.into_iter().enumerate() {
            let at = if number == 0 && is_first { fence.to_vec() } else { first };
            self.blocks.insert(at, Some(bytes));
        }
        Ok(is_small)
    }

    /// Joins what is left of a block with the one before it, or the one behind it.
    fn join(&mut self, fence: &[u8], drawer: Drawer) -> Result<(), ShelfError> {
        // Its first entry may have gone; then it lies behind the fence that it had.
        let at = match self.is_to_go(fence) {
            true => self.behind(fence, drawer)?,
            false => Some(fence.to_vec()),
        };
        let Some(fence) = at else { return Ok(()) };
        let Some(bytes) = self.block(&fence)? else { return Ok(()) };
        for neighbour in [self.before(&fence, drawer)?, self.behind(&fence, drawer)?].into_iter().flatten() {
            let Some(other) = self.block(&neighbour)? else { continue };
            // Room is left: whoever comes next does not divide it again.
            if bytes.len() + other.len() > drawer.most / 4 * 3 {
                continue;
            }
            let is_before = neighbour < fence;
            let (first, one, second, two) = match is_before {
                true => (neighbour, other, fence, bytes),
                false => (fence, bytes, neighbour, other),
            };
            let mut rows = block::unpacked(&one)?;
            rows.extend(block::unpacked(&two)?);
            let joined = block::packed(&rows, drawer.most, true).pop();
            self.blocks.insert(first, joined.map(|(_, bytes)| bytes));
            self.blocks.insert(second, None);
            return Ok(());
        }
        Ok(())
    }

    /// A block as it will be.
    fn block(&self, fence: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        match self.blocks.get(fence) {
            Some(block) => Ok(block.clone()),
            None => self.ground.get(&below(fence)),
        }
    }

    fn is_to_go(&self, fence: &[u8]) -> bool {
        self.blocks.get(fence).is_some_and(Option::is_none)
    }

    /// The fence before one, in the same drawer, of a block that stays.
    fn before(&self, fence: &[u8], drawer: Drawer) -> Result<Option<Vec<u8>>, ShelfError> {
        let mut at = fence.to_vec();
        loop {
            let stored = self.ground.before(&below(&at))?;
            let stored = stored.and_then(|found| fence_in(&found).map(<[u8]>::to_vec));
            let own = self
                .blocks
                .range::<[u8], _>((Unbounded, Excluded(at.as_slice())))
                .next_back()
                .map(|(own, _)| own.clone());
            match stored.max(own).filter(|found| found.starts_with(common(fence, drawer))) {
                Some(found) if self.is_to_go(&found) => at = found,
                found => return Ok(found),
            }
        }
    }

    /// The fence behind one, in the same drawer, of a block that stays.
    fn behind(&self, fence: &[u8], drawer: Drawer) -> Result<Option<Vec<u8>>, ShelfError> {
        let all = common(fence, drawer);
        let mut at = fence.to_vec();
        loop {
            let stored = self.ground.scan(&below(all), Some(&below(&at)), 1)?.pop();
            let stored = stored.and_then(|(found, _)| fence_in(&found).map(<[u8]>::to_vec));
            let own = self.blocks.range::<[u8], _>((Excluded(at.as_slice()), Unbounded)).next();
            let own = own.map(|(own, _)| own.clone()).filter(|own| own.starts_with(all));
            match stored.into_iter().chain(own).min() {
                Some(found) if self.is_to_go(&found) => at = found,
                found => return Ok(found),
            }
        }
    }
}
