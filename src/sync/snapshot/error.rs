//! What can be wrong with a snapshot.

use crate::domain::code::Code;
use std::io;
use std::path::Path;

/// A snapshot that cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file is not what was written: the next scan must be a full one.
    #[error("{path} is damaged: {what}; the next scan reads everything anew")]
    Damaged {
        /// The file.
        path: String,
        /// What was found.
        what: String,
    },
    /// The directory holds no finished snapshot.
    #[error("{path} holds no finished snapshot")]
    Unfinished {
        /// The directory.
        path: String,
    },
    /// The disk refused.
    #[error("{path}: {what}; free space or mend the disk, then run again: nothing is lost")]
    Io {
        /// The file.
        path: String,
        /// The system's word.
        what: String,
    },
}

impl SnapshotError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            SnapshotError::Damaged { .. } | SnapshotError::Unfinished { .. } => Code::SnapshotUnusable,
            SnapshotError::Io { .. } => Code::DiskRefuses,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + '_ {
        move |problem| SnapshotError::Io { path: path.display().to_string(), what: problem.to_string() }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> SnapshotError {
        SnapshotError::Damaged { path: path.display().to_string(), what: what.into() }
    }

    /// Whether reading everything anew mends it (what is wrong lies in older files).
    pub fn mended_by_full_scan(&self) -> bool {
        !matches!(self, SnapshotError::Io { .. })
    }
}
