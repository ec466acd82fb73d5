//! What `pull` asks for and shows: engines that copy HubSpot's objects into the mirror.

use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Pull, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// What.
    pub what: PullWhat,
    /// Everything, instead of what changed.
    pub full: bool,
    /// What changed since then, whatever the watermark says.
    pub since: Option<Since>,
    /// Rows of a page.
    pub batch_size: Option<usize>,
    /// At most so many records.
    pub limit: Option<u64>,
    /// Nothing is written.
    pub dry_run: bool,
    /// Every record is written anew.
    pub overwrite: bool,
}

/// What to pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullWhat {
    /// Every object of the config, then what joins them.
    All,
    /// One type, by its name here, or as HubSpot calls it.
    Object(String),
    /// What joins two types; those of the config, when none are named.
    Associations(Option<(String, String)>),
}

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Since {
    /// A moment.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullAnswer {
    /// Each engine's pull, in order.
    pub pulls: Vec<PullView>,
    /// Why what was in the mirror could not be used, and it was begun anew.
    pub lost: Option<String>,
}

impl PullAnswer {
    /// Whether every engine came to its end.
    pub fn is_whole(&self) -> bool {
        self.pulls.iter().all(|pull| pull.code.is_none())
    }
}

/// Asks for past pulls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRequest {
    /// Of one engine only.
    pub engine: Option<String>,
    /// So many.
    pub last: usize,
}

/// One pull of one engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PullView {
    /// Its number; 0 where nothing was written.
    pub number: u64,
    /// The engine.
    pub engine: String,
    /// `full` or `changes`.
    pub mode: String,
    /// `done`, `limited`, `failed`, `dry run`, `open` (under way, or cut short: the next pull goes on).
    pub state: String,
    /// It read what changed since then.
    pub since: Option<Timestamp>,
    /// When it began.
    pub started: Timestamp,
    /// When it was last heard of.
    pub last: Timestamp,
    /// Seconds it worked.
    pub seconds: f64,
    /// Records a second.
    pub per_second: f64,
    /// Different records read.
    pub seen: u64,
    /// New in the mirror.
    pub new: u64,
    /// Otherwise in it.
    pub changed: u64,
    /// As they were.
    pub unchanged: u64,
    /// Found deleted or archived.
    pub deleted: u64,
    /// Found merged into another.
    pub merged: u64,
    /// Associations that are no more.
    pub removed: u64,
    /// People who were forgotten, and are not taken in.
    pub left_out: u64,
    /// Records that failed.
    pub failed: u64,
    /// The first of them, each with its reason.
    pub failures: Vec<FailureView>,
    /// Calls to HubSpot.
    pub calls: u64,
    /// Times it went on after it was cut short.
    pub resumed: u64,
    /// How many the mirror has.
    pub ours: Option<u64>,
    /// How many HubSpot counts.
    pub theirs: Option<u64>,
    /// What is worth knowing beside.
    pub notes: Vec<String>,
    /// The code of a failure.
    pub code: Option<Code>,
    /// Why it failed.
    pub why: Option<String>,
}

impl Eq for PullView {}

/// A record that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// Its id.
    pub id: u64,
    /// Why.
    pub why: String,
}
