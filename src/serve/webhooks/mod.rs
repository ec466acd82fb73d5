//! Webhooks of both services: who sent them, what they are about, and nothing else. What a webhook says is a hint that
//! somebody changed; what is true is read from the services.
//!
//! Promises: nothing is taken whose signature is not right and fresh; every refusal has a reason that is counted.
//! Never: a value of a property, an address in a log, or a 410, which would switch a webhook off for good.

pub mod hubspot;
pub mod mailchimp;
mod replay;

pub use replay::Replays;

use crate::domain::email::SubscriberHash;
use crate::domain::failure::Service;
use crate::domain::hint::Says;
use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use axum::http::StatusCode;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// A signature that is older, or lies so far ahead, is not taken (HubSpot contract §13, Mailchimp contract §13).
pub const WINDOW: Duration = Duration::from_secs(300);
/// No webhook of either service is larger: HubSpot sends up to 100 events.
pub const LARGEST: usize = 1 << 20;

/// A secret, ready to check signatures with.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// From the secret's text; none where it is empty.
    pub fn new(secret: &str) -> Option<SigningKey> {
        if secret.is_empty() {
            return None;
        }
        Hmac::new_from_slice(secret.as_bytes()).ok().map(SigningKey)
    }

    /// The MAC of these parts, one after another.
    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// Where webhooks come from, and what they are checked by.
#[derive(Clone, Default)]
pub struct Sources {
    /// HubSpot's: the app's client secret.
    pub hubspot: Option<HubSpotSource>,
    /// Mailchimp's.
    pub mailchimp: Option<MailchimpSource>,
}

/// HubSpot's app.
#[derive(Clone)]
pub struct HubSpotSource {
    /// The app's client secret.
    pub key: SigningKey,
    /// The address as HubSpot calls it: it is part of what is signed.
    pub url: String,
    /// The only portal to hear.
    pub portal: Option<u64>,
}

/// Mailchimp's webhook.
#[derive(Clone)]
pub struct MailchimpSource {
    /// The webhook's signing secret.
    pub key: SigningKey,
    /// The only audience to hear.
    pub audience: String,
}

/// Whom an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whom {
    /// A contact.
    Record(RecordId),
    /// A member, by their address.
    Member(SubscriberHash),
}

/// One event, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same for each delivery of the same event.
    pub mark: u128,
    /// Whom it is about.
    pub whom: Vec<Whom>,
    /// What it says of them.
    pub says: Says,
}

/// Why a webhook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// There is no secret to check it by.
    NotExpected,
    /// It carries no signature.
    Unsigned,
    /// Its signature is too old, or from the future.
    Stale,
    /// Its signature is not right.
    Forged,
    /// It was taken already.
    Replayed,
    /// It is larger than either service sends.
    Oversized,
    /// It is not what the service sends.
    Malformed,
    /// It is of another portal or audience.
    Foreign,
    /// As many as may be are being taken.
    Busy,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 9] = [
        Refusal::NotExpected,
        Refusal::Unsigned,
        Refusal::Stale,
        Refusal::Forged,
        Refusal::Replayed,
        Refusal::Oversized,
        Refusal::Malformed,
        Refusal::Foreign,
        Refusal::Busy,
    ];

    /// The word it is counted by.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::NotExpected => "not-expected",
            Refusal::Unsigned => "unsigned",
            Refusal::Stale => "stale",
            Refusal::Forged => "forged",
            Refusal::Replayed => "replayed",
            Refusal::Oversized => "oversized",
            Refusal::Malformed => "malformed",
            Refusal::Foreign => "foreign",
            Refusal::Busy => "busy",
        }
    }

    /// The status that is answered; never 410.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::NotExpected => StatusCode::NOT_FOUND,
            Refusal::Unsigned | Refusal::Stale | Refusal::Forged => StatusCode::UNAUTHORIZED,
            Refusal::Replayed => StatusCode::CONFLICT,
            Refusal::Oversized => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Malformed => StatusCode::BAD_REQUEST,
            Refusal::Foreign => StatusCode::FORBIDDEN,
            Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A delivery that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose.
    pub service: Service,
    /// Marks the delivery: its signature.
    pub mark: u128,
    /// What it tells of.
    pub events: Vec<Event>,
    /// Events of it that cannot be read, or are of another portal.
    pub unreadable: usize,
}

/// Whether a moment is within the window around now.
fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    at.since(now) <= WINDOW && now.since(at) <= WINDOW
}

/// A number by which the same parts are known again.
fn mark(parts: &[&[u8]]) -> u128 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}
