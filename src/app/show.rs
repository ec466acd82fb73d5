//! Makes views of what goes on: from the journal, the actors' overviews, and nothing else.

use super::{App, alerts};
use crate::actors::context::Held;
use crate::domain::audit::AuditLine;
use crate::domain::code::Code;
use crate::domain::event::{Direction, MoveEnd, MoveEvent};
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::lost_batch::LostBatch;
use crate::domain::moves::{Move, Pivot};
use crate::domain::plan::PlanSummary;
use crate::domain::run::{Run, RunCause, RunPhase};
use crate::domain::step::{Before, Delivery, Inverse, Step};
use crate::domain::time::Timestamp;
use crate::engine::{MoveStatus, Next, Phase, Progress, decide, fold};
use crate::journal::ledger::{Journal, JournalError};
use crate::serve::views::{
    BudgetView, LaneView, MoveDetailView, MovePhase, MoveView, PlanMoveView, PlanView, ProcessView,
    ReportView, RunView, RunningView, StatusView, StepView,
};
use crate::sync::damage;
use std::collections::BTreeMap;

/// Moves shown in a status.
const SHOWN: usize = 50;
/// Open moves folded for a status: enough for its figures, bounded in time.
const COUNTED: usize = 2_000;

/// Whether people are named by address: only for an operator on their own terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// By address.
    Addresses,
    /// By number.
    Numbers,
}

/// The name of a person.
pub fn person(journal: &Journal, id: PersonId, names: Names) -> String {
    let address = match names {
        Names::Numbers => None,
        Names::Addresses => journal.person(id).ok().flatten().and_then(|person| person.email),
    };
    address.map_or_else(|| format!("person {id}"), |email| email.as_str().to_owned())
}

/// Everything at a glance.
///
/// # Errors
/// The journal cannot be read.
pub async fn status(app: &App, names: Names) -> Result<StatusView, JournalError> {
    let workspace = &app.workspace;
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    // What a webhook led to is small, and would hide what runs on schedule do.
    let mut runs = journal.runs(64)?;
    runs.retain(|run| run.cause != RunCause::Webhook);
    let last_run = runs.iter().find(|run| matches!(run.phase, RunPhase::Finished(_)));
    let current = runs.first().filter(|run| !matches!(run.phase, RunPhase::Finished(_)));
    let (mut moves, mut open_moves, mut by_phase) = (Vec::new(), 0u64, BTreeMap::<String, u64>::new());
    let mut after = None;
    loop {
        let page = journal.open_moves(after, 1_000)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for id in page {
            open_moves += 1;
            if usize::try_from(open_moves).unwrap_or(usize::MAX) > COUNTED {
                *by_phase.entry("not looked at".to_owned()).or_default() += 1;
                continue;
            }
            let Some(view) = move_view(app, id, now, names) else { continue };
            *by_phase.entry(view.phase.word().to_owned()).or_default() += 1;
            moves.push(view);
        }
    }
    moves.sort_by_key(|view| (view.phase, std::cmp::Reverse(view.age_ms)));
    moves.truncate(SHOWN);
    let pauses = workspace.shared.pauses();
    let standing = journal.standing()?;
    let next_run_at = *app.next_run_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(StatusView {
        at: now,
        workspace: workspace.settings.name.clone(),
        process: ProcessView::Running(RunningView { pid: std::process::id(), what: app.what.to_owned() }),
        last_run: last_run.map(RunView::from),
        current_run: current.map(RunView::from),
        next_run_at,
        moves,
        open_moves,
        by_phase,
        lanes: lanes(app),
        budgets: budgets(app).await,
        pauses: pauses.lines(),
        notices: notices(app)?,
        people: last_run.map(|run| run.counts.people.clone()).unwrap_or_default(),
        alerts: alerts::standing(&standing),
        told: alerts::told(app, &standing),
    })
}

/// What is not as usual, in words.
fn notices(app: &App) -> Result<Vec<String>, JournalError> {
    let mut lines: Vec<String> = app.config_change().notice().into_iter().collect();
    if let Some(restored) = app.workspace.shared.journal.restored()? {
        lines.push(format!(
            "restored {} from a backup of {}: the next run reads everything and looks before it acts",
            restored.restored_at, restored.made_at
        ));
    }
    lines.extend(damage::lines(&app.workspace.shared.journal));
    Ok(lines)
}

fn lanes(app: &App) -> Vec<LaneView> {
    let lanes = app.workspace.shared.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let paused = app.workspace.shared.pauses().all;
    lanes
        .iter()
        .map(|(name, lane)| LaneView {
            target: name.clone(),
            queued: lane.queued as u64,
            in_flight: lane.in_flight as u64,
            paused,
        })
        .collect()
}

