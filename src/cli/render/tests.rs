//! Golden texts: what an operator reads at night, 80 columns wide. One a view, together, so that they can be read in one go
//! and keep one tone.

use super::super::table::Layout;
use super::*;
use crate::domain::code::Code;
use crate::domain::id::{ListId, MoveId, PersonId, RecordId, RunId};
use crate::domain::report::*;
use crate::domain::run::RunCounts;
use crate::serve::alert_views::{AlertView, TargetView};
use crate::serve::parked::{ParkedGroupView, ParkedPersonView, ParkedView};
use crate::serve::snapshots::{ChangedView, SeenView, SnapshotDiffView, SnapshotShownView, SnapshotView};
use crate::serve::undo::{StaysView, UndoView};
use crate::serve::views::*;
use crate::serve::why::{EventView, HeldView, NextView, RememberedView, StateView, WhyView};
use std::collections::BTreeMap;

fn words(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn id(number: u32) -> MoveId {
    MoveId { run: RunId(12), number }
}

fn run(state: RunState, phase: &str) -> RunView {
    RunView {
        id: RunId(12),
        cause: "schedule".to_owned(),
        of: None,
        full: true,
        state,
        phase: phase.to_owned(),
        started: at("2026-11-23T01:00:00Z"),
        ended: Some(at("2026-11-23T01:01:03.400Z")),
        counts: RunCounts {
            people: words(&[
                ("enrolled", 3211),
                ("opted-out", 402),
                ("handed-over", 88),
                ("parked", 9),
                ("protected", 12),
                ("foreign", 130),
            ]),
            planned: words(&[("enroll", 40), ("hand-over", 12), ("refresh", 3)]),
            ended: words(&[("done", 52), ("refused", 2), ("stuck", 1)]),
            left_out: words(&[("max_archives_per_run", 17)]),
            parked: words(&[("fake-address", 2)]),
            calls: words(&[("HubSpot", 61), ("Mailchimp", 44)]),
            notes: words(&[("two exit tags at once: the first in the config was taken", 1)]),
        },
        report: RunReport::default(),
        code: match state {
            RunState::Stuck => Some(Code::MovesStuck),
            RunState::NeedsApproval => Some(Code::GateAsked),
            _ => None,
        },
        codes: BTreeMap::from([("fake-address".to_owned(), Code::FakeAddress)]),
        asks: None,
    }
}

fn stuck_move() -> MoveView {
    MoveView {
        id: id(3),
        person: "person 4711".to_owned(),
        kind: "exclude".to_owned(),
        phase: MovePhase::Stuck,
        code: Some(Code::NotRemovable),
        step: "2/3 archive the member".to_owned(),
        attempts: 1,
        next_try: None,
        waiting_for: None,
        age_ms: 7_200_000,
        last_error: Some("not-removable: This list member cannot be removed".to_owned()),
    }
}

fn overview() -> StatusView {
    let retrying = MoveView {
        id: id(7),
        person: "person 12".to_owned(),
        kind: "hand-over".to_owned(),
        phase: MovePhase::Retrying,
        code: Some(Code::ServiceAway),
        step: "1/5 join list 946".to_owned(),
        attempts: 3,
        next_try: Some(at("2026-11-23T02:02:10Z")),
        waiting_for: None,
        age_ms: 60_000,
        last_error: Some("HubSpot add to list 946: 503".to_owned()),
    };
    let waiting = MoveView {
        id: id(9),
        person: "person 13".to_owned(),
        kind: "enroll".to_owned(),
        phase: MovePhase::Waiting,
        code: None,
        step: "3/3 set tag \"General Single\"".to_owned(),
        attempts: 0,
        next_try: None,
        waiting_for: Some("the window 08:00-18:00".to_owned()),
        age_ms: 60_000,
        last_error: None,
    };
    StatusView {
        at: at("2026-11-23T02:00:00Z"),
        workspace: "agency".to_owned(),
        process: ProcessView::Running(RunningView { pid: 4242, what: "daemon".to_owned() }),
        last_run: Some(run(RunState::Stuck, "done, with stuck moves")),
        current_run: None,
        next_run_at: Some(at("2026-11-23T09:00:00Z")),
        moves: vec![stuck_move(), retrying, waiting],
        open_moves: 5,
        by_phase: words(&[("stuck", 1), ("retrying", 1), ("waiting", 3)]),
        lanes: vec![
            LaneView { target: "list 946".to_owned(), queued: 12, in_flight: 0, paused: true },
            LaneView { target: "tag General Single".to_owned(), queued: 1, in_flight: 500, paused: false },
        ],
        budgets: vec![
            BudgetView {
                service: "HubSpot".to_owned(),
                used: 42,
                max: 190,
                window_s: 10,
                remaining_today: Some(612_345),
                breaker: "open for 20s".to_owned(),
            },
            BudgetView {
                service: "Mailchimp".to_owned(),
                used: 3,
                max: 8,
                window_s: 0,
                remaining_today: None,
                breaker: "closed".to_owned(),
            },
        ],
        alerts: vec![AlertView {
            number: 4,
            kind: "run-stuck".to_owned(),
            code: Some(Code::MovesStuck),
            severity: "error".to_owned(),
            text: "1 move is stuck; first refusal: not-removable".to_owned(),
            counts: words(&[("exclude", 1)]),
            way_out:
                "`hsmc status` lists them; `hsmc status MOVE` tells why, and whether to retry, skip or roll back"
                    .to_owned(),
            times: 3,
            first: at("2026-11-22T17:01:00Z"),
            last: at("2026-11-23T01:01:03Z"),
        }],
        told: vec![
            TargetView {
                target: "teams".to_owned(),
                waiting: 2,
                given_up: 1,
                error: Some("answers 503".to_owned()),
                code: Some(Code::AlertNotTold),
                since: Some(at("2026-11-22T17:01:00Z")),
                next_try: Some(at("2026-11-23T02:04:00Z")),
            },
            TargetView {
                target: "slack".to_owned(),
                waiting: 0,
                given_up: 0,
                error: None,
                code: None,
                since: None,
                next_try: None,
            },
        ],
        pauses: vec!["list 946".to_owned()],
        notices: vec![
            "config change refused [HSMC1108]: hsmc.toml:12 sync.every: `8x` is no length of time".to_owned(),
        ],
        people: words(&[
            ("enrolled", 3211),
            ("opted-out", 402),
            ("handed-over", 88),
            ("parked", 9),
            ("protected", 12),
            ("foreign", 130),
        ]),
    }
}

fn step(text: &str, for_good: bool) -> StepView {
    StepView { text: text.to_owned(), for_good }
}

fn a_plan() -> PlanView {
    PlanView {
        seen: at("2026-11-23T02:00:00Z"),
        full: true,
        planned: words(&[("hand-over", 1), ("enroll", 40)]),
        people: words(&[("enrolled", 3211), ("opted-out", 402)]),
        left_out: words(&[("audience_cap", 3)]),
        given: words(&[
            ("R16: in destination list 946: not enrolled again", 423),
            ("enrolled by tag \"General Single\"", 1_812),
        ]),
        notes: words(&[("FNAME cut to 255 bytes", 2)]),
        gate: Some("41 of 100 people change, more than max_changed_share = 0.25".to_owned()),
        moves: vec![PlanMoveView {
            person: "anna@example.com".to_owned(),
            kind: "hand-over".to_owned(),
            reason: "R15: bears exit tag \"General Single Finished\"; out of list 987, into list 946, then archived".to_owned(),
            steps: vec![step("join list 946", false), step("leave list 987", false), step("archive the member", true)],
        }],
        total: 41,
        saved: Some("plan.json".to_owned()),
    }
}

#[test]
fn status_shows_the_worst_first_and_fits_80_columns() {
    let text = status(&overview(), Layout::PLAIN);
    golden("status", &text);
    fits(&text);
}

#[test]
fn status_of_a_quiet_workspace_is_short() {
    let view = StatusView {
        notices: vec![],
        process: ProcessView::NotRunning,
        last_run: None,
        next_run_at: None,
        moves: Vec::new(),
        open_moves: 0,
        by_phase: BTreeMap::new(),
        lanes: Vec::new(),
        budgets: Vec::new(),
        pauses: Vec::new(),
        people: BTreeMap::new(),
        alerts: Vec::new(),
        told: Vec::new(),
        ..overview()
    };
    golden("status-quiet", &status(&view, Layout::PLAIN));
}

#[test]
fn a_plan_names_reason_steps_gate_and_what_cannot_be_undone() {
    let text = plan(&a_plan(), Layout::PLAIN);
    golden("plan", &text);
    fits(&text);
}

#[test]
fn an_empty_plan_says_so() {
    let view = PlanView {
        planned: BTreeMap::new(),
        left_out: BTreeMap::new(),
        given: BTreeMap::new(),
        notes: BTreeMap::new(),
        gate: None,
        moves: Vec::new(),
        total: 0,
        saved: None,
        ..a_plan()
    };
    assert!(plan(&view, Layout::PLAIN).ends_with("\nnothing to do\n"));
}

#[test]
fn a_report_tells_what_was_done_and_what_was_not() {
    let mut run = run(RunState::Stuck, "done, with stuck moves");
    let since = at("2026-11-01T09:00:00Z");
    run.report.judged = Some(3_840);
    run.report.in_flight = words(&[("exclude", 1)]);
    run.report.parked = vec![ParkedFor { reason: "not-found".to_owned(), people: 129, since }];
    run.report.repeated = vec![Repeated {
        kind: RepeatedKind::Open,
        what: "exclude: the member is archived: not-removable".to_owned(),
        people: 1,
        times: 7,
        since,
        examples: vec![PersonId(4_711)],
    }];
    let view = ReportView { run, stuck: vec![stuck_move()] };
    let text = report(&view, Layout::PLAIN);
    golden("report", &text);
    fits(&text);
}

#[test]
fn check_sorts_findings_and_ends_with_a_verdict() {
    let finding = |(severity, code), place: &str, message: &str, way_out: &str| Finding {
        code,
        severity,
        place: place.to_owned(),
        message: message.to_owned(),
        way_out: way_out.to_owned(),
    };
    let view = CheckView {
        checked: vec!["config".to_owned(), "HubSpot account".to_owned(), "Mailchimp account".to_owned()],
        findings: vec![
            finding((Severity::Note, None), "", "HubSpot portal 12345678, Europe/London", ""),
            finding(
                (Severity::Warning, Some(Code::PortalNotNamed)),
                "hsmc.toml:9 hubspot.portal_id",
                "no portal is named, so a token of another portal would work on the wrong people",
                "add portal_id = 12345678",
            ),
            finding(
                (Severity::Error, Some(Code::ListMissing)),
                "hsmc.toml:43 group[0].list[2].id",
                "HubSpot has no list 720",
                "correct the id, or take the list out",
            ),
        ],
    };
    let text = check(&view, Layout::PLAIN);
    golden("check", &text);
    fits(&text);
    assert!(
        check(&CheckView { checked: vec!["config".to_owned()], findings: Vec::new() }, Layout::PLAIN)
            == "checked    config\nresult     ready\n"
    );
}

#[test]
fn a_move_is_shown_with_its_whole_life() {
    let view = MoveDetailView {
        id: id(3),
        person: "anna@example.com".to_owned(),
        kind: "exclude".to_owned(),
        reason: "R12: in exclusion list 717".to_owned(),
        standing: "stuck at step 2: not-removable: This list member cannot be removed".to_owned(),
        code: Some(Code::NotRemovable),
        steps: vec![step("clear tag \"Recruitment\"", false), step("archive the member", true)],
        events: vec![
            "2026-11-23 01:00:00 UTC  planned".to_owned(),
            "2026-11-23 01:00:01 UTC  1 sent".to_owned(),
        ],
    };
    golden("move", &moves(&[view], Layout::PLAIN));
}

#[test]
fn a_waiting_run_says_what_it_would_do_what_it_costs_and_the_way_out() {
    let why =
        "the plan touches 52 people; the audience has 60 subscribed members and max_changed_share is 0.25";
    let mut waiting = run(RunState::NeedsApproval, &format!("waits for approval: {why}"));
    waiting.ended = None;
    waiting.counts.ended.clear();
    waiting.counts.parked.clear();
    let audience = AudienceSize { before: 4_970, joining: 30, leaving: 12, cap: Some(5_000) };
    waiting.report.audience = Some(audience);
    waiting.asks = Some(ApprovalAsked {
        run: RunId(12),
        asked: Asked::ChangedShare,
        why: why.to_owned(),
        moves: waiting.counts.planned.clone(),
        left_out: waiting.counts.left_out.clone(),
        audience: Some(audience),
    });
    let text = report(&ReportView { run: waiting, stuck: Vec::new() }, Layout::PLAIN);
    golden("report-waiting", &text);
    fits(&text);
}

#[test]
fn runs_are_a_table() {
    let text = runs(&[run(RunState::Done, "done")], Layout::PLAIN);
    golden("runs", &text);
    fits(&text);
}

fn held(what: &str, since: Option<&str>, by: &str) -> HeldView {
    HeldView { what: what.to_owned(), since: since.map(at), by: by.to_owned() }
}

#[test]
fn why_tells_what_holds_then_what_comes_next_then_everything_that_was() {
    let event = |moment: &str, what: &str, details: &[&str]| EventView {
        at: at(moment),
        what: what.to_owned(),
        details: details.iter().map(|line| (*line).to_owned()).collect(),
    };
    let view = WhyView {
        at: at("2026-11-23T02:00:00Z"),
        person: "anna@example.com".to_owned(),
        id: PersonId(4711),
        record: Some(RecordId(201)),
        state: StateView {
            word: "enrolled".to_owned(),
            since: at("2026-11-20T01:00:00Z"),
            why: "bears entry tag \"General Single\"".to_owned(),
        },
        member: Some(held("subscribed", Some("2026-11-20T01:00:02Z"), "R4 enroll, move 3.1")),
        lists: vec![held(
            "987 \"General marketing\"",
            Some("2026-11-19T08:00:00Z"),
            "before hsmc looked (run 3's scan has it)",
        )],
        tags: vec![
            held("General Single", Some("2026-11-20T01:00:02Z"), "R4 enroll, move 3.1"),
            held("Guest", Some("2026-11-22T09:00:00Z"), "somebody else; seen first in run 9's scan"),
        ],
        memory: vec![RememberedView {
            what: "parked since 2026-11-22 09:00:10 UTC, by Mailchimp: fake-address: looks fake".to_owned(),
            code: Some(Code::FakeAddress),
            released_by: "a change of their data, or `hsmc release ADDRESS`".to_owned(),
        }],
        under_way: vec![stuck_move()],
        pauses: vec!["HubSpot is paused".to_owned()],
        timeline: vec![
            event(
                "2026-11-19T08:00:00Z",
                "foreign until 2026-11-20 01:00:00 UTC",
                &["R14: in no source list"],
            ),
            event("2026-11-20T01:00:00Z", "enroll 3.1: done", &["R4 new in source list 987"]),
        ],
        next: NextView {
            seen: Some((RunId(12), at("2026-11-23T01:00:00Z"))),
            what: "refresh: R8 properties changed; then enrolled".to_owned(),
            steps: vec!["refresh merge fields".to_owned()],
            waits_for: vec!["a yes: apply = \"ask\" in the config".to_owned()],
        },
    };
    let text = why(&view, Layout::PLAIN);
    golden("why", &text);
    fits(&text);
    let json = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<WhyView>(&json).unwrap(), view);
}

