//! `check`: the config and the accounts, looked at without changing anything (R27). Every finding has its
//! line and the way out.

use super::App;
use crate::config::Positions;
use crate::domain::code::Code;
use crate::domain::contact::{ListInfo, ListKind};
use crate::domain::failure::{CallFailure, RefusalCode};
use crate::domain::id::ListId;
use crate::domain::port::Priority;
use crate::domain::rules::TagSource;
use crate::domain::segment::{Fields, Rule};
use crate::domain::step::OptOutScope;
use crate::mirror::EVERYTHING;
use crate::serve::views::{CheckView, Finding, Severity};
use crate::sync::preflight::{self, way_out_of};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where each list stands in a config file: `hsmc.toml:31 group[0].list[1].id`.
pub fn list_places(config: &Path) -> BTreeMap<ListId, String> {
    let Ok(text) = crate::config::read_text(config) else { return BTreeMap::new() };
    let Ok(table) = text.parse::<toml::Table>() else { return BTreeMap::new() };
    let positions = Positions::of(&text);
    let name = config.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = BTreeMap::new();
    walk(&toml::Value::Table(table), String::new(), &mut |path, value| {
        if let Some(id) = value.as_str().and_then(|text| text.parse::<ListId>().ok())
            && ["id", "to", "from", "list", "exclude", "critical", "also_leave"]
                .iter()
                .any(|key| last_key(path) == *key)
        {
            let line = positions.line(path).map(|line| format!(":{line}")).unwrap_or_default();
            found.entry(id).or_insert_with(|| format!("{name}{line} {path}"));
        }
    });
    found
}

/// Where the keys stand that name the accounts, and what is read from them: a run that does not find it says which
/// to mend.
pub fn key_places(config: &Path) -> BTreeMap<String, String> {
    let text = crate::config::read_text(config).unwrap_or_default();
    let table = text.parse::<toml::Table>().unwrap_or_default();
    let fields = table.get("merge_fields").and_then(toml::Value::as_table);
    let fields = fields.into_iter().flat_map(|fields| fields.keys()).map(|tag| format!("merge_fields.{tag}"));
    let positions = Positions::of(&text);
    let name = config.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ["hubspot.token", "hubspot.portal_id", "mailchimp.api_key", "mailchimp.audience"]
        .into_iter()
        .map(str::to_owned)
        .chain(fields)
        .map(|key| {
            let line = positions.line(&key).map(|line| format!(":{line}")).unwrap_or_default();
            let place = format!("{name}{line} {key}");
            (key, place)
        })
        .collect()
}

fn last_key(path: &str) -> &str {
    let last = path.rsplit('.').next().unwrap_or(path);
    last.split('[').next().unwrap_or(last)
}

fn walk(value: &toml::Value, path: String, each: &mut impl FnMut(&str, &toml::Value)) {
    match value {
        toml::Value::Table(table) => {
            for (key, inner) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(inner, path, each);
            }
        }
        toml::Value::Array(array) => {
            for (index, inner) in array.iter().enumerate() {
                walk(inner, format!("{path}[{index}]"), each);
            }
        }
        leaf => each(&path, leaf),
    }
}

struct Findings<'a> {
    view: CheckView,
    file: &'a str,
    positions: Positions,
}

impl Findings<'_> {
    fn add(
        &mut self,
        (severity, code): (Severity, Code),
        key: &str,
        message: impl Into<String>,
        way_out: impl Into<String>,
    ) {
        self.find(severity, Some(code), key, message.into(), way_out.into());
    }

    /// What is worth knowing, and asks for nothing.
    fn note(&mut self, key: &str, message: impl Into<String>) {
        self.find(Severity::Note, None, key, message.into(), String::new());
    }

    fn find(&mut self, severity: Severity, code: Option<Code>, key: &str, message: String, way_out: String) {
        let line = self.positions.line(key).map(|line| format!(":{line}")).unwrap_or_default();
        let place = format!("{}{line} {key}", self.file);
        self.view.findings.push(Finding { severity, code, place, message, way_out });
    }

    fn failed(&mut self, key: &str, failure: &CallFailure) {
        let way_out =
            way_out_of(failure).unwrap_or("try again; see the service's status page if it stays so");
        self.add((Severity::Error, failure.code()), key, failure.to_string(), way_out);
    }
}

