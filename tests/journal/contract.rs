//! The contract of `Store`, held by every store.

use super::support::{RiggedDisk, batch, expected, fill, open, picture, settings};
use hsmc::journal::store::faulty::{Break, FaultyStore};
use hsmc::journal::store::live::{LiveStore, Settings};
use hsmc::journal::store::memory::MemoryStore;
use hsmc::journal::store::{Batch, Store, StoreError, Table};
use std::sync::Arc;
use std::sync::atomic::Ordering;

async fn holds_the_contract(store: &dyn Store) {
    // Sequences count up by one.
    let first = store.commit(batch(1)).await.unwrap();
    assert_eq!(store.commit(batch(2)).await.unwrap(), first + 1);
    fill(store, 3, 50).await;
    // Reads see every commit before them.
    assert_eq!(picture(store), expected(50));
    assert_eq!(store.get(Table::People, &7_u64.to_be_bytes()).unwrap().map(|value| value.len()), Some(60));
    assert_eq!(store.get(Table::People, &99_u64.to_be_bytes()).unwrap(), None);
    assert_eq!(store.get(Table::Runs, &7_u64.to_be_bytes()).unwrap(), None);

    // Scans: prefix, cursor, limit, order.
    let mut rows = Batch::new();
    for key in ["a", "ab", "abc", "abd", "b", "ba"] {
        rows.put(Table::Watermarks, key, key);
    }
    store.commit(rows).await.unwrap();
    let keys = |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        let found = store.scan(Table::Watermarks, prefix.as_bytes(), after.map(str::as_bytes), limit);
        found.unwrap().into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
    };
    assert_eq!(keys("ab", None, 9), ["ab", "abc", "abd"]);
    assert_eq!(keys("ab", Some("ab"), 9), ["abc", "abd"]);
    assert_eq!(keys("ab", Some("abc"), 1), ["abd"]);
    assert_eq!(keys("ab", Some("a"), 2), ["ab", "abc"]);
    assert_eq!(keys("ab", Some("b"), 2), [""; 0]);
    assert_eq!(keys("", Some("abd"), 9), ["b", "ba"]);
    assert_eq!(keys("", None, 0), [""; 0]);

    // Within one batch, in order; an append to nothing makes the key, a delete empties it.
    let mut one = Batch::new();
    one.append(Table::Moves, "x", "1").append(Table::Moves, "x", "2");
    one.put(Table::Moves, "y", "old").delete(Table::Moves, "y").append(Table::Moves, "y", "new");
    store.commit(one).await.unwrap();
    let mut two = Batch::new();
    two.append(Table::Moves, "x", "3");
    let last = store.commit(two).await.unwrap();
    assert_eq!(store.get(Table::Moves, b"x").unwrap().as_deref(), Some(&b"123"[..]));
    assert_eq!(store.get(Table::Moves, b"y").unwrap().as_deref(), Some(&b"new"[..]));
    assert_eq!(store.commit(Batch::new()).await.unwrap(), last);
    assert!(store.damaged().is_empty());
}

#[tokio::test]
async fn the_memory_store_holds_the_contract() {
    holds_the_contract(&MemoryStore::new()).await;
    holds_the_contract(&FaultyStore::new(MemoryStore::new())).await;
}

#[tokio::test]
async fn the_live_store_holds_the_contract_in_overlay_and_index_alike() {
    for linger in [0, 3_600_000] {
        let home = tempfile::tempdir().unwrap();
        let linger = std::time::Duration::from_millis(linger);
        let store = LiveStore::open_with(home.path(), Settings { linger, ..settings() }).unwrap();
        holds_the_contract(&store).await;
        let before = picture(&store);
        store.close().unwrap();
        let store = open(home.path()).unwrap();
        assert_eq!(picture(&store), before);
    }
}

#[tokio::test]
async fn only_one_process_has_a_state_directory() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path()).unwrap();
    assert!(matches!(open(home.path()), Err(StoreError::Locked { .. })));
    store.close().unwrap();
    assert!(matches!(store.commit(batch(1)).await, Err(StoreError::Closed)));
    assert!(matches!(store.get(Table::People, b"x"), Err(StoreError::Closed)));
    open(home.path()).unwrap();
}

#[tokio::test]
async fn a_directory_of_a_newer_version_is_refused() {
    let home = tempfile::tempdir().unwrap();
    open(home.path()).unwrap().close().unwrap();
    std::fs::write(home.path().join("format"), "3\n").unwrap();
    assert!(matches!(open(home.path()), Err(StoreError::Newer { found: 3, known: 2, .. })));
}

#[tokio::test]
async fn nobody_but_the_owner_may_read_the_journal() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("state");
    let store = open(&root).unwrap();
    fill(&store, 1, 3).await;
    store.checkpoint().await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for directory in ["", "log", "snapshot", "index"] {
        assert_eq!(mode(&root.join(directory)), 0o700, "{directory}");
    }
    for directory in ["log", "snapshot"] {
        for entry in std::fs::read_dir(root.join(directory)).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_syncs_and_each_gets_a_sequence_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let disk = RiggedDisk::new();
    let settings = Settings { medium: Arc::new(disk.clone()), ..settings() };
    let store = Arc::new(LiveStore::open_with(home.path(), settings).unwrap());
    let writers: Vec<_> = (0..64_u64)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut sequences = Vec::new();
                for n in 0..20_u64 {
                    let mut batch = Batch::new();
                    batch.put(Table::People, (writer * 1000 + n).to_be_bytes(), [1; 40]);
                    sequences.push(store.commit(batch).await.unwrap());
                }
                sequences
            })
        })
        .collect();
    let mut all = Vec::new();
    for writer in writers {
        all.extend(writer.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (1..=1280).collect::<Vec<_>>());
    assert!(disk.0.syncs.load(Ordering::SeqCst) < 1280);
    assert_eq!(picture(&store).len(), 1280);
}

#[tokio::test]
async fn nothing_is_acknowledged_before_its_sync() {
    let home = tempfile::tempdir().unwrap();
    let disk = RiggedDisk::new();
    let settings = Settings { medium: Arc::new(disk.clone()), ..settings() };
    let store = LiveStore::open_with(home.path(), settings).unwrap();
    for n in 1..=20 {
        let before = disk.0.syncs.load(Ordering::SeqCst);
        store.commit(batch(n)).await.unwrap();
        assert!(disk.0.syncs.load(Ordering::SeqCst) > before);
    }
}

#[tokio::test]
async fn a_broken_store_takes_nothing_until_mended() {
    let store = FaultyStore::new(MemoryStore::new());
    store.break_at(2, Break::AnswerLost);
    store.commit(batch(1)).await.unwrap();
    assert!(store.commit(batch(2)).await.is_err());
    assert!(store.commit(batch(3)).await.is_err());
    assert_eq!(picture(&store), expected(2));
    store.mend();
    store.break_at(1, Break::Refused);
    assert!(store.commit(batch(3)).await.is_err());
    assert_eq!((picture(&store), store.commits()), (expected(2), 4));
}
