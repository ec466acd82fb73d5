//! Lists and memberships (HubSpot contract §6).

use super::answers::{envelope, error, invalid, not_found};
use super::portal::Portal;
use super::record::{Joined, List};
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, iso_millis, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

const WRITE_LIMIT: usize = 100_000;
const BATCH_LIMIT: usize = 100;

/// Answers a call under the lists prefix; none when there is no such call.
pub fn answer(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    let response = match (request.method.as_str(), path) {
        ("GET", []) => several(portal, request),
        ("POST", ["search"]) => search(portal, request),
        ("GET", ["object-type-id", _, "name", name]) => by_name(portal, name),
        ("POST", ["records", "memberships", "batch", "read"]) => batch_read(portal, scene, request),
        ("GET", ["records", _, record, "memberships"]) => of_record(portal, record),
        ("GET", [list]) => one(portal, list),
        ("PUT", [list, "update-list-name"]) => rename(portal, scene, request, list),
        ("GET", [list, "memberships"]) => by_id(portal, request, list),
        ("GET", [list, "memberships", "join-order"]) => by_joining(portal, request, list),
        ("PUT", [list, "memberships", how @ ("add" | "remove" | "add-and-remove")]) => {
            write(portal, scene, request, list, how)
        }
        _ => return None,
    };
    Some(response)
}

fn find<'a>(portal: &'a Portal, text: &str) -> Result<(u64, &'a List), WireResponse> {
    text.parse()
        .ok()
        .and_then(|id| portal.lists.get(&id).map(|list| (id, list)))
        .ok_or_else(|| error(404, "OBJECT_NOT_FOUND", &format!("List {text} does not exist."), Vec::new()))
}

fn described(id: u64, list: &List) -> Value {
    json!({
        "listId": id.to_string(), "name": list.name, "objectTypeId": "0-1", "listVersion": 1,
        "processingType": if list.rule.is_some() { "DYNAMIC" } else { "MANUAL" },
        "processingStatus": list.processing,
        "createdAt": iso_millis(list.created), "updatedAt": iso_millis(list.updated),
    })
}

fn with_size(id: u64, list: &List) -> Value {
    let mut value = described(id, list);
    set(&mut value, "size", json!(list.members.len()));
    value
}

pub(super) fn one(portal: &Portal, list: &str) -> WireResponse {
    match find(portal, list) {
        Ok((id, list)) => WireResponse::json(200, &json!({ "list": with_size(id, list) })),
        Err(refusal) => refusal,
    }
}

fn by_name(portal: &Portal, name: &str) -> WireResponse {
    match portal.lists.iter().find(|(_, list)| list.name == name) {
        Some((id, list)) => WireResponse::json(200, &json!({ "list": with_size(*id, list) })),
        None => not_found("The list"),
    }
}

fn several(portal: &Portal, request: &WireRequest) -> WireResponse {
    let lists: Vec<Value> = request
        .query
        .iter()
        .filter(|(name, _)| name == "listIds")
        .filter_map(|(_, id)| find(portal, id).ok())
        .map(|(id, list)| with_size(id, list))
        .collect();
    WireResponse::json(200, &json!({ "lists": lists }))
}

fn search(portal: &Portal, request: &WireRequest) -> WireResponse {
    let Some(body) = request.json() else { return invalid("The body is no JSON.") };
    let number = |name: &str, default| body.get(name).map_or(Some(default), Value::as_u64);
    let (Some(count), Some(offset)) = (number("count", 20), number("offset", 0)) else {
        return invalid("count and offset are numbers.");
    };
    if count > 500 {
        return invalid("count must not exceed 500.");
    }
    let texts = |name: &str| -> Option<BTreeSet<String>> {
        let wanted: BTreeSet<String> = body.get(name)?.as_array()?.iter().map(plain).collect();
        (!wanted.is_empty()).then_some(wanted)
    };
    let (ids, kinds) = (texts("listIds"), texts("processingTypes"));
    let query = body.get("query").and_then(Value::as_str).unwrap_or("").to_lowercase();
    let hits: Vec<Value> = portal
        .lists
        .iter()
        .filter(|(id, _)| ids.as_ref().is_none_or(|ids| ids.contains(&id.to_string())))
        .filter(|(_, list)| list.name.to_lowercase().contains(&query))
        .map(|(id, list)| {
            let mut value = described(*id, list);
            set(&mut value, "additionalProperties", additional(list));
            value
        })
        .filter(|value| {
            kinds
                .as_ref()
                .is_none_or(|kinds| value.get("processingType").is_some_and(|k| kinds.contains(&plain(k))))
        })
        .collect();
    let total = hits.len();
    let (offset, count) =
        (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(count).unwrap_or(usize::MAX));
    let page: Vec<Value> = hits.into_iter().skip(offset).take(count).collect();
    let next = offset.saturating_add(page.len());
    let body = json!({ "lists": page, "total": total, "hasMore": next < total, "offset": next });
    WireResponse::json(200, &body)
}

