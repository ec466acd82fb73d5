//! What the end of a run tells people (R30), as it is known then: pure from the facts to the alerts that are
//! so, and written into the batch that ends the run, so that neither is ever there without the other.
//!
//! Alerts are judged anew by every run: one that is so is raised, one that is not so any more is over. What a
//! run cannot judge, because it failed before, stays as it was.

use super::error::RunError;
use super::scan::ScanError;
use super::workspace::{ApplyMode, Workspace};
use crate::domain::alert::{Alert, Audience, RunFailure, Withheld};
use crate::domain::code::Code;
use crate::domain::event::MoveEvent;
use crate::domain::failure::{CallFailure, RefusalCode, Service};
use crate::domain::moves::MoveKind;
use crate::domain::plan::Limit;
use crate::domain::report::RepeatedKind;
use crate::domain::run::{Run, RunCause, RunEnd, RunPhase};
use crate::domain::time::Timestamp;
use crate::engine::{Phase, fold};
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The beginning of the note of moves that an operator holds back.
pub const HELD_BACK: &str = "held back: ";
/// So many runs in a row with the same trouble are an alert.
const IN_A_ROW: usize = 3;
/// Runs looked back at.
const BACK: usize = 32;
/// Open moves looked at: enough for the figures, bounded in time.
const COUNTED: usize = 2_000;
/// Opt-outs in one run that are many in any audience.
const MANY: u64 = 50;
/// Refusals that are part of any day: a person's doing, or an operator's, and nobody's failure.
const EXPECTED: [RefusalCode; 6] = [
    RefusalCode::FakeAddress,
    RefusalCode::Compliance,
    RefusalCode::Forgotten,
    RefusalCode::TooManySignups,
    RefusalCode::InvalidAddress,
    RefusalCode::Undone,
];

/// When what is an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertSettings {
    /// The same alert is not told again for so long.
    pub quiet: Duration,
    /// Whether each run is told in one line.
    pub summary: bool,
    /// From how many opt-outs in one run on these are an alert, when the config says so.
    pub many_opt_outs: Option<u64>,
    /// An opt-out should be delivered in this time.
    pub deliver_within: Duration,
}

/// What a run learned on its way that its record does not hold.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// Subscribed members before the plan.
    pub subscribed: u64,
    /// When each opt-out that the plan found due was given.
    pub opt_outs: Vec<Timestamp>,
    /// Why the run failed.
    pub cause: Option<RunFailure>,
}

/// Why a run failed, without any of a service's own words: those may be about somebody.
pub fn cause(error: &RunError) -> RunFailure {
    let call = |failure: &CallFailure| RunFailure::Call {
        service: failure.service,
        call: failure.what.clone(),
        // What the gate told for the service, which was not asked again, has no status of its own.
        status: failure.status.or(match failure.class.code() {
            Code::CredentialsRefused => Some(401),
            Code::TooFast => Some(429),
            Code::QuotaUsedUp => Some(477),
            _ => None,
        }),
    };
    match error {
        RunError::Unfit { place, .. } => RunFailure::Unfit { place: place.clone() },
        RunError::Call(failure) | RunError::Scan(ScanError::Call { failure, .. }) => call(failure),
        RunError::Scan(ScanError::MissingList { list } | ScanError::NotOfContacts { list }) => {
            RunFailure::Unfit { place: format!("list {list}") }
        }
        RunError::Scan(_)
        | RunError::Journal(_)
        | RunError::Snapshot(_)
        | RunError::Stopped
        | RunError::NotNow { .. }
        | RunError::Internal(_) => RunFailure::Inside,
    }
}

