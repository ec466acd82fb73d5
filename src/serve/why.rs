//! What `why` shows: one person, from what holds now back to the first thing hsmc saw, and what comes next.
//! The person is named by address: this goes to an operator's own terminal only (design §3.13).

use super::views::MoveView;
use crate::domain::code::Code;
use crate::domain::id::{PersonId, RecordId, RunId};
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One person's whole story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyView {
    /// When this was true.
    pub at: Timestamp,
    /// Their address.
    pub person: String,
    /// Their number, as logs and plans name them.
    pub id: PersonId,
    /// Their HubSpot record.
    pub record: Option<RecordId>,
    /// The state they are in.
    pub state: StateView,
    /// Their member status, with its since.
    pub member: Option<HeldView>,
    /// Scanned lists they are in.
    pub lists: Vec<HeldView>,
    /// Tags they bear.
    pub tags: Vec<HeldView>,
    /// What hsmc remembers of them, and what would release it.
    pub memory: Vec<RememberedView>,
    /// Moves that are not over.
    pub under_way: Vec<MoveView>,
    /// Pauses that hold them back.
    pub pauses: Vec<String>,
    /// Everything that befell them, oldest first.
    pub timeline: Vec<EventView>,
    /// What the next run would do.
    pub next: NextView,
}

/// The one state of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateView {
    /// Its word.
    pub word: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

/// Something that holds of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldView {
    /// `987 "General"`, `subscribed`, a tag's name.
    pub what: String,
    /// Since when, as far as known.
    pub since: Option<Timestamp>,
    /// By whom: a rule and its move, the scan that saw it first, or before hsmc looked.
    pub by: String,
}

/// Something hsmc remembers of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RememberedView {
    /// What.
    pub what: String,
    /// The code of it, where it holds the person back.
    #[serde(default)]
    pub code: Option<Code>,
    /// What would end it; empty when nothing is held back by it.
    pub released_by: String,
}

/// One thing that befell a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventView {
    /// When.
    pub at: Timestamp,
    /// What, in one line.
    pub what: String,
    /// What there is to say of it, a line each.
    pub details: Vec<String>,
}

/// What the next run would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextView {
    /// The scan this follows from; none before the first.
    pub seen: Option<(RunId, Timestamp)>,
    /// In one sentence.
    pub what: String,
    /// Its steps, in order.
    pub steps: Vec<String>,
    /// What it waits for, a line each.
    pub waits_for: Vec<String>,
}
