//! Paths with their description: both come from the types that a handler takes and gives, so that neither can say
//! what the other does not.
//!
//! A handler takes what stood in the path, the query and the body, and gives a view or a problem. What is asked is
//! done even when whoever asked hangs up: a run must not break off between two records.

use super::Api;
use super::body;
use super::description::{Entry, Given, Paths};
use super::guard::{Caller, RequestId};
use super::problem::Problem;
use crate::domain::code::Code;
use crate::domain::token::TokenScope;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use axum::{Json, RequestPartsExt, Router};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

/// Nothing in the path, the query or the body.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A request that was let in and understood.
pub(super) struct Ask<P = Nothing, Q = Nothing, B = Nothing> {
    pub(super) api: Arc<Api>,
    /// Who asks; none where no token is needed.
    pub(super) caller: Option<Caller>,
    pub(super) path: P,
    pub(super) query: Q,
    pub(super) body: B,
}

/// How a path is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It shows.
    Get,
    /// It shows, and what it asks for does not belong in an address; or it does something at once.
    Post,
    /// It begins something that goes on; the answer says where to follow it.
    Begin,
}

impl How {
    pub(super) fn method(self) -> &'static str {
        match self {
            How::Get => "get",
            How::Post | How::Begin => "post",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            How::Get => MethodFilter::GET,
            How::Post | How::Begin => MethodFilter::POST,
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            How::Get | How::Post => StatusCode::OK,
            How::Begin => StatusCode::ACCEPTED,
        }
    }
}

/// What a path is called, and who may ask it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) how: How,
    pub(super) path: &'static str,
    /// None: anybody may.
    pub(super) scope: Option<TokenScope>,
    /// One word: under what it is listed.
    pub(super) group: &'static str,
    /// Its name in a client that is made from the description.
    pub(super) operation: &'static str,
    /// In one sentence.
    pub(super) summary: &'static str,
}

impl Name {
    /// Of a path that changes nothing: whoever may read may ask it.
    pub(super) fn read(
        how: How,
        path: &'static str,
        group: &'static str,
        operation: &'static str,
        summary: &'static str,
    ) -> Name {
        Name { how, path, scope: Some(TokenScope::Read), group, operation, summary }
    }
}

/// All paths.
#[derive(Default)]
pub(super) struct Routes {
    paths: Paths,
    router: Router<Arc<Api>>,
}

fn is_nothing<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<Nothing>()
}

impl Routes {
    /// A path that takes and gives JSON.
    pub(super) fn add<P, Q, B, A, F, Done>(&mut self, name: Name, handler: F)
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        B: DeserializeOwned + JsonSchema + Send + 'static,
        A: Serialize + JsonSchema + Send + 'static,
        F: Fn(Ask<P, Q, B>) -> Done + Clone + Send + Sync + 'static,
        Done: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        self.paths.add::<P, Q>(
            name,
            Entry { body: (!is_nothing::<B>()).then(Given::json::<B>), answer: Given::json::<A>() },
        );
        let status = name.how.status();
        let answer = move |State(api): State<Arc<Api>>, request: Request| async move {
            let done = asked(Arc::clone(&api), name, request, is_nothing::<B>(), move |ask| async move {
                let answer = handler(ask).await?;
                let mut response = (status, Json(&answer)).into_response();
                if status == StatusCode::ACCEPTED {
                    let value = serde_json::to_value(&answer).unwrap_or_default();
                    let number = value.get("id").and_then(serde_json::Value::as_u64);
                    let place = number.map(|number| format!("/v1/operations/{number}"));
                    if let Some(Ok(place)) = place.map(|place| HeaderValue::from_str(&place)) {
                        response.headers_mut().insert(header::LOCATION, place);
                    }
                }
                Ok(response)
            });
            done.await.unwrap_or_else(IntoResponse::into_response)
        };
        self.mount(name.path, on(name.how.filter(), answer));
    }

    /// A path that makes the response itself, as it is described.
    pub(super) fn add_raw<P, B, F, Done>(&mut self, name: Name, answer: Given, handler: F)
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        B: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(Ask<P, Nothing, B>) -> Done + Clone + Send + Sync + 'static,
        Done: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let body = (!is_nothing::<B>()).then(Given::json::<B>);
        self.paths.add::<P, Nothing>(name, Entry { body, answer });
        let answer = move |State(api): State<Arc<Api>>, request: Request| async move {
            let done = asked::<P, Nothing, B, _, _>(api, name, request, is_nothing::<B>(), handler);
            done.await.unwrap_or_else(IntoResponse::into_response)
        };
        self.mount(name.path, on(name.how.filter(), answer));
    }

    /// A path that belongs to the page and not to the API: it is not described.
    pub(super) fn add_page(&mut self, path: &'static str, page: fn() -> Response) {
        self.mount(path, get(move || async move { page() }));
    }

    fn mount(&mut self, path: &'static str, method: MethodRouter<Arc<Api>>) {
        self.router = std::mem::take(&mut self.router).route(path, method);
    }

    /// As OpenAPI 3.1.
    pub(super) fn description(&self) -> String {
        self.paths.document()
    }

    pub(super) fn router(self) -> Router<Arc<Api>> {
        self.router
    }
}

