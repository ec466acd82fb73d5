//! Every kind of move, every call, every fault, with all in-memory state dropped after each event: the
//! move must end with all of its steps holding, or with every before-image restored.

use super::{Next, Phase, decide, fold};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, StepOutcome};
use crate::domain::failure::{FailureClass, Refusal, RefusalCode};
use crate::domain::id::{ListId, PersonId, RecordId, StepIndex};
use crate::domain::member::MemberStatus;
use crate::domain::moves::{Move, MoveKind, PlannedStep, Reason};
use crate::domain::step::{Before, Delivery, Fingerprint, Inverse, OptOutScope, Step};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    CrashBeforeCall,
    CrashAfterEffect,
    CrashBeforeOutcome,
    LostBefore,
    LostAfter,
    LostThenDoneLater,
    Transient,
    Limited,
    Refuse,
    /// The answer is lost, the work is done 100 s later, and when it is sent again it is refused.
    DoneLaterThenRefuse,
    /// The answer is lost, and what the step is about is gone from then on: a look is refused, not answered.
    LostThenGone,
}

const FAULTS: [Fault; 12] = [
    Fault::None,
    Fault::CrashBeforeCall,
    Fault::CrashAfterEffect,
    Fault::CrashBeforeOutcome,
    Fault::LostBefore,
    Fault::LostAfter,
    Fault::LostThenDoneLater,
    Fault::Transient,
    Fault::Limited,
    Fault::Refuse,
    Fault::DoneLaterThenRefuse,
    Fault::LostThenGone,
];

fn planned(step: Step, before: Before) -> PlannedStep {
    PlannedStep { step, before }
}

/// A move of every kind, with every step its kind can have.
fn samples() -> Vec<Move> {
    let tag = |name: &str| TagName::new(name);
    let set =
        |name: &str| planned(Step::SetTag { tag: tag(name), delivery: Delivery::Loud }, Before::NotHeld);
    let clear = |name: &str| planned(Step::ClearTag { tag: tag(name) }, Before::NotHeld);
    let subscribed = || Before::Status(MemberStatus::Subscribed);
    let upsert = |pending| planned(Step::UpsertMember { fields: Fingerprint(1), pending }, Before::NotHeld);
    let property = || {
        let step = Step::SetProperty { property: "import_list".into(), value: "Single".into() };
        planned(step, Before::Property(None))
    };
    let archive = || planned(Step::ArchiveMember, subscribed());
    let leave = |list| planned(Step::LeaveList { list: ListId(list) }, Before::NotHeld);
    let evidence = || planned(Step::RecordEvidence, Before::NotHeld);
    let opt_out = || planned(Step::OptOut { scope: OptOutScope::All }, Before::NotHeld);
    MoveKind::ALL
        .into_iter()
        .map(|kind| {
            let steps = match kind {
                MoveKind::OptOutHubSpot => vec![evidence(), opt_out()],
                MoveKind::OptOutMailchimp => {
                    vec![
                        evidence(),
                        planned(Step::UnsubscribeMember, subscribed()),
                        clear("Single"),
                        clear("Extra"),
                    ]
                }
                MoveKind::Bounce => vec![clear("Single"), property()],
                MoveKind::Exclude => vec![clear("Single"), archive(), leave(987)],
                MoveKind::HandOver => vec![
                    planned(Step::CreateContact, Before::NotHeld),
                    planned(Step::JoinList { list: ListId(946) }, Before::NotHeld),
                    leave(987),
                    leave(719),
                    property(),
                    clear("Single"),
                    clear("Single Finished"),
                    archive(),
                ],
                MoveKind::Orphan => vec![clear("Single"), archive()],
                MoveKind::Rename => vec![planned(Step::RenameMember, Before::NotHeld)],
                MoveKind::Retag => vec![clear("Single"), set("Multi")],
                MoveKind::Restore => vec![
                    clear("Single"),
                    planned(
                        Step::RestoreMember { fields: Fingerprint(1) },
                        Before::Status(MemberStatus::Archived),
                    ),
                    set("Multi"),
                ],
                MoveKind::Enroll => vec![upsert(false), set("Extra"), set("Single")],
                MoveKind::Pending => vec![upsert(true)],
                MoveKind::Undo => vec![
                    planned(
                        Step::ReturnMember { status: MemberStatus::Subscribed },
                        Before::Status(MemberStatus::Archived),
                    ),
                    planned(Step::SetTag { tag: tag("Single"), delivery: Delivery::Silent }, Before::NotHeld),
                    property(),
                    planned(Step::JoinList { list: ListId(987) }, Before::NotHeld),
                    leave(946),
                ],
                MoveKind::Refresh => {
                    vec![planned(Step::RefreshMember { fields: Fingerprint(1) }, subscribed())]
                }
                MoveKind::Forget => vec![
                    planned(Step::UnsubscribeMember, subscribed()),
                    opt_out(),
                    planned(Step::EraseMember, Before::NotHeld),
                    planned(Step::EraseContact { record: RecordId(51) }, Before::NotHeld),
                ],
            };
            Move {
                person: PersonId(1),
                kind,
                reason: Reason { rule: "R0".into(), text: "a sample".into() },
                steps,
                then: vec![],
                since: Timestamp(0),
                input: Fingerprint(0),
            }
        })
        .collect()
}

