//! Who the person is now (R10): links to both sides, a changed address, and what memory holds that
//! the world has overtaken.

use super::place::taken;
use super::sight::Sight;
use super::tagging::{clear, ours_borne};
use super::{AddressView, ContactView, Question};
use crate::domain::email::Email;
use crate::domain::failure::{Refusal, RefusalCode, Service};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::{Parked, Person};
use crate::domain::step::{Before, Fingerprint, Step};
use crate::domain::time::Timestamp;
use std::time::Duration;

/// "Signed up to a lot of lists very recently" passes with time, and what Mailchimp refuses in words that nobody knows may be
/// about the account, not the person; every other refusal is for good.
const PASSES_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Memory brought up to what both sides show now.
pub(super) fn present_memory(sight: &Sight<'_>) -> Person {
    let mut memory = sight.view.memory.clone();
    let member = sight.view.member;
    if let Some(contact) = sight.contact {
        memory.record = Some(contact.record);
    } else if sight.view.contact == ContactView::Gone {
        memory.record = None;
    }
    let is_second = sight.view.address == AddressView::Second;
    if is_second {
        memory.second.get_or_insert(sight.world.seen);
    } else if sight.contact.is_some() || sight.view.contact == ContactView::Gone {
        memory.second = None;
    }
    let address = sight.contacts.iter().find_map(|contact| contact.email());
    if let (true, Some(member)) = (is_second, member) {
        // It is never renamed: the address that it would get is taken.
        (memory.email, memory.previous_email, memory.moved) = (Some(member.email.clone()), None, None);
    } else if let Some(address) = address {
        memory.moved = moved(sight, &address);
        memory.previous_email =
            member.map(|member| &member.email).filter(|email| **email != address).cloned();
        memory.email = Some(address);
    } else if let Some(member) = member {
        // HubSpot's side is not in view: the address wanted stays what it was.
        let email = memory.email.get_or_insert_with(|| member.email.clone());
        if *email == member.email {
            memory.previous_email = None;
        }
    }
    if let Some(number) = member.map(|member| &member.contact_id).filter(|number| !number.is_empty()) {
        if memory.contact_id.as_ref().is_some_and(|known| known != number) {
            // Another member stands there now: what hsmc, or an operator, settled was about the one before.
            memory.archived = memory.archived.filter(|archived| !archived.allows_return());
            memory.adopted = false;
        }
        memory.contact_id = Some(number.clone());
    }
    if let Some(member) = member.filter(|member| member.status != MemberStatus::Archived) {
        // Seen active by a change later than our archive: somebody brought them back. A listing read
        // right after the archive may still show them as they were.
        let since = memory.archived.as_ref().map(|archived| archived.at);
        if since.is_some_and(|at| member.changed.is_some_and(|changed| changed > at)) {
            memory.archived = None;
        }
        memory.adopted = false;
    }
    if member.is_some_and(|member| sight.view.memory.is_archived_anew(member)) {
        memory.archived = None;
        // What an operator settled was the archive before.
        memory.adopted = false;
    }
    // Gone from a source list seen whole: coming back counts as new (R16).
    if let Some(handed_over) = memory.handed_over.as_mut() {
        handed_over.still_in.retain(|list| sight.is_in(*list) || !sight.is_complete(*list));
    }
    memory
}

/// Since when the member has an address of its own that HubSpot does not have: given to it in Mailchimp, by the
/// person or by somebody else, while HubSpot's stayed as it was. An address that changes in HubSpot afterwards
/// counts again, and so does HubSpot's once an operator has released the person.
fn moved(sight: &Sight<'_>, address: &Email) -> Option<Timestamp> {
    let (member, memory) = (sight.view.member?, sight.view.memory);
    if member.email == *address || memory.email.as_ref() != Some(address) {
        return None;
    }
    let is_same = !member.contact_id.is_empty() && memory.contact_id.as_ref() == Some(&member.contact_id);
    let is_new = is_same && memory.previous_email.as_ref() != Some(&member.email);
    memory.moved.or_else(|| is_new.then_some(sight.world.seen))
}

/// Dynamic lists follow a write after seconds to minutes (HubSpot contract §16): for so long, what a scan
/// shows after an undo counts as the undo's own doing.
const UNDO_SETTLES: Duration = Duration::from_secs(30 * 60);

