//! From the document to the rule set, with every check that looks at more than one key.

use super::condition;
use super::error::Problem;
use super::lenient::{Share, Text, Whole};
use super::schema::{self, Document, Subscriptions};
use super::segments::feeds_fit_together;
use super::settings::{limit, required, switch};
use crate::domain::code::Code;
use crate::domain::id::ListId;
use crate::domain::rules::{
    Group, Handover, Precedence, RuleSet, SourceList, Supplemental, TagOverride, TagSource,
};
use crate::domain::segment::Segment;
use crate::domain::step::OptOutScope;
use crate::domain::tag::TagName;
use crate::domain::window::EnrollWindow;
use std::collections::{BTreeMap, BTreeSet};

/// The rule set of a document. None only together with problems.
pub(super) fn check(
    document: &Document,
    segments: Vec<Segment>,
    problems: &mut Vec<Problem>,
) -> Option<RuleSet> {
    let before = problems.len();
    let critical = list_ids("exclusions.critical", &document.exclusions.critical, problems);
    let groups = groups(document, problems);
    let handovers = handovers(document, problems);
    let supplemental = supplemental(document, problems);
    let protected_patterns = patterns(&document.protect, problems);
    let merge_fields = merge_fields(&document.merge_fields, problems);
    let opt_out_scopes = scopes(document.consent.subscriptions.as_ref(), problems);
    let rules = RuleSet {
        groups,
        critical,
        handovers,
        supplemental,
        segments,
        protected_tags: tags(&document.protect.tags),
        protected_patterns,
        merge_fields,
        import_list: property("source_tracking.import_list", &document.source_tracking.import_list, problems),
        ori_lists: property("source_tracking.ori_lists", &document.source_tracking.ori_lists, problems),
        opt_out_scopes,
        bounce_property: property("consent.bounce_property", &document.consent.bounce_property, problems),
        double_opt_in: switch(document.mailchimp.double_opt_in, false),
        audience_cap: limit(document.mailchimp.audience_cap, None).map(|Whole(cap)| cap),
        max_archives_per_run: limit(document.sync.max_archives_per_run, Some(Whole(100)))
            .map(|Whole(most)| most),
        max_changed_share: limit(document.sync.max_changed_share, Some(Share(0.25)))
            .map(|Share(share)| share),
        enroll_between: window(document.sync.enroll_between.as_ref(), problems),
        refresh_unsubscribed: switch(document.sync.refresh_unsubscribed, true),
    };
    groups_fit_together(&rules, problems);
    handovers_fit_together(&rules, problems);
    feeds_fit_together(&rules, problems);
    (problems.len() == before).then_some(rules)
}

/// R10a.
fn window(text: Option<&Text>, problems: &mut Vec<Problem>) -> Option<EnrollWindow> {
    match text?.0.parse() {
        Ok(window) => Some(window),
        Err(what) => {
            problems.push(Problem::new(
                Code::ConfigValue,
                "sync.enroll_between",
                what,
                "write it as \"08:00-18:00 Europe/London\"",
            ));
            None
        }
    }
}

fn groups(document: &Document, problems: &mut Vec<Problem>) -> Vec<Group> {
    let mut groups = Vec::new();
    for (index, group) in document.group.iter().enumerate() {
        let key = format!("group[{index}]");
        let name = required(
            &format!("{key}.name"),
            group.name.clone(),
            "add `name = \"…\"` to the [[group]]",
            problems,
        );
        if group.list.is_empty() {
            problems.push(Problem::new(
                Code::ConfigMissing,
                format!("{key}.list"),
                "the group has no source list",
                "add `list = [{ id = \"…\", tag = \"…\" }]`, or take the group out",
            ));
        }
        let precedence = match group.precedence.as_ref().map(|word| word.0.as_str()) {
            None | Some("first") => Precedence::First,
            Some("latest") => Precedence::Latest,
            Some(other) => {
                problems.push(Problem::new(
                    Code::ConfigValue,
                    format!("{key}.precedence"),
                    format!("`{other}` is no precedence"),
                    "write \"first\" (the first tag stays) or \"latest\"",
                ));
                Precedence::First
            }
        };
        let lists = group
            .list
            .iter()
            .enumerate()
            .map(|(at, list)| source_list(&format!("{key}.list[{at}]"), list, problems))
            .collect();
        groups.push(Group {
            name: name.unwrap_or_default(),
            exclude: list_ids(&format!("{key}.exclude"), &group.exclude, problems),
            precedence,
            lists,
        });
    }
    groups
}

