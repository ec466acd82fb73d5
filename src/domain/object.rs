//! HubSpot's objects as values: contacts, companies, deals, appointments, custom objects, and what joins two of them;
//! and the port that reads them.
//!
//! Properties stay as the wire gives them, text or null: what a property means is for whoever reads it. Never: a
//! write.

use super::id::RecordId;
use super::port::{CallResult, Priority};
use super::time::Timestamp;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The property in which a record lists the ids that were merged into it (HubSpot contract §11).
pub const MERGED_IDS: &str = "hs_merged_object_ids";

/// An object type as HubSpot's paths name it: `contacts`, `0-421`, `2-123456`, `p123_divisions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectType(String);

impl ObjectType {
    /// Contacts.
    pub fn contacts() -> ObjectType {
        ObjectType("contacts".to_owned())
    }

    /// As it stands in a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The property that says when a record was last changed (HubSpot contract §7).
    pub fn modified_property(&self) -> &'static str {
        match self.0.as_str() {
            "contacts" | "0-1" => "lastmodifieddate",
            _ => "hs_lastmodifieddate",
        }
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no object type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no object type: they look like contacts, 2-123456 or p123_name")]
pub struct NoObjectType(String);

impl FromStr for ObjectType {
    type Err = NoObjectType;

    fn from_str(text: &str) -> Result<ObjectType, NoObjectType> {
        let name = text.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 100 || !name.chars().all(fits) {
            return Err(NoObjectType(text.to_owned()));
        }
        // HubSpot writes the singular in places; ids and full names stay as they are.
        let plural = match name.to_ascii_lowercase().as_str() {
            "contact" | "0-1" => "contacts".to_owned(),
            "company" | "0-2" => "companies".to_owned(),
            "deal" | "0-3" => "deals".to_owned(),
            "appointment" | "0-421" => "appointments".to_owned(),
            known @ ("contacts" | "companies" | "deals" | "appointments") => known.to_owned(),
            _ => name.to_owned(),
        };
        Ok(ObjectType(plural))
    }
}

impl TryFrom<String> for ObjectType {
    type Error = NoObjectType;
    fn try_from(text: String) -> Result<ObjectType, NoObjectType> {
        text.parse()
    }
}

impl From<ObjectType> for String {
    fn from(kind: ObjectType) -> String {
        kind.0
    }
}

/// One record as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord {
    /// Its id.
    pub id: RecordId,
    /// The properties of the answer, asked for or not.
    pub properties: BTreeMap<String, Option<String>>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
    /// Whether it is in the recycle bin.
    pub archived: bool,
    /// Since when.
    pub archived_at: Option<Timestamp>,
}

impl ObjectRecord {
    /// The ids that were merged into this record.
    pub fn merged(&self) -> Vec<RecordId> {
        let ids = self.properties.get(MERGED_IDS).and_then(Option::as_deref).unwrap_or_default();
        ids.split(';').filter_map(|id| id.parse().ok()).filter(|id| *id != self.id).collect()
    }
}

/// Some records of an answer, and how to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// What is on it.
    pub records: Vec<ObjectRecord>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
    /// How many there are in all, where the answer says so.
    pub total: Option<u64>,
    /// What time it was for the service, where the answer says so.
    pub at: Option<Timestamp>,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Records that were asked for, and about which nothing can be said; and why.
    pub failed: BTreeMap<RecordId, String>,
}

/// One page of all records of a type.
#[derive(Clone, Copy, Debug)]
pub struct PageAsk<'a> {
    /// Of what.
    pub kind: &'a ObjectType,
    /// Of the recycle bin instead.
    pub archived: bool,
    /// Properties to read.
    pub properties: &'a [String],
    /// Rows, at most 100.
    pub limit: usize,
    /// Where to go on.
    pub after: Option<&'a str>,
}

