//! What can befall a move. The journal stores these events, `engine` folds them into the move's
//! status; nothing else says what became of a move.

use super::failure::{FailureClass, Refusal};
use super::id::StepIndex;
use super::moves::Move;
use super::step::Before;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which way a step is being performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// As planned.
    Forward,
    /// Its inverse, while the move is being unwound.
    Undo,
}

/// What a call or probe said of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// It holds now, by our call.
    Done,
    /// It held before our call, so there is nothing to undo.
    AlreadyHeld,
    /// While unwinding: somebody else changed it since; left as theirs (design §3.1).
    LeftTheirs,
    /// Refused for good.
    Refused(Refusal),
    /// Unknown: to be probed, not before the moment given.
    InDoubt {
        /// Earliest moment of the probe.
        probe_at: Timestamp,
        /// One line, no addresses.
        why: String,
    },
    /// It certainly did not happen; to be tried again at the moment given.
    RetryAt {
        /// When.
        at: Timestamp,
        /// The class of the failure.
        class: FailureClass,
        /// One line, no addresses.
        why: String,
    },
    /// A probe found that it does not hold.
    ProbedNot,
    /// Handed to an asynchronous batch of the service under this ticket; its result comes later.
    Ticket(String),
}

/// Why a step is to be tried again that never left its lane: nothing went wrong with it.
pub const NOT_SENT: &str = "not sent";

impl StepOutcome {
    /// Whether nothing more is to be found out about the step.
    pub fn is_settled(&self) -> bool {
        match self {
            StepOutcome::Done
            | StepOutcome::AlreadyHeld
            | StepOutcome::LeftTheirs
            | StepOutcome::Refused(_)
            | StepOutcome::Ticket(_) => true,
            StepOutcome::InDoubt { .. } | StepOutcome::RetryAt { .. } | StepOutcome::ProbedNot => false,
        }
    }
}

/// How a move ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MoveEnd {
    /// Every step holds.
    Done,
    /// Every before-image is restored; the steps named stay as somebody else left them.
    Unwound {
        /// Steps left as somebody else's.
        left_theirs: Vec<StepIndex>,
        /// The refusal that caused it.
        because: Refusal,
    },
    /// An opt-out overtook it.
    Superseded,
    /// Not begun, and no longer what the rules want (design §3.10), or cancelled by an operator.
    Dropped {
        /// Why.
        why: String,
    },
    /// A forward-only move that parks was refused for good.
    Refused(Refusal),
    /// Closed by an operator: what was not done stays undone.
    Skipped,
}

/// What an operator asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorRequest {
    /// Try a stuck move again.
    Retry,
    /// Mark the step at which it is stuck as settled and go on.
    Skip,
    /// Unwind.
    RollBack,
    /// End it: dropped when not begun, else unwound.
    Cancel,
}

/// One event in the life of a move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MoveEvent {
    /// First of all: the move as planned.
    Planned {
        /// The move.
        draft: Box<Move>,
        /// When it was planned.
        at: Timestamp,
    },
    /// The call for this step is about to leave.
    Intent {
        /// Which step.
        step: StepIndex,
        /// Forward or undo.
        direction: Direction,
        /// The before-image, where one newer than the plan's is known.
        before: Option<Before>,
        /// When.
        at: Timestamp,
    },
    /// What became of it.
    Outcome {
        /// Which step.
        step: StepIndex,
        /// Forward or undo.
        direction: Direction,
        /// What.
        outcome: StepOutcome,
        /// When.
        at: Timestamp,
    },
    /// From here on steps are undone in reverse.
    Unwinding {
        /// The refusal or request that caused it.
        because: Refusal,
        /// When.
        at: Timestamp,
    },
    /// It can neither go on nor be unwound.
    Stuck {
        /// Why.
        because: Refusal,
        /// When.
        at: Timestamp,
    },
    /// An operator's request.
    Operator {
        /// What.
        request: OperatorRequest,
        /// When.
        at: Timestamp,
    },
    /// Taken over by a later run after being planned anew with the same result.
    Confirmed {
        /// When.
        at: Timestamp,
    },
    /// The end.
    Ended {
        /// How.
        end: MoveEnd,
        /// When.
        at: Timestamp,
    },
}

impl fmt::Display for MoveEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MoveEnd::Done => f.write_str("done"),
            MoveEnd::Unwound { because, .. } => write!(f, "unwound ({because})"),
            MoveEnd::Superseded => f.write_str("superseded by an opt-out"),
            MoveEnd::Dropped { why } => write!(f, "dropped ({why})"),
            MoveEnd::Refused(refusal) => write!(f, "refused ({refusal})"),
            MoveEnd::Skipped => f.write_str("skipped by an operator"),
        }
    }
}
