//! Reads every record and holds the indexes against what they point to. Changes nothing; may be done while commits
//! go on.
//!
//! Promises: every record that cannot be read, and every index that points to nothing or leaves something out, is
//! named by its numbers. Never: naming an address or its hash.

use super::codec::{self, DecodeError, Record};
use super::consent::EvidencePlace;
use super::key::{Key, PersonMoment};
use super::ledger::hashes;
use super::record::decode_events;
use super::store::{Entry, Store, StoreError, Table};
use crate::domain::audit::AuditLine;
use crate::domain::consent::Evidence;
use crate::domain::event::MoveEvent;
use crate::domain::id::{MoveId, PersonId, RecordId};
use crate::domain::person::{PastState, Person};
use crate::domain::run::Run;
use crate::domain::watermark::Watermark;
use std::collections::BTreeMap;
use std::fmt;

/// Entries read at once.
const PAGE: usize = 1000;
/// While commits go on, two reads may fall before and after one: only what stays wrong is told.
const LOOKS: u32 = 3;

/// Where something is wrong: never an address, nor its hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file, or a part of one.
    File(String),
    /// A record, by table and key.
    Record(Table, Vec<u8>),
}

impl Place {
    /// Of a key with its table's number.
    pub(crate) fn of(full: &[u8]) -> Option<Place> {
        let (number, key) = full.split_first()?;
        Some(Place::Record(Table::numbered(*number)?, key.to_vec()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, key) = match self {
            Place::File(name) => return f.write_str(name),
            Place::Record(table, key) => (*table, key.as_slice()),
        };
        let number = || key.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).unwrap_or_default();
        match table {
            Table::Runs => write!(f, "run {}", number()),
            Table::Moves | Table::OpenMoves => match MoveId::from_key(key) {
                Some(id) => write!(f, "{} {id}", if table == Table::Moves { "move" } else { "open move" }),
                None => f.write_str("a move"),
            },
            Table::PersonMoves | Table::Audit => match <(PersonId, MoveId)>::from_key(key) {
                Some((person, id)) => write!(f, "{} of person {person}, move {id}", table.word()),
                None => f.write_str(table.word()),
            },
            Table::People => write!(f, "person {}", number()),
            Table::Salts => write!(f, "salt of person {}", number()),
            Table::PeopleByHash => f.write_str("an address in the index of people"),
            Table::PeopleByRecord => write!(f, "record {} in the index of people", number()),
            Table::Evidence | Table::History => match PersonMoment::from_key(key) {
                Some(key) => write!(f, "{} of person {} from {}", table.word(), key.person, key.at),
                None => f.write_str(table.word()),
            },
            Table::Meta | Table::Watermarks => {
                write!(f, "{} `{}`", table.word(), String::from_utf8_lossy(key))
            }
            Table::Consent | Table::Outbox | Table::ListNames => {
                write!(f, "{} {}", table.word(), number())
            }
            Table::Forgotten => f.write_str("somebody who was forgotten"),
        }
    }
}

/// Something is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
    /// It costs nothing: a start mends it by itself.
    pub harmless: bool,
}

/// Reads everything.
///
/// # Errors
/// The index cannot be read at all.
pub fn records(store: &dyn Store) -> Result<(BTreeMap<Table, u64>, Vec<Defect>), StoreError> {
    let mut counts = BTreeMap::new();
    let mut defects: Vec<Defect> = store
        .damaged()
        .into_iter()
        .map(|(table, key)| defect(table, key, "its checksum is wrong; what could be read of it is kept"))
        .collect();
    for table in Table::ALL {
        let count: &mut u64 = counts.entry(table).or_default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = store.scan(table, &[], after.as_deref(), PAGE)?;
            for entry in &page {
                *count += 1;
                if let Some(what) = wrong(store, table, entry)? {
                    defects.push(defect(table, entry.0.clone(), what));
                }
            }
            let Some((last, _)) = page.into_iter().next_back() else { break };
            after = Some(last);
        }
    }
    Ok((counts, defects))
}

fn defect(table: Table, key: Vec<u8>, what: impl Into<String>) -> Defect {
    Defect { place: Place::Record(table, key), what: what.into(), harmless: false }
}

/// What is wrong with an entry, looked at again before that is said.
fn wrong(store: &dyn Store, table: Table, (key, value): &Entry) -> Result<Option<String>, StoreError> {
    let mut value = value.clone();
    for look in 1..=LOOKS {
        let found = judge(store, table, key, &value)?;
        if found.is_none() || look == LOOKS {
            return Ok(found);
        }
        match store.get(table, key)? {
            Some(again) => value = again,
            None => return Ok(None),
        }
    }
    Ok(None)
}

