//! HubSpot: requests and outcomes of each call.

use crate::server::{Play, RecordingGate, Server, email, json, text};
use hsmc::connect::{Http, HttpSettings, HubSpotClient, HubSpotSettings};
use hsmc::domain::contact::ListKind;
use hsmc::domain::failure::{FailureClass, RefusalCode, Service};
use hsmc::domain::id::{ListId, RecordId};
use hsmc::domain::port::{Budget, ContactQuery, CrmAccount, ItemOutcome, OptOutBasis, Priority};
use hsmc::domain::step::OptOutScope;
use hsmc::domain::time::Timestamp;
use serde_json::json as j;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const P: Priority = Priority::Scan;

pub struct Portal {
    pub server: Server,
    pub gate: Arc<RecordingGate>,
    pub client: HubSpotClient,
}

pub async fn portal(plays: Vec<Play>) -> Portal {
    portal_with(plays, &["firstname", "branch"]).await
}

async fn portal_with(plays: Vec<Play>, properties: &[&str]) -> Portal {
    let server = Server::start(plays).await;
    let gate = RecordingGate::new(Service::HubSpot);
    let settings = HubSpotSettings {
        base_url: server.url.clone(),
        token: "pat-eu1-secret".to_owned().into(),
        api_version: "2026-09".to_owned(),
        properties: properties.iter().map(|name| (*name).to_owned()).collect(),
        opt_out_scopes: vec![OptOutScope::All, OptOutScope::Subscription(77)],
        list_write_limit: 1_000,
    };
    let http = Http::new(&HttpSettings::default()).unwrap();
    let client = HubSpotClient::new(settings, gate.clone(), http);
    Portal { server, gate, client }
}

fn basis() -> OptOutBasis {
    OptOutBasis { legal_basis: "LEGITIMATE_INTEREST_OTHER".to_owned(), explanation: "asked to".to_owned() }
}

#[tokio::test]
async fn the_portal_is_asked_below_the_base_path_with_token_and_name() {
    let p = portal(vec![json(200, j!({"portalId": 4711, "timeZone": "Europe/Berlin"}))]).await;
    let info = p.client.portal(P).await.unwrap();
    assert_eq!((info.portal_id, info.time_zone.as_str()), (4711, "Europe/Berlin"));
    let asked = p.server.last();
    assert_eq!(asked.line(), "GET /base/account-info/2026-09/details");
    assert_eq!(asked.header("authorization"), Some("Bearer pat-eu1-secret"));
    assert!(asked.header("user-agent").unwrap().starts_with("hsmc/"));
    assert!(asked.header("accept-encoding").unwrap().contains("gzip"));
}

#[tokio::test]
async fn lists_are_found_in_one_search_and_missing_ones_left_out() {
    let p = portal(vec![json(
        200,
        j!({"lists": [
            {"listId": "946", "name": "General", "objectTypeId": "0-1", "processingType": "SNAPSHOT",
             "processingStatus": "COMPLETE",
             "additionalProperties": {"hs_list_size": "12", "hs_last_record_added_at": "1000", "hs_last_record_removed_at": "900"}},
            {"listId": 947, "name": "All", "objectTypeId": "0-1", "processingType": "DYNAMIC", "processingStatus": "PROCESSING"},
            {"listId": "1", "name": "not asked for"},
        ], "hasMore": false, "total": 2}),
    )])
    .await;
    let lists = p.client.lists(P, &[ListId(946), ListId(947), ListId(948)]).await.unwrap();
    assert_eq!(lists.len(), 2);
    assert_eq!(lists[0].mark.as_deref(), Some("1000|900|12"));
    assert_eq!((lists[0].kind, lists[0].complete, lists[0].size), (ListKind::Static, true, Some(12)));
    assert_eq!((lists[1].kind, lists[1].complete, lists[1].mark.clone()), (ListKind::Dynamic, false, None));
    let asked = p.server.last();
    assert_eq!(asked.line(), "POST /base/crm/lists/2026-09/search");
    assert_eq!(asked.body["listIds"], j!(["946", "947", "948"]));
    assert_eq!(asked.body["count"], 500);
}