/// Writes a run that came to its end, or stands before a gate, and the alerts that are so now, in one batch
/// with whatever else is in it.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn conclude(
    workspace: &Workspace,
    mut batch: Batch,
    run: &Run,
    learned: &Learned,
) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let (now, quiet) = (workspace.shared.clock.now(), workspace.settings.alerts.quiet);
    journal.put_run(&mut batch, run)?;
    let facts = Facts {
        run,
        learned,
        apply: workspace.settings.apply,
        settings: workspace.settings.alerts,
        open: look_at_open(workspace)?,
        damaged: journal.store().damaged().len() as u64,
        now,
        before: journal.runs(BACK)?.into_iter().filter(|before| before.id < run.id).collect(),
    };
    let so = facts.alerts();
    let mut outbox = journal.outbox().await?;
    outbox.resolve(now, |alert| facts.judges(alert) && !so.iter().any(|one| one.is_same(alert)));
    for alert in so {
        outbox.raise(alert, now, quiet);
    }
    outbox.write(&mut batch)?;
    journal.commit(batch).await?;
    // Held until here: nobody else may have changed what was read.
    drop(outbox);
    Ok(())
}

/// Writes that the run of opt-outs begins; with it, when so many have opted out, that they have: at once, and
/// not at the run's end.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn begin_opt_outs(workspace: &Workspace, run: &Run, learned: &Learned) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let settings = workspace.settings.alerts;
    let mut batch = Batch::new();
    journal.put_run(&mut batch, run)?;
    let mut outbox = journal.outbox().await?;
    if let Some(alert) = many(run, learned, settings) {
        outbox.raise(alert, workspace.shared.clock.now(), settings.quiet);
        outbox.write(&mut batch)?;
    }
    journal.commit(batch).await?;
    drop(outbox);
    Ok(())
}

/// Writes that an operator said no to a run, and that it asks nobody any more.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn reject(workspace: &Workspace, run: &Run) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let mut batch = Batch::new();
    journal.put_run(&mut batch, run)?;
    let mut outbox = journal.outbox().await?;
    outbox.resolve(workspace.shared.clock.now(), |alert| matches!(alert, Alert::NeedsApproval { .. }));
    outbox.write(&mut batch)?;
    journal.commit(batch).await?;
    drop(outbox);
    Ok(())
}

fn many(run: &Run, learned: &Learned, settings: AlertSettings) -> Option<Alert> {
    let threshold = settings.many_opt_outs.unwrap_or_else(|| MANY.max(learned.subscribed / 20));
    let count = learned.opt_outs.len() as u64;
    (count >= threshold).then_some(Alert::ManyOptOuts { run: run.id, count, threshold })
}

/// What stays open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Stuck moves by kind word.
    pub stuck: BTreeMap<String, u64>,
    /// The first stuck move's refusal.
    pub first: Option<RefusalCode>,
    /// Moves that wait for a service.
    pub waiting: u64,
    /// For which.
    pub waits_for: BTreeSet<Service>,
    /// When each opt-out that is still open was first taken up.
    pub opt_outs: Vec<Timestamp>,
}

/// Looks at the open moves, the oldest first.
///
/// # Errors
/// The journal cannot be read.
pub fn look_at_open(workspace: &Workspace) -> Result<Open, RunError> {
    let journal = &workspace.shared.journal;
    let mut open = Open::default();
    for id in journal.open_moves(None, COUNTED)? {
        // What cannot be read is counted as damaged.
        let Ok(events) = journal.events(id) else { continue };
        let Ok(status) = fold(&events) else { continue };
        let kind = status.draft.kind;
        if let (true, Some(MoveEvent::Planned { at, .. })) = (kind.is_opt_out(), events.first()) {
            open.opt_outs.push(*at);
        }
        match &status.phase {
            Phase::Stuck { because, .. } => {
                *open.stuck.entry(kind.word().to_owned()).or_default() += 1;
                open.first = open.first.or(Some(because.code));
            }
            Phase::Ready | Phase::Forward | Phase::Unwinding { .. } => {
                open.waiting += 1;
                let step = status.current_step().and_then(|index| status.draft.step(index));
                open.waits_for.extend(step.and_then(|planned| planned.step.target().service()));
            }
            Phase::Ended(_) => {}
        }
    }
    Ok(open)
}

