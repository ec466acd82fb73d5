//! Segments: named rules that say who belongs together, over what is known of a person and the time
//! (docs/segments.md).
//!
//! A rule is read against the types of the fields it names ([`Rule::read`]), prints as text that reads
//! as the same rule, and is asked of one person at one moment ([`Rule::look`]). The answer says until
//! when it stands as long as nothing changes about the person, to the millisecond: whoever keeps it
//! need not ask again before.
//!
//! Never: a clock, I/O, a panic or unbounded work, whatever the text.

mod evaluate;
mod fields;
mod limits;
mod mistake;
mod moment;
mod name;
mod parse;
mod print;
mod rule;
mod standing;
#[cfg(test)]
mod tests;
mod token;

use super::id::ListId;
use super::tag::TagName;

pub use evaluate::{Facts, Look, Reading, folded};
pub use fields::{Field, FieldKind, Fields};
pub use mistake::Mistake;
pub use moment::{Moment, Period};
pub use name::SegmentName;
pub use rule::{Condition, ConsentState, MomentTest, NumberTest, Order, Rule, Test, TextTest};
pub use standing::{Standing, Turn};

/// A named rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its name, one of its own.
    pub name: SegmentName,
    /// Who belongs to it.
    pub rule: Rule,
    /// The tag its members bear, if any.
    pub feeds: Option<FedTag>,
    /// The merge field that says `yes` of its members, if any.
    pub fills: Option<String>,
    /// The static HubSpot list that its members are in, if any.
    pub list: Option<ListId>,
}

impl Segment {
    /// Whether a run does anything by it: what its rule asks about is scanned then.
    pub fn feeds_something(&self) -> bool {
        self.feeds.is_some() || self.fills.is_some() || self.list.is_some()
    }
}

/// A tag that a segment feeds: whoever is marketed to bears it while they belong to the segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FedTag {
    /// Its name.
    pub tag: TagName,
    /// Whether setting it may start customer journeys; otherwise it is set silently.
    pub starts_journeys: bool,
}
