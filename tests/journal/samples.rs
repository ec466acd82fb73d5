//! One of each record, with everything in it set. They are the first format's: never change them, add
//! others beside them.

use hsmc::domain::alert::{
    self, Alert, Audience, GivenUp, Hindrance, RunFailure, Said, Standing, Trying, Withheld,
};
use hsmc::domain::audit::AuditLine;
use hsmc::domain::consent::{Commitment, ConsentChange, ConsentFact, Evidence, Link, LinkHash, Witness};
use hsmc::domain::email::{Email, SubscriberHash};
use hsmc::domain::event::{Direction, MoveEnd, MoveEvent, OperatorRequest, StepOutcome};
use hsmc::domain::failure::{FailureClass, Refusal, RefusalCode, Service};
use hsmc::domain::forget::{Forgotten, Receipt, Trace};
use hsmc::domain::hint::{Hint, RecordHint};
use hsmc::domain::id::{ListId, MoveId, PersonId, RecordId, RunId, SegmentId, StepIndex};
use hsmc::domain::member::MemberStatus;
use hsmc::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep, Reason};
use hsmc::domain::naming::ListNaming;
use hsmc::domain::person::{
    ArchivedByUs, Contested, Enrolled, HandedOver, MadeChange, OptOutMemory, Parked, PastState, Person,
    PersonState,
};
use hsmc::domain::report::{
    Asked, AudienceSize, CallCurve, ParkedFor, PhaseTook, Repeated, RepeatedKind, RunReport,
};
use hsmc::domain::run::{Run, RunCause, RunCounts, RunEnd, RunPhase};
use hsmc::domain::step::{Before, Delivery, Fingerprint, OptOutScope, Step};
use hsmc::domain::tag::TagName;
use hsmc::domain::time::Timestamp;
use hsmc::domain::token::{Token, TokenId, TokenScope};
use hsmc::domain::watermark::Watermark;
use std::collections::BTreeMap;
use std::time::Duration;

pub const AT: Timestamp = Timestamp(1_795_442_400_000);

fn refusal() -> Refusal {
    Refusal { code: RefusalCode::Compliance, message: "is in a compliance state".to_owned() }
}

fn counts() -> BTreeMap<String, u64> {
    BTreeMap::from([("enroll".to_owned(), 3), ("hand-over".to_owned(), 300)])
}

pub fn person() -> Person {
    Person {
        id: PersonId(51),
        email: Email::parse("ann@example.com").ok(),
        previous_email: Email::parse("ann.old@example.com").ok(),
        record: Some(RecordId(9_001)),
        fields: BTreeMap::from([("FNAME".to_owned(), "Ann".to_owned())]),
        state: PersonState::Enrolled,
        since: AT,
        why: "in list 946".to_owned(),
        enrolled: Some(Enrolled { tag: TagName::new("Spring"), list: ListId(946), at: AT }),
        handed_over: Some(HandedOver { exit_tag: TagName::new("Done"), at: AT, still_in: vec![ListId(1)] }),
        archived: Some(ArchivedByUs { status_before: MemberStatus::Other("new".to_owned()), at: AT }),
        parked: Some(Parked {
            service: Service::Mailchimp,
            refusal: refusal(),
            input: Fingerprint(7),
            at: AT,
        }),
        opt_out: Some(OptOutMemory { seen: Service::HubSpot, at: AT, delivered: Some(AT) }),
        bounce_noted: true,
        adopted: false,
        opted_in_again: None,
        made: Vec::new(),
        contested: None,
        contact_id: None,
        moved: None,
        second: None,
    }
}

/// The person as of the second version of the record.
pub fn person_2() -> Person {
    Person {
        opted_in_again: Some(AT),
        made: vec![MadeChange { kind: MoveKind::Retag, change: Fingerprint(11), at: AT }],
        contested: Some(Contested { kind: MoveKind::Retag, times: 3, since: AT }),
        ..person()
    }
}

/// The person as of the third version of the record.
pub fn person_3() -> Person {
    let contact_id = Some("28a4f0b7c9d1e2f3a4b5c6d7e8f90112".to_owned());
    Person { contact_id, moved: Some(AT), second: Some(AT), ..person_2() }
}

pub fn past_state() -> PastState {
    let (state, why) = (PersonState::Enrolled, "R1: in source list 946".to_owned());
    PastState { state, why, since: AT, until: AT }
}

