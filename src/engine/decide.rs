//! What comes next for a move: a pure function of its status and the time.

use super::retry::still_running;
use super::status::{MoveStatus, Phase, Progress, StepState};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, StepOutcome};
use crate::domain::failure::{Refusal, RefusalCode};
use crate::domain::id::StepIndex;
use crate::domain::step::{Before, Delivery, Inverse, Step};
use crate::domain::time::Timestamp;

/// What to do next for a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make the intents durable, then send these steps: several only where one call carries them all.
    Send {
        /// In order.
        steps: Vec<StepIndex>,
        /// As planned, or their inverses.
        direction: Direction,
    },
    /// Look whether the step (or its inverse) holds.
    Probe {
        /// Which.
        step: StepIndex,
        /// As planned, or its inverse.
        direction: Direction,
    },
    /// Ask how the asynchronous batch is doing.
    Poll {
        /// Which step it carries.
        step: StepIndex,
        /// As planned, or its inverse.
        direction: Direction,
        /// The batch's id.
        ticket: String,
    },
    /// Nothing before this moment.
    Wait {
        /// Until when.
        until: Timestamp,
        /// For what.
        why: String,
    },
    /// Record these events; no call is needed.
    Record(Vec<MoveEvent>),
    /// Nothing to do: over, or stuck until somebody acts.
    Rest,
}

/// Decides. Called after every event and after a restart; a step that is `Sent` counts as in doubt, so
/// the caller does not ask while its own call is still out.
pub fn decide(status: &MoveStatus, now: Timestamp) -> Next {
    match &status.phase {
        Phase::Ready | Phase::Forward => forward(status, now),
        Phase::Unwinding { because } => unwind(status, because, now),
        Phase::Stuck { .. } | Phase::Ended(_) => Next::Rest,
    }
}

fn forward(status: &MoveStatus, now: Timestamp) -> Next {
    let Some((index, state)) = numbered(status).find(|(_, state)| !state.forward.is_settled()) else {
        return Next::Record(vec![MoveEvent::Ended { end: MoveEnd::Done, at: now }]);
    };
    let direction = Direction::Forward;
    if status.draft.step(index).is_some_and(|planned| planned.step == Step::RecordEvidence) {
        return Next::Record(vec![MoveEvent::Outcome {
            step: index,
            direction,
            outcome: StepOutcome::Done,
            at: now,
        }]);
    }
    match &state.forward {
        Progress::NotStarted | Progress::ProbedNot => Next::Send { steps: bundle(status, index), direction },
        Progress::Waiting { at, why, .. } if *at > now => Next::Wait { until: *at, why: why.clone() },
        Progress::Waiting { .. } => Next::Send { steps: bundle(status, index), direction },
        Progress::Sent { .. } => Next::Probe { step: index, direction },
        Progress::InDoubt { probe_at, why } if *probe_at > now => {
            Next::Wait { until: *probe_at, why: why.clone() }
        }
        Progress::InDoubt { .. } => Next::Probe { step: index, direction },
        Progress::Ticketed { ticket } => Next::Poll { step: index, direction, ticket: ticket.clone() },
        Progress::Refused(refusal) => Next::Record(vec![refused(status, refusal, now)]),
        Progress::Done | Progress::AlreadyHeld | Progress::LeftTheirs | Progress::Skipped => Next::Rest,
    }
}

/// A refusal for good: unwind before the pivot; forward-only moves park or are stuck (design §4).
fn refused(status: &MoveStatus, refusal: &Refusal, at: Timestamp) -> MoveEvent {
    if !status.draft.kind.is_forward_only() {
        return MoveEvent::Unwinding { because: refusal.clone(), at };
    }
    if status.draft.kind.refusal_parks() {
        return MoveEvent::Ended { end: MoveEnd::Refused(refusal.clone()), at };
    }
    MoveEvent::Stuck { because: refusal.clone(), at }
}

/// The steps one call carries: a new member and their tags go in one batch subscribe. A member created
/// as pending gets tags only once they have confirmed.
fn bundle(status: &MoveStatus, first: StepIndex) -> Vec<StepIndex> {
    let mut steps = vec![first];
    let creates = status.draft.step(first).is_some_and(|planned| {
        matches!(planned.step, Step::UpsertMember { pending: false, .. }) && planned.before == Before::NotHeld
    });
    if creates {
        for (index, state) in numbered(status).filter(|(index, _)| *index > first) {
            let loud = status
                .draft
                .step(index)
                .is_some_and(|planned| matches!(planned.step, Step::SetTag { delivery: Delivery::Loud, .. }));
            if !loud || state.forward.is_settled() {
                break;
            }
            steps.push(index);
        }
    }
    steps
}

