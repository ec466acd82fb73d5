//! The config in final types, and the checks that look at one section alone.

use super::api::{self, Api};
use super::error::Problem;
use super::lenient::{Limit, Share, Span, Text, Truth, Whole};
use super::notify::{self, Notify};
use super::pull::{self, Pull};
use super::webhooks::{self, Webhooks};
use super::{rules, schema, segments};
use crate::domain::code::Code;
use crate::domain::port::OptOutBasis;
use crate::domain::rules::RuleSet;
use crate::domain::segment::Fields;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;

/// One workspace, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The workspace's name.
    pub workspace: String,
    /// The HubSpot account.
    pub hubspot: HubSpot,
    /// The Mailchimp account and audience.
    pub mailchimp: Mailchimp,
    /// When and how runs happen.
    pub sync: Sync,
    /// What goes with an opt-out.
    pub consent: Consent,
    /// Who is told.
    pub notify: Notify,
    /// The log file.
    pub log: Log,
    /// What the mirror holds.
    pub pull: Pull,
    /// Asking over HTTP; none for not at all.
    pub api: Option<Api>,
    /// What webhooks are checked by.
    pub webhooks: Webhooks,
    /// The rules of the sync.
    pub rules: RuleSet,
    /// What is known of contact properties without asking HubSpot.
    pub fields: Fields,
}

impl Config {
    /// A number that changes when anything changes that a plan depends on: a saved plan names it.
    pub fn fingerprint(&self) -> u64 {
        // The rule set's debug form holds lists and ordered maps only, and no secret.
        digest(&format!("{:?}|{}|{:?}", self.rules, self.mailchimp.audience, self.hubspot.portal_id))
    }

    /// A number that changes when a scan has to read what older scans did not: other accounts, other
    /// contact properties, other opt-outs. A difference costs one full pass, nothing else.
    pub fn scan_fingerprint(&self) -> u64 {
        let (properties, scopes) = (self.rules.all_properties(), &self.rules.opt_out_scopes);
        let accounts = (&self.hubspot.base_url, self.hubspot.portal_id, &self.mailchimp.audience);
        digest(&format!("{properties:?}|{scopes:?}|{accounts:?}"))
    }
}

fn digest(text: &str) -> u64 {
    Sha256::digest(text.as_bytes()).iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// `[hubspot]`
#[derive(Clone, Debug)]
pub struct HubSpot {
    /// Service key or private-app token.
    pub token: SecretString,
    /// The dated version in every path.
    pub api_version: String,
    /// Without a slash at the end.
    pub base_url: String,
    /// The only portal hsmc may work on, when given.
    pub portal_id: Option<u64>,
    /// An upper bound; without it the bound is learned from the headers.
    pub requests_per_10s: Option<u32>,
    /// Share of the budget left to the portal's other apps.
    pub reserve: f64,
    /// Ids one list write may carry.
    pub list_write_limit: usize,
}

/// `[mailchimp]`
#[derive(Clone, Debug)]
pub struct Mailchimp {
    /// The API key.
    pub api_key: SecretString,
    /// Without a slash at the end.
    pub base_url: String,
    /// The audience's id.
    pub audience: String,
    /// Calls at once; one more is kept for opt-outs.
    pub connections: usize,
    /// Above this many single calls of one kind an asynchronous batch is used.
    pub batch_above: usize,
}

/// How far a run goes by itself (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apply {
    /// It plans and shows.
    Never,
    /// It plans and waits for a yes.
    Ask,
    /// It applies, unless a gate asks.
    Always,
}

impl fmt::Display for Apply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Apply::Never => "never",
            Apply::Ask => "ask",
            Apply::Always => "always",
        })
    }
}

/// `[sync]`, without the limits and gates, which are rules.
#[derive(Clone, Debug)]
pub struct Sync {
    /// From one run to the next.
    pub every: Duration,
    /// A full pass at least this often.
    pub full_every: Duration,
    /// How far a run goes by itself.
    pub apply: Apply,
    /// How long scan snapshots are kept (R28).
    pub snapshots: Duration,
    /// How long finished runs keep their details.
    pub retention: Duration,
    /// How long what is left of them after that is kept.
    pub history: Duration,
}

