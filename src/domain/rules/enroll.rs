//! Enrolling (R4), keeping the one entry tag (R2, R3), refreshing (R8). The entry tag is always the
//! last step that is loud: it starts the journey.

use super::Precedence;
use super::consent::LISTINGS_LAG;
use super::feed::{fed, fed_lists_left};
use super::merge_fields::differ;
use super::place::Place;
use super::sight::Sight;
use super::tagging::{beside_missing, clear, entries_borne, same, set};
use crate::domain::id::ListId;
use crate::domain::member::Member;
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep};
use crate::domain::person::{Enrolled, Person};
use crate::domain::rules::fields_fingerprint;
use crate::domain::step::{Before, Step};
use crate::domain::tag::TagName;

/// Whether hsmc made the member so lately that a listing need not show them yet: a second run right behind the first
/// changes nothing (design §3.12).
pub(super) fn is_made_just_now(sight: &Sight<'_>, memory: &Person) -> bool {
    let made = memory.enrolled.as_ref().map(|enrolled| enrolled.at);
    made.is_some_and(|at| at <= sight.world.seen && sight.world.seen.since(at) < LISTINGS_LAG)
}

/// Somebody Mailchimp does not have.
pub(super) fn create(sight: &Sight<'_>, place: &Place<'_>) -> Move {
    let pending = sight.rules.double_opt_in;
    let fields = fields_fingerprint(&sight.fitted.values);
    let upsert = PlannedStep { step: Step::UpsertMember { fields, pending }, before: Before::NotHeld };
    if pending {
        // The mail that asks cannot be taken back, so it is last; tags wait for the answer.
        let steps = ori_lists(sight).into_iter().chain([upsert]).collect();
        let why = ("R4", format!("new in source list {}, to be asked first", place.source.list));
        return sight.draft(MoveKind::Pending, why, steps, Vec::new(), Some(place.source.list));
    }
    let mut steps = vec![upsert];
    steps.extend(ori_lists(sight));
    steps.extend(tags(sight, place, false));
    let why = ("R4", format!("new in source list {}", place.source.list));
    sight.draft(MoveKind::Enroll, why, steps, vec![enrolled(place)], Some(place.source.list))
}

/// A subscribed member without an entry tag: newly confirmed, or there by other ways.
pub(super) fn enroll_existing(
    sight: &Sight<'_>,
    place: &Place<'_>,
    member: &Member,
    protected: bool,
) -> Move {
    let mut steps: Vec<PlannedStep> = fields_first(sight, member).into_iter().collect();
    steps.extend(ori_lists(sight));
    steps.extend(tags(sight, place, protected));
    let why =
        ("R4", format!("a subscribed member without an entry tag, in source list {}", place.source.list));
    sight.draft(MoveKind::Enroll, why, steps, vec![enrolled(place)], Some(place.source.list))
}

/// Merge fields of a member whose tags change as well: in the same move, so that one run is enough.
/// Stale values have no claim to come back, so there is nothing to undo.
fn fields_first(sight: &Sight<'_>, member: &Member) -> Option<PlannedStep> {
    sight.contact?;
    let fields = fields_fingerprint(&sight.fitted.values);
    differ(sight.world, &sight.fitted.values, member).then(|| PlannedStep {
        step: Step::UpsertMember { fields, pending: false },
        before: Before::Status(member.status.clone()),
    })
}

/// What segments take, additional and supplemental tags, what segments give, then the entry tag.
fn tags(sight: &Sight<'_>, place: &Place<'_>, protected: bool) -> Vec<PlannedStep> {
    let beside = beside_missing(sight, Some(place.source)).into_iter().filter(|tag| !same(tag, &place.tag));
    let fed = fed(sight, protected);
    let entry = set(place.tag.clone());
    fed.taken.into_iter().chain(beside.map(set)).chain(fed.given).chain([entry]).collect()
}

pub(super) fn enrolled(place: &Place<'_>) -> MemoryChange {
    MemoryChange::Enrolled { tag: place.tag.clone(), list: place.source.list }
}

/// R9: the ids of all source lists holding the person.
pub(super) fn ori_lists(sight: &Sight<'_>) -> Option<PlannedStep> {
    let property = sight.rules.ori_lists.as_ref().filter(|name| !sight.world.read_only.contains(*name))?;
    sight.contact?;
    let mut lists: Vec<ListId> = sight.sources_holding().collect();
    lists.sort();
    lists.dedup();
    let value = lists.iter().map(ListId::to_string).collect::<Vec<_>>().join(";");
    let present = sight.property(property);
    (present != Some(value.as_str())).then(|| PlannedStep {
        step: Step::SetProperty { property: property.clone(), value },
        before: Before::Property(present.map(str::to_owned)),
    })
}

/// What an enrolled member's tags come to.
pub(super) struct Kept {
    /// The entry tag that stays.
    pub tag: TagName,
    /// What is to change about the tags.
    pub retag: Option<Move>,
}

