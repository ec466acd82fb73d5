//! People as the mirror has them, joined with what hsmc knows beside.

use super::crowd::{Crowd, CrowdError};
use super::kept::{self, KeptKnown};
use super::one::{Known, One};
use super::roll::source;
use crate::domain::id::{ListId, RecordId};
use crate::domain::object::ObjectType;
use crate::domain::time::Timestamp;
use crate::mirror::shelf::ShelfError;
use crate::mirror::{Live, Mirror, State, unseal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The contacts of a mirror.
pub struct Mirrored<'a> {
    mirror: &'a Mirror,
    contacts: ObjectType,
    /// The lists that were read; none while nothing beside the contacts was.
    lists_read: Option<Arc<BTreeSet<ListId>>>,
}

impl<'a> Mirrored<'a> {
    /// Of a mirror.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn over(mirror: &'a Mirror) -> Result<Mirrored<'a>, ShelfError> {
        let lists_read = source(mirror)?.map(|source| Arc::new(source.lists));
        Ok(Mirrored { mirror, contacts: ObjectType::contacts(), lists_read })
    }

    /// One of them; none who is not there, or not any more.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn one(&self, record: RecordId) -> Result<Option<One>, ShelfError> {
        let Some(kept) = self.mirror.record(&self.contacts, record)? else { return Ok(None) };
        let State::Live(live) = kept.state else { return Ok(None) };
        let known = self.mirror.shelf().get(&kept::known(record))?;
        let known = known.map(|bytes| unseal::<KeptKnown>(&bytes)).transpose()?;
        Ok(Some(self.joined(record, live, known.map(|kept| kept.known))))
    }

    /// Those behind a record, fewer than asked for only at the end.
    ///
    /// # Errors
    /// The mirror cannot be read.
    pub fn some(&self, mut after: Option<RecordId>, limit: usize) -> Result<Vec<One>, ShelfError> {
        let mut people = Vec::new();
        while people.len() < limit {
            let wanted = limit - people.len();
            let rows = self.mirror.records(&self.contacts, after, wanted)?;
            let (done, last) = (rows.len() < wanted, rows.last().map(|(record, _)| *record));
            let mut known = self.known(after, last)?;
            for (record, kept) in rows {
                if let State::Live(live) = kept.state {
                    people.push(self.joined(record, live, known.remove(&record)));
                }
            }
            if done {
                break;
            }
            after = last;
        }
        Ok(people)
    }

    /// What is known of those behind one record up to another.
    fn known(
        &self,
        after: Option<RecordId>,
        last: Option<RecordId>,
    ) -> Result<BTreeMap<RecordId, Known>, ShelfError> {
        let mut found = BTreeMap::new();
        let Some(last) = last else { return Ok(found) };
        const CHUNK: usize = 500;
        let mut after = after.map(kept::known);
        loop {
            let rows = self.mirror.shelf().scan(kept::KNOWN, after.as_deref(), CHUNK)?;
            let done = rows.len() < CHUNK;
            for (key, value) in rows {
                match kept::record_of(&key).filter(|record| *record <= last) {
                    Some(record) => found.insert(record, unseal::<KeptKnown>(&value)?.known),
                    None => return Ok(found),
                };
                after = Some(key);
            }
            if done {
                return Ok(found);
            }
        }
    }

    fn joined(&self, record: RecordId, live: Live, known: Option<Known>) -> One {
        let Live { mut properties, created, modified } = live;
        let moments = [("createdate", created), ("lastmodifieddate", modified)];
        for (name, at) in moments {
            if let Some(Timestamp(at)) = at {
                properties.entry(name.to_owned()).or_insert_with(|| Some(at.to_string()));
            }
        }
        let known = self.lists_read.as_ref().map(|_| known.unwrap_or_else(Known::nothing));
        One { record, properties, known, lists_read: self.lists_read.clone().unwrap_or_default() }
    }
}

impl Crowd for Mirrored<'_> {
    fn after(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<One>, CrowdError> {
        self.some(after, limit).map_err(|error| CrowdError(error.to_string()))
    }
}
