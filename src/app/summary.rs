//! The summary file: the last status a process left, readable without opening the journal. It names people
//! by their numbers only.

use crate::serve::views::{ProcessView, StatusView};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

fn path(state: &Path) -> PathBuf {
    state.join("summary.json")
}

/// Writes the summary, whole or not at all.
///
/// # Errors
/// The disk refuses.
pub fn write(state: &Path, view: &StatusView) -> io::Result<()> {
    let part = state.join("summary.part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&serde_json::to_vec(view)?)?;
    fs::rename(&part, path(state))
}

/// The last summary, marked as nobody running; none when there never was one.
///
/// # Errors
/// The file is there and cannot be read.
pub fn read(state: &Path) -> io::Result<Option<StatusView>> {
    let bytes = match fs::read(path(state)) {
        Ok(bytes) => bytes,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let mut view: StatusView = serde_json::from_slice(&bytes)?;
    view.process = ProcessView::NotRunning;
    view.next_run_at = None;
    Ok(Some(view))
}
