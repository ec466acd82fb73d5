//! Looks at a few people of whom a webhook said that they changed, and delivers their opt-outs at once (R24). What the
//! webhook said is not believed: both services are read, and the rules decide.
//!
//! Promises: nothing but opt-outs is done, so that neither a gate nor a limit is passed by; it goes beside a run that
//! reads or applies, and never beside one that plans. Memory is written by whoever carries the move, as always: one
//! writer for each person. Never: a plan that waits for a yes made to lapse, or somebody judged by an older look than
//! this one where it counts.

use super::applying::{Applied, apply};
use super::error::RunError;
use super::identify;
use super::judging::{Asked, judge, world};
use super::naming;
use super::planning::Due;
use super::preflight::Accounts;
use super::reporting::{Fates, tally};
use super::run::{put, report_and_finish};
use super::snapshot::{self, PersonKey, PersonRow, Snapshot};
use super::workspace::{ApplyMode, Workspace};
use crate::actors::reading::{Bar, Whom, barred_contacts, silent_now};
use crate::domain::contact::Contact;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::event::MoveEvent;
use crate::domain::hint::Hinted;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::moves::{Move, MoveKind};
use crate::domain::person::Person;
use crate::domain::port::Priority;
use crate::domain::report::RunReport;
use crate::domain::rules::Verdict;
use crate::domain::run::{Run, RunCause, RunCounts, RunEnd, RunPhase};
use crate::domain::time::Timestamp;
use crate::engine::fold;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// Addresses that HubSpot takes in one call.
const BATCH: usize = 100;
/// Runs among which the one under way is: opt-outs by webhooks may have had many beside it.
const LATEST: usize = 1_000;

/// Looks at these people; the run that delivered opt-outs of theirs, if there were any.
///
/// # Errors
/// A call, the journal or the last scan cannot be read: the people are to be looked at again.
pub async fn look_at(workspace: &Workspace, whom: &BTreeSet<Hinted>) -> Result<Option<Run>, RunError> {
    let shared = &workspace.shared;
    let snapshots = workspace.settings.state.join("snapshots");
    // Before the first scan nobody is known well enough; with `never`, nothing is written.
    let Some(picture) = snapshot::newest_finished(&snapshots, None)? else { return Ok(None) };
    if workspace.settings.apply == ApplyMode::Never {
        return Ok(None);
    }
    let mut known = Vec::new();
    for id in people(workspace, whom).await? {
        known.extend(shared.journal.person(id)?);
    }
    let whom: Vec<Whom> = known.iter().map(Whom::of).collect();
    // Read after the hint: what was read for others a moment before says nothing of it.
    let silent = silent_now(shared, &whom, picture.header().seen).await?;
    let out = barred_contacts(shared, &whom).await?;
    let found = found_by_address(workspace, &known).await?;
    let has_opted_out = |person: &Person| {
        let contacts = person.email.as_ref().and_then(|email| found.get(&email.hash()));
        contacts.into_iter().flatten().any(|contact| contact.opted_out)
    };
    known.retain(|person| {
        let out = out.get(&person.id) == Some(&Bar::OptedOut) || has_opted_out(person);
        out || silent.contains(&person.id)
    });
    if known.is_empty() {
        return Ok(None);
    }
    let _beside = beside(workspace).await?;
    // Nobody plans until these moves are over: a plan must not be made of memory that is about to change.
    let _deciding = workspace.deciding.lock().await;
    let mut due = Vec::new();
    for person in known {
        due.extend(opt_out(workspace, &picture, person.id, &found).await?);
    }
    if due.is_empty() { Ok(None) } else { deliver(workspace, due).await.map(Some) }
}

/// Waits for whatever may not go on at the same time: an undo, a forgetting, a release. A run that reads or applies may.
async fn beside(workspace: &Workspace) -> Result<Option<tokio::sync::MutexGuard<'_, ()>>, RunError> {
    if let Ok(held) = workspace.running.try_lock() {
        return Ok(Some(held));
    }
    // Those after webhooks go beside whatever holds the place.
    let mut runs = workspace.shared.journal.runs(LATEST)?.into_iter();
    let newest = runs.find(|run| run.cause != RunCause::Webhook);
    let may = newest.is_some_and(|run| {
        run.cause != RunCause::Undo && matches!(run.phase, RunPhase::Scanning | RunPhase::Applying)
    });
    if may { Ok(None) } else { Ok(Some(workspace.running.lock().await)) }
}

/// Whom it is about: of a contact that hsmc knows nobody by, who has its address.
async fn people(workspace: &Workspace, whom: &BTreeSet<Hinted>) -> Result<BTreeSet<PersonId>, RunError> {
    let shared = &workspace.shared;
    let (mut people, mut records) = (BTreeSet::new(), Vec::new());
    for one in whom {
        match one {
            Hinted::Person(person) => drop(people.insert(*person)),
            Hinted::Record(record) => records.push(*record),
        }
    }
    for some in records.chunks(BATCH) {
        for contact in shared.crm.contacts(Priority::OptOut, some).await? {
            let Some(email) = contact.email() else { continue };
            people.extend(shared.journal.person_by_hash(email.hash())?);
        }
    }
    Ok(people)
}

