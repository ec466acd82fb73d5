//! Done means that it holds: whenever a process ends in order, what the last move of everybody whom nobody touched
//! has recorded as done is so in the accounts.

use super::people::folded;
use crate::app::App;
use crate::domain::event::{Direction, MoveEnd, MoveEvent, StepOutcome};
use crate::domain::moves::Move;
use crate::domain::person::Person;
use crate::domain::step::{OptOutScope, Step};
use crate::sandbox::Sandbox;
use crate::sandbox::mailchimp::Status;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is recorded as done and does not hold.
pub(super) fn not_so(app: &App, sandbox: &Sandbox, touched: &BTreeSet<String>) -> Vec<String> {
    let journal = &app.workspace.shared.journal;
    let mut broken = Vec::new();
    for person in journal.people(None, usize::MAX).unwrap_or_default() {
        let Some(email) = person.email.as_ref().map(|email| folded(email.as_str())) else { continue };
        if touched.contains(&email) {
            continue;
        }
        let last = journal.moves_of_person(person.id).unwrap_or_default().into_iter().max();
        let Some(id) = last else { continue };
        for step in done(&journal.events(id).unwrap_or_default()) {
            if !holds(&step, &person, &email, sandbox) {
                broken.push(format!("{email}: move {id} is done, and \"{step}\" does not hold"));
            }
        }
    }
    broken
}

/// The steps of a move that is done, the last of each thing.
fn done(events: &[MoveEvent]) -> Vec<Step> {
    let (Some(MoveEvent::Planned { draft, .. }), Some(MoveEvent::Ended { end: MoveEnd::Done, .. })) =
        (events.first(), events.last())
    else {
        return Vec::new();
    };
    let mut outcomes = BTreeMap::new();
    for event in events {
        if let MoveEvent::Outcome { step, direction: Direction::Forward, outcome, .. } = event {
            outcomes.insert(*step, matches!(outcome, StepOutcome::Done | StepOutcome::AlreadyHeld));
        }
    }
    let made = outcomes.into_iter().filter(|(_, made)| *made);
    let steps = made.filter_map(|(step, _)| Some(Move::step(draft, step)?.step.clone()));
    steps.map(|step| (about(&step), step)).collect::<BTreeMap<String, Step>>().into_values().collect()
}

/// What a step is about: a later one about the same counts.
fn about(step: &Step) -> String {
    match step {
        Step::SetTag { tag, .. } | Step::ClearTag { tag } => format!("tag {}", tag.folded()),
        Step::JoinList { list } | Step::LeaveList { list } => format!("list {list}"),
        Step::SetProperty { property, .. } => format!("property {property}"),
        Step::UpsertMember { .. }
        | Step::RestoreMember { .. }
        | Step::ReturnMember { .. }
        | Step::ArchiveMember
        | Step::UnsubscribeMember => "member".to_owned(),
        other => other.to_string(),
    }
}

fn holds(step: &Step, person: &Person, email: &str, sandbox: &Sandbox) -> bool {
    let member = sandbox.mailchimp.member(email);
    let bears = |tag: &str| {
        member.is_some_and(|member| {
            sandbox.mailchimp.tags_of(member).iter().any(|held| held.eq_ignore_ascii_case(tag))
        })
    };
    let contact = person.record.and_then(|record| sandbox.hubspot.contact(record.0));
    let in_list =
        |list: u64| contact.is_some_and(|contact| sandbox.hubspot.lists_of(contact.id).contains_key(&list));
    match step {
        Step::SetTag { tag, .. } => bears(tag.as_str()),
        Step::ClearTag { tag } => !bears(tag.as_str()),
        Step::JoinList { list } => in_list(list.0),
        Step::LeaveList { list } => !in_list(list.0),
        Step::SetProperty { property, value } => contact
            .is_some_and(|contact| contact.properties.get(property).map_or("", String::as_str) == value),
        Step::UpsertMember { .. } | Step::RestoreMember { .. } | Step::ReturnMember { .. } => {
            member.is_some_and(|member| member.status != Status::Archived)
        }
        Step::ArchiveMember => member.is_none_or(|member| member.status == Status::Archived),
        Step::UnsubscribeMember => {
            member.is_none_or(|member| !matches!(member.status, Status::Subscribed | Status::Pending))
        }
        Step::OptOut { scope: OptOutScope::All } => sandbox.hubspot.is_opted_out(email),
        Step::RefreshMember { .. } => member.is_some_and(|member| {
            let has = |field: &str| member.fields.get(field).and_then(Value::as_str).unwrap_or_default();
            person.fields.iter().all(|(field, value)| value.starts_with('{') || has(field) == value)
        }),
        Step::OptOut { .. }
        | Step::RenameMember
        | Step::CreateContact
        | Step::RecordEvidence
        | Step::EraseMember
        | Step::EraseContact { .. } => true,
    }
}
