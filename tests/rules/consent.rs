//! R20–R24: consent, both ways.

use crate::support::{NOW, Side, Stage, ann, contact};
use hsmc::domain::failure::Service;
use hsmc::domain::id::RecordId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MoveKind, Pivot};
use hsmc::domain::person::{OptOutMemory, PersonState};
use hsmc::domain::rules::Question;
use hsmc::domain::step::{Before, OptOutScope};
use hsmc::domain::time::Timestamp;
use std::time::Duration;

const EVIDENCE: &str = "record the evidence";
const OPT_OUT: &str = "opt out of all email";
const UNSUBSCRIBE: &str = "unsubscribe the member";

fn unsubscribed() -> Stage {
    ann().member(MemberStatus::Unsubscribed, &["General Single"])
}

#[test]
fn r20_unsubscribed_in_mailchimp_becomes_opted_out_in_hubspot() {
    let stage = unsubscribed();
    stage.is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
    assert_eq!(stage.state(), PersonState::OptedOut);
    stage.next().rests(PersonState::OptedOut);
}

#[test]
fn r20_a_list_of_types_is_one_call_a_type() {
    let stage = unsubscribed().rules(|rules| {
        rules.opt_out_scopes = vec![OptOutScope::Subscription(7), OptOutScope::Subscription(8)];
    });
    stage.is_due(
        MoveKind::OptOutHubSpot,
        &[EVIDENCE, "opt out of subscription 7", "opt out of subscription 8"],
    );
}

#[test]
fn r20_every_such_member_hubspot_knows_is_told_list_or_not() {
    assert_eq!(unsubscribed().not_looked_up().asks(), Some(Question::LookUp));
    unsubscribed().not_in_hubspot().rests(PersonState::OptedOut);
}

#[test]
fn r20_already_opted_out_is_success_and_is_remembered() {
    let stage = unsubscribed().opted_out_in_hubspot();
    stage.rests(PersonState::OptedOut);
    assert!(stage.decision().memory.opt_out.unwrap().delivered.is_some());
}

#[test]
fn r20_once_delivered_it_costs_nothing_even_where_hubspot_lags() {
    let delivered = unsubscribed().opt_out_known(Service::Mailchimp, true);
    delivered.rests(PersonState::OptedOut);
    let mut unseen = delivered;
    unseen.side = Side::NotLookedUp;
    unseen.memory.opt_out.as_mut().unwrap().delivered = Some(Timestamp(NOW.0 - 60_000));
    unseen.rests(PersonState::OptedOut);
}

#[test]
fn r20_the_survivor_of_a_merge_is_told_as_well() {
    let mut stage = unsubscribed().opt_out_known(Service::Mailchimp, true);
    stage.side = Side::Known(contact(99));
    stage.is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
}

#[test]
fn r20_an_address_that_changed_is_told_as_well_and_once() {
    let stage = unsubscribed().opt_out_known(Service::Mailchimp, true).address("new@example.com");
    stage.is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
    // HubSpot may still show the opt-out of the address before; that is not taken for one of the new address.
    stage.clone().opted_out_in_hubspot().is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
    stage.next().is_due(MoveKind::Rename, &["change the member's address"]);
}

#[test]
fn r20_whoever_hubspot_no_longer_shows_as_opted_out_is_asked_for() {
    let mut unseen = unsubscribed().opt_out_known(Service::Mailchimp, true);
    unseen.side = Side::NotLookedUp;
    assert_eq!(unseen.asks(), Some(Question::LookUp));
    unseen.side = Side::NotInHubSpot;
    assert_eq!(unseen.asks(), Some(Question::Trace));
    unseen.side = Side::Gone;
    unseen.rests(PersonState::OptedOut);
    unseen.next().not_in_hubspot().rests(PersonState::OptedOut);
}

#[test]
fn r21_opted_out_in_hubspot_unsubscribes_the_member_and_takes_our_tags_off() {
    for status in [MemberStatus::Subscribed, MemberStatus::Pending, MemberStatus::Transactional] {
        let stage = ann()
            .in_lists(&[987])
            .member(status.clone(), &["General Single", "Newsletter", "Foreign"])
            .opted_out_in_hubspot();
        stage.is_due(
            MoveKind::OptOutMailchimp,
            &[EVIDENCE, UNSUBSCRIBE, "clear tag \"General Single\"", "clear tag \"Newsletter\""],
        );
        assert_eq!(stage.decision().due.unwrap().steps[1].before, Before::Status(status));
        stage.next().rests(PersonState::OptedOut);
    }
}

