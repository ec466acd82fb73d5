//! The mirror on a disk: sled, and beside it a small file that says how far it is known to have come.
//!
//! sled's own flush hands data to the system only, and a file of its that lost its tail can open with less in it and
//! no error. So each put counts itself in the same atomic batch; [`Shelf::settle`] syncs sled's file and then notes
//! the count in a file of its own, `mark`. What opens with a lower count than noted has lost something, and is begun
//! anew: HubSpot can give it again. What was lost behind the mark is a whole end, watermarks included, and is pulled
//! again by itself. Never: an older copy taken for the present one.

use super::older;
use super::shelf::{Changes, Entry, Ground, Shelf, ShelfError};
use crate::journal::directory;
use crate::journal::store::StoreError;
use std::fs::{self, File};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// Counts puts; above every other key.
const COUNT: [u8; 1] = [0xff];
/// sled's cache: what it holds in memory, whatever there is on the disk.
const CACHE: u64 = 16 * 1024 * 1024;
/// How often sled is told of a row that a scan has read.
const TOLD: usize = 4;
/// Entries copied at a time.
const COPIED: usize = 250;
/// Where sled's files are. What is in them in another way has another name, so that no hsmc reads what it cannot: an
/// older one finds nothing here that it knows, and begins anew.
const PLACE: &str = "sled-2";
/// Where a mirror of the first form is: there, entries do not lie in blocks.
const FIRST: &str = "sled";
/// Where it is written anew.
const FRESH: &str = "sled-2.new";
/// Where one of the first form was.
const FIRST_FRESH: &str = "sled.new";
/// A mark that no count reaches.
const CONDEMNED: u64 = u64::MAX;

/// The store.
pub struct Disk {
    root: PathBuf,
    /// Sled's files.
    place: PathBuf,
    /// None only while it is being rewritten, or when that went wrong.
    db: RwLock<Option<sled::Db>>,
    puts: AtomicU64,
}

fn guarded<T>(access: impl FnOnce() -> sled::Result<T>) -> Result<T, ShelfError> {
    match catch_unwind(AssertUnwindSafe(access)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(ShelfError::Disk(directory::in_the_systems_words(&error))),
        Ok(Err(error)) => Err(ShelfError::Damaged(error.to_string())),
        Err(_) => Err(ShelfError::Damaged("sled panicked".to_owned())),
    }
}

fn on_disk(error: &StoreError) -> ShelfError {
    ShelfError::Disk(error.to_string())
}

impl Disk {
    /// Opens the store in a directory, or makes one. What is damaged there, or has lost something, is removed; then
    /// the second value says why.
    ///
    /// # Errors
    /// The directory cannot be made, read or written.
    pub fn open(root: &Path) -> Result<(Disk, Option<String>), ShelfError> {
        directory::make(root).map_err(|error| on_disk(&error))?;
        match Disk::open_as_it_is(root) {
            Err(ShelfError::Damaged(why)) => {
                remove(root)?;
                directory::make(root).map_err(|error| on_disk(&error))?;
                Ok((Disk::open_as_it_is(root)?, Some(why)))
            }
            opened => Ok((opened?, None)),
        }
    }

    fn open_as_it_is(root: &Path) -> Result<Disk, ShelfError> {
        let place = root.join(PLACE);
        // What a rewriting has left that was cut short.
        remove(&root.join(FRESH))?;
        remove(&root.join(FIRST_FRESH))?;
        if !place.exists() && root.join(FIRST).exists() {
            tracing::info!("the mirror is of an older form: it is packed anew, without any call");
            older::take_over(root).map_err(|error| {
                ShelfError::Damaged(format!("it is of an older form and could not be taken over: {error}"))
            })?;
        }
        remove(&root.join(FIRST))?;
        let disk = Disk::at(root, place)?;
        disk.is_whole()?;
        Ok(disk)
    }

    /// A mirror of the first form; none of it is changed.
    ///
    /// # Errors
    /// It cannot be read, or has lost something.
    pub(super) fn of_first_form(root: &Path) -> Result<Disk, ShelfError> {
        let disk = Disk::at(root, root.join(FIRST))?;
        disk.is_whole()?;
        Ok(disk)
    }

