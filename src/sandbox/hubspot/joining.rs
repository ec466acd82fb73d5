//! Records joined and parted, one by one, by the dozen, and when they are made (HubSpot contract §10). hsmc makes none
//! of these calls, but whoever fills an account does; they leave no effects.
//!
//! A kind of association that nobody has defined, and a record that is not there, refuse the whole call: nothing is
//! joined in another way than was asked for.

use super::answers::{envelope, error, invalid, not_found};
use super::associations;
use super::kinds::{Between, Category};
use super::portal::Portal;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Value, json};

const CREATE_LIMIT: usize = 2_000;

fn id_in(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_str()?.parse().ok()
}

fn refused(why: &str, context: Value) -> WireResponse {
    let mut refusal = error(400, "VALIDATION_ERROR", "One or more associations are invalid", Vec::new());
    let mut body = refusal.value();
    set(&mut body, "context", json!({ why: context }));
    refusal.body = body.to_string().into_bytes();
    refusal
}

/// The numbers of the kinds that a write's `types` name, or the refusal. Without any the unlabelled kind is meant.
fn kinds_in(portal: &Portal, between: Between<'_>, types: &Value) -> Result<Vec<u64>, WireResponse> {
    let asked = match types {
        Value::Null => &[],
        Value::Array(types) => types.as_slice(),
        _ => return Err(invalid("types is no array.")),
    };
    let unknown = |what: String| refused("INVALID_ASSOCIATION_TYPES", json!([what]));
    let (from, to) = between;
    if asked.is_empty() {
        let unlabelled = portal.kinds.unlabelled(between).map(|number| vec![number]);
        return unlabelled.ok_or_else(|| unknown(format!("{from} cannot be associated with {to}")));
    }
    let number = |asked: &Value| {
        let category = asked.get("associationCategory").and_then(Value::as_str).unwrap_or_default();
        let number = asked.get("associationTypeId").and_then(Value::as_u64);
        let known = number.filter(|number| {
            portal.kinds.get(between, *number).is_some_and(|kind| kind.category.wire() == category)
        });
        known.ok_or_else(|| {
            let number = number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
            unknown(format!("{category} {number} from {from} to {to} is not defined"))
        })
    };
    asked.iter().map(number).collect()
}

/// The record that an id stands for, the survivor where it was merged; or the refusal.
fn there(portal: &Portal, kind: &str, id: u64) -> Result<u64, WireResponse> {
    let found = match kind {
        "contacts" => portal.contact(id).map(|record| record.id),
        kind => portal.objects.get(kind).filter(|table| table.records.contains_key(&id)).map(|_| id),
    };
    found.ok_or_else(|| refused("INVALID_OBJECT_IDS", json!([format!("{kind}={id} is not valid")])))
}

