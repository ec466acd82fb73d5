//! Tells people: one message to one webhook, in its own form.
//!
//! Promises: a message is sent once and answered for in our own words; what a target answers is never
//! believed further than its status and `Retry-After`. Never: an address of a webhook in an error or a log, or
//! a text that was not cleaned of people and secrets.

mod slack;
mod teams;
#[cfg(test)]
mod tests;
mod webhook;

use super::http::{Http, Loss};
use super::scrub::scrub;
use crate::domain::alert::{Answered, Message};
use crate::domain::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// How long one message may take; whoever stops waits no longer for it.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Which form a target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An Adaptive Card in the message of a Teams workflow.
    Teams,
    /// Text and blocks of a Slack incoming webhook.
    Slack,
    /// Flat JSON.
    Webhook,
}

impl Form {
    /// The target's name: its key in the config.
    pub fn name(self) -> &'static str {
        match self {
            Form::Teams => "teams",
            Form::Slack => "slack",
            Form::Webhook => "webhook",
        }
    }
}

/// Where messages go.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its form, which is its name.
    pub form: Form,
    /// Its address.
    pub address: SecretString,
    /// Signs what is sent.
    pub secret: Option<SecretString>,
}

/// A message as a target takes it. Pure.
pub fn body(form: Form, message: &Message) -> Value {
    let message = cleaned(message);
    match form {
        Form::Teams => teams::body(&message),
        Form::Slack => slack::body(&message),
        Form::Webhook => webhook::body(&message),
    }
}

/// All texts once more without anything that looks like a person or a secret: alerts are made of our own
/// words, and this holds should one of them ever not be.
fn cleaned(message: &Message) -> Message {
    Message {
        workspace: scrub(&message.workspace),
        subject: scrub(&message.subject),
        text: scrub(&message.text),
        way_out: scrub(&message.way_out),
        counts: message.counts.iter().map(|(name, count)| (scrub(name), *count)).collect(),
        facts: message.facts.iter().map(|(name, value)| (*name, scrub(value))).collect(),
        ..message.clone()
    }
}

/// Sends one message once.
pub async fn send(http: &Http, target: &Target, message: &Message, now: Timestamp) -> Answered {
    let Ok(url) = target.address.expose_secret().parse::<Url>() else {
        return Answered::Refused("its address is none".to_owned());
    };
    let body = body(target.form, message).to_string();
    let headers = match target.form {
        Form::Webhook => webhook::headers(message, &body, target.secret.as_ref(), now),
        Form::Teams | Form::Slack => Vec::new(),
    };
    match http.post(url, &headers, body, TIMEOUT).await {
        Ok(answer) => answered(answer.status, answer.seen.retry_after),
        Err(Loss::NotSent(why)) => Answered::Away(format!("cannot be reached: {why}")),
        Err(Loss::Lost(why)) => Answered::Away(format!("no answer: {why}")),
        Err(Loss::Unsendable) => Answered::Refused("a header cannot be sent".to_owned()),
    }
}

/// What a status means. Statuses that speak of the address rather than of the message are refusals too: a
/// workflow that is switched off answers 400, a webhook that was taken back 404.
fn answered(status: u16, retry_after: Option<Duration>) -> Answered {
    match status {
        200..=299 => Answered::Taken,
        429 => Answered::Later(retry_after),
        503 if retry_after.is_some() => Answered::Later(retry_after),
        408 | 500.. => Answered::Away(format!("answers {status}")),
        300..=399 => Answered::Refused(format!("answers {status}: its address has moved")),
        401 | 403 | 404 | 410 => {
            Answered::Refused(format!("answers {status}: the address is not valid any more"))
        }
        _ => Answered::Refused(format!("answers {status}")),
    }
}
