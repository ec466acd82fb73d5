//! What is begun over HTTP, and followed.

use crate::support::{Stage, refused};
use hsmc::domain::token::TokenScope;
use serde_json::{Value, json};

/// The events of a stream, as name and data.
fn events(text: &str) -> Vec<(String, Value)> {
    let one = |part: &str| {
        let field = |name: &str| {
            let lines = part.lines().filter_map(|line| line.strip_prefix(name));
            lines.map(|line| line.trim_start().to_owned()).next()
        };
        Some((field("event:")?, serde_json::from_str(&field("data:")?).unwrap()))
    };
    text.split("\n\n").filter_map(one).collect()
}

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
