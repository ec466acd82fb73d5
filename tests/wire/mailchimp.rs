//! Mailchimp: requests and outcomes of each call.

use crate::server::{Play, RecordingGate, Server, email, json, text};
use hsmc::connect::{Http, HttpSettings, MailchimpClient, MailchimpSettings};
use hsmc::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use hsmc::domain::id::SegmentId;
use hsmc::domain::member::MemberStatus;
use hsmc::domain::port::{
    AudienceAccount, BatchCall, BatchState, ItemOutcome, MemberQuery, NewMember, Priority, Subscribed,
};
use hsmc::domain::step::Delivery;
use hsmc::domain::tag::TagName;
use hsmc::domain::time::Timestamp;
use serde_json::{Value, json as j};
use std::collections::BTreeMap;
use std::sync::Arc;

const P: Priority = Priority::Enroll;

pub struct Audience {
    pub server: Server,
    pub gate: Arc<RecordingGate>,
    pub client: MailchimpClient,
}

pub async fn audience(plays: Vec<Play>) -> Audience {
    let server = Server::start(plays).await;
    let gate = RecordingGate::new(Service::Mailchimp);
    let settings = MailchimpSettings {
        base_url: server.url.clone(),
        api_key: "key-us21".to_owned().into(),
        audience: "a1b2".to_owned(),
    };
    let client = MailchimpClient::new(settings, gate.clone(), Http::new(&HttpSettings::default()).unwrap());
    Audience { server, gate, client }
}

fn member(address: &str) -> Value {
    j!({"email_address": address, "contact_id": "c1", "status": "subscribed", "merge_fields": {"FNAME": "Ann"},
        "tags": [{"id": 1, "name": "General"}], "tags_count": 1})
}

fn fields() -> BTreeMap<String, Value> {
    BTreeMap::from([("FNAME".to_owned(), j!("Ann"))])
}

fn path(suffix: &str) -> String {
    format!("/base/lists/a1b2{suffix}")
}

fn hex(address: &str) -> String {
    email(address).hash().hex()
}

#[tokio::test]
async fn the_key_is_checked_by_basic_authentication() {
    let a = audience(vec![json(200, j!({"account_id": "acc"})), json(200, j!({"hello": 1}))]).await;
    assert_eq!(a.client.account(P).await.unwrap(), "acc");
    let asked = a.server.last();
    assert_eq!(asked.line(), "GET /base/");
    assert_eq!(asked.header("authorization"), Some("Basic aHNtYzprZXktdXMyMQ=="));
    assert_eq!(a.client.account(P).await.unwrap_err().class, FailureClass::Transient);
}

#[tokio::test]
async fn the_audience_and_its_merge_fields_are_read() {
    let a = audience(vec![
        json(200, j!({"name": "Main", "stats": {"member_count": 12}, "double_optin": true})),
        json(
            200,
            j!({"merge_fields": [
            {"tag": "BDAY", "type": "birthday", "required": false, "options": {"date_format": "MM/DD"}},
            {"tag": "KIND", "type": "dropdown", "required": true, "options": {"choices": ["a", "b"]}}]}),
        ),
    ])
    .await;
    let info = a.client.audience(P).await.unwrap();
    assert_eq!((info.name.as_str(), info.member_count, info.double_opt_in), ("Main", 12, true));
    assert_eq!(a.server.last().line(), format!("GET {}", path("")));
    let fields = a.client.merge_fields(P).await.unwrap();
    assert_eq!(fields[0].format.as_deref(), Some("MM/DD"));
    assert_eq!((fields[1].required, fields[1].choices.len()), (true, 2));
    assert_eq!(a.server.last().line(), format!("GET {}", path("/merge-fields")));
    assert_eq!(a.server.last().query("count").as_deref(), Some("1000"));
}

#[tokio::test]
async fn a_merge_field_is_made_once_not_public_and_not_required() {
    let taken = || {
        json(
            400,
            j!({"title": "Invalid Resource", "detail": "A Merge Field with the tag \"BRANCH\" already exists"}),
        )
    };
    let a = audience(vec![
        json(200, j!({"tag": "BRANCH"})),
        taken(),
        json(200, j!({"merge_fields": [{"tag": "BRANCH", "type": "text"}]})),
        taken(),
        json(200, j!({"merge_fields": []})),
    ])
    .await;
    a.client.create_merge_field(P, "BRANCH", "Branch").await.unwrap();
    assert_eq!(a.server.last().line(), format!("POST {}", path("/merge-fields")));
    assert_eq!(
        a.server.last().body,
        j!({"tag": "BRANCH", "name": "Branch", "type": "text", "public": false, "required": false})
    );
    a.client.create_merge_field(P, "BRANCH", "Branch").await.unwrap();
    a.client.create_merge_field(P, "BRANCH", "Branch").await.unwrap_err();
}