/// What joins one record with others: `objects/{from}/{id}/associations/…`; none when there is no such call.
pub(super) fn of_record(
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
            let joined = portal.joined_with(from, id, &to).into_iter().flatten();
            let rows: Vec<Value> = joined
                .map(|(other, kinds)| associations::shown(portal, (from, &to), *other, kinds))
                .collect();
            Some(WireResponse::json(200, &json!({ "results": rows })))
        }
        ("PUT", ["default", to, other]) => {
            let Ok(other) = other.parse::<u64>() else { return Some(not_found("resource")) };
            let to = portal.named(to);
            Some(match join(portal, (from, id), (&to, other), &Value::Null) {
                Ok((_, kinds)) => {
                    let row = json!({ "from": { "id": id.to_string() }, "to": { "id": other.to_string() },
                        "associationSpec": { "associationCategory": Category::HubSpot.wire(),
                            "associationTypeId": kinds.first() } });
                    envelope(200, scene.now, vec![row], Vec::new())
                }
                Err(refusal) => refusal,
            })
        }
        ("PUT", [to, other]) => {
            let Ok(other) = other.parse::<u64>() else { return Some(not_found("resource")) };
            let (to, types) = (portal.named(to), request.json().unwrap_or(Value::Null));
            Some(match join(portal, (from, id), (&to, other), &types) {
                Ok((row, _)) => WireResponse::json(201, &row),
                Err(refusal) => refusal,
            })
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

/// Joins two records as the types say; what was joined, as the API shows it, and the numbers of the kinds.
fn join(
    portal: &mut Portal,
    (from, id): (&str, u64),
    (to, other): (&str, u64),
    types: &Value,
) -> Result<(Value, Vec<u64>), WireResponse> {
    let (id, other) = (there(portal, from, id)?, there(portal, to, other)?);
    let kinds = kinds_in(portal, (from, to), types)?;
    kinds.iter().for_each(|number| portal.link_as((from, id), (to, other), *number));
    let labels = kinds.iter().filter_map(|number| portal.kinds.get((from, to), *number)?.label.as_ref());
    let row = json!({
        "fromObjectTypeId": portal.type_id(from), "fromObjectId": id,
        "toObjectTypeId": portal.type_id(to), "toObjectId": other,
        "labels": labels.collect::<Vec<&String>>(),
    });
    Ok((row, kinds))
}

/// What joins records of two types, by the dozen; none when there is no such call.
pub(super) fn between(
    portal: &mut Portal,
    scene: &Scene<'_>,
    request: &WireRequest,
    between: Between<'_>,
    path: &[&str],
) -> Option<WireResponse> {
    let body = request.json().unwrap_or(Value::Null);
    let done = |done: Result<(), WireResponse>| match done {
        Ok(()) => WireResponse::empty(204),
        Err(refusal) => refusal,
    };
    match (request.method.as_str(), path) {
        ("POST", ["batch", "create"]) => Some(create(portal, scene, between, &body, 201)),
        ("POST", ["batch", "associate", "default"]) => Some(create(portal, scene, between, &body, 200)),
        ("POST", ["batch", "archive"]) => Some(done(archive(portal, between, &body))),
        ("POST", ["batch", "labels", "archive"]) => Some(done(archive_labels(portal, between, &body))),
        _ => None,
    }
}

fn inputs(body: &Value) -> Result<&[Value], WireResponse> {
    let inputs = body.get("inputs").and_then(Value::as_array);
    inputs.map(Vec::as_slice).ok_or_else(|| invalid("inputs is missing."))
}

fn ends(input: &Value) -> Result<(u64, u64), WireResponse> {
    let end = |name: &str| id_in(input.get(name)?, "id");
    end("from").zip(end("to")).ok_or_else(|| invalid("from and to are needed."))
}

fn create(
    portal: &mut Portal,
    scene: &Scene<'_>,
    (from, to): Between<'_>,
    body: &Value,
    status: u16,
) -> WireResponse {
    let inputs = match inputs(body) {
        Ok(inputs) if inputs.len() <= CREATE_LIMIT => inputs,
        Ok(_) => return invalid("At most 2000 inputs."),
        Err(refusal) => return refusal,
    };
    let types = |input: &Value| input.get("types").cloned().unwrap_or(Value::Null);
    // All are looked at before any is joined: one wrong input refuses the call.
    let looked_at: Result<Vec<(u64, u64)>, WireResponse> = inputs
        .iter()
        .map(|input| {
            let (id, other) = ends(input)?;
            kinds_in(portal, (from, to), &types(input))?;
            Ok((there(portal, from, id)?, there(portal, to, other)?))
        })
        .collect();
    let pairs = match looked_at {
        Ok(pairs) => pairs,
        Err(refusal) => return refusal,
    };
    let mut rows = Vec::with_capacity(pairs.len());
    for ((id, other), input) in pairs.into_iter().zip(inputs) {
        match join(portal, (from, id), (to, other), &types(input)) {
            Ok((mut row, _)) => {
                set(&mut row, "from", json!({ "id": id.to_string() }));
                set(&mut row, "to", json!({ "id": other.to_string() }));
                rows.push(row);
            }
            Err(refusal) => return refusal,
        }
    }
    envelope(status, scene.now, rows, Vec::new())
}

/// Removes whatever joins two records; of those that nothing joins there is nothing to remove.
fn archive(portal: &mut Portal, (from, to): Between<'_>, body: &Value) -> Result<(), WireResponse> {
    for input in inputs(body)? {
        let id = input.get("from").and_then(|end| id_in(end, "id"));
        let id = id.ok_or_else(|| invalid("from and to are needed."))?;
        let others = input.get("to").and_then(Value::as_array).into_iter().flatten();
        for other in others.filter_map(|other| id_in(other, "id")) {
            portal.part((from, id), (to, other));
        }
    }
    Ok(())
}

/// Removes single labels.
fn archive_labels(portal: &mut Portal, (from, to): Between<'_>, body: &Value) -> Result<(), WireResponse> {
    let mut wanted = Vec::new();
    for input in inputs(body)? {
        let types = input.get("types").filter(|types| types.as_array().is_some_and(|all| !all.is_empty()));
        let types = types.ok_or_else(|| invalid("types is missing."))?;
        wanted.push((ends(input)?, kinds_in(portal, (from, to), types)?));
    }
    for ((id, other), kinds) in wanted {
        for number in kinds {
            portal.part_from((from, id), (to, other), number);
        }
    }
    Ok(())
}

/// What one record that is to be made shall be joined with.
#[derive(Debug)]
pub(super) struct Wish {
    trace: Option<Value>,
    /// By type, record and kinds.
    ends: Vec<(String, u64, Vec<u64>)>,
}

/// What the records that a call makes shall be joined with, input by input; or why the call is refused. Empty where it
/// makes none.
pub(super) fn wishes(
    portal: &Portal,
    request: &WireRequest,
    kind: &str,
    path: &[&str],
) -> Result<Vec<Wish>, WireResponse> {
    if request.method != "POST" || !matches!(path, [] | ["batch", "create"]) {
        return Ok(Vec::new());
    }
    let body = request.json().unwrap_or(Value::Null);
    let inputs = match path {
        [] => std::slice::from_ref(&body),
        _ => body.get("inputs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice),
    };
    let wish = |input: &Value| {
        let associations = input.get("associations").and_then(Value::as_array).into_iter().flatten();
        let end = |wanted: &Value| {
            let other = wanted.get("to").and_then(|to| id_in(to, "id"));
            let other = other.ok_or_else(|| invalid("An association needs the id it goes to."))?;
            let invalid_id = || refused("INVALID_OBJECT_IDS", json!([format!("{other} is not valid")]));
            let to = portal.kind_of(other).ok_or_else(invalid_id)?;
            let other = there(portal, &to, other)?;
            let types = wanted.get("types").unwrap_or(&Value::Null);
            let kinds = kinds_in(portal, (kind, &to), types)?;
            Ok((to, other, kinds))
        };
        let ends = associations.map(end).collect::<Result<Vec<_>, WireResponse>>()?;
        Ok(Wish { trace: input.get("objectWriteTraceId").cloned(), ends })
    };
    inputs.iter().map(wish).collect()
}

/// Joins what was made as was wished: where some could not be made, the trace ids tell which is which.
pub(super) fn join_made(portal: &mut Portal, kind: &str, wishes: &[Wish], answer: &WireResponse) {
    if wishes.iter().all(|wish| wish.ends.is_empty()) || !(200..300).contains(&answer.status) {
        return;
    }
    let answer = answer.value();
    let made = match answer.get("results").and_then(Value::as_array) {
        Some(several) => several.as_slice(),
        None => std::slice::from_ref(&answer),
    };
    for (position, made) in made.iter().enumerate() {
        let wish = match made.get("objectWriteTraceId") {
            Some(trace) => wishes.iter().find(|wish| wish.trace.as_ref() == Some(trace)),
            None => wishes.get(position),
        };
        let (Some(wish), Some(id)) = (wish, id_in(made, "id")) else { continue };
        for (to, other, kinds) in &wish.ends {
            kinds.iter().for_each(|number| portal.link_as((kind, id), (to, *other), *number));
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
