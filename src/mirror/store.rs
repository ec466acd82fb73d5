//! The mirror, to be read.

use super::disk::Disk;
use super::draft::{Draft, pair_name};
use super::history::{Engine, Pull, PullEnd};
use super::key;
use super::packed::Packed;
use super::record::{Changed, Gone, Identity, Kept, Live, Number, Pair, State, Totals, unseal};
use super::shelf::{Shelf, ShelfError};
use crate::domain::id::RecordId;
use crate::domain::object::ObjectType;
use crate::domain::time::Timestamp;
use crate::journal::codec::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries read at a time where all are read.
const CHUNK: usize = 500;
/// Merges followed one after another.
const LONGEST_CHAIN: usize = 250;

/// The mirror. Cheap to clone.
#[derive(Clone)]
pub struct Mirror {
    shelf: Arc<dyn Shelf>,
    /// Held by whoever writes.
    writer: Arc<Mutex<()>>,
}

/// A mirror that was opened.
pub struct Opened {
    /// It.
    pub mirror: Mirror,
    /// Why what was there could not be used, and it begins anew.
    pub lost: Option<String>,
}

impl Mirror {
    /// Opens the mirror in a directory of its own, or begins one. The caller owns the directory.
    ///
    /// # Errors
    /// The directory cannot be made, read or written.
    pub fn open(directory: &Path) -> Result<Opened, ShelfError> {
        let (disk, lost) = Disk::open(directory)?;
        Ok(Opened { mirror: Mirror::on(Arc::new(Packed::over(Arc::new(disk)))), lost })
    }