#[tokio::test]
async fn memberships_come_in_pages_of_250() {
    let p = portal(vec![
        json(200, j!({"results": [{"recordId": "1", "membershipTimestamp": "2026-11-23T14:00:00Z"}, {"recordId": 2}], "paging": {"next": {"after": "Mg=="}}})),
        json(200, j!({"results": []})),
    ])
    .await;
    let page = p.client.memberships(P, ListId(946), None).await.unwrap();
    assert_eq!(page.rows.iter().map(|m| m.record.0).collect::<Vec<_>>(), [1, 2]);
    assert!(page.rows[0].joined.is_some() && page.rows[1].joined.is_none());
    assert_eq!(p.server.last().line(), "GET /base/crm/lists/2026-09/946/memberships");
    assert_eq!(p.server.last().query("limit").as_deref(), Some("250"));
    let page = p.client.memberships(P, ListId(946), page.next.as_deref()).await.unwrap();
    assert_eq!(p.server.last().query("after").as_deref(), Some("Mg=="));
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn contacts_are_read_in_a_batch_with_only_what_is_wanted() {
    let p = portal(vec![json(
        207,
        j!({"results": [
            {"id": "11", "createdAt": "2026-01-01T00:00:00Z", "properties": {
                "email": "Ann@Example.com", "firstname": "Ann", "branch": null, "hs_email_optout_77": "true",
                "lastmodifieddate": "2026-11-23T14:00:00Z", "hs_object_id": "11"}},
            {"no": "id"},
        ], "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["12"]}}]}),
    )])
    .await;
    let contacts = p.client.contacts(P, &[RecordId(11), RecordId(12)]).await.unwrap();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].properties, BTreeMap::from([("firstname".to_owned(), "Ann".to_owned())]));
    assert!(contacts[0].opted_out && contacts[0].created.is_some() && contacts[0].modified.is_some());
    assert_eq!(contacts[0].email(), Some(email("ann@example.com")));
    let asked = p.server.last();
    assert_eq!(asked.line(), "POST /base/crm/objects/2026-09/contacts/batch/read");
    assert_eq!(asked.body["inputs"], j!([{"id": "11"}, {"id": "12"}]));
    assert_eq!(
        asked.body["properties"],
        j!([
            "email",
            "createdate",
            "lastmodifieddate",
            "hs_email_optout",
            "hs_email_optout_77",
            "branch",
            "firstname",
            "hs_additional_emails",
            "hs_merged_object_ids"
        ])
    );
    assert_eq!(asked.body.get("idProperty"), None);
}

#[tokio::test]
async fn contacts_are_read_by_address() {
    let p = portal(vec![json(200, j!({"results": []}))]).await;
    assert!(p.client.contacts_by_email(P, &[email("a+b@example.com")]).await.unwrap().is_empty());
    let asked = p.server.last();
    assert_eq!(asked.body["idProperty"], "email");
    assert_eq!(asked.body["inputs"], j!([{"id": "a+b@example.com"}]));
}

#[tokio::test]
async fn one_contact_is_the_survivor_or_none_but_never_none_by_accident() {
    let p = portal(vec![
        json(200, j!({"id": "99", "properties": {"email": "a@example.com"}})),
        json(404, j!({"status": "error", "category": "OBJECT_NOT_FOUND"})),
        text(404, "<html>no such page</html>"),
        text(200, "<html>maintenance</html>"),
    ])
    .await;
    assert_eq!(p.client.contact(P, RecordId(11)).await.unwrap().unwrap().record, RecordId(99));
    assert_eq!(p.server.last().line(), "GET /base/crm/objects/2026-09/contacts/11");
    assert!(p.server.last().query("properties").unwrap().contains("hs_email_optout_77"));
    assert_eq!(p.client.contact(P, RecordId(11)).await.unwrap(), None);
    let failure = p.client.contact(P, RecordId(11)).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Misconfigured);
    let failure = p.client.contact(P, RecordId(11)).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
}

