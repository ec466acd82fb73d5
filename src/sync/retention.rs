//! Retention: finished moves shrink to one line of the audit each, once they and their run are older than
//! `sync.retention`. Behind that, what is older than `sync.history` goes for good (`expiring.rs`).
//!
//! Promises: a move that is open, stuck or damaged keeps everything, and whatever is no move is not touched here. Done behind a run, in batches that are durable each for itself, so that it can be cut off
//! anywhere and goes on after the next run. Never: holding up a run.

use super::error::RunError;
use super::expiring::expire;
use super::workspace::Workspace;
use crate::domain::audit::AuditLine;
use crate::domain::event::MoveEvent;
use crate::domain::id::{MoveId, RunId};
use crate::domain::run::RunPhase;
use crate::domain::time::Timestamp;
use crate::engine::{MoveStatus, fold};
use crate::failpoint;
use crate::journal::store::Batch;
use std::collections::BTreeSet;
use std::time::Duration;

/// Moves in one commit.
const BATCH: usize = 200;
/// Moves looked at behind one run: the rest is for the next.
const MOST: usize = 20_000;
/// A pause after each batch, so that whoever works has the disk.
const PAUSE: Duration = Duration::from_millis(5);

/// Begins behind a run. One at a time; whoever closes waits for it.
pub fn begin(workspace: &Workspace) {
    let mut chore = workspace.chore.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if chore.as_ref().is_some_and(|running| !running.is_finished()) {
        return;
    }
    let workspace = workspace.clone();
    *chore = Some(tokio::spawn(async move {
        match shrink(&workspace).await {
            Ok(0) => {}
            Ok(moves) => tracing::info!(moves, "details of old moves were given up"),
            Err(problem) => tracing::warn!(%problem, "details of old moves are given up after the next run"),
        }
        match expire(&workspace).await {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "what is older than sync.history was given up"),
            Err(problem) => {
                tracing::warn!(%problem, "what is older than sync.history goes after the next run")
            }
        }
    }));
}

/// Gives up what is due; how many moves that were.
///
/// # Errors
/// The journal cannot be read or written. What was committed stays.
pub async fn shrink(workspace: &Workspace) -> Result<u64, RunError> {
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    let before = now.minus(workspace.settings.retention);
    let damaged: BTreeSet<MoveId> = journal.damaged_moves().into_iter().collect();
    let (mut given_up, mut looked, mut after) = (0, 0, None);
    let mut old: Option<(RunId, bool)> = None;
    while looked < MOST && !workspace.is_stopping() {
        let page = journal.moves(after, BATCH)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        looked += page.len();
        let mut batch = Batch::new();
        for (id, events) in &page {
            if old.is_none_or(|(run, _)| run != id.run) {
                old = Some((id.run, is_old(workspace, id.run, before)?));
            }
            let Some(events) = events.as_ref().filter(|_| old.is_some_and(|(_, is_old)| is_old)) else {
                continue;
            };
            let Ok(status) = fold(events) else { continue };
            if damaged.contains(id) || !status.is_over() || status.last_event_at > before {
                continue;
            }
            let Some(line) = line(&status, events, now) else { continue };
            journal.shrink_move(&mut batch, *id, status.draft.person, &line)?;
            given_up += 1;
        }
        if !batch.is_empty() {
            failpoint::pass(|| format!("{}:before", failpoint::RETENTION));
            journal.commit(batch).await?;
            failpoint::pass(|| format!("{}:after", failpoint::RETENTION));
            workspace.shared.clock.sleep(PAUSE).await;
        }
        // Runs are numbered as they begin: behind the first that began later there is nothing old.
        if journal.run(last.run)?.is_some_and(|run| run.started > before) {
            break;
        }
    }
    Ok(given_up)
}

fn is_old(workspace: &Workspace, run: RunId, before: Timestamp) -> Result<bool, RunError> {
    let run = workspace.shared.journal.run(run)?;
    Ok(run.is_some_and(|run| {
        matches!(run.phase, RunPhase::Finished(_)) && run.ended.is_some_and(|ended| ended <= before)
    }))
}

fn line(status: &MoveStatus, events: &[MoveEvent], now: Timestamp) -> Option<AuditLine> {
    let Some(MoveEvent::Ended { end, at }) = events.last() else { return None };
    let draft = &status.draft;
    Some(AuditLine {
        kind: draft.kind,
        rule: draft.reason.rule.clone(),
        reason: draft.reason.text.clone(),
        steps: draft.steps.iter().map(|planned| planned.step.to_string()).collect(),
        end: end.clone(),
        planned: status.planned_at,
        ended: *at,
        given_up: now,
    })
}
