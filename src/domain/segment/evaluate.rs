//! A rule asked of one person at one moment.
//!
//! Two kinds of not-knowing are kept apart. *Empty* is an answer: the property is known to have no
//! value (or none of its type), each test but `is_empty` fails, and so `not` of that test holds.
//! *Unread* is none: nobody has looked yet, the test is neither, and neither is its `not`; `and` and
//! `or` follow Kleene. Nobody is in a segment unless its rule holds for certain.

use super::moment::{Moment, Period};
use super::rule::{Condition, ConsentState, MomentTest, NumberTest, Order, Rule, Test, TextTest};
use crate::domain::id::ListId;
use crate::domain::person::PersonState;
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;

/// What is known of a property of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading<'a> {
    /// Nobody has looked.
    Unread,
    /// Known to have no value.
    Empty,
    /// Its value, as HubSpot writes it.
    Value(&'a str),
}

/// What is known of one person. None stands for what nobody has looked at.
pub trait Facts {
    /// A contact property.
    fn property(&self, name: &str) -> Reading<'_>;
    /// Whether the contact is in the HubSpot list.
    fn in_list(&self, list: ListId) -> Option<bool>;
    /// Whether the member bears the tag.
    fn has_tag(&self, tag: &TagName) -> Option<bool>;
    /// What both sides say of their consent.
    fn consent(&self) -> Option<ConsentState>;
    /// The one state they are in.
    fn sync_state(&self) -> Option<PersonState>;
}

/// What a rule says of somebody, and how long it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it holds; none while something it turns on is unread.
    pub holds: Option<bool>,
    /// The first moment from which it says otherwise although nothing changed; none for never.
    pub until: Option<Timestamp>,
}

impl Look {
    /// Whether the person belongs to the segment.
    pub fn is_member(self) -> bool {
        self.holds == Some(true)
    }
}

impl Rule {
    /// Asks the rule of somebody at a moment.
    pub fn look(&self, facts: &impl Facts, now: Timestamp) -> Look {
        let holds = self.holds(facts, now);
        // Between two turns of its tests the answer cannot change; at a turn it need not.
        let mut turns = Vec::new();
        self.turns(facts, now, &mut turns);
        turns.sort_unstable();
        turns.dedup();
        let until = turns.into_iter().find(|turn| self.holds(facts, *turn) != holds);
        Look { holds, until }
    }

    /// Whether it holds at a moment; none while something it turns on is unread.
    pub fn holds(&self, facts: &impl Facts, now: Timestamp) -> Option<bool> {
        match self {
            Rule::All(rules) => settled(rules, facts, now, false),
            Rule::Any(rules) => settled(rules, facts, now, true),
            Rule::Not(rule) => rule.holds(facts, now).map(|holds| !holds),
            Rule::Test(test) => test.holds(facts, now),
        }
    }

    /// The moments after now at which one of its tests changes its answer.
    fn turns(&self, facts: &impl Facts, now: Timestamp, found: &mut Vec<Timestamp>) {
        match self {
            Rule::All(rules) | Rule::Any(rules) => {
                rules.iter().for_each(|rule| rule.turns(facts, now, found));
            }
            Rule::Not(rule) => rule.turns(facts, now, found),
            Rule::Test(Test::Property { name, is: Condition::Moment(test) }) => {
                if let Some((from, to)) = moment(facts.property(name)).and_then(|at| test.holds_during(at)) {
                    found.extend([from, to].into_iter().filter(|turn| *turn > now));
                }
            }
            Rule::Test(_) => {}
        }
    }
}

/// `and` and `or`: one part that says `settles` settles it; else one that is unread leaves it open.
fn settled(rules: &[Rule], facts: &impl Facts, now: Timestamp, settles: bool) -> Option<bool> {
    let mut answer = Some(!settles);
    for rule in rules {
        match rule.holds(facts, now) {
            Some(holds) if holds == settles => return Some(settles),
            None => answer = None,
            Some(_) => {}
        }
    }
    answer
}

