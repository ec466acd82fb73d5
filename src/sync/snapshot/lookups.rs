//! What HubSpot answered when it was asked for addresses: kept, so that an address it does not know is
//! not asked for again in every run.

use super::error::SnapshotError;
use super::keyed::Keyed;
use super::pages::PageRows;
use super::person::Found;
use super::rows::RowReader;
use super::sort::{ExternalSorter, Sorted};
use crate::domain::email::SubscriberHash;
use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// An answer as later scans carry it; the contact itself is among the contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupRow {
    /// Whose address was asked for.
    pub hash: SubscriberHash,
    /// When.
    pub at: Timestamp,
    /// The contact, when there is one.
    pub record: Option<RecordId>,
    /// Whether the address is not the contact's own but a secondary one.
    pub secondary: bool,
}

/// An answer as it is recorded after the scan, with the contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Whose address was asked for.
    pub hash: SubscriberHash,
    /// When.
    pub at: Timestamp,
    /// The contact and its lists, when there is one.
    pub found: Option<Found>,
}

impl Lookup {
    /// The answer without the contact.
    pub fn row(&self) -> LookupRow {
        let contact = self.found.as_ref().map(|(contact, _)| contact);
        LookupRow {
            hash: self.hash,
            at: self.at,
            record: contact.map(|contact| contact.record),
            secondary: contact.is_some_and(|c| c.email().is_none_or(|email| email.hash() != self.hash)),
        }
    }
}

/// Where answers are recorded after the scan.
pub(super) fn recorded_path(dir: &Path) -> PathBuf {
    dir.join("lookups.pages")
}

/// Where a scan writes the answers it carries on.
pub(crate) fn carried_path(dir: &Path) -> PathBuf {
    dir.join("lookups.rows")
}

/// Answers recorded after the scan, sorted by hash; of several for one address the last counts.
pub(crate) type RecordedLookups = Sorted<Lookup, SubscriberHash>;

/// The answers recorded in `dir` since its scan, with spill files in `spill`.
pub(crate) fn recorded(dir: &Path, spill: &Path, budget: usize) -> Result<RecordedLookups, SnapshotError> {
    let mut sorter = ExternalSorter::new(spill, "lookups", budget, |lookup: &Lookup| lookup.hash);
    for lookup in PageRows::<Lookup>::open(&recorded_path(dir))? {
        sorter.push(&lookup?)?;
    }
    sorter.finish()
}

/// The last answer for one address that was recorded in `dir` since its scan.
pub(super) fn last_recorded(dir: &Path, hash: SubscriberHash) -> Result<Option<Lookup>, SnapshotError> {
    let mut last = None;
    for lookup in PageRows::<Lookup>::open(&recorded_path(dir))? {
        let lookup = lookup?;
        if lookup.hash == hash {
            last = Some(lookup);
        }
    }
    Ok(last)
}

/// All answers a snapshot knows, by hash, each address once: carried and recorded ones.
pub(super) fn all(
    dir: &Path,
    spill: &Path,
    budget: usize,
) -> Result<impl Iterator<Item = Result<LookupRow, SnapshotError>> + use<>, SnapshotError> {
    let mut carried =
        Keyed::new(RowReader::<LookupRow>::open(&carried_path(dir))?, |row: &LookupRow| row.hash);
    let mut fresh = Keyed::new(recorded(dir, spill, budget)?, |lookup: &Lookup| lookup.hash);
    let mut next = move || -> Result<Option<LookupRow>, SnapshotError> {
        let Some(hash) = carried.next_key()?.into_iter().chain(fresh.next_key()?).min() else {
            return Ok(None);
        };
        let old = carried.take(hash)?.pop();
        Ok(fresh.take(hash)?.last().map(Lookup::row).or(old))
    };
    let mut ended = false;
    Ok(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let row = next().transpose();
        ended = !matches!(row, Some(Ok(_)));
        row
    }))
}
