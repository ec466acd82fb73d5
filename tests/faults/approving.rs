//! A plan waits for a yes: durably, in nobody's way, and what is applied is what was shown.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::app::daemon;
use hsmc::app::reload::Reload;
use hsmc::domain::failure::Service;
use hsmc::domain::id::RunId;
use hsmc::domain::report::{Asked, AudienceSize};
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::requests::{ApproveRequest, SyncRequest};
use hsmc::serve::views::{ReportView, RunState, SyncAnswer};
use hsmc::sync::scan::NoProgress;
use std::path::PathBuf;

/// `ask`, with these people new in a list.
async fn asking(names: &[&str]) -> World {
    let mut world = World::new(|builder| {
        for name in names {
            people::listed(builder, name, GENERAL);
        }
        people::enrolled(builder, "zoe", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__APPLY", "ask");
    world.set("HSMC_SYNC__MAX_CHANGED_SHARE", "0.25");
    world
}

/// One run without a yes, which must wait for one.
async fn waits(world: &World) -> ReportView {
    let report = world.try_sync(SyncRequest::default()).await.unwrap();
    assert_eq!(report.run.state, RunState::NeedsApproval, "{}", report.run.phase);
    report
}

async fn state_of(world: &World, id: RunId) -> RunState {
    let app = world.open();
    let view = app.report_of(id).unwrap();
    app.close().await;
    view.run.state
}

fn kept(world: &World) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(world.state().join("waiting")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_yes_is_taken_restarts_later_and_applies_what_was_shown() {
    let world = asking(&["ada", "bram", "carl", "dora"]).await;
    let mark = world.mark();
    let waiting = waits(&world).await;
    let asks = waiting.run.asks.clone().unwrap();
    assert_eq!((asks.run, asks.asked), (waiting.run.id, Asked::ChangedShare));
    assert_eq!(asks.moves.get("enroll"), Some(&4));
    assert_eq!(asks.audience, Some(AudienceSize { before: 1, joining: 4, leaving: 0, cap: None }));
    assert_eq!(
        asks.way_out(),
        format!("hsmc approve {0}, or hsmc reject {0}; the next run takes its place", asks.run)
    );
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    // Processes come and go, and days pass; eve comes too, and was not shown.
    for _ in 0..3 {
        assert_eq!(state_of(&world, waiting.run.id).await, RunState::NeedsApproval);
        world.clock.jump(std::time::Duration::from_secs(24 * 3600));
    }
    world.act(Act::AddContact { properties: [("email".to_owned(), address("eve"))].into_iter().collect() });
    world.act(Act::JoinList { contact: address("eve"), list: GENERAL });
    let report = world.approve(waiting.run.id).await.unwrap();
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert_eq!((report.run.cause.as_str(), report.run.of), ("approval", Some(waiting.run.id)));
    for name in ["ada", "bram", "carl", "dora"] {
        assert_eq!(world.person(name), "subscribed [General Single]; lists [987]");
    }
    assert_eq!(world.person("eve"), "no member; lists [987]", "nobody was shown her");
    assert_eq!(state_of(&world, waiting.run.id).await, RunState::Approved);
    assert_eq!(kept(&world), Vec::<PathBuf>::new());
    // A yes is taken once.
    let again = world.approve(waiting.run.id).await.unwrap_err();
    assert_eq!(again.exit, 2);
    assert!(again.message.contains("approved: carried out by run"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_what_no_longer_comes_out_the_same_is_dropped_by_name_and_number() {
    let world = asking(&["ada", "bram", "carl", "dora"]).await;
    let waiting = waits(&world).await;
    // A quarter of what was shown drops: that is not more than the share.
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    let report = world.approve(waiting.run.id).await.unwrap();
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert_eq!(world.person("ada"), "no member; lists []");
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    let named: Vec<&String> =
        report.run.counts.notes.keys().filter(|note| note.starts_with("dropped from the plan")).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].contains("enroll of person ") && !named[0].contains('@'), "{named:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_when_too_much_of_it_dropped_it_stops_and_asks_again_with_the_plan_as_it_is() {
    let world = asking(&["ada", "bram", "carl", "dora"]).await;
    let waiting = waits(&world).await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.act(Act::JoinList { contact: address("bram"), list: DEALS });
    let mark = world.mark();
    let again = world.approve(waiting.run.id).await.unwrap();
    assert_eq!(again.run.state, RunState::NeedsApproval, "{}", again.run.phase);
    assert!(again.run.phase.contains("2 of the 4 moves shown before"), "{}", again.run.phase);
    assert_eq!(again.run.asks.as_ref().unwrap().asked, Asked::Changed);
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    let dropped = again.run.counts.notes.keys().filter(|note| note.starts_with("dropped from the plan"));
    assert_eq!(dropped.count(), 2);
    assert_eq!(state_of(&world, waiting.run.id).await, RunState::Superseded);
    let report = world.approve(again.run.id).await.unwrap();
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert_eq!(world.person("carl"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("bram"), "no member; lists [717]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_yes_passes_gates_and_never_limits() {
    let mut world = asking(&["ada", "bram", "carl", "dora"]).await;
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "3");
    let waiting = waits(&world).await;
    let asks = waiting.run.asks.clone().unwrap();
    assert_eq!(asks.audience, Some(AudienceSize { before: 1, joining: 2, leaving: 0, cap: Some(3) }));
    assert_eq!(asks.left_out.get("audience_cap"), Some(&2));
    let mark = world.mark();
    world.approve(waiting.run.id).await.unwrap();
    let made = world.count_since(mark, |what| matches!(what, What::MemberCreated { .. }));
    assert_eq!(made, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_a_newer_run_takes_the_place_of_the_waiting_one_once_it_has_a_plan() {
    let world = asking(&["ada", "bram"]).await;
    let first = waits(&world).await;
    // A run that never comes to a plan takes nobody's place.
    world.fail(Service::HubSpot, "GET", "/properties", FaultKind::Status { code: 401, body: None });
    assert!(world.try_sync(SyncRequest::default()).await.is_err());
    world.mend();
    world.clock.jump(std::time::Duration::from_secs(120));
    assert_eq!(state_of(&world, first.run.id).await, RunState::NeedsApproval);
    let second = waits(&world).await;
    assert_eq!(state_of(&world, first.run.id).await, RunState::Superseded);
    assert_eq!(kept(&world).len(), 1, "what the first has shown is gone");
    let refused = world.approve(first.run.id).await.unwrap_err();
    assert!(refused.way_out.contains(&format!("hsmc runs show {}", second.run.id)), "{refused:?}");
    // What `--yes` applies needs no other yes any more.
    world.synced().await;
    assert_eq!(state_of(&world, second.run.id).await, RunState::Superseded);
    assert_eq!(kept(&world), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_a_waiting_run_holds_no_opt_out_up() {
    let world = asking(&["ada", "bram"]).await;
    let waiting = waits(&world).await;
    world.act(Act::Unsubscribe { email: address("zoe") });
    let report = world.approve(waiting.run.id).await.unwrap();
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert!(world.person("zoe").contains("opted out"), "{}", world.person("zoe"));
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_no_ends_the_run_and_changes_nothing() {
    let world = asking(&["ada", "bram"]).await;
    let waiting = waits(&world).await;
    let mark = world.mark();
    let app = world.open();
    let told = app.reject(waiting.run.id).await.unwrap();
    assert!(told.message.contains("is rejected"), "{told:?}");
    let again = app.reject(waiting.run.id).await.unwrap_err();
    assert_eq!(again.exit, 2, "{again:?}");
    assert_eq!(app.reject(RunId(4_711)).await.unwrap_err().message, "there is no run 4711");
    app.close().await;
    assert_eq!(state_of(&world, waiting.run.id).await, RunState::Rejected);
    assert_eq!(kept(&world), Vec::<PathBuf>::new());
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    assert!(world.approve(waiting.run.id).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_approve_dry_run_shows_what_would_be_applied_now_and_the_run_waits_on() {
    let world = asking(&["ada", "bram", "carl", "dora"]).await;
    let waiting = waits(&world).await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.act(Act::JoinList { contact: address("zoe"), list: COMPETITION });
    let mark = world.mark();
    let app = world.open();
    let request = ApproveRequest { run: waiting.run.id, dry_run: true };
    let SyncAnswer::Planned(plan) = app.approve(request, &NoProgress).await.unwrap() else { panic!() };
    app.close().await;
    assert_eq!(plan.total, 3);
    assert!(plan.notes.keys().any(|note| note.starts_with("dropped from the plan: enroll")), "{plan:?}");
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    assert_eq!(state_of(&world, waiting.run.id).await, RunState::NeedsApproval);
    // Nobody approved anything yet, and nothing looks as if.
    let app = world.open();
    let shown = app.runs(1);
    app.close().await;
    let shown = &shown.unwrap()[0];
    assert_eq!((shown.cause.as_str(), shown.of), ("plan", Some(waiting.run.id)));
    world.approve(waiting.run.id).await.unwrap();
    assert_eq!(world.person("dora"), "subscribed [General Single]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_under_never_no_yes_is_taken() {
    let mut world = asking(&["ada", "bram"]).await;
    world.set("HSMC_SYNC__APPLY", "never");
    let waiting = waits(&world).await;
    assert_eq!(waiting.run.asks.as_ref().unwrap().asked, Asked::Never);
    let refused = world.approve(waiting.run.id).await.unwrap_err();
    assert!(refused.message.contains("never") && refused.exit == 2, "{refused:?}");
    assert_eq!(world.mutating_calls(), 0);
    // Once the config says otherwise, the plan that was shown can be approved.
    world.set("HSMC_SYNC__APPLY", "ask");
    world.approve(waiting.run.id).await.unwrap();
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_shown_is_checked_before_it_is_believed() {
    let world = asking(&["ada", "bram"]).await;
    let waiting = waits(&world).await;
    let file = kept(&world).remove(0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains('@') && text.contains("\"person\""), "numbers only: {text}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mark = world.mark();
    let cut: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    for broken in [cut.as_str(), "", "{\"format\":1,\"moves\":0", "{\"format\":9,\"moves\":0}\n"] {
        std::fs::write(&file, broken).unwrap();
        let refused = world.approve(waiting.run.id).await.unwrap_err();
        assert!(refused.message.contains("cannot be read"), "{refused:?}");
    }
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    std::fs::write(&file, text).unwrap();
    world.approve(waiting.run.id).await.unwrap();
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_a_daemon_that_is_started_again_leaves_the_decision_open() {
    let world = asking(&["ada", "bram"]).await;
    let waiting = waits(&world).await;
    let app = world.open();
    let running = {
        let app = std::sync::Arc::clone(&app);
        let changed = Reload { asked: tokio::sync::Notify::new(), file: world.file("hsmc.toml") };
        tokio::spawn(async move { daemon::run_forever(&app, None, &changed, |_| {}).await })
    };
    while app.next_run_at.lock().unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let due = app.next_run_at.lock().unwrap().unwrap();
    assert_eq!(due, waiting.run.started.plus(std::time::Duration::from_secs(8 * 3600)));
    let answer = app.approve(ApproveRequest { run: waiting.run.id, dry_run: false }, &NoProgress).await;
    assert!(matches!(answer.unwrap(), SyncAnswer::Ran(_)));
    app.ask_to_stop();
    running.await.unwrap().unwrap();
    app.close().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

/// The run that waits is older than one that failed: the failed one is tried again at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_a_daemon_that_is_started_over_a_failed_run_tries_again_at_once_whatever_waits() {
    let world = asking(&["ada", "bram"]).await;
    let waiting = waits(&world).await;
    world.fail(Service::HubSpot, "GET", "", FaultKind::Status { code: 503, body: None });
    let failed = world.sync().await;
    assert_eq!(failed.run.state, RunState::Failed, "{}", failed.run.phase);
    world.mend();
    let app = world.open();
    let running = {
        let app = std::sync::Arc::clone(&app);
        let changed = Reload { asked: tokio::sync::Notify::new(), file: world.file("hsmc.toml") };
        tokio::spawn(async move { daemon::run_forever(&app, None, &changed, |_| {}).await })
    };
    let newest = || app.workspace.shared.journal.runs(1).unwrap()[0].id;
    for _ in 0..500 {
        if newest() > failed.run.id {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(newest() > failed.run.id, "it begins no run");
    app.ask_to_stop();
    running.await.unwrap().unwrap();
    app.close().await;
    assert!(waiting.run.id < failed.run.id);
}
