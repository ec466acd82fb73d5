//! What HubSpot's refusals mean (HubSpot contract §3 and §4): by status first, by category and codes
//! second, never by the message alone. Pure.

use crate::connect::classify::{CallKind, Verdict, body_in_words, by_status, failure};
use crate::connect::http::Answer;
use crate::connect::lenient::{Lenient, as_text};
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use serde_json::Value;
use std::time::Duration;

/// Reads an answer that is no success.
pub fn classify(call: &CallKind, answer: &Answer) -> CallFailure {
    let body = answer.object();
    let mut verdict = by_status(call, answer.status);
    match answer.status {
        429 => verdict.class = FailureClass::RateLimited { retry_after: wait(answer) },
        // The account moves to another data centre: everything waits.
        477 => {
            let retry_after = answer.seen.retry_after.or(Some(Duration::from_secs(600)));
            verdict = Verdict::of(FailureClass::RateLimited { retry_after });
        }
        400 | 405 | 409 | 422 => {
            if let Some(code) = body.and_then(refusal_of) {
                verdict.refusal = code;
            }
        }
        _ => {}
    }
    let message = match (answer.status, body) {
        (477, _) => "the account is being moved to another place".to_owned(),
        (_, None) => body_in_words(answer).to_owned(),
        (_, Some(body)) => message_of(body),
    };
    failure(
        Service::HubSpot,
        call,
        answer,
        verdict,
        &message,
        body.and_then(|body| body.text("correlationId")),
    )
}

/// How long a 429 asks to wait when it does not say so itself (HubSpot contract §4).
fn wait(answer: &Answer) -> Option<Duration> {
    if let Some(told) = answer.seen.retry_after {
        return Some(told);
    }
    let policy =
        |key| answer.json.as_ref().and_then(|body| body.text(key)).unwrap_or_default().to_uppercase();
    let told = format!("{} {}", policy("policyName"), policy("message"));
    if is_daily(answer) {
        // Until midnight in the portal's zone: the account's gate knows when that is, and holds back whoever asks.
        None
    } else if told.contains("TEN_SECONDLY") || !told.contains("SECONDLY") {
        Some(Duration::from_secs(10))
    } else {
        Some(Duration::from_secs(1))
    }
}

/// Whether a 429 says that the day's quota is spent.
pub(crate) fn is_daily(answer: &Answer) -> bool {
    let policy = answer.json.as_ref().and_then(|body| body.text("policyName"));
    policy.is_some_and(|policy| policy.eq_ignore_ascii_case("DAILY"))
}

/// The refusal that an error object names: the body of a 4xx, or one entry of a batch's `errors`.
/// None when neither its category nor its codes say that the input is at fault.
pub(crate) fn refusal_of(error: &Value) -> Option<RefusalCode> {
    let codes = codes_of(error);
    let says = |word: &str| codes.contains(word);
    if says("MISSING_REQUIRED_PROPERTY") || says("MISSING_CONDITIONAL_REQUIRED_PROPERTY") {
        Some(RefusalCode::MissingProperty)
    } else if says("DYNAMIC") || says("PROPERTY_DOESNT_EXIST") || says("READ_ONLY") {
        Some(RefusalCode::NotWritable)
    } else if says("INVALID_EMAIL") {
        Some(RefusalCode::InvalidAddress)
    } else if says("NOT_FOUND") {
        Some(RefusalCode::NotFound)
    } else if says("ALREADY_EXISTS") || says("WITH_NAME_EXISTS") || says("CONFLICT") {
        Some(RefusalCode::AlreadyExists)
    } else if says("INVALID") || says("VALIDATION") {
        Some(RefusalCode::InvalidValue)
    } else {
        None
    }
}

/// All codes of an error in one text, upper case. Of the message only embedded codes count, such as
/// `"error":"PROPERTY_DOESNT_EXIST"`, and the word for lists that are not ours to write.
fn codes_of(error: &Value) -> String {
    let mut words: Vec<String> =
        ["category", "subCategory", "code"].iter().filter_map(|key| error.text(key)).collect();
    for inner in error.rows_or_none("errors") {
        words.extend(["code", "subCategory"].iter().filter_map(|key| inner.text(key)));
    }
    let message = error.text("message").unwrap_or_default();
    let is_code = |word: &&str| *word == "DYNAMIC" || (word.contains('_') && word.len() > 5);
    words.extend(
        message.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(is_code).map(str::to_owned),
    );
    words.join(" ").to_uppercase()
}

