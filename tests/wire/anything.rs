//! Whatever a service, or something between, answers: every call of both connectors ends with an answer or a failure,
//! never with a panic, and never goes round for ever. Answers that are right but for one place come from the corpus
//! that the fuzz targets begin with (tests/fuzz).

use crate::every_call::{Canned, of_hubspot, of_mailchimp};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use std::path::Path;

fn corpus() -> Vec<Canned> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/answers");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| Canned::from_bytes(&std::fs::read(file).unwrap())).collect()
}

fn make_every_call(canned: &Canned) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        of_hubspot(canned).await;
        of_mailchimp(canned).await;
    });
}

/// Everything within a value, itself first.
fn within(value: &Value) -> usize {
    1 + match value {
        Value::Array(rows) => rows.iter().map(within).sum(),
        Value::Object(members) => members.values().map(within).sum(),
        _ => 0,
    }
}

/// Puts something else at the `at`-th place within a value.
fn put(value: &mut Value, at: &mut usize, other: &Value) {
    if *at == 0 {
        *value = other.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(rows) => rows.iter_mut().for_each(|row| put(row, at, other)),
        Value::Object(members) => members.values_mut().for_each(|member| put(member, at, other)),
        _ => {}
    }
}

fn something_else() -> impl Strategy<Value = Value> {
    let numbers = [-1.0, 0.5, 1e30, 1e300, f64::MIN_POSITIVE];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::sample::select(numbers.to_vec()).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<u64>().prop_map(|number| Value::from(number.to_string())),
        Just(Value::from("9".repeat(400))),
        Just(Value::from("x".repeat(70_000))),
        Just(Value::Array(vec![])),
        Just(Value::Array(vec![Value::Null; 3])),
        Just(Value::Object(serde_json::Map::new())),
        // Some times as deep as any answer.
        Just((0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner]))),
    ]
}

#[test]
fn no_answer_of_the_corpus_panics_a_call() {
    for canned in corpus() {
        make_every_call(&canned);
    }
}

#[test]
fn most_answers_fit_only_their_own_calls() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let html = Canned { status: 200, header: String::new(), body: b"<html>maintenance</html>".to_vec() };
    let (hubspot, mailchimp) =
        runtime.block_on(async { (of_hubspot(&html).await, of_mailchimp(&html).await) });
    assert!(hubspot >= 15 && mailchimp >= 12, "a page of HTML is no success: {hubspot}, {mailchimp}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_answer_with_one_wrong_place_panics_a_call(
        which: Index,
        place: Index,
        other in something_else(),
        status in prop_oneof![3 => Just(None), 1 => (100..600_u16).prop_map(Some)],
    ) {
        let corpus = corpus();
        let mut canned = which.get(&corpus).clone();
        if let Ok(mut body) = serde_json::from_slice::<Value>(&canned.body) {
            let mut at = place.index(within(&body));
            put(&mut body, &mut at, &other);
            canned.body = body.to_string().into_bytes();
        }
        canned.status = status.unwrap_or(canned.status);
        make_every_call(&canned);
    }

    #[test]
    fn no_answer_that_was_cut_or_overwritten_panics_a_call(
        which: Index,
        end: Index,
        at: Index,
        rubbish in proptest::collection::vec(any::<u8>(), 0..8),
        header in "\\PC{0,12}",
    ) {
        let corpus = corpus();
        let mut canned = which.get(&corpus).clone();
        canned.header = header;
        let end = end.index(canned.body.len() + 1);
        canned.body.truncate(end);
        let at = at.index(canned.body.len() + 1);
        let over = canned.body.len().min(at + rubbish.len());
        canned.body.splice(at..over, rubbish);
        make_every_call(&canned);
    }

    #[test]
    fn no_bytes_panic_a_call(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        make_every_call(&Canned::from_bytes(&bytes));
    }
}
