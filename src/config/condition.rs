//! Conditions of tag overrides: `branches > 1`, `country in [DE, "United Kingdom"]`,
//! `title contains "owner"`, `phone is_set`.

use crate::domain::rules::{Condition, Operator};

/// Reads a condition.
///
/// # Errors
/// One line that says what cannot be read; the forms that can are in [`FORMS`].
pub fn parse(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (property, rest) = text.split_at(end);
    if property.is_empty() {
        return Err(format!("`{text}` does not begin with a property's name"));
    }
    let rest = rest.trim();
    let (operator, operand) =
        operator(rest).ok_or_else(|| format!("`{text}` has no operator after the property `{property}`"))?;
    let values = match operator {
        Operator::IsSet | Operator::IsEmpty if operand.is_empty() => Vec::new(),
        Operator::IsSet | Operator::IsEmpty => {
            return Err(format!("`{text}` compares with a value, which `is_set` and `is_empty` do not take"));
        }
        Operator::In => list(operand).ok_or_else(|| format!("`{text}` needs a list such as [a, b]"))?,
        _ => vec![word(operand).ok_or_else(|| format!("`{text}` lacks the value to compare with"))?],
    };
    let numeric =
        matches!(operator, Operator::Greater | Operator::AtLeast | Operator::Less | Operator::AtMost);
    if numeric && values.iter().any(|value| value.parse::<f64>().is_err()) {
        return Err(format!("`{text}` compares by size, but its value is no number"));
    }
    Ok(Condition { property: property.to_owned(), operator, values })
}

/// The forms a condition can have, for messages.
pub const FORMS: &str = "write it as `property > 1` (also = != >= < <=), `property in [a, b]`, \
     `property contains \"x\"`, `property is_set` or `property is_empty`";

/// The operator at the start, and what follows it.
fn operator(text: &str) -> Option<(Operator, &str)> {
    // Two characters before one, or `>=` would be read as `>`.
    const SIGNS: [(&str, Operator); 7] = [
        ("!=", Operator::Differs),
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        ("==", Operator::Equals),
        ("=", Operator::Equals),
        (">", Operator::Greater),
        ("<", Operator::Less),
    ];
    const WORDS: [(&str, Operator); 4] = [
        ("in", Operator::In),
        ("contains", Operator::Contains),
        ("is_set", Operator::IsSet),
        ("is_empty", Operator::IsEmpty),
    ];
    for (sign, operator) in SIGNS {
        if let Some(rest) = text.strip_prefix(sign) {
            return Some((operator, rest.trim()));
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    WORDS.iter().find(|(word, _)| *word == name).map(|(_, operator)| (*operator, rest.trim()))
}

/// One value, quoted or bare. A bare one holds no quote; a quoted one ends where its quote ends.
fn word(text: &str) -> Option<String> {
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.strip_suffix(quote).filter(|inner| !inner.contains(quote)).map(str::to_owned);
        }
    }
    (!text.is_empty() && !text.contains(['"', '\''])).then(|| text.to_owned())
}

/// `[a, "b, c"]`: commas within quotes do not part.
fn list(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut values = Vec::new();
    let mut value = String::new();
    let mut quote = None;
    for c in inner.chars() {
        match (quote, c) {
            (None, ',') => {
                values.push(word(value.trim())?);
                value.clear();
                continue;
            }
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        value.push(c);
    }
    if !value.trim().is_empty() || values.is_empty() {
        values.push(word(value.trim())?);
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Operator, Vec<String>) {
        let condition = parse(text).unwrap();
        (condition.property, condition.operator, condition.values)
    }

    #[test]
    fn every_operator_is_read() {
        for (text, operator, values) in [
            ("branches > 1", Operator::Greater, vec!["1"]),
            ("branches>=2", Operator::AtLeast, vec!["2"]),
            ("branches < 3", Operator::Less, vec!["3"]),
            ("branches <= 3.5", Operator::AtMost, vec!["3.5"]),
            ("branches = 1", Operator::Equals, vec!["1"]),
            ("branches != \"a b\"", Operator::Differs, vec!["a b"]),
            ("branches in [a, \"b, c\", 'd']", Operator::In, vec!["a", "b, c", "d"]),
            ("branches contains \"x\"", Operator::Contains, vec!["x"]),
            ("branches is_set", Operator::IsSet, vec![]),
            ("branches is_empty", Operator::IsEmpty, vec![]),
        ] {
            let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            assert_eq!(read(text), ("branches".to_owned(), operator, values), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "",
            "> 1",
            "branches",
            "branches >",
            "branches > many",
            "branches is_set 1",
            "branches in a",
            "branches in []",
            "branches = \"open",
            "branches like x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
