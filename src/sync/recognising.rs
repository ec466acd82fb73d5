//! Rows of a snapshot, each with the person it belongs to. Rows stand in the order of the addresses' hashes, and so
//! do the journal's entries for these: a handful of rows is looked up in one go.
//!
//! Promises: the same person as [`known`] finds. Never: remembering more than a handful of rows.

use super::error::RunError;
use super::identify::{is_anothers, known};
use super::snapshot::{PersonKey, PersonRow, SnapshotError};
use crate::domain::email::SubscriberHash;
use crate::domain::id::PersonId;
use crate::domain::person::Person;
use crate::journal::ledger::Journal;
use std::collections::BTreeMap;

/// Rows looked up in one go.
const HANDFUL: usize = 256;

/// A row, and the person it belongs to; none for a row that belongs to nobody known.
pub(super) type Recognised = (PersonRow, Option<Person>);

/// Rows in handfuls, as they are looked up.
pub(super) fn handfuls<Rows>(mut rows: Rows) -> impl Iterator<Item = Result<Vec<PersonRow>, SnapshotError>>
where
    Rows: Iterator<Item = Result<PersonRow, SnapshotError>>,
{
    std::iter::from_fn(move || {
        let handful: Result<Vec<PersonRow>, _> = rows.by_ref().take(HANDFUL).collect();
        (!matches!(&handful, Ok(rows) if rows.is_empty())).then_some(handful)
    })
}

/// Looks up whose rows these are; they ascend by their keys.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn recognise(journal: &Journal, rows: Vec<PersonRow>) -> Result<Vec<Recognised>, RunError> {
    let hash = |row: &PersonRow| match row.key {
        PersonKey::Hash(hash) => Some(hash),
        PersonKey::Record(_) => None,
    };
    let hashes: Vec<SubscriberHash> = rows.iter().filter_map(hash).collect();
    let ids = journal.people_by_hashes(&hashes)?;
    let mut ascending: Vec<PersonId> = ids.values().copied().collect();
    ascending.sort_unstable();
    ascending.dedup();
    let mut people: BTreeMap<PersonId, Person> = journal.people_numbered(&ascending)?;
    let mut recognised = Vec::with_capacity(rows.len());
    for row in rows {
        // Taken, not copied. Whoever has a second row, or is known by something else than their address, and
        // whose member's address is another contact's, all of which are rare, is looked up by itself.
        let person = hash(&row).and_then(|hash| people.remove(ids.get(&hash)?));
        let person = match person {
            Some(person) if !is_anothers(journal, &row, &person)? => Some(person),
            _ => known(journal, &row)?,
        };
        recognised.push((row, person));
    }
    Ok(recognised)
}

/// All of these rows, one handful after another.
pub(super) fn recognised<Rows>(
    journal: &Journal,
    rows: Rows,
) -> impl Iterator<Item = Result<Recognised, RunError>>
where
    Rows: Iterator<Item = Result<PersonRow, SnapshotError>>,
{
    handfuls(rows).flat_map(|handful| {
        let recognised = handful.map_err(RunError::from).and_then(|rows| recognise(journal, rows));
        match recognised {
            Ok(people) => people.into_iter().map(Ok).collect(),
            Err(problem) => vec![Err(problem)],
        }
    })
}