#[test]
fn parked_tells_groups_and_people_and_what_would_change_it() {
    let view = ParkedView {
        at: at("2026-11-23T02:00:00Z"),
        groups: vec![
            ParkedGroupView {
                reason: "not-found".to_owned(),
                code: Some(Code::NotFound),
                count: 129,
                since: at("2026-11-01T02:00:00Z"),
                changed_by: "a change of their data, or `hsmc release ADDRESS`".to_owned(),
            },
            ParkedGroupView {
                reason: "twin".to_owned(),
                code: Some(Code::Twin),
                count: 2,
                since: at("2026-11-22T02:00:00Z"),
                changed_by: "the contacts merged, or another address for one of them".to_owned(),
            },
        ],
        people: vec![ParkedPersonView {
            person: "anna@example.com".to_owned(),
            reason: "not-found".to_owned(),
            code: Some(Code::NotFound),
            since: at("2026-11-01T02:00:00Z"),
            why: "HubSpot: HubSpot has no contact with this address".to_owned(),
        }],
        total: 131,
    };
    let text = parked(&view, Layout::PLAIN);
    golden("parked", &text);
    fits(&text);
    let nobody = ParkedView { groups: Vec::new(), people: Vec::new(), total: 0, ..view };
    assert_eq!(parked(&nobody, Layout::PLAIN), "nobody is parked\n");
}

