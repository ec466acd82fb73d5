//! The batch subscribe call (Mailchimp contract §9): 200 with errors inside.

use super::answers::invalid;
use super::audience::Audience;
use super::member::{Status, hash_of};
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What became of one entry.
enum Entry {
    Created(usize),
    Updated(usize),
    Refused { code: &'static str, error: String },
}

impl Audience {
    /// POST /lists/{id}.
    pub(super) fn subscribe(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let Some(entries) = body.get("members").and_then(Value::as_array) else {
            return invalid("members is missing.");
        };
        if entries.len() > 500 {
            scene.violation(Service::Mailchimp, "batch-over-limit", "batch subscribe");
            return invalid("At most 500 members in one call.");
        }
        let truth = |name: &str| body.get(name).and_then(Value::as_bool) == Some(true);
        let (update, replace) = (truth("update_existing"), truth("sync_tags"));
        if replace {
            scene.violation(Service::Mailchimp, "sync-tags", "batch subscribe");
        }
        let (mut created, mut updated, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for entry in entries {
            let email = entry.get("email_address").and_then(Value::as_str).unwrap_or_default();
            let outcome = if seen.insert(hash_of(email)) {
                self.subscribe_one(scene, request, entry, email, update, replace)
            } else if request.flag("skip_duplicate_check") {
                continue;
            } else {
                Entry::Refused { code: "ERROR_GENERIC", error: format!("Duplicate item: {email}") }
            };
            match outcome {
                Entry::Created(number) => created.extend(self.members.get(&number).map(|m| self.shown(m))),
                Entry::Updated(number) => updated.extend(self.members.get(&number).map(|m| self.shown(m))),
                Entry::Refused { code, error } => errors.push(json!({
                    "email_address": email, "error": error, "error_code": code, "field": "", "field_message": "",
                })),
            }
        }
        let body = json!({
            "total_created": created.len(), "total_updated": updated.len(), "error_count": errors.len(),
            "new_members": created, "updated_members": updated, "errors": errors,
        });
        WireResponse::json(200, &body)
    }

    fn subscribe_one(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        entry: &Value,
        email: &str,
        update: bool,
        replace: bool,
    ) -> Entry {
        let refused = |error: String| Entry::Refused { code: "ERROR_GENERIC", error };
        let word = entry.get("status").or_else(|| entry.get("status_if_new")).and_then(Value::as_str);
        let Some(status) = word.and_then(Status::from_wire).filter(|status| *status != Status::Archived)
        else {
            return refused("The status is missing or unknown.".to_owned());
        };
        let number = self.number(email);
        if number.is_some() && !update {
            return Entry::Refused {
                code: "ERROR_CONTACT_EXISTS",
                error: format!(
                    "{email} is already a list member, do you want to update? please provide update_existing:true in the request body"
                ),
            };
        }
        let fields = match self.fitted(entry.get("merge_fields")) {
            Ok(fields) => fields,
            Err(no) => return refused(no.detail),
        };
        let (number, fresh) = if let Some(number) = number {
            if status != Status::Unsubscribed {
                scene.violation_about(
                    Service::Mailchimp,
                    email,
                    "consent-overwritten",
                    "update_existing with a status",
                );
            }
            let Some(member) = self.members.get(&number) else { return refused("Gone.".to_owned()) };
            if let Err(no) = Audience::may_become(scene, member, status) {
                return refused(no.detail);
            }
            self.set_status(scene, number, status, false);
            (number, false)
        } else {
            let complete =
                if request.flag("skip_merge_validation") { Ok(()) } else { self.complete(&fields) };
            if let Err(no) = self.may_create(email).and(complete) {
                return refused(no.detail);
            }
            (self.create(scene, email, status), true)
        };
        self.set_fields(scene, number, &fields);
        let names = entry.get("tags").and_then(Value::as_array);
        let mut wanted = BTreeSet::new();
        for name in names.into_iter().flatten().filter_map(Value::as_str) {
            let segment = self.tag(scene, name);
            self.set_tag(scene, number, segment, true);
            wanted.insert(segment);
        }
        if replace {
            let held: Vec<u64> = self
                .members
                .get(&number)
                .map(|member| member.tags.keys().copied().collect())
                .unwrap_or_default();
            for segment in held.into_iter().filter(|segment| !wanted.contains(segment)) {
                self.clear_tag(scene, number, segment, true);
            }
        }
        if fresh { Entry::Created(number) } else { Entry::Updated(number) }
    }
}
