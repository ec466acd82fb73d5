//! Page logs: each page of a reading appended as one frame with the cursor that follows it. A log cut
//! short by a crash ends at its last whole page, and reading goes on from there.

use super::error::SnapshotError;
use super::frame::{self, Next};
use crate::domain::port::Page;
use crate::failpoint;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    next: Option<String>,
    total: Option<u64>,
    rows: Vec<T>,
}

/// How far a reading has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// Nothing was read.
    Start,
    /// This cursor is next.
    At(String),
    /// All was read.
    End,
}

/// A log of pages, open for appending.
pub struct PageLog<T> {
    path: PathBuf,
    file: File,
    position: Position,
    pages: u64,
    rows: u64,
    total: Option<u64>,
    kind: PhantomData<fn(T)>,
}

impl<T: Serialize + DeserializeOwned> PageLog<T> {
    /// Opens a log, or makes an empty one. A torn tail is cut off.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path) -> Result<PageLog<T>, SnapshotError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(SnapshotError::io(path))?;
        let mut log = PageLog {
            path: path.to_owned(),
            file,
            position: Position::Start,
            pages: 0,
            rows: 0,
            total: None,
            kind: PhantomData,
        };
        let mut whole = 0;
        let mut pages: Pages<T> = Pages::open(path)?;
        while let Some(page) = pages.next_page()? {
            whole = pages.read;
            log.note(page.next, page.total, page.rows.len());
        }
        log.file.set_len(whole).map_err(SnapshotError::io(path))?;
        log.file.seek(SeekFrom::Start(whole)).map_err(SnapshotError::io(path))?;
        Ok(log)
    }

    fn note(&mut self, next: Option<String>, total: Option<u64>, rows: usize) {
        self.position = next.map_or(Position::End, Position::At);
        self.total = total;
        self.pages += 1;
        self.rows += rows as u64;
    }

    /// Adds a page.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, page: Page<T>) -> Result<(), SnapshotError> {
        let stored = Stored { next: page.next, total: page.total, rows: page.rows };
        let mut payload = Vec::new();
        let mut framed = Vec::new();
        frame::encode(&stored, &mut payload)
            .and_then(|()| frame::write(&mut framed, &payload))
            .and_then(|()| self.file.write_all(&framed))
            .map_err(SnapshotError::io(&self.path))?;
        self.note(stored.next, stored.total, stored.rows.len());
        failpoint::pass(|| {
            let source = self.path.file_stem().unwrap_or_default().to_string_lossy();
            format!("{}:{}", failpoint::PAGE, source.trim_start_matches("work-"))
        });
        Ok(())
    }

    /// Makes what was appended durable.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), SnapshotError> {
        self.file.sync_data().map_err(SnapshotError::io(&self.path))
    }

    /// Forgets every page: the reading starts anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn restart(&mut self) -> Result<(), SnapshotError> {
        self.file.set_len(0).map_err(SnapshotError::io(&self.path))?;
        self.file.seek(SeekFrom::Start(0)).map_err(SnapshotError::io(&self.path))?;
        (self.position, self.pages, self.rows, self.total) = (Position::Start, 0, 0, None);
        Ok(())
    }

    /// How far the reading has come.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Pages in the log.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Rows in the log, doubles counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The total that the last page named.
    pub fn total(&self) -> Option<u64> {
        self.total
    }
}

/// The rows of a log, page after page; none when there is no such log.
pub struct PageRows<T> {
    pages: Option<Pages<T>>,
    rows: std::vec::IntoIter<T>,
}

impl<T: DeserializeOwned> PageRows<T> {
    /// Opens a log for reading.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<PageRows<T>, SnapshotError> {
        let pages = if path.exists() { Some(Pages::open(path)?) } else { None };
        Ok(PageRows { pages, rows: Vec::new().into_iter() })
    }
}

impl<T: DeserializeOwned> Iterator for PageRows<T> {
    type Item = Result<T, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.pages.as_mut()?.next_page() {
                Ok(Some(page)) => self.rows = page.rows.into_iter(),
                Ok(None) => self.pages = None,
                Err(problem) => {
                    self.pages = None;
                    return Some(Err(problem));
                }
            }
        }
    }
}

struct Pages<T> {
    path: PathBuf,
    input: BufReader<File>,
    buffer: Vec<u8>,
    read: u64,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    fn open(path: &Path) -> Result<Pages<T>, SnapshotError> {
        let file = File::open(path).map_err(SnapshotError::io(path))?;
        let input = BufReader::with_capacity(64 << 10, file);
        Ok(Pages { path: path.to_owned(), input, buffer: Vec::new(), read: 0, kind: PhantomData })
    }

    /// The next whole page; what follows the last whole one was never acknowledged.
    fn next_page(&mut self) -> Result<Option<Stored<T>>, SnapshotError> {
        match frame::read(&mut self.input, &mut self.buffer).map_err(SnapshotError::io(&self.path))? {
            Next::Frame => {
                let page = frame::decode(&self.buffer);
                self.read += 8 + self.buffer.len() as u64;
                Ok(page.ok())
            }
            Next::Trailer | Next::End | Next::Torn => Ok(None),
        }
    }
}
