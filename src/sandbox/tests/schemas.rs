use super::Client;
use crate::sandbox::scenario::Builder;
use serde_json::{Value, json};

const SCHEMAS: &str = "/crm-object-schemas/2026-09/schemas";

/// A portal with a type made by a call, and the type's number. Contact 101, deal 102.
fn client() -> (Client, String) {
    let mut builder = Builder::default();
    builder.contact(&[("email", "ann@example.com")]);
    builder.object("deals", &[("dealname", "No. 1")]);
    let mut client = Client::of(builder);
    let (status, made) = client.hub("POST", SCHEMAS, cottage());
    assert_eq!(status, 201, "{made}");
    let id = made["objectTypeId"].as_str().unwrap().to_owned();
    (client, id)
}

fn cottage() -> Value {
    let options = json!([{ "label": "Red", "value": "r" }, { "label": "Blue", "value": "b" }]);
    json!({
        "name": "cottage", "labels": { "singular": "Cottage", "plural": "Cottages" },
        "primaryDisplayProperty": "title", "requiredProperties": ["title"], "searchableProperties": ["title"],
        "secondaryDisplayProperties": ["doors"], "associatedObjects": ["CONTACT"],
        "properties": [
            { "name": "title", "label": "Title", "type": "string", "fieldType": "text" },
            { "name": "doors", "label": "Doors", "type": "number", "fieldType": "number" },
            { "name": "colour", "label": "Colour", "type": "enumeration", "fieldType": "select", "options": options },
        ],
    })
}

fn code(body: &Value) -> &str {
    body["errors"][0]["code"].as_str().unwrap_or_default()
}

#[test]
fn a_type_is_kept_as_it_was_made() {
    let (mut client, id) = client();
    let schema = client.hub("GET", &format!("{SCHEMAS}/{id}"), None).1;
    assert_eq!(schema["labels"], json!({ "singular": "Cottage", "plural": "Cottages" }));
    assert_eq!(schema["primaryDisplayProperty"], "title");
    assert_eq!(schema["requiredProperties"], json!(["title"]));
    assert_eq!(schema["searchableProperties"], json!(["title"]));
    assert_eq!(schema["secondaryDisplayProperties"], json!(["doors"]));
    let colour = schema["properties"].as_array().unwrap().iter().find(|one| one["name"] == "colour").unwrap();
    assert_eq!((&colour["type"], &colour["options"][0]["label"]), (&json!("enumeration"), &json!("Red")));
    let all = client.hub("GET", SCHEMAS, None).1;
    assert_eq!(all["results"][0], schema);
}

#[test]
fn a_type_tells_both_directions_in_which_its_records_are_associated() {
    let (mut client, id) = client();
    let schema = client.hub("GET", &format!("{SCHEMAS}/{id}"), None).1;
    let direction = |at: usize| {
        let one = &schema["associations"][at];
        (one["fromObjectTypeId"].clone(), one["toObjectTypeId"].clone(), one["name"].clone())
    };
    assert_eq!(direction(0), (json!(id), json!("0-1"), json!("cottage_to_contact")));
    assert_eq!(direction(1), (json!("0-1"), json!(id), json!("contact_to_cottage")));
    let number: u64 = schema["associations"][0]["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/crm/objects/2026-09/{id}");
    let types = json!([{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number }]);
    let associations = json!([{ "to": { "id": "101" }, "types": types }]);
    let body = json!({ "properties": { "title": "Elm" }, "associations": associations });
    assert_eq!(client.hub("POST", &path, body).0, 201);
}

#[test]
fn a_type_is_associated_with_those_it_was_made_for_and_those_added_since() {
    let (mut client, id) = client();
    let elm = client.hub(
        "POST",
        &format!("/crm/objects/2026-09/{id}"),
        json!({ "properties": { "title": "Elm" } }),
    );
    let elm = elm.1["id"].as_str().unwrap().to_owned();
    let path = format!("/crm/objects/2026-09/{id}/{elm}/associations/default");
    assert_eq!(client.hub("PUT", &format!("{path}/contacts/101"), None).0, 200);
    assert_eq!(client.hub("PUT", &format!("{path}/deals/102"), None).0, 400);
    let body = json!({ "fromObjectTypeId": id, "toObjectTypeId": "0-3", "name": "cottage_to_deal" });
    assert_eq!(client.hub("POST", &format!("{SCHEMAS}/{id}/associations"), body).0, 201);
    assert_eq!(client.hub("PUT", &format!("{path}/deals/102"), None).0, 200);
}

