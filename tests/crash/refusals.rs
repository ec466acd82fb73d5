//! Every move, refused at each of its calls, and killed at every point from the refusal on: whatever can
//! be unwound ends with all before-images back, what only goes forward ends as done once it is no longer
//! refused, or parked.

use crate::points::{AT_ONCE, Undisturbed};
use crate::stage::{Prepared, Stage, differences};
use crate::world::{Due, World, prepare};
use futures::StreamExt;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Fault, FaultKind, Matches};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const RUNS: usize = 4;
/// `hsmc sync` ends with it while a move is stuck.
const STUCK: i32 = 4;

/// Which call is refused.
#[derive(Clone, Copy, Debug)]
struct Refused {
    service: Service,
    /// Counted among the service's changing calls.
    nth: u64,
}

impl Refused {
    fn fault(self, times: u64) -> Fault {
        let matches = Matches { times: Some(times), ..Matches::changes(self.service).nth(self.nth) };
        Fault { matches, kind: FaultKind::Status { code: 400, body: None } }
    }
}

/// One place to kill, in a world where one call is refused.
struct Case {
    prepared: usize,
    wanted: usize,
    refused: Refused,
    /// Once more, where the refusal itself is lost by the kill.
    times: u64,
    point: String,
}

struct Reference {
    name: String,
    undisturbed: Undisturbed,
}

/// Changing calls by service, without any refusal.
async fn calls(prepared: &Prepared) -> Vec<Refused> {
    let stage = Stage::of(prepared).await;
    stage.held().calls.clear();
    assert_eq!(stage.sync().await.code, Some(0));
    let mut calls = Vec::new();
    for service in [Service::HubSpot, Service::Mailchimp] {
        let sandbox = stage.held();
        let of_service =
            sandbox.calls.all().iter().filter(|(kind, _)| kind.mutating && kind.service == service);
        let count: u64 = of_service.map(|(_, count)| count).sum();
        calls.extend((1..=count).map(|nth| Refused { service, nth }));
    }
    calls
}

/// What is left when the call is refused and nobody kills anything; and where to kill.
async fn refused(prepared: &Prepared, refused: Refused, name: String) -> (Undisturbed, Vec<(String, u64)>) {
    let stage = Stage::of(prepared).await;
    let before = stage.picture();
    stage.held().add_fault(refused.fault(1));
    let ended = stage.run(&["sync", "--yes"], &[("HSMC_FAILPOINT_LOG", "points")]).await;
    assert!(matches!(ended.code, Some(0 | STUCK)), "{name}: {}", ended.said);
    let log = std::fs::read_to_string(stage.folder.path().join("points")).unwrap();
    let mut seen = BTreeSet::new();
    let points: Vec<String> = log.lines().filter(|point| seen.insert(*point)).map(str::to_owned).collect();
    let is_turn = |point: &String| {
        ["unwinding", "stuck", "ended"].iter().any(|turn| point.starts_with(&format!("{turn}:")))
    };
    let turn = points.iter().position(is_turn).unwrap_or_else(|| panic!("{name}: no move ended"));
    if points[turn].starts_with("unwinding:") {
        let after = stage.picture();
        assert_eq!(half_done(&before, &after), Vec::<String>::new(), "{name}: not unwound");
    }
    let runs = stage.settle(RUNS).await.unwrap_or_else(|problem| panic!("{name}: {problem}"));
    assert_eq!(stage.wrongs(), Vec::<String>::new(), "{name}");
    // The refused step's own points, and all that follow. An undo's outcome is durable together with the
    // next intent.
    let step =
        points[..turn].iter().rev().find_map(|point| point.strip_prefix("outcome:")).unwrap().to_owned();
    let mut places = vec![(format!("intent:{step}"), 1), (format!("answered:{step}"), 2)];
    let follow =
        points[turn..].iter().filter(|point| !point.starts_with("outcome:") && *point != "reporting");
    places.extend(follow.map(|point| (point.clone(), 1)));
    (Undisturbed { picture: stage.picture(), changes: stage.changes(), points, runs }, places)
}

/// What unwinding has not put back. A member that was made stays, archived: nobody gets mail by it.
fn half_done(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let known: BTreeMap<String, Value> = after
        .iter()
        .filter(|(who, what)| before.contains_key(*who) || what["status"] != "archived")
        .filter(|(who, what)| before.contains_key(*who) || !is_bare_contact(who, what))
        .map(|(who, what)| (who.clone(), what.clone()))
        .collect();
    differences(before, &known)
}

/// A contact that was made stays too: it holds nothing but the address.
fn is_bare_contact(who: &str, what: &Value) -> bool {
    let properties = what["properties"].as_object();
    who.starts_with("contact ")
        && what["lists"].as_array().is_some_and(Vec::is_empty)
        && properties.is_some_and(|properties| properties.keys().eq(["email"]))
}

async fn killed(prepared: &Prepared, wanted: &Reference, case: &Case) -> Vec<String> {
    let name = format!("{}, killed at {}", wanted.name, case.point);
    let wanted = &wanted.undisturbed;
    let stage = Stage::of(prepared).await;
    stage.held().add_fault(case.refused.fault(case.times));
    let ended = stage.run(&["sync", "--yes"], &[("HSMC_FAILPOINT", &case.point)]).await;
    if !ended.killed {
        return vec![format!("{name}: not killed there, but ended with {:?}: {}", ended.code, ended.said)];
    }
    let mut wrong = Vec::new();
    if let Err(problem) = stage.settle_from(wanted.runs + 2, &[STUCK]).await {
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

async fn matrix(worlds: &[(World, Due)]) {
    let mut prepared = Vec::new();
    for (world, due) in worlds {
        prepared.push(prepare(*world, &[*due], 1).await);
    }
    let (mut references, mut cases) = (Vec::new(), Vec::new());
    for (at, (world, due)) in worlds.iter().enumerate() {
        let calls = calls(&prepared[at]).await;
        assert!(!calls.is_empty(), "{due:?}: nothing is done");
        for call in calls {
            let name = format!("{world:?} {due:?}, {} call {} refused", call.service, call.nth);
            let (undisturbed, places) = refused(&prepared[at], call, name.clone()).await;
            let wanted = references.len();
            references.push(Reference { name, undisturbed });
            cases.extend(places.into_iter().map(|(point, times)| Case {
                prepared: at,
                wanted,
                refused: call,
                times,
                point,
            }));
        }
    }
    let wrong: Vec<String> = futures::stream::iter(&cases)
        .map(|case| killed(&prepared[case.prepared], &references[case.wanted], case))
        .buffer_unordered(AT_ONCE)
        .flat_map(futures::stream::iter)
        .collect()
        .await;
    println!("{} refusals, {} crash points", references.len(), cases.len());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_move_is_unwound_whenever_it_is_killed() {
    matrix(&[
        (World::Plain, Due::Enroll),
        (World::Bundled, Due::Enroll),
        (World::DoubleOptIn, Due::Enroll),
        (World::Plain, Due::Refresh),
        (World::Plain, Due::Retag),
        (World::Plain, Due::Restore),
        (World::Plain, Due::HandOver),
        (World::Plain, Due::HandOverUnknown),
        (World::Plain, Due::Rename),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_move_that_only_goes_forward_ends_the_same_whenever_it_is_killed() {
    matrix(&[
        (World::Plain, Due::Exclude),
        (World::Plain, Due::Orphan),
        (World::Plain, Due::OptOutHubSpot),
        (World::Plain, Due::OptOutMailchimp),
        (World::Plain, Due::Bounce),
    ])
    .await;
}
