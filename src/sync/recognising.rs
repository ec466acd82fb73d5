//! Rows of a snapshot, each with the person it belongs to. Rows stand in the order of the addresses' hashes, and so
//! do the journal's entries for these: a handful of rows is looked up in one go.
//!
//! Promises: the same person as [`known`] finds. Never: remembering more than a handful of rows.

use super::error::RunError;
use super::identify::known;
use super::snapshot::{PersonKey, PersonRow, SnapshotError};
use crate::domain::email::SubscriberHash;
use crate::domain::id::PersonId;
use crate::domain::person::Person;
use crate::journal::ledger::Journal;
use std::collections::{BTreeMap, VecDeque};

/// Rows looked up in one go.
const HANDFUL: usize = 256;

/// Rows with their people; none for a row that belongs to nobody known.
pub(super) struct Recognised<'a, Rows> {
    journal: &'a Journal,
    rows: Rows,
    ready: VecDeque<(PersonRow, Option<Person>)>,
}

/// Looks up whose rows these are; they ascend by their keys.
pub(super) fn recognised<Rows>(journal: &Journal, rows: Rows) -> Recognised<'_, Rows>
where
    Rows: Iterator<Item = Result<PersonRow, SnapshotError>>,
{
    Recognised { journal, rows, ready: VecDeque::new() }
}

impl<Rows> Recognised<'_, Rows>
where
    Rows: Iterator<Item = Result<PersonRow, SnapshotError>>,
{
    fn fill(&mut self) -> Result<(), RunError> {
        let rows: Vec<PersonRow> = self.rows.by_ref().take(HANDFUL).collect::<Result<_, _>>()?;
        let hash = |row: &PersonRow| match row.key {
            PersonKey::Hash(hash) => Some(hash),
            PersonKey::Record(_) => None,
        };
        let hashes: Vec<SubscriberHash> = rows.iter().filter_map(hash).collect();
        let ids = self.journal.people_by_hashes(&hashes)?;
        let mut ascending: Vec<PersonId> = ids.values().copied().collect();
        ascending.sort_unstable();
        ascending.dedup();
        let mut people: BTreeMap<PersonId, Person> = self.journal.people_numbered(&ascending)?;
        for row in rows {
            let id = hash(&row).and_then(|hash| ids.get(&hash));
            // Taken, not copied. The second row of one person, which is rare, is looked up by itself.
            let person = id.and_then(|id| people.remove(id));
            self.ready.push_back((row, person));
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Option<(PersonRow, Option<Person>)>, RunError> {
        if self.ready.is_empty() {
            self.fill()?;
        }
        let Some((row, person)) = self.ready.pop_front() else { return Ok(None) };
        let person = match person {
            Some(person) => Some(person),
            // By something else than their address; or made since the handful was looked up.
            None => known(self.journal, &row)?,
        };
        Ok(Some((row, person)))
    }
}

impl<Rows> Iterator for Recognised<'_, Rows>
where
    Rows: Iterator<Item = Result<PersonRow, SnapshotError>>,
{
    type Item = Result<(PersonRow, Option<Person>), RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take().transpose()
    }
}