    /// An empty one beside another, whose count it goes on with: what is copied is not taken for a loss.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub(super) fn beside(other: &Disk) -> Result<Disk, ShelfError> {
        let disk = Disk::at(&other.root, other.root.join(FRESH))?;
        disk.puts.store(other.puts.load(Ordering::Acquire), Ordering::Release);
        Ok(disk)
    }

    /// Closes it and lets it take the place that is opened from now on. On the disk it is before.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn take_place(self) -> Result<(), ShelfError> {
        self.sync()?;
        let (root, place) = (self.root.clone(), self.place.clone());
        drop(self);
        fs::rename(place, root.join(PLACE)).map_err(|error| ShelfError::Disk(error.to_string()))?;
        directory::sync_directory(&root).map_err(|error| on_disk(&error))
    }

    /// Whether a key is the store's own.
    pub(super) fn is_own(key: &[u8]) -> bool {
        key == COUNT
    }

    /// Syncs sled's files.
    fn sync(&self) -> Result<(), ShelfError> {
        self.hand_over()?;
        for (file, _) in directory::files(&self.place).map_err(|error| on_disk(&error))? {
            let opened = File::open(&file).and_then(|file| file.sync_all());
            match opened {
                // sled replaces its snapshots as it goes.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                opened => opened.map_err(|error| ShelfError::Disk(error.to_string()))?,
            }
        }
        directory::sync_directory(&self.place).map_err(|error| on_disk(&error))
    }

    /// With its files in one place below the root, which is made.
    fn at(root: &Path, place: PathBuf) -> Result<Disk, ShelfError> {
        directory::make(&place).map_err(|error| on_disk(&error))?;
        for (file, name) in directory::files(&place).map_err(|error| on_disk(&error))? {
            // sled refuses to open beside a snapshot of its own that it did not finish.
            if name.starts_with("snap.") && name.ends_with(".generating") {
                fs::remove_file(&file).map_err(|error| ShelfError::Disk(error.to_string()))?;
            }
        }
        let db = opened(&place)?;
        let count = guarded(|| db.get(COUNT))?;
        let count = count.map_or(Some(0), |bytes| bytes.as_ref().try_into().ok().map(u64::from_be_bytes));
        let count = count.ok_or_else(|| ShelfError::Damaged("its count is no number".to_owned()))?;
        let db = RwLock::new(Some(db));
        Ok(Disk { root: root.to_path_buf(), place, db, puts: AtomicU64::new(count) })
    }

    /// Whether it has all that is known to have reached the disk.
    fn is_whole(&self) -> Result<(), ShelfError> {
        match self.puts.load(Ordering::Acquire) < read_mark(&self.root)? {
            true => Err(ShelfError::Damaged("it has lost what was on the disk".to_owned())),
            false => Ok(()),
        }
    }

    fn with<T>(&self, access: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, ShelfError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(|| ShelfError::Disk("it was not put back in place".to_owned()))?;
        guarded(|| access(db))
    }

    /// Lets the next opening begin anew.
    ///
    /// # Errors
    /// The mark cannot be written.
    pub fn condemn(root: &Path) -> Result<(), ShelfError> {
        write_mark(root, CONDEMNED)
    }
}

fn remove(path: &Path) -> Result<(), ShelfError> {
    directory::remove_all(path).map_err(|error| on_disk(&error))
}

fn opened(place: &Path) -> Result<sled::Db, ShelfError> {
    let config = sled::Config::new()
        .path(place)
        .mode(sled::Mode::HighThroughput)
        .cache_capacity(CACHE)
        .flush_every_ms(Some(1000))
        .print_profile_on_drop(false);
    guarded(|| config.open())
}

/// Reads a row that was read with others before. sled looks at what its cache holds only at every 64th read of some page
/// among 256, and a scan reads each page once: without this, a scan of many pages held up to 16,384 of them in memory,
/// whatever the cache may hold.
fn tell_cache(db: &sled::Db, key: &[u8]) -> sled::Result<()> {
    (0..TOLD).try_for_each(|_| db.get(key).map(drop))
}

/// Copies everything, a little at a time.
fn copy(from: &sled::Db, to: &sled::Db) -> sled::Result<()> {
    let mut batch = sled::Batch::default();
    for (number, row) in from.iter().enumerate() {
        let (key, value) = row?;
        tell_cache(from, &key)?;
        batch.insert(key, value);
        if number % COPIED == COPIED - 1 {
            to.apply_batch(std::mem::take(&mut batch))?;
        }
    }
    to.apply_batch(batch)?;
    to.flush().map(drop)
}

fn mark(root: &Path) -> PathBuf {
    root.join("mark")
}

