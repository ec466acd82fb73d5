//! Damage: which records are not as they were written, and what of it can be made anew from others.
//!
//! Never: guessing what a record said.

use super::key::Key;
use super::ledger::{Journal, JournalResult, LAST_RUN, NEXT_PERSON, PAGE, hashes};
use super::store::{Batch, Table};
use super::verify::Place;
use crate::domain::id::{MoveId, PersonId, RunId};
use std::collections::BTreeSet;

impl Journal {
    /// Keys whose records were found damaged when the store was opened, and have not been written since.
    pub fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        self.store().damaged()
    }

    /// A record's name, by its numbers; never an address or its hash.
    pub fn name_of(&self, table: Table, key: &[u8]) -> String {
        Place::Record(table, key.to_vec()).to_string()
    }

    /// People whose records were found damaged: what is there of them may be old, or missing.
    pub fn damaged_people(&self) -> BTreeSet<PersonId> {
        let people = self.damaged().into_iter().filter(|(table, _)| *table == Table::People);
        people.filter_map(|(_, key)| PersonId::from_key(&key)).collect()
    }

    /// Makes anew what damage can be made anew from other records: the counters of people and runs, and the
    /// indexes of people. Single values named in `forgotten` go. Gives how many keys are whole again.
    ///
    /// # Errors
    /// The index cannot be read, or the journal cannot be written.
    pub async fn mend(&self, forgotten: &[&str]) -> JournalResult<u64> {
        let damaged: BTreeSet<(Table, Vec<u8>)> = self.damaged().into_iter().collect();
        if damaged.is_empty() {
            return Ok(0);
        }
        let mut batch = Batch::new();
        let meta = |name: &str| damaged.contains(&(Table::Meta, name.as_bytes().to_vec()));
        if meta(NEXT_PERSON) {
            let tables = [Table::People, Table::PersonMoves, Table::Evidence, Table::History];
            let mut last = 0;
            for table in tables {
                last = last.max(self.last_number(table)?);
            }
            // Numbers of the last range may have been handed out without a record.
            let next = last.saturating_add(10_000);
            self.meta_put(&mut batch, NEXT_PERSON, &next)?;
        }
        if meta(LAST_RUN) {
            let last = self.last_number(Table::Runs)?.max(self.last_number(Table::Moves)?);
            self.meta_put(&mut batch, LAST_RUN, &RunId(last))?;
        }
        for name in forgotten.iter().filter(|name| meta(name)) {
            self.meta_delete(&mut batch, name);
        }
        for (_, key) in damaged.iter().filter(|(table, _)| *table == Table::Watermarks) {
            batch.delete(Table::Watermarks, key.clone());
        }
        if damaged.iter().any(|(table, _)| matches!(table, Table::PeopleByHash | Table::PeopleByRecord)) {
            self.mend_indexes(&mut batch, &damaged)?;
        }
        let mended = batch.changes.len() as u64;
        if mended > 0 {
            self.commit(batch).await?;
        }
        Ok(mended)
    }

    fn mend_indexes(&self, batch: &mut Batch, damaged: &BTreeSet<(Table, Vec<u8>)>) -> JournalResult<()> {
        let mut after = None;
        loop {
            let page = self.people(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for person in &page {
                for hash in hashes(person) {
                    if damaged.contains(&(Table::PeopleByHash, hash.to_key())) {
                        Journal::put(batch, Table::PeopleByHash, &hash, &person.id)?;
                    }
                }
                if let Some(record) = person.record
                    && damaged.contains(&(Table::PeopleByRecord, record.to_key()))
                {
                    Journal::put(batch, Table::PeopleByRecord, &record, &person.id)?;
                }
            }
        }
    }

    /// The highest number that a table's keys begin with.
    fn last_number(&self, table: Table) -> JournalResult<u64> {
        let mut last = 0;
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.store().scan(table, &[], after.as_deref(), PAGE)?;
            let Some((key, _)) = page.into_iter().next_back() else { return Ok(last) };
            last = key.first_chunk::<8>().map_or(last, |number| u64::from_be_bytes(*number));
            after = Some(key);
        }
    }

    /// Moves whose records were found damaged when the store was opened: each holds its person, nobody else.
    pub fn damaged_moves(&self) -> Vec<MoveId> {
        let damaged = self.store().damaged();
        damaged
            .iter()
            .filter(|(table, _)| *table == Table::Moves)
            .filter_map(|(_, key)| MoveId::from_key(key))
            .collect()
    }
}
