//! A rule as a value: tests joined by `and`, `or` and `not`. Types are settled when it is read; nothing
//! here can be asked in a way that does not fit.

use super::moment::{Moment, Period};
use crate::domain::id::ListId;
use crate::domain::member::MemberStatus;
use crate::domain::person::PersonState;
use crate::domain::tag::TagName;
use std::collections::BTreeSet;
use std::fmt;

/// A rule. `All` and `Any` hold two or more.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `a and b`
    All(Vec<Rule>),
    /// `a or b`
    Any(Vec<Rule>),
    /// `not a`; `a != b` is `not a = b`
    Not(Box<Rule>),
    /// One question.
    Test(Test),
}

/// One question about a person.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// About a contact property.
    Property {
        /// Internal name in HubSpot.
        name: String,
        /// What is asked of it.
        is: Condition,
    },
    /// `in list 719`
    InList(ListId),
    /// `has tag "VIP"`
    HasTag(TagName),
    /// `consent in [subscribed, pending]`
    Consent(Vec<ConsentState>),
    /// `sync_state in [enrolled, pending]`
    State(Vec<PersonState>),
}

/// What is asked of a property. Text is compared without regard to case.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `is_set`
    Set,
    /// `is_empty`
    Empty,
    /// Of text.
    Text(TextTest),
    /// Of a number.
    Number(NumberTest),
    /// Of `true` or `false`.
    Truth(bool),
    /// Of a date or moment.
    Moment(MomentTest),
    /// Of a choice: one of those chosen is one of these.
    Choice(Vec<String>),
}

/// What is asked of text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTest {
    /// `= "a"`, `in ["a", "b"]`
    Is(Vec<String>),
    /// `contains "a"`
    Contains(String),
    /// `starts_with "a"`
    StartsWith(String),
    /// `ends_with "a"`
    EndsWith(String),
}

/// What is asked of a number.
#[derive(Clone, Debug, PartialEq)]
pub enum NumberTest {
    /// `= 1`, `in [1, 2]`
    Is(Vec<f64>),
    /// `> 1`
    Order(Order, f64),
}

/// What is asked of a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum MomentTest {
    /// `= 2026-01-31`: on that day.
    Is(Vec<Moment>),
    /// `< 2026-01-31`
    Order(Order, Moment),
    /// `within 30d`: since now less thirty days, and not ahead.
    Within(Period),
    /// `within next 30d`: ahead, by at most thirty days.
    WithinNext(Period),
}

/// How two values of one kind are compared by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Order {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::AtMost => "<=",
            Order::More => ">",
            Order::AtLeast => ">=",
        }
    }
}

/// What both sides together say of a person's consent, the strictest word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsentState {
    /// Opted out in HubSpot, or unsubscribed in Mailchimp.
    OptedOut,
    /// A hard bounce in Mailchimp.
    Bounced,
    /// Asked to confirm, and has not.
    Pending,
    /// Subscribed in Mailchimp, opted out nowhere.
    Subscribed,
    /// None of these: no member, or an archived one, and no opt-out.
    Unasked,
}

impl ConsentState {
    /// All of them.
    pub const ALL: [ConsentState; 5] = [
        ConsentState::OptedOut,
        ConsentState::Bounced,
        ConsentState::Pending,
        ConsentState::Subscribed,
        ConsentState::Unasked,
    ];

    /// What an opt-out in HubSpot and a member's status come to.
    pub fn of(opted_out: bool, member: Option<&MemberStatus>) -> ConsentState {
        match member {
            _ if opted_out => ConsentState::OptedOut,
            Some(MemberStatus::Unsubscribed) => ConsentState::OptedOut,
            Some(MemberStatus::Cleaned) => ConsentState::Bounced,
            Some(MemberStatus::Pending) => ConsentState::Pending,
            Some(MemberStatus::Subscribed) => ConsentState::Subscribed,
            Some(MemberStatus::Transactional | MemberStatus::Archived | MemberStatus::Other(_)) | None => {
                ConsentState::Unasked
            }
        }
    }

    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            ConsentState::OptedOut => "opted-out",
            ConsentState::Bounced => "bounced",
            ConsentState::Pending => "pending",
            ConsentState::Subscribed => "subscribed",
            ConsentState::Unasked => "unasked",
        }
    }
}

impl fmt::Display for ConsentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Rule {
    /// Every test, in the order written.
    pub fn tests(&self) -> Vec<&Test> {
        match self {
            Rule::All(rules) | Rule::Any(rules) => rules.iter().flat_map(Rule::tests).collect(),
            Rule::Not(rule) => rule.tests(),
            Rule::Test(test) => vec![test],
        }
    }

    /// The contact properties it looks at, each once.
    pub fn properties(&self) -> BTreeSet<&str> {
        self.tests()
            .into_iter()
            .filter_map(|test| match test {
                Test::Property { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The values of which a property must have one for the rule to hold, as text; none where it turns on something
    /// else, or not for certain.
    pub fn needs(&self, property: &str) -> Option<Vec<String>> {
        match self {
            Rule::All(rules) => rules.iter().find_map(|rule| rule.needs(property)),
            Rule::Any(rules) => {
                let each: Option<Vec<_>> = rules.iter().map(|rule| rule.needs(property)).collect();
                each.map(|each| each.into_iter().flatten().collect())
            }
            Rule::Test(Test::Property { name, is }) if name == property => match is {
                Condition::Text(TextTest::Is(texts)) => Some(texts.clone()),
                Condition::Number(NumberTest::Is(numbers)) => {
                    Some(numbers.iter().map(ToString::to_string).collect())
                }
                _ => None,
            },
            Rule::Not(_) | Rule::Test(_) => None,
        }
    }

    /// The lists it looks at, each once.
    pub fn lists(&self) -> BTreeSet<ListId> {
        self.tests()
            .into_iter()
            .filter_map(|test| match test {
                Test::InList(list) => Some(*list),
                _ => None,
            })
            .collect()
    }

    /// The tags it looks at, each once.
    pub fn tags(&self) -> BTreeSet<&TagName> {
        self.tests()
            .into_iter()
            .filter_map(|test| match test {
                Test::HasTag(tag) => Some(tag),
                _ => None,
            })
            .collect()
    }
}
