//! A state restored from a backup: what was done since, it does not know.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::app::state;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, Matches};
use hsmc::serve::requests::SyncRequest;
use hsmc::serve::state::{StateAnswer, StateRequest};
use hsmc::serve::views::RunState;
use hsmc::sync::scan::NoProgress;
use std::path::PathBuf;

/// A backup, made by a process of its own.
async fn backup(world: &World, name: &str) -> PathBuf {
    let file = world.file(name);
    let answer = state::alone(&world.state(), None, StateRequest::Backup(file.clone())).await.unwrap();
    assert!(matches!(answer, StateAnswer::Backup(_)));
    file
}

async fn restore(world: &World, file: &std::path::Path) {
    state::restore(file, &world.state(), true).await.unwrap();
}

/// A run in which this call is refused so long that a move stays half done, and a backup of that.
async fn half_done(world: &World, service: Service, method: &str, part: &str) -> PathBuf {
    world.fault(Matches::call(service, method, part), FaultKind::Status { code: 503, body: None });
    let app = world.open();
    let answer = app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await;
    app.close().await;
    let report = crate::support::ran(answer.unwrap());
    assert!(matches!(report.run.state, RunState::Failed | RunState::Stuck), "{}", report.run.phase);
    world.mend();
    backup(world, "half.tar.zst").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_begun_before_the_backup_and_done_since_ends_done_without_a_second_effect() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.patience = std::time::Duration::from_secs(5);
    let half = half_done(&world, Service::Mailchimp, "DELETE", "/members").await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    let (before, calls) = (world.mark(), world.mutating_calls());
    restore(&world, &half).await;
    let report = world.synced().await;
    assert!(report.run.full, "everything is read anew");
    assert_eq!(world.changes_since(before), Vec::<String>::new());
    assert_eq!(world.mutating_calls(), calls, "nothing is even tried a second time");
    assert_eq!(report.run.counts.notes.get("begun before the backup: done since"), Some(&1));
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    // It knows again that it was its own doing: nobody is restored, nobody enrolled anew.
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolment_begun_before_the_backup_and_undone_since_by_others_is_not_gone_on_with() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", COMPETITION);
        people::member(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.patience = std::time::Duration::from_secs(5);
    world.fail(Service::Mailchimp, "POST", "/tags", FaultKind::Status { code: 503, body: None });
    let half = half_done(&world, Service::Mailchimp, "POST", "/segments").await;
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [Competition]; lists [720]");
    // Since then somebody has archived her by hand.
    world.act(Act::Archive { email: address("ada") });
    let before = world.mark();
    restore(&world, &half).await;
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    assert_eq!(world.changes_since(before), Vec::<String>::new(), "neither gone on with nor unwound");
    let let_go = "begun before the backup: let go as found, and judged afresh";
    assert_eq!(report.run.counts.notes.get(let_go), Some(&1), "{:?}", report.run.counts.notes);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_unwound_after_a_restore_before_everything_was_read() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    world.patience = std::time::Duration::from_secs(5);
    let half = half_done(&world, Service::Mailchimp, "DELETE", "/members").await;
    world.synced().await;
    restore(&world, &half).await;
    // The accounts cannot be read: nothing at all may be done, however often it is tried.
    world.fail(Service::HubSpot, "POST", "/search", FaultKind::Status { code: 403, body: None });
    world.fail(Service::HubSpot, "GET", "/memberships", FaultKind::Status { code: 403, body: None });
    let (before, calls) = (world.mark(), world.mutating_calls());
    for _ in 0..2 {
        let report = world.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await;
        assert!(report.is_err() || report.is_ok_and(|report| report.run.state == RunState::Failed));
    }
    assert_eq!((world.changes_since(before), world.mutating_calls()), (Vec::new(), calls));
    world.mend();
    world.synced().await;
    assert_eq!(world.changes_since(before), Vec::<String>::new());
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_begun_before_the_backup_goes_on_after_a_look() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.patience = std::time::Duration::from_secs(5);
    world.act(Act::Unsubscribe { email: address("ada") });
    let half = half_done(&world, Service::HubSpot, "POST", "/communication-preferences").await;
    restore(&world, &half).await;
    world.synced().await;
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    world.assert_settled().await;
}