#[test]
fn r21_a_protected_bearer_is_unsubscribed_too_and_keeps_the_protected_tag() {
    ann()
        .subscribed(&["General Single", "VIP", "Manual Inclusion"])
        .opted_out_in_hubspot()
        .is_due(MoveKind::OptOutMailchimp, &[EVIDENCE, UNSUBSCRIBE, "clear tag \"General Single\""]);
}

#[test]
fn r21_people_mailchimp_does_not_have_are_blocked_not_added() {
    ann().in_lists(&[987]).opted_out_in_hubspot().rests(PersonState::OptedOut);
    ann()
        .in_lists(&[987])
        .member(MemberStatus::Archived, &[])
        .opted_out_in_hubspot()
        .rests(PersonState::OptedOut);
}

#[test]
fn r21_an_opt_out_outranks_every_other_rule() {
    let everything = ann()
        .in_lists(&[987, 762, 719])
        .subscribed(&["General Single", "General Single Finished", "VIP"])
        .opted_out_in_hubspot();
    assert_eq!(everything.decision().due.unwrap().kind, MoveKind::OptOutMailchimp);
    everything.next().rests(PersonState::OptedOut);
}

#[test]
fn r21a_who_opted_in_again_is_reported_and_left_alone_on_both_sides() {
    let stage = ann()
        .in_lists(&[987])
        .subscribed(&["General Single"])
        .opted_out_in_hubspot()
        .opt_out_known(Service::HubSpot, true);
    stage.rests(PersonState::OptedOut);
    assert_eq!(stage.decision().notes.len(), 1);
}

#[test]
fn r21a_whom_hubspot_shows_opted_in_after_an_opt_out_there_is_reported_once_its_search_has_caught_up() {
    let back = |seen| ann().member(MemberStatus::Unsubscribed, &[]).opt_out_known(seen, true);
    let notes = |mut stage: Stage, after: u64| {
        let delivered = stage.memory.opt_out.as_ref().unwrap().delivered.unwrap();
        stage.world.seen = delivered.plus(Duration::from_secs(after));
        let decision = stage.decision();
        assert_eq!((decision.state, decision.due), (PersonState::OptedOut, None));
        decision.notes.len()
    };
    assert_eq!(notes(back(Service::HubSpot), 3_600), 1);
    assert_eq!(notes(back(Service::HubSpot), 60), 0, "its search may lag");
    assert_eq!(notes(back(Service::HubSpot).opted_out_in_hubspot(), 3_600), 0);
    // HubSpot was told of it, and may not show that.
    assert_eq!(notes(back(Service::Mailchimp), 3_600), 0);
}

#[test]
fn r21_whoever_opts_out_once_more_after_having_opted_in_again_by_their_own_hand_is_told_of_once_more() {
    for seen in [Service::Mailchimp, Service::HubSpot] {
        // Weeks later they are in on both sides: told, and neither side is written to.
        let mut back = ann().in_lists(&[987]).subscribed(&["General Single"]).opt_out_known(seen, true);
        back.member.as_mut().unwrap().opted = Some(NOW);
        back.rests(PersonState::OptedOut);
        assert_eq!(back.decision().notes.len(), 1, "{seen}");
        let back = back.next();
        back.rests(PersonState::OptedOut);
        assert!(back.memory.opted_in_again.is_some(), "{seen}");

        let in_hubspot = back.clone().opted_out_in_hubspot();
        assert_eq!(in_hubspot.decision().due.unwrap().kind, MoveKind::OptOutMailchimp, "{seen}");
        let next = in_hubspot.next();
        assert_eq!(next.memory.opt_out.as_ref().unwrap().seen, Service::HubSpot, "{seen}");
        next.rests(PersonState::OptedOut);

        let mut in_mailchimp = back.clone();
        in_mailchimp.member.as_mut().unwrap().status = MemberStatus::Unsubscribed;
        in_mailchimp.is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
        let next = in_mailchimp.next();
        assert_eq!(next.memory.opt_out.as_ref().unwrap().seen, Service::Mailchimp, "{seen}");
        next.rests(PersonState::OptedOut);
    }
    // HubSpot never took it back: there is nobody to be told, and it is another opt-out all the same.
    let mut once_more = ann().in_lists(&[987]).subscribed(&[]).opted_out_in_hubspot();
    once_more = once_more.opt_out_known(Service::Mailchimp, true);
    once_more.member.as_mut().unwrap().opted = Some(NOW);
    once_more = once_more.next();
    assert!(once_more.memory.opted_in_again.is_some());
    once_more.member.as_mut().unwrap().status = MemberStatus::Unsubscribed;
    once_more.rests(PersonState::OptedOut);
    let memory = once_more.decision().memory;
    assert_eq!((memory.opted_in_again, memory.opt_out.unwrap().at), (None, Timestamp(50)));
}

