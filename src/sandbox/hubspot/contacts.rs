//! Contacts: read, write, create (HubSpot contract §7).

use super::answers::{envelope, error, invalid, not_found};
use super::objects::wanted_in_query;
use super::portal::Portal;
use super::properties::{self, refused};
use super::record::{Record, folded};
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, iso_millis, set};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const BATCH_LIMIT: usize = 100;
const DEFAULTS: [&str; 6] =
    ["firstname", "lastname", "email", "createdate", "lastmodifieddate", "hs_object_id"];

/// Answers a call under the contacts prefix; none when there is no such call.
pub fn answer(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    let response = match (request.method.as_str(), path) {
        ("GET", []) => super::objects::page(&portal.contacts, &portal.archived, request, shown),
        ("POST", []) => create(portal, scene, request),
        ("POST", ["search"]) => super::search::answer(&portal.index, request, shown),
        ("POST", ["batch", "read"]) => batch_read(portal, scene, request),
        ("POST", ["batch", "update"]) => batch_update(portal, scene, request),
        ("POST", ["batch", "create"]) => batch_create(portal, scene, request),
        ("POST", ["gdpr-delete"]) => erase(portal, scene, request),
        ("GET", [id]) => one(portal, request, id),
        ("PATCH", [id]) => patch(portal, scene, request, id),
        ("DELETE", [id]) => delete(portal, scene, id),
        _ => return None,
    };
    Some(response)
}

/// A record as the API shows it, with the properties asked for (the default ones when none were).
pub fn shown(record: &Record, wanted: &[String]) -> Value {
    let mut properties = Map::new();
    let mut show = |name: &str| {
        properties.insert(name.to_owned(), record.value(name).map_or(Value::Null, Value::String));
    };
    if wanted.is_empty() {
        DEFAULTS.into_iter().for_each(&mut show);
    } else {
        ["createdate", "hs_object_id", "lastmodifieddate"].into_iter().for_each(&mut show);
        wanted.iter().for_each(|name| show(name));
    }
    json!({
        "id": record.id.to_string(), "properties": properties, "archived": false,
        "createdAt": iso_millis(record.created), "updatedAt": iso_millis(record.modified),
    })
}

/// The names in a body's `properties` array.
pub fn wanted(body: &Value) -> Vec<String> {
    let names = body.get("properties").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn find<'a>(portal: &'a Portal, id: &str, by: Option<&str>) -> Option<&'a Record> {
    match by {
        Some("email") => portal.contact_by_email(id).map(AsRef::as_ref),
        _ => id.parse().ok().and_then(|id| portal.contact(id)).map(AsRef::as_ref),
    }
}

fn one(portal: &Portal, request: &WireRequest, id: &str) -> WireResponse {
    match find(portal, id, request.query("idProperty")) {
        Some(record) => WireResponse::json(200, &shown(record, &wanted_in_query(request))),
        None => not_found("resource"),
    }
}

/// The inputs of a batch, or why it is refused.
fn inputs(scene: &mut Scene<'_>, body: &Value, what: &str) -> Result<Vec<Value>, WireResponse> {
    let Some(inputs) = body.get("inputs").and_then(Value::as_array) else {
        return Err(invalid("inputs is missing."));
    };
    if inputs.len() > BATCH_LIMIT {
        scene.violation(Service::HubSpot, "batch-over-limit", what);
        return Err(invalid("At most 100 inputs."));
    }
    Ok(inputs.clone())
}

fn batch_read(portal: &Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let inputs = match inputs(scene, &body, "contacts batch read") {
        Ok(inputs) => inputs,
        Err(refusal) => return refusal,
    };
    let by = body.get("idProperty").and_then(Value::as_str);
    let names = wanted(&body);
    let mut seen = BTreeSet::new();
    let results: Vec<Value> = inputs
        .iter()
        .filter_map(|input| find(portal, input.get("id")?.as_str()?, by))
        .filter(|record| seen.insert(record.id))
        .map(|record| shown(record, &names))
        .collect();
    envelope(200, scene.now, results, Vec::new())
}

/// The properties of a write as they are kept, or what is wrong with them.
fn checked(portal: &Portal, scene: &mut Scene<'_>, input: &Value) -> Result<BTreeMap<String, String>, Value> {
    let mut changes = properties::checked(&portal.definitions, scene, input)?;
    if let Some(email) = changes.get_mut("email").filter(|email| !email.is_empty()) {
        if crate::domain::email::Email::parse(email).is_err() {
            return Err(properties::problem("email", "INVALID_EMAIL"));
        }
        *email = folded(email);
    }
    Ok(changes)
}

fn conflict(existing: u64) -> WireResponse {
    error(409, "CONFLICT", &format!("Contact already exists. Existing ID: {existing}"), Vec::new())
}

/// Who else has the address these changes bring.
fn taken(portal: &Portal, changes: &BTreeMap<String, String>, own: Option<u64>) -> Option<u64> {
    let address = changes.get("email").filter(|address| !address.is_empty())?;
    portal.contact_by_email(address).map(|record| record.id).filter(|id| Some(*id) != own)
}

fn create(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let changes = match checked(portal, scene, &body) {
        Ok(changes) => changes,
        Err(problem) => return refused(vec![problem]),
    };
    if !["email", "firstname", "lastname"].iter().any(|name| changes.contains_key(*name)) {
        return invalid("One of email, firstname, lastname is needed.");
    }
    if let Some(existing) = taken(portal, &changes, None) {
        return conflict(existing);
    }
    let id = portal.create_contact(scene, changes);
    match portal.contact(id) {
        Some(record) => WireResponse::json(201, &shown(record, &[])),
        None => not_found("resource"),
    }
}

