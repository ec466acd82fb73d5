//! Letting go of people who were forgotten: their records, what they were joined with, and every byte of it.

use super::draft::Draft;
use super::history::Pull;
use super::key;
use super::shelf::ShelfError;
use super::store::Mirror;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::RecordId;
use crate::domain::object::ObjectType;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;

/// Entries read at a time.
const CHUNK: usize = 1_000;

impl Mirror {
    /// Removes these contacts, and those with these addresses, with all that leads to them. How many there were; with
    /// none, nothing is written.
    ///
    /// # Errors
    /// The mirror cannot be read or written. Doing it again is safe.
    pub fn erase(
        &self,
        records: &[RecordId],
        hashes: &[SubscriberHash],
        now: Timestamp,
    ) -> Result<u64, ShelfError> {
        let _alone = self.write();
        let contacts = ObjectType::contacts();
        let mut ids: BTreeSet<RecordId> = records.iter().copied().collect();
        for row in self.live(&contacts) {
            let (id, live) = row?;
            let theirs = live.value("email").and_then(|text| Email::parse(text).ok());
            if theirs.is_some_and(|email| hashes.contains(&email.hash())) {
                ids.insert(id);
            }
        }
        let mut erased = 0;
        for id in ids {
            let mut draft = self.draft(now);
            erased += u64::from(draft.erase(&contacts, id)?);
            for (from, to) in self.joined_types()? {
                if from == contacts {
                    draft.part_all(&from, &to, id, key::pairs, |other| (id, other))?;
                    draft.delete_below(&key::half_read(&from, &to, id))?;
                }
                if to == contacts {
                    draft.part_all(&from, &to, id, key::joined_with, |other| (other, id))?;
                }
            }
            draft.commit()?;
        }
        for mut pull in self.history(None, usize::MAX)? {
            let before = pull.failures.len();
            pull.failures.retain(|(id, _)| !records.contains(id));
            if pull.failures.len() < before {
                let mut draft = self.draft(now);
                draft.put::<Pull>(key::pull(pull.number), &pull)?;
                draft.commit()?;
            }
        }
        if erased > 0 {
            self.shelf().rewrite()?;
        }
        Ok(erased)
    }
}

impl Mirror {
    /// Leaves no byte of what was deleted.
    ///
    /// # Errors
    /// The disk.
    pub fn rewrite(&self) -> Result<(), ShelfError> {
        let _alone = self.write();
        self.shelf().rewrite()
    }
}

impl Draft<'_> {
    /// Parts a record from everybody it is joined with, read from one side.
    fn part_all(
        &mut self,
        from: &ObjectType,
        to: &ObjectType,
        id: RecordId,
        below: impl Fn(&ObjectType, &ObjectType, RecordId) -> Vec<u8>,
        pair: impl Fn(RecordId) -> (RecordId, RecordId),
    ) -> Result<(), ShelfError> {
        let prefix = below(from, to, id);
        let mut after: Option<Vec<u8>> = None;
        loop {
            let others = self.numbers(&prefix, after.as_deref(), CHUNK)?;
            for other in &others {
                self.part((from, to), pair(RecordId(*other)))?;
            }
            match others.last() {
                Some(last) => after = Some([prefix.as_slice(), &last.to_be_bytes()].concat()),
                None => return Ok(()),
            }
        }
    }
}
