//! Segments: their names, their rules, and the types of the properties these ask about.

use super::error::Problem;
use super::lenient::Text;
use super::schema::Document;
use super::settings::required;
use crate::domain::code::Code;
use crate::domain::segment::{FieldKind, Fields, Rule, Segment, SegmentName};
use std::collections::BTreeMap;

/// Segments of one config. Each is kept for everybody.
const MOST: usize = 100;

/// The segments of a document, by name. One that cannot be read is left out, and a problem.
pub(super) fn check(document: &Document, problems: &mut Vec<Problem>) -> Vec<Segment> {
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
            Ok(rule) => segments.push(Segment { name, rule }),
            Err(mistake) => {
                problems.push(Problem::new(Code::ConfigValue, key, mistake.told(), mistake.way_out));
            }
        }
    }
    segments
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
