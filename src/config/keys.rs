//! Every key of the config file, told once: the command `config explain`, the schema and its tests take it from here.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it stands; `[]` stands for each entry of a list, `*` for each name of a table: `group[].list[].tag`,
    /// `segments.*.where`.
    pub path: &'static str,
    /// What it does.
    pub what: &'static str,
    /// How a value is written.
    pub kind: Kind,
    /// What holds where it is absent; none where it must be given, or where absent means off (`what` says which).
    pub default: Option<&'static str>,
    /// The first version of hsmc that knows it.
    pub since: &'static str,
}

/// How a value is written. Any of them may be `env:NAME` or `file:PATH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text that is never shown.
    Secret,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number.
    Whole,
    /// A number from 0 to 1.
    Share,
    /// A whole number, or `none`.
    WholeOrNone,
    /// A number from 0 to 1, or `none`.
    ShareOrNone,
    /// `true` or `false`.
    Truth,
    /// A length of time.
    Span,
    /// A list of texts.
    Texts,
    /// A table of names and texts.
    Names,
}

impl Kind {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Kind::Text => "text".to_owned(),
            Kind::Secret => "text, never shown: write env:NAME or file:PATH".to_owned(),
            Kind::Word(words) => format!("one of {}", words.join(", ")),
            Kind::Whole => "a whole number".to_owned(),
            Kind::Share => "a number from 0 to 1".to_owned(),
            Kind::WholeOrNone => "a whole number, or \"none\"".to_owned(),
            Kind::ShareOrNone => "a number from 0 to 1, or \"none\"".to_owned(),
            Kind::Truth => "true or false".to_owned(),
            Kind::Span => "a length of time, such as 8h or 30d".to_owned(),
            Kind::Texts => "a list of texts".to_owned(),
            Kind::Names => "a table of names and texts".to_owned(),
        }
    }
}

const fn key(path: &'static str, kind: Kind, default: Option<&'static str>, what: &'static str) -> Key {
    Key { path, what, kind, default, since: "0.1.0" }
}

