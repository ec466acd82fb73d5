//! Mailchimp's answers as domain values. Pure: JSON in, values out. A member without a usable address
//! is left out; an outcome the answer does not spell out is unknown.

use super::classify::by_words;
use crate::connect::lenient::{Lenient, as_text};
use crate::connect::scrub::scrub;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::{Refusal, RefusalCode};
use crate::domain::id::SegmentId;
use crate::domain::member::{Member, MemberStatus, MergeField, TagInfo};
use crate::domain::port::{BatchOutcome, BatchSummary, ItemOutcome, NewMember};
use crate::domain::tag::TagName;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of a member.
pub(crate) const MEMBER: [&str; 10] = [
    "email_address",
    "contact_id",
    "status",
    "merge_fields",
    "tags",
    "tags_count",
    "last_changed",
    "timestamp_opt",
    "unsubscribe_reason",
    "id",
];

/// The `fields` parameter of a member page, or of a single member where `prefix` is empty.
pub(crate) fn member_fields(prefix: &str) -> String {
    MEMBER.map(|name| format!("{prefix}{name}")).join(",")
}

/// A member, and whether its inline tags are cut (more than 50).
pub(crate) fn member(row: &Value) -> Option<(Member, bool)> {
    let email = Email::as_given(&row.text("email_address")?).ok()?;
    let tags: Vec<TagName> = row.rows_or_none("tags").iter().filter_map(tag_name).collect();
    let is_cut = row.number("tags_count").is_some_and(|count| count > row.rows_or_none("tags").len() as u64);
    let member = Member {
        email,
        contact_id: row.text("contact_id").unwrap_or_default(),
        status: MemberStatus::from_wire(&row.text("status").unwrap_or_default()),
        fields: fields(row.get("merge_fields")),
        tags,
        changed: row.moment("last_changed"),
        opted: row.moment("timestamp_opt"),
        unsubscribe_reason: row.text("unsubscribe_reason").filter(|reason| !reason.is_empty()),
    };
    Some((member, is_cut))
}

/// Tag objects, or bare names.
pub(crate) fn tag_name(row: &Value) -> Option<TagName> {
    row.text("name").or_else(|| row.as_str().map(str::to_owned)).map(|name| TagName::new(&name))
}

/// Merge fields as text; empty ones are left out, an address object becomes compact JSON.
fn fields(value: Option<&Value>) -> BTreeMap<String, String> {
    let Some(object) = value.and_then(Value::as_object) else { return BTreeMap::new() };
    object
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(tag, value)| (tag.clone(), as_text(value).unwrap_or_else(|| value.to_string())))
        .collect()
}

/// A merge field's definition.
pub(crate) fn merge_field(row: &Value) -> Option<MergeField> {
    let nothing = Value::Null;
    let options = row.get("options").unwrap_or(&nothing);
    Some(MergeField {
        tag: row.text("tag")?,
        kind: row.text("type").unwrap_or_default(),
        format: options.text("date_format").or_else(|| options.text("phone_format")),
        choices: options.rows_or_none("choices").iter().filter_map(as_text).collect(),
        required: row.flag("required").unwrap_or(false),
    })
}

/// A tag. Saved segments, which are no tags, are left out.
pub(crate) fn tag(row: &Value) -> Option<TagInfo> {
    Some(TagInfo {
        segment: SegmentId(row.number("id")?),
        name: TagName::new(&row.text("name")?),
        member_count: row.number("member_count").unwrap_or(0),
    })
}

/// A batch the service knows.
pub(crate) fn batch_summary(row: &Value) -> Option<BatchSummary> {
    Some(BatchSummary {
        ticket: row.text("id")?,
        submitted: row.moment("submitted_at"),
        operations: row.number("total_operations").unwrap_or(0),
    })
}

/// A member to be created, as the wire wants it.
pub(crate) fn new_member(member: &NewMember) -> Value {
    json!({
        "email_address": member.email.as_str(),
        "status": member.status.wire(),
        "merge_fields": member.fields,
        "tags": member.tags.iter().map(TagName::as_str).collect::<Vec<_>>(),
    })
}

/// Tag changes as the wire wants them.
pub(crate) fn tag_changes(changes: &[(TagName, bool)], silent: bool) -> Value {
    let tags: Vec<Value> = changes
        .iter()
        .map(|(name, borne)| json!({"name": name.as_str(), "status": if *borne { "active" } else { "inactive" }}))
        .collect();
    json!({"tags": tags, "is_syncing": silent})
}

/// Who a row is about.
fn hash_of(row: &Value) -> Option<SubscriberHash> {
    let address = row.text("email_address").or_else(|| row.as_str().map(str::to_owned))?;
    Email::as_given(&address).ok().map(|email| email.hash())
}

