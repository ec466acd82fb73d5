//! Which tags are ours, which of them a member bears, and which entry tag a source list gives.
//!
//! Ours are the entry tags (overrides and list names among them), additional, supplemental and exit
//! tags that the config names, and the entry tag that hsmc itself set on this very person, even when
//! the config has dropped it since. Protected tags are never ours.

use super::feed::feeding;
use super::protect::protects;
use super::sight::Sight;
use super::{Condition, Operator, RuleSet, SourceList, TagSource, World};
use crate::domain::moves::PlannedStep;
use crate::domain::step::{Before, Delivery, Step};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;

/// What a tag of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Entry,
    Beside,
    Exit,
}

/// Equality of tag names without making copies where both are plain ASCII.
pub(super) fn same(one: &TagName, other: &TagName) -> bool {
    let (one_text, other_text) = (one.as_str(), other.as_str());
    if one_text.is_ascii() && other_text.is_ascii() {
        return one_text.eq_ignore_ascii_case(other_text);
    }
    one == other
}

/// What the tag is for; none when it is not ours.
pub(super) fn role(sight: &Sight<'_>, tag: &TagName) -> Option<Role> {
    if protects(sight.rules, tag) {
        return None;
    }
    let rules = sight.rules;
    let sources = || rules.groups.iter().flat_map(|group| &group.lists);
    let remembered = sight.view.memory.enrolled.as_ref().is_some_and(|enrolled| same(&enrolled.tag, tag));
    if remembered || sources().any(|source| gives(sight, source, tag)) {
        return Some(Role::Entry);
    }
    if rules.handovers.iter().any(|handover| same(&handover.exit_tag, tag)) {
        return Some(Role::Exit);
    }
    let beside = sources().flat_map(|source| &source.also).any(|also| same(also, tag))
        || rules.supplemental.iter().any(|extra| same(&extra.tag, tag))
        || feeding(&rules.segments).any(|(_, feeds)| same(&feeds.tag, tag));
    beside.then_some(Role::Beside)
}

/// Whether the source list can give this entry tag, by itself or by an override.
pub(super) fn gives(sight: &Sight<'_>, source: &SourceList, tag: &TagName) -> bool {
    place_within(sight, source, tag).is_some()
}

/// Where this entry tag stands among those of a source list: its own first, then its overrides as written.
fn place_within(sight: &Sight<'_>, source: &SourceList, tag: &TagName) -> Option<usize> {
    let own = match &source.tag {
        TagSource::Name(name) => Some(name),
        TagSource::ListName => sight.world.list_tags.get(&source.list),
    };
    let mut tags = own.into_iter().chain(source.overrides.iter().map(|over| &over.tag));
    tags.position(|given| same(given, tag))
}

/// Whether the member bears the tag; nobody does without one.
pub(super) fn bears(sight: &Sight<'_>, tag: &TagName) -> bool {
    sight.view.member.is_some_and(|member| member.tags.iter().any(|borne| same(borne, tag)))
}

/// Every tag the config knows, protected ones left out, each once: their `member_count`s are compared
/// between runs, since a tag set by hand may not show otherwise (R28b).
pub fn known_tags(rules: &RuleSet, world: &World) -> BTreeSet<TagName> {
    let mut tags = BTreeSet::new();
    for source in rules.groups.iter().flat_map(|group| &group.lists) {
        match &source.tag {
            TagSource::Name(name) => tags.extend([name.clone()]),
            TagSource::ListName => {
                tags.extend(world.list_tags.get(&source.list).cloned());
            }
        }
        tags.extend(source.overrides.iter().map(|over| over.tag.clone()));
        tags.extend(source.also.iter().cloned());
    }
    tags.extend(rules.handovers.iter().map(|handover| handover.exit_tag.clone()));
    tags.extend(rules.supplemental.iter().map(|extra| extra.tag.clone()));
    tags.extend(feeding(&rules.segments).map(|(_, feeds)| feeds.tag.clone()));
    tags.retain(|tag| !protects(rules, tag));
    tags
}