fn source_list(key: &str, from: &schema::SourceList, problems: &mut Vec<Problem>) -> SourceList {
    let tag = match tag(&format!("{key}.tag"), from.tag.as_ref(), problems) {
        name if name.as_str() == "list-name" => TagSource::ListName,
        name => TagSource::Name(name),
    };
    let mut overrides = Vec::new();
    for (at, over) in from.overrides.iter().enumerate() {
        let key = format!("{key}.override[{at}]");
        let tag = tag_named(&format!("{key}.tag"), over.tag.as_ref(), problems);
        let when = over.when.as_ref().map_or("", |text| text.0.as_str());
        match condition::parse(when) {
            Ok(when) => overrides.push(TagOverride { when, tag }),
            Err(what) => {
                problems.push(Problem::new(Code::ConfigValue, format!("{key}.when"), what, condition::FORMS))
            }
        }
    }
    SourceList {
        list: list_id(&format!("{key}.id"), from.id.as_ref(), problems),
        tag,
        overrides,
        also: tags(&from.also),
    }
}

fn handovers(document: &Document, problems: &mut Vec<Problem>) -> Vec<Handover> {
    let defaults = &document.handover_defaults;
    let no_tags = Vec::new();
    let mut handovers = Vec::new();
    for (index, from) in document.handover.iter().enumerate() {
        let key = format!("handover[{index}]");
        let mut optional = |name: &str, id: &Option<Text>| {
            id.as_ref().map(|id| list_id(&format!("{key}.{name}"), Some(id), problems))
        };
        let to = optional("to", &from.to);
        let source = optional("from", &from.from);
        handovers.push(Handover {
            exit_tag: tag_named(&format!("{key}.exit_tag"), from.exit_tag.as_ref(), problems),
            to,
            from: source,
            also_leave: list_ids(&format!("{key}.also_leave"), &from.also_leave, problems),
            archive: switch(from.archive.or(defaults.archive), true),
            exempt: tags(from.exempt_tags.as_ref().or(defaults.exempt_tags.as_ref()).unwrap_or(&no_tags)),
            create_missing: switch(from.create_missing.or(defaults.create_missing), false),
        });
    }
    handovers
}

fn supplemental(document: &Document, problems: &mut Vec<Problem>) -> Vec<Supplemental> {
    document
        .supplemental
        .iter()
        .enumerate()
        .map(|(index, from)| Supplemental {
            list: list_id(&format!("supplemental[{index}].list"), from.list.as_ref(), problems),
            tag: tag_named(&format!("supplemental[{index}].tag"), from.tag.as_ref(), problems),
        })
        .collect()
}

fn patterns(protect: &schema::Protect, problems: &mut Vec<Problem>) -> Vec<regex::Regex> {
    let mut patterns = Vec::new();
    for (index, pattern) in protect.patterns.iter().enumerate() {
        match regex::Regex::new(&pattern.0) {
            Ok(regex) => patterns.push(regex),
            Err(_) => problems.push(Problem::new(
                Code::ConfigValue,
                format!("protect.patterns[{index}]"),
                format!("`{}` is no regular expression", pattern.0),
                "mend it, or put the whole tag under `tags`",
            )),
        }
    }
    patterns
}

fn merge_fields(from: &BTreeMap<String, Text>, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (field, source) in from {
        let key = format!("merge_fields.{field}");
        problems.extend(unwritable(&key, field));
        if let Some(name) = property(&key, &Some(source.clone()), problems) {
            fields.insert(field.clone(), name);
        }
    }
    fields
}

