//! The status of a move: a fold over its events, never stored itself.

use super::decide::{is_to_be_undone, numbered};
use crate::domain::event::{Direction, MoveEnd};
use crate::domain::failure::{FailureClass, Refusal, Service};
use crate::domain::id::StepIndex;
use crate::domain::moves::{Move, Pivot, PlannedStep};
use crate::domain::step::{Before, Inverse, Step};
use crate::domain::time::Timestamp;
use std::time::Duration;

/// A clock is set by less than this, while no process is there to notice; a service works on no call for so long.
const UNSURE: Duration = Duration::from_secs(60 * 60);

/// How far one step, or its undo, has come. Each variant is set by the event named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No event yet.
    NotStarted,
    /// `Intent`: the call may have left. After a restart this is in doubt.
    Sent {
        /// When the intent became durable.
        at: Timestamp,
    },
    /// `Outcome(InDoubt)`: to be probed.
    InDoubt {
        /// Not before.
        probe_at: Timestamp,
        /// Why it is in doubt.
        why: String,
    },
    /// `Outcome(RetryAt)`: nothing happened; to be sent again.
    Waiting {
        /// Not before.
        at: Timestamp,
        /// Of what kind the failure was.
        class: FailureClass,
        /// The last failure.
        why: String,
    },
    /// `Outcome(ProbedNot)`: it does not hold; the same step may be sent again, nothing else.
    ProbedNot,
    /// `Outcome(Ticket)`: handed to an asynchronous batch.
    Ticketed {
        /// The batch's id.
        ticket: String,
    },
    /// `Outcome(Done)`: holds by our call.
    Done,
    /// `Outcome(AlreadyHeld)`: held before.
    AlreadyHeld,
    /// `Outcome(LeftTheirs)`: left as somebody else made it.
    LeftTheirs,
    /// `Outcome(Refused)`.
    Refused(Refusal),
    /// An operator settled it.
    Skipped,
}

impl Progress {
    /// Whether nothing more is to be done about it.
    pub fn is_settled(&self) -> bool {
        matches!(self, Progress::Done | Progress::AlreadyHeld | Progress::LeftTheirs | Progress::Skipped)
    }
}

/// One step of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepState {
    /// The before-image: the plan's, or a newer one from the intent.
    pub before: Before,
    /// Forward.
    pub forward: Progress,
    /// Undo, while unwinding.
    pub undo: Progress,
    /// Calls so far that were answered or timed out, in the direction the move is going; rate limits do not count.
    pub attempts: u32,
    /// When the last call whose outcome is unknown had left, at the latest: until 130 s later it may still be
    /// running on their side (design §3.3).
    pub doubted_at: Option<Timestamp>,
    /// When the last call left.
    pub sent_at: Option<Timestamp>,
    /// The same by the clock of the process that sent it, where that process has not settled it: see
    /// [`MoveStatus::count_from`].
    pub noted_at: Option<Timestamp>,
    /// What went wrong last, for as long as the step is not settled: a new try does not hide it.
    pub setback: Option<Setback>,
}

/// A failure that did not settle its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// Of what kind it was.
    pub class: FailureClass,
    /// One line, no addresses.
    pub why: String,
}

impl StepState {
    /// Progress in a direction.
    pub fn progress(&self, direction: Direction) -> &Progress {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Undo => &self.undo,
        }
    }
}

/// Where a move stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Planned; no call has left.
    Ready,
    /// Being performed.
    Forward,
    /// Being undone in reverse.
    Unwinding {
        /// Because of this.
        because: Refusal,
    },
    /// Can neither go on nor be unwound; waits for the next run or an operator.
    Stuck {
        /// Because of this.
        because: Refusal,
        /// In which direction it stuck.
        direction: Direction,
        /// Since when.
        at: Timestamp,
    },
    /// Over.
    Ended(MoveEnd),
}

