//! A store in memory, for tests and simulation: the same answers, no disk.

use super::{Batch, Change, Entry, Sequence, Store, StoreError, Table};
use crate::threads::{Mutex, lock};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::ops::Bound;

#[derive(Default)]
struct Contents {
    entries: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    sequence: Sequence,
}

/// The store.
#[derive(Default)]
pub struct MemoryStore(Mutex<Contents>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError> {
        let mut contents = lock(&self.0);
        if batch.is_empty() {
            return Ok(contents.sequence);
        }
        for change in batch.changes {
            match change {
                Change::Put { table, key, value } => {
                    contents.entries.insert((table, key), value);
                }
                Change::Append { table, key, value } => {
                    contents.entries.entry((table, key)).or_default().extend(value);
                }
                Change::Delete { table, key } => {
                    contents.entries.remove(&(table, key));
                }
            }
        }
        contents.sequence += 1;
        Ok(contents.sequence)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(lock(&self.0).entries.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded((table, after.to_vec())),
            None => Bound::Included((table, prefix.to_vec())),
        };
        let contents = lock(&self.0);
        let range = contents.entries.range((from, Bound::Unbounded));
        let matching = range.take_while(|((found, key), _)| *found == table && key.starts_with(prefix));
        Ok(matching.take(limit).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    async fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        Vec::new()
    }
}
