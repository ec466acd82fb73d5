//! Shared by the tests: a small store on a disk, a picture of what it holds, a disk that breaks.

use hsmc::journal::medium::{Appender, Disk, Medium};
use hsmc::journal::store::live::{LiveStore, Settings};
use hsmc::journal::store::{Batch, Store, StoreError, Table};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Everything a store holds.
pub type Picture = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

pub fn picture(store: &dyn Store) -> Picture {
    let mut all = Picture::new();
    for table in Table::ALL {
        for (key, value) in store.scan(table, &[], None, usize::MAX).unwrap() {
            all.insert((table, key), value);
        }
    }
    all
}

/// The `n`-th of a series of commits that put, append and delete; the same for the same `n`.
pub fn batch(n: u64) -> Batch {
    let mut batch = Batch::new();
    let value: Vec<u8> = (0..60).map(|i| (n * 31 + i * 7) as u8).collect();
    batch.put(Table::People, n.to_be_bytes(), value.clone());
    batch.append(Table::Moves, (n / 3).to_be_bytes(), value);
    batch.put(Table::OpenMoves, n.to_be_bytes(), []);
    if n >= 4 {
        batch.delete(Table::OpenMoves, (n - 4).to_be_bytes());
    }
    batch
}

/// What the first `n` of them leave.
pub fn expected(n: u64) -> Picture {
    let mut all = Picture::new();
    for at in 1..=n {
        for change in batch(at).changes {
            use hsmc::journal::store::Change::*;
            match change {
                Put { table, key, value } => drop(all.insert((table, key), value)),
                Append { table, key, value } => all.entry((table, key)).or_default().extend(value),
                Delete { table, key } => drop(all.remove(&(table, key))),
            }
        }
    }
    all
}

pub async fn fill(store: &dyn Store, from: u64, to: u64) {
    for n in from..=to {
        store.commit(batch(n)).await.unwrap();
    }
}

pub fn settings() -> Settings {
    Settings { linger: std::time::Duration::ZERO, ..Settings::default() }
}

pub fn open(path: &Path) -> Result<LiveStore, StoreError> {
    LiveStore::open_with(path, settings())
}

/// What a `kill -9` would leave: everything the kernel has, as it is.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn is_damaged<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Damaged { .. }))
}

/// A disk that counts syncs and breaks when told.
#[derive(Default)]
pub struct Rig {
    pub syncs: AtomicU64,
    /// Bytes still free; negative: endless.
    pub free: AtomicI64,
    /// Syncs until one fails; negative: never.
    pub sync_fails_in: AtomicI64,
}

#[derive(Clone)]
pub struct RiggedDisk(pub Arc<Rig>);

impl RiggedDisk {
    pub fn new() -> RiggedDisk {
        let rig = Rig::default();
        rig.free.store(-1, Ordering::SeqCst);
        rig.sync_fails_in.store(-1, Ordering::SeqCst);
        RiggedDisk(Arc::new(rig))
    }
}

struct RiggedFile(Box<dyn Appender>, Arc<Rig>);

impl Appender for RiggedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let free = self.1.free.load(Ordering::SeqCst);
        if free >= 0 && (free as usize) < bytes.len() {
            self.0.append(&bytes[..free as usize])?;
            self.1.free.store(0, Ordering::SeqCst);
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if free >= 0 {
            self.1.free.store(free - bytes.len() as i64, Ordering::SeqCst);
        }
        self.0.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.1.sync_fails_in.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        self.0.sync()?;
        self.1.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Medium for RiggedDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Appender>> {
        Ok(Box::new(RiggedFile(Disk.open(path)?, self.0.clone())))
    }
}
