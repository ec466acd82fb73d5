//! What takes a done move back (R28), as a pure function of the journaled move, what later moves touched,
//! and how the person stands now. What somebody else changed since stays theirs and is named; so is what has
//! no way back.
//!
//! Never: a subscription that was not ours to give. An archived member returns only with the status journaled
//! before our own archive, and only without any sign of an opt-out.

use super::contact::Contact;
use super::id::{ListId, MoveId};
use super::member::{Member, MemberStatus};
use super::moves::{MemoryChange, Move, MoveKind, PlannedStep, Reason};
use super::person::{ArchivedByUs, Person};
use super::rules::{RuleSet, protected_tag};
use super::step::{Before, Delivery, Fingerprint, Step};
use super::tag::TagName;
use std::collections::{BTreeMap, BTreeSet};

/// A done move, as far as it can be taken back.
#[derive(Clone, Debug)]
pub struct DoneMove {
    /// Which.
    pub id: MoveId,
    /// As planned.
    pub draft: Move,
    /// The steps that hold by our call, in order, with what held before each call.
    pub held: Vec<PlannedStep>,
}

/// What a step touches: two moves that touch the same follow one another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touched {
    /// A tag of the member.
    Tag(TagName),
    /// A membership of the contact.
    List(ListId),
    /// A property of the contact.
    Property(String),
    /// Whether, and as what, they are a member.
    Member,
}

impl Touched {
    /// What a step touches; none for what leaves nothing behind that could be taken back.
    pub fn by(step: &Step) -> Option<Touched> {
        Some(match step {
            Step::SetTag { tag, .. } | Step::ClearTag { tag } => Touched::Tag(tag.clone()),
            Step::JoinList { list } | Step::LeaveList { list } => Touched::List(*list),
            Step::SetProperty { property, .. } => Touched::Property(property.clone()),
            Step::UpsertMember { .. }
            | Step::RestoreMember { .. }
            | Step::ReturnMember { .. }
            | Step::ArchiveMember
            | Step::UnsubscribeMember => Touched::Member,
            Step::RefreshMember { .. }
            | Step::RenameMember
            | Step::CreateContact
            | Step::OptOut { .. }
            | Step::RecordEvidence
            | Step::EraseMember
            | Step::EraseContact { .. } => return None,
        })
    }
}

/// How a person stands now, read on both sides.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// The member.
    pub member: Option<Member>,
    /// The contact.
    pub contact: Option<Contact>,
    /// The lists the contact is in; none when HubSpot did not say.
    pub lists: Option<BTreeSet<ListId>>,
    /// HubSpot keeps an opt-out under the archived member's address, which is not its contact's own (R21).
    pub opted_out_by_address: bool,
}

/// What hsmc itself knows that an undo depends on.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The rules: they say who is protected.
    pub rules: &'a RuleSet,
    /// The person.
    pub person: &'a Person,
    /// What later moves changed, and which.
    pub later: &'a BTreeMap<Touched, MoveId>,
    /// Lists that can be written.
    pub writable: &'a BTreeSet<ListId>,
    /// Memory as the moves before this one left it: the enrolment.
    pub enrolled: Option<(TagName, ListId)>,
    /// The same: by which exit tag they were handed over, and which lists were closed to them.
    pub handed_over: Option<(TagName, Vec<ListId>)>,
}

/// Something of a move that is not taken back, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What, in words.
    pub what: String,
    /// Why; the same words for the same reason, so that they can be counted.
    pub why: String,
}

/// What an undo of one move comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undoing {
    /// The move that takes back what can be taken back; none when nothing can.
    pub due: Option<Move>,
    /// What stays, by name.
    pub kept: Vec<Kept>,
}

