//! The state directory itself: its lock, its format number, and files that replace each other whole.
//!
//! Promises: at most one process has the directory; nobody but its owner may read it; a file written
//! here is either the old one or the new one after a power cut.

use super::fault::io;
use super::store::{Sequence, StoreError};
use crate::failpoint;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The format this version writes, and the newest it reads. Format 2 has more tables than format 1, which
/// is otherwise the same; a directory of format 1 becomes one of format 2 when it is opened.
pub(crate) const FORMAT: u32 = 2;

/// What the system said of a file. sled hands errors on as what a debugger shows of them; the system's words stand in it.
pub(crate) fn in_the_systems_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let quoted = text.strip_prefix("Os {").and_then(|rest| rest.split_once("message: \""));
    let quoted = quoted.and_then(|(_, rest)| rest.split_once('"'));
    quoted.map_or_else(|| text.clone(), |(message, _)| message.to_owned())
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(crate) fn new(root: &Path) -> Directory {
        Directory { root: root.to_path_buf() }
    }
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshot")
    }
    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index")
    }
    /// Where an index is made anew.
    pub(crate) fn new_index(&self) -> PathBuf {
        self.root.join("index.new")
    }
    fn format(&self) -> PathBuf {
        self.root.join("format")
    }
    fn log_end(&self) -> PathBuf {
        self.root.join("log-end")
    }

    /// The refusal to start, with the place.
    pub(crate) fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.root.display().to_string(), what: what.into() }
    }

    /// Makes the directory when missing, closes it to others, and takes its lock; held until dropped.
    pub(crate) fn take(&self) -> Result<File, StoreError> {
        make(&self.root)?;
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { path: self.root.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(io(&path, error)),
        }
    }

    /// Holds the directory against a process that would write to it, without writing to it itself.
    pub(crate) fn share(&self) -> Result<Option<File>, StoreError> {
        let path = self.root.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(&path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { path: self.root.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(io(&path, error)),
        }
    }

    /// Checks the format, and that what belongs to it is there; writes nothing.
    pub(crate) fn check_format(&self) -> Result<(), StoreError> {
        let format = self.format();
        let text = fs::read_to_string(&format).map_err(|error| io(&format, error))?;
        self.check(&text)
    }

    /// Makes a new store's files, or checks that those of an existing one are all there.
    pub(crate) fn prepare(&self, first_segment: &str) -> Result<(), StoreError> {
        let format = self.format();
        match fs::read_to_string(&format) {
            Ok(text) => self.check(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if self.index().exists() || holds_bytes(&self.log()) || holds_bytes(&self.snapshots()) {
                    return Err(self.damaged("the file `format` is missing beside a journal"));
                }
                make(&self.log())?;
                make(&self.snapshots())?;
                // The format file comes last: it says that the rest is there.
                replace(&self.log().join(first_segment), b"")?;
                replace(&format, format!("{FORMAT}\n").as_bytes())
            }
            Err(error) => Err(io(&format, error)),
        }
    }

    fn check(&self, text: &str) -> Result<(), StoreError> {
        let found: u32 =
            text.trim().parse().map_err(|_| self.damaged("the file `format` holds no number"))?;
        if found > FORMAT {
            let path = self.root.display().to_string();
            return Err(StoreError::Newer { path, found, known: FORMAT });
        }
        for (path, name) in [(self.log(), "log"), (self.snapshots(), "snapshot")] {
            if !path.is_dir() {
                return Err(self.damaged(format!("the directory `{name}` is missing")));
            }
        }
        Ok(())
    }

    /// Says that the directory has this version's format from now on: once it has been opened whole, and
    /// before anything is written that an older version would not know.
    pub(crate) fn raise_format(&self) -> Result<(), StoreError> {
        let (path, text) = (self.format(), format!("{FORMAT}\n"));
        match fs::read_to_string(&path) {
            Ok(found) if found.trim() == text.trim() => Ok(()),
            _ => replace(&path, text.as_bytes()),
        }
    }

    /// Notes that the log reached a sequence: after an orderly end, all of it is known to be there.
    pub(crate) fn write_log_end(&self, sequence: Sequence) -> Result<(), StoreError> {
        let number = sequence.to_string();
        let text = format!("{number} {:08x}\n", crc32fast::hash(number.as_bytes()));
        replace(&self.log_end(), text.as_bytes())
    }

    /// How far the log is known to have reached, as last noted.
    pub(crate) fn read_log_end(&self) -> Option<Sequence> {
        let text = fs::read_to_string(self.log_end()).ok()?;
        let (number, sum) = text.trim().split_once(' ')?;
        if format!("{:08x}", crc32fast::hash(number.as_bytes())) != sum {
            tracing::warn!("the file `log-end` is damaged and not used");
            return None;
        }
        number.parse().ok()
    }

    /// Removes an index that was being made anew.
    pub(crate) fn remove_new_index(&self) -> Result<(), StoreError> {
        remove_all(&self.new_index())
    }

    /// Puts the new index in the place of the old one. In between there is none, and a start would rebuild it.
    pub(crate) fn change_index(&self) -> Result<(), StoreError> {
        remove_all(&self.index())?;
        failpoint::pass(|| format!("{}:index-gone", failpoint::COMPACT));
        fs::rename(self.new_index(), self.index()).map_err(|error| io(&self.index(), error))
    }

    /// Removes what is left of indexes that could not be used.
    pub(crate) fn remove_set_aside(&self) -> Result<(), StoreError> {
        for (path, name) in files(&self.root)? {
            if name.starts_with("index.damaged-") {
                remove_all(&path)?;
            }
        }
        Ok(())
    }

    /// Moves the index out of the way; of those moved before, none is kept.
    pub(crate) fn set_index_aside(&self) -> Result<(), StoreError> {
        let index = self.index();
        if !index.exists() {
            return Ok(());
        }
        let mut last = 0;
        for (path, name) in files(&self.root)? {
            if let Some(number) = name.strip_prefix("index.damaged-") {
                last = last.max(number.parse().unwrap_or(0));
                fs::remove_dir_all(&path).map_err(|error| io(&path, error))?;
            }
        }
        let aside = self.root.join(format!("index.damaged-{}", last + 1));
        fs::rename(&index, &aside).map_err(|error| io(&index, error))
    }
}

