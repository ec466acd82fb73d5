//! Looking records up by a value, instead of reading all of them.
//!
//! It promises: whoever has the value is found. An entry is in the same put as its record, and the number of the last
//! change that entries tell of is in it too; what an older hsmc wrote without them is caught up with when somebody first
//! asks. What is found may have another value by now: whoever asks looks at the record itself.

use super::draft::Draft;
use super::key;
use super::record::{Changed, Kept, Live, Number, State};
use super::shelf::ShelfError;
use super::store::Mirror;
use crate::domain::id::RecordId;
use crate::domain::object::ObjectType;
use crate::domain::segment::folded;
use crate::domain::time::Timestamp;

/// Entries read, and changes caught up with, at a time.
const CHUNK: usize = 500;
/// Bytes of a value that an entry holds: who shares so many is found together.
const LONGEST: usize = 200;

/// The properties of a type that records are looked up by.
pub(crate) fn indexed(kind: &ObjectType) -> &'static [&'static str] {
    if *kind == ObjectType::contacts() { &["email"] } else { &[] }
}

/// A value as entries hold it; none of one that is empty.
fn held(value: &str) -> Option<Vec<u8>> {
    let mut bytes = folded(value).into_bytes();
    bytes.truncate(LONGEST);
    (!bytes.is_empty()).then_some(bytes)
}

fn entries(kind: &ObjectType, id: RecordId, live: &Live) -> Vec<Vec<u8>> {
    let of = |property: &&str| Some(key::entry(kind, property, &held(live.value(property)?)?, id));
    indexed(kind).iter().filter_map(of).collect()
}

impl Draft<'_> {
    /// The entries of a record that is written, in place of those it had.
    pub(super) fn index(
        &mut self,
        kind: &ObjectType,
        id: RecordId,
        before: Option<&Kept>,
        now: Option<&State>,
    ) -> Result<(), ShelfError> {
        let of = |state: Option<&State>| match state {
            Some(State::Live(live)) => entries(kind, id, live),
            Some(State::Gone(_)) | None => Vec::new(),
        };
        let (old, new) = (of(before.map(|kept| &kept.state)), of(now));
        if old == new {
            return Ok(());
        }
        old.into_iter().for_each(|key| self.delete(key));
        new.into_iter().try_for_each(|key| self.put(key, &Number(1)))
    }
}

