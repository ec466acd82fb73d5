//! Single members: read, upsert, archive, and their tags (Mailchimp contract §4, §8).

use super::answers::{found, invalid, moment, not_found, problem};
use super::audience::Audience;
use super::consent::status_in;
use super::member::{Hash, Status, hash_of};
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

/// A member's key in a path: a hash, or the address itself.
fn key(text: &str) -> Hash {
    let mut hash = [0; 16];
    if text.len() == 32 && hex::decode_to_slice(text, &mut hash).is_ok() { hash } else { hash_of(text) }
}

impl Audience {
    /// Answers a call under `members/{hash}`; none when there is no such call.
    pub(super) fn member_call(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        who: &str,
        rest: &[&str],
    ) -> Option<WireResponse> {
        let number = self.by_hash.get(&key(who)).copied();
        let response = match (request.method.as_str(), rest) {
            ("GET", []) => self.show(request, number),
            ("PUT", []) => self.put(scene, request, key(who), number),
            ("PATCH", []) => match number {
                Some(number) => self.change(scene, request, number),
                None => not_found(),
            },
            ("DELETE", []) => self.archive(scene, number),
            ("GET", ["activity"]) => self.show_activity(request, number),
            ("GET", ["tags"]) => self.show_tags(request, number),
            ("POST", ["tags"]) => self.write_tags(scene, request, who, number),
            ("POST", ["actions", "delete-permanent"]) => self.erase(scene, number),
            _ => return None,
        };
        Some(response)
    }

    fn show(&self, request: &WireRequest, number: Option<usize>) -> WireResponse {
        match number.and_then(|number| self.members.get(&number)) {
            Some(member) => found(request, &self.shown(member)),
            None => not_found(),
        }
    }

    /// POST /members: creation only.
    pub(super) fn post(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let email = body.get("email_address").and_then(Value::as_str).unwrap_or_default();
        if self.member(email).is_some() {
            let detail =
                format!("{email} is already a list member. Use PUT to insert or update list members.");
            return problem(400, "Member Exists", &detail);
        }
        match status_in(&body, "status") {
            Ok(Some(status)) => self.make(scene, request, &body, email, status),
            Ok(None) => invalid("The status is missing."),
            Err(refusal) => refusal,
        }
    }

    fn put(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        hash: Hash,
        number: Option<usize>,
    ) -> WireResponse {
        if let Some(number) = number {
            return self.change(scene, request, number);
        }
        let body = request.json().unwrap_or(Value::Null);
        let Some(email) = body.get("email_address").and_then(Value::as_str) else {
            return invalid("The email_address is missing.");
        };
        if hash_of(email) != hash {
            scene.violation(Service::Mailchimp, "hash-and-address-differ", "PUT of a new member");
            return invalid("The resource submitted could not be validated.");
        }
        let (if_new, status) = match (status_in(&body, "status_if_new"), status_in(&body, "status")) {
            (Ok(if_new), Ok(status)) => (if_new, status),
            (Err(refusal), _) | (_, Err(refusal)) => return refusal,
        };
        match if_new.or(status) {
            Some(status) => self.make(scene, request, &body, email, status),
            None => invalid("status_if_new is missing."),
        }
    }