#[tokio::test]
async fn members_are_paged_by_a_thousand_oldest_first_with_named_fields() {
    let a = audience(vec![
        json(200, j!({"members": [member("a@example.com"), {"status": "subscribed"}], "total_items": 3})),
        json(200, j!({"members": [member("b@example.com")], "total_items": 3})),
    ])
    .await;
    let query = MemberQuery {
        status: Some(MemberStatus::Unsubscribed),
        changed_since: Timestamp::parse("2026-11-23T14:00:00Z"),
        unsubscribed_since: Timestamp::parse("2026-11-22T14:00:00Z"),
    };
    let page = a.client.members(P, &query, None).await.unwrap();
    assert_eq!((page.rows.len(), page.total, page.next.as_deref()), (1, Some(3), Some("2")));
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("GET {}", path("/members")));
    for (name, value) in [
        ("count", "1000"),
        ("offset", "0"),
        ("sort_field", "timestamp_signup"),
        ("sort_dir", "ASC"),
        ("status", "unsubscribed"),
        ("since_last_changed", "2026-11-23T14:00:00+00:00"),
        ("unsubscribed_since", "2026-11-22T14:00:00+00:00"),
    ] {
        assert_eq!(asked.query(name).as_deref(), Some(value), "{name}");
    }
    assert!(asked.target.contains("%2B00"), "a bare plus would be read as a blank");
    assert!(asked.query("fields").unwrap().starts_with("members.email_address,"));
    let page = a.client.members(P, &MemberQuery::default(), page.next.as_deref()).await.unwrap();
    assert_eq!(a.server.last().query("offset").as_deref(), Some("2"));
    assert_eq!((page.next, a.server.last().query("status")), (None, None));
    assert_eq!(page.rows[0].fields["FNAME"], "Ann");
}

#[tokio::test]
async fn tags_beyond_the_inline_fifty_are_read_too() {
    let mut cut = member("a@example.com");
    cut["tags_count"] = j!(2);
    let a = audience(vec![
        json(200, j!({"members": [cut], "total_items": 1})),
        json(200, j!({"tags": [{"id": 1, "name": "General"}, {"id": 2, "name": "Late"}]})),
    ])
    .await;
    let page = a.client.members(P, &MemberQuery::default(), None).await.unwrap();
    assert_eq!(page.rows[0].tags, [TagName::new("General"), TagName::new("Late")]);
    assert_eq!(
        a.server.last().line(),
        format!("GET {}", path(&format!("/members/{}/tags", hex("a@example.com"))))
    );
}

#[tokio::test]
async fn bearers_of_a_tag_are_read_whatever_their_status() {
    let a = audience(vec![json(200, j!({"members": [member("a@example.com")], "total_items": 1}))]).await;
    let page = a.client.bearers(P, SegmentId(9), None).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (1, None));
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("GET {}", path("/segments/9/members")));
    for flag in ["include_unsubscribed", "include_cleaned", "include_transactional"] {
        assert_eq!(asked.query(flag).as_deref(), Some("true"));
    }
}

#[tokio::test]
async fn a_listing_that_cannot_be_read_is_never_an_empty_one() {
    let a = audience(vec![
        text(200, "<html>"),
        text(200, ""),
        json(200, j!({"total_items": 3})),
        json(200, j!([])),
    ])
    .await;
    for _ in 0..4 {
        let failure = a.client.members(P, &MemberQuery::default(), None).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Transient);
    }
}

#[tokio::test]
async fn one_member_is_read_or_known_to_be_absent() {
    let mut archived = member("a@example.com");
    archived["status"] = j!("archived");
    let a = audience(vec![
        json(200, archived),
        json(404, j!({"title": "Resource Not Found"})),
        text(404, "<html>"),
    ])
    .await;
    let hash = email("a@example.com").hash();
    assert_eq!(a.client.member(P, hash).await.unwrap().unwrap().status, MemberStatus::Archived);
    assert_eq!(a.server.last().line(), format!("GET {}", path(&format!("/members/{}", hash.hex()))));
    assert_eq!(a.client.member(P, hash).await.unwrap(), None);
    assert_eq!(a.client.member(P, hash).await.unwrap_err().class, FailureClass::Misconfigured);
}

