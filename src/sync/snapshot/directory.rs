//! Snapshot directories: where they are, which is the newest, which may go.

use super::error::SnapshotError;
use super::header::Header;
use super::view::Snapshot;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The directory of a run's snapshot; names sort as runs do.
pub fn path_of(state: &Path, run: RunId) -> PathBuf {
    state.join("snapshots").join(format!("{:010}", run.0))
}

/// The newest finished snapshot in `<state>/snapshots`, other than `but`; unreadable ones are passed
/// over.
///
/// # Errors
/// When the directory cannot be listed.
pub fn newest_finished(snapshots: &Path, but: Option<&Path>) -> Result<Option<Snapshot>, SnapshotError> {
    for dir in directories(snapshots)?.into_iter().rev() {
        if but != Some(dir.as_path())
            && let Ok(snapshot) = Snapshot::open(&dir)
        {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}

/// Every finished snapshot in `<state>/snapshots`, the newest first; unreadable ones are passed over.
///
/// # Errors
/// When the directory cannot be listed.
pub fn finished(snapshots: &Path) -> Result<Vec<Snapshot>, SnapshotError> {
    let found = directories(snapshots)?;
    Ok(found.iter().rev().filter_map(|dir| Snapshot::open(dir).ok()).collect())
}

/// The run whose scan made the snapshot in this directory.
pub fn run_of(dir: &Path) -> Option<RunId> {
    dir.file_name()?.to_str()?.parse().ok().map(RunId)
}

/// Removes snapshots older than `keep`, but never the newest finished one nor anything newer than
/// that. How many were removed.
///
/// # Errors
/// When the directory cannot be listed, or one cannot be removed.
pub fn prune(snapshots: &Path, keep: Duration, now: Timestamp) -> Result<usize, SnapshotError> {
    let Some(newest) = newest_finished(snapshots, None)? else { return Ok(0) };
    let mut removed = 0;
    for dir in directories(snapshots)? {
        if dir.as_path() >= newest.dir() {
            continue;
        }
        // What never finished, or cannot be read, is of no use to anybody once there is a newer one.
        let young = Header::read(&dir).is_ok_and(|header| now.since(header.seen) <= keep);
        if !young {
            fs::remove_dir_all(&dir).map_err(SnapshotError::io(&dir))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Directories named by a run's number, ascending.
pub(super) fn directories(snapshots: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let entries = match fs::read_dir(snapshots) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(problem) => return Err(SnapshotError::io(snapshots)(problem)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(SnapshotError::io(snapshots))?;
        let numbered =
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
        if numbered && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Shares an unchanged file with an older snapshot; copies it where the disk knows no hard links.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<(), SnapshotError> {
    if to.exists() {
        fs::remove_file(to).map_err(SnapshotError::io(to))?;
    }
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map_err(SnapshotError::io(to))?;
    File::open(to).and_then(|file| file.sync_all()).map_err(SnapshotError::io(to))
}

/// Writes a JSON file so that it is there whole or not at all, also after a power cut.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), SnapshotError> {
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        if let Some(dir) = path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(SnapshotError::io(path))
}

/// Removes every file of a directory.
pub(crate) fn clear(dir: &Path) -> Result<(), SnapshotError> {
    remove(dir, |_| true)
}

/// Removes what only a scan in progress needs.
pub(crate) fn remove_work(dir: &Path) -> Result<(), SnapshotError> {
    remove(dir, |name| {
        name.starts_with("work") || [".part", ".run"].iter().any(|ending| name.ends_with(ending))
    })
}

fn remove(dir: &Path, which: fn(&str) -> bool) -> Result<(), SnapshotError> {
    for entry in fs::read_dir(dir).map_err(SnapshotError::io(dir))? {
        let path = entry.map_err(SnapshotError::io(dir))?.path();
        if path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(which) {
            fs::remove_file(&path).map_err(SnapshotError::io(&path))?;
        }
    }
    Ok(())
}
