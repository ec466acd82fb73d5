//! Values as bytes: a one-byte record version, then bincode.
//!
//! bincode does not describe itself, so a type that is stored may not change: a changed record is a new
//! type under a new version byte, and [`Record::upgrade`] reads the old ones (docs/journal-format.md).
//! Promises: what has bytes left over, or ends early, is refused; nothing is allocated that the bytes do
//! not fill.

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest record.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Why bytes are no record, or a value cannot become one. Never repeats the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a version of hsmc that knows more.
    #[error("a {kind} record has version {found}; this hsmc reads up to {known}")]
    Version {
        /// Of what.
        kind: &'static str,
        /// In the bytes.
        found: u8,
        /// The newest known.
        known: u8,
    },
    /// The bytes are not of this shape.
    #[error("a {kind} record cannot be read")]
    Malformed {
        /// Of what.
        kind: &'static str,
    },
    /// Longer than a record may be.
    #[error("a {kind} record would be too long")]
    TooLong {
        /// Of what.
        kind: &'static str,
    },
}

/// A type that is stored. Its serde form is frozen: golden files hold it.
pub trait Record: Serialize + DeserializeOwned {
    /// What it is called in messages.
    const KIND: &'static str;
    /// The version written.
    const VERSION: u8 = 1;

    /// Reads the body of an older version: decodes the type of then and turns it into that of now.
    ///
    /// # Errors
    /// The version is unknown, or the body malformed.
    fn upgrade(version: u8, body: &[u8]) -> Result<Self, DecodeError> {
        let _no_older_version_yet = body;
        Err(DecodeError::Version { kind: Self::KIND, found: version, known: Self::VERSION })
    }
}

/// Fixed for ever: little-endian, numbers as short as they are, nothing left over.
fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_little_endian()
        .with_varint_encoding()
        .with_limit(LONGEST)
        .reject_trailing_bytes()
}

/// A body without its version byte.
///
/// # Errors
/// It is not of this shape.
pub fn decode_body<T: DeserializeOwned>(kind: &'static str, body: &[u8]) -> Result<T, DecodeError> {
    options().deserialize(body).map_err(|_| DecodeError::Malformed { kind })
}

/// A record as bytes.
///
/// # Errors
/// It is too long.
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, DecodeError> {
    encode_as(R::KIND, R::VERSION, record)
}

/// Any serde value as bytes, under a version.
///
/// # Errors
/// It is too long.
pub fn encode_as<T: Serialize>(kind: &'static str, version: u8, value: &T) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = vec![version];
    options().serialize_into(&mut bytes, value).map_err(|_| DecodeError::TooLong { kind })?;
    Ok(bytes)
}

/// A record from bytes of any version known.
///
/// # Errors
/// It is of a newer version, or malformed.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, DecodeError> {
    let (version, body) = bytes.split_first().ok_or(DecodeError::Malformed { kind: R::KIND })?;
    if *version == R::VERSION { decode_body(R::KIND, body) } else { R::upgrade(*version, body) }
}

/// One record of a series: its length u32, the record, its crc32. Such a value can be appended to.
///
/// # Errors
/// It is too long.
pub fn encode_event<R: Record>(record: &R) -> Result<Vec<u8>, DecodeError> {
    let body = encode(record)?;
    let length = u32::try_from(body.len()).map_err(|_| DecodeError::TooLong { kind: R::KIND })?;
    Ok([&length.to_le_bytes()[..], &body, &crc32fast::hash(&body).to_le_bytes()].concat())
}

/// All records of a series.
///
/// # Errors
/// One of them is not as it was written; none is given then.
pub fn decode_series<R: Record>(bytes: &[u8]) -> Result<Vec<R>, DecodeError> {
    let malformed = || DecodeError::Malformed { kind: R::KIND };
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| malformed())?;
        let (body, after) = after.split_at_checked(length).ok_or_else(malformed)?;
        let (sum, after) = after.split_first_chunk::<4>().ok_or_else(malformed)?;
        if crc32fast::hash(body).to_le_bytes() != *sum {
            return Err(malformed());
        }
        records.push(decode(body)?);
        rest = after;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    /// A record that has changed once: how an upgrade looks.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
        stars: u8,
    }
    #[derive(Serialize, Deserialize)]
    struct NoteVersion1 {
        text: String,
    }
    impl Record for Note {
        const KIND: &'static str = "note";
        const VERSION: u8 = 2;
        fn upgrade(version: u8, body: &[u8]) -> Result<Note, DecodeError> {
            match version {
                1 => decode_body(Self::KIND, body).map(|NoteVersion1 { text }| Note { text, stars: 0 }),
                found => Err(DecodeError::Version { kind: Self::KIND, found, known: Self::VERSION }),
            }
        }
    }

    #[test]
    fn a_record_of_an_older_version_is_read_and_a_newer_one_is_refused_by_name() {
        let old = encode_as("note", 1, &NoteVersion1 { text: "a".to_owned() }).unwrap();
        assert_eq!(decode::<Note>(&old), Ok(Note { text: "a".to_owned(), stars: 0 }));
        let newer = encode_as("note", 3, &7_u64).unwrap();
        assert_eq!(decode::<Note>(&newer), Err(DecodeError::Version { kind: "note", found: 3, known: 2 }));
    }

    #[test]
    fn left_over_bytes_and_missing_bytes_are_refused() {
        let whole = encode(&Note { text: "a".to_owned(), stars: 3 }).unwrap();
        assert!(decode::<Note>(&whole).is_ok());
        assert!(decode::<Note>(&[&whole[..], &[0]].concat()).is_err());
        for cut in 0..whole.len() {
            assert!(decode::<Note>(&whole[..cut]).is_err());
        }
    }

    #[test]
    fn a_length_that_the_bytes_do_not_fill_allocates_nothing() {
        // A text of 2^62 bytes.
        let mut bytes = vec![2, 253];
        bytes.extend_from_slice(&(1_u64 << 62).to_le_bytes());
        assert!(decode::<Note>(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_decoding_panic(bytes: Vec<u8>) {
            drop(decode::<Note>(&bytes));
            drop(decode_series::<Note>(&bytes));
        }

        #[test]
        fn a_series_comes_back_and_no_flipped_bit_in_it_is_believed(texts: Vec<String>, flip: (usize, u8)) {
            let notes: Vec<Note> = texts.into_iter().map(|text| Note { text, stars: 1 }).collect();
            let mut bytes: Vec<u8> = notes.iter().flat_map(|note| encode_event(note).unwrap()).collect();
            prop_assert_eq!(decode_series::<Note>(&bytes).unwrap(), notes);
            if !bytes.is_empty() {
                let at = flip.0 % bytes.len();
                bytes[at] ^= 1 << (flip.1 % 8);
                prop_assert!(decode_series::<Note>(&bytes).is_err());
            }
        }
    }
}
