//! The consent ledger (R23): nothing in it can be changed, taken out or put in between without showing.

use super::samples;
use hsmc::domain::consent::{ConsentChange, ConsentEntry, ConsentFact, Evidence};
use hsmc::domain::email::Email;
use hsmc::domain::id::PersonId;
use hsmc::domain::person::Person;
use hsmc::domain::port::Entropy;
use hsmc::domain::time::Timestamp;
use hsmc::journal::Journal;
use hsmc::journal::codec::encode;
use hsmc::journal::consent::ConsentLedger;
use hsmc::journal::key::{Key, PersonMoment};
use hsmc::journal::store::memory::MemoryStore;
use hsmc::journal::store::{Batch, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fraction(&self) -> f64 {
        0.5
    }
    fn secret(&self) -> [u8; 32] {
        [self.0.fetch_add(1, Ordering::SeqCst); 32]
    }
}

fn ledger() -> (Journal, ConsentLedger) {
    let journal = Journal::new(Arc::new(MemoryStore::new()));
    (journal.clone(), ConsentLedger::new(journal, Arc::new(Counting::default())))
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

fn entry(person: u64, change: ConsentChange, at: i64) -> ConsentEntry {
    let fact = ConsentFact { change, at: Timestamp(at), ..samples::fact() };
    ConsentEntry { person: PersonId(person), email: Some(email("ann")), fact }
}

async fn filled(links: u64) -> (Journal, ConsentLedger) {
    let (journal, ledger) = ledger();
    for n in 0..links {
        let change = ConsentChange::ALL[usize::try_from(n).unwrap() % ConsentChange::ALL.len()];
        let entries = vec![entry(1 + n % 3, change, n as i64)];
        ledger.commit(Batch::new(), entries).await.unwrap();
    }
    (journal, ledger)
}

fn key(place: u64) -> Vec<u8> {
    place.to_be_bytes().to_vec()
}

async fn put(journal: &Journal, place: u64, bytes: Vec<u8>) {
    let mut batch = Batch::new();
    batch.put(Table::Consent, key(place), bytes);
    journal.commit(batch).await.unwrap();
}

fn bytes(journal: &Journal, place: u64) -> Vec<u8> {
    journal.store().get(Table::Consent, &key(place)).unwrap().unwrap()
}

fn broken_at(ledger: &ConsentLedger) -> Option<u64> {
    ledger.verify().unwrap().broken.map(|broken| broken.place)
}

#[tokio::test]
async fn r23_links_come_back_by_person_in_order_and_the_chain_holds() {
    let (_, ledger) = filled(7).await;
    let check = ledger.verify().unwrap();
    assert_eq!((check.links, check.first, check.last), (7, Some(Timestamp(0)), Some(Timestamp(6))));
    assert_eq!(check.broken, None);
    let of_one = ledger.of_person(PersonId(1)).unwrap();
    assert_eq!(of_one.iter().map(|kept| kept.link.place).collect::<Vec<_>>(), [1, 4, 7]);
    assert_eq!(Some(of_one[2].hash), check.head);
    assert_eq!(ledger.of_person(PersonId(9)).unwrap(), []);
}

#[tokio::test]
async fn r23_a_link_becomes_durable_together_with_what_it_tells_of() {
    let (journal, ledger) = ledger();
    let mut batch = Batch::new();
    batch.put(Table::Runs, key(1), [1]);
    let two = vec![entry(1, ConsentChange::OptOutSeen, 5), entry(1, ConsentChange::OptOutDelivered, 5)];
    let before = journal.commit(Batch::new()).await.unwrap();
    ledger.ready().await.unwrap();
    let ready = journal.commit(Batch::new()).await.unwrap();
    assert_eq!(ready, before + 1);
    assert_eq!(ledger.commit(batch, two).await.unwrap(), ready + 1, "one commit");
    assert!(journal.store().get(Table::Runs, &key(1)).unwrap().is_some());
    // Of one moment, and yet apart.
    assert_eq!(ledger.of_person(PersonId(1)).unwrap().len(), 2);
    assert_eq!(ledger.verify().unwrap().links, 2);
}

/// Hundreds of opt-outs in one run would else wait for hundreds of commits, one after another.
#[tokio::test]
async fn r23_links_that_come_at_once_share_commits_and_stay_in_order() {
    let (journal, ledger) = ledger();
    ledger.ready().await.unwrap();
    let before = journal.commit(Batch::new()).await.unwrap();
    let entries = (0..600).map(|n| ledger.commit(Batch::new(), vec![entry(n, ConsentChange::OptOutSeen, 5)]));
    let places = futures::future::join_all(entries).await;
    let last = places.into_iter().map(Result::unwrap).max().unwrap();
    assert!(last - before <= 4, "{} commits for 600 links", last - before);
    assert_eq!((ledger.verify().unwrap().links, broken_at(&ledger)), (600, None));
    let place = |person| ledger.of_person(PersonId(person)).unwrap()[0].link.place;
    assert!((0..600).all(|person| place(person) == person + 1), "who came first stands first");
}

/// A client of the HTTP API may hang up in the midst of it.
#[tokio::test]
async fn r23_who_stops_waiting_cuts_nobody_short() {
    let (_, ledger) = ledger();
    let mut first = Box::pin(ledger.commit(Batch::new(), vec![entry(1, ConsentChange::OptOutSeen, 5)]));
    assert!(futures::poll!(&mut first).is_pending());
    let second = ledger.commit(Batch::new(), vec![entry(2, ConsentChange::OptOutSeen, 5)]);
    drop(first);
    second.await.unwrap();
    assert_eq!((ledger.verify().unwrap().links, broken_at(&ledger)), (2, None));
}

#[tokio::test]
async fn r23_tampering_with_one_byte_of_any_link_shows() {
    let (journal, ledger) = filled(4).await;
    for place in 1..=4 {
        let whole = bytes(&journal, place);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            put(&journal, place, changed).await;
            assert_eq!(broken_at(&ledger), Some(place), "byte {at} of link {place}");
        }
        put(&journal, place, whole).await;
        assert_eq!(broken_at(&ledger), None);
    }
}

