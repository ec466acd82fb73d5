//! Hints of webhooks that nobody has looked into yet, each a single value under its number.

use super::ledger::{Journal, JournalResult};
use super::store::{Batch, Table};
use crate::domain::hint::Hint;

const NAMES: &str = "hint ";

fn name(number: u64) -> String {
    format!("{NAMES}{number:016x}")
}

/// Every hint, the oldest first.
///
/// # Errors
/// The index cannot be read. A hint that cannot be read is left out, by name: the next scan sees whom it was about.
pub fn all(journal: &Journal) -> JournalResult<Vec<(u64, Hint)>> {
    let mut found = Vec::new();
    for (key, _) in journal.store().scan(Table::Meta, NAMES.as_bytes(), None, usize::MAX)? {
        let number = key.get(NAMES.len()..).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(number) = number.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else { continue };
        match journal.meta_get(&name(number)) {
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
pub fn put(journal: &Journal, batch: &mut Batch, number: u64, hint: &Hint) -> JournalResult<()> {
    journal.meta_put(batch, &name(number), hint)
}

/// Lets a hint go that was looked into.
pub fn delete(journal: &Journal, batch: &mut Batch, number: u64) {
    journal.meta_delete(batch, &name(number));
}
