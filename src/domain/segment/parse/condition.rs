//! What is asked of a property: the type says what may be asked, or, where it is not known, what is
//! asked says the type.

use super::{Parser, Read, Value, negated_if};
use crate::domain::segment::fields::{Field, FieldKind};
use crate::domain::segment::moment::{Moment, Period};
use crate::domain::segment::rule::{Condition, MomentTest, NumberTest, Order, Rule, Test, TextTest};
use crate::domain::segment::token::Token;

/// What follows the property's name.
enum Operator {
    Is,
    Order(Order),
    Contains,
    StartsWith,
    EndsWith,
    Within,
    WithinNext,
}

impl Operator {
    fn written(&self) -> &'static str {
        match self {
            Operator::Is => "=",
            Operator::Order(order) => order.sign(),
            Operator::Contains => "contains",
            Operator::StartsWith => "starts_with",
            Operator::EndsWith => "ends_with",
            Operator::Within => "within",
            Operator::WithinNext => "within next",
        }
    }
}

/// What may be asked of a type.
fn forms(kind: Option<FieldKind>) -> &'static str {
    match kind {
        Some(FieldKind::Text) => "=, !=, in, contains, starts_with, ends_with, is_set or is_empty",
        Some(FieldKind::Number) => "=, !=, <, <=, >, >=, in, is_set or is_empty",
        Some(FieldKind::Truth) => "= true, = false, is_set or is_empty",
        Some(FieldKind::Moment) => "within 30d, within next 30d, =, !=, <, <=, >, >=, is_set or is_empty",
        Some(FieldKind::Choice) => "=, !=, in, is_set or is_empty",
        None => "=, !=, <, <=, >, >=, in, contains, starts_with, ends_with, within, is_set or is_empty",
    }
}

/// One value with the token it stands at.
type Given = (usize, Value);

