//! Changes to the mirror being put together: a page with the position behind it, all or nothing. It reads what it
//! wrote itself.

use super::history::{Engine, Pull};
use super::key;
use super::record::{Changed, Gone, Kept, Live, Number, Pair, State, Totals, seal, unseal};
use super::shelf::{Shelf, ShelfError};
use crate::domain::id::RecordId;
use crate::domain::object::{AssociationType, ObjectRecord, ObjectType};
use crate::domain::time::Timestamp;
use crate::journal::codec::Record;
use std::collections::BTreeMap;

/// Result of a step.
type Outcome<T> = Result<T, ShelfError>;

/// What became of a record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was not in the mirror.
    New,
    /// It was otherwise in it.
    Changed,
    /// It was in it as it is, or newer.
    Unchanged,
}

/// Changes being put together.
pub(crate) struct Draft<'a> {
    shelf: &'a dyn Shelf,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    now: Timestamp,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(shelf: &'a dyn Shelf, now: Timestamp) -> Draft<'a> {
        Draft { shelf, changes: BTreeMap::new(), now }
    }

    pub(crate) fn get<R: Record>(&self, key: &[u8]) -> Outcome<Option<R>> {
        let bytes = match self.changes.get(key) {
            Some(changed) => changed.clone(),
            None => self.shelf.get(key)?,
        };
        bytes.map(|bytes| unseal(&bytes)).transpose()
    }

    pub(crate) fn put<R: Record>(&mut self, key: Vec<u8>, record: &R) -> Outcome<()> {
        self.changes.insert(key, Some(seal(record)?));
        Ok(())
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// Puts all of it.
    pub(crate) fn commit(self) -> Outcome<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        self.shelf.put(self.changes.into_iter().collect())?;
        self.shelf.hand_over()
    }

    /// How the engine and its pull stand behind this.
    pub(crate) fn stand(&mut self, name: &str, engine: &Engine, pull: &Pull) -> Outcome<()> {
        self.put(key::engine(name), engine)?;
        self.put(key::pull(pull.number), pull)
    }

    /// Whether a full pass has seen a record; from now on it has.
    pub(crate) fn see(&mut self, kind: &ObjectType, id: RecordId, pass: u64) -> Outcome<bool> {
        let key = key::seen(kind, id);
        let before: Option<Number> = self.get(&key)?;
        if before == Some(Number(pass)) {
            return Ok(true);
        }
        self.put(key, &Number(pass))?;
        Ok(false)
    }

    /// Takes a record in. One that is older than what is kept changes nothing, unless `anyway`.
    pub(crate) fn take(&mut self, kind: &ObjectType, row: &ObjectRecord, anyway: bool) -> Outcome<Fate> {
        let key = key::record(kind, row.id);
        let before: Option<Kept> = self.get(&key)?;
        let live = Live { properties: row.properties.clone(), created: row.created, modified: row.modified };
        let fate = match before.as_ref().map(|kept| &kept.state) {
            Some(State::Live(held)) if !anyway && (*held == live || held.modified > live.modified) => {
                return Ok(Fate::Unchanged);
            }
            Some(State::Live(held)) if *held == live => Fate::Unchanged,
            Some(_) => Fate::Changed,
            None => Fate::New,
        };
        let is_back = matches!(before, None | Some(Kept { state: State::Gone(_), .. }));
        self.total(kind.as_str(), |totals| {
            totals.live += u64::from(is_back);
            totals.gone -= u64::from(is_back && fate == Fate::Changed).min(totals.gone);
        })?;
        self.write(kind, row.id, before.as_ref(), State::Live(live))?;
        Ok(fate)
    }

    /// Notes that a record is gone. Only news changes anything: whether it was.
    pub(crate) fn bury(&mut self, kind: &ObjectType, id: RecordId, gone: Gone) -> Outcome<bool> {
        let before: Option<Kept> = self.get(&key::record(kind, id))?;
        let was_live = match before.as_ref().map(|kept| &kept.state) {
            Some(State::Live(_)) => true,
            // What is known of its end is only made more exact.
            Some(State::Gone(Gone::Merged { .. })) => return Ok(false),
            Some(State::Gone(Gone::Archived { .. })) if !matches!(gone, Gone::Merged { .. }) => {
                return Ok(false);
            }
            Some(State::Gone(Gone::Deleted)) if gone == Gone::Deleted => return Ok(false),
            Some(State::Gone(_)) => false,
            // Whoever asks for a merged id is led to the survivor; of others that were never here nothing is kept.
            None if matches!(gone, Gone::Merged { .. }) => false,
            None => return Ok(false),
        };
        let is_first = before.as_ref().is_none_or(|kept| matches!(kept.state, State::Live(_)));
        self.total(kind.as_str(), |totals| {
            totals.live -= u64::from(was_live).min(totals.live);
            totals.gone += u64::from(is_first);
        })?;
        self.delete(key::seen(kind, id));
        self.write(kind, id, before.as_ref(), State::Gone(gone))?;
        Ok(was_live)
    }

    fn write(&mut self, kind: &ObjectType, id: RecordId, before: Option<&Kept>, state: State) -> Outcome<()> {
        if let Some(before) = before {
            self.delete(key::change(before.changed));
        }
        let Number(last) = self.get(key::SEQUENCE)?.unwrap_or_default();
        let changed = last + 1;
        self.index(kind, id, before, Some(&state))?;
        // What was written without an index is caught up with from where that was.
        if self.get::<Number>(key::INDEXED)?.unwrap_or_default() == Number(last) {
            self.put(key::INDEXED.to_vec(), &Number(changed))?;
        }
        self.put(key::SEQUENCE.to_vec(), &Number(changed))?;
        self.put(key::change(changed), &Changed { kind: kind.clone(), id })?;
        self.put(key::record(kind, id), &Kept { changed, noticed: self.now, state })
    }

    /// Removes every trace of a record.
    pub(crate) fn erase(&mut self, kind: &ObjectType, id: RecordId) -> Outcome<bool> {
        let key = key::record(kind, id);
        let Some(before) = self.get::<Kept>(&key)? else { return Ok(false) };
        let live = matches!(before.state, State::Live(_));
        self.total(kind.as_str(), |totals| {
            totals.live -= u64::from(live).min(totals.live);
            totals.gone -= u64::from(!live).min(totals.gone);
        })?;
        self.index(kind, id, Some(&before), None)?;
        self.delete(key::change(before.changed));
        self.delete(key::seen(kind, id));
        self.delete(key);
        Ok(true)
    }

    /// Joins two records. Whether that is news.
    pub(crate) fn join(
        &mut self,
        (from, to): (&ObjectType, &ObjectType),
        (id, other): (RecordId, RecordId),
        mut types: Vec<AssociationType>,
    ) -> Outcome<Fate> {
        types.sort();
        types.dedup();
        let (key, pair) = (key::pair(from, to, id, other), Pair { types });
        let before: Option<Pair> = self.get(&key)?;
        if before.as_ref() == Some(&pair) {
            return Ok(Fate::Unchanged);
        }
        if before.is_none() {
            self.total(&pair_name(from, to), |totals| totals.live += 1)?;
            self.put(key::back(from, to, id, other), &Number(1))?;
        }
        self.put(key, &pair)?;
        Ok(if before.is_none() { Fate::New } else { Fate::Changed })
    }

    /// Parts two records.
    pub(crate) fn part(
        &mut self,
        (from, to): (&ObjectType, &ObjectType),
        (id, other): (RecordId, RecordId),
    ) -> Outcome<()> {
        let key = key::pair(from, to, id, other);
        if self.get::<Pair>(&key)?.is_none() {
            return Ok(());
        }
        self.delete(key);
        self.delete(key::back(from, to, id, other));
        self.total(&pair_name(from, to), |totals| totals.live -= totals.live.min(1))
    }

    /// Keys on the disk behind one, with the number that ends them; what this draft changes is not in it.
    pub(crate) fn numbers(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Outcome<Vec<u64>> {
        let rows = self.shelf.scan(prefix, after, limit)?;
        let numbers = rows.iter().map(|(key, _)| key::last_number(key));
        numbers.collect::<Option<_>>().ok_or_else(|| ShelfError::Damaged("a key ends early".to_owned()))
    }

    /// Deletes everything with this prefix: on the disk, and of this draft.
    pub(crate) fn delete_below(&mut self, prefix: &[u8]) -> Outcome<()> {
        let own: Vec<Vec<u8>> = self.changes.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = self.shelf.scan(prefix, after.as_deref(), 1_000)?;
            let last = rows.last().map(|(key, _)| key.clone());
            rows.into_iter().for_each(|(key, _)| self.delete(key));
            match last {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        own.into_iter().for_each(|key| self.delete(key));
        Ok(())
    }

    fn total(&mut self, name: &str, change: impl FnOnce(&mut Totals)) -> Outcome<()> {
        let key = key::totals(name);
        let before: Totals = self.get(&key)?.unwrap_or_default();
        let mut after = before;
        change(&mut after);
        if after == before { Ok(()) } else { self.put(key, &after) }
    }
}

/// Under what name pairs are counted; no type is called so.
pub(crate) fn pair_name(from: &ObjectType, to: &ObjectType) -> String {
    format!("{from}>{to}")
}
