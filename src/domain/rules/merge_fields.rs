//! Merge-field values: contact properties fitted to the field's type and length (R4), and compared
//! after that fitting, so that a value Mailchimp would cut does not look changed in every run (R8).
//!
//! A value that cannot be fitted is left out, and what the member has stays. An emptied property
//! clears the field where the service is known to take an empty value; numbers and addresses stay.

use super::{RuleSet, World};
use crate::domain::contact::Contact;
use crate::domain::member::{Member, MergeField};
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

/// A text field holds this many bytes; Mailchimp cuts what is longer without a word.
const TEXT_BYTES: usize = 255;

/// The values wanted, and what was done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fitted {
    pub values: BTreeMap<String, String>,
    pub notes: Vec<String>,
}

/// One value after fitting.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    /// Taken as it is.
    Same(String),
    /// Changed to fit; the words complete `FNAME …`.
    Changed(String, &'static str),
    /// Does not fit; the words complete `FNAME left out: …`.
    LeftOut(&'static str),
}

/// Fits every configured field to what the contact has.
pub(super) fn fit(rules: &RuleSet, world: &World, contact: &Contact) -> Fitted {
    let mut fitted = Fitted::default();
    for (tag, property) in &rules.merge_fields {
        let field = world.merge_fields.get(tag);
        let raw = contact.properties.get(property).map_or("", |value| value.trim());
        if raw.is_empty() {
            if can_be_emptied(field) {
                fitted.values.insert(tag.clone(), String::new());
            }
            continue;
        }
        match fit_value(field, raw) {
            Fit::Same(value) => {
                fitted.values.insert(tag.clone(), value);
            }
            Fit::Changed(value, how) => {
                fitted.values.insert(tag.clone(), value);
                fitted.notes.push(format!("{tag} {how}"));
            }
            Fit::LeftOut(why) => fitted.notes.push(format!("{tag} left out: {why}")),
        }
    }
    fitted
}

/// A value as a field takes it; none where it takes no such thing.
pub(super) fn fit_field(world: &World, tag: &str, raw: &str) -> Option<String> {
    let field = world.merge_fields.get(tag);
    if raw.is_empty() {
        return can_be_emptied(field).then(String::new);
    }
    match fit_value(field, raw) {
        Fit::Same(value) | Fit::Changed(value, _) => Some(value),
        Fit::LeftOut(_) => None,
    }
}

/// Whether the member has other values than wanted. A missing value equals an empty one.
pub(super) fn differ(world: &World, wanted: &BTreeMap<String, String>, member: &Member) -> bool {
    wanted.iter().any(|(tag, value)| {
        let present = member.fields.get(tag).map_or("", |present| present.trim());
        let kind = world.merge_fields.get(tag).map_or("text", |field| field.kind.as_str());
        !equal(kind, value, present)
    })
}

fn equal(kind: &str, wanted: &str, present: &str) -> bool {
    if wanted == present {
        return true;
    }
    match kind {
        "number" => match (wanted.parse::<f64>(), present.parse::<f64>()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        },
        "date" => date_of(present).is_some_and(|present| present == wanted),
        "address" => match (parse_object(wanted), parse_object(present)) {
            (Some(one), Some(other)) => one.iter().all(|(key, value)| other.get(key) == Some(value)),
            _ => false,
        },
        _ => false,
    }
}

fn can_be_emptied(field: Option<&MergeField>) -> bool {
    !matches!(field.map(|field| field.kind.as_str()), Some("number" | "address"))
}

fn fit_value(field: Option<&MergeField>, raw: &str) -> Fit {
    let Some(field) = field else { return fit_text(raw) };
    match field.kind.as_str() {
        "number" => fit_number(raw),
        "date" => match date_of(raw) {
            Some(date) if date == raw => Fit::Same(date),
            Some(date) => Fit::Changed(date, "written as YYYY-MM-DD"),
            None => Fit::LeftOut("not a date"),
        },
        "birthday" => fit_birthday(field, raw),
        "phone" if field.format.as_deref() == Some("US") => fit_us_phone(raw),
        "zip" => fit_zip(raw),
        "dropdown" | "radio" => fit_choice(field, raw),
        "url" | "imageurl" => match url::Url::parse(raw) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => fit_text(raw),
            _ => Fit::LeftOut("not a web address"),
        },
        "address" => fit_address(raw),
        _ => fit_text(raw),
    }
}

