//! A look at the journal's files, and at what a start would make of them, without changing anything.
//!
//! Promises: not a byte of the state directory is written. What only a start can tell is tried on a copy in the
//! system's directory for temporary files: once with the index and once without it. Both must come to the same.

use super::change;
use super::directory::{self, Directory};
use super::fault::io;
use super::log::{self, Finding as Piece};
use super::snapshot::{self, Worth};
use super::store::live::{LiveStore, Settings};
use super::store::{Sequence, Store, StoreError};
use super::verify::{Defect, Place};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    /// What was looked at, in words with numbers.
    pub looked: Vec<String>,
    /// What is not as it was written.
    pub defects: Vec<Defect>,
}

impl Inspected {
    fn file(&mut self, path: &Path, what: impl Into<String>, harmless: bool) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.defects.push(Defect { place: Place::File(name), what: what.into(), harmless });
    }
}

/// Reads the format, every snapshot and every frame of the log. May be done while a process writes: what is being
/// written is then not looked at.
///
/// # Errors
/// A file cannot be read.
pub fn files(root: &Path) -> Result<Inspected, StoreError> {
    let directory = Directory::new(root);
    let mut found = Inspected::default();
    directory.check_format()?;
    let mut newest_whole = 0;
    let snapshots = snapshot::list(&directory.snapshots())?;
    for snapshot in &snapshots {
        let mut entries = 0_u64;
        let worth = snapshot::read(snapshot, |_, _| {
            entries += 1;
            Ok(())
        })?;
        match worth {
            Worth::Whole => newest_whole = newest_whole.max(snapshot.sequence),
            Worth::Partial => found.file(&snapshot.path, "values in it are damaged", false),
            Worth::Unreadable => found.file(&snapshot.path, "it cannot be read", false),
        }
        found.looked.push(format!("snapshot at commit {}: {entries} records", snapshot.sequence));
    }
    log_files(&directory, newest_whole, &mut found)?;
    for defect in &mut found.defects {
        // A start takes the other snapshot, or the log from its beginning.
        defect.harmless |=
            newest_whole > 0 && matches!(&defect.place, Place::File(name) if name.ends_with(".snap"));
    }
    Ok(found)
}

fn log_files(directory: &Directory, base: Sequence, found: &mut Inspected) -> Result<(), StoreError> {
    let log = directory.log();
    let Some(first) = log::segments(&log)?.first().map(|segment| segment.first) else {
        found.file(&log, "the log has no segments", false);
        return Ok(());
    };
    let refuse = |what: String| directory.damaged(what);
    let (mut frames, mut bad) = (0_u64, Vec::new());
    let read = log::read(&log, first.saturating_sub(1), &refuse, |piece| {
        match piece {
            Piece::Frame(_, _, true) => frames += 1,
            Piece::Frame(sequence, payload, false) => bad.push((sequence, damaged_keys(payload))),
            Piece::Lost(from, to) => bad.push((to, vec![Place::File(format!("commits {from} to {to}"))])),
        }
        Ok(())
    });
    found.looked.push(format!("log from commit {first} on: {frames} commits"));
    for (sequence, mut places) in bad {
        // Bytes that no record depends on.
        let whole = places.is_empty();
        if whole {
            places.push(Place::File(format!("commit {sequence}")));
        }
        let harmless = whole || sequence <= base;
        let what = if whole {
            "damaged in the log; all its records can be read".to_owned()
        } else if harmless {
            format!("damaged in the log at commit {sequence}, which a snapshot holds whole")
        } else {
            format!("damaged in the log at commit {sequence}")
        };
        found.defects.extend(places.into_iter().map(|place| Defect { place, what: what.clone(), harmless }));
    }
    match read {
        Ok(_) => Ok(()),
        Err(StoreError::Damaged { what, .. }) => {
            found.file(&log, what, false);
            Ok(())
        }
        Err(other) => Err(other),
    }
}