impl Parser<'_> {
    /// A test of a property whose name comes next.
    pub(super) fn property(&mut self, name: String) -> Read<Rule> {
        let at = self.next;
        let field = self.field(&name)?;
        let kind = field.as_ref().map(|field| field.kind);
        self.next += 1;
        let not_before = self.take_keyword("not");
        for (word, is) in [("is_set", Condition::Set), ("is_empty", Condition::Empty)] {
            if self.take_keyword(word) {
                return Ok(negated_if(not_before, Rule::Test(Test::Property { name, is })));
            }
        }
        let operator_at = self.next;
        let (operator, values, differs) = self.operator(&name, kind)?;
        let kind = match kind {
            Some(kind) => kind,
            None => self.kind_by_use(&operator, &values),
        };
        let is = self.condition(at, operator_at, &name, kind, operator, values)?;
        if let (Some(Field { options, .. }), Condition::Choice(chosen)) = (&field, &is) {
            self.offered(at, &name, options, chosen)?;
        }
        Ok(negated_if(not_before != differs, Rule::Test(Test::Property { name, is })))
    }

    fn field(&self, name: &str) -> Read<Option<Field>> {
        let field = self.fields.get(name).cloned();
        if field.is_none() && self.fields.is_complete() {
            return Err(self.here(
                format!("HubSpot has no contact property `{name}`"),
                "write the property's internal name, or make it in HubSpot",
            ));
        }
        Ok(field)
    }

    /// The operator and what it compares with; whether it was `!=`.
    fn operator(&mut self, name: &str, kind: Option<FieldKind>) -> Read<(Operator, Vec<Given>, bool)> {
        let order = |sign: &str| match sign {
            "<" => Order::Less,
            "<=" => Order::AtMost,
            ">" => Order::More,
            _ => Order::AtLeast,
        };
        let operator = match self.peek() {
            Some(Token::Sign("=" | "!=")) => Operator::Is,
            Some(Token::Sign(sign)) => Operator::Order(order(sign)),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "in" => {
                    self.next += 1;
                    return Ok((Operator::Is, self.values()?, false));
                }
                "contains" => Operator::Contains,
                "starts_with" => Operator::StartsWith,
                "ends_with" => Operator::EndsWith,
                "within" => Operator::Within,
                other => {
                    return Err(self.here(
                        format!("`{other}` is nothing that can be asked of `{name}`"),
                        format!("write {}", forms(kind)),
                    ));
                }
            },
            _ => {
                return Err(self.here(
                    format!("nothing is asked of `{name}`"),
                    format!("write {} after it", forms(kind)),
                ));
            }
        };
        let differs = self.peek() == Some(&Token::Sign("!="));
        self.next += 1;
        let operator = match operator {
            Operator::Within if self.take_keyword("next") => Operator::WithinNext,
            other => other,
        };
        let wanted = match operator {
            Operator::Within | Operator::WithinNext => "a length of time such as 30d",
            _ => "the value to compare with",
        };
        Ok((operator, vec![self.value(wanted)?], differs))
    }

    /// The type of a property that nothing is known of, by what is asked of it.
    fn kind_by_use(&self, operator: &Operator, values: &[Given]) -> FieldKind {
        let all =
            |reads: fn(&str) -> bool| values.iter().all(|(_, value)| !value.quoted && reads(&value.text));
        match operator {
            Operator::Contains | Operator::StartsWith | Operator::EndsWith => FieldKind::Text,
            Operator::Within | Operator::WithinNext => FieldKind::Moment,
            Operator::Is | Operator::Order(_) if all(|text| Moment::read(text).is_some()) => {
                FieldKind::Moment
            }
            Operator::Is if all(|text| number(text).is_some()) => FieldKind::Number,
            Operator::Is => FieldKind::Text,
            Operator::Order(_) => FieldKind::Number,
        }
    }

    fn condition(
        &self,
        at: usize,
        operator_at: usize,
        name: &str,
        kind: FieldKind,
        operator: Operator,
        values: Vec<Given>,
    ) -> Read<Condition> {
        let unfit = |operator: &Operator| {
            self.at(
                operator_at,
                format!("`{}` cannot be asked of `{name}`, which is {kind}", operator.written()),
                format!("write `{name}` with {}", forms(Some(kind))),
            )
        };
        Ok(match (kind, operator) {
            (FieldKind::Text, Operator::Is) => Condition::Text(TextTest::Is(texts(values))),
            (FieldKind::Text, Operator::Contains) => Condition::Text(TextTest::Contains(self.part(values)?)),
            (FieldKind::Text, Operator::StartsWith) => {
                Condition::Text(TextTest::StartsWith(self.part(values)?))
            }
            (FieldKind::Text, Operator::EndsWith) => Condition::Text(TextTest::EndsWith(self.part(values)?)),
            (FieldKind::Number, Operator::Is) => {
                Condition::Number(NumberTest::Is(self.each(&values, number, "a number", "1 or 2.5")?))
            }
            (FieldKind::Number, Operator::Order(order)) => Condition::Number(NumberTest::Order(
                order,
                self.first(at, self.each(&values, number, "a number", "1 or 2.5")?)?,
            )),
            (FieldKind::Truth, Operator::Is) if values.len() == 1 => {
                let truths = self.each(&values, truth, "true or false", "true or false")?;
                Condition::Truth(self.first(at, truths)?)
            }
            (FieldKind::Moment, Operator::Is) => {
                Condition::Moment(MomentTest::Is(self.each(&values, Moment::read, "a date", "2026-01-31")?))
            }
            (FieldKind::Moment, Operator::Order(order)) => Condition::Moment(MomentTest::Order(
                order,
                self.first(at, self.each(&values, Moment::read, "a date", "2026-01-31")?)?,
            )),
            (FieldKind::Moment, Operator::Within) => {
                Condition::Moment(MomentTest::Within(self.period(at, &values)?))
            }
            (FieldKind::Moment, Operator::WithinNext) => {
                Condition::Moment(MomentTest::WithinNext(self.period(at, &values)?))
            }
            (FieldKind::Choice, Operator::Is) => Condition::Choice(texts(values)),
            (_, operator) => return Err(unfit(&operator)),
        })
    }

    fn period(&self, at: usize, values: &[Given]) -> Read<Period> {
        let form = "30d, 12h, 2w or 30min, at most 36525d";
        self.first(at, self.each(values, Period::read, "a length of time", form)?)
    }

    fn each<T>(
        &self,
        values: &[Given],
        read: impl Fn(&str) -> Option<T>,
        wanted: &str,
        form: &str,
    ) -> Read<Vec<T>> {
        values
            .iter()
            .map(|(token, value)| {
                read(value.text.trim()).ok_or_else(|| {
                    self.at(*token, format!("`{}` is not {wanted}", value.text), format!("write {form}"))
                })
            })
            .collect()
    }

    fn first<T>(&self, at: usize, values: Vec<T>) -> Read<T> {
        let missing = || self.at(at, "the value to compare with is missing", "write it");
        values.into_iter().next().ok_or_else(missing)
    }

    /// A part of text: the empty one is in everything, which nobody means.
    fn part(&self, values: Vec<Given>) -> Read<String> {
        match values.into_iter().next() {
            Some((_, value)) if !value.text.is_empty() => Ok(value.text),
            _ => Err(self.at(
                self.next.saturating_sub(1),
                "the text to look for is empty",
                "write some, or use `is_set`",
            )),
        }
    }

    /// Whether a choice takes these values, where they are known.
    fn offered(&self, at: usize, name: &str, options: &[String], chosen: &[String]) -> Read<()> {
        let is_offered = |value: &String| options.iter().any(|option| option.eq_ignore_ascii_case(value));
        match chosen.iter().find(|value| !options.is_empty() && !is_offered(value)) {
            None => Ok(()),
            Some(unknown) => {
                const TOLD: usize = 12;
                let some = options.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
                let more = if options.len() > TOLD { ", …" } else { "" };
                Err(self.at(
                    at,
                    format!("`{name}` is never `{unknown}`"),
                    format!("write the internal value: one of {some}{more}"),
                ))
            }
        }
    }
}

fn texts(values: Vec<Given>) -> Vec<String> {
    values.into_iter().map(|(_, value)| value.text).collect()
}

fn number(text: &str) -> Option<f64> {
    let starts = text.strip_prefix(['-', '+']).unwrap_or(text);
    // `inf` and `nan` are words, not numbers.
    if !starts.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}
