//! The store on a disk: log and snapshot for durability, sled to look things up.
//!
//! Promises what the trait promises. One process per state directory. Dropping it closes it: what is
//! committed is in the log already; closing only makes the next start quick.

use super::{Batch, Entry, Sequence, Store, StoreError, Table};
use crate::failpoint;
use crate::journal::applier::{Applier, Signal, index_fault};
use crate::journal::backup::{About, BackupError, Kept, Source};
use crate::journal::change::{self, Effect, FullKey, LONGEST_KEY, LONGEST_VALUE};
use crate::journal::committer::Committer;
use crate::journal::directory::Directory;
use crate::journal::fault::{Fault, io};
use crate::journal::index::{Index, Shared, Trouble};
use crate::journal::log::{LogWriter, segment_name};
use crate::journal::medium::{Disk, Medium};
use crate::journal::overlay::Overlay;
use crate::journal::recovery::{self, Recovered};
use crate::journal::{backup, restore};
use crate::threads::{Mutex, lock};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Entries read under one hold of the overlay, so that a long scan does not hold up commits.
const SCAN: usize = 256;

/// Sizes and what the log is written on. The defaults are for real use.
#[derive(Clone)]
pub struct Settings {
    /// A new log segment begins when one has grown to this.
    pub segment_bytes: u64,
    /// A checkpoint is taken when the log has grown by this since the last.
    pub checkpoint_bytes: u64,
    /// Commits wait when this much is not in the index yet. It also bounds sled's batches, whose memory
    /// grows to some twenty times their size.
    pub overlay_bytes: usize,
    /// sled's cache.
    pub cache_bytes: u64,
    /// How long the applier gathers before it touches the index.
    pub linger: Duration,
    /// What the log is written on.
    pub medium: Arc<dyn Medium>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            segment_bytes: 16 * 1024 * 1024,
            checkpoint_bytes: 64 * 1024 * 1024,
            overlay_bytes: 2 * 1024 * 1024,
            cache_bytes: 4 * 1024 * 1024,
            linger: Duration::from_millis(20),
            medium: Arc::new(Disk),
        }
    }
}

/// The threads, and the lock they work under.
struct Running {
    committer: JoinHandle<()>,
    applier: JoinHandle<()>,
    lock: File,
}

/// The store.
pub struct LiveStore {
    directory: Directory,
    committer: Arc<Committer>,
    overlay: Arc<Overlay>,
    signal: Arc<Signal>,
    fault: Arc<Fault>,
    /// None once closed.
    index: Shared,
    damaged: Mutex<BTreeSet<FullKey>>,
    running: Mutex<Option<Running>>,
}

impl LiveStore {
    /// Opens the store in a state directory; makes a new one when the directory is empty or missing.
    ///
    /// # Errors
    /// `Locked`, `Newer`, `Damaged`, `Io`: each says what to do.
    pub fn open(directory: &Path) -> Result<LiveStore, StoreError> {
        LiveStore::open_with(directory, Settings::default())
    }

    /// Opens with other sizes.
    ///
    /// # Errors
    /// As [`LiveStore::open`].
    pub fn open_with(directory: &Path, settings: Settings) -> Result<LiveStore, StoreError> {
        let directory = Directory::new(directory);
        let lock = directory.take()?;
        restore::finish(&directory)?;
        directory.prepare(&segment_name(1))?;
        let Recovered { index, mark, end, damaged, log_bytes } =
            recovery::recover(&directory, settings.cache_bytes)?;
        let log = LogWriter::open(&directory.log(), &end, settings.medium, settings.segment_bytes)?;
        directory.raise_format()?;

        let fault = Arc::new(Fault::default());
        let overlay = Arc::new(Overlay::default());
        let signal = Arc::new(Signal::new(settings.overlay_bytes, log_bytes));
        let committer =
            Arc::new(Committer::new(mark.sequence, fault.clone(), overlay.clone(), signal.clone()));
        let index: Shared = Arc::new(RwLock::new(Some(index)));
        let applier = Applier {
            directory: directory.clone(),
            index: Arc::clone(&index),
            cache_bytes: settings.cache_bytes,
            mark,
            overlay: overlay.clone(),
            signal: signal.clone(),
            fault: fault.clone(),
            linger: settings.linger,
            checkpoint_bytes: settings.checkpoint_bytes,
        };
        let running = Running {
            committer: {
                let (worker, fault, directory) = (committer.clone(), fault.clone(), directory.clone());
                spawn("committer", &directory.clone(), move || {
                    if catch_unwind(AssertUnwindSafe(|| worker.run(log))).is_err() {
                        worker.refuse_waiting(&fault.set(panicked(&directory)));
                    }
                })?
            },
            applier: {
                let (signal, fault, directory) = (signal.clone(), fault.clone(), directory.clone());
                spawn("applier", &directory.clone(), move || {
                    if catch_unwind(AssertUnwindSafe(|| applier.run())).is_err() {
                        fault.set(panicked(&directory));
                    }
                    signal.ended();
                })?
            },
            lock,
        };
        Ok(LiveStore {
            directory,
            committer,
            overlay,
            signal,
            fault,
            index,
            damaged: Mutex::new(damaged),
            running: Mutex::new(Some(running)),
        })
    }