/// Makes a directory for its owner only, with its parents.
pub(crate) fn make(path: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| io(path, error))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|error| io(path, error))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Removes a directory with everything in it, if it is there.
pub(crate) fn remove_all(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path, error)),
        _ => Ok(()),
    }
}

/// Files and directories in a directory, with their names.
pub(crate) fn files(path: &Path) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| io(path, error))? {
        let entry = entry.map_err(|error| io(path, error))?;
        found.push((entry.path(), entry.file_name().to_string_lossy().into_owned()));
    }
    found.sort();
    Ok(found)
}

fn holds_bytes(path: &Path) -> bool {
    files(path).is_ok_and(|found| {
        found.iter().any(|(path, _)| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0))
    })
}

/// Makes what was renamed, made or removed in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| io(path, error))
}

/// A new file, readable by its owner only.
pub(crate) fn new_file(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| io(path, error))
}

/// The name a file has until it is whole.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_extension("tmp")
}

/// Renames a synced temporary file into its place, durably.
pub(crate) fn put_in_place(path: &Path) -> Result<(), StoreError> {
    fs::rename(temporary(path), path).map_err(|error| io(path, error))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Replaces a file whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = new_file(&temporary(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| io(path, error))?;
    put_in_place(path)
}

/// Removes left-over temporary files.
pub(crate) fn sweep(path: &Path) -> Result<(), StoreError> {
    for (file, name) in files(path)? {
        if name.ends_with(".tmp") {
            fs::remove_file(&file).map_err(|error| io(&file, error))?;
        }
    }
    Ok(())
}
