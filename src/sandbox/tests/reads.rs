use super::Client;
use crate::sandbox::Act;
use crate::sandbox::scenario::Builder;
use serde_json::{Value, json};

const LISTS: &str = "/crm/lists/2026-09";
const CONTACTS: &str = "/crm/objects/2026-09/contacts";

/// Contacts 101 and 102; 101 is joined with company 103, with a label, and deals 104 and 105.
fn client() -> Client {
    let mut builder = Builder::default();
    let ann = builder.contact(&[("email", "ann@example.com"), ("firstname", "Ann")]);
    builder.contact(&[("email", "ben@example.com")]);
    let company = builder.object("companies", &[("name", "Acme")]);
    builder.link(("contacts", ann), ("companies", company), "Owner");
    for number in 1..=2 {
        let deal = builder.object("deals", &[("dealname", &format!("No. {number}"))]);
        builder.link(("contacts", ann), ("deals", deal), "");
    }
    builder.custom_object("2-7", "divisions").list(1, "Static");
    Client::of(builder)
}

#[test]
fn a_record_shows_what_it_is_joined_with_where_it_is_asked_to() {
    let mut client = client();
    let path = format!("{CONTACTS}/101?properties=email");
    assert!(client.hub("GET", &path, None).1.get("associations").is_none());
    let record = client.hub("GET", &format!("{path}&associations=companies,deals,2-7"), None).1;
    assert_eq!(record["properties"]["email"], "ann@example.com");
    let deal = |id: &str| json!({ "id": id, "type": "contact_to_deal" });
    assert_eq!(record["associations"]["deals"]["results"], json!([deal("104"), deal("105")]));
    let company = |kind: &str| json!({ "id": "103", "type": kind });
    let expected = json!([company("contact_to_company_unlabeled"), company("Owner")]);
    assert_eq!(record["associations"]["companies"]["results"], expected);
    assert!(record["associations"].get("p4200042_divisions").is_none(), "nothing of that type is joined");
    let back = client.hub("GET", "/crm/objects/2026-09/deals/104?associations=contact", None).1;
    let contact = json!([{ "id": "101", "type": "deal_to_contact" }]);
    assert_eq!(back["associations"]["contacts"]["results"], contact);
}

#[test]
fn who_is_joined_with_nothing_shows_no_associations_and_an_unknown_type_is_refused() {
    let mut client = client();
    let record = client.hub("GET", &format!("{CONTACTS}/102?associations=companies"), None).1;
    assert!(record.get("associations").is_none());
    assert_eq!(client.hub("GET", &format!("{CONTACTS}/102?associations=nonsense"), None).0, 400);
}

#[test]
fn a_page_shows_what_its_records_are_joined_with() {
    let mut client = client();
    let page = client.hub("GET", &format!("{CONTACTS}?limit=10&associations=deals"), None).1;
    assert_eq!(page["results"][0]["associations"]["deals"]["results"][0]["id"], "104");
    assert!(page["results"][1].get("associations").is_none());
}

#[test]
fn the_history_of_a_property_tells_its_values_newest_first_and_who_wrote_them() {
    let mut client = client();
    let (made, path) = (client.sandbox.hubspot.contact(101).unwrap().created, format!("{CONTACTS}/101"));
    client.hub("PATCH", &path, json!({ "properties": { "firstname": "Anna" } }));
    client.wait(60);
    let act = Act::SetProperty { contact: "101".into(), property: "firstname".into(), value: String::new() };
    client.hub("PATCH", &path, json!({ "properties": { "lastname": "Lee" } }));
    assert!(client.sandbox.act(&act));
    let asked = format!("{path}?propertiesWithHistory=firstname,email,nonsense");
    let record = client.hub("GET", &asked, None).1;
    let told = |name: &str| -> Vec<(Value, Value)> {
        let entries = record["propertiesWithHistory"][name].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| (entry["value"].clone(), entry["sourceType"].clone())).collect()
    };
    let entry = |value: &str, source: &str| (json!(value), json!(source));
    let expected = [entry("", "CRM_UI"), entry("Anna", "INTEGRATION"), entry("Ann", "CRM_UI")];
    assert_eq!(told("firstname"), expected);
    assert_eq!(told("email"), [entry("ann@example.com", "CRM_UI")]);
    let at = |position: usize| record["propertiesWithHistory"]["firstname"][position]["timestamp"].clone();
    assert_eq!(at(0), record["updatedAt"]);
    assert_eq!(at(2), json!(crate::sandbox::wire::iso_millis(made)));
    assert!(at(2).as_str() < at(1).as_str() && at(1).as_str() < at(0).as_str());
    assert!(record["propertiesWithHistory"].get("nonsense").is_none());
}