    /// Lets the next opening of a directory begin anew: what is there cannot be used.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn condemn(directory: &Path) -> Result<(), ShelfError> {
        Disk::condemn(directory)
    }

    /// On any store.
    pub fn on(shelf: Arc<dyn Shelf>) -> Mirror {
        Mirror { shelf, writer: Arc::default() }
    }

    pub(crate) fn shelf(&self) -> &dyn Shelf {
        self.shelf.as_ref()
    }

    /// Nobody else writes until it is dropped.
    pub(crate) fn write(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn draft(&self, now: Timestamp) -> Draft<'_> {
        Draft::new(self.shelf.as_ref(), now)
    }

    fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, ShelfError> {
        self.shelf.get(key)?.map(|bytes| unseal(&bytes)).transpose()
    }

    fn rows<R: Record>(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(u64, R)>, ShelfError> {
        let mut rows = Vec::new();
        for (key, value) in self.shelf.scan(prefix, after, limit)? {
            let number =
                key::last_number(&key).ok_or_else(|| ShelfError::Damaged("a key ends early".to_owned()))?;
            rows.push((number, unseal(&value)?));
        }
        Ok(rows)
    }

    /// Whose records these are; none before the first pull.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn identity(&self) -> Result<Option<Identity>, ShelfError> {
        self.get(key::IDENTITY)
    }

    /// Begins a generation: numbers of changes count from one.
    ///
    /// # Errors
    /// The mirror cannot be written.
    pub(crate) fn identify(&self, identity: Identity) -> Result<(), ShelfError> {
        let mut draft = self.draft(identity.generation);
        draft.put(key::IDENTITY.to_vec(), &identity)?;
        draft.commit()
    }

    /// Since when a pull of everything is under way.
    pub(crate) fn whole_since(&self) -> Result<Option<Timestamp>, ShelfError> {
        let since: Option<Number> = self.get(key::WHOLE)?;
        Ok(since.map(|Number(at)| Timestamp(i64::try_from(at).unwrap_or(i64::MAX))))
    }

    /// Notes it.
    pub(crate) fn set_whole(&self, since: Option<Timestamp>) -> Result<(), ShelfError> {
        let _alone = self.write();
        let mut draft = self.draft(since.unwrap_or_default());
        match since {
            Some(since) => draft.put(key::WHOLE.to_vec(), &Number(u64::try_from(since.0).unwrap_or(0)))?,
            None => draft.delete(key::WHOLE.to_vec()),
        }
        draft.commit()
    }

    /// One record, there or gone.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn record(&self, kind: &ObjectType, id: RecordId) -> Result<Option<Kept>, ShelfError> {
        self.get(&key::record(kind, id))
    }

    /// The record that an id leads to, over merges; none where it is gone, or was never here.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn survivor(&self, kind: &ObjectType, id: RecordId) -> Result<Option<(RecordId, Live)>, ShelfError> {
        let mut at = id;
        for _ in 0..LONGEST_CHAIN {
            match self.record(kind, at)?.map(|kept| kept.state) {
                Some(State::Live(live)) => return Ok(Some((at, live))),
                Some(State::Gone(Gone::Merged { into })) => at = into,
                _ => break,
            }
        }
        Ok(None)
    }

    /// Records of a type behind an id, there or gone, in the order of ids.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn records(
        &self,
        kind: &ObjectType,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, Kept)>, ShelfError> {
        let after = after.map(|id| key::record(kind, id));
        let rows = self.rows(&key::records(kind), after.as_deref(), limit)?;
        Ok(rows.into_iter().map(|(id, kept)| (RecordId(id), kept)).collect())
    }

    /// Every record of a type that is there, in the order of ids, a few at a time.
    pub fn live<'a>(
        &'a self,
        kind: &'a ObjectType,
    ) -> impl Iterator<Item = Result<(RecordId, Live), ShelfError>> + 'a {
        let mut chunk = Vec::new().into_iter();
        let (mut after, mut done) = (None, false);
        std::iter::from_fn(move || {
            loop {
                match chunk.next() {
                    Some((id, Kept { state: State::Live(live), .. })) => return Some(Ok((id, live))),
                    Some(_) => continue,
                    None if done => return None,
                    None => {}
                }
                match self.records(kind, after, CHUNK) {
                    Ok(rows) => {
                        done = rows.len() < CHUNK;
                        after = rows.last().map(|(id, _)| *id).or(after);
                        chunk = rows.into_iter();
                    }
                    Err(error) => {
                        done = true;
                        return Some(Err(error));
                    }
                }
            }
        })
    }

    /// How many records of a type there are.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn totals(&self, kind: &ObjectType) -> Result<Totals, ShelfError> {
        Ok(self.get(&key::totals(kind.as_str()))?.unwrap_or_default())
    }

    /// How many pairs of two types there are, as read from the first one's side.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn pairs(&self, from: &ObjectType, to: &ObjectType) -> Result<u64, ShelfError> {
        let totals: Totals = self.get(&key::totals(&pair_name(from, to)))?.unwrap_or_default();
        Ok(totals.live)
    }

    /// The records of another type that a record is joined with, and how, whichever side they were read from. Labels
    /// are those of the side that was read: this one's, where both were.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn joined(
        &self,
        kind: &ObjectType,
        id: RecordId,
        other: &ObjectType,
    ) -> Result<BTreeMap<RecordId, Pair>, ShelfError> {
        let mut joined = BTreeMap::new();
        let mut after = None;
        loop {
            let rows: Vec<(u64, Number)> =
                self.rows(&key::joined_with(other, kind, id), after.as_deref(), CHUNK)?;
            for (from, _) in &rows {
                let pair = self.get(&key::pair(other, kind, RecordId(*from), id))?;
                joined.extend(pair.map(|pair| (RecordId(*from), pair)));
            }
            match rows.last() {
                Some((last, _)) if rows.len() == CHUNK => {
                    after = Some(key::back(other, kind, RecordId(*last), id))
                }
                _ => break,
            }
        }
        let mut after = None;
        loop {
            let rows: Vec<(u64, Pair)> = self.rows(&key::pairs(kind, other, id), after.as_deref(), CHUNK)?;
            after = rows.last().map(|(last, _)| key::pair(kind, other, id, RecordId(*last)));
            let done = rows.len() < CHUNK;
            joined.extend(rows.into_iter().map(|(to, pair)| (RecordId(to), pair)));
            if done {
                return Ok(joined);
            }
        }
    }

    /// Records that changed behind a number, each once, oldest change first. A reader keeps the last number and the
    /// generation; with another generation it begins at 0.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn changes(&self, after: u64, limit: usize) -> Result<Vec<(u64, Changed)>, ShelfError> {
        self.rows(key::CHANGES, Some(&key::change(after)), limit)
    }

    /// The number of the last change.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn last_change(&self) -> Result<u64, ShelfError> {
        let Number(last) = self.get(key::SEQUENCE)?.unwrap_or_default();
        Ok(last)
    }

    /// The number of the last change that the index tells of.
    pub(super) fn last_indexed(&self) -> Result<u64, ShelfError> {
        let Number(last) = self.get(key::INDEXED)?.unwrap_or_default();
        Ok(last)
    }

    pub(crate) fn engine(&self, name: &str) -> Result<Option<Engine>, ShelfError> {
        self.get(&key::engine(name))
    }

    /// Every record of a type that changed before this moment is in the mirror as it is since; none before its first
    /// pull was done.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn watermark(&self, kind: &ObjectType) -> Result<Option<Timestamp>, ShelfError> {
        Ok(self.engine(kind.as_str())?.and_then(|engine| engine.watermark))
    }

    /// Whether a full pass has seen a record.
    pub(crate) fn is_seen(&self, kind: &ObjectType, id: RecordId, pass: u64) -> Result<bool, ShelfError> {
        Ok(self.get(&key::seen(kind, id))? == Some(Number(pass)))
    }

    pub(crate) fn last_pull(&self) -> Result<u64, ShelfError> {
        let Number(last) = self.get(key::LAST_PULL)?.unwrap_or_default();
        Ok(last)
    }

    pub(crate) fn pull(&self, number: u64) -> Result<Option<Pull>, ShelfError> {
        self.get(&key::pull(number))
    }

    /// Closes the pulls that a process left open when it ended and that no other will go on with. Nobody pulls meanwhile.
    ///
    /// # Errors
    /// The mirror cannot be read or written.
    pub fn close_abandoned(&self) -> Result<(), ShelfError> {
        let _alone = self.write();
        let mut goes_on = BTreeSet::new();
        for (_, value) in self.shelf.scan(key::ENGINES, None, usize::MAX)? {
            let engine: Engine = unseal(&value)?;
            goes_on.extend(engine.open.map(|position| position.pull));
        }
        let pulls: Vec<(u64, Pull)> = self.rows(key::PULLS, None, usize::MAX)?;
        let left =
            pulls.into_iter().filter(|(number, pull)| pull.end == PullEnd::Open && !goes_on.contains(number));
        let mut draft = self.draft(Timestamp::default());
        for (number, pull) in left {
            draft.put(key::pull(number), &Pull { end: PullEnd::Interrupted, ..pull })?;
        }
        draft.commit()
    }

    /// The newest pull of all.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn newest_pull(&self) -> Result<Option<Pull>, ShelfError> {
        self.pull(self.last_pull()?)
    }

    /// The last pulls of an engine, or of all, newest first.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn history(&self, engine: Option<&str>, last: usize) -> Result<Vec<Pull>, ShelfError> {
        let pulls: Vec<(u64, Pull)> = self.rows(key::PULLS, None, usize::MAX)?;
        let of_engine = |pull: &Pull| engine.is_none_or(|name| pull.engine == name);
        Ok(pulls.into_iter().rev().map(|(_, pull)| pull).filter(of_engine).take(last).collect())
    }

    /// How many there are of everything: of a type under its name, of pairs under both, as `contacts>deals`.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn all_totals(&self) -> Result<BTreeMap<String, Totals>, ShelfError> {
        let rows = self.shelf.scan(key::TOTALS, None, usize::MAX)?;
        let name = |key: &[u8]| key.get(1..key.len().saturating_sub(1)).unwrap_or_default().to_vec();
        rows.iter()
            .map(|(key, value)| Ok((String::from_utf8_lossy(&name(key)).into_owned(), unseal(value)?)))
            .collect()
    }

    /// The types between which there are, or were, pairs.
    pub(crate) fn joined_types(&self) -> Result<Vec<(ObjectType, ObjectType)>, ShelfError> {
        let names = self.all_totals()?.into_keys();
        let types = names.filter_map(|name| {
            let (from, to) = name.split_once('>')?;
            Some((from.parse().ok()?, to.parse().ok()?))
        });
        Ok(types.collect())
    }

    /// Empties it: as if nothing had ever been pulled.
    ///
    /// # Errors
    /// The disk. It is to be opened anew then.
    pub fn clear(&self) -> Result<(), ShelfError> {
        let _alone = self.write();
        self.shelf.clear()
    }

    /// Bytes it takes on the disk.
    pub fn size(&self) -> u64 {
        self.shelf.size()
    }
}
