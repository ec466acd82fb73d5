//! Interrupted scans.

use crate::full::some_people;
use crate::support::*;
use hsmc::sync::scan::{NoProgress, ScanError, ScanMode, Stop, scan};
use hsmc::sync::snapshot::{Snapshot, newest_finished, prune};
use std::fs;
use std::time::Duration;

async fn stopped_after_every_call(mode: impl Fn(&Snapshot) -> ScanMode) {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let base = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
    {
        let mut world = fake.world();
        world.contact(4, "p4@example.org");
        world.leave(1, 7);
        world.join(1, 13);
        world.tag("p9@example.com", "Exit", true);
        world.later(30);
        world.total_calls = 0;
    }
    let ctx = context(&fake, state.path(), 2, &[1, 2]);
    let straight = scan(&ctx, mode(&base), &NoProgress, &Stop::never()).await.unwrap();
    let expected = fs::read(straight.dir().join("people.rows")).unwrap();
    let calls = fake.world().total_calls;
    fs::remove_dir_all(straight.dir()).unwrap();

    let ctx = context(&fake, state.path(), 3, &[1, 2]);
    let mut rounds = 0;
    fake.world().total_calls = 0;
    loop {
        rounds += 1;
        let (sender, receiver) = tokio::sync::watch::channel(false);
        let done_so_far = fake.world().total_calls;
        fake.world().stop_after = Some((done_so_far, sender));
        match scan(&ctx, mode(&base), &NoProgress, &Stop::when(receiver)).await {
            Err(ScanError::Stopped) => assert!(rounds < 1_000, "it never ends"),
            ended => {
                let bytes = fs::read(ended.unwrap().dir().join("people.rows")).unwrap();
                assert!(bytes == expected, "the same people, byte for byte");
                break;
            }
        }
    }
    assert!(rounds > 3, "it was interrupted {rounds} times");
    // The first call of each source that was under way is made again in vain at most.
    assert!(fake.world().total_calls < calls + 6 * rounds);
}

#[tokio::test]
async fn a_full_scan_stopped_again_and_again_ends_with_the_same_people() {
    stopped_after_every_call(|_| ScanMode::Full).await;
}

#[tokio::test]
async fn an_incremental_scan_stopped_again_and_again_ends_with_the_same_people() {
    stopped_after_every_call(|base| ScanMode::Incremental { previous: base.dir().to_owned() }).await;
}

#[tokio::test]
async fn a_scan_left_lying_too_long_starts_anew() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let ctx = context(&fake, state.path(), 1, &[1, 2]);
    let (sender, receiver) = tokio::sync::watch::channel(false);
    fake.world().stop_after = Some((6, sender));
    scan(&ctx, ScanMode::Full, &NoProgress, &Stop::when(receiver)).await.unwrap_err();
    fake.world().stop_after = None;
    fake.world().later(16);
    let now = fake.world().now;
    assert_eq!(full(&ctx).await.unwrap().header().seen, now);
}

#[tokio::test]
async fn a_finished_scan_is_not_read_again() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let ctx = context(&fake, state.path(), 1, &[1, 2]);
    full(&ctx).await.unwrap();
    let calls = fake.world().total_calls;
    full(&ctx).await.unwrap();
    assert_eq!(fake.world().total_calls, calls);
}

#[tokio::test]
async fn pruning_keeps_the_newest_finished_snapshot_and_what_is_young() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    for run in 1..=3 {
        full(&context(&fake, state.path(), run, &[1])).await.unwrap();
        fake.world().later(60);
    }
    let snapshots = state.path().join("snapshots");
    fs::create_dir_all(snapshots.join("0000000004")).unwrap();
    let now = fake.world().now;
    assert_eq!(prune(&snapshots, Duration::from_secs(2 * 3600 + 60), now).unwrap(), 1);
    assert_eq!(prune(&snapshots, Duration::ZERO, now).unwrap(), 1);
    assert_eq!(prune(&snapshots, Duration::ZERO, now).unwrap(), 0);
    let newest = newest_finished(&snapshots, None).unwrap().unwrap();
    assert!(newest.dir().ends_with("0000000003"));
    assert!(snapshots.join("0000000004").exists());
}
