//! What a run looks at: both accounts, all of them or what changed, and the plan that is made of it, with whatever
//! else has to be asked on the way.
//!
//! Never: a change to either account, save the name of a tag that follows its list.

use super::error::RunError;
use super::forgetting;
use super::naming;
use super::patience::while_answered;
use super::planning::Planning;
use super::preflight::{self, Accounts};
use super::run::{RunOptions, SCANNED};
use super::scan::{Clocks, Progress, ScanContext, ScanMode, Stop, Tuning, scan};
use super::snapshot::{self, Snapshot};
use super::workspace::Workspace;
use crate::domain::id::RunId;
use crate::domain::plan::Limits;
use crate::domain::run::Run;
use crate::journal::store::Batch;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that the rules go by, to be read into this directory.
pub(super) fn context(workspace: &Workspace, dir: PathBuf) -> ScanContext {
    ScanContext {
        crm: Arc::clone(&workspace.shared.crm),
        audience: Arc::clone(&workspace.shared.audience),
        clock: Arc::clone(&workspace.shared.clock),
        hands: Arc::clone(&workspace.shared.hands),
        dir,
        lists: workspace.rules.all_lists(),
        known_tags: workspace.rules.named_tags(),
        clocks: Clocks {
            crm: workspace.hubspot.clock_offset(),
            audience: workspace.mailchimp.clock_offset(),
        },
        tuning: Tuning::default(),
    }
}

/// Reads both accounts: all, or what changed; and how many were left out because they were forgotten.
pub(super) async fn look(
    workspace: &Workspace,
    run: &Run,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<(ScanContext, Snapshot, u64), RunError> {
    let settings = &workspace.settings;
    let dir = snapshot::path_of(&settings.state, run.id);
    let context = context(workspace, dir.clone());
    let now = workspace.shared.clock.now();
    let previous = snapshot::newest_finished(&settings.state.join("snapshots"), Some(&dir))?;
    let same_config = workspace.shared.journal.meta_get::<u64>(SCANNED)? == Some(settings.scanned);
    let is_restored = workspace.shared.journal.restored()?.is_some();
    let mode = match previous {
        Some(previous)
            if !options.full
                && !is_restored
                && same_config
                && now.since(previous.header().full_seen) < settings.full_every
                && previous.header().seen <= now
                && options.since.is_none_or(|since| previous.header().seen <= since) =>
        {
            ScanMode::Incremental { previous: previous.dir().to_path_buf() }
        }
        _ => ScanMode::Full,
    };
    let reading = async |stop: Stop| {
        scan(&context, mode, progress, &stop).await.map_err(|problem| preflight::of_scan(workspace, problem))
    };
    let picture = while_answered(workspace, reading).await?;
    let (picture, left_out) = forgetting::leave_out(workspace, picture).await?;
    preflight::check_lists(workspace, &picture.header().lists)?;
    workspace.shared.tags.learn(&picture.header().tags);
    if !same_config {
        let mut batch = Batch::new();
        workspace.shared.journal.meta_put(&mut batch, SCANNED, &settings.scanned)?;
        workspace.shared.journal.commit(batch).await?;
    }
    Ok((context, picture, left_out))
}

pub(super) async fn prepare(
    workspace: &Workspace,
    picture: Snapshot,
    accounts: &Accounts,
) -> Result<Planning, RunError> {
    let now = workspace.shared.clock.now();
    let shared = &workspace.shared;
    let (journal, consent, hands) =
        (shared.journal.clone(), shared.consent.clone(), Arc::clone(&shared.hands));
    Planning::new(journal, consent, hands, Arc::clone(&workspace.rules), picture, accounts, now).await
}

/// Judges everybody, and looks up what the scan could not say.
pub(super) async fn settle(
    workspace: &Workspace,
    planning: Planning,
    context: &ScanContext,
) -> Result<(Planning, Limits), RunError> {
    while_answered(workspace, async |stop: Stop| planning.settle(context, &stop).await).await
}

/// R11: renames tags as their lists were renamed. Where Mailchimp refuses, the plan is made anew with the name
/// that stays.
pub(super) async fn name_tags(
    workspace: &Workspace,
    mut planning: Planning,
    limits: Limits,
    context: &ScanContext,
) -> Result<(Planning, Limits), RunError> {
    if planning.names.renamings.is_empty() {
        return Ok((planning, limits));
    }
    let made = naming::rename(workspace, &planning.names).await?;
    if made == planning.names {
        return Ok((planning, limits));
    }
    planning.set_names(made);
    settle(workspace, planning, context).await
}

/// What a scan saw goes by the number of the run that it was made for, once nobody reads it by the old one: the
/// opt-outs have taken that.
pub(super) fn renumber(workspace: &Workspace, scanned: RunId, run: RunId) {
    let state = &workspace.settings.state;
    if scanned != run
        && let Err(problem) =
            std::fs::rename(snapshot::path_of(state, scanned), snapshot::path_of(state, run))
    {
        tracing::warn!(%problem, run = %run, "what the scan saw stays under run {scanned}");
    }
}