/// What became of each address of a batch subscribe. `wanted` is the status each was sent with.
/// `created` and `updated` say whether that part of the answer means success.
pub(crate) fn subscribe_outcomes(
    body: &Value,
    wanted: &BTreeMap<SubscriberHash, MemberStatus>,
    updates: bool,
) -> BatchOutcome<SubscriberHash> {
    let mut outcomes: BatchOutcome<SubscriberHash> =
        wanted.keys().map(|hash| (*hash, ItemOutcome::Unknown)).collect();
    let mut settle = |row: &Value, outcome: ItemOutcome| {
        if let Some(entry) = hash_of(row).and_then(|hash| outcomes.get_mut(&hash)) {
            *entry = outcome;
        }
    };
    for error in body.rows_or_none("errors") {
        settle(error, subscribe_error(error, updates));
    }
    let mut succeeded = vec!["new_members"];
    if updates {
        succeeded.push("updated_members");
    }
    for row in succeeded.into_iter().flat_map(|key| body.rows_or_none(key)) {
        // A wish may be ignored without an error: only the status in the answer counts.
        let held = row.text("status").map(|status| MemberStatus::from_wire(&status));
        let asked = hash_of(row).and_then(|hash| wanted.get(&hash));
        let as_asked = held.is_none() || held.as_ref() == asked;
        settle(row, if as_asked { ItemOutcome::Done } else { ItemOutcome::Unknown });
    }
    outcomes
}

/// Mailchimp's own numbers of the members that a batch has made.
pub(crate) fn numbers_of_new(body: &Value) -> BTreeMap<SubscriberHash, String> {
    let numbered = |row: &Value| {
        let number = row.text("contact_id").filter(|number| !number.is_empty())?;
        Some((hash_of(row)?, number))
    };
    body.rows_or_none("new_members").iter().filter_map(numbered).collect()
}

fn subscribe_error(error: &Value, updates: bool) -> ItemOutcome {
    let parts: Vec<String> = ["error", "field", "field_message"]
        .iter()
        .filter_map(|key| error.text(key))
        .filter(|t| !t.is_empty())
        .collect();
    let message = scrub(&parts.join("; "));
    let exists = error.text("error_code").as_deref() == Some("ERROR_CONTACT_EXISTS");
    if exists && updates {
        // It exists, which is what an update wants: whether it was done is for the probe.
        return ItemOutcome::Unknown;
    }
    let code = match by_words(&parts.join(" ")) {
        _ if exists => RefusalCode::AlreadyExists,
        RefusalCode::Other if error.text("field").is_some_and(|field| !field.is_empty()) => {
            RefusalCode::InvalidValue
        }
        code => code,
    };
    ItemOutcome::Refused(Refusal { code, message })
}

/// What became of each address of a tag batch. Errors, and silence, are for the probe.
pub(crate) fn tag_outcomes(body: &Value, add: &[Email], remove: &[Email]) -> BatchOutcome<SubscriberHash> {
    let named = |key| body.rows_or_none(key).iter().filter_map(hash_of).collect::<BTreeSet<_>>();
    let mut blamed = BTreeSet::new();
    for error in body.rows_or_none("errors") {
        blamed.extend(error.rows_or_none("email_addresses").iter().filter_map(hash_of));
    }
    let mut outcomes = BTreeMap::new();
    for (asked, done) in [(add, named("members_added")), (remove, named("members_removed"))] {
        for hash in asked.iter().map(Email::hash) {
            let is_done = done.contains(&hash) && !blamed.contains(&hash);
            outcomes.insert(hash, if is_done { ItemOutcome::Done } else { ItemOutcome::Unknown });
        }
    }
    outcomes
}

