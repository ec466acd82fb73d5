//! People who were forgotten: nothing that names them stays, and they are known again by their address alone.

use super::samples;
use hsmc::domain::email::Email;
use hsmc::domain::id::{PersonId, RecordId};
use hsmc::domain::person::{Person, PersonState};
use hsmc::domain::port::Entropy;
use hsmc::domain::time::Timestamp;
use hsmc::journal::forgotten::ForgottenPeople;
use hsmc::journal::store::memory::MemoryStore;
use hsmc::journal::store::{Batch, Table};
use hsmc::journal::{ConsentLedger, Journal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

struct Sevens;

/// Another secret each time, as in life.
#[derive(Default)]
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn fraction(&self) -> f64 {
        0.0
    }
    fn secret(&self) -> [u8; 32] {
        [self.0.fetch_add(1, Ordering::SeqCst); 32]
    }
}

impl Entropy for Sevens {
    fn fraction(&self) -> f64 {
        0.0
    }
    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.com")).unwrap()
}

async fn forgotten() -> Journal {
    let journal = Journal::new(Arc::new(MemoryStore::new()));
    let consent = ConsentLedger::new(journal.clone(), Arc::new(Sevens));
    let ann = Person {
        previous_email: Some(email("ann.old")),
        ..Person::new(PersonId(51), Some(email("ann")), Some(RecordId(9_001)), Timestamp(1))
    };
    let bob = Person::new(PersonId(52), Some(email("bob")), Some(RecordId(9_002)), Timestamp(1));
    let mut batch = Batch::new();
    journal.put_person(&mut batch, &ann, None).unwrap();
    journal.put_person(&mut batch, &bob, None).unwrap();
    journal.commit(batch).await.unwrap();
    let left = Person { state: PersonState::Enrolled, why: "R1".to_owned(), ..ann.clone() };
    let gone = Person { state: PersonState::OptedOut, since: Timestamp(2), ..left.clone() };
    let mut batch = Batch::new();
    journal.put_person(&mut batch, &gone, Some(&left)).unwrap();
    journal.commit(batch).await.unwrap();
    let mut batch = Batch::new();
    journal.erase_person(&consent, &Sevens, &mut batch, &gone, samples::trace()).unwrap();
    journal.commit(batch).await.unwrap();
    journal
}

#[tokio::test]
async fn nothing_leads_to_a_forgotten_person_any_more_and_nobody_else_is_touched() {
    let journal = forgotten().await;
    assert_eq!(journal.person(PersonId(51)).unwrap(), None);
    for name in ["ann", "ann.old"] {
        assert_eq!(journal.person_by_hash(email(name).hash()).unwrap(), None);
    }
    assert_eq!(journal.person_by_record(RecordId(9_001)).unwrap(), None);
    assert_eq!(journal.past_states(PersonId(51)).unwrap(), []);
    assert_eq!(journal.person_by_hash(email("bob").hash()).unwrap(), Some(PersonId(52)));
    assert!(journal.must_compact().unwrap());
    let traces = journal.traces().unwrap();
    assert_eq!((traces.len(), traces[0].receipt.lines), (1, 1), "one past state");
    let mut batch = Batch::new();
    journal.end_trace(&mut batch, &traces[0].receipt).unwrap();
    journal.compacted(&mut batch);
    journal.commit(batch).await.unwrap();
    assert_eq!(journal.traces().unwrap(), []);
    assert_eq!(journal.receipt(traces[0].by).unwrap().as_ref(), Some(&traces[0].receipt));
    assert!(!journal.must_compact().unwrap());
}

#[tokio::test]
async fn whoever_was_forgotten_is_known_by_any_of_their_addresses_and_by_nothing_else() {
    let journal = forgotten().await;
    let people = ForgottenPeople::load(&journal).unwrap();
    assert!(people.find(&email("ann")).unwrap().opted_out);
    assert!(people.find(&email("ann.old")).is_some());
    assert_eq!(people.find(&email("bob")), None);
    let hashes = journal.store().scan(Table::Forgotten, &[], None, 9).unwrap();
    assert!(hashes.iter().all(|(key, _)| key.len() == 32 && *key != email("ann").hash().0));
}

#[tokio::test]
async fn without_the_key_nobody_is_taken_for_a_stranger_and_an_unreadable_record_counts() {
    let journal = forgotten().await;
    let (key, _) = journal.store().scan(Table::Forgotten, &[], None, 1).unwrap().remove(0);
    let mut batch = Batch::new();
    batch.put(Table::Forgotten, key, [200, 1]);
    journal.commit(batch).await.unwrap();
    let people = ForgottenPeople::load(&journal).unwrap();
    assert!(people.find(&email("ann")).is_some() && people.find(&email("ann.old")).is_some());
    let mut batch = Batch::new();
    journal.meta_delete(&mut batch, "forgotten-key");
    journal.commit(batch).await.unwrap();
    assert!(ForgottenPeople::load(&journal).is_err());
}

#[tokio::test]
async fn of_two_people_forgotten_at_once_as_the_first_ever_both_are_known_again() {
    let journal = Journal::new(Arc::new(MemoryStore::new()));
    let chance = Arc::new(Counting::default());
    let consent = ConsentLedger::new(journal.clone(), chance.clone());
    let people = ["ann", "bob"].map(|name| Person::new(PersonId(7), Some(email(name)), None, Timestamp(1)));
    journal.ready_to_forget(chance.as_ref()).await.unwrap();
    let batches = people.map(|person| {
        let mut batch = Batch::new();
        journal.erase_person(&consent, chance.as_ref(), &mut batch, &person, samples::trace()).unwrap();
        batch
    });
    for batch in batches {
        journal.commit(batch).await.unwrap();
    }
    journal.ready_to_forget(chance.as_ref()).await.unwrap();
    let forgotten = ForgottenPeople::load(&journal).unwrap();
    for name in ["ann", "bob"] {
        assert!(forgotten.find(&email(name)).is_some(), "{name}");
    }
}
