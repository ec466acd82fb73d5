//! What an engine pulls: one short definition for each type of object, and for each two that may be joined.

use crate::domain::object::{MERGED_IDS, ObjectType};
use std::collections::BTreeSet;

/// In a definition's properties: all that HubSpot knows.
pub const EVERYTHING: &str = "*";

/// A type of object, and which properties to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDefinition {
    /// What the engine is called: `contacts`, or `divisions` for a custom object.
    pub name: String,
    /// The type.
    pub kind: ObjectType,
    /// Properties to keep; `*` keeps all.
    pub properties: BTreeSet<String>,
}

impl ObjectDefinition {
    /// A type under its own name, with the properties that are worth keeping of it where nobody says otherwise.
    pub fn of(kind: ObjectType) -> ObjectDefinition {
        let usual: &[&str] = match kind.as_str() {
            "contacts" => &[
                "email",
                "firstname",
                "lastname",
                "phone",
                "company",
                "lifecyclestage",
                "hubspot_owner_id",
                "hs_email_optout",
                "hs_additional_emails",
            ],
            "companies" => &["name", "domain", "phone", "city", "country", "industry", "hubspot_owner_id"],
            "deals" => &["dealname", "amount", "dealstage", "pipeline", "closedate", "hubspot_owner_id"],
            "appointments" => &[
                "hs_appointment_name",
                "hs_appointment_start",
                "hs_appointment_end",
                "hs_appointment_status",
            ],
            _ => &[EVERYTHING],
        };
        ObjectDefinition {
            name: kind.to_string(),
            properties: usual.iter().map(|name| (*name).to_owned()).collect(),
            kind,
        }
    }

    /// Whether all properties are kept.
    pub fn keeps_everything(&self) -> bool {
        self.properties.contains(EVERYTHING)
    }

    /// The names to ask for. `known` are all there are, where everything is kept.
    pub fn asked(&self, known: &[String]) -> Vec<String> {
        let mut names: BTreeSet<&str> = self.properties.iter().map(String::as_str).collect();
        if names.remove(EVERYTHING) {
            names.extend(known.iter().map(String::as_str));
        }
        // Without them nobody could tell what is newer, or who became of whom.
        names.extend([self.kind.modified_property(), "createdate", MERGED_IDS]);
        names.into_iter().map(str::to_owned).collect()
    }

    /// A number that changes when records have to be read anew.
    pub fn fingerprint(&self) -> u64 {
        u64::from(crc32fast::hash(format!("{}|{:?}", self.kind, self.properties).as_bytes()))
    }
}

/// Two types whose records may be joined. They are read from the first one's side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssociationDefinition {
    /// From here.
    pub from: ObjectType,
    /// To there.
    pub to: ObjectType,
}

impl AssociationDefinition {
    /// What the engine is called: `contacts-companies`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.from, self.to)
    }
}
