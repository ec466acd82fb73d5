//! Whose row is it? Finds the person of each row of a snapshot, by address, then by HubSpot record, and
//! gives new people a number (design §8).

use super::error::RunError;
use super::forgetting::{is_forgotten, must_be_told};
use super::merged::{settle_there, settled_or_astray};
use super::recognising::recognised;
use super::scan::{ScanContext, Stop, opted_out};
use super::snapshot::{PersonKey, PersonRow, Snapshot};
use crate::domain::contact::Contact;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::Service;
use crate::domain::id::PersonId;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::memory;
use crate::domain::person::{OptOutMemory, Person};
use crate::domain::rules::AddressConsent;
use crate::domain::step::OptOutScope;
use crate::domain::time::Timestamp;
use crate::journal::forgotten::ForgottenPeople;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// People made durable at once.
const CHUNK: usize = 500;

/// People whose address changed on one side, and the members they are in Mailchimp.
#[derive(Default)]
pub struct Renames {
    /// The member's hash, and whose it is.
    pub old: BTreeMap<SubscriberHash, PersonId>,
    /// The member.
    pub members: BTreeMap<PersonId, Member>,
    /// People whose member has an address now that is somebody else's here.
    pub away: BTreeSet<PersonId>,
}

impl Renames {
    /// Nobody has moved.
    pub const NOBODY: Renames =
        Renames { old: BTreeMap::new(), members: BTreeMap::new(), away: BTreeSet::new() };

    /// Whether nobody has moved.
    pub fn is_empty(&self) -> bool {
        self.old.is_empty() && self.members.is_empty() && self.away.is_empty()
    }

    /// The row's member is this person's.
    fn note(&mut self, row: &PersonRow, person: PersonId) {
        if let (PersonKey::Hash(hash), Some(member)) = (row.key, &row.member) {
            self.old.insert(hash, person);
            self.members.insert(person, member.clone());
        }
    }
}

/// The person a row belongs to, if hsmc knows one.
///
/// # Errors
/// When the journal cannot be read.
pub fn known(journal: &Journal, row: &PersonRow) -> Result<Option<Person>, RunError> {
    if let PersonKey::Hash(hash) = row.key
        && let Some(id) = journal.person_by_hash(hash)?
    {
        match journal.person(id)? {
            Some(person) if is_anothers(journal, row, &person)? => {}
            Some(person) => return Ok(Some(person)),
            // Nobody new: their record was lost, and they are held until it is settled what they were.
            None if journal.damaged_people().contains(&id) => {
                let record = row.contacts.first().map(|(contact, _)| contact.record);
                let why = "their record is damaged: they are held".to_owned();
                return Ok(Some(Person { why, ..Person::new(id, address(row), record, Timestamp(0)) }));
            }
            None => {}
        }
    }
    for contact in own_contacts(row) {
        if let Some(id) = journal.person_by_record(contact.record)?
            && let Some(person) = journal.person(id)?
        {
            return Ok(Some(person));
        }
    }
    Ok(same_person(journal, row)?.into_iter().next())
}

/// Whom hsmc knows by a further address of the row's own contact, or by a record merged into it: those who were found
/// to be the same person before, too.
fn same_people(journal: &Journal, row: &PersonRow) -> Result<Vec<Person>, RunError> {
    let mut ids = BTreeSet::new();
    for contact in own_contacts(row) {
        for record in contact.merged_records() {
            ids.extend(journal.person_by_record(record)?);
        }
        for email in contact.further_emails() {
            ids.extend(journal.person_by_hash(email.hash())?);
        }
    }
    let mut people = Vec::new();
    for id in ids {
        people.extend(journal.person(id)?);
    }
    Ok(people)
}

/// The same without those who were found to be that before.
fn same_person(journal: &Journal, row: &PersonRow) -> Result<Vec<Person>, RunError> {
    let mut people = same_people(journal, row)?;
    people.retain(|person| person.second.is_none());
    Ok(people)
}

/// Whether the contact is the one the person is known by: also after a merge, or by a further address.
fn is_theirs(contact: &Contact, person: &Person) -> bool {
    Some(contact.record) == person.record
        || contact.merged_records().any(|record| Some(record) == person.record)
        || contact.further_emails().any(|email| Some(&email) == person.email.as_ref())
}

