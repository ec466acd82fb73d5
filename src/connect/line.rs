//! One account's line to its service: gate, credential, base URL and the service's reading of
//! answers, around the shared HTTP client. The only place from which a request leaves.

use super::classify::{CallKind, Classifier, unanswered, unreadable};
use super::http::{Answer, Credential, Http, Method, Request};
use super::hubspot::is_daily;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::port::{Budget, Gate, ItemOutcome, Observed, Priority};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::sync::Arc;
use tracing::Instrument;
use url::Url;

/// What came of one exchange.
pub(crate) type Exchange = Result<Answer, CallFailure>;

/// Everything but the unreserved characters, so that `+` and `@` of an address survive a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// One account's line.
pub(crate) struct Line {
    pub(crate) service: Service,
    pub(crate) http: Http,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) credential: Credential,
    pub(crate) base: Url,
    pub(crate) classify: Classifier,
}

/// A call being put together.
pub(crate) struct Ask {
    request: Request,
    priority: Priority,
    budget: Budget,
}

impl Ask {
    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Ask {
        self.request.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Sets the JSON body.
    pub(crate) fn body(mut self, body: Value) -> Ask {
        self.request.body = Some(body);
        self
    }

    /// Sends no body.
    pub(crate) fn without_body(mut self) -> Ask {
        self.request.body = None;
        self
    }

    /// Charges another budget than the ordinary one.
    pub(crate) fn budget(mut self, budget: Budget) -> Ask {
        self.budget = budget;
        self
    }

    /// What the call is.
    pub(crate) fn call(&self) -> &CallKind {
        &self.request.call
    }
}

impl Line {
    /// A call of this account. `path` begins with `/`, is percent-encoded, and is appended to the
    /// base URL, which may have a path of its own.
    pub(crate) fn ask(&self, priority: Priority, call: CallKind, method: Method, path: &str) -> Ask {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        Ask { request: Request { call, method, url, body: None }, priority, budget: Budget::Ordinary }
    }

    /// Gate, exchange, report. Answers of any status come back as answers.
    pub(crate) async fn exchange(&self, ask: &Ask) -> Exchange {
        let span = tracing::info_span!(
            target: "hsmc::spans", "call", otel.kind = "client", service = %self.service,
            call = %ask.request.call.what, status = tracing::field::Empty
        );
        let exchange = self.exchange_it(ask).instrument(span.clone()).await;
        if let Ok(answer) = &exchange {
            span.record("status", answer.status);
        }
        exchange
    }

    async fn exchange_it(&self, ask: &Ask) -> Exchange {
        let permit = self.gate.admit(ask.priority, ask.budget).await?;
        match self.http.send(&ask.request, Some(&self.credential)).await {
            Ok(answer) => {
                permit.report(self.observed(&ask.request.call, &answer));
                self.log(&ask.request.call, &answer);
                Ok(answer)
            }
            Err(loss) => {
                permit.report(Observed::default());
                let failure = unanswered(self.service, &ask.request.call, loss);
                tracing::debug!(service = %self.service, what = %failure.what, why = %failure.message, "no answer");
                Err(failure)
            }
        }
    }

    /// The exchange, with every status but 2xx turned into its failure.
    pub(crate) async fn answer(&self, ask: &Ask) -> Exchange {
        let answer = self.exchange(ask).await?;
        match answer.is_success() {
            // A page that somebody on the way put in front of the service, with the best of statuses.
            true if answer.json.is_none() && !answer.body.trim_ascii().is_empty() => {
                Err(self.unreadable(ask, &answer, "JSON"))
            }
            true => Ok(answer),
            false => Err((self.classify)(&ask.request.call, &answer)),
        }
    }

    /// The exchange, of which a JSON object is expected.
    pub(crate) async fn object(&self, ask: &Ask) -> Result<(Answer, Value), CallFailure> {
        let mut answer = self.answer(ask).await?;
        match answer.json.take() {
            Some(value) if value.is_object() => Ok((answer, value)),
            other => {
                answer.json = other;
                Err(self.unreadable(ask, &answer, "JSON object"))
            }
        }
    }

