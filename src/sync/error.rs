//! Why a run could not go on.

use super::scan::ScanError;
use super::snapshot::SnapshotError;
use crate::domain::code::Code;
use crate::domain::failure::CallFailure;
use crate::domain::port::BrokenOff;
use crate::journal::ledger::JournalError;

/// A run that could not go on. What was journaled stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The config and the account do not fit; nothing was changed (R27).
    #[error("{place}: {}; {way_out}", what.trim_end_matches('.'))]
    Unfit {
        /// What does not fit.
        code: Code,
        /// File, line and key.
        place: String,
        /// What is wrong.
        what: String,
        /// What to do.
        way_out: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallFailure),
    /// The scan could not go on.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The journal could not be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A snapshot could not be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What was asked for cannot be done now; nothing was changed.
    #[error("{}; {way_out}", what.trim_end_matches('.'))]
    NotNow {
        /// What kind of hindrance.
        code: Code,
        /// Why not.
        what: String,
        /// What to do.
        way_out: String,
    },
    /// hsmc was asked to stop.
    #[error("stopped; what was begun goes on at the next start")]
    Stopped,
    /// Work on files ended unexpectedly.
    #[error("planning broke off: {0}")]
    Internal(String),
}

impl RunError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            RunError::Unfit { code, .. } | RunError::NotNow { code, .. } => *code,
            RunError::Call(failure) => failure.code(),
            RunError::Scan(error) => error.code(),
            RunError::Journal(error) => error.code(),
            RunError::Snapshot(error) => error.code(),
            RunError::Stopped => Code::Interrupted,
            RunError::Internal(_) => Code::Inside,
        }
    }
}

impl From<BrokenOff> for RunError {
    fn from(BrokenOff(why): BrokenOff) -> RunError {
        RunError::Internal(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_ends_in_no_stop_before_the_way_out() {
        let unfit = RunError::Unfit {
            code: Code::CredentialsRefused,
            place: "hsmc.toml:5 hubspot.token".to_owned(),
            what: "HubSpot read portal: the token was not found.".to_owned(),
            way_out: "use a service key".to_owned(),
        };
        let told = unfit.to_string();
        assert_eq!(
            told,
            "hsmc.toml:5 hubspot.token: HubSpot read portal: the token was not found; use a service key"
        );
    }
}
