//! Records as older versions of hsmc wrote them, and how each becomes one of now. A type here is frozen: it
//! is how bytes on somebody's disk are read. Golden files hold every one of them.

use super::codec::{DecodeError, Record, decode_body};
use crate::domain::email::Email;
use crate::domain::id::{PersonId, RecordId, RunId};
use crate::domain::person::{
    ArchivedByUs, Contested, Enrolled, HandedOver, MadeChange, OptOutMemory, Parked, Person, PersonState,
};
use crate::domain::report::RunReport;
use crate::domain::run::{Run, RunCause, RunCounts, RunPhase};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A person before changes taken back by others were counted.
#[derive(Serialize, Deserialize)]
struct PersonVersion1 {
    id: PersonId,
    email: Option<Email>,
    previous_email: Option<Email>,
    record: Option<RecordId>,
    fields: BTreeMap<String, String>,
    state: PersonState,
    since: Timestamp,
    why: String,
    enrolled: Option<Enrolled>,
    handed_over: Option<HandedOver>,
    archived: Option<ArchivedByUs>,
    parked: Option<Parked>,
    opt_out: Option<OptOutMemory>,
    bounce_noted: bool,
    adopted: bool,
}

/// A person before their member was followed by Mailchimp's own number.
#[derive(Serialize, Deserialize)]
struct PersonVersion2 {
    id: PersonId,
    email: Option<Email>,
    previous_email: Option<Email>,
    record: Option<RecordId>,
    fields: BTreeMap<String, String>,
    state: PersonState,
    since: Timestamp,
    why: String,
    enrolled: Option<Enrolled>,
    handed_over: Option<HandedOver>,
    archived: Option<ArchivedByUs>,
    parked: Option<Parked>,
    opt_out: Option<OptOutMemory>,
    bounce_noted: bool,
    adopted: bool,
    opted_in_again: Option<Timestamp>,
    made: Vec<MadeChange>,
    contested: Option<Contested>,
}

impl From<PersonVersion1> for PersonVersion2 {
    fn from(old: PersonVersion1) -> PersonVersion2 {
        PersonVersion2 {
            id: old.id,
            email: old.email,
            previous_email: old.previous_email,
            record: old.record,
            fields: old.fields,
            state: old.state,
            since: old.since,
            why: old.why,
            enrolled: old.enrolled,
            handed_over: old.handed_over,
            archived: old.archived,
            parked: old.parked,
            opt_out: old.opt_out,
            bounce_noted: old.bounce_noted,
            adopted: old.adopted,
            opted_in_again: None,
            made: Vec::new(),
            contested: None,
        }
    }
}

pub(super) fn person(version: u8, body: &[u8]) -> Result<Person, DecodeError> {
    let old: PersonVersion2 = match version {
        1 => decode_body::<PersonVersion1>(Person::KIND, body)?.into(),
        2 => decode_body(Person::KIND, body)?,
        found => return Err(unknown::<Person>(found)),
    };
    Ok(Person {
        previous_email: old.previous_email,
        fields: old.fields,
        state: old.state,
        why: old.why,
        enrolled: old.enrolled,
        handed_over: old.handed_over,
        archived: old.archived,
        parked: old.parked,
        opt_out: old.opt_out,
        bounce_noted: old.bounce_noted,
        adopted: old.adopted,
        opted_in_again: old.opted_in_again,
        made: old.made,
        contested: old.contested,
        ..Person::new(old.id, old.email, old.record, old.since)
    })
}

/// A run before one could be about another.
#[derive(Serialize, Deserialize)]
struct RunVersion1 {
    id: RunId,
    cause: RunCause,
    full: bool,
    started: Timestamp,
    seen: Timestamp,
    ended: Option<Timestamp>,
    phase: RunPhase,
    counts: RunCounts,
}

/// A run before its failure had a code.
#[derive(Serialize, Deserialize)]
struct RunVersion2 {
    id: RunId,
    cause: RunCause,
    of: Option<RunId>,
    full: bool,
    started: Timestamp,
    seen: Timestamp,
    ended: Option<Timestamp>,
    phase: RunPhase,
    counts: RunCounts,
    report: RunReport,
}

impl From<RunVersion1> for RunVersion2 {
    fn from(old: RunVersion1) -> RunVersion2 {
        let RunVersion1 { id, cause, full, started, seen, ended, phase, counts } = old;
        let (of, report) = (None, RunReport::default());
        RunVersion2 { id, cause, of, full, started, seen, ended, phase, counts, report }
    }
}

pub(super) fn run(version: u8, body: &[u8]) -> Result<Run, DecodeError> {
    let old: RunVersion2 = match version {
        1 => decode_body::<RunVersion1>(Run::KIND, body)?.into(),
        2 => decode_body(Run::KIND, body)?,
        found => return Err(unknown::<Run>(found)),
    };
    let RunVersion2 { id, cause, of, full, started, seen, ended, phase, counts, report } = old;
    Ok(Run { id, cause, of, full, started, seen, ended, phase, counts, report, code: None })
}

fn unknown<R: Record>(found: u8) -> DecodeError {
    DecodeError::Version { kind: R::KIND, found, known: R::VERSION }
}