/// A move and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveStatus {
    /// The move as planned.
    pub draft: Move,
    /// When it was planned, or last confirmed by planning anew.
    pub planned_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// Its steps, in order.
    pub steps: Vec<StepState>,
    /// When the last event happened.
    pub last_event_at: Timestamp,
    /// How often it got stuck.
    pub times_stuck: u32,
    /// The step that was last refused for good. Kept here because a later look at that step, once its lost
    /// calls cannot be running any more, takes the place of the refusal in its progress.
    pub refused: Option<StepIndex>,
}

impl MoveStatus {
    /// Asks anew where a service had asked to be left alone until later: for as long as that is so, its account holds
    /// the call back by itself, and an earlier process cannot know that it is so no longer. So it does where a list was
    /// away: somebody may have brought it back.
    pub fn ask_anew(&mut self, now: Timestamp) {
        for progress in self.steps.iter_mut().flat_map(|state| [&mut state.forward, &mut state.undo]) {
            if let Progress::Waiting {
                at,
                class: FailureClass::RateLimited { .. } | FailureClass::TargetAway,
                ..
            } = progress
            {
                *at = now.min(*at);
            }
        }
    }

    /// Whether it waits for a list, a tag or the audience that is away: for somebody to put that right.
    pub fn waits_for_target(&self) -> bool {
        let state = self.current_step().and_then(|index| self.steps.get(usize::from(index.0)));
        state.zip(self.direction()).is_some_and(|(state, direction)| {
            matches!(state.progress(direction), Progress::Waiting { class: FailureClass::TargetAway, .. })
        })
    }