/// The run as of the second version of the record.
pub fn run_3() -> Run {
    Run { phase: run().phase, code: Some(2008), ..run_2() }
}

pub fn run_2() -> Run {
    let phase = RunPhase::Finished(RunEnd::Approved { by: RunId(13) });
    Run { cause: RunCause::Approval, of: Some(RunId(11)), phase, report: report(), ..run() }
}

pub fn run() -> Run {
    Run {
        id: RunId(12),
        cause: RunCause::Schedule,
        of: None,
        full: true,
        started: AT,
        seen: AT,
        ended: Some(AT),
        phase: RunPhase::Finished(RunEnd::Failed { why: "no quota".to_owned() }),
        counts: RunCounts {
            people: counts(),
            planned: counts(),
            ended: counts(),
            left_out: counts(),
            parked: counts(),
            calls: counts(),
            notes: counts(),
        },
        report: RunReport::default(),
        code: None,
    }
}

fn report() -> RunReport {
    RunReport {
        narrowed: Some("list 946".to_owned()),
        judged: Some(300),
        asked: Some(Asked::Changed),
        audience: Some(AudienceSize { before: 1_000, joining: 20, leaving: 3, cap: Some(2_000) }),
        in_flight: counts(),
        by_kind: BTreeMap::from([("enroll".to_owned(), counts())]),
        parked: vec![ParkedFor { reason: "not-found".to_owned(), people: 129, since: AT }],
        repeated: vec![Repeated {
            kind: RepeatedKind::LeftOut,
            what: "audience_cap".to_owned(),
            people: 7,
            times: 3,
            since: AT,
            examples: vec![PersonId(51)],
        }],
        phases: vec![PhaseTook { phase: "reading".to_owned(), began: AT, took_ms: 1_500 }],
        calls: vec![CallCurve {
            service: Service::HubSpot,
            from: AT,
            bucket_ms: 10_000,
            calls: vec![0, 99],
            most: Some(100),
        }],
    }
}

/// A move with every kind of step.
pub fn draft() -> Move {
    let tag = TagName::new("Spring");
    let steps = [
        (Step::UpsertMember { fields: Fingerprint(1), pending: true }, Before::NotHeld),
        (Step::RestoreMember { fields: Fingerprint(2) }, Before::Status(MemberStatus::Archived)),
        (Step::RefreshMember { fields: Fingerprint(u64::MAX) }, Before::Held),
        (Step::RenameMember, Before::NotHeld),
        (Step::SetTag { tag: tag.clone(), delivery: Delivery::Loud }, Before::NotHeld),
        (Step::ClearTag { tag: tag.clone() }, Before::Held),
        (Step::ArchiveMember, Before::Status(MemberStatus::Subscribed)),
        (Step::UnsubscribeMember, Before::Status(MemberStatus::Subscribed)),
        (Step::CreateContact, Before::NotHeld),
        (Step::JoinList { list: ListId(946) }, Before::NotHeld),
        (Step::LeaveList { list: ListId(947) }, Before::Held),
        (
            Step::SetProperty { property: "source".to_owned(), value: "946".to_owned() },
            Before::Property(Some("1".to_owned())),
        ),
        (Step::OptOut { scope: OptOutScope::All }, Before::NotHeld),
        (Step::OptOut { scope: OptOutScope::Subscription(5) }, Before::Property(None)),
        (Step::RecordEvidence, Before::NotHeld),
    ];
    Move {
        person: PersonId(51),
        kind: MoveKind::HandOver,
        reason: Reason { rule: "R15".to_owned(), text: "bears exit tag \"Done\"".to_owned() },
        steps: steps.into_iter().map(|(step, before)| PlannedStep { step, before }).collect(),
        then: vec![
            MemoryChange::Enrolled { tag: tag.clone(), list: ListId(946) },
            MemoryChange::HandedOver { exit_tag: tag, still_in: vec![ListId(1)] },
            MemoryChange::ArchivedByUs { status_before: MemberStatus::Subscribed },
            MemoryChange::NotArchived,
            MemoryChange::NotEnrolled,
            MemoryChange::OptOutDelivered,
            MemoryChange::BounceNoted,
            MemoryChange::Renamed,
        ],
        since: AT,
        input: Fingerprint(99),
    }
}

/// An undo, with the step and what is remembered that only undos have.
pub fn undo() -> Move {
    let step = Step::ReturnMember { status: MemberStatus::Transactional };
    let of = MoveId { run: RunId(12), number: 3 };
    Move {
        kind: MoveKind::Undo,
        steps: vec![PlannedStep { step, before: Before::Status(MemberStatus::Archived) }],
        then: vec![MemoryChange::NotHandedOver, MemoryChange::Undone { of }],
        ..draft()
    }
}

