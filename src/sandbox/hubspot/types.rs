//! The types of records and all that they are called by: HubSpot's own by name, singular or number, custom ones by
//! number, name or the name that is the only one of all portals.

use super::portal::Portal;
use super::schemas::Schema;

/// HubSpot's own: name, singular, number.
const OWN: [(&str, &str, &str); 4] = [
    ("contacts", "contact", "0-1"),
    ("companies", "company", "0-2"),
    ("deals", "deal", "0-3"),
    ("appointments", "appointment", "0-421"),
];

/// The name of a custom type that is the only one of all portals.
pub(super) fn qualified(name: &str) -> String {
    format!("p4200042_{name}")
}

impl Portal {
    /// A type by one name, whatever it is called by: custom ones by their id.
    pub(super) fn named(&self, kind: &str) -> String {
        let own = OWN.iter().find(|(name, singular, id)| [*name, *singular, *id].contains(&kind));
        if let Some((name, ..)) = own {
            return (*name).to_owned();
        }
        let is_it = |schema: &Schema| schema.name == kind || qualified(&schema.name) == kind;
        let custom = self.custom.iter().find(|(_, schema)| is_it(schema));
        custom.map_or(kind, |(id, _)| id).to_owned()
    }

    /// Whether there is such a type.
    pub(super) fn has_type(&self, kind: &str) -> bool {
        kind == "contacts" || self.objects.contains_key(kind)
    }

    /// A type's number.
    pub(super) fn type_id(&self, kind: &str) -> String {
        OWN.iter().find(|(name, ..)| *name == kind).map_or(kind, |(_, _, id)| id).to_owned()
    }

    /// One record of a type, as names of associations say it.
    pub(super) fn singular(&self, kind: &str) -> String {
        let own = OWN.iter().find(|(name, ..)| *name == kind).map(|(_, singular, _)| *singular);
        let custom = || self.custom.get(kind).map(|schema| schema.name.as_str());
        own.or_else(custom).unwrap_or(kind).to_owned()
    }

    /// A type as associations in an answer are grouped by.
    pub(super) fn plural(&self, kind: &str) -> String {
        self.custom.get(kind).map_or_else(|| kind.to_owned(), |schema| qualified(&schema.name))
    }
}
