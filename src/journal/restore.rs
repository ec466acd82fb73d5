//! Puts a backup in the place of a state directory.
//!
//! Promises: at every instant there is either what was there before or what was restored, whole, whichever the
//! next start finds; the backup was read from end to end, and opened, before anything is touched. What was there is
//! moved aside, never deleted. The restored journal says of itself that it is one ([`crate::domain::restored`]).
//!
//! How: everything new is made in `restoring/`. Renaming that to `restored.1/` is the moment from which the
//! restored state counts: whoever opens the directory afterwards first moves what was there aside, renames to
//! `restored.2/`, and moves the new files up.

use super::backup::{self, BackupError, Kept};
use super::directory::{self, Directory, files, new_file, sync_directory};
use super::fault::io;
use super::ledger::{Journal, JournalError};
use super::log::segment_name;
use super::snapshot::snapshot_name;
use super::store::live::LiveStore;
use super::store::{Batch, StoreError};
use crate::domain::restored::Restored;
use crate::domain::time::Timestamp;
use crate::failpoint;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAKING: &str = "restoring";
const MADE: &str = "restored.1";
const MOVING_UP: &str = "restored.2";
/// Names the directory that what was there goes to.
const ASIDE: &str = "aside";
/// What such directories are called, with a number.
const BEFORE: &str = "before-restore-";

/// What was restored.
#[derive(Clone, Debug)]
pub struct Put {
    /// The backup.
    pub kept: Kept,
    /// Where what was there before has gone, if anything was.
    pub aside: Option<PathBuf>,
}

/// Restores a backup into a state directory that nobody uses: one that is empty or missing, or, with `force`, one
/// whose content is moved aside.
///
/// # Errors
/// The directory is in use, or holds a journal and `force` is not given; the backup is not whole or newer; a file
/// cannot be written. Nothing has changed then.
pub async fn restore(from: &Path, state: &Path, force: bool, now: Timestamp) -> Result<Put, BackupError> {
    let directory = Directory::new(state);
    let lock = directory.take()?;
    finish(&directory)?;
    if !force && (state.join("format").exists() || state.join("log").exists()) {
        return Err(BackupError::Occupied { path: state.display().to_string() });
    }
    let making = state.join(MAKING);
    directory::remove_all(&making)?;
    let kept = unpack(from, &making)?;
    failpoint::pass(|| format!("{}:unpacked", failpoint::RESTORE));
    mark(&making, &kept, now).await?;
    let aside = name_aside(&directory, &making)?;
    failpoint::pass(|| format!("{}:made", failpoint::RESTORE));
    let made = state.join(MADE);
    fs::rename(&making, &made).map_err(|error| io(&made, error))?;
    sync_directory(state)?;
    failpoint::pass(|| format!("{}:counts", failpoint::RESTORE));
    finish(&directory)?;
    lock.unlock().map_err(|error| io(state, error))?;
    Ok(Put { kept, aside: aside.exists().then_some(aside) })
}

/// A state directory made of a backup: its snapshot, and a log that begins after it.
fn unpack(from: &Path, to: &Path) -> Result<Kept, BackupError> {
    let (snapshots, log) = (to.join("snapshot"), to.join("log"));
    for path in [to, &snapshots, &log] {
        directory::make(path)?;
    }
    let part = snapshots.join("unpacking");
    let mut file = new_file(&part)?;
    let kept = backup::read(from, Some(&mut file))?;
    file.sync_all().map_err(|error| io(&part, error))?;
    let sequence = kept.manifest.sequence;
    let path = snapshots.join(snapshot_name(sequence));
    fs::rename(&part, &path).map_err(|error| io(&path, error))?;
    sync_directory(&snapshots)?;
    directory::replace(&log.join(segment_name(sequence.saturating_add(1))), b"")?;
    directory::replace(&to.join("format"), format!("{}\n", kept.manifest.format).as_bytes())?;
    Ok(kept)
}

/// Opens what was made, as a start would, and notes in it that it was restored.
async fn mark(made: &Path, kept: &Kept, now: Timestamp) -> Result<(), BackupError> {
    let store = Arc::new(LiveStore::open(made)?);
    let journal = Journal::new(Arc::clone(&store) as Arc<dyn super::store::Store>);
    let restored = Restored { made_at: kept.manifest.made_at, restored_at: now };
    let mut batch = Batch::new();
    let noted = match journal.note_restored(&mut batch, &restored) {
        Ok(()) => journal.commit(batch).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match noted {
        Err(JournalError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(io(made, error).into()),
        Ok(()) => {}
    }
    store.close()?;
    Ok(())
}

/// Chooses where what is there will go, and writes it down.
fn name_aside(directory: &Directory, making: &Path) -> Result<PathBuf, StoreError> {
    let used = files(directory.root())?.into_iter();
    let last: u32 = used.filter_map(|(_, name)| name.strip_prefix(BEFORE)?.parse().ok()).max().unwrap_or(0);
    let name = format!("{BEFORE}{}", last.saturating_add(1));
    // The lock of the directory it becomes is already held.
    let lock = making.join("lock");
    fs::remove_file(&lock).map_err(|error| io(&lock, error))?;
    directory::replace(&making.join(ASIDE), name.as_bytes())?;
    Ok(directory.root().join(name))
}

/// Finishes a restore that has begun to count. Called by whoever holds the directory's lock, before anything else.
pub(crate) fn finish(directory: &Directory) -> Result<(), StoreError> {
    let root = directory.root();
    let (made, moving_up) = (root.join(MADE), root.join(MOVING_UP));
    if made.exists() {
        let named = made.join(ASIDE);
        let name = fs::read_to_string(&named).map_err(|error| io(&named, error))?;
        move_aside(root, &root.join(name.trim()))?;
        fs::rename(&made, &moving_up).map_err(|error| io(&moving_up, error))?;
        sync_directory(root)?;
        failpoint::pass(|| format!("{}:aside", failpoint::RESTORE));
    }
    if moving_up.exists() {
        for (path, name) in files(&moving_up)? {
            if name == ASIDE {
                continue;
            }
            let to = root.join(&name);
            fs::rename(&path, &to).map_err(|error| io(&to, error))?;
            failpoint::pass(|| format!("{}:up-{name}", failpoint::RESTORE));
        }
        sync_directory(root)?;
        directory::remove_all(&moving_up)?;
        sync_directory(root)?;
        tracing::info!("the restored state is in its place");
    }
    directory::remove_all(&root.join(MAKING))
}

fn move_aside(root: &Path, aside: &Path) -> Result<(), StoreError> {
    let stays = |name: &str| {
        [MADE, MOVING_UP, MAKING, "lock", "control.sock"].contains(&name) || name.starts_with(BEFORE)
    };
    let going: Vec<_> = files(root)?.into_iter().filter(|(_, name)| !stays(name)).collect();
    if going.is_empty() {
        return Ok(());
    }
    directory::make(aside)?;
    for (path, name) in going {
        let to = aside.join(&name);
        fs::rename(&path, &to).map_err(|error| io(&to, error))?;
        failpoint::pass(|| format!("{}:down-{name}", failpoint::RESTORE));
    }
    sync_directory(aside)?;
    sync_directory(root)
}
