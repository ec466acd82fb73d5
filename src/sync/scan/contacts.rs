//! From page logs to the files of HubSpot's side. Only file work; asks nobody.

use super::context::ScanContext;
use super::crm::{CrmPart, keep_list};
use super::looked_up::{self, Changed};
use super::progress::Source;
use super::reader::rows_of;
use super::work::Base;
use crate::domain::contact::{Contact, ListInfo, Membership};
use crate::domain::email::SubscriberHash;
use crate::domain::id::{ListId, RecordId};
use crate::sync::snapshot::{
    ExternalSorter, Keyed, MergeSorted, RowReader, RowWriter, Snapshot, SnapshotError, contacts_path,
    link_or_copy, list_path, recorded, survivor, unanswered_path,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a reading of contacts by record gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The contact.
    Contact(Contact),
    /// The record was merged away.
    Merged { old: RecordId, new: RecordId },
    /// No answer: it may be there all the same.
    Unanswered(RecordId),
    /// Asked for singly, and not there.
    Deleted(RecordId),
}

/// What is known before contacts are read by record. Ids only: eight bytes a person.
pub(super) struct Gathered {
    /// Everybody in a list, ascending.
    ids: Vec<RecordId>,
    /// Contacts that look-ups found, ascending.
    looked_up: Vec<RecordId>,
    /// Records to be asked for, ascending.
    pub(super) want: Vec<RecordId>,
    /// Whether no contact changed.
    none_changed: bool,
}

/// The file work of HubSpot's side.
#[derive(Clone)]
pub(super) struct Gather {
    dir: PathBuf,
    base: Base,
    same: Vec<ListId>,
    changed: Vec<ListId>,
    sort_bytes: usize,
}

impl Gather {
    pub(super) fn new(ctx: &ScanContext, base: &Base, same: Vec<ListId>, changed: Vec<ListId>) -> Gather {
        Gather { dir: ctx.dir.clone(), base: base.clone(), same, changed, sort_bytes: ctx.tuning.sort_bytes }
    }

    /// Before contacts are read: the lists' files, the look-ups, and whom to ask for.
    pub(super) fn run(&self) -> Result<Gathered, SnapshotError> {
        if let Some(old) = &self.base.old {
            for list in &self.same {
                keep_list(old, &self.dir, *list)?;
            }
        }
        for list in &self.changed {
            self.write_list(*list)?;
        }
        let ids = self.everybody()?;
        let changed = Changed::new(rows_of(&self.dir, Source::Modified)?)?;
        let carry = self.base.carry.as_ref();
        let looked_up =
            looked_up::carry(&self.dir, carry, self.base.believed_since(), self.base.seen, &changed)?;
        let mut want: Vec<RecordId> = ids.iter().chain(&looked_up).copied().collect();
        sort_unique(&mut want);
        if let Some(old) = &self.base.old {
            let mut known: Vec<RecordId> = changed.records().collect();
            for contact in old.contacts()? {
                known.push(contact?.record);
            }
            for lookup in recorded(old.dir(), &self.dir, self.sort_bytes)? {
                known.extend(lookup?.row().record);
            }
            sort_unique(&mut known);
            // Why somebody joined (an opt-out, say) may not have reached the search yet: they are read again.
            let joined = self.joined(old)?;
            want.retain(|id| {
                known.binary_search(&old.header().survivor(*id)).is_err() || joined.contains(id)
            });
        }
        let none_changed = changed.records().next().is_none();
        Ok(Gathered { ids, looked_up, want, none_changed })
    }

    fn write_list(&self, list: ListId) -> Result<(), SnapshotError> {
        let by_record = |row: &Membership| row.record;
        let mut sorter = ExternalSorter::new(&self.dir, "list", self.sort_bytes, by_record);
        for row in rows_of::<Membership>(&self.dir, Source::List(list))? {
            sorter.push(&row?)?;
        }
        let mut rows = Keyed::new(sorter.finish()?, by_record);
        let mut writer = RowWriter::create(&list_path(&self.dir, list))?;
        while let Some(record) = rows.next_key()? {
            // A page that shifted shows somebody twice: the later sight counts.
            if let Some(row) = rows.take(record)?.pop() {
                writer.write(&row)?;
            }
        }
        writer.finish().map(|_| ())
    }