/// Every kind of event, of outcome and of end.
pub fn events() -> Vec<MoveEvent> {
    let step = StepIndex(2);
    let outcome = |outcome| MoveEvent::Outcome { step, direction: Direction::Forward, outcome, at: AT };
    let ended = |end| MoveEvent::Ended { end, at: AT };
    let operator = |request| MoveEvent::Operator { request, at: AT };
    let retry = |class| outcome(StepOutcome::RetryAt { at: AT, class, why: "503".to_owned() });
    vec![
        MoveEvent::Planned { draft: Box::new(draft()), at: AT },
        MoveEvent::Intent { step, direction: Direction::Forward, before: Some(Before::Held), at: AT },
        MoveEvent::Intent { step, direction: Direction::Undo, before: None, at: AT },
        outcome(StepOutcome::Done),
        outcome(StepOutcome::AlreadyHeld),
        outcome(StepOutcome::LeftTheirs),
        outcome(StepOutcome::Refused(refusal())),
        outcome(StepOutcome::InDoubt { probe_at: AT, why: "timed out".to_owned() }),
        retry(FailureClass::Transient),
        retry(FailureClass::RateLimited { retry_after: Some(Duration::from_millis(1500)) }),
        retry(FailureClass::Permanent),
        retry(FailureClass::InDoubt),
        retry(FailureClass::Unauthorized),
        retry(FailureClass::Misconfigured),
        outcome(StepOutcome::ProbedNot),
        outcome(StepOutcome::Ticket("b1".to_owned())),
        MoveEvent::Unwinding { because: refusal(), at: AT },
        MoveEvent::Stuck { because: refusal(), at: AT },
        operator(OperatorRequest::Retry),
        operator(OperatorRequest::Skip),
        operator(OperatorRequest::RollBack),
        operator(OperatorRequest::Cancel),
        MoveEvent::Confirmed { at: AT },
        ended(MoveEnd::Done),
        ended(MoveEnd::Unwound { left_theirs: vec![step], because: refusal() }),
        ended(MoveEnd::Superseded),
        ended(MoveEnd::Dropped { why: "no longer wanted".to_owned() }),
        ended(MoveEnd::Refused(refusal())),
        ended(MoveEnd::Skipped),
    ]
}

pub fn audit_line() -> AuditLine {
    AuditLine {
        kind: MoveKind::HandOver,
        rule: "R15".to_owned(),
        reason: "bears exit tag \"Done\"".to_owned(),
        steps: vec!["in list 946".to_owned(), "tag \"Spring\"".to_owned()],
        end: MoveEnd::Refused(refusal()),
        planned: AT,
        ended: AT,
        given_up: AT,
    }
}

pub fn evidence() -> Evidence {
    Evidence {
        at: AT,
        seen: Service::Mailchimp,
        status: "unsubscribed".to_owned(),
        source: "scan".to_owned(),
        called: Some("unsubscribe-all".to_owned()),
        answer: Some("200".to_owned()),
        legal_basis: Some("LEGITIMATE_INTEREST_OTHER".to_owned()),
        explanation: Some("opted out by own hand".to_owned()),
        by: Some(MoveId { run: RunId(12), number: 3 }),
    }
}

pub fn fact() -> ConsentFact {
    ConsentFact { change: ConsentChange::OptedInAgain, seen: Witness::Operator, ..evidence().into() }
}

pub fn link() -> Link {
    Link {
        place: 70_000,
        person: PersonId(51),
        commitment: Some(Commitment([9; 32])),
        fact: fact(),
        previous: LinkHash([3; 32]),
    }
}

pub fn forgotten() -> Forgotten {
    Forgotten { at: AT, opted_out: true }
}

pub fn trace() -> Trace {
    let by = MoveId { run: RunId(12), number: 1 };
    Trace {
        by,
        hashes: vec![SubscriberHash([5; 16])],
        records: vec![RecordId(9_001)],
        receipt: Receipt {
            person: PersonId(51),
            by,
            asked: AT,
            erased: AT,
            ended: Some(AT),
            done: vec![(Service::Mailchimp, "delete the member for good".to_owned())],
            lines: 3,
            snapshots: 2,
            opted_out: true,
        },
    }
}

