//! People who were forgotten: everything that names them goes in one commit; a keyed hash stays, so that they
//! are left alone when they come again.
//!
//! Promises: without the workspace's key, nobody can tell from a hash whose address it is; what is still to be
//! removed from files is on record until it is. Never: deleting a move or a link of the consent chain: neither
//! names anybody.

use super::codec::{self, DecodeError, Record};
use super::consent::{ConsentLedger, keyed_hash};
use super::key::Key;
use super::ledger::{Journal, JournalError, JournalResult, in_table};
use super::store::{Batch, Table};
use crate::domain::email::Email;
use crate::domain::forget::{Forgotten, Receipt, Trace};
use crate::domain::id::{MoveId, RecordId};
use crate::domain::person::Person;
use crate::domain::port::Entropy;
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The name of the key that addresses are hashed with.
const KEY: &str = "forgotten-key";
/// Before the names of traces.
const TRACE: &str = "forget-trace ";
/// Before the names of receipts.
const RECEIPT: &str = "forget-receipt ";
/// Set from the moment a record is deleted until no file holds a byte of it.
const COMPACT: &str = "forget-compact";

impl Record for Forgotten {
    const KIND: &'static str = "forgotten person";
}

/// Everybody forgotten, in memory: they are few.
#[derive(Clone, Default)]
pub struct ForgottenPeople {
    key: Option<[u8; 32]>,
    known: BTreeMap<Vec<u8>, Forgotten>,
}

impl ForgottenPeople {
    /// Reads all of them.
    ///
    /// # Errors
    /// The journal, or a record, cannot be read.
    pub fn load(journal: &Journal) -> JournalResult<ForgottenPeople> {
        let mut known = BTreeMap::new();
        // A record that cannot be read says as much as it must: somebody was forgotten.
        let unknown = Forgotten { at: Timestamp(0), opted_out: true };
        for (key, value) in journal.store().scan(Table::Forgotten, &[], None, usize::MAX)? {
            known.insert(key, codec::decode(&value).unwrap_or(unknown));
        }
        let damaged = journal.store().damaged().into_iter().filter(|(table, _)| *table == Table::Forgotten);
        known.extend(damaged.map(|(_, key)| (key, unknown)));
        let key = journal.meta_get(KEY)?;
        if key.is_none() && !known.is_empty() {
            // Without it nobody forgotten is recognised: better no run than one that takes them in again.
            let why = DecodeError::Malformed { kind: "key of forgotten addresses" };
            return Err(JournalError::Record { table: Table::Meta, why });
        }
        Ok(ForgottenPeople { key, known })
    }

    /// Whether nobody was ever forgotten.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What is known of an address, if it was forgotten.
    pub fn find(&self, email: &Email) -> Option<Forgotten> {
        let key = self.key.filter(|_| !self.known.is_empty())?;
        self.known.get(keyed_hash(&key, email).as_slice()).copied()
    }
}

