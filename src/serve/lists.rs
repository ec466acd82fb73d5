//! What is shown of lists: what each is for, how it stands, and the names it has had.

use crate::domain::id::ListId;
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lists that the config names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListsView {
    /// When they were seen; none before the first scan.
    pub seen: Option<Timestamp>,
    /// By id.
    pub lists: Vec<ListView>,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListView {
    /// Its id.
    pub id: ListId,
    /// Its name in HubSpot; none before the first scan.
    pub name: Option<String>,
    /// `static`, `dynamic`; none before the first scan.
    pub kind: Option<String>,
    /// Its members, as the last scan read them.
    pub members: Option<u64>,
    /// What the config uses it for: `source of general (tag "Spring")`, `exclusion of general`, …
    pub uses: Vec<String>,
    /// Every name it has had, oldest first.
    pub names: Vec<NameView>,
}

/// A name from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameView {
    /// The name.
    pub name: String,
    /// When it was first seen.
    pub since: Timestamp,
}
