//! Who is let in, and how far.

use crate::support::{Stage, refused};
use hsmc::domain::token::TokenScope;
use hsmc::serve::tokens::{TokenAnswer, TokenRequest};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

/// The head and the body of a request often arrive apart. Whoever was refused by the head alone may go on using the
/// connection, or is told that it closes.
#[tokio::test]
async fn a_refusal_before_the_body_came_leaves_a_connection_that_can_be_used_or_says_that_it_closes() {
    let stage = Stage::with("body_limit_kb = 1\nrequests_per_minute = 6").await;
    let (read, eager) =
        (stage.token(TokenScope::Read, None).await, stage.token(TokenScope::Read, None).await);
    let mut asked = 0;
    while stage.send("GET", "/v1/lists", Some(&eager), None).await.status() != 429 {
        asked += 1;
        assert!(asked < 40, "it was never too much");
    }
    for (method, path, token, size, status) in [
        ("POST", "/v1/why", eager.as_str(), 12, 429),
        ("POST", "/v1/people", "nothing", 12, 401),
        ("POST", "/v1/pauses/hold", read.as_str(), 12, 403),
        ("POST", "/v1/nothing", read.as_str(), 12, 404),
        ("DELETE", "/v1/status", read.as_str(), 12, 405),
        ("POST", "/v1/why", read.as_str(), 100_000, 413),
    ] {
        let mut stream = TcpStream::connect(stage.base.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {size}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Where the connection closes, nobody has to take the rest.
        drop(stream.write_all(&vec![b' '; size]).await);
        let (told, closes) = answer(&mut stream).await;
        assert_eq!(told, status, "{method} {path}");
        if status == 413 {
            assert!(closes, "more than the limit is not read to its end");
            continue;
        }
        assert!(!closes, "{method} {path}: the body came in time");
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert_eq!(answer(&mut stream).await, (200, false), "after {method} {path}");
    }
    // A body that does not come is not waited for.
    for expects in ["", "expect: 100-continue\r\n"] {
        let mut stream = TcpStream::connect(stage.base.trim_start_matches("http://")).await.unwrap();
        let head = format!("POST /v1/people HTTP/1.1\r\nhost: a\r\n{expects}content-length: 12\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await, (401, true), "{expects}");
    }
}

#[tokio::test]
async fn half_a_body_takes_nobodys_place_and_is_not_waited_for_for_ever() {
    let stage = Stage::with("concurrency = 1\nanswer_within = \"2s\"").await;
    let token = stage.token(TokenScope::Read, None).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(stage.base.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST /v1/people HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    assert_eq!(stage.send("GET", "/v1/lists", Some(&token), None).await.status(), 200);
    assert_eq!(stage.send("GET", "/health", None, None).await.status(), 200);
    for mut stream in streams {
        assert_eq!(answer(&mut stream).await, (408, true));
    }
}

/// Status of the next answer on a connection, and whether it says that the connection closes.
async fn answer(stream: &mut TcpStream) -> (u16, bool) {
    let mut bytes = Vec::new();
    let head = loop {
        let mut more = [0; 4_096];
        let read = stream.read(&mut more).await.unwrap();
        assert!(read > 0, "closed without an answer");
        bytes.extend_from_slice(&more[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8(bytes.drain(..end + 4).collect()).unwrap().to_lowercase();
        }
    };
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut rest = vec![0; line.parse::<usize>().unwrap() - bytes.len()];
    stream.read_exact(&mut rest).await.unwrap();
    (head[9..12].parse().unwrap(), head.contains("connection: close"))
}

#[tokio::test]
async fn the_description_describes_itself_as_what_it_is() {
    let stage = Stage::new().await;
    let description: serde_json::Value =
        stage.send("GET", "/openapi.json", None, None).await.json().await.unwrap();
    let own = &description["paths"]["/openapi.json"]["get"]["responses"]["200"]["content"];
    assert_eq!(own["application/json"]["schema"]["type"], "object");
}
