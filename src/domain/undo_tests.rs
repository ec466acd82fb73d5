//! What an undo takes back, and what it leaves.

use super::*;
use crate::domain::email::Email;
use crate::domain::failure::Service;
use crate::domain::id::{PersonId, RecordId, RunId};
use crate::domain::person::{ArchivedByUs, OptOutMemory};
use crate::domain::time::Timestamp;

fn tag(name: &str) -> TagName {
    TagName::new(name)
}

fn rules() -> RuleSet {
    RuleSet { protected_tags: vec![tag("VIP")], ..RuleSet::default() }
}

fn email() -> Email {
    Email::parse("ann@example.com").unwrap()
}

fn person() -> Person {
    let archived = ArchivedByUs { status_before: MemberStatus::Subscribed, at: Timestamp(1) };
    Person {
        archived: Some(archived),
        ..Person::new(PersonId(1), Some(email()), Some(RecordId(7)), Timestamp(0))
    }
}

fn present(status: MemberStatus, tags: &[&str], lists: &[u64]) -> Present {
    let member = Member {
        email: email(),
        contact_id: String::new(),
        status,
        fields: BTreeMap::new(),
        tags: tags.iter().map(|name| tag(name)).collect(),
        changed: None,
        opted: None,
        unsubscribe_reason: None,
    };
    let contact = Contact {
        record: RecordId(7),
        address: "ann@example.com".to_owned(),
        properties: BTreeMap::from([("import_list".to_owned(), "General".to_owned())]),
        opted_out: false,
        created: None,
        modified: None,
    };
    let lists = Some(lists.iter().map(|list| ListId(*list)).collect());
    Present { member: Some(member), contact: Some(contact), lists, opted_out_by_address: false }
}

fn held(step: Step, before: Before) -> PlannedStep {
    PlannedStep { step, before }
}

/// A handover that was done: into 946, out of 987, the property written, a tag off, archived.
fn handover() -> DoneMove {
    let set = Step::SetProperty { property: "import_list".to_owned(), value: "General".to_owned() };
    let held = vec![
        held(Step::JoinList { list: ListId(946) }, Before::NotHeld),
        held(Step::LeaveList { list: ListId(987) }, Before::NotHeld),
        held(set, Before::Property(None)),
        held(Step::ClearTag { tag: tag("Single") }, Before::NotHeld),
        held(Step::ArchiveMember, Before::Status(MemberStatus::Subscribed)),
    ];
    let draft = Move {
        person: PersonId(1),
        kind: MoveKind::HandOver,
        reason: Reason { rule: "R15".to_owned(), text: "a sample".to_owned() },
        steps: held.clone(),
        then: vec![MemoryChange::HandedOver { exit_tag: tag("Finished"), still_in: vec![] }],
        since: Timestamp(5),
        input: Fingerprint(1),
    };
    DoneMove { id: MoveId { run: RunId(12), number: 3 }, draft, held }
}

struct Told {
    steps: Vec<String>,
    kept: Vec<String>,
}

fn told(done: &DoneMove, person: &Person, later: &[(Touched, u64)], present: &Present) -> Told {
    let later = later.iter().map(|(touched, run)| (touched.clone(), MoveId { run: RunId(*run), number: 1 }));
    let rules = rules();
    let known = Known {
        rules: &rules,
        person,
        later: &later.collect(),
        writable: &BTreeSet::from([ListId(946), ListId(987)]),
        enrolled: Some((tag("Single"), ListId(987))),
        handed_over: None,
    };
    let Undoing { due, kept } = undo(done, &known, present);
    if let Some(due) = &due {
        assert!(are_still_due(&due.steps, &rules, person, present), "not due the moment it is planned");
    }
    Told {
        steps: due.into_iter().flat_map(|due| due.steps).map(|one| one.step.to_string()).collect(),
        kept: kept.into_iter().map(|kept| format!("{}: {}", kept.what, kept.why)).collect(),
    }
}

#[test]
fn r28_the_inverse_steps_come_in_reverse_and_who_returns_returns_first() {
    let told = told(&handover(), &person(), &[], &present(MemberStatus::Archived, &[], &[946]));
    assert_eq!(told.kept, Vec::<String>::new());
    assert_eq!(
        told.steps,
        [
            "make the archived member subscribed again",
            "set tag \"Single\" silently",
            "clear import_list",
            "join list 987",
            "leave list 946",
        ]
    );
}

