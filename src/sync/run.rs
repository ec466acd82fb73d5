//! One run: scan → plan → (approve) → apply → report, journaled at every change of phase. A run that was
//! cut short goes on in the phase where it stood: its scan at the last page, its begun moves first, the
//! others after being planned anew.

use super::applying::{Applied, WaitUntil, apply, wait_for};
use super::error::RunError;
use super::planning::{Journaled, Narrowing, Part, Planning};
use super::preflight::{self, Accounts};
use super::recovering::{self, Leftover};
use super::scan::{Progress, ScanContext, ScanMode, Stop, Tuning, scan};
use super::snapshot::{self, Snapshot};
use super::workspace::{ApplyMode, Workspace};
use crate::domain::id::RunId;
use crate::domain::moves::Move;
use crate::domain::plan::{Limits, PlanSummary};
use crate::domain::run::{Run, RunCause, RunCounts, RunEnd, RunPhase};
use crate::domain::time::Timestamp;
use crate::engine::fold;
use crate::failpoint;
use crate::journal::store::Batch;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A scan in progress older than this is begun anew.
const SCAN_KEEPS: Duration = Duration::from_secs(15 * 60);
/// The name under which the journal keeps what the last scan depended on.
const SCANNED: &str = "scanned config";
/// Moves of a saved plan named one by one when they are dropped.
const DROPPED_SHOWN: usize = 50;
/// Moves shown of a plan.
const SHOWN: usize = 50_000;

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Why it is started.
    pub cause: RunCause,
    /// Read everything.
    pub full: bool,
    /// Read at least what changed since then.
    pub since: Option<Timestamp>,
    /// Passes gates, never limits.
    pub yes: bool,
    /// How it is narrowed.
    pub narrowing: Narrowing,
}

/// A plan that was only to be shown.
pub struct Shown {
    /// When the world was seen.
    pub seen: Timestamp,
    /// Whether everything was read.
    pub full: bool,
    /// The plan in figures.
    pub summary: PlanSummary,
    /// Its moves.
    pub moves: Vec<Move>,
}

