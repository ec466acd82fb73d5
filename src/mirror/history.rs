//! What is remembered of pulls: how an engine stands, where an unfinished pull is, and each pull's own record.

use crate::domain::code::Code;
use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use crate::journal::codec::Record;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Failures kept of one pull; the others are counted.
const FAILURES: usize = 50;

/// How an engine stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Engine {
    /// What it pulls, as a number: another one costs a full pass.
    pub(crate) definition: u64,
    /// Everything changed before this moment is in the mirror, and durable: the next pull searches from here.
    pub(crate) watermark: Option<Timestamp>,
    /// Full passes begun.
    pub(crate) passes: u64,
    /// When the last full pass that was finished began.
    pub(crate) full: Option<Timestamp>,
    /// The pull that is under way.
    pub(crate) open: Option<Position>,
}

impl Record for Engine {
    const KIND: &'static str = "engine";
}

/// Where a pull stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Its number.
    pub(crate) pull: u64,
    /// When it began.
    pub(crate) began: Timestamp,
    /// Whether it reads everything.
    pub(crate) mode: Mode,
    /// The full pass it belongs to.
    pub(crate) pass: u64,
    /// Its search begins here; once a full pass is done, so does the next one's.
    pub(crate) since: Option<Timestamp>,
    /// What it is at.
    pub(crate) phase: Phase,
    /// The service's cursor within the phase.
    pub(crate) cursor: Option<String>,
    /// The last id dealt with within the phase.
    pub(crate) above: Option<RecordId>,
    /// Pages of the phase.
    pub(crate) pages: u64,
    /// Records whose associations take another page.
    pub(crate) waiting: Vec<(RecordId, Option<String>)>,
}

/// What a pull is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Pages of all records.
    Pages,
    /// Pages of the recycle bin.
    Archived,
    /// Records here that no page showed: asked for by id.
    Unseen,
    /// What changed, by search.
    Search,
    /// HubSpot's own count.
    Count,
    /// Associations.
    Pairs,
}

impl Phase {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Phase::Pages => "all of them",
            Phase::Archived => "the recycle bin",
            Phase::Unseen => "those not seen",
            Phase::Search => "what changed",
            Phase::Count => "their count",
            Phase::Pairs => "associations",
        }
    }
}

/// How much a pull reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Everything.
    Full,
    /// What changed.
    Changes,
}

impl Mode {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Full => "full",
            Mode::Changes => "changes",
        }
    }
}

/// One pull of one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// The engine's name.
    pub engine: String,
    /// How much it read.
    pub mode: Mode,
    /// It read what changed since then.
    pub since: Option<Timestamp>,
    /// When it began.
    pub started: Timestamp,
    /// When it was last heard of; when it ended, once it has.
    pub last: Timestamp,
    /// Milliseconds it worked; a time in which it was dead does not count.
    pub worked: u64,
    /// How it ended.
    pub end: PullEnd,
    /// What it did.
    pub counts: Counts,
    /// Records that failed, with the reason; the first of them.
    pub failures: Vec<(RecordId, String)>,
    /// What is worth knowing beside.
    pub notes: Vec<String>,
    /// How many the mirror has.
    pub ours: Option<u64>,
    /// How many HubSpot counts.
    pub theirs: Option<u64>,
}

impl Record for Pull {
    const KIND: &'static str = "pull";
}

/// How a pull ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullEnd {
    /// Not yet: it is under way, or was cut short and goes on with the next.
    Open,
    /// It read everything it was to read.
    Done,
    /// It stopped where it was told to, at a limit.
    Limited,
    /// It could not go on; the next one does.
    Failed {
        /// The code's number.
        code: u16,
        /// Why.
        why: String,
    },
    /// It was cut short, and no other goes on with it: it had read nothing yet, or was a look on the side.
    Interrupted,
}

/// What a pull did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Different records read.
    pub seen: u64,
    /// That were not in the mirror.
    pub new: u64,
    /// That were otherwise in it.
    pub changed: u64,
    /// That were in it as they are.
    pub unchanged: u64,
    /// Found in the recycle bin, or gone for good.
    pub deleted: u64,
    /// Found merged into another.
    pub merged: u64,
    /// Associations that are no more.
    pub removed: u64,
    /// Not taken in: people who were forgotten.
    pub left_out: u64,
    /// That could not be read.
    pub failed: u64,
    /// Calls.
    pub calls: u64,
    /// Times it went on after it was cut short.
    pub resumed: u64,
}

impl Pull {
    /// One that begins.
    pub(crate) fn begin(
        number: u64,
        engine: &str,
        mode: Mode,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Pull {
        Pull {
            number,
            engine: engine.to_owned(),
            mode,
            since,
            started: now,
            last: now,
            worked: 0,
            end: PullEnd::Open,
            counts: Counts::default(),
            failures: Vec::new(),
            notes: Vec::new(),
            ours: None,
            theirs: None,
        }
    }

    /// A record failed.
    pub(crate) fn fail(&mut self, id: RecordId, why: String) {
        self.counts.failed += 1;
        if self.failures.len() < FAILURES {
            self.failures.push((id, why));
        }
    }

    /// Says something, once.
    pub(crate) fn note(&mut self, words: &str) {
        if !self.notes.iter().any(|note| note == words) {
            self.notes.push(words.to_owned());
        }
    }

    /// How long it worked.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.worked)
    }

    /// Records a second.
    pub fn rate(&self) -> f64 {
        if self.worked == 0 { 0.0 } else { self.counts.seen as f64 * 1000.0 / self.worked as f64 }
    }

    /// The code of a failure.
    pub fn code(&self) -> Option<Code> {
        match &self.end {
            PullEnd::Failed { code, .. } => Code::of_number(*code),
            _ => None,
        }
    }
}
