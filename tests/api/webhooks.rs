//! Webhooks: who is believed, what is kept, and that an opt-out crosses over.

use crate::support::{Stage, refused};
use hsmc::app::hints;
use hsmc::domain::code::Code;
use hsmc::domain::failure::Service;
use hsmc::domain::hint::Says;
use hsmc::domain::id::RunId;
use hsmc::domain::run::{Run, RunCause, RunPhase};
use hsmc::domain::token::TokenScope;
use hsmc::journal::store::Batch;
use hsmc::sandbox::{Act, Fault, FaultKind, Matches, What};
use hsmc::serve::hooks_setup::{MailchimpHook, WebhooksRequest};
use hsmc::serve::requests::SyncRequest;
use hsmc::serve::webhooks::{HubSpotSource, MailchimpSource, SigningKey, hubspot, mailchimp};
use hsmc::sync::scan::NoProgress;
use reqwest::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const LINES: &str = "requests_per_minute = 100000\n[webhooks]\nhubspot_secret = \"client-secret\"\n\
                     mailchimp_secret = \"signing-secret\"\nurl = \"https://sync.example.com\"";

struct Senders {
    stage: Stage,
    hubspot: HubSpotSource,
    mailchimp: MailchimpSource,
}

impl Senders {
    async fn new() -> Senders {
        let url = "https://sync.example.com/v1/webhooks/hubspot".to_owned();
        Senders {
            stage: Stage::with(LINES).await,
            hubspot: HubSpotSource { key: SigningKey::new("client-secret").unwrap(), url, portal: None },
            mailchimp: MailchimpSource {
                key: SigningKey::new("signing-secret").unwrap(),
                audience: "aud0000001".to_owned(),
            },
        }
    }

    async fn send_as_hubspot(&self, body: &[u8], at: i64) -> Response {
        let moment = at.to_string();
        let request = self.stage.client().post(format!("{}/v1/webhooks/hubspot", self.stage.base));
        let request = request.header(hubspot::SIGNATURE, hubspot::sign(&self.hubspot, body, &moment));
        request.header(hubspot::MOMENT, moment).body(body.to_vec()).send().await.unwrap()
    }

