//! Keys of the mirror: one letter for what it is, names ended by a zero byte, numbers with the highest byte first, so
//! that records sort by type and id.

use crate::domain::id::RecordId;
use crate::domain::object::ObjectType;

/// Who the mirror is of: portal and generation.
pub(crate) const IDENTITY: &[u8] = b"i";
/// Since when a pull of everything is under way.
pub(crate) const WHOLE: &[u8] = b"w";
/// The last pull's number.
pub(crate) const LAST_PULL: &[u8] = b"m";
/// The last change's number.
pub(crate) const SEQUENCE: &[u8] = b"n";

/// The last change that the index tells of.
pub(crate) const INDEXED: &[u8] = b"y";

fn named(letter: u8, names: &[&str]) -> Vec<u8> {
    let mut key = vec![letter];
    for name in names {
        key.extend_from_slice(name.as_bytes());
        key.push(0);
    }
    key
}

fn with(mut key: Vec<u8>, numbers: &[u64]) -> Vec<u8> {
    for number in numbers {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key
}

/// The number at the end of a key.
pub(crate) fn last_number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// All records of a type.
pub(crate) fn records(kind: &ObjectType) -> Vec<u8> {
    named(b'o', &[kind.as_str()])
}

/// One record.
pub(crate) fn record(kind: &ObjectType, id: RecordId) -> Vec<u8> {
    with(records(kind), &[id.0])
}

/// The last full pass that saw a record.
pub(crate) fn seen(kind: &ObjectType, id: RecordId) -> Vec<u8> {
    with(named(b's', &[kind.as_str()]), &[id.0])
}

/// All changes.
pub(crate) const CHANGES: &[u8] = b"c";

/// One change.
pub(crate) fn change(sequence: u64) -> Vec<u8> {
    with(CHANGES.to_vec(), &[sequence])
}

/// How all engines stand.
pub(crate) const ENGINES: &[u8] = b"e";

/// How an engine stands.
pub(crate) fn engine(name: &str) -> Vec<u8> {
    named(b'e', &[name])
}

/// All pulls.
pub(crate) const PULLS: &[u8] = b"p";

/// One pull.
pub(crate) fn pull(number: u64) -> Vec<u8> {
    with(PULLS.to_vec(), &[number])
}

/// All counts.
pub(crate) const TOTALS: &[u8] = b"t";

/// How many there are of something.
pub(crate) fn totals(name: &str) -> Vec<u8> {
    named(b't', &[name])
}

/// What a record is joined with, read from its side.
pub(crate) fn pairs(from: &ObjectType, to: &ObjectType, id: RecordId) -> Vec<u8> {
    with(pairs_between(from, to), &[id.0])
}

/// All pairs of two types.
pub(crate) fn pairs_between(from: &ObjectType, to: &ObjectType) -> Vec<u8> {
    named(b'a', &[from.as_str(), to.as_str()])
}

/// One pair.
pub(crate) fn pair(from: &ObjectType, to: &ObjectType, id: RecordId, other: RecordId) -> Vec<u8> {
    with(pairs_between(from, to), &[id.0, other.0])
}

/// The two records of a pair's key.
pub(crate) fn pair_of(key: &[u8]) -> Option<(RecordId, RecordId)> {
    let (rest, other) = key.split_last_chunk::<8>()?;
    let id = rest.last_chunk::<8>()?;
    Some((RecordId(u64::from_be_bytes(*id)), RecordId(u64::from_be_bytes(*other))))
}

/// Who is joined with a record, from the other side.
pub(crate) fn joined_with(from: &ObjectType, to: &ObjectType, other: RecordId) -> Vec<u8> {
    with(named(b'b', &[from.as_str(), to.as_str()]), &[other.0])
}

/// One pair, from the other side.
pub(crate) fn back(from: &ObjectType, to: &ObjectType, id: RecordId, other: RecordId) -> Vec<u8> {
    with(joined_with(from, to, other), &[id.0])
}

/// Pairs seen so far of a record whose reading takes more than one page.
pub(crate) fn half_read(from: &ObjectType, to: &ObjectType, id: RecordId) -> Vec<u8> {
    with(named(b'h', &[from.as_str(), to.as_str()]), &[id.0])
}

/// One of them.
pub(crate) fn half(from: &ObjectType, to: &ObjectType, id: RecordId, other: RecordId) -> Vec<u8> {
    with(half_read(from, to, id), &[other.0])
}

/// Who may have this value of a property.
pub(crate) fn entries(kind: &ObjectType, property: &str, value: &[u8]) -> Vec<u8> {
    let mut key = named(b'x', &[kind.as_str(), property]);
    key.extend_from_slice(value);
    key.push(0);
    key
}

/// One of them.
pub(crate) fn entry(kind: &ObjectType, property: &str, value: &[u8], id: RecordId) -> Vec<u8> {
    with(entries(kind, property, value), &[id.0])
}

/// Bytes of a block, at most: what is changed in it is written with all of it.
const BLOCK: usize = 2_048;
/// The same where neighbours are not written together: entries by value, and from the other side.
const SCATTERED: usize = 1_024;

/// Neighbours that may lie in one block: all keys that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drawer {
    /// So many bytes of their beginning.
    pub(crate) prefix: usize,
    /// Bytes of a block, at most.
    pub(crate) most: usize,
}

