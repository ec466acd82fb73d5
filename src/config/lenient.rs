//! Values as people write them. A number may come as text, since every environment variable does; a
//! list id may come as a number. What is meant must be plain, else it is refused.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::time::Duration;

/// Text; a number or a truth value counts as its spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub String);

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub u64);

/// A number between whole ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

/// `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth(pub bool);

/// A length of time: `8h`, `30d`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A limit: a value, or `"none"`, which lifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit<T> {
    /// Lifted in so many words.
    None,
    /// At most this.
    At(T),
}

impl<T> Limit<T> {
    /// The value, if any.
    pub fn value(self) -> Option<T> {
        match self {
            Limit::None => None,
            Limit::At(value) => Some(value),
        }
    }
}

/// Takes any plain value as the text it is written as.
struct Plain;

impl Visitor<'_> for Plain {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value (text, a number, true or false)")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.trim().to_owned())
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

fn plain<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    from.deserialize_any(Plain)
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        plain(from).map(Text)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = plain(from)?;
        text.replace('_', "")
            .parse()
            .map(Whole)
            .map_err(|_| D::Error::custom(format!("`{text}` is no whole number")))
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = plain(from)?;
        match text.parse::<f64>() {
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(Share(value)),
            _ => Err(D::Error::custom(format!("`{text}` is no share between 0 and 1"))),
        }
    }
}

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = plain(from)?;
        text.parse().map(Truth).map_err(|_| D::Error::custom(format!("`{text}` is neither true nor false")))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = plain(from)?;
        match humantime::parse_duration(&text) {
            Ok(span) if !span.is_zero() => Ok(Span(span)),
            _ => Err(D::Error::custom(format!("`{text}` is no length of time such as \"8h\" or \"30d\""))),
        }
    }
}

impl<'de> Deserialize<'de> for Limit<Whole> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = plain(from)?;
        if text.eq_ignore_ascii_case("none") {
            return Ok(Limit::None);
        }
        match text.replace('_', "").parse() {
            Ok(value) => Ok(Limit::At(Whole(value))),
            Err(_) => Err(D::Error::custom(format!("`{text}` is neither a whole number nor \"none\""))),
        }
    }
}

impl<'de> Deserialize<'de> for Limit<Share> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = plain(from)?;
        if text.eq_ignore_ascii_case("none") {
            return Ok(Limit::None);
        }
        match text.parse::<f64>() {
            Ok(value) if (0.0..=1.0).contains(&value) => Ok(Limit::At(Share(value))),
            _ => Err(D::Error::custom(format!("`{text}` is neither a share between 0 and 1 nor \"none\""))),
        }
    }
}
