//! What went wrong, as `application/problem+json` (RFC 9457) with one of hsmc's codes. The one place where a code
//! becomes a status.

use crate::domain::code::Code;
use crate::serve::requests::Trouble;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Where its page is, relative to the API.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, in one line.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time.
    pub detail: Box<str>,
    /// Its code.
    pub code: Code,
    /// What to do; may be empty.
    pub way_out: Box<str>,
    /// The request's id, as in the header and in hsmc's log; none where it is not told of one request.
    pub request_id: Option<String>,
    /// When to try again, in seconds; none where that is of no use.
    pub retry_after: Option<u64>,
}

impl Problem {
    /// Of a code.
    pub fn new(status: StatusCode, code: Code, detail: impl Into<Box<str>>) -> Problem {
        Problem {
            kind: format!("/v1/codes/{code}"),
            title: code.title(),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            way_out: Box::default(),
            request_id: None,
            retry_after: None,
        }
    }

    /// Of what the owner of the state directory says.
    pub fn of(trouble: &Trouble) -> Problem {
        // Nobody here has a command line.
        let code = if trouble.code == Code::CommandLine { Code::RequestMalformed } else { trouble.code };
        let detail = match trouble.place.as_str() {
            "" => trouble.message.clone(),
            place => format!("{place}: {}", trouble.message),
        };
        Problem {
            way_out: trouble.way_out.as_str().into(),
            ..Problem::new(status(trouble.code, trouble.exit), code, detail)
        }
    }

    /// The request is not what belongs there.
    pub(super) fn malformed(status: StatusCode, detail: impl Into<Box<str>>) -> Problem {
        Problem::new(status, Code::RequestMalformed, detail)
    }

    /// hsmc is about to end.
    pub(super) fn leaving() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::NoAnswer, "this hsmc is about to end")
            .retry_after(5)
    }

    /// The same, with when to try again.
    #[must_use]
    pub(super) fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds);
        self
    }
}

/// What a code means for whoever asked: theirs to mend, as things stand, or hsmc's.
fn status(code: Code, exit: u8) -> StatusCode {
    match code {
        Code::NothingSuch | Code::NobodySeen | Code::NothingKept => StatusCode::NOT_FOUND,
        Code::NoAddress | Code::CommandLine | Code::FileNamed | Code::PropertyMissing => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::RunUnderWay => StatusCode::CONFLICT,
        Code::NoAnswer | Code::Interrupted | Code::StoreClosed => StatusCode::SERVICE_UNAVAILABLE,
        Code::CredentialsRefused
        | Code::RightsMissing
        | Code::QuotaUsedUp
        | Code::TooFast
        | Code::ServiceAway
        | Code::AnswerLost
        | Code::CallRefused => StatusCode::BAD_GATEWAY,
        _ if exit == 1 => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        response.extensions_mut().insert(super::guard::Told(self.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let challenge = match self.code {
            Code::TokenNotTaken => "Bearer realm=\"hsmc\"",
            Code::ScopeTooNarrow => "Bearer realm=\"hsmc\", error=\"insufficient_scope\"",
            _ => return response,
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}
