//! Members, tags and merge fields as the audience keeps them.

use crate::domain::time::Timestamp;
use md5::{Digest, Md5};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A member's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Gets mail.
    Subscribed,
    /// Opted out.
    Unsubscribed,
    /// Hard bounce.
    Cleaned,
    /// Not confirmed yet.
    Pending,
    /// Non-subscribed.
    Transactional,
    /// Archived.
    Archived,
}

impl Status {
    /// The wire's word.
    pub fn wire(self) -> &'static str {
        match self {
            Status::Subscribed => "subscribed",
            Status::Unsubscribed => "unsubscribed",
            Status::Cleaned => "cleaned",
            Status::Pending => "pending",
            Status::Transactional => "transactional",
            Status::Archived => "archived",
        }
    }

    /// From the wire's word.
    pub fn from_wire(word: &str) -> Option<Status> {
        let all = [
            Status::Subscribed,
            Status::Unsubscribed,
            Status::Cleaned,
            Status::Pending,
            Status::Transactional,
            Status::Archived,
        ];
        all.into_iter().find(|status| status.wire() == word)
    }
}

/// Mailchimp's name for a member: MD5 of the trimmed, lower-cased address.
pub type Hash = [u8; 16];

/// The hash of an address.
pub fn hash_of(address: &str) -> Hash {
    Md5::digest(address.trim().to_lowercase().as_bytes()).into()
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// The address as given.
    pub email: String,
    /// Stable across address changes.
    pub contact_id: String,
    /// Status now.
    pub status: Status,
    /// The status before archiving, which nobody can see but which is still enforced.
    pub hidden: Option<Status>,
    /// The opt-out was the person's own: no API call may lift it.
    pub by_person: bool,
    /// `unsubscribe_reason`.
    pub reason: Option<String>,
    /// Merge fields that are set.
    pub fields: BTreeMap<String, Value>,
    /// Tags by segment id, with the time each was set.
    pub tags: BTreeMap<u64, Timestamp>,
    /// `timestamp_signup`.
    pub signup: Timestamp,
    /// `timestamp_opt`.
    pub opted: Timestamp,
    /// `last_changed`, to the millisecond.
    pub changed: Timestamp,
    /// When it was unsubscribed.
    pub unsubscribed: Option<Timestamp>,
    /// When the person unsubscribed by themselves, oldest first. It outlives a return, and shows while archived.
    pub opt_outs: Vec<Timestamp>,
}

impl Member {
    /// The subscriber hash.
    pub fn hash(&self) -> Hash {
        hash_of(&self.email)
    }

    /// The status that rules what may come next: the hidden one while archived.
    pub fn standing(&self) -> Status {
        self.hidden.unwrap_or(self.status)
    }
}

/// A tag: a static segment.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Stored spelling.
    pub name: String,
    /// Bearers, whatever their status, by member number.
    pub bearers: BTreeSet<usize>,
    /// When it was made.
    pub created: Timestamp,
    /// When its name or bearers changed.
    pub updated: Timestamp,
}

/// A merge field's definition.
#[derive(Clone, Debug)]
pub struct Field {
    /// `merge_id`.
    pub id: u64,
    /// Merge tag.
    pub tag: String,
    /// Name.
    pub name: String,
    /// `text`, `number`, `phone`…
    pub kind: String,
    /// Whether a value is demanded.
    pub required: bool,
    /// Choices of a dropdown or radio field.
    pub choices: Vec<String>,
}
