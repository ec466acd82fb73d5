//! What Mailchimp's refusals mean (Mailchimp contract §2 and §9): by status first, by title second, by
//! the words of the detail last. Pure.

use crate::connect::classify::{CallKind, Verdict, body_in_words, by_status, failure};
use crate::connect::http::Answer;
use crate::connect::lenient::Lenient;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use serde_json::Value;

/// Reads an answer that is no success.
pub fn classify(call: &CallKind, answer: &Answer) -> CallFailure {
    let body = answer.object();
    let title = body.and_then(|body| body.text("title")).unwrap_or_default();
    let verdict = match (answer.status, body) {
        (400, Some(body)) => Verdict::refused(refusal(&title, body)),
        // Under load, rate limits come as a 403 without JSON.
        (403, None) | (429, _) => {
            Verdict::of(FailureClass::RateLimited { retry_after: answer.seen.retry_after })
        }
        (403, Some(_)) => match title.as_str() {
            "User Disabled" | "Forbidden" | "Wrong Datacenter" | "WrongDatacenter" => {
                Verdict::of(FailureClass::Unauthorized)
            }
            _ => Verdict::of(FailureClass::Misconfigured),
        },
        (405, _) => Verdict::refused(RefusalCode::NotRemovable),
        (status, _) => by_status(call, status),
    };
    let message = body.map_or_else(|| body_in_words(answer).to_owned(), message_of);
    failure(Service::Mailchimp, call, answer, verdict, &message, body.and_then(|body| body.text("instance")))
}

fn refusal(title: &str, body: &Value) -> RefusalCode {
    match title {
        "Member Exists" => RefusalCode::AlreadyExists,
        "Member In Compliance State" => RefusalCode::Compliance,
        "Forgotten Email Not Subscribed" => RefusalCode::Forgotten,
        "Bad Request" | "Invalid Action" | "JSON Parse Exception" | "JSON Parse Error" => RefusalCode::Other,
        _ => match by_words(&message_of(body)) {
            RefusalCode::Other if title == "Invalid Resource" => RefusalCode::InvalidValue,
            code => code,
        },
    }
}

/// What the words of a detail, or of an entry of a batch's `errors`, mean.
pub(crate) fn by_words(text: &str) -> RefusalCode {
    let text = text.to_lowercase();
    let says = |words: &str| text.contains(words);
    if says("compliance") {
        RefusalCode::Compliance
    } else if says("fake or invalid") {
        RefusalCode::FakeAddress
    } else if says("permanently deleted") || says("forgotten email") {
        RefusalCode::Forgotten
    } else if says("lot of lists") {
        RefusalCode::TooManySignups
    } else if says("already a list member") || says("already exists") {
        RefusalCode::AlreadyExists
    } else if says("valid email address") || says("email address is invalid") {
        RefusalCode::InvalidAddress
    } else if says("merge field") || says("please enter a value") {
        RefusalCode::InvalidValue
    } else {
        RefusalCode::Other
    }
}

