//! What hsmc itself has changed since a scan, laid over what the scan saw: nobody is to be told that the
//! next run does what the last one has just done.

use super::Told;
use super::held::Seen;
use crate::domain::contact::Contact;
use crate::domain::event::{Direction, MoveEvent, StepOutcome};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::PlannedStep;
use crate::domain::person::Person;
use crate::domain::step::{Before, Step};
use crate::domain::time::Timestamp;

/// A step of this person that holds by our call.
pub struct DoneStep<'a> {
    /// When it was answered.
    pub at: Timestamp,
    /// As planned, or undone.
    pub direction: Direction,
    /// What was done: the step, or its inverse.
    pub step: Step,
    /// As planned, with its before-image.
    pub planned: &'a PlannedStep,
    /// The move it belongs to.
    pub of: &'a Told,
}

/// Every change hsmc has made to this person, oldest first.
pub fn done_steps(moves: &[Told]) -> Vec<DoneStep<'_>> {
    let mut done = Vec::new();
    for told in moves {
        for event in &told.events {
            let MoveEvent::Outcome { step, direction, outcome: StepOutcome::Done, at } = event else {
                continue;
            };
            let Some(planned) = told.status.draft.step(*step) else { continue };
            let Some(step) = told.status.effective_step(*step, *direction) else { continue };
            done.push(DoneStep { at: *at, direction: *direction, step, planned, of: told });
        }
    }
    done.sort_by_key(|done| done.at);
    done
}

/// Lays what was done since the scan over what it saw.
pub fn lay_over(seen: &mut Seen, person: &Person, done: &[DoneStep<'_>]) {
    let scanned = seen.snapshot.header().seen;
    for one in done.iter().filter(|one| one.at > scanned) {
        on_member(&mut seen.member, person, one);
        let row = seen.row.as_mut();
        for (contact, lists) in row.into_iter().flat_map(|row| &mut row.contacts) {
            match &one.step {
                Step::JoinList { list } => drop(lists.insert(*list, Some(one.at))),
                Step::LeaveList { list } => drop(lists.remove(list)),
                step => on_contact(contact, step),
            }
        }
        if let Some(row) = seen.row.as_mut() {
            row.member.clone_from(&seen.member);
        }
    }
}

fn on_contact(contact: &mut Contact, step: &Step) {
    match step {
        Step::SetProperty { property, value } if value.is_empty() => {
            drop(contact.properties.remove(property))
        }
        Step::SetProperty { property, value } => {
            contact.properties.insert(property.clone(), value.clone());
        }
        Step::OptOut { .. } => contact.opted_out = true,
        _ => {}
    }
}

fn on_member(member: &mut Option<Member>, person: &Person, one: &DoneStep<'_>) {
    if let Step::UpsertMember { pending, .. } = &one.step
        && one.planned.before == Before::NotHeld
    {
        let status = if *pending { MemberStatus::Pending } else { MemberStatus::Subscribed };
        *member = person.email.clone().map(|email| Member {
            email,
            contact_id: String::new(),
            status,
            fields: person.fields.clone(),
            tags: Vec::new(),
            changed: Some(one.at),
            opted: None,
            unsubscribe_reason: None,
        });
        return;
    }
    let Some(member) = member.as_mut() else { return };
    match &one.step {
        Step::SetTag { tag, .. } if !member.bears(tag) => member.tags.push(tag.clone()),
        Step::ClearTag { tag } => member.tags.retain(|borne| borne != tag),
        Step::RestoreMember { .. } => {
            member.status = MemberStatus::Subscribed;
            member.fields.extend(person.fields.clone());
        }
        Step::ReturnMember { status } => member.status.clone_from(status),
        Step::UpsertMember { .. } | Step::RefreshMember { .. } => member.fields.extend(person.fields.clone()),
        Step::ArchiveMember => member.status = MemberStatus::Archived,
        Step::UnsubscribeMember => member.status = MemberStatus::Unsubscribed,
        Step::RenameMember => {
            if let Some(email) = &person.email {
                member.email.clone_from(email);
            }
        }
        Step::SetTag { .. }
        | Step::CreateContact
        | Step::JoinList { .. }
        | Step::LeaveList { .. }
        | Step::SetProperty { .. }
        | Step::OptOut { .. }
        | Step::RecordEvidence
        | Step::EraseMember
        | Step::EraseContact { .. } => {}
    }
}
