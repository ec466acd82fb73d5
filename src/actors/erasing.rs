//! What a move that forgot somebody leaves to be done, and the beginning of its receipt. Pure.

use crate::domain::forget::{Receipt, Trace};
use crate::domain::id::{MoveId, RecordId};
use crate::domain::person::Person;
use crate::domain::step::Step;
use crate::domain::time::Timestamp;
use crate::engine::{MoveStatus, Progress};

/// Whose rows are to be removed from files, and what was done by now.
pub fn trace(by: MoveId, status: &MoveStatus, person: &Person, at: Timestamp) -> Trace {
    let emails = [&person.email, &person.previous_email];
    let erased = status.draft.steps.iter().filter_map(|planned| match planned.step {
        Step::EraseContact { record } => Some(record),
        _ => None,
    });
    let mut records: Vec<RecordId> = erased.chain(person.record).collect();
    records.sort_unstable();
    records.dedup();
    let done = status.draft.steps.iter().zip(&status.steps).filter_map(|(planned, state)| {
        let held = match state.forward {
            Progress::AlreadyHeld => " (nothing was there)",
            Progress::Skipped => " (taken as done by an operator)",
            _ => "",
        };
        Some((planned.step.target().service()?, format!("{}{held}", planned.step)))
    });
    Trace {
        by,
        hashes: emails.into_iter().flatten().map(|email| email.hash()).collect(),
        records,
        receipt: Receipt {
            person: person.id,
            by,
            asked: status.planned_at,
            erased: at,
            ended: None,
            done: done.collect(),
            lines: 0,
            snapshots: 0,
            opted_out: person.opt_out.is_some(),
        },
    }
}
