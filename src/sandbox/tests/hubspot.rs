use super::Client;
use crate::domain::failure::Service;
use crate::sandbox::hubspot::Rule;
use crate::sandbox::scenario::Builder;
use serde_json::json;

const LISTS: &str = "/crm/lists/2026-09";
const CONTACTS: &str = "/crm/objects/2026-09/contacts";
const PREFERENCES: &str = "/communication-preferences/2026-09/statuses";

/// Contacts 101 (in static list 1) and 102; list 2 takes whoever has `color` = `red`.
fn client() -> Client {
    let mut builder = Builder::default();
    builder.property("color", "string").list(1, "Static");
    builder.dynamic_list(2, "Red", Rule::Equals("color".into(), "red".into()));
    let ann = builder.contact(&[("email", "ann@example.com"), ("firstname", "Ann")]);
    builder.contact(&[("email", "ben@example.com")]);
    builder.join(1, ann);
    Client::of(builder)
}

#[test]
fn a_membership_write_names_only_what_really_changed() {
    let mut client = client();
    let (status, body) =
        client.hub("PUT", &format!("{LISTS}/1/memberships/add"), json!(["101", "102", "999"]));
    assert_eq!(status, 200);
    assert_eq!(body["recordsIdsAdded"], json!(["102"]));
    assert_eq!(body["recordIdsMissing"], json!(["999"]));
    let body = client
        .hub(
            "PUT",
            &format!("{LISTS}/1/memberships/add-and-remove"),
            json!({ "recordIdsToAdd": [], "recordIdsToRemove": ["101", "101"] }),
        )
        .1;
    assert_eq!(body["recordIdsRemoved"], json!(["101"]));
    assert!(client.broken_rules().is_empty());
}

#[test]
fn ids_must_be_strings() {
    let (status, _) = client().hub("PUT", &format!("{LISTS}/1/memberships/add"), json!([102]));
    assert_eq!(status, 400);
}

#[test]
fn a_dynamic_list_refuses_writes_and_follows_properties() {
    let mut client = client();
    let (status, _) = client.hub("PUT", &format!("{LISTS}/2/memberships/add"), json!(["102"]));
    assert_eq!(status, 400);
    assert_eq!(client.broken_rules(), ["dynamic-list"]);
    client.hub("PATCH", &format!("{CONTACTS}/102"), json!({ "properties": { "color": "red" } }));
    let page = client.hub("GET", &format!("{LISTS}/2/memberships?limit=250"), None).1;
    assert_eq!(page["results"][0]["recordId"], "102");
    client.hub("PATCH", &format!("{CONTACTS}/102"), json!({ "properties": { "color": "" } }));
    let page = client.hub("GET", &format!("{LISTS}/2/memberships"), None).1;
    assert_eq!(page["results"], json!([]));
}

#[test]
fn membership_pages_go_on_by_cursor_and_take_250_at_most() {
    let mut builder = Builder::default();
    builder.list(1, "Many");
    for number in 0..5 {
        let id = builder.contact(&[("email", &format!("p{number}@example.com"))]);
        builder.join(1, id);
    }
    let mut client = Client::of(builder);
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = client.hub("GET", &format!("{LISTS}/1/memberships?limit=2{after}"), None).1;
        seen.extend(page["results"].as_array().unwrap().iter().map(|r| r["recordId"].clone()));
        let Some(next) = page.pointer("/paging/next/after") else { break };
        after = format!("&after={}", next.as_str().unwrap());
    }
    assert_eq!(seen, ["101", "102", "103", "104", "105"]);
    assert_eq!(client.hub("GET", &format!("{LISTS}/1/memberships?limit=251"), None).0, 400);
    assert_eq!(client.hub("GET", &format!("{LISTS}/1/memberships?after=x"), None).0, 400);
}

#[test]
fn a_list_search_tells_which_lists_changed() {
    let mut client = client();
    let ask = json!({ "listIds": ["1", "7"], "additionalProperties": ["hs_list_size"] });
    let before = client.hub("POST", &format!("{LISTS}/search"), ask.clone()).1;
    assert_eq!(before["total"], 1);
    assert_eq!(before["lists"][0]["additionalProperties"]["hs_list_size"], "1");
    client.hub("PUT", &format!("{LISTS}/1/memberships/remove"), json!(["101"]));
    let after = client.hub("POST", &format!("{LISTS}/search"), ask).1;
    let removed = &after["lists"][0]["additionalProperties"]["hs_last_record_removed_at"];
    assert_eq!(removed, &json!(client.now.0.to_string()));
}

