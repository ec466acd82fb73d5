//! Consent, both ways (R20–R22). An opt-out once seen is never forgotten: consent only ever tightens
//! (design §3.4). Whoever opted in again by their own hand is reported and left alone on both sides.

use super::enroll::fresh_fields;
use super::sight::Sight;
use super::tagging::{clear, ours_borne};
use super::{AddressConsent, AddressView, ContactView, Question};
use crate::domain::contact::Contact;
use crate::domain::email::Email;
use crate::domain::failure::Service;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::{OptOutMemory, Person};
use crate::domain::step::{Before, OptOutScope, Step};
use std::time::Duration;

/// Listings may show a member as they were for a while after a change (Mailchimp contract §17).
pub(super) const LISTINGS_LAG: Duration = Duration::from_secs(600);
/// Searches follow a write after seconds to minutes (HubSpot contract §16).
const SEARCH_LAG: Duration = Duration::from_secs(600);
/// For so long a second member's own address is asked about in each run.
const SECOND_IS_NEW: Duration = Duration::from_secs(24 * 60 * 60);
/// The value of the bounce property (R22).
const BOUNCED: &str = "true";

fn opted_out_in_mailchimp(sight: &Sight<'_>) -> bool {
    sight.view.member.is_some_and(|member| member.status == MemberStatus::Unsubscribed)
}

/// The opt-out that the other side has not heard of.
fn untold(memory: &Person) -> Option<&OptOutMemory> {
    memory.opt_out.as_ref().filter(|opt_out| opt_out.delivered.is_none())
}

fn is_reachable(member: &Member) -> bool {
    matches!(member.status, MemberStatus::Subscribed | MemberStatus::Pending | MemberStatus::Transactional)
}

/// Whether Mailchimp is where they opted out: as it shows them; or as it did when nobody had been told yet, and
/// nothing there says otherwise since, an archive or a deletion least of all.
fn out_in_mailchimp(sight: &Sight<'_>, memory: &Person) -> bool {
    opted_out_in_mailchimp(sight)
        || (untold(memory).is_some_and(|opt_out| opt_out.seen == Service::Mailchimp)
            && !sight.view.member.is_some_and(is_reachable))
}

/// Whether HubSpot is where they opted out, in the same sense: a contact that is gone, merged or made anew, or has
/// further addresses, says nothing of an opt-out that the one before it had, or that another address has.
fn out_in_hubspot(sight: &Sight<'_>, memory: &Person) -> bool {
    opted_out_in_hubspot(sight)
        || opted_out_by_address(sight)
        || (untold(memory).is_some_and(|opt_out| opt_out.seen == Service::HubSpot)
            && !is_the_same_contact(sight))
}

fn is_the_same_contact(sight: &Sight<'_>) -> bool {
    let known = sight.view.memory.record;
    sight.contacts.iter().any(|contact| {
        known.is_none_or(|known| known == contact.record)
            && contact.merged_records().next().is_none()
            && contact.further_emails().next().is_none()
    })
}

/// An opt-out of either twin counts for both.
fn opted_out_in_hubspot(sight: &Sight<'_>) -> bool {
    sight.contacts.iter().any(|contact| contact.opted_out)
}

/// Under an address that is no longer the contact's own: no contact shows that.
fn opted_out_by_address(sight: &Sight<'_>) -> bool {
    sight.view.address_consent == AddressConsent::OptedOut
}

fn every_contact_opted_out(sight: &Sight<'_>) -> bool {
    !sight.contacts.is_empty() && sight.contacts.iter().all(|contact| contact.opted_out)
}

pub(super) fn is_cleaned(sight: &Sight<'_>) -> bool {
    sight.view.member.is_some_and(|member| member.status == MemberStatus::Cleaned)
}

