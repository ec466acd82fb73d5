//! Segments: their names, their rules, and the types of the properties these ask about.

use super::error::Problem;
use super::lenient::Text;
use super::rules::tags_we_set;
use super::schema::{self, Document};
use super::settings::{required, switch};
use crate::domain::code::Code;
use crate::domain::rules::RuleSet;
use crate::domain::segment::{FedTag, FieldKind, Fields, Rule, Segment, SegmentName};
use crate::domain::tag::TagName;
use std::collections::BTreeMap;

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
                let feeds = feeds(&name, from.feeds.as_ref(), problems);
                segments.push(Segment { name, rule, feeds });
            }
            Err(mistake) => {
                problems.push(Problem::new(Code::ConfigValue, key, mistake.told(), mistake.way_out));
            }
        }
    }
    (segments, fields)
}

fn feeds(name: &SegmentName, from: Option<&schema::Feeds>, problems: &mut Vec<Problem>) -> Option<FedTag> {
    let from = from?;
    let tag = required(&format!("segments.{name}.feeds.tag"), from.tag.clone(), "name a tag", problems)?;
    Some(FedTag { tag: TagName::new(&tag), starts_journeys: switch(from.starts_journeys, false) })
}

/// A fed tag comes and goes by its segment alone: nothing else may set it, protect by it, or wait for it, and no
/// feeding segment may ask about it, or it would turn to and fro with every run.
pub(super) fn feeds_fit_together(rules: &RuleSet, problems: &mut Vec<Problem>) {
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
        if let Some((_, asked)) = fed.iter().find(|(_, other)| segment.rule.tags().contains(&other.tag)) {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("segments.{}.where", segment.name),
                format!("a segment that feeds a tag asks about tag \"{}\", which a segment feeds", asked.tag),
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
