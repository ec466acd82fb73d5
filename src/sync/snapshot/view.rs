//! A finished snapshot, open for reading. Reads streams, never a whole file; nothing of the scan is
//! changed any more, only answers to look-ups are added beside it.

use super::error::SnapshotError;
use super::header::Header;
use super::keyed::Keyed;
use super::lookups::{self, Lookup, LookupRow, RecordedLookups};
use super::pages::PageLog;
use super::person::{LookedUp, PersonKey, PersonRow};
use super::rows::RowReader;
use super::search::find;
use crate::domain::contact::{Contact, Membership};
use crate::domain::email::SubscriberHash;
use crate::domain::id::{ListId, RecordId};
use crate::domain::member::Member;
use crate::domain::port::Page;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Memory for sorting answers that were recorded after the scan.
const SORT_BYTES: usize = 8 << 20;

/// A finished snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    dir: PathBuf,
    header: Header,
}

impl Snapshot {
    /// Opens a finished snapshot.
    ///
    /// # Errors
    /// `Unfinished` when its scan has not ended; `Damaged` when the header cannot be read.
    pub fn open(dir: &Path) -> Result<Snapshot, SnapshotError> {
        Ok(Snapshot { dir: dir.to_owned(), header: Header::read(dir)? })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every person once: by subscriber hash, then those without a usable address by record. Answers
    /// recorded since the scan are in it, as far as they were there when the reading began.
    ///
    /// # Errors
    /// When a file cannot be opened; the rows say so when one is damaged further on.
    pub fn people(&self) -> Result<People, SnapshotError> {
        Ok(People {
            rows: RowReader::open(&people_path(&self.dir))?,
            recorded: Keyed::new(lookups::recorded(&self.dir, &self.dir, SORT_BYTES)?, |lookup| lookup.hash),
        })
    }

    /// Those of [`Snapshot::people`] that stand at these places, which ascend; the first person's is 0. Rows between
    /// them are passed over unread.
    ///
    /// # Errors
    /// As [`Snapshot::people`].
    pub fn people_at<'a>(
        &self,
        places: &'a [u32],
    ) -> Result<impl Iterator<Item = Result<PersonRow, SnapshotError>> + use<'a>, SnapshotError> {
        let mut people = self.people()?;
        let mut next = 0;
        Ok(places.iter().map_while(move |place| {
            let passed = people.rows.pass_over(place.saturating_sub(next));
            next = place.saturating_add(1);
            match passed {
                Ok(()) => people.next(),
                Err(problem) => Some(Err(problem)),
            }
        }))
    }

    /// One person, by search: no more than a few blocks are read, however many people there are.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn person(&self, key: PersonKey) -> Result<Option<PersonRow>, SnapshotError> {
        let Some(mut row) = find(&people_path(&self.dir), |row: &PersonRow| row.key, &key)? else {
            return Ok(None);
        };
        if let PersonKey::Hash(hash) = key
            && let Some(lookup) = lookups::last_recorded(&self.dir, hash)?
        {
            amend(&mut row, lookup);
        }
        Ok(Some(row))
    }

    /// The contacts, by record.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn contacts(&self) -> Result<RowReader<Contact>, SnapshotError> {
        RowReader::open(&contacts_path(&self.dir))
    }

    /// The members, by subscriber hash.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn members(&self) -> Result<RowReader<Member>, SnapshotError> {
        RowReader::open(&members_path(&self.dir))
    }

    /// The members of one list, by record.
    ///
    /// # Errors
    /// When the file cannot be opened; also when the list was not scanned.
    pub fn list(&self, list: ListId) -> Result<RowReader<Membership>, SnapshotError> {
        RowReader::open(&list_path(&self.dir, list))
    }

    /// Records that are in a list but that HubSpot did not answer for: nobody may be taken for gone
    /// because of them.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn unanswered(&self) -> Result<BTreeSet<RecordId>, SnapshotError> {
        RowReader::open(&unanswered_path(&self.dir))?.collect()
    }

    /// Every address HubSpot was asked for, by hash, with its last answer.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn lookups(
        &self,
    ) -> Result<impl Iterator<Item = Result<LookupRow, SnapshotError>> + use<>, SnapshotError> {
        lookups::all(&self.dir, &self.dir, SORT_BYTES)
    }

    /// Records answers of HubSpot durably. [`Snapshot::people`] shows them from its next call on, and
    /// later scans carry them on and keep following the contacts that were found.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record_lookups(&self, answers: Vec<Lookup>) -> Result<(), SnapshotError> {
        if answers.is_empty() {
            return Ok(());
        }
        let mut log = PageLog::open(&lookups::recorded_path(&self.dir))?;
        log.append(Page { rows: answers, next: None, total: None })?;
        log.sync()
    }

    /// Whether answers were recorded since the scan.
    pub(crate) fn has_recorded_lookups(&self) -> bool {
        lookups::recorded_path(&self.dir).exists()
    }
}

/// The people of a snapshot.
pub struct People {
    rows: RowReader<PersonRow>,
    recorded: Keyed<Lookup, SubscriberHash, RecordedLookups>,
}

impl People {
    fn amend(&mut self, row: &mut PersonRow) -> Result<(), SnapshotError> {
        let PersonKey::Hash(hash) = row.key else { return Ok(()) };
        if let Some(lookup) = self.recorded.take(hash)?.pop() {
            amend(row, lookup);
        }
        Ok(())
    }
}

/// Adds what HubSpot answered since the scan.
fn amend(row: &mut PersonRow, lookup: Lookup) {
    row.looked_up = Some(LookedUp { at: lookup.at, record: lookup.row().record });
    if let Some(found) = lookup.found
        && row.contacts.iter().all(|(contact, _)| contact.record != found.0.record)
    {
        row.contacts.push(found);
        row.contacts.sort_by_key(|(contact, _)| contact.record);
    }
}

impl Iterator for People {
    type Item = Result<PersonRow, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.and_then(|mut row| self.amend(&mut row).map(|()| row)))
    }
}

/// The file of a list.
pub(crate) fn list_path(dir: &Path, list: ListId) -> PathBuf {
    dir.join(format!("list-{list}.rows"))
}
/// The file of the contacts.
pub(crate) fn contacts_path(dir: &Path) -> PathBuf {
    dir.join("contacts.rows")
}
/// The file of the members.
pub(crate) fn members_path(dir: &Path) -> PathBuf {
    dir.join("members.rows")
}
/// The file of the people.
pub(crate) fn people_path(dir: &Path) -> PathBuf {
    dir.join("people.rows")
}
/// The file of records that were not answered.
pub(crate) fn unanswered_path(dir: &Path) -> PathBuf {
    dir.join("unanswered.rows")
}
