//! R7, R13, R25: limits trim, gates ask (design §3.8).

use crate::support::{NOW, agency, ann};
use hsmc::domain::id::PersonId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::Move;
use hsmc::domain::person::PersonState;
use hsmc::domain::plan::{
    Admission, Limit, LimitCollector, Limits, PLAN_FORMAT, PlanHeader, PlanLine, PlanLineError, PlanSummary,
    move_fingerprint, state_when_left_out,
};
use hsmc::domain::rules::RuleSet;
use hsmc::domain::step::Fingerprint;
use hsmc::domain::time::Timestamp;

fn numbered(template: &Move, person: u64, since: i64) -> Move {
    Move { person: PersonId(person), since: Timestamp(since), ..template.clone() }
}

fn orphan() -> Move {
    ann().subscribed(&["General Single"]).proven().decision().due.unwrap()
}

fn exclusion() -> Move {
    ann().in_lists(&[987, 762]).subscribed(&["General Single"]).decision().due.unwrap()
}

fn hand_over() -> Move {
    ann().in_lists(&[987]).subscribed(&["General Single Finished"]).decision().due.unwrap()
}

fn enrolment() -> Move {
    ann().in_lists(&[987]).decision().due.unwrap()
}

fn restoring() -> Move {
    let archived = ann().in_lists(&[987]).member(MemberStatus::Archived, &[]);
    archived.archived_by_us(MemberStatus::Subscribed).decision().due.unwrap()
}

fn opt_out() -> Move {
    ann().subscribed(&["General Single"]).opted_out_in_hubspot().decision().due.unwrap()
}

fn limits(rules: &RuleSet, subscribed: u64, moves: &[Move]) -> Limits {
    let mut collector = LimitCollector::new(rules, subscribed, NOW);
    moves.iter().for_each(|planned| collector.collect(planned));
    collector.finish()
}

#[test]
fn r13_the_oldest_are_archived_first_whatever_the_path() {
    let rules = RuleSet { max_archives_per_run: Some(3), ..agency() };
    let moves = [
        numbered(&orphan(), 1, 50),
        numbered(&exclusion(), 2, 10),
        numbered(&hand_over(), 3, 30),
        numbered(&orphan(), 5, 20),
        numbered(&orphan(), 4, 20),
    ];
    let limits = limits(&rules, 1000, &moves);
    let admitted: Vec<u64> = moves
        .iter()
        .filter(|planned| limits.admits(planned) == Admission::Yes)
        .map(|planned| planned.person.0)
        .collect();
    assert_eq!(admitted, [2, 5, 4]);
    assert_eq!(limits.left_out()["max_archives_per_run"], 2);
}

/// Nothing says when somebody left their last source list: their member's last change lies before it, maybe by months.
#[test]
fn r13_an_orphan_is_as_old_as_hsmc_knows_of_it_and_starves_nobody() {
    let stage = ann().subscribed(&["General Single"]).proven();
    assert_eq!(stage.decision().due.unwrap().since, stage.world.seen);
    let mut left_out = ann().subscribed(&["General Single"]).proven();
    left_out.memory.state = PersonState::LeftOut;
    left_out.memory.since = Timestamp(7);
    assert_eq!(left_out.decision().due.unwrap().since, Timestamp(7));
}

#[test]
fn r13_a_limit_of_nothing_archives_nobody() {
    let rules = RuleSet { max_archives_per_run: Some(0), ..agency() };
    let limits = limits(&rules, 1000, &[orphan()]);
    assert_eq!(limits.admits(&orphan()), Admission::LeftOut(Limit::MaxArchives));
}

#[test]
fn r13_untagging_without_an_archive_counts_too() {
    let mut stays = ann().in_lists(&[987]).subscribed(&["General Single Finished"]);
    stays.rules.handovers[0].archive = false;
    assert_eq!(Limit::of(&stays.decision().due.unwrap()), Some(Limit::MaxArchives));
}

#[test]
fn r07_no_new_member_beyond_the_cap_and_restores_count_as_new() {
    let rules = RuleSet { audience_cap: Some(1002), ..agency() };
    let existing = ann().in_lists(&[987]).subscribed(&[]).decision().due.unwrap();
    let moves = [
        numbered(&enrolment(), 1, 30),
        numbered(&restoring(), 2, 20),
        numbered(&enrolment(), 3, 10),
        numbered(&existing, 4, 99),
    ];
    let limits = limits(&rules, 1000, &moves);
    assert_eq!(limits.admits(&moves[0]), Admission::LeftOut(Limit::AudienceCap));
    assert_eq!(limits.admits(&moves[1]), Admission::Yes);
    assert_eq!(limits.admits(&moves[2]), Admission::Yes);
    assert_eq!(limits.admits(&moves[3]), Admission::Yes, "already subscribed: adds nobody");
    assert_eq!(limits.left_out()["audience_cap"], 1);
}

