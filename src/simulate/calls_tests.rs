//! How many calls whole runs make, counted in virtual time: the same on every machine, however busy.

use super::chance::{Chance, Drawn};
use super::faults::Fate;
use super::held;
use super::network::{BASE, HUBSPOT, MAILCHIMP};
use super::orders::Order;
use super::process::{Ended, live};
use super::stage::Stage;
use super::trace::Trace;
use crate::config::{self, Environment};
use crate::domain::port::Entropy;
use crate::sandbox::Sandbox;
use crate::sandbox::mailchimp::Status;
use crate::sandbox::scenario::{self, Condition, add_person, agency_without_people, config_toml};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Room for the futures of a debug build, which lie on the stack while they are made.
const STACK: usize = 32 * 1024 * 1024;

/// Calls of a first run, by kind.
fn first_run(mut sandbox: Sandbox, keys: &[(&'static str, &str)]) -> BTreeMap<String, u64> {
    BASE.clone_into(&mut sandbox.settings.base_url);
    let keys: Vec<_> = keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let work = move || {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let text = config_toml(HUBSPOT, MAILCHIMP);
        let everybody = ["HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "HSMC_SYNC__MAX_CHANGED_SHARE"];
        let everybody = everybody.map(|key| (key.to_owned(), "none".to_owned()));
        let environment: Environment = keys.into_iter().chain(everybody).collect();
        let config = config::load_text("hsmc.toml", &text, folder.path(), &environment).unwrap();
        let trace = Arc::new(Trace::new(false));
        let stage = Arc::new(Stage::new(sandbox, Chance::of(1, 0), folder.path().to_path_buf(), trace, true));
        let entropy: Arc<dyn Entropy> = Arc::new(Drawn::new(Chance::of(1, 1)));
        let fate = Fate::calm(Order::plain(), Duration::ZERO);
        let ended = live(&stage, &config, &entropy, &fate, |_| ()).unwrap();
        assert!(matches!(ended, Ended::Ran(_)), "{ended}");
        let sandbox = held(&stage.sandbox);
        let mut calls = BTreeMap::new();
        for (kind, count) in sandbox.calls.all() {
            *calls.entry(format!("{} {}", kind.method, kind.template)).or_default() += count;
        }
        calls
    };
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

#[test]
fn moves_of_every_kind_share_the_calls_of_the_lanes_in_which_they_meet() {
    let mut builder = agency_without_people();
    let mut chance = Chance::of(7, 0);
    for number in 0..30 {
        let conditions = [Condition::Finished, Condition::Orphan, Condition::ExcludedDeal];
        add_person(&mut builder, chance.generator(), number, conditions[number % 3]);
    }
    let calls = first_run(builder.build(), &[("HSMC_MAILCHIMP__BATCH_ABOVE", "1")]);
    // A handover has the longest way to its archive; the others wait for it.
    assert_eq!(calls.get("POST /3.0/batches"), Some(&1), "{calls:?}");
    assert_eq!(calls.keys().find(|call| call.starts_with("DELETE")), None, "{calls:?}");
}

#[test]
fn a_first_run_over_a_thousand_people_makes_at_most_a_fifth_more_calls_than_the_fewest() {
    let sandbox = scenario::named("large", 1, Some(1_000)).unwrap();
    let calls = first_run(sandbox, &[]);
    // `hsmc bench runs` reckons the fewest from what there is to read and to change: 78.
    let total: u64 = calls.values().sum();
    assert!(total * 5 <= 78 * 6, "{total} calls: {calls:#?}");
}

#[test]
fn thousands_of_handovers_at_once_make_at_most_a_tenth_more_calls_than_the_fewest() {
    let mut builder = agency_without_people();
    for number in 1..=3_000 {
        let email = format!("person{number}@example.com");
        let contact = builder.contact(&[("email", &email), ("firstname", "Ada"), ("lastname", "Archer")]);
        builder.join(987, contact).member(&email, Status::Subscribed);
        builder.field(&email, "FNAME", "Ada").field(&email, "LNAME", "Archer");
        builder.tag(&email, "General Single").tag(&email, "General Single Finished");
    }
    let calls = first_run(builder.build(), &[]);
    // Read: two calls of the portal's, 31 pages of lists, 30 of people, two searches, tags and merge fields, four pages of
    // members. Change: six calls for each list, 30 for the property, six for each tag, three for each batch of a thousand.
    let (reading, changing) = (2 + 31 + 30 + 2 + 2 + 4, 2 * 6 + 30 + 2 * 6 + 3 * 3);
    let total: u64 = calls.values().sum();
    assert!(total * 10 <= (reading + changing) * 11, "{total} calls: {calls:#?}");
}
