//! What happens when there is no good answer: every write is then in doubt or certainly not done, it
//! is never sent again, and the gate hears of it.

use crate::hubspot::portal;
use crate::mailchimp::audience;
use crate::server::{ClosedGate, Play, Server, email, json, text};
use hsmc::connect::{Http, HttpSettings, HubSpotClient, HubSpotSettings, OpenGate};
use hsmc::domain::failure::{CallFailure, FailureClass, Service};
use hsmc::domain::id::{ListId, RecordId};
use hsmc::domain::port::{AudienceAccount, CrmAccount, Gate, Observed, Priority};
use serde_json::json as j;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const P: Priority = Priority::HandOver;

async fn of_a_write(play: Play) -> (CallFailure, Observed, usize) {
    let p = portal(vec![play]).await;
    let failure = p.client.list_add(P, ListId(946), &[RecordId(1)]).await.unwrap_err();
    (failure, p.gate.last(), p.server.asked().len())
}

async fn of_a_read(play: Play) -> (CallFailure, Observed, usize) {
    let p = portal(vec![play]).await;
    let failure = p.client.contacts(P, &[RecordId(1)]).await.unwrap_err();
    (failure, p.gate.last(), p.server.asked().len())
}

fn with(status: u16, header: (&'static str, &str)) -> Play {
    Play::Answer(status, vec![(header.0, header.1.to_owned())], Vec::new())
}

#[tokio::test]
async fn a_lost_answer_leaves_a_write_in_doubt_and_a_read_to_be_repeated_by_others() {
    for play in [|| Play::Drop, || Play::Cut(200)] {
        let (failure, seen, sent) = of_a_write(play()).await;
        assert_eq!((failure.class, failure.status, sent), (FailureClass::InDoubt, None, 1));
        assert_eq!(seen, Observed::default());
        let (failure, _, sent) = of_a_read(play()).await;
        assert_eq!((failure.class, sent), (FailureClass::Transient, 1));
    }
}

#[tokio::test]
async fn a_refusal_whose_body_breaks_off_is_still_that_refusal() {
    let (failure, _, _) = of_a_write(Play::Cut(401)).await;
    assert_eq!(failure.class, FailureClass::Unauthorized);
}

#[tokio::test]
async fn gateways_that_fail_leave_a_write_in_doubt() {
    for status in [500, 502, 503, 504, 524] {
        let (failure, seen, sent) = of_a_write(text(status, "<html>Bad gateway</html>")).await;
        assert_eq!((failure.class, sent), (FailureClass::InDoubt, 1));
        assert_eq!((seen.status, seen.limited), (Some(status), false));
        assert!(failure.message.contains("HTML"), "{}", failure.message);
        assert_eq!(of_a_read(text(status, "<html>")).await.0.class, FailureClass::Transient);
    }
}

#[tokio::test]
async fn a_rate_limit_is_told_to_the_gate_with_and_without_a_wait() {
    let (failure, seen, sent) = of_a_write(with(429, ("Retry-After", "7"))).await;
    let seven = Some(Duration::from_secs(7));
    assert_eq!((failure.class, sent), (FailureClass::RateLimited { retry_after: seven }, 1));
    assert_eq!((seen.limited, seen.retry_after), (true, seven));

    let (_, seen, _) = of_a_write(json(429, j!({"policyName": "TEN_SECONDLY_ROLLING"}))).await;
    assert_eq!((seen.limited, seen.retry_after), (true, Some(Duration::from_secs(10))));

    let (_, seen, _) = of_a_write(json(429, j!({"policyName": "DAILY"}))).await;
    assert_eq!((seen.limited, seen.daily_remaining), (true, Some(0)));

    let dates = vec![
        ("Date", "Mon, 23 Nov 2026 14:00:00 GMT".to_owned()),
        ("Retry-After", "Mon, 23 Nov 2026 14:00:09 GMT".to_owned()),
    ];
    let (_, seen, _) = of_a_write(Play::Answer(429, dates, Vec::new())).await;
    assert_eq!(seen.retry_after, Some(Duration::from_secs(9)));

    let a = audience(vec![text(429, ""), text(403, "<html>")]).await;
    for _ in 0..2 {
        let failure = a.client.account(P).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::RateLimited { retry_after: None });
        assert!(a.gate.last().limited && !a.gate.last().unauthorized);
    }
}

