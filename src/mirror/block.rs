//! A block: neighbouring entries as the bytes of one value. A store that pays for each entry then pays once for many.
//!
//! It promises: entries come out as they went in, in the order of their keys; bytes that are not what was written are
//! refused; only an entry that is larger by itself makes a block larger than was asked for. It never reads or writes a
//! store.
//!
//! A version byte; then for each entry how many bytes of its key are those of the key before, how many follow, how many
//! its value has (seven bits a byte, the lowest first), and both; a crc32 of all of it.

use super::shelf::{Entry, ShelfError};

const VERSION: u8 = 1;
/// The version byte and the checksum.
const AROUND: usize = 5;

/// Reads a block's entries one after another, without copying their values.
pub(super) struct Rows<'a> {
    rest: &'a [u8],
    key: Vec<u8>,
}

/// A key and its value.
pub(super) type Row<'k, 'v> = (&'k [u8], &'v [u8]);

impl<'a> Rows<'a> {
    /// The entries of a block.
    ///
    /// # Errors
    /// It is not what was written, or of a newer version.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Rows<'a>, ShelfError> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        if crc32fast::hash(body).to_le_bytes() != *sum {
            return Err(damaged());
        }
        match body.split_first() {
            Some((&VERSION, rest)) => Ok(Rows { rest, key: Vec::new() }),
            _ => Err(damaged()),
        }
    }

    /// The next entry; of two keys the reader sees the one until it asks for the other.
    ///
    /// # Errors
    /// The block ends early.
    pub(super) fn next(&mut self) -> Result<Option<Row<'_, 'a>>, ShelfError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (shared, own, length) = (self.number()?, self.number()?, self.number()?);
        if shared > self.key.len() {
            return Err(damaged());
        }
        self.key.truncate(shared);
        let own = self.part(own)?;
        self.key.extend_from_slice(own);
        let value = self.part(length)?;
        Ok(Some((&self.key, value)))
    }

    fn part(&mut self, length: usize) -> Result<&'a [u8], ShelfError> {
        let (part, rest) = self.rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(part)
    }

    fn number(&mut self) -> Result<usize, ShelfError> {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or_else(damaged)?;
            self.rest = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(damaged())
    }
}

fn damaged() -> ShelfError {
    ShelfError::Damaged("a block is not what was written".to_owned())
}

/// The value of a key in a block.
///
/// # Errors
/// As [`Rows`].
pub(super) fn find(bytes: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
    let mut rows = Rows::of(bytes)?;
    while let Some((at, value)) = rows.next()? {
        match at.cmp(key) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Ok(Some(value.to_vec())),
            std::cmp::Ordering::Greater => break,
        }
    }
    Ok(None)
}

/// All entries of a block.
///
/// # Errors
/// As [`Rows`].
pub(super) fn unpacked(bytes: &[u8]) -> Result<Vec<Entry>, ShelfError> {
    let (mut rows, mut entries) = (Rows::of(bytes)?, Vec::new());
    while let Some((key, value)) = rows.next()? {
        entries.push((key.to_vec(), value.to_vec()));
    }
    Ok(entries)
}

/// Writes a block.
struct Writer {
    bytes: Vec<u8>,
    last: Vec<u8>,
}