fn read_mark(root: &Path) -> Result<u64, ShelfError> {
    match fs::read_to_string(mark(root)) {
        Ok(text) => {
            let sound = text
                .trim()
                .split_once(' ')
                .filter(|(number, sum)| format!("{:08x}", crc32fast::hash(number.as_bytes())) == *sum);
            let number = sound.and_then(|(number, _)| number.parse().ok());
            number.ok_or_else(|| ShelfError::Damaged("its mark cannot be read".to_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(ShelfError::Disk(error.to_string())),
    }
}

fn write_mark(root: &Path, count: u64) -> Result<(), ShelfError> {
    let number = count.to_string();
    let text = format!("{number} {:08x}\n", crc32fast::hash(number.as_bytes()));
    directory::replace(&mark(root), text.as_bytes()).map_err(|error| on_disk(&error))
}

impl Shelf for Disk {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        Ok(self.with(|db| db.get(key))?.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, ShelfError> {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        self.with(|db| {
            let mut rows = Vec::new();
            for row in db.range::<&[u8], _>((from, Bound::Unbounded)).take(limit) {
                let (key, value) = row?;
                if !key.starts_with(prefix) {
                    break;
                }
                tell_cache(db, &key)?;
                rows.push((key.to_vec(), value.to_vec()));
            }
            Ok(rows)
        })
    }

    fn put(&self, changes: Changes) -> Result<(), ShelfError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        // One writer: nobody counts in between.
        let count = self.puts.load(Ordering::Acquire) + 1;
        batch.insert(&COUNT, &count.to_be_bytes());
        self.with(|db| db.apply_batch(batch))?;
        self.puts.store(count, Ordering::Release);
        Ok(())
    }

    fn hand_over(&self) -> Result<(), ShelfError> {
        self.with(|db| db.flush()).map(drop)
    }

    fn settle(&self) -> Result<(), ShelfError> {
        let count = self.puts.load(Ordering::Acquire);
        self.sync()?;
        write_mark(&self.root, count)
    }

    fn rewrite(&self) -> Result<(), ShelfError> {
        let fresh = self.root.join(FRESH);
        remove(&fresh)?;
        directory::make(&fresh).map_err(|error| on_disk(&error))?;
        let mut held = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let Some(old) = held.take() else {
            return Err(ShelfError::Disk("it was not put back in place".to_owned()));
        };
        let new = opened(&fresh)?;
        guarded(|| copy(&old, &new))?;
        // sled works on the files it was opened with: both are closed before they change places. A crash in between
        // leaves fewer puts than the mark says, and the mirror is begun anew.
        drop((old, new));
        remove(&self.place)?;
        fs::rename(&fresh, &self.place).map_err(|error| ShelfError::Disk(error.to_string()))?;
        *held = Some(opened(&self.place)?);
        drop(held);
        self.settle()
    }

    fn clear(&self) -> Result<(), ShelfError> {
        let mut held = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // From here on, whoever opens it begins anew.
        write_mark(&self.root, CONDEMNED)?;
        drop(held.take());
        remove(&self.place)?;
        directory::make(&self.place).map_err(|error| on_disk(&error))?;
        *held = Some(opened(&self.place)?);
        self.puts.store(0, Ordering::Release);
        drop(held);
        self.settle()
    }

    fn size(&self) -> u64 {
        // What cannot be told is told as nothing.
        self.with(|db| db.size_on_disk()).unwrap_or(0)
    }
}

impl Ground for Disk {
    fn before(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        let row = self.with(|db| {
            let row = db.range::<&[u8], _>(..key).next_back().transpose()?;
            // Whoever looks for a block reads it next, here and there among all.
            row.iter().try_for_each(|(key, _)| tell_cache(db, key))?;
            Ok(row)
        })?;
        Ok(row.map(|(key, _)| key.to_vec()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.hand_over() {
            tracing::warn!(%error, "the mirror was not closed in order; the next pull goes on before it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(disk: &Disk, key: &[u8], value: &[u8]) {
        disk.put(vec![(key.to_vec(), Some(value.to_vec()))]).unwrap();
    }

    #[test]
    fn what_the_disk_said_is_told_in_the_systems_words() {
        let full = || std::io::Error::from_raw_os_error(28);
        let handed_on = std::io::Error::new(full().kind(), format!("{:?}", full()));
        for error in [full(), handed_on] {
            let told = guarded(|| sled::Result::<()>::Err(sled::Error::Io(error))).unwrap_err();
            assert!(told.to_string().contains("read or written: No space left on device"), "{told}");
            assert!(!told.to_string().contains("Os {"), "{told}");
        }
    }

    #[test]
    fn what_is_settled_is_there_again_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        {
            let (disk, lost) = Disk::open(folder.path()).unwrap();
            assert_eq!(lost, None);
            for key in [b"b2", b"a1", b"b1"] {
                put(&disk, key, b"v");
            }
            disk.settle().unwrap();
        }
        let (disk, lost) = Disk::open(folder.path()).unwrap();
        assert_eq!(lost, None);
        let keys = |after: Option<&[u8]>| -> Vec<Vec<u8>> {
            disk.scan(b"b", after, 10).unwrap().into_iter().map(|(key, _)| key).collect()
        };
        assert_eq!(keys(None), [b"b1", b"b2"]);
        assert_eq!(keys(Some(b"b1")), [b"b2"]);
        assert_eq!(keys(Some(b"a")), [b"b1", b"b2"], "a cursor before the prefix begins at the prefix");
    }

    #[test]
    fn a_mirror_that_lost_what_was_settled_is_never_taken_for_the_present_one() {
        let folder = tempfile::tempdir().unwrap();
        {
            let (disk, _) = Disk::open(folder.path()).unwrap();
            put(&disk, b"a", b"1");
            disk.settle().unwrap();
        }
        // As a file that lost its tail opens: empty, and without an error.
        fs::remove_dir_all(folder.path().join(PLACE)).unwrap();
        let (disk, lost) = Disk::open(folder.path()).unwrap();
        assert!(lost.is_some());
        assert_eq!(disk.get(b"a").unwrap(), None);
        drop(disk);
        assert_eq!(Disk::open(folder.path()).unwrap().1, None, "it is told once");
    }

    #[test]
    fn a_file_full_of_noise_is_a_mirror_begun_anew_and_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        {
            let (disk, _) = Disk::open(folder.path()).unwrap();
            for number in 0..3_000_u32 {
                put(&disk, &number.to_be_bytes(), &[7; 300]);
            }
            disk.settle().unwrap();
        }
        let file = folder.path().join(PLACE).join("db");
        let length = fs::metadata(&file).unwrap().len();
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length / 3).unwrap();
        let (disk, lost) = Disk::open(folder.path()).unwrap();
        assert!(lost.is_some());
        assert_eq!(disk.scan(b"", None, 10).unwrap().len(), 0);
    }

    #[test]
    fn what_was_deleted_leaves_no_byte_once_it_is_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        put(&disk, b"a", b"ann@example.com");
        put(&disk, b"b", b"kept");
        disk.settle().unwrap();
        disk.put(vec![(b"a".to_vec(), None)]).unwrap();
        disk.rewrite().unwrap();
        for (file, _) in directory::files(&folder.path().join(PLACE)).unwrap() {
            let bytes = fs::read(&file).unwrap_or_default();
            assert!(!bytes.windows(3).any(|part| part == b"ann"), "{}", file.display());
        }
        assert_eq!(disk.get(b"b").unwrap().as_deref(), Some(&b"kept"[..]));
        put(&disk, b"c", b"later");
        drop(disk);
        let (disk, lost) = Disk::open(folder.path()).unwrap();
        assert_eq!((lost, disk.scan(b"", None, 9).unwrap().len()), (None, 3), "two entries and the count");
    }

    #[test]
    fn what_was_emptied_leaves_no_byte_and_is_no_loss() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        put(&disk, b"a", b"ann@example.com");
        disk.settle().unwrap();
        disk.clear().unwrap();
        assert_eq!(disk.scan(b"", None, 9).unwrap(), []);
        for (file, _) in directory::files(&folder.path().join(PLACE)).unwrap() {
            let bytes = fs::read(&file).unwrap_or_default();
            assert!(!bytes.windows(3).any(|part| part == b"ann"), "{}", file.display());
        }
        put(&disk, b"b", b"later");
        disk.settle().unwrap();
        drop(disk);
        let (disk, lost) = Disk::open(folder.path()).unwrap();
        assert_eq!((lost, disk.get(b"b").unwrap().as_deref()), (None, Some(&b"later"[..])));
    }

    #[test]
    fn a_condemned_mirror_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        put(&Disk::open(folder.path()).unwrap().0, b"a", b"1");
        Disk::condemn(folder.path()).unwrap();
        assert!(Disk::open(folder.path()).unwrap().1.is_some());
    }
}