/// Line breaks become blanks; the rest is cut to 255 bytes at a character boundary.
fn fit_text(raw: &str) -> Fit {
    let text: String = raw.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > TEXT_BYTES {
        let mut end = TEXT_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let cut = text.get(..end).unwrap_or_default().trim_end().to_owned();
        return Fit::Changed(cut, "cut to 255 bytes");
    }
    if text == raw { Fit::Same(text) } else { Fit::Changed(text, "put on one line") }
}

fn fit_number(raw: &str) -> Fit {
    match raw.parse::<f64>() {
        Ok(number) if number.is_finite() => Fit::Same(raw.to_owned()),
        _ => Fit::LeftOut("not a number"),
    }
}

/// The date as `YYYY-MM-DD`, from any of the spellings both services use.
fn date_of(raw: &str) -> Option<String> {
    if let Some(moment) = Timestamp::parse(raw) {
        return moment.iso().get(..10).map(str::to_owned);
    }
    let (parts, slashes): (Vec<&str>, bool) = match raw.contains('/') {
        true => (raw.split('/').collect(), true),
        false => (raw.split('-').collect(), false),
    };
    let [first, second, third] = parts.as_slice() else { return None };
    let (year, month, day) = match (first.len(), slashes) {
        (4, true) => (first, second, third),
        (2, true) => (third, first, second),
        (2, false) => (third, second, first),
        _ => return None,
    };
    let date = format!("{year:0>4}-{month:0>2}-{day:0>2}");
    date.parse::<jiff::civil::Date>().ok().map(|_| date)
}

fn fit_birthday(field: &MergeField, raw: &str) -> Fit {
    let day_first = field.format.as_deref() == Some("DD/MM");
    let in_parts = |month: &str, day: &str| {
        if day_first { format!("{day:0>2}/{month:0>2}") } else { format!("{month:0>2}/{day:0>2}") }
    };
    if let Some(date) = date_of(raw) {
        let (month, day) = (date.get(5..7).unwrap_or_default(), date.get(8..10).unwrap_or_default());
        return Fit::Changed(in_parts(month, day), "written as a birthday");
    }
    let Some((first, second)) = raw.split_once('/') else { return Fit::LeftOut("not a birthday") };
    let (month, day) = if day_first { (second, first) } else { (first, second) };
    // A leap year, so that 29 February passes.
    match format!("2000-{month:0>2}-{day:0>2}").parse::<jiff::civil::Date>() {
        Ok(_) => Fit::Same(in_parts(month, day)),
        Err(_) => Fit::LeftOut("not a birthday"),
    }
}

/// `NNN-NNN-NNNN`: the only form a US phone field takes.
fn fit_us_phone(raw: &str) -> Fit {
    let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
    let national = match digits.len() {
        10 => digits.as_str(),
        11 if digits.starts_with('1') => digits.get(1..).unwrap_or_default(),
        _ => return Fit::LeftOut("not a US phone number"),
    };
    let (Some(area), Some(office), Some(line)) = (national.get(..3), national.get(3..6), national.get(6..))
    else {
        return Fit::LeftOut("not a US phone number");
    };
    let phone = format!("{area}-{office}-{line}");
    if phone == raw { Fit::Same(phone) } else { Fit::Changed(phone, "written as NNN-NNN-NNNN") }
}

fn fit_zip(raw: &str) -> Fit {
    let (first, rest) = raw.split_once('-').unwrap_or((raw, ""));
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    match (digits(first, 5), rest.is_empty(), digits(rest, 4)) {
        (true, true, _) => Fit::Same(first.to_owned()),
        (true, false, true) => Fit::Changed(first.to_owned(), "cut to five digits"),
        _ => Fit::LeftOut("not a zip code of five digits"),
    }
}