#[tokio::test]
async fn members_are_created_without_touching_existing_ones() {
    let a = audience(vec![json(
        200,
        j!({"new_members": [{"email_address": "a@example.com", "status": "subscribed", "contact_id": "7f"}], "updated_members": [],
            "errors": [{"email_address": "b@example.com", "error_code": "ERROR_CONTACT_EXISTS", "error": "b@example.com is already a list member"},
                       {"email_address": "c@example.com", "error_code": "ERROR_GENERIC", "error": "c@example.com looks fake or invalid"}]}),
    )])
    .await;
    let new = |address: &str| NewMember {
        email: email(address),
        status: MemberStatus::Subscribed,
        fields: fields(),
        tags: vec![TagName::new("General")],
    };
    let members = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"].map(new);
    let Subscribed { outcomes, numbers } = a.client.subscribe(P, &members).await.unwrap();
    assert_eq!(numbers, [(email("a@example.com").hash(), "7f".to_owned())].into());
    let code = |address: &str| match &outcomes[&email(address).hash()] {
        ItemOutcome::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(outcomes[&email("a@example.com").hash()], ItemOutcome::Done);
    assert_eq!(code("b@example.com"), RefusalCode::AlreadyExists);
    assert_eq!(code("c@example.com"), RefusalCode::FakeAddress);
    assert_eq!(outcomes[&email("d@example.com").hash()], ItemOutcome::Unknown);
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("POST {}", path("")));
    assert_eq!(asked.query("skip_merge_validation").as_deref(), Some("true"));
    assert_eq!(asked.body["update_existing"], false);
    assert_eq!(asked.body.get("sync_tags"), None);
    assert_eq!(
        asked.body["members"][0],
        j!({"email_address": "a@example.com", "status": "subscribed", "merge_fields": {"FNAME": "Ann"}, "tags": ["General"]})
    );
}

#[tokio::test]
async fn many_are_unsubscribed_by_one_call_and_one_by_a_call_that_cannot_create() {
    let a = audience(vec![
        json(
            200,
            j!({"updated_members": [{"email_address": "a@example.com", "status": "unsubscribed"},
                                    {"email_address": "b@example.com", "status": "subscribed"}], "errors": []}),
        ),
        json(200, j!({"status": "unsubscribed"})),
        json(404, j!({"title": "Resource Not Found"})),
    ])
    .await;
    let (one, two) = (email("a@example.com"), email("b@example.com"));
    let outcomes = a.client.unsubscribe(P, &[one.clone(), two.clone()]).await.unwrap();
    assert_eq!(outcomes[&one.hash()], ItemOutcome::Done);
    assert_eq!(outcomes[&two.hash()], ItemOutcome::Unknown, "the answer shows another status");
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("POST {}", path("")));
    assert_eq!(asked.body["update_existing"], true);
    assert_eq!(asked.body["members"][0], j!({"email_address": "a@example.com", "status": "unsubscribed"}));
    let alone = std::slice::from_ref(&one);
    assert_eq!(a.client.unsubscribe(P, alone).await.unwrap()[&one.hash()], ItemOutcome::Done);
    assert_eq!(a.server.last().line(), format!("PATCH {}", path(&format!("/members/{}", one.hash().hex()))));
    assert_eq!(a.server.last().body, j!({"status": "unsubscribed"}));
    let outcomes = a.client.unsubscribe(P, alone).await.unwrap();
    assert!(matches!(&outcomes[&one.hash()], ItemOutcome::Refused(r) if r.code == RefusalCode::NotFound));
}

#[tokio::test]
async fn a_refresh_carries_no_status_and_creates_nobody() {
    let a = audience(vec![
        json(200, j!({"status": "unsubscribed"})),
        json(404, j!({"title": "Resource Not Found"})),
    ])
    .await;
    let ann = email("a@example.com");
    a.client.refresh(P, &ann, &fields()).await.unwrap();
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("PATCH {}", path(&format!("/members/{}", ann.hash().hex()))));
    assert_eq!(asked.body, j!({"merge_fields": {"FNAME": "Ann"}}));
    let failure = a.client.refresh(P, &ann, &fields()).await.unwrap_err();
    assert_eq!((failure.class, failure.refusal), (FailureClass::Permanent, RefusalCode::NotFound));
}

