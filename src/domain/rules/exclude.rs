//! Exclusion (R12) and orphans (R13): who is no longer to be marketed to is untagged, then archived,
//! then taken out of static source lists. Nobody is unsubscribed for it.
//!
//! Being in an exclusion list is seen, not inferred; that no other group takes the person is inferred
//! from absence, and absence is proven before anything is removed (design §3.3).

use super::feed::fed_lists_left;
use super::place::{excluded_by, taken};
use super::sight::Sight;
use super::tagging::{clear, entries_borne, gives, ours_borne};
use super::{ContactView, Group, Question};
use crate::domain::id::ListId;
use crate::domain::member::MemberStatus;
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::PersonState;
use crate::domain::step::{Before, Step};
use crate::domain::time::Timestamp;

/// Why a person is excluded.
#[derive(Clone, Copy)]
pub(super) struct Exclusion {
    /// The exclusion list that holds them.
    pub list: ListId,
    /// Whether it applies to every group.
    pub critical: bool,
}

/// Whether anything may be removed on the strength of absence.
pub(super) enum Proof {
    /// Yes.
    Given,
    /// Not before this is answered.
    Needs(Question),
    /// Not while this list is incomplete.
    Incomplete(ListId),
    /// The contact of old lives on under an address that is somebody else's here, and R10 says never to
    /// take such a person for an orphan.
    Unresolved,
}

/// The exclusion that applies: none while any group takes the person. Their group is that of a source
/// list holding them or, without one, of their entry tag; critical lists apply to everyone.
pub(super) fn exclusion(sight: &Sight<'_>) -> Option<Exclusion> {
    if taken(sight).is_some() {
        return None;
    }
    if let Some(list) = sight.rules.critical.iter().copied().find(|list| sight.is_in(*list)) {
        return Some(Exclusion { list, critical: true });
    }
    let holds = |group: &&Group| group.lists.iter().any(|source| sight.is_in(source.list));
    let group = sight.rules.groups.iter().find(holds).or_else(|| group_of_tag(sight))?;
    excluded_by(sight, group).map(|list| Exclusion { list, critical: false })
}

/// The group a person belongs to by their entry tag: that of the list they were enrolled from, else
/// the first that gives the tag.
fn group_of_tag<'a>(sight: &Sight<'a>) -> Option<&'a Group> {
    let tag = entries_borne(sight).into_iter().next()?;
    let remembered = sight.view.memory.enrolled.as_ref().map(|enrolled| enrolled.list);
    let groups = &sight.rules.groups;
    let by_list =
        groups.iter().find(|group| group.lists.iter().any(|source| Some(source.list) == remembered));
    by_list
        .or_else(|| groups.iter().find(|group| group.lists.iter().any(|source| gives(sight, source, &tag))))
}

/// What stands between an exclusion and its steps.
pub(super) fn exclusion_proof(sight: &Sight<'_>) -> Proof {
    let mut others = sight.rules.groups.iter().filter(|group| excluded_by(sight, group).is_none()).peekable();
    if others.peek().is_none() {
        return Proof::Given;
    }
    let mut lists = others.flat_map(|group| &group.lists).map(|source| source.list);
    match lists.find(|list| !sight.is_complete(*list)) {
        Some(list) => Proof::Incomplete(list),
        None if sight.view.proven => Proof::Given,
        None => Proof::Needs(Question::Prove),
    }
}

