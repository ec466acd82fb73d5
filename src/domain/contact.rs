//! HubSpot's side of a person, and HubSpot's lists, as read.

use super::email::Email;
use super::id::{ListId, RecordId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One contact as read: only the properties that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The record's own id. It may differ from the id asked for: then the record was merged and
    /// this is the survivor (HubSpot contract §11).
    pub record: RecordId,
    /// The raw address property, as HubSpot has it; empty when the contact has none.
    pub address: String,
    /// Properties by name; absent when unset.
    pub properties: BTreeMap<String, String>,
    /// Opted out of everything, or of any configured type: from `hs_email_optout` and
    /// `hs_email_optout_<id>`.
    pub opted_out: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Last change of any property.
    pub modified: Option<Timestamp>,
}

/// The property that lists a contact's further addresses, each the contact's alone in the portal (HubSpot contract §7).
pub const FURTHER_ADDRESSES: &str = "hs_additional_emails";
/// The property that lists the records merged into this one (HubSpot contract §11).
pub const MERGED_RECORDS: &str = "hs_merged_object_ids";

impl Contact {
    /// The normalised address, when the contact has a usable one.
    pub fn email(&self) -> Option<Email> {
        Email::parse(&self.address).ok()
    }

    /// Further addresses of the contact, as far as they are usable.
    pub fn further_emails(&self) -> impl Iterator<Item = Email> {
        self.parts(FURTHER_ADDRESSES).filter_map(|text| Email::parse(text).ok())
    }

    /// Records that were merged into this one.
    pub fn merged_records(&self) -> impl Iterator<Item = RecordId> {
        self.parts(MERGED_RECORDS).filter_map(|text| text.parse().ok().map(RecordId))
    }

    fn parts(&self, property: &str) -> impl Iterator<Item = &str> {
        self.properties.get(property).map_or("", String::as_str).split(';').map(str::trim)
    }
}

/// How a list gets its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListKind {
    /// MANUAL or SNAPSHOT: members change by hand or by API.
    Static,
    /// HubSpot decides; never written to.
    Dynamic,
}

/// One list as HubSpot describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListInfo {
    /// Its id.
    pub list: ListId,
    /// Its name now.
    pub name: String,
    /// Static or dynamic.
    pub kind: ListKind,
    /// Whether it holds contacts (`objectTypeId` 0-1).
    pub of_contacts: bool,
    /// False while HubSpot is still building it: nobody may be taken for gone then (contract §6).
    pub complete: bool,
    /// `hs_last_record_added_at`, `hs_last_record_removed_at` and `hs_list_size` as text, joined:
    /// equal marks mean that nothing joined or left. None when the portal does not give them; then
    /// the list is always read.
    pub mark: Option<String>,
    /// The approximate size.
    pub size: Option<u64>,
}

/// One entry of a membership page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// The member's record.
    pub record: RecordId,
    /// When it joined, if the page said so.
    pub joined: Option<Timestamp>,
}

/// What the definition of a contact property says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyDefinition {
    /// Internal name.
    pub name: String,
    /// `string`, `number`, `bool`, `date`, `datetime`, `enumeration`, …
    pub kind: String,
    /// Cannot be written: read-only or calculated.
    pub read_only: bool,
    /// Values an enumeration takes.
    pub options: Vec<String>,
}
