//! Whatever happens to the files: what was acknowledged is there again, or it is said what is not.

use super::support::{Picture, RiggedDisk, batch, copy, expected, fill, is_damaged, open, picture, settings};
use hsmc::journal::store::live::{LiveStore, Settings};
use hsmc::journal::store::{Batch, Store, StoreError, Table};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A name, and what it does to a state directory.
type Damage = (String, Box<dyn Fn(&Path)>);

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// A closed store with these commits, small segments and, after each of `checkpoints`, a snapshot.
async fn store_with(home: &Path, commits: u64, checkpoints: &[u64]) {
    let store = LiveStore::open_with(home, Settings { segment_bytes: 2000, ..settings() }).unwrap();
    for n in 1..=commits {
        store.commit(batch(n)).await.unwrap();
        if checkpoints.contains(&n) {
            store.checkpoint().await.unwrap();
        }
    }
    store.close().unwrap();
}

fn reopened(home: &Path) -> Picture {
    picture(&open(home).unwrap())
}

#[tokio::test]
async fn a_damaged_index_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("original");
    let store = open(&original).unwrap();
    for n in 1..=400_u64 {
        let mut big = batch(n);
        big.put(Table::Evidence, n.to_be_bytes(), vec![n as u8; 10_000]);
        store.commit(big).await.unwrap();
        if n == 200 {
            store.checkpoint().await.unwrap();
        }
    }
    let whole = picture(&store);
    // What a kill leaves, and what an orderly end leaves.
    let killed = home.path().join("killed");
    copy(&original, &killed);
    store.close().unwrap();

    for source in [&killed, &original] {
        let length = fs::metadata(source.join("index/db")).unwrap().len();
        let mut ways: Vec<Damage> = Vec::new();
        for cut in [1, 100, 4096, 512 << 10, 3 << 20, 10 << 20] {
            let left = length.saturating_sub(cut);
            ways.push((
                format!("cut by {cut}"),
                Box::new(move |home| {
                    let file = OpenOptions::new().write(true).open(home.join("index/db")).unwrap();
                    file.set_len(left).unwrap();
                }),
            ));
        }
        for part in 0..8 {
            let at = usize::try_from(length).unwrap() / 8 * part;
            ways.push((
                format!("zeroed at {at}"),
                Box::new(move |home| {
                    let mut bytes = fs::read(home.join("index/db")).unwrap();
                    let end = (at + 4096).min(bytes.len());
                    bytes[at..end].fill(0);
                    fs::write(home.join("index/db"), bytes).unwrap();
                }),
            ));
        }
        ways.push(("emptied".into(), Box::new(|home| fs::write(home.join("index/db"), b"").unwrap())));
        ways.push(("without db".into(), Box::new(|home| fs::remove_file(home.join("index/db")).unwrap())));
        ways.push((
            "without conf".into(),
            Box::new(|home| fs::remove_file(home.join("index/conf")).unwrap()),
        ));
        ways.push(("gone".into(), Box::new(|home| fs::remove_dir_all(home.join("index")).unwrap())));
        ways.push((
            "empty directory".into(),
            Box::new(|home| {
                fs::remove_dir_all(home.join("index")).unwrap();
                fs::create_dir(home.join("index")).unwrap();
            }),
        ));
        ways.push((
            "left-over".into(),
            Box::new(|home| {
                fs::write(home.join("index/snap.0000000000001234.generating"), b"half").unwrap();
            }),
        ));
        for (name, damage) in ways {
            let copied = home.path().join("copy");
            copy(source, &copied);
            damage(&copied);
            let store = open(&copied).unwrap();
            assert!(picture(&store) == whole, "{name}: not everything came back");
            assert!(store.damaged().is_empty(), "{name}");
            store.commit(batch(401)).await.unwrap();
            store.close().unwrap();
            let store = open(&copied).unwrap();
            assert!(store.get(Table::People, &401_u64.to_be_bytes()).unwrap().is_some(), "{name}");
            drop(store);
            fs::remove_dir_all(&copied).unwrap();
        }
    }
}

#[tokio::test]
async fn an_entry_missing_from_the_index_is_noticed_and_mended() {
    let home = tempfile::tempdir().unwrap();
    store_with(home.path(), 30, &[10]).await;
    let index = sled::open(home.path().join("index")).unwrap();
    let (key, _) = index.iter().nth(5).unwrap().unwrap();
    index.remove(key).unwrap();
    drop(index);
    assert_eq!(reopened(home.path()), expected(30));
    assert!(home.path().join("index.damaged-1").is_dir());
}

