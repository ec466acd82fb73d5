//! Which values a record's properties had, since when, and by whom (HubSpot contract §7, `propertiesWithHistory`).
//!
//! Kept are changes alone: a property that nobody has changed has its value since the record was made, and takes no
//! room. A merge begins a history anew.

use super::record::Record;
use crate::domain::time::Timestamp;
use crate::sandbox::effects::Actor;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::iso_millis;
use serde_json::{Value, json};

/// How many values of one property are kept: HubSpot tells about as many.
const KEPT: usize = 20;

/// A property's value from a moment on; empty where it was cleared.
#[derive(Clone, Debug)]
struct Change {
    property: String,
    value: String,
    at: Timestamp,
    by: Actor,
}

/// The changes of one record, oldest first.
#[derive(Clone, Debug)]
pub struct History {
    begun: Timestamp,
    by: Actor,
    changes: Vec<Change>,
}

impl History {
    /// Of a record that is made now.
    pub(super) fn begin(scene: &Scene<'_>) -> History {
        History { begun: scene.now, by: scene.by, changes: Vec::new() }
    }

    /// A property changes now from one value to another.
    pub(super) fn note(&mut self, scene: &Scene<'_>, property: &str, from: &str, to: &str) {
        let change =
            |value: &str, at, by| Change { property: property.to_owned(), value: value.to_owned(), at, by };
        let of_it = |change: &Change| change.property == property;
        let noted = self.changes.iter().filter(|change| of_it(change)).count();
        if noted == 0 && !from.is_empty() {
            self.changes.push(change(from, self.begun, self.by));
        }
        if noted >= KEPT
            && let Some(oldest) = self.changes.iter().position(of_it)
        {
            self.changes.remove(oldest);
        }
        self.changes.push(change(to, scene.now, scene.by));
    }
}

/// A property's values as the API shows them, newest first; none where it never had one.
pub(super) fn shown(record: &Record, property: &str) -> Option<Value> {
    let history = &record.history;
    let noted = history.changes.iter().rev().filter(|change| change.property == property);
    let mut values: Vec<Value> = noted.map(|change| entry(&change.value, change.at, change.by)).collect();
    if values.is_empty() {
        // What moves with every write has its value since the last one.
        let since = match property {
            "lastmodifieddate" | "hs_lastmodifieddate" => record.modified,
            _ => history.begun,
        };
        values.push(entry(&record.value(property)?, since, history.by));
    }
    Some(Value::Array(values))
}

fn entry(value: &str, at: Timestamp, by: Actor) -> Value {
    let (kind, id) = match by {
        Actor::Api => ("INTEGRATION", "sandbox"),
        Actor::Person => ("CRM_UI", "userId:1"),
        Actor::Service => ("CALCULATED", "sandbox"),
    };
    json!({ "value": value, "timestamp": iso_millis(at), "sourceType": kind, "sourceId": id })
}
