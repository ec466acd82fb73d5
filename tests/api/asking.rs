//! What is answered: the same views as on the command line.

use crate::support::Stage;
use hsmc::domain::token::TokenScope;
use hsmc::serve::requests::{Subject, SyncRequest};
use hsmc::sync::scan::NoProgress;
use serde_json::{Value, json};

#[tokio::test]
async fn whatever_a_command_shows_the_api_shows_in_the_same_words() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Read, None).await;
    stage.app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    let same = |shown: Value, view: Value, what: &str| assert_eq!(shown, view, "{what}");
    let value = |view: &dyn erased::Shown| view.shown();
    let runs = stage.ask("GET", "/v1/runs?limit=3", &token, None).await;
    same(runs.clone(), value(&stage.app.runs(3).unwrap()), "runs");
    same(stage.ask("GET", "/v1/lists", &token, None).await, value(&stage.app.lists().unwrap()), "lists");
    let run = runs[0]["id"].as_u64().unwrap();
    let report = stage.app.report_of(hsmc::domain::id::RunId(run)).unwrap();
    same(stage.ask("GET", &format!("/v1/runs/{run}"), &token, None).await, value(&report), "run");

    let parked = stage.ask("GET", "/v1/parked", &token, None).await;
    assert_eq!(parked["total"], stage.app.parked().unwrap().total);
    let status = stage.ask("GET", "/v1/status", &token, None).await;
    assert_eq!(status["last_run"]["id"], run);
    let chain = stage.ask("GET", "/v1/consent/chain", &token, None).await;
    same(chain, value(&stage.app.verify_consent().await.unwrap()), "chain");

    // A person by number, and by address in a body.
    let people = stage.app.workspace.shared.journal.people(None, 1).unwrap();
    let address = people[0].email.as_ref().unwrap().as_str().to_owned();
    let by_number = stage.ask("GET", &format!("/v1/people/{}/why", people[0].id), &token, None).await;
    let by_address = stage.ask("POST", "/v1/why", &token, Some(json!({ "address": address }))).await;
    assert_eq!((&by_number["id"], &by_number["state"]), (&by_address["id"], &by_address["state"]));
    let moves = stage.ask("GET", &format!("/v1/people/{}/moves", people[0].id), &token, None).await;
    let answer = stage.app.status(Subject::Person(address.clone())).await.unwrap();
    same(moves, value(&answer), "moves");
    let consent = stage.ask("POST", "/v1/consent", &token, Some(json!({ "address": address }))).await;
    same(consent, value(&stage.app.consent_of(&address).await.unwrap()), "consent");
}

/// Any view as JSON.
mod erased {
    use serde_json::Value;

    pub trait Shown {
        fn shown(&self) -> Value;
    }

    impl<T: serde::Serialize> Shown for T {
        fn shown(&self) -> Value {
            serde_json::to_value(self).unwrap()
        }
    }
}
