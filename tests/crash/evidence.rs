//! Evidence of consent (R23) is kept once, wherever the process is killed around an opt-out.

use crate::points::{AT_ONCE, undisturbed};
use crate::stage::{Prepared, Stage};
use crate::world::{Due, World, prepare};
use futures::StreamExt;
use serde_json::Value;

const RUNS: usize = 4;
const PEOPLE: [&str; 2] = ["optouthubspot.1@example.com", "optoutmailchimp.1@example.com"];

/// What changed about somebody's consent, by the command that auditors use.
async fn evidence(stage: &Stage, email: &str) -> Vec<String> {
    let ended = stage.run(&["consent", email, "--json"], &[]).await;
    let view: Value = serde_json::from_str(&ended.said).unwrap_or_else(|_| panic!("{}", ended.said));
    let links = view["links"].as_array().unwrap();
    links.iter().map(|link| link["change"].as_str().unwrap().to_owned()).collect()
}

async fn killed_at(prepared: &Prepared, point: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let stage = Stage::of(prepared).await;
    let ended = stage.run(&["sync", "--yes"], &[("HSMC_FAILPOINT", point)]).await;
    if !ended.killed {
        return vec![format!("{point}: not killed there: {}", ended.said)];
    }
    if point.starts_with("intent:") && point.contains(":1:") {
        let email = PEOPLE[usize::from(point.contains("mailchimp"))];
        let found = evidence(&stage, email).await;
        if found != ["opt-out-seen"] {
            wrong.push(format!("{point}: between evidence and call, {found:?}"));
        }
    }
    if let Err(problem) = stage.settle(RUNS).await {
        wrong.push(format!("{point}: {problem}"));
    }
    for email in PEOPLE {
        let found = evidence(&stage, email).await;
        if found != ["opt-out-seen", "opt-out-delivered"] {
            wrong.push(format!("{point}: in the end, {found:?} of {email}"));
        }
    }
    let verified = stage.run(&["consent", "verify"], &[]).await;
    if verified.code != Some(0) {
        wrong.push(format!("{point}: {}", verified.said));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_killed_anywhere_around_an_opt_out_leaves_each_piece_of_evidence_once() {
    let prepared = prepare(World::Plain, &[Due::OptOutHubSpot, Due::OptOutMailchimp], 1).await;
    let wanted = undisturbed(&prepared).await;
    let is_around = |point: &&String| point.contains(":opt-out");
    let points: Vec<String> = wanted.points.iter().filter(is_around).cloned().collect();
    for point in ["intent:opt-out-hubspot:1:forward", "intent:opt-out-mailchimp:1:forward"] {
        assert!(points.iter().any(|passed| passed == point), "{point} is missing");
    }
    let wrong: Vec<String> = futures::stream::iter(&points)
        .map(|point| killed_at(&prepared, point))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
