//! What the mirror keeps, and how it is written: a version byte, bincode, a checksum. A changed record is a new type
//! under a new version (docs/mirror.md); golden bytes hold these.

use super::shelf::ShelfError;
use crate::domain::id::RecordId;
use crate::domain::object::{AssociationType, ObjectType};
use crate::domain::time::Timestamp;
use crate::journal::codec::{self, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A record of HubSpot's, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number of its last change: see [`super::Mirror::changes`].
    pub changed: u64,
    /// When that was noticed.
    pub noticed: Timestamp,
    /// How it stands.
    pub state: State,
}

impl Record for Kept {
    const KIND: &'static str = "mirrored";
}

/// How a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It is there.
    Live(Live),
    /// It is not there any more. Nothing of what it held is kept.
    Gone(Gone),
}

/// What a live record holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Properties as HubSpot gave them; those of the definition, and whatever came beside.
    pub properties: BTreeMap<String, Option<String>>,
    /// When HubSpot says it was made.
    pub created: Option<Timestamp>,
    /// When HubSpot says it was last changed.
    pub modified: Option<Timestamp>,
}

impl Live {
    /// A property's value; none where it is null, or not among those kept.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.as_deref()
    }
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gone {
    /// It is in the recycle bin.
    Archived {
        /// Since when, as HubSpot says.
        at: Option<Timestamp>,
    },
    /// It was merged into another.
    Merged {
        /// The survivor.
        into: RecordId,
    },
    /// HubSpot has it no more, and does not say why.
    Deleted,
}

impl Gone {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Gone::Archived { .. } => "archived",
            Gone::Merged { .. } => "merged",
            Gone::Deleted => "deleted",
        }
    }
}

/// How two records are joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// As read from the first one's side.
    pub types: Vec<AssociationType>,
}

impl Record for Pair {
    const KIND: &'static str = "association";
}

/// A change: which record it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Its type.
    pub kind: ObjectType,
    /// Its id.
    pub id: RecordId,
}

impl Record for Changed {
    const KIND: &'static str = "change";
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Records that are there; or pairs.
    pub live: u64,
    /// Records that are gone.
    pub gone: u64,
}

impl Record for Totals {
    const KIND: &'static str = "totals";
}

/// A number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number(pub u64);

impl Record for Number {
    const KIND: &'static str = "number";
}

/// Who the mirror is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Whose records these are.
    pub portal: u64,
    /// When it was begun: numbers of changes mean something within one generation only.
    pub generation: Timestamp,
}

impl Record for Identity {
    const KIND: &'static str = "identity";
}

/// A record as bytes.
///
/// # Errors
/// It is too long.
pub(crate) fn seal<R: Record>(record: &R) -> Result<Vec<u8>, ShelfError> {
    let mut bytes = codec::encode(record).map_err(|error| ShelfError::Disk(error.to_string()))?;
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    Ok(bytes)
}

/// A record from bytes.
///
/// # Errors
/// They are not what was written, or of a newer version.
pub(crate) fn unseal<R: Record>(bytes: &[u8]) -> Result<R, ShelfError> {
    let damaged = || ShelfError::Damaged(format!("a {} record is not what was written", R::KIND));
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
    if crc32fast::hash(body).to_le_bytes() != *sum {
        return Err(damaged());
    }
    codec::decode(body).map_err(|error| ShelfError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_the_disk_keeps_its_form() {
        let live = Live {
            properties: BTreeMap::from([("a".to_owned(), Some("b".to_owned())), ("n".to_owned(), None)]),
            created: None,
            modified: Some(Timestamp(300)),
        };
        let kept = Kept { changed: 5, noticed: Timestamp(7), state: State::Live(live) };
        let bytes = seal(&kept).unwrap();
        assert_eq!(hex::encode(&bytes[..bytes.len() - 4]), "01050e00020161010162016e000001fb5802");
        assert_eq!(unseal::<Kept>(&bytes).unwrap(), kept);
        let gone = Kept { state: State::Gone(Gone::Merged { into: RecordId(9) }), ..kept };
        let bytes = seal(&gone).unwrap();
        assert_eq!(hex::encode(&bytes[..bytes.len() - 4]), "01050e010109");
        let pair = AssociationType { category: "C".to_owned(), id: 279, label: None };
        let bytes = seal(&Pair { types: vec![pair] }).unwrap();
        assert_eq!(hex::encode(&bytes[..bytes.len() - 4]), "01010143fb170100");
    }

    #[test]
    fn no_flipped_bit_is_believed() {
        let bytes = seal(&Number(5)).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            assert!(unseal::<Number>(&bytes).is_err());
        }
    }
}
