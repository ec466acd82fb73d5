//! The typed journal: what points to a record always agrees with the record.

use super::samples;
use hsmc::domain::email::Email;
use hsmc::domain::event::{MoveEnd, MoveEvent};
use hsmc::domain::id::{MoveId, PersonId, RecordId, RunId};
use hsmc::domain::person::{PastState, Person, PersonState};
use hsmc::domain::run::Run;
use hsmc::domain::time::Timestamp;
use hsmc::journal::Journal;
use hsmc::journal::store::memory::MemoryStore;
use hsmc::journal::store::{Batch, Table};
use std::sync::Arc;

fn journal() -> Journal {
    Journal::new(Arc::new(MemoryStore::new()))
}

fn id(run: u64, number: u32) -> MoveId {
    MoveId { run: RunId(run), number }
}

fn email(name: &str) -> Option<Email> {
    Email::parse(&format!("{name}@example.com")).ok()
}

async fn put(journal: &Journal, new: &Person, old: Option<&Person>) {
    let mut batch = Batch::new();
    journal.put_person(&mut batch, new, old).unwrap();
    journal.commit(batch).await.unwrap();
}

fn found(journal: &Journal, name: &str) -> Option<PersonId> {
    journal.person_by_hash(email(name).unwrap().hash()).unwrap()
}

#[tokio::test]
async fn a_move_is_open_from_its_plan_to_its_end() {
    let journal = journal();
    let person = PersonId(51);
    let planned = MoveEvent::Planned { draft: Box::new(samples::draft()), at: Timestamp(1) };
    let ended = MoveEvent::Ended { end: MoveEnd::Done, at: Timestamp(2) };
    let mut batch = Batch::new();
    for number in 1..=5 {
        journal.append_event(&mut batch, id(1, number), person, &planned).unwrap();
    }
    journal.append_event(&mut batch, id(2, 1), person, &planned).unwrap();
    journal.commit(batch).await.unwrap();
    let mut batch = Batch::new();
    journal.append_event(&mut batch, id(1, 2), person, &ended).unwrap();
    journal.commit(batch).await.unwrap();

    assert_eq!(journal.open_moves(None, 2).unwrap(), [id(1, 1), id(1, 3)]);
    assert_eq!(journal.open_moves(Some(id(1, 3)), 9).unwrap(), [id(1, 4), id(1, 5), id(2, 1)]);
    assert_eq!(journal.events(id(1, 2)).unwrap(), [planned.clone(), ended]);
    assert_eq!(journal.events(id(9, 9)).unwrap(), []);
    let of_run = journal.moves_of_run(RunId(1), Some(id(1, 4)), 9).unwrap();
    assert_eq!(of_run, [(id(1, 5), vec![planned])]);
    assert_eq!(journal.moves_of_person(person).unwrap().len(), 6);
    assert_eq!(journal.moves_of_person(PersonId(52)).unwrap(), []);
}

#[tokio::test]
async fn a_person_is_found_by_what_they_have_now_and_by_nothing_they_had() {
    let journal = journal();
    let old = Person::new(PersonId(1), email("ann"), Some(RecordId(10)), Timestamp(0));
    put(&journal, &old, None).await;
    // A rename is due: both addresses lead to her.
    let renaming = Person {
        email: email("ann.new"),
        previous_email: email("ann"),
        record: Some(RecordId(11)),
        ..old.clone()
    };
    put(&journal, &renaming, Some(&old)).await;
    assert_eq!((found(&journal, "ann"), found(&journal, "ann.new")), (Some(old.id), Some(old.id)));
    assert_eq!(journal.person_by_record(RecordId(10)).unwrap(), None);
    assert_eq!(journal.person_by_record(RecordId(11)).unwrap(), Some(old.id));
    let renamed = Person { previous_email: None, ..renaming.clone() };
    put(&journal, &renamed, Some(&renaming)).await;
    assert_eq!((found(&journal, "ann"), found(&journal, "ann.new")), (None, Some(old.id)));
    assert_eq!(journal.person(old.id).unwrap(), Some(renamed));
}

#[tokio::test]
async fn an_address_that_passes_to_somebody_else_leads_to_them_in_either_order() {
    for giver_first in [true, false] {
        let journal = journal();
        let giver = Person::new(PersonId(1), email("ann"), Some(RecordId(10)), Timestamp(0));
        let taker = Person::new(PersonId(2), email("bob"), None, Timestamp(0));
        put(&journal, &giver, None).await;
        put(&journal, &taker, None).await;
        let gave = Person { email: None, record: None, ..giver.clone() };
        let took = Person { email: email("ann"), record: Some(RecordId(10)), ..taker.clone() };
        let mut changes = [(&gave, &giver), (&took, &taker)];
        if !giver_first {
            changes.reverse();
        }
        let mut batch = Batch::new();
        for (new, old) in changes {
            journal.put_person(&mut batch, new, Some(old)).unwrap();
        }
        journal.commit(batch).await.unwrap();
        assert_eq!((found(&journal, "ann"), found(&journal, "bob")), (Some(taker.id), None));
        assert_eq!(journal.person_by_record(RecordId(10)).unwrap(), Some(taker.id));
    }
}

