//! What waits in a lane.

use super::ReplyTo;
use super::gathering::Waits;
use crate::actors::traffic::Moving;
use crate::domain::event::{Direction, StepOutcome};
use crate::domain::id::{ListId, MoveId, PersonId, StepIndex};
use crate::domain::port::Priority;
use crate::domain::step::{Before, Step, Target};
use crate::domain::time::Timestamp;

/// What is to be done with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Make it true.
    Perform,
    /// Look whether it is true.
    Probe,
    /// Ask what became of the asynchronous batch that carries it.
    Poll {
        /// The batch's id.
        ticket: String,
    },
}

/// A step in a lane: as planned, or its inverse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStep {
    /// Its place in the move.
    pub index: StepIndex,
    /// The change to make, or to look for.
    pub step: Step,
    /// What held before (of the planned step).
    pub before: Before,
    /// While undoing a property: the value we wrote, so that somebody else's later one is left alone.
    pub undoes: Option<Step>,
}

/// Work of one move in one lane.
pub struct LaneItem {
    /// Whose move.
    pub id: MoveId,
    /// Whose.
    pub person: PersonId,
    /// Several only where one call carries them all.
    pub steps: Vec<LaneStep>,
    /// As planned, or undoing.
    pub direction: Direction,
    /// What to do.
    pub work: Work,
    /// How urgent.
    pub priority: Priority,
    /// Calls sent before this one.
    pub attempts: u32,
    /// When the move was planned, or last planned anew.
    pub planned_at: Timestamp,
    /// When the last call left, for probes that list what has changed since.
    pub sent_at: Option<Timestamp>,
    /// The same by the clock of the process that sent it.
    pub noted_at: Option<Timestamp>,
    /// The steps that come after these.
    pub ahead: usize,
    /// Of an opt-out: the lanes that come after this one.
    pub opts_out_in: Vec<Target>,
    /// Of an enrolment, new or renewed: the source list it is from.
    pub enrolls_from: Option<ListId>,
    /// Kept while it is on its way: not while it waits here.
    pub moving: Option<Moving>,
    /// Who wants to know.
    pub reply: ReplyTo,
}

/// The outcomes of an item, on their way back.
pub struct Settled {
    /// Whose move.
    pub id: MoveId,
    /// As planned, or undoing.
    pub direction: Direction,
    /// One for each step; none while an asynchronous batch goes on.
    pub outcomes: Vec<(StepIndex, StepOutcome)>,
    /// When to ask again for what has no outcome yet.
    pub again_at: Option<Timestamp>,
    /// It goes on being on its way.
    pub moving: Option<Moving>,
}

impl Waits for LaneItem {
    fn id(&self) -> MoveId {
        self.id
    }
    fn ahead(&self) -> usize {
        self.ahead
    }
    fn is_opt_out(&self) -> bool {
        self.priority == Priority::OptOut
    }
    fn opts_out_in(&self) -> Vec<Target> {
        self.opts_out_in.clone()
    }
    fn takes_no_place(&self) -> bool {
        matches!(self.work, Work::Poll { .. })
    }
    fn moving(&mut self) -> &mut Option<Moving> {
        &mut self.moving
    }
}

impl LaneItem {
    /// The first step: the only one but for a new member and their tags.
    pub fn first(&self) -> Option<&LaneStep> {
        self.steps.first()
    }

    /// Sends the outcomes back.
    pub async fn settle(self, outcomes: Vec<(StepIndex, StepOutcome)>) {
        let LaneItem { id, direction, moving, reply, .. } = self;
        let settled = Settled { id, direction, outcomes, again_at: None, moving };
        // A contact that is gone reads the journal when it comes back: the step is in doubt there.
        drop(reply.tell(settled).await);
    }

    /// The service is still at work on it: nothing to record, and to be asked for again later.
    pub async fn ask_again(self, again_at: Timestamp) {
        let (id, direction) = (self.id, self.direction);
        let outcomes = Vec::new();
        let settled = Settled { id, direction, outcomes, again_at: Some(again_at), moving: None };
        drop(self.reply.tell(settled).await);
    }

    /// Sends the same outcome back for all steps.
    pub async fn settle_all(self, outcome: StepOutcome) {
        let outcomes = self.steps.iter().map(|step| (step.index, outcome.clone())).collect();
        self.settle(outcomes).await;
    }
}