/// Looks at both accounts. The config itself has been read: what is wrong with it was told before.
pub async fn check(app: &App, config: &Path) -> CheckView {
    let text = crate::config::read_text(config).unwrap_or_default();
    let file = config.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let view = CheckView { checked: vec!["config".to_owned()], findings: Vec::new() };
    let mut findings = Findings { view, file: &file, positions: Positions::of(&text) };
    hubspot(app, &mut findings).await;
    mailchimp(app, &mut findings).await;
    for message in app.workspace.wrong_clock() {
        findings.view.findings.push(Finding {
            severity: Severity::Warning,
            code: Some(Code::ClockWrong),
            place: "this machine".to_owned(),
            message,
            way_out: "set it right, and let it be kept right by NTP".to_owned(),
        });
    }
    findings.view.findings.sort_by_key(|finding| finding.severity);
    findings.view
}

async fn hubspot(app: &App, findings: &mut Findings<'_>) {
    let crm = &app.workspace.shared.crm;
    findings.view.checked.push("HubSpot: token, portal".to_owned());
    // What cannot be read says nothing here; a run will tell.
    let known = preflight::portal_of(&app.workspace.shared.journal).unwrap_or_default();
    match crm.portal(Priority::Scan).await {
        Err(failure) => return findings.failed("hubspot.token", &failure),
        Ok(portal) if known.is_some_and(|known| known != portal.portal_id) => {
            let (found, state) = (portal.portal_id, app.state.display());
            return findings.add(
                (Severity::Error, Code::WrongPortal),
                "hubspot.token",
                format!("the token belongs to portal {found}, but {state} is about another one"),
                "use a token of that portal, or name another state directory with --state",
            );
        }
        Ok(portal) => match app.config.hubspot.portal_id {
            Some(wanted) if wanted != portal.portal_id => {
                let message =
                    format!("the token belongs to portal {}, the config names {wanted}", portal.portal_id);
                return findings.add(
                    (Severity::Error, Code::WrongPortal),
                    "hubspot.portal_id",
                    message,
                    "use a token of the portal named, or correct the number",
                );
            }
            Some(_) => {}
            None => findings.add(
                (Severity::Note, Code::PortalNotNamed),
                "hubspot",
                format!("the token belongs to portal {}", portal.portal_id),
                format!("write portal_id = {} to refuse any other", portal.portal_id),
            ),
        },
    }
    findings.view.checked.push("HubSpot: lists and their types".to_owned());
    let ids: Vec<ListId> = app.workspace.rules.all_lists().into_iter().collect();
    match crm.lists(Priority::Scan, &ids).await {
        Err(failure) => findings.failed("hubspot.token", &failure),
        Ok(lists) => check_lists(app, findings, &lists.into_iter().map(|list| (list.list, list)).collect()),
    }
    findings.view.checked.push("HubSpot: properties".to_owned());
    match crm.properties(Priority::Scan).await {
        Err(failure) => findings.failed("hubspot.token", &failure),
        Ok(definitions) => {
            let read_only: BTreeMap<&str, bool> = definitions
                .iter()
                .map(|definition| (definition.name.as_str(), definition.read_only))
                .collect();
            check_properties(app, findings, &read_only);
            check_segments(app, findings, &Fields::of_portal(&definitions));
        }
    }
    check_mirrored(app, findings).await;
    let wanted: BTreeSet<u64> = app
        .workspace
        .rules
        .opt_out_scopes
        .iter()
        .filter_map(|scope| match scope {
            OptOutScope::Subscription(id) => Some(*id),
            OptOutScope::All => None,
        })
        .collect();
    if !wanted.is_empty() {
        findings.view.checked.push("HubSpot: subscription types".to_owned());
        match crm.subscription_types(Priority::Scan).await {
            Err(failure) => findings.failed("consent.subscriptions", &failure),
            Ok(types) => {
                for id in wanted {
                    match types.iter().find(|kind| kind.id == id) {
                        Some(kind) if kind.usable => {}
                        Some(kind) => findings.add(
                            (Severity::Error, Code::SubscriptionType),
                            "consent.subscriptions",
                            format!("subscription type {id} (\"{}\") is inactive or internal", kind.name),
                            "name an active one, or \"all\"",
                        ),
                        None => findings.add(
                            (Severity::Error, Code::SubscriptionType),
                            "consent.subscriptions",
                            format!("the portal has no subscription type {id}"),
                            "name one of the portal's, or \"all\"",
                        ),
                    }
                }
            }
        }
    }
}

