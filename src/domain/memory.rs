//! What a move's end changes in memory: pure, applied in the same commit as the end itself.

use super::contested;
use super::event::MoveEnd;
use super::failure::{Refusal, RefusalCode, Service};
use super::member::MemberStatus;
use super::moves::{MemoryChange, Move, MoveKind};
use super::person::{
    ArchivedByUs, Enrolled, HandedOver, OptOutMemory, Parked, PastState, Person, PersonState,
};
use super::time::Timestamp;

/// Whether a move archived its member: as planned, or because it took back whom it had made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// It did not: others had, or they could not be archived any more.
    NotOurs,
    /// It did, and who unsubscribed up to then was looked for.
    Watched,
    /// It did, while no hsmc ran that could have looked: an unsubscribe may be hidden by it.
    Unwatched,
}

/// The person after a move has ended. `refused_by` is the service whose refusal ended it, if one did. Only whom this
/// move archived is remembered as archived by hsmc (R6).
pub fn remember(
    person: &Person,
    ended: &Move,
    end: &MoveEnd,
    refused_by: Option<Service>,
    archived: Archive,
    at: Timestamp,
) -> Person {
    let mut after = person.clone();
    match end {
        MoveEnd::Done => {
            let is_ours = archived != Archive::NotOurs;
            for change in ended.then.iter().filter(|change| is_ours || !is_archive(change)) {
                apply(&mut after, change, ended, at);
            }
            if is_ours && let Some(known) = after.archived.as_mut().filter(|known| known.at == at) {
                known.status_before = status_hidden(known.status_before.clone(), archived);
            }
            contested::made(&mut after, ended, at);
        }
        MoveEnd::Unwound { because, .. } | MoveEnd::Refused(because) => {
            if because.code == RefusalCode::Archived {
                // Found archived by somebody else, the move was given up: that its undo found them archived says
                // nothing, and that hsmc had archived them before, or an operator had settled it, holds no longer.
                after.archived = None;
                after.adopted = false;
            } else if archived != Archive::NotOurs {
                let status_before = status_hidden(MemberStatus::Subscribed, archived);
                after.archived.get_or_insert(ArchivedByUs { status_before, at });
            }
            if let Some(service) = refused_by.filter(|_| ended.kind.refusal_parks() && parks(because)) {
                after.parked = Some(Parked { service, refusal: because.clone(), input: ended.input, at });
                if after.state > PersonState::Excluded {
                    set_state(&mut after, PersonState::Parked, because.code.word(), at);
                }
            } else if ended.kind == MoveKind::Restore
                && let Some(archived) = &mut after.archived
            {
                // Given up, it left them archived, and may have changed them: by hsmc's own hand.
                archived.at = at;
            }
        }
        MoveEnd::Superseded | MoveEnd::Dropped { .. } | MoveEnd::Skipped => {}
    }
    after
}

/// The same with moments of a member's archive as Mailchimp's clock showed them: they are held against what it says of
/// its own changes.
pub fn by_their_clock(after: Person, at: Timestamp, theirs: Timestamp) -> Person {
    let Some(archived) = after.archived.clone() else { return after };
    let moment = |known: Timestamp| if known == at { theirs } else { known };
    Person {
        archived: Some(ArchivedByUs { at: moment(archived.at), ..archived }),
        parked: after.parked.map(|parked| Parked { at: moment(parked.at), ..parked }),
        ..after
    }
}

/// What an archive hides: of whom nobody watched, whether they were still subscribed.
fn status_hidden(planned: MemberStatus, archived: Archive) -> MemberStatus {
    match (planned, archived) {
        (MemberStatus::Subscribed, Archive::Unwatched) => MemberStatus::Archived,
        (planned, _) => planned,
    }
}

fn is_archive(change: &MemoryChange) -> bool {
    matches!(change, MemoryChange::ArchivedByUs { .. })
}

/// How much of what holds a person back an operator wants forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Why they are parked or contested.
    Parked,
    /// That they were handed over, too (R16).
    Everything,
}

/// The person once an operator has released them, and the line that tells of it; none when nothing holds
/// them back. Their opt-out, and whom hsmc archived, stay remembered: consent is never loosened.
pub fn release(person: &Person, scope: Release, at: Timestamp) -> Option<(Person, PastState)> {
    let mut held = Vec::new();
    held.extend(person.parked.as_ref().map(|parked| format!("parked as {}", parked.refusal.code.word())));
    held.extend(person.contested.map(|contested| format!("contested over {}", contested.kind)));
    held.extend(person.moved.map(|_| "parked as address-changed".to_owned()));
    let handed_over = person.handed_over.as_ref().filter(|_| scope == Release::Everything);
    held.extend(handed_over.map(|past| format!("handed over by exit tag \"{}\"", past.exit_tag)));
    if held.is_empty() {
        return None;
    }
    let past = PastState {
        state: person.state,
        why: format!("{}; released by an operator: was {}", person.why, held.join(", ")),
        since: person.since,
        until: at,
    };
    let mut unparked = person.clone();
    unparked.unpark();
    let after = Person {
        contested: None,
        made: Vec::new(),
        moved: None,
        handed_over: person.handed_over.clone().filter(|_| scope == Release::Parked),
        since: at,
        why: "released by an operator: the next run judges them afresh".to_owned(),
        ..unparked
    };
    Some((after, past))
}

