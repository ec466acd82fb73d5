//! Every point that an undisturbed run passes is a place to kill it.

use crate::stage::{Prepared, Stage, differences};
use crate::world::{Due, World, prepare};
use futures::StreamExt;
use hsmc::domain::moves::MoveKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Cases that run side by side; mostly they wait.
pub const AT_ONCE: usize = 8;
/// Runs that a world may need until nothing is left to do.
const RUNS: usize = 4;

/// What an undisturbed run leaves, and the points it passes on the way.
pub struct Undisturbed {
    pub picture: BTreeMap<String, Value>,
    pub changes: BTreeMap<String, usize>,
    pub points: Vec<String>,
    pub runs: usize,
}

pub async fn undisturbed(prepared: &Prepared) -> Undisturbed {
    let stage = Stage::of(prepared).await;
    let ended = stage.run(&["sync", "--yes"], &[("HSMC_FAILPOINT_LOG", "points")]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let log = std::fs::read_to_string(stage.folder.path().join("points")).unwrap();
    let mut seen = BTreeSet::new();
    let points = log.lines().filter(|point| seen.insert(*point)).map(str::to_owned).collect();
    let runs = stage.settle(RUNS).await.unwrap();
    assert_eq!(stage.wrongs(), Vec::<String>::new());
    Undisturbed { picture: stage.picture(), changes: stage.changes(), points, runs }
}

/// Kills one run at a point, lets hsmc go on, and says what is not as it should be.
pub async fn killed_at(prepared: &Prepared, wanted: &Undisturbed, point: &str) -> Vec<String> {
    let stage = Stage::of(prepared).await;
    let ended = stage.run(&["sync", "--yes"], &[("HSMC_FAILPOINT", point)]).await;
    if !ended.killed {
        return vec![format!("{point}: not killed there, but ended with {:?}: {}", ended.code, ended.said)];
    }
    afterwards(&stage, wanted, point).await
}

/// Lets hsmc go on after what happened, and says what is not as it should be.
pub async fn afterwards(stage: &Stage, wanted: &Undisturbed, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    // The first run after the crash ends what was begun; the others are those an undisturbed one needs.
    if let Err(problem) = stage.settle(wanted.runs + 2).await {
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

async fn matrix(prepared: &Prepared, wanted: &Undisturbed, points: &[String]) {
    let wrong: Vec<String> = futures::stream::iter(points)
        .map(|point| killed_at(prepared, wanted, point))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} crash points", points.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The matrix leaves out nothing: each step of each planned move has its points.
async fn covers_the_plan(prepared: &Prepared, points: &[String]) -> BTreeSet<String> {
    let stage = Stage::of(prepared).await;
    let plan = stage.run(&["plan", "--json"], &[]).await;
    let start = plan.said.find('{').unwrap();
    let plan: Value =
        serde_json::Deserializer::from_str(&plan.said[start..]).into_iter().next().unwrap().unwrap();
    let mut kinds = BTreeSet::new();
    for planned in plan["moves"].as_array().unwrap() {
        let kind = planned["kind"].as_str().unwrap();
        kinds.insert(kind.to_owned());
        for (index, step) in planned["steps"].as_array().unwrap().iter().enumerate() {
            let local = step["text"].as_str().unwrap().contains("evidence");
            let wanted: &[&str] = if local { &["outcome"] } else { &["intent", "answered", "outcome"] };
            for point in wanted {
                let name = format!("{point}:{kind}:{index}:forward");
                assert!(points.contains(&name), "{name} is missing");
            }
        }
        assert!(points.contains(&format!("ended:{kind}")), "the end of {kind} is missing");
    }
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_of_any_move_changes_nothing_about_the_outcome() {
    let prepared = prepare(World::Plain, &Due::ALL, 2).await;
    let wanted = undisturbed(&prepared).await;
    let kinds = covers_the_plan(&prepared, &wanted.points).await;
    // People to be asked first, what is undone, and who is forgotten, have matrices of their own.
    let others = [MoveKind::Pending, MoveKind::Undo, MoveKind::Forget];
    let all = MoveKind::ALL.iter().filter(|kind| !others.contains(kind));
    assert_eq!(kinds, all.map(|kind| kind.word().to_owned()).collect());
    for point in ["scanned", "planned:opt-outs", "planned:rest", "applying:rest", "consent-over", "reporting"]
    {
        assert!(wanted.points.contains(&point.to_owned()), "{point} is missing");
    }
    matrix(&prepared, &wanted, &wanted.points).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_people_are_asked_to_confirm_changes_nothing_about_the_outcome() {
    let prepared = prepare(World::DoubleOptIn, &[Due::Enroll], 2).await;
    let wanted = undisturbed(&prepared).await;
    let kinds = covers_the_plan(&prepared, &wanted.points).await;
    assert_eq!(kinds, BTreeSet::from(["pending".to_owned()]));
    matrix(&prepared, &wanted, &of_moves(&wanted.points)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_segment_feeds_a_list_changes_nothing_about_the_outcome() {
    let prepared = prepare(World::Feeding, &[Due::Fed, Due::FedNoMore], 2).await;
    let wanted = undisturbed(&prepared).await;
    let kinds = covers_the_plan(&prepared, &wanted.points).await;
    assert_eq!(kinds, BTreeSet::from(["retag".to_owned()]));
    matrix(&prepared, &wanted, &of_moves(&wanted.points)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_one_call_carries_several_steps_changes_nothing_about_the_outcome() {
    let prepared = prepare(World::Bundled, &[Due::Enroll], 3).await;
    let wanted = undisturbed(&prepared).await;
    covers_the_plan(&prepared, &wanted.points).await;
    assert!(wanted.points.contains(&"batch:subscribe".to_owned()), "nothing was batched");
    matrix(&prepared, &wanted, &of_moves(&wanted.points)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_service_works_on_an_asynchronous_batch_changes_nothing_about_the_outcome() {
    let due = [Due::Refresh, Due::HandOver, Due::Exclude, Due::Orphan];
    let prepared = prepare(World::Tickets, &due, 2).await;
    let wanted = undisturbed(&prepared).await;
    for point in ["ticket:refresh:0:forward", "ticketed:refresh:0:forward"] {
        assert!(wanted.points.contains(&point.to_owned()), "{point} is missing");
    }
    let points: Vec<String> =
        of_moves(&wanted.points).into_iter().filter(|point| point.starts_with("ticket")).collect();
    matrix(&prepared, &wanted, &points).await;
}

/// The points that moves pass, without those of the run around them.
fn of_moves(points: &[String]) -> Vec<String> {
    let kinds: Vec<String> = MoveKind::ALL.iter().map(|kind| format!(":{kind}")).collect();
    let is_of_move =
        |point: &&String| point.starts_with("batch:") || kinds.iter().any(|kind| point.contains(kind));
    points.iter().filter(is_of_move).cloned().collect()
}
