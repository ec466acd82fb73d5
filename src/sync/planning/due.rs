//! What a plan leaves to be applied, in few bytes for each move.

use crate::domain::id::{MoveId, PersonId};
use crate::domain::moves::{Move, MoveKind};
use crate::domain::plan::{PlanSummary, way_fingerprint};
use crate::domain::shown::ShownMove;
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;

/// A move that was journaled by an earlier run and has not begun.
#[derive(Clone, Debug)]
pub struct Unbegun {
    /// Which.
    pub id: MoveId,
    /// What it would do.
    pub fingerprint: Fingerprint,
    /// The same in words.
    pub shown: ShownMove,
    /// A pause holds it back.
    pub paused: bool,
}

/// What a dispatched move is, in few bytes: the order of application, whose, which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Kinds in the order of `MoveKind`.
    pub kind: MoveKind,
    /// Whoever goes the same way goes together, so that lanes fill up.
    pub way: Fingerprint,
    /// Oldest first.
    pub since: Timestamp,
    /// Which.
    pub id: MoveId,
    /// Whose.
    pub person: PersonId,
}

impl Due {
    /// A journaled move.
    pub fn of(id: MoveId, planned: &Move) -> Due {
        let way = way_fingerprint(planned);
        Due { kind: planned.kind, way, since: planned.since, id, person: planned.person }
    }
}

/// What was journaled.
#[derive(Default)]
pub struct Journaled {
    /// To be dispatched, in order of application.
    pub due: Vec<Due>,
    /// The plan in figures (of the main part).
    pub summary: PlanSummary,
    /// Moves of earlier runs taken over.
    pub confirmed: u64,
    /// Moves of earlier runs dropped.
    pub dropped: u64,
}
