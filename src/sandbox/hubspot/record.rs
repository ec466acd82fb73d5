//! Contacts, lists and property definitions as the portal keeps them.

use super::history::History;
use crate::domain::time::Timestamp;
use crate::sandbox::settings::Scene;
use std::collections::{BTreeMap, BTreeSet};

/// One contact. Its own id, times and list memberships are not among its properties.
#[derive(Clone, Debug)]
pub struct Record {
    /// Record id.
    pub id: u64,
    /// Set properties; an unset one is absent.
    pub properties: BTreeMap<String, String>,
    /// `createdate`.
    pub created: Timestamp,
    /// `lastmodifieddate`, to the millisecond.
    pub modified: Timestamp,
    /// Ids merged into this one.
    pub merged: Vec<u64>,
    /// The values that its properties had.
    pub history: History,
}

impl Record {
    /// One that is made now.
    pub(super) fn new(scene: &Scene<'_>, id: u64, properties: BTreeMap<String, String>) -> Record {
        let history = History::begin(scene);
        Record { id, properties, created: scene.now, modified: scene.now, merged: Vec::new(), history }
    }

    /// A property's value as the API shows it.
    pub fn value(&self, property: &str) -> Option<String> {
        match property {
            "hs_object_id" => Some(self.id.to_string()),
            "createdate" => Some(crate::sandbox::wire::iso_millis(self.created)),
            "lastmodifieddate" | "hs_lastmodifieddate" => {
                Some(crate::sandbox::wire::iso_millis(self.modified))
            }
            "hs_merged_object_ids" if !self.merged.is_empty() => {
                Some(self.merged.iter().map(u64::to_string).collect::<Vec<_>>().join(";"))
            }
            _ => self.properties.get(property).cloned(),
        }
    }

    /// The address as stored; empty without one.
    pub fn email(&self) -> &str {
        self.properties.get("email").map_or("", String::as_str)
    }

    /// Every address it is found by, in the form they are compared in.
    pub fn addresses(&self) -> BTreeSet<String> {
        let more = self.properties.get("hs_additional_emails").map_or("", String::as_str);
        std::iter::once(self.email())
            .chain(more.split(';'))
            .map(folded)
            .filter(|address| !address.is_empty())
            .collect()
    }
}

/// The form addresses are compared in.
pub fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// What a dynamic list asks of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The property has this value.
    Equals(String, String),
    /// The property, a list joined by `;`, holds this value.
    Includes(String, String),
}

impl Rule {
    /// Whether the contact belongs.
    pub fn takes(&self, record: &Record) -> bool {
        match self {
            Rule::Equals(property, wanted) => record.properties.get(property) == Some(wanted),
            Rule::Includes(property, wanted) => record
                .properties
                .get(property)
                .is_some_and(|values| values.split(';').any(|value| value == wanted)),
        }
    }

    /// The change that makes the contact belong, for whoever builds a scenario.
    pub fn admit(&self, record: &Record) -> (String, String) {
        match self {
            Rule::Equals(property, wanted) => (property.clone(), wanted.clone()),
            Rule::Includes(property, wanted) => {
                let had = record.properties.get(property).map_or("", String::as_str);
                let value = if had.is_empty() { wanted.clone() } else { format!("{had};{wanted}") };
                (property.clone(), value)
            }
        }
    }
}

/// When a contact joined a list.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// `lastAddedTimestamp`.
    pub last: Timestamp,
}

/// One list.
#[derive(Clone, Debug)]
pub struct List {
    /// Name, unique in the portal.
    pub name: String,
    /// Its rule when dynamic; none when static.
    pub rule: Option<Rule>,
    /// `COMPLETE`, `PROCESSING`…
    pub processing: String,
    /// Members by record id.
    pub members: BTreeMap<u64, Joined>,
    /// `hs_last_record_added_at`.
    pub last_added: Option<Timestamp>,
    /// `hs_last_record_removed_at`.
    pub last_removed: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When its name or rule changed.
    pub updated: Timestamp,
}

/// The definition of a property.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Label.
    pub label: String,
    /// `string`, `number`, `bool`, `datetime`, `enumeration`…
    pub kind: String,
    /// `text`, `select`…
    pub field: String,
    /// Group.
    pub group: String,
    /// `modificationMetadata.readOnlyValue`.
    pub read_only: bool,
    /// Made by HubSpot.
    pub defined_by_hubspot: bool,
    /// What an enumeration offers.
    pub options: Vec<Choice>,
}

impl Definition {
    /// A writable property of the given type and field type.
    pub fn plain(label: &str, kind: &str, field: &str) -> Definition {
        Definition {
            label: label.to_owned(),
            kind: kind.to_owned(),
            field: field.to_owned(),
            group: "contactinformation".to_owned(),
            read_only: false,
            defined_by_hubspot: true,
            options: Vec::new(),
        }
    }

    /// Whether it takes a value: one of the offered, or with check boxes several, joined by `;`.
    pub fn offers(&self, value: &str) -> bool {
        let offered = |value: &str| self.options.iter().any(|choice| choice.value == value);
        match self.field.as_str() {
            _ if self.options.is_empty() => true,
            "checkbox" => value.split(';').all(|value| value.is_empty() || offered(value)),
            _ => offered(value),
        }
    }

    /// The same, not writable.
    #[must_use]
    pub fn read_only(self) -> Definition {
        Definition { read_only: true, ..self }
    }
}

/// What an enumeration offers.
#[derive(Clone, Debug)]
pub struct Choice {
    /// As it is stored.
    pub value: String,
    /// As people read it.
    pub label: String,
}

/// A subscription type.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Name.
    pub name: String,
    /// `isInternal`.
    pub internal: bool,
    /// `isActive`.
    pub active: bool,
}
