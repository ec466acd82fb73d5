//! The plan of resumption: what a restart does with each open move. Decided here, performed by the
//! actors.

use super::retry::STALE_AFTER;
use super::status::{MoveStatus, Phase};
use crate::domain::time::Timestamp;

/// What becomes of an open move at a restart (design §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// A call may have left: it goes on now, probes first.
    GoOn,
    /// No call has left and the plan is fresh: it goes on with its run.
    Fresh,
    /// No call has left, and the plan is older than 60 s: planned anew before it may begin.
    PlanAnew,
    /// Stuck: tried again once per run.
    Stuck,
    /// Over: the open index was behind.
    Over,
}

/// Classifies one open move.
pub fn classify(status: &MoveStatus, now: Timestamp) -> Resumption {
    match status.phase {
        Phase::Ended(_) => Resumption::Over,
        Phase::Stuck { .. } => Resumption::Stuck,
        Phase::Forward | Phase::Unwinding { .. } => Resumption::GoOn,
        // A clock set back makes nothing stale; a plan from the future is stale.
        Phase::Ready if status.planned_at <= now && now.since(status.planned_at) <= STALE_AFTER => {
            Resumption::Fresh
        }
        Phase::Ready => Resumption::PlanAnew,
    }
}
