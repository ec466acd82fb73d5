//! Calls that hsmc never makes, and whoever fills an account does, by HubSpot's own clients: objects made, changed and
//! archived, records joined and parted, lists made, contacts upserted (HubSpot contract §6, §7, §10).

use super::answers::{envelope, error, invalid, not_found};
use super::portal::Portal;
use super::record::Rule;
use super::{associations, contacts, objects};
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, iso_millis};
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

/// Properties as text; null is none.
fn properties(input: &Value) -> BTreeMap<String, String> {
    let members = input.get("properties").and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value))).collect()
}

/// What a batch does with each of its inputs; the record's id.
type Each<'a> = &'a dyn Fn(&mut Portal, &mut Scene<'_>, &Value) -> Option<u64>;

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
    let batch = |portal: &mut Portal, scene: &mut Scene<'_>, each: Each<'_>, status| {
        let inputs = match inputs(&body) {
            Ok(inputs) => inputs,
            Err(refusal) => return refusal,
        };
        let ids: Vec<u64> = inputs.iter().filter_map(|input| each(portal, scene, input)).collect();
        let rows = ids.into_iter().filter_map(|id| shown(portal, kind, id)).collect();
        envelope(status, scene.now, rows, Vec::new())
    };
    let update = |portal: &mut Portal, scene: &mut Scene<'_>, id: u64, input: &Value| {
        let changes = properties(input);
        changes.iter().all(|(name, value)| portal.set_object(scene, kind, id, name, value)).then_some(id)
    };
    let create = |portal: &mut Portal, scene: &mut Scene<'_>, input: &Value| {
        Some(portal.create_object(scene, kind, properties(input)))
    };
    Some(match (request.method.as_str(), path) {
        ("POST", []) => {
            let id = portal.create_object(scene, kind, properties(&body));
            WireResponse::json(201, &shown(portal, kind, id)?)
        }
        ("PATCH", [id]) => match id.parse().ok().and_then(|id| update(portal, scene, id, &body)) {
            Some(id) => WireResponse::json(200, &shown(portal, kind, id)?),
            None => not_found("resource"),
        },
        ("DELETE", [id]) => {
            if let Ok(id) = id.parse() {
                portal.delete_object(scene, kind, id);
            }
            WireResponse::empty(204)
        }
        ("POST", ["batch", "create"]) => batch(portal, scene, &create, 201),
        ("POST", ["batch", "update"]) => {
            let each = |portal: &mut Portal, scene: &mut Scene<'_>, input: &Value| {
                update(portal, scene, id_in(input, "id")?, input)
            };
            batch(portal, scene, &each, 200)
        }
        ("POST", ["batch", "archive"]) => {
            for id in inputs(&body).ok()?.iter().filter_map(|input| id_in(input, "id")) {
                portal.delete_object(scene, kind, id);
            }
            WireResponse::empty(204)
        }
        _ => return None,
    })
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
                let mut changes = properties(&input);
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

/// What joins one record with others: `objects/{from}/{id}/associations/…`.
pub(super) fn joined(
    portal: &mut Portal,
    scene: &Scene<'_>,
    request: &WireRequest,
    (from, id): (&str, &str),
    path: &[&str],
) -> Option<WireResponse> {
    let Ok(id) = id.parse::<u64>() else { return Some(not_found("resource")) };
    match (request.method.as_str(), path) {
        ("GET", [to]) => {
            let to = portal.named(to);
            let rows = portal.linked(from, id, &to);
            let rows: Vec<Value> =
                rows.iter().map(|(other, labels)| associations::shown((from, &to), *other, labels)).collect();
            Some(WireResponse::json(200, &json!({ "results": rows })))
        }
        ("PUT", ["default", to, other]) => {
            let Ok(other) = other.parse::<u64>() else { return Some(not_found("resource")) };
            portal.link((from, id), (&portal.named(to), other), "");
            let row = json!({ "from": { "id": id.to_string() }, "to": { "id": other.to_string() },
                "associationSpec": { "associationCategory": "HUBSPOT_DEFINED",
                    "associationTypeId": associations::type_of((from, &portal.named(to)), "") } });
            Some(envelope(200, scene.now, vec![row], Vec::new()))
        }
        ("PUT", [to, other]) => {
            let Ok(other) = other.parse::<u64>() else { return Some(not_found("resource")) };
            let to = portal.named(to);
            let labels = labels_of(portal, (from, &to), &request.json().unwrap_or(Value::Null));
            for label in &labels {
                portal.link((from, id), (&to, other), label);
            }
            let labels: Vec<String> = labels.into_iter().filter(|label| !label.is_empty()).collect();
            Some(WireResponse::json(
                201,
                &json!({
                    "fromObjectTypeId": from, "fromObjectId": id, "toObjectTypeId": to, "toObjectId": other,
                    "labels": labels,
                }),
            ))
        }
        ("DELETE", [to, other]) => {
            if let Ok(other) = other.parse() {
                portal.part((from, id), (&portal.named(to), other));
            }
            Some(WireResponse::empty(204))
        }
        _ => None,
    }
}