/// A body has so long to come, as the headers before it.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// Lets a request in, reads it, and does what it asks.
async fn asked<P, Q, B, F, Done>(
    api: Arc<Api>,
    name: Name,
    request: Request,
    without_body: bool,
    handler: F,
) -> Result<Response, Problem>
where
    P: DeserializeOwned + Send + 'static,
    Q: DeserializeOwned + Send + 'static,
    B: DeserializeOwned + Send + 'static,
    F: FnOnce(Ask<P, Q, B>) -> Done + Send + 'static,
    Done: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let mut caller = None;
    if let Some(scope) = name.scope {
        caller = Some(api.admit(&parts.headers, scope)?);
    }
    let Path(path) = parts.extract::<Path<P>>().await.map_err(|why| {
        Problem::malformed(StatusCode::BAD_REQUEST, format!("the path: {}", why.body_text()))
    })?;
    let Query(query) = parts.extract::<Query<Q>>().await.map_err(|why| {
        Problem::malformed(StatusCode::BAD_REQUEST, format!("the query: {}", why.body_text()))
    })?;
    let limit = api.settings.body_limit;
    let whole = axum::body::to_bytes(body, limit);
    let within = BODY_WITHIN.min(api.settings.answer_within);
    let bytes = tokio::time::timeout(within, whole)
        .await
        .map_err(|_| {
            let detail = format!("the body has not come within {} s", within.as_secs());
            Problem::malformed(StatusCode::REQUEST_TIMEOUT, detail)
        })?
        .map_err(|_| {
            let detail = format!("the body has more than {limit} bytes");
            Problem::malformed(StatusCode::PAYLOAD_TOO_LARGE, detail)
        })?;
    // Only now: whoever sends half a body takes nobody's place.
    let place = api.guard.enter()?;
    let body: &[u8] = if without_body {
        b"{}"
    } else {
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "the body must be application/json";
            return Err(Problem::malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        &bytes
    };
    let body: B = body::read(body)
        .map_err(|why| Problem::malformed(StatusCode::BAD_REQUEST, format!("the body: {why}")))?;
    if name.how != How::Get && name.scope > Some(TokenScope::Read) {
        let Caller(token) = caller.unwrap_or(Caller(crate::domain::token::TokenId([0; 8])));
        let id = parts.extensions.get::<RequestId>().map(|id| id.0.as_str()).unwrap_or_default();
        tracing::info!(%token, request = id, operation = name.operation, "asked over HTTP");
    }
    let within = api.settings.answer_within;
    let work = tokio::spawn(async move {
        let _place = place;
        handler(Ask { api, caller, path, query, body }).await
    });
    match tokio::time::timeout(within, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(problem)) => {
            tracing::error!(%problem, operation = name.operation, "an answer broke off");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Inside, "the answer broke off"))
        }
        Err(_) => {
            let detail = "there is no answer yet; what was asked for goes on";
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, Code::AnswerTakesLong, detail))
        }
    }
}
