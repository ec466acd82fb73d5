//! Any address that takes JSON: one flat object (docs/operations.md has its fields), with the headers of the
//! Standard Webhooks specification 1.0, so that receivers can fold repeats and check signatures with a library.

use crate::domain::alert::Message;
use crate::domain::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

/// The message.
pub(super) fn body(message: &Message) -> Value {
    json!({
        "id": message.id,
        "event": message.event.word(),
        "kind": message.kind,
        "code": message.code,
        "severity": message.severity.word(),
        "workspace": message.workspace,
        "subject": message.subject,
        "run": message.run,
        "counts": message.counts,
        "times": message.times,
        "first": message.first.iso(),
        "last": message.last.iso(),
        "at": message.at.iso(),
        "text": message.text,
        "way_out": message.way_out,
    })
}

/// Identity and moment of a message, and its signature where there is a secret.
pub(super) fn headers(
    message: &Message,
    body: &str,
    secret: Option<&SecretString>,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let seconds = now.0.div_euclid(1_000).to_string();
    let signature = secret.and_then(|secret| sign(secret, &message.id, &seconds, body));
    let mut headers = vec![("webhook-id", message.id.clone()), ("webhook-timestamp", seconds)];
    headers.extend(signature.map(|signature| ("webhook-signature", signature)));
    headers
}

/// `v1,` and the HMAC-SHA256 of `id.seconds.body`. A secret with `whsec_` in front is base64, as the
/// specification has it; any other is taken as it is.
pub(super) fn sign(secret: &SecretString, id: &str, seconds: &str, body: &str) -> Option<String> {
    let secret = secret.expose_secret();
    let key = match secret.strip_prefix("whsec_").map(|encoded| STANDARD.decode(encoded)) {
        Some(Ok(key)) => key,
        _ => secret.as_bytes().to_vec(),
    };
    // A key of any length will do for HMAC.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}