    /// Writes a snapshot of everything acknowledged so far, begins a new log segment, and removes the
    /// segments that neither kept snapshot needs. Two checkpoints with a commit before each therefore
    /// leave no byte of what was deleted before the first.
    ///
    /// # Errors
    /// When the snapshot cannot be written, or does not add up to what was acknowledged; nothing is
    /// deleted then.
    pub async fn checkpoint(&self) -> Result<Sequence, StoreError> {
        self.committer.roll().await?;
        let (answer, answered) = oneshot::channel();
        self.signal.ask_checkpoint(answer);
        answered.await.unwrap_or_else(|_| Err(self.fault.get().unwrap_or(StoreError::Closed)))
    }

    /// Lets go of the room of everything that was deleted: two checkpoints, after which neither the log nor a
    /// snapshot holds a byte of it, then the index made anew. Commits go on meanwhile; reads wait for the
    /// moment in which the indexes change places.
    ///
    /// # Errors
    /// As [`LiveStore::checkpoint`], or the new index cannot be made; nothing is lost then.
    pub async fn compact(&self) -> Result<Sequence, StoreError> {
        for nth in ["first", "second"] {
            // A commit that changes nothing: the two snapshots stand at two different ones.
            let mut batch = Batch::new();
            batch.delete(Table::Meta, "compacting");
            self.commit(batch).await?;
            self.checkpoint().await?;
            failpoint::pass(|| format!("{}:{nth}-checkpoint", failpoint::COMPACT));
        }
        self.directory.remove_set_aside()?;
        let (answer, answered) = oneshot::channel();
        self.signal.ask_rebuild(answer);
        answered.await.unwrap_or_else(|_| Err(self.fault.get().unwrap_or(StoreError::Closed)))
    }

    /// Writes everything acknowledged so far into a file or directory of its own, while commits go on: a
    /// checkpoint, whose snapshot never changes any more, is copied with a manifest, and the copy is read back
    /// before it gets its name.
    ///
    /// # Errors
    /// As [`LiveStore::checkpoint`]; there is something under that name; or the copy cannot be written or is
    /// not what was written.
    pub async fn backup(&self, to: &Path, about: About) -> Result<Kept, BackupError> {
        let sequence = self.checkpoint().await?;
        // Opened at once: a snapshot that is removed meanwhile stays readable.
        let source = Source::open(&self.directory.snapshots(), sequence)?;
        let to = to.to_path_buf();
        let written = tokio::task::spawn_blocking(move || backup::write(source, &to, about)).await;
        written.unwrap_or_else(|_| Err(panicked(&self.directory).into()))
    }

    /// The state directory.
    pub fn root(&self) -> &Path {
        self.directory.root()
    }

    /// The last acknowledged commit.
    pub fn sequence(&self) -> Sequence {
        self.committer.committed()
    }

    /// Makes all queued commits, brings the index up to date and lets go of the directory. Blocks for as
    /// long as that takes. Later calls find it closed.
    ///
    /// # Errors
    /// The fault that had stopped the store, if any.
    pub fn close(&self) -> Result<(), StoreError> {
        let Some(running) = lock(&self.running).take() else { return Ok(()) };
        self.committer.close();
        // Neither thread panics: what they run is caught where they are spawned.
        let committer = running.committer.join();
        self.signal.stop();
        let applier = running.applier.join();
        let index = self.index.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(error) = index.and_then(|index| index.close().err()) {
            tracing::warn!(error = %error, "the index was not closed in order; the next start mends it");
        }
        if committer.is_err() || applier.is_err() {
            tracing::error!("a thread of the journal panicked");
        }
        self.fault.check()?;
        self.directory.write_log_end(self.committer.committed())?;
        running.lock.unlock().map_err(|error| io(self.directory.root(), error))
    }

    fn with_index<T>(&self, read: impl FnOnce(&Index) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let index = index.as_ref().ok_or(StoreError::Closed)?;
        read(index).map_err(|error| {
            let fault = self.fault.set(index_fault(&self.directory, &error));
            self.signal.wake();
            fault
        })
    }

    /// Deletes the markers of damaged keys that a commit gives a new state.
    fn heal(&self, effects: &mut Vec<(FullKey, Effect)>) -> Vec<FullKey> {
        let damaged = lock(&self.damaged);
        if damaged.is_empty() {
            return Vec::new();
        }
        let replaced = effects.iter().filter(|(_, effect)| effect.replaces()).map(|(key, _)| key);
        let healed: Vec<FullKey> = replaced.filter(|key| damaged.contains(*key)).cloned().collect();
        effects.extend(healed.iter().map(|key| (change::damage_marker(key), Effect::Delete)));
        healed
    }
}

fn spawn(
    name: &str,
    directory: &Directory,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(format!("journal-{name}"))
        .spawn(work)
        .map_err(|error| io(directory.root(), error))
}

/// A thread of the journal ended as it must not: nobody may wait for it, and the next start mends.
fn panicked(directory: &Directory) -> StoreError {
    io(directory.root(), "a thread of the journal panicked; start again: nothing acknowledged is lost")
}

