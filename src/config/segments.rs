//! Segments: their names, their rules, and the types of the properties these ask about.

use super::error::Problem;
use super::lenient::Text;
use super::rules::{list_id, tags_we_set, unwritable};
use super::schema::{self, Document};
use super::settings::{required, switch};
use crate::domain::code::Code;
use crate::domain::id::ListId;
use crate::domain::rules::RuleSet;
use crate::domain::segment::{FedTag, FieldKind, Fields, Rule, Segment, SegmentName};
use crate::domain::tag::TagName;
use std::collections::{BTreeMap, BTreeSet};

/// Segments of one config. Each is kept for everybody.
const MOST: usize = 100;

/// The segments of a document, by name, and what is known of properties. A segment that cannot be read is left out, and a problem.
pub(super) fn check(document: &Document, problems: &mut Vec<Problem>) -> (Vec<Segment>, Fields) {
    let fields = fields(&document.properties, problems);
    if document.segments.len() > MOST {
        problems.push(Problem::new(
            Code::ConfigValue,
            "segments",
            format!("there are {} segments", document.segments.len()),
            format!("keep at most {MOST}"),
        ));
    }
    let mut segments = Vec::new();
    for (name, from) in &document.segments {
        let key = format!("segments.{name}.where");
        let Some(name) = SegmentName::new(name) else {
            problems.push(Problem::new(
                Code::ConfigValue,
                format!("segments.{name}"),
                format!("`{name}` is no name for a segment"),
                "use small letters, digits, _ and -, at most 40, a letter first",
            ));
            continue;
        };
        let way_out =
            "add `where = 'company contains \"…\"'` to the segment; docs/segments.md has the language";
        let Some(text) = required(&key, from.rule.clone(), way_out, problems) else { continue };
        match Rule::read(&text, &fields) {
            Ok(rule) => {
                let (feeds, fills, list) = feeds(&name, from.feeds.as_ref(), problems);
                segments.push(Segment { name, rule, feeds, fills, list });
            }
            Err(mistake) => {
                problems.push(Problem::new(Code::ConfigValue, key, mistake.told(), mistake.way_out));
            }
        }
    }
    (segments, fields)
}

/// The tag and the list that a segment feeds, and the merge field that it fills.
fn feeds(
    name: &SegmentName,
    from: Option<&schema::Feeds>,
    problems: &mut Vec<Problem>,
) -> (Option<FedTag>, Option<String>, Option<ListId>) {
    let Some(from) = from else { return (None, None, None) };
    let key = |key: &str| format!("segments.{name}.feeds.{key}");
    let fills = from.merge_field.as_ref().map(|Text(field)| field.clone());
    if let Some(field) = &fills {
        problems.extend(unwritable(&key("merge_field"), field));
    }
    let list = from.list.as_ref().map(|id| list_id(&key("list"), Some(id), problems));
    let tag = match &from.tag {
        None if fills.is_some() || list.is_some() => None,
        tag => {
            let way_out = "name a tag, a list as `list`, or a merge field as `merge_field`";
            required(&key("tag"), tag.clone(), way_out, problems)
        }
    };
    let starts_journeys = switch(from.starts_journeys, false);
    (tag.map(|tag| FedTag { tag: TagName::new(&tag), starts_journeys }), fills, list)
}

/// A fed list comes and goes by its segment alone, as a fed tag does.
fn lists_are_fed_alone(rules: &RuleSet, problems: &mut Vec<Problem>) {
    let mut taken = lists_in_use(rules);
    for segment in &rules.segments {
        let Some(list) = segment.list else { continue };
        if let Some(role) = taken.insert(list, "fed by another segment") {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("segments.{}.feeds.list", segment.name),
                format!("list {list} is {role} too"),
                "feed a list that nothing else uses",
            ));
        }
    }
    let fed: BTreeSet<ListId> = rules.segments.iter().filter_map(|segment| segment.list).collect();
    for segment in rules.segments.iter().filter(|segment| segment.feeds_something()) {
        if let Some(asked) = segment.rule.lists().iter().find(|list| fed.contains(list)) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("segments.{}.where", segment.name),
                format!("a segment that feeds asks about list {asked}, which a segment feeds"),
                "ask about what the list stands for instead",
            ));
        }
    }
}