    /// Everybody in a list who was not in it when the older snapshot was taken.
    fn joined(&self, old: &Snapshot) -> Result<BTreeSet<RecordId>, SnapshotError> {
        let by_record = |row: &Membership| row.record;
        let mut joined = BTreeSet::new();
        for list in self.changed.iter().filter(|list| old.header().lists.contains_key(list)) {
            let mut before =
                Keyed::new(RowReader::<Membership>::open(&list_path(old.dir(), *list))?, by_record);
            for row in RowReader::<Membership>::open(&list_path(&self.dir, *list))? {
                let record = row?.record;
                if before.take(record)?.is_empty() {
                    joined.insert(record);
                }
            }
        }
        Ok(joined)
    }

    fn lists(&self) -> impl Iterator<Item = ListId> + '_ {
        self.same.iter().chain(&self.changed).copied()
    }

    fn everybody(&self) -> Result<Vec<RecordId>, SnapshotError> {
        let mut sources = Vec::new();
        for list in self.lists() {
            sources.push(RowReader::<Membership>::open(&list_path(&self.dir, list))?);
        }
        let mut ids: Vec<RecordId> = Vec::new();
        for row in MergeSorted::new(sources, |row: &Membership| row.record) {
            let record = row?.record;
            if ids.last() != Some(&record) {
                ids.push(record);
            }
        }
        Ok(ids)
    }

    /// After contacts were read: the files of contacts, of records without an answer, of look-ups.
    pub(super) fn settle(
        &self,
        gathered: Gathered,
        lists: BTreeMap<ListId, ListInfo>,
    ) -> Result<CrmPart, SnapshotError> {
        let aliases = self.aliases(&gathered)?;
        let unanswered = self.write_unanswered()?;
        let mut addresses: Vec<(RecordId, Option<SubscriberHash>)> = Vec::new();
        let (contacts, same_contacts) = self.write_contacts(&gathered, &aliases, &mut addresses)?;
        let (lookups, secondary) = looked_up::settle(
            &self.dir,
            |record| survivor(&aliases, record),
            |record| {
                let at = addresses.binary_search_by_key(&record, |(record, _)| *record).ok()?;
                addresses.get(at).map(|(_, address)| *address)
            },
        )?;
        let mut list_counts = BTreeMap::new();
        for list in self.lists() {
            let rows = RowReader::<Membership>::open(&list_path(&self.dir, list))?;
            let count = rows.map(|row| row.map(|_| 1)).sum::<Result<u64, _>>()?;
            list_counts.insert(list, count);
        }
        let unchanged =
            same_contacts
                && gathered.none_changed
                && self.changed.is_empty()
                && self.base.old.as_ref().is_some_and(|old| {
                    !old.has_recorded_lookups() && old.header().lists.keys().eq(lists.keys())
                });
        Ok(CrmPart { lists, list_counts, contacts, unanswered, lookups, aliases, secondary, unchanged })
    }

    /// Merges that still matter: of somebody in a list, or found by a look-up.
    fn aliases(&self, gathered: &Gathered) -> Result<BTreeMap<RecordId, RecordId>, SnapshotError> {
        let mut all: BTreeMap<RecordId, RecordId> =
            self.base.old.as_ref().map(|old| old.header().aliases.clone()).unwrap_or_default();
        for answer in rows_of::<Answer>(&self.dir, Source::Contacts)? {
            if let Answer::Merged { old, new } = answer? {
                all.insert(old, new);
            }
        }
        let mut kept = BTreeMap::new();
        for start in all.keys().copied().filter(|old| gathered.concerns(*old)) {
            let mut at = start;
            // Over several merges, each link is kept; a circle ends where it closes.
            while let Some(next) = all.get(&at).copied() {
                if kept.insert(at, next).is_some() {
                    break;
                }
                at = next;
            }
        }
        Ok(kept)
    }

    fn write_unanswered(&self) -> Result<u64, SnapshotError> {
        let mut missing = BTreeSet::new();
        for answer in rows_of::<Answer>(&self.dir, Source::Contacts)? {
            match answer? {
                Answer::Unanswered(record) => missing.insert(record),
                Answer::Contact(contact) => missing.remove(&contact.record),
                Answer::Merged { old, .. } => missing.remove(&old),
                Answer::Deleted(record) => missing.remove(&record),
            };
        }
        let mut writer = RowWriter::create(&unanswered_path(&self.dir))?;
        for record in &missing {
            writer.write(record)?;
        }
        writer.finish()
    }

    /// Old rows under new ones, without those that nothing here is about any more. How many there are,
    /// and whether they are the old ones to the last.
    fn write_contacts(
        &self,
        gathered: &Gathered,
        aliases: &BTreeMap<RecordId, RecordId>,
        addresses: &mut Vec<(RecordId, Option<SubscriberHash>)>,
    ) -> Result<(u64, bool), SnapshotError> {
        let by_record = |contact: &Contact| contact.record;
        let heirs: BTreeSet<RecordId> = aliases.keys().map(|old| survivor(aliases, *old)).collect();
        let mut sorter = ExternalSorter::new(&self.dir, "contacts", self.sort_bytes, by_record);
        if let Some(old) = &self.base.old {
            for lookup in recorded(old.dir(), &self.dir, self.sort_bytes)? {
                if let Some((contact, _)) = lookup?.found {
                    sorter.push(&contact)?;
                }
            }
        }
        for source in [Source::OptedOut, Source::Modified] {
            for contact in rows_of::<Contact>(&self.dir, source)? {
                sorter.push(&contact?)?;
            }
        }
        for answer in rows_of::<Answer>(&self.dir, Source::Contacts)? {
            if let Answer::Contact(contact) = answer? {
                sorter.push(&contact)?;
            }
        }
        let old = self.base.old.iter().map(|old| old.contacts()).collect::<Result<Vec<_>, _>>()?;
        let mut old = Keyed::new(old.into_iter().flatten(), by_record);
        let mut fresh = Keyed::new(sorter.finish()?, by_record);
        let path = contacts_path(&self.dir);
        let (mut writer, mut altered) = (RowWriter::create(&path)?, self.base.old.is_none());
        while let Some(record) = old.next_key()?.into_iter().chain(fresh.next_key()?).min() {
            let before = old.take(record)?.pop();
            let now = fresh.take(record)?.pop().or_else(|| before.clone());
            let Some(contact) = now else { continue };
            let wanted = gathered.looked_up.binary_search(&record).is_ok() || heirs.contains(&record);
            if wanted {
                addresses.push((record, contact.email().map(|email| email.hash())));
            }
            let merged_away = aliases.contains_key(&record);
            if !merged_away && (wanted || contact.opted_out || gathered.ids.binary_search(&record).is_ok()) {
                writer.write(&contact)?;
                altered |= before != Some(contact);
            } else {
                altered |= before.is_some();
            }
        }
        let count = writer.finish()?;
        if let Some(old) = self.base.old.as_ref().filter(|_| !altered) {
            link_or_copy(&contacts_path(old.dir()), &path)?;
        }
        Ok((count, !altered))
    }
}

impl Gathered {
    fn concerns(&self, record: RecordId) -> bool {
        self.ids.binary_search(&record).is_ok() || self.looked_up.binary_search(&record).is_ok()
    }
}

fn sort_unique(ids: &mut Vec<RecordId>) {
    ids.sort_unstable();
    ids.dedup();
}
