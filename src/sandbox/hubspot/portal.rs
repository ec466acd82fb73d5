//! The portal's state and the changes it can undergo. Every change keeps the indices true, moves
//! `lastmodifieddate`, lets dynamic lists follow, reaches search later, and is written down.

use super::index::Index;
use super::record::{Definition, Joined, List, Record, Rule, Subscription, folded};
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything HubSpot knows.
#[derive(Clone, Debug, Default)]
pub struct Portal {
    pub(super) contacts: BTreeMap<u64, Arc<Record>>,
    pub(super) merged: BTreeMap<u64, u64>,
    pub(super) by_address: BTreeMap<String, BTreeSet<u64>>,
    pub(super) lists: BTreeMap<u64, List>,
    deleted_lists: BTreeMap<u64, List>,
    pub(super) definitions: BTreeMap<String, Definition>,
    pub(super) subscriptions: BTreeMap<u64, Subscription>,
    /// Addresses opted out: of everything under `None`, else of a subscription type.
    pub(super) opt_outs: BTreeMap<(String, Option<u64>), Timestamp>,
    pub(super) index: Index,
    /// Contacts in the recycle bin.
    pub(super) archived: super::objects::Bin,
    /// Records of the other types, by type.
    pub(super) objects: BTreeMap<String, super::objects::Table>,
    /// Custom types by id.
    pub(super) custom: BTreeMap<String, super::schemas::Schema>,
    /// In which ways records can be joined, and which are.
    pub(super) kinds: super::kinds::Kinds,
    pub(super) links: super::associations::Links,
    pub(super) limits: super::limits::Limits,
    pub(super) traces: u64,
    following: BTreeSet<(Timestamp, u64)>,
    last_id: u64,
}

impl Portal {
    /// Lets everything happen that is due: search catches up, dynamic lists follow.
    pub fn settle(&mut self, scene: &mut Scene<'_>) {
        self.index.advance(scene.now);
        self.objects.values_mut().for_each(|table| table.index.advance(scene.now));
        while let Some((due, id)) = self.following.first().copied() {
            if due > scene.now {
                break;
            }
            self.following.remove(&(due, id));
            self.follow(scene, id);
        }
    }

    /// Search has seen everything.
    pub fn catch_up(&mut self, scene: &mut Scene<'_>) {
        self.index.catch_up();
        self.objects.values_mut().for_each(|table| table.index.catch_up());
        for (_, id) in std::mem::take(&mut self.following) {
            self.follow(scene, id);
        }
    }

    /// The contacts, by id.
    pub fn contacts(&self) -> impl Iterator<Item = &Record> {
        self.contacts.values().map(Arc::as_ref)
    }

    /// The lists, by id.
    pub fn lists(&self) -> &BTreeMap<u64, List> {
        &self.lists
    }

    /// A contact by its id or one merged into it.
    pub fn contact(&self, id: u64) -> Option<&Arc<Record>> {
        let mut id = id;
        while let Some(survivor) = self.merged.get(&id) {
            id = *survivor;
        }
        self.contacts.get(&id)
    }

    /// A contact by any of its addresses: the oldest, should two share one.
    pub fn contact_by_email(&self, address: &str) -> Option<&Arc<Record>> {
        self.contacts.get(self.by_address.get(&folded(address))?.first()?)
    }

    /// The lists a contact is in.
    pub fn lists_of(&self, contact: u64) -> BTreeMap<u64, Joined> {
        self.lists
            .iter()
            .filter_map(|(id, list)| list.members.get(&contact).map(|joined| (*id, *joined)))
            .collect()
    }

    /// Whether an address is opted out of everything.
    pub fn is_opted_out(&self, address: &str) -> bool {
        self.opt_outs.contains_key(&(folded(address), None))
    }

    /// Whether an address is opted out of a subscription type.
    pub(super) fn is_opted_out_of(&self, address: &str, subscription: u64) -> bool {
        self.opt_outs.contains_key(&(folded(address), Some(subscription)))
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.max(100) + 1;
        self.last_id
    }

