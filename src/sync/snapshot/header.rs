//! The header of a snapshot: what was read, when, and how much of it.

use super::error::SnapshotError;
use crate::domain::contact::ListInfo;
use crate::domain::id::{ListId, RecordId};
use crate::domain::member::TagInfo;
use crate::domain::tag::TagName;
use crate::domain::time::{ClockOffset, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The format of the files. Another one is not read: the next scan is a full one.
pub const FORMAT: u32 = 1;

/// Rows per file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Members of each list.
    pub lists: BTreeMap<ListId, u64>,
    /// Contacts.
    pub contacts: u64,
    /// Members, archived ones too.
    pub members: u64,
    /// Archived members.
    pub archived: u64,
    /// Subscribed members.
    pub subscribed: u64,
    /// People.
    pub people: u64,
    /// People without a usable address.
    pub without_address: u64,
    /// Records that HubSpot did not answer for.
    pub unanswered: u64,
    /// Addresses looked up.
    pub lookups: u64,
}

/// The header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The format of the files.
    pub format: u32,
    /// Always true in a header that was written: it is written last.
    pub finished: bool,
    /// When reading began: how old the picture is, and where the next incremental scan starts from.
    pub seen: Timestamp,
    /// How far the services' clocks were ahead then; older headers do not say.
    #[serde(default)]
    pub clocks: Clocks,
    /// When reading ended.
    pub ended: Timestamp,
    /// Whether everything was read, or only what can have changed.
    pub full: bool,
    /// When the newest full reading under this picture began.
    pub full_seen: Timestamp,
    /// The lists as HubSpot described them before their members were read.
    pub lists: BTreeMap<ListId, ListInfo>,
    /// Lists that HubSpot was still building: nobody may be taken for gone from these.
    pub incomplete: BTreeSet<ListId>,
    /// The audience's tags with their counts.
    pub tags: Vec<TagInfo>,
    /// Records that were merged away, and the survivor's record.
    pub aliases: BTreeMap<RecordId, RecordId>,
    /// Rows per file.
    pub counts: Counts,
}

/// How far the services' clocks are ahead of this machine's. What has changed since is asked for by theirs: the clock
/// here may be hours off, and may be set right between two scans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// HubSpot's.
    pub crm: ClockOffset,
    /// Mailchimp's.
    pub audience: ClockOffset,
}

impl Header {
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("header.json")
    }

    pub(super) fn read(dir: &Path) -> Result<Header, SnapshotError> {
        let path = Header::path(dir);
        let text = fs::read(&path).map_err(|problem| match problem.kind() {
            std::io::ErrorKind::NotFound => SnapshotError::Unfinished { path: dir.display().to_string() },
            _ => SnapshotError::io(&path)(problem),
        })?;
        let header: Header = serde_json::from_slice(&text)
            .map_err(|problem| SnapshotError::damaged(&path, problem.to_string()))?;
        if header.format != FORMAT || !header.finished {
            return Err(SnapshotError::damaged(&path, format!("format {}", header.format)));
        }
        Ok(header)
    }

    /// The tag of this name.
    pub fn tag(&self, name: &TagName) -> Option<&TagInfo> {
        self.tags.iter().find(|tag| tag.name == *name)
    }

    /// The record itself, or who survived it.
    pub fn survivor(&self, record: RecordId) -> RecordId {
        survivor(&self.aliases, record)
    }
}

/// Follows merges to the survivor, over several of them; a circle ends where it closes.
pub(crate) fn survivor(aliases: &BTreeMap<RecordId, RecordId>, record: RecordId) -> RecordId {
    let mut at = record;
    for _ in 0..16 {
        match aliases.get(&at) {
            Some(next) => at = *next,
            None => break,
        }
    }
    at
}