async fn budgets(app: &App) -> Vec<BudgetView> {
    let mut views = Vec::new();
    for (service, gate) in [("HubSpot", &app.workspace.hubspot), ("Mailchimp", &app.workspace.mailchimp)] {
        let Some(budget) = gate.overview().await else { continue };
        views.push(BudgetView {
            service: service.to_owned(),
            used: if budget.max.is_some() { budget.used } else { budget.in_flight },
            max: budget.max.unwrap_or(budget.connections),
            window_s: if budget.max.is_some() { budget.window.as_secs() } else { 0 },
            remaining_today: budget.daily_remaining,
            breaker: match budget.used_up_until {
                Some(until) => format!("{}, until {until}", budget.state),
                None => budget.state.to_owned(),
            },
        });
    }
    views
}

/// An open move that this hsmc cannot go on with.
fn incompatible(journal: &Journal, id: MoveId, why: String, names: Names) -> MoveView {
    let whose = journal.person_of_move(id).ok().flatten();
    MoveView {
        id,
        person: whose.map_or_else(|| "not known".to_owned(), |whose| person(journal, whose, names)),
        kind: "not known".to_owned(),
        phase: MovePhase::Incompatible,
        code: Some(Code::MoveIncompatible),
        step: "not gone on with".to_owned(),
        attempts: 0,
        next_try: None,
        waiting_for: Some("a backup, or the hsmc that wrote it".to_owned()),
        age_ms: 0,
        last_error: Some(why),
    }
}

/// One open move; none when it has ended meanwhile.
pub fn move_view(app: &App, id: MoveId, now: Timestamp, names: Names) -> Option<MoveView> {
    let shared = &app.workspace.shared;
    let journal = &shared.journal;
    if let Some(why) = damage::why_not(journal, id) {
        return Some(incompatible(journal, id, why, names));
    }
    let mut status = fold(&journal.events(id).ok()?).ok()?;
    status.count_from(shared.began);
    let held = shared.holds(&status, now);
    let direction = status.direction().unwrap_or(Direction::Forward);
    let index = status.current_step();
    let state = index.and_then(|index| status.steps.get(usize::from(index.0)));
    let progress = state.map(|state| state.progress(direction).clone());
    let (mut next_try, mut waiting_for) = (None, None);
    let mut last_error = state.and_then(|state| state.setback.as_ref()).map(|setback| setback.why.clone());
    match &progress {
        Some(Progress::InDoubt { why, .. }) => {
            waiting_for = Some("a look whether the last call took effect".to_owned());
            last_error = Some(why.clone());
        }
        Some(Progress::Ticketed { ticket }) => {
            waiting_for = Some(format!("Mailchimp's {}", batch_name(ticket)))
        }
        Some(Progress::Refused(refusal)) => last_error = Some(refusal.to_string()),
        _ => {}
    }
    if let Next::Wait { until, why } = decide(&status, now) {
        next_try = Some(until);
        waiting_for.get_or_insert(why);
    }
    let phase = match &status.phase {
        Phase::Stuck { because, .. } => {
            last_error = Some(because.to_string());
            MovePhase::Stuck
        }
        Phase::Unwinding { because } => {
            last_error.get_or_insert_with(|| because.to_string());
            MovePhase::Unwinding
        }
        _ if held.is_some() => {
            next_try = held.as_ref().and_then(|held| held.until).or(next_try);
            waiting_for = held.map(|Held { why, until }| match until {
                Some(_) => why,
                None => format!("`hsmc resume`: {why}"),
            });
            MovePhase::Paused
        }
        Phase::Ready => MovePhase::Waiting,
        Phase::Forward if last_error.is_some() => MovePhase::Retrying,
        Phase::Forward => MovePhase::Running,
        Phase::Ended(_) => return None,
    };
    Some(MoveView {
        id,
        person: person(journal, status.draft.person, names),
        kind: status.draft.kind.word().to_owned(),
        phase,
        code: code(&status),
        step: step_line(&status, index, direction),
        attempts: state.map_or(0, |state| state.attempts),
        next_try,
        waiting_for,
        age_ms: u64::try_from(now.since(status.planned_at).as_millis()).unwrap_or(u64::MAX),
        last_error,
    })
}

