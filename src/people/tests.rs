//! What asking for people promises.

use super::*;
use crate::domain::id::RecordId;
use crate::domain::segment::{Fields, Rule};
use crate::domain::time::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// People made up, by record id.
struct Village(BTreeMap<u64, One>);

impl Crowd for Village {
    fn after(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<One>, CrowdError> {
        let from = after.map_or(0, |record| record.0 + 1);
        Ok(self.0.range(from..).take(limit).map(|(_, one)| one.clone()).collect())
    }
}

fn one(record: u64, properties: &[(&str, Option<&str>)]) -> One {
    let properties =
        properties.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
    One { record: RecordId(record), properties, known: None, lists_read: Arc::default() }
}

fn village(names: &[Option<&str>]) -> Village {
    let people = (1u64..).zip(names);
    Village(people.map(|(record, name)| (record, one(record, &[("lastname", *name)]))).collect())
}

fn query(rule: Option<&str>, sort: Option<&str>, limit: usize) -> Query {
    Query {
        rule: rule.map(|text| Rule::read(text, &Fields::standard()).unwrap()),
        sort: sort.map(Sort::named),
        columns: vec![Column::Record, Column::named("lastname")],
        limit,
        cursor: None,
    }
}

/// Every page, one after another.
fn all(crowd: &dyn Crowd, mut query: Query, now: Timestamp) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    loop {
        let page = page(crowd, &query, now).unwrap();
        assert!(page.rows.len() <= query.limit);
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return rows,
        }
    }
}

fn records(rows: &[Vec<Option<String>>]) -> Vec<u64> {
    rows.iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect()
}

#[test]
fn whoever_has_nothing_to_sort_by_comes_last_in_either_direction() {
    let village = village(&[Some("b"), None, Some("A"), Some("c"), Some("")]);
    let sorted = |by: &str| records(&all(&village, query(None, Some(by), 2), Timestamp(0)));
    assert_eq!(sorted("lastname"), [3, 1, 4, 2, 5]);
    assert_eq!(sorted("-lastname"), [4, 1, 3, 2, 5]);
}

#[test]
fn numbers_and_moments_are_sorted_as_such() {
    let village = village(&[Some("10"), Some("9"), Some("-1"), Some("1.5")]);
    assert_eq!(records(&all(&village, query(None, Some("lastname"), 3), Timestamp(0))), [3, 4, 2, 1]);
}

#[test]
fn a_cursor_of_another_question_is_refused_and_so_is_any_other_text() {
    let village = village(&[Some("a"), Some("b"), Some("c")]);
    let first = page(&village, &query(None, None, 1), Timestamp(0)).unwrap();
    let other = Query { cursor: first.next.clone(), ..query(Some("lastname is_set"), None, 1) };
    assert_eq!(page(&village, &other, Timestamp(0)), Err(QueryError::OtherQuestion));
    let longer = Query { cursor: first.next, ..query(None, None, 5) };
    assert_eq!(records(&page(&village, &longer, Timestamp(0)).unwrap().rows), [2, 3]);
    for text in ["", "x", "AAAA", &"A".repeat(1000)] {
        let broken = Query { cursor: Some(text.to_owned()), ..query(None, None, 1) };
        assert_eq!(page(&village, &broken, Timestamp(0)), Err(QueryError::NoCursor));
    }
}

/// An export that goes on behind an emptied mirror would look whole.
#[test]
fn a_cursor_from_before_everybody_was_let_go_is_refused() {
    struct Anew(Village, i64);
    impl Crowd for Anew {
        fn after(&self, after: Option<RecordId>, limit: usize) -> Result<Vec<One>, CrowdError> {
            self.0.after(after, limit)
        }
        fn generation(&self) -> Result<i64, CrowdError> {
            Ok(self.1)
        }
    }
    let people = || village(&[Some("a"), Some("b")]);
    let next = page(&Anew(people(), 1), &query(None, None, 1), Timestamp(0)).unwrap().next;
    let on = Query { cursor: next, ..query(None, None, 1) };
    assert_eq!(records(&page(&Anew(people(), 1), &on, Timestamp(0)).unwrap().rows), [2]);
    assert_eq!(page(&Anew(people(), 2), &on, Timestamp(0)), Err(QueryError::OtherCrowd));
}

/// Whoever would turn cold between the first page and the last is judged by the first page's moment.
#[test]
fn all_pages_of_a_question_are_of_one_moment() {
    let modified = |record| (record, one(record, &[("lastmodifieddate", Some("1000"))]));
    let village = Village([modified(1), modified(2)].into());
    let ask = query(Some("lastmodifieddate within 1d"), None, 1);
    let first = page(&village, &ask, Timestamp(2000)).unwrap();
    let second = Query { cursor: first.next, ..ask };
    let late = Timestamp(1_000_000_000_000);
    let second = page(&village, &second, late).unwrap();
    assert_eq!((records(&second.rows), second.at), (vec![2], Timestamp(2000)));
}

#[test]
fn unread_columns_are_empty_and_unread_people_fit_no_rule() {
    let village = village(&[Some("a")]);
    for rule in ["consent = subscribed", "not has tag VIP", "company is_empty", "in list 5"] {
        assert_eq!(all(&village, query(Some(rule), None, 5), Timestamp(0)), Vec::<Vec<_>>::new(), "{rule}");
    }
    let ask = Query { columns: Column::usual(), ..query(None, None, 5) };
    let row = page(&village, &ask, Timestamp(0)).unwrap().rows.remove(0);
    assert_eq!(row.iter().flatten().count(), 2);
}

/// Before the first scan nothing else is known.
#[test]
fn whom_the_contact_itself_shows_opted_out_is_so_before_anything_else_is_known() {
    let out = one(1, &[("hs_email_optout", Some("true"))]);
    let village = Village([(1, out), (2, one(2, &[("hs_email_optout", Some("false"))]))].into());
    assert_eq!(records(&all(&village, query(Some("consent = opted-out"), None, 5), Timestamp(0))), [1]);
}

proptest! {
    #[test]
    fn pages_hold_everybody_who_fits_once_and_in_order(
        names in prop::collection::vec(prop::option::of("[a-c0-2]{0,2}"), 0..60),
        limit in 1usize..9,
        descending in any::<bool>(),
        sorted in any::<bool>(),
    ) {
        let names: Vec<Option<&str>> = names.iter().map(|name| name.as_deref()).collect();
        let village = village(&names);
        let by = if descending { "-lastname" } else { "lastname" };
        let ask = |limit| query(Some("lastname != a"), sorted.then_some(by), limit);
        let pages = all(&village, ask(limit), Timestamp(0));
        let whole = all(&village, ask(10_000), Timestamp(0));
        prop_assert_eq!(&pages, &whole);
        let mut found = records(&pages);
        found.sort_unstable();
        let fit: Vec<u64> = (1u64..).zip(&names).filter(|(_, name)| **name != Some("a")).map(|(id, _)| id).collect();
        prop_assert_eq!(found, fit);
    }

    #[test]
    fn no_text_makes_a_cursor_panic(text in ".{0,80}") {
        prop_assert_eq!(Cursor::read(&text), None);
    }
}