#[tokio::test]
async fn a_search_is_charged_to_its_own_budget_and_pages_by_cursor() {
    let p = portal(vec![
        json(200, j!({"results": [{"id": "5", "properties": {}}], "total": 300, "paging": {"next": {"after": "200"}}})),
        json(200, j!({"results": [{"id": "6", "properties": {}}], "total": 300})),
    ])
    .await;
    let query = ContactQuery::Modified { since: Timestamp(1), until: Timestamp(2) };
    let page = p.client.search(P, &query, None).await.unwrap();
    assert_eq!((page.rows.len(), page.total), (1, Some(300)));
    let asked = p.server.last();
    assert_eq!(asked.line(), "POST /base/crm/objects/2026-09/contacts/search");
    assert_eq!((&asked.body["limit"], asked.body.get("after")), (&j!(200), None));
    assert_eq!(*p.gate.admitted.lock().unwrap(), [(P, Budget::Search)]);
    let page = p.client.search(P, &query, page.next.as_deref()).await.unwrap();
    assert_eq!(p.server.last().body["after"], "200");
    assert_eq!(page.next, None);
    let failure = p.client.search(P, &query, Some("nonsense")).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert_eq!(p.server.asked().len(), 2, "a bad cursor is not sent");
}

#[tokio::test]
async fn who_opted_out_of_anything_is_searched_as_alternatives() {
    let p = portal(vec![json(200, j!({"results": []}))]).await;
    p.client.search(P, &ContactQuery::OptedOut, None).await.unwrap();
    assert_eq!(
        p.server.last().body["filterGroups"],
        j!([
            {"filters": [{"propertyName": "hs_email_optout", "operator": "EQ", "value": "true"}]},
            {"filters": [{"propertyName": "hs_email_optout_77", "operator": "EQ", "value": "true"}]},
        ])
    );
}

