//! Opt-outs where the config and the accounts do not fit: what is missing stops everything else (R27), and not those
//! (R24). Nor does a list that HubSpot does not answer.
//!
//! Promises: what is there is read, and the opt-outs that it shows are delivered, as a run of their own like any. Never:
//! anything else done; or a picture without the lists that are missing left where a later run would go by it.

use super::error::RunError;
use super::forgetting;
use super::looking::{context, prepare, settle};
use super::patience::while_answered;
use super::preflight::Accounts;
use super::recovering::{self, Leftover};
use super::reporting::Fates;
use super::run::{RunOptions, SCANNED, opt_outs};
use super::scan::{Progress, ScanContext, ScanError, ScanMode, Source, Stop, scan};
use super::snapshot::{Snapshot, SnapshotError};
use super::workspace::{ApplyMode, Workspace};
use crate::domain::code::Code;
use crate::domain::failure::FailureClass;
use crate::domain::id::ListId;
use crate::domain::run::Run;
use std::io;
use std::path::{Path, PathBuf};

/// Whether a run that ends like this can still deliver opt-outs: something of the lists or properties that the config
/// names is not as it says any more, and both accounts are the right ones. A config by which nothing was ever read does
/// nothing at all.
fn is_possible(workspace: &Workspace, problem: &RunError) -> bool {
    let has_worked = workspace.shared.journal.meta_get::<u64>(SCANNED).is_ok_and(|scanned| scanned.is_some());
    const OF_THE_RULES: [Code; 4] =
        [Code::ListMissing, Code::ListNotOfContacts, Code::ListDynamic, Code::PropertyMissing];
    let is_of_the_rules = matches!(problem, RunError::Unfit { code, .. } if OF_THE_RULES.contains(code));
    has_worked && (is_of_the_rules || list_without_which(problem).is_some())
}

/// The list that a scan stumbles over: not there as such, not to be read with this token, or not answered however
/// often it is asked for.
fn list_without_which(problem: &RunError) -> Option<ListId> {
    match problem {
        RunError::Scan(ScanError::MissingList { list } | ScanError::NotOfContacts { list }) => Some(*list),
        RunError::Scan(ScanError::Call { reading: Source::List(list), failure }) => match failure.class {
            FailureClass::Permanent
            | FailureClass::Misconfigured
            | FailureClass::TargetAway
            | FailureClass::Transient
            | FailureClass::InDoubt => Some(*list),
            FailureClass::RateLimited { .. } | FailureClass::Unauthorized => None,
        },
        _ => None,
    }
}

/// Delivers opt-outs beside a problem that need not stop them; what the run ends with.
pub(super) async fn beside(
    workspace: &Workspace,
    (run, fates): (&mut Run, &mut Fates),
    looked: (&RunOptions, &Leftover, &dyn Progress),
    problem: RunError,
) -> RunError {
    if !is_possible(workspace, &problem) {
        return problem;
    }
    match deliver(workspace, (run, fates), looked).await {
        Err(RunError::Stopped) => return RunError::Stopped,
        Err(other) => tracing::warn!(problem = %other, "opt-outs could not be delivered either"),
        Ok(()) => {}
    }
    problem
}

/// Reads what is there, and delivers the opt-outs.
///
/// # Errors
/// When the accounts cannot be read, or the journal not read or written; or hsmc was asked to stop.
async fn deliver(
    workspace: &Workspace,
    (run, fates): (&mut Run, &mut Fates),
    (options, leftover, progress): (&RunOptions, &Leftover, &dyn Progress),
) -> Result<(), RunError> {
    if workspace.shared.journal.restored()?.is_some() {
        // What was begun before the backup is settled first, by a whole run.
        return Ok(());
    }
    let dir = directory(workspace);
    tidy(workspace)?;
    let (context, picture) = look(workspace, &dir, progress).await?;
    let (_, held) = recovering::finish(workspace, leftover).await?;
    let deciding = workspace.deciding.lock().await;
    let mut planning = prepare(workspace, picture, &Accounts::unread()).await?;
    planning.held = held;
    for person in workspace.shared.journal.damaged_people() {
        planning.held.entry(person).or_default();
    }
    planning.unbegun = recovering::still_open(workspace, &leftover.unbegun)?;
    planning.narrow(options.narrowing.clone());
    let (planning, limits) = settle(workspace, planning, &context).await?;
    fates.learned.opt_outs.clone_from(&planning.opt_outs);
    if workspace.settings.apply == ApplyMode::Never {
        // Shown, and told of once they are late (R24).
        return tidy(workspace);
    }
    let done = opt_outs(workspace, run, planning, &limits, &fates.learned).await;
    drop(deciding);
    tidy(workspace)?;
    done.map(drop)
}

/// Everything but the lists that are not there as such.
async fn look(
    workspace: &Workspace,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<(ScanContext, Snapshot), RunError> {
    let mut context = context(workspace, dir.to_path_buf());
    let picture = loop {
        let reading =
            async |stop: Stop| scan(&context, ScanMode::Full, progress, &stop).await.map_err(RunError::from);
        match while_answered(workspace, reading).await {
            Err(problem) => match list_without_which(&problem) {
                Some(list) if context.lists.remove(&list) => {}
                _ => return Err(problem),
            },
            Ok(picture) => break picture,
        }
    };
    let (picture, _) = forgetting::leave_out(workspace, picture).await?;
    workspace.shared.tags.learn(&picture.header().tags);
    Ok((context, picture))
}

fn directory(workspace: &Workspace) -> PathBuf {
    workspace.settings.state.join("opt-outs-alone")
}

/// Removes what a process that was killed has left of such a look: there are addresses in it.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn tidy(workspace: &Workspace) -> Result<(), RunError> {
    let dir = directory(workspace);
    match std::fs::remove_dir_all(&dir) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
            Err(SnapshotError::io(&dir)(problem).into())
        }
        _ => Ok(()),
    }
}
