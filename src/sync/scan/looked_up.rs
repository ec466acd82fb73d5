//! Carries answers to look-ups from one snapshot to the next, corrected by what changed since.

use super::Secondary;
use crate::domain::contact::Contact;
use crate::domain::email::SubscriberHash;
use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use crate::sync::snapshot::{self, LookupRow, RowReader, RowWriter, Snapshot, SnapshotError};
use std::path::{Path, PathBuf};

/// Changed contacts, as far as look-ups care: record and the hash of their own address.
#[derive(Default)]
pub(super) struct Changed {
    by_record: Vec<(RecordId, Option<SubscriberHash>)>,
    by_hash: Vec<(SubscriberHash, RecordId)>,
}

impl Changed {
    /// Of contacts in the order they were read: the last of a record counts.
    pub(super) fn new(
        contacts: impl Iterator<Item = Result<Contact, SnapshotError>>,
    ) -> Result<Changed, SnapshotError> {
        let mut by_record = Vec::new();
        for contact in contacts {
            let contact = contact?;
            by_record.push((contact.record, contact.email().map(|email| email.hash())));
        }
        by_record.sort_by_key(|(record, _)| *record);
        // Of equal neighbours the first stays, so the newest has to come first.
        by_record.reverse();
        by_record.dedup_by_key(|(record, _)| *record);
        by_record.reverse();
        let mut by_hash: Vec<_> =
            by_record.iter().filter_map(|(record, hash)| hash.map(|hash| (hash, *record))).collect();
        by_hash.sort();
        Ok(Changed { by_record, by_hash })
    }

    /// The records, ascending.
    pub(super) fn records(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.by_record.iter().map(|(record, _)| *record)
    }

    fn address_of(&self, record: RecordId) -> Option<Option<SubscriberHash>> {
        let at = self.by_record.binary_search_by_key(&record, |(record, _)| *record).ok()?;
        self.by_record.get(at).map(|(_, hash)| *hash)
    }

    fn owner_of(&self, hash: SubscriberHash) -> Option<RecordId> {
        let at = self.by_hash.partition_point(|(other, _)| *other < hash);
        self.by_hash.get(at).filter(|(other, _)| *other == hash).map(|(_, record)| *record)
    }

    /// The answer as it holds after these changes; none when HubSpot has to be asked again.
    fn correct(&self, row: LookupRow, seen: Timestamp) -> Option<LookupRow> {
        if let Some(owner) = self.owner_of(row.hash) {
            // Somebody has the address now, whatever the answer was then.
            let at = if row.record == Some(owner) { row.at } else { seen };
            return Some(LookupRow { record: Some(owner), secondary: false, at, ..row });
        }
        match row.record.map(|record| self.address_of(record)) {
            // Not found then, and nobody took the address; or found, and not changed since.
            None | Some(None) => Some(row),
            Some(Some(_)) => None,
        }
    }
}

fn provisional(dir: &Path) -> PathBuf {
    dir.join("work-lookups.rows")
}

/// First half, before contacts are read: writes the answers that still count to a provisional file.
/// The records they found, ascending.
pub(super) fn carry(
    dir: &Path,
    from: Option<&Snapshot>,
    believed_since: Timestamp,
    seen: Timestamp,
    changed: &Changed,
) -> Result<Vec<RecordId>, SnapshotError> {
    let mut writer = RowWriter::create(&provisional(dir))?;
    let mut records = Vec::new();
    if let Some(from) = from {
        for row in from.lookups()? {
            let row = row?;
            if row.at < believed_since {
                continue;
            }
            if let Some(row) = changed.correct(row, seen) {
                writer.write(&row)?;
                records.extend(row.record);
            }
        }
    }
    writer.finish()?;
    records.sort_unstable();
    records.dedup();
    Ok(records)
}

/// Second half, when the contacts are known: drops answers whose contact is no longer there or has
/// another address now. `address_of` knows the contacts that look-ups found, under the survivor's record.
pub(super) fn settle(
    dir: &Path,
    survivor: impl Fn(RecordId) -> RecordId,
    address_of: impl Fn(RecordId) -> Option<Option<SubscriberHash>>,
) -> Result<(u64, Secondary), SnapshotError> {
    let mut writer = RowWriter::create(&snapshot::carried_path(dir))?;
    let mut secondary = Secondary::new();
    for row in RowReader::<LookupRow>::open(&provisional(dir))? {
        let mut row = row?;
        if let Some(record) = row.record.map(&survivor) {
            let Some(own) = address_of(record) else { continue };
            if own == Some(row.hash) {
                row.secondary = false;
            } else if row.secondary {
                secondary.entry(record).or_default().push(row.hash);
            } else {
                continue;
            }
            row.record = Some(record);
        }
        writer.write(&row)?;
    }
    Ok((writer.finish()?, secondary))
}
