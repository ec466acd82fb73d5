//! Steps: one declarative change each. A step says what shall be true, so repeating it is safe; it
//! knows its target (which lane carries it), and, with its before-image, its inverse (design §1).
//!
//! Steps hold no address and no name: who is meant is the move's `PersonId`; merge-field values are
//! in the person's record and the step carries their fingerprint only (design §3.13).

use super::failure::Service;
use super::id::{ListId, RecordId};
use super::member::MemberStatus;
use super::tag::TagName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A short fingerprint of the merge-field values a step wants to see written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Of an input that nobody has seen yet: what an undo leaves behind shows in the next scan only.
    pub const NOT_SEEN: Fingerprint = Fingerprint(0);
}

/// What an opt-out in HubSpot covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OptOutScope {
    /// The portal-wide unsubscribe-all.
    All,
    /// One subscription type.
    Subscription(u64),
}

/// Whether a tag change may start customer journeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Delivery {
    /// Journeys that start on the tag fire: what an enrolment wants.
    Loud,
    /// `is_syncing`: no journey fires. Every undo is silent (design §3.15).
    Silent,
}

/// One change to one remote system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// The person is a member with these merge fields; created when missing, and the status of an
    /// existing member is never touched.
    UpsertMember {
        /// The values wanted.
        fields: Fingerprint,
        /// Created as pending (double opt-in) instead of subscribed.
        pending: bool,
    },
    /// An archived member is subscribed again (R6 only).
    RestoreMember {
        /// The values wanted.
        fields: Fingerprint,
    },
    /// The merge fields hold these values; nothing else changes.
    RefreshMember {
        /// The values wanted.
        fields: Fingerprint,
    },
    /// The member known under the person's previous address has the present one.
    RenameMember,
    /// The member bears the tag.
    SetTag {
        /// Which tag.
        tag: TagName,
        /// Whether journeys may start.
        delivery: Delivery,
    },
    /// The member does not bear the tag.
    ClearTag {
        /// Which tag.
        tag: TagName,
    },
    /// The member is archived.
    ArchiveMember,
    /// The member is unsubscribed.
    UnsubscribeMember,
    /// The contact exists in HubSpot (R18, `create_missing`).
    CreateContact,
    /// The contact is in the static list.
    JoinList {
        /// Which list.
        list: ListId,
    },
    /// The contact is not in the static list.
    LeaveList {
        /// Which list.
        list: ListId,
    },
    /// The contact's property has the value.
    SetProperty {
        /// Internal name.
        property: String,
        /// The value; never personal data (list names, list ids, `true`).
        value: String,
    },
    /// The person is opted out in HubSpot.
    OptOut {
        /// Of what.
        scope: OptOutScope,
    },
    /// The evidence of a consent change is in the journal (R23). Local: no call.
    RecordEvidence,
    /// A member whom hsmc archived has the status from before again, and nothing else changes (R28 only).
    ReturnMember {
        /// `subscribed` or `transactional`, as journaled before the archive.
        status: MemberStatus,
    },
    /// The member is deleted for good, under the person's previous address too.
    EraseMember,
    /// The contact is deleted for good, with its history. By record: nobody else has that number afterwards.
    EraseContact {
        /// Which contact.
        record: RecordId,
    },
}

/// What held before a step: durable before the call leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Before {
    /// It did not hold: no such member, not in the list, the tag as it should not be.
    NotHeld,
    /// It held already: nothing to undo.
    Held,
    /// The member's status.
    Status(MemberStatus),
    /// The property's value; none when unset.
    Property(Option<String>),
}

/// What undoes a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inverse {
    /// Nothing was changed, so there is nothing to undo.
    Nothing,
    /// This step undoes it.
    Step(Step),
    /// It cannot be taken back.
    Impossible,
}

/// Where a step's call goes: the key of the lane that carries it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// The audience's members: upsert, restore, refresh, rename, archive.
    Audience,
    /// Unsubscribing: a lane of its own, so that it overtakes (design §3.5).
    AudienceOptOut,
    /// One tag.
    Tag(TagName),
    /// One HubSpot list.
    List(ListId),
    /// Contact records: create and property writes.
    Contacts,
    /// HubSpot's communication preferences.
    ContactOptOut,
    /// The journal itself.
    Local,
}

impl Target {
    /// The service behind the lane; none for the journal itself.
    pub fn service(&self) -> Option<Service> {
        match self {
            Target::Audience | Target::AudienceOptOut | Target::Tag(_) => Some(Service::Mailchimp),
            Target::List(_) | Target::Contacts | Target::ContactOptOut => Some(Service::HubSpot),
            Target::Local => None,
        }
    }
}

impl Step {
    /// The lane that carries the step.
    pub fn target(&self) -> Target {
        match self {
            Step::UpsertMember { .. }
            | Step::RestoreMember { .. }
            | Step::RefreshMember { .. }
            | Step::RenameMember
            | Step::ArchiveMember
            | Step::ReturnMember { .. }
            | Step::EraseMember => Target::Audience,
            Step::UnsubscribeMember => Target::AudienceOptOut,
            Step::SetTag { tag, .. } | Step::ClearTag { tag } => Target::Tag(tag.clone()),
            Step::JoinList { list } | Step::LeaveList { list } => Target::List(*list),
            Step::CreateContact | Step::SetProperty { .. } | Step::EraseContact { .. } => Target::Contacts,
            Step::OptOut { .. } => Target::ContactOptOut,
            Step::RecordEvidence => Target::Local,
        }
    }

