//! Why a scan ended early. Each message names the list or the call.

use super::progress::Source;
use crate::domain::code::Code;
use crate::domain::failure::CallFailure;
use crate::domain::id::ListId;
use crate::sync::snapshot::SnapshotError;

/// A scan that could not go on. What was read stays on disk.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScanError {
    /// The config names a list that HubSpot does not have.
    #[error(
        "the config names list {list}, which HubSpot does not have: correct the config, or restore the list"
    )]
    MissingList {
        /// The list.
        list: ListId,
    },
    /// The config names a list of companies, deals or the like.
    #[error("the config names list {list}, which does not hold contacts")]
    NotOfContacts {
        /// The list.
        list: ListId,
    },
    /// A call was refused, or kept failing.
    #[error("reading {reading}: {failure}")]
    Call {
        /// What was being read.
        reading: Source,
        /// The failure.
        failure: CallFailure,
    },
    /// The service answered a cursor that leads back to the same page.
    #[error("reading {reading}: the service answers the same page over and over")]
    Circle {
        /// What was being read.
        reading: Source,
    },
    /// The scan was told to stop.
    #[error("the scan was stopped")]
    Stopped,
    /// A file could not be read or written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Work on files ended unexpectedly.
    #[error("the scan broke off: {0}")]
    Internal(String),
}

impl ScanError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            ScanError::MissingList { .. } => Code::ListMissing,
            ScanError::NotOfContacts { .. } => Code::ListNotOfContacts,
            ScanError::Call { failure, .. } => failure.code(),
            ScanError::Circle { .. } => Code::ReadInCircles,
            ScanError::Stopped => Code::Interrupted,
            ScanError::Snapshot(error) => error.code(),
            ScanError::Internal(_) => Code::Inside,
        }
    }
}
