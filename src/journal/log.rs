//! The log: segment files of frames, named after their first sequence.
//!
//! Promises: what `append` returned for is on the disk; a segment that is missing, shortened or damaged
//! is noticed. A segment is sealed only once its successor exists, so a lost newest segment shows too.
//! Never: retries after a failed write; the caller stops.

use super::directory::{self, files, replace, sync_directory};
use super::fault::io;
use super::frame::{self, Piece, SegmentEnd};
use super::medium::{Appender, Medium};
use super::store::{Sequence, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment file.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Where.
    pub(crate) path: PathBuf,
    /// The sequence of its first frame.
    pub(crate) first: Sequence,
}

/// The name of the segment that begins with a sequence.
pub(crate) fn segment_name(first: Sequence) -> String {
    format!("{first:016x}.log")
}

/// All segments, oldest first.
pub(crate) fn segments(directory: &Path) -> Result<Vec<Segment>, StoreError> {
    let named = files(directory)?.into_iter().filter_map(|(path, name)| {
        let first = Sequence::from_str_radix(name.strip_suffix(".log")?, 16).ok()?;
        Some(Segment { path, first })
    });
    Ok(named.collect())
}

/// A piece of the log as [`read`] finds it.
pub(crate) enum Finding<'a> {
    /// A frame; its payload is as written when `whole`.
    Frame(Sequence, &'a [u8], bool),
    /// These sequences, both included, are gone.
    Lost(Sequence, Sequence),
}

/// Where the log ends.
#[derive(Clone, Debug)]
pub(crate) struct LogEnd {
    /// The newest segment.
    pub(crate) segment: Segment,
    /// How the newest segment ended.
    pub(crate) end: SegmentEnd,
    /// Whether bytes of a torn write follow.
    pub(crate) torn: bool,
}

/// Reads the log from the segment that holds the frame after `base`. The newest is always read.
///
/// # Errors
/// The log does not reach back to `base`, or is known to have gone on after its end.
pub(crate) fn read(
    log: &Path,
    base: Sequence,
    damaged: &dyn Fn(String) -> StoreError,
    mut visit: impl FnMut(Finding<'_>) -> Result<(), StoreError>,
) -> Result<LogEnd, StoreError> {
    let segments = segments(log)?;
    let start = segments.partition_point(|segment| segment.first <= base.saturating_add(1));
    let reading = segments.get(start.saturating_sub(1)..).unwrap_or_default();
    let mut expected = reading.first().map_or(0, |segment| segment.first);
    if start == 0 {
        return Err(damaged(format!("the log does not reach back to commit {}", base.saturating_add(1))));
    }
    let mut last = None;
    for (at, segment) in reading.iter().enumerate() {
        if segment.first < expected {
            return Err(damaged(format!("the log holds commit {} twice", segment.first)));
        }
        if segment.first > expected {
            visit(Finding::Lost(expected, segment.first - 1))?;
        }
        let bytes = fs::read(&segment.path).map_err(|error| io(&segment.path, error))?;
        let newest = at + 1 == reading.len();
        let mut unreadable_from = None;
        let end = frame::read(&bytes, segment.first, newest, |piece| match piece {
            Piece::Frame { sequence, payload, whole } => visit(Finding::Frame(sequence, payload, whole)),
            Piece::Lost { from, next: Some(next) } => visit(Finding::Lost(from, next - 1)),
            Piece::Lost { from, next: None } => {
                unreadable_from = Some(from);
                Ok(())
            }
        })?;
        if newest && let Some(from) = unreadable_from {
            return Err(damaged(format!(
                "{} cannot be read from commit {from} on",
                segment_name(segment.first)
            )));
        }
        // In an older segment the next one's name tells how much is gone: `expected` stays behind it.
        expected = end.next;
        last = Some(LogEnd { segment: segment.clone(), end, torn: end.length < bytes.len() });
    }
    match last {
        Some(end) if end.end.sealed => {
            Err(damaged(format!("the segment {} is missing", segment_name(end.end.next))))
        }
        Some(end) => Ok(end),
        None => Err(damaged("the log has no segments".to_owned())),
    }
}

/// Writes the newest segment anew up to its last frame. After a failed sync the kernel may show bytes
/// that the disk does not have; what was found at start must be on the disk before anything follows it.
pub(crate) fn rewrite_newest(end: &LogEnd) -> Result<(), StoreError> {
    let path = &end.segment.path;
    let mut bytes = fs::read(path).map_err(|error| io(path, error))?;
    bytes.truncate(end.end.length);
    replace(path, &bytes)
}

/// Removes the segments all of whose frames are at or below a sequence.
pub(crate) fn remove_up_to(log: &Path, sequence: Sequence) -> Result<(), StoreError> {
    let segments = segments(log)?;
    for (segment, successor) in segments.iter().zip(segments.iter().skip(1)) {
        if successor.first <= sequence.saturating_add(1) {
            fs::remove_file(&segment.path).map_err(|error| io(&segment.path, error))?;
        }
    }
    sync_directory(log)
}

/// The log's writing end.
pub(crate) struct LogWriter {
    log: PathBuf,
    medium: Arc<dyn Medium>,
    file: Box<dyn Appender>,
    length: u64,
    segment_bytes: u64,
}

impl LogWriter {
    /// Goes on after `end`.
    pub(crate) fn open(
        log: &Path,
        end: &LogEnd,
        medium: Arc<dyn Medium>,
        segment_bytes: u64,
    ) -> Result<LogWriter, StoreError> {
        directory::sweep(log)?;
        let file = medium.open(&end.segment.path).map_err(|error| io(&end.segment.path, error))?;
        Ok(LogWriter { log: log.to_path_buf(), medium, file, length: end.end.length as u64, segment_bytes })
    }

    /// On one file that never ends.
    #[cfg(test)]
    pub(crate) fn over(file: Box<dyn Appender>) -> LogWriter {
        let medium = Arc::new(super::medium::Disk);
        LogWriter { log: PathBuf::new(), medium, file, length: 0, segment_bytes: u64::MAX }
    }

    /// The log's directory.
    pub(crate) fn path(&self) -> &Path {
        &self.log
    }

    /// Appends a group of frames and returns when it is on the disk. `first` is the group's first
    /// sequence.
    pub(crate) fn append(&mut self, first: Sequence, group: &[u8]) -> std::io::Result<()> {
        if self.length >= self.segment_bytes {
            self.roll(first)?;
        }
        self.file.append(group)?;
        self.file.sync()?;
        self.length += group.len() as u64;
        Ok(())
    }

    /// Begins a new segment, unless the present one is empty.
    pub(crate) fn roll(&mut self, first: Sequence) -> std::io::Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        let successor = self.medium.open(&self.log.join(segment_name(first)))?;
        self.file.append(&frame::seal(first))?;
        self.file.sync()?;
        self.file = successor;
        self.length = 0;
        Ok(())
    }
}
