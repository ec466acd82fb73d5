//! What hsmc itself remembers of a person: *memory* (design §1), and the one place where an address
//! and names may stand (design §3.13).

use super::email::Email;
use super::failure::{Refusal, Service};
use super::id::{ListId, PersonId, RecordId};
use super::member::{Member, MemberStatus};
use super::moves::MoveKind;
use super::step::Fingerprint;
use super::tag::TagName;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What is less is no difference between two clocks that are right.
const CLOCKS_DIFFER: Duration = Duration::from_secs(30);

/// The one state a person is in, strongest first (design §3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PersonState {
    /// Opted out on either side, or cleaned.
    OptedOut,
    /// Bears a protected tag.
    Protected,
    /// In an exclusion list of their group.
    Excluded,
    /// Moved back to HubSpot after a campaign.
    HandedOver,
    /// Marketed to.
    Enrolled,
    /// Asked to confirm.
    Pending,
    /// A service refuses them for good.
    Parked,
    /// Somebody else keeps moving them back.
    Contested,
    /// Without a usable address.
    NoAddress,
    /// Shares an address with another contact.
    Twin,
    /// Archived, and not by hsmc.
    ArchivedByOthers,
    /// Wanted, but a limit leaves them out for now.
    LeftOut,
    /// Not hsmc's business (R14).
    Foreign,
}

impl PersonState {
    /// All states, strongest first.
    pub const ALL: [PersonState; 13] = [
        PersonState::OptedOut,
        PersonState::Protected,
        PersonState::Excluded,
        PersonState::HandedOver,
        PersonState::Enrolled,
        PersonState::Pending,
        PersonState::Parked,
        PersonState::Contested,
        PersonState::NoAddress,
        PersonState::Twin,
        PersonState::ArchivedByOthers,
        PersonState::LeftOut,
        PersonState::Foreign,
    ];

    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            PersonState::OptedOut => "opted-out",
            PersonState::Protected => "protected",
            PersonState::Excluded => "excluded",
            PersonState::HandedOver => "handed-over",
            PersonState::Enrolled => "enrolled",
            PersonState::Pending => "pending",
            PersonState::Parked => "parked",
            PersonState::Contested => "contested",
            PersonState::NoAddress => "no-address",
            PersonState::Twin => "twin",
            PersonState::ArchivedByOthers => "archived-by-others",
            PersonState::LeftOut => "left-out",
            PersonState::Foreign => "foreign",
        }
    }
}

impl fmt::Display for PersonState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Marketed to, by which tag and from which list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The entry tag.
    pub tag: TagName,
    /// The source list.
    pub list: ListId,
    /// Since when.
    pub at: Timestamp,
}

/// Handed over, and from which source lists the person has not been gone since (R16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// By which exit tag.
    pub exit_tag: TagName,
    /// When.
    pub at: Timestamp,
    /// Source lists they have been in without a break since; they are not enrolled from these.
    pub still_in: Vec<ListId>,
}

/// Archived by hsmc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedByUs {
    /// The status before, which Mailchimp hides now; `archived` where hsmc cannot know it either.
    pub status_before: MemberStatus,
    /// When.
    pub at: Timestamp,
}

impl ArchivedByUs {
    /// Whether a member archived with this status may be subscribed again.
    pub fn allows_return(&self) -> bool {
        self.status_before == MemberStatus::Subscribed
    }

    /// Whether nobody could see if they unsubscribed before they were archived: an operator settles it.
    pub fn is_unsure(&self) -> bool {
        self.status_before == MemberStatus::Archived
    }
}

/// Refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// By whom, or where what an operator undid was done: see [`Parked::said_by`].
    pub service: Service,
    /// Why.
    pub refusal: Refusal,
    /// The input then; tried again when it differs.
    pub input: Fingerprint,
    /// When.
    pub at: Timestamp,
}

impl Parked {
    /// The service that said so; none where an operator or hsmc itself did.
    pub fn said_by(&self) -> Option<Service> {
        self.refusal.code.is_a_services().then_some(self.service)
    }
}

/// What is known of an opt-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutMemory {
    /// The side it was first seen on.
    pub seen: Service,
    /// When it was first seen.
    pub at: Timestamp,
    /// When it had reached the other side.
    pub delivered: Option<Timestamp>,
}

/// A change hsmc has made, remembered for some days: made again and again, it is somebody else who takes it
/// back (design §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeChange {
    /// By a move of this kind.
    pub kind: MoveKind,
    /// What was changed: the same change has the same fingerprint.
    pub change: Fingerprint,
    /// When.
    pub at: Timestamp,
}