#[test]
fn r21a_what_was_seen_before_the_delivery_is_no_opt_in() {
    let mut stage = ann()
        .in_lists(&[987])
        .subscribed(&["General Single"])
        .opted_out_in_hubspot()
        .opt_out_known(Service::HubSpot, true);
    let delivered = stage.memory.opt_out.as_ref().unwrap().delivered.unwrap();
    stage.world.seen = delivered;
    stage.rests(PersonState::OptedOut);
    assert!(stage.decision().notes.is_empty());
}

#[test]
fn r21_an_opt_out_not_yet_delivered_arrives_although_its_contact_is_gone_or_merged() {
    const UNTAG: &str = "clear tag \"General Single\"";
    let untold = || ann().subscribed(&["General Single"]).opt_out_known(Service::HubSpot, false);
    let due = |side: Side, steps: &[&str]| {
        let mut stage = untold();
        stage.side = side;
        stage.is_due(MoveKind::OptOutMailchimp, steps);
        stage.next().rests(PersonState::OptedOut);
    };
    for side in [Side::Gone, Side::Elsewhere] {
        due(side, &[EVIDENCE, UNSUBSCRIBE, UNTAG]);
    }
    // The survivor of a merge has never heard of it either; nor when a run that was cut short has remembered it as
    // their record.
    let mut merged = contact(51);
    merged.properties.insert("hs_merged_object_ids".to_owned(), "7".to_owned());
    for survivor in [contact(99), merged] {
        due(Side::Known(survivor), &[EVIDENCE, UNSUBSCRIBE, OPT_OUT, UNTAG]);
    }
    // Whether it is gone, only HubSpot can tell.
    assert_eq!(untold().not_looked_up().asks(), Some(Question::LookUp));
    let mut stage = untold().not_in_hubspot();
    stage.memory.record = Some(RecordId(51));
    assert_eq!(stage.asks(), Some(Question::Trace));
}

#[test]
fn r20_an_opt_out_not_yet_delivered_arrives_although_its_member_is_archived_or_deleted() {
    let untold = || ann().in_lists(&[987]).opt_out_known(Service::Mailchimp, false);
    for stage in
        [untold(), untold().member(MemberStatus::Archived, &[]), untold().member(MemberStatus::Cleaned, &[])]
    {
        stage.is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
    }
    assert_eq!(untold().not_looked_up().asks(), Some(Question::LookUp));
}

#[test]
fn r21a_who_takes_an_opt_out_back_before_it_was_delivered_is_reported_and_left_alone() {
    let listed = || ann().in_lists(&[987]).subscribed(&["General Single"]);
    for seen in [Service::HubSpot, Service::Mailchimp] {
        let stage = listed().opt_out_known(seen, false);
        stage.rests(PersonState::OptedOut);
        assert_eq!(stage.decision().notes.len(), 1, "{seen}");
        assert!(stage.decision().memory.opted_in_again.is_some(), "{seen}");
    }
}

#[test]
fn r22_a_hard_bounce_takes_our_tags_off_and_sets_the_property_once() {
    let stage = ann().in_lists(&[987]).member(MemberStatus::Cleaned, &["General Single", "VIP"]);
    stage.is_due(MoveKind::Bounce, &["clear tag \"General Single\"", "set mailchimp_bounced = \"true\""]);
    assert_eq!(stage.state(), PersonState::OptedOut);
    stage.next().rests(PersonState::OptedOut);
}