struct World {
    holds: Vec<bool>,
    later: Vec<(Timestamp, usize, bool)>,
    /// Steps whose record is gone.
    gone: BTreeSet<usize>,
    now: Timestamp,
    calls: usize,
    effects_repeated: usize,
}

impl World {
    fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        let due: Vec<_> = self.later.iter().copied().filter(|(at, ..)| *at <= self.now).collect();
        self.later.retain(|(at, ..)| *at > self.now);
        for (_, index, value) in due {
            self.set(index, value);
        }
    }

    fn set(&mut self, index: usize, value: bool) {
        if self.holds[index] == value {
            self.effects_repeated += 1;
        }
        self.holds[index] = value;
    }
}

/// Performs a move with one fault at the given call, folding the status anew from the journal each time.
fn perform(
    sample: &Move,
    fault_at: usize,
    fault: Fault,
    refuse_at: Option<usize>,
) -> (World, Vec<MoveEvent>) {
    let mut world = World {
        holds: vec![false; sample.steps.len()],
        later: vec![],
        gone: BTreeSet::new(),
        now: Timestamp(1_000_000),
        calls: 0,
        effects_repeated: 0,
    };
    let mut journal = vec![MoveEvent::Planned { draft: Box::new(sample.clone()), at: world.now }];
    for _ in 0..500 {
        let status = fold(&journal).unwrap();
        match decide(&status, world.now) {
            Next::Rest => break,
            Next::Record(events) => journal.extend(events),
            Next::Wait { until, .. } => world.advance(until),
            Next::Poll { .. } => panic!("no step here is ticketed"),
            Next::Probe { step, direction } => {
                let wanted = direction == Direction::Forward;
                let outcome = if wanted && world.gone.contains(&usize::from(step.0)) {
                    StepOutcome::Refused(Refusal { code: RefusalCode::NotFound, message: "gone".into() })
                } else if world.holds[usize::from(step.0)] == wanted {
                    StepOutcome::Done
                } else {
                    StepOutcome::ProbedNot
                };
                journal.push(MoveEvent::Outcome { step, direction, outcome, at: world.now });
            }
            Next::Send { steps, direction } => {
                send(&mut world, &mut journal, &steps, direction, fault_at, fault, refuse_at);
            }
        }
        let next = world.now.plus(Duration::from_millis(10));
        world.advance(next);
    }
    let end = world.now.plus(Duration::from_secs(300));
    world.advance(end);
    (world, journal)
}

