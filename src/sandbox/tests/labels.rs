use super::Client;
use crate::sandbox::Act;
use crate::sandbox::scenario::Builder;
use serde_json::{Value, json};

const LABELS: &str = "/crm/v4/associations/contacts/companies/labels";
const BACK: &str = "/crm/v4/associations/companies/contacts/labels";
const PAIRS: &str = "/crm/v4/associations/contacts/companies/batch";

/// Contact 101 and companies 102 and 103, which nothing joins.
fn client() -> Client {
    let mut builder = Builder::default();
    builder.contact(&[("email", "ann@example.com")]);
    builder.object("companies", &[("name", "Acme")]);
    builder.object("companies", &[("name", "Bolt")]);
    Client::of(builder)
}

/// A label that reads otherwise from the other side; its numbers there and back.
fn boss(client: &mut Client) -> (u64, u64) {
    let body = json!({ "name": "boss", "label": "Boss", "inverseLabel": "Led by" });
    let (status, made) = client.hub("POST", LABELS, body);
    assert_eq!(status, 200, "{made}");
    (made["results"][0]["typeId"].as_u64().unwrap(), made["results"][1]["typeId"].as_u64().unwrap())
}

fn types(category: &str, number: u64) -> Value {
    json!([{ "associationCategory": category, "associationTypeId": number }])
}

fn input(company: u64, types: Value) -> Value {
    json!({ "from": { "id": "101" }, "to": { "id": company.to_string() }, "types": types })
}

/// Numbers and labels of what joins two records, as one of them sees it.
fn joined(client: &mut Client, from: &str, id: u64, to: &str) -> Vec<(u64, Option<String>)> {
    let path = format!("/crm/v4/associations/{from}/{to}/batch/read");
    let read = client.hub("POST", &path, json!({ "inputs": [{ "id": id.to_string() }] })).1;
    let kinds = read["results"][0]["to"][0]["associationTypes"].as_array().cloned().unwrap_or_default();
    let kind = |kind: &Value| (kind["typeId"].as_u64().unwrap(), kind["label"].as_str().map(str::to_owned));
    kinds.iter().map(kind).collect()
}

fn labels(client: &mut Client, path: &str) -> Vec<(u64, Option<String>)> {
    let listed = client.hub("GET", path, None).1;
    let kinds = listed["results"].as_array().unwrap().iter();
    kinds.map(|kind| (kind["typeId"].as_u64().unwrap(), kind["label"].as_str().map(str::to_owned))).collect()
}

#[test]
fn a_label_has_a_number_of_its_own_in_either_direction() {
    let mut client = client();
    let (there, back) = boss(&mut client);
    let (_, other) = client.hub("POST", LABELS, json!({ "name": "chair", "label": "Chair" }));
    let numbers = [there, back, other["results"][0]["typeId"].as_u64().unwrap()];
    assert!(there != back && numbers[2] > back, "{numbers:?}");
    let primary = |number| (number, Some("Primary".to_owned()));
    let own = |number: u64, label: &str| (number, Some(label.to_owned()));
    let expected = [(279, None), primary(1), own(there, "Boss"), own(numbers[2], "Chair")];
    assert_eq!(labels(&mut client, LABELS), expected);
    let chair = other["results"][1]["typeId"].as_u64().unwrap();
    assert_eq!(
        labels(&mut client, BACK),
        [(280, None), primary(2), own(back, "Led by"), own(chair, "Chair")]
    );
    let listed = client.hub("GET", LABELS, None).1;
    assert_eq!(listed["results"][2]["category"], "USER_DEFINED");
    let (status, _) = client.hub("POST", LABELS, json!({ "name": "boss", "label": "Other" }));
    assert_eq!(status, 400, "the name is taken");
    let (status, _) = client.hub("POST", LABELS, json!({ "name": "other", "label": "Boss" }));
    assert_eq!(status, 400, "the words are taken");
    assert_eq!(client.hub("POST", LABELS, json!({ "label": "Nameless" })).0, 400);
}