    /// Counts a call that an earlier process sent not long ago as sent when this one began: how long ago it was is not
    /// sure, since a clock may be set while no process is there to notice.
    pub fn count_from(&mut self, began: Timestamp) {
        let direction = self.direction().unwrap_or(Direction::Forward);
        for state in &mut self.steps {
            if state.progress(direction).is_settled() {
                state.noted_at = None;
            }
            for sent in [&mut state.sent_at, &mut state.doubted_at].into_iter().flatten() {
                if *sent < began && began.since(*sent) < UNSURE {
                    *sent = began;
                }
            }
            if let (Progress::Sent { at }, Some(sent)) = (&mut state.forward, state.sent_at) {
                *at = sent;
            }
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// How it ended; none while it has not.
    pub fn end(&self) -> Option<&MoveEnd> {
        match &self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The steps that hold by our call, in order, each with what held before it: what an undo takes back.
    pub fn done_steps(&self) -> Vec<PlannedStep> {
        let by_us = |(planned, state): (&PlannedStep, &StepState)| {
            (state.forward == Progress::Done)
                .then(|| PlannedStep { step: planned.step.clone(), before: state.before.clone() })
        };
        self.draft.steps.iter().zip(&self.steps).filter_map(by_us).collect()
    }

    /// Whether it waits for the next run or an operator.
    pub fn is_stuck(&self) -> bool {
        matches!(self.phase, Phase::Stuck { .. })
    }

    /// Whether a call may ever have left for it.
    pub fn has_begun(&self) -> bool {
        self.steps.iter().any(|step| step.forward != Progress::NotStarted)
    }

    /// Whether a call may ever have left for a step like this.
    pub fn has_begun_with(&self, is: impl Fn(&Step) -> bool) -> bool {
        let mut steps = self.draft.steps.iter().zip(&self.steps);
        steps.any(|(planned, state)| is(&planned.step) && state.forward != Progress::NotStarted)
    }

    /// Whether all that is left is one more look, once no lost call can be running any more: it is being
    /// given up, and as far as anybody knows none of its steps holds.
    pub fn awaits_last_look(&self) -> bool {
        matches!(self.phase, Phase::Unwinding { .. })
            && self.steps.iter().all(|step| match &step.forward {
                Progress::NotStarted
                | Progress::Waiting { .. }
                | Progress::ProbedNot
                | Progress::Refused(_)
                | Progress::AlreadyHeld
                | Progress::LeftTheirs
                | Progress::Skipped => true,
                Progress::Sent { .. }
                | Progress::InDoubt { .. }
                | Progress::Ticketed { .. }
                | Progress::Done => false,
            })
    }

    /// Whether a step of it is with an asynchronous batch, which may take hours.
    pub fn waits_for_batch(&self) -> bool {
        let ticketed = |progress: &Progress| matches!(progress, Progress::Ticketed { .. });
        !self.is_over() && self.steps.iter().any(|step| ticketed(&step.forward) || ticketed(&step.undo))
    }

    /// The service that the step it is at needs; none for one that needs none, or when it is over.
    pub fn waits_for(&self) -> Option<Service> {
        let index = self.current_step()?;
        self.draft.step(index)?.step.target().service()
    }

    /// Whether the step it is at has been tried in vain, and no call of it is out.
    pub fn has_been_tried(&self) -> bool {
        let state = self.current_step().and_then(|index| self.steps.get(usize::from(index.0)));
        state.zip(self.direction()).is_some_and(|(state, direction)| {
            matches!(state.progress(direction), Progress::Waiting { .. } | Progress::InDoubt { .. })
        })
    }

    /// Which way it is going; none when it is over.
    pub fn direction(&self) -> Option<Direction> {
        match &self.phase {
            Phase::Ready | Phase::Forward => Some(Direction::Forward),
            Phase::Unwinding { .. } => Some(Direction::Undo),
            Phase::Stuck { direction, .. } => Some(*direction),
            Phase::Ended(_) => None,
        }
    }

    /// Whether the pivot holds, or may hold: from then on the move can only go forward.
    pub fn is_past_pivot(&self) -> bool {
        match self.draft.pivot() {
            Pivot::ForwardOnly => true,
            Pivot::At(index) => {
                self.steps.get(usize::from(index.0)).is_some_and(|step| step.forward.is_settled())
            }
        }
    }

    /// The step to send in a direction: the planned one, or its inverse.
    pub fn effective_step(&self, index: StepIndex, direction: Direction) -> Option<Step> {
        let planned = self.draft.step(index)?;
        let state = self.steps.get(usize::from(index.0))?;
        match direction {
            Direction::Forward => Some(planned.step.clone()),
            Direction::Undo => match planned.step.inverse(&state.before) {
                Inverse::Step(step) => Some(step),
                Inverse::Nothing | Inverse::Impossible => None,
            },
        }
    }

    /// The step the move is at, for `status`: the first that is not settled in its direction.
    pub fn current_step(&self) -> Option<StepIndex> {
        let direction = self.direction()?;
        match direction {
            Direction::Forward => {
                numbered(self).find(|(_, state)| !state.forward.is_settled()).map(|(index, _)| index)
            }
            Direction::Undo => {
                let steps = numbered(self).collect::<Vec<_>>().into_iter();
                steps
                    .rev()
                    .find(|(index, state)| is_to_be_undone(self, *index, state))
                    .map(|(index, _)| index)
            }
        }
    }
}

impl MoveStatus {
    /// Where it stands, or what it came to grief at, in words that are the same for everybody it befalls and the
    /// next time too: `exclude: the member is archived: not-removable`.
    pub fn trouble(&self) -> String {
        let step = |index: Option<StepIndex>| {
            index
                .and_then(|index| self.draft.step(index))
                .map(|planned| planned.step.to_string())
                .unwrap_or_default()
        };
        let kind = self.draft.kind;
        match &self.phase {
            Phase::Stuck { because, .. } | Phase::Unwinding { because } => {
                let at = step(self.refused.or(self.current_step()));
                format!("{kind}: {at}: {}", because.code.word())
            }
            Phase::Ended(MoveEnd::Refused(because) | MoveEnd::Unwound { because, .. }) => {
                format!("{kind}: {}: {}", step(self.refused), because.code.word())
            }
            Phase::Ended(MoveEnd::Dropped { why }) => format!("{kind}: dropped: {why}"),
            Phase::Ready | Phase::Forward | Phase::Ended(_) => {
                format!("{kind}: {}: waits", step(self.current_step()))
            }
        }
    }
}