/// Whose records a damaged frame held, as far as its keys can be read.
fn damaged_keys(payload: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        match change::read(rest) {
            Some((change::Found::ValueDamaged(key), after)) => {
                places.extend(Place::of(&key));
                rest = after;
            }
            Some((change::Found::Whole(..), after)) => rest = after,
            None => {
                places.push(Place::File("a commit whose keys cannot be read".to_owned()));
                break;
            }
        }
    }
    places
}

/// Checks made by this process: each has a copy of its own.
static CHECKS: AtomicU64 = AtomicU64::new(0);

/// A copy of a state directory's journal, gone when dropped.
pub struct Scratch {
    root: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(problem) = directory::remove_all(&self.root) {
            tracing::warn!(%problem, "the copy made for the check stays");
        }
    }
}

/// Copies the journal of a directory that nobody uses, and opens the copies as a start would. What comes out is the
/// truth, to be read on; the index is held against it.
///
/// # Errors
/// The directory is in use; the copies cannot be made; or a start would be refused.
pub fn trial(root: &Path, found: &mut Inspected) -> Result<(LiveStore, Scratch), StoreError> {
    let directory = Directory::new(root);
    let held = directory.share()?;
    let nth = CHECKS.fetch_add(1, Ordering::Relaxed);
    let name = format!("hsmc-check-{}-{nth}", std::process::id());
    let scratch = Scratch { root: std::env::temp_dir().join(name) };
    directory::remove_all(&scratch.root)?;
    let (with, without) = (scratch.root.join("with"), scratch.root.join("without"));
    for (to, index) in [(&with, true), (&without, false)] {
        copy(root, to, index)?;
    }
    drop(held);
    let truth = LiveStore::open_with(&without, Settings::default())?;
    let had_index = directory.index().exists();
    let indexed = LiveStore::open_with(&with, Settings::default())?;
    let set_aside = directory::files(&with)?.iter().any(|(_, name)| name.starts_with("index.damaged-"));
    if !had_index || set_aside {
        found.file(&directory.index(), "it cannot be used; the next start rebuilds it", true);
    } else if (indexed.sequence(), indexed.damaged()) != (truth.sequence(), truth.damaged())
        || !same(&indexed, &truth)?
    {
        found.file(&directory.index(), "it holds something else than log and snapshot; delete it", false);
    } else {
        found.looked.push(format!("index: agrees with log and snapshots at commit {}", truth.sequence()));
    }
    indexed.close()?;
    Ok((truth, scratch))
}

/// Whether two stores hold the same.
fn same(one: &LiveStore, other: &LiveStore) -> Result<bool, StoreError> {
    for table in super::store::Table::ALL {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let pages = [one, other].map(|store| store.scan(table, &[], after.as_deref(), 1000));
            let [Ok(left), Ok(right)] = pages else { return Ok(false) };
            if left != right {
                return Ok(false);
            }
            let Some((last, _)) = left.into_iter().next_back() else { break };
            after = Some(last);
        }
    }
    Ok(true)
}

fn copy(from: &Path, to: &Path, index: bool) -> Result<(), StoreError> {
    directory::make(to)?;
    for (path, name) in directory::files(from)? {
        let journal = ["format", "log", "snapshot", "log-end"].contains(&name.as_str());
        if journal || (index && name == "index") || name.starts_with("restored.") {
            copy_below(&path, &to.join(&name))?;
        }
    }
    Ok(())
}

fn copy_below(from: &Path, to: &Path) -> Result<(), StoreError> {
    if !from.is_dir() {
        let mut source = File::open(from).map_err(|error| io(from, error))?;
        let mut copy = directory::new_file(to)?;
        return std::io::copy(&mut source, &mut copy).map(|_| ()).map_err(|error| io(to, error));
    }
    fs::create_dir(to).map_err(|error| io(to, error))?;
    for (path, name) in directory::files(from)? {
        copy_below(&path, &to.join(name))?;
    }
    Ok(())
}