/// The drawer of a key; none where it lies by itself: there are few of those, and they are written with every page.
/// The letters of others, such as who belongs to which segment, are a drawer each.
pub(crate) fn drawer(key: &[u8]) -> Option<Drawer> {
    let (names, most) = match key.first()? {
        b'i' | b'w' | b'm' | b'n' | b'y' | b'e' | b'p' | b't' | 0 | 1 | 0xff => return None,
        b'o' | b's' => (1, BLOCK),
        b'a' | b'h' => (2, BLOCK),
        b'b' | b'x' => (2, SCATTERED),
        _ => (0, BLOCK),
    };
    let mut ends = key.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1);
    let prefix = if names == 0 { Some(1) } else { ends.nth(names - 1) };
    Some(Drawer { prefix: prefix.unwrap_or(key.len()), most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_names_lies_in_one_drawer_and_nothing_else_does() {
        let (deals, contacts): (ObjectType, _) = ("deals".parse().unwrap(), ObjectType::contacts());
        let of = |key: &[u8]| drawer(key).map(|drawer| key[..drawer.prefix].to_vec());
        assert_eq!(of(&record(&contacts, RecordId(0))), Some(records(&contacts)));
        assert_eq!(of(&record(&contacts, RecordId(u64::MAX))), Some(records(&contacts)));
        assert_ne!(of(&record(&deals, RecordId(0))), Some(records(&contacts)));
        let all = pairs_between(&contacts, &deals);
        assert_eq!(of(&pair(&contacts, &deals, RecordId(0), RecordId(0))), Some(all));
        assert_eq!(
            of(&entry(&contacts, "email", b"a@example.com", RecordId(0))),
            Some(named(b'x', &["contacts", "email"]))
        );
        assert_eq!(of(&change(7)), Some(CHANGES.to_vec()));
        assert_eq!(of(b"M\0\0\0\x01"), Some(b"M".to_vec()), "whose letter it is, is of no matter");
        for alone in
            [IDENTITY, WHOLE, LAST_PULL, SEQUENCE, INDEXED, &engine("deals"), &pull(1), &totals("deals")]
        {
            assert_eq!(drawer(alone), None);
        }
    }

    #[test]
    fn records_sort_by_type_and_then_by_number() {
        let (deals, contacts) = ("deals".parse().unwrap(), ObjectType::contacts());
        let keys = [
            record(&contacts, RecordId(9)),
            record(&contacts, RecordId(10)),
            record(&contacts, RecordId(256)),
            record(&deals, RecordId(1)),
        ];
        assert!(keys.is_sorted());
        assert_eq!(last_number(&keys[2]), Some(256));
        // No name is the beginning of another.
        let other: ObjectType = "contacts2".parse().unwrap();
        assert!(!record(&other, RecordId(1)).starts_with(&records(&contacts)));
    }
}
