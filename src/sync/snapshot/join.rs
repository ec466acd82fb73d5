//! The join: contacts with their lists, grouped by address, beside the member of that address.

use super::error::SnapshotError;
use super::header::survivor;
use super::keyed::Keyed;
use super::lookups::{LookupRow, carried_path};
use super::merge::MergeSorted;
use super::person::{Found, Lists, LookedUp, PersonKey, PersonRow};
use super::rows::{RowReader, RowWriter};
use super::sort::ExternalSorter;
use super::view::{contacts_path, list_path, members_path, people_path};
use crate::domain::contact::{Contact, Membership};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::{ListId, RecordId};
use crate::domain::member::Member;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the join needs beside the files.
pub(crate) struct Join<'a> {
    /// The snapshot's directory.
    pub(crate) dir: &'a Path,
    /// The scanned lists.
    pub(crate) lists: &'a BTreeSet<ListId>,
    /// Records that were merged away: their memberships count for the survivor.
    pub(crate) aliases: &'a BTreeMap<RecordId, RecordId>,
    /// Contacts that were found by a secondary address, beside those that name theirs: they stand under that one
    /// too.
    pub(crate) secondary: &'a BTreeMap<RecordId, Vec<SubscriberHash>>,
    /// Memory for sorting.
    pub(crate) sort_bytes: usize,
}

/// How many rows the join gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Joined {
    pub(crate) people: u64,
    pub(crate) without_address: u64,
}

type Entry = (ListId, Membership);
type ListRows = Box<dyn Iterator<Item = Result<Entry, SnapshotError>>>;

impl Join<'_> {
    /// All memberships of all lists by record.
    fn memberships(&self) -> Result<MergeSorted<Entry, RecordId, ListRows>, SnapshotError> {
        let mut sources = Vec::with_capacity(self.lists.len());
        for list in self.lists.iter().copied() {
            let rows = RowReader::<Membership>::open(&list_path(self.dir, list))?;
            sources.push(Box::new(rows.map(move |row| Ok((list, row?)))) as ListRows);
        }
        Ok(MergeSorted::new(sources, |(_, membership): &Entry| membership.record))
    }

    /// What has to be known of all contacts before any is joined: records that were merged away, and into which, those
    /// found out and those that survivors name; and the members of contacts whose address is none that anybody is enrolled
    /// by.
    fn first_look(&self) -> Result<(BTreeMap<RecordId, RecordId>, BTreeSet<SubscriberHash>), SnapshotError> {
        let (mut merged, mut strange) = (self.aliases.clone(), BTreeSet::new());
        for contact in RowReader::<Contact>::open(&contacts_path(self.dir))? {
            let contact = contact?;
            let others = contact.merged_records().filter(|record| *record != contact.record);
            merged.extend(others.map(|record| (record, contact.record)));
            strange.extend(strange_hash(&contact));
        }
        if strange.is_empty() {
            return Ok((merged, strange));
        }
        let mut members = BTreeSet::new();
        for member in RowReader::<Member>::open(&members_path(self.dir))? {
            members.extend(Some(member?.hash()).filter(|hash| strange.contains(hash)));
        }
        Ok((merged, members))
    }

    /// Memberships that lists still show under a record that was merged away, by survivor.
    fn inherited(
        &self,
        merged: &BTreeMap<RecordId, RecordId>,
    ) -> Result<BTreeMap<RecordId, Lists>, SnapshotError> {
        let mut inherited: BTreeMap<RecordId, Lists> = BTreeMap::new();
        if !merged.is_empty() {
            for entry in self.memberships()? {
                let (list, membership) = entry?;
                if merged.contains_key(&membership.record) {
                    let heir = survivor(merged, membership.record);
                    inherited.entry(heir).or_default().insert(list, membership.joined);
                }
            }
        }
        Ok(inherited)
    }
}

/// What a member would be called whose address is spelt like this contact's, which is no address that anybody is enrolled
/// by. Mailchimp may know it all the same, from other times: an opt-out of either is of both.
fn strange_hash(contact: &Contact) -> Option<SubscriberHash> {
    let is_strange = contact.email().is_none();
    is_strange.then(|| Email::as_given(&contact.address).ok()).flatten().map(|email| email.hash())
}

/// Writes `people.rows` from the other files.
pub(crate) fn join(join: &Join<'_>) -> Result<Joined, SnapshotError> {
    let by_hash = |row: &(SubscriberHash, Found)| row.0;
    let mut contacts = ExternalSorter::new(join.dir, "people", join.sort_bytes, by_hash);
    // Contacts come by record, which is the order their people shall have.
    let homeless_path = join.dir.join("people-without.run");
    let mut homeless: RowWriter<PersonRow> = RowWriter::create(&homeless_path)?;
    let (merged, strange_members) = join.first_look()?;
    let inherited = join.inherited(&merged)?;
    let mut memberships = Keyed::new(join.memberships()?, |(_, membership): &Entry| membership.record);
    for contact in RowReader::<Contact>::open(&contacts_path(join.dir))? {
        let contact = contact?;
        let record = contact.record;
        // An older scan's row of a record that is no more: it would pass for a twin of whom it became.
        if merged.contains_key(&record) {
            continue;
        }
        let mut lists: Lists = inherited.get(&record).cloned().unwrap_or_default();
        lists.extend(memberships.take(record)?.into_iter().map(|(list, entry)| (list, entry.joined)));
        let strange = strange_hash(&contact).filter(|hash| strange_members.contains(hash));
        let own = contact.email().map(|email| email.hash()).or(strange);
        let mut others: BTreeSet<SubscriberHash> =
            contact.further_emails().map(|email| email.hash()).collect();
        others.extend(join.secondary.get(&record).into_iter().flatten());
        let found = (contact, lists);
        for other in others.into_iter().filter(|other| Some(*other) != own) {
            contacts.push(&(other, found.clone()))?;
        }
        match own {
            Some(hash) => contacts.push(&(hash, found))?,
            None => homeless.write(&PersonRow {
                key: PersonKey::Record(record),
                contacts: vec![found],
                member: None,
                looked_up: None,
            })?,
        }
    }
    let without_address = homeless.finish_provisional()?;

    let mut contacts = Keyed::new(contacts.finish()?, by_hash);
    let mut members = Keyed::new(RowReader::<Member>::open(&members_path(join.dir))?, Member::hash);
    let mut lookups =
        Keyed::new(RowReader::<LookupRow>::open(&carried_path(join.dir))?, |row: &LookupRow| row.hash);
    let mut people: RowWriter<PersonRow> = RowWriter::create(&people_path(join.dir))?;
    while let Some(hash) = contacts.next_key()?.into_iter().chain(members.next_key()?).min() {
        let person = PersonRow {
            key: PersonKey::Hash(hash),
            contacts: contacts.take(hash)?.into_iter().map(|(_, found)| found).collect(),
            member: members.take(hash)?.pop(),
            looked_up: lookups.take(hash)?.pop().map(|row| LookedUp { at: row.at, record: row.record }),
        };
        // A further address of a contact without a member is nobody.
        let is_own = |(contact, _): &Found| contact.email().is_some_and(|email| email.hash() == hash);
        if person.member.is_some() || person.looked_up.is_some() || person.contacts.iter().any(is_own) {
            people.write(&person)?;
        }
    }
    for person in RowReader::<PersonRow>::open(&homeless_path)? {
        people.write(&person?)?;
    }
    Ok(Joined { people: people.finish()?, without_address })
}
