//! Takes a person's rows out of the snapshots that are kept: the one change a finished snapshot ever sees.
//!
//! Every file is replaced whole, so a snapshot cut short in between is one with the rows or without them, and
//! doing it again ends it. What never finished or cannot be read goes as a whole.

use super::directory::{directories, write_json};
use super::error::SnapshotError;
use super::header::Header;
use super::lookups::{Lookup, LookupRow, carried_path, recorded_path};
use super::pages::{PageLog, PageRows};
use super::person::{PersonKey, PersonRow};
use super::rows::{RowReader, RowWriter};
use super::view::{Snapshot, contacts_path, list_path, members_path, people_path, unanswered_path};
use crate::domain::contact::{Contact, Membership};
use crate::domain::email::SubscriberHash;
use crate::domain::id::RecordId;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::port::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Whose rows.
#[derive(Clone, Default)]
pub struct Whose {
    /// Their addresses' hashes.
    pub hashes: BTreeSet<SubscriberHash>,
    /// Their records.
    pub records: BTreeSet<RecordId>,
    /// Hashes of addresses that their records had in some snapshot: theirs wherever nobody else has them.
    former: BTreeSet<SubscriberHash>,
}

impl Whose {
    /// Whose rows these are.
    pub fn of(hashes: BTreeSet<SubscriberHash>, records: BTreeSet<RecordId>) -> Whose {
        Whose { hashes, records, former: BTreeSet::new() }
    }

    /// Adds the addresses that their records had when this was read.
    fn learn_from(&mut self, dir: &Path) -> Result<(), SnapshotError> {
        for contact in RowReader::<Contact>::open(&contacts_path(dir))? {
            let contact = contact?;
            if self.records.contains(&contact.record) {
                self.former.extend(contact.email().map(|email| email.hash()));
            }
        }
        Ok(())
    }

    /// The same for one snapshot: a former address that somebody else has there is that one's.
    fn within(&self, dir: &Path) -> Result<Whose, SnapshotError> {
        let mut former = self.former.clone();
        for contact in RowReader::<Contact>::open(&contacts_path(dir))? {
            let contact = contact?;
            if let Some(email) = contact.email().filter(|_| !self.records.contains(&contact.record)) {
                former.remove(&email.hash());
            }
        }
        let hashes = self.hashes.union(&former).copied().collect();
        Ok(Whose::of(hashes, self.records.clone()))
    }

    fn has(&self, contact: &Contact) -> bool {
        self.records.contains(&contact.record)
            || contact.email().is_some_and(|email| self.hashes.contains(&email.hash()))
    }

    fn is(&self, row: &PersonRow) -> bool {
        match row.key {
            PersonKey::Hash(hash) => self.hashes.contains(&hash),
            PersonKey::Record(record) => self.records.contains(&record),
        }
    }
}

