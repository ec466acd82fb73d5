//! People as the mirror has them, joined with what hsmc knows beside.

use super::crowd::{Crowd, CrowdError};
use super::kept::{self, KeptKnown, KeptStray};
use super::one::{Known, One};
use super::roll::source;
use crate::domain::email::Email;
use crate::domain::id::{ListId, RecordId};
use crate::domain::object::ObjectType;
use crate::domain::segment::Rule;
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
        Ok(Some(self.joined(record, live, known.map(|kept| kept.known))?))
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
                    people.push(self.joined(record, live, known.remove(&record))?);
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

    /// What is known of whoever has the address of a contact, where no scan has seen the contact itself.
    fn by_address(&self, live: &Live) -> Result<Option<Known>, ShelfError> {
        let Some(email) = live.value(ADDRESS).and_then(|text| Email::parse(text).ok()) else {
            return Ok(None);
        };
        let stray = self.mirror.shelf().get(&kept::stray(email.hash()))?;
        Ok(stray.map(|bytes| unseal::<KeptStray>(&bytes)).transpose()?.map(|stray| stray.known))
    }

    fn joined(&self, record: RecordId, live: Live, known: Option<Known>) -> Result<One, ShelfError> {
        let known = match known {
            Some(known) => Some(known),
            None => self.by_address(&live)?,
        };
        let Live { mut properties, created, modified } = live;
        let moments = [("createdate", created), ("lastmodifieddate", modified)];
        for (name, at) in moments {
            if let Some(Timestamp(at)) = at {
                properties.entry(name.to_owned()).or_insert_with(|| Some(at.to_string()));
            }
        }
        properties.entry(ID.to_owned()).or_insert_with(|| Some(record.to_string()));
        let known = self.lists_read.as_ref().map(|_| known.unwrap_or_else(Known::nothing));
        Ok(One { record, properties, known, lists_read: self.lists_read.clone().unwrap_or_default() })
    }
}

/// The property by which HubSpot itself calls a record's id.
const ID: &str = "hs_object_id";
const ADDRESS: &str = "email";

impl Mirrored<'_> {
    /// The records among which everybody is for whom a rule holds, in order; none where it says nothing of either the
    /// id or the address.
    fn narrowed(&self, rule: &Rule) -> Result<Option<BTreeSet<RecordId>>, ShelfError> {
        if let Some(ids) = rule.needs(ID) {
            return Ok(Some(ids.into_iter().filter_map(|id| id.trim().parse().ok()).map(RecordId).collect()));
        }
        let Some(addresses) = rule.needs(ADDRESS) else { return Ok(None) };
        let mut records = BTreeSet::new();
        for address in addresses {
            match self.mirror.with_value(&self.contacts, ADDRESS, &address)? {
                Some(found) => records.extend(found),
                None => return Ok(None),
            }
        }
        Ok(Some(records))
    }
}

impl Crowd for Mirrored<'_> {
    fn generation(&self) -> Result<i64, CrowdError> {
        let identity = self.mirror.identity().map_err(|error| CrowdError(error.to_string()))?;
        Ok(identity.map_or(0, |identity| identity.generation.0))
    }

    fn among(&self, rule: &Rule) -> Result<Option<Vec<One>>, CrowdError> {
        let found = |records: BTreeSet<RecordId>| -> Result<Vec<One>, ShelfError> {
            records.into_iter().filter_map(|record| self.one(record).transpose()).collect()
        };
        let people = self.narrowed(rule).and_then(|records| records.map(found).transpose());
        people.map_err(|error| CrowdError(error.to_string()))
    }

    fn after(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<One>, CrowdError> {
        self.some(after, limit).map_err(|error| CrowdError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::ObjectRecord;
    use crate::domain::segment::Fields;
    use crate::mirror::shelf::{Memory, Shelf};
    use crate::people::{Column, Query, page};

    #[test]
    fn whoever_is_asked_for_by_address_or_id_is_looked_up_and_nobody_else_is_read() {
        let shelf = Arc::new(Memory::default());
        let mirror = Mirror::on(shelf.clone());
        let contacts = ObjectType::contacts();
        let mut draft = mirror.draft(Timestamp(1));
        for id in 1..=3 {
            let email = Some(format!("p{id}@example.com"));
            let row = ObjectRecord {
                id: RecordId(id),
                properties: BTreeMap::from([("email".to_owned(), email)]),
                created: None,
                modified: None,
                archived: false,
                archived_at: None,
            };
            draft.take(&contacts, &row, false).unwrap();
        }
        draft.commit().unwrap();
        // Whoever read the first record would stumble over it.
        let rows = shelf.scan(b"o", None, 1).unwrap();
        shelf.put(vec![(rows[0].0.clone(), Some(b"damaged".to_vec()))]).unwrap();
        let asked = |rule: &str, sort: Option<&str>| {
            let query = Query {
                rule: Some(Rule::read(rule, &Fields::standard()).unwrap()),
                sort: sort.map(crate::people::Sort::named),
                columns: vec![Column::Record],
                limit: 1,
                cursor: None,
            };
            let people = Mirrored::over(&mirror).unwrap();
            let first = page(&people, &query, Timestamp(5)).map_err(|error| error.to_string())?;
            let second = match &first.next {
                None => Vec::new(),
                next => {
                    page(&people, &Query { cursor: next.clone(), ..query.clone() }, Timestamp(5))
                        .unwrap()
                        .rows
                }
            };
            let rows = first.rows.into_iter().chain(second).flatten().flatten();
            Ok::<Vec<String>, String>(rows.collect())
        };
        assert!(asked("email is_set", None).is_err());
        assert_eq!(asked("email = \"P3@example.com\"", None).unwrap(), ["3"]);
        assert_eq!(asked("hs_object_id = 2", None).unwrap(), ["2"]);
        assert_eq!(asked("email in [\"p2@example.com\", \"p3@example.com\"]", None).unwrap(), ["2", "3"]);
        assert_eq!(asked("hs_object_id in [2, 3]", Some("-record")).unwrap(), ["3", "2"]);
        assert_eq!(asked("email = \"p2@example.com\" and hs_object_id = 3", None).unwrap(), [""; 0]);
        assert_eq!(asked("email = \"nobody@example.com\"", None).unwrap(), [""; 0]);
    }
}
