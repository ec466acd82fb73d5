//! Segments that feed a tag, a list or a merge field: only of whoever is marketed to, silently, and taken back again.

use crate::support::{NOW, Stage, ann, tag};
use hsmc::domain::id::ListId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::MoveKind;
use hsmc::domain::person::PersonState;
use hsmc::domain::segment::{FedTag, Fields, Rule, Segment, SegmentName};
use hsmc::domain::step::{Delivery, Step};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn segment(name: &str, rule: &str, starts_journeys: bool) -> Segment {
    Segment {
        name: SegmentName::new(name).unwrap(),
        rule: Rule::read(rule, &Fields::standard()).unwrap(),
        feeds: Some(FedTag { tag: tag("Cold"), starts_journeys }),
        fills: None,
        list: None,
    }
}

/// Enrolled from list 987, with a segment that feeds the tag "Cold".
fn enrolled(rule: &str, tags: &[&str]) -> Stage {
    ann()
        .in_lists(&[987])
        .subscribed(tags)
        .enrolled("General Single", 987)
        .rules(|rules| rules.segments = vec![segment("cold", rule, false)])
}

fn modified(days_ago: u32) -> String {
    NOW.minus(DAY * days_ago).0.to_string()
}

const COLD: &str = "lastmodifieddate not within 90d";

#[test]
fn a_member_of_a_segment_gets_its_tag_without_a_journey_and_loses_it_afterwards() {
    let cold = enrolled(COLD, &["General Single"]).property("lastmodifieddate", &modified(91));
    cold.is_due(MoveKind::Retag, &["set tag \"Cold\" silently"]);
    let due = cold.decision().due.unwrap();
    assert_eq!(due.steps[0].step, Step::SetTag { tag: tag("Cold"), delivery: Delivery::Silent });
    let warm = enrolled(COLD, &["General Single", "Cold"]).property("lastmodifieddate", &modified(89));
    warm.is_due(MoveKind::Retag, &["clear tag \"Cold\""]);
}

#[test]
fn a_day_that_passes_is_enough() {
    let mut stage = enrolled(COLD, &["General Single"]).property("lastmodifieddate", &modified(89));
    assert_eq!(stage.decision().due, None);
    stage.world.seen = NOW.plus(DAY);
    stage.is_due(MoveKind::Retag, &["set tag \"Cold\" silently"]);
}

#[test]
fn a_journey_starts_only_where_the_config_allows_it() {
    let stage = enrolled(COLD, &["General Single"])
        .property("lastmodifieddate", &modified(91))
        .rules(|rules| rules.segments = vec![segment("cold", COLD, true)]);
    stage.is_due(MoveKind::Retag, &["set tag \"Cold\""]);
    let due = stage.decision().due.unwrap();
    assert_eq!(due.steps[0].step, Step::SetTag { tag: tag("Cold"), delivery: Delivery::Loud });
}

#[test]
fn whoever_is_new_gets_it_before_the_entry_tag() {
    let stage = ann()
        .in_lists(&[987])
        .property("lastmodifieddate", &modified(91))
        .rules(|rules| rules.segments = vec![segment("cold", COLD, false)]);
    let upsert = "create or update the member";
    stage.is_due(MoveKind::Enroll, &[upsert, "set tag \"Cold\" silently", "set tag \"General Single\""]);
}

#[test]
fn nobody_who_opted_out_is_fed_and_their_fed_tag_goes_with_the_rest() {
    let out = enrolled(COLD, &["General Single", "Cold"])
        .property("lastmodifieddate", &modified(91))
        .opted_out_in_hubspot();
    let due = out.decision().due.unwrap();
    assert_eq!(due.kind, MoveKind::OptOutMailchimp);
    let cleared: Vec<String> = due.steps.iter().map(|planned| planned.step.to_string()).collect();
    assert!(cleared.iter().any(|step| step == "clear tag \"Cold\""), "{cleared:?}");
    let unsubscribed = enrolled(COLD, &["General Single"])
        .property("lastmodifieddate", &modified(91))
        .member(MemberStatus::Unsubscribed, &[]);
    let decision = unsubscribed.decision();
    let sets = decision
        .due
        .iter()
        .flat_map(|due| &due.steps)
        .any(|planned| matches!(planned.step, Step::SetTag { .. }));
    assert_eq!((decision.state, sets), (PersonState::OptedOut, false));
}

#[test]
fn nobody_outside_the_source_lists_is_fed() {
    let stage = ann()
        .subscribed(&[])
        .property("lastmodifieddate", &modified(91))
        .rules(|rules| rules.segments = vec![segment("cold", COLD, false)]);
    assert_eq!(stage.decision().due, None);
}

#[test]
fn a_list_that_is_incomplete_neither_feeds_nor_takes_off() {
    for tags in [&["General Single"][..], &["General Single", "Cold"]] {
        let stage = enrolled("not in list 555", tags);
        let stage = Stage { world: crate::support::world(&stage.rules), ..stage }.incomplete(555);
        assert_eq!(stage.decision().due, None);
    }
}

#[test]
fn a_protected_bearer_loses_no_fed_tag() {
    let stage = enrolled(COLD, &["General Single", "Cold", "VIP"]).property("lastmodifieddate", &modified(1));
    assert_eq!(stage.decision().due, None);
}

#[test]
fn what_segments_ask_about_is_scanned() {
    let stage = enrolled("company is_set and in list 4711", &[]);
    assert!(stage.rules.all_properties().contains("company"));
    assert!(stage.rules.all_lists().iter().any(|list| list.0 == 4711));
    assert!(stage.rules.named_tags().contains(&tag("Cold")));
}