#[tokio::test]
async fn r23_a_link_that_was_made_anew_with_its_own_hash_shows_at_the_next_one() {
    let (journal, ledger) = filled(4).await;
    let (other, _) = {
        let (journal, ledger) = super::consent::ledger();
        for n in 0..4 {
            let mut forged = entry(1 + n % 3, ConsentChange::OptOutSeen, n as i64);
            forged.fact.explanation = Some("never happened".to_owned());
            ledger.commit(Batch::new(), vec![forged]).await.unwrap();
        }
        (journal, ledger)
    };
    put(&journal, 2, bytes(&other, 2)).await;
    assert_eq!(broken_at(&ledger), Some(2), "it follows another link");
    let (journal, ledger) = filled(4).await;
    put(&journal, 1, bytes(&other, 1)).await;
    assert_eq!(broken_at(&ledger), Some(2), "the first link has no link before it, the second has");
    let (journal, ledger) = filled(1).await;
    put(&journal, 1, bytes(&other, 1)).await;
    assert_eq!(broken_at(&ledger), Some(1), "nothing follows it, but the head knows its hash");
}

#[tokio::test]
async fn r23_removing_any_link_the_last_one_too_shows() {
    for place in 1..=4 {
        let (journal, ledger) = filled(4).await;
        let mut batch = Batch::new();
        batch.delete(Table::Consent, key(place));
        journal.commit(batch).await.unwrap();
        assert_eq!(broken_at(&ledger), Some(place));
    }
}

#[tokio::test]
async fn r23_a_link_put_behind_the_head_or_a_head_taken_away_shows() {
    let (journal, ledger) = filled(4).await;
    let mut batch = Batch::new();
    journal.meta_delete(&mut batch, "consent-head");
    journal.commit(batch).await.unwrap();
    assert_eq!(broken_at(&ledger), Some(1));
    // Evidence is still kept, behind what is there, and the place shows for ever.
    ledger.commit(Batch::new(), vec![entry(1, ConsentChange::OptOutSeen, 9)]).await.unwrap();
    assert_eq!((broken_at(&ledger), ledger.verify().unwrap().links), (Some(5), 4));
    assert_eq!(ledger.of_person(PersonId(1)).unwrap().len(), 3);
    let (journal, ledger) = filled(4).await;
    put(&journal, 5, bytes(&journal, 4)).await;
    assert_eq!(broken_at(&ledger), Some(5));
}

