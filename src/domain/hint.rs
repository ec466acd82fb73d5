//! What is kept of a webhook until somebody has looked: whom it is about, and nothing that it said.

use super::id::PersonId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// People who are to be looked at. Its serde form is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// When it came.
    pub at: Timestamp,
    /// Whom.
    pub people: Vec<PersonId>,
}
