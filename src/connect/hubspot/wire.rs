//! HubSpot's answers as domain values. Pure: JSON in, values out; a row that has no id is left out, a
//! member that is missing gets the value that does no harm.

use super::classify::{message_of, refusal_of};
use crate::connect::lenient::{Lenient, as_number, as_text};
use crate::connect::scrub::scrub;
use crate::domain::contact::{Contact, ListInfo, ListKind, Membership, PropertyDefinition};
use crate::domain::failure::Refusal;
use crate::domain::id::{ListId, RecordId};
use crate::domain::port::{BatchOutcome, ItemOutcome, ListWrite, SubscriptionType};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The object type of contacts.
pub(crate) const CONTACTS: &str = "0-1";

/// A record's id as far as a row has one.
pub(crate) fn record(row: &Value, key: &str) -> Option<RecordId> {
    row.number(key).map(RecordId)
}

/// One contact. `wanted` are the properties to keep, `opt_outs` those that mean an opt-out.
pub(crate) fn contact(row: &Value, wanted: &BTreeSet<String>, opt_outs: &[String]) -> Option<Contact> {
    let record =
        record(row, "id").or_else(|| row.get("properties").and_then(|p| record(p, "hs_object_id")))?;
    let nothing = Value::Null;
    let values = row.get("properties").unwrap_or(&nothing);
    let properties = wanted
        .iter()
        .filter_map(|name| Some((name.clone(), values.text(name).filter(|value| !value.is_empty())?)))
        .collect();
    Some(Contact {
        record,
        address: values.text("email").unwrap_or_default(),
        properties,
        opted_out: opt_outs.iter().any(|name| values.flag(name) == Some(true)),
        created: values.moment("createdate").or_else(|| row.moment("createdAt")),
        modified: values.moment("lastmodifieddate").or_else(|| row.moment("updatedAt")),
    })
}

/// One list of a list search; none when it is deleted or has no id.
pub(crate) fn list(row: &Value) -> Option<ListInfo> {
    if row.text("deletedAt").is_some() {
        return None;
    }
    let kind = match row.text("processingType").as_deref() {
        Some("MANUAL" | "SNAPSHOT") => ListKind::Static,
        // An unknown kind is not ours to write either.
        _ => ListKind::Dynamic,
    };
    let nothing = Value::Null;
    let extra = row.get("additionalProperties").unwrap_or(&nothing);
    let (added, removed) = (extra.text("hs_last_record_added_at"), extra.text("hs_last_record_removed_at"));
    let counted = extra.text("hs_list_size");
    let mark = match (&counted, added.is_some() || removed.is_some()) {
        (Some(size), true) => {
            Some(format!("{}|{}|{size}", added.unwrap_or_default(), removed.unwrap_or_default()))
        }
        _ => None,
    };
    Some(ListInfo {
        list: ListId(row.number("listId")?),
        name: row.text("name").unwrap_or_default(),
        kind,
        of_contacts: row.text("objectTypeId").as_deref() == Some(CONTACTS),
        complete: match row.text("processingStatus") {
            Some(status) => status == "COMPLETE",
            // A static list is complete unless it says otherwise; a dynamic one has to say so.
            None => kind == ListKind::Static,
        },
        mark,
        size: row.number("size").or_else(|| extra.number("hs_list_size")),
    })
}

/// One entry of a membership page.
pub(crate) fn membership(row: &Value) -> Option<Membership> {
    Some(Membership { record: record(row, "recordId")?, joined: row.moment("membershipTimestamp") })
}

/// The lists one record is in, from a row of the batch read of memberships.
pub(crate) fn lists_of(row: &Value) -> Option<(RecordId, BTreeSet<ListId>)> {
    let lists = row.rows("recordListMemberships")?;
    Some((
        record(row, "recordId")?,
        lists.iter().filter_map(|list| list.number("listId").map(ListId)).collect(),
    ))
}

/// The answer of a list write. Both spellings of its members are in use.
pub(crate) fn list_write(body: &Value) -> Option<ListWrite> {
    let ids = |spellings: [&str; 2]| -> Option<BTreeSet<RecordId>> {
        let rows = spellings.iter().find_map(|key| body.rows(key))?;
        Some(rows.iter().filter_map(as_number).map(RecordId).collect())
    };
    let added = ids(["recordsIdsAdded", "recordIdsAdded"]);
    let removed = ids(["recordIdsRemoved", "recordsIdsRemoved"]);
    let missing = ids(["recordIdsMissing", "recordsIdsMissing"]);
    if added.is_none() && removed.is_none() && missing.is_none() {
        return None;
    }
    Some(ListWrite {
        added: added.unwrap_or_default(),
        removed: removed.unwrap_or_default(),
        missing: missing.unwrap_or_default(),
    })
}