/// Notes an opt-out seen for the first time, and that both sides agree once they do.
pub(super) fn remember(sight: &Sight<'_>, memory: &mut Person) {
    let there = opted_out_in_mailchimp(sight);
    let here = opted_out_in_hubspot(sight) || opted_out_by_address(sight);
    if (memory.opt_out.is_none() || is_out_once_more(sight, memory, there, here)) && (there || here) {
        memory.opted_in_again = None;
        let seen = if there { Service::Mailchimp } else { Service::HubSpot };
        let when = match seen {
            Service::Mailchimp => sight.view.member.and_then(|member| member.changed),
            Service::HubSpot => sight.contacts.iter().find(|c| c.opted_out).and_then(|c| c.modified),
        };
        memory.opt_out = Some(OptOutMemory { seen, at: when.unwrap_or(sight.world.seen), delivered: None });
    }
    if is_back_on_both_sides(sight, memory)
        && let Some(opt_out) = memory.opt_out.as_mut()
    {
        // Whatever either side shows from now on is another one, and nobody has been told of it.
        opt_out.delivered = None;
    }
    let there = out_in_mailchimp(sight, memory);
    // Where nothing shows it any more, nobody has taken it back either.
    let stands = there || !sight.view.member.is_some_and(is_reachable);
    let told_anew = stands && is_told_anew(sight, memory.email.as_ref());
    let Some(opt_out) = memory.opt_out.as_mut() else { return };
    if told_anew {
        opt_out.delivered = None;
    } else if there && every_contact_opted_out(sight) && sight.view.address != AddressView::Second {
        opt_out.delivered = opt_out.delivered.or(Some(sight.world.seen));
    }
}

/// Whether they have opted out anew after they had been seen opted in again by their own hand: Mailchimp shows them
/// unsubscribed where it showed them subscribed, or HubSpot opted out where both sides had them in.
fn is_out_once_more(sight: &Sight<'_>, memory: &Person, there: bool, here: bool) -> bool {
    let was_in = sight.view.memory.opted_in_again.is_some();
    was_in && (there || (here && untold(memory).is_some()))
}

/// Whether an opt-out that both sides had is over on both, by the person's own hand: subscribed, and HubSpot shows the
/// same contact opted in, long after it was told. Neither side is written to (R21a).
fn is_back_on_both_sides(sight: &Sight<'_>, memory: &Person) -> bool {
    let Some(opt_out) = &memory.opt_out else { return false };
    let long_ago = opt_out.delivered.is_some_and(|at| sight.world.seen > at.plus(SEARCH_LAG));
    let subscribed = sight.view.member.is_some_and(|member| member.status == MemberStatus::Subscribed);
    long_ago
        && subscribed
        && is_the_same_contact(sight)
        && sight.view.address == AddressView::Own
        && sight.view.memory.email == memory.email
        && memory.previous_email.is_none()
        && !opted_out_in_hubspot(sight)
        && !opted_out_by_address(sight)
}

/// Whether whom HubSpot was told of is not whom it has now: another record (the survivor of a merge, or one made
/// anew), or another address. HubSpot keeps opt-outs by address (HubSpot contract §12): one that changes leaves its
/// opt-out behind, and whatever the contact still shows of it, telling it again changes nothing.
fn is_told_anew(sight: &Sight<'_>, address: Option<&Email>) -> bool {
    let before = sight.view.memory;
    let another_address = before.email.as_ref().is_some_and(|known| Some(known) != address);
    let another_record = !every_contact_opted_out(sight)
        && sight.contact.is_some_and(|contact| before.record != Some(contact.record));
    another_address || another_record
}

/// Whether the person must never be written to.
pub(super) fn is_opted_out(sight: &Sight<'_>, memory: &Person) -> bool {
    let hidden = memory.archived.as_ref().map(|archived| &archived.status_before);
    memory.opt_out.is_some()
        || is_cleaned(sight)
        || matches!(hidden, Some(MemberStatus::Unsubscribed | MemberStatus::Cleaned))
}

