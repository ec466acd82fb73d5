//! R10: changed addresses, and who somebody is.

use crate::support::{ADDRESS, Stage, ann, email};
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MemoryChange, MoveKind};
use hsmc::domain::person::PersonState;

const NEW: &str = "anna@example.com";

fn moved() -> Stage {
    ann().in_lists(&[987]).subscribed(&["General Single"]).address(NEW)
}

#[test]
fn r10_an_address_changed_in_hubspot_renames_the_member() {
    let stage = moved();
    stage.is_due(MoveKind::Rename, &["change the member's address"]);
    let decision = stage.decision();
    assert_eq!(decision.memory.email, Some(email(NEW)));
    assert_eq!(decision.memory.previous_email, Some(email(ADDRESS)));
    assert_eq!(decision.due.unwrap().then, vec![MemoryChange::Renamed]);
    let renamed = stage.next();
    renamed.rests(PersonState::Enrolled);
    assert_eq!(renamed.memory.previous_email, None);
}

#[test]
fn r10_a_rename_not_done_yet_is_planned_again_just_the_same() {
    let stage = moved();
    let mut again = stage.clone();
    again.memory = stage.decision().memory;
    assert_eq!(again.decision().due, stage.decision().due);
    assert_eq!(again.decision().memory, again.memory);
}

#[test]
fn r10_a_rename_by_somebody_else_is_no_work() {
    let mut stage = moved();
    stage.memory = stage.decision().memory;
    stage.member.as_mut().unwrap().email = email(NEW);
    stage.rests(PersonState::Enrolled);
    assert_eq!(stage.decision().memory.previous_email, None);
}

#[test]
fn r10_where_it_cannot_be_done_the_person_is_parked() {
    moved()
        .member(MemberStatus::Archived, &[])
        .archived_by_us(MemberStatus::Subscribed)
        .rests(PersonState::Parked);
    let mut refused = moved();
    let due = refused.decision().due.unwrap();
    refused.memory = refused.decision().memory;
    refused.memory.parked = Some(crate::scenarios::parked(due.input));
    refused.rests(PersonState::Parked);
}

#[test]
fn r10_a_merged_contact_follows_the_survivor() {
    let mut stage = ann().in_lists(&[987]).subscribed(&["General Single"]);
    stage.side = crate::support::Side::Known(crate::support::contact(99));
    stage.rests(PersonState::Enrolled);
    assert_eq!(stage.decision().memory.record.unwrap().0, 99);
}

#[test]
fn r10_an_unsubscribed_member_is_renamed_and_never_enrolled_under_the_new_address() {
    let stage = moved().member(MemberStatus::Unsubscribed, &[]);
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::OptOutHubSpot);
    let told = stage.next();
    told.is_due(MoveKind::Rename, &["change the member's address"]);
    told.next().rests(PersonState::OptedOut);
}

#[test]
fn a_contact_without_a_usable_address_is_named_and_not_touched() {
    for address in ["", "   ", "not an address", "a@b@example.com"] {
        ann().in_lists(&[987]).address(address).rests(PersonState::NoAddress);
        ann().address(address).rests(PersonState::NoAddress);
    }
    ann().in_lists(&[987]).subscribed(&["General Single"]).address("").rests(PersonState::NoAddress);
}

#[test]
fn uppercase_and_unicode_addresses_are_the_same_person() {
    ann()
        .in_lists(&[987])
        .subscribed(&["General Single"])
        .address("  ANN@Example.COM ")
        .rests(PersonState::Enrolled);
    let mut unicode = ann().in_lists(&[987]).subscribed(&["General Single"]).address("JÜRGEN@example.org");
    unicode.member.as_mut().unwrap().email = email("jürgen@example.org");
    unicode.memory.email = Some(email("jürgen@example.org"));
    unicode.rests(PersonState::Enrolled);
}
