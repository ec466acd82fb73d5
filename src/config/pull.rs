//! `[pull]`: which objects the mirror holds, and what joins them.

use super::error::Problem;
use super::lenient::{Span, Text};
use super::schema;
use super::settings::required;
use crate::domain::code::Code;
use crate::domain::object::ObjectType;
use std::collections::BTreeSet;
use std::time::Duration;

/// `[pull]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// How often a daemon pulls everything; none for not at all.
    pub every: Option<Duration>,
    /// How far behind its watermark a pull reads again.
    pub overlap: Duration,
    /// Objects, as far as the config names them.
    pub objects: Vec<PullObject>,
    /// What joins two types, as far as the config names it.
    pub associations: Vec<(ObjectType, ObjectType)>,
}

/// `[[pull.object]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullObject {
    /// What it is called.
    pub name: String,
    /// The type.
    pub kind: ObjectType,
    /// Properties to keep; none for the usual ones.
    pub properties: BTreeSet<String>,
}

const OVERLAP: Duration = Duration::from_secs(300);
/// A daemon pulls no oftener.
const OFTENEST: Duration = Duration::from_secs(60);
/// Names that `hsmc pull` takes for something else.
const TAKEN: [&str; 4] = ["all", "associations", "clear", "history"];

pub(super) fn check(from: schema::Pull, problems: &mut Vec<Problem>) -> Pull {
    let mut objects: Vec<PullObject> = Vec::new();
    for (index, object) in from.object.into_iter().enumerate() {
        let key = format!("pull.object[{index}]");
        let way_out = "add `type = \"contacts\"`, or a custom object's id, such as \"2-123456\"";
        let Some(text) = required(&format!("{key}.type"), object.kind, way_out, problems) else { continue };
        let Some(kind) = parsed(&format!("{key}.type"), &text, problems) else { continue };
        let name = object.name.map_or_else(|| kind.to_string(), |Text(name)| name);
        let is_twice = objects.iter().any(|other| other.name == name || other.kind == kind);
        if TAKEN.contains(&name.as_str()) || name.contains(char::is_whitespace) || is_twice {
            problems.push(Problem::new(
                Code::ConfigContradiction,
                format!("{key}.name"),
                format!("`{name}` is named twice, or means something else to `hsmc pull`"),
                "give each type one entry and a name of its own, in one word",
            ));
            continue;
        }
        let properties = object.properties.into_iter().map(|Text(name)| name).collect();
        objects.push(PullObject { name, kind, properties });
    }
    let mut associations = Vec::new();
    for (index, association) in from.association.into_iter().enumerate() {
        let mut side = |name: &str, text: Option<Text>| {
            let key = format!("pull.association[{index}].{name}");
            let text = required(&key, text, "name a type, such as \"contacts\"", problems)?;
            let named = objects.iter().find(|object| object.name == text);
            named.map(|object| object.kind.clone()).or_else(|| parsed(&key, &text, problems))
        };
        if let (Some(from), Some(to)) = (side("from", association.from), side("to", association.to)) {
            associations.push((from, to));
        }
    }
    if from.every.as_ref().is_some_and(|Span(span)| *span < OFTENEST) {
        problems.push(Problem::new(
            Code::ConfigValue,
            "pull.every",
            "a pull would begin before the last one is over",
            "write \"1m\" or more",
        ));
    }
    Pull {
        every: from.every.map(|Span(span)| span),
        overlap: from.overlap.map_or(OVERLAP, |Span(span)| span),
        objects,
        associations,
    }
}

fn parsed(key: &str, text: &str, problems: &mut Vec<Problem>) -> Option<ObjectType> {
    match text.parse() {
        Ok(kind) => Some(kind),
        Err(error) => {
            let way_out = "write it as HubSpot's paths do";
            problems.push(Problem::new(Code::ConfigValue, key, error.to_string(), way_out));
            None
        }
    }
}
