//! Keys as bytes. Big-endian, so that keys sort as what they name does.
//!
//! Never: a key that could be read as another kind's; each has one fixed length.

use crate::domain::email::SubscriberHash;
use crate::domain::id::{MoveId, PersonId, RecordId, RunId};
use crate::domain::time::Timestamp;

/// Something that names a record.
pub trait Key: Sized {
    /// As bytes.
    fn to_key(&self) -> Vec<u8>;
    /// Back from exactly these bytes.
    fn from_key(bytes: &[u8]) -> Option<Self>;
}

macro_rules! number_key {
    ($($name:ident),*) => {$(
        impl Key for $name {
            fn to_key(&self) -> Vec<u8> {
                self.0.to_be_bytes().to_vec()
            }
            fn from_key(bytes: &[u8]) -> Option<Self> {
                Some($name(u64::from_be_bytes(bytes.try_into().ok()?)))
            }
        }
    )*};
}

number_key!(RunId, PersonId, RecordId);

impl Key for MoveId {
    fn to_key(&self) -> Vec<u8> {
        [self.run.to_key(), self.number.to_be_bytes().to_vec()].concat()
    }
    fn from_key(bytes: &[u8]) -> Option<Self> {
        let (run, number) = bytes.split_at_checked(8)?;
        Some(MoveId { run: RunId::from_key(run)?, number: u32::from_be_bytes(number.try_into().ok()?) })
    }
}

/// A move of a person: sorts by person, then by move.
impl Key for (PersonId, MoveId) {
    fn to_key(&self) -> Vec<u8> {
        [self.0.to_key(), self.1.to_key()].concat()
    }
    fn from_key(bytes: &[u8]) -> Option<Self> {
        let (person, id) = bytes.split_at_checked(8)?;
        Some((PersonId::from_key(person)?, MoveId::from_key(id)?))
    }
}

impl Key for SubscriberHash {
    fn to_key(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn from_key(bytes: &[u8]) -> Option<Self> {
        Some(SubscriberHash(bytes.try_into().ok()?))
    }
}

/// Something of a person at a moment: whose, when, and its number among those of the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonMoment {
    /// Whose.
    pub person: PersonId,
    /// When.
    pub at: Timestamp,
    /// Its number among those of the same moment, from 0.
    pub number: u32,
}

impl PersonMoment {
    /// What the keys of one person and moment begin with. Moments before 1970 sort before later ones.
    pub fn prefix(person: PersonId, at: Timestamp) -> Vec<u8> {
        let moment = at.0.cast_unsigned() ^ (1 << 63);
        [person.to_key(), moment.to_be_bytes().to_vec()].concat()
    }
}

impl Key for PersonMoment {
    fn to_key(&self) -> Vec<u8> {
        [PersonMoment::prefix(self.person, self.at), self.number.to_be_bytes().to_vec()].concat()
    }
    fn from_key(bytes: &[u8]) -> Option<Self> {
        let (person, rest) = bytes.split_at_checked(8)?;
        let (moment, number) = rest.split_at_checked(8)?;
        let moment = u64::from_be_bytes(moment.try_into().ok()?) ^ (1 << 63);
        Some(PersonMoment {
            person: PersonId::from_key(person)?,
            at: Timestamp(moment.cast_signed()),
            number: u32::from_be_bytes(number.try_into().ok()?),
        })
    }
}

/// Text, as it is.
impl Key for String {
    fn to_key(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn from_key(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trips<K: Key + PartialEq + std::fmt::Debug>(key: &K) {
        let bytes = key.to_key();
        assert_eq!(K::from_key(&bytes).as_ref(), Some(key));
        assert_eq!(K::from_key(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(K::from_key(&bytes[1..]), None);
    }

    fn a_move(run: u64, number: u32) -> MoveId {
        MoveId { run: RunId(run), number }
    }

    proptest! {
        #[test]
        fn keys_come_back_from_their_bytes_and_from_no_others(
            a: u64, b: u64, n: u32, at: i64, hash: [u8; 16]
        ) {
            round_trips(&RunId(a));
            round_trips(&PersonId(a));
            round_trips(&RecordId(a));
            round_trips(&a_move(a, n));
            round_trips(&(PersonId(b), a_move(a, n)));
            round_trips(&SubscriberHash(hash));
            round_trips(&PersonMoment { person: PersonId(a), at: Timestamp(at), number: n });
        }

        #[test]
        fn keys_sort_as_what_they_name(
            a: (u64, u32), b: (u64, u32), at: i64, other: i64
        ) {
            let (one, two) = (a_move(a.0, a.1), a_move(b.0, b.1));
            prop_assert_eq!(one.cmp(&two), one.to_key().cmp(&two.to_key()));
            let evidence = |at| PersonMoment { person: PersonId(1), at: Timestamp(at), number: 0 };
            prop_assert_eq!(at.cmp(&other), evidence(at).to_key().cmp(&evidence(other).to_key()));
        }
    }
}