#[tokio::test]
async fn r23_two_writers_never_fork_the_chain() {
    let (_, ledger) = ledger();
    let writers = (0..20).map(|n| {
        let ledger = ledger.clone();
        async move {
            for at in 0..10 {
                let entries = vec![entry(n, ConsentChange::OptOutSeen, at)];
                ledger.commit(Batch::new(), entries).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    futures::future::join_all(writers).await;
    let check = ledger.verify().unwrap();
    assert_eq!((check.links, check.broken), (200, None));
}

async fn old(journal: &Journal, person: u64, at: i64, explanation: &str) {
    let key = PersonMoment { person: PersonId(person), at: Timestamp(at), number: 0 };
    let evidence =
        Evidence { at: Timestamp(at), explanation: Some(explanation.to_owned()), ..samples::evidence() };
    let mut batch = Batch::new();
    batch.put(Table::Evidence, key.to_key(), encode(&evidence).unwrap());
    journal.commit(batch).await.unwrap();
}

#[tokio::test]
async fn r23_evidence_of_the_first_format_is_taken_into_the_chain_once_and_in_order() {
    let (journal, ledger) = ledger();
    let ann = Person::new(PersonId(2), Some(email("ann")), None, Timestamp(0));
    let mut batch = Batch::new();
    journal.put_person(&mut batch, &ann, None).unwrap();
    journal.commit(batch).await.unwrap();
    for (person, at, explanation) in [(2, 10, "b"), (1, 20, "c"), (2, 30, "d"), (3, 5, "a")] {
        old(&journal, person, at, explanation).await;
    }
    // The first new link comes behind all of them.
    ledger.commit(Batch::new(), vec![entry(2, ConsentChange::OptOutDelivered, 1)]).await.unwrap();
    ledger.ready().await.unwrap();
    let check = ledger.verify().unwrap();
    assert_eq!((check.links, check.broken), (5, None));
    let told = |person| -> Vec<(u64, String)> {
        let links = ledger.of_person(PersonId(person)).unwrap();
        links.into_iter().map(|kept| (kept.link.place, kept.link.fact.explanation.unwrap())).collect()
    };
    assert_eq!(told(3), [(1, "a".to_owned())]);
    assert_eq!(told(1), [(3, "c".to_owned())]);
    let own = "opted out by own hand".to_owned();
    assert_eq!(told(2), [(5, own), (2, "b".to_owned()), (4, "d".to_owned())]);
    let first = &ledger.of_person(PersonId(2)).unwrap()[1].link;
    assert_eq!(first.fact.change, ConsentChange::OptOutDelivered, "something was called");
    assert_eq!(ledger.commits_to(first, &email("ann")).unwrap(), Some(true));
}

#[tokio::test]
async fn r23_taking_over_that_was_cut_short_goes_on_with_what_is_left() {
    let (journal, ledger) = ledger();
    old(&journal, 1, 10, "first").await;
    ledger.ready().await.unwrap();
    // As if the process had ended before the rest: the note that all is taken over was not written.
    old(&journal, 2, 20, "second").await;
    let mut batch = Batch::new();
    journal.meta_delete(&mut batch, "consent-taken-over");
    journal.commit(batch).await.unwrap();
    ledger.ready().await.unwrap();
    assert_eq!(ledger.verify().unwrap().links, 2, "the first one is not taken twice");
}

#[tokio::test]
async fn r23_a_commitment_tells_the_address_only_while_its_salt_is_there() {
    let (journal, ledger) = ledger();
    ledger.commit(Batch::new(), vec![entry(1, ConsentChange::OptOutSeen, 1)]).await.unwrap();
    ledger.commit(Batch::new(), vec![entry(2, ConsentChange::OptOutSeen, 1)]).await.unwrap();
    let link = |person| ledger.of_person(PersonId(person)).unwrap().remove(0).link;
    assert_ne!(link(1).commitment, link(2).commitment, "each person has a salt of their own");
    assert_eq!(ledger.commits_to(&link(1), &email("ann")).unwrap(), Some(true));
    assert_eq!(ledger.commits_to(&link(1), &email("bob")).unwrap(), Some(false));
    let mut batch = Batch::new();
    ledger.forget_salt(&mut batch, PersonId(1));
    journal.commit(batch).await.unwrap();
    assert_eq!(ledger.commits_to(&link(1), &email("ann")).unwrap(), None);
    assert_eq!(broken_at(&ledger), None, "the chain holds without it");
    let shown = format!("{:?}", link(2));
    assert!(!shown.contains("ann"), "{shown}");
}

#[tokio::test]
async fn r23_the_commitment_is_hmac_sha256_over_the_address() {
    let fixed = ConsentLedger::new(Journal::new(Arc::new(MemoryStore::new())), Arc::new(Sevens));
    fixed.commit(Batch::new(), vec![entry(1, ConsentChange::OptOutSeen, 1)]).await.unwrap();
    let commitment = fixed.of_person(PersonId(1)).unwrap()[0].link.commitment.unwrap();
    // Computed by another implementation.
    assert_eq!(hex::encode(commitment.0), "61b55fab9c26d32d104ec34ed67a68f9042c022638ba102c71aeabc6b760fe1d");
}

struct Sevens;

impl Entropy for Sevens {
    fn fraction(&self) -> f64 {
        0.0
    }
    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}
