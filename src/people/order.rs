//! The order people are shown in.

use super::column::Column;
use super::one::One;
use crate::domain::id::RecordId;
use crate::domain::segment::FieldKind;
use crate::domain::time::Timestamp;
use std::cmp::Ordering;

/// By a column, and by record id where two have the same there. Whoever has nothing there comes last, in either
/// direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Which.
    pub column: Column,
    /// The largest first.
    pub descending: bool,
    /// The column's type, where it is known; else numbers come before text.
    pub kind: Option<FieldKind>,
}

/// A person's place in an order: comparable with every other place in the same order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    value: Value,
    descending: bool,
    record: RecordId,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Moment(Timestamp),
    Text(String),
    Nothing,
}

impl Sort {
    /// `lastname`, or `-lastname` for the largest first.
    pub fn named(text: &str) -> Sort {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        Sort { column: Column::named(name), descending, kind: None }
    }

    /// What a person is placed by.
    pub(super) fn value(&self, one: &One) -> Option<String> {
        self.column.of(one).map(|value| value.into_owned())
    }

    /// The place of whoever has this value.
    pub(super) fn place(&self, value: Option<&str>, record: RecordId) -> Place {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| !number.is_nan());
        let value = match (value, self.kind) {
            (None, _) => Value::Nothing,
            (Some(text), Some(FieldKind::Moment)) => {
                Timestamp::parse(text).map_or(Value::Nothing, Value::Moment)
            }
            (Some(text), Some(FieldKind::Number)) => number(text).map_or(Value::Nothing, Value::Number),
            (Some(text), None) if number(text).is_some() => {
                number(text).map_or(Value::Nothing, Value::Number)
            }
            (Some(text), _) => Value::Text(text.to_lowercase()),
        };
        Place { value, descending: self.descending, record }
    }
}

impl Value {
    fn rank(&self) -> u8 {
        match self {
            Value::Number(_) => 0,
            Value::Moment(_) => 1,
            Value::Text(_) => 2,
            Value::Nothing => 3,
        }
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Place) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Place) -> Ordering {
        let by_value = match (&self.value, &other.value) {
            (Value::Nothing, Value::Nothing) => Ordering::Equal,
            (Value::Nothing, _) => return Ordering::Greater,
            (_, Value::Nothing) => return Ordering::Less,
            (Value::Number(one), Value::Number(two)) => one.total_cmp(two),
            (Value::Moment(one), Value::Moment(two)) => one.cmp(two),
            (Value::Text(one), Value::Text(two)) => one.cmp(two),
            (one, two) => one.rank().cmp(&two.rank()),
        };
        let by_value = if self.descending { by_value.reverse() } else { by_value };
        by_value.then(self.record.cmp(&other.record))
    }
}
