//! Custom types: what they are called, which properties their records have and must have, and with which types they
//! can be associated (HubSpot contract §1, §7). hsmc reads them; whoever fills an account makes them, without effects.
//!
//! A type made by a call takes the properties it was made with and those added since; a type that a scenario made takes
//! any, as HubSpot's own do here.

use super::answers::{error, invalid, not_found};
use super::objects::Takes;
use super::portal::Portal;
use super::properties;
use super::record::Definition;
use super::types::qualified;
use crate::domain::time::Timestamp;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, iso_millis, set};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A custom type.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    /// Its name.
    pub(super) name: String,
    /// `labels`: one record and several.
    labels: [String; 2],
    /// `description`.
    description: Option<String>,
    /// Properties without which no record is made.
    required: Vec<String>,
    /// The property that a record is called by.
    primary: Option<String>,
    /// Properties shown beside it.
    secondary: Vec<String>,
    /// Properties that a search looks into.
    searchable: Vec<String>,
    /// With which types its records can be associated, in the order they were named.
    associated: Vec<String>,
    /// When it was made.
    created: Timestamp,
}

impl Portal {
    /// Defines a custom type that takes any property and can be associated with every other, for whoever builds a
    /// scenario.
    pub fn define_object(&mut self, scene: &Scene<'_>, id: &str, name: &str) {
        let schema = Schema {
            name: name.to_owned(),
            labels: [name.to_owned(), name.to_owned()],
            description: None,
            required: Vec::new(),
            primary: None,
            secondary: Vec::new(),
            searchable: Vec::new(),
            associated: Vec::new(),
            created: scene.now,
        };
        self.custom.insert(id.to_owned(), schema);
        self.has_objects(id);
    }

    /// Defines a type that HubSpot has anyway, for whoever builds a scenario.
    pub fn has_objects(&mut self, kind: &str) {
        self.objects.entry(kind.to_owned()).or_default();
        let others: Vec<String> = self.objects.keys().cloned().chain(["contacts".to_owned()]).collect();
        for other in others {
            self.associate(kind, &other);
        }
    }

    fn associate(&mut self, from: &str, to: &str) -> u64 {
        let singulars = (self.singular(from), self.singular(to));
        self.kinds.allow((from, to), (&singulars.0, &singulars.1))
    }
}

/// Answers a call under the schemas; none when there is no such call.
pub(super) fn answer(
    portal: &mut Portal,
    scene: &Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    match (request.method.as_str(), path) {
        ("GET", []) => {
            let all: Vec<Value> =
                portal.custom.iter().map(|(id, schema)| shown(portal, id, schema)).collect();
            Some(WireResponse::json(200, &json!({ "results": all })))
        }
        ("GET", [kind]) => Some(match portal.custom.get_key_value(&portal.named(kind)) {
            Some((id, schema)) => WireResponse::json(200, &shown(portal, id, schema)),
            None => not_found("The type"),
        }),
        ("POST", []) => Some(create(portal, scene, &request.json().unwrap_or(Value::Null))),
        ("POST", [kind, "associations"]) => Some(associate(portal, request, kind)),
        _ => None,
    }
}

/// What keeps a record of this type from being made: the required properties that it lacks.
pub(super) fn missing(portal: &Portal, kind: &str, given: &BTreeMap<String, String>) -> Vec<Value> {
    let required = portal.custom.get(kind).into_iter().flat_map(|schema| &schema.required);
    required
        .filter(|name| given.get(*name).is_none_or(String::is_empty))
        .map(|name| {
            json!({ "message": format!("Property \"{name}\" is required"), "code": "MISSING_REQUIRED_PROPERTY",
                    "context": { "propertyName": [name] } })
        })
        .collect()
}

