//! One run: scan → plan → (approve) → apply → report, journaled at every change of phase. A run that was
//! cut short goes on in the phase where it stood: its scan at the last page, its begun moves first, the
//! others after being planned anew.

use super::alerts::{self, Learned};
use super::applying::{Applied, WaitUntil, apply, wait_for};
use super::approval::{self, Shower};
use super::consent_alone;
use super::damage;
use super::error::RunError;
use super::forgetting;
use super::gate::gate;
use super::looking::{look, name_tags, prepare, renumber, settle};
use super::planning::{Journaled, Narrowing, Part, Planning};
use super::preflight::{self, Accounts};
use super::recovering::{self, Leftover};
use super::repeating;
use super::reporting::{self, Fates, count_plan, enter, in_vain, in_words, note, tally};
use super::restored;
use super::retention;
use super::scan::Progress;
use super::snapshot;
use super::workspace::{ApplyMode, Workspace};
use crate::domain::code::Code;
use crate::domain::id::RunId;
use crate::domain::moves::Move;
use crate::domain::plan::{Limits, PlanSummary};
use crate::domain::report::RunReport;
use crate::domain::run::{PLAN_ONLY, Run, RunCause, RunCounts, RunEnd, RunPhase};
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::journal::store::Batch;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// A scan in progress older than this is begun anew.
const SCAN_KEEPS: Duration = Duration::from_secs(15 * 60);
/// The name under which the journal keeps what the last scan depended on.
pub(super) const SCANNED: &str = "scanned config";
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
    /// The waiting run that it carries out.
    pub approves: Option<RunId>,
}

impl RunOptions {
    /// A run that reads what can have changed, is about everybody, and passes no gate.
    pub fn of(cause: RunCause) -> RunOptions {
        let narrowing = Narrowing::default();
        RunOptions { cause, full: false, since: None, yes: false, narrowing, approves: None }
    }

    /// A run that carries out what a waiting one has shown.
    pub fn approving(run: RunId) -> RunOptions {
        RunOptions { yes: true, approves: Some(run), ..RunOptions::of(RunCause::Approval) }
    }

    /// The same, with what the waiting run has shown.
    fn with_shown(&self, workspace: &Workspace) -> Result<RunOptions, RunError> {
        let mut options = self.clone();
        if let Some(run) = self.approves {
            options.narrowing.shown = Some(Arc::new(approval::shown(workspace, run)?));
        }
        Ok(options)
    }
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
    let _one_at_a_time = workspace.one_at_a_time().await;
    // Shown only, it is no approval, whatever it plans anew.
    let options = &RunOptions { cause: RunCause::Command, ..options.with_shown(workspace)? };
    damage::mend(workspace).await?;
    forgetting::tidy(workspace).await?;
    preflight::right_accounts(workspace).await?;
    let accounts = preflight::preflight(workspace).await?;
    let (mut run, _) = begin(workspace, options).await?;
    let result = show(workspace, &run, options, &accounts, progress).await;
    run.counts.notes.insert(PLAN_ONLY.to_owned(), 1);
    if let Ok(shown) = &result {
        run.counts.planned.clone_from(&shown.summary.moves);
    }
    run.code = result.as_ref().err().map(|problem| problem.code().number());
    let end = match &result {
        Ok(_) => RunEnd::Done,
        Err(problem) => RunEnd::Failed { why: problem.to_string() },
    };
    reporting::count_people(workspace, &mut run)?;
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
    let (context, picture, forgotten) = look(workspace, run, options, progress).await?;
    let (seen, full) = (picture.header().seen, picture.header().full);
    let _deciding = workspace.deciding.lock().await;
    let mut planning = prepare(workspace, picture, accounts).await?;
    planning.narrow(options.narrowing.clone());
    let (planning, limits) = settle(workspace, planning, &context).await?;
    let too_different = planning.too_different();
    let (mut planning, mut summary, moves) = planning.show(limits, SHOWN, None).await?;
    planning.held = recovering::held(workspace).await?;
    let planning = planning.remember_opt_outs().await?;
    note(&mut summary.notes, &planning.names.lines());
    summary.gate = too_different.or(summary.gate);
    note(&mut summary.notes, &accounts.notes);
    note(&mut summary.notes, &accounts.missing());
    forgetting::note(&mut summary.notes, forgotten);
    note(&mut summary.notes, &in_words(&planning.dropped_of_shown()));
    options.narrowing.note_strangers(&workspace.shared.journal, &mut summary.notes)?;
    Ok(Shown { seen, full, summary, moves })
}

