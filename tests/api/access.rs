//! Who is let in, and how far.

use crate::support::{Stage, refused};
use hsmc::domain::token::TokenScope;
use hsmc::serve::tokens::{TokenAnswer, TokenRequest};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn nothing_but_health_and_the_description_is_answered_without_a_good_token() {
    let stage = Stage::new().await;
    let description: serde_json::Value =
        stage.send("GET", "/openapi.json", None, None).await.json().await.unwrap();
    let mut guarded = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path.replace("{run}", "1").replace("{move}", "1.1").replace("{person}", "1");
        let path = path.replace("{operation}", "1").replace("{code}", "HSMC1001").replace("{segment}", "a");
        for (method, operation) in methods.as_object().unwrap() {
            let response = stage.send(&method.to_uppercase(), &path, None, Some(json!({}))).await;
            if operation["security"].as_array().unwrap().is_empty() {
                assert!(response.status().is_success(), "{method} {path}");
                continue;
            }
            guarded += 1;
            assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"hsmc\"");
            assert_eq!(refused(response).await, (401, "HSMC1202".to_owned()), "{method} {path}");
        }
    }
    assert!(guarded > 15, "only {guarded} paths were tried");
    let forged = format!("hsmc_{}_{}", "0".repeat(16), "0".repeat(64));
    for token in ["hsmc", "", &forged] {
        let response = stage.send("GET", "/v1/status", Some(token), None).await;
        assert_eq!(refused(response).await, (401, "HSMC1202".to_owned()), "{token}");
    }
}

#[tokio::test]
async fn a_token_reaches_as_far_as_its_scope_until_it_expires_or_is_revoked() {
    let stage = Stage::new().await;
    let read = stage.token(TokenScope::Read, Some(Duration::from_secs(3600))).await;
    let operate = stage.token(TokenScope::Operate, None).await;
    stage.ask("GET", "/v1/status", &read, None).await;
    let all = Some(json!("everything"));
    let response = stage.send("POST", "/v1/pauses/hold", Some(&read), all.clone()).await;
    assert_eq!(refused(response).await, (403, "HSMC1203".to_owned()));
    stage.ask("POST", "/v1/pauses/hold", &operate, all).await;
    assert_eq!(stage.ask("GET", "/v1/status", &operate, None).await["pauses"], json!(["everything"]));

    stage.clock.jump(Duration::from_secs(3600));
    let response = stage.send("GET", "/v1/status", Some(&read), None).await;
    assert_eq!(refused(response).await, (401, "HSMC1202".to_owned()));

    let TokenAnswer::Tokens(tokens) = stage.app.tokens(TokenRequest::List).await.unwrap() else { panic!() };
    assert_eq!(tokens.iter().map(|token| token.is_good).collect::<Vec<_>>(), [false, true]);
    let id = tokens[1].id.parse().unwrap();
    stage.app.tokens(TokenRequest::Revoke(id)).await.unwrap();
    let response = stage.send("GET", "/v1/status", Some(&operate), None).await;
    assert_eq!(refused(response).await, (401, "HSMC1202".to_owned()));
}

#[tokio::test]
async fn no_secret_of_a_token_is_written_to_the_disk() {
    let stage = Stage::new().await;
    let token = stage.token(TokenScope::Admin, None).await;
    let secret = token.rsplit('_').next().unwrap().to_owned();
    stage.ask("GET", "/v1/status", &token, None).await;
    let bytes = stage.bytes_on_disk();
    let raw = hex::decode(&secret).unwrap();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    // What is kept of it is there.
    assert!(holds(b"token "));
    assert!(!holds(secret.as_bytes()) && !holds(&raw));
}

#[tokio::test]
async fn whoever_asks_too_much_is_told_when_to_come_again_and_others_are_not_held_up() {
    let stage = Stage::with("requests_per_minute = 60").await;
    let (eager, other) =
        (stage.token(TokenScope::Read, None).await, stage.token(TokenScope::Read, None).await);
    let mut last = None;
    for _ in 0..40 {
        let response = stage.send("GET", "/v1/lists", Some(&eager), None).await;
        if response.status() == 429 {
            last = Some(response);
            break;
        }
    }
    let response = last.expect("it was never too much");
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(refused(response).await, (429, "HSMC1204".to_owned()));
    stage.ask("GET", "/v1/lists", &other, None).await;
    stage.clock.jump(Duration::from_secs(wait));
    stage.ask("GET", "/v1/lists", &eager, None).await;
}

