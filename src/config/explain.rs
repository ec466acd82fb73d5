//! What is in force, and which source set it: file and line, environment variable, or the default.
//!
//! Promises: references (`env:NAME`, `file:PATH`) are shown as they are written and never looked up; what must not be
//! shown is not, even where it stands in plain. A config that has problems can be explained all the same, as long as
//! it is TOML.

use super::Environment;
use super::error::ConfigErrors;
use super::keys::{self, KEYS, Key, Kind};
use super::load::{layer, not_toml};
use super::position::Positions;
use figment::value::Value;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One key with the value in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key, with the numbers of entries.
    pub key: String,
    /// The value as it is written; none when there is none.
    pub value: Option<String>,
    /// Who set it: `hsmc.toml:12`, `HSMC_SYNC__EVERY`, `default`, `not set`.
    pub source: String,
}

/// All about one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The key.
    pub key: String,
    /// What it does.
    pub what: String,
    /// How a value is written.
    pub kind: String,
    /// What holds where it is absent.
    pub default: Option<String>,
    /// The first version that knows it.
    pub since: String,
    /// How the environment sets it; none for keys in lists.
    pub variable: Option<String>,
    /// The values in force: several for a key that stands in a list.
    pub now: Vec<Setting>,
}

/// A config as it is written, with the environment over it.
pub struct Written {
    file: String,
    positions: Positions,
    values: Value,
    variables: BTreeMap<String, String>,
}

