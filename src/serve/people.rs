//! People, asked for page by page.

use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who is asked for, and what of them. Everything as it is written on a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeopleRequest {
    /// Members of this segment of the config.
    pub segment: Option<String>,
    /// For whom this rule holds (docs/segments.md); `where` as everywhere that somebody writes it.
    #[serde(rename = "where", alias = "filter")]
    pub filter: Option<String>,
    /// By this column; `-column` puts the largest first. By record id without one.
    pub sort: Option<String>,
    /// These columns; the usual ones when empty.
    pub columns: Vec<String>,
    /// Rows on this page, at most 10,000.
    pub limit: usize,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

/// One page of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeoplePage {
    /// The columns' names.
    pub columns: Vec<String>,
    /// One row for each person, one value for each column; none where there is nothing.
    pub rows: Vec<Vec<Option<String>>>,
    /// Give this as `cursor` to go on; none where nobody comes after.
    pub next: Option<String>,
    /// The moment that rules were judged by, the same for every page.
    pub at: Timestamp,
    /// Why somebody may be missing; none where all contacts have been pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Segments asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentsRequest {
    /// One of them, with some of its members; all when left out.
    pub name: Option<String>,
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentView {
    /// Its name.
    pub name: String,
    /// Its rule.
    pub rule: String,
    /// Since when it has this rule.
    pub since: Timestamp,
    /// Members now.
    pub size: u64,
    /// How often somebody became a member.
    pub entered: u64,
    /// How often somebody stopped being one.
    pub left: u64,
}

/// A member of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// The contact's record.
    pub record: RecordId,
    /// Their address, when it is known.
    pub address: Option<String>,
    /// A member since when.
    pub since: Timestamp,
}

/// Segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentsView {
    /// The moment they are of.
    pub at: Timestamp,
    /// Those asked for.
    pub segments: Vec<SegmentView>,
    /// Some members, where one was asked for.
    pub members: Vec<MemberView>,
    /// When somebody next enters or leaves one by time alone.
    pub next: Option<Timestamp>,
}