/// One who turned out to be the same person as somebody else remembered (a merge in HubSpot, a further address of
/// one contact), with what binds either of them: consent only tightens, a campaign that either finished is finished.
/// Give the other one [`Person::second`] in the same commit: what an operator releases later stays released.
///
/// That hsmc archived somebody allows it to bring back that member, and no other: it passes to the heir with the member
/// only, where the heir has none.
pub fn unite(heir: &Person, has_member: bool, other: &Person) -> Person {
    let hidden = other.archived.as_ref().filter(|archived| is_silent(&archived.status_before));
    let silent =
        hidden.map(|archived| OptOutMemory { seen: Service::Mailchimp, at: archived.at, delivered: None });
    // To a member of the heir's own it comes from the contact that both are now, wherever it was seen.
    let seen = |opt_out: &OptOutMemory| if has_member { Service::HubSpot } else { opt_out.seen };
    let told = |opt_out| OptOutMemory { seen: seen(opt_out), delivered: None, ..opt_out.clone() };
    Person {
        opt_out: heir.opt_out.clone().or_else(|| other.opt_out.as_ref().map(told)).or(silent),
        handed_over: heir.handed_over.clone().or_else(|| other.handed_over.clone()),
        enrolled: heir.enrolled.clone().or_else(|| other.enrolled.clone()),
        archived: heir.archived.clone().or_else(|| other.archived.clone().filter(|_| !has_member)),
        ..heir.clone()
    }
}

fn is_silent(status: &MemberStatus) -> bool {
    matches!(status, MemberStatus::Unsubscribed | MemberStatus::Cleaned)
}

/// Whether a refusal says something of the person, rather than that the world moved on meanwhile.
fn parks(refusal: &Refusal) -> bool {
    !matches!(
        refusal.code,
        RefusalCode::AlreadyExists | RefusalCode::OptedOut | RefusalCode::Archived | RefusalCode::Unwanted
    )
}

fn apply(person: &mut Person, change: &MemoryChange, ended: &Move, at: Timestamp) {
    match change {
        MemoryChange::Enrolled { tag, list } => {
            person.enrolled = Some(Enrolled { tag: tag.clone(), list: *list, at });
            person.parked = None;
        }
        MemoryChange::HandedOver { exit_tag, still_in } => {
            person.handed_over =
                Some(HandedOver { exit_tag: exit_tag.clone(), at, still_in: still_in.clone() });
            person.enrolled = None;
            person.parked = None;
        }
        MemoryChange::ArchivedByUs { status_before } => {
            person.archived = Some(ArchivedByUs { status_before: status_before.clone(), at });
        }
        MemoryChange::NotArchived => {
            person.archived = None;
            person.adopted = false;
        }
        MemoryChange::NotEnrolled => person.enrolled = None,
        MemoryChange::OptOutDelivered => {
            let known = person.opt_out.take();
            let from = match ended.kind {
                MoveKind::OptOutMailchimp => Service::HubSpot,
                _ => Service::Mailchimp,
            };
            person.opt_out = Some(OptOutMemory {
                seen: known.as_ref().map_or(from, |memory| memory.seen),
                at: known.map_or(at, |memory| memory.at),
                delivered: Some(at),
            });
            // At once, also where no run has judged them since: a webhook told of it.
            if person.state != PersonState::OptedOut {
                set_state(person, PersonState::OptedOut, "opted out", at);
            }
        }
        MemoryChange::BounceNoted => person.bounce_noted = true,
        MemoryChange::Renamed => person.previous_email = None,
        MemoryChange::NotHandedOver => person.handed_over = None,
        MemoryChange::Undone { of } => {
            let refusal =
                Refusal { code: RefusalCode::Undone, message: format!("an operator undid move {of}") };
            let first = ended.steps.iter().find_map(|planned| planned.step.target().service());
            let service = first.unwrap_or(Service::Mailchimp);
            person.parked = Some(Parked { service, refusal, input: ended.input, at });
            if !matches!(person.state, PersonState::OptedOut | PersonState::Protected) {
                set_state(person, PersonState::Parked, RefusalCode::Undone.word(), at);
            }
        }
    }
}

fn set_state(person: &mut Person, state: PersonState, why: &str, at: Timestamp) {
    if person.state != state {
        person.state = state;
        person.since = at;
    }
    why.clone_into(&mut person.why);
}
