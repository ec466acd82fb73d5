//! Who the person is now (R10): links to both sides, a changed address, and what memory holds that
//! the world has overtaken.

use super::ContactView;
use super::place::taken;
use super::sight::Sight;
use super::tagging::ours_borne;
use crate::domain::failure::RefusalCode;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::Person;
use crate::domain::step::{Before, Fingerprint, Step};
use std::time::Duration;

/// "Signed up to a lot of lists very recently" passes with time; every other refusal does not.
const SIGNUPS_PASS_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Memory brought up to what both sides show now.
pub(super) fn present_memory(sight: &Sight<'_>) -> Person {
    let mut memory = sight.view.memory.clone();
    let member = sight.view.member;
    if let Some(contact) = sight.contact {
        memory.record = Some(contact.record);
    } else if sight.view.contact == ContactView::Gone {
        memory.record = None;
    }
    let address = sight.contacts.iter().find_map(|contact| contact.email());
    if let Some(address) = address {
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
    if let Some(member) = member.filter(|member| member.status != MemberStatus::Archived) {
        // Seen active by a change later than our archive: somebody brought them back. A listing read
        // right after the archive may still show them as they were.
        let since = memory.archived.as_ref().map(|archived| archived.at);
        if since.is_some_and(|at| member.changed.is_some_and(|changed| changed > at)) {
            memory.archived = None;
        }
        memory.adopted = false;
    }
    // Gone from a source list seen whole: coming back counts as new (R16).
    if let Some(handed_over) = memory.handed_over.as_mut() {
        handed_over.still_in.retain(|list| sight.is_in(*list) || !sight.is_complete(*list));
    }
    memory
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
        let passes = parked.refusal.code == RefusalCode::TooManySignups;
        let passed = passes && sight.world.seen >= parked.at.plus(SIGNUPS_PASS_AFTER);
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

/// R10. Where the new address has a member of its own, Mailchimp refuses, and the person is parked.
/// A bounced address is not carried over.
pub(super) fn rename(sight: &Sight<'_>, memory: &Person) -> Option<Move> {
    let member = misnamed(sight, memory)?;
    if matches!(member.status, MemberStatus::Archived | MemberStatus::Cleaned) {
        return None;
    }
    let step = PlannedStep { step: Step::RenameMember, before: Before::Status(member.status.clone()) };
    let why = ("R10", "the address changed in HubSpot".to_owned());
    let cause = taken(sight).map(|(_, source)| source.list);
    Some(sight.draft(MoveKind::Rename, why, vec![step], vec![MemoryChange::Renamed], cause))
}
