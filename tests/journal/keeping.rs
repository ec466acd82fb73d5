//! Backups, restores, compacting, and looks that change nothing.

use super::support::{copy, expected, fill, open, picture, settings};
use hsmc::domain::email::Email;
use hsmc::domain::id::{PersonId, RecordId};
use hsmc::domain::person::Person;
use hsmc::domain::time::Timestamp;
use hsmc::journal::backup::{self, About, BackupError};
use hsmc::journal::inspect;
use hsmc::journal::ledger::Journal;
use hsmc::journal::restore::restore;
use hsmc::journal::store::live::{LiveStore, Settings};
use hsmc::journal::store::{Batch, Store, StoreError, Table};
use hsmc::journal::verify;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_795_442_400_000);
const SHAPES: [&str; 3] = ["kept.tar.zst", "kept.tar.gz", "kept"];

fn about() -> About {
    About { workspace: "agency".to_owned(), at: NOW }
}

/// Every file below, with its bytes.
fn files(below: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

/// What a restored store holds besides the note that it is one.
fn restored_picture(home: &Path) -> super::support::Picture {
    let store = open(home).unwrap();
    let mut found = picture(&store);
    let note = found.remove(&(Table::Meta, b"restored".to_vec()));
    assert!(note.is_some(), "it says of itself that it was restored");
    found
}

#[tokio::test]
async fn a_backup_made_while_commits_go_on_holds_a_whole_number_of_them() {
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&home.path().join("state")).unwrap());
    fill(store.as_ref(), 1, 40).await;
    let writing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { fill(store.as_ref(), 41, 400).await })
    };
    for shape in SHAPES {
        let file = home.path().join(shape);
        let kept = store.backup(&file, about()).await.unwrap();
        assert_eq!((kept.manifest.workspace.as_str(), kept.manifest.made_at), ("agency", NOW));
        assert!(kept.manifest.sequence >= 40);
        let to = home.path().join(format!("from-{shape}"));
        let put = restore(&file, &to, false, NOW).await.unwrap();
        assert_eq!((put.kept.manifest.clone(), put.aside), (kept.manifest.clone(), None));
        assert_eq!(restored_picture(&to), expected(kept.manifest.sequence), "{shape}");
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if file.is_dir() { 0o700 } else { 0o600 }, "{shape}: it holds addresses");
    }
    writing.await.unwrap();
    assert_eq!(picture(store.as_ref()), expected(400));
}