/// Records above an id, in ascending order of ids, by way of search.
#[derive(Clone, Copy, Debug)]
pub struct SearchAsk<'a> {
    /// Of what.
    pub kind: &'a ObjectType,
    /// Changed at or after this moment; whenever, where it is none.
    pub since: Option<Timestamp>,
    /// Only ids above this one.
    pub above: Option<RecordId>,
    /// Properties to read.
    pub properties: &'a [String],
    /// Rows, at most 200.
    pub limit: usize,
}

/// How two records are joined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AssociationType {
    /// `HUBSPOT_DEFINED`, `USER_DEFINED`, …
    pub category: String,
    /// Its number; a direction has its own.
    pub id: u64,
    /// The label, where it has one.
    pub label: Option<String>,
}

/// What one record is joined with, as far as one answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociatedPage {
    /// Whose.
    pub from: RecordId,
    /// With whom, and how.
    pub to: Vec<(RecordId, Vec<AssociationType>)>,
    /// Where to go on with this record; none at the end.
    pub next: Option<String>,
}

/// What a batch read of associations answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Associations {
    /// By record. One that is missing here and below is joined with nothing.
    pub pages: Vec<AssociatedPage>,
    /// Records about which nothing can be said, and why.
    pub failed: BTreeMap<RecordId, String>,
}

/// A custom object's definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSchema {
    /// Its type id: `2-123456`.
    pub kind: ObjectType,
    /// The names it goes by, in lower case.
    pub names: Vec<String>,
}

/// HubSpot's objects, as far as a copy of them needs it. Every call is one exchange.
#[async_trait]
pub trait ObjectAccount: Send + Sync + 'static {
    /// One page of all records.
    async fn object_page(&self, priority: Priority, ask: PageAsk<'_>) -> CallResult<ObjectPage>;
    /// One page of a search; `next` is not used: go on above the last id.
    async fn object_search(&self, priority: Priority, ask: SearchAsk<'_>) -> CallResult<ObjectPage>;
    /// Up to 100 records by id; ids without an answer are left out, a survivor of a merge may come under its own id.
    async fn objects(
        &self,
        priority: Priority,
        kind: &ObjectType,
        ids: &[RecordId],
        properties: &[String],
    ) -> CallResult<ObjectPage>;
    /// What up to 1,000 records are joined with; each with where to go on.
    async fn associations(
        &self,
        priority: Priority,
        from: &ObjectType,
        to: &ObjectType,
        asked: &[(RecordId, Option<String>)],
    ) -> CallResult<Associations>;
    /// The names of all properties of a type.
    async fn object_properties(&self, priority: Priority, kind: &ObjectType) -> CallResult<Vec<String>>;
    /// The custom objects of the portal.
    async fn object_schemas(&self, priority: Priority) -> CallResult<Vec<ObjectSchema>>;
    /// Whether so many names fit a page; else the page is read without, and the records by id.
    fn page_takes(&self, properties: &[String]) -> bool;
    /// The same of a search.
    fn search_takes(&self, properties: &[String]) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_goes_by_one_name_whatever_it_is_called() {
        for (text, name) in [
            ("company", "companies"),
            ("Contacts", "contacts"),
            ("0-421", "appointments"),
            ("2-123456", "2-123456"),
            ("p123_Divisions", "p123_Divisions"),
        ] {
            assert_eq!(text.parse::<ObjectType>().map(String::from), Ok(name.to_owned()));
        }
        for text in ["", "a/b", "../x", "a b", "ä"] {
            assert!(text.parse::<ObjectType>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_record_names_who_was_merged_into_it_and_never_itself() {
        let properties = BTreeMap::from([(MERGED_IDS.to_owned(), Some("7;9;x".to_owned()))]);
        let record = ObjectRecord {
            id: RecordId(9),
            properties,
            created: None,
            modified: None,
            archived: false,
            archived_at: None,
        };
        assert_eq!(record.merged(), [RecordId(7)]);
    }
}
