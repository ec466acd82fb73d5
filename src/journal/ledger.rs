//! The journal as others call it: people, runs and moves over a store. Evidence of consent has a ledger of its
//! own ([`super::consent`]).
//!
//! Promises: a person's two indexes and the list of open moves always agree with what they point to,
//! because both are put into the same batch. Reads block for as long as the index takes (microseconds);
//! only [`Journal::commit`] waits for the disk. Never: judging what an event means.

use super::codec::{self, DecodeError, Record};
use super::key::{Key, PersonMoment};
use super::record;
use super::store::{Batch, Change, Entry, Sequence, Store, StoreError, Table};
use crate::domain::audit::AuditLine;
use crate::domain::code::Code;
use crate::domain::email::SubscriberHash;
use crate::domain::event::MoveEvent;
use crate::domain::id::{MoveId, PersonId, RecordId, RunId};
use crate::domain::person::{PastState, Person};
use crate::domain::restored::Restored;
use crate::domain::run::Run;
use crate::domain::time::Timestamp;
use crate::domain::watermark::Watermark;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What can be wrong with the journal.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record in it. The key is not named: it may be an address's hash.
    #[error("the journal's table {table:?}: {why}")]
    Record {
        /// Where.
        table: Table,
        /// What is wrong.
        why: DecodeError,
    },
}

impl JournalError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            JournalError::Store(error) => error.code(),
            JournalError::Record { .. } => Code::RecordDamaged,
        }
    }
}

/// Result of a journal call.
pub type JournalResult<T> = Result<T, JournalError>;

/// Names in the table of single values.
pub(super) const NEXT_PERSON: &str = "next-person";
pub(super) const LAST_RUN: &str = "last-run";
const RESTORED: &str = "restored";
/// The version byte of single values. Their types are their callers' to freeze.
const META_VERSION: u8 = 1;
/// Entries per read of a whole table.
pub(super) const PAGE: usize = 1000;

/// The journal. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    store: Arc<dyn Store>,
    /// Held while numbers are handed out, so that none is handed out twice.
    numbers: Arc<Mutex<()>>,
    /// Held while alerts are changed: whoever raises one and whoever tells it are not the same.
    outbox: Arc<Mutex<()>>,
}

pub(super) fn in_table<T>(table: Table, outcome: Result<T, DecodeError>) -> JournalResult<T> {
    outcome.map_err(|why| JournalError::Record { table, why })
}

pub(super) fn key_in<K: Key>(table: Table, bytes: &[u8]) -> JournalResult<K> {
    in_table(table, K::from_key(bytes).ok_or(DecodeError::Malformed { kind: "key" }))
}

