//! What a seed draws before anything runs: the people in both accounts, how the accounts behave, and the config.

use super::chance::Chance;
use super::network::{BASE, HUBSPOT, MAILCHIMP};
use crate::config::{self, Config, ConfigErrors, Environment};
use crate::sandbox::Sandbox;
use crate::sandbox::scenario::{CONDITIONS, Condition, add_person, agency_without_people, config_toml};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Conditions that moves come from.
const BUSY: [Condition; 8] = [
    Condition::New,
    Condition::NewInTwoLists,
    Condition::WrongFields,
    Condition::Finished,
    Condition::Finished,
    Condition::Orphan,
    Condition::ExcludedDeal,
    Condition::MovedList,
];

/// Both accounts, with 5 to 40 people in them.
pub(super) fn accounts(chance: &mut Chance) -> Sandbox {
    let mut builder = agency_without_people();
    let settings = builder.settings();
    BASE.clone_into(&mut settings.base_url);
    settings.index_lag = chance.time(0, 8_000);
    settings.dynamic_lag = chance.time(0, 5_000);
    settings.batch_delay = chance.time(500, 40_000);
    settings.calls_per_window = usize::try_from(chance.number(60, 190)).unwrap_or(100);
    settings.enterprise = chance.percent(50);
    let people = chance.number(5, 40);
    for number in 1..=people {
        builder.later(Duration::from_secs(60));
        let several: &[Condition] = match chance.number(1, 100) {
            1..=25 => &[Condition::Settled],
            26..=65 => &BUSY,
            _ => &CONDITIONS,
        };
        let condition = chance.one_of(several).copied().unwrap_or(Condition::New);
        add_person(&mut builder, chance.generator(), usize::try_from(number).unwrap_or(0), condition);
    }
    builder.later(Duration::from_secs(3_600));
    builder.build()
}

/// A config as it is drawn: the agency's, with keys of it drawn anew.
#[derive(Clone)]
pub(super) struct Drawn {
    text: String,
    keys: BTreeMap<&'static str, String>,
}

/// Keys that change how a run goes, and not where anybody ends: calls, limits, and who says yes.
const HOW: [(&str, u64, &[&str]); 8] = [
    ("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", 30, &["2", "5", "none"]),
    ("HSMC_SYNC__FULL_EVERY", 40, &["1s", "12h", "10d"]),
    ("HSMC_SYNC__APPLY", 20, &["ask", "always"]),
    ("HSMC_SYNC__MAX_CHANGED_SHARE", 20, &["0.05", "0.3"]),
    ("HSMC_MAILCHIMP__CONNECTIONS", 50, &["1", "2", "5"]),
    ("HSMC_MAILCHIMP__BATCH_ABOVE", 60, &["1", "2", "5"]),
    ("HSMC_HUBSPOT__LIST_WRITE_LIMIT", 30, &["1", "3"]),
    ("HSMC_SYNC__ENROLL_BETWEEN", 10, &["08:00-18:00 Europe/London", "22:00-02:00 UTC"]),
];

/// Keys that change what is wanted.
const WHAT: [(&str, u64, &[&str]); 3] = [
    ("HSMC_SYNC__REFRESH_UNSUBSCRIBED", 30, &["false"]),
    ("HSMC_MAILCHIMP__AUDIENCE_CAP", 15, &["3", "10", "none"]),
    ("HSMC_MAILCHIMP__DOUBLE_OPT_IN", 15, &["true"]),
];

/// A segment that feeds a static list; people change their first names.
const FEEDS: &str = "\n[segments.some]\nwhere = 'firstname contains e'\nfeeds = { list = \"1100\" }\n";

/// What somebody may rewrite of it.
const FED_OTHERWISE: [(&str, &str); 2] = [
    ("feeds = { list = \"1100\" }", ""),
    ("where = 'firstname contains e'", "where = 'firstname contains a'"),
];

/// What somebody may rewrite in a config between two runs.
const REWRITTEN: [(&str, &str); 7] = [
    ("  { id = \"945\", tag = \"New Agents\" },\n", ""),
    ("tag = \"Sub Agents\"", "tag = \"Agents below\""),
    ("tag = \"Competition\"", "tag = \"list-name\""),
    ("exclude = [\"762\", \"773\", \"717\"]", "exclude = [\"762\", \"773\"]"),
    ("to = \"947\"\n", ""),
    ("name = \"general-marketing\"", "name = \"renamed\""),
    ("exempt_tags = [\"Manual Inclusion\"]", "exempt_tags = []"),
];

fn draw(chance: &mut Chance, keys: &[(&'static str, u64, &[&str])]) -> BTreeMap<&'static str, String> {
    let mut drawn = BTreeMap::new();
    for (key, percent, values) in keys {
        if chance.percent(*percent) {
            drawn.extend(chance.one_of(values).map(|value| (*key, (*value).to_owned())));
        }
    }
    drawn
}

/// Draws a config.
pub(super) fn config(chance: &mut Chance) -> Drawn {
    let mut text = config_toml(HUBSPOT, MAILCHIMP);
    if chance.percent(30) {
        text = text.replace("archive = true", "archive = false");
    }
    if chance.percent(40) {
        text = text.replace("create_missing = false", "create_missing = true");
    }
    if chance.percent(30) {
        text = text.replace("# ori_lists", "ori_lists");
    }
    let mut drawn = Drawn { text, keys: draw(chance, &WHAT) }.retuned(chance);
    if chance.percent(30) {
        drawn.text.push_str(FEEDS);
    }
    drawn
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rewritten = REWRITTEN.iter().filter(|(from, _)| !self.text.contains(from)).map(|(from, _)| from);
        write!(f, "{:?}, without {:?}", self.keys, rewritten.collect::<Vec<_>>())
    }
}

impl Drawn {
    /// Runs go otherwise, and lead everybody to the same place.
    pub(super) fn retuned(&self, chance: &mut Chance) -> Drawn {
        let mut keys = self.keys.clone();
        keys.retain(|key, _| WHAT.iter().any(|(what, ..)| what == key));
        keys.insert("HSMC_SYNC__MAX_CHANGED_SHARE", "none".to_owned());
        keys.extend(draw(chance, &HOW));
        Drawn { text: self.text.clone(), keys }
    }

    /// The same once nothing waits for an hour of the day any more.
    pub(super) fn at_any_hour(&self) -> Drawn {
        let mut drawn = self.clone();
        drawn.keys.remove("HSMC_SYNC__ENROLL_BETWEEN");
        drawn
    }

    /// Somebody wants something else by now.
    pub(super) fn rewritten(&self, chance: &mut Chance) -> Drawn {
        let may_be: &[(&str, &str)] =
            if self.text.contains(FEEDS) && chance.percent(50) { &FED_OTHERWISE } else { &REWRITTEN };
        let (from, to) = chance.one_of(may_be).copied().unwrap_or_default();
        Drawn { text: self.text.replace(from, to), keys: self.keys.clone() }
    }

    /// Reads it, as from a folder.
    pub(super) fn load(&self, folder: &Path) -> Result<Config, ConfigErrors> {
        let environment: Environment = self.keys.clone().into_iter().collect();
        // Also on the disk: messages name its lines.
        if let Err(problem) = std::fs::write(folder.join("hsmc.toml"), &self.text) {
            tracing::warn!(%problem, "the config of a simulation cannot be written");
        }
        config::load_text("hsmc.toml", &self.text, folder, &environment)
    }
}
