//! What is asked and answered about people's consent: the evidence of one person, and whether the chain holds.

use crate::domain::code::Code;
use crate::domain::id::{MoveId, PersonId};
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `consent` is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentRequest {
    /// The evidence of one person, by address.
    Of(String),
    /// Whether the chain holds.
    Verify,
}

/// The evidence of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsentView {
    /// Their number.
    pub person: PersonId,
    /// Their address: only an operator on their own terminal asks for this.
    pub address: String,
    /// What the chain holds of them, oldest first.
    pub links: Vec<LinkView>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkView {
    /// Its place in the chain.
    pub place: u64,
    /// What changed: `opt-out-seen`.
    pub change: String,
    /// When.
    pub at: Timestamp,
    /// Where it was seen: `HubSpot`, `Mailchimp`, `operator`.
    pub seen: String,
    /// As what it was read there.
    pub status: String,
    /// How it was read.
    pub source: String,
    /// What was called.
    pub called: Option<String>,
    /// The answer.
    pub answer: Option<String>,
    /// The legal basis sent along.
    pub legal_basis: Option<String>,
    /// The explanation sent along.
    pub explanation: Option<String>,
    /// The move that carried it.
    pub by: Option<MoveId>,
    /// Whether the link's commitment is to the address asked for; none where the link has none.
    pub is_of_address: Option<bool>,
    /// The link's hash.
    pub hash: String,
}

/// Whether the chain holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChainView {
    /// Links that hold, from the first on.
    pub links: u64,
    /// The first link's moment.
    pub first: Option<Timestamp>,
    /// The last link's moment.
    pub last: Option<Timestamp>,
    /// The hash of the last link that holds: noted elsewhere, it proves that nothing before it was changed.
    pub head: Option<String>,
    /// The first place that does not hold.
    pub broken: Option<BreakView>,
}

/// A place at which the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BreakView {
    /// The code of it.
    pub code: Code,
    /// Which place.
    pub place: u64,
    /// What is wrong there.
    pub what: String,
}
