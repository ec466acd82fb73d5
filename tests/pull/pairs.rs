//! What joins two records.

use crate::stage::*;
use hsmc::mirror::pull::Ask;
use hsmc::mirror::{Mirror, PullEnd};
use hsmc::sandbox::Act;
use std::time::Duration;

/// Contacts and companies, joined so that some have many and some have none.
fn joined() -> Stage {
    let stage = Stage::new(20);
    let (contacts, companies): (Vec<u64>, Vec<u64>) =
        (stage.theirs("contacts").into_keys().collect(), stage.theirs("companies").into_keys().collect());
    {
        let mut sandbox = stage.sandbox.lock().unwrap();
        sandbox.settings.association_page = 4;
        for (at, contact) in contacts.iter().enumerate() {
            // 0, 7 and 14 have many, every third has none.
            let count = if at % 7 == 0 { 11 } else { at % 3 };
            for company in companies.iter().cycle().skip(at).take(count) {
                sandbox.hubspot.link(("contacts", *contact), ("companies", *company), "");
            }
            if at % 5 == 0 {
                sandbox.hubspot.link(("contacts", *contact), ("companies", companies[at]), "Owner");
            }
        }
    }
    stage
}

async fn with_contacts(stage: &Stage) -> Mirror {
    let mirror = mirror();
    stage.pull(&mirror, "contacts", &Ask::default()).await.unwrap();
    mirror
}

async fn pull(stage: &Stage, mirror: &Mirror, batch_size: usize) -> hsmc::mirror::Pull {
    let ask = Ask { batch_size: Some(batch_size), ..Ask::default() };
    stage.pull_pairs(mirror, "contacts", "companies", &ask).await.unwrap()
}

#[tokio::test]
async fn pairs_with_their_labels_are_there_from_both_sides() {
    for batch_size in [1, 3, 7, 1_000] {
        let stage = joined();
        let mirror = with_contacts(&stage).await;
        let done = pull(&stage, &mirror, batch_size).await;
        assert_eq!(done.end, PullEnd::Done);
        assert_eq!(done.counts.new, done.ours.unwrap());
        stage.assert_same_pairs(&mirror, "contacts", "companies");
        let again = pull(&stage, &mirror, batch_size).await;
        assert_eq!(again.counts.unchanged, again.counts.seen, "nothing was changed, and nothing is");
    }
}

#[tokio::test]
async fn whoever_has_more_than_one_page_holds_shares_a_call_with_the_next_records() {
    let stage = joined();
    let mirror = with_contacts(&stage).await;
    // 20 records and, for three of them, two further pages: by 7 a call.
    assert_eq!(pull(&stage, &mirror, 7).await.counts.calls, 5);
    assert_eq!(pull(&stage, &mirror, 1_000).await.counts.calls, 3);
}

#[tokio::test]
async fn what_is_joined_no_more_vanishes_from_both_sides() {
    for batch_size in [2, 1_000] {
        let stage = joined();
        let mirror = with_contacts(&stage).await;
        pull(&stage, &mirror, batch_size).await;
        let contacts: Vec<u64> = stage.theirs("contacts").into_keys().collect();
        let mut parted = 0;
        for contact in [contacts[0], contacts[1], contacts[7]] {
            let others = stage.sandbox.lock().unwrap().hubspot.linked("contacts", contact, "companies");
            for other in others.into_keys().step_by(3) {
                let (from, to) = ("contacts".to_owned(), "companies".to_owned());
                stage.act(Act::Part { from, record: contact, to, other });
                parted += 1;
            }
        }
        // A contact that is gone is joined with nobody.
        let gone =
            stage.sandbox.lock().unwrap().hubspot.linked("contacts", contacts[14], "companies").len() as u64;
        stage.act(Act::DeleteContact { contact: contacts[14].to_string() });
        stage.pass(Duration::from_secs(60));
        stage.pull(&mirror, "contacts", &Ask::default()).await.unwrap();
        let done = pull(&stage, &mirror, batch_size).await;
        assert_eq!(done.counts.removed, parted + gone);
        stage.assert_same_pairs(&mirror, "contacts", "companies");
    }
}

#[tokio::test]
async fn a_label_that_changes_is_seen() {
    let stage = joined();
    let mirror = with_contacts(&stage).await;
    pull(&stage, &mirror, 1_000).await;
    let contact = *stage.theirs("contacts").keys().next().unwrap();
    let other = *stage
        .sandbox
        .lock()
        .unwrap()
        .hubspot
        .linked("contacts", contact, "companies")
        .keys()
        .last()
        .unwrap();
    let (from, to) = ("contacts".to_owned(), "companies".to_owned());
    stage.act(Act::Join { from, record: contact, to, other, label: "Billing".to_owned() });
    let done = pull(&stage, &mirror, 1_000).await;
    assert_eq!((done.counts.changed, done.counts.new), (1, 0));
    stage.assert_same_pairs(&mirror, "contacts", "companies");
}
