//! The page, from reports with everything in them and with nothing.

use super::*;
use crate::domain::failure::Service;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::report::{Asked, ParkedFor, PhaseTook, Repeated, RepeatedKind};
use crate::domain::run::RunCounts;
use crate::serve::views::{MovePhase, MoveView};

fn words(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn empty() -> ReportView {
    let run = RunView {
        id: RunId(1),
        cause: "command".to_owned(),
        of: None,
        full: false,
        state: RunState::Done,
        phase: "done".to_owned(),
        started: Timestamp(1_795_442_400_000),
        ended: None,
        counts: RunCounts::default(),
        report: RunReport::default(),
        code: None,
        codes: BTreeMap::new(),
        asks: None,
    };
    ReportView { run, stuck: Vec::new() }
}

fn everything() -> ReportView {
    let mut view = empty();
    let since = Timestamp(1_793_442_400_000);
    let run = &mut view.run;
    run.state = RunState::NeedsApproval;
    run.phase = "waits for approval: <b>\"52\" & more</b>".to_owned();
    run.ended = Some(run.started.plus(Duration::from_secs(93)));
    run.counts = RunCounts {
        people: words(&[("enrolled", 3_211), ("foreign", 130), ("parked", 129)]),
        planned: words(&[("enroll", 40), ("hand-over", 12)]),
        ended: words(&[("done", 45), ("stuck", 1)]),
        left_out: words(&[("audience_cap", 17)]),
        parked: words(&[("fake-address", 2)]),
        calls: words(&[("HubSpot", 61), ("Mailchimp", 44)]),
        notes: words(&[("two exit tags at once: the first in the config was taken", 3)]),
    };
    let audience = AudienceSize { before: 4_970, joining: 30, leaving: 12, cap: Some(5_000) };
    run.report = RunReport {
        narrowed: Some("list 987".to_owned()),
        judged: Some(3_400),
        asked: Some(Asked::ChangedShare),
        audience: Some(audience),
        in_flight: words(&[("exclude", 1)]),
        by_kind: BTreeMap::from([
            ("enroll".to_owned(), words(&[("done", 38), ("unwound", 2)])),
            ("hand-over".to_owned(), words(&[("done", 7), ("stuck", 1)])),
        ]),
        parked: vec![ParkedFor { reason: "not-found".to_owned(), people: 129, since }],
        repeated: vec![Repeated {
            kind: RepeatedKind::Open,
            what: "exclude: the member is archived: not-removable".to_owned(),
            people: 1,
            times: 7,
            since,
            examples: vec![PersonId(4_711)],
        }],
        phases: vec![
            PhaseTook { phase: "before".to_owned(), began: run.started, took_ms: 420 },
            PhaseTook { phase: "reading".to_owned(), began: run.started, took_ms: 61_000 },
        ],
        calls: vec![CallCurve {
            service: Service::HubSpot,
            from: run.started,
            bucket_ms: 10_000,
            calls: vec![12, 99, 0, 40],
            most: Some(100),
        }],
    };
    run.asks = Some(ApprovalAsked {
        run: run.id,
        asked: Asked::ChangedShare,
        why: "the plan touches 52 people".to_owned(),
        moves: run.counts.planned.clone(),
        left_out: run.counts.left_out.clone(),
        audience: Some(audience),
    });
    view.stuck.push(MoveView {
        id: MoveId { run: RunId(1), number: 3 },
        person: "ada@example.com".to_owned(),
        kind: "exclude".to_owned(),
        phase: MovePhase::Stuck,
        code: None,
        step: "2/3 archive the member".to_owned(),
        attempts: 1,
        next_try: None,
        waiting_for: None,
        age_ms: 7,
        last_error: Some("not-removable: no".to_owned()),
    });
    view
}

#[test]
fn the_page_is_whole_in_itself_and_may_run_nothing() {
    for view in [empty(), everything()] {
        let page = page(&view);
        for word in
            ["<script", "http:", "https:", "url(", "@import", " src=", " href=", " style=", "javascript"]
        {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'; style-src 'sha256-"), "what it may do is nothing");
        assert_eq!(page, super::page(&view), "the same report gives the same bytes");
    }
}

#[test]
fn nobody_is_named_and_nothing_said_by_a_service_becomes_markup() {
    let page = page(&everything());
    assert!(!page.contains("ada") && !page.contains("example.com"), "an address, in what is to be mailed");
    assert!(page.contains("&lt;b&gt;&quot;52&quot; &amp; more&lt;/b&gt;"));
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let page = page(&everything());
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('!') || tag.ends_with('/') || name == "meta" {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn everything_a_report_knows_stands_on_the_page() {
    let page = page(&everything());
    for part in [
        "Run 1",
        "only list 987",
        "took 1m 33s",
        "waits for approval",
        "hsmc approve 1",
        "3,470",
        "judged in this run",
        "in flight: exclude 1",
        "4,970 subscribed members before, 4,988 after",
        "the limit is 100 in 10s",
        "looking first",
        "1m 1s",
        "not-found",
        "129 · since 2026-10-",
        "fake-address 2",
        "audience_cap",
        "Again",
        "exclude: the member is archived: not-removable",
        "two exit tags at once",
        "(3)",
        "1.3",
        "unwound",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