fn send(
    world: &mut World,
    journal: &mut Vec<MoveEvent>,
    steps: &[StepIndex],
    direction: Direction,
    fault_at: usize,
    fault: Fault,
    refuse_at: Option<usize>,
) {
    let at = world.now;
    let wanted = direction == Direction::Forward;
    journal.extend(steps.iter().map(|step| MoveEvent::Intent { step: *step, direction, before: None, at }));
    world.calls += 1;
    let fault = if world.calls == fault_at { fault } else { Fault::None };
    let refused = refuse_at == Some(world.calls);
    let apply = |world: &mut World| steps.iter().for_each(|step| world.set(usize::from(step.0), wanted));
    let outcome = |outcome: &StepOutcome, journal: &mut Vec<MoveEvent>| {
        for step in steps {
            journal.push(MoveEvent::Outcome { step: *step, direction, outcome: outcome.clone(), at });
        }
    };
    let doubt = StepOutcome::InDoubt { probe_at: at.plus(Duration::from_secs(2)), why: "lost".into() };
    let refusal = StepOutcome::Refused(Refusal { code: RefusalCode::Other, message: "no".into() });
    match fault {
        _ if refused => outcome(&refusal, journal),
        Fault::None => {
            apply(world);
            outcome(&StepOutcome::Done, journal);
        }
        Fault::CrashBeforeCall => {}
        Fault::CrashAfterEffect | Fault::CrashBeforeOutcome => apply(world),
        Fault::LostBefore => outcome(&doubt, journal),
        Fault::LostAfter => {
            apply(world);
            outcome(&doubt, journal);
        }
        Fault::LostThenGone => {
            for step in steps {
                world.gone.insert(usize::from(step.0));
                world.holds[usize::from(step.0)] = false;
            }
            outcome(&doubt, journal);
        }
        Fault::LostThenDoneLater | Fault::DoneLaterThenRefuse => {
            let later = at.plus(Duration::from_secs(100));
            world.later.extend(steps.iter().map(|step| (later, usize::from(step.0), wanted)));
            outcome(&doubt, journal);
        }
        Fault::Transient | Fault::Limited => {
            let class = if fault == Fault::Limited {
                FailureClass::RateLimited { retry_after: None }
            } else {
                FailureClass::Transient
            };
            outcome(
                &StepOutcome::RetryAt { at: at.plus(Duration::from_secs(1)), class, why: "later".into() },
                journal,
            );
        }
        Fault::Refuse => outcome(&refusal, journal),
    }
}

fn check(sample: &Move, world: &World, journal: &[MoveEvent], told: &str) {
    let status = fold(journal).unwrap();
    match &status.phase {
        Phase::Ended(MoveEnd::Done) => {
            for (index, planned) in sample.steps.iter().enumerate() {
                let local = planned.step == Step::RecordEvidence;
                assert!(local || world.holds[index], "{told}: done, but step {index} does not hold");
            }
        }
        Phase::Ended(MoveEnd::Unwound { .. }) => {
            for (index, planned) in sample.steps.iter().enumerate() {
                let kept = planned.step.inverse(&planned.before) == Inverse::Nothing;
                assert!(kept || !world.holds[index], "{told}: unwound, but step {index} still holds");
            }
        }
        Phase::Ended(MoveEnd::Refused(_)) => assert!(sample.kind.refusal_parks(), "{told}: may not park"),
        Phase::Stuck { .. } => assert!(
            sample.kind.is_forward_only() && !sample.kind.refusal_parks() || told.contains("undo refused"),
            "{told}: stuck"
        ),
        other => panic!("{told}: neither done, unwound nor stuck, but {other:?}"),
    }
}

#[test]
fn every_fault_at_every_call_of_every_kind_ends_whole() {
    let mut cases = 0;
    for sample in samples() {
        for fault in FAULTS {
            for call in 1..=sample.steps.len() {
                let refuse_at = (fault == Fault::DoneLaterThenRefuse).then_some(call + 1);
                let (world, journal) = perform(&sample, call, fault, refuse_at);
                check(&sample, &world, &journal, &format!("{} {fault:?} at call {call}", sample.kind));
                cases += 1;
            }
        }
    }
    assert!(cases > 300, "the matrix shrank to {cases}");
}