#[test]
fn r07_an_audience_above_the_cap_takes_nobody_and_refreshes_go_on() {
    let rules = RuleSet { audience_cap: Some(10), ..agency() };
    let refresh = ann().in_lists(&[987]).subscribed(&["General Single"]).property("firstname", "Anna");
    let refresh = refresh.decision().due.unwrap();
    let limits = limits(&rules, 1000, &[enrolment(), refresh.clone()]);
    assert_eq!(limits.admits(&enrolment()), Admission::LeftOut(Limit::AudienceCap));
    assert_eq!(limits.admits(&refresh), Admission::Yes);
}

#[test]
fn r24_opt_outs_pass_every_limit_and_break_no_gate() {
    let rules = RuleSet {
        max_archives_per_run: Some(0),
        audience_cap: Some(0),
        max_changed_share: Some(0.0),
        ..agency()
    };
    let moves: Vec<Move> = (0..50).map(|person| numbered(&opt_out(), person, 1)).collect();
    let limits = limits(&rules, 10, &moves);
    assert!(moves.iter().all(|planned| limits.admits(planned) == Admission::Yes));
    assert_eq!(limits.gate, None);
}

#[test]
fn r25_a_plan_that_touches_more_than_the_share_asks_first() {
    let rules = RuleSet { max_changed_share: Some(0.25), ..agency() };
    let moves: Vec<Move> = (0..26).map(|person| numbered(&enrolment(), person, 1)).collect();
    assert_eq!(limits(&rules, 100, &moves[..25]).gate, None);
    assert!(limits(&rules, 100, &moves).gate.is_some());
    assert!(limits(&rules, 0, &moves[..1]).gate.is_some(), "filling an empty audience asks");
    assert_eq!(limits(&rules, 0, &[]).gate, None);
}

#[test]
fn r25_the_gate_looks_at_what_the_limits_have_left() {
    let rules = RuleSet { max_changed_share: Some(0.1), max_archives_per_run: Some(5), ..agency() };
    let moves: Vec<Move> = (0..90).map(|person| numbered(&orphan(), person, 1)).collect();
    let limits = limits(&rules, 100, &moves);
    assert_eq!((limits.touched, limits.gate), (5, None));
}

#[test]
fn who_is_left_out_is_in_a_state_of_its_own_and_the_counts_add_up() {
    let rules = RuleSet { audience_cap: Some(1001), ..agency() };
    let moves: Vec<Move> = (0..3).map(|person| numbered(&enrolment(), person, 1)).collect();
    let limits = limits(&rules, 1000, &moves);
    let mut summary = PlanSummary::default();
    for planned in &moves {
        summary.count(PersonState::Enrolled, Some((planned, limits.admits(planned))), []);
    }
    summary.count(PersonState::Twin, None, ["two contacts".to_owned()]);
    assert_eq!(summary.people["enrolled"], 1);
    assert_eq!(summary.people["left-out"], 2);
    assert_eq!(summary.people.values().sum::<u64>(), 4);
    assert_eq!(summary.left_out, limits.left_out());
    assert_eq!(state_when_left_out(PersonState::Excluded, exclusion().kind), PersonState::Excluded);
}

#[test]
fn a_plan_comes_out_the_same_whatever_its_age() {
    let one = enrolment();
    let later = Move { since: NOW, ..one.clone() };
    assert_eq!(move_fingerprint(&one), move_fingerprint(&later));
    assert_ne!(move_fingerprint(&one), move_fingerprint(&orphan()));
    assert_ne!(move_fingerprint(&one), move_fingerprint(&numbered(&one, 2, 1)));
}

#[test]
fn a_plan_file_is_read_as_it_was_written_and_names_nobody() {
    let header = PlanHeader {
        format: PLAN_FORMAT,
        workspace: "agency".to_owned(),
        portal: Some(1),
        audience: "aud".to_owned(),
        seen: NOW,
        config: Fingerprint(7),
        summary: PlanSummary::default(),
    };
    for line in [PlanLine::Plan(Box::new(header.clone())), PlanLine::Move(Box::new(enrolment()))] {
        let text = line.to_text().unwrap();
        assert!(!text.contains('@') && !text.contains("Ann") && !text.contains('\n'));
        assert_eq!(PlanLine::parse(&text).unwrap(), line);
    }
    let newer = PlanLine::Plan(Box::new(PlanHeader { format: 2, ..header }));
    assert_eq!(PlanLine::parse(&newer.to_text().unwrap()), Err(PlanLineError::Format { found: 2 }));
    assert!(PlanLine::parse("{").is_err());
}
