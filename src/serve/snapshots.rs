//! What `snapshots` asks for and shows: what kept scans saw. People are named by address: this goes to an
//! operator's own terminal only.

use crate::domain::id::{ListId, RecordId, RunId};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to show of the kept scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotsRequest {
    /// All of them, one line each.
    List,
    /// What one saw.
    Show {
        /// The run that made it.
        run: RunId,
        /// Of whom.
        part: SnapshotPart,
    },
    /// What is different in the second.
    Diff {
        /// The run that made the first.
        from: RunId,
        /// The run that made the second.
        to: RunId,
    },
}

/// Whom to show of a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotPart {
    /// Everybody, in counts.
    All,
    /// Everybody in a list.
    List(ListId),
    /// Everybody who bears a tag.
    Tag(String),
    /// One person, by address.
    Person(String),
}

/// The answer to each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotsAnswer {
    /// To `List`, the newest first.
    List(Vec<SnapshotView>),
    /// To `Show`.
    Shown(Box<SnapshotShownView>),
    /// To `Diff`.
    Diff(Box<SnapshotDiffView>),
}

/// One kept scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// The run that made it.
    pub run: RunId,
    /// When its reading began.
    pub seen: Timestamp,
    /// Whether everything was read, or only what could have changed.
    pub full: bool,
    /// People.
    pub people: u64,
    /// Members, archived ones too.
    pub members: u64,
    /// Subscribed members.
    pub subscribed: u64,
    /// Bytes of its own: files that an older one has as well are counted there.
    pub bytes: u64,
}

/// What one scan saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotShownView {
    /// The scan.
    pub snapshot: SnapshotView,
    /// Lists with how many were in each: `987 "General"`.
    pub lists: BTreeMap<String, u64>,
    /// Tags with how many bore each.
    pub tags: BTreeMap<String, u64>,
    /// The people asked for; cut, see `total`.
    pub people: Vec<SeenView>,
    /// How many there are in all.
    pub total: u64,
}

/// One person as a scan saw them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenView {
    /// Their address.
    pub person: String,
    /// Their records: several where they are twins.
    pub records: Vec<RecordId>,
    /// Their member status; none when they were no member.
    pub status: Option<String>,
    /// Scanned lists they were in.
    pub lists: Vec<ListId>,
    /// Tags they bore.
    pub tags: Vec<String>,
}

/// What is different between two scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotDiffView {
    /// The first.
    pub from: SnapshotView,
    /// The second.
    pub to: SnapshotView,
    /// Changes by what changed: `joined list 987 "General"`, `lost tag "Guest"`, `subscribed → archived`.
    pub changes: BTreeMap<String, u64>,
    /// The people; cut, see `total`.
    pub people: Vec<ChangedView>,
    /// How many have changed in all.
    pub total: u64,
}

/// One person who is different in the second scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedView {
    /// Their address.
    pub person: String,
    /// What changed, a line each.
    pub changes: Vec<String>,
}
