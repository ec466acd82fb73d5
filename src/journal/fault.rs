//! The one fault that stops a store: set once, told to everyone who asks afterwards.
//!
//! After a failed write or sync nobody can know what the disk holds, and after a failure of the index
//! nobody can know what it would answer; both end only with a new start, which reads the log.

use super::store::StoreError;
use std::path::Path;
use std::sync::OnceLock;

/// None, until the first.
#[derive(Debug, Default)]
pub(crate) struct Fault(OnceLock<StoreError>);

impl Fault {
    /// Sets the fault, unless there is one already; gives the one that counts.
    pub(crate) fn set(&self, error: StoreError) -> StoreError {
        tracing::error!(error = %error, "the journal stops");
        self.0.get_or_init(|| error).clone()
    }

    /// The fault.
    pub(crate) fn get(&self) -> Option<StoreError> {
        self.0.get().cloned()
    }

    /// An error when there is one.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.get().map_or(Ok(()), Err)
    }
}

/// An input or output error of a file.
pub(crate) fn io(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::Io { path: path.display().to_string(), what: error.to_string() }
}
