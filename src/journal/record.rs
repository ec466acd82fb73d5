//! What is stored: the domain's types, each under its own version byte. Their serde form is frozen; how
//! one is changed is told in docs/journal-format.md.

use super::codec::{DecodeError, Record, decode_series, encode_event};
use super::upgrade;
use crate::domain::alert::Standing;
use crate::domain::audit::AuditLine;
use crate::domain::consent::Evidence;
use crate::domain::event::MoveEvent;
use crate::domain::id::PersonId;
use crate::domain::person::{PastState, Person};
use crate::domain::run::Run;
use crate::domain::watermark::Watermark;

impl Record for Person {
    const KIND: &'static str = "person";
    const VERSION: u8 = 3;

    fn upgrade(version: u8, body: &[u8]) -> Result<Person, DecodeError> {
        upgrade::person(version, body)
    }
}
impl Record for Run {
    const KIND: &'static str = "run";
    const VERSION: u8 = 3;

    fn upgrade(version: u8, body: &[u8]) -> Result<Run, DecodeError> {
        upgrade::run(version, body)
    }
}
impl Record for PastState {
    const KIND: &'static str = "past state";
}
impl Record for AuditLine {
    const KIND: &'static str = "audit line";
}
impl Record for MoveEvent {
    const KIND: &'static str = "move event";
}
impl Record for Evidence {
    const KIND: &'static str = "evidence";
}
impl Record for Standing {
    const KIND: &'static str = "alert";
}
impl Record for Watermark {
    const KIND: &'static str = "watermark";
}
/// What the tables by hash and by record hold.
impl Record for PersonId {
    const KIND: &'static str = "person number";
}

/// A move's event as it is appended to the move.
///
/// # Errors
/// It is too long.
pub fn encode_move_event(event: &MoveEvent) -> Result<Vec<u8>, DecodeError> {
    encode_event(event)
}

/// All events of a move.
///
/// # Errors
/// One of them is not as it was written.
pub fn decode_events(bytes: &[u8]) -> Result<Vec<MoveEvent>, DecodeError> {
    decode_series(bytes)
}
