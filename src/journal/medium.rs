//! What the log is written on. A trait, so that tests can count syncs and break the disk.
//!
//! Promises: when `sync` returned, the bytes appended before are on the disk. Never: retries.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// One file that only grows.
pub trait Appender: Send {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// The system's.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all bytes appended are on the disk.
    ///
    /// # Errors
    /// The system's; afterwards nobody knows what the disk holds.
    fn sync(&mut self) -> io::Result<()>;
}

/// Where log segments live.
pub trait Medium: Send + Sync + 'static {
    /// Opens a file for appending; makes it, durably and readable by its owner only, when missing.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Appender>>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

struct DiskFile(File);

impl Appender for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Medium for Disk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Appender>> {
        let fresh = !path.exists();
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        if fresh {
            file.sync_all()?;
            if let Some(directory) = path.parent() {
                File::open(directory)?.sync_all()?;
            }
        }
        Ok(Box::new(DiskFile(file)))
    }
}
