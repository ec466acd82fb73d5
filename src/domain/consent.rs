//! Evidence of consent changes (R23): what was seen, what was called, what was answered. Refers to the
//! person by number only; no address stands in any text.

use super::failure::Service;
use super::id::MoveId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When.
    pub at: Timestamp,
    /// Where the change was seen.
    pub seen: Service,
    /// The status or property as read there: `unsubscribed`, `hs_email_optout`.
    pub status: String,
    /// How it was read: `webhook`, `scan`, `batch read`.
    pub source: String,
    /// What was called on the other side; none when nothing was.
    pub called: Option<String>,
    /// The answer, addresses removed; none while there is none.
    pub answer: Option<String>,
    /// The legal basis sent along.
    pub legal_basis: Option<String>,
    /// The explanation sent along.
    pub explanation: Option<String>,
    /// The move that carried it.
    pub by: Option<MoveId>,
}