/// Joins what was just made with what its inputs name, where as many were made as were asked for.
pub(super) fn join_created(
    portal: &mut Portal,
    kind: &str,
    request: &WireRequest,
    answer: Option<&WireResponse>,
) {
    let Some(made) = answer.filter(|answer| request.method == "POST" && answer.status == 201) else { return };
    let (body, made) = (request.json().unwrap_or(Value::Null), made.value());
    let several = |value: &Value, name: &str| match value.get(name).and_then(Value::as_array) {
        Some(all) => all.clone(),
        None => vec![value.clone()],
    };
    let (inputs, made) = (several(&body, "inputs"), several(&made, "results"));
    if inputs.len() != made.len() {
        return;
    }
    for (input, made) in inputs.iter().zip(&made) {
        let Some(id) = id_in(made, "id") else { continue };
        for wanted in input.get("associations").and_then(Value::as_array).into_iter().flatten() {
            let Some(other) = wanted.get("to").and_then(|to| id_in(to, "id")) else { continue };
            let Some(to) = portal.kind_of(other) else { continue };
            let types = wanted.get("types").cloned().unwrap_or(Value::Null);
            for label in labels_of(portal, (kind, &to), &types) {
                portal.link((kind, id), (&to, other), &label);
            }
        }
    }
}

impl Portal {
    /// Of which type a record is: ids are those of one record only here.
    fn kind_of(&self, id: u64) -> Option<String> {
        if self.contact(id).is_some() {
            return Some("contacts".to_owned());
        }
        self.objects.iter().find(|(_, table)| table.records.contains_key(&id)).map(|(kind, _)| kind.clone())
    }
}

/// Makes a custom type.
pub(super) fn schemas(
    portal: &mut Portal,
    scene: &Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    if (request.method.as_str(), path) != ("POST", &[]) {
        return None;
    }
    let body = request.json().unwrap_or(Value::Null);
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || portal.custom.values().any(|known| known == name) {
        return Some(invalid("A name is needed that no type has."));
    }
    let id = format!("2-{}", portal.next_id());
    portal.define_object(&id, name);
    let mut schema = objects::schema(&id, name);
    if let (Some(schema), Some(labels)) = (schema.as_object_mut(), body.get("labels")) {
        schema.insert("labels".to_owned(), labels.clone());
        schema.insert("createdAt".to_owned(), iso_millis(scene.now).into());
    }
    Some(WireResponse::json(201, &schema))
}

/// The labels that a write's types mean; the unlabelled kind without any.
fn labels_of(portal: &Portal, between: (&str, &str), types: &Value) -> Vec<String> {
    let all = portal.labels(between);
    let asked =
        types.as_array().into_iter().flatten().filter_map(|one| one.get("associationTypeId")?.as_u64());
    let labels: Vec<String> = asked
        .map(|id| {
            let named = all.iter().find(|label| associations::type_of(between, label) == id);
            named.cloned().unwrap_or_default()
        })
        .collect();
    if labels.is_empty() { vec![String::new()] } else { labels }
}

/// What joins records of two types, by the dozen.
pub(super) fn associations(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    (from, to): (&str, &str),
    path: &[&str],
) -> Option<WireResponse> {
    let body = request.json().unwrap_or(Value::Null);
    let end = |input: &Value, name: &str| id_in(input.get(name)?, "id");
    match (request.method.as_str(), path) {
        ("GET", ["labels"]) => {
            let labels: Vec<Value> =
                portal.labels((from, to)).iter().map(|label| associations::kind((from, to), label)).collect();
            Some(WireResponse::json(200, &json!({ "results": labels })))
        }
        ("POST", ["batch", "create"] | ["batch", "associate", "default"]) => {
            let status = if path.len() == 2 { 201 } else { 200 };
            let mut rows = Vec::new();
            for input in body.get("inputs").and_then(Value::as_array).into_iter().flatten().take(2_000) {
                let (Some(id), Some(other)) = (end(input, "from"), end(input, "to")) else {
                    return Some(invalid("from and to are needed."));
                };
                let types = input.get("types").cloned().unwrap_or(Value::Null);
                for label in labels_of(portal, (from, to), &types) {
                    portal.link((from, id), (to, other), &label);
                }
                rows.push(json!({
                    "fromObjectTypeId": from, "fromObjectId": id, "toObjectTypeId": to, "toObjectId": other,
                    "from": { "id": id.to_string() }, "to": { "id": other.to_string() }, "labels": [],
                }));
            }
            Some(envelope(status, scene.now, rows, Vec::new()))
        }
        ("POST", ["batch", "archive"]) => {
            for input in body.get("inputs").and_then(Value::as_array).into_iter().flatten() {
                let others = input.get("to").and_then(Value::as_array).into_iter().flatten();
                for other in others.filter_map(|other| id_in(other, "id")) {
                    portal.part((from, end(input, "from")?), (to, other));
                }
            }
            Some(WireResponse::empty(204))
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
