//! A rule from its text, by descent. `not` binds tighter than `and`, `and` tighter than `or`.
//!
//! By hand and not by a parser library: half of what is here is what to say at which place, and the
//! other half is bounds.

mod condition;

use super::fields::Fields;
use super::limits;
use super::mistake::Mistake;
use super::rule::{ConsentState, Rule, Test};
use super::token::{Placed, Token, cut};
use crate::domain::person::PersonState;
use crate::domain::tag::TagName;
use std::fmt::Display;

/// Words that begin something of the language's own; a property of such a name is written in backquotes.
const RESERVED: [&str; 7] = ["and", "or", "not", "in", "has", "consent", "sync_state"];

/// Whether a property of this name needs backquotes.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))
}

impl Rule {
    /// Reads a rule, against what is known of the properties.
    ///
    /// # Errors
    /// The first mistake, with its place and what to do.
    pub fn read(text: &str, fields: &Fields) -> Result<Rule, Mistake> {
        let tokens = cut(text)?;
        let mut parser = Parser { text, fields, tokens, next: 0, depth: 0, tests: 0 };
        let rule = parser.any()?;
        match parser.peek() {
            None => Ok(rule),
            Some(Token::Close) => Err(parser.here("this closes nothing", "take the `)` out")),
            Some(_) => {
                Err(parser.here("the rule goes on where it could end", "put `and` or `or` in between"))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    fields: &'a Fields,
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    tests: usize,
}

type Read<T> = Result<T, Mistake>;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn place_of(&self, token: usize) -> usize {
        self.tokens.get(token).map_or(self.text.len(), |(_, at)| *at)
    }

    fn here(&self, what: impl Into<String>, way_out: impl Into<String>) -> Mistake {
        self.at(self.next, what, way_out)
    }

    fn at(&self, token: usize, what: impl Into<String>, way_out: impl Into<String>) -> Mistake {
        Mistake::at(self.text, self.place_of(token), what, way_out)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += usize::from(token.is_some());
        token
    }

    fn is_keyword(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        let is = self.is_keyword(word);
        self.next += usize::from(is);
        is
    }

    fn any(&mut self) -> Read<Rule> {
        let mut rules = vec![self.all()?];
        while self.take_keyword("or") {
            rules.push(self.all()?);
        }
        Ok(joined(rules, Rule::Any))
    }

    fn all(&mut self) -> Read<Rule> {
        let mut rules = vec![self.one()?];
        while self.take_keyword("and") {
            rules.push(self.one()?);
        }
        Ok(joined(rules, Rule::All))
    }

    fn one(&mut self) -> Read<Rule> {
        if self.depth >= limits::DEPTH {
            return Err(self.here(
                format!("more than {} parentheses and `not` stand within each other", limits::DEPTH),
                "write it flatter",
            ));
        }
        self.depth += 1;
        let rule = if self.take_keyword("not") {
            self.one().map(|rule| Rule::Not(Box::new(rule)))
        } else if self.peek() == Some(&Token::Open) {
            self.in_parentheses()
        } else {
            self.test()
        };
        self.depth -= 1;
        rule
    }

    fn in_parentheses(&mut self) -> Read<Rule> {
        let opened = self.next;
        self.next += 1;
        let rule = self.any()?;
        match self.peek() {
            Some(Token::Close) => {
                self.next += 1;
                Ok(rule)
            }
            None => Err(self.at(opened, "this is opened and not closed", "close it with `)`")),
            Some(_) => Err(self.here("the rule goes on where `)` could be", "put `and`, `or` or `)` here")),
        }
    }

    fn test(&mut self) -> Read<Rule> {
        if self.tests >= limits::TESTS {
            return Err(self.here(
                format!("the rule holds more than {} tests", limits::TESTS),
                "compare one property with several values by `in [a, b]`",
            ));
        }
        self.tests += 1;
        const BEGIN: &str = "begin with a property's name, `in list`, `has tag`, `consent`, `sync_state`, \
             `not` or `(`";
        match self.peek().cloned() {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("in") => self.in_list(),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("has") => self.has_tag(),
            Some(Token::Word(word)) if word == "consent" => {
                self.next += 1;
                self.states("consent", &ConsentState::ALL, Test::Consent)
            }
            Some(Token::Word(word)) if word == "sync_state" => {
                self.next += 1;
                self.states("sync_state", &PersonState::ALL, Test::State)
            }
            Some(Token::Word(word)) if !is_reserved(&word) => self.property(word),
            Some(Token::Name(name)) if !name.is_empty() => self.property(name),
            Some(Token::Quoted(_)) => Err(self.here(
                "a value stands where a test begins",
                "write the property first, without quotes: `company contains \"…\"`",
            )),
            None => Err(self.here("something is missing", BEGIN)),
            Some(_) => Err(self.here("no test begins like this", BEGIN)),
        }
    }

    fn in_list(&mut self) -> Read<Rule> {
        const FORM: &str = "write `in list 719`, with the list's id in HubSpot";
        self.next += 1;
        if !self.take_keyword("list") {
            return Err(self.here("`in` without a property before it asks for a list", FORM));
        }
        match self.peek() {
            Some(Token::Word(id) | Token::Quoted(id)) if id.parse::<u64>().is_ok() => {
                let list = id.parse().map_err(|_| self.here("this is no list id", FORM))?;
                self.next += 1;
                Ok(Rule::Test(Test::InList(list)))
            }
            _ => Err(self.here("this is no list id", FORM)),
        }
    }

    fn has_tag(&mut self) -> Read<Rule> {
        const FORM: &str = "write `has tag \"VIP\"`";
        self.next += 1;
        if !self.take_keyword("tag") {
            return Err(self.here("`has` asks for a tag", FORM));
        }
        match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) if !name.trim().is_empty() => {
                let tag = TagName::new(name);
                self.next += 1;
                Ok(Rule::Test(Test::HasTag(tag)))
            }
            _ => Err(self.here("this is no tag", FORM)),
        }
    }

