//! What a read of records shows besides their properties, where it is asked to: what they are joined with, and which
//! values their properties had (HubSpot contract §7).

use super::answers::invalid;
use super::history;
use super::portal::Portal;
use super::record::Record;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Records with histories on one page, or in one batch.
const HISTORY_LIMIT: usize = 50;

/// What was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Types whose records are to be named.
    associations: Vec<String>,
    /// Properties whose values are to be told.
    histories: Vec<String>,
}

/// What a call asks for, or why it is refused; none where it reads no records by id or page.
pub(super) fn asked(
    portal: &Portal,
    request: &WireRequest,
    path: &[&str],
) -> Result<Option<Asked>, WireResponse> {
    let several = |wanted: &str| -> Vec<String> {
        let values = request.query.iter().filter(|(name, _)| name == wanted);
        let names = values.flat_map(|(_, value)| value.split(',')).map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    match (request.method.as_str(), path) {
        ("GET", [] | [_]) => {
            let associations: Vec<String> =
                several("associations").iter().map(|kind| portal.named(kind)).collect();
            if let Some(unknown) = associations.iter().find(|kind| !portal.has_type(kind)) {
                return Err(invalid(&format!("There is no type {unknown}.")));
            }
            let histories = several("propertiesWithHistory");
            let limit = request.number("limit", 10).unwrap_or_default();
            if path.is_empty() && !histories.is_empty() && limit > HISTORY_LIMIT {
                return Err(invalid("With propertiesWithHistory limit must not exceed 50."));
            }
            Ok(Some(Asked { associations, histories }))
        }
        ("POST", ["batch", "read"]) => {
            let body = request.json().unwrap_or(Value::Null);
            let texts = body.get("propertiesWithHistory").and_then(Value::as_array).into_iter().flatten();
            let histories: Vec<String> = texts.filter_map(Value::as_str).map(str::to_owned).collect();
            let inputs = body.get("inputs").and_then(Value::as_array).map_or(0, Vec::len);
            if !histories.is_empty() && inputs > HISTORY_LIMIT {
                return Err(invalid("With propertiesWithHistory at most 50 inputs."));
            }
            Ok(Some(Asked { associations: Vec::new(), histories }))
        }
        _ => Ok(None),
    }
}

/// The answer with what was asked for.
pub(super) fn answer(portal: &Portal, kind: &str, asked: &Asked, answer: WireResponse) -> WireResponse {
    if asked.associations.is_empty() && asked.histories.is_empty() || !(200..300).contains(&answer.status) {
        return answer;
    }
    let mut body = answer.value();
    match body.get_mut("results").and_then(Value::as_array_mut) {
        Some(several) => several.iter_mut().for_each(|record| expand(portal, kind, asked, record)),
        None => expand(portal, kind, asked, &mut body),
    }
    WireResponse { body: body.to_string().into_bytes(), ..answer }
}

fn expand(portal: &Portal, kind: &str, asked: &Asked, shown: &mut Value) {
    let id = shown.get("id").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
    let Some(record) = id.and_then(|id| portal.record(kind, id)) else { return };
    if !asked.histories.is_empty() {
        let histories = asked.histories.iter();
        let histories: Map<String, Value> =
            histories.filter_map(|name| Some((name.clone(), history::shown(record, name)?))).collect();
        set(shown, "propertiesWithHistory", histories);
    }
    let joined = asked
        .associations
        .iter()
        .filter_map(|to| Some((portal.plural(to), joined(portal, kind, record, to)?)));
    let joined: Map<String, Value> = joined.collect();
    if !joined.is_empty() {
        set(shown, "associations", joined);
    }
}

/// One row for each kind that joins two records; none where nothing of that type is joined.
fn joined(portal: &Portal, kind: &str, record: &Record, to: &str) -> Option<Value> {
    let joined = portal.joined_with(kind, record.id, to).into_iter().flat_map(BTreeMap::iter);
    let rows: Vec<Value> = joined
        .flat_map(|(other, kinds)| kinds.iter().map(move |number| (other, number)))
        .filter_map(|(other, number)| {
            let kind = portal.kinds.get((kind, to), *number)?;
            Some(json!({ "id": other.to_string(), "type": kind.name }))
        })
        .collect();
    (!rows.is_empty()).then(|| json!({ "results": rows }))
}

impl Portal {
    /// A record of any type, in the recycle bin or not.
    fn record(&self, kind: &str, id: u64) -> Option<&Record> {
        let (records, bin) = match kind {
            "contacts" => (&self.contacts, &self.archived),
            kind => self.objects.get(kind).map(|table| (&table.records, &table.archived))?,
        };
        let found = records.get(&id).or_else(|| bin.get(&id).map(|(record, _)| record));
        found.map(AsRef::as_ref)
    }
}