/// Plans the undo of one done move.
pub fn undo(done: &DoneMove, known: &Known<'_>, present: &Present) -> Undoing {
    let mut kept = Vec::new();
    if let Some(why) = for_good(done.draft.kind) {
        kept.push(Kept { what: format!("the whole {}", done.draft.kind), why: why.to_owned() });
        return Undoing { due: None, kept };
    }
    let opted_out = has_opted_out(known.person, present);
    let mut steps: Vec<PlannedStep> = Vec::new();
    for held in done.held.iter().rev() {
        let later = Touched::by(&held.step).and_then(|touched| known.later.get(&touched));
        let inverse = match later {
            Some(id) => Err(format!("changed since by move {id}")),
            None => inverse(held).map_err(str::to_owned).and_then(|inverse| {
                let Some(step) = inverse else { return Ok(None) };
                stands(&step, held, known, present, opted_out).map(Some).map_err(str::to_owned)
            }),
        };
        match inverse {
            Ok(Some(planned)) => steps.push(planned),
            Ok(None) => {}
            Err(why) => kept.push(Kept { what: held.step.to_string(), why }),
        }
    }
    without_a_member(&mut steps, &mut kept, present);
    if let Some(tag) = protection(&steps, known.rules, present) {
        let why = format!("bears the protected tag \"{tag}\": never untagged or archived");
        return Undoing {
            due: None,
            kept: vec![Kept { what: format!("the whole {}", done.draft.kind), why }],
        };
    }
    // Who returns bears tags again, who is archived bears them until then.
    steps.sort_by_key(|planned| match planned.step {
        Step::ReturnMember { .. } => 0,
        Step::ArchiveMember => 2,
        _ => 1,
    });
    let due = (!steps.is_empty()).then(|| Move {
        person: known.person.id,
        kind: MoveKind::Undo,
        reason: Reason { rule: "R28".to_owned(), text: format!("undoes {} {}", done.draft.kind, done.id) },
        then: memory(done, &steps, known, present),
        steps,
        since: done.draft.since,
        input: Fingerprint::NOT_SEEN,
    });
    Undoing { due, kept }
}

/// The tag that protects the member from these steps, if they would untag or archive (design §3.6): whoever is
/// protected, also since, stays as they are.
fn protection<'a>(steps: &[PlannedStep], rules: &RuleSet, present: &'a Present) -> Option<&'a TagName> {
    let takes = |planned: &PlannedStep| matches!(planned.step, Step::ClearTag { .. } | Step::ArchiveMember);
    let member = present.member.as_ref().filter(|_| steps.iter().any(takes))?;
    protected_tag(rules, member)
}

/// Whether an undo that has not begun is still what it was planned as, by what was read since.
pub fn are_still_due(steps: &[PlannedStep], rules: &RuleSet, person: &Person, present: &Present) -> bool {
    if protection(steps, rules, present).is_some() {
        return false;
    }
    let returns = steps.iter().any(|planned| matches!(planned.step, Step::ReturnMember { .. }));
    let there = present.member.as_ref().is_some_and(|member| member.status != MemberStatus::Archived);
    steps.iter().all(|planned| {
        let tags = matches!(planned.step, Step::SetTag { .. } | Step::ClearTag { .. });
        is_still_due(planned, person, present) && (!tags || returns || there)
    })
}

fn is_still_due(planned: &PlannedStep, person: &Person, present: &Present) -> bool {
    let member = present.member.as_ref();
    let bears = |tag: &TagName| member.is_some_and(|member| member.bears(tag));
    let is_in = |list: &ListId| present.lists.as_ref().map(|lists| lists.contains(list));
    match (&planned.step, &planned.before) {
        (Step::ReturnMember { .. }, Before::Status(before)) => {
            member.is_some_and(|member| member.status == *before && !person.is_archived_anew(member))
                && !has_opted_out(person, present)
        }
        (Step::ArchiveMember, Before::Status(before)) => {
            member.is_some_and(|member| member.status == *before)
        }
        (Step::SetTag { tag, .. }, _) => !bears(tag) && !has_opted_out(person, present),
        (Step::ClearTag { tag }, _) => bears(tag),
        (Step::JoinList { list }, _) => is_in(list) == Some(false),
        (Step::LeaveList { list }, _) => is_in(list) == Some(true),
        (Step::SetProperty { property, .. }, Before::Property(before)) => {
            value(present, property) == before.clone().unwrap_or_default()
        }
        _ => false,
    }
}

/// Whole kinds without a way back.
fn for_good(kind: MoveKind) -> Option<&'static str> {
    match kind {
        MoveKind::OptOutHubSpot | MoveKind::OptOutMailchimp => Some("an opt-out has no way back"),
        MoveKind::Forget => Some("who is forgotten is gone"),
        MoveKind::Bounce => Some("the address bounced: that stays noted"),
        MoveKind::Rename => Some("the address follows HubSpot: change it there"),
        // What else a refresh may do, leaving a list that a segment feeds, has a way back.
        MoveKind::Refresh
        | MoveKind::Exclude
        | MoveKind::HandOver
        | MoveKind::Orphan
        | MoveKind::Retag
        | MoveKind::Restore
        | MoveKind::Enroll
        | MoveKind::Pending
        | MoveKind::Undo => None,
    }
}