/// `[consent]`, without what the rules hold.
#[derive(Clone, Debug)]
pub struct Consent {
    /// HubSpot's word and the wording that goes with it.
    pub basis: OptOutBasis,
    /// An opt-out not delivered in this time raises an alert.
    pub deliver_within: Duration,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where, relative to the config; none for no file.
    pub file: Option<String>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// Put aside at this size, in bytes.
    pub size: u64,
    /// Old ones kept.
    pub keep: usize,
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Thirteen months: a year can be held against the one before.
const HISTORY: Duration = Duration::from_secs(400 * 24 * 3600);
/// The lawful bases HubSpot knows (HubSpot contract §12).
pub(super) const LEGAL_BASES: [&str; 7] = [
    "LEGITIMATE_INTEREST_PQL",
    "LEGITIMATE_INTEREST_CLIENT",
    "LEGITIMATE_INTEREST_OTHER",
    "PERFORMANCE_OF_CONTRACT",
    "CONSENT_WITH_NOTICE",
    "PROCESS_AND_STORE",
    "NON_GDPR",
];

/// Checks a document. None only together with problems.
pub(super) fn check(document: schema::Document, problems: &mut Vec<Problem>) -> Option<Config> {
    let (segments, fields) = segments::check(&document, problems);
    let rules = rules::check(&document, segments, problems);
    let schema::Document {
        workspace,
        hubspot,
        mailchimp,
        sync,
        consent,
        notify,
        log,
        pull,
        api,
        webhooks,
        ..
    } = document;
    let hubspot = check_hubspot(hubspot, problems);
    let mailchimp = check_mailchimp(mailchimp, problems);
    let sync = check_sync(sync, problems);
    let consent = check_consent(consent, problems);
    let notify = notify::check(notify, problems);
    let log = check_log(log, problems);
    let pull = pull::check(pull, problems);
    let api = api::check(api, problems);
    let webhooks = webhooks::check(webhooks, api.as_ref(), problems);
    Some(Config {
        workspace: workspace.name.map_or_else(|| "default".to_owned(), |name| name.0),
        hubspot: hubspot?,
        mailchimp: mailchimp?,
        sync,
        consent,
        notify,
        log,
        pull,
        api,
        webhooks,
        rules: rules?,
        fields,
    })
}

fn check_hubspot(from: schema::HubSpot, problems: &mut Vec<Problem>) -> Option<HubSpot> {
    let token = required(
        "hubspot.token",
        from.token,
        "add `token = \"env:HUBSPOT_PRIVATE_TOKEN\"` under [hubspot]",
        problems,
    );
    let api_version = from.api_version.map_or_else(|| "2026-09".to_owned(), |version| version.0);
    let dated = api_version.strip_suffix("-beta").unwrap_or(&api_version);
    let is_date = dated.len() == 7
        && dated.chars().enumerate().all(|(at, c)| if at == 4 { c == '-' } else { c.is_ascii_digit() });
    if !is_date {
        problems.push(Problem::new(
            Code::ConfigValue,
            "hubspot.api_version",
            format!("`{api_version}` is no dated version"),
            "write it as \"2026-09\"",
        ));
    }
    let list_write_limit =
        between("hubspot.list_write_limit", from.list_write_limit, 500, 1, 100_000, problems);
    let requests_per_10s = from
        .requests_per_10s
        .map(|asked| between("hubspot.requests_per_10s", Some(asked), 100, 1, 1_000_000, problems));
    let base_url =
        address("hubspot.base_url", from.base_url, || "https://api.hubapi.com".to_owned(), problems);
    Some(HubSpot {
        token: token?.into(),
        api_version,
        base_url,
        portal_id: from.portal_id.map(|id| id.0),
        requests_per_10s: requests_per_10s.and_then(|asked| u32::try_from(asked).ok()),
        reserve: from.reserve.map_or(0.0, |Share(share)| share),
        list_write_limit: usize::try_from(list_write_limit).unwrap_or(500),
    })
}

fn check_mailchimp(from: schema::Mailchimp, problems: &mut Vec<Problem>) -> Option<Mailchimp> {
    let api_key = required(
        "mailchimp.api_key",
        from.api_key,
        "add `api_key = \"env:MAILCHIMP_API_KEY\"` under [mailchimp]",
        problems,
    );
    let audience = required(
        "mailchimp.audience",
        from.audience,
        "add `audience = \"…\"`: Mailchimp shows the id under Audience, Settings, Audience name and defaults",
        problems,
    );
    // 10 connections per user, one of them for opt-outs (Mailchimp contract §3).
    let connections = between("mailchimp.connections", from.connections, 8, 1, 9, problems);
    let batch_above = between("mailchimp.batch_above", from.batch_above, 20, 1, 1_000_000, problems);
    let prefix = from.server_prefix.map(|prefix| prefix.0).or_else(|| {
        // The part behind the key's last dash names the data centre; newer keys have none.
        let suffix = api_key.as_deref()?.rsplit_once('-')?.1.to_owned();
        suffix.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(suffix)
    });
    if prefix.as_deref().is_some_and(|prefix| !prefix.chars().all(|c| c.is_ascii_alphanumeric())) {
        problems.push(Problem::new(
            Code::ConfigValue,
            "mailchimp.server_prefix",
            "the server prefix holds more than letters and digits",
            "write it as \"us21\", or leave it out",
        ));
    }
    let base_url = address(
        "mailchimp.base_url",
        from.base_url,
        || match prefix {
            Some(prefix) => format!("https://{prefix}.api.mailchimp.com/3.0"),
            None => "https://api.mailchimp.com/3.0".to_owned(),
        },
        problems,
    );
    Some(Mailchimp {
        api_key: api_key?.into(),
        base_url,
        audience: audience?,
        connections: usize::try_from(connections).unwrap_or(8),
        batch_above: usize::try_from(batch_above).unwrap_or(20),
    })
}

fn check_sync(from: schema::Sync, problems: &mut Vec<Problem>) -> Sync {
    let apply = match from.apply.as_ref().map(|word| word.0.as_str()) {
        None | Some("never") => Apply::Never,
        Some("ask") => Apply::Ask,
        Some("always") => Apply::Always,
        Some(other) => {
            problems.push(Problem::new(
                Code::ConfigValue,
                "sync.apply",
                format!("`{other}` is no way to apply"),
                "write \"never\", \"ask\" or \"always\"",
            ));
            Apply::Never
        }
    };
    let retention = from.retention.map_or(90 * DAY, |Span(span)| span);
    let history = from.history.map_or(HISTORY.max(retention), |Span(span)| span);
    if history < retention {
        problems.push(Problem::new(
            Code::ConfigValue,
            "sync.history",
            "one line of a move cannot be kept for a shorter time than its details".to_owned(),
            "make sync.history at least as long as sync.retention",
        ));
    }
    Sync {
        every: from.every.map_or(8 * HOUR, |Span(span)| span),
        full_every: from.full_every.map_or(24 * HOUR, |Span(span)| span),
        apply,
        snapshots: from.snapshots.map_or(30 * DAY, |Span(span)| span),
        retention,
        history,
    }
}

fn check_consent(from: schema::Consent, problems: &mut Vec<Problem>) -> Consent {
    let legal_basis =
        from.legal_basis.map_or_else(|| "LEGITIMATE_INTEREST_OTHER".to_owned(), |basis| basis.0);
    if !LEGAL_BASES.contains(&legal_basis.as_str()) {
        problems.push(Problem::new(
            Code::ConfigValue,
            "consent.legal_basis",
            format!("HubSpot knows no legal basis `{legal_basis}`"),
            format!("write one of {}", LEGAL_BASES.join(", ")),
        ));
    }
    Consent {
        basis: OptOutBasis {
            legal_basis,
            explanation: from.explanation.map_or_else(|| "Opted out in Mailchimp".to_owned(), |text| text.0),
        },
        deliver_within: from.deliver_within.map_or(HOUR, |Span(span)| span),
    }
}

fn check_log(from: schema::Log, problems: &mut Vec<Problem>) -> Log {
    let level = from.level.map_or_else(|| "info".to_owned(), |level| level.0);
    if !["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
        problems.push(Problem::new(
            Code::ConfigValue,
            "log.level",
            format!("`{level}` is no level"),
            "write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ));
    }
    let size_mb = between("log.size_mb", from.size_mb, 10, 1, 10_000, problems);
    let keep = between("log.keep", from.keep, 5, 1, 1_000, problems);
    Log {
        file: from.file.map(|file| file.0).filter(|file| !file.is_empty()),
        level,
        size: size_mb << 20,
        keep: usize::try_from(keep).unwrap_or(5),
    }
}

/// A value that must be there and not be empty.
pub(super) fn required(
    key: &str,
    value: Option<Text>,
    way_out: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let found = value.map(|text| text.0).filter(|text| !text.is_empty());
    if found.is_none() {
        let name = key.rsplit('.').next().unwrap_or(key);
        problems.push(Problem::new(
            Code::ConfigMissing,
            key,
            format!("`{name}` is missing or empty"),
            way_out,
        ));
    }
    found
}

pub(super) fn between(
    key: &str,
    value: Option<Whole>,
    default: u64,
    least: u64,
    most: u64,
    problems: &mut Vec<Problem>,
) -> u64 {
    let Some(Whole(asked)) = value else { return default };
    if (least..=most).contains(&asked) {
        return asked;
    }
    problems.push(Problem::new(
        Code::ConfigValue,
        key,
        format!("{asked} is out of bounds"),
        format!("write a number from {least} to {most}, or leave it out for {default}"),
    ));
    default
}

/// An http(s) address without a slash at the end. The address itself is not shown: it may be a secret.
fn address(
    key: &str,
    value: Option<Text>,
    default: impl FnOnce() -> String,
    problems: &mut Vec<Problem>,
) -> String {
    let Some(Text(text)) = value else { return default() };
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            text.trim_end_matches('/').to_owned()
        }
        _ => {
            problems.push(Problem::new(
                Code::ConfigValue,
                key,
                "this is no http address",
                "write it as \"https://host/path\"",
            ));
            default()
        }
    }
}

/// A protection's default holds where the key is absent; `"none"` lifts it.
pub(super) fn limit<T>(value: Option<Limit<T>>, default: Option<T>) -> Option<T> {
    value.map_or(default, Limit::value)
}

/// A switch with a default.
pub(super) fn switch(value: Option<Truth>, default: bool) -> bool {
    value.map_or(default, |Truth(on)| on)
}
