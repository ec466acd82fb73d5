//! Objects other than contacts: companies, deals, appointments, custom ones (HubSpot contract §7). hsmc only reads
//! them; what changes them (`filling`, or an act) leaves no effects.

use super::answers::{envelope, error, invalid, not_found};
use super::index::Index;
use super::portal::Portal;
use super::record::{Definition, Record};
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, iso_millis, set};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const BATCH_LIMIT: usize = 100;

/// Records in the recycle bin, with since when.
pub(super) type Bin = BTreeMap<u64, (Arc<Record>, Timestamp)>;

/// Which properties the records of a type take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Takes {
    /// Any.
    #[default]
    Any,
    /// Those that are defined.
    Defined,
}

/// All records of one type.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub(super) takes: Takes,
    pub(super) definitions: BTreeMap<String, Definition>,
    pub(super) records: BTreeMap<u64, Arc<Record>>,
    pub(super) archived: Bin,
    pub(super) index: Index,
}

impl Portal {
    /// Makes a record of a type.
    pub fn create_object(
        &mut self,
        scene: &Scene<'_>,
        kind: &str,
        properties: BTreeMap<String, String>,
    ) -> u64 {
        let id = self.next_id();
        let record = Record::new(scene, id, properties);
        self.keep_object(scene, kind, record);
        id
    }

    fn keep_object(&mut self, scene: &Scene<'_>, kind: &str, record: Record) {
        let table = self.objects.entry(kind.to_owned()).or_default();
        let record = Arc::new(record);
        let due = scene.now.plus(scene.settings.index_lag);
        table.index.submit(due, record.id, Some(Arc::clone(&record)));
        table.records.insert(record.id, record);
    }

    /// Writes a record's property (empty = clear). False without such a record.
    pub fn set_object(&mut self, scene: &Scene<'_>, kind: &str, id: u64, name: &str, value: &str) -> bool {
        let Some(record) = self.objects.get(kind).and_then(|table| table.records.get(&id)) else {
            return false;
        };
        let mut record = Record::clone(record);
        let had = record.properties.get(name).map_or("", String::as_str);
        if had != value {
            record.history.note(scene, name, had, value);
        }
        if value.is_empty() {
            record.properties.remove(name);
        } else {
            record.properties.insert(name.to_owned(), value.to_owned());
        }
        record.modified = scene.now;
        self.keep_object(scene, kind, record);
        true
    }

    /// Archives a record. False without such a record.
    pub fn delete_object(&mut self, scene: &Scene<'_>, kind: &str, id: u64) -> bool {
        let Some(table) = self.objects.get_mut(kind) else { return false };
        let Some(record) = table.records.remove(&id) else { return false };
        table.archived.insert(id, (record, scene.now));
        table.index.submit(scene.now.plus(scene.settings.index_lag), id, None);
        self.unlink(kind, id);
        true
    }

    /// Merges two records into one with a new id, which is given back.
    pub fn merge_objects(&mut self, scene: &Scene<'_>, kind: &str, primary: u64, other: u64) -> Option<u64> {
        let table = self.objects.get_mut(kind)?;
        let (first, second) = (table.records.get(&primary)?.clone(), table.records.get(&other)?.clone());
        for old in [primary, other] {
            table.records.remove(&old);
            table.index.submit(scene.now.plus(scene.settings.index_lag), old, None);
        }
        let mut properties = second.properties.clone();
        properties.extend(first.properties.clone());
        let id = self.next_id();
        let merged = first.merged.iter().chain(&second.merged).copied().chain([primary, other]).collect();
        let created = first.created.min(second.created);
        let record = Record { created, merged, ..Record::new(scene, id, properties) };
        self.keep_object(scene, kind, record);
        for old in [primary, other] {
            self.relink(kind, old, id);
        }
        Some(id)
    }

    /// The records of a type, by id.
    pub fn objects(&self, kind: &str) -> impl Iterator<Item = &Record> {
        self.objects.get(kind).into_iter().flat_map(|table| table.records.values()).map(Arc::as_ref)
    }
}

