//! Hints of webhooks that nobody has looked into yet, each a single value under what it says and its number, and one more
//! for contacts that nobody is known by.

use super::ledger::{Journal, JournalResult};
use super::store::{Batch, Table};
use crate::domain::hint::{Hint, Hinted, RecordHint, Says};
use crate::domain::time::Timestamp;
use serde::de::DeserializeOwned;

/// The names of a hint's two values.
fn kinds(says: Says) -> [&'static str; 2] {
    match says {
        Says::Changed => ["hint ", "record hint "],
        Says::OptedOut => ["opt-out hint ", "opt-out record hint "],
    }
}

fn name(kind: &str, number: u64) -> String {
    format!("{kind}{number:016x}")
}

/// Every hint that says so, the oldest first.
///
/// # Errors
/// The index cannot be read. A hint that cannot be read is left out, by name: the next scan sees whom it was about.
pub fn all(journal: &Journal, says: Says) -> JournalResult<Vec<(u64, Vec<Hinted>)>> {
    let mut found: Vec<(u64, Vec<Hinted>)> = Vec::new();
    let [of_people, of_records] = kinds(says);
    for (number, Hint { people, .. }) in kept(journal, of_people)? {
        found.push((number, people.into_iter().map(Hinted::Person).collect()));
    }
    for (number, RecordHint { records, .. }) in kept(journal, of_records)? {
        found.push((number, records.into_iter().map(Hinted::Record).collect()));
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found)
}

fn kept<T: DeserializeOwned>(journal: &Journal, kind: &str) -> JournalResult<Vec<(u64, T)>> {
    let mut found = Vec::new();
    for (key, _) in journal.store().scan(Table::Meta, kind.as_bytes(), None, usize::MAX)? {
        let number = key.get(kind.len()..).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(number) = number.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else { continue };
        match journal.meta_get(&name(kind, number)) {
            Ok(hint) => found.extend(hint.map(|hint| (number, hint))),
            Err(problem) => tracing::warn!(%problem, "a webhook's hint cannot be read"),
        }
    }
    Ok(found)
}

/// Keeps a hint.
///
/// # Errors
/// The record is too long.
pub fn put(
    journal: &Journal,
    batch: &mut Batch,
    (number, says): (u64, Says),
    whom: &[Hinted],
    at: Timestamp,
) -> JournalResult<()> {
    let (mut people, mut records) = (Vec::new(), Vec::new());
    for one in whom {
        match one {
            Hinted::Person(person) => people.push(*person),
            Hinted::Record(record) => records.push(*record),
        }
    }
    let [of_people, of_records] = kinds(says);
    if !people.is_empty() {
        journal.meta_put(batch, &name(of_people, number), &Hint { at, people })?;
    }
    if !records.is_empty() {
        journal.meta_put(batch, &name(of_records, number), &RecordHint { at, records })?;
    }
    Ok(())
}

/// Lets a hint go that was looked into.
pub fn delete(journal: &Journal, batch: &mut Batch, number: u64, says: Says) {
    for kind in kinds(says) {
        journal.meta_delete(batch, &name(kind, number));
    }
}
