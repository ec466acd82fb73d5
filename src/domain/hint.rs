//! What is kept of a webhook until somebody has looked: whom it is about, and nothing that it said.

use super::id::{PersonId, RecordId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a webhook says of somebody. It is not believed: it decides only who is looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// That they opted out: nobody else's news is to hold that up (R24).
    OptedOut,
    /// Anything else, which may hide an opt-out all the same.
    Changed,
}

impl Says {
    /// Both.
    pub const ALL: [Says; 2] = [Says::OptedOut, Says::Changed];
}

/// Somebody who is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hinted {
    /// Whom hsmc knows.
    Person(PersonId),
    /// A contact that hsmc knows nobody by: in none of the lists that are read, it may be a member's all the same.
    Record(RecordId),
}

/// People who are to be looked at. Its serde form is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// When it came.
    pub at: Timestamp,
    /// Whom.
    pub people: Vec<PersonId>,
}

/// Contacts that are to be looked at. Its serde form is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHint {
    /// When it came.
    pub at: Timestamp,
    /// Which.
    pub records: Vec<RecordId>,
}
