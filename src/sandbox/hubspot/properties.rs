//! Property definitions of any type (HubSpot contract §9), and whether a write's values fit them (§7).

use super::answers::{error, invalid, not_found};
use super::objects::Takes;
use super::portal::Portal;
use super::record::{Choice, Definition};
use crate::domain::failure::Service;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Answers a call under a type's properties; none when there is no such call, or no such type.
pub fn answer(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    kind: &str,
    path: &[&str],
) -> Option<WireResponse> {
    let known = known(portal, kind)?;
    match (request.method.as_str(), path) {
        ("GET", []) => {
            let all: Vec<Value> = known.iter().map(|(name, definition)| shown(name, definition)).collect();
            Some(WireResponse::json(200, &json!({ "results": all })))
        }
        ("GET", [name]) => Some(match known.get(*name) {
            Some(definition) => WireResponse::json(200, &shown(name, definition)),
            None => not_found("Property"),
        }),
        ("POST", []) => Some(create(portal, scene, request, kind)),
        _ => None,
    }
}

/// The properties that records of a type have; none without such a type. Where a type takes any, whatever one of its
/// records has is among them.
fn known(portal: &Portal, kind: &str) -> Option<BTreeMap<String, Definition>> {
    if kind == "contacts" {
        return Some(portal.definitions.clone());
    }
    let table = portal.objects.get(kind)?;
    let mut known = table.definitions.clone();
    if table.takes == Takes::Any {
        let used = table.records.values().flat_map(|record| record.properties.keys());
        for name in used {
            known.entry(name.clone()).or_insert_with(|| Definition::plain(name, "string", "text"));
        }
        known.extend(of_hubspot());
    }
    Some(known)
}

/// What HubSpot gives every type but contacts.
pub(super) fn of_hubspot() -> BTreeMap<String, Definition> {
    let own = [
        ("createdate", "datetime", "date"),
        ("hs_lastmodifieddate", "datetime", "date"),
        ("hs_merged_object_ids", "string", "text"),
        ("hs_object_id", "number", "number"),
    ];
    own.map(|(name, kind, field)| (name.to_owned(), Definition::plain(name, kind, field).read_only())).into()
}

/// A property as a body defines it; the group may be missing where the type has one of its own.
pub(super) fn defined(body: &Value, group: &str) -> Result<(String, Definition), WireResponse> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let group = text(body, "groupName").or_else(|| Some(group.to_owned()).filter(|group| !group.is_empty()));
    let (Some(name), Some(label), Some(kind), Some(field), Some(group)) =
        (text(body, "name"), text(body, "label"), text(body, "type"), text(body, "fieldType"), group)
    else {
        return Err(invalid("name, label, type, fieldType and groupName are needed."));
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(invalid("The name takes lower-case letters, digits and _ only."));
    }
    let options = body.get("options").and_then(Value::as_array).into_iter().flatten();
    let options = options.filter_map(|option| {
        let value = text(option, "value")?;
        Some(Choice { label: text(option, "label").unwrap_or_else(|| value.clone()), value })
    });
    let options = options.collect();
    let plain = Definition::plain(&label, &kind, &field);
    Ok((name, Definition { group, options, defined_by_hubspot: false, ..plain }))
}

fn create(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest, kind: &str) -> WireResponse {
    let (name, definition) = match defined(&request.json().unwrap_or(Value::Null), "") {
        Ok(defined) => defined,
        Err(refusal) => return refusal,
    };
    let definitions = match portal.objects.get_mut(kind) {
        Some(table) if kind != "contacts" => &mut table.definitions,
        _ => &mut portal.definitions,
    };
    if definitions.contains_key(&name) {
        let mut refusal =
            error(409, "OBJECT_ALREADY_EXISTS", "A property with this name exists.", Vec::new());
        let mut value = refusal.value();
        set(&mut value, "subCategory", json!("Properties.PROPERTY_WITH_NAME_EXISTS"));
        refusal.body = value.to_string().into_bytes();
        return refusal;
    }
    let answer = WireResponse::json(201, &shown(&name, &definition));
    definitions.insert(name.clone(), definition);
    // What is defined for other types is not hsmc's doing.
    if kind == "contacts" {
        scene.record(Service::HubSpot, What::PropertyCreated { property: name });
    }
    answer
}

/// A property as the API shows it.
pub(super) fn shown(name: &str, definition: &Definition) -> Value {
    let options: Vec<Value> = definition
        .options
        .iter()
        .enumerate()
        .map(|(order, choice)| {
            json!({ "label": choice.label, "value": choice.value, "hidden": false, "displayOrder": order })
        })
        .collect();
    json!({
        "name": name, "label": definition.label, "type": definition.kind, "fieldType": definition.field,
        "groupName": definition.group, "options": options, "calculated": false, "hidden": false,
        "archived": false, "hubspotDefined": definition.defined_by_hubspot, "hasUniqueValue": name == "email",
        "modificationMetadata": {
            "archivable": !definition.defined_by_hubspot, "readOnlyDefinition": definition.defined_by_hubspot,
            "readOnlyValue": definition.read_only, "readOnlyOptions": false,
        },
    })
}

/// The properties of a write as text; null is none.
pub(super) fn written(input: &Value) -> BTreeMap<String, String> {
    let members = input.get("properties").and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value))).collect()
}

/// The properties of a write as text, or the first that a type's definitions do not allow.
pub(super) fn checked(
    definitions: &BTreeMap<String, Definition>,
    scene: &mut Scene<'_>,
    input: &Value,
) -> Result<BTreeMap<String, String>, Value> {
    let changes = written(input);
    for (name, value) in &changes {
        let Some(definition) = definitions.get(name) else {
            return Err(problem(name, "PROPERTY_DOESNT_EXIST"));
        };
        if definition.read_only {
            scene.violation(Service::HubSpot, "read-only-property", name.clone());
            return Err(problem(name, "READ_ONLY_VALUE"));
        }
        if !value.is_empty() && !definition.offers(value) {
            return Err(problem(name, "INVALID_OPTION"));
        }
    }
    Ok(changes)
}

/// What is wrong with a property's value.
pub(super) fn problem(name: &str, code: &str) -> Value {
    json!({ "message": format!("Property \"{name}\": {code}"), "code": code,
            "context": { "propertyName": [name] } })
}

/// 400, for what is wrong with properties.
pub(super) fn refused(problems: Vec<Value>) -> WireResponse {
    error(400, "VALIDATION_ERROR", "Property values were not valid", problems)
}
