//! What the config promises: the example loads as it stands, and every kind of mistake is told with
//! its line and the way out.

use super::*;
use crate::domain::id::ListId;
use crate::domain::rules::{Operator, Precedence, TagSource};
use crate::domain::step::OptOutScope;
use crate::domain::tag::TagName;
use secrecy::ExposeSecret;
use std::path::Path;
use std::time::Duration;

const AGENCY: &str = include_str!("../../tests/fixtures/agency.toml");

fn environment(extra: &[(&str, &str)]) -> Environment {
    let pairs = [("HUBSPOT_PRIVATE_TOKEN", "pat-synthetic"), ("MAILCHIMP_API_KEY", "key-us7")];
    pairs.iter().chain(extra).map(|(name, value)| (*name, *value)).collect()
}

fn read(text: &str, extra: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    load_text("hsmc.toml", text, Path::new("."), &environment(extra))
}

/// The messages for the agency's file with one line exchanged, or with lines added at the end.
fn complaints(old: &str, new: &str) -> Vec<String> {
    let text = if old.is_empty() { format!("{AGENCY}\n{new}\n") } else { AGENCY.replacen(old, new, 1) };
    assert_ne!(text, AGENCY, "nothing was exchanged");
    read(&text, &[]).unwrap_err().0.iter().map(ToString::to_string).collect()
}

