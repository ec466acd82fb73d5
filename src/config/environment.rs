//! The environment as a value, so that nothing below reads the process's own.

use std::collections::BTreeMap;

/// Names and values of environment variables.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own; variables that are no Unicode are left out.
    pub fn of_process() -> Environment {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All `HSMC_SECTION__KEY` as (name, path, value), sorted by name.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let (section, key) = name.strip_prefix("HSMC_")?.split_once("__")?;
            let section = section.to_lowercase();
            // Merge fields are upper case on the wire, everything else is lower case in the file.
            let key = if section == "merge_fields" { key.to_owned() } else { key.to_lowercase() };
            Some((name.as_str(), format!("{section}.{key}"), value.as_str()))
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Environment {
        Environment(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
