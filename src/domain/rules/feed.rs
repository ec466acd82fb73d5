//! Tags, static lists and merge fields that segments feed: whoever is marketed to and belongs to the segment bears its tag
//! and is in its list, whoever does not belong to it loses the one and leaves the other; the merge field says `yes`, or
//! nothing. Nobody is asked of whom something that the rule turns on was not read.
//!
//! A fed tag is set without starting a journey, unless the config allows it. Opted out, excluded or foreign people
//! never come here: they get nothing, and lose what is ours with the rest. A list is never joined that HubSpot fills by
//! itself, nor one that was not seen whole.

use super::merge_fields::fit_field;
use super::sight::Sight;
use super::tagging::{bears, clear};
use crate::domain::id::ListId;
use crate::domain::moves::PlannedStep;
use crate::domain::person::PersonState;
use crate::domain::segment::{ConsentState, Facts, FedTag, Reading, Segment};
use crate::domain::step::{Before, Delivery, Step};
use crate::domain::tag::TagName;
use std::collections::BTreeMap;

/// What one person's fed tags and lists come to.
#[derive(Default)]
pub(super) struct Fed {
    /// Tags to be set, lists to be joined.
    pub given: Vec<PlannedStep>,
    /// Tags to be taken off, lists to be left.
    pub taken: Vec<PlannedStep>,
}

/// What it comes to at the moment of the scan. A protected bearer loses no tag.
pub(super) fn fed(sight: &Sight<'_>, protected: bool) -> Fed {
    fed_beside(sight, protected, |tag| bears(sight, tag))
}

/// The same for a member who bears none of our tags any more when it is their turn.
pub(super) fn fed_afresh(sight: &Sight<'_>) -> Fed {
    fed_beside(sight, false, |_| false)
}

fn fed_beside(sight: &Sight<'_>, protected: bool, bears: impl Fn(&TagName) -> bool) -> Fed {
    let mut fed = Fed::default();
    for segment in sight.rules.segments.iter().filter(|segment| segment.feeds_something()) {
        let Some(belongs) = segment.rule.holds(sight, sight.world.seen) else { continue };
        if let Some(feeds) = &segment.feeds {
            match (belongs, bears(&feeds.tag)) {
                (true, false) => fed.given.push(set(feeds)),
                (false, true) if !protected => fed.taken.push(clear(feeds.tag.clone())),
                _ => {}
            }
        }
        if let Some(list) = segment.list.filter(|list| can_change(sight, *list)) {
            match (belongs, sight.is_in(list)) {
                (true, false) if sight.is_complete(list) => {
                    fed.given.push(PlannedStep { step: Step::JoinList { list }, before: Before::NotHeld });
                }
                (false, true) => fed.taken.push(leave(list)),
                _ => {}
            }
        }
    }
    fed
}

/// The fed lists that hold the person, to be left by whoever is marketed to no more.
pub(super) fn fed_lists_left(sight: &Sight<'_>) -> impl Iterator<Item = PlannedStep> {
    let fed = sight.rules.segments.iter().filter_map(|segment| segment.list);
    fed.filter(|list| sight.is_in(*list) && can_change(sight, *list)).map(leave)
}

fn can_change(sight: &Sight<'_>, list: ListId) -> bool {
    sight.contact.is_some() && sight.is_static(list)
}

fn leave(list: ListId) -> PlannedStep {
    PlannedStep { step: Step::LeaveList { list }, before: Before::NotHeld }
}

fn set(feeds: &FedTag) -> PlannedStep {
    let delivery = if feeds.starts_journeys { Delivery::Loud } else { Delivery::Silent };
    PlannedStep { step: Step::SetTag { tag: feeds.tag.clone(), delivery }, before: Before::NotHeld }
}

/// Segments that feed a tag, with it.
pub(super) fn feeding(segments: &[Segment]) -> impl Iterator<Item = (&Segment, &FedTag)> {
    segments.iter().filter_map(|segment| Some((segment, segment.feeds.as_ref()?)))
}

/// What a merge field says of a member.
const YES: &str = "yes";

/// Values of the merge fields that segments fill; none of those that what was not read turns on.
pub(super) fn filled(sight: &Sight<'_>) -> BTreeMap<String, String> {
    let one = |segment: &Segment| {
        let field = segment.fills.as_ref()?;
        let value = if segment.rule.holds(sight, sight.world.seen)? { YES } else { "" };
        Some((field.clone(), fit_field(sight.world, field, value)?))
    };
    if sight.contact.is_none() {
        return BTreeMap::new();
    }
    sight.rules.segments.iter().filter_map(one).collect()
}

impl Facts for Sight<'_> {
    /// Every property that a feeding segment asks about is scanned: what a contact has not is empty.
    fn property(&self, name: &str) -> Reading<'_> {
        match self.contact {
            None => Reading::Unread,
            Some(contact) => {
                contact.properties.get(name).map_or(Reading::Empty, |value| Reading::Value(value))
            }
        }
    }

    fn in_list(&self, list: ListId) -> Option<bool> {
        let is_read = self.contact.is_some() && self.world.lists.contains_key(&list);
        // Whoever an incomplete list does not show may be in it all the same.
        (is_read && (self.is_in(list) || self.is_complete(list))).then(|| self.is_in(list))
    }

    fn has_tag(&self, tag: &TagName) -> Option<bool> {
        Some(bears(self, tag))
    }

    fn consent(&self) -> Option<ConsentState> {
        let contact = self.contact?;
        Some(ConsentState::of(contact.opted_out, self.view.member.map(|member| &member.status)))
    }

    fn sync_state(&self) -> Option<PersonState> {
        Some(self.view.memory.state)
    }
}
