//! Several sorted streams read as one sorted stream. Rows with equal keys come in the order of their
//! streams, so that whoever takes the last of them takes the newest.

use super::error::SnapshotError;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

struct Head<T, K> {
    key: K,
    source: usize,
    row: T,
}

impl<T, K: Ord> PartialEq for Head<T, K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl<T, K: Ord> Eq for Head<T, K> {}
impl<T, K: Ord> PartialOrd for Head<T, K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T, K: Ord> Ord for Head<T, K> {
    // Turned round: the heap gives its greatest, we want the smallest.
    fn cmp(&self, other: &Self) -> Ordering {
        (&other.key, other.source).cmp(&(&self.key, self.source))
    }
}

/// The merge of sorted streams; gives nothing more after an error.
pub struct MergeSorted<T, K, I> {
    sources: Vec<I>,
    heads: BinaryHeap<Head<T, K>>,
    key: fn(&T) -> K,
    failed: Option<SnapshotError>,
}

impl<T, K: Ord, I: Iterator<Item = Result<T, SnapshotError>>> MergeSorted<T, K, I> {
    /// Merges streams, each sorted by `key`.
    pub fn new(sources: Vec<I>, key: fn(&T) -> K) -> MergeSorted<T, K, I> {
        let mut merged =
            MergeSorted { heads: BinaryHeap::with_capacity(sources.len()), sources, key, failed: None };
        for source in 0..merged.sources.len() {
            merged.pull(source);
        }
        merged
    }

    fn pull(&mut self, source: usize) {
        match self.sources.get_mut(source).and_then(Iterator::next) {
            Some(Ok(row)) => self.heads.push(Head { key: (self.key)(&row), source, row }),
            Some(Err(problem)) => self.failed = Some(problem),
            None => {}
        }
    }
}

impl<T, K: Ord, I: Iterator<Item = Result<T, SnapshotError>>> Iterator for MergeSorted<T, K, I> {
    type Item = Result<T, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(problem) = self.failed.take() {
            self.heads.clear();
            self.sources.clear();
            return Some(Err(problem));
        }
        let head = self.heads.pop()?;
        self.pull(head.source);
        Some(Ok(head.row))
    }
}
