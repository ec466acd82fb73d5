//! Which alerts the end of a run means, and which it ends: tables over runs as values.

use super::*;
use crate::domain::code::Code;
use crate::domain::id::{ListId, RunId};
use crate::domain::report::{AudienceSize, Repeated, RunReport};
use crate::domain::run::{RunCause, RunCounts};

const NOW: Timestamp = Timestamp(1_795_442_400_000);
const HOUR: Duration = Duration::from_secs(3600);

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn run(id: u64, end: RunEnd) -> Run {
    Run {
        id: RunId(id),
        cause: RunCause::Schedule,
        of: None,
        full: false,
        started: NOW.minus(HOUR * (10 - u32::try_from(id).unwrap())),
        seen: NOW,
        ended: Some(NOW),
        phase: RunPhase::Finished(end),
        counts: RunCounts {
            people: counts(&[("enrolled", 100)]),
            planned: counts(&[("enroll", 3)]),
            ended: counts(&[("done", 3)]),
            ..RunCounts::default()
        },
        report: RunReport { judged: Some(100), ..RunReport::default() },
        code: None,
    }
}

/// An audience that the plan makes this large.
fn audience(after: u64, cap: Option<u64>) -> Option<AudienceSize> {
    Some(AudienceSize { before: 10, joining: after - 10, leaving: 0, cap })
}

struct Case {
    run: Run,
    learned: Learned,
    apply: ApplyMode,
    open: Open,
    damaged: u64,
    summary: bool,
    before: Vec<Run>,
}

impl Case {
    fn new(run: Run) -> Case {
        Case {
            run,
            learned: Learned::default(),
            apply: ApplyMode::Always,
            open: Open::default(),
            damaged: 0,
            summary: false,
            before: Vec::new(),
        }
    }

    fn with<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        ask(&Facts {
            run: &self.run,
            learned: &self.learned,
            apply: self.apply,
            settings: AlertSettings {
                quiet: HOUR,
                summary: self.summary,
                many_opt_outs: None,
                deliver_within: HOUR,
            },
            open: self.open.clone(),
            damaged: self.damaged,
            now: NOW,
            before: self.before.clone(),
        })
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.with(|facts| facts.alerts().iter().map(Alert::kind).collect())
    }
}

fn failed() -> RunEnd {
    RunEnd::Failed { why: "ann@example.com".to_owned() }
}

#[test]
fn a_run_that_went_well_tells_nothing_and_ends_what_runs_had_told() {
    let case = Case::new(run(9, RunEnd::Done));
    assert_eq!(case.kinds(), Vec::<&str>::new());
    let run = RunId(8);
    case.with(|facts| {
        assert!(facts.judges(&Alert::RunFailed { run, cause: RunFailure::Inside }));
        assert!(facts.judges(&Alert::RunStuck { run, moves: counts(&[]), first: String::new() }));
        assert!(facts.judges(&Alert::Contested { count: 1 }));
        assert!(!facts.judges(&Alert::CredentialsRefused { service: Service::HubSpot }));
        assert!(!facts.judges(&Alert::RunOverdue { since: NOW, every: HOUR }));
    });
}

#[test]
fn a_failed_run_says_why_in_our_words_and_leaves_what_it_cannot_judge() {
    let mut case = Case::new(Run { report: RunReport::default(), ..run(9, failed()) });
    case.open = Open { waiting: 4, waits_for: BTreeSet::from([Service::HubSpot]), ..Open::default() };
    let cause = RunFailure::Waiting { moves: 4, service: Some(Service::HubSpot) };
    let expected = Alert::RunFailed { run: RunId(9), cause };
    case.with(|facts| {
        assert_eq!(facts.alerts(), std::slice::from_ref(&expected));
        assert!(!facts.judges(&Alert::Contested { count: 1 }));
        assert!(!facts.judges(&Alert::NoProgress { runs: 3, since: NOW, planned: counts(&[]) }));
        let audience = Audience::default();
        assert!(!facts.judges(&Alert::AudienceCap { audience, left_out: 1 }));
    });
    case.learned.cause = Some(RunFailure::Unfit { place: "hsmc.toml:8 hubspot.token".to_owned() });
    case.with(|facts| assert!(facts.alerts()[0].text().contains("hsmc.toml:8 hubspot.token")));
}

#[test]
fn a_failures_own_words_never_become_an_alert() {
    let call = CallFailure {
        service: Service::Mailchimp,
        class: crate::domain::failure::FailureClass::Permanent,
        refusal: RefusalCode::Other,
        status: Some(400),
        what: "read the audience".to_owned(),
        message: "Ann Lee is nobody".to_owned(),
        trace: None,
    };
    for error in [
        RunError::Call(call.clone()),
        RunError::Unfit {
            code: Code::CallRefused,
            place: "hsmc.toml:8".to_owned(),
            what: call.to_string(),
            way_out: "ask Ann Lee".to_owned(),
        },
        RunError::Internal("Ann Lee".to_owned()),
        RunError::Scan(ScanError::MissingList { list: ListId(7) }),
    ] {
        let alert = Alert::RunFailed { run: RunId(1), cause: cause(&error) };
        let said = format!("{} {}", alert.text(), alert.way_out());
        assert!(!said.contains("Ann"), "{said}");
    }
}

