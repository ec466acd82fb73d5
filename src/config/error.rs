//! What is wrong with a config file, where, and what to do about it.
//!
//! Every problem of a file is told at once. No message ever holds a value that came from a secret.

use crate::domain::code::Code;
use std::fmt;

/// One problem: a place, what is wrong there, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What kind of problem.
    pub code: Code,
    /// The file as it was named, or the environment variable that set the value.
    pub file: String,
    /// The line of the key, or of the table that lacks it.
    pub line: Option<usize>,
    /// The key, as `group[0].list[1].tag`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub way_out: String,
}

impl ConfigError {
    /// `hsmc.toml:12 sync.every`: where it is.
    pub fn place(&self) -> String {
        let mut place = self.file.clone();
        if let Some(line) = self.line {
            place.push_str(&format!(":{line}"));
        }
        if !self.key.is_empty() {
            place.push(' ');
            place.push_str(&self.key);
        }
        place
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place(), self.what, self.way_out)
    }
}

impl std::error::Error for ConfigError {}

/// All problems of one config, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A problem before its place is known: the key is a path, the file and line are found later.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// What kind of problem.
    pub(super) code: Code,
    /// The path of the key.
    pub(super) key: String,
    /// What is wrong.
    pub(super) what: String,
    /// What to do.
    pub(super) way_out: String,
}

impl Problem {
    /// A problem at a key.
    pub(super) fn new(
        code: Code,
        key: impl Into<String>,
        what: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Problem {
        Problem { code, key: key.into(), what: what.into(), way_out: way_out.into() }
    }
}
