//! Merge fields (Mailchimp contract §7).

use super::answers::{field_shown, found, invalid};
use super::audience::Audience;
use super::member::Field;
use crate::domain::failure::Service;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

impl Audience {
    pub(super) fn list_fields(&self, request: &WireRequest) -> WireResponse {
        let (Some(count @ 0..=1000), Some(offset)) =
            (request.number("count", 10), request.number("offset", 0))
        else {
            return invalid("count must not exceed 1000.");
        };
        let page: Vec<Value> =
            self.fields.iter().skip(offset).take(count).map(|field| field_shown(field, &self.id)).collect();
        let body = json!({ "merge_fields": page, "list_id": self.id, "total_items": self.fields.len() });
        found(request, &body)
    }

    pub(super) fn create_field(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(name), Some(kind)) = (text("name"), text("type")) else {
            return invalid("name and type are needed.");
        };
        let id = self.next_number();
        let tag = text("tag").unwrap_or_else(|| format!("MMERGE{id}")).to_uppercase();
        if tag.is_empty() || tag.len() > 10 {
            return invalid("The tag takes 10 characters.");
        }
        if self.fields.iter().any(|field| field.tag == tag) {
            return invalid(&format!("A Merge Field with the tag \"{tag}\" already exists for this list."));
        }
        let choices = body.pointer("/options/choices").and_then(Value::as_array);
        let choices = choices.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let required = body.get("required").and_then(Value::as_bool) == Some(true);
        let field = Field { id, tag: tag.clone(), name, kind, required, choices };
        let answer = WireResponse::json(200, &field_shown(&field, &self.id));
        self.fields.push(field);
        scene.record(Service::Mailchimp, What::FieldCreated { field: tag });
        answer
    }

    /// Deletes a merge field; the values go with it, and no member counts as changed. Whether there was one.
    pub(in crate::sandbox) fn delete_field(&mut self, tag: &str) -> bool {
        let before = self.fields.len();
        self.fields.retain(|field| field.tag != tag);
        for member in self.members.values_mut() {
            member.fields.remove(tag);
        }
        self.fields.len() < before
    }

    /// Defines a merge field, for whoever builds a scenario.
    pub fn define_field(&mut self, tag: &str, name: &str, kind: &str) {
        let id = self.next_number();
        let (tag, name, kind) = (tag.to_owned(), name.to_owned(), kind.to_owned());
        self.fields.push(Field { id, tag, name, kind, required: false, choices: Vec::new() });
    }
}