    async fn send_as_mailchimp(&self, fields: &[(&str, &str)]) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let signature = mailchimp::sign(&self.mailchimp, body.as_bytes(), self.now() / 1_000);
        let request = self.stage.client().post(format!("{}/v1/webhooks/mailchimp", self.stage.base));
        request.header(mailchimp::SIGNATURE, signature).body(body).send().await.unwrap()
    }

    fn now(&self) -> i64 {
        self.stage.clock.true_now().0
    }

    fn event(&self, id: u64, record: u64) -> Value {
        json!({ "eventId": id, "portalId": 4200042, "occurredAt": self.now(), "objectId": record,
                "subscriptionType": "contact.propertyChange", "propertyName": "hs_email_optout",
                "propertyValue": "true" })
    }

    async fn synced(&self) {
        self.stage.app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    }

    /// Somebody who is subscribed and in HubSpot: their address and record.
    fn somebody(&self, nth: usize) -> (String, u64) {
        let people = self.stage.app.workspace.shared.journal.people(None, 1_000).unwrap();
        let sandbox = self.stage.sandbox.lock().unwrap();
        let state = sandbox.state();
        let fits = people.into_iter().filter_map(|person| {
            let email = person.email?.as_str().to_owned();
            let is_subscribed = state["mailchimp"]["members"][&email]["status"] == "subscribed";
            (is_subscribed && person.enrolled.is_some()).then_some((email, person.record?.0))
        });
        fits.collect::<Vec<_>>()[nth].clone()
    }

    fn act(&self, act: Act) {
        let mut sandbox = self.stage.sandbox.lock().unwrap();
        sandbox.settle(self.stage.clock.true_now());
        assert!(sandbox.act(&act));
    }

    /// Waits until it is so, and says how long that took in the stage's own time.
    async fn until(&self, is_so: impl Fn(&Value) -> bool) -> Duration {
        let (began, since) = (self.stage.clock.true_now(), Instant::now());
        loop {
            let state = {
                let mut sandbox = self.stage.sandbox.lock().unwrap();
                sandbox.settle(self.stage.clock.true_now());
                sandbox.state()
            };
            if is_so(&state) {
                return self.stage.clock.true_now().since(began).min(since.elapsed());
            }
            assert!(since.elapsed() < Duration::from_secs(60), "it never was so");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn an_opt_out_on_either_side_crosses_over_by_its_webhook_without_any_other_run() {
    let senders = Senders::new().await;
    senders.synced().await;
    let looker = tokio::spawn(hints::keep_looking(Arc::clone(&senders.stage.app)));

    let (ada, record) = senders.somebody(0);
    senders.act(Act::OptOut { email: ada.clone(), subscription: None });
    let body = serde_json::to_vec(&[senders.event(1, record)]).unwrap();
    assert_eq!(senders.send_as_hubspot(&body, senders.now()).await.status(), 200);
    let took = senders.until(|state| state["mailchimp"]["members"][&ada]["status"] == "unsubscribed").await;
    eprintln!("crossed over after {took:?}");

    let (bob, _) = senders.somebody(0);
    assert_ne!(ada, bob);
    senders.act(Act::Unsubscribe { email: bob.clone() });
    let fields = [
        ("type", "unsubscribe"),
        ("fired_at", "2026-11-23 14:00:00"),
        ("data[list_id]", "aud0000001"),
        ("data[email]", bob.as_str()),
        ("data[action]", "unsub"),
    ];
    assert_eq!(senders.send_as_mailchimp(&fields).await.status(), 200);
    let opted_out = |state: &Value| {
        let contacts = state["hubspot"]["contacts"].as_object().unwrap();
        contacts.values().any(|one| one["properties"]["email"] == bob.as_str() && one["opted_out"] == true)
    };
    let took = senders.until(opted_out).await;
    eprintln!("crossed over after {took:?}");

    let token = senders.stage.token(TokenScope::Read, None).await;
    // The effect is seen before the run that had it is closed.
    let runs = loop {
        let runs = senders.stage.ask("GET", "/v1/runs", &token, None).await;
        if runs.as_array().unwrap().iter().all(|run| run["state"] != "running") {
            break runs;
        }
    };
    looker.abort();
    let by_webhook: Vec<&Value> =
        runs.as_array().unwrap().iter().filter(|run| run["cause"] == "webhook").collect();
    assert_eq!(by_webhook.len(), 2);
    assert!(by_webhook.iter().all(|run| run["state"] == "done"), "{runs}");
    let chain = senders.stage.ask("POST", "/v1/consent", &token, Some(json!({ "address": ada }))).await;
    let changes: Vec<&str> =
        chain["links"].as_array().unwrap().iter().map(|link| link["change"].as_str().unwrap()).collect();
    assert!(changes.contains(&"opt-out-delivered"), "{changes:?}");
}

#[tokio::test]
async fn a_webhook_is_only_a_hint_what_it_says_is_not_believed() {
    let senders = Senders::new().await;
    senders.synced().await;
    let (ada, record) = senders.somebody(0);
    // It says that somebody opted out who did not.
    let body = serde_json::to_vec(&[senders.event(1, record)]).unwrap();
    assert_eq!(senders.send_as_hubspot(&body, senders.now()).await.status(), 200);
    assert_eq!(senders.stage.app.hints.waiting(), 1);
    senders.stage.app.look_into_hints(Says::OptedOut).await.unwrap();
    assert_eq!(senders.stage.app.hints.waiting(), 0);
    let state = senders.stage.sandbox.lock().unwrap().state();
    assert_eq!(state["mailchimp"]["members"][&ada]["status"], "subscribed");
}

#[tokio::test]
async fn what_was_answered_for_is_durable_and_looked_into_by_the_next_process() {
    let senders = Senders::new().await;
    senders.synced().await;
    let (ada, record) = senders.somebody(0);
    senders.act(Act::OptOut { email: ada.clone(), subscription: None });
    let body = serde_json::to_vec(&[senders.event(1, record), senders.event(2, record)]).unwrap();
    assert_eq!(senders.send_as_hubspot(&body, senders.now()).await.status(), 200);
    // Another webhook of the same person costs nothing: they wait already.
    let again = serde_json::to_vec(&[senders.event(3, record)]).unwrap();
    assert_eq!(senders.send_as_hubspot(&again, senders.now() + 1).await.status(), 200);
    assert_eq!(senders.stage.app.hints.waiting(), 1);
    let kept =
        hsmc::journal::hints::all(&senders.stage.app.workspace.shared.journal, Says::OptedOut).unwrap();
    assert_eq!(kept.len(), 1);

    let stage = senders.stage.restarted().await;
    assert_eq!(stage.app.hints.waiting(), 1);
    stage.app.look_into_hints(Says::OptedOut).await.unwrap();
    let state = stage.sandbox.lock().unwrap().state();
    assert_eq!(state["mailchimp"]["members"][&ada]["status"], "unsubscribed");
    assert!(
        hsmc::journal::hints::all(&stage.app.workspace.shared.journal, Says::OptedOut).unwrap().is_empty()
    );
}

#[tokio::test]
async fn a_webhook_makes_no_waiting_plan_lapse_and_does_nothing_where_nothing_may_be_written() {
    let senders = Senders::new().await;
    senders.synced().await;
    let (ada, record) = senders.somebody(0);
    let stage = senders.stage.restarted_with("apply = \"always\"", "apply = \"never\"").await;
    assert!(stage.sandbox.lock().unwrap().act(&Act::OptOut { email: ada.clone(), subscription: None }));
    stage
        .app
        .hear_of(
            vec![hsmc::serve::webhooks::Whom::Record(hsmc::domain::id::RecordId(record))],
            Says::OptedOut,
        )
        .await
        .unwrap();
    stage.app.look_into_hints(Says::OptedOut).await.unwrap();
    let state = stage.sandbox.lock().unwrap().state();
    assert_eq!(state["mailchimp"]["members"][&ada]["status"], "subscribed");
}

#[tokio::test]
async fn what_is_forged_stale_replayed_oversized_or_malformed_is_refused_and_counted_and_never_410() {
    let senders = Senders::new().await;
    senders.synced().await;
    let body = serde_json::to_vec(&[senders.event(1, 51)]).unwrap();
    let now = senders.now();
    let stale = senders.send_as_hubspot(&body, now - 301_000).await;
    assert_eq!(refused(stale).await, (401, "HSMC1208".to_owned()));
    assert_eq!(senders.send_as_hubspot(&body, now).await.status(), 200);
    assert_eq!(refused(senders.send_as_hubspot(&body, now).await).await.0, 409);
    assert_eq!(refused(senders.send_as_hubspot(b"{}", now).await).await.0, 400);
    assert_eq!(refused(senders.send_as_hubspot(&vec![b' '; 1 << 21], now).await).await.0, 413);
    let forged = senders.stage.client().post(format!("{}/v1/webhooks/hubspot", senders.stage.base));
    let forged = forged.header(hubspot::SIGNATURE, "AAAA").header(hubspot::MOMENT, now.to_string());
    assert_eq!(refused(forged.body(body.clone()).send().await.unwrap()).await.0, 401);
    let unsigned = senders.stage.client().post(format!("{}/v1/webhooks/mailchimp", senders.stage.base));
    assert_eq!(refused(unsigned.body("type=a").send().await.unwrap()).await.0, 401);
    let foreign = senders.send_as_mailchimp(&[("type", "unsubscribe"), ("data[list_id]", "other")]).await;
    assert_eq!(refused(foreign).await.0, 403);
    assert_eq!(senders.stage.send("GET", "/v1/webhooks/mailchimp", None, None).await.status(), 200);

    let token = senders.stage.token(TokenScope::Read, None).await;
    let text = senders.stage.send("GET", "/metrics", Some(&token), None).await.text().await.unwrap();
    for (service, why) in [
        ("hubspot", "stale"),
        ("hubspot", "replayed"),
        ("hubspot", "malformed"),
        ("hubspot", "oversized"),
        ("hubspot", "forged"),
        ("mailchimp", "unsigned"),
        ("mailchimp", "foreign"),
    ] {
        let line = format!("hsmc_webhooks_refused_total{{service=\"{service}\",reason=\"{why}\"}} 1");
        assert!(text.contains(&line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn mailchimps_webhook_is_set_up_once_and_its_secret_is_shown_once() {
    let stage = Stage::with("[webhooks]\nurl = \"https://sync.example.com/\"").await;
    let ask =
        async |setup, replace| stage.app.set_up_webhooks(WebhooksRequest { setup, replace }).await.unwrap();
    assert_eq!(ask(false, false).await.mailchimp, MailchimpHook::Missing);
    // The answer to the first one is lost, and its secret with it: it goes, and another is made.
    let lost = Fault {
        matches: Matches::call(Service::Mailchimp, "POST", "webhooks").nth(1),
        kind: FaultKind::LostAfter,
    };
    stage.sandbox.lock().unwrap().add_fault(lost);
    let made = ask(true, false).await;
    assert_eq!(made.mailchimp_url, "https://sync.example.com/v1/webhooks/mailchimp");
    assert_eq!((made.mailchimp, made.mailchimp_secret.is_some()), (MailchimpHook::Made, true));
    let again = ask(true, false).await;
    assert_eq!((again.mailchimp, again.mailchimp_secret), (MailchimpHook::WithoutSecret, None));
    let anew = ask(true, true).await;
    assert_eq!(anew.mailchimp, MailchimpHook::Made);
    assert_ne!(anew.mailchimp_secret, made.mailchimp_secret);
    let counts = |stage: &Stage| {
        let sandbox = stage.sandbox.lock().unwrap();
        let count = |is: fn(&What) -> bool| sandbox.effects.all().iter().filter(|one| is(&one.what)).count();
        let made = count(|what| matches!(what, What::WebhookCreated { .. }));
        (made, count(|what| matches!(what, What::WebhookDeleted { .. })))
    };
    assert_eq!(counts(&stage), (3, 2), "there is one");
    // With the secret in the config, nothing is to be done any more.
    let line = "mailchimp_secret = \"signing-secret\"\nurl = \"https://sync.example.com/\"";
    let stage = stage.restarted_with("url = \"https://sync.example.com/\"", line).await;
    let there = stage.app.set_up_webhooks(WebhooksRequest { setup: true, replace: false }).await.unwrap();
    assert_eq!((there.mailchimp, counts(&stage)), (MailchimpHook::There, (3, 2)));
    assert!(!there.hubspot_secret && there.hubspot_events.len() > 5);
}

#[tokio::test]
async fn a_webhook_that_comes_into_being_after_its_answer_was_lost_leaves_no_second_one() {
    let stage = Stage::with("[webhooks]\nurl = \"https://sync.example.com/\"").await;
    let ask = async |setup, replace| stage.app.set_up_webhooks(WebhooksRequest { setup, replace }).await;
    let lose = |nth, kind| {
        let matches = Matches::call(Service::Mailchimp, "POST", "webhooks").nth(nth);
        stage.sandbox.lock().unwrap().add_fault(Fault { matches, kind });
    };
    let left = || {
        let sandbox = stage.sandbox.lock().unwrap();
        let count = |is: fn(&What) -> bool| sandbox.effects.all().iter().filter(|one| is(&one.what)).count();
        count(|what| matches!(what, What::WebhookCreated { .. }))
            - count(|what| matches!(what, What::WebhookDeleted { .. }))
    };
    // Made when the next one is being made, behind the look that found none.
    lose(1, FaultKind::LostThenDoneLater(Duration::from_secs(30)));
    lose(2, FaultKind::Slow(Duration::from_secs(60) / crate::clock::HURRY));
    let made = ask(true, false).await.unwrap();
    assert_eq!((made.mailchimp, left()), (MailchimpHook::Made, 1));
    assert_eq!(ask(false, false).await.unwrap().mailchimp, MailchimpHook::WithoutSecret);
    // Where it comes later still, it is named, and what to do.
    stage.sandbox.lock().unwrap().clear_faults();
    lose(1, FaultKind::LostAfter);
    lose(2, FaultKind::LostAfter);
    let refused = ask(true, true).await.unwrap_err();
    assert!(refused.way_out.contains("--replace"), "{refused:?}");
}

#[tokio::test]
async fn without_an_address_webhooks_cannot_be_set_up() {
    let stage = Stage::new().await;
    let refused = stage.app.set_up_webhooks(WebhooksRequest::default()).await.unwrap_err();
    assert_eq!((refused.code, refused.exit), (Code::ConfigMissing, 2));
}

#[tokio::test]
async fn an_opt_out_crosses_over_beside_a_run_that_applies() {
    let senders = Senders::new().await;
    senders.synced().await;
    let workspace = &senders.stage.app.workspace;
    // A run applies for as long as the test lasts.
    let _applying = workspace.running.lock().await;
    let journal = &workspace.shared.journal;
    let last = journal.runs(1).unwrap().remove(0);
    let run = Run { id: RunId(last.id.0 + 1), phase: RunPhase::Applying, ended: None, ..last };
    let mut batch = Batch::new();
    journal.put_run(&mut batch, &run).unwrap();
    journal.commit(batch).await.unwrap();

    // One after another: the run of the first is the newest when the second comes.
    for event in [1, 2] {
        let (who, record) = senders.somebody(0);
        senders.act(Act::OptOut { email: who.clone(), subscription: None });
        let body = serde_json::to_vec(&[senders.event(event, record)]).unwrap();
        assert_eq!(senders.send_as_hubspot(&body, senders.now() + event as i64).await.status(), 200);
        let looked = senders.stage.app.look_into_hints(Says::OptedOut);
        tokio::time::timeout(Duration::from_secs(30), looked).await.expect("it waits for the run").unwrap();
        let state = senders.stage.sandbox.lock().unwrap().state();
        assert_eq!(state["mailchimp"]["members"][&who]["status"], "unsubscribed");
    }
    let runs = journal.runs(3).unwrap();
    assert!(runs.iter().take(2).all(|run| run.cause == RunCause::Webhook), "{runs:?}");
    assert_eq!(runs[2], run, "it stands as it stood");
}