fn judge(store: &dyn Store, table: Table, key: &[u8], value: &[u8]) -> Result<Option<String>, StoreError> {
    let read = |outcome: Result<(), DecodeError>| outcome.err().map(|why| why.to_string());
    Ok(match table {
        Table::Meta => value.is_empty().then(|| "it is empty".to_owned()),
        Table::Runs => read(codec::decode::<Run>(value).map(|_| ())),
        Table::Moves => return a_move(store, key, value),
        Table::OpenMoves => {
            let events = store.get(Table::Moves, key)?;
            events.is_none().then(|| "it is open, and there is nothing else of it".to_owned())
        }
        Table::PersonMoves => {
            let id = key.get(8..).unwrap_or_default();
            let gone = store.get(Table::Moves, id)?.is_none() && store.get(Table::Audit, key)?.is_none();
            gone.then(|| "there is neither the move nor its line in the audit".to_owned())
        }
        Table::People => return a_person(store, key, value),
        Table::PeopleByHash => {
            let has = |person: &Person| hashes(person).iter().any(|hash| hash.to_key() == key);
            return pointed_to(store, value, has);
        }
        Table::PeopleByRecord => {
            let record = RecordId::from_key(key);
            return pointed_to(store, value, |person| person.record == record);
        }
        Table::Evidence if value.first() == Some(&Evidence::VERSION) => {
            read(codec::decode::<Evidence>(value).map(|_| ()))
        }
        Table::Evidence => read(codec::decode::<EvidencePlace>(value).map(|_| ())),
        Table::Watermarks => read(codec::decode::<Watermark>(value).map(|_| ())),
        Table::History => read(codec::decode::<PastState>(value).map(|_| ())),
        Table::Audit => read(codec::decode::<AuditLine>(value).map(|_| ())),
        // Their keys alone say something, and their own checks know more.
        Table::Consent | Table::Outbox | Table::Forgotten | Table::ListNames | Table::Salts => None,
    })
}

fn a_move(store: &dyn Store, key: &[u8], value: &[u8]) -> Result<Option<String>, StoreError> {
    let events = match decode_events(value) {
        Ok(events) => events,
        Err(why) => return Ok(Some(why.to_string())),
    };
    let ended = matches!(events.last(), Some(MoveEvent::Ended { .. }));
    let open = store.get(Table::OpenMoves, key)?.is_some();
    if ended == open {
        let what =
            if open { "it has ended and counts as open" } else { "it has not ended and counts as over" };
        return Ok(Some(what.to_owned()));
    }
    let Some(MoveEvent::Planned { draft, .. }) = events.first() else {
        return Ok(Some("it does not begin with a plan".to_owned()));
    };
    let of_person = [&draft.person.to_key()[..], key].concat();
    let missing = store.get(Table::PersonMoves, &of_person)?.is_none();
    Ok(missing.then(|| "it is missing from its person's moves".to_owned()))
}

fn a_person(store: &dyn Store, key: &[u8], value: &[u8]) -> Result<Option<String>, StoreError> {
    let person: Person = match codec::decode(value) {
        Ok(person) => person,
        Err(why) => return Ok(Some(why.to_string())),
    };
    if person.id.to_key() != key {
        return Ok(Some("it holds another person".to_owned()));
    }
    for hash in hashes(&person) {
        if store.get(Table::PeopleByHash, &hash.to_key())?.is_none() {
            return Ok(Some("they cannot be found by their address".to_owned()));
        }
    }
    // A second member's record leads to the person of its contact's own address, for as long as that has it.
    if let Some(record) = person.record.filter(|_| person.second.is_none())
        && store.get(Table::PeopleByRecord, &record.to_key())?.is_none()
    {
        return Ok(Some("they cannot be found by their HubSpot record".to_owned()));
    }
    Ok(None)
}

fn pointed_to(
    store: &dyn Store,
    value: &[u8],
    has: impl Fn(&Person) -> bool,
) -> Result<Option<String>, StoreError> {
    let id: PersonId = match codec::decode(value) {
        Ok(id) => id,
        Err(why) => return Ok(Some(why.to_string())),
    };
    let Some(bytes) = store.get(Table::People, &id.to_key())? else {
        return Ok(Some(format!("it points to person {id}, of whom there is nothing")));
    };
    let Ok(person) = codec::decode::<Person>(&bytes) else { return Ok(None) };
    Ok((!has(&person)).then(|| format!("it points to person {id}, who is somebody else")))
}