#[tokio::test]
async fn a_backup_is_never_written_over_anything() {
    let home = tempfile::tempdir().unwrap();
    let store = open(&home.path().join("state")).unwrap();
    fill(&store, 1, 3).await;
    for shape in SHAPES {
        let file = home.path().join(shape);
        fs::write(&file, "mine").unwrap();
        assert!(matches!(store.backup(&file, about()).await, Err(BackupError::Taken { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}

#[tokio::test]
async fn a_backup_with_any_byte_changed_or_missing_is_refused_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = open(&home.path().join("state")).unwrap();
    fill(&store, 1, 4).await;
    let to = home.path().join("to");
    let (mut flipped, mut cut) = (0, 0);
    for shape in SHAPES {
        let file = home.path().join(shape);
        store.backup(&file, about()).await.unwrap();
        let whole =
            if file.is_dir() { files(&file) } else { [(file.clone(), fs::read(&file).unwrap())].into() };
        for (path, bytes) in whole {
            for at in (0..bytes.len()).step_by(3) {
                let mut broken = bytes.clone();
                broken[at] ^= 0x08;
                fs::write(&path, broken).unwrap();
                let said = backup::read(&file, None);
                // A compressed file has bytes that say nothing, such as a time of day.
                if let Ok(kept) = said {
                    assert_eq!(kept.manifest.sequence, 4, "{shape} byte {at}");
                    continue;
                }
                flipped += 1;
            }
            for length in (0..bytes.len()).step_by(97) {
                fs::write(&path, &bytes[..length]).unwrap();
                let refused = restore(&file, &to, false, NOW).await;
                assert!(refused.is_err(), "{shape} cut at {length}");
                assert!(!to.join("format").exists() && !to.join("log").exists(), "nothing has changed");
                cut += 1;
            }
            fs::write(&path, &bytes).unwrap();
        }
        restore(&file, &to, false, NOW).await.unwrap();
        assert_eq!(restored_picture(&to), expected(4));
        fs::remove_dir_all(&to).unwrap();
    }
    assert!(flipped > 500 && cut > 20, "{flipped} {cut}");
}

#[tokio::test]
async fn a_backup_of_a_newer_hsmc_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let store = open(&home.path().join("state")).unwrap();
    fill(&store, 1, 3).await;
    let file = home.path().join("kept");
    store.backup(&file, about()).await.unwrap();
    let manifest = fs::read_to_string(file.join("manifest.json")).unwrap();
    fs::write(file.join("manifest.json"), manifest.replace("\"format\": 2", "\"format\": 3")).unwrap();
    let refused = restore(&file, &home.path().join("to"), false, NOW).await.unwrap_err();
    assert!(matches!(refused, BackupError::Store(StoreError::Newer { found: 3, .. })), "{refused}");
}

#[tokio::test]
async fn what_was_there_before_a_restore_is_moved_aside_and_only_when_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("kept.tar.zst"));
    let store = open(&state).unwrap();
    fill(&store, 1, 5).await;
    store.backup(&file, about()).await.unwrap();
    fill(&store, 6, 9).await;
    assert!(restore(&file, &state, true, NOW).await.is_err(), "it is in use");
    store.close().unwrap();
    fs::create_dir(state.join("snapshots")).unwrap();
    let before = files(&state);
    assert!(matches!(restore(&file, &state, false, NOW).await, Err(BackupError::Occupied { .. })));
    assert_eq!(files(&state), before);
    for nth in 1..=2 {
        let put = restore(&file, &state, true, NOW).await.unwrap();
        assert_eq!(put.aside, Some(state.join(format!("before-restore-{nth}"))));
        assert_eq!(restored_picture(&state), expected(5));
    }
    assert!(!state.join("snapshots").exists(), "what scans saw belongs to the state that was moved aside");
    let store = open(&state.join("before-restore-1")).unwrap();
    assert_eq!(picture(&store), expected(9));
}

#[tokio::test]
async fn compacting_leaves_no_byte_of_what_was_deleted_and_takes_less_room() {
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(open(home.path()).unwrap());
    let secret = b"ann.archer.7c1f at example";
    for n in 0..200_u64 {
        let mut batch = Batch::new();
        batch.put(Table::People, n.to_be_bytes(), [&secret[..], &[n as u8; 4000]].concat());
        store.commit(batch).await.unwrap();
    }
    let mut gone = Batch::new();
    for n in 0..200_u64 {
        gone.delete(Table::People, n.to_be_bytes());
    }
    store.commit(gone).await.unwrap();
    let size = |files: &BTreeMap<PathBuf, Vec<u8>>| files.values().map(Vec::len).sum::<usize>();
    let before = size(&files(home.path()));
    let writing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { fill(store.as_ref(), 1, 300).await })
    };
    store.compact().await.unwrap();
    writing.await.unwrap();
    assert_eq!(picture(store.as_ref()), expected(300), "commits go on, and reads after it find everything");
    let after = files(home.path());
    let found: Vec<_> = after
        .iter()
        .filter(|(_, bytes)| bytes.windows(secret.len()).any(|window| window == secret))
        .map(|(path, _)| path)
        .collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(size(&after) < before, "{} {before}", size(&after));
    store.compact().await.unwrap();
    store.close().unwrap();
    assert_eq!(picture(&open(home.path()).unwrap()), expected(300));
}

#[tokio::test]
async fn a_check_changes_nothing_and_finds_a_whole_state_sound() {
    let home = tempfile::tempdir().unwrap();
    let store = LiveStore::open_with(home.path(), Settings { segment_bytes: 900, ..settings() }).unwrap();
    fill(&store, 1, 20).await;
    store.checkpoint().await.unwrap();
    fill(&store, 21, 30).await;
    let killed = tempfile::tempdir().unwrap();
    copy(home.path(), killed.path());
    store.close().unwrap();
    for state in [home.path(), killed.path()] {
        let before = files(state);
        let mut found = inspect::files(state).unwrap();
        let (truth, _scratch) = inspect::trial(state, &mut found).unwrap();
        assert_eq!(picture(&truth), expected(30));
        assert_eq!(found.defects, vec![]);
        assert!(found.looked.iter().any(|line| line.starts_with("index: agrees")), "{:?}", found.looked);
        drop(truth);
        assert_eq!(files(state), before);
    }
}

