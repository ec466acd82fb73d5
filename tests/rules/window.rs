//! R10a: mail is started in a window of the day only.

use crate::support::{agency, ann};
use hsmc::domain::moves::{Move, MoveKind};
use hsmc::domain::plan::{Admission, Limit, LimitCollector, Limits};
use hsmc::domain::rules::RuleSet;
use hsmc::domain::time::Timestamp;
use hsmc::domain::window::EnrollWindow;

fn window(text: &str) -> EnrollWindow {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn r10a_a_window_is_open_from_its_first_minute_to_before_its_last_in_its_own_zone() {
    let day = window("08:00-18:00 Europe/London");
    for (moment, open, opens) in [
        ("2026-11-25T07:59:59Z", false, "2026-11-25T08:00:00Z"),
        ("2026-11-25T08:00:00Z", true, "2026-11-25T08:00:00Z"),
        ("2026-11-25T17:59:59Z", true, "2026-11-25T17:59:59Z"),
        ("2026-11-25T18:00:00Z", false, "2026-11-26T08:00:00Z"),
        // Summer time: the clocks of London are an hour ahead.
        ("2026-07-01T07:30:00Z", true, "2026-07-01T07:30:00Z"),
        ("2026-07-01T17:30:00Z", false, "2026-07-02T07:00:00Z"),
        // The night in which they are put forward.
        ("2026-03-28T20:00:00Z", false, "2026-03-29T07:00:00Z"),
    ] {
        assert_eq!(day.is_open(at(moment)), open, "{moment}");
        assert_eq!(day.opens(at(moment)), at(opens), "{moment}");
    }
}

#[test]
fn r10a_a_window_may_go_past_midnight_and_begin_in_an_hour_that_a_clock_change_skips() {
    let night = window("22:00-06:00 UTC");
    assert!(night.is_open(at("2026-11-25T23:00:00Z")) && night.is_open(at("2026-11-25T05:59:00Z")));
    assert!(!night.is_open(at("2026-11-25T06:00:00Z")));
    assert_eq!(night.opens(at("2026-11-25T12:00:00Z")), at("2026-11-25T22:00:00Z"));
    let skipped = window("01:30-05:00 Europe/London");
    assert_eq!(skipped.opens(at("2026-03-29T00:00:00Z")), at("2026-03-29T01:30:00Z"));
}

#[test]
fn r10a_what_is_no_window_is_refused_with_the_reason() {
    for (text, why) in [
        ("08:00-18:00", "names no time zone"),
        ("8-18 UTC", "no time of day"),
        ("08:00 UTC", "no window"),
        ("08:00-08:00 UTC", "empty window"),
        ("08:00-18:00 Europe/Nowhere", "no time zone"),
    ] {
        assert!(text.parse::<EnrollWindow>().unwrap_err().contains(why), "{text}");
    }
}

fn limits(moves: &[Move], seen: &str) -> Limits {
    let rules = RuleSet {
        enroll_between: Some(window("08:00-18:00 UTC")),
        audience_cap: Some(1),
        max_changed_share: Some(0.0001),
        ..agency()
    };
    let mut collector = LimitCollector::new(&rules, 0, at(seen));
    moves.iter().for_each(|planned| collector.collect(planned));
    collector.finish()
}

#[test]
fn r10a_outside_the_window_everything_that_starts_mail_is_left_out_and_nothing_else() {
    let enroll = ann().in_lists(&[987]).decision().due.unwrap();
    let orphan = ann().subscribed(&["General Single"]).proven().decision().due.unwrap();
    assert_eq!((enroll.kind, orphan.kind), (MoveKind::Enroll, MoveKind::Orphan));
    let moves = [enroll.clone(), orphan.clone()];
    let night = limits(&moves, "2026-11-25T03:00:00Z");
    assert_eq!(night.admits(&enroll), Admission::LeftOut(Limit::EnrollBetween));
    assert_eq!(night.admits(&orphan), Admission::Yes);
    assert_eq!(night.left_out().get("enroll_between"), Some(&1));
    assert_eq!(night.touched, 1, "what is left out is not what a gate asks about");
    let day = limits(&moves, "2026-11-25T09:00:00Z");
    assert_eq!(day.admits(&enroll), Admission::Yes);
    assert_eq!(day.left_out(), std::collections::BTreeMap::new());
}

#[test]
fn r10a_who_waits_for_the_window_takes_no_room_under_the_cap() {
    let one = ann().in_lists(&[987]).decision().due.unwrap();
    let night = limits(&[one.clone(), one], "2026-11-25T03:00:00Z");
    assert_eq!(night.left_out().get("audience_cap"), None);
    assert_eq!(night.left_out().get("enroll_between"), Some(&2));
}
