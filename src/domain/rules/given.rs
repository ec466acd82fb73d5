//! What a plan takes as given (R28a): people found enrolled, handed over or archived already, whom no move of
//! hsmc made so. Said of each when they are first seen so, and never again once a run has remembered it.

use super::Decision;
use crate::domain::person::{Person, PersonState};

/// What a decision takes as given of somebody who was remembered as `before`, in words for a count; nothing
/// where it rests on what was known before.
pub fn taken_as_given(before: &Person, decision: &Decision) -> Option<String> {
    let memory = &decision.memory;
    if let (None, Some(enrolled)) = (&before.enrolled, &memory.enrolled) {
        return Some(format!("enrolled by tag \"{}\"", enrolled.tag));
    }
    if before.state == memory.state {
        return None;
    }
    match memory.state {
        PersonState::HandedOver if memory.handed_over.is_none() && decision.due.is_none() => {
            Some(format!("{}: not enrolled again", decision.why))
        }
        PersonState::ArchivedByOthers => Some("archived by others: stay so until `hsmc adopt`".to_owned()),
        _ => None,
    }
}