fn fit_choice(field: &MergeField, raw: &str) -> Fit {
    match field.choices.iter().find(|choice| choice.trim().to_lowercase() == raw.to_lowercase()) {
        Some(choice) if choice == raw => Fit::Same(choice.clone()),
        Some(choice) => Fit::Changed(choice.clone(), "written as the choice is spelled"),
        None => Fit::LeftOut("not one of the choices"),
    }
}

fn parse_object(text: &str) -> Option<BTreeMap<String, String>> {
    serde_json::from_str(text).ok()
}

/// Street, city, state and zip belong together: all or nothing.
fn fit_address(raw: &str) -> Fit {
    let whole = |parts: &BTreeMap<String, String>| {
        ["addr1", "city", "state", "zip"]
            .iter()
            .all(|key| parts.get(*key).is_some_and(|part| !part.trim().is_empty()))
    };
    match parse_object(raw).filter(whole).and_then(|parts| serde_json::to_string(&parts).ok()) {
        Some(text) => Fit::Same(text),
        None => Fit::LeftOut("an address needs street, city, state and zip"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: &str, format: Option<&str>, choices: &[&str]) -> MergeField {
        MergeField {
            tag: "X".to_owned(),
            kind: kind.to_owned(),
            format: format.map(str::to_owned),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            required: false,
        }
    }

    #[test]
    fn values_are_fitted_to_the_type_of_the_field() {
        let us = field("phone", Some("US"), &[]);
        let cases: Vec<(MergeField, &str, Option<&str>)> = vec![
            (field("text", None, &[]), "Ann", Some("Ann")),
            (field("text", None, &[]), "two\nlines", Some("two lines")),
            (field("number", None, &[]), "12.5", Some("12.5")),
            (field("number", None, &[]), "a dozen", None),
            (field("number", None, &[]), "NaN", None),
            (field("date", None, &[]), "2026-03-09", Some("2026-03-09")),
            (field("date", None, &[]), "1773014400000", Some("2026-03-09")),
            (field("date", None, &[]), "03/09/2026", Some("2026-03-09")),
            (field("date", None, &[]), "09-03-2026", Some("2026-03-09")),
            (field("date", None, &[]), "31-02-2026", None),
            (field("birthday", None, &[]), "1980-02-29", Some("02/29")),
            (field("birthday", Some("DD/MM"), &[]), "1980-02-29", Some("29/02")),
            (field("birthday", None, &[]), "2/9", Some("02/09")),
            (field("birthday", None, &[]), "13/13", None),
            (us.clone(), "(415) 555-0100", Some("415-555-0100")),
            (us.clone(), "+1 415 555 0100", Some("415-555-0100")),
            (us, "+44 20 7946 0000", None),
            (field("phone", Some("international"), &[]), "+44 20 7946 0000", Some("+44 20 7946 0000")),
            (field("zip", None, &[]), "94103-1234", Some("94103")),
            (field("zip", None, &[]), "SW1A 1AA", None),
            (field("dropdown", None, &["Red", "Blue"]), "red", Some("Red")),
            (field("dropdown", None, &["Red", "Blue"]), "green", None),
            (field("url", None, &[]), "example.com", None),
            (field("url", None, &[]), "https://example.com/a", Some("https://example.com/a")),
            (field("address", None, &[]), "1 High Street", None),
        ];
        for (field, raw, wanted) in cases {
            let got = match fit_value(Some(&field), raw) {
                Fit::Same(value) | Fit::Changed(value, _) => Some(value),
                Fit::LeftOut(_) => None,
            };
            assert_eq!(got.as_deref(), wanted, "{} {raw:?}", field.kind);
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_boundary() {
        let long = "ü".repeat(200);
        let Fit::Changed(cut, how) = fit_text(&long) else { panic!("not cut") };
        assert_eq!(cut.len(), 254);
        assert_eq!(how, "cut to 255 bytes");
        assert_eq!(fit_text(&cut), Fit::Same(cut.clone()), "what was cut fits from then on");
    }

    #[test]
    fn numbers_and_dates_are_compared_by_value() {
        assert!(equal("number", "3", "3.0"));
        assert!(!equal("number", "3", "4"));
        assert!(equal("date", "2026-03-09", "2026/03/09"));
        assert!(!equal("text", "3", "3.0"));
    }
}
