//! Backups: one snapshot with a manifest, as `.tar.zst`, `.tar.gz` or a directory.
//!
//! Promises: what stands under the name asked for was read back and is whole, is on the disk, and is for its
//! owner's eyes only: it holds addresses. A backup is never written over anything. What is read is believed only
//! when the manifest's hash and every checksum of the snapshot are right, and nothing but these two files is taken
//! out of it.

use super::directory::{self, new_file, sync_directory};
use super::fault::io;
use super::snapshot::{self, Worth, snapshot_name};
use super::store::{Sequence, StoreError, Table};
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::failpoint;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The manifest's name, and the most it may take.
const MANIFEST: &str = "manifest.json";
const LONGEST_MANIFEST: u64 = 1 << 20;
/// The folder of the snapshot.
const FOLDER: &str = "snapshot";
/// Bytes copied at once.
const PIECE: usize = 256 * 1024;
/// zstd's own default.
const LEVEL: i32 = 3;

/// Whose backup it is, and of when.
#[derive(Clone, Debug)]
pub struct About {
    /// The workspace's name; empty when not known.
    pub workspace: String,
    /// Now.
    pub at: Timestamp,
}

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The state directory's format.
    pub format: u32,
    /// The last commit in it.
    pub sequence: Sequence,
    /// The hsmc that wrote it.
    pub hsmc: String,
    /// The workspace's name.
    pub workspace: String,
    /// When it was made, in milliseconds since 1970 in UTC.
    pub made_at: Timestamp,
    /// The snapshot's size in bytes.
    pub bytes: u64,
    /// The snapshot's SHA-256, in hex.
    pub sha256: String,
}

/// A backup that was read from end to end and is whole.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What it says of itself.
    pub manifest: Manifest,
    /// How many records it holds, by table.
    pub records: BTreeMap<Table, u64>,
    /// Bytes it takes on the disk.
    pub on_disk: u64,
}

/// Why a backup was not written or not read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackupError {
    /// The store, or a file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is something already.
    #[error("{path} is there already, and a backup is never written over anything")]
    Taken {
        /// Where.
        path: String,
    },
    /// It is not what was written.
    #[error("the backup {path} cannot be used: {what}")]
    Damaged {
        /// Where.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The state directory holds a journal already.
    #[error("the state directory {path} holds a journal already")]
    Occupied {
        /// Where.
        path: String,
    },
}

impl BackupError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            BackupError::Store(error) => error.code(),
            BackupError::Taken { .. } => Code::BackupInTheWay,
            BackupError::Damaged { .. } => Code::BackupUnusable,
            BackupError::Occupied { .. } => Code::StateOccupied,
        }
    }
}

/// How a backup lies on the disk; told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Zstd,
    Gzip,
    Folder,
}

impl Shape {
    fn of(path: &Path) -> Shape {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if name.ends_with(".tar.zst") {
            Shape::Zstd
        } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Shape::Gzip
        } else {
            Shape::Folder
        }
    }
}

/// The snapshot to be kept, held open.
pub(crate) struct Source {
    file: File,
    path: PathBuf,
    sequence: Sequence,
}

impl Source {
    pub(crate) fn open(snapshots: &Path, sequence: Sequence) -> Result<Source, StoreError> {
        let path = snapshots.join(snapshot_name(sequence));
        let file = File::open(&path).map_err(|error| io(&path, error))?;
        Ok(Source { file, path, sequence })
    }
}

fn unusable(path: &Path, what: impl Into<String>) -> BackupError {
    BackupError::Damaged { path: path.display().to_string(), what: what.into() }
}

