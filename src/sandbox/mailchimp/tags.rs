//! Tags as static segments (Mailchimp contract §8).

use super::answers::{found, invalid, not_found};
use super::audience::Audience;
use super::member::{Member, Status};
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

impl Audience {
    /// Answers a call under `segments`; none when there is no such call.
    pub(super) fn segment_call(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        path: &[&str],
    ) -> Option<WireResponse> {
        let (id, rest) = match path.split_first() {
            None => (0, path),
            Some((id, rest)) => match id.parse() {
                Ok(id) if self.segments.contains_key(&id) => (id, rest),
                _ => return Some(not_found()),
            },
        };
        let response = match (request.method.as_str(), path.is_empty(), rest) {
            ("GET", true, _) => self.list_tags(request),
            ("POST", true, _) => self.create_tag(scene, request),
            ("GET", false, []) => self.show_tag(id),
            ("POST", false, []) => self.tag_many(scene, request, id),
            ("PATCH", false, []) => self.patch_tag(scene, request, id),
            ("GET", false, ["members"]) => self.as_listed(scene.now).bearers(request, id),
            ("DELETE", false, []) => self.delete_tag(scene, id),
            (_, false, ["members", who @ ..]) if who.len() < 2 => {
                return self.tag_member_call(scene, request, id, who.first().copied());
            }
            _ => return None,
        };
        Some(response)
    }

    fn show_tag(&self, id: u64) -> WireResponse {
        match self.segments.get(&id) {
            Some(segment) => WireResponse::json(200, &self.tag_shown(id, segment)),
            None => not_found(),
        }
    }

    fn list_tags(&self, request: &WireRequest) -> WireResponse {
        let (Some(count @ 0..=1000), Some(offset)) =
            (request.number("count", 10), request.number("offset", 0))
        else {
            return invalid("count must not exceed 1000.");
        };
        // All segments here are static; asking for another type finds none.
        let wanted = request.query("type").is_none_or(|kind| kind == "static");
        let total = if wanted { self.segments.len() } else { 0 };
        let page: Vec<Value> = self
            .segments
            .iter()
            .filter(|_| wanted)
            .skip(offset)
            .take(count)
            .map(|(id, segment)| self.tag_shown(*id, segment))
            .collect();
        found(request, &json!({ "segments": page, "list_id": self.id, "total_items": total }))
    }

    /// GET tag-search: by prefix, or all.
    pub(super) fn tag_search(&self, request: &WireRequest) -> WireResponse {
        let prefix = request.query("name").unwrap_or_default().to_lowercase();
        let tags: Vec<Value> = self
            .segments
            .iter()
            .filter(|(_, segment)| segment.name.to_lowercase().starts_with(&prefix))
            .map(|(id, segment)| json!({ "id": id, "name": segment.name }))
            .collect();
        found(request, &json!({ "total_items": tags.len(), "tags": tags }))
    }

    fn create_tag(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let name = body.get("name").and_then(Value::as_str).unwrap_or_default().trim();
        let Some(emails) = addresses(&body, "static_segment").filter(|_| !name.is_empty()) else {
            return invalid("name and static_segment are needed.");
        };
        if self.segment_names.contains_key(&name.to_lowercase()) {
            return invalid("Sorry, that tag already exists.");
        }
        let id = self.tag(scene, name);
        for email in emails {
            if let Some(number) = self.number(&email) {
                self.set_tag(scene, number, id, true);
            }
        }
        self.show_tag(id)
    }

    fn patch_tag(&mut self, scene: &mut Scene<'_>, request: &WireRequest, id: u64) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        if let Some(emails) = addresses(&body, "static_segment") {
            scene.violation(Service::Mailchimp, "segment-overwritten", "PATCH with static_segment");
            let keep: Vec<usize> = emails.iter().filter_map(|email| self.number(email)).collect();
            let held: Vec<usize> =
                self.segments.get(&id).map(|s| s.bearers.iter().copied().collect()).unwrap_or_default();
            for number in held.into_iter().filter(|number| !keep.contains(number)) {
                self.clear_tag(scene, number, id, true);
            }
            for number in keep {
                self.set_tag(scene, number, id, true);
            }
        }
        if let Some(name) = body.get("name").and_then(Value::as_str)
            && !self.rename_tag(scene, id, name)
        {
            return invalid("Sorry, that tag already exists.");
        }
        self.show_tag(id)
    }

    /// POST segments/{id}: 500 addresses to add and 500 to remove. Archived members are no active
    /// contacts and come back as errors, like addresses that are not in the audience.
    fn tag_many(&mut self, scene: &mut Scene<'_>, request: &WireRequest, id: u64) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let add = addresses(&body, "members_to_add").unwrap_or_default();
        let remove = addresses(&body, "members_to_remove").unwrap_or_default();
        if add.len() > 500 || remove.len() > 500 {
            scene.violation(Service::Mailchimp, "batch-over-limit", "segment batch");
            return invalid("At most 500 members to add and 500 to remove.");
        }
        let (mut added, mut removed, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (emails, setting) in [(add, true), (remove, false)] {
            for email in emails {
                let number = self.number(&email).filter(|number| {
                    self.members.get(number).is_some_and(|member| member.status != Status::Archived)
                });
                let Some(number) = number else {
                    if setting {
                        scene.violation_about(
                            Service::Mailchimp,
                            &email,
                            "tag-without-member",
                            "segment batch",
                        );
                    }
                    unknown.push(email);
                    continue;
                };
                if setting {
                    self.set_tag(scene, number, id, true);
                } else {
                    self.clear_tag(scene, number, id, true);
                }
                let shown = self.members.get(&number).map(|member| self.shown(member));
                if setting { added.extend(shown) } else { removed.extend(shown) }
            }
        }
        let errors: Vec<Value> = if unknown.is_empty() {
            Vec::new()
        } else {
            vec![json!({
                "email_addresses": unknown,
                "error": "Emails do not exist on the list or are not active contacts.",
            })]
        };
        let body = json!({
            "total_added": added.len(), "total_removed": removed.len(), "error_count": errors.len(),
            "members_added": added, "members_removed": removed, "errors": errors,
        });
        WireResponse::json(200, &body)
    }

    fn bearers(&self, request: &WireRequest, id: u64) -> WireResponse {
        let (Some(count @ 0..=1000), Some(offset)) =
            (request.number("count", 10), request.number("offset", 0))
        else {
            return invalid("count must not exceed 1000.");
        };
        let shown = |status: Status| match status {
            Status::Subscribed => true,
            Status::Unsubscribed => request.flag("include_unsubscribed"),
            Status::Cleaned => request.flag("include_cleaned"),
            Status::Transactional => request.flag("include_transactional"),
            Status::Pending | Status::Archived => false,
        };
        let bearers = self.segments.get(&id).map(|segment| &segment.bearers);
        let hits: Vec<&Member> = bearers
            .into_iter()
            .flatten()
            .filter_map(|number| self.members.get(number))
            .filter(|member| shown(member.status))
            .collect();
        let page: Vec<Value> =
            hits.iter().skip(offset).take(count).map(|member| self.shown(member)).collect();
        found(request, &json!({ "members": page, "total_items": hits.len() }))
    }
}

fn addresses(body: &Value, name: &str) -> Option<Vec<String>> {
    let values = body.get(name)?.as_array()?;
    Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
