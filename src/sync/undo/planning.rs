//! The plan of an undo: the done moves asked for, each turned round by `domain::undo` on what was just read.
//! Changes nothing.

use super::present;
use crate::domain::event::{MoveEnd, MoveEvent, StepOutcome};
use crate::domain::failure::Service;
use crate::domain::id::{ListId, MoveId, PersonId, RunId};
use crate::domain::moves::{MemoryChange, Move};
use crate::domain::person::Person;
use crate::domain::plan::{Admission, LimitCollector, Limits};
use crate::domain::port::Priority;
use crate::domain::step::{Delivery, Step, Target};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::domain::undo::{DoneMove, Kept, Known, Touched, Undoing, undo};
use crate::engine::fold;
use crate::journal::ledger::JournalError;
use crate::sync::error::RunError;
use crate::sync::patience::patiently;
use crate::sync::snapshot;
use crate::sync::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};

/// Moves of a run read at once.
const PAGE: usize = 1_000;

/// What is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Every done move of a run.
    Run(RunId),
    /// One move.
    Move(MoveId),
}

/// One move of the plan.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The move it takes back.
    pub of: MoveId,
    /// The move.
    pub due: Move,
    /// What it takes back may have started a journey, whose mail stays out.
    pub was_loud: bool,
}

/// Something that is left as it is.
#[derive(Clone, Debug)]
pub struct Left {
    /// Whose.
    pub person: PersonId,
    /// Of which move.
    pub of: MoveId,
    /// What, and why.
    pub kept: Kept,
}

/// A plan to undo.
pub struct UndoPlan {
    /// When both sides were read.
    pub seen: Timestamp,
    /// What is taken back, as the limits admit it.
    pub taken: Vec<Taken>,
    /// What is left as it is.
    pub left: Vec<Left>,
    /// Limits, and the gate.
    pub limits: Limits,
    /// Whole moves that the limits leave out.
    pub left_out: BTreeMap<String, u64>,
    /// Things an operator should read.
    pub notes: Vec<String>,
}

/// Plans it.
///
/// # Errors
/// When a call, the journal or the newest snapshot's header cannot be read.
pub async fn plan(workspace: &Workspace, whole: Whole) -> Result<UndoPlan, RunError> {
    let journal = &workspace.shared.journal;
    let (done, mut left, mut notes) = done_moves(workspace, whole)?;
    let mut histories: BTreeMap<PersonId, History> = BTreeMap::new();
    for one in &done {
        let person = one.draft.person;
        if let std::collections::btree_map::Entry::Vacant(place) = histories.entry(person) {
            place.insert(History::read(workspace, person)?);
        }
    }
    let mut people = Vec::with_capacity(histories.len());
    for id in histories.keys() {
        people.extend(journal.person(*id)?);
    }
    let by_id: BTreeMap<PersonId, &Person> = people.iter().map(|person| (person.id, person)).collect();
    let seen = workspace.shared.clock.now();
    let present = present::read(workspace, &people).await?;
    let writable = writable(workspace, &done).await?;
    let mut collector = LimitCollector::new(&workspace.rules, subscribed(workspace).await?, seen);
    let mut drafts = Vec::new();
    let mut met = BTreeSet::new();
    // The newest first: what it left is what the older ones would find.
    for one in done.iter().rev() {
        let id = one.draft.person;
        let whole = |why: String| Left {
            person: id,
            of: one.id,
            kept: Kept { what: format!("the whole {}", one.draft.kind), why },
        };
        let (Some(history), Some(person), Some(present)) =
            (histories.get(&id), by_id.get(&id), present.get(&id))
        else {
            left.push(whole("the person's record is gone from the journal".to_owned()));
            continue;
        };
        if let Some(open) = history.open {
            left.push(whole(format!("move {open} of the same person is under way")));
            continue;
        }
        if let Some(by) = history.undone_by(one.id) {
            left.push(whole(format!("undone already by move {by}")));
            continue;
        }
        if !met.insert(id) {
            left.push(whole("a newer move of the same person is undone first".to_owned()));
            continue;
        }
        let later = history.after(one.id);
        let (enrolled, handed_over) = history.memory_before(one.id);
        let rules = &workspace.rules;
        let known = Known { rules, person, later: &later, writable: &writable, enrolled, handed_over };
        let Undoing { due, kept } = undo(one, &known, present);
        left.extend(kept.into_iter().map(|kept| Left { person: id, of: one.id, kept }));
        if let Some(due) = due {
            collector.collect(&due);
            let was_loud = one.held.iter().any(|held| starts_journeys(&held.step));
            drafts.push(Taken { of: one.id, due, was_loud });
        }
    }
    let limits = collector.finish();
    let left_out = limits.left_out();
    let taken: Vec<Taken> =
        drafts.into_iter().filter(|taken| limits.admits(&taken.due) == Admission::Yes).collect();
    let journeys = taken.iter().filter(|taken| taken.was_loud).count();
    if journeys > 0 {
        notes.push(format!(
            "{journeys} of them had set tags that may start a journey: mail that has gone out stays out"
        ));
    }
    if done.is_empty() && left.is_empty() {
        notes.push("it did nothing that could be undone".to_owned());
    }
    Ok(UndoPlan { seen, taken, left, limits, left_out, notes })
}