    fn make(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        body: &Value,
        email: &str,
        status: Status,
    ) -> WireResponse {
        if status == Status::Archived {
            return invalid("A member cannot be created archived.");
        }
        let fields =
            self.may_create(email).and_then(|()| self.fitted(body.get("merge_fields"))).and_then(|f| {
                if request.flag("skip_merge_validation") { Ok(f) } else { self.complete(&f).map(|()| f) }
            });
        let fields = match fields {
            Ok(fields) => fields,
            Err(no) => return no.answer(),
        };
        let number = self.create(scene, email, status);
        self.set_fields(scene, number, &fields);
        for tag in body.get("tags").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = tag.as_str().or_else(|| tag.get("name")?.as_str()) {
                let segment = self.tag(scene, name);
                self.set_tag(scene, number, segment, true);
            }
        }
        self.show(request, Some(number))
    }

    /// PUT of an existing member, and PATCH. Without `status` the consent stays as it is; an archived
    /// member stays archived.
    fn change(&mut self, scene: &mut Scene<'_>, request: &WireRequest, number: usize) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let status = match status_in(&body, "status") {
            Ok(status) => status,
            Err(refusal) => return refusal,
        };
        let Some(member) = self.members.get(&number) else { return not_found() };
        if let Some(status) = status
            && let Err(no) = Audience::may_become(scene, member, status)
        {
            return no.answer();
        }
        let fields = match self.fitted(body.get("merge_fields")) {
            Ok(fields) => fields,
            Err(no) => return no.answer(),
        };
        if let Some(email) = body.get("email_address").and_then(Value::as_str)
            && hash_of(email) != member.hash()
        {
            if let Err(no) = self.may_create(email) {
                return no.answer();
            }
            if !self.rename(scene, number, email) {
                return problem(400, "Member Exists", "The new address is already a list member.");
            }
        }
        if let Some(status) = status {
            self.set_status(scene, number, status, false);
        }
        self.set_fields(scene, number, &fields);
        self.show(request, Some(number))
    }

    fn archive(&mut self, scene: &mut Scene<'_>, number: Option<usize>) -> WireResponse {
        let Some((number, member)) = number.and_then(|number| Some((number, self.members.get(&number)?)))
        else {
            return not_found();
        };
        if matches!(member.status, Status::Archived | Status::Cleaned | Status::Pending) {
            return problem(
                405,
                "Method Not Allowed",
                "This list member cannot be removed. Please contact support.",
            );
        }
        let protected = self.tags_of(member).into_iter().find(|tag| scene.settings.protects(tag));
        if let Some(tag) = protected {
            scene.violation_about(Service::Mailchimp, &member.email, "protected-bearer-archived", tag);
        }
        self.set_status(scene, number, Status::Archived, false);
        WireResponse::empty(204)
    }

    /// The address cannot be imported again; who is still to get mail is opted out first.
    fn erase(&mut self, scene: &mut Scene<'_>, number: Option<usize>) -> WireResponse {
        let Some((number, member)) = number.and_then(|number| Some((number, self.members.get(&number)?)))
        else {
            return not_found();
        };
        if matches!(member.status, Status::Subscribed | Status::Pending) {
            scene.violation_about(
                Service::Mailchimp,
                &member.email,
                "erased-without-opt-out",
                member.status.wire(),
            );
        }
        self.forget(scene, number);
        WireResponse::empty(204)
    }

    fn show_tags(&self, request: &WireRequest, number: Option<usize>) -> WireResponse {
        let Some(member) = number.and_then(|number| self.members.get(&number)) else { return not_found() };
        let (Some(count), Some(offset)) = (request.number("count", 10), request.number("offset", 0)) else {
            return invalid("count and offset are numbers.");
        };
        let tags: Vec<Value> = member
            .tags
            .iter()
            .filter_map(|(id, added)| Some((id, added, self.segments.get(id)?)))
            .skip(offset)
            .take(count)
            .map(|(id, added, tag)| json!({ "id": id, "name": tag.name, "date_added": moment(Some(*added)) }))
            .collect();
        found(request, &json!({ "tags": tags, "total_items": member.tags.len() }))
    }

    fn write_tags(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        who: &str,
        number: Option<usize>,
    ) -> WireResponse {
        let Some(number) = number else {
            let (rule, detail) = ("tag-without-member", "the address is no member");
            scene.violation_about(Service::Mailchimp, &hex::encode(key(who)), rule, detail);
            return not_found();
        };
        let body = request.json().unwrap_or(Value::Null);
        let Some(tags) = body.get("tags").and_then(Value::as_array) else {
            return invalid("tags is missing.");
        };
        let mut wanted = Vec::new();
        for tag in tags {
            let status = tag.get("status").and_then(Value::as_str);
            match (tag.get("name").and_then(Value::as_str), status) {
                (Some(name), Some("active")) => wanted.push((name, true)),
                (Some(name), Some("inactive")) => wanted.push((name, false)),
                _ => return invalid("A tag needs a name and a status, active or inactive."),
            }
        }
        let loud = body.get("is_syncing").and_then(Value::as_bool) != Some(true);
        for (name, active) in wanted {
            if active {
                let segment = self.tag(scene, name);
                self.set_tag(scene, number, segment, loud);
            } else if let Some(segment) = self.segment_names.get(&name.trim().to_lowercase()).copied() {
                self.clear_tag(scene, number, segment, loud);
            }
        }
        WireResponse::empty(204)
    }
}
