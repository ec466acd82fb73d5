//! The first format, as bytes in files: what was written then is read for ever.
//!
//! `WRITE_GOLDEN=1` writes files that do not exist yet; it never changes one that does.

use super::samples;
use super::support::{expected, fill, open, picture};
use hsmc::domain::alert::Standing;
use hsmc::domain::audit::AuditLine;
use hsmc::domain::consent::{Evidence, Link};
use hsmc::domain::event::MoveEvent;
use hsmc::domain::forget::Forgotten;
use hsmc::domain::id::PersonId;
use hsmc::domain::naming::ListNaming;
use hsmc::domain::person::{PastState, Person};
use hsmc::domain::run::Run;
use hsmc::domain::watermark::Watermark;
use hsmc::journal::codec::{Record, decode, decode_body, decode_series, encode, encode_as, encode_event};
use hsmc::journal::consent::{EvidencePlace, Salt};
use hsmc::journal::record::{decode_events, encode_move_event};
use hsmc::journal::store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::PathBuf;

/// `v1/person.hex` is the first version of a person; a record whose version has never changed stays there.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal").join(name)
}

/// Bytes as lines of hex: readable in a diff.
fn golden(name: &str, now: &[u8]) -> Vec<u8> {
    let path = fixture(name);
    if !path.exists() && std::env::var_os("WRITE_GOLDEN").is_some() {
        let lines: Vec<String> = now.chunks(32).map(hex::encode).collect();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn holds<R: Record + PartialEq + std::fmt::Debug>(name: &str, sample: &R) {
    let bytes = encode(sample).unwrap();
    let golden = golden(name, &bytes);
    assert_eq!(&decode::<R>(&golden).unwrap(), sample, "{name} reads differently");
    assert_eq!(bytes, golden, "{name} is written differently: that needs a new version byte");
}

/// A value of the table of single values is frozen like a record.
fn single_value<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, sample: &T) {
    let bytes = encode_as("single value", 1, sample).unwrap();
    let golden = golden(name, &bytes);
    assert_eq!(&decode_body::<T>("single value", &golden[1..]).unwrap(), sample, "{name} reads differently");
    assert_eq!(bytes, golden, "{name} is written differently");
}

/// A version of the record that is no longer written: read for ever, as what it means now.
fn is_read<R: Record + PartialEq + std::fmt::Debug>(name: &str, means: &R) {
    let golden = golden(name, &[]);
    assert!(golden[0] < R::VERSION, "{name} is the version written now");
    assert_eq!(&decode::<R>(&golden).unwrap(), means, "{name} reads differently");
}

#[test]
fn every_record_of_an_older_version_is_read() {
    is_read::<Person>("v1/person.hex", &samples::person());
    is_read::<Person>("v2/person.hex", &samples::person_2());
    is_read::<Run>("v1/run.hex", &samples::run());
    is_read::<Run>("v2/run.hex", &samples::run_2());
}

#[test]
fn every_record_is_read_and_written_as_then() {
    holds::<Person>("v3/person.hex", &samples::person_3());
    holds::<Run>("v3/run.hex", &samples::run_3());
    holds::<Link>("v2/link.hex", &samples::link());
    holds::<EvidencePlace>("v2/evidence-place.hex", &EvidencePlace(70_000));
    holds::<Salt>("v2/salt.hex", &Salt([7; 32]));
    holds::<Forgotten>("v2/forgotten.hex", &samples::forgotten());
    single_value("v2/trace.hex", &samples::trace());
    single_value("v2/hint.hex", &samples::hint());
    single_value("v2/record-hint.hex", &samples::record_hint());
    single_value("v2/token.hex", &samples::token());
    single_value("v2/receipt.hex", &samples::trace().receipt);
    let events = samples::forget_events();
    let bytes: Vec<u8> = events.iter().flat_map(|event| encode_move_event(event).unwrap()).collect();
    let kept = golden("v2/move-forget.hex", &bytes);
    assert_eq!((decode_events(&kept).unwrap(), bytes), (events, kept));
    holds::<PastState>("v1/past-state.hex", &samples::past_state());
    holds::<ListNaming>("v1/list-naming.hex", &samples::list_naming());
    holds::<Evidence>("v1/evidence.hex", &samples::evidence());
    holds::<AuditLine>("v1/audit-line.hex", &samples::audit_line());
    holds::<Watermark>("v1/watermark.hex", &samples::watermark());
    holds::<PersonId>("v1/person-number.hex", &PersonId(70_000));
    let undo = MoveEvent::Planned { draft: Box::new(samples::undo()), at: samples::AT };
    let bytes = encode_move_event(&undo).unwrap();
    let golden_undo = self::golden("v2/undo-move.hex", &bytes);
    assert_eq!((decode_events(&golden_undo).unwrap(), bytes), (vec![undo], golden_undo));
    let alerts = samples::alerts();
    let bytes: Vec<u8> = alerts.iter().flat_map(|one| encode_event(one).unwrap()).collect();
    let golden = self::golden("v1/alerts.hex", &bytes);
    assert_eq!(decode_series::<Standing>(&golden).unwrap(), alerts);
    assert_eq!(bytes, golden);
    let events = samples::events();
    let bytes: Vec<u8> =
        events.iter().flat_map(|event: &MoveEvent| encode_move_event(event).unwrap()).collect();
    let golden = self::golden("v1/move.hex", &bytes);
    assert_eq!(decode_events(&golden).unwrap(), events);
    assert_eq!(bytes, golden);
}

#[tokio::test]
async fn a_state_directory_of_the_first_format_is_read_and_written_as_then() {
    let now = tempfile::tempdir().unwrap();
    let store = open(now.path()).unwrap();
    fill(&store, 1, 3).await;
    store.checkpoint().await.unwrap();
    fill(&store, 4, 6).await;
    store.close().unwrap();

    let names = ["log/0000000000000001.log", "log/0000000000000004.log", "snapshot/0000000000000003.snap"];
    let then = tempfile::tempdir().unwrap();
    fs::write(then.path().join("format"), "1\n").unwrap();
    for name in names {
        let bytes = fs::read(now.path().join(name)).unwrap();
        let golden = golden(&format!("v1/{}.hex", name.replace('/', "-")), &bytes);
        assert_eq!(bytes, golden, "{name} is written differently: that needs a new format number");
        fs::create_dir_all(then.path().join(name).parent().unwrap()).unwrap();
        fs::write(then.path().join(name), golden).unwrap();
    }
    let store = open(then.path()).unwrap();
    assert_eq!((picture(&store), store.sequence()), (expected(6), 6));
    drop(store);
    assert_eq!(
        fs::read_to_string(then.path().join("format")).unwrap(),
        "2\n",
        "an older hsmc refuses it now"
    );
    // From the snapshot alone, without the log before it.
    fs::remove_file(then.path().join(names[0])).unwrap();
    fs::remove_dir_all(then.path().join("index")).unwrap();
    let store = open(then.path()).unwrap();
    assert_eq!(picture(&store), expected(6));
    assert!(store.damaged().is_empty());
}