/// What a list search tells about changes, all as strings.
fn additional(list: &List) -> Value {
    let mut value = json!({ "hs_list_size": list.members.len().to_string(), "hs_list_reference_count": "0" });
    if let Some(at) = list.last_added {
        set(&mut value, "hs_last_record_added_at", json!(at.0.to_string()));
    }
    if let Some(at) = list.last_removed {
        set(&mut value, "hs_last_record_removed_at", json!(at.0.to_string()));
    }
    value
}

/// A string as it is, a number as digits.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rename(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest, list: &str) -> WireResponse {
    let id = match find(portal, list) {
        Ok((id, _)) => id,
        Err(refusal) => return refusal,
    };
    let Some(name) = request.query("listName") else { return invalid("listName is missing.") };
    if !portal.rename_list(scene, id, name) {
        return invalid("A list with this name exists.");
    }
    match find(portal, list) {
        Ok((id, list)) => WireResponse::json(200, &json!({ "updatedList": with_size(id, list) })),
        Err(refusal) => refusal,
    }
}

fn by_id(portal: &Portal, request: &WireRequest, list: &str) -> WireResponse {
    match find(portal, list) {
        Ok((_, list)) => page(request, &list.members, |text| text.parse().ok(), u64::to_string, |id| *id),
        Err(refusal) => refusal,
    }
}

/// Oldest membership first. Whoever left and joined again stands where the last joining puts them: of the two answers
/// that the contract leaves open the harder one.
fn by_joining(portal: &Portal, request: &WireRequest, list: &str) -> WireResponse {
    let list = match find(portal, list) {
        Ok((_, list)) => list,
        Err(refusal) => return refusal,
    };
    let members: BTreeMap<(Timestamp, u64), Joined> =
        list.members.iter().map(|(id, joined)| ((joined.last, *id), *joined)).collect();
    let cursor = |text: &str| {
        let (at, id) = text.split_once('-')?;
        Some((Timestamp(at.parse().ok()?), id.parse().ok()?))
    };
    page(request, &members, cursor, |(at, id)| format!("{}-{id}", at.0), |(_, id)| *id)
}

/// A page of memberships in their order after a cursor, or with `before` alone against it.
fn page<Key: Ord + Copy>(
    request: &WireRequest,
    members: &BTreeMap<Key, Joined>,
    cursor: impl Fn(&str) -> Option<Key>,
    written: impl Fn(&Key) -> String,
    id: impl Fn(&Key) -> u64,
) -> WireResponse {
    let limit = match request.number("limit", 100) {
        Some(limit @ 1..=250) => limit,
        _ => return invalid("limit must lie between 1 and 250."),
    };
    let place = |name: &str| request.query(name).map_or(Ok(None), |text| cursor(text).map(Some).ok_or(()));
    let (Ok(after), Ok(before)) = (place("after"), place("before")) else {
        return error(400, "INVALID_CURSOR", "The cursor is wrong.", Vec::new());
    };
    let (mut rows, direction, name): (Box<dyn Iterator<Item = (&Key, &Joined)>>, _, _) = match (after, before)
    {
        (None, Some(before)) => (Box::new(members.range(..before).rev()), "prev", "before"),
        (Some(after), _) => {
            let rest = (Bound::Excluded(after), Bound::Unbounded);
            (Box::new(members.range(rest)), "next", "after")
        }
        (None, None) => (Box::new(members.iter()), "next", "after"),
    };
    let results: Vec<(&Key, &Joined)> = rows.by_ref().take(limit).collect();
    let last = results.last().map(|(key, _)| written(key));
    let shown: Vec<Value> = results
        .iter()
        .map(|(key, joined)| {
            json!({ "recordId": id(key).to_string(), "membershipTimestamp": iso_millis(joined.last) })
        })
        .collect();
    let mut body = json!({ "results": shown, "total": members.len() });
    if let (Some(last), true) = (last, rows.next().is_some()) {
        set(&mut body, "paging", json!({ direction: { name: last } }));
    }
    WireResponse::json(200, &body)
}

