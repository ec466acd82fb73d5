//! What is begun over HTTP, and followed.

use crate::support::{Stage, events, refused};
use hsmc::domain::token::TokenScope;
use hsmc::serve::tokens::{TokenAnswer, TokenRequest};
use serde_json::{Value, json};

#[tokio::test]
async fn a_run_is_begun_followed_to_its_end_and_its_report_is_there() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let response = stage.send("POST", "/v1/runs", Some(&token), Some(json!({ "yes": true }))).await;
    assert_eq!(response.status(), 202);
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(response.json::<Value>().await.unwrap()["state"], "running");

    // The stream ends by itself when the run is over.
    let stream = stage.send("GET", &format!("{place}/events"), Some(&token), None).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let told = events(&stream.text().await.unwrap());
    assert_eq!(told.first().unwrap().0, "operation");
    let (name, last) = told.last().unwrap();
    assert_eq!((name.as_str(), &last["state"]), ("operation", &json!("done")));
    assert_eq!(last["answer"]["run"]["state"], "done");

    let one = stage.ask("GET", &place, &token, None).await;
    assert_eq!(&one, last);
    let all = stage.ask("GET", "/v1/operations", &token, None).await;
    assert_eq!(all, json!([one]));
    let run = last["answer"]["run"]["id"].as_u64().unwrap();
    let report = stage.ask("GET", &format!("/v1/runs/{run}"), &token, None).await;
    assert_eq!(report["run"], last["answer"]["run"]);
}

#[tokio::test]
async fn what_cannot_be_done_ends_as_failed_with_its_problem() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let place =
        stage.send("POST", "/v1/runs/7/approve", Some(&token), Some(json!({}))).await.headers()["location"]
            .to_str()
            .unwrap()
            .to_owned();
    let stream = stage.send("GET", &format!("{place}/events"), Some(&token), None).await;
    let told = events(&stream.text().await.unwrap());
    let last = &told.last().unwrap().1;
    assert_eq!((&last["state"], last["problem"]["code"].is_string()), (&json!("failed"), true), "{last}");
    let response = stage.send("GET", "/v1/operations/99", Some(&token), None).await;
    assert_eq!(refused(response).await, (404, "HSMC1003".to_owned()));
}

#[tokio::test]
async fn a_number_of_before_a_restart_is_nobody_elses_after_it() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let release = json!("All");
    let before = begun(&stage, &token, "/v1/parked/release", release.clone()).await["id"].clone();
    let stage = stage.restarted().await;
    let after = begun(&stage, &token, "/v1/parked/release", release).await["id"].clone();
    assert_ne!(before, after);
    let response = stage.send("GET", &format!("/v1/operations/{before}"), Some(&token), None).await;
    assert_eq!(refused(response).await, (404, "HSMC1003".to_owned()));
}

/// Begins something and follows it to its end.
async fn begun(stage: &Stage, token: &str, path: &str, body: Value) -> Value {
    let response = stage.send("POST", path, Some(token), Some(body)).await;
    assert_eq!(response.status(), 202, "{path}");
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    let stream = stage.send("GET", &format!("{place}/events"), Some(token), None).await;
    events(&stream.text().await.unwrap()).pop().unwrap().1
}

#[tokio::test]
async fn an_undo_is_shown_first_and_then_done_as_it_was_shown() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let run = begun(&stage, &token, "/v1/runs", json!({ "yes": true })).await;
    let path = format!("/v1/runs/{}/undo", run["answer"]["run"]["id"]);
    let shown = begun(&stage, &token, &path, json!({})).await;
    let plan = &shown["answer"]["plan"];
    assert!(plan["total"].as_u64().unwrap() > 0, "{shown}");
    assert_eq!((&shown["what"], &shown["answer"]["report"]), (&json!("undo"), &Value::Null));
    let none = begun(&stage, &token, &path, json!({ "agreed": ["nothing"] })).await;
    let undone = (&none["answer"]["plan"]["total"], &none["answer"]["report"]);
    assert_eq!(undone, (&json!(0), &Value::Null), "nobody agreed to anything");
    let done = begun(&stage, &token, &path, json!({ "agreed": plan["agreed"] })).await;
    assert_eq!(done["answer"]["report"]["run"]["cause"], "undo", "{done}");
    assert_eq!(done["answer"]["report"]["run"]["state"], "done", "{done}");
}

#[tokio::test]
async fn a_release_is_answered_at_once_and_waits_for_the_run_by_itself() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let running = stage.app.workspace.running.lock().await;
    let response = stage.send("POST", "/v1/parked/release", Some(&token), Some(json!("All"))).await;
    assert_eq!(response.status(), 202);
    drop(running);
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    let stream = stage.send("GET", &format!("{place}/events"), Some(&token), None).await;
    let last = events(&stream.text().await.unwrap()).pop().unwrap().1;
    assert_eq!((&last["what"], &last["state"]), (&json!("release"), &json!("done")), "{last}");
}

#[tokio::test]
async fn more_than_may_go_on_at_once_are_not_begun() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let _running = stage.app.workspace.running.lock().await;
    let mut turned_away = None;
    for _ in 0..100 {
        let response = stage.send("POST", "/v1/runs", Some(&token), Some(json!({}))).await;
        if response.status() != 202 {
            turned_away = Some(response);
            break;
        }
    }
    let response = turned_away.expect("there is no bound");
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(refused(response).await, (429, "HSMC1204".to_owned()));
}

/// Whoever revokes a token wants nothing more to flow to whoever has it.
#[tokio::test]
async fn a_stream_ends_once_its_token_is_revoked() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Operate, None).await;
    let _running = stage.app.workspace.running.lock().await;
    let response = stage.send("POST", "/v1/parked/release", Some(&token), Some(json!("All"))).await;
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    let stream = stage.send("GET", &format!("{place}/events"), Some(&token), None).await;
    assert_eq!(stream.status(), 200);
    let TokenAnswer::Tokens(tokens) = stage.app.tokens(TokenRequest::List).await.unwrap() else { panic!() };
    stage.app.tokens(TokenRequest::Revoke(tokens[0].id.parse().unwrap())).await.unwrap();
    // What it waits for goes on: the stream ends all the same.
    let last = events(&stream.text().await.unwrap()).pop().map(|(_, view)| view["state"].clone());
    assert!(last.is_none_or(|state| state == "running"));
}