#[tokio::test]
async fn a_search_with_too_many_properties_reads_them_afterwards() {
    let names: Vec<String> = (0..200).map(|n| format!("a_rather_long_property_{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let p = portal_with(
        vec![
            json(200, j!({"results": [{"id": "5", "properties": {"email": "a@example.com"}}]})),
            json(200, j!({"results": [{"id": "5", "properties": {"email": "a@example.com", "a_rather_long_property_3": "x"}}]})),
        ],
        &names,
    )
    .await;
    let page = p.client.search(P, &ContactQuery::OptedOut, None).await.unwrap();
    assert_eq!(page.rows[0].properties["a_rather_long_property_3"], "x");
    assert!(p.server.asked()[0].body.to_string().len() <= 3_000);
}

#[tokio::test]
async fn memberships_of_a_record_without_an_entry_are_left_out() {
    let p = portal(vec![json(
        200,
        j!({"results": [{"recordId": "1", "recordListMemberships": [{"listId": "946"}, {"listId": 947}]},
                        {"recordId": "2", "recordListMemberships": []}],
            "errors": [{"category": "OBJECT_NOT_FOUND"}]}),
    )])
    .await;
    let of = p.client.memberships_of(P, &[RecordId(1), RecordId(2), RecordId(3)]).await.unwrap();
    assert_eq!(of[&RecordId(1)], BTreeSet::from([ListId(946), ListId(947)]));
    assert_eq!(of[&RecordId(2)], BTreeSet::new());
    assert_eq!(of.get(&RecordId(3)), None);
    let asked = p.server.last();
    assert_eq!(asked.line(), "POST /base/crm/lists/2026-09/records/memberships/batch/read");
    assert_eq!(asked.body["inputs"][0], j!({"objectTypeId": "0-1", "recordId": "1"}));
}

#[tokio::test]
async fn properties_are_read_and_created_and_an_existing_one_is_success() {
    let p = portal(vec![
        json(200, j!({"results": [
            {"name": "branch", "type": "enumeration", "options": [{"value": "a"}, {"value": "b"}]},
            {"name": "createdate", "type": "datetime", "modificationMetadata": {"readOnlyValue": true}},
            {"name": "score", "type": "number", "calculated": true},
        ]})),
        json(201, j!({"name": "import_list"})),
        json(409, j!({"category": "OBJECT_ALREADY_EXISTS"})),
        json(403, j!({"category": "MISSING_SCOPES", "errors": [{"context": {"requiredScopes": ["crm.schemas.contacts.write"]}}]})),
    ])
    .await;
    let properties = p.client.properties(P).await.unwrap();
    assert_eq!(properties.iter().map(|p| p.read_only).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(properties[0].options, ["a", "b"]);
    assert_eq!(p.server.last().line(), "GET /base/crm/properties/2026-09/contacts");
    p.client.create_text_property(P, "import_list", "Import list").await.unwrap();
    assert_eq!(p.server.last().line(), "POST /base/crm/properties/2026-09/contacts");
    assert_eq!(
        p.server.last().body,
        j!({"name": "import_list", "label": "Import list", "type": "string", "fieldType": "text", "groupName": "contactinformation"})
    );
    p.client.create_text_property(P, "import_list", "Import list").await.unwrap();
    let failure = p.client.create_text_property(P, "import_list", "Import list").await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Misconfigured);
    assert!(failure.message.contains("crm.schemas.contacts.write"), "{}", failure.message);
}

#[tokio::test]
async fn a_list_write_sends_bare_ids_as_strings_and_reports_the_real_change() {
    let p = portal(vec![
        json(200, j!({"recordsIdsAdded": ["1"], "recordIdsRemoved": [], "recordIdsMissing": ["2"]})),
        json(200, j!({"recordIdsRemoved": ["1"]})),
        text(200, "<html>"),
        json(400, j!({"category": "VALIDATION_ERROR", "message": "List 946 is DYNAMIC"})),
    ])
    .await;
    let ids = [RecordId(1), RecordId(2)];
    let write = p.client.list_add(P, ListId(946), &ids).await.unwrap();
    assert_eq!((write.added, write.missing), (BTreeSet::from([RecordId(1)]), BTreeSet::from([RecordId(2)])));
    assert_eq!(p.server.last().line(), "PUT /base/crm/lists/2026-09/946/memberships/add");
    assert_eq!(p.server.last().body, j!(["1", "2"]));
    let write = p.client.list_remove(P, ListId(946), &ids).await.unwrap();
    assert_eq!(write.removed, BTreeSet::from([RecordId(1)]));
    assert_eq!(p.server.last().line(), "PUT /base/crm/lists/2026-09/946/memberships/remove");
    let failure = p.client.list_add(P, ListId(946), &ids).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "the status is a success, the rest unreadable");
    let failure = p.client.list_add(P, ListId(946), &ids).await.unwrap_err();
    assert_eq!((failure.class, failure.refusal), (FailureClass::Permanent, RefusalCode::NotWritable));
    assert_eq!(failure.what, "add to list 946");
    p.client.list_add(P, ListId(946), &[]).await.unwrap();
    assert_eq!(p.server.asked().len(), 4, "nothing to add is nothing to send");
}