/// Where the next page of an offset listing is. The offset counts the rows so far; the scan that reads
/// them drops doubles.
pub(crate) fn next_offset(offset: u64, rows: usize, page: u64, total: Option<u64>) -> Option<String> {
    let reached = offset.saturating_add(rows as u64);
    let more = match total {
        Some(total) => reached < total,
        None => rows as u64 >= page,
    };
    (more && rows > 0).then(|| reached.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    /// They may have opted out: seven were left out of every run, green all the same.
    #[test]
    fn r20_a_member_is_read_whatever_its_address() {
        for address in
            ["dot.@example.com", "a..b@example.com", "\"q q\"@example.com", "=x()@example.com", "a@localhost"]
        {
            let (member, _) = member(&json!({"email_address": address, "status": "unsubscribed"})).unwrap();
            assert_eq!(member.email.as_str(), address);
        }
        assert!(member(&json!({"email_address": "nobody"})).is_none());
    }

    #[test]
    fn a_member_is_read_with_whatever_it_has() {
        let (member, is_cut) = member(&json!({
            "email_address": "Ann@Example.com",
            "status": "resting",
            "merge_fields": {"FNAME": "Ann", "AGE": 7, "ADDRESS": {"city": "Ulm"}, "BDAY": ""},
            "tags": [{"id": 1, "name": "General"}],
            "tags_count": 51,
            "last_changed": "2026-11-23T14:00:00+00:00",
        }))
        .unwrap();
        assert_eq!(member.email, email("ann@example.com"));
        assert_eq!(member.status, MemberStatus::Other("resting".to_owned()));
        assert_eq!(member.fields["AGE"], "7");
        assert_eq!(member.fields["ADDRESS"], r#"{"city":"Ulm"}"#);
        assert_eq!(member.fields["BDAY"], "");
        assert!(is_cut && member.changed.is_some() && member.opted.is_none());
        assert!(super::member(&json!({"status": "subscribed"})).is_none());
    }

    #[test]
    fn each_address_of_a_batch_has_an_outcome_of_its_own() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let hash = |name: &str| email(&format!("{name}@example.com")).hash();
        let wanted = names.map(|name| (hash(name), MemberStatus::Subscribed)).into();
        let body = json!({
            "new_members": [
                {"email_address": "A@example.com", "status": "subscribed"},
                {"email_address": "b@example.com", "status": "unsubscribed"},
            ],
            "updated_members": [{"email_address": "f@example.com", "status": "subscribed"}],
            "errors": [
                {"email_address": "c@example.com", "error_code": "ERROR_CONTACT_EXISTS", "error": "c@example.com is already"},
                {"email_address": "d@example.com", "error_code": "ERROR_GENERIC", "error": "d@example.com is in a compliance state"},
                {"email_address": "stranger@example.com", "error": "?"},
            ],
        });
        let outcomes = subscribe_outcomes(&body, &wanted, false);
        let code = |name: &str| match &outcomes[&hash(name)] {
            ItemOutcome::Refused(refusal) => {
                assert!(!refusal.message.contains('@'));
                refusal.code
            }
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(outcomes.len(), 6);
        assert_eq!(outcomes[&hash("a")], ItemOutcome::Done);
        assert_eq!(outcomes[&hash("b")], ItemOutcome::Unknown, "the status is not the one asked for");
        assert_eq!(code("c"), RefusalCode::AlreadyExists);
        assert_eq!(code("d"), RefusalCode::Compliance);
        assert_eq!(outcomes[&hash("e")], ItemOutcome::Unknown);
        assert_eq!(outcomes[&hash("f")], ItemOutcome::Unknown, "nobody was to be updated");
    }

    #[test]
    fn tag_outcomes_count_only_who_is_named() {
        let (a, b, c) = (email("a@example.com"), email("b@example.com"), email("c@example.com"));
        let outcomes = tag_outcomes(
            &json!({
                "members_added": [{"email_address": "a@example.com"}, {"email_address": "c@example.com"}],
                "errors": [{"email_addresses": ["b@example.com"], "error": "no"}],
                "total_added": 2,
            }),
            &[a.clone(), b.clone()],
            std::slice::from_ref(&c),
        );
        assert_eq!(outcomes[&a.hash()], ItemOutcome::Done);
        assert_eq!(outcomes[&b.hash()], ItemOutcome::Unknown);
        assert_eq!(outcomes[&c.hash()], ItemOutcome::Unknown, "it was to be removed, not added");
    }

    #[test]
    fn a_listing_ends_at_its_total_or_at_a_short_page() {
        assert_eq!(next_offset(0, 1000, 1000, Some(2500)).as_deref(), Some("1000"));
        assert_eq!(next_offset(2000, 500, 1000, Some(2500)), None);
        assert_eq!(next_offset(0, 1000, 1000, None).as_deref(), Some("1000"));
        assert_eq!(next_offset(0, 999, 1000, None), None);
        assert_eq!(next_offset(0, 0, 1000, Some(2500)), None);
        assert_eq!(next_offset(0, 900, 1000, Some(2500)).as_deref(), Some("900"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let keys = proptest::sample::select(vec![
            "email_address",
            "status",
            "merge_fields",
            "tags",
            "tags_count",
            "name",
            "id",
            "errors",
            "new_members",
            "email_addresses",
            "members_added",
            "options",
            "choices",
            "error_code",
            "error",
            "field",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            Just(json!("ann@example.com")),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(keys.clone(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics_a_reader(body in any_json()) {
            let ann = email("ann@example.com");
            let wanted = BTreeMap::from([(ann.hash(), MemberStatus::Subscribed)]);
            member(&body);
            merge_field(&body);
            tag(&body);
            batch_summary(&body);
            subscribe_outcomes(&body, &wanted, true);
            tag_outcomes(&body, &[ann], &[]);
        }
    }
}