/// Writes a backup under a name that nothing has yet.
pub(crate) fn write(mut source: Source, to: &Path, about: About) -> Result<Kept, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Taken { path: to.display().to_string() });
    }
    let (sha256, bytes) = hash_of(&mut source)?;
    let manifest = Manifest {
        format: directory::FORMAT,
        sequence: source.sequence,
        hsmc: env!("CARGO_PKG_VERSION").to_owned(),
        workspace: about.workspace,
        made_at: about.at,
        bytes,
        sha256,
    };
    let part = beside(to);
    remove(&part)?;
    let failed = |error: std::io::Error| BackupError::from(io(&part, error));
    match Shape::of(to) {
        Shape::Folder => folder(&part, &manifest, source)?,
        Shape::Zstd => {
            let out = zstd::Encoder::new(new_file(&part)?, LEVEL).map_err(failed)?;
            let out = archive(out, &manifest, source).and_then(zstd::Encoder::finish).map_err(failed)?;
            out.sync_all().map_err(failed)?;
        }
        Shape::Gzip => {
            let out = flate2::write::GzEncoder::new(new_file(&part)?, flate2::Compression::default());
            let out = archive(out, &manifest, source).and_then(flate2::write::GzEncoder::finish);
            out.and_then(|out| out.sync_all()).map_err(failed)?;
        }
    }
    failpoint::pass(|| format!("{}:written", failpoint::BACKUP));
    let kept = read_as(&part, Shape::of(to), None)?;
    if kept.manifest != manifest {
        return Err(unusable(&part, "read back, it says something else of itself"));
    }
    fs::rename(&part, to).map_err(|error| io(to, error))?;
    to.parent().map_or(Ok(()), sync_directory)?;
    failpoint::pass(|| format!("{}:placed", failpoint::BACKUP));
    Ok(kept)
}

/// The name a backup has until it is whole.
fn beside(to: &Path) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    to.with_file_name(name)
}

fn remove(part: &Path) -> Result<(), StoreError> {
    let gone = if part.is_dir() { fs::remove_dir_all(part) } else { fs::remove_file(part) };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(part, error)),
        _ => Ok(()),
    }
}

fn hash_of(source: &mut Source) -> Result<(String, u64), StoreError> {
    let failed = |error| io(&source.path, error);
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let read = source.file.read(&mut piece).map_err(failed)?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        bytes += read.len() as u64;
    }
    source.file.rewind().map_err(failed)?;
    Ok((hex::encode(hash.finalize()), bytes))
}

fn folder(part: &Path, manifest: &Manifest, mut source: Source) -> Result<(), BackupError> {
    let inner = part.join(FOLDER);
    directory::make(part)?;
    directory::make(&inner)?;
    directory::replace(&part.join(MANIFEST), &json(manifest).map_err(|error| io(part, error))?)?;
    let path = inner.join(snapshot_name(source.sequence));
    let mut copy = new_file(&path)?;
    std::io::copy(&mut source.file, &mut copy)
        .and_then(|_| copy.sync_all())
        .map_err(|error| io(&path, error))?;
    sync_directory(&inner)?;
    Ok(sync_directory(part)?)
}

fn archive<W: Write>(out: W, manifest: &Manifest, source: Source) -> std::io::Result<W> {
    let mut archive = tar::Builder::new(BufWriter::with_capacity(PIECE, out));
    let described = json(manifest)?;
    let header = |length: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(length);
        header.set_mtime(u64::try_from(manifest.made_at.0 / 1000).unwrap_or_default());
        header
    };
    archive.append_data(&mut header(described.len() as u64), MANIFEST, described.as_slice())?;
    let name = format!("{FOLDER}/{}", snapshot_name(source.sequence));
    archive.append_data(&mut header(manifest.bytes), name, source.file)?;
    archive.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)
}

fn json(manifest: &Manifest) -> std::io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    Ok(text)
}

/// Reads a backup from end to end; its snapshot goes into `into`, when given.
///
/// # Errors
/// It cannot be read, is not whole, or is of a newer hsmc.
pub fn read(from: &Path, into: Option<&mut File>) -> Result<Kept, BackupError> {
    let shape = if from.is_dir() { Shape::Folder } else { Shape::of(from) };
    read_as(from, shape, into)
}