/// Whether the person is parked and nothing has changed since. After an undo, the first look shows what it
/// left behind: that is the input to be parked with (R28).
pub(super) fn is_still_parked(sight: &Sight<'_>, memory: &mut Person) -> bool {
    if let Some(parked) = memory.parked.as_mut().filter(|parked| parked.refusal.code == RefusalCode::Undone) {
        let seen = sight.world.seen;
        if seen < parked.at {
            return true;
        }
        if parked.input == Fingerprint::NOT_SEEN || seen < parked.at.plus(UNDO_SETTLES) {
            parked.input = sight.input;
        }
    }
    memory.parked.as_ref().is_some_and(|parked| {
        // Not for whom it would be done and undone every day: what was begun has archived them again.
        let may_be_the_account = parked.refusal.code == RefusalCode::Other
            && parked.service == Service::Mailchimp
            && sight.view.memory.archived.is_none();
        let passes = parked.refusal.code == RefusalCode::TooManySignups || may_be_the_account;
        let passed = passes && sight.world.seen >= parked.at.plus(PASSES_AFTER);
        parked.input == sight.input && !passed
    })
}

/// Whether the person is hsmc's business at all: in a source list, or bearing a tag of ours.
pub(super) fn is_ours(sight: &Sight<'_>) -> bool {
    sight.in_any_source() || sight.view.memory.enrolled.is_some() || !ours_borne(sight).is_empty()
}

/// The member, when known by another address than the contact's.
pub(super) fn misnamed<'a>(sight: &Sight<'a>, memory: &Person) -> Option<&'a Member> {
    let old = |member: &&Member| memory.previous_email.as_ref() == Some(&member.email);
    sight.view.member.filter(old).filter(|_| is_ours(sight))
}

/// Whether HubSpot has no usable address for the person any more, while their member still has the last one.
pub(super) fn is_nameless(sight: &Sight<'_>) -> bool {
    let emptied = sight.contact.is_some_and(|contact| contact.email().is_none());
    emptied && sight.present().is_some() && is_ours(sight)
}

/// Parked until HubSpot has an address again: the emptying itself may have taken them out of a dynamic list.
pub(super) fn nameless(sight: &Sight<'_>) -> Parked {
    Parked {
        service: Service::HubSpot,
        refusal: Refusal {
            code: RefusalCode::InvalidAddress,
            message: "the contact has no usable address any more, and the member still has the last one"
                .to_owned(),
        },
        input: sight.input,
        at: sight.world.seen,
    }
}

/// What HubSpot must be asked of a second member before anything can be said: whatever becomes of the contact, an
/// opt-out above all, concerns the member too.
pub(super) fn must_ask(sight: &Sight<'_>) -> Option<Question> {
    let memory = sight.view.memory;
    match sight.view.contact {
        _ if memory.second.is_none() || sight.present().is_none() => None,
        ContactView::NotLookedUp => Some(Question::LookUp),
        ContactView::NotInHubSpot if memory.record.is_some() => Some(Question::Trace),
        _ => None,
    }
}

/// Takes the campaign off a second member of a contact.
pub(super) fn lay_down(sight: &Sight<'_>) -> Option<Move> {
    let tags = if sight.present().is_some() { ours_borne(sight) } else { Vec::new() };
    let steps: Vec<PlannedStep> = tags.into_iter().map(clear).collect();
    let why = ("R2", "a second member: the contact's own address has one".to_owned());
    let then = vec![MemoryChange::NotEnrolled];
    (!steps.is_empty()).then(|| sight.draft(MoveKind::Retag, why, steps, then, None))
}

/// What is remembered of somebody apart from a member whose address they no longer have.
pub(super) fn without_member(memory: &Person) -> Person {
    Person {
        previous_email: None,
        contact_id: None,
        bounce_noted: false,
        enrolled: None,
        archived: None,
        adopted: false,
        ..memory.clone()
    }
}

/// R10. Where the new address has a member of its own, Mailchimp refuses, and the person is parked.
/// A bounced address is not carried over, nor HubSpot's to a member whose address was changed in Mailchimp.
pub(super) fn rename(sight: &Sight<'_>, memory: &Person) -> Option<Move> {
    let member = misnamed(sight, memory)?;
    if memory.moved.is_some() || matches!(member.status, MemberStatus::Archived | MemberStatus::Cleaned) {
        return None;
    }
    let step = PlannedStep { step: Step::RenameMember, before: Before::Status(member.status.clone()) };
    let why = ("R10", "the address changed in HubSpot".to_owned());
    let cause = taken(sight).map(|(_, source)| source.list);
    Some(sight.draft(MoveKind::Rename, why, vec![step], vec![MemoryChange::Renamed], cause))
}