#[tokio::test]
async fn every_prefix_of_the_log_gives_a_prefix_of_the_commits() {
    let home = tempfile::tempdir().unwrap();
    let store = open(&home.path().join("original")).unwrap();
    fill(&store, 1, 6).await;
    let killed = home.path().join("killed");
    copy(&home.path().join("original"), &killed);
    drop(store);
    fs::remove_dir_all(killed.join("index")).unwrap();
    let log = files(&killed.join("log")).pop().unwrap();
    let bytes = fs::read(&log).unwrap();
    let mut last = 0;
    for cut in (0..=bytes.len()).rev().step_by(7) {
        fs::write(&log, &bytes[..cut]).unwrap();
        let copied = home.path().join("copy");
        copy(&killed, &copied);
        let store = open(&copied).unwrap();
        let found = picture(&store);
        last = store.sequence();
        assert_eq!(found, expected(last), "cut at {cut}");
        // And it goes on from there.
        store.commit(batch(last + 1)).await.unwrap();
        store.close().unwrap();
        assert_eq!(reopened(&copied), expected(last + 1));
        fs::remove_dir_all(&copied).unwrap();
    }
    assert_eq!(last, 0);
}

#[tokio::test]
async fn a_flipped_byte_anywhere_in_the_log_is_named_refused_or_harmless() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("original");
    let store = open(&original).unwrap();
    fill(&store, 1, 3).await;
    let killed = home.path().join("killed");
    copy(&original, &killed);
    drop(store);
    fs::remove_dir_all(killed.join("index")).unwrap();
    let log = files(&killed.join("log")).pop().unwrap();
    let whole = fs::read(&log).unwrap();
    let (mut named, mut refused, mut harmless) = (0, 0, 0);
    for at in 0..whole.len() {
        flip(&log, at);
        let copied = home.path().join("copy");
        copy(&killed, &copied);
        match open(&copied) {
            Err(StoreError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("byte {at}: {other}"),
            Ok(store) if store.damaged().is_empty() => {
                assert_eq!(picture(&store), expected(3), "byte {at}: silently less");
                harmless += 1;
            }
            Ok(store) => {
                let damaged = store.damaged();
                let (mut found, mut wanted) = (picture(&store), expected(3));
                for key in &damaged {
                    found.remove(key);
                    wanted.remove(key);
                }
                assert_eq!(found, wanted, "byte {at}: the rest must be there");
                named += 1;
            }
        }
        fs::remove_dir_all(&copied).unwrap();
        fs::write(&log, &whole).unwrap();
    }
    assert!(named > refused && refused > 0 && harmless > 0, "{named} {refused} {harmless}");
}

#[tokio::test]
async fn damage_once_found_is_remembered_until_the_record_is_written_anew() {
    let home = tempfile::tempdir().unwrap();
    store_with(home.path(), 3, &[]).await;
    fs::remove_dir_all(home.path().join("index")).unwrap();
    let log = files(&home.path().join("log")).remove(0);
    let bytes = fs::read(&log).unwrap();
    // The value of the first commit's first change.
    let value: Vec<u8> = (0..60).map(|i| (31 + i * 7) as u8).collect();
    let at = bytes.windows(60).position(|window| window == value).unwrap();
    flip(&log, at + 5);
    let key = (Table::People, 1_u64.to_be_bytes().to_vec());

    let store = open(home.path()).unwrap();
    assert_eq!(store.damaged(), vec![key.clone()]);
    store.checkpoint().await.unwrap();
    fill(&store, 4, 5).await;
    store.checkpoint().await.unwrap();
    store.close().unwrap();
    // From the index, and from a snapshot alone.
    assert_eq!(open(home.path()).unwrap().damaged(), vec![key.clone()]);
    fs::remove_dir_all(home.path().join("index")).unwrap();
    let store = open(home.path()).unwrap();
    assert_eq!(store.damaged(), vec![key.clone()]);
    let mut mended = Batch::new();
    mended.put(Table::People, key.1, value);
    store.commit(mended).await.unwrap();
    assert!(store.damaged().is_empty());
    store.close().unwrap();
    let store = open(home.path()).unwrap();
    assert_eq!((store.damaged(), picture(&store)), (vec![], expected(5)));
}

#[tokio::test]
async fn a_log_that_lost_acknowledged_commits_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("original");
    store_with(&original, 30, &[]).await;
    let segments = files(&original.join("log")).len();
    assert!(segments > 3, "{segments}");
    for segment in 0..segments {
        for without_index in [false, true] {
            // A segment is gone.
            let copied = home.path().join("copy");
            copy(&original, &copied);
            if without_index {
                fs::remove_dir_all(copied.join("index")).unwrap();
            }
            fs::remove_file(&files(&copied.join("log"))[segment]).unwrap();
            let outcome = open(&copied);
            match outcome {
                // The index stands above the gap, so nothing is missing.
                Ok(store) => assert_eq!((picture(&store), without_index), (expected(30), false)),
                Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
            }
            fs::remove_dir_all(&copied).unwrap();
        }
    }
    // The newest is cut.
    let newest = files(&original.join("log")).pop().unwrap();
    let length = fs::metadata(&newest).unwrap().len();
    OpenOptions::new().write(true).open(&newest).unwrap().set_len(length - 1).unwrap();
    assert!(is_damaged(&open(&original)));
    // A refused start moved nothing.
    assert!(original.join("index").is_dir());
}