/// The exclude move; none when nothing of ours is left. A protected bearer stays unarchived.
pub(super) fn exclude(sight: &Sight<'_>, exclusion: Exclusion, protected: bool) -> Option<Move> {
    let (mut steps, mut then) = removal(sight, !protected);
    let sources = sight.rules.groups.iter().flat_map(|group| &group.lists).map(|source| source.list);
    for list in sources.filter(|list| sight.is_in(*list) && sight.is_static(*list)) {
        let step = PlannedStep { step: Step::LeaveList { list }, before: Before::NotHeld };
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps.extend(fed_lists_left(sight));
    if steps.is_empty() {
        return None;
    }
    if then.is_empty() {
        then.push(MemoryChange::NotEnrolled);
    }
    let text = match exclusion.critical {
        true => format!("in critical exclusion list {}", exclusion.list),
        false => format!("in exclusion list {}", exclusion.list),
    };
    Some(sight.draft(MoveKind::Exclude, ("R12", text), steps, then, Some(exclusion.list)))
}

/// Whether the member bears a known entry tag, or is enrolled as far as hsmc remembers and bears any
/// tag of ours, while no source list holds them.
pub(super) fn is_orphan(sight: &Sight<'_>) -> bool {
    if sight.present().is_none() || sight.in_any_source() {
        return false;
    }
    !entries_borne(sight).is_empty()
        || (sight.view.memory.enrolled.is_some() && !ours_borne(sight).is_empty())
}

/// What stands between an orphan and the orphan's removal.
pub(super) fn orphan_proof(sight: &Sight<'_>) -> Proof {
    let mut sources = sight.rules.groups.iter().flat_map(|group| &group.lists).map(|source| source.list);
    if let Some(list) = sources.find(|list| !sight.is_complete(*list)) {
        return Proof::Incomplete(list);
    }
    match sight.view.contact {
        _ if sight.view.proven => Proof::Given,
        ContactView::NotLookedUp => Proof::Needs(Question::LookUp),
        ContactView::NotInHubSpot if sight.view.memory.record.is_some() => Proof::Needs(Question::Trace),
        ContactView::NotInHubSpot | ContactView::Gone => Proof::Given,
        ContactView::Elsewhere => Proof::Unresolved,
        ContactView::Known(_) | ContactView::Twins(_) => Proof::Needs(Question::Prove),
    }
}

/// The orphan move.
pub(super) fn orphan(sight: &Sight<'_>) -> Option<Move> {
    let tag = entries_borne(sight).into_iter().chain(ours_borne(sight)).next()?;
    let (mut steps, then) = removal(sight, true);
    steps.extend(fed_lists_left(sight));
    let text = format!("bears tag \"{tag}\" and is in no source list");
    let draft = sight.draft(MoveKind::Orphan, ("R13", text), steps, then, None);
    Some(Move { since: orphan_since(sight), ..draft })
}

/// Nothing dates the leaving of a list: an orphan is one since hsmc has seen it so and a limit has left it out.
fn orphan_since(sight: &Sight<'_>) -> Timestamp {
    let memory = sight.view.memory;
    if memory.state == PersonState::LeftOut { memory.since } else { sight.world.seen }
}

/// Our tags off, then the archive where the member can be archived; nothing for a member who is none
/// of ours.
fn removal(sight: &Sight<'_>, archive: bool) -> (Vec<PlannedStep>, Vec<MemoryChange>) {
    let tags = ours_borne(sight);
    let Some(member) = sight.present() else { return (Vec::new(), Vec::new()) };
    if tags.is_empty() && sight.view.memory.enrolled.is_none() {
        return (Vec::new(), Vec::new());
    }
    let mut steps: Vec<PlannedStep> = tags.into_iter().map(clear).collect();
    let mut then = vec![MemoryChange::NotEnrolled];
    if archive && can_be_archived(&member.status) {
        steps.push(archive_of(&member.status));
        then.push(MemoryChange::ArchivedByUs { status_before: member.status.clone() });
    }
    (steps, then)
}

/// Cleaned and pending members cannot be archived (Mailchimp answers 405); a status this version does
/// not know is left alone.
pub(super) fn can_be_archived(status: &MemberStatus) -> bool {
    matches!(status, MemberStatus::Subscribed | MemberStatus::Unsubscribed | MemberStatus::Transactional)
}

pub(super) fn archive_of(status: &MemberStatus) -> PlannedStep {
    PlannedStep { step: Step::ArchiveMember, before: Before::Status(status.clone()) }
}
