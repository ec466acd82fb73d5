//! One change as bytes, the same in log frames and in snapshots.
//!
//! Layout, numbers little-endian: operation u8, key length u32, value length u32, key (its first byte is
//! the table's number), crc32 of all that, value, crc32 of the value. The key has a checksum of its own,
//! so that damage to a value still names whose value it was.

use super::store::Change;

/// The table's number, then the key.
pub(crate) type FullKey = Vec<u8>;

/// The table that names damaged keys. It is not one of [`super::store::Table`]: nobody reads or writes
/// it but recovery and the store itself.
pub(crate) const DAMAGED: u8 = 0;

/// The longest key, table byte included.
pub(crate) const LONGEST_KEY: usize = 64 * 1024;
/// The longest value.
pub(crate) const LONGEST_VALUE: usize = 64 * 1024 * 1024;

const PUT: u8 = 1;
const APPEND: u8 = 2;
const DELETE: u8 = 3;

/// Operation and the two lengths.
pub(crate) const HEAD: usize = 9;

/// What happens to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It has this value.
    Put(Vec<u8>),
    /// These bytes are added.
    Append(Vec<u8>),
    /// It is gone.
    Delete,
}

impl Effect {
    /// Bytes held, for the bounds.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Effect::Put(value) | Effect::Append(value) => value.len(),
            Effect::Delete => 0,
        }
    }

    /// Whether the key's value no longer depends on what was there before.
    pub(crate) fn replaces(&self) -> bool {
        !matches!(self, Effect::Append(_))
    }
}

/// A table's number in front of a key.
pub(crate) fn full_key(table: u8, key: &[u8]) -> FullKey {
    let mut full = Vec::with_capacity(key.len() + 1);
    full.push(table);
    full.extend_from_slice(key);
    full
}

/// The marker that says that a key is damaged.
pub(crate) fn damage_marker(key: &[u8]) -> FullKey {
    full_key(DAMAGED, key)
}

/// A change of the interface as key and effect.
pub(crate) fn effect_of(change: Change) -> (FullKey, Effect) {
    match change {
        Change::Put { table, key, value } => (full_key(table as u8, &key), Effect::Put(value)),
        Change::Append { table, key, value } => (full_key(table as u8, &key), Effect::Append(value)),
        Change::Delete { table, key } => (full_key(table as u8, &key), Effect::Delete),
    }
}

/// Adds the bytes of one change.
pub(crate) fn write(out: &mut Vec<u8>, key: &[u8], effect: &Effect) {
    match effect {
        Effect::Put(value) => write_raw(out, PUT, key, value),
        Effect::Append(value) => write_raw(out, APPEND, key, value),
        Effect::Delete => write_raw(out, DELETE, key, &[]),
    }
}

/// Adds the bytes of an entry of a snapshot: a `Put`.
pub(crate) fn write_entry(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    write_raw(out, PUT, key, value);
}

fn write_raw(out: &mut Vec<u8>, operation: u8, key: &[u8], value: &[u8]) {
    // Lengths are bounded where a commit is taken; a longer one cannot get here.
    let key_length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let value_length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.reserve(HEAD + key.len() + value.len() + 8);
    let mut head = crc32fast::Hasher::new();
    let mut put = |out: &mut Vec<u8>, bytes: &[u8]| {
        head.update(bytes);
        out.extend_from_slice(bytes);
    };
    put(out, &[operation]);
    put(out, &key_length.to_le_bytes());
    put(out, &value_length.to_le_bytes());
    put(out, key);
    out.extend_from_slice(&head.finalize().to_le_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(&crc32fast::hash(value).to_le_bytes());
}

/// A change found in bytes whose key could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Whole.
    Whole(FullKey, Effect),
    /// The value is not what was written.
    ValueDamaged(FullKey),
}

/// The two lengths in a head, when they are possible ones.
pub(crate) fn lengths(head: &[u8; HEAD]) -> Option<(usize, usize)> {
    let (_, rest) = head.split_first()?;
    let (key, rest) = rest.split_first_chunk::<4>()?;
    let (value, _) = rest.split_first_chunk::<4>()?;
    let key = usize::try_from(u32::from_le_bytes(*key)).ok()?;
    let value = usize::try_from(u32::from_le_bytes(*value)).ok()?;
    ((1..=LONGEST_KEY).contains(&key) && value <= LONGEST_VALUE).then_some((key, value))
}

/// Reads one change and gives the bytes after it; none when not even its key can be known.
pub(crate) fn read(bytes: &[u8]) -> Option<(Found, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let (key_length, value_length) = lengths(head)?;
    let (key, rest) = rest.split_at_checked(key_length)?;
    let (head_sum, rest) = rest.split_first_chunk::<4>()?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(key);
    if hasher.finalize() != u32::from_le_bytes(*head_sum) {
        return None;
    }
    let (value, rest) = rest.split_at_checked(value_length)?;
    let (value_sum, rest) = rest.split_first_chunk::<4>()?;
    // An empty value cannot be damaged: the head says that it is empty.
    if !value.is_empty() && crc32fast::hash(value) != u32::from_le_bytes(*value_sum) {
        return Some((Found::ValueDamaged(key.to_vec()), rest));
    }
    let effect = match head.first() {
        Some(&PUT) => Effect::Put(value.to_vec()),
        Some(&APPEND) => Effect::Append(value.to_vec()),
        Some(&DELETE) => Effect::Delete,
        _ => return None,
    };
    Some((Found::Whole(key.to_vec(), effect), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_comes_back_as_it_was_written() {
        for effect in [Effect::Put(vec![1, 2]), Effect::Append(vec![3]), Effect::Delete, Effect::Put(vec![])]
        {
            let mut bytes = Vec::new();
            write(&mut bytes, &[3, 9, 9], &effect);
            bytes.push(77);
            assert_eq!(read(&bytes), Some((Found::Whole(vec![3, 9, 9], effect), &[77][..])));
        }
    }

    #[test]
    fn a_damaged_value_still_names_its_key_and_a_damaged_key_is_never_believed() {
        let mut whole = Vec::new();
        write(&mut whole, &[3, 9], &Effect::Put(vec![1, 2, 3]));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            match read(&bytes) {
                None => assert!(at < HEAD + 2 + 4),
                Some((Found::ValueDamaged(key), _)) => assert_eq!(key, vec![3, 9]),
                Some((Found::Whole(..), _)) => panic!("byte {at} was believed"),
            }
        }
    }
}
