//! A rule as text, which reads as the same rule.

use super::parse::is_reserved;
use super::rule::{Condition, MomentTest, NumberTest, Rule, Test, TextTest};
use super::token::is_bare;
use std::fmt::{self, Display, Formatter};

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Rule::All(rules) => joined(f, rules, " and "),
            Rule::Any(rules) => joined(f, rules, " or "),
            Rule::Not(inner) => match inner.as_ref() {
                Rule::Test(test) => write_test(f, test, true),
                other => {
                    f.write_str("not ")?;
                    within(f, other)
                }
            },
            Rule::Test(test) => write_test(f, test, false),
        }
    }
}

fn joined(f: &mut Formatter<'_>, rules: &[Rule], word: &str) -> fmt::Result {
    for (index, rule) in rules.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        within(f, rule)?;
    }
    Ok(())
}

/// A part of something larger: in parentheses where it is made of parts itself.
fn within(f: &mut Formatter<'_>, rule: &Rule) -> fmt::Result {
    match rule {
        Rule::All(_) | Rule::Any(_) => write!(f, "({rule})"),
        Rule::Not(_) | Rule::Test(_) => write!(f, "{rule}"),
    }
}

fn write_test(f: &mut Formatter<'_>, test: &Test, negated: bool) -> fmt::Result {
    let (name, is) = match test {
        Test::Property { name, is } => (property(name), is),
        Test::InList(list) => return write!(f, "{}in list {list}", if negated { "not " } else { "" }),
        Test::HasTag(tag) => {
            return write!(f, "{}has tag {}", if negated { "not " } else { "" }, quoted(tag.as_str()));
        }
        Test::Consent(states) => return one_of(f, "consent", states, negated),
        Test::State(states) => return one_of(f, "sync_state", states, negated),
    };
    let not = if negated { "not " } else { "" };
    match is {
        Condition::Set => write!(f, "{not}{name} is_set"),
        Condition::Empty => write!(f, "{not}{name} is_empty"),
        Condition::Text(TextTest::Is(values)) => {
            one_of(f, &name, &values.iter().map(|value| quoted(value)).collect::<Vec<_>>(), negated)
        }
        Condition::Text(TextTest::Contains(part)) => write!(f, "{name} {not}contains {}", quoted(part)),
        Condition::Text(TextTest::StartsWith(part)) => write!(f, "{name} {not}starts_with {}", quoted(part)),
        Condition::Text(TextTest::EndsWith(part)) => write!(f, "{name} {not}ends_with {}", quoted(part)),
        Condition::Number(NumberTest::Is(values)) => one_of(f, &name, values, negated),
        Condition::Number(NumberTest::Order(order, value)) => {
            write!(f, "{not}{name} {} {value}", order.sign())
        }
        Condition::Truth(value) => one_of(f, &name, &[value], negated),
        Condition::Moment(MomentTest::Is(values)) => one_of(f, &name, values, negated),
        Condition::Moment(MomentTest::Order(order, moment)) => {
            write!(f, "{not}{name} {} {moment}", order.sign())
        }
        Condition::Moment(MomentTest::Within(period)) => write!(f, "{name} {not}within {period}"),
        Condition::Moment(MomentTest::WithinNext(period)) => write!(f, "{name} {not}within next {period}"),
        Condition::Choice(values) => {
            one_of(f, &name, &values.iter().map(|value| bare_or_quoted(value)).collect::<Vec<_>>(), negated)
        }
    }
}

fn one_of(f: &mut Formatter<'_>, name: &str, values: &[impl Display], negated: bool) -> fmt::Result {
    match values {
        [value] => write!(f, "{name} {} {value}", if negated { "!=" } else { "=" }),
        values => {
            write!(f, "{name} {}in [", if negated { "not " } else { "" })?;
            for (index, value) in values.iter().enumerate() {
                write!(f, "{}{value}", if index > 0 { ", " } else { "" })?;
            }
            f.write_str("]")
        }
    }
}

fn property(name: &str) -> String {
    if is_bare_word(name) && !is_reserved(name) { name.to_owned() } else { wrapped(name, '`') }
}

fn bare_or_quoted(value: &str) -> String {
    if is_bare_word(value) { value.to_owned() } else { quoted(value) }
}

fn is_bare_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_bare)
}

fn quoted(text: &str) -> String {
    wrapped(text, '"')
}

fn wrapped(text: &str, quote: char) -> String {
    let mut out = String::from(quote);
    for c in text.chars() {
        if c == quote || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push(quote);
    out
}