/// Answers a call under a type's prefix; none when there is no such call, or no such type.
pub(super) fn answer(
    portal: &Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    kind: &str,
    path: &[&str],
) -> Option<WireResponse> {
    let table = portal.objects.get(kind)?;
    Some(match (request.method.as_str(), path) {
        ("GET", []) => page(&table.records, &table.archived, request, shown),
        ("POST", ["search"]) => super::search::answer(&table.index, request, shown),
        ("POST", ["batch", "read"]) => batch_read(table, scene, request, kind),
        ("GET", [id]) => match id.parse().ok().and_then(|id: u64| table.records.get(&id)) {
            Some(record) => WireResponse::json(200, &shown(record, &wanted_in_query(request))),
            None => not_found("resource"),
        },
        _ => return None,
    })
}

pub(super) fn shown(record: &Record, wanted: &[String]) -> Value {
    let mut properties = Map::new();
    for name in ["createdate", "hs_object_id", "hs_lastmodifieddate"]
        .into_iter()
        .chain(wanted.iter().map(String::as_str))
    {
        properties.insert(name.to_owned(), record.value(name).map_or(Value::Null, Value::String));
    }
    json!({
        "id": record.id.to_string(), "properties": properties, "archived": false,
        "createdAt": iso_millis(record.created), "updatedAt": iso_millis(record.modified),
    })
}

pub(super) fn wanted_in_query(request: &WireRequest) -> Vec<String> {
    let values = request.query.iter().filter(|(name, _)| name == "properties");
    values.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect()
}

/// A page of all records, or of the recycle bin.
pub(super) fn page(
    records: &BTreeMap<u64, Arc<Record>>,
    archived: &Bin,
    request: &WireRequest,
    shown: impl Fn(&Record, &[String]) -> Value,
) -> WireResponse {
    let Some(limit @ 1..=100) = request.number("limit", 10) else {
        return invalid("limit must lie between 1 and 100.");
    };
    let Ok(after) = request.query("after").map_or(Ok(0), str::parse::<u64>) else {
        return error(400, "INVALID_CURSOR", "The cursor is wrong.", Vec::new());
    };
    let names = wanted_in_query(request);
    let from = after.saturating_add(1);
    let mut rows: Vec<(u64, Value)> = if request.flag("archived") {
        let rows = archived.range(from..).take(limit + 1);
        rows.map(|(id, (record, at))| {
            let mut value = shown(record, &names);
            set(&mut value, "archived", true);
            set(&mut value, "archivedAt", iso_millis(*at));
            (*id, value)
        })
        .collect()
    } else {
        records.range(from..).take(limit + 1).map(|(id, record)| (*id, shown(record, &names))).collect()
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|(id, _)| *id);
    let mut body = json!({ "results": rows.into_iter().map(|(_, row)| row).collect::<Vec<Value>>() });
    if let (Some(last), true) = (last, more) {
        set(&mut body, "paging", json!({ "next": { "after": last.to_string() } }));
    }
    WireResponse::json(200, &body)
}

fn batch_read(table: &Table, scene: &mut Scene<'_>, request: &WireRequest, kind: &str) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let Some(inputs) = body.get("inputs").and_then(Value::as_array) else {
        return invalid("inputs is missing.");
    };
    if inputs.len() > BATCH_LIMIT {
        scene.violation(Service::HubSpot, "batch-over-limit", format!("{kind} batch read"));
        return invalid("At most 100 inputs.");
    }
    let names = super::contacts::wanted(&body);
    let ids: BTreeSet<u64> =
        inputs.iter().filter_map(|input| input.get("id")?.as_str()?.parse().ok()).collect();
    let found =
        ids.iter().filter_map(|id| table.records.get(id)).map(|record| shown(record, &names)).collect();
    let missing: Vec<String> =
        ids.iter().filter(|id| !table.records.contains_key(id)).map(u64::to_string).collect();
    let mut errors = Vec::new();
    if !missing.is_empty() {
        errors.push(json!({
            "status": "error", "category": "OBJECT_NOT_FOUND",
            "message": "Could not get some objects, they may be deleted or not exist.",
            "context": { "ids": missing },
        }));
    }
    envelope(200, scene.now, found, errors)
}
