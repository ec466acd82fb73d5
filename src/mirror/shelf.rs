//! Where the mirror is kept, as keys and values: what a store must promise, and one in memory.
//!
//! The promise: what [`Shelf::put`] takes is there as a whole or not at all, and in the order in which it was put;
//! after [`Shelf::settle`] it outlives a power cut. What was put and not settled may be lost from the end.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Changes that belong together: a value, or none to delete.
pub type Changes = Vec<(Vec<u8>, Option<Vec<u8>>)>;
/// A key with its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Why the mirror cannot be read or written. Never names a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// What is there is not what was written: it is made anew by pulling everything.
    #[error("the mirror is damaged: {0}")]
    Damaged(String),
    /// The disk.
    #[error("the mirror cannot be read or written: {0}")]
    Disk(String),
}

/// A sorted store.
pub trait Shelf: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError>;
    /// Entries with this prefix behind a key, in order.
    ///
    /// # Errors
    /// They cannot be read.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, ShelfError>;
    /// Puts changes, all or none of them.
    ///
    /// # Errors
    /// The disk.
    fn put(&self, changes: Changes) -> Result<(), ShelfError>;
    /// Hands what was put to the system: it outlives this process.
    ///
    /// # Errors
    /// The disk.
    fn hand_over(&self) -> Result<(), ShelfError>;
    /// Makes everything put so far outlive a power cut.
    ///
    /// # Errors
    /// The disk.
    fn settle(&self) -> Result<(), ShelfError>;
    /// Leaves no byte of what was deleted.
    ///
    /// # Errors
    /// The disk.
    fn rewrite(&self) -> Result<(), ShelfError> {
        Ok(())
    }
    /// Empties it; no byte of what was there is left.
    ///
    /// # Errors
    /// The disk. Whoever opens it then finds it empty, or begins it anew.
    fn clear(&self) -> Result<(), ShelfError>;
    /// Bytes it takes on the disk.
    fn size(&self) -> u64 {
        0
    }
}

/// A store that blocks of entries can lie in: it finds its way backwards, too.
pub trait Ground: Shelf {
    /// The last key before this one.
    ///
    /// # Errors
    /// It cannot be read.
    fn before(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError>;
}

/// A store in memory, for tests: it keeps each put, so that a test may cut it off anywhere.
#[derive(Default)]
pub struct Memory {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Each put, and how many of them were settled then.
    puts: Vec<Changes>,
    settled: usize,
    /// Puts it takes before the power fails.
    fuse: Option<usize>,
}

impl Memory {
    /// What a power cut leaves when all but the first `puts` are lost.
    pub fn cut(puts: &[Changes]) -> Memory {
        let memory = Memory::default();
        {
            let mut held = memory.held();
            for changes in puts {
                held.take(changes.clone());
            }
            held.settled = puts.len();
        }
        memory
    }

    /// Lets the power fail at that put.
    pub fn fail_at(&self, put: usize) {
        self.held().fuse = Some(put);
    }

    /// Every put so far, and how many are settled.
    pub fn puts(&self) -> (Vec<Changes>, usize) {
        let held = self.held();
        (held.puts.clone(), held.settled)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn take(&mut self, changes: Changes) {
        for (key, value) in &changes {
            match value {
                Some(value) => self.entries.insert(key.clone(), value.clone()),
                None => self.entries.remove(key),
            };
        }
        self.puts.push(changes);
    }
}

impl Shelf for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        Ok(self.held().entries.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, ShelfError> {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after.to_vec()),
            None => Bound::Included(prefix.to_vec()),
        };
        let held = self.held();
        let rows =
            held.entries.range((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        Ok(rows.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn put(&self, changes: Changes) -> Result<(), ShelfError> {
        let mut held = self.held();
        if held.fuse.is_some_and(|fuse| held.puts.len() >= fuse) {
            return Err(ShelfError::Disk("the power failed".to_owned()));
        }
        held.take(changes);
        Ok(())
    }

    fn hand_over(&self) -> Result<(), ShelfError> {
        Ok(())
    }

    fn clear(&self) -> Result<(), ShelfError> {
        *self.held() = Held::default();
        Ok(())
    }

    fn settle(&self) -> Result<(), ShelfError> {
        let mut held = self.held();
        if held.fuse.is_some_and(|fuse| held.puts.len() >= fuse) {
            return Err(ShelfError::Disk("the power failed".to_owned()));
        }
        held.settled = held.puts.len();
        Ok(())
    }
}

impl Ground for Memory {
    fn before(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        let held = self.held();
        let before = held.entries.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(key))).next_back();
        Ok(before.map(|(key, _)| key.clone()))
    }
}