#[tokio::test]
async fn a_batch_of_updates_fails_in_part_or_as_a_whole() {
    let updates: BTreeMap<_, _> = [1, 2, 3]
        .map(|id| (RecordId(id), BTreeMap::from([("branch".to_owned(), String::new())])))
        .into_iter()
        .collect();
    for status in [200, 207] {
        let p = portal(vec![json(
            status,
            j!({"status": "COMPLETE", "results": [{"id": "1"}], "numErrors": 1,
                "errors": [{"category": "VALIDATION_ERROR", "message": "no", "context": {"id": ["2"]}}]}),
        )])
        .await;
        let outcomes = p.client.update_contacts(P, &updates).await.unwrap();
        assert_eq!(outcomes[&RecordId(1)], ItemOutcome::Done);
        assert!(
            matches!(&outcomes[&RecordId(2)], ItemOutcome::Refused(r) if r.code == RefusalCode::InvalidValue)
        );
        assert_eq!(outcomes[&RecordId(3)], ItemOutcome::Unknown);
        let asked = p.server.last();
        assert_eq!(asked.line(), "POST /base/crm/objects/2026-09/contacts/batch/update");
        assert_eq!(asked.body["inputs"][0], j!({"id": "1", "properties": {"branch": ""}}));
    }
    let p = portal(vec![json(400, j!({"category": "VALIDATION_ERROR", "message": "one of them"}))]).await;
    let failure = p.client.update_contacts(P, &updates).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
}

#[tokio::test]
async fn creating_a_contact_that_exists_gives_its_id() {
    let p = portal(vec![
        json(201, j!({"id": "7"})),
        json(409, j!({"category": "CONFLICT", "message": "Contact already exists. Existing ID: 8"})),
        json(409, j!({"category": "CONFLICT", "message": "Contact already exists."})),
        json(200, j!({"id": "9", "properties": {"email": "a+b@example.com"}})),
        json(400, j!({"category": "VALIDATION_ERROR", "errors": [{"code": "MISSING_REQUIRED_PROPERTY", "context": {"propertyName": ["branch"]}}]})),
    ])
    .await;
    let ann = email("a+b@example.com");
    assert_eq!(p.client.create_contact(P, &ann).await.unwrap(), RecordId(7));
    assert_eq!(p.server.last().line(), "POST /base/crm/objects/2026-09/contacts");
    assert_eq!(p.server.last().body, j!({"properties": {"email": "a+b@example.com"}}));
    assert_eq!(p.client.create_contact(P, &ann).await.unwrap(), RecordId(8));
    assert_eq!(p.client.create_contact(P, &ann).await.unwrap(), RecordId(9));
    let asked = p.server.last();
    assert_eq!(asked.line(), "GET /base/crm/objects/2026-09/contacts/a%2Bb%40example.com");
    assert_eq!(asked.query("idProperty").as_deref(), Some("email"));
    let failure = p.client.create_contact(P, &ann).await.unwrap_err();
    assert_eq!(failure.refusal, RefusalCode::MissingProperty);
    assert!(failure.message.contains("branch"));
}

#[tokio::test]
async fn subscription_types_that_are_internal_or_inactive_are_unusable() {
    let p = portal(vec![json(
        200,
        j!({"results": [{"id": "77", "name": "News", "isActive": true, "isInternal": false},
                        {"id": 78, "name": "One to one", "isInternal": true},
                        {"id": "79", "name": "Old", "isActive": false}]}),
    )])
    .await;
    let types = p.client.subscription_types(P).await.unwrap();
    assert_eq!(
        types.iter().map(|t| (t.id, t.usable)).collect::<Vec<_>>(),
        [(77, true), (78, false), (79, false)]
    );
    assert_eq!(p.server.last().line(), "GET /base/communication-preferences/2026-09/definitions");
}

