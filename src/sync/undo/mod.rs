//! Undo (R28): what an earlier run, or one move, has done is taken back by moves of their own, journaled and
//! performed like any others, in a run of their own.
//!
//! ```text
//!   done moves ──► read both sides ──► plan ──► (yes) ──► read again, plan again ──► journal ──► apply
//! ```
//!
//! Promises: nothing is taken back that somebody else, or a later move, has changed since; what a yes was given
//! for and what comes out now is the same, or it is dropped and named; limits hold. Never: a subscription that
//! was not ours to give, or a tag that starts a journey.

mod planning;
pub mod present;

pub use planning::{Left, Taken, UndoPlan, Whole};

use super::alerts::{self, Learned};
use super::applying::{Applied, WaitUntil, apply, wait_for};
use super::error::RunError;
use super::planning::Due;
use super::preflight;
use super::recovering;
use super::reporting::{Fates, end, enter, tally};
use super::run::{conclude_undo, put};
use super::workspace::{ApplyMode, Workspace};
use crate::domain::code::Code;
use crate::domain::event::MoveEvent;
use crate::domain::id::{MoveId, RunId};
use crate::domain::plan::move_fingerprint;
use crate::domain::report::RunReport;
use crate::domain::run::{Run, RunCause, RunCounts, RunEnd, RunPhase};
use crate::domain::step::Fingerprint;
use crate::failpoint;
use crate::journal::store::Batch;
use std::collections::BTreeSet;

/// Moves made durable at once.
const CHUNK: usize = 500;

/// Reads both sides and plans. Changes nothing.
///
/// # Errors
/// When the token is of another portal, or a call or the journal fails.
pub async fn plan(workspace: &Workspace, whole: Whole) -> Result<UndoPlan, RunError> {
    let _one_at_a_time = workspace.one_at_a_time().await;
    preflight::right_accounts(workspace).await?;
    planning::plan(workspace, whole).await
}

/// Undoes: reads and plans again, and applies. Of a plan that was agreed to, by fingerprints, only what still
/// comes out the same.
///
/// # Errors
/// When `apply = "never"`, a read fails before anything was begun, or the journal cannot be written. Everything
/// later ends the run, by name.
pub async fn undo(
    workspace: &Workspace,
    whole: Whole,
    agreed: Option<&BTreeSet<Fingerprint>>,
) -> Result<(UndoPlan, Option<Run>), RunError> {
    let _one_at_a_time = workspace.one_at_a_time().await;
    if workspace.settings.apply == ApplyMode::Never {
        return Err(RunError::NotNow {
            code: Code::ApplyNever,
            what: "apply = \"never\" in the config: nothing is undone".to_owned(),
            way_out: "set it to \"ask\" or \"always\"; `--dry-run` shows the plan".to_owned(),
        });
    }
    preflight::right_accounts(workspace).await?;
    // What an earlier undo had begun comes to its end first.
    let leftover = recovering::take_up(workspace).await?;
    let (recovered, _) = recovering::finish(workspace, &leftover).await?;
    if recovered == Applied::Stopped {
        return Err(RunError::Stopped);
    }
    let mut plan = planning::plan(workspace, whole).await?;
    if let Some(agreed) = agreed {
        let before = plan.taken.len();
        plan.taken.retain(|taken| agreed.contains(&move_fingerprint(&taken.due)));
        if plan.taken.len() < before {
            let dropped = before - plan.taken.len();
            plan.notes
                .push(format!("{dropped} moves came out differently from what was shown: left as they are"));
        }
    }
    if plan.taken.is_empty() {
        return Ok((plan, None));
    }
    let mut run = begin(workspace, whole, &plan)?;
    put(workspace, &run).await?;
    let due = journal(workspace, &plan, run.id).await?;
    run.phase = RunPhase::Applying;
    enter(&mut run, Some("applying"), workspace.shared.clock.now());
    put(workspace, &run).await?;
    failpoint::pass(|| format!("{}:undo", failpoint::APPLYING));
    let calls_before = workspace.calls().await;
    let applied = apply(workspace, due, run.seen).await;
    let (mut fates, id) = (Fates::default(), run.id);
    tally(workspace, &mut fates, &mut run, id).await;
    for (service, calls) in workspace.calls().await {
        let before = calls_before.get(&service).copied().unwrap_or(0);
        run.counts.calls.insert(service, calls.saturating_sub(before));
    }
    run.phase = RunPhase::Reporting;
    put(workspace, &run).await?;
    failpoint::pass(|| failpoint::REPORTING.to_owned());
    let cause = applied.as_ref().err().map(alerts::cause);
    run.code = applied.as_ref().err().map(|problem| problem.code().number());
    let ended = match applied {
        Ok(applied) => {
            let recovered = match recovered {
                Applied::Waiting => wait_for(workspace, &leftover.runs, WaitUntil::Over).await,
                other => other,
            };
            end(workspace, &mut run.counts, [applied, recovered, Applied::All], fates.waits_for)?
        }
        Err(RunError::Stopped) => RunEnd::Interrupted,
        Err(RunError::Journal(problem)) => return Err(problem.into()),
        Err(problem) => RunEnd::Failed { why: problem.to_string() },
    };
    enter(&mut run, None, workspace.shared.clock.now());
    let learned = Learned { cause, ..Learned::default() };
    Ok((plan, Some(conclude_undo(workspace, run, ended, &learned).await?)))
}

fn begin(workspace: &Workspace, whole: Whole, plan: &UndoPlan) -> Result<Run, RunError> {
    let last = workspace.shared.journal.last_run_id()?;
    let of = match whole {
        Whole::Run(run) => run,
        Whole::Move(id) => id.run,
    };
    let mut counts = RunCounts { left_out: plan.left_out.clone(), ..RunCounts::default() };
    counts.planned.insert(crate::domain::moves::MoveKind::Undo.word().to_owned(), plan.taken.len() as u64);
    for left in &plan.left {
        *counts.notes.entry(format!("not undone: {}", left.kept.why)).or_default() += 1;
    }
    for note in &plan.notes {
        *counts.notes.entry(note.clone()).or_default() += 1;
    }
    let mut run = Run {
        id: RunId(last.map_or(1, |last| last.0 + 1)),
        cause: RunCause::Undo,
        of: Some(of),
        full: false,
        started: plan.seen,
        seen: plan.seen,
        ended: None,
        phase: RunPhase::Planning,
        counts,
        report: RunReport::default(),
        code: None,
    };
    enter(&mut run, Some("planning"), plan.seen);
    Ok(run)
}

/// Makes the moves durable; they are applied in the order of the plan.
async fn journal(workspace: &Workspace, plan: &UndoPlan, run: RunId) -> Result<Vec<Due>, RunError> {
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    let mut due = Vec::with_capacity(plan.taken.len());
    for chunk in plan.taken.chunks(CHUNK) {
        let mut batch = Batch::new();
        for taken in chunk {
            let number = u32::try_from(due.len() + 1).unwrap_or(u32::MAX);
            let id = MoveId { run, number };
            let event = MoveEvent::Planned { draft: Box::new(taken.due.clone()), at: now };
            journal.append_event(&mut batch, id, taken.due.person, &event)?;
            due.push(Due::of(id, &taken.due));
        }
        failpoint::pass(|| format!("{}:undo", failpoint::PLANNED));
        journal.commit(batch).await?;
        failpoint::pass(|| format!("{}:undo", failpoint::JOURNALED));
    }
    Ok(due)
}
