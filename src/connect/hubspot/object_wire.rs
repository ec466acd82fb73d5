//! Answers about objects of any type as domain values. Pure: JSON in, values out; whatever a property holds is kept
//! as text, and a row without an id is counted and left out.

use super::wire::{next, record};
use crate::connect::lenient::{Lenient, as_number, as_text};
use crate::connect::scrub::scrub;
use crate::domain::id::RecordId;
use crate::domain::object::{
    AssociatedPage, AssociationType, Associations, ObjectPage, ObjectRecord, ObjectSchema, ObjectType,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One record.
fn object(row: &Value, kind: &ObjectType) -> Option<ObjectRecord> {
    let nothing = Value::Null;
    let values = row.get("properties").unwrap_or(&nothing);
    let id = record(row, "id").or_else(|| record(values, "hs_object_id"))?;
    let properties = values.as_object().into_iter().flatten().map(|(name, value)| {
        let text = match value {
            Value::Null => None,
            // Not what is documented; kept all the same.
            Value::Array(_) | Value::Object(_) => Some(value.to_string()),
            scalar => as_text(scalar),
        };
        (name.clone(), text)
    });
    Some(ObjectRecord {
        id,
        properties: properties.collect(),
        created: values.moment("createdate").or_else(|| row.moment("createdAt")),
        modified: values.moment(kind.modified_property()).or_else(|| row.moment("updatedAt")),
        archived: row.flag("archived") == Some(true),
        archived_at: row.moment("archivedAt"),
    })
}

/// A page of records. None when the answer has no results at all.
pub(super) fn page(body: &Value, kind: &ObjectType) -> Option<ObjectPage> {
    let rows = body.rows("results")?;
    let records: Vec<ObjectRecord> = rows.iter().filter_map(|row| object(row, kind)).collect();
    Some(ObjectPage {
        unreadable: (rows.len() - records.len()) as u64,
        records,
        next: next(body),
        total: body.number("total"),
        at: None,
        failed: BTreeMap::new(),
    })
}

/// The records of a batch read, and those about which it can say nothing. None when it says nothing at all.
pub(super) fn records(body: &Value, kind: &ObjectType, asked: &BTreeSet<RecordId>) -> Option<ObjectPage> {
    // All of them missing: some answers then have only errors.
    let read = page(body, kind).or_else(|| body.rows("errors").map(|_| ObjectPage::default()))?;
    let with = read.records.iter().map(|record| record.id).collect();
    Some(ObjectPage { failed: failed(body, asked, &with), ..read })
}

/// What a batch read of associations says. None when it says nothing.
pub(super) fn associations(body: &Value, asked: &BTreeSet<RecordId>) -> Option<Associations> {
    if body.rows("results").is_none() && body.rows("errors").is_none() {
        return None;
    }
    let mut read = Associations::default();
    for row in body.rows_or_none("results") {
        let Some(from) = row.get("from").and_then(|from| record(from, "id")) else { continue };
        let to = row.rows_or_none("to").iter().filter_map(|to| {
            let other = record(to, "toObjectId").or_else(|| record(to, "id"))?;
            let types = to.rows_or_none("associationTypes").iter().filter_map(association_type);
            Some((other, types.collect()))
        });
        read.pages.push(AssociatedPage { from, to: to.collect(), next: next(row) });
    }
    let with = read.pages.iter().map(|page| page.from).collect();
    read.failed = failed(body, asked, &with);
    Some(read)
}

/// Who is named by errors that do not just say that there is nothing.
fn failed(body: &Value, asked: &BTreeSet<RecordId>, with: &BTreeSet<RecordId>) -> BTreeMap<RecordId, String> {
    let mut failed = BTreeMap::new();
    for error in body.rows_or_none("errors").iter().filter(|error| !says_none(error)) {
        let words = scrub(&super::classify::message_of(error));
        let named = named(error);
        // An error that names nobody may be about anybody who has no result.
        let about: Vec<RecordId> = match named.is_empty() {
            true => asked.difference(with).copied().collect(),
            false => named.intersection(asked).copied().collect(),
        };
        failed.extend(about.into_iter().map(|id| (id, words.clone())));
    }
    failed
}

fn association_type(row: &Value) -> Option<AssociationType> {
    Some(AssociationType {
        category: row.text("category").unwrap_or_default(),
        id: row.number("typeId")?,
        label: row.text("label").filter(|label| !label.is_empty()),
    })
}

/// Whether an error only says that a record is joined with nothing, or is not there itself (HubSpot contract §10).
fn says_none(error: &Value) -> bool {
    let text = |key| error.text(key).unwrap_or_default().to_uppercase();
    let (category, detail) = (text("category"), text("subCategory"));
    detail.contains("NO_ASSOCIATIONS") || category.contains("NOT_FOUND") || detail.contains("NOT_FOUND")
}

/// The ids that an error's context names.
fn named(error: &Value) -> BTreeSet<RecordId> {
    let context = error.get("context").and_then(Value::as_object);
    let ids = context.into_iter().flatten().filter(|(key, _)| key.to_lowercase().contains("id"));
    ids.flat_map(|(_, value)| match value {
        Value::Array(items) => items.iter().filter_map(as_number).map(RecordId).collect::<Vec<_>>(),
        scalar => as_number(scalar).map(RecordId).into_iter().collect(),
    })
    .collect()
}

/// One custom object.
pub(super) fn schema(row: &Value) -> Option<ObjectSchema> {
    let kind = row.text("objectTypeId").or_else(|| row.text("fullyQualifiedName"))?;
    let nothing = Value::Null;
    let labels = row.get("labels").unwrap_or(&nothing);
    let names = [
        row.text("name"),
        row.text("fullyQualifiedName"),
        row.text("objectTypeId"),
        labels.text("singular"),
        labels.text("plural"),
    ];
    Some(ObjectSchema {
        kind: kind.parse().ok()?,
        names: names.into_iter().flatten().map(|name| name.to_lowercase()).collect(),
    })
}

/// The body of a search above an id. There is no upper bound and no offset: a record that changes meanwhile stays
/// above or below the last id seen, so that nothing slips from one page past the next (docs/mirror.md).
pub(super) fn search_body(ask: &crate::domain::object::SearchAsk<'_>, properties: &[String]) -> Value {
    let filter = |name: &str, operator: &str, value: String| json!({"propertyName": name, "operator": operator, "value": value});
    let since = ask.since.map(|since| filter(ask.kind.modified_property(), "GTE", since.0.to_string()));
    let above = ask.above.map(|above| filter("hs_object_id", "GT", above.to_string()));
    let filters: Vec<Value> = since.into_iter().chain(above).collect();
    let groups = if filters.is_empty() { json!([]) } else { json!([{ "filters": filters }]) };
    json!({
        "filterGroups": groups,
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": properties,
        "limit": ask.limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::object::SearchAsk;
    use crate::domain::time::Timestamp;

    #[test]
    fn whatever_a_property_holds_is_kept_as_text() {
        let body = json!({"results": [
            {"id": "7", "properties": {"a": "x", "b": null, "c": 5, "d": true, "e": [1], "lastmodifieddate": "2026-11-23"}},
            {"properties": {}},
        ], "paging": {"next": {"after": "7"}}});
        let page = page(&body, &ObjectType::contacts()).unwrap();
        assert_eq!((page.unreadable, page.next.as_deref()), (1, Some("7")));
        let values: Vec<_> = page.records[0].properties.values().take(5).map(Option::as_deref).collect();
        assert_eq!(values, [Some("x"), None, Some("5"), Some("true"), Some("[1]")]);
        assert_eq!(page.records[0].modified, Timestamp::parse("2026-11-23"));
    }

    #[test]
    fn nothing_joined_is_no_failure_and_an_error_of_their_own_is_one() {
        let asked = BTreeSet::from([RecordId(1), RecordId(2), RecordId(3)]);
        let body = json!({
            "results": [{"from": {"id": "1"}, "to": [
                {"toObjectId": 9, "associationTypes": [{"category": "USER_DEFINED", "typeId": 36, "label": "Owner"}]},
            ], "paging": {"next": {"after": "MQ"}}}],
            "errors": [
                {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND", "context": {"fromObjectId": ["2"]}},
                {"category": "INTERNAL_ERROR", "message": "later", "context": {"fromObjectId": ["3"]}},
            ],
        });
        let read = associations(&body, &asked).unwrap();
        assert_eq!(read.failed.keys().copied().collect::<Vec<_>>(), [RecordId(3)]);
        assert_eq!(read.pages[0].next.as_deref(), Some("MQ"));
        assert_eq!(read.pages[0].to[0].1[0].label.as_deref(), Some("Owner"));
        let vague =
            json!({"results": [{"from": {"id": "1"}, "to": []}], "errors": [{"category": "INTERNAL_ERROR"}]});
        assert_eq!(
            associations(&vague, &asked).unwrap().failed.len(),
            2,
            "whoever has no result may be meant"
        );
        assert_eq!(associations(&json!({}), &asked), None);
    }

    #[test]
    fn a_search_goes_on_above_an_id_and_never_by_offset() {
        let kind = "deals".parse().unwrap();
        let ask = SearchAsk {
            kind: &kind,
            since: Some(Timestamp(5)),
            above: Some(RecordId(7)),
            properties: &[],
            limit: 200,
        };
        let body = search_body(&ask, &["dealname".to_owned()]);
        assert_eq!(
            body["filterGroups"][0]["filters"],
            json!([
                {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "5"},
                {"propertyName": "hs_object_id", "operator": "GT", "value": "7"},
            ])
        );
        assert!(body.get("after").is_none());
    }
}