/// One property definition.
pub(crate) fn property(row: &Value) -> Option<PropertyDefinition> {
    let read_only = row.get("modificationMetadata").and_then(|meta| meta.flag("readOnlyValue")) == Some(true);
    Some(PropertyDefinition {
        name: row.text("name")?,
        kind: row.text("type").unwrap_or_default(),
        read_only: read_only || row.flag("calculated") == Some(true),
        options: row.rows_or_none("options").iter().filter_map(|option| option.text("value")).collect(),
    })
}

/// One subscription type.
pub(crate) fn subscription_type(row: &Value) -> Option<SubscriptionType> {
    let is_internal = row.flag("isInternal").or_else(|| row.flag("internal")).unwrap_or(false);
    let is_active = row.flag("isActive").or_else(|| row.flag("active")).unwrap_or(true);
    Some(SubscriptionType {
        id: row.number("id")?,
        name: row.text("name").unwrap_or_default(),
        usable: is_active && !is_internal,
    })
}

/// What became of each update of a batch: named in `results` = done, named by an error that blames
/// the input = refused, anything else unknown.
pub(crate) fn update_outcomes(body: &Value, asked: &BTreeSet<RecordId>) -> BatchOutcome<RecordId> {
    let mut outcomes: BatchOutcome<RecordId> = asked.iter().map(|id| (*id, ItemOutcome::Unknown)).collect();
    let done: BTreeSet<RecordId> =
        body.rows_or_none("results").iter().filter_map(|row| record(row, "id")).collect();
    for id in asked.intersection(&done) {
        outcomes.insert(*id, ItemOutcome::Done);
    }
    for error in body.rows_or_none("errors") {
        for id in blamed(error).intersection(asked) {
            // An input both done and blamed is for the probe to settle.
            let outcome = match refusal_of(error).filter(|_| !done.contains(id)) {
                Some(code) => ItemOutcome::Refused(Refusal { code, message: scrub(&message_of(error)) }),
                None => ItemOutcome::Unknown,
            };
            outcomes.insert(*id, outcome);
        }
    }
    outcomes
}

/// The record ids an error names in its context.
fn blamed(error: &Value) -> BTreeSet<RecordId> {
    let Some(context) = error.get("context").and_then(Value::as_object) else { return BTreeSet::new() };
    let ids = context.iter().filter(|(key, _)| key.to_lowercase().contains("id"));
    ids.flat_map(|(_, value)| match value {
        Value::Array(items) => items.iter().filter_map(as_number).map(RecordId).collect::<Vec<_>>(),
        scalar => as_number(scalar).map(RecordId).into_iter().collect(),
    })
    .collect()
}

/// The id at the end of `Existing ID: 123`.
pub(crate) fn existing_id(body: &Value) -> Option<RecordId> {
    let message = body.text("message")?;
    let (_, rest) = message.split_once("Existing ID:")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(RecordId)
}

/// What the action envelope of an opt-out says. Anything short of a clear success is unknown.
pub(crate) fn opt_out_outcome(body: &Value) -> ItemOutcome {
    let complete = body.text("status").as_deref() == Some("COMPLETE");
    let failed = body.number("numErrors").unwrap_or(0) > 0 || !body.rows_or_none("errors").is_empty();
    let results = body.rows_or_none("results");
    let still_in = results.iter().any(|row| row.text("status").as_deref() == Some("SUBSCRIBED"));
    if !complete || failed || still_in {
        return ItemOutcome::Unknown;
    }
    let unchanged = |row: &Value| row.text("setStatusSuccessReason").as_deref() == Some("NO_STATUS_CHANGE");
    match !results.is_empty() && results.iter().all(unchanged) {
        true => ItemOutcome::AlreadyHeld,
        false => ItemOutcome::Done,
    }
}

/// Whether the answer about the portal-wide status names an opt-out. Empty means not opted out.
pub(crate) fn is_out_of_all(results: &[Value]) -> bool {
    results.iter().any(|row| row.text("status").as_deref() != Some("SUBSCRIBED"))
}

/// Whether the answer about the single types says that this one is opted out of.
pub(crate) fn is_out_of(results: &[Value], subscription: u64) -> bool {
    results.iter().any(|row| {
        row.number("subscriptionId").or_else(|| row.number("id")) == Some(subscription)
            && matches!(row.text("status").as_deref(), Some("UNSUBSCRIBED" | "NOT_SUBSCRIBED"))
    })
}

/// The cursor of the next page.
pub(crate) fn next(body: &Value) -> Option<String> {
    body.pointer("/paging/next/after").and_then(as_text).filter(|after| !after.is_empty())
}