/// R2 and R3: the first tag stays, alone; under `latest` the list that ranks first now decides. A
/// protected bearer loses no tag, but additional ones are still added.
pub(super) fn keep(sight: &Sight<'_>, place: &Place<'_>, protected: bool) -> Option<Kept> {
    let entries = entries_borne(sight);
    let current = entries.first()?.clone();
    let switch = place.group.precedence == Precedence::Latest && !same(&current, &place.tag) && !protected;
    let stays = if switch { place.tag.clone() } else { current };
    let mut steps: Vec<PlannedStep> = match protected {
        true => Vec::new(),
        false => entries.iter().filter(|tag| !same(tag, &stays)).cloned().map(clear).collect(),
    };
    // Additional tags belong to the list the person came from, as long as it holds them.
    let origin = sight.view.memory.enrolled.as_ref().map(|enrolled| enrolled.list);
    let sources = || sight.rules.groups.iter().flat_map(|group| &group.lists);
    let from = match origin.filter(|_| !switch) {
        Some(list) => sources().find(|source| source.list == list && sight.is_in(list)),
        None => Some(place.source),
    };
    steps.extend(beside_missing(sight, from).into_iter().filter(|tag| !same(tag, &stays)).map(set));
    let has_others = !steps.is_empty();
    let fed = fed(sight, protected);
    steps.splice(0..0, fed.taken);
    steps.extend(fed.given);
    let borne = entries.iter().any(|tag| same(tag, &stays));
    if switch && !borne {
        steps.push(set(stays.clone()));
    }
    if steps.is_empty() {
        return Some(Kept { tag: stays, retag: None });
    }
    if let Some(fields) = sight.present().and_then(|member| fields_first(sight, member)) {
        steps.insert(0, fields);
    }
    let list = if switch { place.source.list } else { origin.unwrap_or(place.source.list) };
    let why = match (switch, entries.len() > 1) {
        (true, _) => ("R3", format!("source list {} ranks first now: tag \"{stays}\"", place.source.list)),
        (false, true) => ("R2", format!("several entry tags: \"{stays}\" stays")),
        (false, false) if has_others => ("R2", "a tag beside the entry tag is missing".to_owned()),
        (false, false) => ("R2", "a segment that feeds a tag or a list was entered or left".to_owned()),
    };
    let then = vec![MemoryChange::Enrolled { tag: stays.clone(), list }];
    let retag = sight.draft(MoveKind::Retag, why, steps, then, Some(place.source.list));
    Some(Kept { tag: stays, retag: Some(retag) })
}

/// Whether switching to the list that ranks first now rests on an absence nobody has proven: the list
/// the present tag came from no longer shows the person.
pub(super) fn switch_needs_proof(sight: &Sight<'_>, retag: &Move) -> bool {
    let origin = sight.view.memory.enrolled.as_ref().map(|enrolled| enrolled.list);
    retag.reason.rule == "R3" && origin.is_some_and(|list| !sight.is_in(list)) && !sight.view.proven
}

/// What is remembered of somebody who bears the entry tag already.
pub(super) fn remembered(sight: &Sight<'_>, memory: &Person, place: &Place<'_>, tag: TagName) -> Enrolled {
    match &memory.enrolled {
        Some(enrolled) if same(&enrolled.tag, &tag) => enrolled.clone(),
        Some(enrolled) => Enrolled { tag, ..enrolled.clone() },
        None => Enrolled { tag, list: place.source.list, at: sight.since(Some(place.source.list)) },
    }
}

/// R8: merge fields only.
pub(super) fn refresh(sight: &Sight<'_>, member: &Member) -> Option<Move> {
    let step = fresh_fields(sight, member)?;
    let why = ("R8", "properties changed".to_owned());
    Some(sight.draft(MoveKind::Refresh, why, vec![step], Vec::new(), None))
}

/// R5 of whoever is silent, and out of the lists that segments feed.
pub(super) fn refresh_silent(sight: &Sight<'_>, member: Option<&Member>) -> Option<Move> {
    let left: Vec<PlannedStep> = fed_lists_left(sight).collect();
    if left.is_empty() {
        return refresh(sight, member?);
    }
    let steps = left.into_iter().chain(member.and_then(|member| fresh_fields(sight, member))).collect();
    let why = ("R2", "marketed to no more, and in a list that a segment feeds".to_owned());
    Some(sight.draft(MoveKind::Refresh, why, steps, Vec::new(), None))
}

/// The step that brings merge fields up to date, where they are not.
pub(super) fn fresh_fields(sight: &Sight<'_>, member: &Member) -> Option<PlannedStep> {
    sight.contact?;
    let fields = fields_fingerprint(&sight.fitted.values);
    differ(sight.world, &sight.fitted.values, member).then(|| PlannedStep {
        step: Step::RefreshMember { fields },
        before: Before::Status(member.status.clone()),
    })
}