#[test]
fn r28_what_anybody_changed_since_is_left_and_named() {
    let mut now = present(MemberStatus::Archived, &[], &[987]);
    now.contact.as_mut().unwrap().properties.insert("import_list".to_owned(), "by hand".to_owned());
    let told = told(&handover(), &person(), &[(Touched::Tag(tag("Single")), 14)], &now);
    assert_eq!(told.steps, ["make the archived member subscribed again"]);
    assert_eq!(
        told.kept,
        [
            "clear tag \"Single\": changed since by move 14.1",
            "set import_list = \"General\": changed since by somebody else",
            "leave list 987: changed since by somebody else",
            "join list 946: changed since by somebody else",
        ]
    );
}

#[test]
fn r28_no_sign_of_an_opt_out_lets_anybody_return() {
    let archived = || present(MemberStatus::Archived, &[], &[946]);
    let opt_out = OptOutMemory { seen: Service::HubSpot, at: Timestamp(2), delivered: None };
    let remembered = Person { opt_out: Some(opt_out), ..person() };
    let mut in_hubspot = archived();
    in_hubspot.contact.as_mut().unwrap().opted_out = true;
    let not_ours = Person { archived: None, ..person() };
    let hidden = ArchivedByUs { status_before: MemberStatus::Archived, at: Timestamp(1) };
    let nobody_looked = Person { archived: Some(hidden), ..person() };
    for (person, present) in [
        (&remembered, archived()),
        (&person(), in_hubspot),
        (&person(), present(MemberStatus::Unsubscribed, &[], &[946])),
        (&person(), present(MemberStatus::Subscribed, &[], &[946])),
        (&not_ours, archived()),
        (&nobody_looked, archived()),
    ] {
        let told = told(&handover(), person, &[], &present);
        assert!(!told.steps.iter().any(|step| step.contains("again")), "{:?}", told.steps);
    }
    let mut done = handover();
    done.held[4].before = Before::Status(MemberStatus::Unsubscribed);
    let told = told(&done, &person(), &[], &archived());
    assert_eq!(told.kept[0], "archive the member: not archived while subscribed: stays archived");
}

#[test]
fn r28_whoever_bears_a_protected_tag_is_neither_untagged_nor_archived() {
    let enrolment = DoneMove {
        held: vec![
            held(Step::UpsertMember { fields: Fingerprint(0), pending: false }, Before::NotHeld),
            held(Step::SetTag { tag: tag("Single"), delivery: Delivery::Loud }, Before::NotHeld),
        ],
        ..handover()
    };
    let as_left = present(MemberStatus::Subscribed, &["Single"], &[987]);
    let told = told(&enrolment, &person(), &[], &as_left);
    assert_eq!(told.steps, ["clear tag \"Single\"", "archive the member"]);
    let protected = present(MemberStatus::Subscribed, &["Single", "VIP"], &[987]);
    let told = self::told(&enrolment, &person(), &[], &protected);
    assert_eq!(told.steps, Vec::<String>::new());
    assert!(told.kept[0].ends_with("bears the protected tag \"VIP\": never untagged or archived"));
    // Who is protected between the plan and its turn.
    let (later, writable) = (BTreeMap::new(), BTreeSet::new());
    let (rules, person) = (rules(), person());
    let known = Known {
        rules: &rules,
        person: &person,
        later: &later,
        writable: &writable,
        enrolled: None,
        handed_over: None,
    };
    let due = undo(&enrolment, &known, &as_left).due.unwrap();
    assert!(!are_still_due(&due.steps, &rules, &person, &protected));
    // What gives back is not what protection forbids.
    let archived = present(MemberStatus::Archived, &["VIP"], &[946]);
    assert!(self::told(&handover(), &person, &[], &archived).kept.is_empty());
}

#[test]
fn r28_an_undo_looked_at_again_is_dropped_when_any_of_its_steps_is_no_longer_due() {
    let archived = present(MemberStatus::Archived, &[], &[946]);
    let known = Known {
        rules: &rules(),
        person: &person(),
        later: &BTreeMap::new(),
        writable: &BTreeSet::from([ListId(946), ListId(987)]),
        enrolled: None,
        handed_over: None,
    };
    let due = undo(&handover(), &known, &archived).due.unwrap();
    assert_eq!(due.then.last(), Some(&MemoryChange::Undone { of: handover().id }));
    let mut opted_out = archived.clone();
    opted_out.contact.as_mut().unwrap().opted_out = true;
    for changed in [
        present(MemberStatus::Archived, &["Single"], &[946]),
        present(MemberStatus::Archived, &[], &[946, 987]),
        present(MemberStatus::Archived, &[], &[]),
        present(MemberStatus::Subscribed, &[], &[946]),
        opted_out,
        Present::default(),
    ] {
        assert!(!are_still_due(&due.steps, &rules(), &person(), &changed), "{changed:?}");
    }
}