/// Takes their rows out of every snapshot. In how many there were any.
///
/// # Errors
/// When a directory or file cannot be read or written.
pub fn erase(snapshots: &Path, whose: &Whose) -> Result<u64, SnapshotError> {
    let mut touched = 0;
    let dirs = directories(snapshots)?;
    let mut whose = whose.clone();
    for dir in &dirs {
        match whose.learn_from(dir) {
            // It goes as a whole, below.
            Err(SnapshotError::Unfinished { .. } | SnapshotError::Damaged { .. }) => {}
            learned => learned?,
        }
    }
    for dir in dirs {
        match erase_in(&dir, &whose) {
            Ok(held_any) => touched += u64::from(held_any),
            Err(SnapshotError::Unfinished { .. } | SnapshotError::Damaged { .. }) => {
                fs::remove_dir_all(&dir).map_err(SnapshotError::io(&dir))?;
                touched += 1;
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(touched)
}

/// Takes their rows out of one snapshot, and opens it again.
///
/// # Errors
/// When a file cannot be read or written.
pub fn erase_from(snapshot: &Snapshot, whose: &Whose) -> Result<Snapshot, SnapshotError> {
    erase_in(snapshot.dir(), whose)?;
    Snapshot::open(snapshot.dir())
}

fn erase_in(dir: &Path, whose: &Whose) -> Result<bool, SnapshotError> {
    let mut header = Header::read(dir)?;
    let whose = &whose.within(dir)?;
    let before = header.clone();
    let counts = &mut header.counts;
    let mut gone: u64 = 0;
    for (list, count) in &mut counts.lists {
        let keep = |row: &Membership| !whose.records.contains(&row.record);
        *count = count.saturating_sub(drop_rows(&list_path(dir, *list), keep)?);
    }
    let contacts = drop_rows(&contacts_path(dir), |contact: &Contact| !whose.has(contact))?;
    counts.contacts = counts.contacts.saturating_sub(contacts);
    let (mut archived, mut subscribed) = (0, 0);
    let members = rewrite(&members_path(dir), |member: Member| {
        if !whose.hashes.contains(&member.hash()) {
            return (Some(member), false);
        }
        archived += u64::from(member.status == MemberStatus::Archived);
        subscribed += u64::from(member.status == MemberStatus::Subscribed);
        (None, true)
    })?;
    counts.members = counts.members.saturating_sub(members);
    counts.archived = counts.archived.saturating_sub(archived);
    counts.subscribed = counts.subscribed.saturating_sub(subscribed);
    let mut homeless = 0;
    let people = rewrite(&people_path(dir), |mut row: PersonRow| {
        if whose.is(&row) {
            homeless += u64::from(matches!(row.key, PersonKey::Record(_)));
            return (None, true);
        }
        // Somebody else whose row shows the contact, because it was found by a secondary address.
        let shown = row.contacts.len();
        row.contacts.retain(|(contact, _)| !whose.has(contact));
        let changed = row.contacts.len() < shown;
        (Some(row), changed)
    })?;
    counts.people = counts.people.saturating_sub(people);
    counts.without_address = counts.without_address.saturating_sub(homeless);
    let unanswered = drop_rows(&unanswered_path(dir), |record: &RecordId| !whose.records.contains(record))?;
    counts.unanswered = counts.unanswered.saturating_sub(unanswered);
    let lookups = drop_rows(&carried_path(dir), |row: &LookupRow| !whose.hashes.contains(&row.hash))?;
    counts.lookups = counts.lookups.saturating_sub(lookups);
    gone += contacts + members + people + lookups + drop_recorded(dir, whose)?;
    header.aliases.retain(|old, new| !whose.records.contains(old) && !whose.records.contains(new));
    if header != before {
        write_json(&Header::path(dir), &header)?;
    }
    Ok(gone > 0 || header != before)
}

/// Drops rows; how many went.
fn drop_rows<T: Serialize + DeserializeOwned>(
    path: &Path,
    keep: impl Fn(&T) -> bool,
) -> Result<u64, SnapshotError> {
    rewrite(path, |row| if keep(&row) { (Some(row), false) } else { (None, true) })
}

/// Writes a file anew, where any of its rows changes. How many rows went.
fn rewrite<T: Serialize + DeserializeOwned>(
    path: &Path,
    mut change: impl FnMut(T) -> (Option<T>, bool),
) -> Result<u64, SnapshotError> {
    let mut writer = RowWriter::create(path)?;
    let (mut gone, mut changed) = (0, false);
    for row in RowReader::<T>::open(path)? {
        let (row, differs) = change(row?);
        changed |= differs;
        match row {
            Some(row) => writer.write(&row)?,
            None => gone += 1,
        }
    }
    if changed {
        writer.finish()?;
    } else {
        writer.discard()?;
    }
    Ok(gone)
}

/// The answers recorded since the scan: a log, written anew beside itself.
fn drop_recorded(dir: &Path, whose: &Whose) -> Result<u64, SnapshotError> {
    let path = recorded_path(dir);
    let rows: Vec<Lookup> = PageRows::<Lookup>::open(&path)?.collect::<Result<_, _>>()?;
    let theirs = |lookup: &Lookup| {
        whose.hashes.contains(&lookup.hash)
            || lookup.found.as_ref().is_some_and(|(contact, _)| whose.has(contact))
    };
    let before = rows.len();
    let kept: Vec<Lookup> = rows.into_iter().filter(|lookup| !theirs(lookup)).collect();
    let gone = before - kept.len();
    if gone > 0 {
        let part = path.with_extension("part");
        let mut log = PageLog::open(&part)?;
        log.restart()?;
        log.append(Page { rows: kept, next: None, total: None })?;
        log.sync()?;
        fs::rename(&part, &path).map_err(SnapshotError::io(&path))?;
    }
    Ok(gone as u64)
}