impl Mirror {
    /// The records that may have this value of an indexed property, in the order of ids; none where the property is not
    /// one.
    ///
    /// # Errors
    /// The mirror cannot be read, or what an older version left not caught up with.
    pub fn with_value(
        &self,
        kind: &ObjectType,
        property: &str,
        value: &str,
    ) -> Result<Option<Vec<RecordId>>, ShelfError> {
        if !indexed(kind).contains(&property) {
            return Ok(None);
        }
        self.catch_up_with_entries()?;
        let Some(value) = held(value) else { return Ok(None) };
        let prefix = key::entries(kind, property, &value);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let rows = self.shelf().scan(&prefix, after.as_deref(), CHUNK)?;
            found.extend(rows.iter().filter_map(|(key, _)| key::last_number(key)).map(RecordId));
            match rows.last() {
                Some((last, _)) if rows.len() == CHUNK => after = Some(last.clone()),
                _ => return Ok(Some(found)),
            }
        }
    }

    /// Makes the entries of records that were written without them.
    fn catch_up_with_entries(&self) -> Result<(), ShelfError> {
        loop {
            let (done, last) = (self.last_indexed()?, self.last_change()?);
            if done >= last {
                return Ok(());
            }
            let _alone = self.write();
            let rows = self.changes(done, CHUNK)?;
            let mut draft = self.draft(Timestamp::default());
            for (_, Changed { kind, id }) in rows.iter().filter(|(_, one)| !indexed(&one.kind).is_empty()) {
                let kept = self.record(kind, *id)?;
                draft.index(kind, *id, None, kept.as_ref().map(|kept| &kept.state))?;
            }
            let reached = match rows.last() {
                Some((number, _)) if rows.len() == CHUNK => *number,
                _ => last,
            };
            draft.put(key::INDEXED.to_vec(), &Number(reached))?;
            draft.commit()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::ObjectRecord;
    use crate::mirror::record::Gone;
    use crate::mirror::shelf::{Memory, Shelf};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn row(id: u64, email: Option<&str>) -> ObjectRecord {
        ObjectRecord {
            id: RecordId(id),
            properties: BTreeMap::from([("email".to_owned(), email.map(str::to_owned))]),
            created: None,
            modified: Some(Timestamp(1)),
            archived: false,
            archived_at: None,
        }
    }

    fn take(mirror: &Mirror, id: u64, email: Option<&str>) {
        let mut draft = mirror.draft(Timestamp(5));
        draft.take(&ObjectType::contacts(), &row(id, email), true).unwrap();
        draft.commit().unwrap();
    }

    fn found(mirror: &Mirror, email: &str) -> Vec<u64> {
        let found = mirror.with_value(&ObjectType::contacts(), "email", email).unwrap().unwrap();
        found.into_iter().map(|record| record.0).collect()
    }

    #[test]
    fn whoever_has_an_address_is_found_by_it_whatever_the_case() {
        let mirror = Mirror::on(Arc::new(Memory::default()));
        take(&mirror, 7, Some("Ann@Example.com "));
        take(&mirror, 8, Some("ann@example.com.example"));
        take(&mirror, 9, None);
        assert_eq!(found(&mirror, "ann@example.com"), [7]);
        take(&mirror, 7, Some("new@example.com"));
        assert_eq!(found(&mirror, "ann@example.com"), [0; 0]);
        assert_eq!(found(&mirror, " NEW@example.com"), [7]);
        let mut draft = mirror.draft(Timestamp(6));
        draft.bury(&ObjectType::contacts(), RecordId(7), Gone::Deleted).unwrap();
        draft.commit().unwrap();
        assert_eq!(found(&mirror, "new@example.com"), [0; 0]);
        assert_eq!(mirror.with_value(&ObjectType::contacts(), "city", "York").unwrap(), None);
    }

    #[test]
    fn so_many_of_one_value_are_found_that_they_take_several_reads() {
        let mirror = Mirror::on(Arc::new(Memory::default()));
        (0..1_000).for_each(|id| take(&mirror, id, Some("one@example.com")));
        assert_eq!(found(&mirror, "one@example.com").len(), 1_000);
    }

    #[test]
    fn what_was_written_without_an_index_is_found_too() {
        let shelf = Arc::new(Memory::default());
        let mirror = Mirror::on(shelf.clone());
        for id in 0..1_200 {
            take(&mirror, id, Some(&format!("old{id}@example.com")));
        }
        // As an older version left it.
        let rows = shelf.scan(b"", None, usize::MAX).unwrap();
        let old = rows.into_iter().filter(|(key, _)| !matches!(key.first(), Some(b'x' | b'y')));
        let without =
            Mirror::on(Arc::new(Memory::cut(&[old.map(|(key, value)| (key, Some(value))).collect()])));
        take(&without, 5_000, Some("new@example.com"));
        assert_eq!(without.last_indexed().unwrap(), 0, "nobody has asked yet");
        assert_eq!(found(&without, "old700@example.com"), [700]);
        assert_eq!(found(&without, "new@example.com"), [5_000]);
        assert_eq!(without.last_indexed().unwrap(), without.last_change().unwrap());
        take(&without, 5_001, Some("newer@example.com"));
        assert_eq!(without.last_indexed().unwrap(), without.last_change().unwrap());
    }

    #[test]
    fn whoever_is_erased_leaves_no_entry() {
        let shelf = Arc::new(Memory::default());
        let mirror = Mirror::on(shelf.clone());
        take(&mirror, 7, Some("ann@example.com"));
        mirror.erase(&[RecordId(7)], &[], Timestamp(9)).unwrap();
        assert_eq!(shelf.scan(b"x", None, 9).unwrap(), []);
    }
}
