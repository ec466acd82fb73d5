//! What `pull` asks for and shows: engines that copy HubSpot's objects into the mirror.

use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

impl PullRequest {
    /// What changed of this, with everything else as usual.
    pub fn of(what: PullWhat) -> PullRequest {
        PullRequest {
            what,
            full: false,
            since: None,
            batch_size: None,
            limit: None,
            dry_run: false,
            overwrite: false,
        }
    }
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

impl PullWhat {
    /// By its words: `all`, `associations` with which two types, or one type.
    pub fn named(what: &str, types: Option<(&str, &str)>) -> PullWhat {
        match (what, types) {
            ("all", _) => PullWhat::All,
            ("associations", types) => {
                PullWhat::Associations(types.map(|(from, to)| (from.to_owned(), to.to_owned())))
            }
            (name, _) => PullWhat::Object(name.to_owned()),
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// Empties the mirror, once somebody has seen what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearRequest {
    /// `confirm` of what was shown; without it, that is shown and nothing done.
    pub confirm: Option<String>,
}

/// What is in the mirror, or was until now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClearView {
    /// Records, by type.
    pub records: BTreeMap<String, u64>,
    /// What joins them, by the two types.
    pub associations: BTreeMap<String, u64>,
    /// Pulls remembered.
    pub pulls: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Whether it was emptied.
    pub cleared: bool,
    /// Give this as `confirm` to empty the mirror as it is shown here; none once it was.
    pub confirm: Option<String>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PullView {
    /// Its number; 0 where nothing was written.
    pub number: u64,
    /// The engine.
    pub engine: String,
    /// `full` or `changes`.
    pub mode: String,
    /// `done`, `limited`, `failed`, `dry run`, `open` (under way, or cut short: the next pull goes on), `interrupted` (cut
    /// short, and no other goes on with it).
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureView {
    /// Its id.
    pub id: u64,
    /// Why.
    pub why: String,
}
