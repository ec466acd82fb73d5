//! What is shown of a person.

use super::one::One;
use std::borrow::Cow;
use std::fmt;

/// One column: a contact property, or what hsmc knows beside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The contact's record id.
    Record,
    /// Consent, in one word.
    Consent,
    /// The state hsmc has them in.
    SyncState,
    /// The member's status in Mailchimp.
    Member,
    /// Tags, with `;` between them.
    Tags,
    /// Ids of the lists they are in, of those that were read, with `;` between them.
    Lists,
    /// A contact property, by its internal name.
    Property(String),
}

/// Columns that are none of HubSpot's.
const OWN: [(&str, Column); 6] = [
    ("record", Column::Record),
    ("consent", Column::Consent),
    ("sync_state", Column::SyncState),
    ("member", Column::Member),
    ("tags", Column::Tags),
    ("lists", Column::Lists),
];

impl Column {
    /// By its name. A property that is called like one of hsmc's own is written in backquotes.
    pub fn named(name: &str) -> Column {
        let name = name.trim();
        if let Some(property) = name.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            return Column::Property(property.to_owned());
        }
        let own = OWN.iter().find(|(own, _)| *own == name);
        own.map_or_else(|| Column::Property(name.to_owned()), |(_, column)| column.clone())
    }

    /// Those shown when nobody says which.
    pub fn usual() -> Vec<Column> {
        ["record", "email", "firstname", "lastname", "company", "lifecyclestage", "consent"]
            .map(Column::named)
            .to_vec()
    }

    /// What it says of somebody; none where there is nothing, or nobody has looked.
    pub fn of<'a>(&self, one: &'a One) -> Option<Cow<'a, str>> {
        let known = one.known.as_ref();
        match self {
            Column::Record => Some(one.record.to_string().into()),
            Column::Property(name) => {
                one.properties.get(name)?.as_deref().filter(|value| !value.is_empty()).map(Cow::Borrowed)
            }
            Column::Consent => one.consent_known().map(|consent| consent.word().into()),
            Column::SyncState => known?.state.map(|state| state.word().into()),
            Column::Member => known?.member.as_ref().map(|status| status.wire().to_owned().into()),
            Column::Tags => joined(known?.tags.iter().map(|tag| tag.as_str().to_owned())),
            Column::Lists => joined(known?.lists.iter().map(ToString::to_string)),
        }
    }
}

fn joined<'a>(parts: impl Iterator<Item = String>) -> Option<Cow<'a, str>> {
    let text = parts.collect::<Vec<_>>().join(";");
    (!text.is_empty()).then(|| text.into())
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Column::Property(name) => f.write_str(name),
            own => {
                let name = OWN.iter().find(|(_, column)| column == own).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}
