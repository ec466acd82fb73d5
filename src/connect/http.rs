//! One HTTP client for both services and for webhooks: sends a request once, reads a bounded answer, and tells apart
//! what never left from what may have arrived. What carries requests and answers is a [`Transport`]: reqwest, or a
//! simulated network.
//!
//! It never follows a redirect (a redirected POST would turn into a GET and be lost in silence),
//! never sends anything twice, and never puts a URL, which may hold an address, into an error.

use super::classify::CallKind;
use super::scrub::scrub;
use crate::domain::port::Observed;
use crate::domain::time::Timestamp;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The longest wait an answer can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Limits of the client.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// For a whole exchange. Longer than the 120 s after which Mailchimp stops: a call given up
    /// earlier runs on and holds a connection (Mailchimp contract §3).
    pub timeout: Duration,
    /// For the connection alone.
    pub connect_timeout: Duration,
    /// Largest body, decompressed, that is read.
    pub body_limit: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            timeout: Duration::from_secs(130),
            connect_timeout: Duration::from_secs(10),
            body_limit: 64 * 1024 * 1024,
        }
    }
}

/// The HTTP client could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct HttpProblem(String);

/// What a call is allowed by. Never printed.
pub(crate) enum Credential {
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// `Authorization: Basic …` with a user name that does not matter.
    Basic(&'static str, SecretString),
}

/// One request.
pub(crate) struct Request {
    /// What kind of call it is.
    pub(crate) call: CallKind,
    /// Method.
    pub(crate) method: Method,
    /// Where to, with the query.
    pub(crate) url: Url,
    /// JSON body.
    pub(crate) body: Option<Value>,
}

/// An answer, whatever its status. Prints its status only: the body is about people.
#[derive(Clone, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The headers of interest to the account's gate.
    pub seen: Observed,
    /// `X-Request-Id`, for the service's support.
    pub request_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The body, when it is JSON.
    pub json: Option<Value>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Answer {
    /// An answer without headers: one result within a batch, or a test's.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let json = serde_json::from_slice(&body).ok();
        Answer {
            status,
            seen: Observed { status: Some(status), ..Observed::default() },
            request_id: None,
            body,
            json,
        }
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The JSON object of the body, if it is one.
    pub fn object(&self) -> Option<&Value> {
        self.json.as_ref().filter(|value| value.is_object())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The request never left: name, connection or TLS failed.
    NotSent(String),
    /// The request cannot be put on the wire at all: the token has characters no header takes.
    Unsendable,
    /// It left, and no complete answer came back.
    Lost(String),
}

/// How much of an answer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Its body too.
    Whole,
    /// Its status and headers.
    Head,
}

/// A request as it leaves. Never printed: it is about people, and holds a secret.
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Where to, with the query.
    pub url: Url,
    /// The value of `Authorization`.
    pub authorization: Option<SecretString>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Option<String>,
    /// How much of the answer is read.
    pub reading: Reading,
    /// For the whole exchange, where it is shorter than the transport's own.
    pub timeout: Option<Duration>,
}

/// An answer as it arrives.
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; it can break off behind its status.
    pub body: Result<Vec<u8>, Loss>,
    /// When it arrived, by this side's clock.
    pub at: Timestamp,
}

impl Incoming {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.trim())
    }
}

/// What carries a request out and its answer back: once, following nothing and repeating nothing.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// One exchange.
    ///
    /// # Errors
    /// No answer came; the loss says whether the request may have arrived.
    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Loss>;
}

/// The client. Cheap to clone; all accounts share one.
#[derive(Clone)]
pub struct Http {
    transport: Arc<dyn Transport>,
}

