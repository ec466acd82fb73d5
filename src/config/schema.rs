//! The keys of the config file, exactly as `docs/examples/agency.toml` shows them. Nothing here is
//! checked against anything else, not even that a key is there: that is for `settings` and `rules`, so
//! that all problems are told at once. An unknown key is refused.

use super::lenient::{Limit, Share, Span, Text, Truth, Whole};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub(super) workspace: Workspace,
    pub(super) hubspot: HubSpot,
    pub(super) mailchimp: Mailchimp,
    pub(super) sync: Sync,
    pub(super) exclusions: Exclusions,
    pub(super) group: Vec<Group>,
    pub(super) supplemental: Vec<Supplemental>,
    pub(super) merge_fields: BTreeMap<String, Text>,
    pub(super) source_tracking: SourceTracking,
    pub(super) handover_defaults: HandoverDefaults,
    pub(super) handover: Vec<Handover>,
    pub(super) protect: Protect,
    pub(super) properties: BTreeMap<String, Text>,
    pub(super) segments: BTreeMap<String, Segment>,
    pub(super) consent: Consent,
    pub(super) notify: Notify,
    pub(super) log: Log,
    pub(super) pull: Pull,
    pub(super) api: Api,
    pub(super) webhooks: Webhooks,
}

/// `[workspace]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Workspace {
    pub(super) name: Option<Text>,
}

/// `[hubspot]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HubSpot {
    pub(super) token: Option<Text>,
    pub(super) api_version: Option<Text>,
    pub(super) base_url: Option<Text>,
    pub(super) portal_id: Option<Whole>,
    pub(super) requests_per_10s: Option<Whole>,
    pub(super) reserve: Option<Share>,
    pub(super) list_write_limit: Option<Whole>,
}

/// `[mailchimp]`
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mailchimp {
    pub(super) api_key: Option<Text>,
    pub(super) base_url: Option<Text>,
    pub(super) server_prefix: Option<Text>,
    pub(super) audience: Option<Text>,
    pub(super) audience_cap: Option<Limit<Whole>>,
    pub(super) double_opt_in: Option<Truth>,
    pub(super) connections: Option<Whole>,
    pub(super) batch_above: Option<Whole>,
}

/// `[sync]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sync {
    pub(super) every: Option<Span>,
    pub(super) full_every: Option<Span>,
    pub(super) enroll_between: Option<Text>,
    pub(super) apply: Option<Text>,
    pub(super) max_archives_per_run: Option<Limit<Whole>>,
    pub(super) max_changed_share: Option<Limit<Share>>,
    pub(super) snapshots: Option<Span>,
    pub(super) retention: Option<Span>,
    pub(super) history: Option<Span>,
    pub(super) refresh_unsubscribed: Option<Truth>,
}

/// `[exclusions]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Exclusions {
    #[serde(default)]
    pub(super) critical: Vec<Text>,
}

/// `[[group]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: Option<Text>,
    #[serde(default)]
    pub(super) exclude: Vec<Text>,
    pub(super) precedence: Option<Text>,
    #[serde(default)]
    pub(super) list: Vec<SourceList>,
}

/// One entry of a group's `list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceList {
    pub(super) id: Option<Text>,
    pub(super) tag: Option<Text>,
    #[serde(default)]
    pub(super) also: Vec<Text>,
    #[serde(default, rename = "override")]
    pub(super) overrides: Vec<Override>,
}

/// One entry of a source list's `override`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    pub(super) when: Option<Text>,
    pub(super) tag: Option<Text>,
}

/// `[[supplemental]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Supplemental {
    pub(super) list: Option<Text>,
    pub(super) tag: Option<Text>,
}

/// `[source_tracking]`: a key that is absent switches its half off.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTracking {
    pub(super) import_list: Option<Text>,
    pub(super) ori_lists: Option<Text>,
}

/// `[handover_defaults]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandoverDefaults {
    pub(super) exempt_tags: Option<Vec<Text>>,
    pub(super) archive: Option<Truth>,
    pub(super) create_missing: Option<Truth>,
}

/// `[[handover]]`: what it does not say is taken from `[handover_defaults]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Handover {
    pub(super) exit_tag: Option<Text>,
    pub(super) to: Option<Text>,
    pub(super) from: Option<Text>,
    #[serde(default)]
    pub(super) also_leave: Vec<Text>,
    pub(super) exempt_tags: Option<Vec<Text>>,
    pub(super) archive: Option<Truth>,
    pub(super) create_missing: Option<Truth>,
}

/// `[protect]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Protect {
    #[serde(default)]
    pub(super) tags: Vec<Text>,
    #[serde(default)]
    pub(super) patterns: Vec<Text>,
}

/// `[segments.NAME]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Segment {
    #[serde(rename = "where")]
    pub(super) rule: Option<Text>,
    pub(super) feeds: Option<Feeds>,
}

/// `[segments.NAME.feeds]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Feeds {
    pub(super) tag: Option<Text>,
    pub(super) merge_field: Option<Text>,
    pub(super) list: Option<Text>,
    pub(super) starts_journeys: Option<Truth>,
}

/// `[consent]`
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Consent {
    pub(super) subscriptions: Option<Subscriptions>,
    pub(super) legal_basis: Option<Text>,
    pub(super) explanation: Option<Text>,
    pub(super) deliver_within: Option<Span>,
    pub(super) bounce_property: Option<Text>,
}

/// `"all"`, or a list of subscription type ids.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Subscriptions {
    Types(Vec<Text>),
    Word(Text),
}

/// `[notify]`: addresses of web hooks, each a secret, and what is told there.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Notify {
    pub(super) teams: Option<Text>,
    pub(super) slack: Option<Text>,
    pub(super) webhook: Option<Text>,
    pub(super) webhook_secret: Option<Text>,
    pub(super) from: Option<Text>,
    pub(super) quiet: Option<Span>,
    pub(super) summary: Option<Truth>,
    pub(super) many_opt_outs: Option<Whole>,
}

/// `[log]`: the log file; standard error has a log anyway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) file: Option<Text>,
    pub(super) level: Option<Text>,
    pub(super) size_mb: Option<Whole>,
    pub(super) keep: Option<Whole>,
}

/// `[pull]`: what the mirror holds of HubSpot.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pull {
    pub(super) every: Option<Span>,
    pub(super) overlap: Option<Span>,
    #[serde(default)]
    pub(super) object: Vec<PullObject>,
    #[serde(default)]
    pub(super) association: Vec<PullAssociation>,
}

/// `[[pull.object]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PullObject {
    pub(super) name: Option<Text>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Text>,
    #[serde(default)]
    pub(super) properties: Vec<Text>,
}

/// `[[pull.association]]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PullAssociation {
    pub(super) from: Option<Text>,
    pub(super) to: Option<Text>,
}

/// `[api]`: asking over HTTP; off where `listen` is absent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Api {
    pub(super) listen: Option<Text>,
    pub(super) tls_cert: Option<Text>,
    pub(super) tls_key: Option<Text>,
    pub(super) behind_proxy: Option<Truth>,
    pub(super) body_limit_kb: Option<Whole>,
    pub(super) requests_per_minute: Option<Whole>,
    pub(super) concurrency: Option<Whole>,
    pub(super) answer_within: Option<Span>,
}

/// `[webhooks]`: secrets that webhooks are checked by; off where there is none.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhooks {
    pub(super) hubspot_secret: Option<Text>,
    pub(super) mailchimp_secret: Option<Text>,
    pub(super) url: Option<Text>,
}
