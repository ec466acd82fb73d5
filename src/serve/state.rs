//! What can be asked of a state directory itself, and what is answered: its size, its soundness, its backups.

use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Something about the state directory, asked of whoever owns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateRequest {
    /// What takes how much.
    Size,
    /// Whether everything is as it was written.
    Check,
    /// Keep a copy under this name.
    Backup(PathBuf),
    /// Let go of the room of what was deleted.
    Compact,
}

/// The answer, by what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "kebab-case")]
pub enum StateAnswer {
    /// To `Size`.
    Size(SizeView),
    /// To `Check`.
    Check(SoundView),
    /// To `Backup`.
    Backup(BackupView),
    /// To `Compact`.
    Compact(CompactView),
}

/// What takes how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeView {
    /// The state directory.
    pub path: String,
    /// Bytes on the disk by what they are for, the most first.
    pub disk: Vec<RoomView>,
    /// Bytes on the disk in all.
    pub total: u64,
    /// What each table holds; empty when the journal cannot be opened.
    pub tables: Vec<TableView>,
    /// Why the tables are not counted.
    pub uncounted: Option<String>,
    /// How it grows; none before the first run.
    pub growth: Option<GrowthView>,
}

/// Bytes for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomView {
    /// What they are for.
    pub what: String,
    /// How many.
    pub bytes: u64,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableView {
    /// Its word.
    pub table: String,
    /// How many records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// How the journal grows, and where that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrowthView {
    /// The first moment that is counted: the oldest move whose details are kept.
    pub since: Timestamp,
    /// Bytes of moves' details a day.
    pub details_a_day: u64,
    /// Days the details are kept (`sync.retention`).
    pub kept_days: u64,
    /// Bytes of details once so many days are full, at this pace.
    pub details_at_most: u64,
    /// Bytes the log may reach before a checkpoint cuts it.
    pub log_at_most: u64,
}

/// Whether everything is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundView {
    /// The state directory.
    pub path: String,
    /// What was looked at.
    pub looked: Vec<String>,
    /// Records by table.
    pub records: BTreeMap<String, u64>,
    /// What is not as it was written.
    pub defects: Vec<DefectView>,
    /// The code of that, where a start does not mend it by itself.
    pub code: Option<Code>,
}

impl SoundView {
    /// Whether nothing was found that a start does not mend by itself.
    pub fn is_sound(&self) -> bool {
        self.defects.iter().all(|defect| defect.harmless)
    }
}

/// Something is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefectView {
    /// Where: a file, or a record by its numbers.
    pub place: String,
    /// What.
    pub what: String,
    /// What that means, and for whom.
    pub means: String,
    /// It costs nothing: a start mends it by itself.
    pub harmless: bool,
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupView {
    /// Where it is.
    pub file: String,
    /// Bytes it takes.
    pub bytes: u64,
    /// The last commit in it.
    pub sequence: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The workspace's name.
    pub workspace: String,
    /// The hsmc that wrote it.
    pub hsmc: String,
    /// The format of the state directory.
    pub format: u32,
    /// The snapshot's SHA-256, in hex.
    pub sha256: String,
    /// Records by table.
    pub records: BTreeMap<String, u64>,
}

/// A backup was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreView {
    /// The backup.
    pub backup: BackupView,
    /// The state directory.
    pub state: String,
    /// Where what was there before has gone.
    pub aside: Option<String>,
}

/// The state directory was compacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactView {
    /// The state directory.
    pub path: String,
    /// Bytes before, by what they are for.
    pub before: Vec<RoomView>,
    /// Bytes after.
    pub after: Vec<RoomView>,
}