/// The tags of ours that the member bears, in a stable order. Exit tags come last: while anything
/// else is still to do, the cause stays to be seen.
pub(super) fn ours_borne(sight: &Sight<'_>) -> Vec<TagName> {
    let Some(member) = sight.view.member else { return Vec::new() };
    let mut tags: Vec<(bool, TagName)> = member
        .tags
        .iter()
        .filter_map(|tag| role(sight, tag).map(|role| (role == Role::Exit, tag.clone())))
        .collect();
    tags.sort();
    tags.dedup();
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// The entry tags the member bears: the one hsmc remembers first, then by rank in the config.
pub(super) fn entries_borne(sight: &Sight<'_>) -> Vec<TagName> {
    let Some(member) = sight.view.member else { return Vec::new() };
    let remembered = sight.view.memory.enrolled.as_ref().map(|enrolled| &enrolled.tag);
    // What hsmc remembers comes first, then config order.
    let rank = |tag: &TagName| {
        if remembered.is_some_and(|known| same(known, tag)) {
            return (0, 0);
        }
        let mut sources = sight.rules.groups.iter().flat_map(|group| &group.lists).zip(1..);
        let place = sources.find_map(|(source, list)| Some((list, place_within(sight, source, tag)?)));
        place.unwrap_or((usize::MAX, 0))
    };
    let mut tags: Vec<((usize, usize), TagName)> = member
        .tags
        .iter()
        .filter(|tag| role(sight, tag) == Some(Role::Entry))
        .map(|tag| (rank(tag), tag.clone()))
        .collect();
    tags.sort();
    tags.dedup();
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// The entry tag a source list gives this contact: the first override that holds, else its own.
pub(super) fn entry_tag(sight: &Sight<'_>, source: &SourceList) -> Option<TagName> {
    if let Some(over) = source.overrides.iter().find(|over| holds(sight, &over.when)) {
        return Some(over.tag.clone());
    }
    match &source.tag {
        TagSource::Name(name) => Some(name.clone()),
        TagSource::ListName => sight.world.list_tags.get(&source.list).cloned(),
    }
}

/// The additional tags of a source list and the supplemental tags of the lists the person is in,
/// each once, without those the member bears already.
pub(super) fn beside_missing(sight: &Sight<'_>, source: Option<&SourceList>) -> Vec<TagName> {
    let also = source.into_iter().flat_map(|source| &source.also);
    let extra =
        sight.rules.supplemental.iter().filter(|extra| sight.is_in(extra.list)).map(|extra| &extra.tag);
    let mut missing: Vec<TagName> = Vec::new();
    for tag in also.chain(extra) {
        if !bears(sight, tag) && !missing.iter().any(|known| same(known, tag)) {
            missing.push(tag.clone());
        }
    }
    missing
}

/// `branches > 1`. Numbers and moments compare as such, everything else as text without regard to
/// case; an unset property is neither greater nor less than anything.
fn holds(sight: &Sight<'_>, when: &Condition) -> bool {
    let value = sight.property(&when.property);
    let equals = |wanted: &String| value.is_some_and(|value| equal(value, wanted));
    let compares = |wanted: fn(std::cmp::Ordering) -> bool| {
        value.zip(when.values.first()).and_then(|(value, other)| order(value, other)).is_some_and(wanted)
    };
    match when.operator {
        Operator::Equals | Operator::In => when.values.iter().any(equals),
        Operator::Differs => !when.values.iter().any(equals),
        Operator::Greater => compares(std::cmp::Ordering::is_gt),
        Operator::AtLeast => compares(std::cmp::Ordering::is_ge),
        Operator::Less => compares(std::cmp::Ordering::is_lt),
        Operator::AtMost => compares(std::cmp::Ordering::is_le),
        Operator::Contains => value.is_some_and(|value| {
            let value = value.to_lowercase();
            when.values.iter().any(|part| value.contains(&part.trim().to_lowercase()))
        }),
        Operator::IsSet => value.is_some(),
        Operator::IsEmpty => value.is_none(),
    }
}

fn equal(value: &str, wanted: &str) -> bool {
    order(value, wanted).map_or_else(|| value.to_lowercase() == wanted.trim().to_lowercase(), |o| o.is_eq())
}

fn order(value: &str, other: &str) -> Option<std::cmp::Ordering> {
    if let (Ok(one), Ok(two)) = (value.parse::<f64>(), other.trim().parse::<f64>()) {
        return one.partial_cmp(&two);
    }
    Some(Timestamp::parse(value)?.cmp(&Timestamp::parse(other)?))
}

/// The step that takes a borne tag off.
pub(super) fn clear(tag: TagName) -> PlannedStep {
    PlannedStep { step: Step::ClearTag { tag }, before: Before::NotHeld }
}

/// The step that sets a tag not borne; journeys may start.
pub(super) fn set(tag: TagName) -> PlannedStep {
    PlannedStep { step: Step::SetTag { tag, delivery: Delivery::Loud }, before: Before::NotHeld }
}
