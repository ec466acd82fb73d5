//! Somebody else keeps taking back what hsmc does (design §3.11).

use crate::support::{NOW, Stage, ann, tag};
use hsmc::domain::moves::MoveKind;
use hsmc::domain::person::PersonState;
use hsmc::domain::time::Timestamp;

const HOURS: i64 = 3_600_000;

/// The stage a while later.
fn later(mut stage: Stage, hours: i64) -> Stage {
    stage.world.seen = Timestamp(stage.world.seen.0 + hours * HOURS);
    stage
}

/// Another tool takes the entry tag off whenever hsmc has set it.
fn untagged(mut stage: Stage) -> Stage {
    stage.member.as_mut().unwrap().tags.retain(|borne| *borne != tag("General Single"));
    stage
}

fn taken_back(times: usize, hours: i64) -> Stage {
    let mut stage = ann().in_lists(&[987]).subscribed(&[]);
    for _ in 0..times {
        assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll);
        stage = later(untagged(stage.next()), hours);
    }
    stage
}

#[test]
fn a_change_taken_back_three_times_is_contested_and_not_made_a_fourth_time() {
    assert_eq!(taken_back(2, 8).decision().due.unwrap().kind, MoveKind::Enroll, "twice may be a mistake");
    let contested = taken_back(3, 8);
    contested.rests(PersonState::Contested);
    let decision = contested.decision();
    assert!(decision.notes.iter().any(|note| note.starts_with("contested: enroll")), "{:?}", decision.notes);
    let settled = contested.next();
    settled.rests(PersonState::Contested);
    assert_eq!(settled.decision().notes, Vec::<String>::new(), "told once");
    // Even when the other tool gives in: an operator says when it goes on.
    later(settled.subscribed(&["General Single"]), 24 * 30).rests(PersonState::Contested);
}

#[test]
fn coming_and_going_over_weeks_is_nobodys_fight() {
    let stage = taken_back(3, 24 * 4);
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll);
}

#[test]
fn an_opt_out_of_somebody_contested_is_delivered() {
    let contested = taken_back(3, 8).next();
    assert_eq!(contested.memory.contested.unwrap().since, Timestamp(NOW.0 + 24 * HOURS));
    let due = contested.opted_out_in_hubspot().decision().due.unwrap();
    assert_eq!(due.kind, MoveKind::OptOutMailchimp);
}

#[test]
fn who_is_put_back_into_a_list_and_out_again_is_contested_too() {
    let mut stage = ann().in_lists(&[987]).subscribed(&["General Single"]).next();
    for _ in 0..3 {
        let gone = later(stage.leaves(987).proven(), 4);
        assert_eq!(gone.decision().due.unwrap().kind, MoveKind::Orphan);
        let mut back = later(gone.next().in_lists(&[987]), 4);
        back.proven = false;
        assert_eq!(back.decision().due.unwrap().kind, MoveKind::Restore);
        stage = back.next();
    }
    later(stage.leaves(987).proven(), 4).rests(PersonState::Contested);
}

#[test]
fn r12_who_enters_an_exclusion_list_is_excluded_although_contested() {
    let contested = taken_back(3, 8).next();
    let excluded = contested.in_lists(&[717, 762]).subscribed(&["General Single"]);
    assert_eq!(excluded.decision().due.unwrap().kind, MoveKind::Exclude);
}

#[test]
fn refreshes_and_renames_are_nobodys_fight() {
    let mut stage = ann().in_lists(&[987]).subscribed(&["General Single"]);
    for _ in 0..5 {
        stage = stage.property("firstname", "Anna");
        assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Refresh);
        stage = later(stage.next(), 1);
        stage.member.as_mut().unwrap().fields.insert("FNAME".to_owned(), "Theirs".to_owned());
    }
}

#[test]
fn a_released_person_is_judged_afresh() {
    use hsmc::domain::memory::{Release, release};
    let mut stage = taken_back(3, 8).next();
    let (released, _) = release(&stage.memory, Release::Parked, stage.world.seen).unwrap();
    stage.memory = released;
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll);
}
