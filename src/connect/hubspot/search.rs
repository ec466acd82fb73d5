//! Search bodies, and the cursor that carries a search past its 10,000 hits (HubSpot contract §8).
//! Pure.
//!
//! Pages come in ascending record id. Where an offset would pass the ceiling, the search starts again
//! above the last id seen; where there are more filter groups than one search takes, it goes on with
//! the next ones. The cursor says where that is: `part:floor:offset`.

use crate::domain::id::RecordId;
use crate::domain::port::ContactQuery;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

/// Rows per page.
pub(crate) const PAGE: u64 = 200;
/// Hits one search reaches.
const CEILING: u64 = 10_000;
/// Filter groups one search takes.
const GROUPS: usize = 5;

/// Where a search stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Which chunk of filter groups.
    pub(crate) part: usize,
    /// Only records above this id.
    pub(crate) floor: u64,
    /// HubSpot's own offset.
    pub(crate) offset: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.part, self.floor, self.offset)
    }
}

impl FromStr for Cursor {
    type Err = ();
    fn from_str(text: &str) -> Result<Cursor, ()> {
        let mut parts = text.split(':');
        let (Some(part), Some(floor), Some(offset), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        Ok(Cursor {
            part: part.parse().map_err(|_| ())?,
            floor: floor.parse().map_err(|_| ())?,
            offset: offset.parse().map_err(|_| ())?,
        })
    }
}

/// What a page said about going on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Rows on the page, readable or not.
    pub(crate) rows: usize,
    /// The last record id on it.
    pub(crate) last: Option<RecordId>,
    /// The offset the answer names for the next page.
    pub(crate) next: Option<u64>,
}

impl Cursor {
    /// Where the next page is; none at the end.
    pub(crate) fn after(self, seen: Seen, parts: usize) -> Option<Cursor> {
        let reached = self.offset.saturating_add(seen.rows as u64);
        match (seen.next, seen.last) {
            (Some(next), _)
                if seen.rows > 0 && next > self.offset && next.saturating_add(PAGE) <= CEILING =>
            {
                Some(Cursor { offset: next, ..self })
            }
            (next, Some(last)) if (next.is_some() || reached >= CEILING) && last.0 > self.floor => {
                Some(Cursor { floor: last.0, offset: 0, ..self })
            }
            _ if self.part + 1 < parts => Some(Cursor { part: self.part + 1, floor: 0, offset: 0 }),
            _ => None,
        }
    }
}

/// The filter groups of a query, in chunks one search takes. `opt_outs` are the properties that mean
/// an opt-out.
pub(crate) fn groups(query: &ContactQuery, opt_outs: &[String]) -> Vec<Vec<Vec<Value>>> {
    let filter = |name: &str, operator: &str, value: String| json!({"propertyName": name, "operator": operator, "value": value});
    let groups: Vec<Vec<Value>> = match query {
        ContactQuery::Modified { since, until } => vec![vec![
            filter("lastmodifieddate", "GTE", since.0.to_string()),
            filter("lastmodifieddate", "LT", until.0.to_string()),
        ]],
        ContactQuery::OptedOut => {
            opt_outs.iter().map(|name| vec![filter(name, "EQ", "true".to_owned())]).collect()
        }
    };
    groups.chunks(GROUPS).map(<[_]>::to_vec).collect()
}

/// The body of one page.
pub(crate) fn body(part: &[Vec<Value>], cursor: Cursor, properties: &[String]) -> Value {
    let above = json!({"propertyName": "hs_object_id", "operator": "GT", "value": cursor.floor.to_string()});
    let groups: Vec<Value> = part
        .iter()
        .map(|filters| {
            let mut filters = filters.clone();
            if cursor.floor > 0 {
                filters.push(above.clone());
            }
            json!({ "filters": filters })
        })
        .collect();
    let mut body = json!({
        "filterGroups": groups,
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        "properties": properties,
        "limit": PAGE,
    });
    if cursor.offset > 0
        && let Some(object) = body.as_object_mut()
    {
        object.insert("after".to_owned(), cursor.offset.to_string().into());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;

    fn seen(last: u64, next: Option<u64>) -> Seen {
        Seen { rows: 200, last: Some(RecordId(last)), next }
    }

    #[test]
    fn a_search_goes_on_above_the_last_id_where_the_ceiling_is() {
        let cursor = Cursor { offset: 9_600, ..Cursor::default() };
        assert_eq!(cursor.after(seen(70, Some(9_800)), 1), Some(Cursor { offset: 9_800, ..cursor }));
        let cursor = Cursor { offset: 9_800, ..Cursor::default() };
        let above = Some(Cursor { part: 0, floor: 90, offset: 0 });
        assert_eq!(cursor.after(seen(90, Some(10_000)), 1), above);
        assert_eq!(cursor.after(seen(90, None), 1), above, "a last page at the ceiling is not the end");
        assert_eq!(Cursor { offset: 400, ..cursor }.after(seen(90, None), 1), None);
    }

    #[test]
    fn a_search_always_ends() {
        let stuck = Cursor { part: 0, floor: 90, offset: 0 };
        assert_eq!(stuck.after(Seen { rows: 0, last: None, next: Some(200) }, 1), None);
        assert_eq!(stuck.after(seen(90, Some(0)), 1), None);
    }

    #[test]
    fn more_than_five_opt_out_properties_take_another_search() {
        let names: Vec<String> = (0..7).map(|n| format!("hs_email_optout_{n}")).collect();
        let groups = groups(&ContactQuery::OptedOut, &names);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [5, 2]);
        let end = Seen { rows: 3, last: Some(RecordId(5)), next: None };
        assert_eq!(Cursor::default().after(end, 2), Some(Cursor { part: 1, floor: 0, offset: 0 }));
    }

    #[test]
    fn the_window_includes_its_start_and_excludes_its_end() {
        let query = ContactQuery::Modified { since: Timestamp(1_000), until: Timestamp(2_000) };
        let part = groups(&query, &[]).remove(0);
        let cursor = Cursor { part: 0, floor: 7, offset: 400 };
        let body = body(&part, cursor, &["email".to_owned()]);
        assert_eq!(
            body,
            json!({
                "filterGroups": [{"filters": [
                    {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1000"},
                    {"propertyName": "lastmodifieddate", "operator": "LT", "value": "2000"},
                    {"propertyName": "hs_object_id", "operator": "GT", "value": "7"},
                ]}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": ["email"],
                "limit": 200,
                "after": "400",
            })
        );
    }

    proptest! {
        #[test]
        fn cursors_survive_the_round_trip(part in 0usize..9, floor: u64, offset: u64) {
            let cursor = Cursor { part, floor, offset };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_panics_as_a_cursor(text in "\\PC*") {
            let cursor: Result<Cursor, ()> = text.parse();
            prop_assert!(cursor.is_err() || text.contains(':'));
        }
    }
}
