//! HubSpot's way of saying no (HubSpot contract §3), and the envelope of batch answers.

use crate::domain::time::Timestamp;
use crate::sandbox::wire::{WireResponse, iso_millis, set};
use serde_json::{Value, json};

/// An error body.
pub fn error(status: u16, category: &str, message: &str, errors: Vec<Value>) -> WireResponse {
    let mut body = json!({
        "status": "error", "message": message, "category": category, "correlationId": "sandbox",
    });
    if !errors.is_empty() {
        set(&mut body, "errors", Value::Array(errors));
    }
    WireResponse::json(status, &body)
}

/// 400 `VALIDATION_ERROR`.
pub fn invalid(message: &str) -> WireResponse {
    error(400, "VALIDATION_ERROR", message, Vec::new())
}

/// 404 `OBJECT_NOT_FOUND`.
pub fn not_found(what: &str) -> WireResponse {
    error(404, "OBJECT_NOT_FOUND", &format!("{what} could not be found."), Vec::new())
}

/// The envelope of a batch answer. With errors the status is 207.
pub fn envelope(status: u16, now: Timestamp, results: Vec<Value>, errors: Vec<Value>) -> WireResponse {
    let at = iso_millis(now);
    let mut body = json!({ "status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at });
    if errors.is_empty() {
        return WireResponse::json(status, &body);
    }
    set(&mut body, "numErrors", json!(errors.len()));
    set(&mut body, "errors", Value::Array(errors));
    WireResponse::json(207, &body)
}