/// What HubSpot must be asked of the person before anything can be said (R20, R22).
pub(super) fn must_ask(sight: &Sight<'_>, memory: &Person) -> Option<Question> {
    let tells = out_in_mailchimp(sight, memory)
        && (untold(memory).is_some() || has_left_the_opted_out(sight, memory))
        && !sight.rules.opt_out_scopes.is_empty();
    let hears = untold(memory).is_some_and(|opt_out| opt_out.seen == Service::HubSpot)
        && sight.view.member.is_some_and(is_reachable);
    let notes = is_cleaned(sight) && !memory.bounce_noted && bounce_property(sight).is_some();
    match sight.view.contact {
        ContactView::NotLookedUp if tells || hears || notes => Some(Question::LookUp),
        ContactView::NotInHubSpot if (tells || hears || notes) && memory.record.is_some() => {
            Some(Question::Trace)
        }
        _ => None,
    }
}

/// Whether HubSpot must be asked of an address that is not the contact's own: the member's, or without one that of
/// before. When it is first seen to be so, by a changed address, or by a merge, of which a run that was cut short may have
/// known; and until an opt-out found in this way has been delivered. Somebody may have opted out between the last look
/// and that change, and no contact shows it (R21).
pub(super) fn must_ask_of_address(sight: &Sight<'_>, memory: &Person) -> Option<Question> {
    let before = sight.view.memory;
    let reachable = sight.view.member.is_some_and(is_reachable);
    let (stands_elsewhere, is_new) = match sight.view.address {
        AddressView::Second => {
            (reachable, before.second.is_none_or(|since| sight.world.seen < since.plus(SECOND_IS_NEW)))
        }
        AddressView::Own | AddressView::MemberAway => {
            let changed = before.email.is_some() && before.email != memory.email;
            let is_elsewhere = reachable && memory.previous_email.is_some();
            (changed || is_elsewhere, changed || before.previous_email != memory.previous_email)
        }
    };
    let is_undelivered = reachable && untold(before).is_some_and(|opt_out| opt_out.seen == Service::HubSpot);
    let asks = stands_elsewhere
        && ((is_new && before.opt_out.is_none()) || is_undelivered)
        && !opted_out_in_hubspot(sight);
    asks.then(|| of_former_address(sight)).flatten()
}

/// HubSpot must be asked of the address that is no longer the contact's own, unless it was.
pub(super) fn of_former_address(sight: &Sight<'_>) -> Option<Question> {
    let is_open = sight.view.address_consent == AddressConsent::NotAsked;
    (is_open && !sight.rules.opt_out_scopes.is_empty()).then_some(Question::Consent)
}

/// Whether HubSpot was told long ago, and yet its search for those opted out does not find the contact any more: it
/// is gone, or has another address by now, which must be told as well.
fn has_left_the_opted_out(sight: &Sight<'_>, memory: &Person) -> bool {
    let delivered = memory.opt_out.as_ref().and_then(|opt_out| opt_out.delivered);
    memory.record.is_some() && delivered.is_some_and(|at| sight.world.seen > at.plus(SEARCH_LAG))
}

/// The opt-out that is due, if any.
pub(super) fn opt_out(sight: &Sight<'_>, memory: &Person) -> Option<Move> {
    if memory.opt_out.as_ref()?.delivered.is_some() {
        return never_told(sight, memory).then(|| to_mailchimp(sight, memory)).flatten();
    }
    to_hubspot(sight, memory).or_else(|| to_mailchimp(sight, memory))
}

/// R20. Our tags stay on: an unsubscribed member gets no mail by them, and whoever looks at the
/// member still sees which campaign they left.
fn to_hubspot(sight: &Sight<'_>, memory: &Person) -> Option<Move> {
    // HubSpot keeps opt-outs by address: of a second member's a contact's own says nothing.
    let unaware = !every_contact_opted_out(sight)
        || sight.view.address == AddressView::Second
        || is_told_anew(sight, memory.email.as_ref());
    let known = !sight.contacts.is_empty() && unaware;
    let there = out_in_mailchimp(sight, memory);
    let stands = there || is_out_under_another_address(sight, memory);
    if !stands || !known || sight.rules.opt_out_scopes.is_empty() {
        return None;
    }
    let mut steps = vec![evidence()];
    steps.extend(opt_out_steps(sight));
    let why = if there { "unsubscribed in Mailchimp" } else { "opted out under another address" };
    let why = ("R20", why.to_owned());
    Some(sight.draft(MoveKind::OptOutHubSpot, why, steps, delivered(), None))
}

