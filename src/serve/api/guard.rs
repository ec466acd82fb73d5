//! What stands before every path: a request id, the token and its scope, the limits, and headers that keep browsers
//! from doing anything with an answer but show it.
//!
//! Never: a path with what was filled into it, a query, a body or a token in a log.

use super::Api;
use super::bucket::Buckets;
use super::problem::Problem;
use super::unread;
use crate::domain::code::Code;
use crate::domain::token::{NotTaken, Presented, TokenId, TokenScope, admit};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

/// Requests without a good token, of everybody together, in a minute.
const REFUSED_PER_MINUTE: u32 = 600;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The limits of one server.
pub(super) struct Guard {
    requests: Mutex<Buckets<TokenId>>,
    refused: Mutex<Buckets<()>>,
    at_once: Arc<Semaphore>,
}

/// A request's id.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// A place among the requests that are answered at once.
pub(super) type Place = OwnedSemaphorePermit;

/// The token that a request came with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub(super) TokenId);

impl Guard {
    pub(super) fn new(requests_per_minute: u32, concurrency: usize) -> Guard {
        Guard {
            requests: Mutex::new(Buckets::new(requests_per_minute)),
            refused: Mutex::new(Buckets::new(REFUSED_PER_MINUTE)),
            at_once: Arc::new(Semaphore::new(concurrency)),
        }
    }

    /// Takes a place, until it is dropped.
    pub(super) fn enter(&self) -> Result<Place, Problem> {
        Arc::clone(&self.at_once).try_acquire_owned().map_err(|_| {
            let detail = "as many requests as may be are being answered";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::TooManyRequests, detail).retry_after(1)
        })
    }
}

impl Api {
    /// Lets a request in whose token reaches as far as it must.
    pub(super) fn admit(&self, headers: &HeaderMap, needs: TokenScope) -> Result<Caller, Problem> {
        let now = self.owner.now();
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = text.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let refused = |why: &str| {
            let mut buckets = self.guard.refused.lock().unwrap_or_else(PoisonError::into_inner);
            match buckets.take((), now) {
                Ok(()) => Problem::new(StatusCode::UNAUTHORIZED, Code::TokenNotTaken, why),
                Err(seconds) => too_many(seconds),
            }
        };
        let Some(bearer) = bearer else {
            return Err(refused("the header `Authorization: Bearer …` is missing"));
        };
        let Some(presented) = Presented::read(bearer) else {
            return Err(refused("this is no token of hsmc"));
        };
        let kept = self.owner.token(presented.id).map_err(|trouble| Problem::of(&trouble))?;
        let scope = admit(&presented, kept.as_ref(), now).map_err(|why| {
            refused(match why {
                NotTaken::Unknown => "this hsmc knows no such token",
                NotTaken::Expired => "the token has expired",
                NotTaken::Revoked => "the token was revoked",
            })
        })?;
        let mut requests = self.guard.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.take(presented.id, now).map_err(too_many)?;
        if scope < needs {
            let detail = format!("the token's scope is {}, and this takes {}", scope.word(), needs.word());
            return Err(Problem::new(StatusCode::FORBIDDEN, Code::ScopeTooNarrow, detail));
        }
        Ok(Caller(presented.id))
    }
}

impl Api {
    /// Whether an answer that takes its time may go on: the token it was asked with is good still.
    pub(super) fn may_go_on(&self, caller: Option<Caller>) -> bool {
        let Some(Caller(id)) = caller else { return true };
        let kept = self.owner.token(id).ok().flatten();
        kept.is_some_and(|token| token.is_good(self.owner.now()).is_ok())
    }
}

fn too_many(seconds: u64) -> Problem {
    let detail = format!("more requests than the config lets through; try again in {seconds} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, detail).retry_after(seconds)
}

/// Puts what holds for every answer around a router.
pub(super) fn around(router: Router<Arc<Api>>, api: &Arc<Api>) -> Router<Arc<Api>> {
    router
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, Code::NoSuchPath, "there is no such path") })
        .method_not_allowed_fallback(|| async {
            let detail = "this path does not know this method; the header `Allow` names those it knows";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, Code::NoSuchPath, detail)
        })
        .layer(from_fn_with_state(Arc::clone(api), every))
}

/// A client's own id, where it is short and plain; else a new one.
fn request_id(api: &Api, headers: &HeaderMap) -> RequestId {
    let own = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    });
    let new = || hex::encode(api.owner.unguessable().first_chunk::<8>().unwrap_or(&[0; 8]));
    RequestId(own.map_or_else(new, str::to_owned))
}

async fn every(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let began = api.owner.now();
    let id = request_id(&api, request.headers());
    let (head, body) = request.into_parts();
    let (body, left) = unread::watched(body);
    let (asked, mut request) = (head.headers.clone(), Request::from_parts(head, body));
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!(
        target: "hsmc::spans", "request", otel.kind = "server", %method,
        path = path.as_deref().unwrap_or("(none)"), status = tracing::field::Empty
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(Told(problem)) = response.extensions_mut().remove::<Told>() {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = Problem { request_id: Some(id.0.clone()), ..problem }.into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if !unread::is_over(&asked, &left, api.settings.body_limit).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    secure(&mut response, api.settings.tls.is_some());
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    let elapsed_ms = u64::try_from(api.owner.now().since(began).as_millis()).unwrap_or(u64::MAX);
    api.answers.count(response.status().as_u16());
    span.record("status", response.status().as_u16());
    let (status, path) = (response.status().as_u16(), path.as_deref().unwrap_or("(none)"));
    tracing::debug!(request = %id.0, %method, path, status, elapsed_ms, "answered");
    response
}

/// A problem on its way out, still without the request's id.
#[derive(Clone)]
pub(super) struct Told(pub(super) Problem);

/// Headers of every answer. A path that knows better has set its own.
fn secure(response: &mut Response, is_encrypted: bool) {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if is_encrypted {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
