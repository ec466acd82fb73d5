//! Reading: file, environment, references, then the checks; problems get their place at the end.

use super::Environment;
use super::error::{ConfigError, ConfigErrors, Problem};
use super::position::{Positions, line_of};
use super::schema::Document;
use super::secret::References;
use super::settings::{self, Config};
use crate::domain::code::Code;
use figment::Figment;
use figment::error::{Actual, Kind};
use figment::providers::{Format, Toml};
use figment::value::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A config longer than this is none, in bytes.
const LONGEST: u64 = 4 << 20;

/// The text of a config file.
///
/// # Errors
/// It cannot be read, is no text, or is too long for a config.
pub fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)? as u64 > LONGEST {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is too long for a config"));
    }
    Ok(text)
}

/// Reads a config file.
///
/// # Errors
/// Every problem of the file, each with its place and the way out.
pub fn load(path: &Path, environment: &Environment) -> Result<Config, ConfigErrors> {
    let file = path.display().to_string();
    let text = read_text(path).map_err(|error| unreadable(&file, &error))?;
    load_text(&file, &text, path.parent().unwrap_or(Path::new(".")), environment)
}

pub(super) fn unreadable(file: &str, error: &std::io::Error) -> ConfigErrors {
    let way_out = match error.kind() {
        std::io::ErrorKind::NotFound => "make one with `hsmc init`, or name another with --config FILE",
        _ => "name a file that this user may read with --config FILE",
    };
    alone(Code::ConfigUnreadable, file, None, format!("the config file cannot be read: {error}"), way_out)
}

/// What is said of a text that is no TOML; none when it is.
pub(super) fn not_toml(file: &str, text: &str) -> Option<ConfigErrors> {
    let error = toml_edit::Document::parse(text).err()?;
    let line = error.span().map(|span| line_of(text, span.start));
    Some(alone(
        Code::ConfigNoToml,
        file,
        line,
        format!("this is no TOML: {}", error.message()),
        "mend the line",
    ))
}

/// Reads a config from its text; `file` is its name in messages, `folder` where relative `file:`
/// references start.
///
/// # Errors
/// As [`load`].
pub fn load_text(
    file: &str,
    text: &str,
    folder: &Path,
    environment: &Environment,
) -> Result<Config, ConfigErrors> {
    if let Some(errors) = not_toml(file, text) {
        return Err(errors);
    }
    let (merged, sources) = layer(text, environment);
    let mut value = match merged.extract::<Value>() {
        Ok(value) => value,
        Err(error) => return Err(alone(Code::ConfigNoToml, file, None, error.to_string(), "mend the file")),
    };
    let mut references = References::new(environment, folder);
    references.resolve("", &mut value);
    let mut problems = std::mem::take(&mut references.problems);
    // A value that could not be looked up is no text either; the checks below must not see it.
    for problem in &problems {
        remove(&mut value, &problem.key);
    }
    let document = extract(&mut value, &mut problems);

    let mut found = Vec::new();
    let config = settings::check(document, &mut found);
    // What stands above or below a key that could not be read is no news.
    found.retain(|later: &Problem| {
        !problems.iter().any(|known| known.key.starts_with(&later.key) || later.key.starts_with(&known.key))
    });
    problems.append(&mut found);

    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(place(file, text, &sources, &references, problems)),
    }
}

/// The file with the environment over it, and which variable set which key.
pub(super) fn layer(text: &str, environment: &Environment) -> (Figment, BTreeMap<String, String>) {
    let mut figment = Figment::from(Toml::string(text));
    let mut sources = BTreeMap::new();
    for (name, path, value) in environment.overrides() {
        let list =
            value.trim().starts_with('[').then(|| format!("value = {value}").parse::<toml::Table>().ok());
        figment = match list.flatten().and_then(|mut table| table.remove("value")) {
            Some(list) => figment.merge((path.as_str(), list)),
            None => figment.merge((path.as_str(), value)),
        };
        sources.insert(path, name.to_owned());
    }
    (figment, sources)
}

/// Reads the document; each key that cannot be read is told and taken out, until the rest can be.
fn extract(value: &mut Value, problems: &mut Vec<Problem>) -> Document {
    loop {
        let error = match value.deserialize::<Document>() {
            Ok(document) => return document,
            Err(error) => error,
        };
        let key = path_of(value, &error.path);
        let (code, what, way_out) = explain(&error.kind, &key);
        problems.push(Problem::new(code, key.clone(), what, way_out));
        if !remove(value, &key) {
            return Document::default();
        }
    }
}

/// A path of names and indices as it is written in messages: `group[0].list[1].tag`.
fn path_of(value: &Value, path: &[String]) -> String {
    let mut text = String::new();
    let mut here = Some(value);
    for part in path {
        if let Some(array) = here.and_then(Value::as_array_ref) {
            text.push_str(&format!("[{part}]"));
            here = part.parse().ok().and_then(|index: usize| array.get(index));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(part);
            here = here.and_then(Value::as_dict_ref).and_then(|dict| dict.get(part));
        }
    }
    text
}