fn texts(body: &Value, name: &str) -> Vec<String> {
    let texts = body.get(name).and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn create(portal: &mut Portal, scene: &Scene<'_>, body: &Value) -> WireResponse {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || portal.custom.values().any(|known| known.name == name) {
        return invalid("A name is needed that no type has.");
    }
    let mut definitions = properties::of_hubspot();
    for property in body.get("properties").and_then(Value::as_array).into_iter().flatten() {
        match properties::defined(property, &format!("{name}_information")) {
            Ok((name, definition)) => definitions.insert(name, definition),
            Err(refusal) => return refusal,
        };
    }
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let label = |which: &str| {
        let given = body.get("labels").and_then(|labels| text(labels, which));
        given.unwrap_or_else(|| name.to_owned())
    };
    let schema = Schema {
        name: name.to_owned(),
        labels: [label("singular"), label("plural")],
        description: text(body, "description"),
        required: texts(body, "requiredProperties"),
        primary: text(body, "primaryDisplayProperty"),
        secondary: texts(body, "secondaryDisplayProperties"),
        searchable: texts(body, "searchableProperties"),
        associated: texts(body, "associatedObjects")
            .iter()
            .map(|kind| portal.named(&kind.to_lowercase()))
            .collect(),
        created: scene.now,
    };
    let named = schema.required.iter().chain(&schema.primary).chain(&schema.secondary);
    if let Some(unknown) = named.chain(&schema.searchable).find(|name| !definitions.contains_key(*name)) {
        let problem = json!({ "message": format!("Property \"{unknown}\" does not exist"),
            "code": "PROPERTY_DOESNT_EXIST", "context": { "propertyName": [unknown] } });
        return error(400, "VALIDATION_ERROR", "The type names a property it lacks.", vec![problem]);
    }
    if let Some(unknown) = schema.associated.iter().find(|kind| !portal.has_type(kind)) {
        return invalid(&format!("There is no type {unknown} to be associated with."));
    }
    let id = format!("2-{}", portal.next_id());
    let associated = schema.associated.clone();
    portal.custom.insert(id.clone(), schema);
    let table = portal.objects.entry(id.clone()).or_default();
    table.definitions = definitions;
    table.takes = Takes::Defined;
    for other in associated {
        portal.associate(&id, &other);
    }
    match portal.custom.get(&id) {
        Some(schema) => WireResponse::json(201, &shown(portal, &id, schema)),
        None => not_found("The type"),
    }
}

/// Lets a custom type's records be associated with those of another type.
fn associate(portal: &mut Portal, request: &WireRequest, kind: &str) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let end = |name: &str| body.get(name).and_then(Value::as_str).map(|kind| portal.named(kind));
    let (kind, Some(from), Some(to)) = (portal.named(kind), end("fromObjectTypeId"), end("toObjectTypeId"))
    else {
        return invalid("fromObjectTypeId and toObjectTypeId are needed.");
    };
    if !portal.has_type(&from) || !portal.has_type(&to) || ![&from, &to].contains(&&kind) {
        return invalid("The types must be known, and one of them this one.");
    }
    let other = if from == kind { to.clone() } else { from.clone() };
    let Some(schema) = portal.custom.get_mut(&kind) else { return not_found("The type") };
    if !schema.associated.contains(&other) {
        schema.associated.push(other);
    }
    let number = portal.associate(&from, &to);
    WireResponse::json(201, &association(portal, &from, &to, number))
}

fn association(portal: &Portal, from: &str, to: &str, number: u64) -> Value {
    let name = portal.kinds.get((from, to), number).map(|kind| kind.name.as_str());
    json!({
        "id": number.to_string(), "name": name,
        "fromObjectTypeId": portal.type_id(from), "toObjectTypeId": portal.type_id(to),
    })
}

/// A custom type as the API shows it: its associations in both directions.
fn shown(portal: &Portal, id: &str, schema: &Schema) -> Value {
    let none = BTreeMap::new();
    let definitions: &BTreeMap<String, Definition> =
        portal.objects.get(id).map_or(&none, |table| &table.definitions);
    let properties: Vec<Value> =
        definitions.iter().map(|(name, definition)| properties::shown(name, definition)).collect();
    let directions = schema.associated.iter().flat_map(|other| [(id, other.as_str()), (other.as_str(), id)]);
    let associations: Vec<Value> = directions
        .filter_map(|(from, to)| {
            let number = portal.kinds.unlabelled((from, to))?;
            Some(association(portal, from, to, number))
        })
        .collect();
    let [singular, plural] = &schema.labels;
    let mut value = json!({
        "id": id, "objectTypeId": id, "name": schema.name, "fullyQualifiedName": qualified(&schema.name),
        "archived": false, "labels": { "singular": singular, "plural": plural }, "properties": properties,
        "associations": associations, "requiredProperties": schema.required,
        "searchableProperties": schema.searchable, "secondaryDisplayProperties": schema.secondary,
        "createdAt": iso_millis(schema.created), "updatedAt": iso_millis(schema.created),
    });
    for (name, text) in [("primaryDisplayProperty", &schema.primary), ("description", &schema.description)] {
        if let Some(text) = text {
            set(&mut value, name, text.as_str());
        }
    }
    value
}
