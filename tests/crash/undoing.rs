//! An undo is a run of journaled moves like any other: killed at every point, refused at every call, it ends
//! as an undo that nobody disturbed, or as if it had never begun.

use crate::points::AT_ONCE;
use crate::stage::{Prepared, Stage, differences};
use crate::world::{Due, World, prepare};
use futures::StreamExt;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Fault, FaultKind, Matches};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// `hsmc sync` ends with it while a move is stuck.
const STUCK: i32 = 4;
/// Runs that a world may need until nothing is left to do.
const RUNS: usize = 3;

/// A world in which a run has done what was due; and that run's number.
async fn done(due: &[Due], each: usize) -> (Prepared, String) {
    let ground = prepare(World::Plain, due, each).await;
    let stage = Stage::of(&ground).await;
    assert_eq!(stage.sync().await.code, Some(0));
    let runs = stage.run(&["runs", "--json"], &[]).await;
    let runs: Value = serde_json::from_str(&runs.said).unwrap();
    (stage.prepared(&ground.config), runs[0]["id"].to_string())
}

struct Reference {
    picture: BTreeMap<String, Value>,
    changes: BTreeMap<String, usize>,
    points: Vec<String>,
}

/// What an undo leaves that nobody kills; with this fault, if any.
async fn reference(prepared: &Prepared, run: &str, fault: Option<&Fault>) -> Reference {
    let stage = Stage::of(prepared).await;
    fault.into_iter().for_each(|fault| stage.held().add_fault(fault.clone()));
    let ended = stage.run(&["undo", run, "--yes"], &[("HSMC_FAILPOINT_LOG", "points")]).await;
    assert!(matches!(ended.code, Some(0 | STUCK)), "{}", ended.said);
    let log = std::fs::read_to_string(stage.folder.path().join("points")).unwrap();
    let mut seen = BTreeSet::new();
    let points = log.lines().filter(|point| seen.insert(*point)).map(str::to_owned).collect();
    stage.settle(RUNS).await.unwrap();
    assert_eq!(stage.wrongs(), Vec::<String>::new());
    Reference { picture: stage.picture(), changes: stage.changes(), points }
}

async fn compared(stage: &Stage, wanted: &Reference, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(problem) = stage.settle_from(RUNS, &[STUCK]).await {
        wrong.push(problem);
    }
    wrong.extend(differences(&wanted.picture, &stage.picture()));
    wrong.extend(differences(&wanted.changes, &stage.changes()));
    wrong.extend(stage.wrongs());
    match stage.open_moves().await {
        Some(0) => {}
        open => wrong.push(format!("open moves: {open:?}")),
    }
    wrong.into_iter().map(|line| format!("{name}: {line}")).collect()
}

/// Kills an undo, and says what is wrong once it was asked for again; with an ordinary run in between, or not.
async fn killed_at(
    prepared: &Prepared,
    run: &str,
    wanted: &Reference,
    point: &str,
    between: bool,
) -> Vec<String> {
    let stage = Stage::of(prepared).await;
    let ended = stage.run(&["undo", run, "--yes"], &[("HSMC_FAILPOINT", point)]).await;
    if !ended.killed {
        return vec![format!("{point}: not killed there, but ended with {:?}: {}", ended.code, ended.said)];
    }
    if between {
        stage.sync().await;
    }
    let again = stage.run(&["undo", run, "--yes"], &[]).await;
    if again.code != Some(0) {
        return vec![format!("{point}: asked for again, it ended with {:?}: {}", again.code, again.said)];
    }
    compared(&stage, wanted, point).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_of_an_undo_changes_nothing_about_the_outcome() {
    let due = [
        Due::Enroll,
        Due::Retag,
        Due::Restore,
        Due::HandOver,
        Due::HandOverUnknown,
        Due::Exclude,
        Due::Orphan,
    ];
    let (prepared, run) = done(&due, 2).await;
    let wanted = reference(&prepared, &run, None).await;
    let of_undo: Vec<&String> = wanted.points.iter().filter(|point| point.contains("undo")).collect();
    for point in ["planned:undo", "journaled:undo", "applying:undo", "ended:undo", "intent:undo:4:forward"] {
        assert!(of_undo.iter().any(|passed| *passed == point), "{point} is missing: {of_undo:?}");
    }
    let wrong: Vec<String> = futures::stream::iter(wanted.points.iter().enumerate())
        .map(|(at, point)| killed_at(&prepared, &run, &wanted, point, at % 2 == 0))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} crash points", wanted.points.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_refused_at_any_call_is_unwound_whenever_it_is_killed() {
    let mut cases = Vec::new();
    for due in [Due::Enroll, Due::Retag, Due::HandOver, Due::Exclude] {
        let (prepared, run) = done(&[due], 1).await;
        let before = Stage::of(&prepared).await.picture();
        let undone = reference(&prepared, &run, None).await;
        for service in [Service::HubSpot, Service::Mailchimp] {
            for nth in 1..=6 {
                let matches = Matches { times: Some(1), ..Matches::changes(service).nth(nth) };
                let fault = Fault { matches, kind: FaultKind::Status { code: 400, body: None } };
                let wanted = reference(&prepared, &run, Some(&fault)).await;
                let name = format!("{due:?}, {service} call {nth} refused");
                if wanted.picture == undone.picture {
                    // It has fewer calls than that.
                    continue;
                }
                assert_eq!(differences(&before, &wanted.picture), Vec::<String>::new(), "{name}: half done");
                let turn = wanted.points.iter().position(|point| point == "unwinding:undo").unwrap();
                for point in &wanted.points[turn..] {
                    let name = format!("{name}, killed at {point}");
                    cases.push((
                        Stage::of(&prepared).await.prepared(&prepared.config),
                        run.clone(),
                        fault.clone(),
                        point.clone(),
                        name,
                    ));
                }
            }
        }
    }
    let wrong: Vec<String> = futures::stream::iter(&cases)
        .map(|(prepared, run, fault, point, name)| async move {
            let stage = Stage::of(prepared).await;
            let before = stage.picture();
            stage.held().add_fault(fault.clone());
            let ended = stage.run(&["undo", run, "--yes"], &[("HSMC_FAILPOINT", point)]).await;
            // An undo's outcome is durable together with the next intent: not every point kills.
            let mut wrong = Vec::new();
            if !ended.killed && !point.starts_with("outcome") {
                wrong.push(format!("not killed, but ended with {:?}: {}", ended.code, ended.said));
            }
            wrong.extend(stage.settle_from(RUNS, &[STUCK]).await.err());
            wrong.extend(differences(&before, &stage.picture()));
            wrong.extend(stage.wrongs());
            match stage.open_moves().await {
                Some(0) => {}
                open => wrong.push(format!("open moves: {open:?}")),
            }
            wrong.into_iter().map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
        })
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} crash points", cases.len());
    assert!(cases.len() > 40, "{} cases", cases.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
