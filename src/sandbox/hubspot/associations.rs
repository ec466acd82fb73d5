//! What joins two records, and how (HubSpot contract §10): kept for both directions, read page by page for each input.
//! Whoever is joined in some way is joined without a label too, as HubSpot has it.

use super::answers::{envelope, invalid};
use super::kinds::{Between, Kind};
use super::portal::Portal;
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

const BATCH_LIMIT: usize = 1_000;

/// By both types, then both records: the numbers of the kinds.
pub(super) type Links = BTreeMap<(String, String), BTreeMap<u64, BTreeMap<u64, BTreeSet<u64>>>>;

impl Portal {
    /// Joins two records, with a label or without. A label that nobody has defined is defined.
    pub fn link(&mut self, (from, id): (&str, u64), (to, other): (&str, u64), label: &str) {
        let singulars = (self.singular(from), self.singular(to));
        let unlabelled = self.kinds.allow((from, to), (&singulars.0, &singulars.1));
        let number = match label {
            "" => unlabelled,
            label => self.kinds.labelled_or_made((from, to), label),
        };
        self.link_as((from, id), (to, other), number);
    }

    /// Joins two records in the way of that number.
    pub(super) fn link_as(&mut self, (from, id): (&str, u64), (to, other): (&str, u64), number: u64) {
        for number in self.kinds.unlabelled((from, to)).into_iter().chain([number]) {
            let Some(back) = self.kinds.get((from, to), number).map(|kind| kind.inverse) else { continue };
            let mut put = |from: &str, id, to: &str, other, number| {
                let between = self.links.entry((from.to_owned(), to.to_owned())).or_default();
                between.entry(id).or_default().entry(other).or_default().insert(number);
            };
            put(from, id, to, other, number);
            put(to, other, from, id, back);
        }
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

    /// Takes one kind from between two records; without the unlabelled one nothing joins them.
    pub(super) fn part_from(&mut self, (from, id): (&str, u64), (to, other): (&str, u64), number: u64) {
        let Some(kind) = self.kinds.get((from, to), number) else { return };
        if kind.label.is_none() {
            return self.part((from, id), (to, other));
        }
        let back = kind.inverse;
        let mut take = |from: &str, id, to: &str, other, number| {
            let between = self.links.get_mut(&(from.to_owned(), to.to_owned()));
            let joined = between.and_then(|between| between.get_mut(&id));
            if let Some(kinds) = joined.and_then(|joined| joined.get_mut(&other)) {
                kinds.remove(&number);
            }
        };
        take(from, id, to, other, number);
        take(to, other, from, id, back);
    }

    /// A kind is defined no more: nobody is joined in its way.
    pub(super) fn forget_kind(&mut self, (from, to): Between<'_>, number: u64, back: u64) {
        for ((from, to), number) in [((from, to), number), ((to, from), back)] {
            let between = self.links.get_mut(&(from.to_owned(), to.to_owned()));
            for kinds in between.into_iter().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut) {
                kinds.remove(&number);
            }
        }
    }

    /// What a record is joined with, by the labels; an empty one is the unlabelled kind.
    pub fn linked(&self, from: &str, id: u64, to: &str) -> BTreeMap<u64, BTreeSet<String>> {
        let label = |number: &u64| {
            let kind = self.kinds.get((from, to), *number);
            kind.and_then(|kind| kind.label.clone()).unwrap_or_default()
        };
        let joined = self.joined_with(from, id, to).into_iter().flatten();
        joined.map(|(other, kinds)| (*other, kinds.iter().map(label).collect())).collect()
    }

    /// What a record is joined with, by the numbers of the kinds.
    pub(super) fn joined_with(&self, from: &str, id: u64, to: &str) -> Option<&BTreeMap<u64, BTreeSet<u64>>> {
        self.links.get(&(from.to_owned(), to.to_owned()))?.get(&id)
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
                let survivor = between.entry(new).or_default();
                for (other, kinds) in joined {
                    survivor.entry(other).or_default().extend(kinds);
                }
            }
            if to == kind {
                for joined in between.values_mut() {
                    if let Some(kinds) = joined.remove(&old) {
                        joined.entry(new).or_default().extend(kinds);
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
    between: Between<'_>,
    path: &[&str],
) -> Option<WireResponse> {
    match (request.method.as_str(), path) {
        ("POST", ["batch", "read"]) => Some(batch_read(portal, scene, request, between)),
        _ => None,
    }
}

fn batch_read(
    portal: &Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    (from, to): Between<'_>,
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
        let joined = portal.joined_with(from, id, to).unwrap_or(&none);
        if joined.is_empty() {
            without.push(id.to_string());
            continue;
        }
        let mut rows = joined.range((after, Bound::Unbounded)).peekable();
        let page: Vec<_> = rows.by_ref().take(scene.settings.association_page).collect();
        let last = page.last().map(|(other, _)| **other);
        let shown: Vec<Value> =
            page.into_iter().map(|(other, kinds)| shown(portal, (from, to), *other, kinds)).collect();
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

/// A record and what joins it, the labels first: the contract promises no order.
pub(super) fn shown(portal: &Portal, between: Between<'_>, other: u64, kinds: &BTreeSet<u64>) -> Value {
    let known = kinds.iter().filter_map(|number| Some((*number, portal.kinds.get(between, *number)?)));
    let (labelled, plain): (Vec<_>, Vec<_>) = known.partition(|(_, kind)| kind.label.is_some());
    let types: Vec<Value> =
        labelled.into_iter().chain(plain).map(|(number, kind)| described(number, kind)).collect();
    json!({ "toObjectId": other, "associationTypes": types })
}

/// A kind as the API shows it.
pub(super) fn described(number: u64, kind: &Kind) -> Value {
    json!({ "category": kind.category.wire(), "typeId": number, "label": kind.label })
}
