//! What is known of contact properties: their types, and the values a choice takes.

use crate::domain::contact::PropertyDefinition;
use std::collections::BTreeMap;
use std::fmt;

/// The type of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// `string` and whatever else HubSpot keeps as text.
    Text,
    /// `number`
    Number,
    /// `bool`
    Truth,
    /// `date` and `datetime`
    Moment,
    /// `enumeration`: one value, or several with `;` between them.
    Choice,
}

impl FieldKind {
    /// All of them.
    pub const ALL: [FieldKind; 5] =
        [FieldKind::Text, FieldKind::Number, FieldKind::Truth, FieldKind::Moment, FieldKind::Choice];

    /// From HubSpot's word (HubSpot contract §7); types it keeps as text are text.
    pub fn of_wire(kind: &str) -> FieldKind {
        match kind {
            "number" => FieldKind::Number,
            "bool" => FieldKind::Truth,
            "date" | "datetime" => FieldKind::Moment,
            "enumeration" => FieldKind::Choice,
            _ => FieldKind::Text,
        }
    }

    /// From the word a config uses.
    pub fn of_word(word: &str) -> Option<FieldKind> {
        FieldKind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word a config uses.
    pub fn word(self) -> &'static str {
        match self {
            FieldKind::Text => "text",
            FieldKind::Number => "number",
            FieldKind::Truth => "truth",
            FieldKind::Moment => "date",
            FieldKind::Choice => "choice",
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FieldKind::Text => "text",
            FieldKind::Number => "a number",
            FieldKind::Truth => "true or false",
            FieldKind::Moment => "a date",
            FieldKind::Choice => "a choice",
        })
    }
}

/// What is known of one property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its type.
    pub kind: FieldKind,
    /// The values a choice takes; empty when they are not known.
    pub options: Vec<String>,
}

/// The properties known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    known: BTreeMap<String, Field>,
    /// Whether there are no others.
    complete: bool,
}

impl Fields {
    /// Those that every portal has. Others may exist: their type follows from how they are used.
    pub fn standard() -> Fields {
        let known = STANDARD.iter().flat_map(|(kind, names)| {
            names.iter().map(|name| ((*name).to_owned(), Field { kind: *kind, options: Vec::new() }))
        });
        Fields { known: known.collect(), complete: false }
    }

    /// Exactly those of a portal.
    pub fn of_portal(definitions: &[PropertyDefinition]) -> Fields {
        let known = definitions.iter().map(|definition| {
            let kind = FieldKind::of_wire(&definition.kind);
            (definition.name.clone(), Field { kind, options: definition.options.clone() })
        });
        Fields { known: known.collect(), complete: true }
    }

    /// With one more property, or another type for it.
    #[must_use]
    pub fn with(mut self, name: &str, kind: FieldKind) -> Fields {
        self.known.insert(name.to_owned(), Field { kind, options: Vec::new() });
        self
    }

    /// The property of this name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.known.get(name)
    }

    /// Whether a property that is not known does not exist.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Every name known, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }
}

/// Default contact properties of HubSpot by type (HubSpot contract §7), those that segments are made of.
const STANDARD: &[(FieldKind, &[&str])] = &[
    (
        FieldKind::Text,
        &[
            "address",
            "city",
            "company",
            "country",
            "email",
            "fax",
            "firstname",
            "hs_additional_emails",
            "hs_email_domain",
            "hs_full_name_or_email",
            "hs_object_source_label",
            "industry",
            "jobtitle",
            "lastname",
            "message",
            "mobilephone",
            "phone",
            "salutation",
            "state",
            "website",
            "zip",
        ],
    ),
    (
        FieldKind::Number,
        &[
            "associatedcompanyid",
            "hs_email_bounce",
            "hs_email_click",
            "hs_email_delivered",
            "hs_email_open",
            "hs_email_sends_since_last_engagement",
            "hs_object_id",
            "hubspotscore",
            "num_associated_deals",
            "num_conversion_events",
            "num_notes",
            "num_unique_conversion_events",
            "recent_deal_amount",
            "total_revenue",
        ],
    ),
    (FieldKind::Truth, &["hs_email_optout", "hs_email_is_ineligible", "hs_is_unworked"]),
    (
        FieldKind::Moment,
        &[
            "closedate",
            "createdate",
            "first_conversion_date",
            "first_deal_created_date",
            "hs_email_first_open_date",
            "hs_email_last_click_date",
            "hs_email_last_open_date",
            "hs_email_last_send_date",
            "hs_last_sales_activity_timestamp",
            "hs_lifecyclestage_customer_date",
            "hs_lifecyclestage_lead_date",
            "hs_lifecyclestage_opportunity_date",
            "hs_sales_email_last_replied",
            "hubspot_owner_assigneddate",
            "lastmodifieddate",
            "notes_last_contacted",
            "notes_last_updated",
            "notes_next_activity_date",
            "recent_conversion_date",
            "recent_deal_close_date",
        ],
    ),
    (
        FieldKind::Choice,
        &["hs_lead_status", "hs_latest_source", "hs_analytics_source", "hubspot_owner_id", "lifecyclestage"],
    ),
];
