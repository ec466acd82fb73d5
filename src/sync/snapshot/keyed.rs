//! A sorted stream that is read key by key: what joins are made of.

use super::error::SnapshotError;
use std::iter::Peekable;

/// A stream sorted by key.
pub(crate) struct Keyed<T, K, I: Iterator<Item = Result<T, SnapshotError>>> {
    rows: Peekable<I>,
    key: fn(&T) -> K,
}

impl<T, K: Ord + Copy, I: Iterator<Item = Result<T, SnapshotError>>> Keyed<T, K, I> {
    /// Reads `rows`, sorted by `key`.
    pub(crate) fn new(rows: I, key: fn(&T) -> K) -> Keyed<T, K, I> {
        Keyed { rows: rows.peekable(), key }
    }

    /// The key that comes next.
    pub(crate) fn next_key(&mut self) -> Result<Option<K>, SnapshotError> {
        match self.rows.peek() {
            None => Ok(None),
            Some(Ok(row)) => Ok(Some((self.key)(row))),
            Some(Err(problem)) => Err(problem.clone()),
        }
    }

    /// All rows of this key, in order; rows before it are passed over.
    pub(crate) fn take(&mut self, key: K) -> Result<Vec<T>, SnapshotError> {
        let mut taken = Vec::new();
        while let Some(next) = self.next_key()? {
            if next > key {
                break;
            }
            if let Some(row) = self.rows.next().transpose()?
                && next == key
            {
                taken.push(row);
            }
        }
        Ok(taken)
    }
}