/// Any sign of an opt-out on either side, or in memory.
pub fn has_opted_out(person: &Person, present: &Present) -> bool {
    let silent =
        |member: &Member| matches!(member.status, MemberStatus::Unsubscribed | MemberStatus::Cleaned);
    person.opt_out.is_some()
        || present.opted_out_by_address
        || present.member.as_ref().is_some_and(silent)
        || present.contact.as_ref().is_some_and(|contact| contact.opted_out)
}

/// The step that brings the before-image back; none where nothing needs to be, or why there is none.
fn inverse(held: &PlannedStep) -> Result<Option<Step>, &'static str> {
    Ok(Some(match (&held.step, &held.before) {
        (_, Before::Held) | (Step::RecordEvidence, _) => return Ok(None),
        (Step::SetTag { tag, .. }, _) => Step::ClearTag { tag: tag.clone() },
        (Step::ClearTag { tag }, _) => Step::SetTag { tag: tag.clone(), delivery: Delivery::Silent },
        (Step::JoinList { list }, _) => Step::LeaveList { list: *list },
        (Step::LeaveList { list }, _) => Step::JoinList { list: *list },
        (Step::SetProperty { property, .. }, before) => Step::SetProperty {
            property: property.clone(),
            value: match before {
                Before::Property(Some(value)) => value.clone(),
                _ => String::new(),
            },
        },
        (Step::UpsertMember { pending: true, .. }, Before::NotHeld) => {
            return Err("the mail that asks to confirm has gone out");
        }
        (Step::UpsertMember { .. }, Before::NotHeld)
        | (Step::RestoreMember { .. } | Step::ReturnMember { .. }, _) => Step::ArchiveMember,
        (Step::UpsertMember { .. } | Step::RefreshMember { .. }, _) => {
            return Err("merge fields follow HubSpot; what stood there before is not kept");
        }
        (
            Step::ArchiveMember,
            Before::Status(status @ (MemberStatus::Subscribed | MemberStatus::Transactional)),
        ) => Step::ReturnMember { status: status.clone() },
        (Step::ArchiveMember, _) => return Err("not archived while subscribed: stays archived"),
        (Step::CreateContact, _) => return Err("the contact stays in HubSpot: it holds the address only"),
        (Step::RenameMember, _) => return Err("the address follows HubSpot: change it there"),
        (Step::UnsubscribeMember | Step::OptOut { .. }, _) => return Err("an opt-out has no way back"),
        (Step::EraseMember | Step::EraseContact { .. }, _) => return Err("who is forgotten is gone"),
    }))
}

/// The inverse as a step to be done now, if what we did still stands; else why it is left alone.
fn stands(
    inverse: &Step,
    held: &PlannedStep,
    known: &Known<'_>,
    present: &Present,
    opted_out: bool,
) -> Result<PlannedStep, &'static str> {
    const THEIRS: &str = "changed since by somebody else";
    let member = present.member.as_ref();
    let bears = |tag: &TagName| member.is_some_and(|member| member.bears(tag));
    let before = match inverse {
        Step::ReturnMember { .. } if opted_out => return Err("opted out since: stays archived"),
        Step::ReturnMember { .. } if known.person.archived.as_ref().is_some_and(ArchivedByUs::is_unsure) => {
            return Err("archived while nobody could see whether they unsubscribed: stays archived");
        }
        Step::ReturnMember { .. } if known.person.record.is_some() && present.contact.is_none() => {
            return Err("HubSpot has no such record any more: stays archived");
        }
        Step::ReturnMember { .. } => {
            let ours = known.person.archived.is_some();
            let status = member.map(|member| &member.status);
            let anew = member.is_some_and(|member| known.person.is_archived_anew(member));
            if !ours || anew || status != Some(&MemberStatus::Archived) {
                return Err(THEIRS);
            }
            Before::Status(MemberStatus::Archived)
        }
        Step::ArchiveMember => {
            let given = match &held.step {
                Step::ReturnMember { status } => status.clone(),
                _ => MemberStatus::Subscribed,
            };
            match member.map(|member| &member.status) {
                Some(status) if *status == given => Before::Status(given),
                Some(MemberStatus::Unsubscribed) => return Err("unsubscribed since, by their own choice"),
                _ => return Err(THEIRS),
            }
        }
        Step::SetTag { .. } if opted_out => return Err("opted out since: no tag is set"),
        Step::SetTag { tag, .. } if bears(tag) => return Err(THEIRS),
        Step::ClearTag { tag } if !bears(tag) => return Err(THEIRS),
        Step::SetTag { .. } | Step::ClearTag { .. } => Before::NotHeld,
        Step::JoinList { list } | Step::LeaveList { list } => {
            let Some(lists) = &present.lists else { return Err("HubSpot has no such record any more") };
            if !known.writable.contains(list) {
                return Err("the list is gone, or dynamic now");
            }
            if lists.contains(list) == matches!(inverse, Step::JoinList { .. }) {
                return Err(THEIRS);
            }
            Before::NotHeld
        }
        Step::SetProperty { property, .. } => {
            if present.contact.is_none() {
                return Err("HubSpot has no such record any more");
            }
            let now = value(present, property);
            if !matches!(&held.step, Step::SetProperty { value, .. } if *value == now) {
                return Err(THEIRS);
            }
            Before::Property(Some(now).filter(|now| !now.is_empty()))
        }
        _ => return Err("it has no way back"),
    };
    Ok(PlannedStep { step: inverse.clone(), before })
}

