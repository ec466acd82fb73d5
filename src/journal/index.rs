//! The index: sled, in which records are looked up. It is not durable and is never trusted alone.
//!
//! Each value carries its crc32; one entry, the *mark*, says which commit the index stands at and what
//! count and hash each table has, and is written in the same atomic batch as the entries. Promises: an
//! index that does not add up to its mark is never used; sled's panics stop at this module.

use super::change::{Effect, FullKey};
use super::directory;
use super::overlay::{Known, Layer, Layers};
use super::store::{Entry, Sequence};
use super::totals::Totals;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, RwLock};

/// Bytes gathered before they are put into a copy.
const BATCH: usize = 256 * 1024;
/// Above every table's number.
const MARK: [u8; 1] = [0xff];

/// Why the index cannot be used. Never names a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Trouble(String);

impl Trouble {
    pub(crate) fn new(what: &str) -> Trouble {
        Trouble(what.to_owned())
    }
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Trouble {
        match error {
            sled::Error::Io(error) => Trouble(directory::in_the_systems_words(&error)),
            other => Trouble(other.to_string()),
        }
    }
}

type Outcome<T> = Result<T, Trouble>;

/// sled panics on damaged pages instead of saying so; no access is made outside of this.
fn guarded<T>(access: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(access)).unwrap_or_else(|_| Err(Trouble("sled panicked".to_owned())))
}

/// Which commit the index stands at, and what it then holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// All commits up to this one are in it.
    pub(crate) sequence: Sequence,
    /// What it holds.
    pub(crate) totals: Totals,
}

impl Mark {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.sequence.to_le_bytes().to_vec();
        self.totals.write(&mut bytes);
        sealed(&bytes)
    }

    fn read(bytes: &[u8]) -> Option<Mark> {
        let (sequence, rest) = unsealed(bytes)?.split_first_chunk::<8>()?;
        let (totals, rest) = Totals::read(rest)?;
        rest.is_empty().then(|| Mark { sequence: u64::from_le_bytes(*sequence), totals })
    }
}

fn sealed(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len() + 4);
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(&crc32fast::hash(value).to_le_bytes());
    bytes
}

fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (value, sum) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    (crc32fast::hash(value).to_le_bytes() == sum).then_some(value)
}

fn checked(bytes: &[u8]) -> Outcome<&[u8]> {
    unsealed(bytes).ok_or_else(|| Trouble("a value is not what was written".to_owned()))
}

/// Entries on their way in: everything known before anything changes.
pub(crate) struct Prepared {
    batch: sled::Batch,
    mark: Mark,
    /// The whole values of what is appended to.
    pub(crate) resolved: BTreeMap<FullKey, Vec<u8>>,
}

/// The index of an open store, for readers and the applier; none once it is closed.
pub(crate) type Shared = Arc<RwLock<Option<Index>>>;

/// The index. Cheap to clone; the last one dropped closes sled.
#[derive(Clone)]
pub(crate) struct Index {
    db: sled::Db,
}