/// What lists are named for already.
fn lists_in_use(rules: &RuleSet) -> BTreeMap<ListId, &'static str> {
    let mut lists = BTreeMap::new();
    lists.extend(rules.supplemental.iter().map(|extra| (extra.list, "a supplemental list")));
    for handover in &rules.handovers {
        lists.extend(handover.also_leave.iter().chain(&handover.from).map(|list| (*list, "a list to leave")));
        lists.extend(handover.to.map(|list| (list, "a destination")));
    }
    for group in &rules.groups {
        lists.extend(group.lists.iter().map(|source| (source.list, "a source list")));
        lists.extend(group.exclude.iter().map(|list| (*list, "an exclusion list")));
    }
    lists.extend(rules.critical.iter().map(|list| (*list, "an exclusion list")));
    lists
}

/// A merge field says one thing only.
fn fields_are_filled_once(rules: &RuleSet, problems: &mut Vec<Problem>) {
    let mut filled: BTreeSet<&str> = rules.merge_fields.keys().map(String::as_str).collect();
    for segment in &rules.segments {
        if let Some(field) = segment.fills.as_deref().filter(|field| !filled.insert(field)) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("segments.{}.feeds.merge_field", segment.name),
                format!("merge field {field} is filled twice"),
                "fill one that nothing else fills",
            ));
        }
    }
}

/// A fed tag comes and goes by its segment alone: nothing else may set it, protect by it, or wait for it, and no
/// feeding segment may ask about it, or it would turn to and fro with every run.
pub(super) fn feeds_fit_together(rules: &RuleSet, problems: &mut Vec<Problem>) {
    fields_are_filled_once(rules, problems);
    lists_are_fed_alone(rules, problems);
    let fed: Vec<(&Segment, &FedTag)> =
        rules.segments.iter().filter_map(|segment| Some((segment, segment.feeds.as_ref()?))).collect();
    let set = tags_we_set(rules);
    for (at, (segment, feeds)) in fed.iter().enumerate() {
        let tag = &feeds.tag;
        let exit = rules.handovers.iter().any(|handover| handover.exit_tag == *tag);
        let twice = fed.iter().take(at).find(|(_, other)| other.tag == *tag);
        let also = match (set.get(tag), twice) {
            (Some(role), _) => Some(format!("{role} too")),
            (None, Some((other, _))) => Some(format!("fed by segment {} too", other.name)),
            (None, None) if exit => Some("an exit tag too".to_owned()),
            (None, None) if rules.protection().holds(tag) => {
                Some("protected: it would never be taken off".to_owned())
            }
            (None, None) => None,
        };
        if let Some(also) = also {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("segments.{}.feeds.tag", segment.name),
                format!("tag \"{tag}\" is {also}"),
                "feed a tag that nothing else uses",
            ));
        }
    }
    for segment in rules.segments.iter().filter(|segment| segment.feeds_something()) {
        if let Some((_, asked)) = fed.iter().find(|(_, other)| segment.rule.tags().contains(&other.tag)) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("segments.{}.where", segment.name),
                format!("a segment that feeds asks about tag \"{}\", which a segment feeds", asked.tag),
                "ask about what the tag stands for instead",
            ));
        }
    }
}

/// What is known of properties without asking HubSpot: its own, and those the config declares.
fn fields(declared: &BTreeMap<String, Text>, problems: &mut Vec<Problem>) -> Fields {
    let mut fields = Fields::standard();
    for (name, word) in declared {
        match FieldKind::of_word(&word.0) {
            Some(kind) => fields = fields.with(name, kind),
            None => problems.push(Problem::new(
                Code::ConfigValue,
                format!("properties.{name}"),
                format!("`{}` is no type of a property", word.0),
                format!("write one of {}", FieldKind::ALL.map(FieldKind::word).join(", ")),
            )),
        }
    }
    fields
}