impl Http {
    /// Sets the client up, over the network.
    ///
    /// # Errors
    /// TLS cannot be set up on this machine.
    pub fn new(settings: &HttpSettings) -> Result<Http, HttpProblem> {
        crate::tls::set_up();
        let client = reqwest::Client::builder()
            .user_agent(concat!("hsmc/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .gzip(true)
            .build()
            .map_err(|error| HttpProblem(words_of(&error)))?;
        let (body_limit, timeout) = (settings.body_limit, settings.timeout);
        Ok(Http::over(Arc::new(OverNetwork { client, body_limit, timeout })))
    }

    /// The client over another transport.
    pub fn over(transport: Arc<dyn Transport>) -> Http {
        Http { transport }
    }

    /// Sends once and reads the answer.
    pub(crate) async fn send(
        &self,
        request: &Request,
        credential: Option<&Credential>,
    ) -> Result<Answer, Loss> {
        let outgoing = Outgoing {
            method: request.method.clone(),
            url: request.url.clone(),
            authorization: credential.map(Credential::in_words),
            headers: Vec::new(),
            body: request.body.as_ref().map(Value::to_string),
            reading: Reading::Whole,
            timeout: None,
        };
        let incoming = self.transport.exchange(outgoing).await?;
        let (seen, request_id) = read_headers(&incoming);
        let status = incoming.status;
        let body = match incoming.body {
            Ok(body) => body,
            // The status of a refusal says enough without its text; that of a success does not.
            Err(_) if !(200..300).contains(&status) => Vec::new(),
            Err(loss) => return Err(loss),
        };
        let json = serde_json::from_slice(&body).ok();
        Ok(Answer { status, seen, request_id, body, json })
    }

    /// Posts JSON to an address that is a secret in itself, such as a webhook's. Only the status and the
    /// headers of the answer matter; its body is not read.
    pub(crate) async fn post(
        &self,
        url: Url,
        headers: &[(&'static str, String)],
        body: String,
        timeout: Duration,
    ) -> Result<Answer, Loss> {
        let outgoing = Outgoing {
            method: Method::POST,
            url,
            authorization: None,
            headers: headers.to_vec(),
            body: Some(body),
            reading: Reading::Head,
            timeout: Some(timeout),
        };
        let incoming = self.transport.exchange(outgoing).await?;
        let (seen, request_id) = read_headers(&incoming);
        Ok(Answer { status: incoming.status, seen, request_id, body: Vec::new(), json: None })
    }
}

impl Credential {
    /// As the header's value.
    fn in_words(&self) -> SecretString {
        SecretString::from(match self {
            Credential::Bearer(token) => format!("Bearer {}", token.expose_secret()),
            Credential::Basic(user, key) => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", key.expose_secret())))
            }
        })
    }
}

/// The network, by reqwest.
struct OverNetwork {
    client: reqwest::Client,
    body_limit: usize,
    timeout: Duration,
}

#[async_trait]
impl Transport for OverNetwork {
    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Loss> {
        let mut builder = self.client.request(request.method, request.url);
        if let Some(secret) = &request.authorization {
            let mut value = HeaderValue::from_str(secret.expose_secret()).map_err(|_| Loss::Unsendable)?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout.min(self.timeout));
        }
        let response = builder.send().await.map_err(|error| loss(&error))?;
        let status = response.status().as_u16();
        let named = response.headers().iter();
        let text = named
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let headers = text.collect();
        let body = match request.reading {
            Reading::Whole => self.read_body(response).await,
            Reading::Head => Ok(Vec::new()),
        };
        Ok(Incoming { status, headers, body, at: Timestamp(now_ms()) })
    }
}

impl OverNetwork {
    async fn read_body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Loss> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| loss(&error))? {
            if body.len().saturating_add(chunk.len()) > self.body_limit {
                return Err(Loss::Lost(format!("the answer is larger than {} bytes", self.body_limit)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn loss(error: &reqwest::Error) -> Loss {
    if error.is_builder() {
        Loss::Unsendable
    } else if error.is_connect() {
        Loss::NotSent(words_of(error))
    } else if error.is_timeout() {
        Loss::Lost("no answer in time".to_owned())
    } else {
        Loss::Lost(words_of(error))
    }
}

/// The innermost cause: the outer ones only repeat the URL.
fn words_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match std::ptr::addr_eq(cause, error) {
        true => "the exchange broke off".to_owned(),
        false => scrub(&cause.to_string()),
    }
}

/// Wall time, needed only where a service writes `Retry-After` as a date and sends no `Date`.
fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn read_headers(answer: &Incoming) -> (Observed, Option<String>) {
    let number = |name: &str| answer.header(name).and_then(|digits| digits.parse::<u64>().ok());
    let small = |name: &str| number(name).and_then(|n| u32::try_from(n).ok());
    let date = answer.header(DATE.as_str()).and_then(http_date);
    let now = date.unwrap_or(answer.at);
    let seen = Observed {
        status: Some(answer.status),
        window_ms: number("x-hubspot-ratelimit-interval-milliseconds"),
        window_max: small("x-hubspot-ratelimit-max"),
        window_remaining: small("x-hubspot-ratelimit-remaining"),
        daily_remaining: number("x-hubspot-ratelimit-daily-remaining"),
        retry_after: answer.header(RETRY_AFTER.as_str()).and_then(|text| retry_after(text, now)),
        date,
        ..Observed::default()
    };
    (seen, answer.header("x-request-id").map(scrub))
}

/// `Retry-After`: seconds, or an HTTP date, which counts from the answer's own `Date`.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => http_date(text)?.since(now),
    };
    Some(wait.min(LONGEST_WAIT))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(moment.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = http_date("Mon, 23 Nov 2026 14:00:00 GMT").unwrap();
        assert_eq!(retry_after("17", now), Some(Duration::from_secs(17)));
        assert_eq!(retry_after("Mon, 23 Nov 2026 14:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Mon, 23 Nov 2026 13:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
        assert_eq!(retry_after("99999999999999999999", now), None);
        assert_eq!(retry_after("9999999", now), Some(LONGEST_WAIT));
    }

    #[test]
    fn rate_headers_are_each_optional() {
        let headers = [("x-hubspot-ratelimit-remaining", " 41"), ("x-hubspot-ratelimit-max", "many")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let answer = Incoming { status: 200, headers, body: Ok(Vec::new()), at: Timestamp(0) };
        let (seen, _) = read_headers(&answer);
        assert_eq!((seen.window_remaining, seen.window_max, seen.status), (Some(41), None, Some(200)));
    }

    proptest! {
        #[test]
        fn no_retry_after_text_panics(text in "\\PC*", now in any::<i64>()) {
            let wait = retry_after(&text, Timestamp(now));
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST_WAIT));
        }
    }
}