#[test]
fn an_undo_shows_what_is_taken_back_and_what_stays_and_why() {
    let stays = |number, what: &str, why: &str| StaysView {
        person: "bram@example.com".to_owned(),
        of: id(number),
        what: what.to_owned(),
        why: why.to_owned(),
    };
    let view = UndoView {
        of: "run 12".to_owned(),
        seen: at("2026-11-23T02:00:00Z"),
        moves: vec![PlanMoveView {
            person: "anna@example.com".to_owned(),
            kind: "undo".to_owned(),
            reason: "R28 undoes hand-over 12.3".to_owned(),
            steps: vec![
                step("make the archived member subscribed again", false),
                step("set tag \"General Single\" silently", false),
                step("join list 987", false),
                step("leave list 946", false),
            ],
        }],
        total: 41,
        agreed: vec!["7".to_owned()],
        stays: vec![
            stays(4, "set tag \"General Single\"", "changed since by move 14.2"),
            stays(5, "the whole opt-out-hubspot", "an opt-out has no way back"),
        ],
        stays_total: 3,
        stays_because: words(&[("changed since by move 14.2", 1), ("an opt-out has no way back", 2)]),
        left_out: words(&[("max_archives_per_run", 17)]),
        gate: Some("the plan touches 41 people; the audience has 100 subscribed members".to_owned()),
        notes: vec![
            "40 of them had set tags that may start a journey: mail that has gone out stays out".to_owned(),
        ],
    };
    let text = undo(&view, Layout::PLAIN);
    golden("undo", &text);
    fits(&text);
    let nothing = UndoView { moves: Vec::new(), total: 0, ..view };
    assert!(undo(&nothing, Layout::PLAIN).contains("\nnothing to undo\n"));
}

