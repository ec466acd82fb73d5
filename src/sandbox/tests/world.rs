use super::Client;
use crate::domain::failure::Service;
use crate::sandbox::mailchimp::Status;
use crate::sandbox::scenario::{self, Builder, Condition, START};
use crate::sandbox::{Delivery, Fault, FaultKind, Matches, Sandbox, WireRequest};
use serde_json::json;
use std::time::Duration;

const ANN: &str = "ann@example.com";
const ADD: &str = "/crm/lists/2026-09/1/memberships/add";

fn client() -> Client {
    let mut builder = Builder::default();
    builder.list(1, "Static").member(ANN, Status::Subscribed);
    builder.contact(&[("email", ANN)]);
    Client::of(builder)
}

fn fault(client: &mut Client, matches: Matches, kind: FaultKind) {
    client.sandbox.add_fault(Fault { matches, kind });
}

fn members(client: &Client) -> usize {
    client.sandbox.hubspot.lists()[&1].members.len()
}

fn add(client: &mut Client) -> Delivery {
    client.send(Service::HubSpot, "PUT", ADD, Some(&json!(["101"]))).delivery
}

#[test]
fn an_answer_lost_before_leaves_the_work_undone_and_one_lost_after_has_done_it() {
    let mut client = client();
    fault(&mut client, Matches::call(Service::HubSpot, "PUT", "memberships").nth(1), FaultKind::LostBefore);
    fault(&mut client, Matches::call(Service::HubSpot, "PUT", "memberships").nth(2), FaultKind::LostAfter);
    assert_eq!((add(&mut client), members(&client)), (Delivery::Lost, 0));
    assert_eq!((add(&mut client), members(&client)), (Delivery::Lost, 1));
    assert_eq!(add(&mut client), Delivery::Now);
}

#[test]
fn work_given_up_on_may_be_done_much_later() {
    let mut client = client();
    let matches = Matches::call(Service::HubSpot, "PUT", "memberships").nth(1);
    fault(&mut client, matches, FaultKind::LostThenDoneLater(Duration::from_secs(100)));
    assert_eq!(add(&mut client), Delivery::Lost);
    let due = client.now.plus(Duration::from_secs(100));
    client.wait(99);
    client.sandbox.settle(client.now);
    assert_eq!(members(&client), 0);
    client.wait(60);
    client.sandbox.settle(client.now);
    assert_eq!(members(&client), 1);
    assert_eq!(client.sandbox.effects.all()[0].at, due);
}

#[test]
fn faults_have_the_shape_the_services_give_them() {
    let mut client = client();
    let target = "/account-info/2026-09/details";
    for (kind, status, header) in [
        (FaultKind::Http429 { retry_after: Some(7) }, 429, Some("7")),
        (FaultKind::Http429 { retry_after: None }, 429, None),
        (FaultKind::Status { code: 500, body: None }, 500, None),
        (FaultKind::Html, 502, None),
        (FaultKind::Unauthorized, 401, None),
    ] {
        client.sandbox.clear_faults();
        fault(&mut client, Matches::all(Service::HubSpot), kind);
        let response = client.send(Service::HubSpot, "GET", target, None).response;
        assert_eq!((response.status, response.header("retry-after")), (status, header));
    }
    client.sandbox.clear_faults();
    fault(&mut client, Matches::all(Service::HubSpot), FaultKind::Slow(Duration::from_secs(9)));
    let reply = client.send(Service::HubSpot, "GET", target, None);
    assert_eq!(reply.delivery, Delivery::After(Duration::from_secs(9)));
}

#[test]
fn one_service_down_leaves_the_other_up() {
    let mut client = client();
    let from = client.now;
    let kind = FaultKind::Down { from, until: from.plus(Duration::from_secs(60)) };
    fault(&mut client, Matches::all(Service::HubSpot), kind);
    assert_eq!(add(&mut client), Delivery::Lost);
    assert_eq!(client.chimp("GET", "", None).0, 200);
    client.wait(60);
    assert_eq!(add(&mut client), Delivery::Now);
}

#[test]
fn faults_are_read_from_json() {
    let text =
        r#"{"matches":{"service":"HubSpot","method":"PUT","nth":2},"kind":{"lost_then_done_later":"100s"}}"#;
    let fault: Fault = serde_json::from_str(text).unwrap();
    assert_eq!(fault.kind, FaultKind::LostThenDoneLater(Duration::from_secs(100)));
    let text = r#"{"matches":{"service":"Mailchimp"},"kind":"html"}"#;
    assert_eq!(serde_json::from_str::<Fault>(text).unwrap().kind, FaultKind::Html);
}