/// HubSpot leaves names that it does not know out in silence (HubSpot contract §7): the mirror would have a column that
/// is empty for ever.
async fn check_mirrored(app: &App, findings: &mut Findings<'_>) {
    for (index, object) in app.config.pull.objects.iter().enumerate() {
        if object.properties.is_empty() {
            continue;
        }
        let place = format!("pull.object[{index}].properties");
        findings.view.checked.push(format!("HubSpot: properties of {}", object.name));
        let known = match app.objects.object_properties(Priority::Scan, &object.kind).await {
            Ok(known) => known,
            Err(failure) => {
                findings.failed(&place, &failure);
                continue;
            }
        };
        let unknown = object.properties.iter().filter(|name| *name != EVERYTHING && !known.contains(name));
        for name in unknown {
            findings.add(
                (Severity::Error, Code::PropertyMissing),
                &place,
                format!("HubSpot's {} have no property {name}", object.name),
                "correct the name, or create the property",
            );
        }
    }
}

fn check_lists(app: &App, findings: &mut Findings<'_>, lists: &BTreeMap<ListId, ListInfo>) {
    for list in app.workspace.rules.all_lists() {
        let place =
            app.workspace.settings.places.get(&list).cloned().unwrap_or_else(|| format!("list {list}"));
        let mut add = |(severity, code), message: String, way_out: &str| {
            findings.view.findings.push(Finding {
                severity,
                code: Some(code),
                place: place.clone(),
                message,
                way_out: way_out.to_owned(),
            });
        };
        match lists.get(&list) {
            None => add(
                (Severity::Error, Code::ListMissing),
                format!("HubSpot has no list {list}"),
                "correct the id, or restore the list in HubSpot",
            ),
            Some(info) if !info.of_contacts => {
                add(
                    (Severity::Error, Code::ListNotOfContacts),
                    format!("list {list} (\"{}\") does not hold contacts", info.name),
                    "name a list of contacts",
                );
            }
            Some(info) if !info.complete => {
                add(
                    (Severity::Warning, Code::ListUnfinished),
                    format!("HubSpot is still building list {list} (\"{}\")", info.name),
                    "nobody is taken for gone until it is ready",
                );
            }
            Some(_) => {}
        }
    }
    let dynamic = |list: ListId| lists.get(&list).filter(|info| info.kind == ListKind::Dynamic);
    for (list, key) in app.workspace.rules.joined_lists() {
        if let Some(info) = dynamic(list) {
            findings.add(
                (Severity::Error, Code::ListDynamic),
                &key,
                format!("list {} (\"{}\") is dynamic: nobody can be added", info.list, info.name),
                "name a static list, or turn this one into one",
            );
        }
    }
    for (index, handover) in app.workspace.rules.handovers.iter().enumerate() {
        if let Some(info) = handover.from.and_then(dynamic) {
            findings.note(
                &format!("handover[{index}].from"),
                format!(
                    "list {} (\"{}\") is dynamic: HubSpot decides when people leave it",
                    info.list, info.name
                ),
            );
        }
    }
}

fn check_properties(app: &App, findings: &mut Findings<'_>, read_only: &BTreeMap<&str, bool>) {
    let rules = &app.workspace.rules;
    for (tag, property) in &rules.merge_fields {
        if !read_only.contains_key(property.as_str()) {
            findings.add(
                (Severity::Error, Code::PropertyMissing),
                &format!("merge_fields.{tag}"),
                format!("HubSpot has no contact property {property}"),
                "correct the name, or create the property",
            );
        }
    }
    for (key, name) in [
        ("source_tracking.import_list", &rules.import_list),
        ("source_tracking.ori_lists", &rules.ori_lists),
        ("consent.bounce_property", &rules.bounce_property),
    ] {
        let Some(name) = name else { continue };
        match read_only.get(name.as_str()) {
            Some(true) => findings.add(
                (Severity::Warning, Code::PropertyReadOnly),
                key,
                format!("property {name} is read-only in HubSpot: it is never written"),
                "name another property, or leave the key out",
            ),
            Some(false) => {}
            None if key == "consent.bounce_property" => findings.add(
                (Severity::Warning, Code::PropertyMissing),
                key,
                format!("HubSpot has no contact property {name}: bounces are not noted there"),
                "create it, or leave the key out",
            ),
            None => {
                findings.note(key, format!("property {name} does not exist yet: the first run creates it"))
            }
        }
    }
}