#[tokio::test]
async fn a_part_of_the_journal_that_is_missing_is_not_made_anew() {
    for part in ["log", "snapshot", "format"] {
        let home = tempfile::tempdir().unwrap();
        store_with(home.path(), 5, &[3]).await;
        let path = home.path().join(part);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        assert!(is_damaged(&open(home.path())), "{part}");
        assert!(is_damaged(&open(home.path())), "{part}, a second time");
    }
}

#[tokio::test]
async fn two_checkpoints_free_the_log_before_the_first() {
    let home = tempfile::tempdir().unwrap();
    store_with(home.path(), 40, &[20, 30]).await;
    assert_eq!(files(&home.path().join("snapshot")).len(), 2);
    let first = files(&home.path().join("log")).remove(0);
    assert_eq!(first.file_name().unwrap().to_str().unwrap(), format!("{:016x}.log", 21));
    fs::remove_dir_all(home.path().join("index")).unwrap();
    assert_eq!(reopened(home.path()), expected(40));
}

#[tokio::test]
async fn a_damaged_snapshot_is_made_up_for_by_the_other_and_the_log() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("original");
    store_with(&original, 12, &[4, 8]).await;
    fs::remove_dir_all(original.join("index")).unwrap();
    for which in 0..2 {
        let length = fs::read(&files(&original.join("snapshot"))[which]).unwrap().len();
        for at in (0..length).step_by(13) {
            let copied = home.path().join("copy");
            copy(&original, &copied);
            flip(&files(&copied.join("snapshot"))[which], at);
            let store = open(&copied).unwrap();
            assert_eq!(picture(&store), expected(12), "snapshot {which}, byte {at}");
            assert!(store.damaged().is_empty());
            drop(store);
            fs::remove_dir_all(&copied).unwrap();
        }
    }
}

#[tokio::test]
async fn two_damaged_snapshots_name_what_is_damaged_or_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let original = home.path().join("original");
    store_with(&original, 12, &[4, 8]).await;
    fs::remove_dir_all(original.join("index")).unwrap();
    flip(&files(&original.join("snapshot"))[0], 0);
    let newest = files(&original.join("snapshot"))[1].clone();
    let (mut named, mut refused) = (0, 0);
    for at in (0..fs::read(&newest).unwrap().len()).step_by(11) {
        let copied = home.path().join("copy");
        copy(&original, &copied);
        flip(&files(&copied.join("snapshot"))[1], at);
        match open(&copied) {
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                refused += 1;
            }
            Ok(store) => {
                let (mut found, mut wanted) = (picture(&store), expected(12));
                // An empty value cannot be damaged: the flip was in its checksum.
                for key in store.damaged() {
                    found.remove(&key);
                    wanted.remove(&key);
                    named += 1;
                }
                assert_eq!(found, wanted, "byte {at}");
            }
        }
        fs::remove_dir_all(&copied).unwrap();
    }
    assert!(named > 0 && refused > 0, "{named} {refused}");
}

#[tokio::test]
async fn a_failed_sync_stops_the_store_and_loses_nothing_acknowledged() {
    for commits in 0..6 {
        let home = tempfile::tempdir().unwrap();
        let disk = RiggedDisk::new();
        let settings = Settings { medium: Arc::new(disk.clone()), ..settings() };
        let store = LiveStore::open_with(home.path(), settings).unwrap();
        disk.0.sync_fails_in.store(commits, Ordering::SeqCst);
        let mut acknowledged = 0;
        for n in 1..=8 {
            match store.commit(batch(n)).await {
                Ok(sequence) => acknowledged = sequence,
                Err(error) => assert!(matches!(error, StoreError::Write { .. }), "{error}"),
            }
        }
        assert_eq!(acknowledged, u64::try_from(commits).unwrap());
        assert_eq!(picture(&store), expected(acknowledged));
        assert!(matches!(store.checkpoint().await, Err(StoreError::Write { .. })));
        assert!(store.close().is_err());
        drop(store);
        let store = open(home.path()).unwrap();
        // The one that failed may be there or not.
        assert!((acknowledged..=acknowledged + 1).contains(&store.sequence()));
        assert_eq!(picture(&store), expected(store.sequence()));
    }
}

#[tokio::test]
async fn a_full_disk_stops_the_store_and_loses_nothing_acknowledged() {
    for free in (0..2000).step_by(97) {
        let home = tempfile::tempdir().unwrap();
        let disk = RiggedDisk::new();
        disk.0.free.store(free, Ordering::SeqCst);
        let settings = Settings { medium: Arc::new(disk.clone()), segment_bytes: 700, ..settings() };
        let store = LiveStore::open_with(home.path(), settings).unwrap();
        let mut acknowledged = 0;
        for n in 1..=20 {
            if let Ok(sequence) = store.commit(batch(n)).await {
                assert_eq!(sequence, acknowledged + 1);
                acknowledged = sequence;
            }
        }
        assert!(acknowledged < 20);
        drop(store);
        let store = open(home.path()).unwrap();
        assert_eq!(store.sequence(), acknowledged, "{free} bytes");
        assert_eq!(picture(&store), expected(acknowledged));
        fill(&store, acknowledged + 1, 20).await;
        assert_eq!(picture(&store), expected(20));
    }
}