fn step_line(
    status: &MoveStatus,
    index: Option<crate::domain::id::StepIndex>,
    direction: Direction,
) -> String {
    let of = status.steps.len();
    let Some(index) = index else { return format!("{of}/{of}") };
    let text = match direction {
        Direction::Forward => status.draft.step(index).map(|planned| planned.step.to_string()),
        Direction::Undo => status.effective_step(index, direction).map(|step| format!("undo: {step}")),
    };
    format!("{}/{of} {}", index.0 + 1, text.unwrap_or_default())
}

/// What is left of a move whose details were given up.
pub fn given_up(id: MoveId, person: String, line: AuditLine) -> MoveDetailView {
    MoveDetailView {
        id,
        person,
        kind: line.kind.word().to_owned(),
        reason: format!("{} {}", line.rule, line.reason),
        code: ended_by(&line.end),
        standing: format!("{}; details were given up on {}", line.end, line.given_up),
        steps: line.steps.into_iter().map(|text| StepView { text, for_good: false }).collect(),
        events: vec![format!("{}  planned", line.planned), format!("{}  {}", line.ended, line.end)],
    }
}

/// One move with its whole life.
///
/// # Errors
/// The journal cannot be read.
pub fn detail(journal: &Journal, id: MoveId, names: Names) -> Result<Option<MoveDetailView>, JournalError> {
    let events = journal.events(id)?;
    let Ok(status) = fold(&events) else { return Ok(None) };
    Ok(Some(MoveDetailView {
        id,
        person: person(journal, status.draft.person, names),
        kind: status.draft.kind.word().to_owned(),
        reason: format!("{} {}", status.draft.reason.rule, status.draft.reason.text),
        standing: standing(&status),
        code: code(&status),
        steps: steps(&status.draft),
        events: self::events(&status, &events),
    }))
}

/// Everything that befell a move, oldest first, one line each.
pub fn events(status: &MoveStatus, events: &[MoveEvent]) -> Vec<String> {
    events.iter().map(|event| event_line(status, event)).collect()
}

/// The code of what holds a move up, or of what ended it.
fn code(status: &MoveStatus) -> Option<Code> {
    let direction = status.direction().unwrap_or(Direction::Forward);
    let at = status.current_step().and_then(|index| status.steps.get(usize::from(index.0)));
    let by_step = match at.map(|state| state.progress(direction)) {
        Some(Progress::InDoubt { .. }) => Some(Code::AnswerLost),
        Some(Progress::Refused(refusal)) => Some(refusal.code.code()),
        Some(
            Progress::NotStarted
            | Progress::Waiting { .. }
            | Progress::Sent { .. }
            | Progress::ProbedNot
            | Progress::Ticketed { .. }
            | Progress::Done
            | Progress::AlreadyHeld
            | Progress::LeftTheirs
            | Progress::Skipped,
        )
        | None => at.and_then(|state| state.setback.as_ref()).map(|setback| setback.class.code()),
    };
    match &status.phase {
        Phase::Stuck { because, .. } => Some(because.code.code()),
        Phase::Unwinding { because } => by_step.or(Some(because.code.code())),
        Phase::Ready | Phase::Forward => by_step,
        Phase::Ended(end) => ended_by(end),
    }
}

fn ended_by(end: &MoveEnd) -> Option<Code> {
    match end {
        MoveEnd::Unwound { because, .. } | MoveEnd::Refused(because) => Some(because.code.code()),
        MoveEnd::Done | MoveEnd::Superseded | MoveEnd::Dropped { .. } | MoveEnd::Skipped => None,
    }
}

/// Where a move stands, or how it ended, in words.
pub fn standing(status: &MoveStatus) -> String {
    match &status.phase {
        Phase::Ready => "not begun".to_owned(),
        Phase::Forward => "under way".to_owned(),
        Phase::Unwinding { because } => format!("being unwound: {because}"),
        Phase::Stuck { because, direction, .. } => {
            let (what, ways) = match direction {
                Direction::Undo => ("unwinding", "`hsmc retry`, `skip` or `rollback`"),
                Direction::Forward if status.is_past_pivot() => ("going on", "`hsmc retry` or `skip`"),
                Direction::Forward => ("going on", "`hsmc retry`, `skip` or `rollback`"),
            };
            format!("stuck while {what}: {because}; try {ways}")
        }
        Phase::Ended(end) => end.to_string(),
    }
}