#[tokio::test]
async fn a_check_names_every_flipped_byte_of_log_and_snapshot() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let store = open(&state).unwrap();
    fill(&store, 1, 3).await;
    store.checkpoint().await.unwrap();
    fill(&store, 4, 6).await;
    store.close().unwrap();
    let mut damaged = 0;
    for (path, bytes) in files(&state) {
        let name = path.strip_prefix(&state).unwrap().display().to_string();
        if !name.starts_with("log/") && !name.starts_with("snapshot/") {
            continue;
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            fs::write(&path, broken).unwrap();
            let found = inspect::files(&state).unwrap();
            // A seal says that another segment follows: when that is there, it has nothing more to say.
            let of_a_seal = name == "log/0000000000000001.log" && at + 30 >= bytes.len();
            assert!(of_a_seal || !found.defects.is_empty(), "{name}, byte {at}");
            damaged += usize::from(found.defects.iter().any(|defect| !defect.harmless));
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert!(damaged > 100, "{damaged}");
}

#[tokio::test]
async fn a_check_holds_the_index_against_log_and_snapshot() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).unwrap();
    fill(&store, 1, 6).await;
    store.close().unwrap();
    let index = sled::open(home.path().join("index")).unwrap();
    let (key, _) = index.iter().nth(3).unwrap().unwrap();
    index.remove(key).unwrap();
    drop(index);
    let mut found = inspect::files(home.path()).unwrap();
    let (truth, _scratch) = inspect::trial(home.path(), &mut found).unwrap();
    assert_eq!(picture(&truth), expected(6));
    assert!(matches!(found.defects.as_slice(), [defect] if defect.harmless), "{:?}", found.defects);
}

/// A journal with one of everything that points to something else.
async fn pointing() -> (tempfile::TempDir, Journal) {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::new(Arc::new(open(home.path()).unwrap()));
    let mut writes = Batch::new();
    for n in 1..=2 {
        let email = Email::parse(&format!("p{n}@example.com")).unwrap();
        let person = Person::new(PersonId(n), Some(email), Some(RecordId(n)), NOW);
        journal.put_person(&mut writes, &person, None).unwrap();
    }
    let events = super::samples::events();
    let id = hsmc::domain::id::MoveId { run: hsmc::domain::id::RunId(1), number: 1 };
    journal.append_event(&mut writes, id, PersonId(51), &events[0]).unwrap();
    journal.commit(writes).await.unwrap();
    (home, journal)
}

#[tokio::test]
async fn an_index_that_points_to_nothing_or_leaves_something_out_is_named_by_numbers_only() {
    let first = |store: &dyn Store, table| store.scan(table, &[], None, 1).unwrap().remove(0).0;
    let cases: [(Table, &str); 5] = [
        (Table::PeopleByHash, "person"),
        (Table::PeopleByRecord, "person"),
        (Table::People, "index of people"),
        (Table::OpenMoves, "move 1.1"),
        (Table::PersonMoves, "move 1.1"),
    ];
    for (table, named) in cases {
        let (_home, journal) = pointing().await;
        let (counts, defects) = verify::records(journal.store().as_ref()).unwrap();
        assert_eq!((counts[&Table::People], defects), (2, vec![]));
        let mut gone = Batch::new();
        gone.delete(table, first(journal.store().as_ref(), table));
        journal.commit(gone).await.unwrap();
        let (_, defects) = verify::records(journal.store().as_ref()).unwrap();
        let told: Vec<String> =
            defects.iter().map(|defect| format!("{}: {}", defect.place, defect.what)).collect();
        assert!(told.iter().any(|line| line.contains(named)), "{table:?}: {told:?}");
        assert!(!told.iter().any(|line| line.contains('@')), "{told:?}");
    }
}

/// A second member's record leads to the person of its contact's own address; when that contact is merged into
/// another one, it leads nowhere, and nothing is damaged.
#[tokio::test]
async fn a_second_member_whose_contact_has_another_record_by_now_is_sound() {
    let (_home, journal) = pointing().await;
    let mut writes = Batch::new();
    let (heir, other) =
        (journal.person(PersonId(1)).unwrap().unwrap(), journal.person(PersonId(2)).unwrap().unwrap());
    let second = Person { second: Some(NOW), record: heir.record, ..other.clone() };
    journal.put_person(&mut writes, &second, Some(&other)).unwrap();
    journal.commit(writes).await.unwrap();
    let mut writes = Batch::new();
    let merged = Person { record: Some(RecordId(3)), ..heir.clone() };
    journal.put_person(&mut writes, &merged, Some(&heir)).unwrap();
    journal.commit(writes).await.unwrap();
    let (_, defects) = verify::records(journal.store().as_ref()).unwrap();
    assert_eq!(defects, vec![]);
}
