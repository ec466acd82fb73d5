//! Mailchimp's way of saying no (Mailchimp contract §2), and members and tags as it shows them.

use super::audience::Audience;
use super::member::{Field, Member, Segment, Status};
use crate::domain::time::Timestamp;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Map, Value, json};

/// A problem body.
pub fn problem(status: u16, title: &str, detail: &str) -> WireResponse {
    let body = json!({
        "type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title,
        "status": status, "detail": detail, "instance": "00000000-0000-4000-8000-000000000000",
    });
    let mut response = WireResponse::json(status, &body);
    response.headers =
        vec![("content-type".to_owned(), "application/problem+json; charset=utf-8".to_owned())];
    response
}

/// 400 `Invalid Resource`.
pub fn invalid(detail: &str) -> WireResponse {
    problem(400, "Invalid Resource", detail)
}

/// 404.
pub fn not_found() -> WireResponse {
    problem(404, "Resource Not Found", "The requested resource could not be found.")
}

/// A moment, or the empty text Mailchimp shows for none.
pub fn moment(at: Option<Timestamp>) -> String {
    at.map(Timestamp::iso).unwrap_or_default()
}

impl Audience {
    /// A member as the API shows it.
    pub(super) fn shown(&self, member: &Member) -> Value {
        let id = hex::encode(member.hash());
        let mut fields = Map::new();
        for field in &self.fields {
            let value = member.fields.get(&field.tag).cloned().unwrap_or_else(|| json!(""));
            fields.insert(field.tag.clone(), value);
        }
        let tags: Vec<Value> = member
            .tags
            .keys()
            .filter_map(|tag| Some((tag, self.segments.get(tag)?)))
            .take(50)
            .map(|(tag, segment)| json!({ "id": tag, "name": segment.name }))
            .collect();
        let opted = (member.status != Status::Pending).then_some(member.opted);
        let mut value = json!({
            "id": id, "email_address": member.email, "contact_id": member.contact_id,
            "unique_email_id": member.contact_id.get(22..).unwrap_or_default(), "email_type": "html",
            "status": member.status.wire(), "merge_fields": fields, "tags": tags,
            "tags_count": member.tags.len(), "last_changed": moment(Some(member.changed)),
            "timestamp_signup": moment(Some(member.signup)), "timestamp_opt": moment(opted),
            "vip": false, "language": "", "source": "API - Generic", "list_id": self.id,
        });
        if let (Status::Unsubscribed, Some(reason)) = (member.status, &member.reason) {
            set(&mut value, "unsubscribe_reason", json!(reason));
        }
        value
    }

    /// A tag as the API shows it. Archived bearers do not count.
    pub(super) fn tag_shown(&self, id: u64, segment: &Segment) -> Value {
        let archived = self.by_status.get(&Status::Archived);
        let count = segment
            .bearers
            .iter()
            .filter(|number| !archived.is_some_and(|archived| archived.contains(number)))
            .count();
        json!({
            "id": id, "name": segment.name, "member_count": count, "type": "static",
            "created_at": moment(Some(segment.created)), "updated_at": moment(Some(segment.updated)),
            "list_id": self.id,
        })
    }
}

/// A merge field as the API shows it.
pub fn field_shown(field: &Field, list: &str) -> Value {
    json!({
        "merge_id": field.id, "tag": field.tag, "name": field.name, "type": field.kind,
        "required": field.required, "default_value": "", "public": false, "display_order": field.id,
        "options": options(field), "help_text": "", "list_id": list,
    })
}

fn options(field: &Field) -> Value {
    match field.kind.as_str() {
        "phone" => json!({ "phone_format": "none" }),
        "dropdown" | "radio" => json!({ "choices": field.choices }),
        "date" | "birthday" => json!({ "date_format": "MM/DD" }),
        _ => json!({ "size": 25 }),
    }
}

/// A 200 with as much of the body as the request's `fields` ask for.
pub fn found(request: &WireRequest, body: &Value) -> WireResponse {
    match request.query("fields") {
        Some(fields) => WireResponse::json(200, &only(body, fields)),
        None => WireResponse::json(200, body),
    }
}

/// Keeps only what `fields=a.b,c` names.
fn only(value: &Value, fields: &str) -> Value {
    let paths: Vec<Vec<&str>> = fields.split(',').map(|path| path.trim().split('.').collect()).collect();
    let borrowed: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    kept(value, &borrowed)
}

fn kept(value: &Value, paths: &[&[&str]]) -> Value {
    if paths.iter().any(|path| path.is_empty()) {
        return value.clone();
    }
    match value {
        Value::Object(members) => members
            .iter()
            .filter_map(|(name, inner)| {
                let deeper: Vec<&[&str]> = paths
                    .iter()
                    .filter_map(|path| path.split_first())
                    .filter(|(first, _)| *first == name)
                    .map(|(_, rest)| rest)
                    .collect();
                (!deeper.is_empty()).then(|| (name.clone(), kept(inner, &deeper)))
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| kept(item, paths)).collect(),
        other => other.clone(),
    }
}