fn starts_journeys(step: &Step) -> bool {
    matches!(step, Step::SetTag { delivery: Delivery::Loud, .. })
}

type Gathered = (Vec<DoneMove>, Vec<Left>, Vec<String>);

/// The done moves asked for, oldest first; those that are open, and whether details are gone, by name.
fn done_moves(workspace: &Workspace, whole: Whole) -> Result<Gathered, RunError> {
    let journal = &workspace.shared.journal;
    let (mut done, mut left, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut sort = |id: MoveId, events: &[MoveEvent]| {
        let Ok(status) = fold(events) else {
            notes.push(format!("move {id}: its records cannot be read"));
            return;
        };
        match status.end() {
            Some(MoveEnd::Done) => {
                done.push(DoneMove { id, held: status.done_steps(), draft: status.draft });
            }
            Some(_) => {}
            None => left.push(Left {
                person: status.draft.person,
                of: id,
                kept: Kept {
                    what: format!("the whole {}", status.draft.kind),
                    why: "it is not over: cancel it, or roll it back".to_owned(),
                },
            }),
        }
    };
    match whole {
        Whole::Move(id) => {
            let events = journal.events(id)?;
            sort(id, &events);
        }
        Whole::Run(run) => {
            let (mut after, mut found) = (None, 0_u64);
            loop {
                let page = journal.moves_of_run(run, after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                for (id, events) in &page {
                    found += 1;
                    sort(*id, events);
                }
            }
            let given_up = journal.given_up_of_run(run)?;
            if let Some(last) = given_up.iter().max() {
                notes.push(format!(
                    "the details of {} moves of run {run} were given up, last on {last}, as sync.retention says: they \
                     stay",
                    given_up.len()
                ));
            }
            let ended = journal.run(run)?.map_or(0, |run| run.counts.ended.values().sum::<u64>());
            let known = found + given_up.len() as u64;
            if ended > known {
                notes.push(format!(
                    "{} moves of run {run} stand under an earlier run: they stay",
                    ended - known
                ));
            }
        }
    }
    Ok((done, left, notes))
}

/// Everything hsmc has done to one person, oldest first.
struct History {
    /// What was changed, when and by which move.
    changes: Vec<(Timestamp, MoveId, Touched)>,
    /// What each done move has left in memory, in the order they ended.
    ends: Vec<(Timestamp, MoveId, Vec<MemoryChange>)>,
    /// A move that is not over.
    open: Option<MoveId>,
}

/// By which tag, from which list.
type Enrolment = Option<(TagName, ListId)>;
/// By which exit tag, with which lists closed.
type Handed = Option<(TagName, Vec<ListId>)>;

impl History {
    fn read(workspace: &Workspace, person: PersonId) -> Result<History, JournalError> {
        let journal = &workspace.shared.journal;
        let mut history = History { changes: Vec::new(), ends: Vec::new(), open: None };
        for id in journal.moves_of_person(person)? {
            let events = journal.events(id)?;
            let Ok(status) = fold(&events) else {
                history.open = Some(id);
                continue;
            };
            if !status.is_over() {
                history.open = Some(id);
            }
            for event in &events {
                match event {
                    MoveEvent::Outcome { step, outcome: StepOutcome::Done, at, .. } => {
                        let touched = status.draft.step(*step).and_then(|planned| Touched::by(&planned.step));
                        history.changes.extend(touched.map(|touched| (*at, id, touched)));
                    }
                    MoveEvent::Ended { end: MoveEnd::Done, at } => {
                        history.ends.push((*at, id, status.draft.then.clone()));
                    }
                    _ => {}
                }
            }
        }
        history.changes.sort();
        history.ends.sort_by_key(|(at, id, _)| (*at, *id));
        Ok(history)
    }

    fn ended(&self, id: MoveId) -> Option<(Timestamp, MoveId)> {
        self.ends.iter().find(|(_, ended, _)| *ended == id).map(|(at, ended, _)| (*at, *ended))
    }

    /// The last move that touched the person after this one, when it is the one that took it back.
    fn undone_by(&self, id: MoveId) -> Option<MoveId> {
        let takes_back = |change: &MemoryChange| *change == MemoryChange::Undone { of: id };
        let (_, last, then) = self.ends.last()?;
        then.iter().any(takes_back).then_some(*last)
    }

    /// What moves after this one changed, and the last that did. Moves of one person never interleave.
    fn after(&self, id: MoveId) -> BTreeMap<Touched, MoveId> {
        let Some(ended) = self.ended(id) else { return BTreeMap::new() };
        let later = self.changes.iter().filter(|(at, by, _)| *by != id && (*at, *by) > ended);
        later.map(|(_, by, touched)| (touched.clone(), *by)).collect()
    }

    /// The enrolment and the handover that moves before this one left in memory.
    fn memory_before(&self, id: MoveId) -> (Enrolment, Handed) {
        let (mut enrolled, mut handed_over) = (None, None);
        for (_, _, then) in self.ends.iter().take_while(|(_, ended, _)| *ended != id) {
            for change in then {
                match change {
                    MemoryChange::Enrolled { tag, list } => enrolled = Some((tag.clone(), *list)),
                    MemoryChange::NotEnrolled => enrolled = None,
                    MemoryChange::HandedOver { exit_tag, still_in } => {
                        handed_over = Some((exit_tag.clone(), still_in.clone()));
                        enrolled = None;
                    }
                    MemoryChange::NotHandedOver => handed_over = None,
                    MemoryChange::ArchivedByUs { .. }
                    | MemoryChange::NotArchived
                    | MemoryChange::OptOutDelivered
                    | MemoryChange::BounceNoted
                    | MemoryChange::Renamed
                    | MemoryChange::Undone { .. } => {}
                }
            }
        }
        (enrolled, handed_over)
    }
}

/// Of the lists these moves touched, those that can be written now.
async fn writable(workspace: &Workspace, done: &[DoneMove]) -> Result<BTreeSet<ListId>, RunError> {
    let lists: BTreeSet<ListId> = done
        .iter()
        .flat_map(|one| &one.held)
        .filter_map(|planned| match planned.step.target() {
            Target::List(list) => Some(list),
            _ => None,
        })
        .collect();
    if lists.is_empty() {
        return Ok(lists);
    }
    let ids: Vec<ListId> = lists.into_iter().collect();
    let crm = &workspace.shared.crm;
    let found = patiently(workspace, Service::HubSpot, || crm.lists(Priority::HandOver, &ids)).await?;
    let can_be_written = |info: &crate::domain::contact::ListInfo| {
        info.kind == crate::domain::contact::ListKind::Static && info.of_contacts
    };
    Ok(found.into_iter().filter(can_be_written).map(|info| info.list).collect())
}

/// Subscribed members, by the newest scan; by Mailchimp's own count where there is none.
async fn subscribed(workspace: &Workspace) -> Result<u64, RunError> {
    let newest = snapshot::newest_finished(&workspace.settings.state.join("snapshots"), None)?;
    match newest {
        Some(newest) => Ok(newest.header().counts.subscribed),
        None => {
            let audience = &workspace.shared.audience;
            Ok(patiently(workspace, Service::Mailchimp, || audience.audience(Priority::HandOver))
                .await?
                .member_count)
        }
    }
}
