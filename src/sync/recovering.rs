//! What earlier runs left open: moves that have begun go on first, probes before anything else; those
//! that have not begun are planned anew (design §3.10).

use super::applying::{Applied, WaitUntil, priority, wait_for};
use super::error::RunError;
use super::planning::Unbegun;
use super::workspace::Workspace;
use crate::domain::event::{MoveEnd, MoveEvent, OperatorRequest};
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::plan::move_fingerprint;
use crate::engine::fold;
use crate::engine::recovery::{Resumption, classify};
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// Open moves read at once.
const PAGE: usize = 1_000;

/// What was left open.
#[derive(Default)]
pub struct Leftover {
    /// Not begun, by person.
    pub unbegun: BTreeMap<PersonId, Unbegun>,
    /// Runs with moves that have begun.
    pub runs: BTreeSet<RunId>,
    /// How many have begun.
    pub begun: u64,
    /// Stuck, and tried again.
    pub stuck: u64,
    /// Records that contradict themselves or are damaged: they hold their person, and nobody else.
    pub broken: Vec<MoveId>,
}

/// Classifies every open move, page by page, and hands on at once those that have begun.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn take_up(workspace: &Workspace) -> Result<Leftover, RunError> {
    let journal = &workspace.shared.journal;
    let damaged: BTreeSet<MoveId> = journal.damaged_moves().into_iter().collect();
    let mut leftover = Leftover::default();
    let mut after = None;
    loop {
        let page = journal.open_moves(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        let now = workspace.shared.clock.now();
        let mut going_on = Vec::new();
        let mut batch = Batch::new();
        for id in page {
            if damaged.contains(&id) {
                leftover.broken.push(id);
                continue;
            }
            let status = match journal.events(id).map(|events| fold(&events)) {
                Ok(Ok(status)) => status,
                Ok(Err(problem)) => {
                    tracing::error!(move.id = %id, %problem, "the records of a move contradict each other");
                    leftover.broken.push(id);
                    continue;
                }
                Err(problem) => {
                    tracing::error!(move.id = %id, %problem, "the records of a move cannot be read");
                    leftover.broken.push(id);
                    continue;
                }
            };
            let person = status.draft.person;
            match classify(&status, now) {
                Resumption::GoOn => {
                    leftover.begun += 1;
                    leftover.runs.insert(id.run);
                    going_on.push((person, id, priority(status.draft.kind)));
                }
                // Once per run (design §1).
                Resumption::Stuck => {
                    leftover.stuck += 1;
                    leftover.runs.insert(id.run);
                    let event = MoveEvent::Operator { request: OperatorRequest::Retry, at: now };
                    journal.append_event(&mut batch, id, person, &event)?;
                    going_on.push((person, id, priority(status.draft.kind)));
                }
                Resumption::Fresh | Resumption::PlanAnew => {
                    leftover
                        .unbegun
                        .insert(person, Unbegun { id, fingerprint: move_fingerprint(&status.draft) });
                }
                Resumption::Over => {}
            }
        }
        if !batch.is_empty() {
            journal.commit(batch).await?;
        }
        if !going_on.is_empty() {
            workspace.moves.submit(going_on).await;
        }
    }
    Ok(leftover)
}

/// Waits for what has begun, but not for those who wait for a moment to come. People whose moves are still
/// under way afterwards are held: the next plan sees them.
///
/// # Errors
/// When the journal cannot be read.
pub async fn finish(
    workspace: &Workspace,
    leftover: &Leftover,
) -> Result<(Applied, BTreeSet<PersonId>), RunError> {
    let applied = if leftover.runs.is_empty() {
        Applied::All
    } else {
        wait_for(workspace, &leftover.runs, WaitUntil::Asleep).await
    };
    let journal = &workspace.shared.journal;
    let mut held = BTreeSet::new();
    let mut after = None;
    loop {
        let page = journal.open_moves(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for id in page {
            match journal.events(id).map(|events| fold(&events)) {
                Ok(Ok(status)) if status.has_begun() => {
                    held.insert(status.draft.person);
                }
                Ok(Ok(_)) => {}
                _ => held.extend(journal.person_of_move(id)?),
            }
        }
    }
    Ok((applied, held))
}

/// Ends every move of these that has not begun: the plan they were part of was never finished.
///
/// # Errors
/// When the journal cannot be written.
pub async fn discard(
    workspace: &Workspace,
    unbegun: &BTreeMap<PersonId, Unbegun>,
    why: &str,
) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let at = workspace.shared.clock.now();
    let mut batch = Batch::new();
    for (person, unbegun) in unbegun {
        let end = MoveEnd::Dropped { why: why.to_owned() };
        journal.append_event(&mut batch, unbegun.id, *person, &MoveEvent::Ended { end, at })?;
    }
    if !batch.is_empty() {
        journal.commit(batch).await?;
    }
    Ok(())
}
