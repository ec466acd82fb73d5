//! What people do to the accounts by hand while hsmc runs, outside either API.

use super::effects::Actor;
use super::mailchimp::Status;
use super::world::Sandbox;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One act. A contact is named by its record id or by an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
#[allow(missing_docs)] // The fields are the nouns of the variant's sentence.
pub enum Act {
    /// A person unsubscribes by the link in a mail.
    Unsubscribe { email: String },
    /// A person signs up again by a form.
    Resubscribe { email: String },
    /// A mail bounces hard.
    Clean { email: String },
    /// Somebody sets a tag by hand.
    SetTag { email: String, tag: String },
    /// Somebody takes a tag away by hand.
    ClearTag { email: String, tag: String },
    /// Somebody changes a merge field by hand.
    SetField { email: String, field: String, value: String },
    /// Somebody gives a member another address: by hand, or the person by the form in a mail.
    ChangeAddress { email: String, to: String },
    /// Somebody archives a member by hand.
    Archive { email: String },
    /// Somebody deletes a member for good.
    Forget { email: String },
    /// Somebody adds a member by hand.
    AddMember { email: String, status: String },
    /// Somebody renames a tag.
    RenameTag { tag: String, name: String },
    /// Somebody deletes a merge field, and everybody's values with it.
    DeleteField { field: String },
    /// Somebody changes a contact's property (empty = clears it).
    SetProperty { contact: String, property: String, value: String },
    /// Somebody adds a contact to a list; for a dynamic list the property it asks for is set.
    JoinList { contact: String, list: u64 },
    /// Somebody takes a contact out of a static list.
    LeaveList { contact: String, list: u64 },
    /// A person opts out in HubSpot: of everything, or of one subscription type.
    OptOut {
        email: String,
        #[serde(default)]
        subscription: Option<u64>,
    },
    /// A person opts in again in HubSpot.
    OptIn {
        email: String,
        #[serde(default)]
        subscription: Option<u64>,
    },
    /// Somebody adds a contact.
    AddContact { properties: BTreeMap<String, String> },
    /// Somebody deletes a contact.
    DeleteContact { contact: String },
    /// Somebody merges `other` into `primary`.
    Merge { primary: String, other: String },
    /// Somebody adds a record of another type than contacts.
    AddObject { object: String, properties: BTreeMap<String, String> },
    /// Somebody changes a record's property (empty = clears it).
    SetObject { object: String, record: u64, property: String, value: String },
    /// Somebody archives a record.
    DeleteObject { object: String, record: u64 },
    /// Somebody merges `other` into `primary`.
    MergeObjects { object: String, primary: u64, other: u64 },
    /// Somebody joins two records, with a label or without.
    Join {
        from: String,
        record: u64,
        to: String,
        other: u64,
        #[serde(default)]
        label: String,
    },
    /// Somebody parts two records.
    Part { from: String, record: u64, to: String, other: u64 },
    /// Somebody renames a list.
    RenameList { list: u64, name: String },
    /// Somebody deletes a list.
    DeleteList { list: u64 },
    /// Somebody restores a list that was deleted.
    RestoreList { list: u64 },
    /// HubSpot rebuilds a list (`PROCESSING`) or has finished (`COMPLETE`).
    Processing { list: u64, status: String },
}

impl Sandbox {
    /// Carries out an act now; false when whom or what it names is not there.
    pub fn act(&mut self, act: &Act) -> bool {
        match act {
            Act::Unsubscribe { .. }
            | Act::Resubscribe { .. }
            | Act::Clean { .. }
            | Act::SetTag { .. }
            | Act::ClearTag { .. }
            | Act::SetField { .. }
            | Act::ChangeAddress { .. }
            | Act::Archive { .. }
            | Act::Forget { .. }
            | Act::AddMember { .. }
            | Act::RenameTag { .. }
            | Act::DeleteField { .. } => self.act_in_mailchimp(act),
            _ => self.act_in_hubspot(act),
        }
    }

