//! The names that lists have had (R11): one record for each, the newest last.

use super::codec::{self, DecodeError, Record};
use super::key::Key;
use super::ledger::{Journal, JournalError, JournalResult};
use super::store::{Batch, Table};
use crate::domain::id::ListId;
use crate::domain::naming::ListNaming;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

impl Record for ListNaming {
    const KIND: &'static str = "list name";
}

/// A list's name from a moment on: sorts by list, then by moment.
impl Key for (ListId, Timestamp) {
    fn to_key(&self) -> Vec<u8> {
        let moment = self.1.0.cast_unsigned() ^ (1 << 63);
        [self.0.0.to_be_bytes(), moment.to_be_bytes()].concat()
    }
    fn from_key(bytes: &[u8]) -> Option<Self> {
        let (list, moment) = bytes.split_at_checked(8)?;
        let moment = u64::from_be_bytes(moment.try_into().ok()?) ^ (1 << 63);
        Some((ListId(u64::from_be_bytes(list.try_into().ok()?)), Timestamp(moment.cast_signed())))
    }
}

fn unreadable(why: DecodeError) -> JournalError {
    JournalError::Record { table: Table::ListNames, why }
}

/// Every name that every list has had, by list, oldest first.
///
/// # Errors
/// The index, or a record, cannot be read.
pub fn all(journal: &Journal) -> JournalResult<BTreeMap<ListId, Vec<ListNaming>>> {
    let mut names: BTreeMap<ListId, Vec<ListNaming>> = BTreeMap::new();
    for (key, value) in journal.store().scan(Table::ListNames, &[], None, usize::MAX)? {
        let (list, _) = <(ListId, Timestamp)>::from_key(&key)
            .ok_or_else(|| unreadable(DecodeError::Malformed { kind: "key" }))?;
        names.entry(list).or_default().push(codec::decode(&value).map_err(unreadable)?);
    }
    Ok(names)
}

/// The name each list was last seen with.
///
/// # Errors
/// As [`all`].
pub fn last(journal: &Journal) -> JournalResult<BTreeMap<ListId, ListNaming>> {
    Ok(all(journal)?.into_iter().filter_map(|(list, mut names)| Some((list, names.pop()?))).collect())
}

/// Keeps a list's name; the same name with another tag takes the place of what was known of it.
///
/// # Errors
/// The record is too long.
pub fn put(batch: &mut Batch, list: ListId, naming: &ListNaming) -> JournalResult<()> {
    let value = codec::encode(naming).map_err(unreadable)?;
    batch.put(Table::ListNames, (list, naming.at).to_key(), value);
    Ok(())
}
