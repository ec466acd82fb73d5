//! What runs leave behind for people: a line, and a page.

use crate::support::World;
use crate::support::people::{self, GENERAL, address};
use hsmc::domain::failure::Service;
use hsmc::domain::id::RunId;
use hsmc::sandbox::{Act, FaultKind, Matches};
use hsmc::serve::requests::SyncRequest;
use hsmc::serve::views::RunState;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn page(world: &World, run: RunId) -> Option<String> {
    std::fs::read_to_string(world.state().join(format!("reports/{:010}.html", run.0))).ok()
}

fn summary(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.state().join("summary.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_every_run_leaves_one_line_and_one_page_without_an_address() {
    let mut world = World::new(|builder| {
        for number in 0..12 {
            people::listed(builder, &format!("secretperson{number}"), GENERAL);
        }
        people::enrolled(builder, "zoe", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__APPLY", "ask");
    world.act(Act::Unsubscribe { email: address("zoe") });
    let waiting = world.try_sync(SyncRequest::default()).await.unwrap();
    assert_eq!(waiting.run.state, RunState::NeedsApproval);
    // The opt-out was a run of its own, and has its own line and page.
    assert_eq!((waiting.run.id, summary(&world).len()), (RunId(2), 2));
    assert!(page(&world, RunId(1)).is_some());
    let shown = page(&world, waiting.run.id).unwrap();
    assert!(shown.contains("hsmc approve 2") && shown.contains("12"), "{shown}");
    let approved = world.approve(waiting.run.id).await.unwrap();
    assert_eq!(approved.run.state, RunState::Done);
    assert!(page(&world, waiting.run.id).unwrap().contains("<title>hsmc run 2: approved</title>"));
    let lines = summary(&world);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[2].contains("run 3 (approval, incremental)") && lines[2].contains("| moves enroll 12 |"),
        "{lines:?}"
    );
    for (text, name) in [(lines.join("\n"), "summary.log"), (page(&world, RunId(3)).unwrap(), "page")] {
        assert!(!text.contains("secretperson") && !text.contains("@example"), "{name}: {text}");
    }
    for file in ["summary.log", "reports/0000000003.html"] {
        let mode = std::fs::metadata(world.state().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // As many calls over time as were counted, and every phase with its time.
    let report = &approved.run.report;
    for curve in &report.calls {
        let drawn: u64 = curve.calls.iter().map(|calls| u64::from(*calls)).sum();
        assert_eq!(Some(&drawn), approved.run.counts.calls.get(&curve.service.to_string()), "{curve:?}");
    }
    let phases: Vec<&str> = report.phases.iter().map(|phase| phase.phase.as_str()).collect();
    assert_eq!(phases, ["before", "reading", "planning", "applying", "reporting"]);
    assert!(report.phases.iter().all(|phase| phase.took_ms > 0), "{:?}", report.phases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_pages_go_when_the_snapshots_of_their_time_go() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.synced().await;
    assert!(page(&world, RunId(1)).is_some() && page(&world, RunId(2)).is_some());
    world.clock.jump(Duration::from_secs(31 * 24 * 3600));
    world.synced().await;
    assert_eq!((page(&world, RunId(1)), page(&world, RunId(2))), (None, None));
    assert!(page(&world, RunId(3)).is_some());
    assert_eq!(summary(&world).len(), 3, "the log is bounded by its size");
}

/// The plan's figure is no report: whom Mailchimp refuses does not join, and who opts out leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r29_the_audience_of_a_finished_run_is_what_has_become_of_it() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
        people::contact(builder, "cleo");
        people::member(builder, "cleo");
    })
    .await;
    world.act(Act::OptOut { email: address("cleo"), subscription: None });
    let body = r#"{"new_members":[],"updated_members":[],"errors":[{"email_address":"ada@example.com","error":"ada@example.com looks fake or invalid, please enter a real email address.","error_code":"ERROR_GENERIC"}],"total_created":0,"total_updated":0,"error_count":1}"#;
    let fake = FaultKind::Status { code: 200, body: Some(body.to_owned()) };
    world.fault(Matches::call(Service::Mailchimp, "POST", "/lists/aud0000001").nth(1), fake);
    let report = world.sync().await;
    world.mend();
    let there =
        ["ada", "bram", "cleo"].iter().filter(|name| world.person(name).starts_with("subscribed")).count();
    let size = report.run.report.audience.unwrap();
    assert_eq!((size.before, size.after()), (1, there as u64), "{report:#?}");
    assert_eq!(size.leaving, 1, "the opt-out");
}