fn line_of(part: &str) -> usize {
    AGENCY.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn the_agencys_file_loads_as_it_stands() {
    let config = read(AGENCY, &[]).unwrap();
    assert_eq!(config.workspace, "agency");
    assert_eq!(config.hubspot.token.expose_secret(), "pat-synthetic");
    assert_eq!(config.hubspot.base_url, "https://api.hubapi.com");
    assert_eq!(config.mailchimp.base_url, "https://us7.api.mailchimp.com/3.0");
    assert_eq!(config.mailchimp.connections, 8);
    assert_eq!(config.mailchimp.batch_above, 20);
    assert_eq!(config.sync.apply, Apply::Always);
    assert_eq!(config.sync.every, Duration::from_secs(8 * 3600));
    assert_eq!(config.consent.deliver_within, Duration::from_secs(3600));

    let rules = &config.rules;
    assert_eq!(rules.groups.len(), 3);
    let general = &rules.groups[0];
    assert_eq!(general.precedence, Precedence::First);
    assert_eq!(general.lists[1].tag, TagSource::Name(TagName::new("Recruitment")));
    assert_eq!(general.lists[1].overrides[0].when.operator, Operator::Greater);
    assert_eq!(rules.groups[1].lists[0].also, vec![TagName::new("Manual Inclusion")]);
    assert_eq!(rules.handovers.len(), 9);
    assert_eq!(rules.handovers[1].also_leave, vec![ListId(719)]);
    assert!(rules.handovers.iter().all(|handover| handover.archive && !handover.create_missing));
    assert_eq!(rules.handovers[0].exempt, vec![TagName::new("Manual Inclusion")]);
    assert_eq!(rules.handovers[7].to, None);
    assert_eq!(rules.audience_cap, Some(5000));
    assert_eq!(rules.max_archives_per_run, Some(100));
    assert_eq!(rules.max_changed_share, Some(0.25));
    assert_eq!(rules.import_list.as_deref(), Some("import_list"));
    assert_eq!(rules.ori_lists, None, "an absent key switches it off");
    assert_eq!(rules.opt_out_scopes, vec![OptOutScope::All]);
    assert_eq!(rules.protected_patterns.len(), 3);
}

#[test]
fn every_key_the_example_shows_as_a_comment_is_accepted() {
    let text: String = AGENCY
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.starts_with('[') || key.contains(" = ") => key,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let text = text
        + "\n[[supplemental]]\nlist = \"1100\"\ntag = \"Event\"\n[[handover]]\nexit_tag = \"X\"\narchive = false\nexempt_tags = []\ncreate_missing = true\n";
    let config = read(
        &text,
        &[
            ("TEAMS_WEBHOOK_URL", "https://example.com/hook"),
            ("SLACK_WEBHOOK_URL", "https://example.com/slack"),
            ("MAILCHIMP_SERVER_PREFIX", "us1"),
        ],
    )
    .unwrap();
    assert_eq!(config.hubspot.portal_id, Some(12_345_678));
    assert_eq!(
        config.rules.enroll_between.map(|window| window.to_string()).as_deref(),
        Some("08:00-18:00 Europe/London")
    );
    assert_eq!(config.rules.ori_lists.as_deref(), Some("ori_lists"), "as HubSpot keeps it");
    assert!(config.notify.teams.is_some());
    let last = config.rules.handovers.last().unwrap();
    assert!(!last.archive && last.create_missing && last.exempt.is_empty());
    assert_eq!(config.rules.supplemental[0].list, ListId(1100));
}

#[test]
fn the_two_copies_of_the_example_are_the_same() {
    assert_eq!(AGENCY, include_str!("../../docs/examples/agency.toml"));
}

#[test]
fn the_four_segments_that_are_shipped_load_beside_the_example() {
    let text = format!("{AGENCY}\n{}", include_str!("../../docs/examples/segments.toml"));
    let segments = read(&text, &[]).unwrap().rules.segments;
    let told: Vec<String> =
        segments.iter().map(|segment| format!("{}: {}", segment.name, segment.rule)).collect();
    assert_eq!(
        told,
        [
            "chainge: company contains \"chainge\"",
            "cold: lastmodifieddate not within 90d",
            "engaged: lastmodifieddate within 30d",
            "high_value: lifecyclestage in [customer, evangelist, opportunity]",
        ]
    );
}

#[test]
fn a_mistake_in_a_segment_is_told_with_its_line_and_place() {
    let first = AGENCY.lines().count() + 2;
    let told = |added: &str| complaints("", added);
    assert_eq!(
        told("[segments.cold]\nwhere = 'company within 90d'"),
        [format!(
            "hsmc.toml:{} segments.cold.where: `within` cannot be asked of `company`, which is text (character 9: \
             `within 90d`); write `company` with =, !=, in, contains, starts_with, ends_with, is_set or is_empty",
            first + 1
        )]
    );
    assert_eq!(
        told("[segments.many]\nwhere = 'branches > 1'\n[properties]\nbranches = \"text\""),
        [format!(
            "hsmc.toml:{} segments.many.where: `>` cannot be asked of `branches`, which is text (character 10: `> 1`); \
             write `branches` with =, !=, in, contains, starts_with, ends_with, is_set or is_empty",
            first + 1
        )]
    );
    assert_eq!(
        told("[segments.Cold]\nwhere = 'phone is_set'"),
        [format!(
            "hsmc.toml:{first} segments.Cold: `Cold` is no name for a segment; use small letters, digits, _ and -, \
             at most 40, a letter first"
        )]
    );
    assert!(told("[segments.cold]\n")[0].contains("`where` is missing or empty"));
    assert!(
        told("[properties]\nbranches = \"float\"")[0]
            .contains("write one of text, number, truth, date, choice")
    );
    let unknown = told("[segments.cold]\nwhen = 'phone is_set'");
    assert!(unknown.iter().any(|message| message.contains("hsmc knows no key `when` here")), "{unknown:?}");
}

#[test]
fn what_init_writes_loads() {
    let config = read(TEMPLATE, &[]).unwrap();
    assert_eq!(config.sync.apply, Apply::Never, "a new config changes nothing by itself");
    assert!(config.rules.groups.is_empty());
}

#[test]
fn the_environment_overrides_any_key_and_lifts_limits() {
    let config = read(
        AGENCY,
        &[
            ("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "100000"),
            ("HSMC_SYNC__MAX_CHANGED_SHARE", "1.0"),
            ("HSMC_HUBSPOT__BASE_URL", "http://127.0.0.1:4000/hubspot/"),
            ("HSMC_MAILCHIMP__AUDIENCE_CAP", "none"),
            ("HSMC_MAILCHIMP__AUDIENCE", "123456"),
            ("HSMC_MAILCHIMP__DOUBLE_OPT_IN", "true"),
            ("HSMC_EXCLUSIONS__CRITICAL", "[762]"),
            ("HSMC_MERGE_FIELDS__FNAME", "nickname"),
            ("HSMC_OTHER", "is none of ours"),
        ],
    )
    .unwrap();
    assert_eq!(config.rules.max_archives_per_run, Some(100_000));
    assert_eq!(config.rules.max_changed_share, Some(1.0));
    assert_eq!(config.hubspot.base_url, "http://127.0.0.1:4000/hubspot");
    assert_eq!(config.rules.audience_cap, None);
    assert_eq!(config.mailchimp.audience, "123456");
    assert!(config.rules.double_opt_in);
    assert_eq!(config.rules.critical, vec![ListId(762)]);
    assert_eq!(config.rules.merge_fields["FNAME"], "nickname");
}

#[test]
fn limits_left_out_keep_their_safe_defaults() {
    let text = AGENCY.replace("max_archives_per_run = 100 ", "# ").replace("max_changed_share = 0.25 ", "# ");
    let rules = read(&text, &[]).unwrap().rules;
    assert_eq!((rules.max_archives_per_run, rules.max_changed_share), (Some(100), Some(0.25)));
}

#[test]
fn a_wrong_override_is_told_by_its_variable() {
    let error = read(AGENCY, &[("HSMC_SYNC__APPLY", "maybe")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "HSMC_SYNC__APPLY sync.apply: `maybe` is no way to apply; write \"never\", \"ask\" or \"always\""
    );
}

#[test]
fn the_line_of_a_move_is_kept_at_least_as_long_as_its_details() {
    let kept = |keys: &[(&'static str, &str)]| {
        read(AGENCY, keys).map(|config| config.sync.history.as_secs() / 86_400)
    };
    assert_eq!(kept(&[]).unwrap(), 400);
    assert_eq!(
        kept(&[("HSMC_SYNC__RETENTION", "500d")]).unwrap(),
        500,
        "as long as the details, where nothing is said"
    );
    let error = kept(&[("HSMC_SYNC__HISTORY", "30d")]).unwrap_err();
    assert!(error.to_string().contains("make sync.history at least as long as sync.retention"), "{error}");
}

#[test]
fn a_variable_that_is_not_set_is_named_with_its_key() {
    let error = load_text("hsmc.toml", AGENCY, Path::new("."), &Environment::default()).unwrap_err();
    let line = line_of("token =");
    assert_eq!(error.0.len(), 2, "{error}");
    assert_eq!(
        error.0[0].to_string(),
        format!(
            "hsmc.toml:{line} hubspot.token: the environment variable HUBSPOT_PRIVATE_TOKEN is not set; set HUBSPOT_PRIVATE_TOKEN before hsmc is started, or write the value as \"file:PATH\""
        )
    );
}

#[test]
fn a_value_can_stand_in_a_file_beside_the_config() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "pat-from-file\nsecond line\n").unwrap();
    let text = AGENCY.replace("env:HUBSPOT_PRIVATE_TOKEN", "file:token");
    let config = load_text("hsmc.toml", &text, folder.path(), &environment(&[])).unwrap();
    assert_eq!(config.hubspot.token.expose_secret(), "pat-from-file");
    let text = AGENCY.replace("env:HUBSPOT_PRIVATE_TOKEN", "file:missing");
    let error = load_text("hsmc.toml", &text, folder.path(), &environment(&[])).unwrap_err();
    assert!(error.to_string().contains("hubspot.token"), "{error}");
}

#[test]
fn no_secret_is_ever_printed() {
    let config = read(AGENCY, &[]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("pat-synthetic") && !shown.contains("key-us7"), "{shown}");

    // A token where a number belongs: the message must not show it.
    let text = AGENCY.replace("audience_cap = 5000", "audience_cap = \"env:MAILCHIMP_API_KEY\"");
    let error = read(&text, &[]).unwrap_err().to_string();
    assert!(error.contains("mailchimp.audience_cap") && !error.contains("key-us7"), "{error}");
}

#[test]
fn all_problems_of_a_file_are_told_together_in_its_order() {
    let text = AGENCY
        .replace("every = \"8h\"", "every = \"often\"")
        .replace("connections = 8", "conections = 8")
        .replace("to = \"1006\"", "to = \"list\"");
    let errors = read(&text, &[]).unwrap_err();
    let keys: Vec<&str> = errors.0.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["mailchimp.conections", "sync.every", "handover[6].to"]);
    assert_eq!(errors.0[0].way_out, "did you mean `connections`?");
    assert_eq!(errors.0[2].line, Some(line_of("to = \"1006\"")));
}

#[test]
fn a_file_that_is_no_toml_names_the_line() {
    let error = read("[sync]\nevery = \n", &[]).unwrap_err();
    assert_eq!(error.0[0].line, Some(2), "{error}");
}

#[test]
fn a_missing_file_says_how_to_make_one() {
    let error = load(Path::new("no-such-folder/hsmc.toml"), &Environment::default()).unwrap_err();
    assert!(error.to_string().contains("hsmc init"), "{error}");
}

#[test]
fn each_class_of_mistake_names_its_key_and_what_is_wrong() {
    let general = "exclude = [\"762\", \"773\", \"717\"]";
    let cases = [
        (
            general,
            "exclude = [\"762\"]",
            "group[0].exclude: the group `general-marketing` lacks the critical exclusion list 773",
        ),
        ("{ id = \"969\"", "{ id = \"762\"", "list 762 is a critical exclusion list and cannot be a source"),
        ("{ id = \"969\"", "{ id = \"717\"", "list 717 is both a source and an exclusion list"),
        ("{ id = \"969\"", "{ id = \"719\"", "list 719 stands twice in the group `general-marketing`"),
        ("{ id = \"969\"", "{ id = \"nine\"", "group[0].list[0].id: `nine` is no list id"),
        (
            "tag = \"Sanctioned\"",
            "label = \"Sanctioned\"",
            "group[0].list[0].label: hsmc knows no key `label` here",
        ),
        ("tag = \"Sanctioned\"", "tag = \"\"", "group[0].list[0].tag: `tag` is missing or empty"),
        ("\"branches > 1\"", "\"branches like 1\"", "group[0].list[1].override[0].when: "),
        ("audience = \"aud0000001\"", "", "mailchimp.audience: `audience` is missing or empty"),
        (
            "double_opt_in = false",
            "double_opt_in = \"perhaps\"",
            "mailchimp.double_opt_in: `perhaps` is neither true nor false",
        ),
        ("connections = 8", "connections = 10", "mailchimp.connections: 10 is out of bounds"),
        (
            "api_version = \"2026-09\"",
            "api_version = \"v3\"",
            "hubspot.api_version: `v3` is no dated version",
        ),
        (
            "max_changed_share = 0.25",
            "max_changed_share = 25",
            "sync.max_changed_share: `25` is neither a share between 0 and 1 nor \"none\"",
        ),
        (
            "full_every = \"24h\"",
            "enroll_between = \"8-18 Europe/London\"",
            "sync.enroll_between: `8` is no time of day",
        ),
        (
            "full_every = \"24h\"",
            "enroll_between = \"08:00-18:00 Europe/Nowhere\"",
            "`Europe/Nowhere` is no time zone",
        ),
        (
            "exit_tag = \"General Multi Finished\"",
            "exit_tag = \"General Single Finished\"",
            "the exit tag \"General Single Finished\" has two handovers",
        ),
        (
            "exit_tag = \"General Multi Finished\"",
            "exit_tag = \"recruitment\"",
            "\"recruitment\" is also an entry tag",
        ),
        ("to = \"947\"", "to = \"720\"", "handover[2].to: list 720 is a source list"),
        ("\"^Team_\"", "\"^Team_(\"", "protect.patterns[2]: `^Team_(` is no regular expression"),
        ("FNAME = \"firstname\"", "EMAIL = \"email\"", "merge_fields.EMAIL: `EMAIL` is no merge field"),
        (
            "subscriptions = \"all\"",
            "subscriptions = [\"x\"]",
            "consent.subscriptions[0]: `x` is no id in digits",
        ),
        (
            "LEGITIMATE_INTEREST_OTHER",
            "BECAUSE",
            "consent.legal_basis: HubSpot knows no legal basis `BECAUSE`",
        ),
        ("name = \"long-term\"", "name = \"manual-override\"", "two groups are called `manual-override`"),
        ("name = \"long-term\"", "precedence = \"last\"", "group[2].precedence: `last` is no precedence"),
        ("name = \"long-term\"", "precedence = \"latest\"", "group[2].name: `name` is missing or empty"),
        ("", "[[supplemental]]\nlist = \"1\"", "supplemental[0].tag: `tag` is missing or empty"),
        ("", "[extra]\nx = 1", "extra: hsmc knows no key `extra` here"),
        ("", "[notify]\nteams = \"nowhere\"", "notify.teams: this is no web address"),
        ("", "[notify]\nslack = \"http://example.com/hook\"", "notify.slack: this address is not encrypted"),
        ("", "[notify]\nwebhook_secret = \"sesame\"", "notify.webhook_secret: there is no `webhook`"),
        ("", "[notify]\nfrom = \"fatal\"", "notify.from: `fatal` is no severity"),
    ];
    for (old, new, expected) in cases {
        let found = complaints(old, new);
        assert!(found.iter().any(|message| message.contains(expected)), "{new}: {found:#?}");
        assert!(found.iter().all(|message| message.starts_with("hsmc.toml:")), "no line: {found:#?}");
    }
}

#[test]
fn an_unknown_key_that_ends_in_a_digit_is_all_that_is_complained_about() {
    for (old, new, key) in [
        ("", "[sync2]\nx = 1", "sync2"),
        ("every = \"8h\"", "every = \"8h\"\nevery2 = \"1h\"", "sync.every2"),
        ("tag = \"Sanctioned\"", "tag = \"Sanctioned\", tag2 = \"x\"", "group[0].list[0].tag2"),
    ] {
        let found = complaints(old, new);
        assert_eq!(found.len(), 1, "{key}: {found:#?}");
        assert!(found[0].contains(&format!("{key}: hsmc knows no key")), "{found:#?}");
    }
}

#[test]
fn the_fingerprint_follows_the_rules_and_nothing_else() {
    let base = read(AGENCY, &[]).unwrap().fingerprint();
    assert_eq!(base, read(AGENCY, &[("HSMC_SYNC__EVERY", "1h")]).unwrap().fingerprint());
    let other = AGENCY.replace("tag = \"Sanctioned\"", "tag = \"Sanctioned 2\"");
    assert_ne!(base, read(&other, &[]).unwrap().fingerprint());
}

#[test]
fn notify_takes_encrypted_addresses_and_those_of_this_machine_and_tells_warnings_without_summaries() {
    for address in
        ["https://example.com/a?sig=b", "http://127.0.0.1:9/a", "http://[::1]/a", "http://localhost/a"]
    {
        let config = read(&format!("{AGENCY}\n[notify]\nwebhook = \"{address}\"\n"), &[]).unwrap();
        assert_eq!(config.notify.webhook.unwrap().expose_secret(), address);
    }
    let notify = read(AGENCY, &[]).unwrap().notify;
    assert_eq!((notify.from, notify.summary), (crate::domain::alert::Severity::Warning, false));
    assert_eq!((notify.quiet, notify.many_opt_outs), (Duration::from_secs(12 * 3600), None));
}

#[test]
fn a_fed_tag_is_nobody_elses() {
    let feeding = |name: &str, rule: &str, tag: &str| {
        format!("[segments.{name}]\nwhere = '{rule}'\nfeeds = {{ tag = \"{tag}\" }}\n")
    };
    let told = |added: &str| complaints("", added).join("\n");
    let text = format!("{AGENCY}\n{}", feeding("cold", "company is_set", "Cold"));
    let feeds = read(&text, &[]).unwrap().rules.segments.remove(0).feeds.unwrap();
    assert_eq!((feeds.tag, feeds.starts_journeys), (TagName::new("Cold"), false));
    for (tag, also) in [
        ("General Multi", "an entry tag too"),
        ("recruitment finished", "an exit tag too"),
        ("Manual_x", "protected: it would never be taken off"),
    ] {
        let message = told(&feeding("cold", "company is_set", tag));
        assert!(message.contains(also) && message.contains("segments.cold.feeds.tag"), "{message}");
    }
    let twice = feeding("a", "company is_set", "Cold") + &feeding("b", "phone is_set", "cold");
    assert!(told(&twice).contains("fed by segment a too"));
    let round = feeding("a", "not has tag Two", "One") + &feeding("b", "company is_set", "Two");
    assert!(told(&round).contains("asks about tag \"Two\", which a segment feeds"));
    assert!(
        told("[segments.cold]\nwhere = 'company is_set'\nfeeds = { }").contains("`tag` is missing or empty")
    );
}

#[test]
fn a_fed_list_is_nobody_elses() {
    let feeding = |name: &str, rule: &str, list: &str| {
        format!("[segments.{name}]\nwhere = '{rule}'\nfeeds = {{ list = \"{list}\" }}\n")
    };
    let text = format!("{AGENCY}\n{}", feeding("cold", "company is_set", "4711"));
    let segment = read(&text, &[]).unwrap().rules.segments.remove(0);
    assert_eq!((segment.feeds, segment.fills, segment.list), (None, None, Some(ListId(4711))));
    let told = |added: &str| complaints("", added).join("\n");
    for (list, also) in [
        ("720", "a source list too"),
        ("762", "an exclusion list too"),
        ("946", "a destination too"),
        ("x9", "`x9` is no list id"),
    ] {
        let message = told(&feeding("cold", "company is_set", list));
        assert!(message.contains(also) && message.contains("segments.cold.feeds.list"), "{message}");
    }
    let twice = feeding("a", "company is_set", "4711") + &feeding("b", "phone is_set", "4711");
    assert!(told(&twice).contains("list 4711 is fed by another segment too"));
    let round = feeding("a", "not in list 4712", "4711") + &feeding("b", "company is_set", "4712");
    assert!(told(&round).contains("asks about list 4712, which a segment feeds"));
}

#[test]
fn a_merge_field_is_filled_by_one_segment_or_property() {
    let filling = |name: &str, field: &str| {
        format!("[segments.{name}]\nwhere = 'company is_set'\nfeeds = {{ merge_field = \"{field}\" }}\n")
    };
    let text = format!("{AGENCY}\n{}", filling("cold", "COLD"));
    let segment = read(&text, &[]).unwrap().rules.segments.remove(0);
    assert_eq!((segment.feeds, segment.fills.as_deref()), (None, Some("COLD")));
    let told = |added: &str| complaints("", added).join("\n");
    assert!(told(&filling("cold", "FNAME")).contains("merge field FNAME is filled twice"));
    assert!(told(&(filling("a", "COLD") + &filling("b", "COLD"))).contains("segments.b.feeds.merge_field"));
    for field in ["cold", "EMAIL", "", "A_LONG_NAME"] {
        assert!(told(&filling("cold", field)).contains("is no merge field that can be written"), "{field}");
    }
}