    /// The step that restores the before-image (contracts §17 of HubSpot, §18 of Mailchimp).
    pub fn inverse(&self, before: &Before) -> Inverse {
        if *before == Before::Held {
            return Inverse::Nothing;
        }
        match self {
            Step::UpsertMember { .. } => match before {
                Before::NotHeld => Inverse::Step(Step::ArchiveMember),
                _ => Inverse::Nothing,
            },
            Step::RestoreMember { .. } | Step::ReturnMember { .. } => Inverse::Step(Step::ArchiveMember),
            Step::SetTag { tag, .. } => Inverse::Step(Step::ClearTag { tag: tag.clone() }),
            Step::ClearTag { tag } => {
                Inverse::Step(Step::SetTag { tag: tag.clone(), delivery: Delivery::Silent })
            }
            Step::JoinList { list } => Inverse::Step(Step::LeaveList { list: *list }),
            Step::LeaveList { list } => Inverse::Step(Step::JoinList { list: *list }),
            Step::SetProperty { property, .. } => match before {
                Before::Property(value) => Inverse::Step(Step::SetProperty {
                    property: property.clone(),
                    value: value.clone().unwrap_or_default(),
                }),
                _ => Inverse::Step(Step::SetProperty { property: property.clone(), value: String::new() }),
            },
            Step::RecordEvidence => Inverse::Nothing,
            // A created contact stays: it holds nothing but the address, and archiving it could only
            // be taken back by hand. An opt-out has no inverse, ever (design §3.4).
            Step::CreateContact => Inverse::Nothing,
            Step::RefreshMember { .. }
            | Step::RenameMember
            | Step::ArchiveMember
            | Step::UnsubscribeMember
            | Step::OptOut { .. }
            | Step::EraseMember
            | Step::EraseContact { .. } => Inverse::Impossible,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::UpsertMember { pending: false, .. } => f.write_str("create or update the member"),
            Step::UpsertMember { pending: true, .. } => f.write_str("create the member as pending"),
            Step::RestoreMember { .. } => f.write_str("subscribe the archived member again"),
            Step::RefreshMember { .. } => f.write_str("refresh merge fields"),
            Step::RenameMember => f.write_str("change the member's address"),
            Step::SetTag { tag, delivery: Delivery::Loud } => write!(f, "set tag \"{tag}\""),
            Step::SetTag { tag, delivery: Delivery::Silent } => write!(f, "set tag \"{tag}\" silently"),
            Step::ClearTag { tag } => write!(f, "clear tag \"{tag}\""),
            Step::ArchiveMember => f.write_str("archive the member"),
            Step::UnsubscribeMember => f.write_str("unsubscribe the member"),
            Step::CreateContact => f.write_str("create the contact"),
            Step::JoinList { list } => write!(f, "join list {list}"),
            Step::LeaveList { list } => write!(f, "leave list {list}"),
            Step::SetProperty { property, value } if value.is_empty() => write!(f, "clear {property}"),
            Step::SetProperty { property, value } => write!(f, "set {property} = \"{value}\""),
            Step::OptOut { scope: OptOutScope::All } => f.write_str("opt out of all email"),
            Step::OptOut { scope: OptOutScope::Subscription(id) } => {
                write!(f, "opt out of subscription {id}")
            }
            Step::RecordEvidence => f.write_str("record the evidence"),
            Step::ReturnMember { status } => write!(f, "make the archived member {status} again"),
            Step::EraseMember => f.write_str("delete the member for good"),
            Step::EraseContact { record } => write!(f, "delete contact {record} for good"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_held_already_needs_no_undo_whatever_the_step() {
        let steps = [
            Step::JoinList { list: ListId(1) },
            Step::ClearTag { tag: TagName::new("a") },
            Step::UpsertMember { fields: Fingerprint(1), pending: false },
        ];
        for step in steps {
            assert_eq!(step.inverse(&Before::Held), Inverse::Nothing);
        }
    }

    #[test]
    fn a_cleared_tag_comes_back_silently() {
        let step = Step::ClearTag { tag: TagName::new("a") };
        assert_eq!(
            step.inverse(&Before::NotHeld),
            Inverse::Step(Step::SetTag { tag: TagName::new("a"), delivery: Delivery::Silent })
        );
    }

    #[test]
    fn an_opt_out_has_no_inverse() {
        assert_eq!(
            Step::UnsubscribeMember.inverse(&Before::Status(MemberStatus::Subscribed)),
            Inverse::Impossible
        );
        assert_eq!(Step::OptOut { scope: OptOutScope::All }.inverse(&Before::NotHeld), Inverse::Impossible);
    }

    #[test]
    fn only_whom_we_created_is_archived_by_undo() {
        let step = Step::UpsertMember { fields: Fingerprint(1), pending: false };
        assert_eq!(step.inverse(&Before::NotHeld), Inverse::Step(Step::ArchiveMember));
        assert_eq!(step.inverse(&Before::Status(MemberStatus::Subscribed)), Inverse::Nothing);
    }
}
