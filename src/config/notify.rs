//! `[notify]`: who is told of what. An address of a webhook is a secret: whoever has it can write there.

use super::error::Problem;
use super::lenient::{Span, Text, Whole};
use super::schema;
use super::settings::switch;
use crate::domain::alert::Severity;
use crate::domain::code::Code;
use secrecy::SecretString;
use std::time::Duration;

/// What is told, and where.
#[derive(Clone, Debug)]
pub struct Notify {
    /// A Teams workflow that posts what its webhook gets.
    pub teams: Option<SecretString>,
    /// A Slack incoming webhook.
    pub slack: Option<SecretString>,
    /// Any address that takes JSON.
    pub webhook: Option<SecretString>,
    /// Signs what goes to `webhook`.
    pub webhook_secret: Option<SecretString>,
    /// Nothing below this is told.
    pub from: Severity,
    /// How long the same alert is not told again while it lasts.
    pub quiet: Duration,
    /// Whether each run is told in one line (R29).
    pub summary: bool,
    /// From how many opt-outs in one run on these are an alert; none for the larger of 50 and a twentieth
    /// of the audience.
    pub many_opt_outs: Option<u64>,
}

/// The same alert is not told again for so long.
const QUIET: Duration = Duration::from_secs(12 * 60 * 60);

/// Checks the section.
pub(super) fn check(from: schema::Notify, problems: &mut Vec<Problem>) -> Notify {
    let mut hook = |key: &str, from: Option<Text>| address(key, from?, problems);
    let teams = hook("notify.teams", from.teams);
    let slack = hook("notify.slack", from.slack);
    let webhook = hook("notify.webhook", from.webhook);
    let webhook_secret = from.webhook_secret.map(|secret| secret.0).filter(|secret| !secret.is_empty());
    if webhook_secret.is_some() && webhook.is_none() {
        problems.push(Problem::new(
            Code::ConfigContradiction,
            "notify.webhook_secret",
            "there is no `webhook` whose messages it could sign",
            "add `webhook = \"…\"`, or take the secret out",
        ));
    }
    Notify {
        teams,
        slack,
        webhook,
        webhook_secret: webhook_secret.map(SecretString::from),
        from: severity(from.from, problems),
        quiet: from.quiet.map_or(QUIET, |Span(span)| span),
        summary: switch(from.summary, false),
        many_opt_outs: from.many_opt_outs.map(|Whole(count)| count.max(1)),
    }
}

fn severity(from: Option<Text>, problems: &mut Vec<Problem>) -> Severity {
    match from.as_ref().map(|word| word.0.as_str()) {
        None | Some("warning") => Severity::Warning,
        Some("note") => Severity::Note,
        Some("error") => Severity::Error,
        Some(other) => {
            problems.push(Problem::new(
                Code::ConfigValue,
                "notify.from",
                format!("`{other}` is no severity"),
                "write \"note\", \"warning\" or \"error\"",
            ));
            Severity::Warning
        }
    }
}

/// An https address, or a plain one on this machine. It is not shown: it is a secret.
fn address(key: &str, from: Text, problems: &mut Vec<Problem>) -> Option<SecretString> {
    if from.0.is_empty() {
        return None;
    }
    let url = url::Url::parse(&from.0).ok().filter(url::Url::has_host);
    let is_loopback = url.as_ref().is_some_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    });
    match url.as_ref().map(url::Url::scheme) {
        Some("https") => return Some(SecretString::from(from.0)),
        Some("http") if is_loopback => return Some(SecretString::from(from.0)),
        Some("http") => problems.push(Problem::new(
            Code::ConfigValue,
            key,
            "this address is not encrypted: on its way everybody could read it, and write there",
            "write it as \"https://host/path\"",
        )),
        _ => problems.push(Problem::new(
            Code::ConfigValue,
            key,
            "this is no web address",
            "write it as \"https://host/path\"",
        )),
    }
    None
}
