//! What is asked and answered when somebody is to be forgotten. No answer holds an address: it is a receipt.

use crate::domain::id::{MoveId, PersonId};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Forget somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetRequest {
    /// Whom, by address.
    pub address: String,
    /// Say what it would do, and do nothing.
    pub dry_run: bool,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForgetState {
    /// This would be done.
    Planned,
    /// It is done, and nothing of them is left here.
    Forgotten,
    /// They were forgotten before, and nothing of them has come back.
    Before,
    /// It is under way, and goes on by itself.
    GoesOn {
        /// What it waits for.
        why: String,
    },
    /// A service refuses it: an operator must act.
    Stuck {
        /// Why.
        why: String,
    },
}

/// What was, or would be, deleted where; what stays, and where copies may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetView {
    /// How it went.
    pub state: ForgetState,
    /// The number the person has, or had.
    pub person: Option<PersonId>,
    /// The move.
    pub id: Option<MoveId>,
    /// When it was done; or, of somebody forgotten before, when that was.
    pub at: Option<Timestamp>,
    /// In Mailchimp.
    pub mailchimp: Vec<String>,
    /// In HubSpot.
    pub hubspot: Vec<String>,
    /// In the state directory.
    pub here: Vec<String>,
    /// What stays, and where.
    pub kept: Vec<String>,
    /// Older copies of the state directory that may still hold them.
    pub copies: Vec<String>,
}
