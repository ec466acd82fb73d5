//! A HubSpot list's lane: members in and out.

use super::contacts::remember_record;
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::event::Direction;
use crate::domain::failure::{Refusal, RefusalCode};
use crate::domain::id::{ListId, RecordId};
use crate::domain::port::{CallResult, ItemOutcome, Priority};
use std::collections::BTreeSet;

/// Adds; one outcome for each, in order. Who is put back and is not there any more is asked for: merged into another
/// record, that one is put back instead; deleted, there is nothing left to put back.
pub async fn join(shared: &Shared, list: ListId, part: &[Ready]) -> CallResult<Vec<ItemOutcome>> {
    let written = shared.crm.list_add(urgency(part), list, &records(part)).await?;
    let mut outcomes = outcomes(part, &written.added, &written.missing, true);
    for (ready, outcome) in part.iter().zip(&mut outcomes) {
        let missing = ready.person.record.filter(|record| written.missing.contains(record));
        if let (Direction::Undo, Some(record)) = (ready.item.direction, missing) {
            *outcome = match shared.crm.contact(ready.item.priority, record).await? {
                None => ItemOutcome::Done,
                Some(contact) if contact.record != record => {
                    remember_record(shared, ready, contact.record).await?;
                    ItemOutcome::Unknown
                }
                Some(_) => continue,
            };
        }
    }
    Ok(outcomes)
}

/// Removes; one outcome for each, in order. A record that does not exist is in no list.
pub async fn leave(shared: &Shared, list: ListId, part: &[Ready]) -> CallResult<Vec<ItemOutcome>> {
    let written = shared.crm.list_remove(urgency(part), list, &records(part)).await?;
    Ok(outcomes(part, &written.removed, &written.missing, false))
}

/// By the schema only what really changed is named. Where the answer names some and not others, those
/// others held before: they have nothing to undo. Where it names nobody, it says nothing of this, and
/// the before-image stands.
fn outcomes(
    part: &[Ready],
    changed: &BTreeSet<RecordId>,
    missing: &BTreeSet<RecordId>,
    joining: bool,
) -> Vec<ItemOutcome> {
    part.iter()
        .map(|ready| match ready.person.record {
            Some(record) if missing.contains(&record) && joining => ItemOutcome::Refused(Refusal {
                code: RefusalCode::NotFound,
                message: "HubSpot has no such record".to_owned(),
            }),
            Some(record) if !changed.is_empty() && !changed.contains(&record) && ready.item.attempts == 0 => {
                ItemOutcome::AlreadyHeld
            }
            _ => ItemOutcome::Done,
        })
        .collect()
}

fn records(part: &[Ready]) -> Vec<RecordId> {
    let ids: BTreeSet<RecordId> = part.iter().filter_map(|ready| ready.person.record).collect();
    ids.into_iter().collect()
}

/// The strongest priority in a batch.
pub fn urgency(part: &[Ready]) -> Priority {
    part.iter().map(|ready| ready.item.priority).min().unwrap_or(Priority::Enroll)
}
