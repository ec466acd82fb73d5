//! A command acts through the process that owns the state directory. When that one ends over it, the command does the
//! work itself, or says that nobody knows how far it came.

use crate::points::{Undisturbed, afterwards, undisturbed};
use crate::stage::{Prepared, Stage, copy};
use crate::world::{Due, World, prepare};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Fault, FaultKind, Matches};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;
use tokio::process::Child;

/// Each answer takes so long: a run is still under way when its process is told to end.
const LATENCY: Duration = Duration::from_millis(150);

async fn slow(prepared: &Prepared) -> Stage {
    let stage = Stage::slow(prepared.sandbox.clone(), &prepared.config, LATENCY).await;
    copy(prepared.state.path(), &stage.folder.path().join("state"));
    stage
}

fn tell(process: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process.id().unwrap()).unwrap()), signal).unwrap();
}

/// Waits until the services have had so many more calls.
async fn calls(stage: &Stage, more: u64) {
    let wanted = stage.held().calls.total() + more;
    calls_are(stage, wanted).await;
}

async fn calls_are(stage: &Stage, wanted: u64) {
    for _ in 0..1_000 {
        if stage.held().calls.total() >= wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it makes no calls");
}

/// The owner's socket is there.
async fn owned(stage: &Stage) {
    for _ in 0..1_000 {
        if stage.folder.path().join("state/control.sock").exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody owns the directory");
}

/// An owner, a second `sync` that asks it, and the owner's end.
async fn second(prepared: &Prepared, owner: &[&str], signal: Signal) -> (Stage, Option<i32>, String) {
    let stage = slow(prepared).await;
    let mut owner = stage.start(owner, &[]);
    owned(&stage).await;
    let second = stage.start(&["sync", "--yes"], &[]);
    calls(&stage, 6).await;
    tell(&owner, signal);
    let output =
        tokio::time::timeout(Duration::from_secs(80), second.wait_with_output()).await.unwrap().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let ended = tokio::time::timeout(Duration::from_secs(30), owner.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code().is_none(), signal == Signal::SIGKILL);
    (stage, output.status.code(), said)
}

async fn takes_over(prepared: &Prepared, wanted: &Undisturbed, owner: &[&str], signal: Signal) {
    let name = format!("{owner:?} ended by {signal}");
    let (stage, code, said) = second(prepared, owner, signal).await;
    assert_eq!(code, Some(0), "{name}: {said}");
    assert!(said.contains("this one goes on with it"), "{name}: {said}");
    assert!(!said.contains("store is closed"), "{name}: {said}");
    let wrong = afterwards(&stage, wanted, &name).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_whose_daemon_ends_over_it_takes_over() {
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let wanted = undisturbed(&prepared).await;
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        takes_over(&prepared, &wanted, &["daemon"], signal).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_waits_for_another_takes_over_whatever_ends_that_one() {
    let prepared = prepare(World::Plain, &Due::ALL, 1).await;
    let wanted = undisturbed(&prepared).await;
    // It ends by itself, with the other's run barely begun.
    takes_over(&prepared, &wanted, &["sync", "--yes"], Signal::SIGWINCH).await;
    takes_over(&prepared, &wanted, &["sync", "--yes"], Signal::SIGINT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_word_that_may_have_been_taken_is_not_repeated_but_said_to_be_open() {
    let prepared = prepare(World::Plain, &[Due::Enroll], 1).await;
    let stage = Stage::of(&prepared).await;
    let mut owner = stage.start(&["daemon"], &[]);
    calls(&stage, 1).await;
    // Its first run is over: the next call is the question's own.
    while stage.open_moves().await != Some(0) || !stage.run(&["status"], &[]).await.said.contains("next") {}
    let hangs = FaultKind::Slow(Duration::from_secs(60));
    stage.held().add_fault(Fault { matches: Matches::all(Service::HubSpot), kind: hangs });
    let total = stage.held().calls.total();
    let asked = stage.start(&["adopt", "--list", "720"], &[]);
    calls_are(&stage, total + 1).await;
    tell(&owner, Signal::SIGKILL);
    let output = asked.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ended before it answered") && said.contains("ask again"), "{said}");
    owner.wait().await.unwrap();
}