/// Each segment's rule once more, against the types and values that the portal's properties really have.
fn check_segments(app: &App, findings: &mut Findings<'_>, fields: &Fields) {
    for segment in &app.config.rules.segments {
        let Err(mistake) = Rule::read(&segment.rule.to_string(), fields) else { continue };
        let is_missing = segment.rule.properties().iter().any(|name| fields.get(name).is_none());
        let code = if is_missing { Code::PropertyMissing } else { Code::ConfigValue };
        findings.add(
            (Severity::Error, code),
            &format!("segments.{}.where", segment.name),
            mistake.told(),
            mistake.way_out,
        );
    }
}

async fn mailchimp(app: &App, findings: &mut Findings<'_>) {
    let audience = &app.workspace.shared.audience;
    findings.view.checked.push("Mailchimp: key, audience".to_owned());
    if let Err(failure) = audience.account(Priority::Scan).await {
        return findings.failed("mailchimp.api_key", &failure);
    }
    match audience.audience(Priority::Scan).await {
        Err(failure) => {
            let code = match failure.refusal {
                RefusalCode::NotFound => Code::AudienceMissing,
                _ => failure.code(),
            };
            return findings.add(
                (Severity::Error, code),
                "mailchimp.audience",
                failure.to_string(),
                "use the audience id of Audience › Settings › Audience name and defaults",
            );
        }
        Ok(info) => {
            // What cannot be read says nothing here; a run will tell.
            let known = preflight::audience_of(&app.workspace.shared.journal).unwrap_or_default();
            if let Some(known) = known.filter(|known| *known != app.config.mailchimp.audience) {
                findings.add(
                    (Severity::Error, Code::WrongAudience),
                    "mailchimp.audience",
                    format!("{} is about audience {known}", app.state.display()),
                    "name that audience, or another state directory with --state",
                );
            }
            if let Some(cap) = app.workspace.rules.audience_cap.filter(|cap| info.member_count >= *cap) {
                findings.add(
                    (Severity::Warning, Code::AudienceCap),
                    "mailchimp.audience_cap",
                    format!(
                        "the audience has {} subscribed members, the cap is {cap}: nobody new is added",
                        info.member_count
                    ),
                    "raise the cap, or archive members",
                );
            }
        }
    }
    findings.view.checked.push("Mailchimp: merge fields".to_owned());
    match audience.merge_fields(Priority::Scan).await {
        Err(failure) => findings.failed("mailchimp.audience", &failure),
        Ok(fields) => {
            for tag in app.workspace.rules.merge_tags() {
                if !fields.iter().any(|field| field.tag.eq_ignore_ascii_case(tag)) {
                    let filler =
                        app.workspace.rules.segments.iter().find(|one| one.fills.as_deref() == Some(tag));
                    findings.note(
                        &match filler {
                            Some(segment) => format!("segments.{}.feeds.merge_field", segment.name),
                            None => format!("merge_fields.{tag}"),
                        },
                        format!("merge field {tag} does not exist yet: the first run creates it"),
                    );
                }
            }
        }
    }
    findings.view.checked.push("Mailchimp: tags".to_owned());
    match audience.tags(Priority::Scan).await {
        Err(failure) => findings.failed("mailchimp.audience", &failure),
        Ok(tags) => {
            for (index, handover) in app.workspace.rules.handovers.iter().enumerate() {
                if !tags.iter().any(|tag| tag.name == handover.exit_tag) {
                    findings.add(
                        (Severity::Warning, Code::ExitTagUnknown),
                        &format!("handover[{index}].exit_tag"),
                        format!("nobody has ever borne exit tag \"{}\"", handover.exit_tag),
                        "check its spelling against the customer journey that sets it",
                    );
                }
            }
            let named = app.workspace.rules.groups.iter().enumerate().flat_map(|(group, all)| {
                all.lists.iter().enumerate().map(move |(list, source)| (group, list, source))
            });
            for (group, list, source) in named {
                if let TagSource::Name(name) = &source.tag
                    && !tags.iter().any(|tag| tag.name == *name)
                {
                    findings.note(
                        &format!("group[{group}].list[{list}].tag"),
                        format!("tag \"{name}\" does not exist yet: the first enrolment creates it"),
                    );
                }
            }
        }
    }
}
