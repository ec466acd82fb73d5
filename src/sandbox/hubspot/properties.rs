//! Property definitions (HubSpot contract §9).

use super::answers::{error, invalid, not_found};
use super::portal::Portal;
use super::record::Definition;
use crate::domain::failure::Service;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Value, json};

/// Answers a call under the properties prefix; none when there is no such call.
pub fn answer(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    match (request.method.as_str(), path) {
        ("GET", []) => {
            let all: Vec<Value> =
                portal.definitions.iter().map(|(name, definition)| shown(name, definition)).collect();
            Some(WireResponse::json(200, &json!({ "results": all })))
        }
        ("GET", [name]) => Some(match portal.definitions.get(*name) {
            Some(definition) => WireResponse::json(200, &shown(name, definition)),
            None => not_found("Property"),
        }),
        ("POST", []) => Some(create(portal, scene, request)),
        _ => None,
    }
}

/// The properties that any record of a type has.
pub fn of_objects(portal: &Portal, kind: &str) -> WireResponse {
    let own = portal.objects(kind).flat_map(|record| record.properties.keys().map(String::as_str));
    let hubspots = ["createdate", "hs_lastmodifieddate", "hs_merged_object_ids", "hs_object_id"];
    let names: std::collections::BTreeSet<&str> = own.chain(hubspots).collect();
    let all: Vec<Value> =
        names.into_iter().map(|name| shown(name, &Definition::plain(name, "string", "text"))).collect();
    WireResponse::json(200, &json!({ "results": all }))
}

fn create(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(name), Some(label), Some(kind), Some(field), Some(group)) =
        (text("name"), text("label"), text("type"), text("fieldType"), text("groupName"))
    else {
        return invalid("name, label, type, fieldType and groupName are needed.");
    };
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return invalid("The name takes lower-case letters, digits and _ only.");
    }
    if portal.definitions.contains_key(&name) {
        let mut refusal =
            error(409, "OBJECT_ALREADY_EXISTS", "A property with this name exists.", Vec::new());
        let mut value = refusal.value();
        set(&mut value, "subCategory", json!("Properties.PROPERTY_WITH_NAME_EXISTS"));
        refusal.body = value.to_string().into_bytes();
        return refusal;
    }
    let definition =
        Definition { group, defined_by_hubspot: false, ..Definition::plain(&label, &kind, &field) };
    let answer = WireResponse::json(201, &shown(&name, &definition));
    portal.definitions.insert(name.clone(), definition);
    scene.record(Service::HubSpot, What::PropertyCreated { property: name });
    answer
}

fn shown(name: &str, definition: &Definition) -> Value {
    let options: Vec<Value> = definition
        .options
        .iter()
        .enumerate()
        .map(|(order, value)| json!({ "label": value, "value": value, "hidden": false, "displayOrder": order }))
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