impl Journal {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>) -> Journal {
        Journal { store, numbers: Arc::default(), outbox: Arc::default() }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(super) async fn one_outbox_writer(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.outbox).lock_owned().await
    }

    /// Makes a batch durable.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(&self, batch: Batch) -> JournalResult<Sequence> {
        Ok(self.store.commit(batch).await?)
    }

    pub(super) fn read<R: Record>(&self, table: Table, key: &impl Key) -> JournalResult<Option<R>> {
        let bytes = self.store.get(table, &key.to_key())?;
        in_table(table, bytes.map(|bytes| codec::decode(&bytes)).transpose())
    }

    pub(super) fn put<R: Record>(
        batch: &mut Batch,
        table: Table,
        key: &impl Key,
        record: &R,
    ) -> JournalResult<()> {
        batch.put(table, key.to_key(), in_table(table, codec::encode(record))?);
        Ok(())
    }

    // Moves.

    /// The events of a move, in order; empty when there is no such move.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn events(&self, id: MoveId) -> JournalResult<Vec<MoveEvent>> {
        let bytes = self.store.get(Table::Moves, &id.to_key())?.unwrap_or_default();
        in_table(Table::Moves, record::decode_events(&bytes))
    }

    /// Adds an event to a move. `Planned` opens the move and notes it with its person, `Ended` closes it.
    ///
    /// # Errors
    /// The event is too long.
    pub fn append_event(
        &self,
        batch: &mut Batch,
        id: MoveId,
        person: PersonId,
        event: &MoveEvent,
    ) -> JournalResult<()> {
        let bytes = in_table(Table::Moves, record::encode_move_event(event))?;
        batch.append(Table::Moves, id.to_key(), bytes);
        match event {
            MoveEvent::Planned { .. } => {
                batch.put(Table::OpenMoves, id.to_key(), []);
                batch.put(Table::PersonMoves, (person, id).to_key(), []);
            }
            MoveEvent::Ended { .. } => {
                batch.delete(Table::OpenMoves, id.to_key());
            }
            _ => {}
        }
        Ok(())
    }

    /// Whose a move is, by the index of people's moves: for a move whose own records cannot be read.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn person_of_move(&self, id: MoveId) -> JournalResult<Option<PersonId>> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.store.scan(Table::PersonMoves, &[], after.as_deref(), PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(None) };
            after = Some(last.clone());
            for (key, _) in &page {
                let (person, found) = key_in::<(PersonId, MoveId)>(Table::PersonMoves, key)?;
                if found == id {
                    return Ok(Some(person));
                }
            }
        }
    }

    /// Moves that have not ended, in order, after one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn open_moves(&self, after: Option<MoveId>, limit: usize) -> JournalResult<Vec<MoveId>> {
        let after = after.map(|id| id.to_key());
        let found = self.store.scan(Table::OpenMoves, &[], after.as_deref(), limit)?;
        found.iter().map(|(key, _)| key_in(Table::OpenMoves, key)).collect()
    }

    /// Moves of any run in order, after one, with their events; none of those that cannot be read.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn moves(
        &self,
        after: Option<MoveId>,
        limit: usize,
    ) -> JournalResult<Vec<(MoveId, Option<Vec<MoveEvent>>)>> {
        let after = after.map(|id| id.to_key());
        let found = self.store.scan(Table::Moves, &[], after.as_deref(), limit)?;
        let read = |(key, value): &Entry| Ok((key_in(Table::Moves, key)?, record::decode_events(value).ok()));
        found.iter().map(read).collect()
    }

    /// Moves of a run with their events, in order, after one.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn moves_of_run(
        &self,
        run: RunId,
        after: Option<MoveId>,
        limit: usize,
    ) -> JournalResult<Vec<(MoveId, Vec<MoveEvent>)>> {
        let after = after.map(|id| id.to_key());
        let found = self.store.scan(Table::Moves, &run.to_key(), after.as_deref(), limit)?;
        let read = |(key, value): &Entry| {
            Ok((key_in(Table::Moves, key)?, in_table(Table::Moves, record::decode_events(value))?))
        };
        found.iter().map(read).collect()
    }

    /// All moves of a person, oldest first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn moves_of_person(&self, person: PersonId) -> JournalResult<Vec<MoveId>> {
        let found = self.store.scan(Table::PersonMoves, &person.to_key(), None, usize::MAX)?;
        let read = |(key, _): &Entry| key_in::<(PersonId, MoveId)>(Table::PersonMoves, key).map(|(_, id)| id);
        found.iter().map(read).collect()
    }

    /// Whether a move of a person is not over; one whose details were given up is.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn has_open_move(&self, person: PersonId) -> JournalResult<bool> {
        for id in self.moves_of_person(person)? {
            if self.store.get(Table::OpenMoves, &id.to_key())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives up the details of a move that has ended, for one line of the audit.
    ///
    /// # Errors
    /// The line is too long.
    pub fn shrink_move(
        &self,
        batch: &mut Batch,
        id: MoveId,
        person: PersonId,
        line: &AuditLine,
    ) -> JournalResult<()> {
        batch.delete(Table::Moves, id.to_key());
        Journal::put(batch, Table::Audit, &(person, id), line)
    }

    /// What is left of a person's move whose details were given up.
    ///
    /// # Errors
    /// The index, or the record, cannot be read.
    pub fn audit(&self, person: PersonId, id: MoveId) -> JournalResult<Option<AuditLine>> {
        self.read(Table::Audit, &(person, id))
    }

    /// What is left of a move whose details were given up, and whose it was.
    ///
    /// # Errors
    /// The index, or the record, cannot be read.
    pub fn audit_of_move(&self, id: MoveId) -> JournalResult<Option<(PersonId, AuditLine)>> {
        let Some(person) = self.person_of_move(id)? else { return Ok(None) };
        Ok(self.audit(person, id)?.map(|line| (person, line)))
    }

    /// When the details of each move of a run were given up, of those whose were.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn given_up_of_run(&self, run: RunId) -> JournalResult<Vec<Timestamp>> {
        let mut found = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self.store.scan(Table::Audit, &[], after.as_deref(), 1_000)?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = Some(last.clone());
            for (key, _) in &page {
                let (person, id) = key_in::<(PersonId, MoveId)>(Table::Audit, key)?;
                if id.run == run {
                    found.extend(self.audit(person, id)?.map(|line| line.given_up));
                }
            }
        }
    }

    // Runs.

    /// A run.
    ///
    /// # Errors
    /// The index, or the record, cannot be read.
    pub fn run(&self, id: RunId) -> JournalResult<Option<Run>> {
        self.read(Table::Runs, &id)
    }

    /// Writes a run as it is now.
    ///
    /// # Errors
    /// The index cannot be read, or the record is too long.
    pub fn put_run(&self, batch: &mut Batch, run: &Run) -> JournalResult<()> {
        if self.last_run_id()?.is_none_or(|last| last < run.id) {
            self.meta_put(batch, LAST_RUN, &run.id)?;
        }
        Journal::put(batch, Table::Runs, &run.id, run)
    }

    /// The newest run's number.
    ///
    /// # Errors
    /// The index, or the record, cannot be read.
    pub fn last_run_id(&self) -> JournalResult<Option<RunId>> {
        self.meta_get(LAST_RUN)
    }

    /// Up to `limit` runs, newest first.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn runs(&self, limit: usize) -> JournalResult<Vec<Run>> {
        let mut newest_first = Vec::new();
        let mut upper = self.last_run_id()?.map_or(0, |id| id.0);
        while upper > 0 && newest_first.len() < limit {
            let width = (limit - newest_first.len()).min(PAGE);
            let lower = upper.saturating_sub(width as u64);
            let found = self.store.scan(Table::Runs, &[], Some(&RunId(lower).to_key()), width)?;
            for (key, value) in found.into_iter().rev() {
                if key <= RunId(upper).to_key() {
                    newest_first.push(in_table(Table::Runs, codec::decode(&value))?);
                }
            }
            upper = lower;
        }
        Ok(newest_first)
    }

    // People.

    /// A person.
    ///
    /// # Errors
    /// The index, or the record, cannot be read.
    pub fn person(&self, id: PersonId) -> JournalResult<Option<Person>> {
        self.read(Table::People, &id)
    }

    /// The person an address belongs to, by its subscriber hash: the present address or the previous one.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn person_by_hash(&self, hash: SubscriberHash) -> JournalResult<Option<PersonId>> {
        self.read(Table::PeopleByHash, &hash)
    }

    /// The person behind a HubSpot record.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn person_by_record(&self, record: RecordId) -> JournalResult<Option<PersonId>> {
        self.read(Table::PeopleByRecord, &record)
    }

    /// Up to `limit` people in order of their numbers, after one.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn people(&self, after: Option<PersonId>, limit: usize) -> JournalResult<Vec<Person>> {
        let after = after.map(|id| id.to_key());
        let found = self.store.scan(Table::People, &[], after.as_deref(), limit)?;
        found.iter().map(|(_, value)| in_table(Table::People, codec::decode(value))).collect()
    }

    /// Writes a person as they are now, and makes the indexes by hash and record follow. `old` is what
    /// was last written of them; a state they have left since is kept as a past one.
    ///
    /// # Errors
    /// The index cannot be read, or the record is too long.
    pub fn put_person(&self, batch: &mut Batch, new: &Person, old: Option<&Person>) -> JournalResult<()> {
        let hashes = hashes(new);
        for gone in old.map(self::hashes).unwrap_or_default().difference(&hashes) {
            // An address may have passed to somebody else meanwhile: theirs stays.
            if owner(batch, Table::PeopleByHash, gone, self.person_by_hash(*gone)?)? == Some(new.id) {
                batch.delete(Table::PeopleByHash, gone.to_key());
            }
        }
        let own = new.email.as_ref().map(|email| email.hash());
        for hash in &hashes {
            // An address that they only had stays with whoever has it: of two people whose contacts were merged,
            // one's member is followed under the other's address until it is renamed.
            if Some(*hash) == own || !self.has_another(batch, *hash, new.id)? {
                Journal::put(batch, Table::PeopleByHash, hash, &new.id)?;
            }
        }
        if let Some(gone) = old.and_then(|old| old.record).filter(|gone| Some(*gone) != new.record)
            && owner(batch, Table::PeopleByRecord, &gone, self.person_by_record(gone)?)? == Some(new.id)
        {
            batch.delete(Table::PeopleByRecord, gone.to_key());
        }
        // A second member's contact is found as the person of its own address.
        if let Some(record) = new.record.filter(|_| new.second.is_none()) {
            Journal::put(batch, Table::PeopleByRecord, &record, &new.id)?;
        }
        // Who was never decided on has left no state.
        if let Some(left) = old.filter(|old| old.state != new.state && !old.why.is_empty()) {
            let past =
                PastState { state: left.state, why: left.why.clone(), since: left.since, until: new.since };
            self.append_past_state(batch, new.id, &past)?;
        }
        Journal::put(batch, Table::People, &new.id, new)
    }

    /// Whether the address is the present one of somebody else.
    fn has_another(&self, batch: &Batch, hash: SubscriberHash, than: PersonId) -> JournalResult<bool> {
        let owner = owner(batch, Table::PeopleByHash, &hash, self.person_by_hash(hash)?)?;
        let Some(other) = owner.filter(|owner| *owner != than) else { return Ok(false) };
        let email = self.person(other)?.and_then(|other| other.email);
        Ok(email.is_some_and(|email| email.hash() == hash))
    }

    /// Adds a line to a person's past: a state they have left, or what an operator did about it. It stands
    /// at the moment of its end; several of one moment are kept apart.
    ///
    /// # Errors
    /// The index cannot be read, or the record is too long.
    pub fn append_past_state(
        &self,
        batch: &mut Batch,
        person: PersonId,
        past: &PastState,
    ) -> JournalResult<()> {
        let key = self.next_of_moment(batch, Table::History, person, past.until)?;
        Journal::put(batch, Table::History, &key, past)
    }

    /// Hands out `n` person numbers that nobody had before; durable before they are given. Numbers of a
    /// range that is not used up are never used.
    ///
    /// # Errors
    /// The counter cannot be read or written.
    pub async fn reserve_person_ids(&self, n: u64) -> JournalResult<Range<u64>> {
        let _held = self.numbers.lock().await;
        let next: u64 = self.meta_get(NEXT_PERSON)?.unwrap_or(1);
        let end = next.saturating_add(n);
        let mut batch = Batch::new();
        self.meta_put(&mut batch, NEXT_PERSON, &end)?;
        self.commit(batch).await?;
        Ok(next..end)
    }

    // Single values, watermarks, past states.

    /// A single value by name. Its type is frozen like a record's.
    ///
    /// # Errors
    /// The index, or the value, cannot be read.
    pub fn meta_get<T: DeserializeOwned>(&self, name: &str) -> JournalResult<Option<T>> {
        let Some(bytes) = self.store.get(Table::Meta, name.as_bytes())? else { return Ok(None) };
        let kind = "single value";
        let body = match bytes.split_first() {
            Some((&META_VERSION, body)) => codec::decode_body(kind, body),
            Some((&found, _)) => Err(DecodeError::Version { kind, found, known: META_VERSION }),
            None => Err(DecodeError::Malformed { kind }),
        };
        in_table(Table::Meta, body).map(Some)
    }

    /// Writes a single value.
    ///
    /// # Errors
    /// It is too long.
    pub fn meta_put<T: Serialize>(&self, batch: &mut Batch, name: &str, value: &T) -> JournalResult<()> {
        let bytes = in_table(Table::Meta, codec::encode_as("single value", META_VERSION, value))?;
        batch.put(Table::Meta, name, bytes);
        Ok(())
    }

    /// Removes a single value.
    pub fn meta_delete(&self, batch: &mut Batch, name: &str) {
        batch.delete(Table::Meta, name);
    }

    /// That the journal was restored from a backup, until that has been dealt with.
    ///
    /// # Errors
    /// The index, or the value, cannot be read.
    pub fn restored(&self) -> JournalResult<Option<Restored>> {
        self.meta_get(RESTORED)
    }

    /// Notes that the journal was restored.
    ///
    /// # Errors
    /// Never in practice: the value is short.
    pub fn note_restored(&self, batch: &mut Batch, restored: &Restored) -> JournalResult<()> {
        self.meta_put(batch, RESTORED, restored)
    }

    /// Notes that what the backup had left open is settled.
    pub fn restored_settled(&self, batch: &mut Batch) {
        self.meta_delete(batch, RESTORED);
    }

    /// How far a source has been read.
    ///
    /// # Errors
    /// The index, or the record, cannot be read.
    pub fn watermark(&self, source: &str) -> JournalResult<Option<Watermark>> {
        self.read(Table::Watermarks, &source.to_owned())
    }

    /// Notes how far a source has been read.
    ///
    /// # Errors
    /// It is too long.
    pub fn put_watermark(&self, batch: &mut Batch, source: &str, mark: &Watermark) -> JournalResult<()> {
        Journal::put(batch, Table::Watermarks, &source.to_owned(), mark)
    }

    /// The states a person has left, oldest first.
    ///
    /// # Errors
    /// The index, or a record, cannot be read.
    pub fn past_states(&self, person: PersonId) -> JournalResult<Vec<PastState>> {
        let found = self.store.scan(Table::History, &person.to_key(), None, usize::MAX)?;
        found.iter().map(|(_, value)| in_table(Table::History, codec::decode(value))).collect()
    }

    /// The key of the next thing that befell a person at a moment: those of one moment are kept apart.
    pub(super) fn next_of_moment(
        &self,
        batch: &Batch,
        table: Table,
        person: PersonId,
        at: Timestamp,
    ) -> JournalResult<PersonMoment> {
        let prefix = PersonMoment::prefix(person, at);
        let stored = self.store.scan(table, &prefix, None, usize::MAX)?;
        let added = batch.changes.iter().filter_map(|change| match change {
            Change::Put { table: into, key, .. } if *into == table && key.starts_with(&prefix) => Some(key),
            _ => None,
        });
        let taken =
            stored.iter().map(|(key, _)| key).chain(added).filter_map(|key| PersonMoment::from_key(key));
        let number = taken.map(|key| key.number.saturating_add(1)).max().unwrap_or(0);
        Ok(PersonMoment { person, at, number })
    }
}

/// Hashes a person is found by: a member who is still to be renamed is found by the old one too.
pub(super) fn hashes(person: &Person) -> BTreeSet<SubscriberHash> {
    [&person.email, &person.previous_email].into_iter().flatten().map(|email| email.hash()).collect()
}

/// Who an entry of an index points to once the batch is made, given who it points to now.
fn owner(
    batch: &Batch,
    table: Table,
    key: &impl Key,
    stored: Option<PersonId>,
) -> JournalResult<Option<PersonId>> {
    let key = key.to_key();
    let pending = batch.changes.iter().rev().find_map(|change| match change {
        Change::Put { table: at, key: found, value } if *at == table && *found == key => Some(Some(value)),
        Change::Delete { table: at, key: found } if *at == table && *found == key => Some(None),
        _ => None,
    });
    match pending {
        Some(Some(value)) => in_table(table, codec::decode(value)).map(Some),
        Some(None) => Ok(None),
        None => Ok(stored),
    }
}
