//! What `parked` shows and `release` asks for: whom hsmc leaves alone for good, and what would change it.

use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whom to judge afresh. Nobody's opt-out is touched by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReleaseRequest {
    /// These people, by address: parked, contested or handed over.
    People(Vec<String>),
    /// Everybody parked for this reason, by its word; `contested` is one.
    Reason(String),
    /// Everybody parked or contested.
    All,
}

/// Whom hsmc leaves alone for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkedView {
    /// When this was true.
    pub at: Timestamp,
    /// By reason, the largest group first.
    pub groups: Vec<ParkedGroupView>,
    /// The people, longest first; cut, see `total`.
    pub people: Vec<ParkedPersonView>,
    /// How many there are in all.
    pub total: u64,
}

/// Everybody left alone for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkedGroupView {
    /// The reason's word, as `--reason` takes it: `fake-address`, `contested`, `twin`.
    pub reason: String,
    /// The code of that reason.
    #[serde(default)]
    pub code: Option<Code>,
    /// How many.
    pub count: u64,
    /// Since when, of the first of them.
    pub since: Timestamp,
    /// What would change it.
    pub changed_by: String,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ParkedPersonView {
    /// Their address.
    pub person: String,
    /// The reason's word.
    pub reason: String,
    /// The code of that reason.
    #[serde(default)]
    pub code: Option<Code>,
    /// Since when.
    pub since: Timestamp,
    /// In the service's words, or the rule's.
    pub why: String,
}
