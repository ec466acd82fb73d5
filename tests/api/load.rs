//! How many webhooks a second are taken, each durable before it is answered, beside what the bare committer does at the
//! same time on the same disk. Measured, not asserted, but for this: none that was answered 200 is lost.
//!
//! `cargo test --release --test api -- --ignored --nocapture load`; SECONDS and SENDERS say how long and how many.

use crate::support::{Hurried, Stage};
use hsmc::domain::hint::{Hinted, Says};
use hsmc::domain::id::{PersonId, RecordId};
use hsmc::domain::person::Person;
use hsmc::domain::time::Timestamp;
use hsmc::journal::store::{Batch, Table};
use hsmc::serve::webhooks::{HubSpotSource, SigningKey, hubspot};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LINES: &str = "[webhooks]\nhubspot_secret = \"client-secret\"\nurl = \"https://sync.example.com\"";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// People enough that every webhook is about somebody who does not wait yet: each costs a commit.
async fn known(stage: &Stage, many: u64) {
    let journal = &stage.app.workspace.shared.journal;
    for chunk in (1..=many).collect::<Vec<_>>().chunks(2_000) {
        let mut batch = Batch::new();
        for id in chunk {
            let email = hsmc::domain::email::Email::parse(&format!("p{id}@example.com")).ok();
            let person =
                Person::new(PersonId(1_000_000 + id), email, Some(RecordId(1_000_000 + id)), Timestamp(0));
            journal.put_person(&mut batch, &person, None).unwrap();
        }
        journal.commit(batch).await.unwrap();
    }
}

async fn sender(
    address: String,
    source: HubSpotSource,
    clock: Arc<Hurried>,
    next: Arc<AtomicU64>,
    most: u64,
    until: Instant,
) -> (u64, Duration) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut taken, mut slowest, mut answer) = (0, Duration::ZERO, [0u8; 2048]);
    while Instant::now() < until {
        let id = next.fetch_add(1, Ordering::Relaxed);
        if id > most {
            break;
        }
        let now = clock.true_now().0;
        let body = format!(
            "[{{\"eventId\":{id},\"portalId\":4200042,\"occurredAt\":{now},\"objectId\":{},\
             \"subscriptionType\":\"contact.propertyChange\",\"propertyName\":\"hs_email_optout\"}}]",
            1_000_000 + id
        );
        let moment = now.to_string();
        let signature = hubspot::sign(&source, body.as_bytes(), &moment);
        let request = format!(
            "POST /v1/webhooks/hubspot HTTP/1.1\r\nHost: h\r\nX-HubSpot-Signature-v3: {signature}\r\n\
             X-HubSpot-Request-Timestamp: {moment}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let began = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let length = stream.read(&mut answer).await.unwrap();
        slowest = slowest.max(began.elapsed());
        if answer[..length].starts_with(b"HTTP/1.1 200") {
            taken += 1;
        }
    }
    (taken, slowest)
}

#[ignore = "a measurement"]
#[tokio::test(flavor = "multi_thread")]
async fn load() {
    let (seconds, senders) = (number("SECONDS", 20), number("SENDERS", 64));
    let most = number("PEOPLE", seconds * 8_000);
    let stage = Stage::with(LINES).await;
    known(&stage, most).await;
    let url = "https://sync.example.com/v1/webhooks/hubspot".to_owned();
    let source = HubSpotSource { key: SigningKey::new("client-secret").unwrap(), url, portal: None };
    let address = stage.base.trim_start_matches("http://").to_owned();
    let store = Arc::clone(stage.app.workspace.shared.journal.store());

    // The committer alone, as many writers, each waiting for its own.
    let bare = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let until = began + Duration::from_secs(5);
    let mut writers = Vec::new();
    for writer in 0..senders {
        let (store, bare) = (Arc::clone(&store), Arc::clone(&bare));
        writers.push(tokio::spawn(async move {
            while Instant::now() < until {
                let mut batch = Batch::new();
                batch.put(Table::Watermarks, format!("load {writer}"), [0u8; 24]);
                store.commit(batch).await.unwrap();
                bare.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let bare = bare.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();

    let next = Arc::new(AtomicU64::new(1));
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..senders)
        .map(|_| {
            tokio::spawn(sender(
                address.clone(),
                source.clone(),
                Arc::clone(&stage.clock),
                Arc::clone(&next),
                most,
                until,
            ))
        })
        .collect();
    let (mut taken, mut slowest) = (0, Duration::ZERO);
    for task in tasks {
        let (some, slow) = task.await.unwrap();
        taken += some;
        slowest = slowest.max(slow);
    }
    let rate = taken as f64 / began.elapsed().as_secs_f64();
    println!(
        "{taken} webhooks in {:.1} s: {rate:.0}/s, the slowest answer after {slowest:?}; bare committer {bare:.0}/s, ratio {:.2}",
        began.elapsed().as_secs_f64(),
        rate / bare
    );
    let stage = stage.restarted().await;
    let kept: BTreeSet<PersonId> =
        hsmc::journal::hints::all(&stage.app.workspace.shared.journal, Says::OptedOut)
            .unwrap()
            .into_iter()
            .flat_map(|(_, hint)| hint)
            .filter_map(|one| match one {
                Hinted::Person(person) => Some(person),
                Hinted::Record(_) => None,
            })
            .collect();
    assert_eq!(kept.len() as u64, taken, "each that was answered 200, and no other");
}
