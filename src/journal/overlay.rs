//! What is committed but not yet in the index: the last state per key, in memory.
//!
//! Promises: a read sees every commit acknowledged before it. Bounded: when it is full the committer
//! waits. Two layers: `active` takes new commits while `applying` is on its way into the index.

use super::change::{Effect, FullKey};
use super::store::Sequence;
use crate::threads::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// Effects by key, coalesced.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// By key.
    pub(crate) effects: BTreeMap<FullKey, Effect>,
    /// Bytes held, roughly.
    pub(crate) weight: usize,
    /// All commits up to this one are in it or below it.
    pub(crate) upto: Sequence,
}

/// What an entry costs beside its bytes.
const ENTRY: usize = 96;

impl Layer {
    /// Adds one effect after those already there.
    pub(crate) fn add(&mut self, key: FullKey, effect: Effect) {
        self.weight += key.len() + effect.weight() + ENTRY;
        match self.effects.entry(key) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(effect);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => match (place.get_mut(), effect) {
                (Effect::Put(value) | Effect::Append(value), Effect::Append(more)) => value.extend(more),
                (before @ Effect::Delete, Effect::Append(value)) => *before = Effect::Put(value),
                (before, effect) => *before = effect,
            },
        }
    }

    /// Whether there is nothing to apply.
    pub(crate) fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}

/// The layers, newest first.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    /// New commits.
    pub(crate) active: Layer,
    /// On its way into the index.
    pub(crate) applying: Arc<Layer>,
    /// Whole values of what `applying` appends to, known before the index changes: so a reader never
    /// adds an appended tail to a value that has it already.
    pub(crate) resolved: BTreeMap<FullKey, Vec<u8>>,
}

/// What the overlay knows of a key.
pub(crate) enum Known {
    /// Its value.
    Value(Vec<u8>),
    /// It is gone.
    Gone,
    /// These bytes follow what the index has.
    Tail(Vec<u8>),
    /// Nothing.
    Nothing,
}

impl Layers {
    /// What is known of a key.
    pub(crate) fn look(&self, key: &[u8]) -> Known {
        let tail = match self.active.effects.get(key) {
            Some(Effect::Put(value)) => return Known::Value(value.clone()),
            Some(Effect::Delete) => return Known::Gone,
            Some(Effect::Append(tail)) => Some(tail.as_slice()),
            None => None,
        };
        let below = match self.resolved.get(key) {
            Some(value) => Known::Value(value.clone()),
            None => match self.applying.effects.get(key) {
                Some(Effect::Put(value)) => Known::Value(value.clone()),
                Some(Effect::Delete) => Known::Gone,
                Some(Effect::Append(tail)) => Known::Tail(tail.clone()),
                None => Known::Nothing,
            },
        };
        let Some(tail) = tail else { return below };
        match below {
            Known::Value(mut value) => {
                value.extend_from_slice(tail);
                Known::Value(value)
            }
            Known::Gone => Known::Value(tail.to_vec()),
            Known::Tail(mut first) => {
                first.extend_from_slice(tail);
                Known::Tail(first)
            }
            Known::Nothing => Known::Tail(tail.to_vec()),
        }
    }
}

/// The layers, shared by the committer, the applier and all readers.
#[derive(Debug, Default)]
pub(crate) struct Overlay(RwLock<Layers>);

impl Overlay {
    /// To read. The index is read while this is held, so that it does not change in between.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Layers> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Layers> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the effects of a group of commits, the last of which is `upto`; gives the weight held then.
    pub(crate) fn add(&self, upto: Sequence, effects: impl Iterator<Item = (FullKey, Effect)>) -> usize {
        let mut layers = self.write();
        for (key, effect) in effects {
            layers.active.add(key, effect);
        }
        layers.active.upto = upto;
        layers.active.weight
    }

    /// Moves what is there on its way into the index.
    pub(crate) fn take(&self) -> Arc<Layer> {
        let mut layers = self.write();
        layers.applying = Arc::new(std::mem::take(&mut layers.active));
        Arc::clone(&layers.applying)
    }

    /// Tells readers the whole values of what is appended to.
    pub(crate) fn resolve(&self, values: BTreeMap<FullKey, Vec<u8>>) {
        self.write().resolved = values;
    }

    /// What was on its way is in the index.
    pub(crate) fn applied(&self) {
        let (layer, resolved) = {
            let mut layers = self.write();
            (std::mem::take(&mut layers.applying), std::mem::take(&mut layers.resolved))
        };
        // Freed outside the lock.
        drop((layer, resolved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_are_joined_and_a_delete_begins_anew() {
        let mut layer = Layer::default();
        layer.add(vec![3], Effect::Append(vec![1]));
        layer.add(vec![3], Effect::Append(vec![2]));
        assert_eq!(layer.effects.get(&vec![3]), Some(&Effect::Append(vec![1, 2])));
        layer.add(vec![3], Effect::Delete);
        layer.add(vec![3], Effect::Append(vec![9]));
        assert_eq!(layer.effects.get(&vec![3]), Some(&Effect::Put(vec![9])));
    }

    #[test]
    fn a_tail_over_a_resolved_value_is_added_once() {
        let overlay = Overlay::default();
        overlay.add(1, [(vec![3], Effect::Append(vec![2]))].into_iter());
        overlay.take();
        overlay.resolve(BTreeMap::from([(vec![3], vec![1, 2])]));
        overlay.add(2, [(vec![3], Effect::Append(vec![3]))].into_iter());
        assert!(matches!(overlay.read().look(&[3]), Known::Value(value) if value == vec![1, 2, 3]));
        overlay.applied();
        assert!(matches!(overlay.read().look(&[3]), Known::Tail(value) if value == vec![3]));
    }
}