impl Test {
    fn holds(&self, facts: &impl Facts, now: Timestamp) -> Option<bool> {
        match self {
            Test::Property { name, is } => match facts.property(name) {
                Reading::Unread => None,
                Reading::Empty => Some(is.holds("", now)),
                Reading::Value(value) => Some(is.holds(value.trim(), now)),
            },
            Test::InList(list) => facts.in_list(*list),
            Test::HasTag(tag) => facts.has_tag(tag),
            Test::Consent(states) => facts.consent().map(|consent| states.contains(&consent)),
            Test::State(states) => facts.sync_state().map(|state| states.contains(&state)),
        }
    }
}

impl Condition {
    /// Whether it holds for a value; an empty one is none.
    fn holds(&self, value: &str, now: Timestamp) -> bool {
        if value.is_empty() {
            return *self == Condition::Empty;
        }
        match self {
            Condition::Set => true,
            Condition::Empty => false,
            Condition::Text(test) => test.holds(value),
            Condition::Number(test) => number(value).is_some_and(|value| test.holds(value)),
            Condition::Truth(wanted) => truth(value) == Some(*wanted),
            Condition::Moment(test) => Timestamp::parse(value).is_some_and(|at| test.holds(at, now)),
            Condition::Choice(wanted) => {
                value.split(';').any(|chosen| wanted.iter().any(|one| same(chosen.trim(), one.trim())))
            }
        }
    }
}

impl TextTest {
    fn holds(&self, value: &str) -> bool {
        match self {
            TextTest::Is(wanted) => wanted.iter().any(|one| same(value, one.trim())),
            TextTest::Contains(part) => value.to_lowercase().contains(&part.to_lowercase()),
            TextTest::StartsWith(part) => value.to_lowercase().starts_with(&part.to_lowercase()),
            TextTest::EndsWith(part) => value.to_lowercase().ends_with(&part.to_lowercase()),
        }
    }
}

impl NumberTest {
    fn holds(&self, value: f64) -> bool {
        match self {
            NumberTest::Is(wanted) => wanted.contains(&value),
            NumberTest::Order(Order::Less, other) => value < *other,
            NumberTest::Order(Order::AtMost, other) => value <= *other,
            NumberTest::Order(Order::More, other) => value > *other,
            NumberTest::Order(Order::AtLeast, other) => value >= *other,
        }
    }
}

impl MomentTest {
    fn holds(&self, at: Timestamp, now: Timestamp) -> bool {
        let is = |moment: &Moment| moment.begins() <= at && at < moment.ends();
        match self {
            MomentTest::Is(wanted) => wanted.iter().any(is),
            MomentTest::Order(Order::Less, moment) => at < moment.begins(),
            MomentTest::Order(Order::AtMost, moment) => at < moment.ends(),
            MomentTest::Order(Order::More, moment) => at >= moment.ends(),
            MomentTest::Order(Order::AtLeast, moment) => at >= moment.begins(),
            MomentTest::Within(_) | MomentTest::WithinNext(_) => {
                self.holds_during(at).is_some_and(|(from, to)| from <= now && now < to)
            }
        }
    }

    /// From when until when it holds for a moment, the end not included; none where time plays no part.
    fn holds_during(&self, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let (ahead, behind) = match self {
            MomentTest::Within(period) => (None, Some(period)),
            MomentTest::WithinNext(period) => (Some(period), None),
            MomentTest::Is(_) | MomentTest::Order(..) => return None,
        };
        let from = ahead.map_or(at, |period: &Period| at.minus(period.duration()));
        let to = behind.map_or(at, |period: &Period| at.plus(period.duration()));
        Some((from, to))
    }
}

fn moment(reading: Reading<'_>) -> Option<Timestamp> {
    match reading {
        Reading::Value(value) => Timestamp::parse(value),
        Reading::Unread | Reading::Empty => None,
    }
}

/// A text as one that says the same is written, too: [`TextTest::Is`] holds for texts that fold alike.
pub fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Equal whatever the case, without copies where both are plain ASCII.
fn same(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    one.to_lowercase() == other.to_lowercase()
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