/// One run, from recovery to report.
///
/// # Errors
/// When the journal cannot be written, or what is to be approved does not wait; and, after the run was closed
/// as failed, when the accounts do not fit the config. Everything else ends the run as failed, by name.
pub async fn sync(
    workspace: &Workspace,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<Run, RunError> {
    let _one_at_a_time = workspace.one_at_a_time().await;
    if let Some(run) = options.approves {
        approval::may_be_approved(workspace, run)?;
    }
    let options = &options.with_shown(workspace)?;
    damage::mend(workspace).await?;
    let calls_before = workspace.calls().await;
    workspace.hubspot.meter_anew().await;
    workspace.mailchimp.meter_anew().await;
    let began = workspace.shared.clock.now();
    let taken_up = match preflight::right_accounts(workspace).await {
        Ok(()) => recovering::take_up(workspace).await,
        Err(problem) => Err(problem),
    };
    let (mut run, is_resumed) = begin(workspace, options).await?;
    enter(&mut run, Some("before"), began);
    let mut fates = Fates::default();
    let result = match taken_up {
        Ok(leftover) => {
            let span = tracing::info_span!(target: "hsmc::spans", "run", run = run.id.0);
            let result = phases(workspace, (&mut run, is_resumed), &mut fates, options, &leftover, progress)
                .instrument(span)
                .await;
            match result {
                Err(problem) => {
                    let looked = (options, &leftover, progress);
                    Err(consent_alone::beside(workspace, (&mut run, &mut fates), looked, problem).await)
                }
                outcome => outcome,
            }
        }
        Err(problem) => Err(problem),
    };
    if let Err(RunError::Call(_) | RunError::Scan(_)) = &result {
        recovering::bring_to_rest(workspace).await;
    }
    for (service, calls) in workspace.calls().await {
        let before = calls_before.get(&service).copied().unwrap_or(0);
        run.counts.calls.insert(service, calls.saturating_sub(before));
    }
    run.report.calls.extend(workspace.hubspot.metered().await);
    run.report.calls.extend(workspace.mailchimp.metered().await);
    note(&mut run.counts.notes, &damage::lines(&workspace.shared.journal));
    enter(&mut run, None, workspace.shared.clock.now());
    fates.learned.cause = result.as_ref().err().map(alerts::cause);
    run.code = result.as_ref().err().map(|problem| problem.code().number());
    let end = match result {
        Ok(Outcome::Approval(why)) => {
            run.phase = RunPhase::AwaitingApproval { why };
            alerts::conclude(workspace, Batch::new(), &run, &fates.learned).await?;
            tracing::info!(run = %run.id, "run {}", run.phase);
            close_older(workspace, &run).await?;
            return Ok(run);
        }
        Ok(Outcome::Ended(end)) => end,
        Err(RunError::Stopped) => RunEnd::Interrupted,
        Err(RunError::Scan(super::scan::ScanError::Stopped)) => RunEnd::Interrupted,
        Err(RunError::Journal(problem)) => return Err(problem.into()),
        Err(problem @ RunError::Unfit { .. }) => {
            close_older(workspace, &run).await?;
            let end = RunEnd::Failed { why: problem.to_string() };
            report_and_finish(workspace, run, end, Some(fates)).await?;
            return Err(problem);
        }
        Err(problem) => RunEnd::Failed { why: problem.to_string() },
    };
    if end == RunEnd::Interrupted && matches!(run.phase, RunPhase::Scanning) {
        // It stays as it is, and the next start goes on with its pages.
        reporting::count_people(workspace, &mut run)?;
        put(workspace, &run).await?;
        run.phase = RunPhase::Finished(RunEnd::Interrupted);
        return Ok(run);
    }
    close_older(workspace, &run).await?;
    let ended = report_and_finish(workspace, run, end, Some(fates)).await?;
    retention::begin(workspace);
    Ok(ended)
}

/// Ends a run with the people as they are now: a refusal on the way changes somebody's state. What became of its
/// moves is given by a run of its own; one that was cut short, or delivers opt-outs for another, has nothing to
/// say of what repeats itself, and nothing to tell people.
pub(super) async fn report_and_finish(
    workspace: &Workspace,
    mut run: Run,
    end: RunEnd,
    fates: Option<Fates>,
) -> Result<Run, RunError> {
    // Whatever else fails a run has said so: here nothing did, and moves are left.
    if matches!(end, RunEnd::Failed { .. }) {
        run.code.get_or_insert(Code::MovesWait.number());
    }
    reporting::count_people(workspace, &mut run)?;
    if end != RunEnd::Interrupted {
        reporting::count_audience(workspace, &mut run, fates.as_ref().map(|fates| &fates.others))?;
    }
    note(&mut run.counts.notes, &workspace.wrong_clock());
    let mut open = repeating::open_moves(workspace)?;
    run.report.in_flight = std::mem::take(&mut open.by_kind);
    let mut batch = Batch::new();
    let Some(fates) = fates.filter(|_| end != RunEnd::Interrupted) else {
        return finish_with(workspace, batch, run, end).await;
    };
    repeating::name_repeated(workspace, &mut batch, &mut run, &end, (&fates.failed, open))?;
    run.ended = Some(workspace.shared.clock.now());
    run.phase = RunPhase::Finished(end);
    alerts::conclude(workspace, batch, &run, &fates.learned).await?;
    log_end(&run);
    Ok(run)
}

/// Ends an undo: what went wrong is told, and nothing is over by it. What repeats itself is told by runs that follow
/// the rules.
pub(super) async fn conclude_undo(
    workspace: &Workspace,
    mut run: Run,
    end: RunEnd,
    learned: &Learned,
) -> Result<Run, RunError> {
    if end == RunEnd::Interrupted {
        return report_and_finish(workspace, run, end, None).await;
    }
    if matches!(end, RunEnd::Failed { .. }) {
        run.code.get_or_insert(Code::MovesWait.number());
    }
    reporting::count_people(workspace, &mut run)?;
    run.report.in_flight = repeating::open_moves(workspace)?.by_kind;
    run.ended = Some(workspace.shared.clock.now());
    run.phase = RunPhase::Finished(end);
    alerts::conclude(workspace, Batch::new(), &run, learned).await?;
    log_end(&run);
    Ok(run)
}

enum Outcome {
    Approval(String),
    Ended(RunEnd),
}

async fn phases(
    workspace: &Workspace,
    (run, is_resumed): (&mut Run, bool),
    fates: &mut Fates,
    options: &RunOptions,
    leftover: &Leftover,
    progress: &dyn Progress,
) -> Result<Outcome, RunError> {
    let clock = &workspace.shared.clock;
    let accounts = preflight::preflight(workspace).await?;
    fates.others.extend(&leftover.runs);
    let (recovered, mut held) = recovering::finish(workspace, leftover).await?;
    if recovered == Applied::Stopped {
        return Err(RunError::Stopped);
    }
    let beside = recovering::beside_the_scan(workspace, (run.id, is_resumed), leftover, &held).await?;
    forgetting::tidy(workspace).await?;
    enter(run, Some("reading"), clock.now());
    let (context, picture, forgotten) = look(workspace, run, options, progress)
        .instrument(tracing::info_span!(target: "hsmc::spans", "reading"))
        .await?;
    failpoint::pass(|| failpoint::SCANNED.to_owned());
    forgetting::note(&mut run.counts.notes, forgotten);
    if workspace.shared.journal.restored()?.is_some() {
        let (done, let_go) = restored::settle(workspace, leftover).await?;
        let mut tell =
            |what: &str, count| run.counts.notes.insert(format!("begun before the backup: {what}"), count);
        if done > 0 {
            tell("done since", done);
        }
        if let_go > 0 {
            tell("let go as found, and judged afresh", let_go);
        }
        held = recovering::held(workspace).await?;
    }
    run.seen = picture.header().seen;
    run.full = picture.header().full;
    run.phase = RunPhase::Planning;
    enter(run, Some("planning"), clock.now());
    put(workspace, run).await?;

    // Until everything is journaled; whoever looks at a few people waits for that.
    let deciding = workspace.deciding.lock().await;
    let mut planning = prepare(workspace, picture, &accounts).await?;
    planning.held = held;
    for person in recovering::just_enrolled(workspace, leftover)?.into_iter().chain(beside) {
        planning.held.entry(person).or_default();
    }
    for person in workspace.shared.journal.damaged_people() {
        planning.held.entry(person).or_default();
    }
    // Some may have been ended since they were read, by an operator or an opt-out.
    planning.unbegun = recovering::still_open(workspace, &leftover.unbegun)?;
    planning.narrow(options.narrowing.clone());
    let (planning, limits) = settle(workspace, planning, &context)
        .instrument(tracing::info_span!(target: "hsmc::spans", "planning"))
        .await?;
    fates.learned.subscribed = limits.subscribed;
    fates.learned.opt_outs.clone_from(&planning.opt_outs);

    let opt_outs_flow = workspace.settings.apply != ApplyMode::Never;
    let scanned = run.id;
    let (planning, consent) = if opt_outs_flow {
        opt_outs(workspace, run, planning, &limits, &fates.learned).await?
    } else {
        (planning.remember_opt_outs().await?, None)
    };
    // Opt-outs change who is wanted: what they decided is memory now.
    let (planning, limits) = if consent.is_some() {
        enter(run, Some("planning"), clock.now());
        settle(workspace, planning, &context).await?
    } else {
        (planning, limits)
    };
    let (planning, limits, asked) = gate(workspace, run, options, planning, limits, &context).await?;
    let cap = workspace.rules.audience_cap;

    if let Some((asked, why)) = asked {
        let shower = Shower::new(&workspace.settings.state, run.id)?;
        let (planning, mut summary, _) = planning.show(limits.clone(), 0, Some(shower)).await?;
        note(&mut summary.notes, &planning.names.lines());
        // Opt-outs among them have been taken over, and are under way.
        let unbegun = planning.unbegun.clone();
        drop(planning);
        renumber(workspace, scanned, run.id);
        note(&mut summary.notes, &accounts.notes);
        note(&mut summary.notes, &accounts.missing());
        count_plan(run, &summary, &limits, cap);
        run.report.asked = Some(asked);
        if recovered == Applied::Waiting {
            wait_for(workspace, &leftover.runs, WaitUntil::Over).await;
        }
        recovering::discard(workspace, &unbegun, "the plan made anew waits for approval").await?;
        failpoint::pass(|| failpoint::SHOWN.to_owned());
        return Ok(Outcome::Approval(why));
    }
    let made = accounts.complete(workspace).await?;
    let (planning, limits) = name_tags(workspace, planning, limits, &context).await?;
    let now = clock.now();
    let (planning, journaled) = planning.journal(run.id, Part::Rest, &limits, now).await?;
    let Journaled { due, mut summary, confirmed, dropped } = journaled;
    note(&mut summary.notes, &accounts.notes);
    note(&mut summary.notes, &made);
    note(&mut summary.notes, &planning.names.lines());
    note(&mut summary.notes, &in_words(&planning.dropped_of_shown()));
    drop(planning);
    drop(deciding);
    renumber(workspace, scanned, run.id);
    count_plan(run, &summary, &limits, cap);
    options.narrowing.note_strangers(&workspace.shared.journal, &mut run.counts.notes)?;
    reporting::note_earlier(&mut run.counts.notes, leftover.begun, (confirmed, dropped));
    run.phase = RunPhase::Applying;
    enter(run, Some("applying"), clock.now());
    approval::carry_out(workspace, run).await?;
    failpoint::pass(|| format!("{}:rest", failpoint::APPLYING));
    let confirmed_runs: std::collections::BTreeSet<RunId> = due.iter().map(|due| due.id.run).collect();
    let applied = apply(workspace, due, run.seen)
        .instrument(tracing::info_span!(target: "hsmc::spans", "applying"))
        .await?;
    // Moves of earlier runs that were asleep when this one began.
    let recovered = match recovered {
        Applied::Waiting => wait_for(workspace, &leftover.runs, WaitUntil::Over).await,
        other => other,
    };
    fates.others.extend(&confirmed_runs);
    for id in confirmed_runs {
        tally(workspace, fates, run, id).await;
    }
    run.phase = RunPhase::Reporting;
    enter(run, Some("reporting"), clock.now());
    put(workspace, run).await?;
    failpoint::pass(|| failpoint::REPORTING.to_owned());
    let consent_applied = consent.unwrap_or(Applied::All);
    let removed =
        snapshot::prune(&workspace.settings.state.join("snapshots"), workspace.settings.snapshots, now);
    if let Err(problem) = removed {
        tracing::warn!(%problem, "old snapshots could not be removed");
    }
    let end = reporting::end(
        workspace,
        &mut run.counts,
        [applied, consent_applied, recovered],
        fates.waits_for.take(),
    )?;
    Ok(Outcome::Ended(end))
}

/// Opt-outs: a run of their own, before every other, outside limits and gates (R24).
pub(super) async fn opt_outs(
    workspace: &Workspace,
    run: &mut Run,
    planning: Planning,
    limits: &Limits,
    learned: &Learned,
) -> Result<(Planning, Option<Applied>), RunError> {
    let now = workspace.shared.clock.now();
    let about_all = planning.narrowing.is_about_everybody();
    let planning = if about_all { planning } else { planning.remember_opt_outs().await? };
    let (planning, journaled) = planning.journal(run.id, Part::OptOuts, limits, now).await?;
    if journaled.due.is_empty() {
        return Ok((planning, None));
    }
    let mut consent = Run { of: None, phase: RunPhase::Applying, ..run.clone() };
    enter(run, Some("opt-outs"), now);
    enter(&mut consent, Some("opt-outs"), now);
    for due in &journaled.due {
        *consent.counts.planned.entry(due.kind.word().to_owned()).or_default() += 1;
    }
    alerts::begin_opt_outs(workspace, &consent, learned).await?;
    failpoint::pass(|| format!("{}:opt-outs", failpoint::APPLYING));
    let mut runs: std::collections::BTreeSet<RunId> = journaled.due.iter().map(|due| due.id.run).collect();
    runs.insert(consent.id);
    let applied = apply(workspace, journaled.due, run.seen).await?;
    let mut fates = Fates::default();
    for id in runs {
        tally(workspace, &mut fates, &mut consent, id).await;
    }
    if applied == Applied::Stopped {
        return Err(RunError::Stopped);
    }
    let end = match applied {
        Applied::Waiting => RunEnd::Failed { why: in_vain(workspace, fates.waits_for.take()) },
        _ if consent.counts.ended.contains_key("stuck") => RunEnd::Stuck,
        _ => RunEnd::Done,
    };
    let (before, counts) = (consent.id, consent.counts.clone());
    enter(&mut consent, None, workspace.shared.clock.now());
    report_and_finish(workspace, consent, end, None).await?;
    failpoint::pass(|| failpoint::CONSENT_OVER.to_owned());
    // The run itself goes on under a number of its own.
    run.id = RunId(workspace.shared.journal.last_run_id()?.map_or(1, |last| last.0 + 1));
    for (kind, count) in counts.planned {
        run.counts.notes.insert(format!("{kind}: went before this run, in run {before}"), count);
    }
    if let Some(stuck) = counts.ended.get("stuck") {
        run.counts.ended.insert("stuck".to_owned(), *stuck);
    }
    put(workspace, run).await?;
    Ok((planning, Some(applied)))
}

/// Starts a run, or takes up one whose scan was cut short; which of both.
async fn begin(workspace: &Workspace, options: &RunOptions) -> Result<(Run, bool), RunError> {
    let journal = &workspace.shared.journal;
    // A number that nobody else takes.
    let _deciding = workspace.deciding.lock().await;
    let now = workspace.shared.clock.now();
    if let Some(last) = journal.runs(16)?.into_iter().find(|run| run.cause != RunCause::Webhook)
        && last.phase == RunPhase::Scanning
        && now.since(last.started) < SCAN_KEEPS
        && last.started <= now
    {
        return Ok((Run { cause: options.cause, of: options.approves, ..last }, true));
    }
    let id = RunId(journal.last_run_id()?.map_or(1, |last| last.0 + 1));
    let run = Run {
        id,
        cause: options.cause,
        of: options.approves,
        full: options.full,
        started: now,
        seen: now,
        ended: None,
        phase: RunPhase::Scanning,
        counts: RunCounts::default(),
        report: RunReport { narrowed: options.narrowing.in_words(), ..RunReport::default() },
        code: None,
    };
    put(workspace, &run).await?;
    tracing::info!(run = %run.id, cause = ?run.cause, "run begins");
    Ok((run, false))
}

/// Writes a run as it is now.
pub(super) async fn put(workspace: &Workspace, run: &Run) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let mut batch = Batch::new();
    journal.put_run(&mut batch, run)?;
    journal.commit(batch).await?;
    Ok(())
}

