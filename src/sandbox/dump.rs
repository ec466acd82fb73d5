//! The whole state as JSON, for a person or a test to look at.

use super::world::Sandbox;
use serde_json::{Map, Value, json};

impl Sandbox {
    /// Contacts with their lists, lists, members with status, tags and fields.
    pub fn state(&self) -> Value {
        let mut contacts: Map<String, Value> = Map::new();
        for record in self.hubspot.contacts() {
            let lists: Vec<u64> = self.hubspot.lists_of(record.id).into_keys().collect();
            let value = json!({
                "properties": record.properties, "lists": lists,
                "opted_out": self.hubspot.is_opted_out(record.email()),
            });
            contacts.insert(record.id.to_string(), value);
        }
        let lists: Map<String, Value> = self
            .hubspot
            .lists()
            .iter()
            .map(|(id, list)| {
                let kind = if list.rule.is_some() { "dynamic" } else { "static" };
                let value = json!({ "name": list.name, "kind": kind, "size": list.members.len() });
                (id.to_string(), value)
            })
            .collect();
        let members: Map<String, Value> = self
            .mailchimp
            .members()
            .map(|member| {
                let value = json!({
                    "status": member.status.wire(), "tags": self.mailchimp.tags_of(member),
                    "fields": member.fields, "hidden_status": member.hidden.map(|status| status.wire()),
                    "opted_out_by_person": member.by_person,
                });
                (member.email.clone(), value)
            })
            .collect();
        json!({
            "now": self.now().iso(),
            "hubspot": { "contacts": contacts, "lists": lists },
            "mailchimp": { "members": members },
        })
    }
}
