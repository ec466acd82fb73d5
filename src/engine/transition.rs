//! The one transition function: (status, event) → status, used live and at recovery, so that there is
//! no second truth. An event that cannot happen in a status is an error, never ignored.

use super::retry::still_running;
use super::status::{MoveStatus, Phase, Progress, Setback, StepState};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, NOT_SENT, OperatorRequest, StepOutcome};
use crate::domain::failure::FailureClass;
use crate::domain::time::Timestamp;

/// An event that cannot follow what is recorded of a move: the journal contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event} cannot follow in phase {phase}")]
pub struct IllegalEvent {
    /// The event's name.
    pub event: &'static str,
    /// The phase it met.
    pub phase: &'static str,
}

/// Folds all events of a move.
///
/// # Errors
/// The first event that cannot follow, or an empty history.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a MoveEvent>) -> Result<MoveStatus, IllegalEvent> {
    let mut status = None;
    for event in events {
        status = Some(transition(status, event)?);
    }
    status.ok_or(IllegalEvent { event: "nothing", phase: "unplanned" })
}

/// Applies one event.
///
/// # Errors
/// When the event cannot follow.
pub fn transition(status: Option<MoveStatus>, event: &MoveEvent) -> Result<MoveStatus, IllegalEvent> {
    let Some(mut status) = status else {
        return match event {
            MoveEvent::Planned { draft, at } => Ok(MoveStatus {
                steps: draft
                    .steps
                    .iter()
                    .map(|planned| StepState {
                        before: planned.before.clone(),
                        forward: Progress::NotStarted,
                        undo: Progress::NotStarted,
                        attempts: 0,
                        doubted_at: None,
                        sent_at: None,
                        noted_at: None,
                        setback: None,
                    })
                    .collect(),
                draft: draft.as_ref().clone(),
                planned_at: *at,
                phase: Phase::Ready,
                last_event_at: *at,
                times_stuck: 0,
                refused: None,
            }),
            other => Err(IllegalEvent { event: name(other), phase: "unplanned" }),
        };
    };
    let illegal = IllegalEvent { event: name(event), phase: phase_name(&status.phase) };
    if status.is_over() {
        return Err(illegal);
    }
    match event {
        MoveEvent::Planned { .. } => return Err(illegal),
        MoveEvent::Confirmed { at } => {
            if status.has_begun() {
                return Err(illegal);
            }
            status.planned_at = *at;
            status.last_event_at = *at;
        }
        MoveEvent::Intent { step, direction, before, at } => {
            match (&status.phase, direction) {
                (Phase::Ready | Phase::Forward, Direction::Forward) => status.phase = Phase::Forward,
                (Phase::Unwinding { .. }, Direction::Undo) => {}
                _ => return Err(illegal),
            }
            let Some(state) = status.steps.get_mut(usize::from(step.0)) else { return Err(illegal) };
            if state.progress(*direction).is_settled() {
                return Err(illegal);
            }
            if let Some(before) = before {
                state.before = before.clone();
            }
            (state.sent_at, state.noted_at) = (Some(*at), Some(*at));
            set(state, *direction, Progress::Sent { at: *at });
            status.last_event_at = *at;
        }
        MoveEvent::Outcome { step, direction, outcome, at } => {
            match (&status.phase, direction) {
                // A step found to hold while the move unwinds is settled forward by its probe.
                (Phase::Ready | Phase::Forward | Phase::Unwinding { .. }, Direction::Forward)
                | (Phase::Unwinding { .. }, Direction::Undo) => {}
                _ => return Err(illegal),
            }
            if matches!(status.phase, Phase::Ready) {
                status.phase = Phase::Forward;
            }
            let gives_up = matches!(status.phase, Phase::Unwinding { .. });
            let Some(state) = status.steps.get_mut(usize::from(step.0)) else { return Err(illegal) };
            apply_outcome(state, *direction, outcome, *at);
            if gives_up && *direction == Direction::Forward && finds_it_not_so(outcome) {
                // The last look, made once no call could be running any more. One made while the move still went on
                // may have come too soon, by a clock that was set wrong.
                state.doubted_at = state.doubted_at.filter(|sent| sent.plus(still_running()) > *at);
            }
            if *direction == Direction::Forward && matches!(outcome, StepOutcome::Refused(_)) {
                status.refused = Some(*step);
            }
            status.last_event_at = *at;
        }
        MoveEvent::Unwinding { because, at } => {
            if matches!(status.phase, Phase::Unwinding { .. }) {
                return Err(illegal);
            }
            for step in &mut status.steps {
                step.attempts = 0;
            }
            status.phase = Phase::Unwinding { because: because.clone() };
            status.last_event_at = *at;
        }
        MoveEvent::Stuck { because, at } => {
            let direction = status.direction().unwrap_or(Direction::Forward);
            status.phase = Phase::Stuck { because: because.clone(), direction, at: *at };
            status.times_stuck += 1;
            status.last_event_at = *at;
        }
        MoveEvent::Operator { request, at } => {
            apply_request(&mut status, *request, *at).map_err(|()| illegal)?;
            status.last_event_at = *at;
        }
        MoveEvent::Ended { end, at } => {
            status.phase = Phase::Ended(end.clone());
            status.last_event_at = *at;
        }
    }
    Ok(status)
}