/// All keys, in the order of the example file.
pub const KEYS: &[Key] = &[
    key(
        "workspace.name",
        Kind::Text,
        Some("default"),
        "The workspace's name, in status, reports and notifications.",
    ),
    key("hubspot.token", Kind::Secret, None, "HubSpot's service key or private-app token. Must be given."),
    key(
        "hubspot.api_version",
        Kind::Text,
        Some("2026-09"),
        "The dated version of HubSpot's API in every path.",
    ),
    key("hubspot.base_url", Kind::Text, Some("https://api.hubapi.com"), "Where HubSpot's API is."),
    key(
        "hubspot.portal_id",
        Kind::Whole,
        None,
        "The only portal hsmc may work on; a token of another one is refused. Worth setting: without it, any will do.",
    ),
    key(
        "hubspot.requests_per_10s",
        Kind::Whole,
        None,
        "An upper bound of calls in ten seconds; without it the bound is learned from HubSpot's answers.",
    ),
    key(
        "hubspot.reserve",
        Kind::Share,
        Some("0"),
        "Share of the call budget left to the portal's other apps.",
    ),
    key("hubspot.list_write_limit", Kind::Whole, Some("500"), "Ids that one write to a list may carry."),
    key("mailchimp.api_key", Kind::Secret, None, "Mailchimp's API key. Must be given."),
    key(
        "mailchimp.base_url",
        Kind::Text,
        None,
        "Where Mailchimp's API is; without it, the key's suffix or server_prefix says.",
    ),
    key(
        "mailchimp.server_prefix",
        Kind::Text,
        None,
        "Mailchimp's data centre, such as us21, where the key has no suffix.",
    ),
    key("mailchimp.audience", Kind::Text, None, "The id of the audience to work on. Must be given."),
    key(
        "mailchimp.audience_cap",
        Kind::WholeOrNone,
        None,
        "A limit: no new member beyond this many subscribed ones (R7). Without it there is none.",
    ),
    key(
        "mailchimp.double_opt_in",
        Kind::Truth,
        Some("false"),
        "Whether new people are asked to confirm first (R4).",
    ),
    key(
        "mailchimp.connections",
        Kind::Whole,
        Some("8"),
        "Calls to Mailchimp at once, of the ten it allows; one more is kept for opt-outs.",
    ),
    key(
        "mailchimp.batch_above",
        Kind::Whole,
        Some("20"),
        "From this many single calls of one kind on they go as one asynchronous batch.",
    ),
    key("sync.every", Kind::Span, Some("8h"), "From one run of the daemon to the next."),
    key(
        "sync.full_every",
        Kind::Span,
        Some("24h"),
        "Everything is read again at least this often; runs between read what can have changed (R28b).",
    ),
    key(
        "sync.enroll_between",
        Kind::Text,
        None,
        "Hours and time zone in which mail may start, as 08:00-18:00 Europe/London. Without it, at any hour.",
    ),
    key(
        "sync.apply",
        Kind::Word(&["never", "ask", "always"]),
        Some("never"),
        "How far a run goes by itself: plans only, waits for a yes, or applies unless a gate asks (R25).",
    ),
    key(
        "sync.max_archives_per_run",
        Kind::WholeOrNone,
        Some("100"),
        "A limit: a plan that would archive more is trimmed, the oldest first.",
    ),
    key(
        "sync.max_changed_share",
        Kind::ShareOrNone,
        Some("0.25"),
        "A gate: a plan that touches a larger share of the audience asks first.",
    ),
    key("sync.snapshots", Kind::Span, Some("30d"), "How long what scans saw is kept (R28)."),
    key(
        "sync.retention",
        Kind::Span,
        Some("90d"),
        "How long the details of finished moves are kept; one line of each stays.",
    ),
    key(
        "sync.history",
        Kind::Span,
        Some("400d"),
        "How long one line of each finished move, runs in figures, and states that people have left are kept.",
    ),
    key(
        "sync.refresh_unsubscribed",
        Kind::Truth,
        Some("true"),
        "Whether merge fields of people who opted out are kept up to date (R8).",
    ),
    key(
        "exclusions.critical",
        Kind::Texts,
        Some("[]"),
        "HubSpot lists whose members are never marketed to; every group excludes them (R12).",
    ),
    key("group[].name", Kind::Text, None, "The group's name. Must be given."),
    key(
        "group[].exclude",
        Kind::Texts,
        Some("[]"),
        "HubSpot lists whose members are not marketed to by this group; must hold every critical one (R12).",
    ),
    key(
        "group[].precedence",
        Kind::Word(&["first", "latest"]),
        Some("first"),
        "Whether who has a tag keeps it, or the list that ranks first decides anew (R2).",
    ),
    key("group[].list[].id", Kind::Text, None, "A source list, by its HubSpot id. Must be given."),
    key(
        "group[].list[].tag",
        Kind::Text,
        None,
        "The entry tag of its people; \"list-name\" is the list's own name. Must be given.",
    ),
    key("group[].list[].also", Kind::Texts, Some("[]"), "Tags that its people get besides."),
    key(
        "group[].list[].override[].when",
        Kind::Text,
        None,
        "A condition on a contact's property, as branches > 1.",
    ),
    key("group[].list[].override[].tag", Kind::Text, None, "The entry tag of those for whom it holds."),
    key(
        "supplemental[].list",
        Kind::Text,
        None,
        "A list that only adds a tag to people who are synced anyway.",
    ),
    key("supplemental[].tag", Kind::Text, None, "The tag it adds."),
    key(
        "merge_fields",
        Kind::Names,
        Some("{}"),
        "Mailchimp merge fields, and the HubSpot property that fills each: FNAME = \"firstname\" (R8).",
    ),
    key(
        "source_tracking.import_list",
        Kind::Text,
        None,
        "A HubSpot property that gets the list a person came from, at handover. Without it, nothing is written.",
    ),
    key(
        "source_tracking.ori_lists",
        Kind::Text,
        None,
        "A HubSpot property that gets the ids of all source lists, at enrolment. Without it, nothing is written.",
    ),
    key(
        "handover_defaults.exempt_tags",
        Kind::Texts,
        Some("[]"),
        "Bearers of these tags are never handed over.",
    ),
    key(
        "handover_defaults.archive",
        Kind::Truth,
        Some("true"),
        "Whether who is handed over is archived in Mailchimp.",
    ),
    key(
        "handover_defaults.create_missing",
        Kind::Truth,
        Some("false"),
        "Whether people whom HubSpot does not know are created there (R18).",
    ),
    key(
        "handover[].exit_tag",
        Kind::Text,
        None,
        "The tag that says that a campaign is over for its bearer. Must be given.",
    ),
    key("handover[].to", Kind::Text, None, "The list they go to; without it they only leave."),
    key("handover[].from", Kind::Text, None, "The source list they leave."),
    key("handover[].also_leave", Kind::Texts, Some("[]"), "Further lists they leave."),
    key(
        "handover[].exempt_tags",
        Kind::Texts,
        None,
        "Instead of handover_defaults.exempt_tags, for this exit tag.",
    ),
    key("handover[].archive", Kind::Truth, None, "Instead of handover_defaults.archive, for this exit tag."),
    key(
        "handover[].create_missing",
        Kind::Truth,
        None,
        "Instead of handover_defaults.create_missing, for this exit tag.",
    ),
    key("protect.tags", Kind::Texts, Some("[]"), "Bearers of these tags are never archived or untagged."),
    key("protect.patterns", Kind::Texts, Some("[]"), "The same for tags that a regular expression finds."),
    key(
        "properties",
        Kind::Names,
        Some("{}"),
        "The type of contact properties of your own, for segments: text, number, truth, date or choice.",
    ),
    key(
        "segments.*.where",
        Kind::Text,
        None,
        "Who belongs to the segment of this name, as company contains \"chainge\" (docs/segments.md). Must be given.",
    ),
    key(
        "segments.*.feeds.tag",
        Kind::Text,
        None,
        "A Mailchimp tag that members of the segment bear while they are marketed to, and lose when they leave it.",
    ),
    key(
        "segments.*.feeds.merge_field",
        Kind::Text,
        None,
        "A merge field that says yes of members of the segment, and nothing of others; made when the audience lacks it.",
    ),
    key(
        "segments.*.feeds.list",
        Kind::Text,
        None,
        "A static HubSpot list that members of the segment are in while they are marketed to; it is used for nothing else.",
    ),
    key(
        "segments.*.feeds.starts_journeys",
        Kind::Truth,
        Some("false"),
        "Whether setting that tag may start customer journeys; without it the tag is set silently.",
    ),
    key(
        "consent.subscriptions",
        Kind::Texts,
        Some("all"),
        "\"all\", or the ids of the subscription types that an opt-out covers in HubSpot.",
    ),
    key(
        "consent.legal_basis",
        Kind::Word(&super::settings::LEGAL_BASES),
        Some("LEGITIMATE_INTEREST_OTHER"),
        "The lawful basis that HubSpot is told with an opt-out.",
    ),
    key(
        "consent.explanation",
        Kind::Text,
        Some("Opted out in Mailchimp"),
        "The explanation that HubSpot is told with an opt-out.",
    ),
    key(
        "consent.deliver_within",
        Kind::Span,
        Some("1h"),
        "An opt-out that has not reached the other side in this time raises an alert (R24).",
    ),
    key(
        "consent.bounce_property",
        Kind::Text,
        None,
        "A HubSpot property that is set to true for hard bounces (R22). Without it, nothing is written.",
    ),
    key(
        "notify.teams",
        Kind::Secret,
        None,
        "The address of a Teams workflow. Without it, Teams is told nothing.",
    ),
    key(
        "notify.slack",
        Kind::Secret,
        None,
        "The address of a Slack incoming webhook. Without it, Slack is told nothing.",
    ),
    key("notify.webhook", Kind::Secret, None, "Any address that takes JSON. Without it, nobody is told."),
    key(
        "notify.webhook_secret",
        Kind::Secret,
        None,
        "Signs what goes to `webhook`, by the Standard Webhooks specification. Without it, nothing is signed.",
    ),
    key(
        "notify.from",
        Kind::Word(&["note", "warning", "error"]),
        Some("warning"),
        "Alerts below this are told nobody; `hsmc status` shows them.",
    ),
    key(
        "notify.quiet",
        Kind::Span,
        Some("12h"),
        "The same alert is not told again for so long, unless it gets worse.",
    ),
    key(
        "notify.summary",
        Kind::Truth,
        Some("false"),
        "Tells each run in one line, as a note: with `from = \"note\"` (R29).",
    ),
    key(
        "notify.many_opt_outs",
        Kind::Whole,
        None,
        "From so many opt-outs in one run on they are an alert (R24). Absent: from 50, or 5 % of the audience if that is more.",
    ),
    key(
        "log.file",
        Kind::Text,
        None,
        "A file for logs, as JSON lines; relative to the config. Without it, they go to standard error only.",
    ),
    key(
        "log.level",
        Kind::Word(&["error", "warn", "info", "debug", "trace"]),
        Some("info"),
        "How much goes into the log file.",
    ),
    key("log.size_mb", Kind::Whole, Some("10"), "The log file is put aside at this size, in MiB."),
    key("log.keep", Kind::Whole, Some("5"), "How many log files put aside are kept."),
    key(
        "pull.every",
        Kind::Span,
        None,
        "How often a daemon pulls everything, at the lowest priority. Without it, only `hsmc pull` does.",
    ),
    key(
        "pull.overlap",
        Kind::Span,
        Some("5m"),
        "How far behind its watermark a pull reads again: HubSpot's search lags behind, and clocks differ.",
    ),
    key(
        "pull.object[].name",
        Kind::Text,
        None,
        "What `hsmc pull` calls this type of object. Without it, the type's own name.",
    ),
    key(
        "pull.object[].type",
        Kind::Text,
        None,
        "The type: contacts, companies, deals, appointments, or a custom object's id, such as 2-123456. Must be given.",
    ),
    key(
        "pull.object[].properties",
        Kind::Texts,
        None,
        "Properties the mirror keeps; \"*\" keeps all. Absent: the usual ones, of custom objects all.",
    ),
    key(
        "pull.association[].from",
        Kind::Text,
        None,
        "The type, or its name here, whose records are asked for what they are joined with. Must be given.",
    ),
    key(
        "pull.association[].to",
        Kind::Text,
        None,
        "The type, or its name here, they are joined with. Must be given.",
    ),
    key(
        "api.listen",
        Kind::Text,
        None,
        "Address and port at which a daemon answers over HTTP, as 127.0.0.1:4680. Without it, it does not.",
    ),
    key(
        "api.tls_cert",
        Kind::Text,
        None,
        "A certificate chain (PEM file, relative to the config); with tls_key.",
    ),
    key("api.tls_key", Kind::Text, None, "The certificate's private key (PEM file)."),
    key(
        "api.behind_proxy",
        Kind::Truth,
        Some("false"),
        "Lets it listen beyond this machine without TLS, because a proxy in front does that.",
    ),
    key("api.body_limit_kb", Kind::Whole, Some("256"), "The largest body of a request, in KiB."),
    key("api.requests_per_minute", Kind::Whole, Some("600"), "Requests that one token may make in a minute."),
    key("api.concurrency", Kind::Whole, Some("64"), "Requests answered at once, of everybody together."),
    key("api.answer_within", Kind::Span, Some("30s"), "An answer that takes longer is given up."),
    key(
        "webhooks.hubspot_secret",
        Kind::Secret,
        None,
        "The client secret of HubSpot's app, by which its webhooks are checked. Without it, none is taken.",
    ),
    key(
        "webhooks.mailchimp_secret",
        Kind::Secret,
        None,
        "The signing secret of Mailchimp's webhook. Without it, none is taken.",
    ),
    key(
        "webhooks.url",
        Kind::Text,
        None,
        "The API's address as both services call it, as https://sync.example.com; HubSpot signs it.",
    ),
];

