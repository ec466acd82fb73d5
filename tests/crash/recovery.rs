//! Going on after a crash is killed too, where it records what it has found out.

use crate::points::{AT_ONCE, Undisturbed, afterwards, undisturbed};
use crate::stage::{Prepared, Stage};
use crate::world::{Due, World, prepare};
use futures::StreamExt;

/// Of the steps, every so many: the first crash of each is in the matrix of `points` already.
const EVERY: usize = 2;

async fn killed_twice(prepared: &Prepared, wanted: &Undisturbed, first: &str, second: &str) -> Vec<String> {
    let name = format!("{first}, then {second}");
    let stage = Stage::of(prepared).await;
    for point in [first, second] {
        let ended = stage.run(&["sync", "--yes"], &[("HSMC_FAILPOINT", point)]).await;
        if !ended.killed {
            return vec![format!(
                "{name}: not killed at {point}, but ended with {:?}: {}",
                ended.code, ended.said
            )];
        }
    }
    afterwards(&stage, wanted, &name).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_going_on_after_a_crash_changes_nothing_about_the_outcome() {
    let prepared = prepare(World::Plain, &Due::ALL, 2).await;
    let wanted = undisturbed(&prepared).await;
    let mut cases = Vec::new();
    for intent in wanted.points.iter().filter(|point| point.starts_with("intent:")).step_by(EVERY) {
        let step = intent.trim_start_matches("intent:");
        // The probe says "not so", and it is sent again; or it says "is so".
        cases.push((intent.clone(), intent.clone()));
        cases.push((format!("answered:{step}"), format!("answered:{step}")));
        cases.push((format!("answered:{step}"), format!("outcome:{step}")));
    }
    let wrong: Vec<String> = futures::stream::iter(&cases)
        .map(|(first, second)| killed_twice(&prepared, &wanted, first, second))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} double crashes", cases.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
