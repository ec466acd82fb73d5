//! Search (HubSpot contract §8): over the index, which lags behind the records.

use super::answers::invalid;
use super::contacts::wanted;
use super::index::Index;
use super::record::Record;
use crate::domain::time::Timestamp;
use crate::sandbox::wire::{WireRequest, WireResponse, set};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::sync::Arc;

const CEILING: usize = 10_000;
const MODIFIED: [&str; 2] = ["lastmodifieddate", "hs_lastmodifieddate"];

/// One condition of a group.
struct Filter {
    property: String,
    operator: String,
    value: String,
    high: String,
    values: Vec<String>,
}

/// Answers a search.
pub fn answer(
    index: &Index,
    request: &WireRequest,
    shown: impl Fn(&Record, &[String]) -> Value,
) -> WireResponse {
    let Some(body) = request.json() else { return invalid("The body is no JSON.") };
    let limit = body.get("limit").map_or(Some(10), Value::as_u64);
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|l| (1..=200).contains(l))
    else {
        return invalid("limit must lie between 1 and 200.");
    };
    let after = match body.get("after") {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(text)) if text.is_empty() => Some(0),
        Some(Value::String(text)) => text.parse::<usize>().ok(),
        Some(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    let Some(after) = after else { return invalid("after is no number.") };
    if after.saturating_add(limit) > CEILING {
        return invalid("The requested results exceed the 10,000 limit.");
    }
    let groups = match groups(&body) {
        Ok(groups) => groups,
        Err(message) => return invalid(&message),
    };
    let mut hits = hits(index, &groups);
    sort(&mut hits, &body);
    let names = wanted(&body);
    let results: Vec<Value> =
        hits.iter().skip(after).take(limit).map(|record| shown(record, &names)).collect();
    let next = after + results.len();
    let mut body = json!({ "total": hits.len(), "results": results });
    if next < hits.len() {
        set(&mut body, "paging", json!({ "next": { "after": next.to_string() } }));
    }
    WireResponse::json(200, &body)
}

fn groups(body: &Value) -> Result<Vec<Vec<Filter>>, String> {
    let mut groups = Vec::new();
    for group in body.get("filterGroups").and_then(Value::as_array).into_iter().flatten() {
        let mut filters = Vec::new();
        for filter in group.get("filters").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| match filter.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            let values = filter.get("values").and_then(Value::as_array);
            let filter = Filter {
                property: text("propertyName"),
                operator: text("operator"),
                value: text("value"),
                high: text("highValue"),
                values: values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            };
            if !KNOWN.contains(&filter.operator.as_str()) {
                return Err(format!("Unknown operator {}.", filter.operator));
            }
            filters.push(filter);
        }
        if filters.len() > 6 {
            return Err("At most 6 filters in a group.".to_owned());
        }
        groups.push(filters);
    }
    if groups.len() > 5 || groups.iter().map(Vec::len).sum::<usize>() > 18 {
        return Err("At most 5 groups and 18 filters.".to_owned());
    }
    Ok(groups)
}

const KNOWN: [&str; 11] =
    ["EQ", "NEQ", "GT", "GTE", "LT", "LTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY"];

/// All versions that any group takes, by way of the narrowest index there is.
fn hits<'a>(index: &'a Index, groups: &[Vec<Filter>]) -> Vec<&'a Arc<Record>> {
    let takes = |record: &Record| {
        groups.is_empty() || groups.iter().any(|group| group.iter().all(|f| f.takes(record)))
    };
    if let [group] = groups
        && let Some((from, to)) = modified_bounds(group)
    {
        return index.modified(from, to).into_iter().filter(|record| takes(record)).collect();
    }
    let of_opted_out =
        |f: &Filter| f.property.starts_with("hs_email_optout") && f.operator == "EQ" && f.value == "true";
    if !groups.is_empty() && groups.iter().all(|group| group.iter().any(of_opted_out)) {
        return index.opted_out().into_iter().filter(|record| takes(record)).collect();
    }
    index.all().filter(|record| takes(record)).collect()
}

fn modified_bounds(group: &[Filter]) -> Option<(Timestamp, Timestamp)> {
    let mut bounds = None;
    for filter in group.iter().filter(|filter| MODIFIED.contains(&filter.property.as_str())) {
        let (from, to) = bounds.unwrap_or((Timestamp(i64::MIN), Timestamp(i64::MAX)));
        let value = Timestamp::parse(&filter.value)?;
        bounds = Some(match filter.operator.as_str() {
            "GT" | "GTE" => (value.max(from), to),
            "LT" | "LTE" => (from, value.min(to)),
            "BETWEEN" => (value.max(from), Timestamp::parse(&filter.high)?.min(to)),
            _ => (from, to),
        });
    }
    bounds
}

/// A property's value in the form filters compare.
fn comparable(record: &Record, property: &str) -> Option<String> {
    match property {
        "lastmodifieddate" | "hs_lastmodifieddate" => Some(record.modified.0.to_string()),
        "createdate" => Some(record.created.0.to_string()),
        _ => record.value(property),
    }
}

impl Filter {
    fn takes(&self, record: &Record) -> bool {
        let held = comparable(record, &self.property);
        let Some(held) = held else {
            return matches!(self.operator.as_str(), "NOT_HAS_PROPERTY" | "NEQ" | "NOT_IN");
        };
        let date = self.property == "createdate" || MODIFIED.contains(&self.property.as_str());
        let versus = |value: &str| {
            let value = if date { Timestamp::parse(value).map(|at| at.0.to_string()) } else { None }
                .unwrap_or_else(|| value.to_owned());
            compared(&held, &value)
        };
        let among = || self.values.iter().any(|value| versus(value) == Ordering::Equal);
        match self.operator.as_str() {
            "EQ" => versus(&self.value) == Ordering::Equal,
            "NEQ" => versus(&self.value) != Ordering::Equal,
            "GT" => versus(&self.value) == Ordering::Greater,
            "GTE" => versus(&self.value) != Ordering::Less,
            "LT" => versus(&self.value) == Ordering::Less,
            "LTE" => versus(&self.value) != Ordering::Greater,
            "BETWEEN" => versus(&self.value) != Ordering::Less && versus(&self.high) != Ordering::Greater,
            "IN" => among(),
            "NOT_IN" => !among(),
            "HAS_PROPERTY" => true,
            _ => false,
        }
    }
}

/// Numbers as numbers, else texts without regard to case.
fn compared(left: &str, right: &str) -> Ordering {
    match (left.parse::<i128>(), right.parse::<i128>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

fn sort(hits: &mut [&Arc<Record>], body: &Value) {
    let first = body.get("sorts").and_then(Value::as_array).and_then(|sorts| sorts.first());
    let property = match first {
        Some(Value::String(name)) => name.as_str(),
        Some(sort) => sort.get("propertyName").and_then(Value::as_str).unwrap_or("createdate"),
        None => "createdate",
    };
    let down = first.and_then(|s| s.get("direction")).and_then(Value::as_str) == Some("DESCENDING");
    match property {
        "hs_object_id" => hits.sort_by_key(|record| record.id),
        "createdate" => hits.sort_by_key(|record| (record.created, record.id)),
        "lastmodifieddate" | "hs_lastmodifieddate" => hits.sort_by_key(|record| (record.modified, record.id)),
        _ => hits.sort_by_cached_key(|record| (comparable(record, property), record.id)),
    }
    if down {
        hits.reverse();
    }
}
