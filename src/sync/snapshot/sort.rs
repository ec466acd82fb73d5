//! Sorting more than fits in memory: chunks are sorted, spilled as row files and merged. Stable: rows
//! with equal keys keep the order in which they were pushed.

use super::error::SnapshotError;
use super::frame;
use super::merge::MergeSorted;
use super::rows::{RowReader, RowWriter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Takes rows in any order and gives them back sorted.
pub struct ExternalSorter<T, K> {
    dir: PathBuf,
    name: String,
    budget: usize,
    key: fn(&T) -> K,
    // Rows as bytes, one after another: the memory used is known, whatever the rows hold.
    arena: Vec<u8>,
    index: Vec<(K, usize, usize)>,
    runs: Vec<PathBuf>,
}

impl<T: Serialize + DeserializeOwned, K: Ord> ExternalSorter<T, K> {
    /// Sorts by `key`, with about `budget` bytes of memory and spill files in `dir`; `name` keeps
    /// several sorters in one directory apart.
    pub fn new(dir: &Path, name: &str, budget: usize, key: fn(&T) -> K) -> ExternalSorter<T, K> {
        ExternalSorter {
            dir: dir.to_owned(),
            name: name.to_owned(),
            budget,
            key,
            arena: Vec::new(),
            index: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When a chunk cannot be spilled.
    pub fn push(&mut self, row: &T) -> Result<(), SnapshotError> {
        let start = self.arena.len();
        frame::encode(row, &mut self.arena).map_err(SnapshotError::io(&self.dir))?;
        self.index.push(((self.key)(row), start, self.arena.len()));
        if self.arena.len() + self.index.len() * size_of::<(K, usize, usize)>() >= self.budget {
            self.spill()?;
        }
        Ok(())
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty() && self.runs.is_empty()
    }

    fn spill(&mut self) -> Result<(), SnapshotError> {
        let path = self.dir.join(format!("sort-{}-{}.run", self.name, self.runs.len()));
        self.index.sort_by(|a, b| a.0.cmp(&b.0));
        let mut writer: RowWriter<T> = RowWriter::create(&path)?;
        for (_, start, end) in self.index.drain(..) {
            writer.write_encoded(self.arena.get(start..end).unwrap_or_default())?;
        }
        writer.finish_provisional()?;
        self.arena.clear();
        self.runs.push(path);
        Ok(())
    }

    /// The rows, sorted.
    ///
    /// # Errors
    /// When a spill file cannot be opened.
    pub fn finish(mut self) -> Result<Sorted<T, K>, SnapshotError> {
        self.index.sort_by(|a, b| a.0.cmp(&b.0));
        let mut chunks = Vec::with_capacity(self.runs.len() + 1);
        for path in &self.runs {
            chunks.push(Chunk::Spilled(RowReader::open(path)?));
            // It stays readable while it is open, and is gone whatever happens next.
            fs::remove_file(path).map_err(SnapshotError::io(path))?;
        }
        let places: Vec<_> = self.index.into_iter().map(|(_, start, end)| (start, end)).collect();
        let dir = self.dir;
        chunks.push(Chunk::Held { dir, arena: self.arena, places: places.into_iter(), rows: PhantomData });
        Ok(Sorted { rows: MergeSorted::new(chunks, self.key) })
    }
}

enum Chunk<T> {
    Spilled(RowReader<T>),
    Held { dir: PathBuf, arena: Vec<u8>, places: std::vec::IntoIter<(usize, usize)>, rows: PhantomData<T> },
}

impl<T: DeserializeOwned> Iterator for Chunk<T> {
    type Item = Result<T, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Chunk::Spilled(rows) => rows.next(),
            Chunk::Held { dir, arena, places, .. } => {
                let (start, end) = places.next()?;
                let bytes = arena.get(start..end).unwrap_or_default();
                Some(frame::decode(bytes).map_err(|what| SnapshotError::damaged(dir, what)))
            }
        }
    }
}

/// Rows in order.
pub struct Sorted<T, K> {
    rows: MergeSorted<T, K, Chunk<T>>,
}

impl<T: DeserializeOwned, K: Ord> Iterator for Sorted<T, K> {
    type Item = Result<T, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}