/// Properties of one update as the wire wants them.
pub(crate) fn update_inputs(updates: &BTreeMap<RecordId, BTreeMap<String, String>>) -> Vec<Value> {
    updates
        .iter()
        .map(|(id, properties)| serde_json::json!({"id": id.to_string(), "properties": properties}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::RefusalCode;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_list_write_is_read_in_both_spellings() {
        for key in ["recordsIdsAdded", "recordIdsAdded"] {
            let write = list_write(&json!({key: ["1", 2], "recordIdsMissing": ["9"]})).unwrap();
            assert_eq!(write.added, BTreeSet::from([RecordId(1), RecordId(2)]));
            assert_eq!(write.missing, BTreeSet::from([RecordId(9)]));
        }
        assert_eq!(list_write(&json!({"ok": true})), None);
    }

    #[test]
    fn a_mark_needs_the_size_and_a_time() {
        let row = |extra: Value| json!({"listId":"7","processingType":"MANUAL","additionalProperties":extra});
        let full = row(json!({"hs_list_size":"3","hs_last_record_added_at":"100"}));
        assert_eq!(list(&full).unwrap().mark.as_deref(), Some("100||3"));
        assert_eq!(list(&full).unwrap().size, Some(3));
        assert_eq!(list(&row(json!({"hs_list_size":"3"}))).unwrap().mark, None);
        assert_eq!(list(&row(Value::Null)).unwrap().mark, None);
    }

    #[test]
    fn a_dynamic_list_is_complete_only_when_it_says_so() {
        let list = |status: Value| {
            list(&json!({"listId": 7, "processingType": "DYNAMIC", "processingStatus": status})).unwrap()
        };
        assert!(list(json!("COMPLETE")).complete);
        assert!(!list(json!("PROCESSING")).complete);
        assert!(!list(Value::Null).complete);
        assert!(super::list(&json!({"listId": 7, "deletedAt": "2026-01-01"})).is_none());
    }

    #[test]
    fn each_update_of_a_batch_has_an_outcome_of_its_own() {
        let asked = BTreeSet::from([RecordId(1), RecordId(2), RecordId(3), RecordId(4)]);
        let outcomes = update_outcomes(
            &json!({
                "results": [{"id": "1"}],
                "errors": [
                    {"category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["2"]}},
                    {"category": "INTERNAL_ERROR", "context": {"ids": ["3"]}},
                ],
            }),
            &asked,
        );
        assert_eq!(outcomes[&RecordId(1)], ItemOutcome::Done);
        assert!(
            matches!(&outcomes[&RecordId(2)], ItemOutcome::Refused(refusal) if refusal.code == RefusalCode::NotFound)
        );
        assert_eq!(outcomes[&RecordId(3)], ItemOutcome::Unknown);
        assert_eq!(outcomes[&RecordId(4)], ItemOutcome::Unknown);
    }

    #[test]
    fn only_a_complete_envelope_is_an_opt_out() {
        let reason =
            |reason: &str| json!({"status":"COMPLETE","results":[{"setStatusSuccessReason":reason}]});
        assert_eq!(opt_out_outcome(&reason("NO_STATUS_CHANGE")), ItemOutcome::AlreadyHeld);
        assert_eq!(opt_out_outcome(&reason("REQUESTED_CHANGE_OCCURRED")), ItemOutcome::Done);
        for unclear in [
            json!({"status": "PENDING"}),
            json!({"status": "CANCELED", "results": []}),
            json!({}),
            json!([]),
            json!({"status": "COMPLETE", "numErrors": 1}),
            json!({"status": "COMPLETE", "results": [{"status": "SUBSCRIBED"}]}),
        ] {
            assert_eq!(opt_out_outcome(&unclear), ItemOutcome::Unknown, "{unclear}");
        }
    }

    #[test]
    fn the_existing_id_is_found_in_the_message() {
        let body = json!({"message": "Contact already exists. Existing ID: 4711"});
        assert_eq!(existing_id(&body), Some(RecordId(4711)));
        assert_eq!(existing_id(&json!({"message": "Existing ID: none"})), None);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let keys = prop_oneof![
            "[a-z]{1,5}",
            proptest::sample::select(vec![
                "id",
                "results",
                "errors",
                "context",
                "ids",
                "listId",
                "properties",
                "email",
                "recordId",
                "status",
                "additionalProperties",
                "recordListMemberships",
                "paging",
                "message",
                "name",
                "category",
            ])
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(keys.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics_a_reader(body in any_json()) {
            let wanted = BTreeSet::from(["email".to_owned()]);
            contact(&body, &wanted, &["hs_email_optout".to_owned()]);
            list(&body);
            membership(&body);
            lists_of(&body);
            list_write(&body);
            property(&body);
            subscription_type(&body);
            update_outcomes(&body, &BTreeSet::from([RecordId(1)]));
            existing_id(&body);
            opt_out_outcome(&body);
            next(&body);
        }
    }
}