/// Whoever HubSpot has under the own address of those of whom no list that is read shows a contact.
async fn found_by_address(
    workspace: &Workspace,
    people: &[Person],
) -> Result<BTreeMap<SubscriberHash, Vec<Contact>>, RunError> {
    let unknown = people.iter().filter(|person| person.record.is_none());
    let emails: Vec<Email> = unknown.filter_map(|person| person.email.clone()).collect();
    let mut found: BTreeMap<SubscriberHash, Vec<Contact>> = BTreeMap::new();
    for some in emails.chunks(BATCH) {
        for contact in workspace.shared.crm.contacts_by_email(Priority::OptOut, some).await? {
            let hash = contact.email().map(|email| email.hash());
            // One found by a further address of theirs takes a whole run.
            if let Some(hash) = hash {
                found.entry(hash).or_default().push(contact);
            }
        }
    }
    Ok(found)
}

/// The opt-out that is due of somebody, as both services and the journal are now.
async fn opt_out(
    workspace: &Workspace,
    picture: &Snapshot,
    id: PersonId,
    found: &BTreeMap<SubscriberHash, Vec<Contact>>,
) -> Result<Option<Move>, RunError> {
    let shared = &workspace.shared;
    let Some(person) = shared.journal.person(id)? else { return Ok(None) };
    let Some(hash) = person.email.as_ref().map(|email| email.hash()) else { return Ok(None) };
    let key = PersonKey::Hash(hash);
    let nothing = PersonRow { key, contacts: Vec::new(), member: None, looked_up: None };
    let mut row = picture.person(key)?.unwrap_or(nothing);
    if row.contacts.is_empty() && person.record.is_none() {
        let contacts = found.get(&hash).into_iter().flatten();
        row.contacts.extend(contacts.map(|contact| (contact.clone(), Default::default())));
    }
    if let Some(record) = person.record
        && let Some(contact) = shared.crm.contact(Priority::OptOut, record).await?
    {
        let is_alone = row.contacts.is_empty();
        match row.contacts.iter_mut().find(|(known, _)| known.record == contact.record) {
            Some((known, _)) => *known = contact,
            None if is_alone => row.contacts.push((contact, Default::default())),
            // Several contacts, or another than the scan saw: that takes a whole run.
            None => return Ok(None),
        }
    }
    if let Some(email) = person.member_email() {
        row.member = shared.audience.member(Priority::OptOut, email.hash()).await?;
    }
    let names = naming::names_under(&shared.journal, &workspace.rules, picture.header())?.as_they_are();
    let mut world = world(picture.header(), &Accounts::unread(), &names);
    world.seen = shared.clock.now();
    let known = identify::known(&shared.journal, &row)?;
    if known.as_ref().map(|known| known.id) != Some(id) {
        return Ok(None);
    }
    let verdict = judge(&workspace.rules, &world, &row, &person, row.member.as_ref(), Asked::default());
    let Verdict::Settled(decision) = verdict else { return Ok(None) };
    match decision.due.filter(|due| due.kind.is_opt_out()) {
        // A second one beside it would be stuck where it is stuck.
        Some(due) if has_begun(&shared.journal, id, due.kind)? => Ok(None),
        due => Ok(due),
    }
}

/// Whether such a move of theirs has begun and is not over.
fn has_begun(journal: &Journal, person: PersonId, kind: MoveKind) -> Result<bool, RunError> {
    for id in journal.moves_of_person(person)? {
        // Records that cannot be read hold nobody's opt-out.
        let Ok(status) = fold(&journal.events(id)?) else { continue };
        if status.draft.kind == kind && status.has_begun() && !status.is_over() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Carries opt-outs, as a run of their own.
async fn deliver(workspace: &Workspace, due: Vec<Move>) -> Result<Run, RunError> {
    let shared = &workspace.shared;
    let now: Timestamp = shared.clock.now();
    let id = RunId(shared.journal.last_run_id()?.map_or(1, |last| last.0 + 1));
    let narrowed = match due.len() {
        1 => "one person, after a webhook".to_owned(),
        several => format!("{several} people, after webhooks"),
    };
    let mut run = Run {
        id,
        cause: RunCause::Webhook,
        of: None,
        full: false,
        started: now,
        seen: now,
        ended: None,
        phase: RunPhase::Applying,
        counts: RunCounts::default(),
        report: RunReport { narrowed: Some(narrowed), ..RunReport::default() },
        code: None,
    };
    let (mut batch, mut moves) = (Batch::new(), Vec::new());
    for (number, one) in (1..).zip(&due) {
        let id = MoveId { run: id, number };
        *run.counts.planned.entry(one.kind.word().to_owned()).or_default() += 1;
        let planned = MoveEvent::Planned { draft: Box::new(one.clone()), at: now };
        shared.journal.append_event(&mut batch, id, one.person, &planned)?;
        moves.push(Due::of(id, one));
    }
    shared.journal.put_run(&mut batch, &run)?;
    shared.journal.commit(batch).await?;
    tracing::info!(run = %run.id, people = moves.len(), "opt-outs are delivered after webhooks");
    let applied = apply(workspace, moves, now).await?;
    let mut fates = Fates::default();
    tally(workspace, &mut fates, &mut run, id).await;
    if applied == Applied::Stopped {
        put(workspace, &run).await?;
        return Err(RunError::Stopped);
    }
    let end = match applied {
        Applied::Waiting => {
            RunEnd::Failed { why: super::reporting::in_vain(workspace, fates.waits_for.take()) }
        }
        _ if run.counts.ended.contains_key("stuck") => RunEnd::Stuck,
        _ => RunEnd::Done,
    };
    report_and_finish(workspace, run, end, None).await
}