/// Opt-outs that wait for a service for longer than they may.
pub fn late(open: &Open, within: Duration, now: Timestamp) -> Option<Alert> {
    of_late(&open.opt_outs, Withheld::ByService, within, now)
}

fn of_late(given: &[Timestamp], withheld: Withheld, within: Duration, now: Timestamp) -> Option<Alert> {
    let late = || given.iter().filter(|at| now.since(**at) > within);
    let oldest = *late().min()?;
    Some(Alert::OptOutsLate { withheld, count: late().count() as u64, oldest, within })
}

/// Everything the end of a run is judged by.
struct Facts<'a> {
    run: &'a Run,
    learned: &'a Learned,
    apply: ApplyMode,
    settings: AlertSettings,
    open: Open,
    damaged: u64,
    now: Timestamp,
    /// Newest first.
    before: Vec<Run>,
}

impl Facts<'_> {
    /// The alerts that are so.
    fn alerts(&self) -> Vec<Alert> {
        let id = self.run.id;
        let counts = &self.run.counts;
        let mut so = Vec::new();
        match &self.run.phase {
            RunPhase::Finished(RunEnd::Failed { .. }) => {
                so.push(Alert::RunFailed { run: id, cause: self.cause() })
            }
            RunPhase::AwaitingApproval { why } if self.apply != ApplyMode::Never => {
                so.push(Alert::NeedsApproval {
                    run: id,
                    gate: why.clone(),
                    planned: counts.planned.clone(),
                    audience: self.audience().unwrap_or_default(),
                });
            }
            _ => {}
        }
        if let Some(first) = self.open.first {
            let (moves, first) = (self.open.stuck.clone(), first.word().to_owned());
            so.push(Alert::RunStuck { run: id, moves, first });
        }
        let left_out = counts.left_out.get(Limit::AudienceCap.word()).copied().unwrap_or(0);
        if let Some(audience) = self.audience().filter(|audience| left_out > 0 || audience.is_near()) {
            so.push(Alert::AudienceCap { audience, left_out });
        }
        if let Some(count) = counts.people.get("contested").filter(|count| **count > 0) {
            so.push(Alert::Contested { count: *count });
        }
        if self.damaged > 0 {
            so.push(Alert::Damaged { records: self.damaged });
        }
        if self.apply == ApplyMode::Never {
            so.extend(many(self.run, self.learned, self.settings));
            let (given, within) = (&self.learned.opt_outs, self.settings.deliver_within);
            so.extend(of_late(given, Withheld::ByConfig, within, self.now));
        }
        if self.has_done_something() {
            so.extend(self.again());
            so.extend(self.no_progress());
        }
        if self.settings.summary
            && let RunPhase::Finished(_) = self.run.phase
        {
            so.push(self.summary());
        }
        so
    }

    /// Whether this run can say that such an alert is over.
    fn judges(&self, alert: &Alert) -> bool {
        let failed = matches!(self.run.phase, RunPhase::Finished(RunEnd::Failed { .. }));
        match alert {
            // That moves go back says nothing of whether runs go on.
            Alert::RunFailed { .. } => self.run.cause != RunCause::Undo,
            Alert::RunStuck { .. } | Alert::Damaged { .. } => true,
            Alert::NeedsApproval { .. } => !failed && self.run.cause != RunCause::Undo,
            Alert::AudienceCap { .. } => self.run.report.audience.is_some(),
            Alert::Contested { .. } => self.run.report.judged.is_some(),
            Alert::OptOutsLate { withheld: Withheld::ByConfig, .. } => self.run.report.audience.is_some(),
            Alert::FailsAgain { .. } => self.has_done_something() && self.run.report.narrowed.is_none(),
            Alert::NoProgress { .. } => self.has_done_something(),
            Alert::OptOutsLate { withheld: Withheld::ByService, .. }
            | Alert::CredentialsRefused { .. }
            | Alert::ManyOptOuts { .. }
            | Alert::QuotaUsedUp { .. }
            | Alert::RunOverdue { .. }
            | Alert::Stopped
            | Alert::RunSummary { .. } => false,
        }
    }

    /// The audience before and after the plan; none when there was no plan.
    fn audience(&self) -> Option<Audience> {
        let size = self.run.report.audience.as_ref()?;
        let after = size.before.saturating_add(size.joining);
        Some(Audience { subscribed: size.before, after, cap: size.cap })
    }

    fn cause(&self) -> RunFailure {
        let service = match self.open.waits_for.len() {
            1 => self.open.waits_for.first().copied(),
            _ => None,
        };
        let waiting = || RunFailure::Waiting { moves: self.open.waiting, service };
        self.learned.cause.clone().unwrap_or_else(waiting)
    }

    fn has_done_something(&self) -> bool {
        is_whole(self.run)
    }

    /// This run and those before it that planned for everybody and applied it, newest first.
    fn whole_runs(&self) -> impl Iterator<Item = &Run> {
        std::iter::once(self.run).chain(&self.before).filter(|run| is_whole(run))
    }

    /// What has failed the same way in several runs, and is told by no other alert.
    fn again(&self) -> Option<Alert> {
        let expected = |what: &str| EXPECTED.iter().any(|code| what.ends_with(code.word()));
        let unexpected = self.run.report.repeated.iter().filter(|one| {
            let is_told = match one.kind {
                RepeatedKind::Run => true,
                RepeatedKind::LeftOut => one.what.ends_with(Limit::AudienceCap.word()),
                RepeatedKind::Open => !self.open.stuck.is_empty(),
                RepeatedKind::Failed => expected(&one.what),
            };
            !is_told && one.times as usize >= IN_A_ROW
        });
        let worst = unexpected.clone().max_by_key(|one| one.people)?;
        Some(Alert::FailsAgain {
            run: self.run.id,
            what: worst.what.clone(),
            times: u64::from(worst.times),
            since: worst.since,
            people: worst.people,
            others: unexpected.count() as u64 - 1,
        })
    }

    fn no_progress(&self) -> Option<Alert> {
        let (runs, since) = length(self.whole_runs().take_while(|run| is_in_vain(run)))?;
        Some(Alert::NoProgress { runs, since, planned: self.run.counts.planned.clone() })
    }

    fn summary(&self) -> Alert {
        let run = self.run;
        let end = match &run.phase {
            RunPhase::Finished(RunEnd::Failed { .. }) => "failed".to_owned(),
            phase => phase.to_string(),
        };
        Alert::RunSummary {
            run: run.id,
            end,
            ended: run.counts.ended.clone(),
            left_out: run.counts.left_out.clone(),
            took: run.ended.unwrap_or(run.started).since(run.started),
        }
    }
}