/// Whether they opted out in HubSpot under an address, or as a contact, that is not the present one, and no member of
/// theirs could get mail that would have to be told: then HubSpot alone is.
fn is_out_under_another_address(sight: &Sight<'_>, memory: &Person) -> bool {
    let Some(opt_out) = untold(memory) else { return false };
    let elsewhere = opted_out_by_address(sight)
        || is_told_anew(sight, memory.email.as_ref())
        || (opt_out.seen == Service::HubSpot && !is_the_same_contact(sight));
    elsewhere && !every_contact_opted_out(sight) && !sight.view.member.is_some_and(is_reachable)
}

fn opt_out_steps(sight: &Sight<'_>) -> impl Iterator<Item = PlannedStep> {
    let step =
        |scope: &OptOutScope| PlannedStep { step: Step::OptOut { scope: *scope }, before: Before::NotHeld };
    sight.rules.opt_out_scopes.iter().map(step)
}

/// R21, a protected bearer's tags too; never followed by an archive.
fn to_mailchimp(sight: &Sight<'_>, memory: &Person) -> Option<Move> {
    let member = sight.view.member.filter(|member| is_reachable(member) && out_in_hubspot(sight, memory))?;
    let unsubscribe =
        PlannedStep { step: Step::UnsubscribeMember, before: Before::Status(member.status.clone()) };
    let mut steps = vec![evidence(), unsubscribe];
    // Some contact of theirs never heard of it either: the one they have now, or a twin; or not under this address.
    let is_second = sight.view.address == AddressView::Second;
    if !sight.contacts.is_empty() && (is_second || !every_contact_opted_out(sight)) {
        steps.extend(opt_out_steps(sight));
    }
    steps.extend(ours_borne(sight).into_iter().map(clear));
    let why = ("R21", "opted out in HubSpot".to_owned());
    Some(sight.draft(MoveKind::OptOutMailchimp, why, steps, delivered(), None))
}

fn evidence() -> PlannedStep {
    PlannedStep { step: Step::RecordEvidence, before: Before::NotHeld }
}

fn delivered() -> Vec<MemoryChange> {
    vec![MemoryChange::OptOutDelivered, MemoryChange::NotEnrolled]
}

/// Whether the member has been subscribed since before the opt-out, which has long been delivered: it reached
/// another member of the same person (a secondary address, or the other half of a merge), and never this one.
/// That is no opting in again.
fn never_told(sight: &Sight<'_>, memory: &Person) -> bool {
    let Some(opt_out) = &memory.opt_out else { return false };
    let subscribed = sight.view.member.filter(|member| member.status == MemberStatus::Subscribed);
    let since = subscribed.and_then(|member| member.opted);
    let long_ago = opt_out.delivered.is_some_and(|at| sight.world.seen > at.plus(LISTINGS_LAG));
    long_ago && opted_out_in_hubspot(sight) && since.is_some_and(|since| since < opt_out.at)
}

/// Whether mail could reach somebody who had opted out and whose opt-out both sides had, or who took it back before
/// the other side had heard of it: they opted in again, and that is for a person to settle (R21a). What was seen
/// before the opt-out was delivered shows them as they were, and says nothing.
pub(super) fn opted_in_again(sight: &Sight<'_>, memory: &Person) -> bool {
    if untold(memory).is_some() {
        return sight.view.member.is_some_and(is_reachable);
    }
    let delivered = memory.opt_out.as_ref().and_then(|opt_out| opt_out.delivered);
    delivered.is_some_and(|at| sight.world.seen > at)
        && sight.view.member.is_some_and(|member| member.status == MemberStatus::Subscribed)
        && !never_told(sight, memory)
}