/// Why a merge field cannot be written.
pub(super) fn unwritable(key: &str, field: &str) -> Option<Problem> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let well_formed = (1..=10).contains(&field.len()) && field.chars().all(plain) && field != "EMAIL";
    (!well_formed).then(|| {
        Problem::new(
            Code::ConfigValue,
            key,
            format!("`{field}` is no merge field that can be written"),
            "write up to 10 upper-case letters, digits or underscores; the address is kept by itself",
        )
    })
}

fn scopes(from: Option<&Subscriptions>, problems: &mut Vec<Problem>) -> Vec<OptOutScope> {
    const KEY: &str = "consent.subscriptions";
    const WAY_OUT: &str = "write \"all\", or a list of subscription type ids in digits";
    match from {
        None => vec![OptOutScope::All],
        Some(Subscriptions::Word(word)) if word.0 == "all" => vec![OptOutScope::All],
        Some(Subscriptions::Word(word)) => {
            problems.push(Problem::new(
                Code::ConfigValue,
                KEY,
                format!("`{}` is no set of subscriptions", word.0),
                WAY_OUT,
            ));
            Vec::new()
        }
        Some(Subscriptions::Types(types)) => {
            if types.is_empty() {
                problems.push(Problem::new(Code::ConfigMissing, KEY, "no subscription is named", WAY_OUT));
            }
            let mut scopes = Vec::new();
            for (index, id) in types.iter().enumerate() {
                match digits(&id.0) {
                    Some(id) => scopes.push(OptOutScope::Subscription(id)),
                    None => problems.push(Problem::new(
                        Code::ConfigValue,
                        format!("{KEY}[{index}]"),
                        format!("`{}` is no id in digits", id.0),
                        WAY_OUT,
                    )),
                }
            }
            scopes
        }
    }
}

/// Groups against exclusions, and lists against each other.
fn groups_fit_together(rules: &RuleSet, problems: &mut Vec<Problem>) {
    let mut names = BTreeSet::new();
    for (index, group) in rules.groups.iter().enumerate() {
        let key = format!("group[{index}]");
        if !group.name.is_empty() && !names.insert(&group.name) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.name"),
                format!("two groups are called `{}`", group.name),
                "give each group a name of its own",
            ));
        }
        for critical in rules.critical.iter().filter(|id| !group.exclude.contains(id)) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.exclude"),
                format!("the group `{}` lacks the critical exclusion list {critical}", group.name),
                format!("add \"{critical}\" to its `exclude`: critical lists apply to every group"),
            ));
        }
        let mut seen = BTreeSet::new();
        for (at, source) in group.lists.iter().enumerate() {
            let key = format!("{key}.list[{at}].id");
            let list = source.list;
            if !seen.insert(list) {
                problems.push(Problem::new(
                    Code::ConfigContradiction,
                    &key,
                    format!("list {list} stands twice in the group `{}`", group.name),
                    "keep one of the two",
                ));
            }
            if rules.critical.contains(&list) {
                problems.push(Problem::new(
                    Code::ConfigContradiction,
                    &key,
                    format!("list {list} is a critical exclusion list and cannot be a source"),
                    "take it out of the group, or out of `exclusions.critical`",
                ));
            } else if group.exclude.contains(&list) {
                problems.push(Problem::new(
                    Code::ConfigContradiction,
                    &key,
                    format!(
                        "list {list} is both a source and an exclusion list of the group `{}`",
                        group.name
                    ),
                    "take it out of `list` or out of `exclude`",
                ));
            }
        }
    }
}