fn too_large(directory: &Directory, effects: &[(FullKey, Effect)]) -> Option<StoreError> {
    let key = effects.iter().any(|(key, _)| key.len() > LONGEST_KEY);
    let weight: usize = effects.iter().map(|(key, effect)| key.len() + effect.weight() + 32).sum();
    (key || weight > LONGEST_VALUE).then(|| {
        let what = "a commit is larger than the journal takes (64 MiB, keys 64 KiB)";
        io(directory.root(), what)
    })
}

#[async_trait]
impl Store for LiveStore {
    async fn commit(&self, batch: Batch) -> Result<Sequence, StoreError> {
        self.fault.check()?;
        let mut effects: Vec<_> = batch.changes.into_iter().map(change::effect_of).collect();
        if effects.is_empty() {
            return Ok(self.committer.committed());
        }
        let healed = self.heal(&mut effects);
        if let Some(error) = too_large(&self.directory, &effects) {
            return Err(error);
        }
        let mut payload = Vec::new();
        for (key, effect) in &effects {
            change::write(&mut payload, key, effect);
        }
        let sequence = self.committer.commit(payload, effects).await?;
        if !healed.is_empty() {
            let mut damaged = lock(&self.damaged);
            for key in &healed {
                damaged.remove(key);
            }
        }
        Ok(sequence)
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = change::full_key(table as u8, key);
        self.with_index(|index| index.get(&self.overlay.read(), &key))
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let prefix = change::full_key(table as u8, prefix);
        // A cursor before the prefix begins at the prefix.
        let mut after = after.map(|after| change::full_key(table as u8, after)).filter(|key| *key >= prefix);
        let mut found: Vec<Entry> = Vec::new();
        while found.len() < limit {
            let wanted = SCAN.min(limit - found.len());
            let from = match &after {
                Some(key) => Bound::Excluded(key.as_slice()),
                None => Bound::Included(prefix.as_slice()),
            };
            let chunk = self.with_index(|index| index.scan(&self.overlay.read(), &prefix, from, wanted))?;
            let done = chunk.len() < wanted;
            after = chunk.last().map(|(key, _)| key.clone());
            found.extend(chunk);
            if done {
                break;
            }
        }
        for (key, _) in &mut found {
            // The table's number.
            key.remove(0);
        }
        Ok(found)
    }

    async fn compact(&self) -> Result<(), StoreError> {
        LiveStore::compact(self).await.map(drop)
    }

    fn damaged(&self) -> Vec<(Table, Vec<u8>)> {
        let damaged = lock(&self.damaged);
        let named = damaged.iter().filter_map(|full| {
            let (number, key) = full.split_first()?;
            let table = Table::numbered(*number)?;
            Some((table, key.to_vec()))
        });
        named.collect()
    }
}

impl Drop for LiveStore {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(error = %error, "the journal was not closed in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn filled(home: &Path) -> LiveStore {
        let settings = Settings { linger: Duration::ZERO, ..Settings::default() };
        let store = LiveStore::open_with(home, settings).unwrap();
        for n in 0..20_u8 {
            let mut batch = Batch::new();
            batch.put(Table::People, [n], vec![n; 30]);
            store.commit(batch).await.unwrap();
        }
        // Brings everything into the index.
        store.checkpoint().await.unwrap();
        store
    }

    fn tamper(store: &LiveStore, key: &[u8], value: Option<&[u8]>) {
        let index = store.index.read().unwrap();
        index.as_ref().unwrap().tamper(&change::full_key(Table::People as u8, key), value);
    }

    fn all_there(home: &Path) {
        let store = LiveStore::open(home).unwrap();
        assert_eq!(store.scan(Table::People, &[], None, 99).unwrap().len(), 20);
        assert_eq!(store.get(Table::People, &[7]).unwrap(), Some(vec![7; 30]));
    }

    #[tokio::test]
    async fn a_checkpoint_does_not_launder_a_loss() {
        let home = tempfile::tempdir().unwrap();
        let store = filled(home.path()).await;
        tamper(&store, &[7], None);
        let before = std::fs::read_dir(home.path().join("snapshot")).unwrap().count();
        assert!(matches!(store.checkpoint().await, Err(StoreError::Io { .. })));
        // It stops, and nothing is deleted or left half done.
        let mut batch = Batch::new();
        batch.put(Table::People, [99], [0]);
        assert!(matches!(store.commit(batch).await, Err(StoreError::Io { .. })));
        assert_eq!(std::fs::read_dir(home.path().join("snapshot")).unwrap().count(), before);
        drop(store);
        all_there(home.path());
    }

    #[tokio::test]
    async fn a_value_that_rots_in_the_index_is_never_given_out() {
        let home = tempfile::tempdir().unwrap();
        let store = filled(home.path()).await;
        tamper(&store, &[7], Some(&[7; 34]));
        let error = store.get(Table::People, &[7]).unwrap_err();
        assert!(error.to_string().contains("start again"), "{error}");
        drop(store);
        all_there(home.path());
    }
}