#[test]
fn the_membership_probe_has_no_entry_for_who_is_gone() {
    let mut client = client();
    let inputs = json!({ "inputs": [
        { "objectTypeId": "0-1", "recordId": "101" }, { "objectTypeId": "0-1", "recordId": "102" },
        { "objectTypeId": "0-1", "recordId": "999" },
    ] });
    let (status, body) = client.hub("POST", &format!("{LISTS}/records/memberships/batch/read"), inputs);
    assert_eq!(status, 207);
    assert_eq!(body["results"][0]["recordListMemberships"][0]["listId"], "1");
    assert_eq!(body["results"][1]["recordListMemberships"], json!([]));
    assert_eq!(body["results"].as_array().unwrap().len(), 2);
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["999"]));
}

#[test]
fn an_old_id_answers_the_survivor_of_a_merge() {
    let mut client = client();
    let act = json!({ "act": "merge", "primary": "ann@example.com", "other": "102" });
    assert!(client.sandbox.act(&serde_json::from_value(act).unwrap()));
    let body = client.hub("GET", &format!("{CONTACTS}/102?properties=email"), None).1;
    assert_eq!(body["id"], "103");
    assert_eq!(body["properties"]["email"], "ann@example.com");
    let body = client.hub("GET", &format!("{CONTACTS}/ben%40example.com?idProperty=email"), None).1;
    assert_eq!(body["id"], "103");
    let body = client.hub("GET", &format!("{LISTS}/1/memberships"), None).1;
    assert_eq!(body["results"][0]["recordId"], "103");
}

#[test]
fn a_batch_read_leaves_out_who_is_missing_and_a_batch_over_100_is_refused() {
    let mut client = client();
    let ask = json!({ "idProperty": "email", "properties": ["firstname"],
                      "inputs": [{ "id": "ANN@example.com" }, { "id": "nobody@example.com" }] });
    let (status, body) = client.hub("POST", &format!("{CONTACTS}/batch/read"), ask);
    assert_eq!((status, body["results"].as_array().unwrap().len()), (200, 1));
    assert_eq!(body["results"][0]["properties"]["firstname"], "Ann");
    let many: Vec<_> = (0..101).map(|id| json!({ "id": id.to_string() })).collect();
    assert_eq!(client.hub("POST", &format!("{CONTACTS}/batch/read"), json!({ "inputs": many })).0, 400);
    assert_eq!(client.broken_rules(), ["batch-over-limit"]);
}

#[test]
fn one_invalid_input_refuses_a_batch_update_but_a_missing_record_fails_alone() {
    let mut client = client();
    let update = |id: &str, name: &str| json!({ "id": id, "properties": { name: "red" } });
    let path = format!("{CONTACTS}/batch/update");
    let inputs = json!({ "inputs": [update("101", "color"), update("102", "colour")] });
    let (status, body) = client.hub("POST", &path, inputs);
    assert_eq!((status, &body["errors"][0]["code"]), (400, &json!("PROPERTY_DOESNT_EXIST")));
    let inputs = json!({ "inputs": [update("101", "color"), update("999", "color")] });
    let (status, body) = client.hub("POST", &path, inputs);
    assert_eq!((status, &body["results"][0]["id"]), (207, &json!("101")));
    let inputs = json!({ "inputs": [{ "id": "101", "properties": { "hs_email_optout": "true" } }] });
    assert_eq!(client.hub("POST", &path, inputs).0, 400);
    assert_eq!(client.broken_rules(), ["read-only-property"]);
}

#[test]
fn creating_a_contact_twice_is_a_conflict_that_names_the_first() {
    let mut client = client();
    let contact = json!({ "properties": { "email": "New@example.com" } });
    let (status, body) = client.hub("POST", CONTACTS, contact.clone());
    assert_eq!((status, &body["id"]), (201, &json!("103")));
    let (status, body) = client.hub("POST", CONTACTS, contact);
    assert_eq!(status, 409);
    assert!(body["message"].as_str().unwrap().ends_with("Existing ID: 103"));
}

#[test]
fn with_trace_ids_a_batch_create_fails_one_by_one() {
    let mut client = client();
    let input = |email: &str| json!({ "objectWriteTraceId": email, "properties": { "email": email } });
    let inputs = json!({ "inputs": [input("ann@example.com"), input("new@example.com")] });
    let (status, body) = client.hub("POST", &format!("{CONTACTS}/batch/create"), inputs);
    assert_eq!((status, &body["results"][0]["id"]), (207, &json!("103")));
    assert_eq!(body["errors"][0]["context"]["objectWriteTraceId"], json!(["ann@example.com"]));
}