/// Two people whose contacts were merged: the survivor's member stands under the other's address until it is renamed.
#[tokio::test]
async fn an_address_that_somebody_has_stays_theirs_while_and_after_another_one_only_had_it() {
    let journal = journal();
    let absorbed = Person::new(PersonId(1), email("ann"), None, Timestamp(0));
    let survivor = Person::new(PersonId(2), email("bob"), None, Timestamp(0));
    put(&journal, &absorbed, None).await;
    put(&journal, &survivor, None).await;
    let renaming = Person { previous_email: email("ann"), ..survivor.clone() };
    put(&journal, &renaming, Some(&survivor)).await;
    assert_eq!((found(&journal, "ann"), found(&journal, "bob")), (Some(absorbed.id), Some(survivor.id)));
    put(&journal, &survivor, Some(&renaming)).await;
    assert_eq!((found(&journal, "ann"), found(&journal, "bob")), (Some(absorbed.id), Some(survivor.id)));
}

#[tokio::test]
async fn runs_are_listed_newest_first_over_gaps() {
    let journal = journal();
    assert_eq!(journal.last_run_id().unwrap(), None);
    assert_eq!(journal.runs(3).unwrap(), []);
    let mut batch = Batch::new();
    for number in [1, 2, 3, 40, 41] {
        journal.put_run(&mut batch, &Run { id: RunId(number), ..samples::run() }).unwrap();
    }
    journal.commit(batch).await.unwrap();
    let mut batch = Batch::new();
    journal.put_run(&mut batch, &Run { id: RunId(2), full: false, ..samples::run() }).unwrap();
    journal.commit(batch).await.unwrap();
    assert_eq!(journal.last_run_id().unwrap(), Some(RunId(41)));
    let ids = |limit| journal.runs(limit).unwrap().into_iter().map(|run| run.id.0).collect::<Vec<_>>();
    assert_eq!(ids(2), [41, 40]);
    assert_eq!(ids(4), [41, 40, 3, 2]);
    assert_eq!(ids(99), [41, 40, 3, 2, 1]);
    assert!(!journal.run(RunId(2)).unwrap().unwrap().full);
}

#[tokio::test]
async fn no_person_number_is_handed_out_twice() {
    let journal = journal();
    let (one, other) = tokio::join!(journal.reserve_person_ids(10), journal.reserve_person_ids(5));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.end <= other.start || other.end <= one.start);
    let again = Journal::new(journal.store().clone()).reserve_person_ids(1).await.unwrap();
    assert_eq!(again, 16..17);
}

#[tokio::test]
async fn single_values_and_watermarks_come_back_and_an_unreadable_record_is_named_without_its_key() {
    let journal = journal();
    let mut batch = Batch::new();
    journal.meta_put(&mut batch, "pauses", &vec![("list".to_owned(), 946_u64)]).unwrap();
    journal.put_watermark(&mut batch, "list 946", &samples::watermark()).unwrap();
    batch.put(Table::Runs, 1_u64.to_be_bytes(), [200, 1, 2, 3]);
    journal.commit(batch).await.unwrap();
    assert_eq!(journal.meta_get::<Vec<(String, u64)>>("pauses").unwrap().unwrap().len(), 1);
    assert_eq!(journal.meta_get::<u64>("nothing").unwrap(), None);
    assert_eq!(journal.watermark("list 946").unwrap(), Some(samples::watermark()));
    let error = journal.run(RunId(1)).unwrap_err().to_string();
    assert_eq!(error, "the journal's table Runs: a run record has version 200; this hsmc reads up to 3");
}

#[tokio::test]
async fn a_state_that_a_person_has_left_stays_in_their_history() {
    let journal = journal();
    let new = Person::new(PersonId(7), email("ann"), None, Timestamp(1));
    put(&journal, &new, None).await;
    let enrolled =
        Person { state: PersonState::Enrolled, why: "R1".to_owned(), since: Timestamp(2), ..new.clone() };
    put(&journal, &enrolled, Some(&new)).await;
    assert_eq!(journal.past_states(PersonId(7)).unwrap(), [], "nobody had decided on them before");
    let out = Person {
        state: PersonState::OptedOut,
        why: "R20".to_owned(),
        since: Timestamp(3),
        ..enrolled.clone()
    };
    put(&journal, &out, Some(&enrolled)).await;
    put(&journal, &Person { why: "R21".to_owned(), ..out.clone() }, Some(&out)).await;
    let past = PastState {
        state: PersonState::Enrolled,
        why: "R1".to_owned(),
        since: Timestamp(2),
        until: Timestamp(3),
    };
    assert_eq!(journal.past_states(PersonId(7)).unwrap(), [past]);
    assert_eq!(journal.past_states(PersonId(8)).unwrap(), []);
}
