//! Why nothing could be measured.

use crate::domain::code::Code;
use crate::journal::ledger::JournalError;
use crate::journal::store::StoreError;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A file.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// The system's word.
        why: std::io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Something else that must not happen.
    #[error("{0}")]
    Broke(String),
}

impl BenchError {
    /// What it is, to be looked up.
    pub fn code(&self) -> Code {
        match self {
            BenchError::File { .. } => Code::DiskRefuses,
            BenchError::Store(error) => error.code(),
            BenchError::Journal(error) => error.code(),
            BenchError::Broke(_) => Code::Inside,
        }
    }

    /// About a file.
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> BenchError + '_ {
        move |why| BenchError::File { path: path.display().to_string(), why }
    }
}

impl From<tokio::task::JoinError> for BenchError {
    fn from(problem: tokio::task::JoinError) -> BenchError {
        BenchError::Broke(problem.to_string())
    }
}