pub(super) async fn finish(workspace: &Workspace, run: Run, end: RunEnd) -> Result<Run, RunError> {
    finish_with(workspace, Batch::new(), run, end).await
}

/// Ends a run, together with what else is to be durable then.
async fn finish_with(
    workspace: &Workspace,
    mut batch: Batch,
    mut run: Run,
    end: RunEnd,
) -> Result<Run, RunError> {
    run.ended = Some(workspace.shared.clock.now());
    run.phase = RunPhase::Finished(end);
    workspace.shared.journal.put_run(&mut batch, &run)?;
    workspace.shared.journal.commit(batch).await?;
    log_end(&run);
    Ok(run)
}

fn log_end(run: &Run) {
    let (calls, repeated) = (run.counts.calls.values().sum::<u64>(), run.report.repeated.len());
    let code = run.code().map(tracing::field::display);
    tracing::info!(run = %run.id, code, calls, repeated, "run is over: {}", run.phase);
}

/// Runs that were cut short have been finished on the way; those that never came to a plan give way to the
/// newer one. One that waits for a yes does so once the newer one has a plan of its own.
async fn close_older(workspace: &Workspace, newer: &Run) -> Result<(), RunError> {
    let has_plan = !matches!(newer.phase, RunPhase::Scanning | RunPhase::Planning);
    for mut run in workspace.shared.journal.runs(32)? {
        if run.id >= newer.id {
            continue;
        }
        match run.phase {
            RunPhase::Finished(_) => {}
            RunPhase::Applying | RunPhase::Reporting => {
                let id = run.id;
                tally(workspace, &mut Fates::default(), &mut run, id).await;
                run.counts.notes.insert("cut short, and gone on with after a restart".to_owned(), 1);
                let stuck = run.counts.ended.contains_key("stuck");
                let end = if stuck { RunEnd::Stuck } else { RunEnd::Done };
                report_and_finish(workspace, run, end, None).await?;
            }
            RunPhase::AwaitingApproval { .. } if !has_plan => {}
            RunPhase::Scanning | RunPhase::Planning | RunPhase::AwaitingApproval { .. } => {
                finish(workspace, run, RunEnd::Superseded).await?;
            }
        }
    }
    approval::tidy(workspace)
}