/// Scans and plans, and changes nothing on either side.
///
/// # Errors
/// When the accounts do not fit, a call fails, or the journal or disk does.
pub async fn plan(
    workspace: &Workspace,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Shown, RunError> {
    let _one_at_a_time = workspace.running.lock().await;
    preflight::right_portal(workspace).await?;
    let accounts = preflight::preflight(workspace).await?;
    let mut run = begin(workspace, options).await?;
    let result = show(workspace, &run, options, &accounts, progress).await;
    run.counts.notes.insert("plan only: nothing was applied".to_owned(), 1);
    let end = match &result {
        Ok(_) => RunEnd::Done,
        Err(problem) => RunEnd::Failed { why: problem.to_string() },
    };
    finish(workspace, run, end).await?;
    result
}

async fn show(
    workspace: &Workspace,
    run: &Run,
    options: &RunOptions,
    accounts: &Accounts,
    progress: &dyn Progress,
) -> Result<Shown, RunError> {
    let (context, picture) = look(workspace, run, options, progress).await?;
    let (seen, full) = (picture.header().seen, picture.header().full);
    let mut planning = prepare(workspace, picture, accounts).await?;
    planning.narrowing = options.narrowing.clone();
    let (planning, limits) = planning.settle(&context, &Stop::when(workspace.stop.clone())).await?;
    let (_, mut summary, moves) = planning.show(limits, SHOWN).await?;
    note(&mut summary.notes, &accounts.notes);
    note(&mut summary.notes, &accounts.missing());
    Ok(Shown { seen, full, summary, moves })
}

/// One run, from recovery to report.
///
/// # Errors
/// When the journal cannot be written, and, after the run was closed as failed, when the accounts do not
/// fit the config. Everything else ends the run as failed, by name.
pub async fn sync(
    workspace: &Workspace,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Run, RunError> {
    let _one_at_a_time = workspace.running.lock().await;
    let calls_before = workspace.calls().await;
    let taken_up = match preflight::right_portal(workspace).await {
        Ok(()) => recovering::take_up(workspace).await,
        Err(problem) => Err(problem),
    };
    let mut run = begin(workspace, options).await?;
    let result = match taken_up {
        Ok(leftover) => phases(workspace, &mut run, options, &leftover, progress).await,
        Err(problem) => Err(problem),
    };
    for (service, calls) in workspace.calls().await {
        let before = calls_before.get(&service).copied().unwrap_or(0);
        run.counts.calls.insert(service, calls.saturating_sub(before));
    }
    let end = match result {
        Ok(Outcome::Approval(why)) => {
            run.phase = RunPhase::AwaitingApproval { why };
            put(workspace, &run).await?;
            return Ok(run);
        }
        Ok(Outcome::Ended(end)) => end,
        Err(RunError::Stopped) => RunEnd::Interrupted,
        Err(RunError::Scan(super::scan::ScanError::Stopped)) => RunEnd::Interrupted,
        Err(RunError::Journal(problem)) => return Err(problem.into()),
        Err(problem @ RunError::Unfit { .. }) => {
            close_older(workspace, &run).await?;
            finish(workspace, run, RunEnd::Failed { why: problem.to_string() }).await?;
            return Err(problem);
        }
        Err(problem) => RunEnd::Failed { why: problem.to_string() },
    };
    if end == RunEnd::Interrupted && matches!(run.phase, RunPhase::Scanning) {
        // It stays as it is, and the next start goes on with its pages.
        put(workspace, &run).await?;
        run.phase = RunPhase::Finished(RunEnd::Interrupted);
        return Ok(run);
    }
    close_older(workspace, &run).await?;
    finish(workspace, run, end).await
}

enum Outcome {
    Approval(String),
    Ended(RunEnd),
}

async fn phases(
    workspace: &Workspace,
    run: &mut Run,
    options: &RunOptions,
    leftover: &Leftover,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    let accounts = preflight::preflight(workspace).await?;
    let (recovered, held) = recovering::finish(workspace, leftover).await?;
    if recovered == Applied::Stopped {
        return Err(RunError::Stopped);
    }
    let (context, picture) = look(workspace, run, options, progress).await?;
    failpoint::pass(|| failpoint::SCANNED.to_owned());
    run.seen = picture.header().seen;
    run.full = picture.header().full;
    run.phase = RunPhase::Planning;
    put(workspace, run).await?;

    let mut planning = prepare(workspace, picture, &accounts).await?;
    planning.held = held;
    planning.unbegun = leftover.unbegun.clone();
    planning.narrowing = options.narrowing.clone();
    let (planning, limits) = planning.settle(&context, &Stop::when(workspace.stop.clone())).await?;

    let opt_outs_flow = workspace.settings.apply != ApplyMode::Never;
    let (planning, consent) =
        if opt_outs_flow { opt_outs(workspace, run, planning, &limits).await? } else { (planning, None) };
    // Opt-outs change who is wanted: what they decided is memory now.
    let (planning, limits) = if consent.is_some() {
        planning.settle(&context, &Stop::when(workspace.stop.clone())).await?
    } else {
        (planning, limits)
    };

    if let Some(why) = asks(workspace, options, &limits) {
        let (_, mut summary, _) = planning.show(limits, 0).await?;
        note(&mut summary.notes, &accounts.notes);
        note(&mut summary.notes, &accounts.missing());
        count_plan(&mut run.counts, &summary);
        if recovered == Applied::Waiting {
            wait_for(workspace, &leftover.runs, WaitUntil::Over).await;
        }
        recovering::discard(workspace, &leftover.unbegun, "the plan made anew waits for approval").await?;
        return Ok(Outcome::Approval(why));
    }
    let made = accounts.complete(workspace).await?;
    let now = workspace.shared.clock.now();
    let (planning, journaled) = planning.journal(run.id, Part::Rest, &limits, now).await?;
    let Journaled { due, mut summary, confirmed, dropped } = journaled;
    note(&mut summary.notes, &accounts.notes);
    note(&mut summary.notes, &made);
    note(&mut summary.notes, &in_words(&planning.dropped_of_saved()));
    drop(planning);
    count_plan(&mut run.counts, &summary);
    if confirmed > 0 {
        run.counts.notes.insert("moves of an earlier run taken over".to_owned(), confirmed);
    }
    if dropped > 0 {
        run.counts.notes.insert(
            "moves of an earlier run dropped: planned anew, they come out differently".to_owned(),
            dropped,
        );
    }
    run.phase = RunPhase::Applying;
    put(workspace, run).await?;
    failpoint::pass(|| format!("{}:rest", failpoint::APPLYING));
    let confirmed_runs: std::collections::BTreeSet<RunId> = due.iter().map(|due| due.id.run).collect();
    let applied = apply(workspace, due, run.seen).await?;
    // Moves of earlier runs that were asleep when this one began.
    let recovered = match recovered {
        Applied::Waiting => wait_for(workspace, &leftover.runs, WaitUntil::Over).await,
        other => other,
    };
    let mut waits_for = None;
    for id in confirmed_runs {
        waits_for = tally(workspace, &mut run.counts, id).await.or(waits_for);
    }
    run.phase = RunPhase::Reporting;
    put(workspace, run).await?;
    failpoint::pass(|| failpoint::REPORTING.to_owned());
    // A refusal on the way changes somebody's state: the report counts people as they are now.
    run.counts.people = people_by_state(workspace)?;
    let consent_applied = consent.unwrap_or(Applied::All);
    let removed =
        snapshot::prune(&workspace.settings.state.join("snapshots"), workspace.settings.snapshots, now);
    if let Err(problem) = removed {
        tracing::warn!(%problem, "old snapshots could not be removed");
    }
    end(workspace, &mut run.counts, [applied, consent_applied, recovered], waits_for)
}

/// Why a run fails whose moves are neither over nor stuck.
fn in_vain(waits_for: Option<String>) -> String {
    let waits_for = waits_for.unwrap_or_else(|| "a service does not answer".to_owned());
    format!("moves wait: {waits_for}; the next run goes on with them (see `hsmc status`)")
}

/// How the run ended, by what became of its moves and of those it took up.
fn end(
    workspace: &Workspace,
    counts: &mut RunCounts,
    applied: [Applied; 3],
    waits_for: Option<String>,
) -> Result<Outcome, RunError> {
    if applied.contains(&Applied::Stopped) {
        return Ok(Outcome::Ended(RunEnd::Interrupted));
    }
    if applied.contains(&Applied::Waiting) {
        return Ok(Outcome::Ended(RunEnd::Failed { why: in_vain(waits_for) }));
    }
    let mut stuck = counts.ended.contains_key("stuck") || counts.ended.contains_key("broken");
    let mut last_looks = 0;
    let pauses = workspace.shared.pauses();
    let journal = &workspace.shared.journal;
    let mut after = None;
    loop {
        let page = journal.open_moves(after, 1_000)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for id in page {
            match journal.events(id).map(|events| fold(&events)) {
                Ok(Ok(status)) if status.awaits_last_look() => last_looks += 1,
                Ok(Ok(status)) if !status.is_stuck() => match pauses.holds(&status.draft) {
                    Some(why) => *counts.notes.entry(format!("held back: {why}")).or_default() += 1,
                    None => stuck = true,
                },
                _ => stuck = true,
            }
        }
    }
    if last_looks > 0 {
        counts.notes.insert(
            "moves given up look once more, 130 s after their lost call (see `hsmc status`)".to_owned(),
            last_looks,
        );
    }
    Ok(Outcome::Ended(if stuck { RunEnd::Stuck } else { RunEnd::Done }))
}

/// Opt-outs: a run of their own, before every other, outside limits and gates (R24).
async fn opt_outs(
    workspace: &Workspace,
    run: &mut Run,
    planning: Planning,
    limits: &Limits,
) -> Result<(Planning, Option<Applied>), RunError> {
    let now = workspace.shared.clock.now();
    let (planning, journaled) = planning.journal(run.id, Part::OptOuts, limits, now).await?;
    if journaled.due.is_empty() {
        return Ok((planning, None));
    }
    let mut consent = run.clone();
    consent.phase = RunPhase::Applying;
    for due in &journaled.due {
        *consent.counts.planned.entry(due.kind.word().to_owned()).or_default() += 1;
    }
    put(workspace, &consent).await?;
    failpoint::pass(|| format!("{}:opt-outs", failpoint::APPLYING));
    let mut runs: std::collections::BTreeSet<RunId> = journaled.due.iter().map(|due| due.id.run).collect();
    runs.insert(consent.id);
    let applied = apply(workspace, journaled.due, run.seen).await?;
    let mut waits_for = None;
    for id in runs {
        waits_for = tally(workspace, &mut consent.counts, id).await.or(waits_for);
    }
    if applied == Applied::Stopped {
        return Err(RunError::Stopped);
    }
    let end = match applied {
        Applied::Waiting => RunEnd::Failed { why: in_vain(waits_for) },
        _ if consent.counts.ended.contains_key("stuck") => RunEnd::Stuck,
        _ => RunEnd::Done,
    };
    let counts = consent.counts.clone();
    finish(workspace, consent, end).await?;
    failpoint::pass(|| failpoint::CONSENT_OVER.to_owned());
    // The run itself goes on under a number of its own.
    run.id = RunId(workspace.shared.journal.last_run_id()?.map_or(1, |last| last.0 + 1));
    for (kind, count) in counts.planned {
        run.counts.notes.insert(format!("{kind}: delivered by a run of their own"), count);
    }
    if let Some(stuck) = counts.ended.get("stuck") {
        run.counts.ended.insert("stuck".to_owned(), *stuck);
    }
    put(workspace, run).await?;
    Ok((planning, Some(applied)))
}

/// Whether a person has to say yes first (R25).
fn asks(workspace: &Workspace, options: &RunOptions, limits: &Limits) -> Option<String> {
    match workspace.settings.apply {
        _ if options.yes && workspace.settings.apply != ApplyMode::Never => None,
        ApplyMode::Never => Some(
            "apply = \"never\" in the config: nothing is applied until it says \"ask\" or \"always\""
                .to_owned(),
        ),
        ApplyMode::Ask => {
            Some(limits.gate.clone().unwrap_or_else(|| "apply = \"ask\"".to_owned())).filter(|_| any(limits))
        }
        ApplyMode::Always => limits.gate.clone(),
    }
}

fn any(limits: &Limits) -> bool {
    limits.by_kind.iter().any(|(kind, count)| !kind.is_opt_out() && *count > 0)
}

/// Reads both accounts: all, or what changed.
async fn look(
    workspace: &Workspace,
    run: &Run,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<(ScanContext, Snapshot), RunError> {
    let settings = &workspace.settings;
    let dir = snapshot::path_of(&settings.state, run.id);
    let context = ScanContext {
        crm: Arc::clone(&workspace.shared.crm),
        audience: Arc::clone(&workspace.shared.audience),
        clock: Arc::clone(&workspace.shared.clock),
        dir: dir.clone(),
        lists: workspace.rules.all_lists(),
        known_tags: workspace.rules.named_tags(),
        tuning: Tuning::default(),
    };
    let now = workspace.shared.clock.now();
    let previous = snapshot::newest_finished(&settings.state.join("snapshots"), Some(&dir))?;
    let same_config = workspace.shared.journal.meta_get::<u64>(SCANNED)? == Some(settings.scanned);
    let mode = match previous {
        Some(previous)
            if !options.full
                && same_config
                && now.since(previous.header().full_seen) < settings.full_every
                && previous.header().seen <= now
                && options.since.is_none_or(|since| previous.header().seen <= since) =>
        {
            ScanMode::Incremental { previous: previous.dir().to_path_buf() }
        }
        _ => ScanMode::Full,
    };
    let picture = scan(&context, mode, progress, &Stop::when(workspace.stop.clone()))
        .await
        .map_err(|problem| preflight::of_scan(workspace, problem))?;
    preflight::check_lists(workspace, &picture.header().lists)?;
    workspace.shared.tags.learn(&picture.header().tags);
    if !same_config {
        let mut batch = Batch::new();
        workspace.shared.journal.meta_put(&mut batch, SCANNED, &settings.scanned)?;
        workspace.shared.journal.commit(batch).await?;
    }
    Ok((context, picture))
}

async fn prepare(
    workspace: &Workspace,
    picture: Snapshot,
    accounts: &Accounts,
) -> Result<Planning, RunError> {
    let now = workspace.shared.clock.now();
    Planning::new(workspace.shared.journal.clone(), Arc::clone(&workspace.rules), picture, accounts, now)
        .await
}

/// Starts a run, or takes up one whose scan was cut short.
async fn begin(workspace: &Workspace, options: &RunOptions) -> Result<Run, RunError> {
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    if let Some(last) = journal.runs(1)?.into_iter().next()
        && last.phase == RunPhase::Scanning
        && now.since(last.started) < SCAN_KEEPS
        && last.started <= now
    {
        return Ok(last);
    }
    let id = RunId(journal.last_run_id()?.map_or(1, |last| last.0 + 1));
    let run = Run {
        id,
        cause: options.cause,
        of: None,
        full: options.full,
        started: now,
        seen: now,
        ended: None,
        phase: RunPhase::Scanning,
        counts: RunCounts::default(),
    };
    put(workspace, &run).await?;
    Ok(run)
}

async fn put(workspace: &Workspace, run: &Run) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let mut batch = Batch::new();
    journal.put_run(&mut batch, run)?;
    journal.commit(batch).await?;
    Ok(())
}

async fn finish(workspace: &Workspace, mut run: Run, end: RunEnd) -> Result<Run, RunError> {
    run.ended = Some(workspace.shared.clock.now());
    run.phase = RunPhase::Finished(end);
    put(workspace, &run).await?;
    Ok(run)
}

/// Runs that were cut short have been finished on the way; those that waited for approval, or never came
/// to a plan, give way to the newer one.
async fn close_older(workspace: &Workspace, newer: &Run) -> Result<(), RunError> {
    for mut run in workspace.shared.journal.runs(32)? {
        if run.id >= newer.id {
            continue;
        }
        match run.phase {
            RunPhase::Finished(_) => {}
            RunPhase::Applying | RunPhase::Reporting => {
                tally(workspace, &mut run.counts, run.id).await;
                run.counts.notes.insert("cut short, and gone on with after a restart".to_owned(), 1);
                let stuck = run.counts.ended.contains_key("stuck");
                finish(workspace, run, if stuck { RunEnd::Stuck } else { RunEnd::Done }).await?;
            }
            RunPhase::Scanning | RunPhase::Planning | RunPhase::AwaitingApproval { .. } => {
                finish(workspace, run, RunEnd::Superseded).await?;
            }
        }
    }
    Ok(())
}

/// Everybody ever seen, by the one state they are in.
fn people_by_state(workspace: &Workspace) -> Result<BTreeMap<String, u64>, RunError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = workspace.shared.journal.people(after, 1_000)?;
        let Some(last) = page.last() else { return Ok(counts) };
        after = Some(last.id);
        for person in &page {
            *counts.entry(person.state.word().to_owned()).or_default() += 1;
        }
    }
}