    /// The id of a list that is made.
    pub(super) fn next_list(&self) -> u64 {
        self.lists.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Makes a contact; duplicates and values are the caller's to check.
    pub fn create_contact(&mut self, scene: &mut Scene<'_>, properties: BTreeMap<String, String>) -> u64 {
        let id = self.next_id();
        let mut record = Record::new(scene, id, properties);
        record.properties.retain(|_, value| !value.is_empty());
        self.show_opt_outs(&mut record);
        self.keep(scene, record);
        scene.record(Service::HubSpot, What::ContactCreated { contact: id });
        self.soon(scene, id);
        id
    }

    /// Writes properties (empty = clear); only real changes count. False without such a contact.
    pub fn set_properties(
        &mut self,
        scene: &mut Scene<'_>,
        id: u64,
        changes: &BTreeMap<String, String>,
    ) -> bool {
        let Some(record) = self.contact(id) else { return false };
        let id = record.id;
        let real: Vec<(&String, &String)> = changes
            .iter()
            .filter(|(name, value)| record.properties.get(*name).map_or("", String::as_str) != value.as_str())
            .collect();
        if real.is_empty() {
            return true;
        }
        let mut record = Record::clone(record);
        let readdressed = real.iter().any(|(name, _)| *name == "email");
        for (name, value) in real {
            let had = record.properties.get(name).map_or("", String::as_str);
            record.history.note(scene, name, had, value);
            if value.is_empty() {
                record.properties.remove(name);
            } else {
                record.properties.insert(name.clone(), value.clone());
            }
            let what = What::PropertySet { contact: id, property: name.clone(), value: value.clone() };
            scene.record(Service::HubSpot, what);
        }
        if readdressed {
            self.show_opt_outs(&mut record);
        }
        record.modified = scene.now;
        self.keep(scene, record);
        self.soon(scene, id);
        true
    }

    /// Opt-outs are kept by address (HubSpot contract §12): a contact shows those of the address it has.
    fn show_opt_outs(&self, record: &mut Record) {
        record.properties.retain(|name, _| !name.starts_with("hs_email_optout"));
        let address = folded(record.email());
        let shown = self.opt_outs.keys().filter(|(opted_out, _)| *opted_out == address);
        let shown: Vec<String> = shown.map(|(_, subscription)| opt_out_property(*subscription)).collect();
        record.properties.extend(shown.into_iter().map(|name| (name, "true".to_owned())));
    }

    fn keep(&mut self, scene: &Scene<'_>, record: Record) {
        let id = record.id;
        self.forget_addresses(id);
        for address in record.addresses() {
            self.by_address.entry(address).or_default().insert(id);
        }
        let record = Arc::new(record);
        self.index.submit(scene.now.plus(scene.settings.index_lag), id, Some(Arc::clone(&record)));
        self.contacts.insert(id, record);
    }

    fn forget_addresses(&mut self, id: u64) {
        let Some(old) = self.contacts.get(&id) else { return };
        for address in old.addresses() {
            if let Some(ids) = self.by_address.get_mut(&address) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_address.remove(&address);
                }
            }
        }
    }

    fn soon(&mut self, scene: &mut Scene<'_>, id: u64) {
        if scene.settings.dynamic_lag.is_zero() {
            self.follow(scene, id);
        } else {
            self.following.insert((scene.now.plus(scene.settings.dynamic_lag), id));
        }
    }

    /// Dynamic lists follow the contact's properties.
    pub(super) fn follow(&mut self, scene: &mut Scene<'_>, id: u64) {
        let Some(record) = self.contacts.get(&id) else { return };
        for (list_id, list) in &mut self.lists {
            let Some(rule) = &list.rule else { continue };
            let (list_id, takes, holds) = (*list_id, rule.takes(record), list.members.contains_key(&id));
            if takes && !holds {
                list.members.insert(id, Joined { last: scene.now });
                list.last_added = Some(scene.now);
                scene.record_own(Service::HubSpot, What::ListJoined { list: list_id, contact: id });
            } else if !takes && holds {
                list.members.remove(&id);
                list.last_removed = Some(scene.now);
                scene.record_own(Service::HubSpot, What::ListLeft { list: list_id, contact: id });
            }
        }
    }

    /// Adds a contact to a list; true when it was not in it. The list's kind is the caller's to check.
    pub fn join(&mut self, scene: &mut Scene<'_>, list: u64, contact: u64) -> bool {
        let Some(held) = self.lists.get_mut(&list) else { return false };
        if held.members.contains_key(&contact) {
            return false;
        }
        held.members.insert(contact, Joined { last: scene.now });
        held.last_added = Some(scene.now);
        scene.record(Service::HubSpot, What::ListJoined { list, contact });
        true
    }

    /// Takes a contact out of a list; true when it was in it.
    pub fn leave(&mut self, scene: &mut Scene<'_>, list: u64, contact: u64) -> bool {
        let Some(held) = self.lists.get_mut(&list) else { return false };
        if held.members.remove(&contact).is_none() {
            return false;
        }
        held.last_removed = Some(scene.now);
        scene.record(Service::HubSpot, What::ListLeft { list, contact });
        true
    }

    /// Opts an address out; true when it was not. `hs_email_optout` follows.
    pub fn opt_out(&mut self, scene: &mut Scene<'_>, address: &str, subscription: Option<u64>) -> bool {
        let key = (folded(address), subscription);
        if self.opt_outs.contains_key(&key) {
            return false;
        }
        self.opt_outs.insert(key, scene.now);
        scene.record(Service::HubSpot, What::OptedOut { email: folded(address), subscription });
        self.follow_opt_out(scene, address, subscription, "true");
        true
    }

    /// Opts an address in again, as only a person may; true when it was out.
    pub fn opt_in(&mut self, scene: &mut Scene<'_>, address: &str, subscription: Option<u64>) -> bool {
        if self.opt_outs.remove(&(folded(address), subscription)).is_none() {
            return false;
        }
        scene.record(Service::HubSpot, What::OptedIn { email: folded(address), subscription });
        self.follow_opt_out(scene, address, subscription, "");
        true
    }

    fn follow_opt_out(
        &mut self,
        scene: &mut Scene<'_>,
        address: &str,
        subscription: Option<u64>,
        value: &str,
    ) {
        let property = opt_out_property(subscription);
        let ids = self.by_address.get(&folded(address)).cloned().unwrap_or_default();
        for id in ids {
            self.set_properties(scene, id, &BTreeMap::from([(property.clone(), value.to_owned())]));
        }
    }

    /// Deletes a contact (to the bin). False without such a contact.
    pub fn delete_contact(&mut self, scene: &mut Scene<'_>, id: u64) -> bool {
        let Some(record) = self.contacts.get(&id).cloned() else { return false };
        self.remove(scene, id);
        self.archived.insert(id, (record, scene.now));
        self.unlink("contacts", id);
        scene.record(Service::HubSpot, What::ContactDeleted { contact: id });
        true
    }

    /// Deletes a contact for good, and whatever led to it. False without such a contact.
    pub fn erase_contact(&mut self, scene: &mut Scene<'_>, id: u64) -> bool {
        if !self.contacts.contains_key(&id) {
            return false;
        }
        self.remove(scene, id);
        self.unlink("contacts", id);
        self.merged.retain(|_, survivor| *survivor != id);
        scene.record(Service::HubSpot, What::ContactForgotten { contact: id });
        true
    }

    fn remove(&mut self, scene: &mut Scene<'_>, id: u64) {
        self.forget_addresses(id);
        self.contacts.remove(&id);
        self.index.submit(scene.now.plus(scene.settings.index_lag), id, None);
        for list in self.lists.values_mut() {
            if list.members.remove(&id).is_some() {
                list.last_removed = Some(scene.now);
            }
        }
    }

    /// Merges two contacts into a record with a new id, which is given back. The primary's values
    /// win; the other's address becomes a further one; both static memberships are kept.
    pub fn merge(&mut self, scene: &mut Scene<'_>, primary: u64, other: u64) -> Option<u64> {
        let first = self.contacts.get(&primary)?.clone();
        let second = self.contacts.get(&other)?.clone();
        let mut properties = second.properties.clone();
        properties.extend(first.properties.clone());
        let further: Vec<String> =
            second.addresses().into_iter().filter(|address| *address != folded(first.email())).collect();
        if !further.is_empty() {
            properties.insert("hs_additional_emails".to_owned(), further.join(";"));
        }
        let memberships: BTreeSet<u64> = self
            .lists_of(primary)
            .into_keys()
            .chain(self.lists_of(other).into_keys())
            .filter(|list| self.lists.get(list).is_some_and(|list| list.rule.is_none()))
            .collect();
        self.remove(scene, primary);
        self.remove(scene, other);
        let id = self.create_contact(scene, properties);
        if let Some(record) = self.contacts.get(&id) {
            let mut record = Record::clone(record);
            record.created = first.created.min(second.created);
            record.merged =
                first.merged.iter().chain(&second.merged).copied().chain([primary, other]).collect();
            self.keep(scene, record);
        }
        for list in memberships {
            self.join(scene, list, id);
        }
        for old in [primary, other] {
            self.merged.insert(old, id);
            self.relink("contacts", old, id);
            scene.record(Service::HubSpot, What::ContactMerged { contact: old, into: id });
        }
        Some(id)
    }

    /// Gives a list another name; false when there is no such list or the name is taken.
    pub fn rename_list(&mut self, scene: &mut Scene<'_>, list: u64, name: &str) -> bool {
        if self.lists.iter().any(|(id, held)| *id != list && held.name == name) {
            return false;
        }
        let Some(held) = self.lists.get_mut(&list) else { return false };
        if held.name != name {
            name.clone_into(&mut held.name);
            held.updated = scene.now;
            scene.record(Service::HubSpot, What::ListRenamed { list, name: name.to_owned() });
        }
        true
    }

    /// Brings a contact into a list by hand: into a dynamic one by the property it asks for. True
    /// when it is in it afterwards.
    pub fn admit(&mut self, scene: &mut Scene<'_>, list: u64, contact: u64) -> bool {
        let (Some(held), Some(record)) = (self.lists.get(&list), self.contacts.get(&contact)) else {
            return false;
        };
        match &held.rule {
            None => {
                self.join(scene, list, contact);
                true
            }
            Some(rule) if rule.takes(record) => true,
            Some(rule) => {
                let change = rule.admit(record);
                self.set_properties(scene, contact, &BTreeMap::from([change]))
            }
        }
    }

    /// Makes a list, for whoever builds a scenario.
    pub fn define_list(&mut self, scene: &Scene<'_>, id: u64, name: &str, rule: Option<Rule>) {
        let list = List {
            name: name.to_owned(),
            rule,
            processing: "COMPLETE".to_owned(),
            members: BTreeMap::new(),
            last_added: None,
            last_removed: None,
            created: scene.now,
            updated: scene.now,
        };
        self.lists.insert(id, list);
    }

    /// Defines a property, for whoever builds a scenario.
    pub fn define_property(&mut self, name: &str, definition: Definition) {
        self.definitions.insert(name.to_owned(), definition);
    }

    /// Archives a property, as somebody does in the settings.
    pub fn archive_property(&mut self, name: &str) {
        self.definitions.remove(name);
    }

    /// Defines a subscription type, for whoever builds a scenario.
    pub fn define_subscription(&mut self, id: u64, subscription: Subscription) {
        self.subscriptions.insert(id, subscription);
    }

    /// Sets a list's `processingStatus`.
    pub fn set_processing(&mut self, list: u64, status: &str) -> bool {
        let Some(held) = self.lists.get_mut(&list) else { return false };
        status.clone_into(&mut held.processing);
        true
    }

    /// Deletes a list.
    pub fn delete_list(&mut self, scene: &mut Scene<'_>, list: u64) -> bool {
        let Some(gone) = self.lists.remove(&list) else { return false };
        self.deleted_lists.insert(list, gone);
        scene.record(Service::HubSpot, What::ListDeleted { list });
        true
    }

    /// Gives a list a rule: it is dynamic from now on. Whoever is in it stays until they change.
    pub fn rule_list(&mut self, list: u64, rule: Rule) -> bool {
        self.lists.get_mut(&list).map(|held| held.rule = Some(rule)).is_some()
    }

    /// Brings a deleted list back, with whoever was in it.
    pub fn restore_list(&mut self, list: u64) -> bool {
        let Some(held) = self.deleted_lists.remove(&list) else { return false };
        self.lists.insert(list, held);
        true
    }
}

/// The property that shows an opt-out of everything, or of one subscription type.
fn opt_out_property(subscription: Option<u64>) -> String {
    match subscription {
        None => "hs_email_optout".to_owned(),
        Some(id) => format!("hs_email_optout_{id}"),
    }
}
