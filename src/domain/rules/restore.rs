//! Bringing back whom hsmc archived (R6), and nobody else: an archived member's status cannot be seen,
//! and archiving must not launder an opt-out.

use super::enroll::{enrolled, ori_lists};
use super::feed::fed_afresh;
use super::place::Place;
use super::sight::Sight;
use super::tagging::{beside_missing, clear, ours_borne, same, set};
use crate::domain::member::MemberStatus;
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::Person;
use crate::domain::rules::fields_fingerprint;
use crate::domain::step::{Before, Step};

/// Whether the archived member may be subscribed again: archived by hsmc while subscribed, or by
/// others and settled by an operator; never with a sign of an opt-out.
pub(super) fn may_return(memory: &Person) -> bool {
    memory.opt_out.is_none()
        && match &memory.archived {
            Some(archived) => archived.allows_return() || (archived.is_unsure() && memory.adopted),
            None => memory.adopted,
        }
}

/// The restore move: known old tags off, the entry tag among them, so that it starts the journey
/// anew; then subscribed; then the tags.
pub(super) fn restore(sight: &Sight<'_>, place: &Place<'_>) -> Move {
    let old = ours_borne(sight);
    let fields = fields_fingerprint(&sight.fitted.values);
    let mut steps: Vec<PlannedStep> = old.iter().cloned().map(clear).collect();
    steps.push(PlannedStep {
        step: Step::RestoreMember { fields },
        before: Before::Status(MemberStatus::Archived),
    });
    steps.extend(ori_lists(sight));
    // A tag that was just cleared is missing again.
    let cleared = place.source.also.iter().filter(|tag| old.iter().any(|gone| same(gone, tag))).cloned();
    let extra =
        sight.rules.supplemental.iter().filter(|extra| sight.is_in(extra.list)).map(|extra| &extra.tag);
    let cleared_extra = extra.filter(|tag| old.iter().any(|gone| same(gone, tag))).cloned();
    let mut beside = beside_missing(sight, Some(place.source));
    for tag in cleared.chain(cleared_extra) {
        if !beside.iter().any(|known| same(known, &tag)) {
            beside.push(tag);
        }
    }
    steps.extend(beside.into_iter().filter(|tag| !same(tag, &place.tag)).map(set));
    let fed = fed_afresh(sight);
    steps.extend(fed.taken.into_iter().chain(fed.given));
    steps.push(set(place.tag.clone()));
    let whose = if sight.view.memory.adopted { "adopted by an operator" } else { "archived by hsmc, again" };
    let why = ("R6", format!("{whose} in source list {}", place.source.list));
    let then = vec![MemoryChange::NotArchived, enrolled(place)];
    sight.draft(MoveKind::Restore, why, steps, then, Some(place.source.list))
}
