//! Tags: what Mailchimp shows on a member and keeps as a static segment.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A tag's name, trimmed, in its stored spelling. Two names that differ only in case are taken for
/// the same tag (Mailchimp contract §8: whether they are is unconfirmed, so either works).
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagName(String);

impl TagName {
    /// Trims; keeps the spelling.
    pub fn new(text: &str) -> TagName {
        TagName(text.trim().to_owned())
    }

    /// The stored spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form names are compared by.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for TagName {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}
impl Eq for TagName {}
impl PartialOrd for TagName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for TagName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(&other.folded())
    }
}
impl std::hash::Hash for TagName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}
impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
