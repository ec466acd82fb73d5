//! The mirror over HTTP: people by any rule, segments, pulls begun and followed, and the end of it all.

use crate::support::{Stage, events, refused};
use hsmc::app::pulling;
use hsmc::domain::token::TokenScope;
use hsmc::sandbox::Act;
use hsmc::serve::people::PeopleRequest;
use hsmc::serve::pull::{PullRequest, PullWhat};
use hsmc::serve::requests::SyncRequest;
use hsmc::sync::scan::NoProgress;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const LINES: &str = "requests_per_minute = 100000\n[segments.known]\nwhere = 'email is_set'\n[segments.nobody]\nwhere = 'email is_empty'";

fn contacts() -> PullRequest {
    PullRequest::of(PullWhat::Object("contacts".to_owned()))
}

async fn filled() -> Stage {
    let stage = Stage::with(LINES).await;
    stage.app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    stage.app.pull(contacts(), &|_| ()).await.unwrap();
    stage
}

#[tokio::test]
async fn people_asked_for_over_http_are_those_of_the_command_page_after_page() {
    let stage = filled().await;
    let token = stage.token(TokenScope::Read, None).await;
    let columns = || vec!["record".to_owned(), "email".to_owned(), "consent".to_owned()];
    let segment = Some("known".to_owned());
    let request = PeopleRequest { segment, columns: columns(), limit: 10_000, ..PeopleRequest::default() };
    let all = stage.app.people(request).await.unwrap();
    assert!(all.rows.len() > 10);
    let (mut rows, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let body = json!({ "segment": "known", "columns": columns(), "limit": 7, "cursor": cursor });
        let page = stage.ask("POST", "/v1/people", &token, Some(body)).await;
        rows.extend(page["rows"].as_array().unwrap().clone());
        cursor = page["next"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(json!(rows), serde_json::to_value(&all.rows).unwrap());
    let whole = json!({ "columns": ["record"], "limit": 3.0 });
    assert_eq!(
        stage.ask("POST", "/v1/people", &token, Some(whole)).await["rows"].as_array().unwrap().len(),
        3
    );
    let body = json!({ "where": "consent = subscribed", "sort": "-email", "columns": ["email"] });
    let page = stage.ask("POST", "/v1/people", &token, Some(body)).await;
    let some: Vec<&str> =
        page["rows"].as_array().unwrap().iter().map(|row| row[0].as_str().unwrap()).collect();
    assert!(some.is_sorted_by(|one, other| one >= other) && !some.is_empty(), "{some:?}");
    for (body, status, code) in [
        (json!({ "limit": 0 }), 400, "HSMC1205"),
        (json!({ "where": "email is" }), 422, "HSMC1205"),
        (json!({ "where": "shoe_size = 44" }), 422, "HSMC2105"),
        (json!({ "segment": "everybody" }), 404, "HSMC1003"),
        (json!({ "cursor": "0" }), 422, "HSMC1205"),
        (json!({ "filter": "" }), 400, "HSMC1205"),
    ] {
        let response = stage.send("POST", "/v1/people", Some(&token), Some(body.clone())).await;
        assert_eq!(refused(response).await, (status, code.to_owned()), "{body}");
    }
}

/// Whether the contact is in a list that is read or not: the scan has read the member all the same.
#[tokio::test]
async fn a_member_whose_contact_is_in_none_of_the_lists_is_shown_as_what_they_are() {
    let stage = Stage::with(LINES).await;
    let email = "nowhere@example.com".to_owned();
    let act = |act: Act| assert!(stage.sandbox.lock().unwrap().act(&act));
    let properties = [("email".to_owned(), email.clone())].into();
    act(Act::AddContact { properties });
    act(Act::AddMember { email: email.clone(), status: "subscribed".to_owned() });
    act(Act::SetTag { email: email.clone(), tag: "VIP".to_owned() });
    stage.app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    stage.app.pull(contacts(), &|_| ()).await.unwrap();
    let columns = ["email", "consent", "member", "tags"].map(str::to_owned).to_vec();
    for filter in [format!("email = \"{email}\""), "has tag VIP and consent = subscribed".to_owned()] {
        let request = PeopleRequest { filter: Some(filter), columns: columns.clone(), ..asked() };
        let rows = stage.app.people(request).await.unwrap().rows;
        let row = rows.iter().find(|row| row[0].as_ref() == Some(&email)).unwrap();
        let row: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or_default()).collect();
        assert_eq!(row, [&email, "subscribed", "subscribed", "VIP"]);
    }
}

fn asked() -> PeopleRequest {
    PeopleRequest { limit: 10_000, ..PeopleRequest::default() }
}

#[tokio::test]
async fn a_file_over_http_holds_everybody_in_each_format() {
    let stage = filled().await;
    let token = stage.token(TokenScope::Read, None).await;
    let columns = ["record", "email"];
    let body = json!({ "columns": columns, "limit": 10_000 });
    let all = stage.ask("POST", "/v1/people", &token, Some(body)).await["rows"].as_array().unwrap().clone();
    let file = async |format: &str, media: &str| {
        let body = json!({ "format": format, "columns": columns });
        let response = stage.send("POST", "/v1/people/export", Some(&token), Some(body)).await;
        assert_eq!(response.headers()["content-type"], media);
        let name = format!("attachment; filename=\"people.{format}\"");
        assert_eq!(response.headers()["content-disposition"], name.as_str());
        response.bytes().await.unwrap()
    };
    let as_json: Vec<Value> = serde_json::from_slice(&file("json", "application/json").await).unwrap();
    let pairs: Vec<Value> = as_json.iter().map(|one| json!([one["record"], one["email"]])).collect();
    assert_eq!(pairs, all);
    let as_csv = file("csv", "text/csv; charset=utf-8").await;
    assert_eq!(as_csv.split(|byte| *byte == b'\n').count(), all.len() + 2, "names, rows, and an end");
    let parquet = file("parquet", "application/vnd.apache.parquet").await;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    for (body, status, code) in [
        (json!({ "format": "xml" }), 400, "HSMC1205"),
        (json!({ "columns": [] }), 400, "HSMC1205"),
        (json!({ "format": "csv", "where": "email is" }), 422, "HSMC1205"),
    ] {
        let response = stage.send("POST", "/v1/people/export", Some(&token), Some(body.clone())).await;
        assert_eq!(refused(response).await, (status, code.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn segments_are_shown_with_their_sizes_and_one_with_members() {
    let stage = filled().await;
    let token = stage.token(TokenScope::Read, None).await;
    let all = stage.ask("GET", "/v1/segments", &token, None).await;
    let names: Vec<&Value> = all["segments"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["known", "nobody"]);
    let one = stage.ask("GET", "/v1/segments/known", &token, None).await;
    assert_eq!(one["segments"][0], all["segments"][0]);
    assert!(!one["members"].as_array().unwrap().is_empty());
    let response = stage.send("GET", "/v1/segments/everybody", Some(&token), None).await;
    assert_eq!(refused(response).await, (404, "HSMC1003".to_owned()));
}

#[tokio::test]
async fn before_anything_was_pulled_there_is_nobody_to_ask_for() {
    let stage = Stage::with(LINES).await;
    let token = stage.token(TokenScope::Admin, None).await;
    assert_eq!(stage.ask("GET", "/v1/pulls", &token, None).await, json!([]));
    for (method, path, body) in [
        ("POST", "/v1/people", Some(json!({}))),
        ("GET", "/v1/segments", None),
        ("POST", "/v1/mirror/clear", Some(json!({}))),
    ] {
        let response = stage.send(method, path, Some(&token), body).await;
        assert_eq!(refused(response).await, (404, "HSMC1009".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_pull_is_begun_followed_and_remembered() {
    let stage = Stage::with(LINES).await;
    let token = stage.token(TokenScope::Operate, None).await;
    let response = stage.send("POST", "/v1/pulls", Some(&token), Some(json!({ "what": "contacts" }))).await;
    assert_eq!(response.status(), 202);
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    let stream = stage.send("GET", &format!("{place}/events"), Some(&token), None).await;
    let told = events(&stream.text().await.unwrap());
    let (name, last) = told.last().unwrap();
    assert_eq!((name.as_str(), &last["state"], &last["what"]), ("operation", &json!("done"), &json!("pull")));
    let pull = &last["answer"]["pulls"][0];
    assert_eq!((&pull["engine"], &pull["state"]), (&json!("contacts"), &json!("done")));
    assert!(told.iter().all(|(name, _)| name != "run"), "{told:?}");
    assert_eq!(stage.ask("GET", "/v1/pulls?limit=1", &token, None).await, json!([pull]));
    assert_eq!(stage.ask("GET", "/v1/pulls?engine=deals", &token, None).await, json!([]));

    let response = stage.send("POST", "/v1/pulls", Some(&token), Some(json!({ "what": "dragons" }))).await;
    let place = response.headers()["location"].to_str().unwrap().to_owned();
    let stream = stage.send("GET", &format!("{place}/events"), Some(&token), None).await;
    let last = events(&stream.text().await.unwrap()).pop().unwrap().1;
    assert_eq!((&last["state"], &last["problem"]["status"]), (&json!("failed"), &json!(404)), "{last}");
    for body in
        [json!({}), json!({ "what": "contacts", "limit": 0 }), json!({ "what": "deals", "batch_size": 0 })]
    {
        let response = stage.send("POST", "/v1/pulls", Some(&token), Some(body.clone())).await;
        assert_eq!(refused(response).await, (400, "HSMC1205".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn the_mirror_is_emptied_only_by_who_confirms_what_was_shown() {
    let stage = filled().await;
    let token = stage.token(TokenScope::Admin, None).await;
    let operate = stage.token(TokenScope::Operate, None).await;
    let clear = |confirm: Value| json!({ "confirm": confirm });
    let response = stage.send("POST", "/v1/mirror/clear", Some(&operate), Some(json!({}))).await;
    assert_eq!(refused(response).await, (403, "HSMC1203".to_owned()));
    let shown = stage.ask("POST", "/v1/mirror/clear", &token, Some(json!({}))).await;
    assert!(shown["records"]["contacts"].as_u64().unwrap() > 10);
    assert_eq!(shown["cleared"], false);
    // Another pull came between: what would be removed is not what was shown.
    stage.app.pull(contacts(), &|_| ()).await.unwrap();
    let late =
        stage.send("POST", "/v1/mirror/clear", Some(&token), Some(clear(shown["confirm"].clone()))).await;
    assert_eq!(refused(late).await, (409, "HSMC1005".to_owned()));
    let shown = stage.ask("POST", "/v1/mirror/clear", &token, Some(json!({}))).await;
    let done = stage.ask("POST", "/v1/mirror/clear", &token, Some(clear(shown["confirm"].clone()))).await;
    assert_eq!(done["cleared"], true);
    let again =
        stage.send("POST", "/v1/mirror/clear", Some(&token), Some(clear(shown["confirm"].clone()))).await;
    assert_eq!(refused(again).await, (404, "HSMC1009".to_owned()));
    // Everything comes again, segments too.
    let pulled = stage.app.pull(contacts(), &|_| ()).await.unwrap();
    assert_eq!((pulled.lost, pulled.pulls[0].new), (None, shown["records"]["contacts"].as_u64().unwrap()));
    let segments = stage.ask("GET", "/v1/segments", &token, None).await;
    assert!(segments["segments"][0]["size"].as_u64().unwrap() > 10, "{segments}");
}

/// Asks again until it is so.
async fn until(stage: &Stage, token: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..6_000 {
        let answer = stage.ask("GET", path, token, None).await;
        if is_so(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} never was so");
}

#[tokio::test]
async fn a_daemon_pulls_on_schedule_and_brings_segments_up_to_date_behind_it() {
    let stage = Stage::with(&format!("{LINES}\n[pull]\nevery = \"1m\"")).await;
    let token = stage.token(TokenScope::Read, None).await;
    let pulling = tokio::spawn(pulling::keep_pulling(Arc::clone(&stage.app)));
    let of_contacts = |wanted: usize| {
        move |pulls: &Value| {
            let all = pulls.as_array().unwrap();
            all.iter().filter(|pull| pull["engine"] == "contacts" && pull["state"] == "done").count()
                >= wanted
        }
    };
    until(&stage, &token, "/v1/pulls", of_contacts(1)).await;
    until(&stage, &token, "/v1/pulls", of_contacts(2)).await;
    pulling.abort();
    let pulls = stage.ask("GET", "/v1/pulls?engine=contacts", &token, None).await;
    let started = |at: usize| pulls[at]["started"].as_i64().unwrap();
    assert!(started(0) - started(1) >= 60_000, "{pulls}");
    let caught_up = stage.app.mirror().await.unwrap();
    assert!(!hsmc::people::Roll::over(&caught_up).unwrap().sizes().unwrap().is_empty());
}

#[tokio::test]
async fn as_time_passes_people_turn_cold_without_a_pull_or_a_question() {
    let lines = "requests_per_minute = 100000\n[segments.cold]\nwhere = 'lastmodifieddate not within 90d'";
    let stage = Stage::with(lines).await;
    stage.app.pull(contacts(), &|_| ()).await.unwrap();
    let mirror = stage.app.mirror().await.unwrap();
    let size = || hsmc::people::Roll::over(&mirror).unwrap().sizes().unwrap()[0].size;
    let before = size();
    let turning = tokio::spawn(pulling::keep_turning(Arc::clone(&stage.app)));
    stage.clock.jump(Duration::from_secs(400 * 24 * 3600));
    for _ in 0..6_000 {
        if size() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    turning.abort();
    assert_eq!(size(), mirror.totals(&"contacts".parse().unwrap()).unwrap().live, "{before} before");
}
