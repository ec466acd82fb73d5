//! Snapshots: everything the store holds at one commit, in one immutable sorted file.
//!
//! Layout, numbers little-endian: magic `HSMCSNAP`, version u32, sequence u64, crc32 of these; entries as
//! changes (see `change`) sorted by table and key; 0xff, the totals per table, crc32 of everything before
//! it. Promises: a snapshot stands under its name only when whole and on the disk; two are kept.

use super::change::{self, Effect, Found, FullKey, HEAD};
use super::directory::{self, files, new_file, put_in_place, sync_directory, temporary};
use super::fault::io;
use super::index::{Index, Mark, Trouble};
use super::store::{Sequence, StoreError};
use super::totals::Totals;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"HSMCSNAP";
const VERSION: u32 = 1;
const HEADER: usize = 24;
const END: u8 = 0xff;
/// Extension of a snapshot set aside.
const DAMAGED: &str = "damaged";

/// A snapshot file.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    pub(crate) path: PathBuf,
    /// The commit it stands at.
    pub(crate) sequence: Sequence,
}

/// Why no snapshot was taken.
pub(crate) enum SnapshotFailure {
    /// The file could not be written.
    File(StoreError),
    /// The index is not what it should be.
    Index(Trouble),
}

/// All snapshots, newest first.
pub(crate) fn list(directory: &Path) -> Result<Vec<SnapshotFile>, StoreError> {
    let mut found: Vec<SnapshotFile> = files(directory)?
        .into_iter()
        .filter_map(|(path, name)| {
            let sequence = Sequence::from_str_radix(name.strip_suffix(".snap")?, 16).ok()?;
            Some(SnapshotFile { path, sequence })
        })
        .collect();
    found.reverse();
    Ok(found)
}

/// Takes a damaged snapshot's name away, so that it no longer counts as one.
pub(crate) fn set_aside(snapshot: &SnapshotFile) -> Result<(), StoreError> {
    let aside = snapshot.path.with_extension(DAMAGED);
    fs::rename(&snapshot.path, aside).map_err(|error| io(&snapshot.path, error))
}

/// Removes all but the two newest, and what was set aside; gives those two.
pub(crate) fn keep_two(directory: &Path) -> Result<Vec<SnapshotFile>, StoreError> {
    let mut found = list(directory)?;
    for old in found.split_off(found.len().min(2)) {
        fs::remove_file(&old.path).map_err(|error| io(&old.path, error))?;
    }
    for (path, name) in files(directory)? {
        if name.ends_with(DAMAGED) {
            fs::remove_file(&path).map_err(|error| io(&path, error))?;
        }
    }
    sync_directory(directory)?;
    Ok(found)
}

fn header(sequence: Sequence) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

struct Summed<W> {
    inner: W,
    sum: crc32fast::Hasher,
    length: u64,
}

impl<W: Write> Summed<W> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
        self.inner.write_all(bytes)
    }
}

/// The name of the snapshot at a commit.
pub(crate) fn snapshot_name(sequence: Sequence) -> String {
    format!("{sequence:016x}.snap")
}

/// Writes a snapshot of the index, which stands at `mark`; gives its size.
pub(crate) fn write(directory: &Path, index: &Index, mark: &Mark) -> Result<u64, SnapshotFailure> {
    let path = directory.join(snapshot_name(mark.sequence));
    let file = new_file(&temporary(&path)).map_err(SnapshotFailure::File)?;
    let failed = |error: std::io::Error| SnapshotFailure::File(io(&path, error));
    let mut out =
        Summed { inner: BufWriter::with_capacity(1 << 20, file), sum: crc32fast::Hasher::new(), length: 0 };
    let result = (|| {
        out.put(&header(mark.sequence)).map_err(failed)?;
        let mut totals = Totals::default();
        let mut entry = Vec::new();
        let mut unwritten = None;
        let walked = index.each(|key, value| {
            totals.add(key, value);
            entry.clear();
            change::write_entry(&mut entry, key, value);
            out.put(&entry).map_err(|error| {
                unwritten = Some(error);
                Trouble::new("a file could not be written")
            })
        });
        if let Some(error) = unwritten {
            return Err(failed(error));
        }
        walked.map_err(SnapshotFailure::Index)?;
        if totals != mark.totals {
            return Err(SnapshotFailure::Index(Trouble::new("it holds something else than its mark says")));
        }
        let mut end = vec![END];
        totals.write(&mut end);
        out.put(&end).map_err(failed)?;
        let sum = out.sum.clone().finalize();
        out.put(&sum.to_le_bytes()).map_err(failed)?;
        out.inner.flush().and_then(|()| out.inner.get_ref().sync_all()).map_err(failed)?;
        put_in_place(&path).map_err(SnapshotFailure::File)
    })();
    if result.is_err() {
        directory::sweep(directory).map_err(SnapshotFailure::File)?;
    }
    result.map(|()| out.length)
}