/// Counts a run's moves, and forgets them; what the last that had to wait was waiting for.
async fn tally(workspace: &Workspace, counts: &mut RunCounts, run: RunId) -> Option<String> {
    let tally = workspace.moves.tally(run).await;
    let waits_for = tally.last_why.clone();
    for (word, count) in tally.ended {
        *counts.ended.entry(word.to_owned()).or_default() += count;
    }
    for (word, count) in tally.refused {
        *counts.parked.entry(word.to_owned()).or_default() += count;
    }
    for (why, count) in tally.dropped {
        *counts.notes.entry(format!("dropped: {why}")).or_default() += count;
    }
    if tally.stuck > 0 {
        *counts.ended.entry("stuck".to_owned()).or_default() += tally.stuck;
    }
    if tally.broken > 0 {
        *counts.ended.entry("broken".to_owned()).or_default() += tally.broken;
        counts.notes.insert(format!("broken: {}", tally.last_why.unwrap_or_default()), tally.broken);
    }
    workspace.moves.forget(run).await;
    waits_for
}

fn count_plan(counts: &mut RunCounts, summary: &PlanSummary) {
    counts.people.clone_from(&summary.people);
    counts.planned.clone_from(&summary.moves);
    counts.left_out.clone_from(&summary.left_out);
    for (note, count) in &summary.notes {
        counts.notes.insert(note.clone(), *count);
    }
}

/// Moves of a saved plan that are not applied, by name.
fn in_words(dropped: &[&Move]) -> Vec<String> {
    let line = |planned: &&Move| {
        let Move { kind, person, reason, .. } = planned;
        format!("dropped from the plan: {kind} of person {person} ({}: {})", reason.rule, reason.text)
    };
    let mut lines: Vec<String> = dropped.iter().take(DROPPED_SHOWN).map(line).collect();
    if dropped.len() > DROPPED_SHOWN {
        lines.push(format!("dropped from the plan: {} more", dropped.len() - DROPPED_SHOWN));
    }
    lines
}

fn note(notes: &mut BTreeMap<String, u64>, more: &[String]) {
    for line in more {
        *notes.entry(line.clone()).or_default() += 1;
    }
}