/// Whether a run planned for everybody and applied it: no look only, no run of opt-outs, no failure.
fn is_whole(run: &Run) -> bool {
    let ended = matches!(run.phase, RunPhase::Finished(RunEnd::Done | RunEnd::Stuck));
    ended && run.report.judged.is_some() && !run.is_plan_only()
}

/// Whether a run planned something and nothing came of it, although nobody held it back.
fn is_in_vain(run: &Run) -> bool {
    let opt_outs: BTreeSet<&str> =
        MoveKind::ALL.into_iter().filter(|kind| kind.is_opt_out()).map(MoveKind::word).collect();
    let planned =
        run.counts.planned.iter().any(|(kind, count)| *count > 0 && !opt_outs.contains(kind.as_str()));
    let held = run.counts.notes.keys().any(|note| note.starts_with(HELD_BACK));
    planned && !held && !run.counts.ended.contains_key("done")
}

/// How many these are, and when the oldest began; none when they are too few to be an alert.
fn length<'a>(newest_first: impl Iterator<Item = &'a Run>) -> Option<(u64, Timestamp)> {
    let runs: Vec<&Run> = newest_first.collect();
    let oldest = runs.last().filter(|_| runs.len() >= IN_A_ROW)?;
    Some((runs.len() as u64, oldest.started))
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
