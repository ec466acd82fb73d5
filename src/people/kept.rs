//! What is kept of people beside the mirror's records, in the mirror's own store: what hsmc knows of each contact, who
//! stands how to which segment, and how far both have come. All of it can be made again.
//!
//! Keys are one capital letter, which the mirror itself does not use, names or numbers with the highest byte first.

use super::one::Known;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::{ListId, RecordId, RunId};
use crate::domain::segment::Standing;
use crate::domain::time::Timestamp;
use crate::journal::codec::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How far segments have come.
pub(super) const PLACE: &[u8] = b"W";
/// Which scan what is known comes from.
pub(super) const SOURCE: &[u8] = b"I";
/// How often that was taken over.
pub(super) const PASSES: &[u8] = b"Q";
/// All segments, by name.
pub(super) const SEGMENTS: &[u8] = b"S";
/// What is known of each contact.
pub(super) const KNOWN: &[u8] = b"K";
/// What is known of each member without a contact that the scan saw, by the address's hash.
pub(super) const STRAYS: &[u8] = b"A";
/// Contacts of whom something else is known since segments last looked.
pub(super) const NEWS: &[u8] = b"N";
/// Who is to be looked at when, earliest first.
pub(super) const DUE: &[u8] = b"D";

fn with(letter: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    [letter].into_iter().chain(parts.iter().copied()).flatten().copied().collect()
}

pub(super) fn segment(name: &str) -> Vec<u8> {
    with(SEGMENTS, &[name.as_bytes()])
}

pub(super) fn known(record: RecordId) -> Vec<u8> {
    with(KNOWN, &[&record.0.to_be_bytes()])
}

pub(super) fn stray(hash: SubscriberHash) -> Vec<u8> {
    with(STRAYS, &[&hash.0])
}

pub(super) fn news(record: RecordId) -> Vec<u8> {
    with(NEWS, &[&record.0.to_be_bytes()])
}

/// How everybody stands to a segment.
pub(super) fn standings(number: u32) -> Vec<u8> {
    with(b"M", &[&number.to_be_bytes()])
}

pub(super) fn standing(number: u32, record: RecordId) -> Vec<u8> {
    with(b"M", &[&number.to_be_bytes(), &record.0.to_be_bytes()])
}

/// Moments before 1970 sort before those after.
fn sortable(at: Timestamp) -> [u8; 8] {
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(super) fn due(at: Timestamp, number: u32, record: RecordId) -> Vec<u8> {
    with(DUE, &[&sortable(at), &number.to_be_bytes(), &record.0.to_be_bytes()])
}

/// When, to which segment, and who.
pub(super) fn due_of(key: &[u8]) -> Option<(Timestamp, u32, RecordId)> {
    let (at, rest) = key.strip_prefix(DUE)?.split_first_chunk::<8>()?;
    let (number, rest) = rest.split_first_chunk::<4>()?;
    let record: [u8; 8] = rest.try_into().ok()?;
    let at = (u64::from_be_bytes(*at) ^ (1 << 63)).cast_signed();
    Some((Timestamp(at), u32::from_be_bytes(*number), RecordId(u64::from_be_bytes(record))))
}

/// The record at the end of a key.
pub(super) fn record_of(key: &[u8]) -> Option<RecordId> {
    key.last_chunk::<8>().map(|bytes| RecordId(u64::from_be_bytes(*bytes)))
}

/// What is known of a contact, and when that was last so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptKnown {
    /// The taking-over that saw it last.
    pub pass: u64,
    /// What is known.
    pub known: Known,
}

impl Record for KeptKnown {
    const KIND: &'static str = "known";
}

/// What is known of a member whose contact, if there is one, no scan has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptStray {
    /// The taking-over that saw it last.
    pub pass: u64,
    /// Their address: the mirror may have a contact with it.
    pub email: Email,
    /// What is known.
    pub known: Known,
}

impl Record for KeptStray {
    const KIND: &'static str = "known by address";
}

/// Where what is known comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// The run whose scan it was.
    pub run: RunId,
    /// When that scan began.
    pub seen: Timestamp,
    /// The lists it has read.
    pub lists: BTreeSet<ListId>,
}

impl Record for Source {
    const KIND: &'static str = "known source";
}

/// Takings-over so far, also those that broke off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Passes(pub u64);

impl Record for Passes {
    const KIND: &'static str = "known passes";
}

/// How far segments have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The mirror's generation: its changes count anew in another.
    pub generation: Timestamp,
    /// The last change looked at.
    pub changes: u64,
    /// The latest moment anybody was judged by: time does not run back.
    pub now: Timestamp,
}

impl Record for Place {
    const KIND: &'static str = "segments' place";
}

/// A segment as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptSegment {
    /// Stands for the name in keys.
    pub number: u32,
    /// The rule, as printed.
    pub rule: String,
    /// Since when this rule.
    pub since: Timestamp,
    /// Members now.
    pub size: u64,
    /// How often somebody became a member.
    pub entered: u64,
    /// How often somebody stopped being one.
    pub left: u64,
    /// Everybody is being looked at: behind which record. None when that is over.
    pub looking: Option<Option<RecordId>>,
}

impl Record for KeptSegment {
    const KIND: &'static str = "segment";
}

impl Record for Standing {
    const KIND: &'static str = "standing";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::codec;

    #[test]
    fn what_lies_on_the_disk_keeps_its_form() {
        let bytes = |bytes: Result<Vec<u8>, _>| hex::encode(bytes.unwrap_or_default());
        let known = Known {
            lists: BTreeSet::from([ListId(5)]),
            tags: vec![crate::domain::tag::TagName::new("T")],
            ..Known::nothing()
        };
        let kept = KeptKnown { pass: 1, known: known.clone() };
        assert_eq!(bytes(codec::encode(&kept)), "01010105010154000000");
        let email = Email::parse("a@b.example").unwrap();
        let stray = KeptStray { pass: 1, email, known };
        assert_eq!(bytes(codec::encode(&stray)), "01010b6140622e6578616d706c650105010154000000");
        let standing = Standing { member: true, since: Timestamp(5), until: Some(Timestamp(7)) };
        assert_eq!(bytes(codec::encode(&standing)), "01010a010e");
        let segment = KeptSegment {
            number: 3,
            rule: "a".to_owned(),
            since: Timestamp(5),
            size: 2,
            entered: 2,
            left: 0,
            looking: Some(Some(RecordId(9))),
        };
        assert_eq!(bytes(codec::encode(&segment)), "010301610a020200010109");
        let place = Place { generation: Timestamp(1), changes: 2, now: Timestamp(3) };
        assert_eq!(bytes(codec::encode(&place)), "01020206");
        let source = Source { run: RunId(4), seen: Timestamp(5), lists: BTreeSet::from([ListId(6)]) };
        assert_eq!(bytes(codec::encode(&source)), "01040a0106");
    }

    #[test]
    fn what_is_due_sorts_by_time_and_is_read_back() {
        let times = [i64::MIN, -5, 0, 7, i64::MAX];
        let keys: Vec<Vec<u8>> = times.iter().map(|at| due(Timestamp(*at), 3, RecordId(9))).collect();
        assert!(keys.is_sorted());
        for (at, key) in times.iter().zip(&keys) {
            assert_eq!(due_of(key), Some((Timestamp(*at), 3, RecordId(9))));
        }
        assert_eq!(due_of(b"Dx"), None);
    }
}