#[tokio::test]
async fn a_restored_member_has_to_be_shown_as_subscribed() {
    let a = audience(vec![
        json(200, j!({"status": "subscribed"})),
        json(200, j!({"status": "archived"})),
        json(400, j!({"title": "Member In Compliance State"})),
        json(200, j!({"status": "transactional"})),
    ])
    .await;
    let ann = email("a@example.com");
    a.client.restore(P, &ann, &MemberStatus::Subscribed, &fields()).await.unwrap();
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("PUT {}", path(&format!("/members/{}", ann.hash().hex()))));
    assert_eq!(
        asked.body,
        j!({"email_address": "a@example.com", "status": "subscribed", "merge_fields": {"FNAME": "Ann"}})
    );
    assert_eq!(
        a.client.restore(P, &ann, &MemberStatus::Subscribed, &fields()).await.unwrap_err().class,
        FailureClass::InDoubt
    );
    assert_eq!(
        a.client.restore(P, &ann, &MemberStatus::Subscribed, &fields()).await.unwrap_err().refusal,
        RefusalCode::Compliance
    );
    a.client.restore(P, &ann, &MemberStatus::Transactional, &BTreeMap::new()).await.unwrap();
    let body = a.server.last().body;
    assert_eq!(
        body,
        j!({"email_address": "a@example.com", "status": "transactional"}),
        "fields stay as they are"
    );
}

#[tokio::test]
async fn a_rename_goes_to_the_old_hash() {
    let a = audience(vec![json(200, member("new@example.com"))]).await;
    a.client.rename(P, email("old@example.com").hash(), &email("new@example.com")).await.unwrap();
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("PATCH {}", path(&format!("/members/{}", hex("old@example.com")))));
    assert_eq!(asked.body, j!({"email_address": "new@example.com"}));
}

#[tokio::test]
async fn an_archive_that_is_not_allowed_is_looked_into() {
    let not_allowed =
        || json(405, j!({"title": "Method Not Allowed", "detail": "This list member cannot be removed."}));
    let with_status = |status: &str| {
        let mut row = member("a@example.com");
        row["status"] = j!(status);
        json(200, row)
    };
    let a = audience(vec![
        Play::Answer(204, Vec::new(), Vec::new()),
        json(404, j!({"title": "Resource Not Found"})),
        not_allowed(),
        with_status("archived"),
        not_allowed(),
        with_status("cleaned"),
    ])
    .await;
    let hash = email("a@example.com").hash();
    assert_eq!(a.client.archive(P, hash).await.unwrap(), ItemOutcome::Done);
    assert_eq!(a.server.last().line(), format!("DELETE {}", path(&format!("/members/{}", hash.hex()))));
    let outcome = async || a.client.archive(P, hash).await.unwrap();
    assert!(matches!(outcome().await, ItemOutcome::Refused(r) if r.code == RefusalCode::NotFound));
    assert_eq!(outcome().await, ItemOutcome::AlreadyHeld);
    assert!(matches!(outcome().await, ItemOutcome::Refused(r) if r.code == RefusalCode::NotRemovable));
}

#[tokio::test]
async fn a_tag_is_changed_for_many_and_only_the_named_are_done() {
    let a = audience(vec![json(
        200,
        j!({"members_added": [{"email_address": "a@example.com"}], "members_removed": [{"email_address": "c@example.com"}],
            "errors": [{"email_addresses": ["b@example.com"], "error": "not in the audience"}]}),
    )])
    .await;
    let [one, two, three] = ["a@example.com", "b@example.com", "c@example.com"].map(email);
    let outcomes = a
        .client
        .tag_many(P, SegmentId(9), &[one.clone(), two.clone()], std::slice::from_ref(&three))
        .await
        .unwrap();
    assert_eq!(outcomes[&one.hash()], ItemOutcome::Done);
    assert_eq!(outcomes[&two.hash()], ItemOutcome::Unknown);
    assert_eq!(outcomes[&three.hash()], ItemOutcome::Done);
    let asked = a.server.last();
    assert_eq!(asked.line(), format!("POST {}", path("/segments/9")));
    assert_eq!(
        asked.body,
        j!({"members_to_add": ["a@example.com", "b@example.com"], "members_to_remove": ["c@example.com"]})
    );
}