impl Written {
    /// Reads a file; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read, or is no TOML.
    pub fn read(path: &Path, environment: &Environment) -> Result<Written, ConfigErrors> {
        let file = path.display().to_string();
        let text = match super::load::read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(super::load::unreadable(&file, &error)),
        };
        Written::of(&file, &text, environment)
    }

    /// Of a text.
    ///
    /// # Errors
    /// It is no TOML.
    pub fn of(file: &str, text: &str, environment: &Environment) -> Result<Written, ConfigErrors> {
        if let Some(errors) = not_toml(file, text) {
            return Err(errors);
        }
        let (merged, variables) = layer(text, environment);
        let values =
            merged.extract::<Value>().unwrap_or_else(|_| Value::from(BTreeMap::<String, Value>::new()));
        Ok(Written { file: file.to_owned(), positions: Positions::of(text), values, variables })
    }

    /// Everything in force, in the order of the table of keys.
    pub fn settings(&self) -> Vec<Setting> {
        KEYS.iter().flat_map(|key| self.of_key(key)).collect()
    }

    /// All about the key at a path; none when there is no such key.
    pub fn explain(&self, path: &str) -> Option<Explained> {
        let key = keys::at(path)?;
        let mut now = self.of_key(key);
        if path != key.path {
            now.retain(|setting| setting.key == path);
        }
        let plain = !key.path.contains(['[', '*']);
        Some(Explained {
            key: key.path.to_owned(),
            what: key.what.to_owned(),
            kind: key.kind.words(),
            default: key.default.map(str::to_owned),
            since: key.since.to_owned(),
            variable: plain.then(|| variable(key)),
            now,
        })
    }

    fn of_key(&self, key: &Key) -> Vec<Setting> {
        let mut found = Vec::new();
        walk(&self.values, key.path, String::new(), &mut |path, value| {
            let value = value.map(|value| shown(key, value));
            match value {
                Some(value) => {
                    let source = self.source(&path);
                    found.push(Setting { key: path, value: Some(value), source });
                }
                None => {
                    let source = if key.default.is_some() { "default" } else { "not set" };
                    let value = key.default.map(str::to_owned);
                    found.push(Setting { key: path, value, source: source.to_owned() });
                }
            }
        });
        found
    }

    fn source(&self, path: &str) -> String {
        // A table of names is set name by name.
        let of_table = || self.variables.iter().find(|(set, _)| set.starts_with(&format!("{path}.")));
        if let Some(variable) = self.variables.get(path).or_else(|| Some(of_table()?.1)) {
            return variable.clone();
        }
        match self.positions.line(path) {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

/// The environment variable that sets a key.
fn variable(key: &Key) -> String {
    let (section, name) = key.path.split_once('.').unwrap_or((key.path, "NAME"));
    format!("HSMC_{}__{}", section.to_uppercase(), name.to_uppercase())
}

/// Visits the values at a path, each entry of a list and each name of a table on its own. A list or table without
/// entries has none.
fn walk(here: &Value, path: &str, so_far: String, visit: &mut impl FnMut(String, Option<&Value>)) {
    let (part, rest) = path.split_once('.').map_or((path, None), |(part, rest)| (part, Some(rest)));
    if let (Value::Dict(_, dict), "*", Some(rest)) = (here, part, rest) {
        for (name, entry) in dict {
            walk(entry, rest, format!("{so_far}.{name}"), visit);
        }
        return;
    }
    let name = part.trim_end_matches("[]");
    let at = if so_far.is_empty() { name.to_owned() } else { format!("{so_far}.{name}") };
    let next = match here {
        Value::Dict(_, dict) => dict.get(name),
        _ => None,
    };
    match (next, rest) {
        (Some(Value::Array(_, entries)), Some(rest)) if part.ends_with("[]") => {
            for (number, entry) in entries.iter().enumerate() {
                walk(entry, rest, format!("{at}[{number}]"), visit);
            }
        }
        (None, Some(_)) if part.ends_with("[]") => {}
        (None, Some(rest)) if rest.starts_with('*') => {}
        (Some(next), Some(rest)) => walk(next, rest, at, visit),
        (None, Some(rest)) => visit(format!("{at}.{rest}"), None),
        (next, None) => visit(at, next),
    }
}

/// A value as it is written.
fn shown(key: &Key, value: &Value) -> String {
    let is_reference = |text: &str| text.starts_with("env:") || text.starts_with("file:");
    match value {
        Value::String(_, text) if key.kind == Kind::Secret && !is_reference(text) => "(not shown)".to_owned(),
        _ if key.kind == Kind::Secret && !matches!(value, Value::String(..)) => "(not shown)".to_owned(),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Char(_, c) => c.to_string(),
        Value::Bool(_, truth) => truth.to_string(),
        Value::Num(_, number) => match (number.to_u128(), number.to_i128(), number.to_f64()) {
            (Some(whole), ..) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            (.., Some(number)) => number.to_string(),
            _ => String::new(),
        },
        Value::Array(_, entries) => {
            format!("[{}]", entries.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        Value::Dict(_, dict) => {
            let pairs = dict.iter().map(|(name, value)| format!("{name} = {}", plain(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Empty(..) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[hubspot]\ntoken = \"pat-in-plain\"\n[mailchimp]\napi_key = \"env:MAILCHIMP_API_KEY\"\n\
                        [sync]\nevery = \"4h\"\n[[group]]\nname = \"a\"\nlist = [\n  { id = \"1\", tag = \"T\" },\n  \
                        { id = \"2\", tag = \"U\" },\n]\n[merge_fields]\nFNAME = \"firstname\"\n\
                        [segments.cold]\nwhere = 'lastmodifieddate not within 90d'\n";

    fn written() -> Written {
        let environment = [("HSMC_SYNC__APPLY", "ask"), ("MAILCHIMP_API_KEY", "0123-us1")];
        Written::of("hsmc.toml", TEXT, &environment.into_iter().collect()).unwrap()
    }

    fn line(path: &str) -> Vec<String> {
        let now = written().explain(path).unwrap().now;
        now.into_iter()
            .map(|one| format!("{} = {} ({})", one.key, one.value.unwrap_or_default(), one.source))
            .collect()
    }

    #[test]
    fn each_value_in_force_names_the_source_that_set_it() {
        assert_eq!(line("sync.every"), ["sync.every = 4h (hsmc.toml:6)"]);
        assert_eq!(line("sync.apply"), ["sync.apply = ask (HSMC_SYNC__APPLY)"]);
        assert_eq!(line("sync.retention"), ["sync.retention = 90d (default)"]);
        assert_eq!(line("hubspot.portal_id"), ["hubspot.portal_id =  (not set)"]);
        assert_eq!(line("merge_fields"), ["merge_fields = {FNAME = firstname} (hsmc.toml:13)"]);
        assert_eq!(
            line("group[].list[].tag"),
            ["group[0].list[0].tag = T (hsmc.toml:10)", "group[0].list[1].tag = U (hsmc.toml:11)"]
        );
        let cold = "segments.cold.where = lastmodifieddate not within 90d (hsmc.toml:16)";
        assert_eq!(line("segments.cold.where"), [cold]);
        assert_eq!(line("segments.*.where"), [cold]);
        assert_eq!(line("group[0].list[1].tag"), ["group[0].list[1].tag = U (hsmc.toml:11)"]);
        assert!(written().explain("sync.evry").is_none());
        assert_eq!(keys::nearest("sync.evry"), Some("sync.every"));
    }

    #[test]
    fn a_section_has_the_keys_that_stand_in_it() {
        assert!(
            keys::within("sync").contains(&"sync.every") && !keys::within("sync").contains(&"api.listen")
        );
        for section in ["group", "group[]", "group[0]"] {
            assert!(keys::within(section).contains(&"group[].name"), "{section}");
        }
        assert_eq!(keys::within("sync.every"), Vec::<&str>::new());
        assert_eq!(keys::within("syn"), Vec::<&str>::new());
    }

    #[test]
    fn no_secret_is_shown_whether_it_stands_in_plain_or_elsewhere() {
        let all = format!("{:?}", written().settings());
        assert!(!all.contains("pat-in-plain") && !all.contains("0123-us1"), "{all}");
        assert_eq!(line("hubspot.token"), ["hubspot.token = (not shown) (hsmc.toml:2)"]);
        assert_eq!(line("mailchimp.api_key"), ["mailchimp.api_key = env:MAILCHIMP_API_KEY (hsmc.toml:4)"]);
    }
}
