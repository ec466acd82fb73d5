//! What a seed draws before anything runs: the people in both accounts, how the accounts behave, and the config.

use super::chance::Chance;
use super::network::{BASE, HUBSPOT, MAILCHIMP};
use crate::config::{self, Config, ConfigErrors, Environment};
use crate::sandbox::Sandbox;
use crate::sandbox::scenario::{CONDITIONS, Condition, add_person, agency_without_people, config_toml};
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

/// The config: the agency's, with keys of it drawn anew.
pub(super) fn config(chance: &mut Chance, folder: &Path) -> Result<Config, ConfigErrors> {
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
    // Nobody is there to say yes to a gate.
    let mut keys = vec![("HSMC_SYNC__MAX_CHANGED_SHARE", "none".to_owned())];
    let mut draw = |key, percent, values: &[&str]| {
        if chance.percent(percent) {
            keys.extend(chance.one_of(values).map(|value| (key, (*value).to_owned())));
        }
    };
    draw("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", 30, &["2", "5", "none"]);
    draw("HSMC_SYNC__FULL_EVERY", 40, &["1s", "12h", "10d"]);
    draw("HSMC_SYNC__REFRESH_UNSUBSCRIBED", 30, &["false"]);
    draw("HSMC_MAILCHIMP__AUDIENCE_CAP", 15, &["3", "10", "none"]);
    draw("HSMC_MAILCHIMP__DOUBLE_OPT_IN", 15, &["true"]);
    draw("HSMC_MAILCHIMP__CONNECTIONS", 50, &["1", "2", "5"]);
    draw("HSMC_MAILCHIMP__BATCH_ABOVE", 60, &["1", "2", "5"]);
    draw("HSMC_HUBSPOT__LIST_WRITE_LIMIT", 30, &["1", "3"]);
    let file = folder.join("hsmc.toml");
    let environment: Environment = keys.into_iter().collect();
    // Also on the disk: messages name its lines.
    if let Err(problem) = std::fs::write(&file, &text) {
        tracing::warn!(%problem, "the config of a simulation cannot be written");
    }
    config::load_text("hsmc.toml", &text, folder, &environment)
}