    /// `= word`, `!= word`, `in [word, word]`, `not in [word, word]`, of a closed set of words.
    fn states<T: Copy + Display>(
        &mut self,
        subject: &str,
        all: &[T],
        test: impl Fn(Vec<T>) -> Test,
    ) -> Read<Rule> {
        let negated = self.take_keyword("not");
        let (values, differs) = match self.peek().cloned() {
            Some(Token::Sign(sign @ ("=" | "!="))) if !negated => {
                self.next += 1;
                (vec![self.value(&format!("a word for `{subject}`"))?], sign == "!=")
            }
            _ if self.take_keyword("in") => (self.values()?, negated),
            _ => {
                return Err(self.here(
                    format!("`{subject}` is compared by `=`, `!=` or `in`"),
                    format!("write `{subject} in [{}]`", words(all)),
                ));
            }
        };
        let mut states = Vec::new();
        for (token, value) in values {
            // People write them with a dash or with a line below.
            let known = all.iter().find(|state| state.to_string() == value.text.replace('_', "-"));
            let Some(state) = known else {
                return Err(self.at(
                    token,
                    format!("`{subject}` is never `{}`", value.text),
                    format!("write one of {}", words(all)),
                ));
            };
            states.push(*state);
        }
        Ok(negated_if(differs, Rule::Test(test(states))))
    }

    fn value(&mut self, wanted: &str) -> Read<(usize, Value)> {
        let token = self.next;
        match self.take() {
            Some(Token::Word(text)) => Ok((token, Value { text, quoted: false })),
            Some(Token::Quoted(text)) => Ok((token, Value { text, quoted: true })),
            _ => Err(self.at(token, format!("{wanted} is missing"), "write it, in quotes if it has spaces")),
        }
    }

    /// `[a, "b"]`, at least one.
    fn values(&mut self) -> Read<Vec<(usize, Value)>> {
        const FORM: &str = "write `in [a, \"b c\"]`";
        if self.peek() != Some(&Token::ListOpen) {
            return Err(self.here("`in` needs a list of values", FORM));
        }
        let opened = self.next;
        self.next += 1;
        let mut values = Vec::new();
        loop {
            if self.peek() == Some(&Token::ListClose) && !values.is_empty() {
                self.next += 1;
                return Ok(values);
            }
            if values.len() >= limits::VALUES {
                return Err(self.at(
                    opened,
                    format!("there are more than {} values", limits::VALUES),
                    "put the people into a list in HubSpot, and ask for that list",
                ));
            }
            values.push(self.value("a value")?);
            match self.peek() {
                Some(Token::Comma) => self.next += 1,
                Some(Token::ListClose) => {}
                None => return Err(self.at(opened, "this is opened and not closed", "close it with `]`")),
                Some(_) => return Err(self.here("the list goes on without a comma", FORM)),
            }
        }
    }
}

/// A value as written.
struct Value {
    text: String,
    quoted: bool,
}

fn joined(mut rules: Vec<Rule>, join: fn(Vec<Rule>) -> Rule) -> Rule {
    match rules.pop() {
        Some(only) if rules.is_empty() => only,
        Some(last) => {
            rules.push(last);
            join(rules)
        }
        None => join(rules),
    }
}

fn negated_if(negated: bool, rule: Rule) -> Rule {
    if negated { Rule::Not(Box::new(rule)) } else { rule }
}

fn words(all: &[impl Display]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