/// A move that forgets somebody.
pub fn forget_events() -> Vec<MoveEvent> {
    let steps = [Step::EraseMember, Step::EraseContact { record: RecordId(9_001) }];
    let draft = Move {
        kind: MoveKind::Forget,
        steps: steps.map(|step| PlannedStep { step, before: Before::NotHeld }).to_vec(),
        then: vec![],
        ..draft()
    };
    vec![MoveEvent::Planned { draft: Box::new(draft), at: AT }]
}

pub fn watermark() -> Watermark {
    Watermark { upto: AT, mark: Some("a b 3".to_owned()), cursor: Some("page 7".to_owned()), full: Some(AT) }
}

pub fn list_naming() -> ListNaming {
    ListNaming { name: "Spring".to_owned(), tag: Some(SegmentId(70)), at: AT }
}

/// Every kind of alert, of failure and of hindrance.
pub fn alerts() -> Vec<Standing> {
    let run = RunId(12);
    let audience = Audience { subscribed: 4_800, after: 4_840, cap: Some(5_000) };
    let failed = |cause| Alert::RunFailed { run, cause };
    let late =
        |withheld| Alert::OptOutsLate { withheld, count: 3, oldest: AT, within: Duration::from_secs(3_600) };
    let alerts = vec![
        failed(RunFailure::Unfit { place: "hsmc.toml:8 hubspot.token".to_owned() }),
        failed(RunFailure::Call {
            service: Service::HubSpot,
            call: "read list 946".to_owned(),
            status: Some(503),
        }),
        failed(RunFailure::Waiting { moves: 7, service: Some(Service::Mailchimp) }),
        failed(RunFailure::Inside),
        Alert::RunStuck { run, moves: counts(), first: "not-removable".to_owned() },
        Alert::NeedsApproval { run, gate: "max_changed_share".to_owned(), planned: counts(), audience },
        Alert::AudienceCap { audience, left_out: 4 },
        Alert::CredentialsRefused { service: Service::HubSpot },
        late(Withheld::ByConfig),
        late(Withheld::ByService),
        Alert::ManyOptOuts { run, count: 70, threshold: 50 },
        Alert::Contested { count: 2 },
        Alert::FailsAgain {
            run,
            what: "hand-over: not-found".to_owned(),
            times: 3,
            since: AT,
            people: 129,
            others: 1,
        },
        Alert::NoProgress { runs: 3, since: AT, planned: counts() },
        Alert::Damaged { records: 1 },
        Alert::QuotaUsedUp { service: Service::HubSpot },
        Alert::RunOverdue { since: AT, every: Duration::from_secs(28_800) },
        Alert::Stopped,
        Alert::RunSummary {
            run,
            end: "done".to_owned(),
            ended: counts(),
            left_out: counts(),
            took: Duration::from_secs(63),
        },
    ];
    let (said, next_try) = (Said::Over(2), AT.plus(Duration::from_secs(5)));
    let trying = |why| Some(Trying { said, since: AT, attempts: 3, next_try, why });
    let away = Hindrance::Away("answers 503".to_owned());
    let deliveries = BTreeMap::from([
        (
            "slack".to_owned(),
            alert::Delivery {
                told: Some((Said::Raised(2), AT)),
                given_up: Some(GivenUp { said: Said::Raised(1), at: AT, why: Hindrance::LeaveAlone }),
                trying: trying(away),
            },
        ),
        (
            "teams".to_owned(),
            alert::Delivery {
                told: None,
                given_up: None,
                trying: trying(Hindrance::Refused("answers 400".to_owned())),
            },
        ),
    ]);
    let standing = |(number, alert): (usize, Alert)| Standing {
        edition: 2,
        times: 9,
        resolved: Some(AT),
        deliveries: deliveries.clone(),
        ..Standing::new(number as u64, alert, AT)
    };
    alerts.into_iter().enumerate().map(standing).collect()
}

pub fn token() -> Token {
    Token {
        id: TokenId([1, 2, 3, 4, 5, 6, 7, 8]),
        name: "grafana".to_owned(),
        scope: TokenScope::Operate,
        hash: [9; 32],
        created: AT,
        expires: Some(AT),
        revoked: Some(AT),
    }
}

pub fn record_hint() -> RecordHint {
    RecordHint { at: AT, records: vec![RecordId(51), RecordId(70_000)] }
}

pub fn hint() -> Hint {
    Hint { at: AT, people: vec![PersonId(51), PersonId(70_000)] }
}