/// The key at a path; numbers of entries are left out: `group[0].list[2].tag`.
pub fn at(path: &str) -> Option<&'static Key> {
    let general = general(path);
    KEYS.iter().find(|key| fits(key.path, &general)).or_else(|| {
        // Each name in a table of names is the table's.
        let (table, _) = general.rsplit_once('.')?;
        KEYS.iter().find(|key| key.path == table && key.kind == Kind::Names)
    })
}

/// The keys of a section: `api`, `group.list`; none where it is no section.
pub fn within(section: &str) -> Vec<&'static str> {
    let section = general(section);
    let is_within = |key: &&Key| {
        let rest = key.path.strip_prefix(&section);
        rest.is_some_and(|rest| rest.starts_with('.') || rest.starts_with("[]."))
    };
    KEYS.iter().filter(is_within).map(|key| key.path).collect()
}

/// Whether a path without numbers is of this key: `*` is any name.
fn fits(key: &str, path: &str) -> bool {
    let (mut key, mut path) = (key.split('.'), path.split('.'));
    loop {
        match (key.next(), path.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other || (one == "*" && !other.is_empty()) => {}
            _ => return false,
        }
    }
}

/// A path without the numbers of entries.
fn general(path: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside = (inside || c == '[') && c != ']';
        if !inside || c == '[' {
            text.push(c);
        }
    }
    text
}

/// The key that is likely meant by a path that is none.
pub fn nearest(path: &str) -> Option<&'static str> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let by_name = KEYS.iter().find(|key| key.path.rsplit('.').next() == Some(name));
    by_name.map(|key| key.path).or_else(|| {
        let paths: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        super::load::nearest(path, &paths)
    })
}