#[test]
fn a_label_is_set_by_its_number_and_read_back_from_both_sides() {
    let mut client = client();
    let (there, back) = boss(&mut client);
    let path = "/crm/v4/objects/contacts/101/associations/companies/102";
    let (status, made) = client.hub("PUT", path, types("USER_DEFINED", there));
    assert_eq!((status, &made["labels"]), (201, &json!(["Boss"])));
    assert_eq!(
        joined(&mut client, "contacts", 101, "companies"),
        [(there, Some("Boss".into())), (279, None)]
    );
    assert_eq!(
        joined(&mut client, "companies", 102, "contacts"),
        [(back, Some("Led by".into())), (280, None)]
    );
}

#[test]
fn a_label_is_set_by_the_dozen_and_when_a_record_is_made() {
    let mut client = client();
    let (there, _) = boss(&mut client);
    let inputs = json!({ "inputs": [input(102, types("USER_DEFINED", there))] });
    let (status, made) = client.hub("POST", &format!("{PAIRS}/create"), inputs);
    assert_eq!((status, &made["results"][0]["labels"]), (201, &json!(["Boss"])));
    let associations = json!([{ "to": { "id": "103" }, "types": types("USER_DEFINED", there) }]);
    let body = json!({ "properties": { "email": "ben@example.com" }, "associations": associations });
    let (status, ben) = client.hub("POST", "/crm/v3/objects/contacts", body);
    assert_eq!(status, 201);
    let ben = ben["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(joined(&mut client, "contacts", ben, "companies")[0], (there, Some("Boss".into())));
}

#[test]
fn of_a_traced_batch_those_who_are_made_are_joined() {
    let mut client = client();
    let make = |email: &str, company: &str| {
        json!({ "objectWriteTraceId": email, "properties": { "email": email },
            "associations": [{ "to": { "id": company }, "types": types("HUBSPOT_DEFINED", 279) }] })
    };
    // The first is refused, since the address is taken.
    let inputs = json!({ "inputs": [make("ann@example.com", "102"), make("cy@example.com", "103")] });
    let (status, made) = client.hub("POST", "/crm/v3/objects/contacts/batch/create", inputs);
    assert_eq!(status, 207);
    let cy = made["results"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/crm/v4/objects/contacts/{cy}/associations/companies");
    let rows = client.hub("GET", &path, None).1;
    assert_eq!(rows["results"][0]["toObjectId"], 103);
    assert_eq!(rows["results"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_kind_that_nobody_has_defined_is_refused_and_nothing_is_joined() {
    let mut client = client();
    let (there, back) = boss(&mut client);
    let path = "/crm/v4/objects/contacts/101/associations/companies/102";
    let wrong =
        [("USER_DEFINED", 77), ("HUBSPOT_DEFINED", there), ("USER_DEFINED", back), ("HUBSPOT_DEFINED", 280)];
    for (category, number) in wrong {
        let (status, body) = client.hub("PUT", path, types(category, number));
        assert_eq!((status, &body["category"]), (400, &json!("VALIDATION_ERROR")), "{category} {number}");
        let inputs = [input(103, types("HUBSPOT_DEFINED", 279)), input(102, types(category, number))];
        assert_eq!(client.hub("POST", &format!("{PAIRS}/create"), json!({ "inputs": inputs })).0, 400);
        let associations = json!([{ "to": { "id": "102" }, "types": types(category, number) }]);
        let body = json!({ "properties": { "email": "cy@example.com" }, "associations": associations });
        assert_eq!(client.hub("POST", "/crm/v3/objects/contacts", body).0, 400);
    }
    assert_eq!(joined(&mut client, "contacts", 101, "companies"), []);
    assert!(client.sandbox.hubspot.contact_by_email("cy@example.com").is_none(), "refused whole");
}

#[test]
fn a_record_that_is_not_there_is_joined_with_nothing() {
    let mut client = client();
    let path = "/crm/v4/objects/contacts/101/associations/default/companies/999";
    let (status, body) = client.hub("PUT", path, None);
    assert_eq!((status, body["context"]["INVALID_OBJECT_IDS"].is_array()), (400, true));
    let inputs = json!({ "inputs": [input(999, types("HUBSPOT_DEFINED", 279))] });
    assert_eq!(client.hub("POST", &format!("{PAIRS}/create"), inputs).0, 400);
}

#[test]
fn one_label_is_removed_and_the_pair_stays_and_without_the_unlabelled_kind_nothing_does() {
    let mut client = client();
    let (there, _) = boss(&mut client);
    for kind in [types("USER_DEFINED", there), types("HUBSPOT_DEFINED", 1)] {
        client.hub("POST", &format!("{PAIRS}/create"), json!({ "inputs": [input(102, kind)] }));
    }
    let remove = |kind: Value| json!({ "inputs": [input(102, kind)] });
    let path = format!("{PAIRS}/labels/archive");
    assert_eq!(client.hub("POST", &path, remove(types("USER_DEFINED", 77))).0, 400);
    for _repeat in 0..2 {
        assert_eq!(client.hub("POST", &path, remove(types("USER_DEFINED", there))).0, 204);
    }
    let primary = |number| (number, Some("Primary".to_owned()));
    assert_eq!(joined(&mut client, "contacts", 101, "companies"), [primary(1), (279, None)]);
    assert_eq!(joined(&mut client, "companies", 102, "contacts"), [primary(2), (280, None)]);
    assert_eq!(client.hub("POST", &path, remove(types("HUBSPOT_DEFINED", 279))).0, 204);
    assert_eq!(joined(&mut client, "contacts", 101, "companies"), []);
    assert_eq!(joined(&mut client, "companies", 102, "contacts"), []);
}

#[test]
fn archiving_a_pair_removes_all_its_labels() {
    let mut client = client();
    let (there, _) = boss(&mut client);
    client.hub(
        "POST",
        &format!("{PAIRS}/create"),
        json!({ "inputs": [input(102, types("USER_DEFINED", there))] }),
    );
    let body = json!({ "inputs": [{ "from": { "id": "101" }, "to": [{ "id": "102" }] }] });
    assert_eq!(client.hub("POST", &format!("{PAIRS}/archive"), body).0, 204);
    assert_eq!(joined(&mut client, "contacts", 101, "companies"), []);
}

#[test]
fn a_label_is_renamed_for_all_who_have_it() {
    let mut client = client();
    let (there, back) = boss(&mut client);
    client.hub(
        "POST",
        &format!("{PAIRS}/create"),
        json!({ "inputs": [input(102, types("USER_DEFINED", there))] }),
    );
    let renamed = json!({ "associationTypeId": there, "label": "Head" });
    assert_eq!(client.hub("PUT", LABELS, renamed).0, 204);
    assert_eq!(joined(&mut client, "contacts", 101, "companies")[0], (there, Some("Head".into())));
    assert_eq!(joined(&mut client, "companies", 102, "contacts")[0], (back, Some("Led by".into())));
    let renamed = json!({ "associationTypeId": back, "label": "Under", "inverseLabel": "Over" });
    assert_eq!(client.hub("PUT", BACK, renamed).0, 204);
    assert_eq!(joined(&mut client, "contacts", 101, "companies")[0], (there, Some("Over".into())));
    for number in [1, 77] {
        let renamed = json!({ "associationTypeId": number, "label": "Head" });
        assert_eq!(client.hub("PUT", LABELS, renamed).0, 400, "{number}");
    }
}

#[test]
fn a_label_that_is_taken_away_leaves_the_pair_without_it() {
    let mut client = client();
    let (there, back) = boss(&mut client);
    client.hub(
        "POST",
        &format!("{PAIRS}/create"),
        json!({ "inputs": [input(102, types("USER_DEFINED", there))] }),
    );
    assert_eq!(client.hub("DELETE", &format!("{LABELS}/{there}"), None).0, 204);
    assert_eq!(joined(&mut client, "contacts", 101, "companies"), [(279, None)]);
    assert_eq!(joined(&mut client, "companies", 102, "contacts"), [(280, None)]);
    assert_eq!(client.hub("DELETE", &format!("{BACK}/{back}"), None).0, 404, "both directions are gone");
    assert_eq!(client.hub("DELETE", &format!("{LABELS}/279"), None).0, 400, "HubSpot's own");
    let again = client.hub("POST", LABELS, json!({ "name": "boss", "label": "Boss" })).1;
    assert!(again["results"][0]["typeId"].as_u64() > Some(back), "no number is given twice");
}

#[test]
fn between_records_of_one_type_a_label_has_one_number_or_two() {
    let mut client = client();
    let path = "/crm/v4/associations/contacts/contacts/labels";
    let friend = client.hub("POST", path, json!({ "name": "friend", "label": "Friend" })).1;
    assert_eq!(friend["results"].as_array().map(Vec::len), Some(1));
    let body = json!({ "name": "parent", "label": "Parent", "inverseLabel": "Child" });
    let parent = client.hub("POST", path, body).1["results"].clone();
    let number = parent[0]["typeId"].as_u64().unwrap();
    let body = json!({ "properties": { "email": "cy@example.com" },
        "associations": [{ "to": { "id": "101" }, "types": types("USER_DEFINED", number) }] });
    let cy = client.hub("POST", "/crm/v3/objects/contacts", body).1;
    let cy = cy["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(joined(&mut client, "contacts", cy, "contacts")[0].1.as_deref(), Some("Parent"));
    assert_eq!(joined(&mut client, "contacts", 101, "contacts")[0].1.as_deref(), Some("Child"));
}

#[test]
fn a_label_that_a_scenario_or_an_act_names_is_defined_by_that() {
    let mut client = client();
    let join = |to: &str, other| {
        let (from, label) = ("contacts".to_owned(), "Owner".to_owned());
        Act::Join { from, record: 101, to: to.to_owned(), other, label }
    };
    assert!(client.sandbox.act(&join("companies", 102)));
    assert!(client.sandbox.act(&join("companies", 103)));
    let owners: Vec<u64> = labels(&mut client, LABELS)
        .into_iter()
        .filter(|(_, label)| label.as_deref() == Some("Owner"))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(owners.len(), 1, "one number for one label");
    assert_eq!(joined(&mut client, "contacts", 101, "companies")[0], (owners[0], Some("Owner".into())));
    let linked = client.sandbox.hubspot.linked("contacts", 101, "companies");
    assert!(linked.values().all(|labels| labels.contains("Owner") && labels.contains("")));
}

#[test]
fn a_merge_keeps_the_labels_of_both() {
    let mut client = client();
    let (there, _) = boss(&mut client);
    client.hub(
        "POST",
        &format!("{PAIRS}/create"),
        json!({ "inputs": [input(102, types("USER_DEFINED", there))] }),
    );
    let associations = json!([{ "to": { "id": "102" }, "types": types("HUBSPOT_DEFINED", 1) }]);
    let body = json!({ "properties": { "email": "cy@example.com" }, "associations": associations });
    client.hub("POST", "/crm/v3/objects/contacts", body);
    let act = Act::Merge { primary: "ann@example.com".into(), other: "cy@example.com".into() };
    assert!(client.sandbox.act(&act));
    let merged = client.sandbox.hubspot.contact(101).unwrap().id;
    let numbers: Vec<u64> =
        joined(&mut client, "contacts", merged, "companies").into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [1, there, 279]);
}
