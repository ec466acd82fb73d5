//! One person as a snapshot shows them.

use crate::domain::contact::Contact;
use crate::domain::email::SubscriberHash;
use crate::domain::id::{ListId, RecordId};
use crate::domain::member::Member;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The scanned lists somebody is in, with the moment of joining when known.
pub type Lists = BTreeMap<ListId, Option<Timestamp>>;

/// A contact with its lists.
pub type Found = (Contact, Lists);

/// What people are told apart by; those without a usable address come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PersonKey {
    /// The subscriber hash of the address.
    Hash(SubscriberHash),
    /// The record of a contact without a usable address.
    Record(RecordId),
}

/// What HubSpot said when it was asked for the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedUp {
    /// When.
    pub at: Timestamp,
    /// The contact that has the address, as its own or as a secondary one.
    pub record: Option<RecordId>,
}

/// Everything read of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRow {
    /// The key.
    pub key: PersonKey,
    /// The contacts with this address, by record. A contact that was found by a secondary address
    /// stands here too, though its own address, and the row of that address, are others.
    pub contacts: Vec<Found>,
    /// The member.
    pub member: Option<Member>,
    /// The last answer of HubSpot for this address, when it was asked. None and no contacts: nobody
    /// has asked yet.
    pub looked_up: Option<LookedUp>,
}