fn set(state: &mut StepState, direction: Direction, progress: Progress) {
    match direction {
        Direction::Forward => state.forward = progress,
        Direction::Undo => state.undo = progress,
    }
}

fn apply_outcome(state: &mut StepState, direction: Direction, outcome: &StepOutcome, at: Timestamp) {
    if matches!(state.progress(direction), Progress::Sent { .. }) && is_try(outcome) {
        state.attempts += 1;
    }
    state.setback = setback(state.setback.take(), outcome);
    let progress = match outcome {
        StepOutcome::Done => Progress::Done,
        StepOutcome::AlreadyHeld => {
            // What held before our call has nothing to undo.
            if direction == Direction::Forward {
                state.before = crate::domain::step::Before::Held;
            }
            Progress::AlreadyHeld
        }
        StepOutcome::LeftTheirs => Progress::LeftTheirs,
        StepOutcome::Refused(refusal) => Progress::Refused(refusal.clone()),
        StepOutcome::InDoubt { probe_at, why } => {
            state.doubted_at = match state.progress(direction) {
                // A look that came to nothing says nothing of when the call left.
                Progress::InDoubt { .. } => state.doubted_at.or(state.sent_at),
                // Not when it was to be sent: it may have waited for its turn, and has left by now at the latest.
                _ => Some(at),
            };
            Progress::InDoubt { probe_at: *probe_at, why: why.clone() }
        }
        StepOutcome::RetryAt { at, class, why } => {
            Progress::Waiting { at: *at, class: *class, why: why.clone() }
        }
        StepOutcome::ProbedNot => {
            // Whatever was sent before the look may still be running.
            state.doubted_at = state.doubted_at.or(state.sent_at);
            Progress::ProbedNot
        }
        StepOutcome::Ticket(ticket) => Progress::Ticketed { ticket: ticket.clone() },
    };
    set(state, direction, progress);
}

/// What went wrong last, after this outcome: a look that says "not so", and a step that never left its lane, settle
/// nothing.
fn setback(last: Option<Setback>, outcome: &StepOutcome) -> Option<Setback> {
    match outcome {
        StepOutcome::InDoubt { why, .. } => Some(Setback { class: FailureClass::InDoubt, why: why.clone() }),
        StepOutcome::RetryAt { why, .. } if why == NOT_SENT => last,
        StepOutcome::RetryAt { class, why, .. } => Some(Setback { class: *class, why: why.clone() }),
        StepOutcome::ProbedNot | StepOutcome::Ticket(_) => last,
        StepOutcome::Done | StepOutcome::AlreadyHeld | StepOutcome::LeftTheirs | StepOutcome::Refused(_) => {
            None
        }
    }
}

/// Whether a look said that the step does not hold, or cannot.
fn finds_it_not_so(outcome: &StepOutcome) -> bool {
    match outcome {
        StepOutcome::ProbedNot | StepOutcome::Refused(_) => true,
        StepOutcome::Done
        | StepOutcome::AlreadyHeld
        | StepOutcome::LeftTheirs
        | StepOutcome::InDoubt { .. }
        | StepOutcome::RetryAt { .. }
        | StepOutcome::Ticket(_) => false,
    }
}

/// Whether what came of a step that was sent says that its call was answered, or timed out. A crash after the
/// intent says nothing: the look that follows finds what is so, and what it does not find may never have left.
fn is_try(outcome: &StepOutcome) -> bool {
    match outcome {
        StepOutcome::ProbedNot
        | StepOutcome::RetryAt {
            class: FailureClass::RateLimited { .. } | FailureClass::TargetAway, ..
        }
        | StepOutcome::LeftTheirs => false,
        StepOutcome::Done
        | StepOutcome::AlreadyHeld
        | StepOutcome::Refused(_)
        | StepOutcome::InDoubt { .. }
        | StepOutcome::RetryAt { .. }
        | StepOutcome::Ticket(_) => true,
    }
}

