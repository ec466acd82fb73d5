//! The outbox: alerts are folded, numbered for ever, and never in anybody's way.

use hsmc::domain::alert::{Alert, Said};
use hsmc::domain::failure::Service;
use hsmc::domain::id::RunId;
use hsmc::domain::time::Timestamp;
use hsmc::journal::Journal;
use hsmc::journal::store::memory::MemoryStore;
use hsmc::journal::store::{Batch, Table};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const QUIET: Duration = Duration::from_secs(3600);

fn journal() -> Journal {
    Journal::new(Arc::new(MemoryStore::new()))
}

fn refused(service: Service) -> Alert {
    Alert::CredentialsRefused { service }
}

fn summary(run: u64) -> Alert {
    Alert::RunSummary {
        run: RunId(run),
        end: "done".to_owned(),
        ended: BTreeMap::new(),
        left_out: BTreeMap::new(),
        took: Duration::ZERO,
    }
}

async fn raise(journal: &Journal, alert: Alert, at: i64) {
    let mut outbox = journal.outbox().await.unwrap();
    outbox.raise(alert, Timestamp(at), QUIET);
    outbox.commit().await.unwrap();
}

fn numbers(journal: &Journal) -> Vec<u64> {
    journal.standing().unwrap().iter().map(|one| one.number).collect()
}

#[tokio::test]
async fn equal_alerts_are_one_record_and_a_number_is_never_given_twice() {
    let journal = journal();
    for at in 0..5 {
        raise(&journal, refused(Service::HubSpot), at).await;
        raise(&journal, refused(Service::Mailchimp), at).await;
    }
    let standing = journal.standing().unwrap();
    assert_eq!(standing.iter().map(|one| (one.number, one.times)).collect::<Vec<_>>(), [(1, 5), (2, 5)]);
    let mut outbox = journal.outbox().await.unwrap();
    outbox.resolve(Timestamp(10), |alert| *alert == refused(Service::Mailchimp));
    outbox.tidy(&[], Timestamp(10_000_000), QUIET);
    outbox.commit().await.unwrap();
    assert_eq!(numbers(&journal), [1]);
    raise(&journal, refused(Service::Mailchimp), 20).await;
    assert_eq!(numbers(&journal), [1, 3]);
}

#[tokio::test]
async fn what_is_looked_for_again_and_again_writes_nothing_while_nothing_changes() {
    let journal = journal();
    for at in 0..3 {
        let mut outbox = journal.outbox().await.unwrap();
        outbox.keep_up(refused(Service::HubSpot), Timestamp(at), QUIET);
        assert_eq!(outbox.is_changed(), at == 0);
        outbox.commit().await.unwrap();
    }
    let mut outbox = journal.outbox().await.unwrap();
    outbox.keep_up(refused(Service::HubSpot), Timestamp(0).plus(QUIET), QUIET);
    assert!(outbox.is_changed(), "still so after the quiet window");
}

#[tokio::test]
async fn an_alert_is_there_with_the_batch_it_was_raised_in_or_not_at_all() {
    let journal = journal();
    let mut batch = Batch::new();
    let mut outbox = journal.outbox().await.unwrap();
    outbox.raise(refused(Service::HubSpot), Timestamp(1), QUIET);
    outbox.write(&mut batch).unwrap();
    // The process ends here: neither the alert nor its number was used up.
    drop((outbox, batch));
    assert_eq!(numbers(&journal), Vec::<u64>::new());
    raise(&journal, refused(Service::HubSpot), 2).await;
    assert_eq!(numbers(&journal), [1]);
}

#[tokio::test]
async fn whoever_raises_and_whoever_tells_never_undo_each_others_words() {
    let journal = journal();
    raise(&journal, refused(Service::HubSpot), 1).await;
    let mut telling = journal.outbox().await.unwrap();
    let raising = tokio::spawn({
        let journal = journal.clone();
        async move { raise(&journal, refused(Service::HubSpot), 2).await }
    });
    tokio::task::yield_now().await;
    let delivery = telling.change(1).unwrap().deliveries.entry("teams".to_owned()).or_default();
    delivery.told = Some((Said::Raised(1), Timestamp(2)));
    telling.commit().await.unwrap();
    raising.await.unwrap();
    let one = &journal.standing().unwrap()[0];
    assert_eq!((one.times, one.deliveries.len()), (2, 1));
}

#[tokio::test]
async fn only_the_newest_summaries_are_kept_for_a_target_that_takes_none() {
    let journal = journal();
    for run in 1..=30 {
        raise(&journal, summary(run), 1).await;
        let mut outbox = journal.outbox().await.unwrap();
        outbox.tidy(&["teams"], Timestamp(1), QUIET);
        outbox.commit().await.unwrap();
    }
    assert_eq!(numbers(&journal), (11..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_left_out_and_holds_nobody_up() {
    let journal = journal();
    raise(&journal, refused(Service::HubSpot), 1).await;
    let mut batch = Batch::new();
    batch.put(Table::Outbox, 1_u64.to_be_bytes(), [9, 9, 9]);
    journal.commit(batch).await.unwrap();
    assert_eq!(numbers(&journal), Vec::<u64>::new());
    raise(&journal, refused(Service::HubSpot), 2).await;
    assert_eq!(numbers(&journal), [2]);
}
