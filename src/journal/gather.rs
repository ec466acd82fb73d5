//! Many records at once, by ascending keys: the keys and the table are read side by side, so that a page of the
//! index is read once for everybody on it.
//!
//! Promises: the same answers as asking one by one. Never: reading much more than was asked for; where the keys lie
//! far apart, it goes from one to the next.

use super::codec;
use super::key::Key;
use super::ledger::{Journal, JournalResult, in_table};
use super::store::Table;
use crate::domain::email::SubscriberHash;
use crate::domain::id::PersonId;
use crate::domain::person::Person;
use std::collections::BTreeMap;

/// Entries read at once, at most.
const WIDEST: usize = 256;

impl Journal {
    /// The people that addresses belong to, by ascending subscriber hashes: as [`Journal::person_by_hash`], for many.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn people_by_hashes(
        &self,
        hashes: &[SubscriberHash],
    ) -> JournalResult<BTreeMap<SubscriberHash, PersonId>> {
        let mut found = BTreeMap::new();
        self.gather(Table::PeopleByHash, hashes, |hash, value| {
            found.insert(hash, in_table(Table::PeopleByHash, codec::decode(value))?);
            Ok(())
        })?;
        Ok(found)
    }

    /// People by ascending numbers: as [`Journal::person`], for many.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn people_numbered(&self, ids: &[PersonId]) -> JournalResult<BTreeMap<PersonId, Person>> {
        let mut found = BTreeMap::new();
        self.gather(Table::People, ids, |id, value| {
            found.insert(id, in_table(Table::People, codec::decode(value))?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Gives the value of each key that has one. `keys` ascend, and so do their bytes.
    fn gather<K: Key + Copy>(
        &self,
        table: Table,
        keys: &[K],
        mut each: impl FnMut(K, &[u8]) -> JournalResult<()>,
    ) -> JournalResult<()> {
        let mut wanted = keys.iter().map(|key| (*key, key.to_key())).peekable();
        let mut width = WIDEST;
        while let Some((key, bytes)) = wanted.next() {
            // Far from each other: one by one, until two are close again.
            let value = self.store().get(table, &bytes)?;
            if let Some(value) = &value {
                each(key, value)?;
            }
            let mut after = bytes;
            loop {
                let left = wanted.len();
                if left == 0 {
                    return Ok(());
                }
                let page = self.store().scan(table, &[], Some(&after), width.min(left))?;
                let (read, mut met) = (page.len(), 0);
                for (at, value) in &page {
                    while wanted.next_if(|(_, bytes)| bytes < at).is_some() {}
                    if let Some((key, _)) = wanted.next_if(|(_, bytes)| bytes == at) {
                        each(key, value)?;
                        met += 1;
                    }
                }
                match page.last() {
                    None => return Ok(()),
                    Some((last, _)) => after.clone_from(last),
                }
                if met * 4 < read {
                    width = (width / 4).max(4);
                    break;
                }
                width = (width * 2).min(WIDEST);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email::Email;
    use crate::domain::id::RecordId;
    use crate::domain::time::Timestamp;
    use crate::journal::store::Batch;
    use crate::journal::store::memory::MemoryStore;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn someone(id: u64) -> Person {
        let email = Email::parse(&format!("{id}@example.com")).ok();
        Person::new(PersonId(id), email, Some(RecordId(id)), Timestamp(0))
    }

    fn holding(ids: &BTreeSet<u64>) -> Journal {
        let journal = Journal::new(Arc::new(MemoryStore::new()));
        let mut batch = Batch::new();
        for id in ids {
            journal.put_person(&mut batch, &someone(*id), None).unwrap();
        }
        futures::executor::block_on(journal.commit(batch)).unwrap();
        journal
    }

    proptest! {
        #[test]
        fn many_at_once_are_the_same_as_one_by_one(
            there in prop::collection::btree_set(0..3_000_u64, 0..600),
            asked in prop::collection::btree_set(0..3_000_u64, 0..600),
            dense: bool,
        ) {
            let asked = if dense { there.iter().copied().chain(asked).collect() } else { asked };
            let journal = holding(&there);
            let ids: Vec<PersonId> = asked.iter().copied().map(PersonId).collect();
            let alone = ids.iter().filter_map(|id| Some((*id, journal.person(*id).unwrap()?)));
            prop_assert_eq!(journal.people_numbered(&ids).unwrap(), alone.collect());

            let hashes: BTreeSet<SubscriberHash> =
                asked.iter().filter_map(|id| Some(someone(*id).email?.hash())).collect();
            let hashes: Vec<SubscriberHash> = hashes.into_iter().collect();
            let alone = hashes.iter().filter_map(|hash| Some((*hash, journal.person_by_hash(*hash).unwrap()?)));
            prop_assert_eq!(journal.people_by_hashes(&hashes).unwrap(), alone.collect());
        }
    }
}