#[test]
fn search_sees_a_write_only_after_a_while_and_ends_at_ten_thousand() {
    let mut client = client();
    let since = client.now.0.to_string();
    let ask = json!({ "filterGroups": [{ "filters": [
        { "propertyName": "lastmodifieddate", "operator": "GTE", "value": since }] }], "limit": 200 });
    let path = format!("{CONTACTS}/search");
    client.hub("PATCH", &format!("{CONTACTS}/102"), json!({ "properties": { "color": "red" } }));
    assert_eq!(client.hub("POST", &path, ask.clone()).1["total"], 0);
    client.wait(5);
    assert_eq!(client.hub("POST", &path, ask).1["results"][0]["id"], "102");
    assert_eq!(client.hub("POST", &path, json!({ "limit": 200, "after": "9900" })).0, 400);
    assert_eq!(client.hub("POST", &path, json!({ "limit": 201 })).0, 400);
}

#[test]
fn search_filters_by_value_and_sorts() {
    let mut client = client();
    let mut found = |filter: serde_json::Value| -> Vec<String> {
        client.wait(1);
        let ask = json!({ "filterGroups": [{ "filters": [filter] }],
            "sorts": [{ "propertyName": "hs_object_id", "direction": "DESCENDING" }] });
        let body = client.hub("POST", &format!("{CONTACTS}/search"), ask).1;
        let results = body["results"].as_array().unwrap();
        results.iter().map(|result| result["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = json!({ "propertyName": "email", "operator": "HAS_PROPERTY" });
    assert_eq!(found(all), ["102", "101"]);
    let one = json!({ "propertyName": "email", "operator": "IN", "values": ["ben@example.com"] });
    assert_eq!(found(one), ["102"]);
    assert_eq!(found(json!({ "propertyName": "hs_object_id", "operator": "GT", "value": "101" })), ["102"]);
    let between =
        json!({ "propertyName": "hs_object_id", "operator": "BETWEEN", "value": "100", "highValue": "101" });
    assert_eq!(found(between), ["101"]);
}

#[test]
fn an_opt_out_shows_as_a_property_and_its_repeat_changes_nothing() {
    let mut client = client();
    let path = format!("{PREFERENCES}/ann%40example.com/unsubscribe-all?channel=EMAIL");
    assert_eq!(client.hub("GET", &path, None).1["results"], json!([]));
    let before = client.hub("GET", &format!("{CONTACTS}/101"), None).1["updatedAt"].clone();
    let reason = |body: &serde_json::Value| body["results"][0]["setStatusSuccessReason"].clone();
    assert_eq!(reason(&client.hub("POST", &path, None).1), "UNSUBSCRIBE_FROM_ALL_OCCURRED");
    assert_eq!(reason(&client.hub("POST", &path, None).1), "NO_STATUS_CHANGE");
    let body = client.hub("GET", &format!("{CONTACTS}/101?properties=hs_email_optout"), None).1;
    assert_eq!(body["properties"]["hs_email_optout"], "true");
    assert_ne!(body["updatedAt"], before);
    let status = client.hub("GET", &path, None).1;
    assert_eq!(status["results"][0]["wideStatusType"], "PORTAL_WIDE");
}

#[test]
fn one_subscription_type_is_opted_out_by_number_and_never_back_in_silently() {
    let mut client = client();
    let path = format!("{PREFERENCES}/stranger%2Bnews%40example.com");
    let set = |state: &str| json!({ "subscriptionId": 101, "statusState": state, "channel": "EMAIL" });
    assert_eq!(client.hub("POST", &path, set("UNSUBSCRIBED")).0, 200);
    let statuses = client.hub("GET", &format!("{path}?channel=EMAIL"), None).1;
    assert_eq!(statuses["results"][0]["status"], "UNSUBSCRIBED");
    assert_eq!(statuses["results"][1]["status"], "NOT_SPECIFIED");
    client.hub("POST", &path, set("SUBSCRIBED"));
    assert_eq!(client.broken_rules(), ["resubscribe"]);
}

#[test]
fn batches_of_preferences_need_enterprise() {
    let mut client = client();
    let (path, body) = (format!("{PREFERENCES}/batch/read"), json!({ "inputs": ["ann@example.com"] }));
    assert_eq!(client.hub("POST", &path, body.clone()).0, 403);
    client.sandbox.settings.enterprise = true;
    assert_eq!(client.hub("POST", &path, body).0, 200);
}

#[test]
fn a_property_is_created_once() {
    let mut client = client();
    let property = json!({ "name": "import_list", "label": "Import list", "type": "string",
                           "fieldType": "text", "groupName": "contactinformation" });
    let path = "/crm/properties/2026-09/contacts";
    assert_eq!(client.hub("GET", &format!("{path}/import_list"), None).0, 404);
    assert_eq!(client.hub("POST", path, property.clone()).0, 201);
    assert_eq!(client.hub("POST", path, property).0, 409);
    let all = client.hub("GET", path, None).1;
    assert!(all["results"].as_array().unwrap().iter().any(|p| p["name"] == "import_list"));
}

#[test]
fn the_window_rolls_and_tells_what_remains() {
    let mut client = client();
    client.sandbox.settings.calls_per_window = 3;
    let path = "/account-info/2026-09/details";
    for left in ["2", "1", "0"] {
        let reply = client.send(Service::HubSpot, "GET", path, None);
        assert_eq!(reply.response.header("x-hubspot-ratelimit-remaining"), Some(left));
    }
    let (status, body) = client.hub("GET", path, None);
    assert_eq!((status, &body["policyName"]), (429, &json!("TEN_SECONDLY_ROLLING")));
    client.wait(10);
    assert_eq!(client.hub("GET", path, None).0, 200);
}

#[test]
fn searches_have_a_budget_of_their_own_and_the_day_ends() {
    let mut client = client();
    let path = format!("{CONTACTS}/search");
    for _ in 0..5 {
        let reply = client.send(Service::HubSpot, "POST", &path, Some(&json!({})));
        assert_eq!(reply.response.status, 200);
        assert_eq!(reply.response.header("x-hubspot-ratelimit-remaining"), None);
    }
    assert_eq!(client.hub("POST", &path, json!({})).0, 429);
    assert_eq!(client.hub("GET", &format!("{CONTACTS}/101"), None).0, 200);
    client.sandbox.settings.daily_calls = 6;
    let body = client.hub("GET", &format!("{CONTACTS}/101"), None).1;
    assert_eq!(body["policyName"], "DAILY");
    client.wait(86_400);
    assert_eq!(client.hub("GET", &format!("{CONTACTS}/101"), None).0, 200);
}

#[test]
fn a_list_is_renamed_unless_the_name_is_taken() {
    let mut client = client();
    assert_eq!(client.hub("PUT", &format!("{LISTS}/1/update-list-name?listName=Red"), None).0, 400);
    assert_eq!(client.hub("PUT", &format!("{LISTS}/1/update-list-name?listName=Blue"), None).0, 200);
    let body = client.hub("GET", &format!("{LISTS}/object-type-id/0-1/name/Blue"), None).1;
    assert_eq!(body["list"]["listId"], "1");
}

#[test]
fn the_older_paths_answer_too() {
    let mut client = client();
    for path in ["/crm/v3/lists/1", "/crm/v3/objects/contacts/101", "/crm/v3/properties/contacts/email"] {
        assert_eq!(client.hub("GET", path, None).0, 200, "{path}");
    }
}

#[test]
fn who_is_deleted_for_good_is_gone_from_records_and_lists_and_the_opt_out_stays() {
    let mut client = client();
    let erase = format!("{CONTACTS}/gdpr-delete");
    client.hub("POST", &format!("{PREFERENCES}/ann@example.com/unsubscribe-all?channel=EMAIL"), json!({}));
    assert!(client.sandbox.hubspot.is_opted_out("ann@example.com"));
    assert_eq!(client.hub("POST", &erase, json!({ "objectId": "101" })).0, 204);
    assert_eq!(client.hub("GET", &format!("{CONTACTS}/101"), None).0, 404);
    assert_eq!(client.hub("POST", &erase, json!({ "objectId": "101" })).0, 404);
    let by_address = json!({ "objectId": "ann@example.com", "idProperty": "email" });
    assert_eq!(client.hub("POST", &erase, by_address).0, 204, "nobody is there, and that is fine");
    assert!(client.sandbox.hubspot.lists_of(101).is_empty());
    assert!(client.sandbox.hubspot.is_opted_out("ann@example.com"));
    assert!(client.broken_rules().is_empty());
}
