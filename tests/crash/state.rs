//! What looks after the state directory, killed at every step of it: afterwards there is what was there before, or
//! what was wanted, whole, and hsmc goes on.

use crate::stage::{Prepared, Stage};
use crate::world::{Due, World, prepare};
use serde_json::Value;
use std::fs;

const BACKUP: &str = "kept.tar.zst";

/// A state with a run in it, and a backup of it from before that run.
async fn ran() -> (Prepared, Vec<u8>) {
    let stage = Stage::of(&prepare(World::Plain, &[Due::Enroll, Due::HandOver], 1).await).await;
    let kept = stage.run(&["state", "backup", BACKUP], &[]).await;
    assert_eq!(kept.code, Some(0), "{}", kept.said);
    let ended = stage.sync().await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let backup = fs::read(stage.folder.path().join(BACKUP)).unwrap();
    (stage.prepared(&World::Plain.config()), backup)
}

async fn runs(stage: &Stage) -> u64 {
    // Opening finishes what a kill has left.
    let size = stage.run(&["state", "size", "--json"], &[]).await;
    assert_eq!(size.code, Some(0), "{}", size.said);
    // What a start mends, it says on standard error, behind the answer.
    let view = serde_json::Deserializer::from_str(&size.said).into_iter::<Value>().next().unwrap().unwrap();
    let tables = view["tables"].as_array().unwrap();
    tables.iter().find(|table| table["table"] == "runs").unwrap()["records"].as_u64().unwrap()
}

/// Does something to a state directory once undisturbed, then killed at each point that was passed, and gives what
/// `look` found after each kill.
async fn killed_everywhere(arguments: &[&str], prefix: &str) -> Vec<(String, u64)> {
    let (prepared, backup) = ran().await;
    let stage = || async {
        let stage = Stage::of(&prepared).await;
        fs::write(stage.folder.path().join(BACKUP), &backup).unwrap();
        stage
    };
    let undisturbed = stage().await;
    let ended = undisturbed.run(arguments, &[("HSMC_FAILPOINT_LOG", "points")]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let log = fs::read_to_string(undisturbed.folder.path().join("points")).unwrap();
    let points: Vec<String> =
        log.lines().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
    let mut found = Vec::new();
    for point in points {
        let stage = stage().await;
        let ended = stage.run(arguments, &[("HSMC_FAILPOINT", &point)]).await;
        assert!(ended.killed, "{point}: {:?} {}", ended.code, ended.said);
        let runs = runs(&stage).await;
        let check = stage.run(&["state", "check"], &[]).await;
        assert_eq!(check.code, Some(0), "{point}: {}", check.said);
        stage.settle(4).await.unwrap_or_else(|problem| panic!("{point}: {problem}"));
        assert_eq!(stage.wrongs(), Vec::<String>::new(), "{point}");
        assert_eq!(stage.open_moves().await, Some(0), "{point}");
        found.push((point, runs));
    }
    found
}

fn names(found: &[(String, u64)]) -> Vec<&str> {
    found.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn compacting_killed_anywhere_loses_nothing() {
    let found = killed_everywhere(&["state", "compact"], "compact:").await;
    let wanted =
        ["compact:first-checkpoint", "compact:second-checkpoint", "compact:index-made", "compact:index-gone"];
    assert_eq!(names(&found), wanted);
    assert!(found.iter().all(|(_, runs)| *runs == found[0].1), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_anywhere_leaves_no_file_that_passes_for_one() {
    let (prepared, _) = ran().await;
    for (point, whole) in [("backup:written", false), ("backup:placed", true)] {
        for name in ["new.tar.zst", "new.tar.gz", "new"] {
            let stage = Stage::of(&prepared).await;
            let ended = stage.run(&["state", "backup", name], &[("HSMC_FAILPOINT", point)]).await;
            assert!(ended.killed, "{point}: {}", ended.said);
            assert_eq!(stage.folder.path().join(name).exists(), whole, "{point} {name}");
            let again = if whole { "other" } else { name };
            let ended = stage.run(&["state", "backup", again], &[]).await;
            assert_eq!(ended.code, Some(0), "{point} {name}: {}", ended.said);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_anywhere_leaves_the_old_state_or_the_restored_one() {
    let found = killed_everywhere(&["state", "restore", BACKUP, "--force"], "restore:").await;
    let counts = found.iter().position(|(name, _)| name == "restore:counts").unwrap();
    assert!(counts >= 2 && found.len() > counts + 6, "{:?}", names(&found));
    let (old, new) = (found[0].1, found[counts].1);
    assert!(new < old, "the backup is of before the last run: {new} {old}");
    for (at, (point, runs)) in found.iter().enumerate() {
        assert_eq!(*runs, if at < counts { old } else { new }, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_details_killed_at_either_side_of_a_commit_goes_on_with_the_next_run() {
    let (prepared, _) = ran().await;
    let short = ("HSMC_SYNC__RETENTION", "1ms");
    for point in ["retention:before", "retention:after"] {
        let stage = Stage::of(&prepared).await;
        let ended = stage.run(&["sync", "--yes"], &[short, ("HSMC_FAILPOINT", point)]).await;
        assert!(ended.killed, "{point}: {:?} {}", ended.code, ended.said);
        let ended = stage.run(&["sync", "--yes"], &[short]).await;
        assert_eq!(ended.code, Some(0), "{point}: {}", ended.said);
        let size = stage.run(&["state", "size", "--json"], &[]).await;
        let view: Value = serde_json::from_str(&size.said).unwrap();
        let tables = view["tables"].as_array().unwrap();
        let count =
            |name: &str| tables.iter().find(|table| table["table"] == name).map(|table| &table["records"]);
        assert_eq!(count("moves"), None, "{point}: all of them are over and old");
        assert!(count("audit").and_then(Value::as_u64) == Some(2), "{point}: {view}");
        let check = stage.run(&["state", "check"], &[]).await;
        assert_eq!(check.code, Some(0), "{point}: {}", check.said);
        stage.settle(4).await.unwrap_or_else(|problem| panic!("{point}: {problem}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_what_is_old_for_good_killed_at_either_side_of_a_commit_goes_on_with_the_next_run() {
    let (prepared, _) = ran().await;
    let short = [("HSMC_SYNC__RETENTION", "1ms"), ("HSMC_SYNC__HISTORY", "1ms")];
    for point in ["expiry:before", "expiry:after"] {
        let stage = Stage::of(&prepared).await;
        let ended = stage.run(&["sync", "--yes"], &[short[0], short[1], ("HSMC_FAILPOINT", point)]).await;
        assert!(ended.killed, "{point}: {:?} {}", ended.code, ended.said);
        let ended = stage.run(&["sync", "--yes"], &short).await;
        assert_eq!(ended.code, Some(0), "{point}: {}", ended.said);
        let size = stage.run(&["state", "size", "--json"], &[]).await;
        let view: Value = serde_json::from_str(&size.said).unwrap();
        let tables = view["tables"].as_array().unwrap();
        let has = |name: &str| tables.iter().any(|table| table["table"] == name);
        assert!(!has("moves") && !has("audit") && !has("moves-by-person"), "{point}: {view}");
        assert!(has("people") && has("runs"), "{point}: {view}");
        let check = stage.run(&["state", "check"], &[]).await;
        assert_eq!(check.code, Some(0), "{point}: {}", check.said);
        stage.settle(4).await.unwrap_or_else(|problem| panic!("{point}: {problem}"));
    }
}
