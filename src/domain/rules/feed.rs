//! Tags and merge fields that segments feed: whoever is marketed to and belongs to the segment bears its tag, whoever does
//! not belong to it loses it; the merge field says `yes`, or nothing. Nobody is asked of whom something that the rule
//! turns on was not read.
//!
//! A fed tag is set without starting a journey, unless the config allows it. Opted out, excluded or foreign people
//! never come here: they get no tag, and lose what is ours with the rest.

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

/// What one person's fed tags come to.
#[derive(Default)]
pub(super) struct Fed {
    /// Tags to be set.
    pub set: Vec<PlannedStep>,
    /// Tags to be taken off.
    pub cleared: Vec<PlannedStep>,
}

/// What the person's fed tags come to, at the moment of the scan. A protected bearer loses none.
pub(super) fn fed(sight: &Sight<'_>, protected: bool) -> Fed {
    let mut fed = Fed::default();
    for (segment, feeds) in feeding(&sight.rules.segments) {
        match (segment.rule.holds(sight, sight.world.seen), bears(sight, &feeds.tag)) {
            (Some(true), false) => {
                let delivery = if feeds.starts_journeys { Delivery::Loud } else { Delivery::Silent };
                let step = Step::SetTag { tag: feeds.tag.clone(), delivery };
                fed.set.push(PlannedStep { step, before: Before::NotHeld });
            }
            (Some(false), true) if !protected => fed.cleared.push(clear(feeds.tag.clone())),
            _ => {}
        }
    }
    fed
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