/// Somebody else keeps taking back what hsmc does (design §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contested {
    /// The kind of move that was taken back.
    pub kind: MoveKind,
    /// How often it was made.
    pub times: u32,
    /// Since when nothing is done any more.
    pub since: Timestamp,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The surrogate.
    pub id: PersonId,
    /// The address; none for a contact without one.
    pub email: Option<Email>,
    /// The address the Mailchimp member still has while a rename is due.
    pub previous_email: Option<Email>,
    /// The HubSpot record.
    pub record: Option<RecordId>,
    /// Merge-field values as last wanted: steps refer to them by fingerprint.
    pub fields: BTreeMap<String, String>,
    /// The state.
    pub state: PersonState,
    /// Since when.
    pub since: Timestamp,
    /// Why, in words without personal data.
    pub why: String,
    /// Set while enrolled.
    pub enrolled: Option<Enrolled>,
    /// Set once handed over, until they leave and come back or are released.
    pub handed_over: Option<HandedOver>,
    /// Set while archived by hsmc.
    pub archived: Option<ArchivedByUs>,
    /// Set while parked.
    pub parked: Option<Parked>,
    /// Set once an opt-out was seen.
    pub opt_out: Option<OptOutMemory>,
    /// The bounce was noted in HubSpot already.
    pub bounce_noted: bool,
    /// An operator settled that this archived member may be restored (R6, `adopt`).
    pub adopted: bool,
    /// Since when the person has been seen opted in again by their own hand after an opt-out (R21a).
    pub opted_in_again: Option<Timestamp>,
    /// The changes hsmc made lately, oldest first.
    pub made: Vec<MadeChange>,
    /// Set while contested, until an operator releases them.
    pub contested: Option<Contested>,
    /// Mailchimp's own number for the member as last seen: it stays when the address changes.
    pub contact_id: Option<String>,
    /// Since when the member has another address than HubSpot's because it was given to it in Mailchimp (R10).
    pub moved: Option<Timestamp>,
    /// Since when their member is a second one: the contact's own address is another, and has one (R10).
    pub second: Option<Timestamp>,
}

/// A state a person was in and left, for their timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastState {
    /// The state.
    pub state: PersonState,
    /// Why, in words without personal data.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Parked because their address was changed in Mailchimp.
pub const ADDRESS_CHANGED: &str = "address-changed";
/// Parked because their contact has another member, under its own address.
pub const SECOND_MEMBER: &str = "second-member";
/// Parked because HubSpot shows nobody by their address any more.
pub const UNRESOLVED: &str = "unresolved";

impl Person {
    /// The address Mailchimp knows the member by: while a rename is due, not yet the present one (R10).
    pub fn member_email(&self) -> Option<&Email> {
        self.previous_email.as_ref().or(self.email.as_ref())
    }

    /// What the person is parked for, in one stable word, and since when: by a service's refusal, or because
    /// hsmc cannot tell who they are. None when their state is another one, whatever is remembered: nobody is
    /// counted twice.
    pub fn parked_for(&self) -> Option<(&'static str, Timestamp)> {
        if self.state != PersonState::Parked {
            return None;
        }
        let refused = self.parked.as_ref().map(|parked| (parked.refusal.code.word(), parked.at));
        let unclear = || match (self.second, self.moved) {
            (Some(at), _) => (SECOND_MEMBER, at),
            (None, Some(at)) => (ADDRESS_CHANGED, at),
            (None, None) => (UNRESOLVED, self.since),
        };
        Some(refused.unwrap_or_else(unclear))
    }

    /// Whether an archived member of theirs has changed since hsmc archived it: somebody had brought it back meanwhile, and
    /// it is they who archived it. Whoever it is may have opted out in between, and nothing shows that (R6, R28).
    pub fn is_archived_anew(&self, member: &Member) -> bool {
        // What has parked them may have been a restore, given up: it changed them, too.
        let given_up = self.parked.as_ref().map(|parked| parked.at);
        let ours =
            self.archived.as_ref().map(|archived| given_up.max(Some(archived.at)).unwrap_or(archived.at));
        member.status == MemberStatus::Archived
            && ours
                .zip(member.changed)
                .is_some_and(|(archived, changed)| changed > archived.plus(CLOCKS_DIFFER))
    }

    /// Settled by an operator: an archive by others counts from then on as one of which nobody knows what it hides, `at` the
    /// moment of the member's last change, as it was seen. One that comes later is another, which nobody has settled (R6).
    pub fn adopt(&mut self, at: Timestamp) {
        self.adopted = true;
        if self.state == PersonState::ArchivedByOthers {
            let hidden = ArchivedByUs { status_before: MemberStatus::Archived, at };
            self.archived = Some(ArchivedByUs { at, ..self.archived.take().unwrap_or(hidden) });
        }
    }

    /// Nothing keeps them parked any more. What did may have been a restore, given up, and so hsmc's own hand that has
    /// changed an archived member: their archive counts from then.
    pub fn unpark(&mut self) {
        if let (Some(parked), Some(archived)) = (self.parked.take(), &mut self.archived) {
            archived.at = archived.at.max(parked.at);
        }
    }

    /// A person just seen for the first time.
    pub fn new(id: PersonId, email: Option<Email>, record: Option<RecordId>, now: Timestamp) -> Person {
        Person {
            id,
            email,
            previous_email: None,
            record,
            fields: BTreeMap::new(),
            state: PersonState::Foreign,
            since: now,
            why: String::new(),
            enrolled: None,
            handed_over: None,
            archived: None,
            parked: None,
            opt_out: None,
            bounce_noted: false,
            adopted: false,
            opted_in_again: None,
            made: Vec::new(),
            contested: None,
            contact_id: None,
            moved: None,
            second: None,
        }
    }
}
