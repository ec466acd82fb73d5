//! Reading JSON that somebody else wrote: every member may be missing, a number may be a string and a
//! string a number (Mailchimp contract §17.4, HubSpot contract §16.5). Pure, and never a panic.

use crate::domain::time::Timestamp;
use serde_json::Value;

/// Members of an object, read with good will.
pub(crate) trait Lenient {
    /// A string; numbers and booleans as printed.
    fn text(&self, key: &str) -> Option<String>;
    /// A non-negative whole number, or a string of one.
    fn number(&self, key: &str) -> Option<u64>;
    /// A boolean, or the word for one.
    fn flag(&self, key: &str) -> Option<bool>;
    /// A moment in any spelling the services use.
    fn moment(&self, key: &str) -> Option<Timestamp>;
    /// An array; none when the member is missing or something else.
    fn rows(&self, key: &str) -> Option<&[Value]>;
    /// An array, empty when there is none.
    fn rows_or_none(&self, key: &str) -> &[Value];
}

impl Lenient for Value {
    fn text(&self, key: &str) -> Option<String> {
        as_text(self.get(key)?)
    }

    fn number(&self, key: &str) -> Option<u64> {
        as_number(self.get(key)?)
    }

    fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(word) if word.eq_ignore_ascii_case("true") => Some(true),
            Value::String(word) if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    fn moment(&self, key: &str) -> Option<Timestamp> {
        Timestamp::parse(&self.text(key)?)
    }

    fn rows(&self, key: &str) -> Option<&[Value]> {
        self.get(key)?.as_array().map(Vec::as_slice)
    }

    fn rows_or_none(&self, key: &str) -> &[Value] {
        self.rows(key).unwrap_or_default()
    }
}

/// A scalar as text.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A whole number, however it is spelled.
pub(crate) fn as_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    }
}

/// Reads every row a reader understands, and says how many it did not.
pub(crate) fn read_rows<T>(rows: &[Value], what: &str, reader: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    let read: Vec<T> = rows.iter().filter_map(reader).collect();
    if read.len() < rows.len() {
        tracing::warn!(what, left_out = rows.len() - read.len(), "rows of an answer could not be read");
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn ids_are_read_as_numbers_and_as_strings() {
        let row = json!({"a": 5, "b": "5", "c": "five", "d": -5, "e": null, "f": [5]});
        assert_eq!(row.number("a"), Some(5));
        assert_eq!(row.number("b"), Some(5));
        for key in ["c", "d", "e", "f", "g"] {
            assert_eq!(row.number(key), None, "{key}");
        }
        assert_eq!(row.text("a").as_deref(), Some("5"));
    }

    proptest! {
        #[test]
        fn any_scalar_is_read_or_left_out(text in "\\PC*") {
            let row = json!({"key": text, "list": [text]});
            prop_assert_eq!(row.text("key"), Some(text));
            let _: (Option<u64>, Option<bool>, Option<Timestamp>) = (row.number("key"), row.flag("key"), row.moment("key"));
            prop_assert_eq!(json!([row]).text("key"), None);
        }
    }
}