/// Title, detail and the field errors in one line.
fn message_of(body: &Value) -> String {
    let mut parts: Vec<String> = ["title", "detail"].iter().filter_map(|key| body.text(key)).collect();
    for error in body.rows_or_none("errors") {
        let words: Vec<String> = ["field", "message"].iter().filter_map(|key| error.text(key)).collect();
        parts.push(words.join(": "));
    }
    if parts.is_empty() { "an error without a message".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn every_documented_refusal_has_its_class_and_code() {
        use FailureClass::{InDoubt, Misconfigured, Permanent, RateLimited, Transient, Unauthorized};
        let titled = |title: &str, detail: &str| {
            json!({"title": title, "detail": detail, "instance": "i-1"}).to_string()
        };
        let html = "<html>504 Gateway Time-out</html>".to_owned();
        let limited = RateLimited { retry_after: None };
        // status, body, class of a write, class of a read, refusal
        let rows = [
            (
                400,
                titled(
                    "Invalid Resource",
                    "ann@example.com looks fake or invalid, please enter a real email address.",
                ),
                Permanent,
                Permanent,
                RefusalCode::FakeAddress,
            ),
            (
                400,
                titled("Invalid Resource", "Please enter a value"),
                Permanent,
                Permanent,
                RefusalCode::InvalidValue,
            ),
            (
                400,
                titled("Invalid Resource", "Your merge fields were invalid."),
                Permanent,
                Permanent,
                RefusalCode::InvalidValue,
            ),
            (
                400,
                titled("Invalid Resource", "The resource submitted could not be validated."),
                Permanent,
                Permanent,
                RefusalCode::InvalidValue,
            ),
            (
                400,
                titled("Invalid Resource", "Please provide a valid email address."),
                Permanent,
                Permanent,
                RefusalCode::InvalidAddress,
            ),
            (
                400,
                titled(
                    "Invalid Resource",
                    "x has signed up to a lot of lists very recently; we're not allowing more signups for now",
                ),
                Permanent,
                Permanent,
                RefusalCode::TooManySignups,
            ),
            (400, titled("Member Exists", "use PUT"), Permanent, Permanent, RefusalCode::AlreadyExists),
            (
                400,
                titled(
                    "Member In Compliance State",
                    "x is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed.",
                ),
                Permanent,
                Permanent,
                RefusalCode::Compliance,
            ),
            (
                400,
                titled(
                    "Forgotten Email Not Subscribed",
                    "x was permanently deleted and cannot be re-imported.",
                ),
                Permanent,
                Permanent,
                RefusalCode::Forgotten,
            ),
            (400, titled("Bad Request", "d"), Permanent, Permanent, RefusalCode::Other),
            (400, titled("Invalid Action", "d"), Permanent, Permanent, RefusalCode::Other),
            (400, titled("JSON Parse Exception", "d"), Permanent, Permanent, RefusalCode::Other),
            (400, html.clone(), Permanent, Permanent, RefusalCode::Other),
            (401, titled("API Key Invalid", "d"), Unauthorized, Unauthorized, RefusalCode::Other),
            (401, titled("API Key Missing", "d"), Unauthorized, Unauthorized, RefusalCode::Other),
            (401, String::new(), Unauthorized, Unauthorized, RefusalCode::Other),
            (403, titled("User Disabled", "d"), Unauthorized, Unauthorized, RefusalCode::Other),
            (403, titled("Forbidden", "d"), Unauthorized, Unauthorized, RefusalCode::Other),
            (403, titled("Wrong Datacenter", "d"), Unauthorized, Unauthorized, RefusalCode::Other),
            (403, titled("Authorization Failure", "d"), Misconfigured, Misconfigured, RefusalCode::Other),
            (403, html.clone(), limited, limited, RefusalCode::Other),
            (403, String::new(), limited, limited, RefusalCode::Other),
            (404, titled("Resource Not Found", "d"), Permanent, Permanent, RefusalCode::NotFound),
            (
                405,
                titled("Method Not Allowed", "This list member cannot be removed."),
                Permanent,
                Permanent,
                RefusalCode::NotRemovable,
            ),
            (414, titled("Resource Nesting Too Deep", "d"), Permanent, Permanent, RefusalCode::Other),
            (422, titled("InvalidMethodOverride", "d"), Permanent, Permanent, RefusalCode::Other),
            (426, titled("HTTP used", "d"), Permanent, Permanent, RefusalCode::Other),
            (429, titled("TooManyRequests", "d"), limited, limited, RefusalCode::Other),
            (429, html.clone(), limited, limited, RefusalCode::Other),
            (500, titled("InternalServerError", "d"), InDoubt, Transient, RefusalCode::Other),
            (502, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (503, String::new(), InDoubt, Transient, RefusalCode::Other),
            (504, html, InDoubt, Transient, RefusalCode::Other),
        ];
        for (status, body, of_write, of_read, refusal) in rows {
            let answer = Answer::new(status, body.clone());
            let failure = classify(&CallKind::write("write"), &answer);
            assert_eq!((failure.class, failure.refusal), (of_write, refusal), "{status} {body}");
            assert!(!failure.message.contains('@'), "{}", failure.message);
            assert_eq!(classify(&CallKind::read("read"), &answer).class, of_read, "{status} {body}");
        }
    }

    #[test]
    fn a_told_wait_is_passed_on() {
        let mut answer = Answer::new(429, "");
        answer.seen.retry_after = Some(Duration::from_secs(4));
        let class = classify(&CallKind::write("w"), &answer).class;
        assert_eq!(class, FailureClass::RateLimited { retry_after: Some(Duration::from_secs(4)) });
    }

    #[test]
    fn the_instance_is_kept_for_support() {
        let answer = Answer::new(400, r#"{"title":"Bad Request","instance":"abc-1"}"#);
        assert_eq!(classify(&CallKind::read("r"), &answer).trace.as_deref(), Some("abc-1"));
    }

    proptest! {
        #[test]
        fn no_body_panics(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..300), is_write: bool) {
            let failure = classify(&CallKind { is_write, what: "w".to_owned() }, &Answer::new(status, body));
            prop_assert!(!failure.message.contains('@'));
            prop_assert!(status != 429 || failure.class != FailureClass::InDoubt);
        }
    }
}
