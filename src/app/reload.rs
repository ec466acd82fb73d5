//! A changed config, taken over by a running daemon: as a whole between two runs, or not at all.
//!
//! Promises: what cannot be used, or may not change while a process runs, is refused by name, and the process goes on
//! with the config it has. Open moves keep the targets they were journaled with, whatever the config says now.

use super::App;
use crate::config::{self, Config, Environment};
use crate::domain::code::Code;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use tokio::sync::Notify;

/// What became of the last wish to take over a changed config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// There was none, or it was taken over.
    #[default]
    None,
    /// It waits for the end of the present run.
    Waits,
    /// It was refused, for this reason.
    Refused(String),
}

impl Change {
    /// In words, for `status`.
    pub fn notice(&self) -> Option<String> {
        match self {
            Change::None => None,
            Change::Waits => Some("config change: taken over after this run".to_owned()),
            Change::Refused(why) => {
                Some(format!("config change refused [{}]: {why}", Code::ConfigNotTakenOver))
            }
        }
    }
}

/// The wish of whoever runs hsmc that the config be read again.
pub struct Reload {
    /// Told when it is wished.
    pub asked: Notify,
    /// The config file.
    pub file: PathBuf,
}

impl App {
    /// What is to be told of a changed config.
    pub fn config_change(&self) -> Change {
        self.config_change.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what becomes of a changed config.
    pub fn set_config_change(&self, change: Change) {
        if let Change::Refused(why) = &change {
            tracing::warn!(code = %Code::ConfigNotTakenOver, %why, "the changed config is refused");
        }
        *self.config_change.lock().unwrap_or_else(PoisonError::into_inner) = change;
    }
}

/// Reads the file again.
///
/// # Errors
/// Why it cannot be taken over, in one line.
pub fn read(file: &Path, present: &Config) -> Result<Config, String> {
    let new = config::load(file, &Environment::of_process()).map_err(|errors| {
        let first = errors.0.first().map(ToString::to_string).unwrap_or_default();
        match errors.0.len() {
            0 | 1 => first,
            more => format!("{first} (and {} more; `hsmc check` tells them)", more - 1),
        }
    })?;
    match fixed(present, &new) {
        Some(key) => {
            Err(format!("{key} cannot change while hsmc runs: it would be another account; restart it"))
        }
        None => Ok(new),
    }
}

/// The first key that differs and may not while a process runs.
fn fixed(present: &Config, new: &Config) -> Option<&'static str> {
    let same = [
        ("hubspot.portal_id", present.hubspot.portal_id == new.hubspot.portal_id),
        ("hubspot.base_url", present.hubspot.base_url == new.hubspot.base_url),
        ("mailchimp.audience", present.mailchimp.audience == new.mailchimp.audience),
        ("mailchimp.base_url", present.mailchimp.base_url == new.mailchimp.base_url),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(portal: u32, audience: &str, every: &str) -> Config {
        let text = format!(
            "[hubspot]\ntoken = \"t\"\nportal_id = {portal}\n[mailchimp]\napi_key = \"k-us1\"\naudience = \
             \"{audience}\"\n[sync]\nevery = \"{every}\"\n[[group]]\nname = \"g\"\nlist = [{{ id = \"1\", tag = \"T\" }}]\n"
        );
        config::load_text("t", &text, Path::new("."), &Environment::default()).unwrap()
    }

    #[test]
    fn another_account_is_refused_by_name_and_anything_else_may_change() {
        let present = config(1, "a", "8h");
        assert_eq!(fixed(&present, &config(2, "a", "8h")), Some("hubspot.portal_id"));
        assert_eq!(fixed(&present, &config(1, "b", "8h")), Some("mailchimp.audience"));
        assert_eq!(fixed(&present, &config(1, "a", "1h")), None);
    }
}