    fn act_in_mailchimp(&mut self, act: &Act) -> bool {
        let (_, audience, mut scene) = self.stage(Actor::Person);
        let scene = &mut scene;
        match act {
            Act::AddMember { email, status } => {
                let Some(status) = Status::from_wire(status) else { return false };
                if audience.number(email).is_some() {
                    return false;
                }
                audience.create(scene, email, status);
                return true;
            }
            Act::RenameTag { tag, name } => {
                let segment = audience.tag(scene, tag);
                return audience.rename_tag(scene, segment, name);
            }
            Act::DeleteField { field } => return audience.delete_field(field),
            _ => {}
        }
        let (Act::Unsubscribe { email }
        | Act::Resubscribe { email }
        | Act::Clean { email }
        | Act::SetTag { email, .. }
        | Act::ClearTag { email, .. }
        | Act::SetField { email, .. }
        | Act::ChangeAddress { email, .. }
        | Act::Archive { email }
        | Act::Forget { email }) = act
        else {
            return false;
        };
        let Some(number) = audience.number(email) else { return false };
        match act {
            Act::Unsubscribe { .. } => audience.set_status(scene, number, Status::Unsubscribed, true),
            Act::Resubscribe { .. } => audience.set_status(scene, number, Status::Subscribed, true),
            Act::Clean { .. } => audience.set_status(scene, number, Status::Cleaned, false),
            Act::Archive { .. } => audience.set_status(scene, number, Status::Archived, false),
            Act::Forget { .. } => audience.forget(scene, number),
            Act::SetTag { tag, .. } => {
                let segment = audience.tag(scene, tag);
                audience.set_tag(scene, number, segment, true);
            }
            Act::ClearTag { tag, .. } => {
                let segment = audience.tag(scene, tag);
                audience.clear_tag(scene, number, segment, true);
            }
            Act::SetField { field, value, .. } => {
                let fields = BTreeMap::from([(field.clone(), serde_json::Value::from(value.as_str()))]);
                audience.set_fields(scene, number, &fields);
            }
            Act::ChangeAddress { to, .. } => return audience.rename(scene, number, to),
            _ => return false,
        }
        true
    }

    fn act_in_hubspot(&mut self, act: &Act) -> bool {
        let (portal, _, mut scene) = self.stage(Actor::Person);
        let scene = &mut scene;
        let find = |portal: &super::hubspot::Portal, name: &str| match name.parse() {
            Ok(id) => portal.contact(id).map(|record| record.id),
            Err(_) => portal.contact_by_email(name).map(|record| record.id),
        };
        match act {
            Act::SetProperty { contact, property, value } => find(portal, contact).is_some_and(|id| {
                portal.set_properties(scene, id, &BTreeMap::from([(property.clone(), value.clone())]))
            }),
            Act::JoinList { contact, list } => {
                let Some(id) = find(portal, contact) else { return false };
                portal.admit(scene, *list, id)
            }
            Act::LeaveList { contact, list } => {
                find(portal, contact).is_some_and(|id| portal.leave(scene, *list, id))
            }
            // Without an address there is nothing to opt out.
            Act::OptOut { email, .. } if email.trim().is_empty() => false,
            Act::OptOut { email, subscription } => portal.opt_out(scene, email, *subscription),
            Act::OptIn { email, subscription } => portal.opt_in(scene, email, *subscription),
            Act::AddContact { properties } => {
                portal.create_contact(scene, properties.clone());
                true
            }
            Act::DeleteContact { contact } => {
                find(portal, contact).is_some_and(|id| portal.delete_contact(scene, id))
            }
            Act::Merge { primary, other } => match (find(portal, primary), find(portal, other)) {
                (Some(primary), Some(other)) if primary != other => {
                    portal.merge(scene, primary, other).is_some()
                }
                _ => false,
            },
            Act::AddObject { object, properties } => {
                portal.create_object(scene, object, properties.clone());
                true
            }
            Act::SetObject { object, record, property, value } => {
                portal.set_object(scene, object, *record, property, value)
            }
            Act::DeleteObject { object, record } => portal.delete_object(scene, object, *record),
            Act::MergeObjects { object, primary, other } => {
                primary != other && portal.merge_objects(scene, object, *primary, *other).is_some()
            }
            Act::Join { from, record, to, other, label } => {
                portal.link((from, *record), (to, *other), label);
                true
            }
            Act::Part { from, record, to, other } => {
                portal.part((from, *record), (to, *other));
                true
            }
            Act::RenameList { list, name } => portal.rename_list(scene, *list, name),
            Act::DeleteList { list } => portal.delete_list(scene, *list),
            Act::RestoreList { list } => portal.restore_list(*list),
            Act::Processing { list, status } => portal.set_processing(*list, status),
            _ => false,
        }
    }
}