/// Looks into a value without taking it.
trait Peek {
    fn as_array_ref(&self) -> Option<&Vec<Value>>;
    fn as_dict_ref(&self) -> Option<&figment::value::Dict>;
}

impl Peek for Value {
    fn as_array_ref(&self) -> Option<&Vec<Value>> {
        match self {
            Value::Array(_, array) => Some(array),
            _ => None,
        }
    }
    fn as_dict_ref(&self) -> Option<&figment::value::Dict> {
        match self {
            Value::Dict(_, dict) => Some(dict),
            _ => None,
        }
    }
}

/// Takes the innermost named key of a path out. False when there is none.
fn remove(value: &mut Value, path: &str) -> bool {
    // An element of a plain list goes with its list: a shorter list would shift the others.
    let mut named = path;
    while let Some((list, _)) = named.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
        named = list;
    }
    let (above, key) = named.rsplit_once('.').unwrap_or(("", named));
    let mut here = value;
    for piece in above.split('.').filter(|piece| !piece.is_empty()) {
        let (name, indices) = piece.split_once('[').map_or((piece, None), |(name, rest)| (name, Some(rest)));
        let Value::Dict(_, dict) = here else { return false };
        let Some(mut next) = dict.get_mut(name) else { return false };
        for index in indices.into_iter().flat_map(|rest| rest.split('[')) {
            let Value::Array(_, array) = next else { return false };
            let Some(inner) =
                index.trim_end_matches(']').parse().ok().and_then(|at: usize| array.get_mut(at))
            else {
                return false;
            };
            next = inner;
        }
        here = next;
    }
    match here {
        Value::Dict(_, dict) => dict.remove(key).is_some(),
        _ => false,
    }
}

/// What is wrong and what to do, in our words.
fn explain(kind: &Kind, key: &str) -> (Code, String, String) {
    match kind {
        Kind::UnknownField(name, known) => (
            Code::ConfigUnknownKey,
            format!("hsmc knows no key `{name}` here"),
            match nearest(name, known) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("take it out; known here: {}", known.join(", ")),
            },
        ),
        Kind::InvalidType(actual, expected) => {
            (Code::ConfigValue, format!("this is {}, not {expected}", kind_of(actual)), correct(key))
        }
        Kind::Message(text) if text.contains("did not match any variant") => (
            Code::ConfigValue,
            "this is neither \"all\" nor a list of subscription type ids".to_owned(),
            "write `subscriptions = \"all\"` or `subscriptions = [\"1\", \"2\"]`".to_owned(),
        ),
        Kind::Message(text) => (Code::ConfigValue, text.clone(), correct(key)),
        other => (Code::ConfigValue, other.to_string(), correct(key)),
    }
}

fn correct(key: &str) -> String {
    format!("correct `{key}`; docs/examples/agency.toml shows how every key is written")
}

/// The type only: a value might be a secret in the wrong place.
fn kind_of(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

/// The known name that is likely meant: one that differs in at most two letters.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|word| (distance(name, word), *word))
        .filter(|(far, _)| *far <= 2)
        .min()
        .map(|(_, word)| word)
}

/// How many letters must be put in, taken out or changed.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (down, from) in left.chars().enumerate() {
        let mut next = vec![down + 1];
        for ((to, diagonal), above) in right.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(*to != from);
            let before = next.last().copied().unwrap_or_default();
            next.push(changed.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Gives each problem its file and line, in the order of the file.
fn place(
    file: &str,
    text: &str,
    sources: &BTreeMap<String, String>,
    references: &References<'_>,
    problems: Vec<Problem>,
) -> ConfigErrors {
    let positions = Positions::of(text);
    let mut errors: Vec<ConfigError> = problems
        .into_iter()
        .map(|problem| {
            let what = references.redact(&problem.what);
            let way_out = references.redact(&problem.way_out);
            let Problem { code, key, .. } = problem;
            let (file, line) = match sources.get(key.split('[').next().unwrap_or_default()) {
                Some(variable) => (variable.clone(), None),
                None => (file.to_owned(), positions.line(&key)),
            };
            ConfigError { code, file, line, key, what, way_out }
        })
        .collect();
    errors.sort_by_key(|error| (error.line.is_none(), error.line));
    ConfigErrors(errors)
}

fn alone(code: Code, file: &str, line: Option<usize>, what: String, way_out: &str) -> ConfigErrors {
    ConfigErrors(vec![ConfigError {
        code,
        file: file.to_owned(),
        line,
        key: String::new(),
        what,
        way_out: way_out.to_owned(),
    }])
}
