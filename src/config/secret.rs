//! `env:NAME` and `file:PATH`: values that stand elsewhere. Any text in the config may be one.
//!
//! What was looked up is remembered only to take it out of messages: a token written where a number
//! belongs must not be shown for it.

use super::Environment;
use super::error::Problem;
use crate::domain::code::Code;
use figment::value::{Tag, Value};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A value that stands elsewhere is shorter than this, in bytes.
const LONGEST: u64 = 64 << 10;

/// Looks references up, and keeps what it found out of sight.
pub(super) struct References<'a> {
    environment: &'a Environment,
    folder: &'a Path,
    found: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> References<'a> {
    /// References in a config that lies in `folder`; a relative `file:` path starts there.
    pub(super) fn new(environment: &'a Environment, folder: &'a Path) -> References<'a> {
        References { environment, folder, found: Vec::new(), problems: Vec::new() }
    }

    /// Replaces every reference below `value`, which stands at `path`.
    pub(super) fn resolve(&mut self, path: &str, value: &mut Value) {
        match value {
            Value::String(_, text) => {
                let outcome = if let Some(name) = text.strip_prefix("env:") {
                    self.variable(name.trim())
                } else if let Some(file) = text.strip_prefix("file:") {
                    self.first_line(file.trim())
                } else {
                    return;
                };
                match outcome {
                    Ok(secret) => {
                        self.found.push(secret.clone());
                        *value = Value::String(Tag::Default, secret);
                    }
                    Err((what, way_out)) => {
                        self.problems.push(Problem::new(Code::ConfigReference, path, what, way_out))
                    }
                }
            }
            Value::Dict(_, dict) => {
                for (key, inner) in dict.iter_mut() {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.resolve(&path, inner);
                }
            }
            Value::Array(_, array) => {
                for (index, inner) in array.iter_mut().enumerate() {
                    self.resolve(&format!("{path}[{index}]"), inner);
                }
            }
            _ => {}
        }
    }

    /// The text with everything that was looked up taken out.
    pub(super) fn redact(&self, text: &str) -> String {
        self.found
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"))
    }

    fn variable(&self, name: &str) -> Result<String, (String, String)> {
        match self.environment.get(name) {
            Some(value) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
            Some(_) => Err((
                format!("the environment variable {name} is empty"),
                format!("give {name} a value before hsmc is started"),
            )),
            None => Err((
                format!("the environment variable {name} is not set"),
                format!("set {name} before hsmc is started, or write the value as \"file:PATH\""),
            )),
        }
    }

    fn first_line(&self, file: &str) -> Result<String, (String, String)> {
        let path = self.folder.join(file);
        let mut line = String::new();
        let read = File::open(&path).and_then(|file| BufReader::new(file).take(LONGEST).read_line(&mut line));
        read.map_err(|error| {
            (
                format!("{} cannot be read: {error}", path.display()),
                "name a file that this user may read".to_owned(),
            )
        })?;
        match line.trim() {
            _ if line.len() as u64 == LONGEST => Err((
                format!("the first line of {} is too long", path.display()),
                "put the value there, alone on the line".to_owned(),
            )),
            line if !line.is_empty() => Ok(line.to_owned()),
            _ => Err((
                format!("the first line of {} is empty", path.display()),
                "put the value there, alone on the line".to_owned(),
            )),
        }
    }
}
