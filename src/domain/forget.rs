//! Forgetting somebody: what stays when everything that names them is gone.

use super::email::SubscriberHash;
use super::failure::Service;
use super::id::{MoveId, PersonId, RecordId};
use super::person::Person;
use super::port::BrokenOff;
use super::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What is known of somebody who was forgotten, under a keyed hash of their address: enough to leave them alone
/// when they come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// When.
    pub at: Timestamp,
    /// Whether they had opted out.
    pub opted_out: bool,
}

/// Whose rows are still to be removed from files. It exists only until they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// By which move.
    pub by: MoveId,
    /// Their addresses' hashes.
    pub hashes: Vec<SubscriberHash>,
    /// Their HubSpot records.
    pub records: Vec<RecordId>,
    /// What was done by then.
    pub receipt: Receipt,
}

impl Trace {
    /// Of somebody forgotten, of whom hsmc had a record again only to carry an opt-out of theirs over.
    pub fn of_carrier(by: MoveId, person: &Person, at: Timestamp) -> Trace {
        let emails = [&person.email, &person.previous_email];
        let receipt = Receipt {
            person: person.id,
            by,
            asked: at,
            erased: at,
            ended: None,
            done: Vec::new(),
            lines: 0,
            snapshots: 0,
            opted_out: true,
        };
        Trace {
            by,
            hashes: emails.into_iter().flatten().map(|email| email.hash()).collect(),
            records: person.record.into_iter().collect(),
            receipt,
        }
    }
}

/// A copy of what a service holds, outside the journal: it lets go of whoever is forgotten.
#[async_trait]
pub trait Copied: Send + Sync + 'static {
    /// Removes every byte of these contacts, and of contacts with these addresses; they are not taken in again.
    ///
    /// # Errors
    /// A file cannot be read or written; doing it again is safe.
    async fn let_go(&self, records: &[RecordId], hashes: &[SubscriberHash]) -> Result<(), BrokenOff>;
}

/// What was deleted where, for whoever has to show it later. Names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The number the person had.
    pub person: PersonId,
    /// The move.
    pub by: MoveId,
    /// When it was asked for.
    pub asked: Timestamp,
    /// When the person's records were deleted.
    pub erased: Timestamp,
    /// When nothing of them was left in any file.
    pub ended: Option<Timestamp>,
    /// What was done in each service, in words.
    pub done: Vec<(Service, String)>,
    /// Past states and audit lines deleted.
    pub lines: u64,
    /// Scan snapshots out of which their rows were taken.
    pub snapshots: u64,
    /// Whether they had opted out.
    pub opted_out: bool,
}
