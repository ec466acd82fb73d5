use super::*;
use crate::sandbox::scenario;

async fn served() -> (Served, reqwest::Client) {
    crate::tls::set_up();
    let sandbox = Arc::new(Mutex::new(scenario::tiny(1)));
    (serve(sandbox, 0).await.unwrap(), reqwest::Client::new())
}

#[tokio::test]
async fn both_accounts_answer_over_http() {
    let (served, client) = served().await;
    let hubspot = client
        .get(format!("{}/crm/lists/2026-09/969", served.hubspot_url()))
        .bearer_auth("sandbox-hubspot")
        .send()
        .await
        .unwrap();
    assert_eq!(hubspot.headers()["x-hubspot-ratelimit-max"], "190");
    assert_eq!(hubspot.json::<Value>().await.unwrap()["list"]["processingType"], "DYNAMIC");
    let mailchimp = client
        .get(format!("{}/lists/aud0000001", served.mailchimp_url()))
        .basic_auth("any", Some("sandbox-mailchimp-us1"))
        .send()
        .await
        .unwrap();
    assert_eq!(mailchimp.status(), 200);
    served.shut_down().await;
}

#[tokio::test]
async fn a_lost_answer_is_a_broken_connection_and_the_work_is_done() {
    let (served, client) = served().await;
    let control = format!("http://{}/_sandbox", served.address);
    let fault = json!({ "matches": { "service": "HubSpot", "nth": 1 }, "kind": "lost_after" });
    let added = client.post(format!("{control}/faults")).json(&fault).send().await.unwrap();
    assert_eq!(added.json::<Value>().await.unwrap()["added"], 1);
    let call = || {
        client
            .put(format!("{}/crm/lists/2026-09/946/memberships/add", served.hubspot_url()))
            .bearer_auth("sandbox-hubspot")
            .json(&["101"])
            .send()
    };
    let lost = call().await.unwrap_err();
    assert!(lost.status().is_none() && !lost.is_connect());
    assert_eq!(call().await.unwrap().json::<Value>().await.unwrap()["recordsIdsAdded"], json!([]));
    let effects: Value = client.get(format!("{control}/effects")).send().await.unwrap().json().await.unwrap();
    assert_eq!(effects[0]["what"], json!({ "list_joined": { "list": 946, "contact": 101 } }));
    let state: Value = client.get(format!("{control}/state")).send().await.unwrap().json().await.unwrap();
    assert!(state["hubspot"]["contacts"]["101"]["lists"].as_array().unwrap().contains(&json!(946)));
    let calls: Value = client.get(format!("{control}/calls")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&calls[0]["count"], &calls[0]["mutating"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn time_and_people_can_be_moved_by_the_control_endpoints() {
    let (served, client) = served().await;
    let control = format!("http://{}/_sandbox", served.address);
    let acts = json!([{ "act": "rename_list", "list": 946, "name": "Done" }]);
    let done = client.post(format!("{control}/act")).json(&acts).send().await.unwrap();
    assert_eq!(done.json::<Value>().await.unwrap()["done"], json!([true]));
    let clock = client.post(format!("{control}/clock")).json(&json!({ "advance_ms": 1000 }));
    assert_eq!(clock.send().await.unwrap().status(), 200);
    let config = client.get(format!("{control}/config")).send().await.unwrap().text().await.unwrap();
    assert!(config.contains(&served.hubspot_url()) && !config.contains('@'));
    let nonsense = client.post(format!("{control}/act")).json(&json!({ "act": "fly" })).send().await.unwrap();
    assert_eq!(nonsense.status(), 400);
}