#[tokio::test]
async fn rate_headers_and_refused_credentials_reach_the_gate() {
    let headers = vec![
        ("X-HubSpot-RateLimit-Daily-Remaining", "249000".to_owned()),
        ("X-HubSpot-RateLimit-Interval-Milliseconds", "10000".to_owned()),
        ("X-HubSpot-RateLimit-Max", "100".to_owned()),
        ("X-HubSpot-RateLimit-Remaining", "41".to_owned()),
    ];
    let p = portal(vec![Play::Answer(200, headers, br#"{"results":[]}"#.to_vec()), text(401, "")]).await;
    p.client.properties(P).await.unwrap();
    let seen = p.gate.last();
    assert_eq!((seen.daily_remaining, seen.window_ms), (Some(249_000), Some(10_000)));
    assert_eq!((seen.window_max, seen.window_remaining, seen.limited), (Some(100), Some(41), false));
    p.client.properties(P).await.unwrap_err();
    assert!(p.gate.last().unauthorized);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (failure, _, sent) = of_a_write(with(302, ("Location", "/base/elsewhere"))).await;
    assert_eq!((failure.class, sent), (FailureClass::Misconfigured, 1));
}

fn client(base_url: Url, token: &str, settings: &HttpSettings) -> HubSpotClient {
    behind(Arc::new(OpenGate(Service::HubSpot)), base_url, token, settings)
}

fn behind(gate: Arc<dyn Gate>, base_url: Url, token: &str, settings: &HttpSettings) -> HubSpotClient {
    HubSpotClient::new(
        HubSpotSettings {
            base_url,
            token: token.to_owned().into(),
            api_version: "v3".to_owned(),
            properties: Vec::new(),
            opt_out_scopes: Vec::new(),
            list_write_limit: 1_000,
        },
        gate,
        Http::new(settings).unwrap(),
    )
}

#[tokio::test]
async fn what_never_left_was_not_done() {
    // A port that was free a moment ago, and nobody listens on.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let client = client(url, "token", &HttpSettings::default());
    let failure = client.list_add(P, ListId(1), &[RecordId(1)]).await.unwrap_err();
    assert_eq!((failure.class, failure.status), (FailureClass::Transient, None));
    assert!(failure.message.contains("not sent"), "{}", failure.message);
}

#[tokio::test]
async fn a_write_without_an_answer_in_time_is_in_doubt() {
    let server = Server::start(vec![Play::Silence]).await;
    let settings = HttpSettings { timeout: Duration::from_millis(200), ..HttpSettings::default() };
    let failure = client(server.url.clone(), "token", &settings)
        .create_contact(P, &email("ann@example.com"))
        .await
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_read() {
    let server = Server::start(vec![text(200, &"x".repeat(5_000))]).await;
    let settings = HttpSettings { body_limit: 1_000, ..HttpSettings::default() };
    let failure = client(server.url.clone(), "token", &settings).properties(P).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("larger"), "{}", failure.message);
}

#[tokio::test]
async fn a_token_no_header_takes_is_a_matter_of_configuration() {
    let server = Server::start(Vec::new()).await;
    let client = client(server.url.clone(), "to\nken", &HttpSettings::default());
    let failure = client.properties(P).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Misconfigured);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_past_a_closed_gate() {
    let server = Server::start(Vec::new()).await;
    let client = behind(Arc::new(ClosedGate), server.url.clone(), "token", &HttpSettings::default());
    let failure = client.list_add(P, ListId(1), &[RecordId(1)]).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unauthorized);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn older_versions_are_asked_at_their_own_places() {
    let server = Server::start(vec![json(200, j!({"results": []}))]).await;
    client(server.url.clone(), "token", &HttpSettings::default()).properties(P).await.unwrap();
    assert_eq!(server.last().line(), "GET /base/crm/v3/properties/contacts");
}

#[tokio::test]
async fn no_failure_repeats_an_address_a_hash_or_a_token() {
    let ann = email("ann.lee@example.com");
    let said = format!("ann.lee@example.com ({}) with pat-eu1-0123456789 may not", ann.hash().hex());
    let a = audience(vec![json(400, j!({"title": "Invalid Resource", "detail": said})), Play::Drop]).await;
    for _ in 0..2 {
        let failure = a.client.rename(P, ann.hash(), &ann).await.unwrap_err();
        let printed = format!("{failure} {failure:?}");
        for secret in ["ann.lee", &ann.hash().hex(), "0123456789", "example.com"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