fn scan(run: u64, full: bool) -> SnapshotView {
    SnapshotView {
        run: RunId(run),
        seen: at("2026-11-23T02:00:00Z"),
        full,
        people: 4_211,
        members: 3_900,
        subscribed: 3_311,
        bytes: 4_194_304,
    }
}

#[test]
fn kept_scans_are_a_table_and_one_of_them_tells_counts_or_people() {
    let text = snapshots(&[scan(12, false), scan(11, true)], Layout::PLAIN);
    golden("snapshots", &text);
    fits(&text);
    let counts = SnapshotShownView {
        snapshot: scan(12, false),
        lists: words(&[("987 \"General marketing\"", 800), ("946 \"General finished\"", 88)]),
        tags: words(&[("General Single", 790), ("Guest", 3)]),
        people: Vec::new(),
        total: 0,
    };
    let one = SeenView {
        person: "anna@example.com".to_owned(),
        records: vec![RecordId(201)],
        status: Some("subscribed".to_owned()),
        lists: vec![ListId(987)],
        tags: vec!["General Single".to_owned(), "Guest".to_owned()],
    };
    let people = SnapshotShownView { people: vec![one], total: 2, ..counts.clone() };
    let text = snapshot(&counts, Layout::PLAIN) + "\n" + &snapshot(&people, Layout::PLAIN);
    golden("snapshot", &text);
    fits(&text);
}