fn unwind(status: &MoveStatus, because: &Refusal, now: Timestamp) -> Next {
    // The look at the last step comes first: if a lost call made the pivot true after all, everything
    // holds, and there is nothing left to unwind.
    if status.is_past_pivot() {
        return Next::Record(vec![MoveEvent::Ended { end: MoveEnd::Done, at: now }]);
    }
    let mut left_theirs = Vec::new();
    for (index, state) in numbered(status).collect::<Vec<_>>().into_iter().rev() {
        if let Some(next) = undo_step(status, index, state, now) {
            return next;
        }
        if state.undo == Progress::LeftTheirs {
            left_theirs.push(index);
        }
    }
    left_theirs.reverse();
    Next::Record(vec![MoveEvent::Ended {
        end: MoveEnd::Unwound { left_theirs, because: because.clone() },
        at: now,
    }])
}

/// Whether a move that unwinds has something to look at, or to take back, at a step.
pub(super) fn is_to_be_undone(status: &MoveStatus, index: StepIndex, state: &StepState) -> bool {
    undo_step(status, index, state, Timestamp::default()).is_some()
}

/// What comes next at a step of a move that unwinds; none where nothing does.
fn undo_step(status: &MoveStatus, index: StepIndex, state: &StepState, now: Timestamp) -> Option<Next> {
    match &state.forward {
        Progress::NotStarted | Progress::AlreadyHeld | Progress::LeftTheirs | Progress::Skipped => None,
        Progress::Ticketed { ticket } => {
            Some(Next::Poll { step: index, direction: Direction::Forward, ticket: ticket.clone() })
        }
        // Whether it holds is known only once the last call cannot be running any more.
        Progress::Sent { at } => Some(look_after(index, *at, now)),
        Progress::InDoubt { .. } => Some(look_after(index, state.doubted_at.unwrap_or(now), now)),
        Progress::Waiting { .. } | Progress::ProbedNot | Progress::Refused(_) => {
            state.doubted_at.map(|sent| look_after(index, sent, now))
        }
        Progress::Done => undo_done(status, index, state, now),
    }
}

fn look_after(step: StepIndex, sent: Timestamp, now: Timestamp) -> Next {
    let until = sent.plus(still_running());
    if until > now {
        Next::Wait { until, why: "the end of a call whose answer was lost".to_owned() }
    } else {
        Next::Probe { step, direction: Direction::Forward }
    }
}

fn undo_done(status: &MoveStatus, index: StepIndex, state: &StepState, now: Timestamp) -> Option<Next> {
    let direction = Direction::Undo;
    if state.undo.is_settled() {
        return None;
    }
    let planned = status.draft.step(index)?;
    match planned.step.inverse(&state.before) {
        Inverse::Nothing => return None,
        Inverse::Impossible => {
            let because = Refusal {
                code: RefusalCode::Other,
                message: format!("\"{}\" cannot be taken back", planned.step),
            };
            return Some(Next::Record(vec![MoveEvent::Stuck { because, at: now }]));
        }
        Inverse::Step(_) => {}
    }
    let next = match &state.undo {
        Progress::NotStarted => match state.doubted_at.map(|sent| sent.plus(still_running())) {
            // An earlier call of this step may still take effect after its inverse.
            Some(until) if until > now => {
                Next::Wait { until, why: "the end of a call whose answer was lost".to_owned() }
            }
            _ => Next::Send { steps: vec![index], direction },
        },
        Progress::ProbedNot => Next::Send { steps: vec![index], direction },
        Progress::Waiting { at, why, .. } if *at > now => Next::Wait { until: *at, why: why.clone() },
        Progress::Waiting { .. } => Next::Send { steps: vec![index], direction },
        Progress::Sent { .. } => Next::Probe { step: index, direction },
        Progress::InDoubt { probe_at, why } if *probe_at > now => {
            Next::Wait { until: *probe_at, why: why.clone() }
        }
        Progress::InDoubt { .. } => Next::Probe { step: index, direction },
        Progress::Ticketed { ticket } => Next::Poll { step: index, direction, ticket: ticket.clone() },
        Progress::Refused(refusal) => {
            Next::Record(vec![MoveEvent::Stuck { because: refusal.clone(), at: now }])
        }
        Progress::Done | Progress::AlreadyHeld | Progress::LeftTheirs | Progress::Skipped => {
            return None;
        }
    };
    Some(next)
}

pub(super) fn numbered(status: &MoveStatus) -> impl Iterator<Item = (StepIndex, &StepState)> {
    status
        .steps
        .iter()
        .enumerate()
        .filter_map(|(index, state)| Some((StepIndex(u8::try_from(index).ok()?), state)))
}
