use super::Client;
use crate::sandbox::Act;
use crate::sandbox::scenario::Builder;
use serde_json::json;

const DEALS: &str = "/crm/objects/2026-09/deals";
const PAIRS: &str = "/crm/associations/2026-09/contacts/deals/batch/read";

/// Contact 101 is joined with deals 102 to 104, contact 105 with nothing.
fn client() -> Client {
    let mut builder = Builder::default();
    builder.custom_object("2-7", "divisions").settings().association_page = 2;
    let ann = builder.contact(&[("email", "ann@example.com")]);
    for number in 1..=3 {
        let deal = builder.object("deals", &[("dealname", &format!("No. {number}"))]);
        builder.link(("contacts", ann), ("deals", deal), if number == 1 { "Owner" } else { "" });
    }
    builder.contact(&[("email", "ben@example.com")]);
    Client::of(builder)
}

#[test]
fn records_of_any_type_are_paged_searched_and_read_by_id() {
    let mut client = client();
    let (_, page) = client.hub("GET", &format!("{DEALS}?limit=2&properties=dealname"), None);
    assert_eq!(page["results"][0]["properties"]["dealname"], "No. 1");
    assert_eq!(page["paging"]["next"]["after"], "103");
    let body = json!({ "filterGroups": [{ "filters": [
        { "propertyName": "hs_object_id", "operator": "GT", "value": "102" },
        { "propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "0" },
    ] }], "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }], "limit": 1 });
    let (_, found) = client.hub("POST", &format!("{DEALS}/search"), body);
    assert_eq!((found["total"].as_u64(), found["results"][0]["id"].as_str()), (Some(2), Some("103")));
    let body = json!({ "inputs": [{ "id": "104" }, { "id": "9" }], "properties": ["dealname"] });
    let (status, read) = client.hub("POST", &format!("{DEALS}/batch/read"), body);
    assert_eq!((status, read["results"][0]["id"].as_str()), (207, Some("104")));
    assert_eq!(read["errors"][0]["context"]["ids"], json!(["9"]));
    let (_, schemas) = client.hub("GET", "/crm-object-schemas/2026-09/schemas", None);
    assert_eq!(schemas["results"][0]["objectTypeId"], "2-7");
    assert_eq!(client.hub("GET", "/crm/objects/2026-09/2-7?limit=5", None).0, 200);
}

#[test]
fn the_recycle_bin_holds_what_was_archived_and_a_merge_leaves_nothing_there() {
    let mut client = client();
    assert!(client.sandbox.act(&Act::DeleteObject { object: "deals".into(), record: 102 }));
    assert!(client.sandbox.act(&Act::MergeObjects { object: "deals".into(), primary: 103, other: 104 }));
    let (_, bin) = client.hub("GET", &format!("{DEALS}?limit=5&archived=true"), None);
    assert_eq!(bin["results"].as_array().map(Vec::len), Some(1));
    assert_eq!(bin["results"][0]["archived"], true);
    let (_, rest) = client.hub("GET", &format!("{DEALS}?limit=5&properties=hs_merged_object_ids"), None);
    assert_eq!(rest["results"][0]["properties"]["hs_merged_object_ids"], "103;104");
}

#[test]
fn associations_are_paged_for_each_input_and_known_from_both_sides() {
    let mut client = client();
    let (_, first) = client.hub("POST", PAIRS, json!({ "inputs": [{ "id": "101" }, { "id": "105" }] }));
    let row = &first["results"][0];
    assert_eq!(row["to"][0]["associationTypes"][0]["label"], "Owner");
    assert_eq!(
        (row["to"].as_array().map(Vec::len), &row["paging"]["next"]["after"]),
        (Some(2), &json!("103"))
    );
    assert_eq!(first["errors"][0]["subCategory"], "crm.associations.NO_ASSOCIATIONS_FOUND");
    let (_, rest) = client.hub("POST", PAIRS, json!({ "inputs": [{ "id": "101", "after": "103" }] }));
    assert_eq!(rest["results"][0]["to"][0]["toObjectId"], 104);
    assert!(rest["results"][0].get("paging").is_none());
    let back = "/crm/associations/2026-09/deals/contacts/batch/read";
    let (_, back) = client.hub("POST", back, json!({ "inputs": [{ "id": "104" }] }));
    assert_eq!(back["results"][0]["to"][0]["toObjectId"], 101);
}

#[test]
fn an_account_can_be_filled_by_calls_that_hsmc_never_makes() {
    let mut client = client();
    let (status, deal) = client.hub("POST", DEALS, json!({ "properties": { "dealname": "New" } }));
    assert_eq!((status, &deal["properties"]["dealname"]), (201, &json!("New")));
    let deal = deal["id"].as_str().unwrap().to_owned();
    let body = json!({ "properties": { "dealname": "Newer" } });
    assert_eq!(client.hub("PATCH", &format!("{DEALS}/{deal}"), body).1["properties"]["dealname"], "Newer");
    let body =
        json!({ "inputs": [{ "properties": { "dealname": "A" } }, { "properties": { "dealname": "B" } }] });
    let (status, made) = client.hub("POST", &format!("{DEALS}/batch/create"), body);
    assert_eq!((status, made["results"].as_array().map(Vec::len)), (201, Some(2)));

    let joined = format!("/crm/v4/objects/contacts/101/associations/default/deals/{deal}");
    assert_eq!(client.hub("PUT", &joined, None).0, 200);
    let all = client.hub("GET", "/crm/v4/objects/contacts/101/associations/deals", None).1;
    assert_eq!(all["results"].as_array().map(Vec::len), Some(4));
    let labels = client.hub("GET", "/crm/v4/associations/contacts/deals/labels", None).1;
    let labels: Vec<_> = labels["results"].as_array().unwrap().iter().map(|one| &one["label"]).collect();
    assert_eq!(labels, [&json!(null), &json!("Owner")]);
    let parted = format!("/crm/v4/objects/contacts/101/associations/deals/{deal}");
    assert_eq!(client.hub("DELETE", &parted, None).0, 204);
    let all = client.hub("GET", "/crm/v4/objects/contacts/101/associations/deals", None).1;
    assert_eq!(all["results"].as_array().map(Vec::len), Some(3));
    assert_eq!(client.hub("DELETE", &format!("{DEALS}/{deal}"), None).0, 204);
    assert_eq!(client.hub("GET", &format!("{DEALS}/{deal}"), None).0, 404);

    let body = json!({ "inputs": [
        { "id": "ann@example.com", "idProperty": "email", "properties": { "firstname": "Ann" } },
        { "id": "cy@example.com", "idProperty": "email", "properties": { "firstname": "Cy" } },
    ] });
    let upserted = client.hub("POST", "/crm/v3/objects/contacts/batch/upsert", body).1;
    let new: Vec<_> = upserted["results"].as_array().unwrap().iter().map(|one| &one["new"]).collect();
    assert_eq!(new, [&json!(false), &json!(true)]);
    let body = json!({ "name": "Filled", "objectTypeId": "0-1", "processingType": "MANUAL" });
    let (status, list) = client.hub("POST", "/crm/v3/lists", body.clone());
    assert_eq!((status, &list["list"]["processingType"]), (200, &json!("MANUAL")));
    assert_eq!(client.hub("POST", "/crm/v3/lists", body).0, 400, "the name is taken");
    let list = list["list"]["listId"].as_str().unwrap();
    let added = client.hub("PUT", &format!("/crm/v3/lists/{list}/memberships/add"), json!(["101"])).1;
    assert_eq!(added["recordsIdsAdded"], json!(["101"]));
    let status = client.hub("GET", "/communication-preferences/v3/status/email/ann%40example.com", None).1;
    assert_eq!(status["recipient"], "ann@example.com");
    assert_eq!(client.broken_rules(), Vec::<&str>::new());
}

/// As HubSpot's own client writes them: with the associations that a new record is to have, and by any name of a type.
#[test]
fn records_are_made_with_what_joins_them_and_types_and_dynamic_lists_are_made_too() {
    let mut client = client();
    let joined = |other: &str, kind: u64| json!({ "to": { "id": other }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind }] });
    let body = json!({ "properties": { "dealname": "No. 4" }, "associations": [joined("101", 3)] });
    let (status, deal) = client.hub("POST", DEALS, body);
    assert_eq!(status, 201);
    let deal = deal["id"].as_str().unwrap_or_default().to_owned();
    let properties = json!({ "email": "cy@example.com", "company": "Acme", "lifecyclestage": "customer" });
    let body = json!({ "inputs": [{ "properties": properties, "associations": [joined(&deal, 4)] }] });
    let (status, made) = client.hub("POST", "/crm/v3/objects/contacts/batch/create", body);
    assert_eq!(status, 201, "{made}");
    let cy = made["results"][0]["id"].as_str().unwrap_or_default().to_owned();
    let (_, pairs) = client.hub("POST", PAIRS, json!({ "inputs": [{ "id": cy }, { "id": "101" }] }));
    let to = |row: usize| pairs["results"][row]["to"].as_array().map_or(0, Vec::len);
    assert_eq!((pairs["results"][0]["to"][0]["toObjectId"].to_string(), to(1)), (deal, 2), "{pairs}");
    assert_eq!(pairs["results"][0]["to"][0]["associationTypes"][0]["typeId"], 4);

    let (status, schema) = client.hub("POST", "/crm/v3/schemas", json!({ "name": "branches", "labels": {} }));
    assert_eq!(status, 201);
    for name in ["objectTypeId", "fullyQualifiedName", "name"] {
        let name = schema[name].as_str().unwrap_or_default();
        assert_eq!(client.hub("GET", &format!("/crm/v3/objects/{name}"), None).0, 200, "{name}");
        assert_eq!(client.hub("GET", &format!("/crm/v3/schemas/{name}"), None).0, 200, "{name}");
    }
    let filters = json!({ "filterBranchType": "OR", "filterBranches": [{ "filterBranchType": "AND", "filters": [
        { "filterType": "PROPERTY", "property": "company",
          "operation": { "operationType": "MULTISTRING", "operator": "IS_EQUAL_TO", "values": ["Acme"] } },
    ] }] });
    let body = json!({ "name": "Acme", "objectTypeId": "0-1", "processingType": "DYNAMIC", "filterBranch": filters });
    let (status, list) = client.hub("POST", "/crm/v3/lists", body);
    assert_eq!(status, 200, "{list}");
    let id = list["list"]["listId"].as_str().unwrap_or_default();
    let (_, members) = client.hub("GET", &format!("/crm/v3/lists/{id}/memberships"), None);
    assert_eq!(members["results"][0]["recordId"], cy.as_str(), "{members}");
    let (status, _) =
        client.hub("PUT", &format!("/crm/v4/objects/contacts/{cy}/associations/deals/102"), json!([]));
    assert_eq!(status, 201);
}