/// The same with a segment that fills the merge field COLD.
fn filling(days_ago: u32) -> Stage {
    enrolled(COLD, &["General Single"]).property("lastmodifieddate", &modified(days_ago)).rules(|rules| {
        rules.segments =
            vec![Segment { feeds: None, fills: Some("COLD".to_owned()), ..segment("cold", COLD, false) }]
    })
}

#[test]
fn a_merge_field_says_yes_of_members_and_nothing_of_others() {
    let cold = filling(91);
    cold.is_due(MoveKind::Refresh, &["refresh merge fields"]);
    assert_eq!(cold.decision().memory.fields["COLD"], "yes");
    let still = filling(91).says("yes");
    assert_eq!(still.decision().due, None);
    let warm = filling(89).says("yes");
    warm.is_due(MoveKind::Refresh, &["refresh merge fields"]);
    assert_eq!(warm.decision().memory.fields["COLD"], "");
    assert_eq!(filling(89).decision().due, None, "nothing there says the same as nothing");
}

#[test]
fn nothing_is_said_of_whom_something_was_not_read() {
    let rule = "in list 55555";
    let stage = filling(91).says("yes").rules(|rules| {
        rules.segments =
            vec![Segment { feeds: None, fills: Some("COLD".to_owned()), ..segment("cold", rule, false) }];
    });
    assert_eq!(stage.decision().due, None);
    assert!(!stage.decision().memory.fields.contains_key("COLD"));
}

/// The list that is fed, in which nobody is otherwise.
const FED: u64 = 4711;

/// Somebody enrolled, cold for a day or not yet, with a segment that feeds the static list 4711.
fn listing(days_ago: u32, lists: &[u64]) -> Stage {
    let stage = enrolled(COLD, &["General Single"])
        .property("lastmodifieddate", &modified(days_ago))
        .in_lists(lists)
        .rules(|rules| {
            rules.segments =
                vec![Segment { feeds: None, list: Some(ListId(FED)), ..segment("cold", COLD, false) }];
        });
    Stage { world: crate::support::world(&stage.rules), ..stage }.statically(FED, true)
}

#[test]
fn a_member_of_a_segment_joins_its_list_and_leaves_it_afterwards() {
    listing(91, &[]).is_due(MoveKind::Retag, &["join list 4711"]);
    listing(91, &[FED]).rests(PersonState::Enrolled);
    listing(89, &[FED]).is_due(MoveKind::Retag, &["leave list 4711"]);
    listing(89, &[]).rests(PersonState::Enrolled);
    assert!(listing(91, &[]).rules.all_lists().contains(&ListId(FED)), "a fed list is scanned");
    listing(91, &[]).next().in_lists(&[FED]).rests(PersonState::Enrolled);
}

#[test]
fn a_list_that_is_dynamic_or_was_not_seen_whole_is_not_joined() {
    listing(91, &[]).statically(FED, false).rests(PersonState::Enrolled);
    listing(89, &[FED]).statically(FED, false).rests(PersonState::Enrolled);
    listing(91, &[]).incomplete(FED).rests(PersonState::Enrolled);
    listing(89, &[FED]).incomplete(FED).is_due(MoveKind::Retag, &["leave list 4711"]);
}

#[test]
fn whoever_is_new_joins_the_list_before_the_entry_tag() {
    let new = Stage { member: None, ..listing(91, &[]) };
    let upsert = "create or update the member";
    new.is_due(MoveKind::Enroll, &[upsert, "join list 4711", "set tag \"General Single\""]);
    let there = Stage { member: None, ..listing(89, &[FED]) };
    there.is_due(MoveKind::Enroll, &[upsert, "leave list 4711", "set tag \"General Single\""]);
}

#[test]
fn whoever_returns_is_fed_by_the_same_move() {
    let stage = listing(91, &[]).member(MemberStatus::Archived, &["Cold"]).rules(|rules| {
        rules.segments[0].feeds = Some(FedTag { tag: tag("Cold"), starts_journeys: false });
    });
    stage.archived_by_us(MemberStatus::Subscribed).is_due(
        MoveKind::Restore,
        &[
            "clear tag \"Cold\"",
            "subscribe the archived member again",
            "set tag \"Cold\" silently",
            "join list 4711",
            "set tag \"General Single\"",
        ],
    );
}

#[test]
fn whoever_is_marketed_to_no_more_leaves_the_list_they_were_fed_into() {
    let excluded = listing(91, &[FED, 762]);
    let left = |stage: &Stage| stage.due().unwrap().1.contains(&"leave list 4711".to_owned());
    assert!(left(&excluded) && excluded.due().unwrap().0 == MoveKind::Exclude);
    let orphan = listing(91, &[FED]).leaves(987).proven();
    assert!(left(&orphan) && orphan.due().unwrap().0 == MoveKind::Orphan);
    let finished = listing(91, &[FED]).subscribed(&["General Single", "General Single Finished"]);
    assert!(left(&finished) && finished.due().unwrap().0 == MoveKind::HandOver);
    // The opt-out goes alone, and first.
    let out = listing(91, &[FED]).opted_out_in_hubspot();
    assert!(!left(&out) && out.due().unwrap().0 == MoveKind::OptOutMailchimp);
    let mut told = out.next();
    told.world.seen = NOW.plus(DAY);
    told.is_due(MoveKind::Refresh, &["leave list 4711"]);
}

#[test]
fn whoever_is_not_ours_is_left_in_the_list() {
    let foreign = Stage { member: None, ..listing(91, &[FED]) }.leaves(987);
    assert_eq!(foreign.decision().due, None);
}

#[test]
fn a_protected_bearer_leaves_a_list_all_the_same() {
    let stage = listing(89, &[FED]).subscribed(&["General Single", "VIP"]);
    stage.is_due(MoveKind::Retag, &["leave list 4711"]);
}
