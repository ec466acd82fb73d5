//! A store in memory on a simulated drive, for simulation: what was not synced is lost in a crash, or half of it
//! is. The log's own frames are written and read; the index is a map, made anew at each start.
//!
//! Promises what the trait promises, as far as the drive keeps its own: a sync that returned stands. Never: a
//! thread or a clock of its own. The committer is a task; when each of its steps is done is for [`Mechanics`] to say.

use super::{Batch, Entry, Sequence, Store, StoreError, Table};
use crate::journal::change::{self, Effect, Found, FullKey};
use crate::journal::fault::Fault;
use crate::journal::frame::{self, Piece};
use crate::journal::recovery::each_change;
use crate::threads::{Mutex, lock};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The name of the place in errors.
const PLACE: &str = "simulated drive";

/// What a simulated drive holds: one log.
#[derive(Debug, Default)]
pub struct Drive(Mutex<Platter>);

#[derive(Debug, Default)]
struct Platter {
    synced: Vec<u8>,
    /// Written, and lost in a crash unless synced.
    unsynced: Vec<u8>,
}

impl Drive {
    /// An empty drive.
    pub fn new() -> Drive {
        Drive::default()
    }

    /// The power is cut: of what was not synced, so many bytes happened to reach the drive.
    pub fn cut_power(&self, reached: usize) {
        let mut platter = lock(&self.0);
        let unsynced = std::mem::take(&mut platter.unsynced);
        platter.synced.extend(unsynced.into_iter().take(reached));
    }

    /// Bytes written and not synced.
    pub fn unsynced(&self) -> usize {
        lock(&self.0).unsynced.len()
    }

    /// Bytes that stand.
    pub fn len(&self) -> usize {
        lock(&self.0).synced.len()
    }

    /// Whether nothing stands.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of what stands: a backup.
    pub fn image(&self) -> Vec<u8> {
        lock(&self.0).synced.clone()
    }

    /// Puts a copy back.
    pub fn restore(&self, image: Vec<u8>) {
        *lock(&self.0) = Platter { synced: image, unsynced: Vec::new() };
    }

    /// The drive turns bits of one byte over.
    pub fn flip(&self, at: usize, bits: u8) {
        if let Some(byte) = lock(&self.0).synced.get_mut(at) {
            *byte ^= bits;
        }
    }
}

/// Which step of a commit is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A group is written.
    Write,
    /// It is synced.
    Sync,
    /// Those who wait are told.
    Acknowledge,
}

/// How the drive turns: takes its time, refuses, or never comes back because the process is gone.
#[async_trait]
pub trait Mechanics: Send + Sync + 'static {
    /// Returns when the step may be done.
    ///
    /// # Errors
    /// The drive refuses, in its own words.
    async fn turn(&self, turn: Turn, bytes: usize) -> Result<(), String>;
    /// Whether the process is gone: nothing it still does counts.
    fn is_gone(&self) -> bool;
}

struct Waiting {
    payload: Vec<u8>,
    effects: Vec<(FullKey, Effect)>,
    answer: oneshot::Sender<Result<Sequence, StoreError>>,
}

#[derive(Default)]
struct Contents {
    entries: BTreeMap<FullKey, Vec<u8>>,
    damaged: BTreeSet<FullKey>,
    sequence: Sequence,
}

impl Contents {
    fn apply(&mut self, key: FullKey, effect: Effect) {
        if effect.replaces() {
            self.damaged.remove(&key);
        }
        match effect {
            Effect::Put(value) => {
                self.entries.insert(key, value);
            }
            Effect::Append(value) => self.entries.entry(key).or_default().extend(value),
            Effect::Delete => {
                self.entries.remove(&key);
            }
        }
    }

