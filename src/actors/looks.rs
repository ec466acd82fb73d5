//! When each person's consent was last read, so that nobody is written to on the strength of an old look
//! (design §3.10): whatever starts mail asks here first, and looks again when the last look is too old.

use crate::domain::id::PersonId;
use crate::domain::time::Timestamp;
use crate::engine::retry::STALE_AFTER;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Above so many, looks that are too old to count are forgotten.
const MANY: usize = 4_096;

/// The last looks.
#[derive(Default)]
pub struct ConsentLooks {
    last: Mutex<BTreeMap<PersonId, Timestamp>>,
}

impl ConsentLooks {
    /// The consent of these people was read at this moment.
    pub fn note(&self, people: impl IntoIterator<Item = PersonId>, at: Timestamp) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() > MANY {
            last.retain(|_, seen| at.since(*seen) <= STALE_AFTER);
        }
        for person in people {
            let seen = last.entry(person).or_insert(at);
            *seen = (*seen).max(at);
        }
    }

    /// When it was last read, where that is still recent enough to act on.
    pub fn recent(&self, person: PersonId, now: Timestamp) -> Option<Timestamp> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock set back makes no look newer than now.
        last.get(&person).copied().filter(|seen| *seen <= now && now.since(*seen) <= STALE_AFTER)
    }
}
