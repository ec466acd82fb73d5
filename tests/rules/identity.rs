//! R10: changed addresses, and who somebody is.

use crate::support::{ADDRESS, Stage, ann, email};
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MemoryChange, MoveKind};
use hsmc::domain::person::PersonState;
use hsmc::domain::rules::{AddressConsent, AddressView, Question};
use std::time::Duration;

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
    moved().member(MemberStatus::Archived, &[]).rests(PersonState::Parked);
    moved()
        .member(MemberStatus::Archived, &[])
        .archived_by_us(MemberStatus::Unsubscribed)
        .rests(PersonState::OptedOut);
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

/// What hsmc archived it may bring back (R6): not under an address that mail should not go to any more.
#[test]
fn r10_whose_address_changed_while_hsmc_had_them_archived_is_enrolled_under_the_new_one() {
    let archived = moved().member(MemberStatus::Archived, &[]);
    let ours = archived.clone().archived_by_us(MemberStatus::Subscribed);
    let mut adopted = archived;
    adopted.memory.adopted = true;
    for stage in [ours, adopted] {
        let decision = stage.decision();
        assert_eq!(decision.due.unwrap().kind, MoveKind::Enroll);
        let memory = decision.memory;
        assert_eq!((memory.email, memory.previous_email), (Some(email(NEW)), None));
        assert_eq!((memory.archived, memory.adopted), (None, false));
    }
}

#[test]
fn r10_whose_bounced_address_was_corrected_is_enrolled_under_the_new_one() {
    let stage = moved().member(MemberStatus::Cleaned, &["General Single"]);
    // It is not the address in HubSpot that bounced: no word of it there.
    stage.is_due(MoveKind::Bounce, &["clear tag \"General Single\""]);
    let corrected = stage.next();
    assert_eq!(corrected.decision().due.unwrap().kind, MoveKind::Enroll);
    let memory = corrected.decision().memory;
    assert_eq!((memory.email, memory.previous_email, memory.contact_id), (Some(email(NEW)), None, None));
    // Not so whoever opted out, or gave themselves the address that bounced.
    let mut out = corrected.clone();
    out.memory.opt_out = stage.clone().opted_out_in_hubspot().decision().memory.opt_out;
    assert!(out.memory.opt_out.is_some());
    assert_eq!(out.decision().state, PersonState::OptedOut);
    // HubSpot keeps opt-outs by address: that of before is asked about, for whoever has no member, too.
    let archived = moved().member(MemberStatus::Archived, &[]).archived_by_us(MemberStatus::Subscribed);
    for mut stage in [corrected.clone(), archived, ann().in_lists(&[987]).address(NEW)] {
        stage.address_consent = AddressConsent::NotAsked;
        assert_eq!(stage.asks(), Some(Question::Consent));
        stage.address_consent = AddressConsent::OptedOut;
        assert_eq!(stage.decision().state, PersonState::OptedOut);
        stage.address_consent = AddressConsent::NotOptedOut;
        assert_eq!(stage.decision().due.unwrap().kind, MoveKind::Enroll);
    }
    let there = moved_there(MemberStatus::Cleaned);
    assert_eq!(there.next().decision().state, PersonState::OptedOut);
}

#[test]
fn a_contact_without_a_usable_address_is_named_and_not_touched() {
    for address in ["", "   ", "not an address", "a@b@example.com"] {
        ann().in_lists(&[987]).address(address).rests(PersonState::NoAddress);
        ann().address(address).rests(PersonState::NoAddress);
    }
}