fn event_line(status: &MoveStatus, event: &MoveEvent) -> String {
    let name = |step: &crate::domain::id::StepIndex, direction: &Direction| {
        let text = status.draft.step(*step).map(|planned| planned.step.to_string()).unwrap_or_default();
        let undo = if *direction == Direction::Undo { "undo of " } else { "" };
        format!("step {} {undo}{text}", step.0 + 1)
    };
    match event {
        MoveEvent::Planned { at, .. } => format!("{at}  planned"),
        MoveEvent::Intent { step, direction, at, .. } => format!("{at}  {}: sent", name(step, direction)),
        MoveEvent::Outcome { step, direction, outcome, at } => {
            format!("{at}  {}: {}", name(step, direction), outcome_line(outcome))
        }
        MoveEvent::Unwinding { because, at } => format!("{at}  unwinding: {because}"),
        MoveEvent::Stuck { because, at } => format!("{at}  stuck: {because}"),
        MoveEvent::Operator { request, at } => {
            format!("{at}  operator: {}", format!("{request:?}").to_lowercase())
        }
        MoveEvent::Confirmed { at } => format!("{at}  planned anew, and came out the same"),
        MoveEvent::Ended { end, at } => format!("{at}  {end}"),
    }
}

/// An asynchronous batch by its id, where that is known.
fn batch_name(ticket: &str) -> String {
    match LostBatch::of(ticket) {
        Some(lost) => format!("batch of {} whose answer was lost", lost.operations),
        None => format!("batch {ticket}"),
    }
}

fn outcome_line(outcome: &crate::domain::event::StepOutcome) -> String {
    use crate::domain::event::StepOutcome;
    match outcome {
        StepOutcome::Done => "holds".to_owned(),
        StepOutcome::AlreadyHeld => "held already".to_owned(),
        StepOutcome::LeftTheirs => "left as somebody else made it".to_owned(),
        StepOutcome::Refused(refusal) => format!("refused for good: {refusal}"),
        StepOutcome::InDoubt { probe_at, why } => format!("in doubt ({why}); looked at again {probe_at}"),
        StepOutcome::RetryAt { at, why, .. } => format!("not done ({why}); tried again {at}"),
        StepOutcome::ProbedNot => "looked: does not hold".to_owned(),
        StepOutcome::Ticket(ticket) => format!("handed to {}", batch_name(ticket)),
    }
}

/// The steps of a move in words.
pub fn steps(planned: &Move) -> Vec<StepView> {
    planned
        .steps
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let is_pivot = matches!(planned.pivot(), Pivot::At(pivot) if usize::from(pivot.0) == index);
            let starts_mail = planned.kind.starts_mail()
                && is_pivot
                && matches!(one.step, Step::SetTag { delivery: Delivery::Loud, .. });
            let impossible = one.step != Step::RecordEvidence
                && matches!(one.step.inverse(&one.before), Inverse::Impossible)
                && !matches!(
                    (&one.step, &one.before),
                    (Step::ArchiveMember, Before::Status(_))
                        | (Step::RefreshMember { .. } | Step::RenameMember, _)
                );
            StepView { text: one.step.to_string(), for_good: impossible || starts_mail }
        })
        .collect()
}

/// The report of a run.
///
/// # Errors
/// The journal cannot be read.
pub fn report(app: &App, run: &Run, names: Names) -> Result<ReportView, JournalError> {
    let journal = &app.workspace.shared.journal;
    let now = app.workspace.shared.clock.now();
    let mut stuck = Vec::new();
    let mut after = None;
    loop {
        let page = journal.open_moves(after, 1_000)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for id in page {
            if stuck.len() < SHOWN {
                stuck.extend(move_view(app, id, now, names).filter(|view| view.phase == MovePhase::Stuck));
            }
        }
    }
    Ok(ReportView { run: RunView::from(run), stuck })
}

/// A plan as a view.
pub fn plan(
    journal: &Journal,
    (seen, full): (Timestamp, bool),
    summary: PlanSummary,
    moves: &[Move],
    most: usize,
    names: Names,
) -> PlanView {
    let total = summary.moves.values().sum();
    PlanView {
        seen,
        full,
        planned: summary.moves,
        people: summary.people,
        left_out: summary.left_out,
        notes: summary.notes,
        given: summary.given,
        gate: summary.gate,
        moves: moves
            .iter()
            .take(most)
            .map(|planned| PlanMoveView {
                person: person(journal, planned.person, names),
                kind: planned.kind.word().to_owned(),
                reason: format!("{} {}", planned.reason.rule, planned.reason.text),
                steps: steps(planned),
            })
            .collect(),
        total,
        saved: None,
    }
}

/// The run with this number.
///
/// # Errors
/// The journal cannot be read.
pub fn run(journal: &Journal, id: RunId) -> Result<Option<Run>, JournalError> {
    journal.run(id)
}
