//! What Mailchimp lets an API caller do to whom (Mailchimp contract §5, §6), and which addresses and
//! values it takes. Decides only; changes nothing.

use super::answers::{invalid, problem};
use super::audience::Audience;
use super::member::{Member, Status, hash_of};
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireResponse, set};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Why something is refused: title and detail.
#[derive(Clone, Debug)]
pub struct No {
    title: &'static str,
    /// The service's words.
    pub detail: String,
    errors: Vec<Value>,
}

impl No {
    fn new(title: &'static str, detail: impl Into<String>) -> No {
        No { title, detail: detail.into(), errors: Vec::new() }
    }

    /// As the answer of a single call.
    pub fn answer(&self) -> WireResponse {
        let mut response = problem(400, self.title, &self.detail);
        if !self.errors.is_empty() {
            let mut body = response.value();
            set(&mut body, "errors", Value::Array(self.errors.clone()));
            response.body = body.to_string().into_bytes();
        }
        response
    }
}

impl Audience {
    /// Whether a new member may have this address.
    pub(super) fn may_create(&self, address: &str) -> Result<(), No> {
        let folded = address.trim().to_lowercase();
        let local = folded.split('@').next().unwrap_or_default();
        if crate::domain::email::Email::parse(&folded).is_err() {
            return Err(No::new("Invalid Resource", "Please provide a valid email address."));
        }
        if self.forgotten.contains(&hash_of(address)) {
            return Err(No::new(
                "Forgotten Email Not Subscribed",
                format!(
                    "{address} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list."
                ),
            ));
        }
        if local.starts_with("fake") || folded.ends_with("@example.invalid") {
            return Err(No::new(
                "Invalid Resource",
                format!("{address} looks fake or invalid, please enter a real email address."),
            ));
        }
        if local.starts_with("busy") {
            return Err(No::new(
                "Invalid Resource",
                format!(
                    "{address} has signed up to a lot of lists very recently; we're not allowing more signups for now"
                ),
            ));
        }
        Ok(())
    }

    /// Whether a member may be given this status by API. Trying to bring back who opted out or
    /// bounced is written down, allowed or not.
    pub(super) fn may_become(scene: &mut Scene<'_>, member: &Member, to: Status) -> Result<(), No> {
        let standing = member.standing();
        let compliance = || {
            No::new(
                "Member In Compliance State",
                format!(
                    "{} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.",
                    member.email
                ),
            )
        };
        let gone = matches!(standing, Status::Unsubscribed | Status::Cleaned);
        if gone && matches!(to, Status::Subscribed | Status::Pending) {
            let change = format!("{} to {}", standing.wire(), to.wire());
            scene.violation_about(Service::Mailchimp, &member.email, "resubscribe", change);
        }
        match (standing, to) {
            (_, Status::Archived) => {
                Err(No::new("Invalid Resource", "The status archived cannot be set; delete the member."))
            }
            (Status::Cleaned, to) if to != Status::Cleaned => Err(compliance()),
            (Status::Unsubscribed, Status::Subscribed) if member.by_person => Err(compliance()),
            _ => Ok(()),
        }
    }

    /// Merge fields as they are kept: unknown ones ignored, texts cut to 255 bytes, the rest checked.
    pub(super) fn fitted(&self, fields: Option<&Value>) -> Result<BTreeMap<String, Value>, No> {
        let mut kept = BTreeMap::new();
        let mut errors = Vec::new();
        for (tag, value) in fields.and_then(Value::as_object).into_iter().flatten() {
            let Some(field) = self.fields.iter().find(|field| field.tag == *tag) else { continue };
            let text = value.as_str();
            let fits = match field.kind.as_str() {
                _ if text == Some("") => true,
                "number" => value.is_number() || text.is_some_and(|text| text.parse::<f64>().is_ok()),
                "dropdown" | "radio" => text.is_some_and(|text| field.choices.iter().any(|c| c == text)),
                "date" => text.is_some_and(|text| text.parse::<jiff::civil::Date>().is_ok()),
                "birthday" => text.is_some_and(|text| text.len() == 5 && text.contains('/')),
                "address" => value.is_object(),
                _ => !value.is_object() && !value.is_array(),
            };
            if !fits {
                errors.push(json!({ "field": tag, "message": format!("Please enter a {}.", field.kind) }));
                continue;
            }
            let value = match text {
                Some(text) if field.kind == "text" => json!(cut(text)),
                _ => value.clone(),
            };
            kept.insert(tag.clone(), value);
        }
        if errors.is_empty() {
            return Ok(kept);
        }
        Err(No { errors, ..No::new("Invalid Resource", "Your merge fields were invalid.") })
    }

    /// Whether a new member has all the fields the audience demands.
    pub(super) fn complete(&self, fields: &BTreeMap<String, Value>) -> Result<(), No> {
        let missing: Vec<Value> = self
            .fields
            .iter()
            .filter(|field| field.required)
            .filter(|field| fields.get(&field.tag).is_none_or(|value| value.as_str() == Some("")))
            .map(|field| json!({ "field": field.tag, "message": "Please enter a value" }))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(No { errors: missing, ..No::new("Invalid Resource", "Your merge fields were invalid.") })
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// A status from a body's member, or the answer why not.
pub fn status_in(body: &Value, name: &str) -> Result<Option<Status>, WireResponse> {
    match body.get(name).and_then(Value::as_str) {
        None => Ok(None),
        Some(word) => Status::from_wire(word)
            .map(Some)
            .ok_or_else(|| invalid("The status is not one of the known ones.")),
    }
}
