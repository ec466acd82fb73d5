//! One page of people.
//!
//! Without an order, people come by record id, and a page begins where the last one ended. With one, a page is
//! chosen from everybody: whoever comes next behind the last one's place, as many as fit, in one pass that keeps no
//! more than the page. So a whole export in an order reads everybody once for each page, and needs no file beside.

use super::column::Column;
use super::crowd::{Crowd, CrowdError};
use super::cursor::Cursor;
use super::one::One;
use super::order::{Place, Sort};
use crate::domain::id::RecordId;
use crate::domain::segment::Rule;
use crate::domain::time::Timestamp;
use std::collections::BinaryHeap;

/// People read at a time.
const CHUNK: usize = 500;
/// Rows a page may have.
pub(super) const MOST_ROWS: usize = 10_000;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Query {
    /// Who: everybody without a rule.
    pub rule: Option<Rule>,
    /// In which order; by record id without one.
    pub sort: Option<Sort>,
    /// What of them.
    pub columns: Vec<Column>,
    /// How many at most, on this page.
    pub limit: usize,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// One row for each person, one value for each column.
    pub rows: Vec<Vec<Option<String>>>,
    /// Where it ends; none where nobody comes after it.
    pub next: Option<String>,
    /// The moment people were judged by.
    pub at: Timestamp,
}

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The cursor is not one.
    #[error("this is no cursor")]
    NoCursor,
    /// The cursor is of another question.
    #[error("the cursor is of another question: of another rule, order or columns")]
    OtherQuestion,
    /// The cursor is of people who were let go since.
    #[error("the mirror was emptied since this cursor was given")]
    OtherCrowd,
    /// People cannot be read.
    #[error(transparent)]
    Crowd(#[from] CrowdError),
}

/// The page that a query asks for, judged by now, or by the moment its first page was.
///
/// # Errors
/// The cursor is no cursor of this query, or people cannot be read.
pub fn page(crowd: &dyn Crowd, query: &Query, now: Timestamp) -> Result<Rows, QueryError> {
    let (question, generation) = (question(query), crowd.generation()?);
    let cursor = match &query.cursor {
        None => None,
        Some(text) => {
            let cursor = Cursor::read(text).ok_or(QueryError::NoCursor)?;
            if cursor.question != question {
                return Err(QueryError::OtherQuestion);
            }
            if cursor.crowd != generation {
                return Err(QueryError::OtherCrowd);
            }
            Some(cursor)
        }
    };
    let at = cursor.as_ref().map_or(now, |cursor| cursor.at);
    let limit = query.limit.clamp(1, MOST_ROWS);
    let (chosen, more) = match &query.sort {
        None => by_record(crowd, query, cursor.as_ref(), limit, at)?,
        Some(sort) => in_order(crowd, query, sort, cursor.as_ref(), limit, at)?,
    };
    let last = chosen.last().filter(|_| more);
    let next = last.map(|(record, value, _)| {
        Cursor { question, crowd: generation, at, record: *record, value: value.clone() }.text()
    });
    Ok(Rows { rows: chosen.into_iter().map(|(_, _, row)| row).collect(), next, at })
}

type Row = Vec<Option<String>>;
/// The record, what it was placed by, and the row.
type Chosen = Vec<(RecordId, Option<String>, Row)>;

fn by_record(
    crowd: &dyn Crowd,
    query: &Query,
    cursor: Option<&Cursor>,
    limit: usize,
    at: Timestamp,
) -> Result<(Chosen, bool), QueryError> {
    let mut chosen = Chosen::new();
    let mut more = false;
    each(crowd, query.rule.as_ref(), cursor.map(|cursor| cursor.record), |one| {
        if fits(query, one, at) {
            if chosen.len() == limit {
                more = true;
                return false;
            }
            chosen.push((one.record, None, row(query, one)));
        }
        true
    })?;
    Ok((chosen, more))
}

fn in_order(
    crowd: &dyn Crowd,
    query: &Query,
    sort: &Sort,
    cursor: Option<&Cursor>,
    limit: usize,
    at: Timestamp,
) -> Result<(Chosen, bool), QueryError> {
    let behind = cursor.map(|cursor| sort.place(cursor.value.as_deref(), cursor.record));
    let mut nearest: BinaryHeap<Placed> = BinaryHeap::new();
    let mut more = false;
    each(crowd, query.rule.as_ref(), None, |one| {
        let value = sort.value(one);
        let place = sort.place(value.as_deref(), one.record);
        if behind.as_ref().is_some_and(|behind| place <= *behind) || !fits(query, one, at) {
            return true;
        }
        if nearest.len() < limit {
            nearest.push(Placed { place, one: (one.record, value, row(query, one)) });
        } else {
            more = true;
            if nearest.peek().is_some_and(|farthest| place < farthest.place) {
                nearest.pop();
                nearest.push(Placed { place, one: (one.record, value, row(query, one)) });
            }
        }
        true
    })?;
    Ok((nearest.into_sorted_vec().into_iter().map(|placed| placed.one).collect(), more))
}

struct Placed {
    place: Place,
    one: (RecordId, Option<String>, Row),
}

impl PartialEq for Placed {
    fn eq(&self, other: &Placed) -> bool {
        self.place == other.place
    }
}
impl Eq for Placed {}
impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Placed) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Placed {
    fn cmp(&self, other: &Placed) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

/// Visits everybody behind a record for whom a rule may hold, until told to stop.
fn each(
    crowd: &dyn Crowd,
    rule: Option<&Rule>,
    mut after: Option<RecordId>,
    mut visit: impl FnMut(&One) -> bool,
) -> Result<(), CrowdError> {
    if let Some(found) = rule.map(|rule| crowd.among(rule)).transpose()?.flatten() {
        let mut behind = found.iter().filter(|one| Some(one.record) > after);
        behind.all(visit);
        return Ok(());
    }
    loop {
        let chunk = crowd.after(after, CHUNK)?;
        for one in &chunk {
            if !visit(one) {
                return Ok(());
            }
        }
        match chunk.last() {
            Some(last) if chunk.len() == CHUNK => after = Some(last.record),
            _ => return Ok(()),
        }
    }
}

fn fits(query: &Query, one: &One, at: Timestamp) -> bool {
    query.rule.as_ref().is_none_or(|rule| rule.holds(one, at) == Some(true))
}

fn row(query: &Query, one: &One) -> Row {
    query.columns.iter().map(|column| column.of(one).map(|value| value.into_owned())).collect()
}

/// A number of the question, the page's size left out: people may ask for longer pages as they go on.
fn question(query: &Query) -> u32 {
    let rule = query.rule.as_ref().map(ToString::to_string);
    crc32fast::hash(format!("{rule:?}|{:?}|{:?}", query.sort, query.columns).as_bytes())
}