impl Journal {
    /// Makes the key that addresses are hashed with durable, where there is none. Before anybody is erased, and by one
    /// caller at a time: of two people erased at once, each with a key made for them, one would not be known again.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn ready_to_forget(&self, entropy: &dyn Entropy) -> JournalResult<()> {
        if self.meta_get::<[u8; 32]>(KEY)?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::new();
        self.meta_put(&mut batch, KEY, &entropy.secret())?;
        self.commit(batch).await?;
        Ok(())
    }

    /// Deletes everything that names a person, and puts what stays in its place. `trace` says what is still to
    /// be removed from files.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn erase_person(
        &self,
        consent: &ConsentLedger,
        entropy: &dyn Entropy,
        batch: &mut Batch,
        person: &Person,
        mut trace: Trace,
    ) -> JournalResult<()> {
        let key = match self.meta_get::<[u8; 32]>(KEY)? {
            Some(key) => key,
            None => {
                let key = entropy.secret();
                self.meta_put(batch, KEY, &key)?;
                key
            }
        };
        let forgotten = Forgotten { at: trace.receipt.erased, opted_out: trace.receipt.opted_out };
        for email in [&person.email, &person.previous_email].into_iter().flatten() {
            batch.put(
                Table::Forgotten,
                keyed_hash(&key, email),
                in_table(Table::Forgotten, codec::encode(&forgotten))?,
            );
        }
        trace.receipt.lines = self.erase_records(consent, batch, person, &trace.records)?;
        self.put_trace(batch, &trace)
    }

    /// What is still to be removed from files, the journal's own among them.
    ///
    /// # Errors
    /// The trace is too long.
    pub fn put_trace(&self, batch: &mut Batch, trace: &Trace) -> JournalResult<()> {
        self.meta_put(batch, &format!("{TRACE}{}", trace.by), trace)?;
        self.set_must_compact(batch)
    }

    /// Deletes a person's record, what leads to it, and what it left behind; nothing stays in its place. How
    /// many past states and audit lines went.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn erase_records(
        &self,
        consent: &ConsentLedger,
        batch: &mut Batch,
        person: &Person,
        records: &[RecordId],
    ) -> JournalResult<u64> {
        let id = person.id;
        for email in [&person.email, &person.previous_email].into_iter().flatten() {
            if self.person_by_hash(email.hash())? == Some(id) {
                batch.delete(Table::PeopleByHash, email.hash().to_key());
            }
        }
        let records: BTreeSet<RecordId> = records.iter().copied().chain(person.record).collect();
        for record in records {
            if self.person_by_record(record)? == Some(id) {
                batch.delete(Table::PeopleByRecord, record.to_key());
            }
        }
        let mut lines = 0;
        for table in [Table::History, Table::Audit] {
            for (key, _) in self.store().scan(table, &id.to_key(), None, usize::MAX)? {
                batch.delete(table, key);
                lines += 1;
            }
        }
        consent.forget_salt(batch, id);
        batch.delete(Table::People, id.to_key());
        Ok(lines)
    }

    /// What is still to be removed from files.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn traces(&self) -> JournalResult<Vec<Trace>> {
        self.named(TRACE)
    }

    /// Whether a deleted record may still stand in some file of the journal.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn must_compact(&self) -> JournalResult<bool> {
        Ok(self.meta_get(COMPACT)?.unwrap_or(false))
    }

    /// A deleted record may still stand in some file of the journal.
    ///
    /// # Errors
    /// Never.
    pub fn set_must_compact(&self, batch: &mut Batch) -> JournalResult<()> {
        self.meta_put(batch, COMPACT, &true)
    }

    /// No file of the journal holds a deleted record any more.
    pub fn compacted(&self, batch: &mut Batch) {
        self.meta_delete(batch, COMPACT);
    }

    /// Nothing of the person is left in any file: the trace goes, the receipt stays.
    ///
    /// # Errors
    /// The receipt is too long.
    pub fn end_trace(&self, batch: &mut Batch, receipt: &Receipt) -> JournalResult<()> {
        self.meta_delete(batch, &format!("{TRACE}{}", receipt.by));
        self.meta_put(batch, &format!("{RECEIPT}{}", receipt.by), receipt)
    }

    /// The receipt of a move that forgot somebody, once it is done.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn receipt(&self, by: MoveId) -> JournalResult<Option<Receipt>> {
        self.meta_get(&format!("{RECEIPT}{by}"))
    }

    /// All receipts.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn receipts(&self) -> JournalResult<Vec<Receipt>> {
        self.named(RECEIPT)
    }

    fn named<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> JournalResult<Vec<T>> {
        let found = self.store().scan(Table::Meta, prefix.as_bytes(), None, usize::MAX)?;
        let mut values = Vec::with_capacity(found.len());
        for (name, _) in found {
            values.extend(self.meta_get(&String::from_utf8_lossy(&name))?);
        }
        Ok(values)
    }
}