#[test]
fn r25_only_what_can_be_approved_asks_for_it() {
    let mut case = Case::new(run(9, RunEnd::Done));
    case.run.phase = RunPhase::AwaitingApproval { why: "max_changed_share".to_owned() };
    assert_eq!(case.kinds(), ["needs-approval"]);
    case.apply = ApplyMode::Never;
    assert_eq!(case.kinds(), Vec::<&str>::new());
}

#[test]
fn r7_the_cap_is_told_from_nineteen_twentieths_on() {
    let mut case = Case::new(run(9, RunEnd::Done));
    for (after, left_out, told) in [(94, 0, false), (95, 0, true), (100, 7, true), (10, 7, true)] {
        case.run.report.audience = audience(after, Some(100));
        case.run.counts.left_out = counts(&[("audience_cap", left_out)]);
        assert_eq!(case.kinds() == ["audience-cap"], told, "{after} of 100");
    }
    case.run.report.audience = audience(1_000, None);
    case.run.counts.left_out = counts(&[]);
    assert_eq!(case.kinds(), Vec::<&str>::new());
}

#[test]
fn r24_opt_outs_that_the_config_keeps_back_are_told_past_their_time_and_many_at_once_too() {
    let mut case = Case::new(run(9, RunEnd::Done));
    case.learned.opt_outs = vec![NOW.minus(HOUR * 2), NOW.minus(HOUR / 2)];
    assert_eq!(case.kinds(), Vec::<&str>::new(), "they were delivered");
    case.apply = ApplyMode::Never;
    assert_eq!(case.kinds(), ["opt-outs-late"]);
    case.learned.opt_outs = vec![NOW; 50];
    assert_eq!(case.kinds(), ["many-opt-outs"]);
    case.learned.subscribed = 2_000;
    assert_eq!(case.kinds(), Vec::<&str>::new(), "a twentieth of 2,000 is 100");
}

#[test]
fn the_same_unexpected_failure_for_the_third_time_is_told_with_its_beginning() {
    let repeated = |kind, what: &str, times, people| Repeated {
        kind,
        what: what.to_owned(),
        people,
        times,
        since: NOW.minus(HOUR * 24),
        examples: Vec::new(),
    };
    let mut case = Case::new(run(9, RunEnd::Done));
    for (one, told) in [
        (repeated(RepeatedKind::Failed, "bounce: set property bounced: not-writable", 3, 28), true),
        (repeated(RepeatedKind::Failed, "bounce: set property bounced: not-writable", 2, 28), false),
        (repeated(RepeatedKind::Failed, "enroll: create the member: fake-address", 9, 4), false),
        (repeated(RepeatedKind::Failed, "enroll: create the member: compliance", 9, 4), false),
        (repeated(RepeatedKind::LeftOut, "left out by max_archives_per_run", 3, 0), true),
        (repeated(RepeatedKind::LeftOut, "left out by audience_cap", 3, 0), false),
        (repeated(RepeatedKind::Run, "HubSpot read lists", 3, 0), false),
    ] {
        case.run.report.repeated = vec![one.clone()];
        assert_eq!(case.kinds() == ["fails-again"], told, "{one:?}");
    }
    case.run.report.repeated = vec![
        repeated(RepeatedKind::Failed, "hand-over: create the contact: not-found", 4, 3),
        repeated(RepeatedKind::Failed, "bounce: set property bounced: not-writable", 3, 28),
    ];
    let expected = Alert::FailsAgain {
        run: RunId(9),
        what: "bounce: set property bounced: not-writable".to_owned(),
        times: 3,
        since: NOW.minus(HOUR * 24),
        people: 28,
        others: 1,
    };
    case.with(|facts| assert_eq!(facts.alerts(), [expected]));
}

#[test]
fn runs_that_plan_and_get_nothing_done_are_told_unless_an_operator_holds_them_back() {
    let vain = |id| {
        let mut run = run(id, RunEnd::Done);
        run.counts.ended = counts(&[("refused", 3)]);
        run
    };
    let mut case = Case::new(vain(9));
    case.before = vec![vain(8), vain(7), run(6, RunEnd::Done)];
    assert_eq!(case.kinds(), ["no-progress"]);
    case.run.counts.notes = counts(&[("held back: list 946", 3)]);
    assert_eq!(case.kinds(), Vec::<&str>::new());
    case.run = run(9, RunEnd::Done);
    assert_eq!(case.kinds(), Vec::<&str>::new());
}

#[test]
fn stuck_moves_damage_and_contested_people_are_told_by_count() {
    let mut case = Case::new(run(9, RunEnd::Stuck));
    case.open.stuck = counts(&[("exclude", 2)]);
    case.open.first = Some(RefusalCode::NotRemovable);
    case.damaged = 1;
    case.run.counts.people = counts(&[("contested", 4), ("enrolled", 3)]);
    assert_eq!(case.kinds(), ["run-stuck", "contested", "damaged"]);
}

#[test]
fn r29_a_run_is_told_in_one_line_only_where_the_config_asks_for_it() {
    let mut case = Case::new(run(9, RunEnd::Done));
    case.summary = true;
    assert_eq!(case.kinds(), ["run-summary"]);
    case.with(|facts| assert_eq!(facts.alerts()[0].text(), "run 9 done in 1h: done 3"));
    case.run = run(9, failed());
    assert_eq!(case.kinds(), ["run-failed", "run-summary"]);
    case.with(|facts| assert!(!facts.alerts()[1].text().contains("ann")));
}
