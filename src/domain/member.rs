//! Mailchimp's side of a person, and the audience, as read.

use super::email::{Email, SubscriberHash};
use super::id::SegmentId;
use super::tag::TagName;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A member's status. Unknown words are kept (Mailchimp contract §17.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberStatus {
    /// Gets mail.
    Subscribed,
    /// Opted out.
    Unsubscribed,
    /// Hard bounce.
    Cleaned,
    /// Has not confirmed yet.
    Pending,
    /// Non-subscribed.
    Transactional,
    /// Archived: the status before is hidden.
    Archived,
    /// A word this version does not know.
    Other(String),
}

impl MemberStatus {
    /// From the wire's word.
    pub fn from_wire(word: &str) -> MemberStatus {
        match word {
            "subscribed" => MemberStatus::Subscribed,
            "unsubscribed" => MemberStatus::Unsubscribed,
            "cleaned" => MemberStatus::Cleaned,
            "pending" => MemberStatus::Pending,
            "transactional" => MemberStatus::Transactional,
            "archived" => MemberStatus::Archived,
            other => MemberStatus::Other(other.to_owned()),
        }
    }

    /// The wire's word.
    pub fn wire(&self) -> &str {
        match self {
            MemberStatus::Subscribed => "subscribed",
            MemberStatus::Unsubscribed => "unsubscribed",
            MemberStatus::Cleaned => "cleaned",
            MemberStatus::Pending => "pending",
            MemberStatus::Transactional => "transactional",
            MemberStatus::Archived => "archived",
            MemberStatus::Other(word) => word,
        }
    }
}

impl fmt::Display for MemberStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire())
    }
}

/// One member as read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The normalised address.
    pub email: Email,
    /// Stable id across address changes; empty when the answer had none.
    pub contact_id: String,
    /// Status now.
    pub status: MemberStatus,
    /// Merge fields as text (numbers as printed; an address object as compact JSON).
    pub fields: BTreeMap<String, String>,
    /// All tags, complete even above the inline 50.
    pub tags: Vec<TagName>,
    /// `last_changed`.
    pub changed: Option<Timestamp>,
    /// `timestamp_opt`.
    pub opted: Option<Timestamp>,
    /// `unsubscribe_reason`, when there is one.
    pub unsubscribe_reason: Option<String>,
}

impl Member {
    /// The subscriber hash.
    pub fn hash(&self) -> SubscriberHash {
        self.email.hash()
    }

    /// Whether the member bears the tag.
    pub fn bears(&self, tag: &TagName) -> bool {
        self.tags.contains(tag)
    }
}

/// A tag as the audience lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagInfo {
    /// The segment behind it.
    pub segment: SegmentId,
    /// Stored spelling.
    pub name: TagName,
    /// `member_count`: may lag, compared between scans only.
    pub member_count: u64,
}

/// A merge field's definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeField {
    /// The merge tag, upper case.
    pub tag: String,
    /// `text`, `number`, `date`, `birthday`, `phone`, `url`, `zip`, `dropdown`, `radio`, `address`, …
    pub kind: String,
    /// `date_format` or `phone_format`, when the field has one.
    pub format: Option<String>,
    /// Choices of a dropdown or radio field.
    pub choices: Vec<String>,
    /// Whether Mailchimp demands a value.
    pub required: bool,
}

/// The audience as its own page describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudienceInfo {
    /// Its name.
    pub name: String,
    /// Subscribed members, as cached by Mailchimp (minutes old).
    pub member_count: u64,
    /// Whether the audience itself uses double opt-in.
    pub double_opt_in: bool,
}