/// The words for people: the message, and what each inner error names.
pub(crate) fn message_of(error: &Value) -> String {
    let mut message = error
        .text("message")
        .or_else(|| error.text("category"))
        .unwrap_or_else(|| "an error without a message".to_owned());
    for inner in error.rows_or_none("errors") {
        let code = inner.text("code").or_else(|| inner.text("message")).unwrap_or_default();
        message.push_str(&format!("; {code}{}", context_of(inner)));
    }
    message.push_str(&context_of(error));
    message
}

/// The names a context gives, such as the property that is missing; never its values of inputs.
fn context_of(error: &Value) -> String {
    let Some(context) = error.get("context").and_then(Value::as_object) else { return String::new() };
    let names: Vec<String> = context
        .iter()
        .filter(|(key, _)| key.to_lowercase().contains("propert") || key.to_lowercase().contains("scope"))
        .flat_map(|(_, value)| match value {
            Value::Array(items) => items.iter().filter_map(as_text).collect(),
            scalar => as_text(scalar).into_iter().collect::<Vec<_>>(),
        })
        .collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(status: u16, body: &str) -> CallFailure {
        classify(&CallKind::read("read"), &Answer::new(status, body))
    }

    fn write(status: u16, body: &str) -> CallFailure {
        classify(&CallKind::write("write"), &Answer::new(status, body))
    }

    #[test]
    fn every_documented_refusal_has_its_class_and_code() {
        use FailureClass::{InDoubt, Misconfigured, Permanent, Transient, Unauthorized};
        let code = |code: &str| {
            json!({"status":"error","category":"VALIDATION_ERROR","message":"m","errors":[{"code":code}]})
                .to_string()
        };
        let category = |category: &str| json!({"category": category, "message": "m"}).to_string();
        let html = "<html><body>Bad gateway</body></html>".to_owned();
        // status, body, class of a write, class of a read, refusal
        let rows = [
            (400, category("VALIDATION_ERROR"), Permanent, Permanent, RefusalCode::InvalidValue),
            (400, code("PROPERTY_DOESNT_EXIST"), Permanent, Permanent, RefusalCode::NotWritable),
            (400, code("INVALID_OPTION"), Permanent, Permanent, RefusalCode::InvalidValue),
            (400, code("INVALID_EMAIL"), Permanent, Permanent, RefusalCode::InvalidAddress),
            (400, code("READ_ONLY_VALUE"), Permanent, Permanent, RefusalCode::NotWritable),
            (400, code("MISSING_REQUIRED_PROPERTY"), Permanent, Permanent, RefusalCode::MissingProperty),
            (
                400,
                code("MISSING_CONDITIONAL_REQUIRED_PROPERTY"),
                Permanent,
                Permanent,
                RefusalCode::MissingProperty,
            ),
            (400, code("INVALID_CURSOR"), Permanent, Permanent, RefusalCode::InvalidValue),
            (
                400,
                category("PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE"),
                Permanent,
                Permanent,
                RefusalCode::InvalidValue,
            ),
            (
                400,
                r#"{"message":"List 5 is DYNAMIC"}"#.to_owned(),
                Permanent,
                Permanent,
                RefusalCode::NotWritable,
            ),
            (
                400,
                r#"{"message":"Property values were not valid: [{\"error\":\"PROPERTY_DOESNT_EXIST\"}]"}"#
                    .to_owned(),
                Permanent,
                Permanent,
                RefusalCode::NotWritable,
            ),
            (400, html.clone(), Permanent, Permanent, RefusalCode::Other),
            (401, category("INVALID_AUTHENTICATION"), Unauthorized, Unauthorized, RefusalCode::Other),
            (401, category("EXPIRED_AUTHENTICATION"), Unauthorized, Unauthorized, RefusalCode::Other),
            (401, String::new(), Unauthorized, Unauthorized, RefusalCode::Other),
            (403, category("MISSING_SCOPES"), Misconfigured, Misconfigured, RefusalCode::Other),
            (403, html.clone(), Misconfigured, Misconfigured, RefusalCode::Other),
            (404, category("OBJECT_NOT_FOUND"), Permanent, Permanent, RefusalCode::NotFound),
            (404, html.clone(), Permanent, Permanent, RefusalCode::NotFound),
            (409, category("CONFLICT"), Permanent, Permanent, RefusalCode::AlreadyExists),
            (409, category("OBJECT_ALREADY_EXISTS"), Permanent, Permanent, RefusalCode::AlreadyExists),
            (
                409,
                r#"{"subCategory":"Properties.PROPERTY_WITH_NAME_EXISTS"}"#.to_owned(),
                Permanent,
                Permanent,
                RefusalCode::AlreadyExists,
            ),
            (409, String::new(), Permanent, Permanent, RefusalCode::AlreadyExists),
            (414, html.clone(), Permanent, Permanent, RefusalCode::Other),
            (415, String::new(), Permanent, Permanent, RefusalCode::Other),
            (423, category("LOCKED"), Transient, Transient, RefusalCode::Other),
            (301, String::new(), Misconfigured, Misconfigured, RefusalCode::Other),
            (408, String::new(), InDoubt, Transient, RefusalCode::Other),
            (500, category("INTERNAL_ERROR"), InDoubt, Transient, RefusalCode::Other),
            (502, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (503, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (504, String::new(), InDoubt, Transient, RefusalCode::Other),
            (521, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (522, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (523, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (524, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (525, html.clone(), InDoubt, Transient, RefusalCode::Other),
            (526, html, InDoubt, Transient, RefusalCode::Other),
            (200, String::new(), InDoubt, Transient, RefusalCode::Other),
        ];
        for (status, body, of_write, of_read, refusal) in rows {
            let failure = write(status, &body);
            assert_eq!((failure.class, failure.refusal), (of_write, refusal), "{status} {body}");
            assert_eq!(failure.status, Some(status));
            assert_eq!(read(status, &body).class, of_read, "{status} {body}");
        }
    }

    #[test]
    fn a_rate_limit_is_never_in_doubt_and_waits_as_its_policy_means() {
        let wait = |body: &str| match write(429, body).class {
            FailureClass::RateLimited { retry_after } => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(r#"{"policyName":"TEN_SECONDLY_ROLLING","errorType":"RATE_LIMIT"}"#), Some(10));
        assert_eq!(wait(r#"{"policyName":"SECONDLY"}"#), Some(1));
        assert_eq!(wait(r#"{"message":"You have reached your SECONDLY limit."}"#), Some(1));
        assert_eq!(wait(r#"{"policyName":"DAILY"}"#), None, "until midnight: the gate knows");
        assert_eq!(wait("<html>"), Some(10));
        let mut answer = Answer::new(429, r#"{"policyName":"DAILY"}"#);
        answer.seen.retry_after = Some(Duration::from_secs(3));
        let told = classify(&CallKind::write("w"), &answer).class;
        assert_eq!(told, FailureClass::RateLimited { retry_after: Some(Duration::from_secs(3)) });
    }

    #[test]
    fn a_move_of_the_account_pauses_it_for_as_long_as_told() {
        let mut answer = Answer::new(477, "");
        answer.seen.retry_after = Some(Duration::from_secs(7200));
        let class = classify(&CallKind::write("w"), &answer).class;
        assert_eq!(class, FailureClass::RateLimited { retry_after: Some(Duration::from_secs(7200)) });
        assert!(matches!(write(477, "").class, FailureClass::RateLimited { retry_after: Some(_) }));
    }

    #[test]
    fn a_missing_property_is_named_and_an_address_is_not() {
        let failure = write(
            400,
            r#"{"message":"ann@example.com is incomplete","correlationId":"c-1","errors":[
                {"code":"MISSING_REQUIRED_PROPERTY","context":{"propertyName":["branch"]}}]}"#,
        );
        assert!(failure.message.contains("branch"), "{}", failure.message);
        assert!(!failure.message.contains("ann@"));
        assert_eq!(failure.trace.as_deref(), Some("c-1"));
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