    /// Reads the log; gives how many of its bytes are whole.
    fn read(&mut self, log: &[u8]) -> Result<usize, StoreError> {
        let refuse = |what: String| StoreError::Damaged { path: PLACE.to_owned(), what };
        let end = frame::read(log, 1, true, |piece| match piece {
            Piece::Lost { from, .. } => Err(refuse(format!("commits from {from} on are gone from the log"))),
            Piece::Frame { sequence, payload, .. } => {
                let read = each_change(payload, |found| {
                    match found {
                        Found::Whole(key, effect) => self.apply(key, effect),
                        Found::ValueDamaged(key) => {
                            self.damaged.insert(key);
                        }
                    }
                    Ok(())
                });
                read.ok_or_else(|| refuse(format!("commit {sequence} in the log cannot be read")))?
            }
        })?;
        self.sequence = end.next.saturating_sub(1);
        Ok(end.length)
    }
}

struct Inner {
    drive: Arc<Drive>,
    mechanics: Arc<dyn Mechanics>,
    contents: Mutex<Contents>,
    fault: Fault,
}

/// The store.
pub struct DriveStore {
    inner: Arc<Inner>,
    queue: mpsc::UnboundedSender<Waiting>,
}

impl DriveStore {
    /// Opens what the drive holds, within a runtime that the committer's task lives in.
    ///
    /// # Errors
    /// `Damaged`: what stands cannot be read with every key in it.
    pub fn open(drive: Arc<Drive>, mechanics: Arc<dyn Mechanics>) -> Result<DriveStore, StoreError> {
        let mut contents = Contents::default();
        {
            let mut platter = lock(&drive.0);
            let whole = contents.read(&platter.synced)?;
            platter.synced.truncate(whole);
            platter.unsynced.clear();
        }
        let inner =
            Arc::new(Inner { drive, mechanics, contents: Mutex::new(contents), fault: Fault::default() });
        let (queue, waiting) = mpsc::unbounded_channel();
        tokio::spawn(commit_all(Arc::clone(&inner), waiting));
        Ok(DriveStore { inner, queue })
    }
}

/// The committer: takes all who wait, writes once, syncs once, tells everybody.
async fn commit_all(inner: Arc<Inner>, mut queue: mpsc::UnboundedReceiver<Waiting>) {
    while let Some(first) = queue.recv().await {
        let mut group = vec![first];
        while let Ok(more) = queue.try_recv() {
            group.push(more);
        }
        if let Some(fault) = inner.fault.get() {
            refuse(group, &fault);
            continue;
        }
        match inner.commit(&group).await {
            Ok(first) => {
                for (sequence, waiting) in (first..).zip(group) {
                    // A caller who stopped waiting needs no answer.
                    drop(waiting.answer.send(Ok(sequence)));
                }
            }
            Err(what) => {
                let fault = inner.fault.set(StoreError::Write { path: PLACE.to_owned(), what });
                refuse(group, &fault);
            }
        }
    }
}

fn refuse(group: Vec<Waiting>, fault: &StoreError) {
    for waiting in group {
        drop(waiting.answer.send(Err(fault.clone())));
    }
}

