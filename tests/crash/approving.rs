//! A yes that was given is not asked for twice, wherever the process dies that carries it out; and a plan that
//! waits for one is there whole, or not at all.

use crate::points::AT_ONCE;
use crate::stage::{Prepared, Stage, differences};
use crate::world::{Due, World, prepare};
use futures::StreamExt;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Fault, FaultKind, Matches};
use serde_json::Value;
use std::collections::BTreeMap;

const ASK: (&str, &str) = ("HSMC_SYNC__APPLY", "ask");

/// The run that waits, by the command that operators use.
async fn waiting(stage: &Stage) -> Option<String> {
    let runs = stage.run(&["runs", "--json"], &[ASK]).await;
    let runs: Value = serde_json::from_str(&runs.said).unwrap();
    let waiting = runs.as_array().unwrap().iter().find(|run| run["state"] == "needs-approval");
    waiting.map(|run| run["id"].to_string())
}

/// Moves made by a yes to the waiting run, killed at a point on the way; what is wrong after one more run that
/// nobody says yes to.
async fn killed_at(prepared: &Prepared, wanted: &BTreeMap<String, Value>, point: &str) -> Vec<String> {
    let stage = Stage::of(prepared).await;
    let run = waiting(&stage).await.unwrap();
    let ended = stage.run(&["approve", &run], &[ASK, ("HSMC_FAILPOINT", point)]).await;
    if !ended.killed {
        return vec![format!("{point}: not killed there, but ended with {:?}: {}", ended.code, ended.said)];
    }
    let mut wrong = Vec::new();
    let again = stage.run(&["sync"], &[ASK]).await;
    if again.code != Some(0) {
        wrong.push(format!("the run after it ended with {:?}: {}", again.code, again.said));
    }
    if let Some(waiting) = waiting(&stage).await {
        wrong.push(format!("run {waiting} waits for a yes"));
    }
    wrong.extend(differences(wanted, &stage.picture()));
    wrong.extend(stage.wrongs());
    wrong.into_iter().map(|line| format!("{point}: {line}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_an_approved_plan_is_carried_out_asks_nobody_again() {
    let due = [Due::Enroll, Due::HandOver, Due::Exclude, Due::Refresh];
    let ground = prepare(World::Plain, &due, 2).await;
    let stage = Stage::of(&ground).await;
    assert_eq!(stage.run(&["sync"], &[ASK]).await.code, Some(3));
    let prepared = stage.prepared(&ground.config);
    let stage = Stage::of(&prepared).await;
    let run = waiting(&stage).await.unwrap();
    let log = ("HSMC_FAILPOINT_LOG", "points");
    let ended = stage.run(&["approve", &run], &[ASK, log]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let wanted = stage.picture();
    let points = std::fs::read_to_string(stage.folder.path().join("points")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let points: Vec<&str> = points
        .lines()
        .skip_while(|point| !point.starts_with("journaled:rest"))
        .filter(|point| seen.insert(*point))
        .collect();
    assert!(points.contains(&"applying:rest") && points.len() > 20, "{points:?}");
    let wrong: Vec<String> = futures::stream::iter(&points)
        .map(|point| killed_at(&prepared, &wanted, point))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} crash points", points.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_a_run_says_that_it_waits_leaves_no_plan_behind() {
    let ground = prepare(World::Plain, &[Due::Enroll, Due::HandOver], 2).await;
    let stage = Stage::of(&ground).await;
    assert!(stage.run(&["sync"], &[ASK, ("HSMC_FAILPOINT", "shown")]).await.killed);
    assert_eq!(waiting(&stage).await, None);
    assert_eq!(stage.run(&["sync"], &[ASK]).await.code, Some(3));
    let kept = std::fs::read_dir(stage.folder.path().join("state/waiting")).unwrap().count();
    assert_eq!(kept, 1, "only that of the run that waits");
    let run = waiting(&stage).await.unwrap();
    assert_eq!(stage.run(&["approve", &run], &[ASK]).await.code, Some(0));
    assert_eq!(std::fs::read_dir(stage.folder.path().join("state/waiting")).unwrap().count(), 0);
    assert_eq!(stage.wrongs(), Vec::<String>::new());
}

/// Opt-outs never wait for a yes: left behind by a run that was cut short they are delivered first, and one that HubSpot
/// does not take at once is still under way when the question is put.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_left_by_a_run_that_was_cut_short_goes_on_while_the_next_one_waits_for_a_yes() {
    let ground = prepare(World::Plain, &[Due::OptOutHubSpot, Due::Enroll], 2).await;
    let stage = Stage::of(&ground).await;
    assert!(stage.run(&["sync"], &[ASK, ("HSMC_FAILPOINT", "journaled:opt-outs")]).await.killed);
    let refused = FaultKind::Status { code: 503, body: None };
    let calls = Matches::call(Service::HubSpot, "POST", "/communication-preferences");
    stage.held().add_fault(Fault { matches: Matches { times: Some(6), ..calls.nth(1) }, kind: refused });
    let asks = stage.run(&["sync"], &[ASK]).await;
    assert_eq!(asks.code, Some(3), "{}", asks.said);
    let run = waiting(&stage).await.unwrap();
    assert_eq!(stage.run(&["state", "check"], &[ASK]).await.code, Some(0));
    let ended = stage.run(&["approve", &run], &[ASK]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert_eq!(stage.open_moves().await, Some(0));
    assert_eq!(stage.wrongs(), Vec::<String>::new());
}