/// Whether the address under which somebody's member stands, and which is not theirs, is another contact's: then the member
/// is that one's (R10). Not while a move of theirs is under way, which may be the one that takes their member away from it.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn is_anothers(journal: &Journal, row: &PersonRow, person: &Person) -> Result<bool, RunError> {
    let is_left =
        person.previous_email.as_ref().is_some_and(|email| row.key == PersonKey::Hash(email.hash()));
    let mut own = own_contacts(row).peekable();
    if !is_left || own.peek().is_none() || own.any(|contact| is_theirs(contact, person)) {
        return Ok(false);
    }
    Ok(person.moved.is_some() || !journal.has_open_move(person.id)?)
}

/// The people whom the row's contact was known as, when they were several: who stands under the contact's own address,
/// and the others.
fn several(journal: &Journal, row: &PersonRow) -> Result<Option<(Person, Vec<Person>)>, RunError> {
    let Some(heir) = known(journal, row)?.filter(|heir| heir.second.is_none()) else { return Ok(None) };
    let others: Vec<Person> =
        same_person(journal, row)?.into_iter().filter(|other| other.id != heir.id).collect();
    Ok((!others.is_empty()).then_some((heir, others)))
}

/// Asks HubSpot whether addresses have opted out; of whom it does not say there is no answer.
pub struct Asker<'a> {
    /// Whom to ask.
    pub context: &'a ScanContext,
    /// Of what mail.
    pub scopes: &'a [OptOutScope],
    /// When to stop.
    pub stop: &'a Stop,
}

impl Asker<'_> {
    /// Those of these who have opted out under the address they are known by, as far as nobody knows it yet. No contact
    /// shows it once theirs has another address (R21).
    async fn opted_out(&self, people: &[Person]) -> Result<BTreeSet<PersonId>, RunError> {
        let unsure = people.iter().filter(|person| person.opt_out.is_none() && !self.scopes.is_empty());
        let asked: Vec<(PersonId, Email)> =
            unsure.filter_map(|person| Some((person.id, person.email.clone()?))).collect();
        let answers = opted_out(self.context, &asked, self.scopes, self.stop).await?;
        let out = answers.into_iter().filter(|(_, consent)| *consent == AddressConsent::OptedOut);
        Ok(out.map(|(person, _)| person).collect())
    }
}

/// Whoever was known as several people and is one contact now becomes one, durably: the one who stands under the
/// contact's own address, with what binds the others, and what HubSpot says of their addresses. Whether there was anybody.
async fn unite(
    journal: &Journal,
    snapshot: &Snapshot,
    row: &PersonRow,
    asker: &Asker<'_>,
    now: Timestamp,
) -> Result<bool, RunError> {
    let Some((heir, others)) = several(journal, row)? else { return Ok(false) };
    let has_member = row.member.is_some();
    let out = asker.opted_out(&others).await?;
    let in_hubspot = OptOutMemory { seen: Service::HubSpot, at: now, delivered: None };
    let told = |other: &Person| Person {
        opt_out: other.opt_out.clone().or_else(|| out.contains(&other.id).then(|| in_hubspot.clone())),
        ..other.clone()
    };
    let (mut united, mut batch) = (heir.clone(), Batch::new());
    for other in &others {
        let told = told(other);
        // As the scan shows their member: the heir is not to be judged without it in this very run.
        let shown = unsubscribed(snapshot, other)?;
        let seen = Person { opt_out: told.opt_out.clone().or(shown), ..told.clone() };
        united = memory::unite(&united, has_member, &seen);
        journal.put_person(&mut batch, &Person { second: Some(now), ..told }, Some(other))?;
    }
    journal.put_person(&mut batch, &united, Some(&heir))?;
    journal.commit(batch).await?;
    Ok(true)
}

/// The opt-out that the scan shows of somebody's own member.
fn unsubscribed(snapshot: &Snapshot, person: &Person) -> Result<Option<OptOutMemory>, RunError> {
    let Some(email) = &person.email else { return Ok(None) };
    let row = snapshot.person(PersonKey::Hash(email.hash()))?;
    let member = row.and_then(|row| row.member).filter(|member| member.status == MemberStatus::Unsubscribed);
    let at = member.map(|member| member.changed.unwrap_or(person.since));
    Ok(at.map(|at| OptOutMemory { seen: Service::Mailchimp, at, delivered: None }))
}

/// Whether a contact was several ones, or has several addresses.
fn is_one_of_several(contact: &Contact) -> bool {
    contact.merged_records().next().is_some() || contact.further_emails().next().is_some()
}