/// Whether HubSpot, where they had opted out, shows the same contact opted in by now: theirs to do, and told (R21a). A
/// search that lags behind the opt-out says nothing.
pub(super) fn is_back_in_hubspot(sight: &Sight<'_>, memory: &Person) -> bool {
    let known = memory.opt_out.as_ref().filter(|opt_out| opt_out.seen == Service::HubSpot);
    let long_ago =
        known.and_then(|opt_out| opt_out.delivered).is_some_and(|at| sight.world.seen > at.plus(SEARCH_LAG));
    let is_known_here = sight.view.address == AddressView::Own && is_the_same_contact(sight);
    long_ago && is_known_here && memory.previous_email.is_none() && !opted_out_in_hubspot(sight)
}

/// Whether it is not the contact's address that bounced, but one that HubSpot has corrected since: the address bounces,
/// not the person (R10, R22). Whoever opted out, under whatever address, has.
pub(super) fn is_corrected(sight: &Sight<'_>, memory: &Person) -> bool {
    is_cleaned(sight)
        && bounced_under_another_address(sight)
        && memory.moved.is_none()
        && memory.opt_out.is_none()
}

fn bounced_under_another_address(sight: &Sight<'_>) -> bool {
    let own = sight.contact.and_then(Contact::email);
    let member = sight.view.member.filter(|_| sight.view.address != AddressView::Second);
    own.is_some_and(|own| member.is_some_and(|member| member.email != own))
}

/// Not where it is another address than the contact's own that bounced: a second member's, or one corrected since.
fn bounce_property<'a>(sight: &Sight<'a>) -> Option<&'a String> {
    let is_own = sight.view.address != AddressView::Second && !bounced_under_another_address(sight);
    sight.rules.bounce_property.as_ref().filter(|name| is_own && !sight.world.read_only.contains(*name))
}

/// R22: our tags off, then the property; a read-only one is left alone, and said so.
pub(super) fn bounce(sight: &Sight<'_>, memory: &mut Person, notes: &mut Vec<String>) -> Option<Move> {
    let mut steps: Vec<PlannedStep> = ours_borne(sight).into_iter().map(clear).collect();
    if !memory.bounce_noted {
        if let Some(property) = bounce_property(sight).filter(|_| sight.contact.is_some()) {
            let present = sight.property(property);
            if present != Some(BOUNCED) {
                steps.push(PlannedStep {
                    step: Step::SetProperty { property: property.clone(), value: BOUNCED.to_owned() },
                    before: Before::Property(present.map(str::to_owned)),
                });
            }
        } else if let Some(property) = &sight.rules.bounce_property
            && sight.world.read_only.contains(property)
        {
            notes.push(format!("{property} cannot be written: the bounce is not noted in HubSpot"));
        }
    }
    if steps.is_empty() {
        memory.bounce_noted = true;
        return None;
    }
    // In the same move, so that one run is enough.
    steps.extend(to_refresh(sight, memory).and_then(|member| fresh_fields(sight, member)));
    let why = ("R22", "hard bounce in Mailchimp".to_owned());
    let then = vec![MemoryChange::BounceNoted, MemoryChange::NotEnrolled];
    Some(sight.draft(MoveKind::Bounce, why, steps, then, None))
}

/// R5: the silent member whose merge fields are to be refreshed. Whose opt-out was delivered after they
/// were seen is silent too, whatever they were then.
pub(super) fn to_refresh<'a>(sight: &Sight<'a>, memory: &Person) -> Option<&'a Member> {
    let delivered = memory.opt_out.as_ref().and_then(|opt_out| opt_out.delivered);
    let just_now = delivered.is_some_and(|at| at >= sight.world.seen);
    let silent = |member: &&Member| {
        matches!(member.status, MemberStatus::Unsubscribed | MemberStatus::Cleaned) || just_now
    };
    sight.present().filter(silent).filter(|_| {
        sight.rules.refresh_unsubscribed && sight.in_any_source() && memory.previous_email.is_none()
    })
}
