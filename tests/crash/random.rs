//! Kills by chance, on one state directory, while calls are under way and some answers are lost with
//! their calls taking effect later. `HSMC_KILLS=200 HSMC_SEED=7 cargo test --test crash random` makes it a
//! long one, or another one.

use crate::points::{afterwards, undisturbed};
use crate::stage::{Stage, copy};
use crate::world::{Due, World, prepare};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Fault, FaultKind, Matches};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Added to each answer, so that kills fall into calls.
const LATENCY: Duration = Duration::from_millis(10);
/// How late a lost call takes effect: after hsmc has started again.
const LATE: Duration = Duration::from_millis(400);
/// Calls after which a process is killed, at most; a scan is about thirty.
const CALLS: u64 = 90;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_by_chance_under_load_change_nothing_about_the_outcome() {
    let (kills, seed) = (number("HSMC_KILLS", 20), number("HSMC_SEED", 1));
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let each = 16 + usize::try_from(kills).unwrap() / 5;
    let people = each * Due::ALL.len();
    let prepared = prepare(World::Plain, &Due::ALL, each).await;
    let wanted = undisturbed(&prepared).await;

    let stage = Stage::slow(prepared.sandbox.clone(), &prepared.config, LATENCY).await;
    copy(prepared.state.path(), &stage.folder.path().join("state"));
    // The portal's limit would only make the test wait: every process begins without knowing of the last one's calls.
    stage.held().settings.calls_per_window = 1_000_000;
    for service in [Service::HubSpot, Service::Mailchimp] {
        for _ in 0..kills / 5 {
            let matches = Matches::changes(service).nth(chance.random_range(1..=kills * 5));
            stage.held().add_fault(Fault { matches, kind: FaultKind::LostThenDoneLater(LATE) });
        }
    }
    let (mut killed, mut at_rest) = (0, 0);
    while killed < kills {
        let until = stage.held().calls.total() + chance.random_range(1..=CALLS);
        let mut process = stage.start(&["sync", "--yes"], &[]);
        loop {
            if process.try_wait().unwrap().is_some() {
                let output = process.wait_with_output().await.unwrap();
                let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(0), "seed {seed}: {said}");
                at_rest += 1;
                break;
            }
            if stage.held().calls.total() >= until {
                process.kill().await.unwrap();
                killed += 1;
                break;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // Kills that all fell into scans would prove nothing of moves.
    let (done, of): (usize, usize) = (stage.changes().values().sum(), wanted.changes.values().sum());
    println!(
        "{killed} kills by chance among {people} people, {done} of {of} changes made, {at_rest} runs came to their end"
    );
    assert!(done > 0, "no kill fell into a move");
    let wrong = afterwards(&stage, &wanted, &format!("seed {seed}")).await;
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