/// Tags need a member who is there while they change: whoever stays archived keeps what they have.
fn without_a_member(steps: &mut Vec<PlannedStep>, kept: &mut Vec<Kept>, present: &Present) {
    let returns = steps.iter().any(|planned| matches!(planned.step, Step::ReturnMember { .. }));
    let there = present.member.as_ref().is_some_and(|member| member.status != MemberStatus::Archived);
    if returns || there {
        return;
    }
    let (tags, rest) = steps
        .drain(..)
        .partition(|planned| matches!(planned.step, Step::SetTag { .. } | Step::ClearTag { .. }));
    *steps = rest;
    let tags: Vec<PlannedStep> = tags;
    kept.extend(tags.into_iter().map(|planned| Kept {
        what: planned.step.to_string(),
        why: "the member is archived, or gone".to_owned(),
    }));
}

/// What is remembered once the undo is done: what the move changed, as the moves before left it, and that an
/// operator undid it.
fn memory(done: &DoneMove, steps: &[PlannedStep], known: &Known<'_>, present: &Present) -> Vec<MemoryChange> {
    let mut then = Vec::new();
    for planned in steps {
        match (&planned.step, &planned.before) {
            (Step::ReturnMember { .. }, _) => then.push(MemoryChange::NotArchived),
            (Step::ArchiveMember, Before::Status(status)) => {
                then.push(MemoryChange::ArchivedByUs { status_before: status.clone() });
            }
            _ => {}
        }
    }
    let changed = |is_it: fn(&MemoryChange) -> bool| done.draft.then.iter().any(is_it);
    if changed(|one| matches!(one, MemoryChange::HandedOver { .. } | MemoryChange::NotHandedOver)) {
        then.push(match known.handed_over.clone() {
            Some((exit_tag, still_in)) => MemoryChange::HandedOver { exit_tag, still_in },
            None => MemoryChange::NotHandedOver,
        });
    }
    let enrolls = changed(|one| matches!(one, MemoryChange::Enrolled { .. }));
    let ends = changed(|one| matches!(one, MemoryChange::NotEnrolled | MemoryChange::HandedOver { .. }));
    match known.enrolled.clone().filter(|(tag, _)| bears_after(tag, steps, present)) {
        Some((tag, list)) if enrolls || ends => then.push(MemoryChange::Enrolled { tag, list }),
        None if enrolls => then.push(MemoryChange::NotEnrolled),
        _ => {}
    }
    then.push(MemoryChange::Undone { of: done.id });
    then
}

/// Whether the member bears the tag once these steps are done.
fn bears_after(tag: &TagName, steps: &[PlannedStep], present: &Present) -> bool {
    let changed = steps.iter().find_map(|planned| match &planned.step {
        Step::SetTag { tag: set, .. } if set == tag => Some(true),
        Step::ClearTag { tag: cleared } if cleared == tag => Some(false),
        _ => None,
    });
    changed.unwrap_or_else(|| present.member.as_ref().is_some_and(|member| member.bears(tag)))
}

fn value(present: &Present, property: &str) -> String {
    let contact = present.contact.as_ref();
    contact.and_then(|contact| contact.properties.get(property)).cloned().unwrap_or_default()
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