#[test]
fn a_write_that_changes_nothing_leaves_no_history_and_twenty_values_are_kept() {
    let mut client = client();
    let path = format!("{CONTACTS}/101");
    for number in 0..30 {
        for _repeat in 0..2 {
            client.hub("PATCH", &path, json!({ "properties": { "firstname": format!("Ann {number}") } }));
        }
        client.wait(1);
    }
    let record = client.hub("GET", &format!("{path}?propertiesWithHistory=firstname"), None).1;
    let entries = record["propertiesWithHistory"]["firstname"].as_array().unwrap();
    let values: Vec<&str> = entries.iter().map(|entry| entry["value"].as_str().unwrap()).collect();
    let expected: Vec<String> = (10..30).rev().map(|number| format!("Ann {number}")).collect();
    assert_eq!(values, expected);
}

#[test]
fn histories_are_told_of_other_records_and_of_fifty_at_once_at_most() {
    let mut client = client();
    let deals = "/crm/objects/2026-09/deals";
    client.hub("PATCH", &format!("{deals}/104"), json!({ "properties": { "dealname": "New" } }));
    let ask = json!({ "inputs": [{ "id": "104" }, { "id": "105" }], "properties": [],
                      "propertiesWithHistory": ["dealname"] });
    let read = client.hub("POST", &format!("{deals}/batch/read"), ask).1;
    let history =
        |at: usize| read["results"][at]["propertiesWithHistory"]["dealname"].as_array().unwrap().len();
    assert_eq!((history(0), history(1)), (2, 1));
    let inputs: Vec<Value> = (0..51).map(|id| json!({ "id": id.to_string() })).collect();
    let ask = json!({ "inputs": inputs, "propertiesWithHistory": ["dealname"] });
    assert_eq!(client.hub("POST", &format!("{deals}/batch/read"), ask).0, 400);
    assert_eq!(client.hub("GET", &format!("{deals}?limit=51&propertiesWithHistory=dealname"), None).0, 400);
    assert_eq!(client.hub("GET", &format!("{deals}?limit=50&propertiesWithHistory=dealname"), None).0, 200);
}

/// Three in a list, who joined it in the order 106, 102, 101.
fn joined() -> Client {
    let mut client = client();
    let contact = json!({ "properties": { "email": "cy@example.com" } });
    let cy = client.hub("POST", CONTACTS, contact).1["id"].as_str().unwrap().to_owned();
    for id in [cy.as_str(), "102", "101"] {
        client.wait(1);
        client.hub("PUT", &format!("{LISTS}/1/memberships/add"), json!([id]));
    }
    client
}

/// Who is on all pages, from one on.
fn walk(client: &mut Client, path: &str, from: &str, next: &str) -> Vec<String> {
    let (mut place, mut seen) = (from.to_owned(), Vec::new());
    for _page in 0..9 {
        let (status, page) = client.hub("GET", &format!("{path}?limit=2{place}"), None);
        assert_eq!(status, 200, "{page}");
        let rows = page["results"].as_array().unwrap().iter();
        seen.extend(rows.map(|row| row["recordId"].as_str().unwrap().to_owned()));
        let Some(cursor) = page.pointer(&format!("/paging/{next}")) else { return seen };
        let name = next.split('/').next_back().unwrap();
        place = format!("&{name}={}", cursor.as_str().unwrap());
    }
    panic!("the pages never end")
}

#[test]
fn memberships_are_paged_in_the_order_of_joining() {
    let mut client = joined();
    let path = format!("{LISTS}/1/memberships/join-order");
    let page = client.hub("GET", &path, None).1;
    let times: Vec<&str> = page["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["membershipTimestamp"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted() && page["total"] == 3, "{times:?}");
    assert_eq!(walk(&mut client, &path, "", "next/after"), ["106", "102", "101"]);
    assert_eq!(client.hub("GET", &format!("{path}?after=x"), None).0, 400);
    assert_eq!(client.hub("GET", &format!("{path}?limit=251"), None).0, 400);
    assert_eq!(client.hub("GET", &format!("{LISTS}/9/memberships/join-order"), None).0, 404);
}

#[test]
fn whoever_joins_a_list_again_stands_last_in_its_order() {
    let mut client = joined();
    client.hub("PUT", &format!("{LISTS}/1/memberships/remove"), json!(["106"]));
    client.wait(1);
    client.hub("PUT", &format!("{LISTS}/1/memberships/add"), json!(["106"]));
    let path = format!("{LISTS}/1/memberships/join-order");
    assert_eq!(walk(&mut client, &path, "", "next/after"), ["102", "101", "106"]);
}

#[test]
fn memberships_are_walked_backwards_from_a_place() {
    let mut client = joined();
    let path = format!("{LISTS}/1/memberships");
    assert_eq!(walk(&mut client, &path, "&before=999", "prev/before"), ["106", "102", "101"]);
    let page = client.hub("GET", &format!("{path}?after=101&before=102"), None).1;
    assert_eq!(page["results"][0]["recordId"], "102", "after wins");
    let path = format!("{path}/join-order");
    let first = client.hub("GET", &format!("{path}?limit=2"), None).1;
    let place = first["paging"]["next"]["after"].as_str().unwrap();
    let page = client.hub("GET", &format!("{path}?before={place}"), None).1;
    let seen: Vec<&Value> = page["results"].as_array().unwrap().iter().map(|row| &row["recordId"]).collect();
    assert_eq!(seen, ["106"], "who joined before, latest first");
}