#[test]
fn the_properties_of_a_type_are_listed_with_hubspots_own_and_more_can_be_added() {
    let (mut client, id) = client();
    let path = format!("/crm/properties/2026-09/{id}");
    let property = json!({ "name": "rooms", "label": "Rooms", "type": "number", "fieldType": "number",
                           "groupName": "cottage_information" });
    assert_eq!(client.hub("POST", &path, property.clone()).0, 201);
    assert_eq!(client.hub("POST", &path, property).0, 409);
    let all = client.hub("GET", &path, None).1;
    let names: Vec<&str> =
        all["results"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let own = ["createdate", "hs_lastmodifieddate", "hs_merged_object_ids", "hs_object_id"];
    let mut expected = [&["colour", "doors", "rooms", "title"], &own[..]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(client.hub("GET", &format!("{path}/title"), None).1["label"], "Title");
    assert_eq!(client.hub("GET", &format!("{path}/nonsense"), None).0, 404);
}

#[test]
fn a_record_without_a_required_property_is_refused_and_a_change_is_not_asked_for_it() {
    let (mut client, id) = client();
    let path = format!("/crm/objects/2026-09/{id}");
    for properties in [json!({ "doors": "2" }), json!({ "title": "" })] {
        let (status, body) = client.hub("POST", &path, json!({ "properties": properties }));
        assert_eq!((status, code(&body)), (400, "MISSING_REQUIRED_PROPERTY"));
    }
    let inputs =
        json!({ "inputs": [{ "properties": { "title": "Elm" } }, { "properties": { "doors": "1" } }] });
    let (status, body) = client.hub("POST", &format!("{path}/batch/create"), inputs);
    assert_eq!((status, code(&body)), (400, "MISSING_REQUIRED_PROPERTY"));
    assert_eq!(client.hub("GET", &path, None).1["results"], json!([]), "one refuses the whole batch");
    let elm = client.hub("POST", &path, json!({ "properties": { "title": "Elm" } })).1["id"].clone();
    let elm = elm.as_str().unwrap();
    let change = json!({ "properties": { "doors": "3" } });
    assert_eq!(client.hub("PATCH", &format!("{path}/{elm}"), change).1["properties"]["doors"], "3");
}

#[test]
fn what_does_not_fit_a_types_properties_is_refused() {
    let (mut client, id) = client();
    let path = format!("/crm/objects/2026-09/{id}");
    let elm = client.hub("POST", &path, json!({ "properties": { "title": "Elm" } })).1["id"].clone();
    let elm = elm.as_str().unwrap();
    for (name, value, wrong) in [
        ("nonsense", "1", "PROPERTY_DOESNT_EXIST"),
        ("colour", "green", "INVALID_OPTION"),
        ("hs_object_id", "1", "READ_ONLY_VALUE"),
    ] {
        let (status, body) =
            client.hub("POST", &path, json!({ "properties": { "title": "Oak", name: value } }));
        assert_eq!((status, code(&body)), (400, wrong));
        let (status, body) =
            client.hub("PATCH", &format!("{path}/{elm}"), json!({ "properties": { name: value } }));
        assert_eq!((status, code(&body)), (400, wrong));
        let inputs = json!({ "inputs": [{ "id": elm, "properties": { name: value } }] });
        let (status, body) = client.hub("POST", &format!("{path}/batch/update"), inputs);
        assert_eq!((status, code(&body)), (400, wrong));
    }
}

#[test]
fn a_batch_update_tells_of_a_record_that_is_not_there() {
    let (mut client, _) = client();
    let inputs = json!({ "inputs": [{ "id": "102", "properties": { "dealname": "New" } },
                                    { "id": "999", "properties": { "dealname": "New" } }] });
    let (status, body) = client.hub("POST", "/crm/objects/2026-09/deals/batch/update", inputs);
    assert_eq!((status, &body["results"][0]["id"]), (207, &json!("102")));
    assert_eq!(body["errors"][0]["context"]["ids"], json!(["999"]));
}

#[test]
fn a_type_that_names_a_property_it_lacks_is_refused() {
    let (mut client, _) = client();
    let refused = |name: &str, value: Value| {
        let mut body = cottage();
        body["name"] = json!("barn");
        body[name] = value;
        body
    };
    for (name, value) in [
        ("requiredProperties", json!(["nonsense"])),
        ("primaryDisplayProperty", json!("nonsense")),
        ("associatedObjects", json!(["NONSENSE"])),
        ("properties", json!([{ "name": "Title" }])),
    ] {
        assert_eq!(client.hub("POST", SCHEMAS, refused(name, value)).0, 400, "{name}");
    }
    assert_eq!(client.hub("POST", SCHEMAS, cottage()).0, 400, "the name is taken");
}

#[test]
fn check_boxes_take_several_values() {
    let (mut client, id) = client();
    let options = json!([{ "label": "A", "value": "a" }, { "label": "B", "value": "b" }]);
    let property = json!({ "name": "plan", "label": "Plan", "type": "enumeration", "fieldType": "checkbox",
                           "groupName": "cottage_information", "options": options });
    assert_eq!(client.hub("POST", &format!("/crm/properties/2026-09/{id}"), property).0, 201);
    let path = format!("/crm/objects/2026-09/{id}");
    for (value, status) in [("a;b", 201), ("b", 201), ("a;c", 400)] {
        let body = json!({ "properties": { "title": "Elm", "plan": value } });
        assert_eq!(client.hub("POST", &path, body).0, status, "{value}");
    }
}
