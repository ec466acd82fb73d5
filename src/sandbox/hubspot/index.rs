//! The search index: versions of contacts as search sees them, a few seconds behind the records.

use super::record::Record;
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What search knows.
#[derive(Clone, Debug, Default)]
pub struct Index {
    versions: BTreeMap<u64, Arc<Record>>,
    by_modified: BTreeSet<(Timestamp, u64)>,
    opted_out: BTreeSet<u64>,
    waiting: VecDeque<(Timestamp, u64, Option<Arc<Record>>)>,
}

impl Index {
    /// Hands in a version (none = the record is gone) that search will see from `due` on.
    pub fn submit(&mut self, due: Timestamp, id: u64, version: Option<Arc<Record>>) {
        self.waiting.push_back((due, id, version));
    }

    /// Takes in what is due.
    pub fn advance(&mut self, now: Timestamp) {
        while self.waiting.front().is_some_and(|(due, ..)| *due <= now) {
            if let Some((_, id, version)) = self.waiting.pop_front() {
                self.put(id, version);
            }
        }
    }

    /// Takes in everything: a scenario starts with search up to date.
    pub fn catch_up(&mut self) {
        while let Some((_, id, version)) = self.waiting.pop_front() {
            self.put(id, version);
        }
    }

    fn put(&mut self, id: u64, version: Option<Arc<Record>>) {
        if let Some(old) = self.versions.remove(&id) {
            self.by_modified.remove(&(old.modified, id));
            self.opted_out.remove(&id);
        }
        if let Some(version) = version {
            self.by_modified.insert((version.modified, id));
            let opted_out =
                |(name, value): (&String, &String)| name.starts_with("hs_email_optout") && value == "true";
            if version.properties.iter().any(opted_out) {
                self.opted_out.insert(id);
            }
            self.versions.insert(id, version);
        }
    }

    /// All versions in id order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.versions.values()
    }

    /// Versions modified within the bounds (both included), oldest first.
    pub fn modified(&self, from: Timestamp, to: Timestamp) -> Vec<&Arc<Record>> {
        if from > to {
            return Vec::new();
        }
        self.by_modified
            .range((from, 0)..=(to, u64::MAX))
            .filter_map(|(_, id)| self.versions.get(id))
            .collect()
    }

    /// Versions opted out of anything, in id order.
    pub fn opted_out(&self) -> Vec<&Arc<Record>> {
        self.opted_out.iter().filter_map(|id| self.versions.get(id)).collect()
    }
}