    /// As [`Line::object`]; none when the service says, in its own words, that there is no such
    /// thing. A 404 without JSON is a wrong URL or a gateway, and proves nobody's absence.
    pub(crate) async fn object_if_there(&self, ask: &Ask) -> Result<Option<(Answer, Value)>, CallFailure> {
        let answer = self.exchange(ask).await?;
        match (&answer.json, answer.status) {
            (Some(value), 404) if value.is_object() => Ok(None),
            (Some(value), 200..300) if value.is_object() => {
                let value = value.clone();
                Ok(Some((answer, value)))
            }
            (_, 200..300) => Err(self.unreadable(ask, &answer, "JSON object")),
            (_, 404) => Err(CallFailure {
                class: FailureClass::Misconfigured,
                refusal: RefusalCode::Other,
                ..(self.classify)(&ask.request.call, &answer)
            }),
            _ => Err((self.classify)(&ask.request.call, &answer)),
        }
    }

    /// The exchange of a call that is answered with 204 and nothing else. Any other success is somebody's on the way, or
    /// of a service that does more than is known: the call may have happened, and is looked at.
    pub(crate) async fn silent(&self, ask: &Ask) -> Result<(), CallFailure> {
        let answer = self.answer(ask).await?;
        match answer.status {
            204 => Ok(()),
            _ => Err(self.unreadable(ask, &answer, "status 204")),
        }
    }

    /// A call that deletes something, answered with 204: done, or the service says in its own words that there is no
    /// such thing. A 404 without JSON proves nobody's absence here either.
    pub(crate) async fn delete(&self, ask: &Ask) -> Result<ItemOutcome, CallFailure> {
        let answer = self.exchange(ask).await?;
        match (&answer.json, answer.status) {
            (Some(value), 404) if value.is_object() => Ok(ItemOutcome::AlreadyHeld),
            (_, 204) => Ok(ItemOutcome::Done),
            (_, 200..300) => Err(self.unreadable(ask, &answer, "status 204")),
            (_, 404) => Err(CallFailure {
                class: FailureClass::Misconfigured,
                refusal: RefusalCode::Other,
                ..(self.classify)(&ask.request.call, &answer)
            }),
            _ => Err((self.classify)(&ask.request.call, &answer)),
        }
    }

    /// Fetches a file from another host that the service named: without the credential, and without
    /// taking that host's statuses for the account's.
    pub(crate) async fn download(&self, priority: Priority, call: CallKind, url: Url) -> Exchange {
        let permit = self.gate.admit(priority, Budget::Ordinary).await?;
        let request = Request { call, method: Method::GET, url, body: None };
        let result = self.http.send(&request, None).await;
        permit.report(Observed {
            status: result.as_ref().ok().map(|answer| answer.status),
            ..Observed::default()
        });
        let answer = result.map_err(|loss| unanswered(self.service, &request.call, loss))?;
        self.log(&request.call, &answer);
        match answer.is_success() {
            true => Ok(answer),
            // Such links expire; asking again makes a new one.
            false => Err(unreadable(self.service, &request.call, &answer, "results")),
        }
    }

    /// A success whose body does not say what it should.
    pub(crate) fn unreadable(&self, ask: &Ask, answer: &Answer, missing: &str) -> CallFailure {
        unreadable(self.service, &ask.request.call, answer, missing)
    }

    fn observed(&self, call: &CallKind, answer: &Answer) -> Observed {
        let mut seen = answer.seen.clone();
        if answer.is_success() {
            return seen;
        }
        match (self.classify)(call, answer).class {
            FailureClass::RateLimited { retry_after } => {
                seen.limited = true;
                seen.retry_after = seen.retry_after.or(retry_after);
                if is_daily(answer) {
                    seen.daily_remaining = Some(0);
                }
            }
            FailureClass::Unauthorized => seen.unauthorized = true,
            _ => {}
        }
        seen
    }

    fn log(&self, call: &CallKind, answer: &Answer) {
        tracing::debug!(
            service = %self.service,
            what = %call.what,
            status = answer.status,
            bytes = answer.body.len(),
            "answered"
        );
    }
}