#[tokio::test]
async fn tags_of_one_member_are_changed_loudly_or_silently() {
    let a =
        audience(vec![Play::Answer(204, Vec::new(), Vec::new()), Play::Answer(204, Vec::new(), Vec::new())])
            .await;
    let hash = email("a@example.com").hash();
    let changes = [(TagName::new("General"), true), (TagName::new("Old"), false)];
    for (delivery, is_syncing) in [(Delivery::Silent, true), (Delivery::Loud, false)] {
        a.client.tag_one(P, hash, &changes, delivery).await.unwrap();
        let asked = a.server.last();
        assert_eq!(asked.line(), format!("POST {}", path(&format!("/members/{}/tags", hash.hex()))));
        assert_eq!(
            asked.body,
            j!({"tags": [{"name": "General", "status": "active"}, {"name": "Old", "status": "inactive"}], "is_syncing": is_syncing})
        );
    }
}

#[tokio::test]
async fn a_tag_is_searched_before_it_is_made() {
    let a = audience(vec![
        json(200, j!({"tags": [{"id": 1, "name": "General Single"}, {"id": 2, "name": "GENERAL"}]})),
        json(200, j!({"tags": [{"id": 1, "name": "General Single"}]})),
        json(200, j!({"id": 3, "name": "General"})),
        json(200, j!({"tags": []})),
        json(400, j!({"title": "Bad Request"})),
        json(200, j!({"tags": [{"id": "4", "name": "general"}]})),
    ])
    .await;
    let name = TagName::new("General");
    assert_eq!(a.client.create_tag(P, &name).await.unwrap(), SegmentId(2));
    assert_eq!(a.server.last().line(), format!("GET {}", path("/tag-search")));
    assert_eq!(a.server.last().query("name").as_deref(), Some("General"));
    assert_eq!(a.client.create_tag(P, &name).await.unwrap(), SegmentId(3));
    assert_eq!(a.server.last().line(), format!("POST {}", path("/segments")));
    assert_eq!(a.server.last().body, j!({"name": "General", "static_segment": []}));
    assert_eq!(a.client.create_tag(P, &name).await.unwrap(), SegmentId(4));
}

#[tokio::test]
async fn tags_are_listed_without_saved_segments_and_renamed_by_name_alone() {
    let a = audience(vec![
        json(
            200,
            j!({"segments": [{"id": 1, "name": "General", "member_count": 5, "type": "static"},
                                   {"id": 2, "name": "Saved", "type": "saved"}], "total_items": 2}),
        ),
        json(200, j!({"id": 1})),
    ])
    .await;
    let tags = a.client.tags(P).await.unwrap();
    assert_eq!(
        tags.iter().map(|tag| (tag.segment, tag.member_count)).collect::<Vec<_>>(),
        [(SegmentId(1), 5)]
    );
    assert_eq!(a.server.last().query("type").as_deref(), Some("static"));
    a.client.rename_tag(P, SegmentId(1), &TagName::new("Common")).await.unwrap();
    assert_eq!(a.server.last().line(), format!("PATCH {}", path("/segments/1")));
    assert_eq!(a.server.last().body, j!({"name": "Common"}));
}

#[tokio::test]
async fn a_batch_is_submitted_with_ids_of_ours() {
    let a = audience(vec![
        json(200, j!({"id": "t1", "status": "pending"})),
        json(200, j!({"status": "pending"})),
    ])
    .await;
    let ann = email("a@example.com");
    let tags = BatchCall::Tags { changes: vec![(TagName::new("Old"), false)], delivery: Delivery::Silent };
    let calls = [
        ("1.1.0".to_owned(), ann.hash(), None, BatchCall::Archive),
        ("1.2.0".to_owned(), ann.hash(), Some(ann.clone()), BatchCall::Refresh(fields())),
        ("1.3.0".to_owned(), ann.hash(), None, tags),
    ];
    assert_eq!(a.client.submit(P, &calls).await.unwrap(), "t1");
    let asked = a.server.last();
    assert_eq!(asked.line(), "POST /base/batches");
    let operations = asked.body["operations"].as_array().unwrap();
    let member = format!("/lists/a1b2/members/{}", ann.hash().hex());
    assert_eq!(operations[0], j!({"method": "DELETE", "path": member, "operation_id": "1.1.0"}));
    assert_eq!(operations[1]["body"], r#"{"merge_fields":{"FNAME":"Ann"}}"#);
    assert_eq!(operations[2]["path"], format!("{member}/tags"));
    assert!(operations[2]["body"].as_str().unwrap().contains("\"is_syncing\":true"));
    let failure = a.client.submit(P, &calls).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "a batch without a ticket may be running");
}

