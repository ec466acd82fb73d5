//! Calls that hsmc never makes, and whoever fills an account does, by HubSpot's own clients: objects made, changed and
//! archived, lists made, contacts upserted (HubSpot contract §6, §7).

use super::answers::{envelope, error, invalid, not_found};
use super::objects::Takes;
use super::portal::Portal;
use super::record::Rule;
use super::{contacts, objects, properties, schemas};
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BATCH_LIMIT: usize = 100;

fn inputs(body: &Value) -> Result<Vec<Value>, WireResponse> {
    match body.get("inputs").and_then(Value::as_array) {
        Some(inputs) if inputs.len() <= BATCH_LIMIT => Ok(inputs.clone()),
        Some(_) => Err(invalid("At most 100 inputs.")),
        None => Err(invalid("inputs is missing.")),
    }
}

fn id_in(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_str()?.parse().ok()
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    /// Makes a record: it must have what its type demands.
    Create,
    /// Changes one.
    Update,
}

/// What each input writes, or all that is wrong with any: one refuses the whole call (contract §3).
fn fitting(
    portal: &Portal,
    scene: &mut Scene<'_>,
    kind: &str,
    inputs: &[Value],
    write: Write,
) -> Result<Vec<BTreeMap<String, String>>, WireResponse> {
    let (mut fitting, mut problems) = (Vec::new(), Vec::new());
    for input in inputs {
        let changes = match portal.objects.get(kind) {
            Some(table) => match table.takes {
                Takes::Any => Ok(properties::written(input)),
                Takes::Defined => properties::checked(&table.definitions, scene, input),
            },
            None => Err(properties::problem(kind, "OBJECT_TYPE_DOESNT_EXIST")),
        };
        match changes {
            Ok(changes) => {
                match write {
                    Write::Create => problems.extend(schemas::missing(portal, kind, &changes)),
                    Write::Update => {}
                }
                fitting.push(changes);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(fitting) } else { Err(properties::refused(problems)) }
}

/// Writes to objects other than contacts; none when there is no such call, or no such type.
pub(super) fn objects(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    kind: &str,
    path: &[&str],
) -> Option<WireResponse> {
    if !portal.objects.contains_key(kind) {
        return None;
    }
    let body = request.json().unwrap_or(Value::Null);
    let done = match (request.method.as_str(), path) {
        ("POST", []) => make(portal, scene, kind, std::slice::from_ref(&body)).map(|rows| {
            rows.first().map_or_else(|| not_found("resource"), |row| WireResponse::json(201, row))
        }),
        ("PATCH", [id]) => {
            let change = json!({ "id": id, "properties": body.get("properties") });
            change_all(portal, scene, kind, &[change]).map(|(rows, _)| {
                rows.first().map_or_else(|| not_found("resource"), |row| WireResponse::json(200, row))
            })
        }
        ("DELETE", [id]) => {
            if let Ok(id) = id.parse() {
                portal.delete_object(scene, kind, id);
            }
            Ok(WireResponse::empty(204))
        }
        ("POST", ["batch", "create"]) => inputs(&body)
            .and_then(|inputs| make(portal, scene, kind, &inputs))
            .map(|rows| envelope(201, scene.now, rows, Vec::new())),
        ("POST", ["batch", "update"]) => inputs(&body)
            .and_then(|inputs| change_all(portal, scene, kind, &inputs))
            .map(|(rows, errors)| envelope(200, scene.now, rows, errors)),
        ("POST", ["batch", "archive"]) => inputs(&body).map(|inputs| {
            for id in inputs.iter().filter_map(|input| id_in(input, "id")) {
                portal.delete_object(scene, kind, id);
            }
            WireResponse::empty(204)
        }),
        _ => return None,
    };
    Some(done.unwrap_or_else(|refusal| refusal))
}

/// Makes a record for each input; the records as the API shows them.
fn make(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    kind: &str,
    inputs: &[Value],
) -> Result<Vec<Value>, WireResponse> {
    let wanted = fitting(portal, scene, kind, inputs, Write::Create)?;
    let made: Vec<u64> =
        wanted.into_iter().map(|properties| portal.create_object(scene, kind, properties)).collect();
    Ok(made.into_iter().filter_map(|id| shown(portal, kind, id)).collect())
}

/// Changes the record of each input; the records as the API shows them, and an error for each that is not there.
fn change_all(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    kind: &str,
    inputs: &[Value],
) -> Result<(Vec<Value>, Vec<Value>), WireResponse> {
    let wanted = fitting(portal, scene, kind, inputs, Write::Update)?;
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for (input, changes) in inputs.iter().zip(wanted) {
        let id = id_in(input, "id").filter(|id| shown(portal, kind, *id).is_some());
        let Some(id) = id else {
            errors.push(json!({
                "status": "error", "category": "OBJECT_NOT_FOUND", "message": "There is no such record.",
                "context": { "ids": [input.get("id")] },
            }));
            continue;
        };
        for (name, value) in &changes {
            portal.set_object(scene, kind, id, name, value);
        }
        rows.extend(shown(portal, kind, id));
    }
    Ok((rows, errors))
}

fn shown(portal: &Portal, kind: &str, id: u64) -> Option<Value> {
    let record = portal.objects.get(kind)?.records.get(&id)?;
    let names: Vec<String> = record.properties.keys().cloned().collect();
    Some(objects::shown(record, &names))
}

/// Contacts by the dozen: `upsert` and `archive`.
pub(super) fn contacts(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    let body = request.json().unwrap_or(Value::Null);
    match (request.method.as_str(), path) {
        ("POST", ["batch", "upsert"]) => {
            let mut results = Vec::new();
            for input in inputs(&body).ok()? {
                let key = input.get("id").and_then(Value::as_str).unwrap_or_default();
                let mut changes = properties::written(&input);
                let found = match input.get("idProperty").and_then(Value::as_str) {
                    Some("email") => {
                        changes.insert("email".to_owned(), key.to_lowercase());
                        portal.contact_by_email(key).map(|record| record.id)
                    }
                    _ => key.parse().ok().and_then(|id| portal.contact(id)).map(|record| record.id),
                };
                if changes.keys().any(|name| !portal.definitions.contains_key(name)) {
                    return Some(invalid("Property values were not valid"));
                }
                let id = match found {
                    Some(id) => {
                        portal.set_properties(scene, id, &changes);
                        id
                    }
                    None => portal.create_contact(scene, changes),
                };
                let mut row = contacts::shown(portal.contact(id)?, &[]);
                if let Some(row) = row.as_object_mut() {
                    row.insert("new".to_owned(), found.is_none().into());
                }
                results.push(row);
            }
            Some(envelope(200, scene.now, results, Vec::new()))
        }
        ("POST", ["batch", "archive"]) => {
            for id in inputs(&body).ok()?.iter().filter_map(|input| id_in(input, "id")) {
                portal.delete_contact(scene, id);
            }
            Some(WireResponse::empty(204))
        }
        ("POST", ["merge"]) => {
            let ids = id_in(&body, "primaryObjectId").zip(id_in(&body, "objectIdToMerge"));
            let merged = ids.and_then(|(primary, other)| portal.merge(scene, primary, other));
            Some(match merged.and_then(|id| portal.contact(id)) {
                Some(record) => WireResponse::json(200, &contacts::shown(record, &[])),
                None => not_found("resource"),
            })
        }
        _ => None,
    }
}

/// What a dynamic list asks for: the first condition of its filters that is one value of a property; where there is none,
/// nobody belongs.
fn rule(filters: &Value) -> Option<Rule> {
    if let Some(property) = filters.get("property").and_then(Value::as_str) {
        let operation = filters.get("operation")?;
        let values = operation.get("values").and_then(Value::as_array);
        let value = operation.get("value").or_else(|| values?.first())?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Some(Rule::Equals(property.to_owned(), value));
    }
    match filters {
        Value::Array(all) => all.iter().find_map(rule),
        Value::Object(members) => members.values().find_map(rule),
        _ => None,
    }
}

/// Makes a list, or deletes one.
pub(super) fn lists(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    match (request.method.as_str(), path) {
        ("POST", []) => {
            let body = request.json().unwrap_or(Value::Null);
            let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = text("name");
            if name.is_empty() || !["MANUAL", "SNAPSHOT", "DYNAMIC"].contains(&text("processingType")) {
                return Some(invalid("name and processingType are needed."));
            }
            let nobody = || Rule::Equals("hs_object_id".to_owned(), String::new());
            let rule = (text("processingType") == "DYNAMIC")
                .then(|| body.get("filterBranch").and_then(rule).unwrap_or_else(nobody));
            if portal.lists.values().any(|list| list.name == name) {
                let message = format!("A list named \"{name}\" exists.");
                return Some(error(400, "VALIDATION_ERROR", &message, Vec::new()));
            }
            let id = portal.next_list();
            portal.define_list(scene, id, name, rule);
            for contact in portal.contacts.keys().copied().collect::<Vec<u64>>() {
                portal.follow(scene, contact);
            }
            Some(super::lists::one(portal, &id.to_string()))
        }
        ("DELETE", [list]) => {
            let gone = list.parse().is_ok_and(|list| portal.delete_list(scene, list));
            Some(if gone { WireResponse::empty(204) } else { not_found("The list") })
        }
        _ => None,
    }
}

/// Preferences as the older version of the API has them, by subscription type.
pub(super) fn preferences(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    match (request.method.as_str(), path) {
        ("GET", ["status", "email", email]) => {
            let statuses: Vec<Value> = portal
                .subscriptions
                .iter()
                .map(|(id, subscription)| {
                    let out = portal.is_opted_out(email) || portal.is_opted_out_of(email, *id);
                    json!({
                        "id": id.to_string(), "name": subscription.name, "description": subscription.name,
                        "status": if out { "NOT_SUBSCRIBED" } else { "SUBSCRIBED" },
                        "sourceOfStatus": "SUBSCRIPTION_STATUS",
                    })
                })
                .collect();
            Some(WireResponse::json(200, &json!({ "recipient": email, "subscriptionStatuses": statuses })))
        }
        ("POST", ["unsubscribe"]) => {
            let body = request.json().unwrap_or(Value::Null);
            let email = body.get("emailAddress").and_then(Value::as_str).unwrap_or_default();
            let Some(id) = id_in(&body, "subscriptionId").filter(|id| portal.subscriptions.contains_key(id))
            else {
                return Some(not_found("The subscription type"));
            };
            portal.opt_out(scene, email, Some(id));
            Some(WireResponse::json(
                200,
                &json!({
                    "id": id.to_string(), "status": "NOT_SUBSCRIBED", "sourceOfStatus": "SUBSCRIPTION_STATUS",
                }),
            ))
        }
        _ => None,
    }
}
