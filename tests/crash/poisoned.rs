//! A mistake of hsmc's own over one person: their actor panics whenever it comes to it. Nobody else suffers, and the
//! person is named.

use crate::points::{Undisturbed, afterwards, undisturbed};
use crate::stage::{Stage, differences};
use crate::world::{Due, World, prepare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::time::Duration;

/// Passed with every try: the intent is durable, and its actor dies.
const POISON: &str = "intent:exclude";

fn only_the_poisoned_differs(stage: &Stage, wanted: &Undisturbed) {
    let others = |line: &String| !line.contains("exclude");
    let wrong: Vec<String> =
        differences(&wanted.picture, &stage.picture()).into_iter().filter(others).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

async fn status(stage: &Stage) -> Value {
    let said = stage.run(&["status", "--json"], &[]).await.said;
    serde_json::from_str(&said).unwrap_or_default()
}

fn stuck(status: &Value) -> Vec<&Value> {
    let moves = status["moves"].as_array().into_iter().flatten();
    moves.filter(|one| one["phase"] == "stuck").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_makes_their_actor_panic_is_stuck_by_name_and_nobody_else_suffers() {
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let wanted = undisturbed(&prepared).await;
    let stage = Stage::of(&prepared).await;
    let ended = stage.run(&["sync", "--yes"], &[("HSMC_PANIC", POISON)]).await;
    assert_eq!(ended.code, Some(4), "{}", ended.said);
    only_the_poisoned_differs(&stage, &wanted);
    let status = status(&stage).await;
    let stuck = stuck(&status);
    assert_eq!(stuck.len(), 1, "{status}");
    assert_eq!(stuck[0]["kind"], "exclude");
    assert!(stuck[0].to_string().contains("panic"), "{}", stuck[0]);
    // Without the mistake, the next run goes on with it, and nothing was done twice.
    let wrong = afterwards(&stage, &wanted, POISON).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_between_two_steps_costs_nothing() {
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let wanted = undisturbed(&prepared).await;
    for point in ["outcome:exclude:0", "ended:exclude"] {
        let stage = Stage::of(&prepared).await;
        let ended = stage.run(&["sync", "--yes"], &[("HSMC_PANIC", point)]).await;
        assert_eq!(ended.code, Some(0), "{point}: {}", ended.said);
        assert!(ended.said.contains("actor panicked"), "{point}: {}", ended.said);
        let wrong = afterwards(&stage, &wanted, point).await;
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_outlives_it() {
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let wanted = undisturbed(&prepared).await;
    let stage = Stage::of(&prepared).await;
    let mut daemon =
        stage.start(&["daemon"], &[("HSMC_PANIC", POISON), ("HSMC_SYNC__MAX_CHANGED_SHARE", "none")]);
    let mut view = Value::Null;
    for _ in 0..600 {
        view = status(&stage).await;
        if view["next_run_at"].is_number() && !stuck(&view).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stuck(&view).len(), 1, "{view}");
    assert!(view["process"]["running"].is_object(), "{view}");
    only_the_poisoned_differs(&stage, &wanted);
    // It goes on answering, and with the next run.
    let again = stage.run(&["sync", "--yes"], &[]).await;
    assert_eq!(again.code, Some(4), "{}", again.said);
    let pid = Pid::from_raw(i32::try_from(daemon.id().unwrap()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), daemon.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
}
