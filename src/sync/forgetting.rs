//! Forgetting somebody for good: what is there of them, the move that deletes it, and, once the move is over,
//! the files in which something of them is left.
//!
//! Promises: it only goes forward, and goes on after a crash at any point: the move like any other, the files
//! by the trace that the move's end leaves in the journal. Never: deciding that somebody is to be forgotten.

use super::applying::{Applied, WaitUntil, wait_for};
use super::consent_alone;
use super::error::RunError;
use super::repeating;
use super::reporting::{Fates, tally};
use super::run::finish;
use super::snapshot::{self, PersonKey, PersonRow, Snapshot, Whose};
use super::workspace::Workspace;
use crate::domain::code::Code;
use crate::domain::consent::{ConsentChange, ConsentEntry, ConsentFact, Witness};
use crate::domain::contact::Contact;
use crate::domain::email::Email;
use crate::domain::event::MoveEvent;
use crate::domain::failure::Service;
use crate::domain::forget::{Forgotten, Receipt};
use crate::domain::id::{MoveId, PersonId, RecordId, RunId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{Move, MoveKind, PlannedStep, Reason};
use crate::domain::person::{OptOutMemory, Person};
use crate::domain::port::{Priority, long_work};
use crate::domain::report::RunReport;
use crate::domain::run::{Run, RunCause, RunCounts, RunEnd, RunPhase};
use crate::domain::step::{Before, Fingerprint, OptOutScope, Step};
use crate::domain::time::Timestamp;
use crate::engine::{Phase, fold};
use crate::failpoint;
use crate::journal::forgotten::ForgottenPeople;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// What is there of somebody.
pub struct Found {
    /// What hsmc has; none for whom it never saw.
    pub person: Option<Person>,
    /// Their contacts.
    pub contacts: Vec<Contact>,
    /// Their members.
    pub members: Vec<Member>,
    /// When they were forgotten before, if they were.
    pub before: Option<Forgotten>,
    /// A move that forgets them already.
    pub under_way: Option<MoveId>,
    /// What there is of them under the other addresses of their contacts, each with it; contacts are only listed
    /// above.
    pub others: Vec<(Email, Found)>,
}

impl Found {
    /// Whether there is nothing to delete anywhere.
    pub fn is_nothing(&self) -> bool {
        self.person.is_none() && self.contacts.is_empty() && self.members.is_empty()
    }

    /// What is to be done in the services under every address of theirs.
    pub fn all_steps(&self) -> Vec<PlannedStep> {
        self.others.iter().flat_map(|(_, other)| other.steps()).chain(self.steps()).collect()
    }

    /// What is to be done in the services: whoever may still get mail is opted out first.
    fn steps(&self) -> Vec<PlannedStep> {
        let mut steps = Vec::new();
        let mut add = |step, before| steps.push(PlannedStep { step, before });
        if let Some(member) = self.members.iter().find(|member| gets_mail(&member.status)) {
            add(Step::UnsubscribeMember, Before::Status(member.status.clone()));
        }
        if !self.contacts.is_empty() {
            add(Step::OptOut { scope: OptOutScope::All }, Before::NotHeld);
        }
        if !self.members.is_empty() {
            add(Step::EraseMember, Before::NotHeld);
        }
        for contact in &self.contacts {
            add(Step::EraseContact { record: contact.record }, Before::NotHeld);
        }
        steps
    }

    fn opted_out(&self) -> Option<Service> {
        let is_out = |member: &Member| member.status == MemberStatus::Unsubscribed;
        if self.members.iter().any(is_out) {
            return Some(Service::Mailchimp);
        }
        self.contacts.iter().any(|contact| contact.opted_out).then_some(Service::HubSpot)
    }
}

fn gets_mail(status: &MemberStatus) -> bool {
    matches!(status, MemberStatus::Subscribed | MemberStatus::Pending | MemberStatus::Transactional)
}

/// Looks at both services and at the journal; changes nothing.
///
/// # Errors
/// A call fails, or the journal cannot be read.
pub async fn look(workspace: &Workspace, email: &Email) -> Result<Found, RunError> {
    let Some((address, here)) = present_address(workspace, email).await? else {
        return look_at(workspace, email).await;
    };
    let mut found = look_at(workspace, &address).await?;
    if !found.others.iter().any(|(other, _)| other == email) {
        let forgotten = ForgottenPeople::load(&workspace.shared.journal)?;
        let former = under(workspace, here, [email.clone()], &forgotten).await?;
        found.others.push((email.clone(), former));
    }
    Ok(found)
}

/// The address that whoever once had this one has by now, by the evidence of their consent, and who is known under
/// this one here: whoever asks to be forgotten writes the address they remember. None where HubSpot has a contact with
/// it, who may be somebody else.
async fn present_address(
    workspace: &Workspace,
    email: &Email,
) -> Result<Option<(Email, Option<Person>)>, RunError> {
    let (journal, consent) = (&workspace.shared.journal, &workspace.shared.consent);
    // Whoever was forgotten under it is gone: from then on it leads to nobody.
    if ForgottenPeople::load(journal)?.find(email).is_some() {
        return Ok(None);
    }
    let here = journal.person_by_hash(email.hash())?.map(|id| journal.person(id)).transpose()?.flatten();
    let former = consent.of_address(email)?.map(|id| journal.person(id)).transpose()?.flatten();
    let Some(former) = former.filter(|former| here.as_ref().is_none_or(|here| here.id != former.id)) else {
        return Ok(None);
    };
    let is_theirs = |address: &Email| address == email || former.previous_email.as_ref() == Some(email);
    let Some(address) = former.email.clone().filter(|address| !is_theirs(address)) else { return Ok(None) };
    let found =
        workspace.shared.crm.contacts_by_email(Priority::HandOver, std::slice::from_ref(email)).await?;
    let is_another = |contact: &Contact| former.record != Some(contact.record);
    Ok((!found.iter().any(is_another)).then_some((address, here)))
}

/// The same for whoever has this address now.
async fn look_at(workspace: &Workspace, email: &Email) -> Result<Found, RunError> {
    let (journal, crm) = (&workspace.shared.journal, &workspace.shared.crm);
    let priority = Priority::HandOver;
    let person = match journal.person_by_hash(email.hash())? {
        Some(id) => journal.person(id)?,
        None => None,
    };
    let of_person = person.iter().flat_map(|person| [person.email.clone(), person.previous_email.clone()]);
    let emails: BTreeSet<Email> = of_person.flatten().chain([email.clone()]).collect();
    let asked: Vec<Email> = emails.iter().cloned().collect();
    let mut contacts = crm.contacts_by_email(priority, &asked).await?;
    let own = match person.as_ref().and_then(|person| person.record) {
        Some(record) => crm.contact(priority, record).await?,
        None => None,
    };
    contacts.retain(|contact| is_theirs(contact, own.as_ref(), email));
    if own.as_ref().is_some_and(|own| !has(own, email)) && contacts.iter().any(|other| has(other, email)) {
        return Err(RunError::NotNow {
            code: Code::NotNow,
            what: "the address has changed hands since the last run: HubSpot has another contact with it than the one that hsmc knows"
                .to_owned(),
            way_out: "`hsmc sync`, then ask again; `--dry-run` shows whom it means by then".to_owned(),
        });
    }
    // A batch read answers one contact for an address; of twins, a scan has seen the others.
    let mut more: Vec<Contact> = own.into_iter().collect();
    for record in twins(workspace, email)? {
        more.extend(crm.contact(priority, record).await?);
    }
    for contact in more {
        // A record that has somebody else's address by now is theirs.
        let owner = contact.email().map(|email| journal.person_by_hash(email.hash())).transpose()?.flatten();
        if owner.is_none_or(|owner| person.as_ref().is_some_and(|person| person.id == owner)) {
            contacts.push(contact);
        }
    }
    contacts.sort_by_key(|contact| contact.record);
    contacts.dedup_by_key(|contact| contact.record);
    let forgotten = ForgottenPeople::load(journal)?;
    let mut others = Vec::new();
    let further =
        contacts.iter().flat_map(|contact| contact.email().into_iter().chain(contact.further_emails()));
    for further in further.filter(|further| !emails.contains(further)).collect::<BTreeSet<Email>>() {
        let owner = match journal.person_by_hash(further.hash())? {
            Some(id) => journal.person(id)?,
            None => None,
        };
        let is_known = |person: &Person| owner.as_ref().is_some_and(|owner| owner.id == person.id);
        if !person.as_ref().is_some_and(is_known) {
            let found = under(workspace, owner, [further.clone()], &forgotten).await?;
            others.push((further, found));
        }
    }
    let found = under(workspace, person, emails, &forgotten).await?;
    Ok(Found { contacts, others, before: forgotten.find(email), ..found })
}

/// Whether a contact has this address, as its own or as a further one.
fn has(contact: &Contact, email: &Email) -> bool {
    contact.email().as_ref() == Some(email) || contact.further_emails().any(|further| further == *email)
}

/// Whether a contact found by one of a person's addresses is theirs: their own, or one with the address asked for. That
/// of a member who was given an address in Mailchimp may be somebody else's.
fn is_theirs(contact: &Contact, own: Option<&Contact>, email: &Email) -> bool {
    own.is_some_and(|own| own.record == contact.record) || has(contact, email)
}

/// What there is of a person under these addresses, contacts left out.
async fn under(
    workspace: &Workspace,
    person: Option<Person>,
    emails: impl IntoIterator<Item = Email>,
    forgotten: &ForgottenPeople,
) -> Result<Found, RunError> {
    let journal = &workspace.shared.journal;
    let (mut members, mut before) = (Vec::new(), None);
    for email in emails {
        before = before.or(forgotten.find(&email));
        members.extend(workspace.shared.audience.member(Priority::HandOver, email.hash()).await?);
    }
    let mut under_way = None;
    if let Some(person) = &person {
        for id in journal.moves_of_person(person.id)? {
            let Ok(status) = fold(&journal.events(id)?) else { continue };
            if status.draft.kind == MoveKind::Forget && !status.is_over() {
                under_way = Some(id);
            }
        }
    }
    Ok(Found { person, contacts: Vec::new(), members, before, under_way, others: Vec::new() })
}

/// Records that the newest snapshot shows under this address.
fn twins(workspace: &Workspace, email: &Email) -> Result<BTreeSet<RecordId>, RunError> {
    let snapshots = workspace.settings.state.join("snapshots");
    let Some(newest) = snapshot::newest_finished(&snapshots, None)? else { return Ok(BTreeSet::new()) };
    // A damaged file names nobody; the next scan reads everything anew.
    let Ok(row) = newest.person(PersonKey::Hash(email.hash())) else { return Ok(BTreeSet::new()) };
    let shown = row.into_iter().flat_map(|row| row.contacts);
    // One found by a secondary address is another person's too.
    Ok(shown.filter(|(contact, _)| contact.email().as_ref() == Some(email)).map(|(c, _)| c.record).collect())
}

/// How forgetting went.
pub enum Outcome {
    /// They were forgotten before, at this moment, and nothing of them has come back.
    Before(Timestamp),
    /// Nothing of them is left: a receipt for each address, that of the one asked for last.
    Done(Vec<Receipt>),
    /// It goes on: with the next run, or at the next start.
    GoesOn {
        /// The move.
        id: MoveId,
        /// What it waits for.
        why: String,
        /// A service refuses it for good: an operator must act.
        stuck: bool,
        /// What there was of them.
        found: Box<Found>,
    },
}

/// Forgets somebody, and answers once nothing of them is left, or it has to wait. Waits for a run that goes on, and
/// looks only then: the run might know them by now, and make anew what this deletes.
///
/// # Errors
/// A call, the journal or a file fails; what was begun goes on with the next run.
pub async fn forget(workspace: &Workspace, email: &Email) -> Result<Outcome, RunError> {
    let _one_at_a_time = workspace.one_at_a_time().await;
    let found = look(workspace, email).await?;
    if let Some(before) = found.before.filter(|_| found.is_nothing()) {
        tidy(workspace).await?;
        return Ok(Outcome::Before(before.at));
    }
    workspace.shared.journal.ready_to_forget(workspace.shared.entropy.as_ref()).await?;
    // The contacts lead to the other addresses, so they go last: whoever asks again after a kill finds them.
    let mut moves = Vec::with_capacity(found.others.len() + 1);
    for (email, found) in found.others.iter().map(|(email, other)| (email, other)).chain([(email, &found)]) {
        moves.push(match (found.under_way, &found.person) {
            (Some(id), Some(person)) => (person.id, id, Priority::OptOut),
            _ => plan(workspace, email, found).await?,
        });
    }
    failpoint::pass(|| format!("{}:journaled", failpoint::FORGET));
    workspace.moves.submit(moves.clone()).await;
    let runs: BTreeSet<RunId> = moves.iter().map(|(_, id, _)| id.run).collect();
    let applied = wait_for(workspace, &runs, WaitUntil::Over).await;
    let mut waits = None;
    for (_, id, _) in &moves {
        if let Some((why, stuck)) = conclude(workspace, *id, applied).await? {
            waits = Some((*id, why, stuck));
        }
    }
    if let Some((id, why, stuck)) = waits {
        return Ok(Outcome::GoesOn { id, why, stuck, found: Box::new(found) });
    }
    tidy(workspace).await?;
    let mut receipts = Vec::with_capacity(moves.len());
    for (_, id, _) in moves {
        let receipt = workspace.shared.journal.receipt(id)?;
        receipts.push(receipt.ok_or_else(|| RunError::Internal(format!("move {id} left no receipt")))?);
    }
    Ok(Outcome::Done(receipts))
}

/// Ends the run of a move that forgets; what it waits for, where it is not over, and whether it is stuck.
async fn conclude(
    workspace: &Workspace,
    id: MoveId,
    applied: Applied,
) -> Result<Option<(String, bool)>, RunError> {
    let journal = &workspace.shared.journal;
    let mut run =
        journal.run(id.run)?.ok_or_else(|| RunError::Internal(format!("run {} is gone", id.run)))?;
    let mut fates = Fates::default();
    tally(workspace, &mut fates, &mut run, id.run).await;
    let status = fold(&journal.events(id)?);
    if let Ok(Phase::Stuck { because, .. }) = status.as_ref().map(|status| &status.phase) {
        let why = because.to_string();
        finish(workspace, run, RunEnd::Stuck).await?;
        return Ok(Some((why, true)));
    }
    if !status.is_ok_and(|status| status.is_over()) {
        let why = fates.waits_for.unwrap_or_else(|| "a service does not answer".to_owned());
        if applied != Applied::Stopped {
            finish(workspace, run, RunEnd::Failed { why: format!("forgetting waits: {why}") }).await?;
        }
        return Ok(Some((why, false)));
    }
    finish(workspace, run, RunEnd::Done).await?;
    Ok(None)
}

/// Journals the move, with a person to hang it on where there is none, and a run of its own.
async fn plan(
    workspace: &Workspace,
    email: &Email,
    found: &Found,
) -> Result<(PersonId, MoveId, Priority), RunError> {
    let journal = &workspace.shared.journal;
    let at = workspace.shared.clock.now();
    let (mut batch, mut entries) = (Batch::new(), Vec::new());
    let person = match &found.person {
        Some(person) => person.clone(),
        None => {
            let id = PersonId(journal.reserve_person_ids(1).await?.start);
            Person::new(id, Some(email.clone()), found.contacts.first().map(|contact| contact.record), at)
        }
    };
    let mut known = person.clone();
    if let (None, Some(seen)) = (&person.opt_out, found.opted_out()) {
        known.opt_out = Some(OptOutMemory { seen, at, delivered: None });
        let status = if seen == Service::Mailchimp { "unsubscribed" } else { "hs_email_optout" };
        let fact = ConsentFact::seen(ConsentChange::OptOutSeen, at, Witness::Service(seen), status, "read");
        entries.push(ConsentEntry { person: person.id, email: person.email.clone(), fact });
    }
    journal.put_person(&mut batch, &known, found.person.as_ref())?;
    let id = MoveId { run: RunId(journal.last_run_id()?.map_or(1, |last| last.0 + 1)), number: 1 };
    let draft = Move {
        person: person.id,
        kind: MoveKind::Forget,
        reason: Reason { rule: "forget".to_owned(), text: "an operator was asked to".to_owned() },
        steps: found.steps(),
        then: Vec::new(),
        since: at,
        input: Fingerprint(0),
    };
    journal.append_event(&mut batch, id, person.id, &MoveEvent::Planned { draft: Box::new(draft), at })?;
    let mut counts = RunCounts::default();
    counts.planned.insert(MoveKind::Forget.word().to_owned(), 1);
    let run = Run {
        id: id.run,
        cause: RunCause::Command,
        of: None,
        full: false,
        started: at,
        seen: at,
        ended: None,
        phase: RunPhase::Applying,
        counts,
        report: RunReport::default(),
        code: None,
    };
    journal.put_run(&mut batch, &run)?;
    workspace.shared.consent.commit(batch, entries).await?;
    Ok((person.id, id, Priority::OptOut))
}

/// Removes what is left in files of people whose records are deleted: their rows in scan snapshots and copies, then
/// the journal's own old segments, snapshots and index. Nothing to do is the usual case.
///
/// # Errors
/// A file cannot be read or written; it goes on with the next run.
pub async fn tidy(workspace: &Workspace) -> Result<(), RunError> {
    consent_alone::tidy(workspace)?;
    let journal = &workspace.shared.journal;
    let traces = journal.traces()?;
    let snapshots = workspace.settings.state.join("snapshots");
    let mut receipts = Vec::with_capacity(traces.len());
    for trace in traces {
        let whose =
            Whose::of(trace.hashes.iter().copied().collect(), trace.records.iter().copied().collect());
        let snapshots = snapshots.clone();
        let hands = workspace.shared.hands.as_ref();
        let touched = long_work(hands, move |_| snapshot::erase(&snapshots, &whose)).await??;
        for copy in &workspace.copies {
            copy.let_go(&trace.records, &trace.hashes).await?;
        }
        failpoint::pass(|| format!("{}:rows-gone", failpoint::FORGET));
        receipts.push(Receipt { snapshots: trace.receipt.snapshots.max(touched), ..trace.receipt });
    }
    if !receipts.is_empty() {
        let ended = Some(workspace.shared.clock.now());
        let mut batch = Batch::new();
        let people: Vec<PersonId> = receipts.iter().map(|receipt| receipt.person).collect();
        repeating::forget(journal, &mut batch, &people)?;
        for receipt in receipts {
            journal.end_trace(&mut batch, &Receipt { ended, ..receipt })?;
        }
        journal.commit(batch).await?;
        failpoint::pass(|| format!("{}:trace-gone", failpoint::FORGET));
    }
    if journal.must_compact()? {
        journal.store().compact().await.map_err(crate::journal::ledger::JournalError::from)?;
        failpoint::pass(|| format!("{}:compacted", failpoint::FORGET));
        let mut batch = Batch::new();
        journal.compacted(&mut batch);
        journal.commit(batch).await?;
    }
    Ok(())
}

/// Leaves everybody forgotten out of what a scan has seen, save with an opt-out that is still to be carried over:
/// they may have come again, or HubSpot's search may lag behind their deletion. How many were left out.
///
/// # Errors
/// The journal or the snapshot cannot be read or written.
pub async fn leave_out(workspace: &Workspace, picture: Snapshot) -> Result<(Snapshot, u64), RunError> {
    let forgotten = ForgottenPeople::load(&workspace.shared.journal)?;
    if forgotten.is_empty() {
        return Ok((picture, 0));
    }
    let work = move || -> Result<(Snapshot, u64), RunError> {
        let (mut whose, mut left_out) = (Whose::default(), 0);
        for row in picture.people()? {
            let row = row?;
            if !is_forgotten(&forgotten, &row) || must_be_told(&row) {
                continue;
            }
            left_out += 1;
            let theirs = |email: &Email| forgotten.find(email).is_some();
            let member = row.member.iter().map(|member| member.email.clone());
            whose.hashes.extend(member.filter(theirs).map(|email| email.hash()));
            for (contact, _) in &row.contacts {
                if let Some(email) = contact.email().filter(theirs) {
                    whose.hashes.insert(email.hash());
                    whose.records.insert(contact.record);
                }
            }
        }
        Ok((if left_out > 0 { snapshot::erase_from(&picture, &whose)? } else { picture }, left_out))
    };
    long_work(workspace.shared.hands.as_ref(), |_| work()).await?
}

/// Counts those left out, in the notes of a run or plan.
pub fn note(notes: &mut BTreeMap<String, u64>, left_out: u64) {
    if left_out > 0 {
        notes.insert("forgotten, and seen again: left alone".to_owned(), left_out);
    }
}

/// Whether a row is of somebody forgotten, by whatever address it shows.
pub fn is_forgotten(forgotten: &ForgottenPeople, row: &PersonRow) -> bool {
    if forgotten.is_empty() {
        return false;
    }
    let member = row.member.iter().map(|member| member.email.clone());
    let contacts = row.contacts.iter().filter_map(|(contact, _)| contact.email());
    member.chain(contacts).any(|email| forgotten.find(&email).is_some())
}

/// Whether somebody forgotten, who has come again by their own hand, has opted out on one side and not on the
/// other: the one thing hsmc still does for them.
pub fn must_be_told(row: &PersonRow) -> bool {
    let status = row.member.as_ref().map(|member| &member.status);
    let there = status == Some(&MemberStatus::Unsubscribed);
    let here = row.contacts.iter().any(|(contact, _)| contact.opted_out);
    let everywhere_here = row.contacts.iter().all(|(contact, _)| contact.opted_out);
    let nobody_asked = row.contacts.is_empty() && row.looked_up.is_none();
    (there && (nobody_asked || !everywhere_here)) || (here && status.is_some_and(gets_mail))
}

/// When a forgotten address was forgotten.
///
/// # Errors
/// The journal cannot be read.
pub fn forgotten_at(workspace: &Workspace, email: &Email) -> Result<Option<Timestamp>, RunError> {
    let forgotten = ForgottenPeople::load(&workspace.shared.journal)?;
    Ok(forgotten.find(email).map(|forgotten| forgotten.at))
}
