//! What earlier runs left open: moves that have begun go on first, probes before anything else; those
//! that have not begun are planned anew (design §3.10).

use super::applying::{Applied, WaitUntil, priority, wait_for};
use super::cut_short::CutShort;
use super::error::RunError;
use super::planning::Unbegun;
use super::restored;
use super::workspace::Workspace;
use crate::domain::event::{MoveEnd, MoveEvent, OperatorRequest};
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::moves::{Move, MoveKind};
use crate::domain::plan::move_fingerprint;
use crate::domain::shown::ShownMove;
use crate::domain::step::Step;
use crate::engine::recovery::{Resumption, classify};
use crate::engine::{MoveStatus, fold};
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
    /// How many had begun, and go on now.
    pub begun: u64,
    /// Those of them that start mail.
    pub mail: Vec<(PersonId, MoveId)>,
    /// Whose they are.
    pub people: BTreeSet<PersonId>,
    /// Stuck, and tried again.
    pub stuck: u64,
    /// Begun before the backup was made that this journal was restored from: settled once everything was read.
    pub of_backup: Vec<(PersonId, MoveId)>,
    /// Records that contradict themselves or are damaged: they hold their person, and nobody else.
    pub broken: Vec<MoveId>,
}

/// Classifies every open move, page by page, and hands on at once those that have begun.
///
/// # Errors
/// When the journal cannot be read or written, or consent cannot be read.
pub async fn take_up(workspace: &Workspace) -> Result<Leftover, RunError> {
    let journal = &workspace.shared.journal;
    let damaged: BTreeSet<MoveId> = journal.damaged_moves().into_iter().collect();
    let is_restored = journal.restored()?.is_some();
    // A daemon's earlier run may have left moves with the actors: those write their records.
    let with_actors = workspace.moves.open().await;
    let mut leftover = Leftover::default();
    let mut cut_short = CutShort::default();
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
            if with_actors.contains(&id) {
                leftover.runs.insert(id.run);
                leftover.people.extend(journal.person_of_move(id)?);
                // It may wake, and start its mail, while this run reads.
                let status = journal.events(id).ok().and_then(|events| fold(&events).ok());
                leftover.mail.extend(status.as_ref().and_then(|status| mail_of(id, status)));
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
            if matches!(classify(&status, now), Resumption::GoOn | Resumption::Stuck) {
                leftover.people.insert(person);
            }
            let begun = matches!(classify(&status, now), Resumption::GoOn | Resumption::Stuck);
            if is_restored && begun && !status.draft.kind.is_opt_out() {
                leftover.of_backup.push((person, id));
                continue;
            }
            if is_restored && begun {
                for event in restored::in_doubt(&status, now) {
                    journal.append_event(&mut batch, id, person, &event)?;
                }
                leftover.begun += 1;
                leftover.runs.insert(id.run);
                going_on.push((person, id, priority(status.draft.kind)));
                continue;
            }
            match classify(&status, now) {
                Resumption::GoOn => {
                    leftover.mail.extend(mail_of(id, &status));
                    leftover.begun += 1;
                    leftover.runs.insert(id.run);
                    let handed = (person, id, priority(status.draft.kind));
                    if !cut_short.takes(handed, &status, now) {
                        going_on.push(handed);
                    }
                }
                // Once per run (design §1).
                Resumption::Stuck => {
                    leftover.mail.extend(mail_of(id, &status));
                    leftover.stuck += 1;
                    leftover.runs.insert(id.run);
                    let event = MoveEvent::Operator { request: OperatorRequest::Retry, at: now };
                    journal.append_event(&mut batch, id, person, &event)?;
                    let handed = (person, id, priority(status.draft.kind));
                    if !cut_short.takes(handed, &status, now) {
                        going_on.push(handed);
                    }
                }
                // Nobody but an operator plans an undo anew.
                Resumption::Fresh | Resumption::PlanAnew if status.draft.kind == MoveKind::Undo => {
                    let why = "the undo was cut short; `hsmc undo` again plans what is left".to_owned();
                    let event = MoveEvent::Ended { end: MoveEnd::Dropped { why }, at: now };
                    journal.append_event(&mut batch, id, person, &event)?;
                }
                // No plan makes it anew: an operator has asked for it.
                Resumption::Fresh | Resumption::PlanAnew if status.draft.kind == MoveKind::Forget => {
                    leftover.begun += 1;
                    leftover.runs.insert(id.run);
                    going_on.push((person, id, priority(status.draft.kind)));
                }
                Resumption::Fresh | Resumption::PlanAnew => {
                    let unbegun = Unbegun {
                        id,
                        fingerprint: move_fingerprint(&status.draft),
                        shown: ShownMove::from(&status.draft),
                        paused: workspace.shared.holds(&status, now).is_some(),
                    };
                    leftover.unbegun.insert(person, unbegun);
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
    cut_short.go_on(workspace).await?;
    Ok(leftover)
}

/// Whose mail a move starts, if it does.
fn mail_of(id: MoveId, status: &MoveStatus) -> Option<(PersonId, MoveId)> {
    status.draft.kind.starts_mail().then_some((status.draft.person, id))
}

/// Waits for what has begun, but not for those who wait for a moment to come. People whose moves are still
/// under way afterwards are held.
///
/// # Errors
/// When the journal cannot be read.
pub async fn finish(workspace: &Workspace, leftover: &Leftover) -> Result<(Applied, Held), RunError> {
    let applied = if leftover.runs.is_empty() {
        Applied::All
    } else {
        wait_for(workspace, &leftover.runs, WaitUntil::Asleep).await
    };
    Ok((applied, held(workspace).await?))
}

/// Waits for whatever is with the actors when a run cannot go on, as far as it does not need the service that is
/// away: opt-outs to the other side arrive all the same.
pub async fn bring_to_rest(workspace: &Workspace) {
    let runs = workspace.moves.open().await.into_iter().map(|id| id.run).collect();
    let ended = wait_for(workspace, &runs, WaitUntil::Asleep).await;
    tracing::debug!(?ended, "what was under way has come to rest");
}

/// People with moves that have begun, and of which kinds: they get no other, but for an opt-out that is not among them.
pub type Held = BTreeMap<PersonId, BTreeSet<MoveKind>>;

/// Whether an opt-out is one of subscription types that the config does not name any more.
fn is_to_another_type(workspace: &Workspace, draft: &Move) -> bool {
    let named = &workspace.rules.opt_out_scopes;
    draft
        .steps
        .iter()
        .any(|planned| matches!(&planned.step, Step::OptOut { scope } if !named.contains(scope)))
}

/// Whoever is held by a move that has begun.
///
/// # Errors
/// When the journal cannot be read.
pub async fn held(workspace: &Workspace) -> Result<Held, RunError> {
    let journal = &workspace.shared.journal;
    let with_actors = workspace.moves.open().await;
    let mut held = Held::new();
    let mut after = None;
    loop {
        let page = journal.open_moves(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for id in page {
            match journal.events(id).map(|events| fold(&events)) {
                Ok(Ok(status)) if status.has_begun() || with_actors.contains(&id) => {
                    let kinds = held.entry(status.draft.person).or_default();
                    // One to a subscription type that the config has no more may be stuck for good: it is no reason not to
                    // make the one that is due now.
                    if !(status.is_stuck() && is_to_another_type(workspace, &status.draft)) {
                        kinds.insert(status.draft.kind);
                    }
                }
                Ok(Ok(_)) => {}
                _ => held.extend(journal.person_of_move(id)?.map(|person| (person, BTreeSet::new()))),
            }
        }
    }
    Ok(held)
}

/// Whose mail was started by what this run has taken up. The scan may have read them before, and the services' listings
/// show them as they were for a while longer: a plan would start other mail beside it (R2).
///
/// # Errors
/// When the journal cannot be read.
pub fn just_enrolled(workspace: &Workspace, leftover: &Leftover) -> Result<Vec<PersonId>, RunError> {
    let mut people = Vec::new();
    for (person, id) in &leftover.mail {
        // Records that cannot be read hold their person already.
        let Ok(status) = fold(&workspace.shared.journal.events(*id)?) else { continue };
        people.extend((status.end() == Some(&MoveEnd::Done)).then_some(*person));
    }
    Ok(people)
}

/// The name under which the journal keeps who had moves under way while the present scan was begun.
const BESIDE: &str = "people beside the scan";

/// Whom a scan that a killed process has begun may show as they were before moves of theirs went on: those who had moves
/// under way then, or have now. Nobody, where this run reads all by itself; who would be is noted then, for a process that
/// goes on with it.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn beside_the_scan(
    workspace: &Workspace,
    (run, is_resumed): (RunId, bool),
    leftover: &Leftover,
    held: &Held,
) -> Result<BTreeSet<PersonId>, RunError> {
    let journal = &workspace.shared.journal;
    let mut people: BTreeSet<PersonId> = held.keys().chain(&leftover.people).copied().collect();
    let known = journal.meta_get::<(RunId, BTreeSet<PersonId>)>(BESIDE)?;
    people.extend(
        known.filter(|(scan, _)| is_resumed && *scan == run).into_iter().flat_map(|(_, known)| known),
    );
    if !people.is_empty() {
        let mut batch = Batch::new();
        journal.meta_put(&mut batch, BESIDE, &(run, &people))?;
        journal.commit(batch).await?;
    }
    Ok(if is_resumed { people } else { BTreeSet::new() })
}

/// Those of these that nobody has ended since.
///
/// # Errors
/// When the journal cannot be read.
pub fn still_open(
    workspace: &Workspace,
    unbegun: &BTreeMap<PersonId, Unbegun>,
) -> Result<BTreeMap<PersonId, Unbegun>, RunError> {
    let (mut open, mut after) = (BTreeMap::new(), None);
    let mut by_move: BTreeMap<MoveId, (PersonId, &Unbegun)> =
        unbegun.iter().map(|(person, unbegun)| (unbegun.id, (*person, unbegun))).collect();
    while !by_move.is_empty() {
        let page = workspace.shared.journal.open_moves(after, PAGE)?;
        let Some(last) = page.last().copied() else { break };
        after = Some(last);
        let found = page.iter().filter_map(|id| by_move.remove(id));
        open.extend(found.map(|(person, unbegun)| (person, unbegun.clone())));
    }
    Ok(open)
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
