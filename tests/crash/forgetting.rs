//! Forgetting somebody, killed at every point: it goes on by itself with the next run, or when it is asked for
//! again, and in the end nothing names them and nothing was deleted twice.

use crate::points::AT_ONCE;
use crate::stage::{Prepared, Stage, differences};
use crate::world::{World, prepare};
use futures::StreamExt;
use hsmc::domain::email::Email;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const WHOM: &str = "settled.1@example.com";
const RUNS: usize = 3;

/// Files below a directory that hold the address, or its subscriber hash.
fn files_naming(root: &Path) -> Vec<PathBuf> {
    let email = Email::parse(WHOM).unwrap();
    let needles =
        [email.as_str().as_bytes().to_vec(), email.hash().0.to_vec(), email.hash().hex().into_bytes()];
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let holds = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
                if needles.iter().any(holds) {
                    found.push(path);
                }
            }
        }
    }
    found
}

struct Wanted {
    picture: BTreeMap<String, Value>,
    changes: BTreeMap<String, usize>,
    points: Vec<String>,
}

async fn undisturbed(prepared: &Prepared) -> Wanted {
    let stage = Stage::of(prepared).await;
    assert!(!files_naming(&stage.folder.path().join("state")).is_empty(), "they were known");
    let ended = stage.run(&["forget", WHOM, "--yes"], &[("HSMC_FAILPOINT_LOG", "points")]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(left(&stage).await, Vec::<String>::new());
    let log = std::fs::read_to_string(stage.folder.path().join("points")).unwrap();
    let mut seen = BTreeSet::new();
    let points = log.lines().filter(|point| seen.insert(*point)).map(str::to_owned).collect();
    Wanted { picture: stage.picture(), changes: stage.changes(), points }
}

/// What is left of them, or does not hold.
async fn left(stage: &Stage) -> Vec<String> {
    let mut wrong = stage.wrongs();
    let named = files_naming(&stage.folder.path().join("state"));
    wrong.extend(named.iter().map(|path| format!("still named in {}", path.display())));
    wrong.extend(stage.picture().into_keys().filter(|who| who.contains(WHOM)));
    let verified = stage.run(&["consent", "verify"], &[]).await;
    if verified.code != Some(0) {
        wrong.push(verified.said);
    }
    match stage.open_moves().await {
        Some(0) => {}
        open => wrong.push(format!("open moves: {open:?}")),
    }
    wrong
}

async fn killed_at(prepared: &Prepared, wanted: &Wanted, point: &str, again: bool) -> Vec<String> {
    let stage = Stage::of(prepared).await;
    let ended = stage.run(&["forget", WHOM, "--yes"], &[("HSMC_FAILPOINT", point)]).await;
    if !ended.killed {
        return vec![format!("{point}: not killed there, but ended with {:?}: {}", ended.code, ended.said)];
    }
    let mut wrong = Vec::new();
    if again {
        let ended = stage.run(&["forget", WHOM, "--yes"], &[]).await;
        if ended.code != Some(0) {
            wrong.push(format!("asked again: {}", ended.said));
        }
        wrong.extend(left(&stage).await);
    }
    if let Err(problem) = stage.settle(RUNS).await {
        wrong.push(problem);
    }
    wrong.extend(left(&stage).await);
    wrong.extend(differences(&wanted.picture, &stage.picture()));
    wrong.extend(differences(&wanted.changes, &stage.changes()));
    wrong.into_iter().map(|line| format!("{point}, again: {again}: {line}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting_killed_at_any_point_ends_with_nothing_left_and_nothing_deleted_twice() {
    let prepared = prepare(World::Plain, &[], 0).await;
    let wanted = undisturbed(&prepared).await;
    for step in 0..4 {
        for point in ["intent", "answered", "outcome"] {
            let name = format!("{point}:forget:{step}:forward");
            assert!(wanted.points.contains(&name), "{name} is missing from {:?}", wanted.points);
        }
    }
    for point in
        ["ended:forget", "forget:journaled", "forget:rows-gone", "forget:trace-gone", "forget:compacted"]
    {
        assert!(wanted.points.iter().any(|passed| passed == point), "{point} is missing");
    }
    let cases = wanted.points.iter().flat_map(|point| [(point, false), (point, true)]);
    let wrong: Vec<String> = futures::stream::iter(cases)
        .map(|(point, again)| killed_at(&prepared, &wanted, point, again))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} crash points", wanted.points.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