#[test]
fn two_scans_side_by_side_tell_what_changed_and_for_whom() {
    let joined = "joined list 946 \"General finished\"".to_owned();
    let view = SnapshotDiffView {
        from: scan(11, true),
        to: scan(12, false),
        changes: words(&[(&joined, 12), ("lost tag \"General Single\"", 12), ("subscribed → archived", 12)]),
        people: vec![ChangedView {
            person: "anna@example.com".to_owned(),
            changes: vec!["subscribed → archived".to_owned(), joined],
        }],
        total: 12,
    };
    let text = snapshot_diff(&view, Layout::PLAIN);
    golden("snapshot-diff", &text);
    fits(&text);
}

#[test]
fn colour_only_adds_colour() {
    let coloured = status(&overview(), Layout { colour: true, ..Layout::PLAIN });
    assert!(coloured.contains('\u{1b}'));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&stripped(&coloured)), words(&status(&overview(), Layout::PLAIN)));
}

#[test]
fn every_view_comes_back_from_its_json() {
    let view = overview();
    let json = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<StatusView>(&json).unwrap(), view);
    let answer = SyncAnswer::Planned(Box::new(a_plan()));
    let json = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<SyncAnswer>(&json).unwrap(), answer);
    let answer = StatusAnswer::Overview(Box::new(view));
    let json = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<StatusAnswer>(&json).unwrap(), answer);
}

