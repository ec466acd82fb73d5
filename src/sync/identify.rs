//! Whose row is it? Finds the person of each row of a snapshot, by address, then by HubSpot record, and
//! gives new people a number (design §8).

use super::error::RunError;
use super::forgetting::{is_forgotten, must_be_told};
use super::snapshot::{PersonKey, PersonRow, Snapshot};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::PersonId;
use crate::domain::member::Member;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use crate::journal::forgotten::ForgottenPeople;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use std::collections::BTreeMap;

/// People made durable at once.
const CHUNK: usize = 500;

/// People whose address changed in HubSpot, and the members they still are in Mailchimp.
#[derive(Default)]
pub struct Renames {
    /// The member's old hash, and whose it is.
    pub old: BTreeMap<SubscriberHash, PersonId>,
    /// The old member.
    pub members: BTreeMap<PersonId, Member>,
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
    for (contact, _) in &row.contacts {
        if let Some(id) = journal.person_by_record(contact.record)?
            && let Some(person) = journal.person(id)?
        {
            return Ok(Some(person));
        }
    }
    Ok(None)
}

fn address(row: &PersonRow) -> Option<Email> {
    match &row.member {
        Some(member) => Some(member.email.clone()),
        None => row.contacts.iter().find_map(|(contact, _)| contact.email()),
    }
}

/// Gives every new person a number, durably, and finds the renames.
///
/// # Errors
/// When the snapshot or the journal cannot be read or written.
pub async fn identify(
    journal: &Journal,
    forgotten: &ForgottenPeople,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Renames, RunError> {
    let mut renames = Renames::default();
    let mut fresh: Vec<(Option<Email>, Option<crate::domain::id::RecordId>)> = Vec::new();
    for row in snapshot.people()? {
        let row = row?;
        match known(journal, &row)? {
            Some(person) => {
                let present = row.contacts.first().and_then(|(contact, _)| contact.email());
                if let (Some(old), Some(present), None) = (&person.email, &present, &row.member)
                    && old != present
                    && row.contacts.iter().any(|(contact, _)| Some(contact.record) == person.record)
                {
                    renames.old.insert(old.hash(), person.id);
                }
                if let Some(previous) = &person.previous_email {
                    renames.old.insert(previous.hash(), person.id);
                }
            }
            // Who was forgotten gets no record again, save to carry an opt-out of theirs over.
            None if is_forgotten(forgotten, &row) && !must_be_told(&row) => {}
            None => fresh.push((address(&row), row.contacts.first().map(|(contact, _)| contact.record))),
        }
        if fresh.len() >= CHUNK {
            make(journal, std::mem::take(&mut fresh), now).await?;
        }
    }
    make(journal, fresh, now).await?;
    if !renames.old.is_empty() {
        for row in snapshot.people()? {
            let row = row?;
            if let (PersonKey::Hash(hash), Some(member)) = (row.key, row.member)
                && let Some(person) = renames.old.get(&hash)
            {
                renames.members.insert(*person, member);
            }
        }
    }
    Ok(renames)
}

async fn make(
    journal: &Journal,
    fresh: Vec<(Option<Email>, Option<crate::domain::id::RecordId>)>,
    now: Timestamp,
) -> Result<(), RunError> {
    if fresh.is_empty() {
        return Ok(());
    }
    let first = journal.reserve_person_ids(fresh.len() as u64).await?;
    let mut batch = Batch::new();
    for (number, (email, record)) in first.zip(fresh) {
        journal.put_person(&mut batch, &Person::new(PersonId(number), email, record, now), None)?;
    }
    journal.commit(batch).await?;
    Ok(())
}
