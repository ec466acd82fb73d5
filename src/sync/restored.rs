//! After a restore: the journal does not know what was done since its backup was made. Moves that had begun then
//! are neither gone on with blindly nor unwound: once everything was read anew, every step of theirs is looked at.
//!
//! Promises: where all steps hold, the move ends as done, without another call; everything else ends with what it
//! finds as somebody else's, and its person is judged afresh in the same run. Opt-outs go on, looks first: they only
//! tighten. Never: an inverse.

use super::applying::{WaitUntil, wait_for};
use super::error::RunError;
use super::patience::patiently;
use super::recovering::Leftover;
use super::workspace::Workspace;
use crate::actors::lane::member_holds;
use crate::domain::event::{Direction, MoveEnd, MoveEvent, OperatorRequest, StepOutcome};
use crate::domain::failure::{Refusal, RefusalCode, Service};
use crate::domain::id::StepIndex;
use crate::domain::moves::PlannedStep;
use crate::domain::person::Person;
use crate::domain::port::Priority;
use crate::domain::step::{Before, Step};
use crate::domain::time::Timestamp;
use crate::engine::{MoveStatus, fold};
use crate::journal::store::Batch;
use std::collections::BTreeSet;

/// Events that put every step of a move in doubt, so that each is looked at before anything is sent.
pub fn in_doubt(status: &MoveStatus, at: Timestamp) -> Vec<MoveEvent> {
    let retry = MoveEvent::Operator { request: OperatorRequest::Retry, at };
    let looks = numbered(status).filter(|(_, planned)| planned.step != Step::RecordEvidence);
    let looks = looks.map(|(step, _)| {
        let why = "restored from a backup".to_owned();
        outcome(step, StepOutcome::InDoubt { probe_at: at, why }, at)
    });
    status.is_stuck().then_some(retry).into_iter().chain(looks).collect()
}

/// Settles the moves that a backup had left begun, and notes that it is done. How many ended as done, and how many
/// were let go.
///
/// # Errors
/// A read or the journal fails; the next run begins this again.
pub async fn settle(workspace: &Workspace, leftover: &Leftover) -> Result<(u64, u64), RunError> {
    let journal = &workspace.shared.journal;
    let (mut done, mut let_go, mut over) = (BTreeSet::new(), 0, Vec::new());
    for (person, id) in &leftover.of_backup {
        let Ok(status) = fold(&journal.events(*id)?) else { continue };
        if status.is_over() {
            continue;
        }
        let holds = match journal.person(*person)? {
            Some(person) => all_hold(workspace, &person, &status).await?,
            None => false,
        };
        let at = workspace.shared.clock.now();
        let events = if holds { held(&status, at) } else { vec![as_it_is(&status, at)] };
        let mut batch = Batch::new();
        for event in &events {
            journal.append_event(&mut batch, *id, *person, event)?;
        }
        journal.commit(batch).await?;
        if holds {
            done.insert(id.run);
            over.push((*person, *id, Priority::HandOver));
        } else {
            let_go += 1;
        }
    }
    let held = over.len() as u64;
    if !over.is_empty() {
        workspace.moves.submit(over).await;
        wait_for(workspace, &done, WaitUntil::Over).await;
    }
    let mut batch = Batch::new();
    journal.restored_settled(&mut batch);
    journal.commit(batch).await?;
    Ok((held, let_go))
}

/// Every step holds: nothing is left but to record it.
fn held(status: &MoveStatus, at: Timestamp) -> Vec<MoveEvent> {
    let retry = MoveEvent::Operator { request: OperatorRequest::Retry, at };
    let open = numbered(status).filter(|(step, _)| {
        status.steps.get(usize::from(step.0)).is_some_and(|state| !state.forward.is_settled())
    });
    let found = open.map(|(step, _)| outcome(step, StepOutcome::AlreadyHeld, at));
    status.is_stuck().then_some(retry).into_iter().chain(found).collect()
}

/// Whatever stands there was left by somebody: by a later run of which this journal does not know, or by others.
fn as_it_is(status: &MoveStatus, at: Timestamp) -> MoveEvent {
    let message = "begun before the backup that was restored; judged afresh".to_owned();
    let because = Refusal { code: RefusalCode::Other, message };
    let left_theirs = numbered(status).map(|(step, _)| step).collect();
    MoveEvent::Ended { end: MoveEnd::Unwound { left_theirs, because }, at }
}

fn outcome(step: StepIndex, outcome: StepOutcome, at: Timestamp) -> MoveEvent {
    MoveEvent::Outcome { step, direction: Direction::Forward, outcome, at }
}

fn numbered(status: &MoveStatus) -> impl Iterator<Item = (StepIndex, &PlannedStep)> {
    let numbered = status.draft.steps.iter().enumerate();
    numbered.filter_map(|(index, planned)| Some((StepIndex(u8::try_from(index).ok()?), planned)))
}

async fn all_hold(workspace: &Workspace, person: &Person, status: &MoveStatus) -> Result<bool, RunError> {
    for (step, planned) in numbered(status) {
        let before = status.steps.get(usize::from(step.0)).map_or(&planned.before, |state| &state.before);
        if !holds(workspace, person, &planned.step, before).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a step holds now, by a read of its own.
async fn holds(
    workspace: &Workspace,
    person: &Person,
    step: &Step,
    before: &Before,
) -> Result<bool, RunError> {
    let (crm, audience) = (&workspace.shared.crm, &workspace.shared.audience);
    let priority = Priority::HandOver;
    Ok(match step {
        Step::RecordEvidence => true,
        Step::JoinList { list } | Step::LeaveList { list } => {
            let joins = matches!(step, Step::JoinList { .. });
            let Some(record) = person.record else { return Ok(!joins) };
            let records = [record];
            let found =
                patiently(workspace, Service::HubSpot, || crm.memberships_of(priority, &records)).await?;
            found.get(&record).is_some_and(|lists| lists.contains(list)) == joins
        }
        Step::SetProperty { property, value } => {
            let Some(record) = person.record else { return Ok(false) };
            let contact = patiently(workspace, Service::HubSpot, || crm.contact(priority, record)).await?;
            contact
                .is_some_and(|contact| contact.properties.get(property).map_or("", String::as_str) == value)
        }
        Step::CreateContact => {
            let Some(email) = person.email.clone() else { return Ok(false) };
            let emails = [email];
            !patiently(workspace, Service::HubSpot, || crm.contacts_by_email(priority, &emails))
                .await?
                .is_empty()
        }
        Step::OptOut { scope } => {
            let Some(email) = &person.email else { return Ok(false) };
            patiently(workspace, Service::HubSpot, || crm.is_opted_out(priority, email, *scope)).await?
        }
        step => {
            // A rename is looked for under the new address, everything else under the one the member has.
            let address =
                if *step == Step::RenameMember { person.email.as_ref() } else { person.member_email() };
            let Some(email) = address else { return Ok(false) };
            let member =
                patiently(workspace, Service::Mailchimp, || audience.member(priority, email.hash())).await?;
            member_holds(step, before, person, member.as_ref())
        }
    })
}
