//! What joins two records, and how (HubSpot contract §10): kept for both directions, paged per input.

use super::answers::{envelope, invalid};
use super::portal::Portal;
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

const BATCH_LIMIT: usize = 1_000;

/// By both types, then both records: the labels; an empty one is the unlabelled kind.
pub(super) type Links = BTreeMap<(String, String), BTreeMap<u64, BTreeMap<u64, BTreeSet<String>>>>;

impl Portal {
    /// Joins two records, with a label or without.
    pub fn link(&mut self, (from, id): (&str, u64), (to, other): (&str, u64), label: &str) {
        let mut put = |from: &str, id, to: &str, other| {
            let between = self.links.entry((from.to_owned(), to.to_owned())).or_default();
            between.entry(id).or_default().entry(other).or_default().insert(label.to_owned());
        };
        put(from, id, to, other);
        put(to, other, from, id);
    }

    /// Parts two records, whatever joins them.
    pub fn part(&mut self, (from, id): (&str, u64), (to, other): (&str, u64)) {
        let mut take = |from: &str, id, to: &str, other| {
            let between = self.links.get_mut(&(from.to_owned(), to.to_owned()));
            if let Some(joined) = between.and_then(|between| between.get_mut(&id)) {
                joined.remove(&other);
            }
        };
        take(from, id, to, other);
        take(to, other, from, id);
    }

    /// What a record is joined with.
    pub fn linked(&self, from: &str, id: u64, to: &str) -> BTreeMap<u64, BTreeSet<String>> {
        let between = self.links.get(&(from.to_owned(), to.to_owned()));
        between.and_then(|between| between.get(&id)).cloned().unwrap_or_default()
    }

    /// The labels in use between two types, the unlabelled kind first.
    pub(super) fn labels(&self, (from, to): (&str, &str)) -> BTreeSet<String> {
        let between = self.links.get(&(from.to_owned(), to.to_owned()));
        let used = between.into_iter().flat_map(|all| all.values().flat_map(BTreeMap::values)).flatten();
        used.cloned().chain([String::new()]).collect()
    }

    /// A record is gone: nothing is joined with it any more.
    pub(super) fn unlink(&mut self, kind: &str, id: u64) {
        for ((from, to), between) in &mut self.links {
            if from == kind {
                between.remove(&id);
            }
            if to == kind {
                between.values_mut().for_each(|joined| {
                    joined.remove(&id);
                });
            }
        }
    }

    /// A record lives on under another id.
    pub(super) fn relink(&mut self, kind: &str, old: u64, new: u64) {
        for ((from, to), between) in &mut self.links {
            if from == kind
                && let Some(joined) = between.remove(&old)
            {
                between.entry(new).or_default().extend(joined);
            }
            if to == kind {
                for joined in between.values_mut() {
                    if let Some(labels) = joined.remove(&old) {
                        joined.entry(new).or_default().extend(labels);
                    }
                }
            }
        }
    }
}

/// Answers a call under the prefix of two types; none when there is no such call.
pub(super) fn answer(
    portal: &Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    (from, to): (&str, &str),
    path: &[&str],
) -> Option<WireResponse> {
    match (request.method.as_str(), path) {
        ("POST", ["batch", "read"]) => Some(batch_read(portal, scene, request, from, to)),
        _ => None,
    }
}

fn batch_read(
    portal: &Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    from: &str,
    to: &str,
) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let Some(inputs) = body.get("inputs").and_then(Value::as_array) else {
        return invalid("inputs is missing.");
    };
    if inputs.len() > BATCH_LIMIT {
        scene.violation(Service::HubSpot, "batch-over-limit", "associations batch read");
        return invalid("At most 1000 inputs.");
    }
    let none = BTreeMap::new();
    let between = portal.links.get(&(from.to_owned(), to.to_owned()));
    let (mut results, mut without) = (Vec::new(), Vec::new());
    for input in inputs {
        let Some(id) = input.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok()) else {
            return invalid("id is no number.");
        };
        let after = match input.get("after").and_then(Value::as_str) {
            None => Bound::Unbounded,
            Some(text) => match text.parse::<u64>() {
                Ok(last) => Bound::Excluded(last),
                Err(_) => return invalid("after is no cursor."),
            },
        };
        let joined = between.and_then(|between| between.get(&id)).unwrap_or(&none);
        if joined.is_empty() {
            without.push(id.to_string());
            continue;
        }
        let mut rows = joined.range((after, Bound::Unbounded)).peekable();
        let page: Vec<_> = rows.by_ref().take(scene.settings.association_page).collect();
        let last = page.last().map(|(other, _)| **other);
        let shown: Vec<Value> =
            page.into_iter().map(|(other, labels)| shown((from, to), *other, labels)).collect();
        let mut row = json!({ "from": { "id": id.to_string() }, "to": shown });
        if let (Some(last), true) = (last, rows.peek().is_some()) {
            set(&mut row, "paging", json!({ "next": { "after": last.to_string() } }));
        }
        results.push(row);
    }
    let errors = match without.is_empty() {
        true => Vec::new(),
        false => vec![json!({
            "status": "error", "category": "OBJECT_NOT_FOUND",
            "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "message": "No associations were found.", "context": { "fromObjectId": without },
        })],
    };
    envelope(200, scene.now, results, errors)
}

/// A record and what joins it.
pub(super) fn shown(between: (&str, &str), other: u64, labels: &BTreeSet<String>) -> Value {
    let types: Vec<Value> = labels.iter().map(|label| kind(between, label)).collect();
    json!({ "toObjectId": other, "associationTypes": types })
}

/// The number of a label between two types; without one that of the unlabelled kind.
pub(super) fn type_of(between: (&str, &str), label: &str) -> u64 {
    match (between, label) {
        (("contacts", "companies"), "") => 279,
        (("companies", "contacts"), "") => 280,
        (("deals", "contacts"), "") => 3,
        (("contacts", "deals"), "") => 4,
        (("deals", "companies"), "") => 341,
        (("companies", "deals"), "") => 342,
        (_, "") => 900,
        (_, label) => 1_000 + label.len() as u64,
    }
}

/// A label as the API shows it.
pub(super) fn kind(between: (&str, &str), label: &str) -> Value {
    let id = type_of(between, label);
    match label {
        "" => json!({ "category": "HUBSPOT_DEFINED", "typeId": id, "label": null }),
        label => json!({ "category": "USER_DEFINED", "typeId": id, "label": label }),
    }
}