fn read_as(from: &Path, shape: Shape, into: Option<&mut File>) -> Result<Kept, BackupError> {
    let open = || File::open(from).map_err(|error| BackupError::from(io(from, error)));
    match shape {
        Shape::Folder => {
            let path = from.join(MANIFEST);
            let file = File::open(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => unusable(from, "no backup is there"),
                _ => io(&path, error).into(),
            })?;
            let manifest = manifest_of(from, file)?;
            let path = from.join(FOLDER).join(snapshot_name(manifest.sequence));
            let file = File::open(&path).map_err(|error| io(&path, error))?;
            let on_disk = file.metadata().map_err(|error| io(&path, error))?.len();
            content(from, manifest, on_disk, BufReader::with_capacity(PIECE, file), into)
        }
        Shape::Zstd => {
            let decoder = zstd::Decoder::new(open()?).map_err(|error| unusable(from, error.to_string()))?;
            unarchive(from, decoder, into)
        }
        Shape::Gzip => unarchive(from, flate2::read::MultiGzDecoder::new(open()?), into),
    }
}

fn unarchive(from: &Path, decoder: impl Read, into: Option<&mut File>) -> Result<Kept, BackupError> {
    let on_disk = fs::metadata(from).map_err(|error| io(from, error))?.len();
    let broken = |error: std::io::Error| unusable(from, error.to_string());
    let mut archive = tar::Archive::new(BufReader::with_capacity(PIECE, decoder));
    let mut entries = archive.entries().map_err(broken)?;
    let mut next = |name: &str| match entries.next() {
        Some(Ok(entry)) if *entry.path_bytes() == *name.as_bytes() => Ok(entry),
        Some(Err(error)) => Err(broken(error)),
        _ => Err(unusable(from, format!("`{name}` is not where it belongs"))),
    };
    let manifest = manifest_of(from, next(MANIFEST)?)?;
    let snapshot = next(&format!("{FOLDER}/{}", snapshot_name(manifest.sequence)))?;
    content(from, manifest, on_disk, snapshot, into)
}

fn manifest_of(from: &Path, source: impl Read) -> Result<Manifest, BackupError> {
    let mut text = Vec::new();
    source
        .take(LONGEST_MANIFEST)
        .read_to_end(&mut text)
        .map_err(|error| unusable(from, error.to_string()))?;
    // Looked at before the rest is: a newer one may say more of itself.
    let format = serde_json::from_slice::<serde_json::Value>(&text).ok();
    let format = format.and_then(|value| value.get("format")?.as_u64());
    if let Some(found) = format.and_then(|format| u32::try_from(format).ok())
        && found > directory::FORMAT
    {
        let path = from.display().to_string();
        return Err(StoreError::Newer { path, found, known: directory::FORMAT }.into());
    }
    serde_json::from_slice(&text).map_err(|_| unusable(from, "its manifest cannot be read"))
}

/// Reads the snapshot and holds it to the manifest.
fn content(
    from: &Path,
    manifest: Manifest,
    on_disk: u64,
    source: impl Read,
    into: Option<&mut File>,
) -> Result<Kept, BackupError> {
    let mut passing = Passing { inner: source, hash: Sha256::new(), bytes: 0, into };
    let mut records = BTreeMap::new();
    let worth = snapshot::read_from(&mut passing, manifest.sequence, |key, _| {
        if let Some(table) = key.first().and_then(|number| Table::numbered(*number)) {
            *records.entry(table).or_default() += 1;
        }
        Ok(())
    })?;
    if worth != Worth::Whole || passing.bytes != manifest.bytes {
        return Err(unusable(from, "its snapshot is damaged or cut short"));
    }
    if hex::encode(passing.hash.finalize()) != manifest.sha256 {
        return Err(unusable(from, "its snapshot is not the one the manifest speaks of"));
    }
    Ok(Kept { manifest, records, on_disk })
}

/// Hashes, counts and copies what passes through.
struct Passing<'a, R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
    into: Option<&'a mut File>,
}

impl<R: Read> Read for Passing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let passed = buffer.get(..read).unwrap_or_default();
        self.hash.update(passed);
        self.bytes += passed.len() as u64;
        if let Some(into) = &mut self.into {
            into.write_all(passed)?;
        }
        Ok(read)
    }
}