/// Exit tags against every tag that hsmc sets itself, and destinations against sources.
fn handovers_fit_together(rules: &RuleSet, problems: &mut Vec<Problem>) {
    let sources: BTreeSet<ListId> =
        rules.groups.iter().flat_map(|group| group.lists.iter().map(|source| source.list)).collect();
    let ours = tags_we_set(rules);
    let mut seen = BTreeSet::new();
    for (index, handover) in rules.handovers.iter().enumerate() {
        let key = format!("handover[{index}]");
        let tag = &handover.exit_tag;
        if !tag.as_str().is_empty() && !seen.insert(tag) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.exit_tag"),
                format!("the exit tag \"{tag}\" has two handovers"),
                "keep one of the two",
            ));
        }
        if let Some(role) = ours.get(tag) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.exit_tag"),
                format!("\"{tag}\" is also {role}: whoever is enrolled would be handed over at once"),
                "give the end of the campaign a tag of its own",
            ));
        }
        let Some(to) = handover.to else { continue };
        if sources.contains(&to) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.to"),
                format!("list {to} is a source list: whoever is handed over would be enrolled again"),
                "name a list that no group uses as a source",
            ));
        } else if handover.from == Some(to) || handover.also_leave.contains(&to) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.to"),
                format!("list {to} is both the destination and a list to leave"),
                "take it out of `from` or `also_leave`",
            ));
        }
    }
}

/// Tags that hsmc sets when it enrolls, and as what.
pub(super) fn tags_we_set(rules: &RuleSet) -> BTreeMap<&TagName, &'static str> {
    let mut tags = BTreeMap::new();
    for extra in &rules.supplemental {
        tags.insert(&extra.tag, "the tag of a supplemental list");
    }
    for source in rules.groups.iter().flat_map(|group| &group.lists) {
        for also in &source.also {
            tags.insert(also, "an additional tag");
        }
    }
    for source in rules.groups.iter().flat_map(|group| &group.lists) {
        for over in &source.overrides {
            tags.insert(&over.tag, "an entry tag");
        }
        if let TagSource::Name(name) = &source.tag {
            tags.insert(name, "an entry tag");
        }
    }
    tags.retain(|tag, _| !tag.as_str().is_empty());
    tags
}

fn list_ids(key: &str, from: &[Text], problems: &mut Vec<Problem>) -> Vec<ListId> {
    from.iter()
        .enumerate()
        .map(|(index, id)| list_id(&format!("{key}[{index}]"), Some(id), problems))
        .collect()
}

/// A list id; what is none becomes 0, together with a problem.
pub(super) fn list_id(key: &str, from: Option<&Text>, problems: &mut Vec<Problem>) -> ListId {
    let found = from.and_then(|id| digits(&id.0));
    if found.is_none() {
        let (code, what) = match from {
            Some(id) => (Code::ConfigValue, format!("`{}` is no list id", id.0)),
            None => (Code::ConfigMissing, "the list id is missing".to_owned()),
        };
        problems.push(Problem::new(
            code,
            key,
            what,
            "write the digits that HubSpot shows in the list's address, such as \"987\"",
        ));
    }
    ListId(found.unwrap_or_default())
}

fn digits(text: &str) -> Option<u64> {
    text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn tag(key: &str, from: Option<&Text>, problems: &mut Vec<Problem>) -> TagName {
    let found =
        required(key, from.cloned(), "name a tag, or \"list-name\" for the list's own name", problems);
    TagName::new(found.as_deref().unwrap_or_default())
}

fn tag_named(key: &str, from: Option<&Text>, problems: &mut Vec<Problem>) -> TagName {
    TagName::new(required(key, from.cloned(), "name a tag", problems).as_deref().unwrap_or_default())
}

fn tags(from: &[Text]) -> Vec<TagName> {
    from.iter().map(|tag| TagName::new(&tag.0)).filter(|tag| !tag.as_str().is_empty()).collect()
}

/// The internal name of a contact property. An empty one counts as absent: switched off.
fn property(key: &str, from: &Option<Text>, problems: &mut Vec<Problem>) -> Option<String> {
    // HubSpot keeps internal names in lower case only: `ORI_LISTS` is `ori_lists` there.
    let name = from.as_ref().map(|name| name.0.to_ascii_lowercase()).filter(|name| !name.is_empty())?;
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        problems.push(Problem::new(
            Code::ConfigValue,
            key,
            format!("`{name}` is no internal name of a HubSpot property"),
            "write letters, digits and underscores, as HubSpot shows under the property's code symbol",
        ));
    }
    Some(name)
}