impl Inner {
    async fn commit(&self, group: &[Waiting]) -> Result<Sequence, String> {
        let first = lock(&self.contents).sequence + 1;
        let mut bytes = Vec::new();
        for (place, waiting) in group.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            frame::write(&mut bytes, first + u64::from(place), place, &waiting.payload);
        }
        self.mechanics.turn(Turn::Write, bytes.len()).await?;
        lock(&self.drive.0).unsynced.extend_from_slice(&bytes);
        self.mechanics.turn(Turn::Sync, bytes.len()).await?;
        {
            let mut platter = lock(&self.drive.0);
            let written = std::mem::take(&mut platter.unsynced);
            platter.synced.extend(written);
        }
        self.mechanics.turn(Turn::Acknowledge, bytes.len()).await?;
        let mut contents = lock(&self.contents);
        for waiting in group {
            for (key, effect) in waiting.effects.clone() {
                contents.apply(key, effect);
            }
            contents.sequence += 1;
        }
        Ok(first)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.mechanics.is_gone() { Err(StoreError::Closed) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for DriveStore {
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError> {
        self.inner.fault.check()?;
        let effects: Vec<_> = batch.changes.into_iter().map(change::effect_of).collect();
        if effects.is_empty() {
            return Ok(lock(&self.inner.contents).sequence);
        }
        let mut payload = Vec::new();
        for (key, effect) in &effects {
            change::write(&mut payload, key, effect);
        }
        let (answer, answered) = oneshot::channel();
        self.queue.send(Waiting { payload, effects, answer }).map_err(|_| StoreError::Closed)?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.check()?;
        Ok(lock(&self.inner.contents).entries.get(&change::full_key(table as u8, key)).cloned())
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.check()?;
        let prefix = change::full_key(table as u8, prefix);
        let after = after.map(|after| change::full_key(table as u8, after)).filter(|key| *key >= prefix);
        let from = after.map_or_else(|| Bound::Included(prefix.clone()), Bound::Excluded);
        let contents = lock(&self.inner.contents);
        let range = contents.entries.range((from, Bound::Unbounded));
        let matching = range.take_while(|(key, _)| key.starts_with(&prefix)).take(limit);
        // Without the table's number.
        Ok(matching.map(|(key, value)| (key.get(1..).unwrap_or_default().to_vec(), value.clone())).collect())
    }

    /// The log is read whole at each start and never shortened: what was deleted is in it until then.
    async fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        let contents = lock(&self.inner.contents);
        let named = contents.damaged.iter().filter_map(|full| {
            let (number, key) = full.split_first()?;
            Some((Table::numbered(*number)?, key.to_vec()))
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses at one step of every commit.
    struct Refuses(Option<Turn>);

    #[async_trait]
    impl Mechanics for Refuses {
        async fn turn(&self, turn: Turn, _: usize) -> Result<(), String> {
            if self.0 == Some(turn) { Err("no space left".to_owned()) } else { Ok(()) }
        }
        fn is_gone(&self) -> bool {
            false
        }
    }

    fn batch(key: u8) -> Batch {
        let mut batch = Batch::new();
        batch.put(Table::People, [key], vec![key; 20]);
        batch
    }

    fn keys(store: &DriveStore) -> Vec<u8> {
        store.scan(Table::People, &[], None, 99).unwrap().into_iter().map(|(key, _)| key[0]).collect()
    }

    async fn written(drive: &Arc<Drive>, refuses: Option<Turn>) {
        let store = DriveStore::open(Arc::clone(drive), Arc::new(Refuses(None))).unwrap();
        for key in 1..=3 {
            store.commit(batch(key)).await.unwrap();
        }
        let store = DriveStore::open(Arc::clone(drive), Arc::new(Refuses(refuses))).unwrap();
        assert_eq!(store.commit(batch(4)).await.is_err(), refuses.is_some());
        // Nothing is taken after a failed write.
        assert_eq!(store.commit(batch(5)).await.is_err(), refuses.is_some());
    }

    #[tokio::test]
    async fn what_was_acknowledged_survives_and_a_write_cut_short_is_dropped() {
        for reached in 0..200 {
            let drive = Arc::new(Drive::new());
            written(&drive, Some(Turn::Sync)).await;
            let torn = drive.unsynced();
            drive.cut_power(reached);
            let store = DriveStore::open(Arc::clone(&drive), Arc::new(Refuses(None))).unwrap();
            let expected: &[u8] = if reached >= torn { &[1, 2, 3, 4] } else { &[1, 2, 3] };
            assert_eq!(keys(&store), expected, "{reached} of {torn} bytes");
            // What follows a torn write is found again.
            store.commit(batch(9)).await.unwrap();
            let store = DriveStore::open(drive, Arc::new(Refuses(None))).unwrap();
            assert_eq!(keys(&store).last(), Some(&9));
        }
    }

    #[tokio::test]
    async fn a_flipped_byte_is_named_or_the_start_is_refused_never_less_in_silence() {
        let drive = Arc::new(Drive::new());
        written(&drive, None).await;
        let image = drive.image();
        let (mut named, mut refused) = (0, 0);
        for at in 0..image.len() {
            drive.restore(image.clone());
            drive.flip(at, 0x10);
            match DriveStore::open(Arc::clone(&drive), Arc::new(Refuses(None))) {
                Ok(store) => {
                    named += 1;
                    assert_eq!(keys(&store).len() + store.damaged().len(), 5, "byte {at}");
                }
                Err(StoreError::Damaged { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(named > 0 && refused > 0, "{named} named, {refused} refused");
    }
}
