//! Why a pull ended early.

use crate::domain::code::Code;
use crate::domain::failure::CallFailure;
use crate::domain::port::BrokenOff;
use crate::mirror::shelf::ShelfError;

/// A pull that could not go on. What was pulled stays, and the next one goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// A call was refused, or kept failing.
    #[error("reading {what}: {failure}")]
    Call {
        /// What was being read.
        what: String,
        /// The failure.
        failure: CallFailure,
    },
    /// The service answered a cursor that leads back to the same page.
    #[error("reading {what}: the service answers the same page over and over")]
    Circle {
        /// What was being read.
        what: String,
    },
    /// Search does not answer in the order it was asked for, or shows nothing of what it counts: records would be left out.
    #[error("searching {what}: the answer is not in the order of ids, or shows none of those it counts")]
    Unbelievable {
        /// What was being read.
        what: String,
    },
    /// The mirror is another portal's.
    #[error("the mirror is of portal {ours}, and the token of portal {theirs}")]
    OtherPortal {
        /// The mirror's.
        ours: u64,
        /// The token's.
        theirs: u64,
    },
    /// The mirror cannot be read or written.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// Work on files broke off.
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
}

impl PullError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            PullError::Call { failure, .. } => failure.code(),
            PullError::Circle { .. } | PullError::Unbelievable { .. } => Code::ReadInCircles,
            PullError::OtherPortal { .. } => Code::WrongPortal,
            PullError::Shelf(ShelfError::Damaged(_)) => Code::MirrorDamaged,
            PullError::Shelf(ShelfError::Disk(_)) => Code::DiskRefuses,
            PullError::BrokenOff(_) => Code::Inside,
        }
    }

    /// Whether the pull's own record can tell of it: the mirror itself is in order.
    pub(super) fn is_theirs(&self) -> bool {
        matches!(self, PullError::Call { .. } | PullError::Circle { .. } | PullError::Unbelievable { .. })
    }
}
