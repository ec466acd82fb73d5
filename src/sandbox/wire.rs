//! What goes over the wire, as values: a request in, an answer out, and how the answer travels.
//! Nothing here opens a socket.

use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// One request as it reaches a service. The path is the service's own (`/crm/lists/…`, `/3.0/lists/…`).
#[derive(Clone, Debug)]
pub struct WireRequest {
    /// Which service it was sent to.
    pub service: Service,
    /// Upper-case method.
    pub method: String,
    /// Path without query, still percent-encoded.
    pub path: String,
    /// Query pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body bytes.
    pub body: Vec<u8>,
}

impl WireRequest {
    /// A request without query, headers or body.
    pub fn new(service: Service, method: &str, path: &str) -> WireRequest {
        WireRequest {
            service,
            method: method.to_uppercase(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The same with one more query pair.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: &str) -> WireRequest {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> WireRequest {
        self.headers.push((name.to_lowercase(), value.to_owned()));
        self
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_bearer(self, token: &str) -> WireRequest {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn with_json(mut self, body: &Value) -> WireRequest {
        self.body = body.to_string().into_bytes();
        self.with_header("content-type", "application/json")
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first query value of that name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a query flag is `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.query(name) == Some("true")
    }

    /// A number from the query, or the default; none when it is no number.
    pub fn number(&self, name: &str, default: usize) -> Option<usize> {
        self.query(name).map_or(Some(default), |text| text.parse().ok())
    }

    /// The body as JSON; none when it is not.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The path's segments, percent-decoded, without empty ones.
    pub fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect()
    }
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body bytes.
    pub body: Vec<u8>,
}

impl WireResponse {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> WireResponse {
        WireResponse {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: serde_json::to_vec(body).unwrap_or_default(),
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> WireResponse {
        WireResponse { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An HTML page, as gateways send it.
    pub fn html(status: u16, page: &str) -> WireResponse {
        WireResponse {
            status,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: page.as_bytes().to_vec(),
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> WireResponse {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another content type.
    #[must_use]
    pub fn with_type(mut self, kind: &str) -> WireResponse {
        self.headers.retain(|(name, _)| name != "content-type");
        self.with_header("content-type", kind)
    }

    /// The body as JSON; `Null` when it is not.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// At once.
    Now,
    /// After this long.
    After(Duration),
    /// Never: the connection is closed without an answer.
    Lost,
}

/// An answer and how it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The answer; what it would have been when it is lost.
    pub response: WireResponse,
    /// How it travels.
    pub delivery: Delivery,
}

/// HubSpot's spelling of a moment: ISO 8601 in UTC with milliseconds.
pub(super) fn iso_millis(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        Err(_) => at.0.to_string(),
    }
}

/// A moment as HTTP's `Date` spells it.
pub(super) fn http_date(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        Err(_) => at.0.to_string(),
    }
}

/// Sets a member of a JSON object; a value that is no object stays as it is.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value.into());
    }
}
