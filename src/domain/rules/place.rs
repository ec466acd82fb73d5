//! Where a person belongs (R1): the first group, in config order, with a source list holding them and
//! no exclusion list of that group holding them; there, the first such list.

use super::sight::Sight;
use super::tagging::entry_tag;
use super::{Group, SourceList};
use crate::domain::id::ListId;
use crate::domain::person::Person;
use crate::domain::tag::TagName;

/// A group, a source list of it, and the entry tag it gives.
pub(super) struct Place<'a> {
    pub group: &'a Group,
    pub source: &'a SourceList,
    pub tag: TagName,
}

/// Whether and where a person may be marketed to.
pub(super) enum Standing<'a> {
    /// Here.
    Placed(Place<'a>),
    /// A source list takes them, but they are in this destination list, which excludes by itself
    /// (R16).
    InDestination(ListId),
    /// Handed over, and not gone since from any source list that would take them (R16).
    NotGoneSince,
    /// The entry tag of the list is not known.
    NoTag(ListId),
    /// A list that could forbid it is incomplete.
    Unsure(ListId),
    /// No source list takes them.
    Nowhere,
}

/// The exclusion list of the group that holds the person, critical ones first.
pub(super) fn excluded_by(sight: &Sight<'_>, group: &Group) -> Option<ListId> {
    sight.rules.critical.iter().chain(&group.exclude).copied().find(|list| sight.is_in(*list))
}

/// R1, whatever became of the person before.
pub(super) fn taken<'a>(sight: &Sight<'a>) -> Option<(&'a Group, &'a SourceList)> {
    first(sight, &[])
}

fn first<'a>(sight: &Sight<'a>, except: &[ListId]) -> Option<(&'a Group, &'a SourceList)> {
    sight.rules.groups.iter().filter(|group| excluded_by(sight, group).is_none()).find_map(|group| {
        let holds = |source: &&SourceList| sight.is_in(source.list) && !except.contains(&source.list);
        group.lists.iter().find(holds).map(|source| (group, source))
    })
}

/// R1 with what R16 adds.
pub(super) fn standing<'a>(sight: &Sight<'a>, memory: &Person) -> Standing<'a> {
    let still_in = memory.handed_over.as_ref().map_or(&[][..], |handed| handed.still_in.as_slice());
    let Some((group, source)) = first(sight, still_in) else {
        return if taken(sight).is_some() { Standing::NotGoneSince } else { Standing::Nowhere };
    };
    let destinations = || sight.rules.handovers.iter().filter_map(|handover| handover.to);
    if let Some(list) = destinations().find(|list| sight.is_in(*list)) {
        return Standing::InDestination(list);
    }
    // Enrolling starts mail: a list that forbids it must have been seen whole.
    let forbidding = sight.rules.critical.iter().chain(&group.exclude).copied().chain(destinations());
    if let Some(list) = forbidding.into_iter().find(|list| !sight.is_complete(*list)) {
        return Standing::Unsure(list);
    }
    match entry_tag(sight, source) {
        Some(tag) => Standing::Placed(Place { group, source, tag }),
        None => Standing::NoTag(source.list),
    }
}