fn batch_create(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let inputs = match inputs(scene, &body, "contacts batch create") {
        Ok(inputs) => inputs,
        Err(refusal) => return refusal,
    };
    let traced = inputs.iter().all(|input| input.get("objectWriteTraceId").is_some());
    let (mut wanted, mut errors, mut fresh) = (Vec::new(), Vec::new(), BTreeSet::new());
    for input in &inputs {
        let context = json!({ "objectWriteTraceId": [input.get("objectWriteTraceId")] });
        let outcome = checked(portal, scene, input).and_then(|changes| {
            let twin = changes.get("email").is_some_and(|address| !fresh.insert(address.clone()));
            match taken(portal, &changes, None) {
                Some(id) => Err(json!({ "category": "CONFLICT", "code": "CONFLICT",
                    "message": format!("Contact already exists. Existing ID: {id}") })),
                None if twin => Err(json!({ "category": "VALIDATION_ERROR", "code": "DUPLICATE",
                    "message": "Duplicate address in one batch." })),
                None => Ok(changes),
            }
        });
        match outcome {
            Ok(changes) => wanted.push((changes, input.get("objectWriteTraceId").cloned())),
            Err(mut problem) => {
                set(&mut problem, "status", json!("error"));
                set(&mut problem, "context", context);
                errors.push(problem);
            }
        }
    }
    if !errors.is_empty() && !traced {
        return refused(errors);
    }
    let mut results = Vec::new();
    for (changes, trace) in wanted {
        let id = portal.create_contact(scene, changes);
        if let Some(record) = portal.contact(id) {
            let mut value = shown(record, &[]);
            if let Some(trace) = trace {
                set(&mut value, "objectWriteTraceId", trace);
            }
            results.push(value);
        }
    }
    envelope(201, scene.now, results, errors)
}

fn patch(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest, id: &str) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let changes = match checked(portal, scene, &body) {
        Ok(changes) => changes,
        Err(problem) => return refused(vec![problem]),
    };
    let Some(id) = find(portal, id, request.query("idProperty")).map(|record| record.id) else {
        return not_found("resource");
    };
    if let Some(existing) = taken(portal, &changes, Some(id)) {
        return conflict(existing);
    }
    portal.set_properties(scene, id, &changes);
    match portal.contact(id) {
        Some(record) => WireResponse::json(200, &shown(record, &[])),
        None => not_found("resource"),
    }
}

fn batch_update(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let inputs = match inputs(scene, &body, "contacts batch update") {
        Ok(inputs) => inputs,
        Err(refusal) => return refusal,
    };
    // One invalid value refuses the whole call; an id that is gone fails alone (contract §3).
    let (mut wanted, mut errors, mut invalid) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for input in &inputs {
        let asked = input.get("id").and_then(Value::as_str).unwrap_or_default();
        let by = input.get("idProperty").and_then(Value::as_str);
        match checked(portal, scene, input) {
            Err(problem) => invalid.push(problem),
            Ok(changes) => match find(portal, asked, by).map(|record| record.id) {
                None => errors.push(json!({
                    "status": "error", "category": "OBJECT_NOT_FOUND",
                    "message": "Could not get some CONTACT objects, they may be deleted or not exist.",
                    "context": { "ids": [asked] },
                })),
                Some(id) if !seen.insert(id) => invalid.push(json!({
                    "message": "Duplicate ids in one batch.", "code": "DUPLICATE", "context": { "ids": [asked] },
                })),
                Some(id) => match taken(portal, &changes, Some(id)) {
                    Some(_) => errors.push(json!({
                        "status": "error", "category": "CONFLICT", "message": "The address is taken.",
                        "context": { "ids": [asked] },
                    })),
                    None => wanted.push((id, changes)),
                },
            },
        }
    }
    if !invalid.is_empty() {
        return refused(invalid);
    }
    let mut results = Vec::new();
    for (id, changes) in wanted {
        portal.set_properties(scene, id, &changes);
        results.extend(portal.contact(id).map(|record| shown(record, &[])));
    }
    envelope(200, scene.now, results, errors)
}

fn delete(portal: &mut Portal, scene: &mut Scene<'_>, id: &str) -> WireResponse {
    if let Some(id) = find(portal, id, None).map(|record| record.id) {
        portal.delete_contact(scene, id);
    }
    WireResponse::empty(204)
}

/// HubSpot contract §11: permanent, with the history. Of an address without a contact nothing is there to
/// delete, and it is taken as a success.
fn erase(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let by = body.get("idProperty").and_then(Value::as_str);
    let Some(asked) = body.get("objectId").and_then(Value::as_str) else {
        return invalid("objectId is missing.");
    };
    match find(portal, asked, by).map(|record| (record.id, record.email().to_owned())) {
        Some((id, email)) => {
            if !email.is_empty() && !portal.is_opted_out(&email) {
                scene.violation_about(Service::HubSpot, &email, "erased-without-opt-out", "gdpr-delete");
            }
            portal.erase_contact(scene, id);
            WireResponse::empty(204)
        }
        None if by == Some("email") => WireResponse::empty(204),
        None => not_found("contact"),
    }
}