/// What a snapshot is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Everything is as it was written.
    Whole,
    /// Some values are damaged; their keys are known and nothing is missing.
    Partial,
    /// It cannot be known what is missing.
    Unreadable,
}

/// Reads a snapshot from end to end. A key without an effect is one whose value is damaged. Nothing that
/// is visited may be believed before the worth is known.
pub(crate) fn read(
    snapshot: &SnapshotFile,
    visit: impl FnMut(FullKey, Option<Vec<u8>>) -> Result<(), StoreError>,
) -> Result<Worth, StoreError> {
    let path = &snapshot.path;
    let file = File::open(path).map_err(|error| io(path, error))?;
    read_from(BufReader::with_capacity(1 << 20, file), snapshot.sequence, visit)
}

/// The same from any source of its bytes.
pub(crate) fn read_from(
    inner: impl Read,
    sequence: Sequence,
    mut visit: impl FnMut(FullKey, Option<Vec<u8>>) -> Result<(), StoreError>,
) -> Result<Worth, StoreError> {
    let mut source = Source { inner, sum: crc32fast::Hasher::new(), buffer: Vec::new() };
    if source.take(HEADER).is_none_or(|bytes| bytes != header(sequence)) {
        return Ok(Worth::Unreadable);
    }
    let mut totals = Totals::default();
    let mut entries = 0_u64;
    let mut damaged = 0_u64;
    loop {
        let Some(first) = source.take(1).and_then(|bytes| bytes.first().copied()) else {
            return Ok(Worth::Unreadable);
        };
        if first == END {
            break;
        }
        let Some(found) = source.entry(first) else { return Ok(Worth::Unreadable) };
        entries += 1;
        match found {
            Found::Whole(key, Effect::Put(value)) => {
                totals.add(&key, &value);
                visit(key, Some(value))?;
            }
            Found::Whole(..) => return Ok(Worth::Unreadable),
            Found::ValueDamaged(key) => {
                damaged += 1;
                visit(key, None)?;
            }
        }
    }
    Ok(match source.end() {
        Some((written, true)) if damaged == 0 && written == totals => Worth::Whole,
        Some((written, false)) if damaged > 0 && written.count() == entries => Worth::Partial,
        _ => Worth::Unreadable,
    })
}

struct Source<R> {
    inner: R,
    sum: crc32fast::Hasher,
    buffer: Vec<u8>,
}

impl<R: Read> Source<R> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        self.buffer.clear();
        self.more(length)?;
        Some(&self.buffer)
    }

    fn more(&mut self, length: usize) -> Option<()> {
        let before = self.buffer.len();
        // Grown only as far as bytes are really there: a damaged length allocates nothing.
        let read = (&mut self.inner).take(length as u64).read_to_end(&mut self.buffer).ok()?;
        self.sum.update(self.buffer.get(before..)?);
        (read == length).then_some(())
    }

    /// The entry that begins with a byte already read.
    fn entry(&mut self, first: u8) -> Option<Found> {
        self.buffer.clear();
        self.buffer.push(first);
        self.more(HEAD - 1)?;
        let head: &[u8; HEAD] = self.buffer.as_slice().try_into().ok()?;
        let (key, value) = change::lengths(head)?;
        self.more(key + 4 + value + 4)?;
        change::read(&self.buffer).map(|(found, _)| found)
    }

    /// The totals at the end, and whether the checksum over everything is right.
    fn end(&mut self) -> Option<(Totals, bool)> {
        let mut rest = Vec::new();
        (&mut self.inner).take(8 * 1024).read_to_end(&mut rest).ok()?;
        let (totals, after) = Totals::read(&rest)?;
        let sum: [u8; 4] = after.try_into().ok()?;
        self.sum.update(rest.get(..rest.len().checked_sub(4)?)?);
        Some((totals, self.sum.clone().finalize().to_le_bytes() == sum))
    }
}