fn apply_request(status: &mut MoveStatus, request: OperatorRequest, at: Timestamp) -> Result<(), ()> {
    match request {
        OperatorRequest::Retry => {
            let Phase::Stuck { because, direction, .. } = status.phase.clone() else { return Err(()) };
            status.phase = match direction {
                Direction::Forward => Phase::Forward,
                Direction::Undo => Phase::Unwinding { because },
            };
            for step in &mut status.steps {
                step.attempts = 0;
                if !step.progress(direction).is_settled() && *step.progress(direction) != Progress::NotStarted
                {
                    // Whatever it was, a look comes first.
                    set(step, direction, Progress::InDoubt { probe_at: at, why: "tried again".to_owned() });
                }
            }
        }
        OperatorRequest::Skip => {
            if !status.is_stuck() && !status.waits_for_target() {
                return Err(());
            }
            let (Some(index), Some(direction)) = (status.current_step(), status.direction()) else {
                return Err(());
            };
            let Some(step) = status.steps.get_mut(usize::from(index.0)) else { return Err(()) };
            set(step, direction, Progress::Skipped);
            if let Phase::Stuck { because, .. } = status.phase.clone() {
                status.phase = match direction {
                    Direction::Forward => Phase::Forward,
                    Direction::Undo => Phase::Unwinding { because },
                };
            }
        }
        // The decision follows from the phase; the request itself changes nothing until `Unwinding` or
        // `Ended` is recorded.
        OperatorRequest::RollBack | OperatorRequest::Cancel => {
            if status.draft.kind.overtakes() || (status.has_begun() && status.is_past_pivot()) {
                return Err(());
            }
        }
    }
    Ok(())
}

fn name(event: &MoveEvent) -> &'static str {
    match event {
        MoveEvent::Planned { .. } => "planned",
        MoveEvent::Intent { .. } => "intent",
        MoveEvent::Outcome { .. } => "outcome",
        MoveEvent::Unwinding { .. } => "unwinding",
        MoveEvent::Stuck { .. } => "stuck",
        MoveEvent::Operator { .. } => "operator",
        MoveEvent::Confirmed { .. } => "confirmed",
        MoveEvent::Ended { .. } => "ended",
    }
}