/// The contacts whose own address the row's is. One found by another address of theirs is whoever has their own.
fn own_contacts(row: &PersonRow) -> impl Iterator<Item = &Contact> {
    let is_own =
        |contact: &&Contact| contact.email().is_none_or(|email| row.key == PersonKey::Hash(email.hash()));
    row.contacts.iter().map(|(contact, _)| contact).filter(is_own)
}

fn address(row: &PersonRow) -> Option<Email> {
    match &row.member {
        Some(member) => Some(member.email.clone()),
        None => row.contacts.iter().find_map(|(contact, _)| contact.email()),
    }
}

/// Whether a row's member, its own or the one followed for it, is a second one: it stands under an address of its contact that is not the contact's
/// own, and the contact has a member already: under the own one, or a followed one under yet another.
///
/// # Errors
/// When the snapshot or the journal cannot be read.
pub fn is_second(
    journal: &Journal,
    snapshot: &Snapshot,
    renames: &Renames,
    row: &PersonRow,
    member: Option<&Member>,
) -> Result<bool, RunError> {
    let (PersonKey::Hash(here), Some(member)) = (row.key, member) else { return Ok(false) };
    let own = || row.contacts.iter().filter_map(|(contact, _)| contact.email()).map(|email| email.hash());
    if own().any(|own| own == here) {
        return Ok(false);
    }
    let is_another = |other: &Member| other.email != member.email;
    for own in own() {
        let Some(own_row) = snapshot.person(PersonKey::Hash(own))? else { continue };
        if own_row.member.as_ref().is_some_and(is_another) {
            return Ok(true);
        }
        if let Some(person) = known(journal, &own_row)?
            && renames.members.get(&person.id).is_some_and(is_another)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The row of the contact's own address, when it has no member and this row has one: that member is the contact's.
fn heir(snapshot: &Snapshot, row: &PersonRow) -> Result<Option<PersonRow>, RunError> {
    let ([(contact, _)], Some(own)) =
        (row.contacts.as_slice(), row.contacts.first().and_then(|(contact, _)| contact.email()))
    else {
        return Ok(None);
    };
    if row.member.is_none() || own_contacts(row).next().is_some() {
        return Ok(None);
    }
    let own_row = snapshot.person(PersonKey::Hash(own.hash()))?;
    let is_theirs =
        |own_row: &PersonRow| own_row.contacts.iter().any(|(other, _)| other.record == contact.record);
    Ok(own_row.filter(|own_row| own_row.member.is_none() && is_theirs(own_row)))
}

/// A member that stands under another address of a contact, whose own one has none, is that contact's: the row of
/// the own address gets it, and a rename is due. Unless that contact has a member from before already: then this one is
/// a second member, and stands where it is. Whether it was joined.
///
/// # Errors
/// When the snapshot or the journal cannot be read.
pub fn join(
    journal: &Journal,
    snapshot: &Snapshot,
    renames: &mut Renames,
    row: &PersonRow,
) -> Result<bool, RunError> {
    let Some(own_row) = heir(snapshot, row)? else { return Ok(false) };
    let Some(person) = known(journal, &own_row)? else { return Ok(false) };
    let has_another = |member: &Member| row.key != PersonKey::Hash(member.email.hash());
    if renames.members.get(&person.id).is_some_and(has_another) {
        return Ok(false);
    }
    renames.note(row, person.id);
    Ok(true)
}

/// Whether a row is judged with another one: its member has been followed, and its contact, if it shows one, has a
/// row of its own, or is somebody else, who is judged once the member has left the address, or has not.
///
/// # Errors
/// When the snapshot cannot be read.
pub fn stands_elsewhere(
    snapshot: &Snapshot,
    renames: &Renames,
    row: &PersonRow,
    person: &Person,
) -> Result<bool, RunError> {
    let PersonKey::Hash(hash) = row.key else { return Ok(false) };
    let Some(followed) = renames.old.get(&hash) else { return Ok(false) };
    for (contact, _) in &row.contacts {
        let own = contact.email().map(|email| email.hash()).filter(|own| *own != hash);
        let stands_here = match own {
            Some(own) => snapshot.person(PersonKey::Hash(own))?.is_none(),
            None => *followed != person.id || is_theirs(contact, person),
        };
        if stands_here {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Who does not stand where they are remembered, as a look at everybody shows.
#[derive(Default)]
pub struct Strangers {
    renames: Renames,
    /// Whose member is no longer where it was, by its number.
    missed: BTreeMap<String, PersonId>,
    /// Whose present address has a member, although they were another one.
    housed: BTreeMap<PersonId, Person>,
    /// Rows of contacts that were known as several people.
    several: Vec<PersonKey>,
    /// Who was found to be somebody else: their contact shows another address.
    merged: Vec<Person>,
    /// At which places somebody is seen for the first time, or a member stands under another address of a contact.
    new: Vec<u32>,
}

impl Strangers {
    /// Looks at one row, and at whom it is known to belong to. Whether it has to be looked at again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn note(
        &mut self,
        journal: &Journal,
        place: u32,
        row: &PersonRow,
        person: Option<&Person>,
    ) -> Result<bool, RunError> {
        let own: Vec<&Contact> = own_contacts(row).collect();
        if own.iter().any(|contact| is_one_of_several(contact)) {
            if several(journal, row)?.is_some() {
                self.several.push(row.key);
            }
            self.merged.extend(same_people(journal, row)?.into_iter().filter(|other| other.second.is_some()));
        }
        let is_new = person.is_none() || (row.member.is_some() && !row.contacts.is_empty() && own.is_empty());
        if is_new {
            self.new.push(place);
        }
        let Some(person) = person else { return Ok(is_new) };
        let elsewhere = |email: &&Email| row.key != PersonKey::Hash(email.hash());
        let others = [&person.email, &person.previous_email].into_iter().flatten().filter(elsewhere);
        let others: Vec<SubscriberHash> = others.map(Email::hash).collect();
        if own.iter().any(|contact| is_theirs(contact, person)) {
            // Their member, if they have one, stands under an address that they had.
            self.renames.old.extend(others.iter().map(|hash| (*hash, person.id)));
            if row.member.is_none() {
                self.missed.extend(person.contact_id.clone().map(|number| (number, person.id)));
            } else if !others.is_empty() {
                self.housed.insert(person.id, person.clone());
            }
        } else if let Some(previous) = person.previous_email.as_ref().filter(elsewhere) {
            // Where nothing but their member shows them, they stand there.
            self.renames.old.insert(previous.hash(), person.id);
        }
        Ok(is_new)
    }

    /// What a look at the rows behind these has shown besides.
    pub fn add(&mut self, later: Strangers) {
        let Strangers { renames, missed, housed, several, merged, new } = later;
        let Renames { old, members, away } = renames;
        self.renames.old.extend(old);
        self.renames.members.extend(members);
        self.renames.away.extend(away);
        self.missed.extend(missed);
        self.housed.extend(housed);
        self.several.extend(several);
        self.merged.extend(merged);
        self.new.extend(new);
    }

    /// Whether everybody who is known stands where they are remembered: then what is new changes nothing for them.
    pub fn are_new_only(&self) -> bool {
        self.renames.old.is_empty()
            && self.missed.is_empty()
            && self.several.is_empty()
            && self.merged.is_empty()
    }

    /// Rows of contacts that were known as several people.
    pub fn several(&self) -> &[PersonKey] {
        &self.several
    }

    /// At which places of the snapshot somebody is new, ascending.
    pub fn new_at(&self) -> &[u32] {
        &self.new
    }
}

/// Whoever was known as several people and is one contact now becomes one, durably. Whether there was anybody: then
/// everybody is to be looked at again, since some were seen as they no longer are.
///
/// # Errors
/// When the snapshot or the journal cannot be read or written.
pub async fn unite_all(
    journal: &Journal,
    snapshot: &Snapshot,
    keys: &[PersonKey],
    asker: &Asker<'_>,
    now: Timestamp,
) -> Result<bool, RunError> {
    let mut were_united = false;
    for key in keys {
        if let Some(row) = snapshot.person(*key)? {
            were_united |= unite(journal, snapshot, &row, asker, now).await?;
        }
    }
    Ok(were_united)
}

/// Gives every new person a number, durably, and finds the members that stand under another address than their
/// person's: renamed on either side. A member is followed by Mailchimp's own number for it.
///
/// # Errors
/// When the snapshot or the journal cannot be read or written.
pub async fn identify(
    journal: &Journal,
    forgotten: &ForgottenPeople,
    snapshot: &Snapshot,
    strangers: Strangers,
    now: Timestamp,
) -> Result<Renames, RunError> {
    let is_about_the_new = strangers.are_new_only();
    let Strangers { mut renames, missed, housed, merged, new, .. } = strangers;
    let astray = settled_or_astray(journal, snapshot, merged).await?;
    // Members that are a contact's under another address: joined once every contact has a number.
    let mut joins: Vec<PersonKey> = Vec::new();
    let mut fresh: Vec<Person> = Vec::new();
    let mut found_again: Vec<(Person, PersonRow)> = Vec::new();
    // Who was forgotten gets no record again, save to carry an opt-out of theirs over.
    let is_recorded = |row: &PersonRow| !is_forgotten(forgotten, row) || must_be_told(row);
    let rows: Box<dyn Iterator<Item = _> + Send> = match is_about_the_new {
        true => Box::new(snapshot.people_at(&new)?),
        false => Box::new(snapshot.people()?),
    };
    for recognised in recognised(journal, rows) {
        let (row, known) = recognised?;
        if known.is_none()
            && let Some(person) = row.member.as_ref().and_then(|member| astray.get(&member.contact_id))
        {
            found_again.push((person.clone(), row));
            continue;
        }
        if let Some(person) = moved_here(&row, known.as_ref(), &missed) {
            renames.note(&row, person);
            continue;
        }
        if let Some(person) = whose_was(&row, &missed) {
            renames.away.insert(person);
        }
        if let PersonKey::Hash(hash) = row.key
            && let Some(person) = renames.old.get(&hash).copied()
        {
            let theirs = journal.person(person)?;
            let is_anothers =
                theirs.map(|person| is_anothers(journal, &row, &person)).transpose()?.unwrap_or(false);
            if is_anothers {
                renames.old.remove(&hash);
            } else if let Some(person) = housed.get(&person).filter(|_| own_contacts(&row).next().is_none()) {
                renames.old.remove(&hash);
                fresh.extend(left_behind(&row, person, now));
                continue;
            } else {
                renames.note(&row, person);
            }
        } else if heir(snapshot, &row)?.is_some() {
            joins.push(row.key);
            continue;
        }
        if known.is_some() {
            continue;
        }
        if is_recorded(&row) {
            fresh.extend(newcomer(&row, now));
        }
        if fresh.len() >= CHUNK {
            make(journal, std::mem::take(&mut fresh)).await?;
        }
    }
    make(journal, fresh).await?;
    settle_there(journal, found_again).await?;
    let mut seconds = Vec::new();
    for key in joins {
        let Some(row) = snapshot.person(key)? else { continue };
        if !join(journal, snapshot, &mut renames, &row)?
            && known(journal, &row)?.is_none()
            && is_recorded(&row)
        {
            seconds.extend(newcomer(&row, now));
        }
    }
    make(journal, seconds).await?;
    Ok(renames)
}

/// Whose member it was that a row shows, if it is one that was missed elsewhere.
fn whose_was(row: &PersonRow, missed: &BTreeMap<String, PersonId>) -> Option<PersonId> {
    missed.get(&row.member.as_ref()?.contact_id).copied()
}

/// The person who was missed and stands here: nobody else has this address, in HubSpot or in memory.
fn moved_here(
    row: &PersonRow,
    known: Option<&Person>,
    missed: &BTreeMap<String, PersonId>,
) -> Option<PersonId> {
    let person = whose_was(row, missed)?;
    let known = known.map(|known| known.id);
    let is_free = known.is_none() && row.contacts.is_empty();
    (is_free || known == Some(person)).then_some(person)
}

/// Somebody seen for the first time. A row without a member, of a contact that has another address, is nobody's.
fn newcomer(row: &PersonRow, now: Timestamp) -> Option<Person> {
    let record = own_contacts(row).next().map(|contact| contact.record);
    let is_somebody = record.is_some() || row.member.is_some();
    is_somebody.then(|| Person::new(PersonId(0), address(row), record, now))
}

/// The member that somebody was, and is no longer: a person of its own, who knows whose contact that was.
fn left_behind(row: &PersonRow, person: &Person, now: Timestamp) -> Option<Person> {
    let email = row.member.as_ref()?.email.clone();
    Some(Person { second: Some(now), ..Person::new(PersonId(0), Some(email), person.record, now) })
}

/// Makes people durable, each under a number of their own.
async fn make(journal: &Journal, fresh: Vec<Person>) -> Result<(), RunError> {
    if fresh.is_empty() {
        return Ok(());
    }
    let first = journal.reserve_person_ids(fresh.len() as u64).await?;
    let mut batch = Batch::new();
    for (number, person) in first.zip(fresh) {
        journal.put_person(&mut batch, &Person { id: PersonId(number), ..person }, None)?;
    }
    journal.commit(batch).await?;
    Ok(())
}
