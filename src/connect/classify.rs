//! From a response to a failure, as far as both services agree. Pure. What each service's own words
//! mean is in `hubspot::classify` and `mailchimp::classify`.

use super::http::{Answer, Loss};
use super::scrub::scrub;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};

/// What a call is, as far as its failure is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallKind {
    /// Whether it may have changed something when no good answer comes.
    pub is_write: bool,
    /// The call in words, without addresses: `add to list 946`.
    pub what: String,
}

impl CallKind {
    /// A call that changes nothing.
    pub fn read(what: impl Into<String>) -> CallKind {
        CallKind { is_write: false, what: what.into() }
    }

    /// A call that changes something.
    pub fn write(what: impl Into<String>) -> CallKind {
        CallKind { is_write: true, what: what.into() }
    }

    /// The class of a call of which nobody can say whether it was done.
    pub fn unsettled(&self) -> FailureClass {
        match self.is_write {
            true => FailureClass::InDoubt,
            false => FailureClass::Transient,
        }
    }
}

/// A service's reading of an answer that is no success.
pub type Classifier = fn(&CallKind, &Answer) -> CallFailure;

/// What an answer means, before it is put beside the call.
pub(crate) struct Verdict {
    pub(crate) class: FailureClass,
    pub(crate) refusal: RefusalCode,
}

impl Verdict {
    pub(crate) fn of(class: FailureClass) -> Verdict {
        Verdict { class, refusal: RefusalCode::Other }
    }

    pub(crate) fn refused(refusal: RefusalCode) -> Verdict {
        Verdict { class: FailureClass::Permanent, refusal }
    }
}

/// What statuses mean for either service when nothing in the body says more.
pub(crate) fn by_status(call: &CallKind, status: u16) -> Verdict {
    match status {
        401 => Verdict::of(FailureClass::Unauthorized),
        403 => Verdict::of(FailureClass::Misconfigured),
        404 => Verdict::refused(RefusalCode::NotFound),
        409 => Verdict::refused(RefusalCode::AlreadyExists),
        423 => Verdict::of(FailureClass::Transient),
        429 => Verdict::of(FailureClass::RateLimited { retry_after: None }),
        // The request was not read to its end, or the service broke while at it: either way a write
        // may have been done, so it is looked at first.
        408 | 500.. => Verdict::of(call.unsettled()),
        // A redirect means that the base URL is not the API's.
        300..=399 => Verdict::of(FailureClass::Misconfigured),
        // A success that came here is one whose body cannot be read.
        200..=299 => Verdict::of(call.unsettled()),
        _ => Verdict::refused(RefusalCode::Other),
    }
}

/// The failure of an answered call. `message` and `trace` are scrubbed here, once for all.
pub(crate) fn failure(
    service: Service,
    call: &CallKind,
    answer: &Answer,
    verdict: Verdict,
    message: &str,
    trace: Option<String>,
) -> CallFailure {
    CallFailure {
        service,
        class: verdict.class,
        refusal: verdict.refusal,
        status: Some(answer.status),
        what: call.what.clone(),
        message: scrub(message),
        trace: trace.map(|trace| scrub(&trace)).or_else(|| answer.request_id.clone()),
    }
}

/// The failure of a call that was not answered.
pub(crate) fn unanswered(service: Service, call: &CallKind, loss: Loss) -> CallFailure {
    let (class, message) = match loss {
        Loss::NotSent(why) => (FailureClass::Transient, format!("not sent: {why}")),
        Loss::Lost(why) => (call.unsettled(), format!("no answer: {why}")),
        Loss::Unsendable => {
            (FailureClass::Misconfigured, "the token has characters that no header takes".to_owned())
        }
    };
    CallFailure {
        service,
        class,
        refusal: RefusalCode::Other,
        status: None,
        what: call.what.clone(),
        message: scrub(&message),
        trace: None,
    }
}

/// The failure of a call that succeeded by its status, with an answer that says nothing.
pub(crate) fn unreadable(service: Service, call: &CallKind, answer: &Answer, missing: &str) -> CallFailure {
    let message = format!("the answer has no {missing}: {}", body_in_words(answer));
    failure(service, call, answer, Verdict::of(call.unsettled()), &message, None)
}

/// A request that must not be sent: our own mistake, and final.
pub(crate) fn unaskable(service: Service, call: &CallKind, why: &str) -> CallFailure {
    CallFailure {
        service,
        class: FailureClass::Permanent,
        refusal: RefusalCode::Other,
        status: None,
        what: call.what.clone(),
        message: scrub(why),
        trace: None,
    }
}

/// What a body is, for people, when nothing better is in it. Never its contents: they may be about
/// anybody.
pub(crate) fn body_in_words(answer: &Answer) -> &'static str {
    match (&answer.json, answer.body.trim_ascii_start().first()) {
        (_, None) => "no body",
        (Some(_), _) => "JSON of another shape",
        (None, Some(b'<')) => "an HTML page",
        (None, Some(_)) => "no JSON",
    }
}