#[tokio::test]
async fn what_is_not_asked_for_in_the_right_way_is_refused_with_a_code() {
    let stage = Stage::with("body_limit_kb = 1\nrequests_per_minute = 100000").await;
    let token = stage.token(TokenScope::Admin, None).await;
    let large = json!({ "address": "a".repeat(2_000) });
    let unknown = json!({ "address": "nobody@example.com", "more": 1 });
    for (method, path, body, status, code) in [
        ("GET", "/v1/nothing", None, 404, "HSMC1206"),
        ("DELETE", "/v1/status", None, 405, "HSMC1206"),
        ("GET", "/v1/runs/twelve", None, 400, "HSMC1205"),
        ("GET", "/v1/runs?limit=0", None, 400, "HSMC1205"),
        ("GET", "/v1/runs/7", None, 404, "HSMC1003"),
        ("GET", "/v1/runs/18446744073709551615", None, 404, "HSMC1003"),
        ("GET", "/v1/runs/18446744073709551616", None, 400, "HSMC1205"),
        ("POST", "/v1/runs/18446744073709551615/reject", None, 404, "HSMC1003"),
        ("GET", "/v1/operations/18446744073709551615", None, 404, "HSMC1003"),
        ("GET", "/v1/people/18446744073709551615/why", None, 404, "HSMC1004"),
        ("GET", "/v1/moves/999999999999999999.999999999", None, 404, "HSMC1003"),
        ("POST", "/v1/moves/1.9999999999/retry", None, 400, "HSMC1205"),
        ("GET", "/v1/moves/7.7", None, 404, "HSMC1003"),
        ("GET", "/v1/people/7/why", None, 404, "HSMC1004"),
        ("POST", "/v1/why", None, 415, "HSMC1205"),
        ("POST", "/v1/why", Some(json!({ "address": "nobody" })), 422, "HSMC1002"),
        ("POST", "/v1/why", Some(json!({ "address": "nobody@example.com" })), 404, "HSMC1004"),
        ("POST", "/v1/why", Some(unknown), 400, "HSMC1205"),
        ("POST", "/v1/why", Some(large), 413, "HSMC1205"),
        ("POST", "/v1/moves/of", Some(json!({ "address": "" })), 422, "HSMC1002"),
        ("POST", "/v1/pauses/hold", Some(json!({ "person": "nobody" })), 422, "HSMC1002"),
        ("POST", "/v1/pauses/hold", Some(json!({ "person": "nobody@example.com" })), 404, "HSMC1004"),
    ] {
        let response = stage.send(method, path, Some(&token), body).await;
        if status == 405 {
            assert!(response.headers()["allow"].to_str().unwrap().contains("GET"));
        }
        assert_eq!(refused(response).await, (status, code.to_owned()), "{method} {path}");
    }
}

#[tokio::test]
async fn every_answer_is_kept_from_caches_frames_and_other_origins_and_carries_a_request_id() {
    let stage = Stage::new().await;
    for path in ["/", "/page.js", "/page.css", "/health", "/openapi.json", "/v1/status", "/nothing"] {
        let request =
            stage.client().get(format!("{}{path}", stage.base)).header("origin", "https://example.com");
        let response = request.send().await.unwrap();
        let headers = response.headers();
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
        assert_eq!(headers["x-request-id"].len(), 16, "{path}");
    }
    let request =
        stage.client().get(format!("{}/health", stage.base)).header("x-request-id", "from-outside-7");
    assert_eq!(request.send().await.unwrap().headers()["x-request-id"], "from-outside-7");
    let page = stage.send("GET", "/", None, None).await.text().await.unwrap();
    assert!(!page.contains("//"), "the page needs no other server");
}