#[test]
fn r10_whose_address_was_emptied_in_hubspot_is_parked_and_never_an_orphan() {
    let member = || ann().subscribed(&["General Single"]).address("");
    for stage in [
        member().in_lists(&[987]),
        member(),
        member().proven(),
        member().in_lists(&[987]).address("no address"),
    ] {
        stage.rests(PersonState::Parked);
        let parked = stage.next();
        assert_eq!(parked.decision().memory, parked.memory, "and costs nothing");
        parked.clone().leaves(987).proven().rests(PersonState::Parked);
        assert_eq!(parked.clone().in_lists(&[762]).decision().due.unwrap().kind, MoveKind::Exclude);
        assert_eq!(
            parked.clone().opted_out_in_hubspot().decision().due.unwrap().kind,
            MoveKind::OptOutMailchimp
        );
        parked.in_lists(&[987]).address(ADDRESS).rests(PersonState::Enrolled);
    }
    member().member(MemberStatus::Unsubscribed, &[]).in_lists(&[987]).decision().due.unwrap();
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

/// The member has been followed by Mailchimp's number, and has another address there now.
fn moved_there(status: MemberStatus) -> Stage {
    let mut stage = ann().in_lists(&[987]).member(status, &["General Single"]);
    stage.memory.contact_id = Some("c1".to_owned());
    let member = stage.member.as_mut().unwrap();
    (member.email, member.contact_id) = (email(NEW), "c1".to_owned());
    stage
}

#[test]
fn r10_an_address_changed_in_mailchimp_is_neither_taken_back_nor_a_second_person() {
    let stage = moved_there(MemberStatus::Subscribed);
    stage.rests(PersonState::Parked);
    let parked = stage.next();
    parked.rests(PersonState::Parked);
    assert_eq!(parked.decision().memory, parked.memory, "and costs nothing");
    assert_eq!(parked.memory.member_email(), Some(&email(NEW)), "whoever writes to the member finds it");
    assert_eq!(parked.memory.parked_for().map(|(word, _)| word), Some("address-changed"));
    parked.clone().property("firstname", "Anna").rests(PersonState::Parked);
}

#[test]
fn r10_a_moved_member_is_settled_by_either_side_or_by_an_operator() {
    let parked = moved_there(MemberStatus::Subscribed).next();
    parked.clone().address(NEW).rests(PersonState::Enrolled);
    let mut back = parked.clone();
    back.member.as_mut().unwrap().email = email(ADDRESS);
    back.rests(PersonState::Enrolled);
    assert_eq!(back.decision().memory.moved, None);
    parked
        .clone()
        .address("ann.third@example.com")
        .is_due(MoveKind::Rename, &["change the member's address"]);
    let mut released = parked;
    let (memory, _) = hsmc::domain::memory::release(
        &released.memory,
        hsmc::domain::memory::Release::Parked,
        crate::support::NOW,
    )
    .unwrap();
    released.memory = memory;
    released.is_due(MoveKind::Rename, &["change the member's address"]);
}

#[test]
fn r10_who_must_stop_getting_mail_stops_under_whatever_address_their_member_has() {
    let excluded = moved_there(MemberStatus::Subscribed).in_lists(&[762]);
    assert_eq!(excluded.decision().due.unwrap().kind, MoveKind::Exclude);
    let silent = moved_there(MemberStatus::Unsubscribed);
    assert_eq!(silent.decision().due.unwrap().kind, MoveKind::OptOutHubSpot);
    silent.next().rests(PersonState::OptedOut);
    let opted_out = moved_there(MemberStatus::Subscribed).opted_out_in_hubspot();
    assert_eq!(opted_out.decision().due.unwrap().kind, MoveKind::OptOutMailchimp);
}

#[test]
fn r10_whose_member_has_somebody_elses_address_gets_no_second_one() {
    let mut stage = ann().in_lists(&[987]);
    stage.address = AddressView::MemberAway;
    stage.rests(PersonState::Parked);
    stage.next().rests(PersonState::Parked);
}

#[test]
fn r02_a_second_member_of_a_contact_loses_the_campaign_and_nothing_else() {
    let mut stage = ann().in_lists(&[987]).subscribed(&["General Single", "VIP only by name"]);
    stage.address = AddressView::Second;
    stage = stage.address(NEW);
    stage.is_due(MoveKind::Retag, &["clear tag \"General Single\""]);
    assert_eq!(
        stage.decision().memory.email,
        Some(email(ADDRESS)),
        "the other address is the other member's"
    );
    let rests = stage.next();
    rests.rests(PersonState::Parked);
    assert_eq!(rests.next().decision().memory, rests.next().memory, "and costs nothing");
    rests.opted_out_in_hubspot().is_due(
        MoveKind::OptOutMailchimp,
        // Under its own address, too: HubSpot keeps opt-outs by address.
        &["record the evidence", "unsubscribe the member", "opt out of all email"],
    );
}

/// HubSpot keeps opt-outs by address, and a contact shows only its own one: what was given between the last look and
/// a merge is known to nobody but whoever asks for the address.
#[test]
fn r21_an_opt_out_of_an_address_that_is_no_longer_the_contacts_own_is_asked_for() {
    let second = || {
        let mut stage = ann().in_lists(&[987]).subscribed(&["General Single"]);
        stage.address = AddressView::Second;
        stage.address(NEW)
    };
    let moved = || ann().in_lists(&[987]).subscribed(&["General Single"]).address(NEW);
    let day = Duration::from_secs(24 * 60 * 60);
    for (stage, what) in [(second(), "a further address"), (moved(), "a former one")] {
        let answered = |address_consent| Stage { address_consent, ..stage.clone() };
        let unasked = answered(AddressConsent::NotAsked);
        assert_eq!(unasked.asks(), Some(Question::Consent), "{what}");
        let out = answered(AddressConsent::OptedOut);
        let due = out.decision().due.unwrap();
        assert_eq!(due.kind, MoveKind::OptOutMailchimp, "{what}");
        // Nothing came of it yet: asked again, rather than taken for opting in again.
        let undelivered = Stage { memory: out.decision().memory, ..unasked.clone() };
        assert_eq!(undelivered.asks(), Some(Question::Consent), "{what}");
        let delivered = Stage { address_consent: AddressConsent::NotAsked, ..out.next() };
        assert_eq!(delivered.asks(), None, "{what}");
        let mut remembered =
            Stage { memory: answered(AddressConsent::NotOptedOut).decision().memory, ..unasked };
        remembered.world.seen = remembered.world.seen.plus(day);
        assert_eq!(remembered.asks(), None, "{what}: no opt-out, and not asked for ever");
        let archived = Stage { member: None, ..answered(AddressConsent::NotAsked) };
        // Nobody could get mail: of a former address it is asked all the same, for the enrolment under the new one.
        let asks = (what == "a former one").then_some(Question::Consent);
        assert_eq!(archived.asks(), asks, "{what}");
    }
}
