//! What is left of a move once its details are given up: one line. It names rules, lists and tags, and its person
//! by number only.

use super::event::MoveEnd;
use super::moves::MoveKind;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// What kind of move it was.
    pub kind: MoveKind,
    /// The rule that made it: `R15`.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
    /// What its steps were to make true, in order: `in list 946`, `tag "Spring"`.
    pub steps: Vec<String>,
    /// How it ended.
    pub end: MoveEnd,
    /// When it was planned.
    pub planned: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// When its details were given up.
    pub given_up: Timestamp,
}

impl fmt::Display for AuditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} {}): {}", self.ended, self.kind, self.rule, self.reason, self.end)
    }
}
