//! Evidence of consent changes (R23): what was seen, what was called, what was answered. Refers to the
//! person by number only; no address stands in any text.

use super::email::Email;
use super::failure::Service;
use super::id::{MoveId, PersonId};
use super::person::{OptOutMemory, Person};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One piece of evidence, as it was kept before there was a chain. Read for ever; new evidence is a link.
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

/// What changed about a person's consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConsentChange {
    /// An opt-out was seen for the first time.
    OptOutSeen,
    /// An opt-out has reached the other side, or both sides were found to have it.
    OptOutDelivered,
    /// A hard bounce was noted (R22).
    BounceNoted,
    /// The person opted in again by their own hand after an opt-out; nothing is written (R21a).
    OptedInAgain,
    /// A member whom hsmc had archived is subscribed again (R6).
    Restored,
    /// An operator settled that an archived member may be subscribed again (R6).
    Adopted,
    /// The person was deleted for good on both sides, and here.
    Forgotten,
    /// An operator took the telling of the other side as done, which had failed for good.
    OptOutSkipped,
}

impl ConsentChange {
    /// All changes.
    pub const ALL: [ConsentChange; 8] = [
        ConsentChange::OptOutSeen,
        ConsentChange::OptOutDelivered,
        ConsentChange::BounceNoted,
        ConsentChange::OptedInAgain,
        ConsentChange::Restored,
        ConsentChange::Adopted,
        ConsentChange::Forgotten,
        ConsentChange::OptOutSkipped,
    ];

    /// A stable word: `opt-out-seen`, …
    pub fn word(self) -> &'static str {
        match self {
            ConsentChange::OptOutSeen => "opt-out-seen",
            ConsentChange::OptOutDelivered => "opt-out-delivered",
            ConsentChange::BounceNoted => "bounce-noted",
            ConsentChange::OptedInAgain => "opted-in-again",
            ConsentChange::Restored => "restored",
            ConsentChange::Adopted => "adopted",
            ConsentChange::Forgotten => "forgotten",
            ConsentChange::OptOutSkipped => "opt-out-skipped",
        }
    }
}

impl fmt::Display for ConsentChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where a change of consent was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Witness {
    /// In one of the services.
    Service(Service),
    /// An operator said so.
    Operator,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Witness::Service(service) => service.fmt(f),
            Witness::Operator => f.write_str("operator"),
        }
    }
}

/// What a link of the chain tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentFact {
    /// What changed.
    pub change: ConsentChange,
    /// When.
    pub at: Timestamp,
    /// Where it was seen.
    pub seen: Witness,
    /// The status or property as read there: `unsubscribed`, `hs_email_optout`.
    pub status: String,
    /// How it was read: `scan`, `command`.
    pub source: String,
    /// What was called; none when nothing was.
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

impl ConsentFact {
    /// Something seen, on which nothing was called.
    pub fn seen(
        change: ConsentChange,
        at: Timestamp,
        seen: Witness,
        status: &str,
        source: &str,
    ) -> ConsentFact {
        ConsentFact {
            change,
            at,
            seen,
            status: status.to_owned(),
            source: source.to_owned(),
            called: None,
            answer: None,
            legal_basis: None,
            explanation: None,
            by: None,
        }
    }
}

impl From<Evidence> for ConsentFact {
    fn from(old: Evidence) -> ConsentFact {
        let change = match old.called {
            Some(_) => ConsentChange::OptOutDelivered,
            None => ConsentChange::OptOutSeen,
        };
        ConsentFact {
            change,
            at: old.at,
            seen: Witness::Service(old.seen),
            status: old.status,
            source: old.source,
            called: old.called,
            answer: old.answer,
            legal_basis: old.legal_basis,
            explanation: old.explanation,
            by: old.by,
        }
    }
}

/// SHA-256 of a link; the next link holds it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkHash(pub [u8; 32]);

impl LinkHash {
    /// What the first link of a chain follows.
    pub const NONE: LinkHash = LinkHash([0; 32]);
    /// What a link follows when nobody knows any more what was before it: no link has this hash.
    pub const LOST: LinkHash = LinkHash([0xff; 32]);
}

impl fmt::Display for LinkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LinkHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A salted commitment to an address: who knows the address and the salt can show that a link is about it;
/// once the salt is deleted, nobody can.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment(pub [u8; 32]);

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commitment(hidden)")
    }
}