fn membership(list: u64, joined: Joined) -> Value {
    json!({
        "listId": list.to_string(), "listVersion": 1, "isPublicList": false,
        "firstAddedTimestamp": iso_millis(joined.last), "lastAddedTimestamp": iso_millis(joined.last),
    })
}

fn of_record(portal: &Portal, record: &str) -> WireResponse {
    let Some(record) = record.parse().ok().and_then(|id| portal.contact(id)) else {
        return not_found("The record");
    };
    let lists: Vec<Value> =
        portal.lists_of(record.id).into_iter().map(|(list, joined)| membership(list, joined)).collect();
    WireResponse::json(200, &json!({ "results": lists, "total": lists.len() }))
}

fn batch_read(portal: &Portal, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let Some(inputs) = body.get("inputs").and_then(Value::as_array) else {
        return invalid("inputs is missing.");
    };
    if inputs.len() > BATCH_LIMIT {
        scene.violation(Service::HubSpot, "batch-over-limit", "memberships batch read");
        return invalid("At most 100 inputs.");
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in inputs {
        let asked = input.get("recordId").map(plain).unwrap_or_default();
        match asked.parse().ok().and_then(|id: u64| portal.contacts.get(&id)) {
            Some(record) => results.push(json!({
                "objectTypeId": "0-1", "recordId": asked,
                "recordListMemberships": portal
                    .lists_of(record.id)
                    .into_iter()
                    .map(|(list, joined)| membership(list, joined))
                    .collect::<Vec<Value>>(),
            })),
            None => errors.push(json!({
                "status": "error", "category": "OBJECT_NOT_FOUND", "message": "No such record.",
                "context": { "ids": [asked] },
            })),
        }
    }
    envelope(200, scene.now, results, errors)
}

fn ids(value: Option<&Value>) -> Option<Vec<Option<u64>>> {
    // A bare array of ids as strings; an id that is no number simply does not exist.
    value?.as_array()?.iter().map(|id| id.as_str().map(|text| text.parse().ok())).collect()
}

fn write(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    list: &str,
    how: &str,
) -> WireResponse {
    let (id, dynamic) = match find(portal, list) {
        Ok((id, list)) => (id, list.rule.is_some()),
        Err(refusal) => return refusal,
    };
    let body = request.json().unwrap_or(Value::Null);
    let (add, remove) = match how {
        "add" => (ids(Some(&body)), Some(Vec::new())),
        "remove" => (Some(Vec::new()), ids(Some(&body))),
        _ => (
            ids(body.get("recordIdsToAdd").or(Some(&json!([])))),
            ids(body.get("recordIdsToRemove").or(Some(&json!([])))),
        ),
    };
    let (Some(add), Some(remove)) = (add, remove) else {
        return invalid("The body must be an array of record ids as strings.");
    };
    if dynamic {
        scene.violation(Service::HubSpot, "dynamic-list", format!("{how} on list {id}"));
        return invalid("Memberships of a list with processing type DYNAMIC cannot be changed.");
    }
    if add.len().max(remove.len()) > WRITE_LIMIT {
        scene.violation(Service::HubSpot, "batch-over-limit", format!("{how} on list {id}"));
        return invalid("Too many record ids.");
    }
    let mut missing = Vec::new();
    let mut apply = |wanted: Vec<Option<u64>>, joining: bool| -> Vec<String> {
        let mut changed = Vec::new();
        for contact in wanted {
            let Some(contact) = contact.and_then(|id| portal.contact(id)).map(|record| record.id) else {
                missing.extend(contact.map(|id| id.to_string()));
                continue;
            };
            let done =
                if joining { portal.join(scene, id, contact) } else { portal.leave(scene, id, contact) };
            if done {
                changed.push(contact.to_string());
            }
        }
        changed
    };
    let added = apply(add, true);
    let removed = apply(remove, false);
    let body = json!({ "recordsIdsAdded": added, "recordIdsRemoved": removed, "recordIdsMissing": missing });
    WireResponse::json(200, &body)
}