#[test]
fn wrong_credentials_are_401() {
    let mut client = client();
    for (service, path) in
        [(Service::HubSpot, "/account-info/2026-09/details"), (Service::Mailchimp, "/3.0/ping")]
    {
        let request = WireRequest::new(service, "GET", path).with_bearer("wrong");
        assert_eq!(client.sandbox.handle(client.now, &request).response.status, 401);
        let request = WireRequest::new(service, "GET", path);
        assert_eq!(client.sandbox.handle(client.now, &request).response.status, 401);
    }
    use base64::Engine;
    let basic = base64::engine::general_purpose::STANDARD.encode("any:sandbox-mailchimp-us1");
    let request = WireRequest::new(Service::Mailchimp, "GET", "/3.0/ping")
        .with_header("Authorization", &format!("Basic {basic}"));
    assert_eq!(client.sandbox.handle(client.now, &request).response.status, 200);
}

#[test]
fn the_eleventh_connection_to_mailchimp_is_too_many() {
    let mut sandbox = client().sandbox;
    for _ in 0..10 {
        assert!(sandbox.begin(Service::Mailchimp).is_none());
    }
    assert_eq!(sandbox.begin(Service::Mailchimp).map(|answer| answer.status), Some(429));
    sandbox.end(Service::Mailchimp);
    sandbox.end(Service::Mailchimp);
    assert!(sandbox.begin(Service::Mailchimp).is_none());
}

#[test]
fn calls_are_counted_by_template() {
    let mut client = client();
    add(&mut client);
    client.chimp("GET", &format!("/members/{}", super::hash(ANN)), None);
    client.hub("POST", "/crm/objects/2026-09/contacts/search", json!({}));
    assert_eq!((client.sandbox.calls.total(), client.sandbox.calls.mutating()), (3, 1));
    let templates: Vec<&str> = client.sandbox.calls.all().keys().map(|kind| kind.template.as_str()).collect();
    assert!(templates.contains(&"/crm/lists/2026-09/{id}/memberships/add"));
    assert!(templates.contains(&"/3.0/lists/aud0000001/members/{hash}"));
}

fn bytes(sandbox: &mut Sandbox) -> Vec<u8> {
    let mut all = serde_json::to_vec(&sandbox.state()).unwrap();
    for (service, path, token) in [
        (Service::HubSpot, "/crm/objects/2026-09/contacts", "sandbox-hubspot"),
        (Service::Mailchimp, "/3.0/lists/aud0000001/members", "sandbox-mailchimp-us1"),
    ] {
        let request = WireRequest::new(service, "GET", path).with_bearer(token);
        all.extend(sandbox.handle(START.plus(Duration::from_secs(86_400)), &request).response.body);
    }
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for name in scenario::NAMES {
        let build = |seed| bytes(&mut scenario::named(name, seed, Some(300)).unwrap());
        assert!(build(7) == build(7), "{name} differs from itself");
        assert!(build(7) != build(8), "{name} ignores its seed");
    }
    assert!(scenario::named("huge", 1, None).is_none());
}

#[test]
fn the_tiny_scenario_has_every_list_in_use_and_no_history() {
    let sandbox = scenario::tiny(1);
    assert!(sandbox.effects.is_empty());
    let people = sandbox.hubspot.contacts().count();
    assert!((33..=45).contains(&people), "{people} contacts");
    for status in
        [Status::Subscribed, Status::Unsubscribed, Status::Cleaned, Status::Pending, Status::Archived]
    {
        assert!(sandbox.mailchimp.members().any(|member| member.status == status), "nobody is {status:?}");
    }
    let lists = sandbox.hubspot.lists();
    assert!(lists[&762].members.len() == 2 && lists[&762].rule.is_some());
    assert_ne!(Condition::New, Condition::Settled);
}

#[test]
fn most_of_the_agency_is_settled() {
    let sandbox = scenario::named("agency", 1, None).unwrap();
    let (people, members) = (sandbox.hubspot.contacts().count(), sandbox.mailchimp.members().count());
    assert!((3_600..=3_800).contains(&people), "{people} contacts");
    assert!(members > 3_300, "{members} members");
}

#[test]
fn people_act_behind_the_apis_back() {
    let mut client = client();
    for (act, done) in [
        (json!({ "act": "opt_out", "email": ANN }), true),
        (json!({ "act": "set_tag", "email": ANN, "tag": "Exit" }), true),
        (json!({ "act": "join_list", "contact": "101", "list": 1 }), true),
        (json!({ "act": "rename_list", "list": 1, "name": "Other" }), true),
        (json!({ "act": "delete_contact", "contact": ANN }), true),
        (json!({ "act": "delete_contact", "contact": ANN }), false),
        (json!({ "act": "archive", "email": "nobody@example.com" }), false),
    ] {
        assert_eq!(client.sandbox.act(&serde_json::from_value(act).unwrap()), done);
    }
    assert!(client.broken_rules().is_empty());
    assert_eq!(members(&client), 0);
}