/// One link of the chain, without its own hash: that is taken over its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its place in the chain, from 1.
    pub place: u64,
    /// Whose consent.
    pub person: PersonId,
    /// To the address they had then; none for whom no address was known.
    pub commitment: Option<Commitment>,
    /// What it tells.
    pub fact: ConsentFact,
    /// The hash of the link before.
    pub previous: LinkHash,
}

/// What planning has changed about a person's consent, as facts: an opt-out seen that no move carries, one
/// found on both sides, a bounce with nothing to do, somebody who opted in again. What a move carries is told
/// by the move itself. `has_links` says whether anything was told of the person before: an opt-out that is
/// remembered and told nowhere is told now.
pub fn seen_by_planning(
    before: &Person,
    after: &Person,
    carried: bool,
    has_links: bool,
    at: Timestamp,
) -> Vec<ConsentFact> {
    let mut facts = Vec::new();
    if let Some(opt_out) = after.opt_out.as_ref().filter(|_| !carried) {
        let opted_in_between = before.opted_in_again.is_some() && after.opted_in_again.is_none();
        let is_new = before.opt_out.is_none() || (opted_in_between && before.opt_out != after.opt_out);
        let delivered = |memory: &Person| memory.opt_out.as_ref().is_some_and(|o| o.delivered.is_some());
        let (seen, status) = of_opt_out(opt_out);
        if is_new || (opt_out.delivered.is_none() && !has_links) {
            facts.push(ConsentFact::seen(ConsentChange::OptOutSeen, at, seen, status, "scan"));
        }
        if delivered(after) && !delivered(before) {
            let status = "opted out on both sides";
            facts.push(ConsentFact::seen(ConsentChange::OptOutDelivered, at, seen, status, "scan"));
        }
    }
    if after.bounce_noted && !before.bounce_noted {
        let mailchimp = Witness::Service(Service::Mailchimp);
        facts.push(ConsentFact::seen(ConsentChange::BounceNoted, at, mailchimp, "cleaned", "scan"));
    }
    if let (Some(since), None) = (after.opted_in_again, before.opted_in_again) {
        let taken_back =
            after.opt_out.as_ref().filter(|o| o.delivered.is_none() && o.seen == Service::HubSpot);
        let (seen, status) = match taken_back {
            Some(_) => (Service::HubSpot, "not opted out any more"),
            None => (Service::Mailchimp, "subscribed"),
        };
        let seen = Witness::Service(seen);
        facts.push(ConsentFact::seen(ConsentChange::OptedInAgain, since, seen, status, "scan"));
    }
    facts
}

fn of_opt_out(opt_out: &OptOutMemory) -> (Witness, &'static str) {
    let status = match opt_out.seen {
        Service::Mailchimp => "unsubscribed",
        Service::HubSpot => "hs_email_optout",
    };
    (Witness::Service(opt_out.seen), status)
}

/// Whose consent a link is to be about: the number, and the address the commitment is made to.
#[derive(Clone, Debug)]
pub struct ConsentEntry {
    /// Whose.
    pub person: PersonId,
    /// Their address now.
    pub email: Option<Email>,
    /// What.
    pub fact: ConsentFact,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PersonId;
    use crate::domain::person::PersonState;

    fn opted_out(delivered: Option<i64>) -> Person {
        Person {
            opt_out: Some(OptOutMemory {
                seen: Service::Mailchimp,
                at: Timestamp(0),
                delivered: delivered.map(Timestamp),
            }),
            state: PersonState::OptedOut,
            ..Person::new(PersonId(1), None, None, Timestamp(0))
        }
    }

    #[test]
    fn r23_an_opt_out_remembered_and_told_nowhere_is_told_once() {
        let (before, after) = (Person::new(PersonId(1), None, None, Timestamp(0)), opted_out(None));
        let words = |carried, has_links| -> Vec<&str> {
            let facts = seen_by_planning(&after, &after, carried, has_links, Timestamp(9));
            facts.iter().map(|fact| fact.change.word()).collect()
        };
        assert_eq!(words(false, false), ["opt-out-seen"], "its move was dropped before it told of it");
        assert_eq!(words(false, true), [""; 0]);
        assert_eq!(words(true, false), [""; 0], "the move that carries it tells of it");
        let both = seen_by_planning(&before, &opted_out(Some(9)), false, false, Timestamp(9));
        let words: Vec<&str> = both.iter().map(|fact| fact.change.word()).collect();
        assert_eq!(words, ["opt-out-seen", "opt-out-delivered"]);
    }
}