impl Index {
    /// Opens sled, whatever state it is in. A left-over of sled's own half-written snapshot would make
    /// it refuse, so it goes first.
    pub(crate) fn open(path: &Path, cache_bytes: u64) -> Outcome<Index> {
        directory::make(path).map_err(|error| Trouble(error.to_string()))?;
        for (file, name) in directory::files(path).map_err(|error| Trouble(error.to_string()))? {
            if name.starts_with("snap.") && name.ends_with(".generating") {
                fs::remove_file(&file).map_err(|error| Trouble(error.to_string()))?;
            }
        }
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::HighThroughput)
            .cache_capacity(cache_bytes)
            // Not for durability: it bounds how much is applied again after a crash.
            .flush_every_ms(Some(1000))
            .print_profile_on_drop(false);
        guarded(|| Ok(Index { db: config.open()? }))
    }

    /// Reads everything once; the mark, when everything adds up to it.
    pub(crate) fn verify(&self) -> Outcome<Mark> {
        let mark = guarded(|| Ok(self.db.get(MARK)?))?
            .ok_or_else(|| Trouble("it is empty".to_owned()))
            .and_then(|bytes| Mark::read(&bytes).ok_or_else(|| Trouble("its mark is damaged".to_owned())))?;
        let mut totals = Totals::default();
        self.each(|key, value| {
            totals.add(key, value);
            Ok(())
        })?;
        if totals == mark.totals {
            Ok(mark)
        } else {
            Err(Trouble("it holds something else than its mark says".to_owned()))
        }
    }

    /// Visits every entry in key order.
    pub(crate) fn each(&self, mut visit: impl FnMut(&[u8], &[u8]) -> Outcome<()>) -> Outcome<()> {
        guarded(|| {
            for entry in self.db.iter() {
                let (key, bytes) = entry?;
                if *key != MARK {
                    visit(&key, checked(&bytes)?)?;
                }
            }
            Ok(())
        })
    }

    /// Puts entries of a snapshot in, without a mark: until [`Index::set_mark`], the index counts as
    /// unfinished.
    pub(crate) fn load(&self, entries: Vec<Entry>) -> Outcome<()> {
        // One by one: sled frees the pages that a batch replaces only after the whole batch.
        guarded(|| {
            for (key, value) in entries {
                self.db.insert(key, sealed(&value))?;
            }
            Ok(())
        })
    }

    /// Writes everything into a new index elsewhere: sled never gives back the room of what is gone. The copy
    /// is read once more, and closed.
    pub(crate) fn copy_to(&self, path: &Path, cache_bytes: u64, mark: &Mark) -> Outcome<()> {
        let copy = Index::open(path, cache_bytes)?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut weight = 0;
        self.each(|key, value| {
            weight += key.len() + value.len();
            entries.push((key.to_vec(), value.to_vec()));
            if weight > BATCH {
                weight = 0;
                copy.load(std::mem::take(&mut entries))?;
            }
            Ok(())
        })?;
        copy.load(entries)?;
        copy.set_mark(mark)?;
        let whole = copy.verify()? == *mark;
        copy.close()?;
        if whole { Ok(()) } else { Err(Trouble::new("its copy holds something else")) }
    }

    /// Says what the index now holds.
    pub(crate) fn set_mark(&self, mark: &Mark) -> Outcome<()> {
        guarded(|| self.db.insert(MARK, mark.to_bytes()).map(|_| ()).map_err(Trouble::from))
    }

    /// Works out what a layer changes, given what the index holds now.
    pub(crate) fn prepare(&self, mark: &Mark, layer: &Layer) -> Outcome<Prepared> {
        let mut totals = mark.totals.clone();
        let mut batch = sled::Batch::default();
        let mut resolved = BTreeMap::new();
        guarded(|| {
            for (key, effect) in &layer.effects {
                let before = self.db.get(key)?;
                let before = before.as_deref().map(checked).transpose()?;
                if let Some(before) = before {
                    totals.remove(key, before);
                }
                match effect {
                    Effect::Put(value) => {
                        totals.add(key, value);
                        batch.insert(key.as_slice(), sealed(value));
                    }
                    Effect::Append(tail) => {
                        let value = [before.unwrap_or_default(), tail].concat();
                        totals.add(key, &value);
                        batch.insert(key.as_slice(), sealed(&value));
                        resolved.insert(key.clone(), value);
                    }
                    Effect::Delete => batch.remove(key.as_slice()),
                }
            }
            Ok(())
        })?;
        let mark = Mark { sequence: layer.upto, totals };
        batch.insert(&MARK, mark.to_bytes());
        Ok(Prepared { batch, mark, resolved })
    }

    /// Applies what was prepared; gives the new mark.
    pub(crate) fn apply(&self, prepared: Prepared) -> Outcome<Mark> {
        guarded(|| Ok(self.db.apply_batch(prepared.batch)?))?;
        Ok(prepared.mark)
    }

    /// The value of a key, with what the overlay knows on top.
    pub(crate) fn get(&self, layers: &Layers, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.finish(layers.look(key), key)
    }

    fn finish(&self, known: Known, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let below = || {
            let bytes = guarded(|| Ok(self.db.get(key)?))?;
            Ok::<_, Trouble>(bytes.as_deref().map(checked).transpose()?.map(<[u8]>::to_vec))
        };
        Ok(match known {
            Known::Value(value) => Some(value),
            Known::Gone => None,
            Known::Tail(tail) => Some([below()?.unwrap_or_default(), tail].concat()),
            Known::Nothing => below()?,
        })
    }

    /// Up to `limit` entries from a bound on whose key starts with `prefix`, in key order, with what the
    /// overlay knows on top.
    pub(crate) fn scan(
        &self,
        layers: &Layers,
        prefix: &[u8],
        from: Bound<&[u8]>,
        limit: usize,
    ) -> Outcome<Vec<Entry>> {
        let range = || (from, Bound::Unbounded);
        let mut found = Vec::new();
        guarded(|| {
            let mut active = layers.active.effects.range::<[u8], _>(range()).map(|(key, _)| key).peekable();
            let mut applying =
                layers.applying.effects.range::<[u8], _>(range()).map(|(key, _)| key).peekable();
            let mut stored = self.db.range::<&[u8], _>(range());
            let mut next_stored = stored.next().transpose()?;
            while found.len() < limit {
                let candidates = [
                    active.peek().map(|key| key.as_slice()),
                    applying.peek().map(|key| key.as_slice()),
                    next_stored.as_ref().map(|(key, _)| key.as_ref()),
                ];
                let Some(key) = candidates.into_iter().flatten().min().map(<[u8]>::to_vec) else { break };
                if !key.starts_with(prefix) {
                    break;
                }
                active.next_if(|next| **next == key);
                applying.next_if(|next| **next == key);
                let bytes = match next_stored.take_if(|(next, _)| **next == *key) {
                    Some((_, bytes)) => {
                        next_stored = stored.next().transpose()?;
                        Some(bytes)
                    }
                    None => None,
                };
                let value = match (layers.look(&key), bytes) {
                    (Known::Nothing, Some(bytes)) => Some(checked(&bytes)?.to_vec()),
                    (known, _) => self.finish(known, &key)?,
                };
                if let Some(value) = value {
                    found.push((key, value));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Changes an entry behind the mark's back.
    #[cfg(test)]
    pub(crate) fn tamper(&self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => drop(self.db.insert(key, value).unwrap()),
            None => drop(self.db.remove(key).unwrap()),
        }
    }

    /// Closes this handle; sled closes with the last one. sled may panic here too.
    pub(crate) fn close(self) -> Outcome<()> {
        let flushed = guarded(|| Ok(self.db.flush().map(|_| ())?));
        guarded(|| {
            drop(self);
            Ok(())
        })?;
        flushed
    }
}