impl Writer {
    fn new() -> Writer {
        Writer { bytes: vec![VERSION], last: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.bytes.len() <= 1
    }

    /// How long it is once it is finished.
    fn length(&self) -> usize {
        self.bytes.len() + AROUND - 1
    }

    /// How much of a key is as the key before.
    fn shared(&self, key: &[u8]) -> usize {
        key.iter().zip(&self.last).take_while(|(one, other)| one == other).count()
    }

    /// How long it is with one more.
    fn length_with(&self, key: &[u8], value: &[u8]) -> usize {
        let shared = self.shared(key);
        let own = key.len() - shared;
        let numbers = [shared, own, value.len()].map(|number| number.max(1).ilog2() as usize / 7 + 1);
        self.length() + numbers.iter().sum::<usize>() + own + value.len()
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        let shared = self.shared(key);
        let own = key.get(shared..).unwrap_or_default();
        for number in [shared, own.len(), value.len()] {
            self.number(number);
        }
        self.bytes.extend_from_slice(own);
        self.bytes.extend_from_slice(value);
        self.last.truncate(shared);
        self.last.extend_from_slice(own);
    }

    fn number(&mut self, mut number: usize) {
        while number > 0x7f {
            self.bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn finish(mut self) -> Vec<u8> {
        let sum = crc32fast::hash(&self.bytes);
        self.bytes.extend_from_slice(&sum.to_le_bytes());
        self.bytes
    }
}

/// How long a block of these entries is.
pub(super) fn length(entries: &[Entry]) -> usize {
    let mut writer = Writer::new();
    entries.iter().for_each(|(key, value)| writer.push(key, value));
    writer.length()
}

/// Sorted entries as blocks of at most so many bytes, each with its first key. Where entries come at the end, blocks are
/// left full; elsewhere there is as much room in one as in the other.
pub(super) fn packed(entries: &[Entry], most: usize, grows_at_end: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = length(entries);
    let (enough, parts) = match grows_at_end || all <= most {
        true => (most, usize::MAX),
        // Not so many that each is full: what does not fit into the last one would be a block of its own.
        false => {
            let parts = all.div_ceil((most / 4 * 3).max(1));
            (all / parts, parts)
        }
    };
    let (mut packed, mut writer, mut first) = (Vec::new(), Writer::new(), None);
    for (key, value) in entries {
        let has_its_part = writer.length() >= enough && packed.len() + 1 < parts;
        if !writer.is_empty() && (writer.length_with(key, value) > most || has_its_part) {
            let full = std::mem::replace(&mut writer, Writer::new());
            packed.extend(first.take().map(|first| (first, full.finish())));
        }
        first.get_or_insert_with(|| key.clone());
        writer.push(key, value);
    }
    packed.extend(first.map(|first| (first, writer.finish())));
    packed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(key: &str, value: &str) -> Entry {
        (key.into(), value.into())
    }

    #[test]
    fn what_lies_on_the_disk_keeps_its_form() {
        let entries = [entry("ab1", "x"), entry("ab25", ""), entry("b", &"v".repeat(200))];
        let blocks = packed(&entries, 4_096, true);
        assert_eq!(blocks.len(), 1);
        let bytes = &blocks[0].1;
        let head = "01".to_owned() + "000301" + &hex::encode("ab1x") + "020200" + &hex::encode("25");
        let long = "0001c801".to_owned() + &hex::encode("b") + &hex::encode("v".repeat(200));
        assert_eq!(hex::encode(&bytes[..bytes.len() - 4]), head + &long);
        assert_eq!(unpacked(bytes).unwrap(), entries);
        assert_eq!(find(bytes, b"ab25").unwrap(), Some(Vec::new()));
        assert_eq!(find(bytes, b"ab2").unwrap(), None);
        assert_eq!(length(&entries), bytes.len());
    }

    #[test]
    fn no_flipped_bit_is_believed_and_nothing_panics() {
        let bytes = packed(&[entry("a1", "x"), entry("a2", "y")], 4_096, true).remove(0).1;
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(unpacked(&bytes).is_err());
        }
        for length in 0..bytes.len() {
            assert!(unpacked(&bytes[..length]).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_block_with_a_sound_sum_is_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            bytes.insert(0, VERSION);
            let sum = crc32fast::hash(&bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            drop(unpacked(&bytes));
        }

        #[test]
        fn all_entries_come_out_and_no_block_is_too_long(
            entries in proptest::collection::btree_map(
                proptest::collection::vec(0..4_u8, 0..6), proptest::collection::vec(any::<u8>(), 0..40), 0..200),
            at_end: bool,
        ) {
            let entries: Vec<Entry> = entries.into_iter().collect();
            let blocks = packed(&entries, 128, at_end);
            let mut out = Vec::new();
            for (first, bytes) in &blocks {
                let rows = unpacked(bytes).unwrap();
                prop_assert_eq!(first, &rows[0].0);
                prop_assert!(bytes.len() <= 128);
                prop_assert_eq!(bytes.len(), length(&rows));
                out.extend(rows);
            }
            prop_assert!(blocks.len() < 2 || length(&entries) > 128, "what fits into one block is one");
            prop_assert_eq!(out, entries);
        }
    }
}