#[tokio::test]
async fn results_of_a_batch_are_fetched_without_the_key() {
    let a = audience(vec![
        json(200, j!({"id": "t1", "status": "started"})),
        json(404, j!({"title": "Resource Not Found"})),
    ])
    .await;
    assert_eq!(a.client.batch(P, "t1").await.unwrap(), BatchState::Running(0));
    assert_eq!(a.server.last().line(), "GET /base/batches/t1");
    assert_eq!(a.client.batch(P, "t1").await.unwrap(), BatchState::Unknown);

    let rows = j!([{"status_code": 204, "operation_id": "1.1.0", "response": ""},
                   {"status_code": 400, "operation_id": "1.2.0", "response": "{\"title\":\"Invalid Resource\",\"detail\":\"Your merge fields were invalid.\"}"}]);
    let finished = || {
        json(200, j!({"status": "finished", "response_body_url": format!("{}results.tar.gz", a.server.url)}))
    };
    a.server.plan(finished());
    a.server.plan(Play::Answer(200, Vec::new(), packed(&rows.to_string())));
    let BatchState::Finished(results) = a.client.batch(P, "t1").await.unwrap() else {
        panic!("not finished")
    };
    assert_eq!(results["1.1.0"], Ok(ItemOutcome::Done));
    assert!(matches!(&results["1.2.0"], Ok(ItemOutcome::Refused(r)) if r.code == RefusalCode::InvalidValue));
    let asked = a.server.last();
    assert_eq!((asked.line().as_str(), asked.header("authorization")), ("GET /base/results.tar.gz", None));

    a.server.plan(finished());
    a.server.plan(text(403, "<html>expired</html>"));
    assert_eq!(a.client.batch(P, "t1").await.unwrap_err().class, FailureClass::Transient);
    let seen = a.gate.last();
    assert!(!seen.limited && !seen.unauthorized, "another host's refusal is not the account's");
    assert_eq!(a.gate.seen.lock().unwrap().len(), a.server.asked().len(), "every exchange passes the gate");
}

#[tokio::test]
async fn batches_are_listed_newest_first() {
    let a = audience(vec![json(
        200,
        j!({"batches": [{"id": "old", "submitted_at": "2026-11-20T00:00:00+00:00", "total_operations": 3},
                        {"id": "new", "submitted_at": "2026-11-23T00:00:00+00:00", "total_operations": "5"}]}),
    )])
    .await;
    let batches = a.client.batches(P).await.unwrap();
    assert_eq!(
        batches.iter().map(|b| (b.ticket.as_str(), b.operations)).collect::<Vec<_>>(),
        [("new", 5), ("old", 3)]
    );
}

fn packed(content: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_cksum();
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    builder.append_data(&mut header, "t1/one.json", content.as_bytes()).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

#[tokio::test]
async fn a_member_is_deleted_for_good_by_hash_and_one_that_is_gone_is_success() {
    let a = audience(vec![
        Play::Answer(204, vec![], vec![]),
        json(404, j!({"title": "Resource Not Found"})),
        text(404, "<html>"),
    ])
    .await;
    let hash = email("a@example.com").hash();
    assert_eq!(a.client.erase(P, hash).await.unwrap(), ItemOutcome::Done);
    let line = format!("POST {}", path(&format!("/members/{}/actions/delete-permanent", hash.hex())));
    assert_eq!(a.server.last().line(), line);
    assert_eq!(a.client.erase(P, hash).await.unwrap(), ItemOutcome::AlreadyHeld);
    assert!(a.client.erase(P, hash).await.is_err(), "a gateway's page says nothing of anybody");
}

/// Where the contract says 204, any other success may be somebody's on the way: the call may have happened.
#[tokio::test]
async fn a_success_that_the_contract_does_not_give_is_in_doubt_and_never_believed() {
    let bodies = || [text(200, ""), json(200, j!({})), json(200, j!({"ok": true})), text(200, "<html>")];
    let hash = email("a@example.com").hash();
    let changes = [(TagName::new("General"), true)];
    let in_doubt = |failure: CallFailure| assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
    for answer in bodies() {
        in_doubt(audience(vec![answer]).await.client.archive(P, hash).await.unwrap_err());
    }
    for answer in bodies() {
        in_doubt(audience(vec![answer]).await.client.erase(P, hash).await.unwrap_err());
    }
    for answer in bodies() {
        let a = audience(vec![answer]).await;
        in_doubt(a.client.tag_one(P, hash, &changes, Delivery::Loud).await.unwrap_err());
    }
    for answer in bodies() {
        let a = audience(vec![answer]).await;
        in_doubt(a.client.refresh(P, &email("a@example.com"), &BTreeMap::new()).await.unwrap_err());
    }
}