/// The text as it stands in `tests/cli/`.
fn golden(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}

fn fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
}

fn stripped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[test]
fn evidence_is_shown_as_an_auditor_reads_it() {
    use crate::domain::id::PersonId;
    use crate::serve::consent::{BreakView, ChainView, ConsentView, LinkView};
    let seen = LinkView {
        place: 16,
        change: "opt-out-seen".to_owned(),
        at: at("2026-11-23T01:00:01Z"),
        seen: "Mailchimp".to_owned(),
        status: "unsubscribed".to_owned(),
        source: "scan".to_owned(),
        called: None,
        answer: None,
        legal_basis: None,
        explanation: None,
        by: Some(id(1)),
        is_of_address: Some(false),
        hash: "0f".repeat(32),
    };
    let told = LinkView {
        place: 17,
        change: "opt-out-delivered".to_owned(),
        at: at("2026-11-23T01:00:02Z"),
        called: Some("opt out of all email".to_owned()),
        answer: Some("done".to_owned()),
        legal_basis: Some("LEGITIMATE_INTEREST_OTHER".to_owned()),
        explanation: Some("Opted out in Mailchimp".to_owned()),
        is_of_address: Some(true),
        hash: "a0".repeat(32),
        ..seen.clone()
    };
    let view = ConsentView {
        person: PersonId(4711),
        address: "ann@example.com".to_owned(),
        links: vec![seen, told],
    };
    insta::assert_snapshot!(consent(&view, Layout::PLAIN));
    let whole = ChainView {
        links: 1412,
        first: Some(at("2026-11-23T01:00:01Z")),
        last: Some(at("2026-11-24T09:00:00Z")),
        head: Some("a0".repeat(32)),
        broken: None,
    };
    let what = "what it holds is not what was written: its hash does not hold".to_owned();
    let broken = ChainView {
        links: 16,
        broken: Some(BreakView { code: Code::EvidenceBroken, place: 17, what }),
        ..whole.clone()
    };
    insta::assert_snapshot!(format!(
        "{}---\n{}",
        chain(&whole, Layout::PLAIN),
        chain(&broken, Layout::PLAIN)
    ));
}

#[test]
fn a_receipt_says_what_is_gone_what_stays_and_where_copies_are() {
    use crate::domain::id::PersonId;
    use crate::serve::forget::{ForgetState, ForgetView};
    let of = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let view = ForgetView {
        state: ForgetState::Forgotten,
        person: Some(PersonId(4711)),
        id: Some(id(1)),
        at: Some(at("2026-11-23T01:00:01Z")),
        mailchimp: of(&["unsubscribe the member", "delete the member for good"]),
        hubspot: of(&["opt out of all email", "delete contact 51 for good"]),
        here: of(&["record, address and record indexes, merge-field values, salt of the evidence: deleted"]),
        kept: of(&["here: a keyed hash of the address, so that they are left alone if they come again"]),
        copies: vec![],
    };
    let planned =
        ForgetView { state: ForgetState::Planned, id: None, at: None, hubspot: vec![], ..view.clone() };
    let why = "missing-scope: the token may not delete contacts".to_owned();
    let copies = of(&["state.before", "state.tar.zst"]);
    let stuck = ForgetView { state: ForgetState::Stuck { why }, copies, ..view.clone() };
    let texts: Vec<String> = [&view, &planned, &stuck].map(|view| forget(view, Layout::PLAIN)).into();
    insta::assert_snapshot!(texts.join("---\n"));
    assert!(texts.iter().flat_map(|text| text.lines()).all(|line| line.chars().count() <= 80), "{texts:?}");
}