/// A stable word for a phase.
pub fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Ready => "ready",
        Phase::Forward => "forward",
        Phase::Unwinding { .. } => "unwinding",
        Phase::Stuck { .. } => "stuck",
        Phase::Ended(end) => match end {
            MoveEnd::Done => "done",
            MoveEnd::Unwound { .. } => "unwound",
            MoveEnd::Superseded => "superseded",
            MoveEnd::Dropped { .. } => "dropped",
            MoveEnd::Refused(_) => "refused",
            MoveEnd::Skipped => "skipped",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::{Refusal, RefusalCode};
    use crate::domain::id::{ListId, PersonId, StepIndex};
    use crate::domain::moves::{Move, MoveKind, PlannedStep, Reason};
    use crate::domain::step::{Before, Fingerprint, Step};
    use crate::domain::tag::TagName;
    use crate::engine::{Next, decide};

    fn refresh() -> Move {
        Move {
            person: PersonId(1),
            kind: MoveKind::Refresh,
            reason: Reason { rule: "R8".to_owned(), text: "properties changed".to_owned() },
            steps: vec![PlannedStep {
                step: Step::RefreshMember { fields: Fingerprint(1) },
                before: Before::NotHeld,
            }],
            then: vec![],
            since: Timestamp(0),
            input: Fingerprint(1),
        }
    }

    #[test]
    fn only_calls_that_were_answered_or_timed_out_are_tries() {
        let (step, direction) = (StepIndex(0), Direction::Forward);
        let at = Timestamp(1);
        let intent = MoveEvent::Intent { step, direction, before: None, at };
        let outcome = |outcome| MoveEvent::Outcome { step, direction, outcome, at };
        let retry = |class| outcome(StepOutcome::RetryAt { at, class, why: String::new() });
        let doubt = outcome(StepOutcome::InDoubt { probe_at: at, why: String::new() });
        let not_so = outcome(StepOutcome::ProbedNot);
        let limited = retry(FailureClass::RateLimited { retry_after: None });
        for (events, tries, what) in [
            (vec![intent.clone()], 0, "it is out, or a crash came between"),
            (vec![intent.clone(), not_so.clone(), intent.clone(), not_so.clone()], 0, "two crashes"),
            (vec![intent.clone(), limited], 0, "a limit costs no try"),
            (vec![intent.clone(), retry(FailureClass::Transient)], 1, "it was answered"),
            (vec![intent.clone(), doubt.clone()], 1, "it timed out"),
            (vec![intent.clone(), doubt.clone(), doubt.clone(), not_so], 1, "looks are no tries"),
            (vec![intent.clone(), doubt, intent, retry(FailureClass::Transient)], 2, "twice"),
        ] {
            let planned = MoveEvent::Planned { draft: Box::new(refresh()), at: Timestamp(0) };
            let status = fold(std::iter::once(&planned).chain(&events)).unwrap();
            assert_eq!(status.steps[0].attempts, tries, "{what}");
        }
    }

    #[test]
    fn a_call_that_waited_for_its_turn_may_go_on_until_long_after_its_answer_was_lost() {
        let (step, direction) = (StepIndex(0), Direction::Forward);
        let intent = |at| MoveEvent::Intent { step, direction, before: None, at: Timestamp(at) };
        let outcome = |outcome, at| MoveEvent::Outcome { step, direction, outcome, at: Timestamp(at) };
        let doubt = |at| outcome(StepOutcome::InDoubt { probe_at: Timestamp(at), why: String::new() }, at);
        let because = Refusal { code: RefusalCode::Other, message: "no".to_owned() };
        let mut draft = refresh();
        draft.kind = MoveKind::HandOver;
        let tag = TagName::new("Entry");
        draft.steps = vec![
            PlannedStep { step: Step::ClearTag { tag }, before: Before::NotHeld },
            PlannedStep { step: Step::ArchiveMember, before: Before::NotHeld },
        ];
        // It left its lane after four minutes.
        let events = [
            MoveEvent::Planned { draft: Box::new(draft), at: Timestamp(0) },
            intent(1_000),
            doubt(250_000),
            doubt(252_000),
            outcome(StepOutcome::ProbedNot, 254_000),
            intent(254_000),
            outcome(StepOutcome::Done, 255_000),
            MoveEvent::Unwinding { because, at: Timestamp(260_000) },
        ];
        let status = fold(&events).unwrap();
        let next = |at| decide(&status, Timestamp(at));
        assert!(matches!(next(260_000), Next::Wait { until: Timestamp(380_000), .. }), "{:?}", next(260_000));
        assert!(
            matches!(next(380_000), Next::Send { direction: Direction::Undo, .. }),
            "{:?}",
            next(380_000)
        );
    }

    #[test]
    fn a_move_that_is_stuck_while_it_unwinds_stands_at_the_step_that_could_not_be_taken_back() {
        let direction = Direction::Undo;
        let (tag, message) = (TagName::new("Entry"), "no".to_owned());
        let refusal = Refusal { code: RefusalCode::Other, message };
        let step = |step| PlannedStep { step, before: Before::NotHeld };
        let mut draft = refresh();
        draft.kind = MoveKind::HandOver;
        draft.steps = vec![
            step(Step::ClearTag { tag: tag.clone() }),
            step(Step::JoinList { list: ListId(946) }),
            step(Step::ArchiveMember),
        ];
        let at = Timestamp(1);
        let sent = |step, direction| MoveEvent::Intent { step, direction, before: None, at };
        let said = |step, direction, outcome| MoveEvent::Outcome { step, direction, outcome, at };
        let no = || StepOutcome::Refused(refusal.clone());
        let (first, second) = (StepIndex(0), StepIndex(1));
        let mut events = vec![
            MoveEvent::Planned { draft: Box::new(draft), at },
            sent(first, Direction::Forward),
            said(first, Direction::Forward, StepOutcome::Done),
            // Never held: nothing of it can be taken back.
            sent(second, Direction::Forward),
            said(second, Direction::Forward, no()),
            MoveEvent::Unwinding { because: refusal.clone(), at },
            sent(first, direction),
            said(first, direction, no()),
            MoveEvent::Stuck { because: refusal.clone(), at },
        ];
        assert_eq!(fold(&events).unwrap().current_step(), Some(first));
        events.push(MoveEvent::Operator { request: OperatorRequest::Skip, at });
        let next = decide(&fold(&events).unwrap(), at);
        assert!(
            matches!(&next, Next::Record(events) if matches!(events[..], [MoveEvent::Ended { .. }])),
            "{next:?}"
        );
    }

    #[test]
    fn a_refusal_is_remembered_although_a_later_look_takes_its_place() {
        let draft = refresh();
        let (step, direction) = (StepIndex(0), Direction::Forward);
        let refusal = Refusal { code: RefusalCode::Other, message: "no".to_owned() };
        let intent = |at| MoveEvent::Intent { step, direction, before: None, at: Timestamp(at) };
        let outcome = |outcome, at| MoveEvent::Outcome { step, direction, outcome, at: Timestamp(at) };
        let events = [
            MoveEvent::Planned { draft: Box::new(draft), at: Timestamp(0) },
            // A crash between this intent and the look.
            intent(1),
            outcome(StepOutcome::ProbedNot, 2),
            intent(2),
            outcome(StepOutcome::Refused(refusal.clone()), 3),
            MoveEvent::Unwinding { because: refusal, at: Timestamp(3) },
            outcome(StepOutcome::ProbedNot, 200_000),
        ];
        let status = fold(&events).unwrap();
        assert_eq!(status.steps[0].forward, Progress::ProbedNot);
        assert_eq!(status.refused, Some(step));
    }
}