#[test]
fn every_fault_during_unwinding_ends_whole() {
    for sample in samples().into_iter().filter(|sample| !sample.kind.is_forward_only()) {
        for refused in 1..=sample.steps.len() {
            for fault in FAULTS {
                for call in refused + 1..=refused * 2 {
                    if matches!(fault, Fault::Refuse | Fault::DoneLaterThenRefuse) {
                        continue;
                    }
                    let (world, journal) = perform(&sample, call, fault, Some(refused));
                    let told = format!("{} refused at {refused}, {fault:?} at call {call}", sample.kind);
                    check(&sample, &world, &journal, &told);
                }
            }
        }
    }
}

#[test]
fn an_undo_refused_for_good_is_stuck_and_says_so() {
    let handover = samples().into_iter().find(|sample| sample.kind == MoveKind::HandOver).unwrap();
    let (world, journal) = perform(&handover, 5, Fault::Refuse, Some(4));
    let status = fold(&journal).unwrap();
    assert!(matches!(status.phase, Phase::Stuck { direction: Direction::Undo, .. }), "{:?}", status.phase);
    check(&handover, &world, &journal, "undo refused");
}

#[test]
fn an_undisturbed_move_repeats_no_effect() {
    for sample in samples() {
        let (world, journal) = perform(&sample, 0, Fault::None, None);
        assert_eq!(world.effects_repeated, 0, "{}", sample.kind);
        assert_eq!(fold(&journal).unwrap().phase, Phase::Ended(MoveEnd::Done));
    }
}

#[test]
fn each_prefix_of_a_journal_recovers() {
    for sample in samples() {
        let (_, journal) = perform(&sample, 2, Fault::LostAfter, None);
        for length in 1..=journal.len() {
            let status = fold(journal.iter().take(length)).unwrap();
            if !status.is_over() {
                assert_ne!(
                    decide(&status, Timestamp(2_000_000_000)),
                    Next::Rest,
                    "{} after {length} events",
                    sample.kind
                );
            }
        }
    }
}

#[test]
fn nothing_follows_the_end_of_a_move() {
    let (_, mut journal) = perform(&samples()[0], 0, Fault::None, None);
    journal.push(MoveEvent::Intent {
        step: StepIndex(0),
        direction: Direction::Forward,
        before: None,
        at: Timestamp(0),
    });
    assert!(fold(&journal).is_err());
}

/// A clock set forward between two processes makes a call look older than it is.
#[test]
fn a_call_of_an_earlier_process_counts_as_sent_when_this_one_began() {
    let refresh = samples().into_iter().find(|sample| sample.kind == MoveKind::Refresh).unwrap();
    let (step, direction) = (StepIndex(0), Direction::Forward);
    let intent = |at| MoveEvent::Intent { step, direction, before: None, at };
    let outcome = |outcome, at| MoveEvent::Outcome { step, direction, outcome, at };
    let refusal = Refusal { code: RefusalCode::Other, message: "no".into() };
    let planned = MoveEvent::Planned { draft: Box::new(refresh), at: Timestamp(0) };
    let began = Timestamp(0).plus(Duration::from_secs(600));
    let now = began.plus(Duration::from_secs(3));
    let events = [
        planned,
        intent(Timestamp(0)),
        outcome(StepOutcome::ProbedNot, now),
        intent(now),
        outcome(StepOutcome::Refused(refusal.clone()), now),
        MoveEvent::Unwinding { because: refusal, at: now },
    ];
    // Also after one more restart, which knows of the first only what is recorded.
    let began_again = now.plus(Duration::from_secs(3));
    let mut live = fold(&events[..2]).unwrap();
    live.count_from(began);
    for event in &events[2..] {
        live = super::transition(Some(live), event).unwrap();
    }
    let mut restarted = fold(&events).unwrap();
    restarted.count_from(began_again);
    for (status, began) in [(live, began), (restarted, began_again)] {
        let Next::Wait { until, .. } = decide(&status, began) else { panic!("given up: {status:?}") };
        assert_eq!(until, began.plus(super::retry::STILL_RUNNING));
    }
}