#[test]
fn r22_a_read_only_property_is_never_written_and_reported_once() {
    let mut stage = ann().member(MemberStatus::Cleaned, &[]);
    stage.world.read_only.insert("mailchimp_bounced".to_owned());
    stage.rests(PersonState::OptedOut);
    assert_eq!(stage.decision().notes.len(), 1);
    assert_eq!(stage.next().decision().notes.len(), 0);
}

#[test]
fn r22_the_contact_is_looked_up_only_where_a_property_is_to_be_set() {
    let cleaned = || ann().not_looked_up().member(MemberStatus::Cleaned, &[]);
    assert_eq!(cleaned().asks(), Some(Question::LookUp));
    cleaned().rules(|rules| rules.bounce_property = None).rests(PersonState::OptedOut);
    let missing = ann().not_in_hubspot().member(MemberStatus::Cleaned, &[]);
    missing.rests(PersonState::OptedOut);
    missing.next().not_looked_up().rests(PersonState::OptedOut);
}

#[test]
fn r23_evidence_comes_before_every_consent_change() {
    for stage in [unsubscribed(), ann().subscribed(&[]).opted_out_in_hubspot()] {
        assert_eq!(stage.due().unwrap().1[0], EVIDENCE);
    }
}

#[test]
fn r24_opt_outs_only_go_forward_and_never_park() {
    for stage in [unsubscribed(), ann().subscribed(&[]).opted_out_in_hubspot()] {
        let due = stage.decision().due.unwrap();
        assert!(due.kind.is_opt_out() && !due.kind.refusal_parks() && !due.kind.is_gated());
        assert_eq!(due.pivot(), Pivot::ForwardOnly);
    }
}

#[test]
fn r24_a_parked_persons_opt_out_is_still_delivered() {
    let mut stage = ann().in_lists(&[987]).subscribed(&[]);
    let due = stage.decision().due.unwrap();
    stage.memory.parked = Some(crate::scenarios::parked(due.input));
    stage.rests(PersonState::Parked);
    stage.member.as_mut().unwrap().status = MemberStatus::Unsubscribed;
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::OptOutHubSpot);
}

#[test]
fn two_contacts_with_one_email_are_twins_and_an_opt_out_of_either_counts_for_both() {
    ann().twins().in_lists(&[987]).rests(PersonState::Twin);
    ann()
        .twins()
        .subscribed(&["General Single"])
        .opted_out_in_hubspot()
        .is_due(MoveKind::OptOutMailchimp, &[EVIDENCE, UNSUBSCRIBE, OPT_OUT, "clear tag \"General Single\""]);
    ann()
        .twins()
        .member(MemberStatus::Unsubscribed, &[])
        .opted_out_in_hubspot()
        .is_due(MoveKind::OptOutHubSpot, &[EVIDENCE, OPT_OUT]);
}

#[test]
fn r21_a_member_subscribed_since_before_the_opt_out_was_never_told_and_is_told_now() {
    let mut stage = ann().subscribed(&["General Single"]).opted_out_in_hubspot();
    stage.memory.opt_out = Some(OptOutMemory {
        seen: Service::Mailchimp,
        at: Timestamp(40),
        delivered: Some(Timestamp(NOW.0 - 3_600_000)),
    });
    stage.member.as_mut().unwrap().opted = Some(Timestamp(30));
    assert_eq!(stage.decision().due.unwrap().kind, MoveKind::OptOutMailchimp);
    // Subscribed later than the opt-out: their own hand, and nobody's to settle here.
    stage.member.as_mut().unwrap().opted = Some(Timestamp(41));
    let decision = stage.decision();
    assert_eq!((decision.due, decision.state), (None, PersonState::OptedOut));
    assert!(decision.notes.iter().any(|note| note.contains("R21a")), "{:?}", decision.notes);
    // Nor is anything said where Mailchimp does not tell since when.
    stage.member.as_mut().unwrap().opted = None;
    assert_eq!(stage.decision().due, None);
}