#[tokio::test]
async fn an_opt_out_goes_by_encoded_address_and_only_complete_counts() {
    let p = portal(vec![
        json(200, j!({"status": "COMPLETE", "results": [{"setStatusSuccessReason": "UNSUBSCRIBE_FROM_ALL_OCCURRED"}]})),
        json(200, j!({"status": "COMPLETE", "results": [{"setStatusSuccessReason": "NO_STATUS_CHANGE"}]})),
        json(202, j!({"status": "PENDING", "results": []})),
        json(400, j!({"message": "the contact is already unsubscribed"})),
    ])
    .await;
    let ann = email("a+b@example.com");
    let all = p.client.opt_out(P, &ann, OptOutScope::All, &basis()).await.unwrap();
    assert_eq!(all, ItemOutcome::Done);
    let asked = p.server.last();
    assert_eq!(
        asked.line(),
        "POST /base/communication-preferences/2026-09/statuses/a%2Bb%40example.com/unsubscribe-all"
    );
    assert_eq!(asked.query("channel").as_deref(), Some("EMAIL"));
    let one = OptOutScope::Subscription(77);
    assert_eq!(p.client.opt_out(P, &ann, one, &basis()).await.unwrap(), ItemOutcome::AlreadyHeld);
    let asked = p.server.last();
    assert_eq!(asked.line(), "POST /base/communication-preferences/2026-09/statuses/a%2Bb%40example.com");
    assert_eq!(
        asked.body,
        j!({"subscriptionId": 77, "statusState": "UNSUBSCRIBED", "channel": "EMAIL",
            "legalBasis": "LEGITIMATE_INTEREST_OTHER", "legalBasisExplanation": "asked to"})
    );
    assert_eq!(p.client.opt_out(P, &ann, one, &basis()).await.unwrap(), ItemOutcome::Unknown);
    assert_eq!(p.client.opt_out(P, &ann, one, &basis()).await.unwrap(), ItemOutcome::Unknown);
}

#[tokio::test]
async fn whether_somebody_opted_out_is_read_by_scope() {
    let p = portal(vec![
        json(200, j!({"results": []})),
        json(200, j!({"results": [{"wideStatusType": "PORTAL_WIDE", "status": "UNSUBSCRIBED"}]})),
        json(200, j!({"results": [{"subscriptionId": 77, "status": "UNSUBSCRIBED"}, {"subscriptionId": 78, "status": "SUBSCRIBED"}]})),
        json(200, j!({"results": [{"subscriptionId": 77, "status": "SUBSCRIBED"}, {"subscriptionId": 78, "status": "UNSUBSCRIBED"}]})),
        json(200, j!({"status": "COMPLETE"})),
    ])
    .await;
    let ann = email("a@example.com");
    assert!(!p.client.is_opted_out(P, &ann, OptOutScope::All).await.unwrap());
    assert!(p.server.last().path().ends_with("/statuses/a%40example.com/unsubscribe-all"));
    assert!(p.client.is_opted_out(P, &ann, OptOutScope::All).await.unwrap());
    assert!(p.client.is_opted_out(P, &ann, OptOutScope::Subscription(77)).await.unwrap());
    assert!(!p.client.is_opted_out(P, &ann, OptOutScope::Subscription(77)).await.unwrap());
    let failure = p.client.is_opted_out(P, &ann, OptOutScope::All).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient, "an answer without results proves nothing");
}

#[tokio::test]
async fn a_contact_is_deleted_for_good_by_its_record_and_one_that_is_gone_is_success() {
    let p = portal(vec![
        Play::Answer(204, vec![], vec![]),
        json(404, j!({"category": "OBJECT_NOT_FOUND", "message": "contact could not be found"})),
        text(404, "<html>"),
        json(403, j!({"category": "MISSING_SCOPES"})),
    ])
    .await;
    assert_eq!(p.client.erase_contact(P, RecordId(51)).await.unwrap(), ItemOutcome::Done);
    let asked = p.server.last();
    assert_eq!(asked.line(), "POST /base/crm/objects/2026-09/contacts/gdpr-delete");
    assert_eq!(asked.body, j!({"objectId": "51"}));
    assert_eq!(p.client.erase_contact(P, RecordId(51)).await.unwrap(), ItemOutcome::AlreadyHeld);
    // Neither a gateway's page nor a missing scope means that nobody is there.
    assert!(p.client.erase_contact(P, RecordId(51)).await.is_err());
    assert!(p.client.erase_contact(P, RecordId(51)).await.is_err());
}
