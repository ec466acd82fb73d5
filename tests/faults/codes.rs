//! One cause has one code, wherever it shows: in a report, beside the run and the move, in an alert, beside a person.

use crate::support::World;
use crate::support::people::{self, DEALS, GENERAL, address};
use hsmc::domain::code::Code;
use hsmc::domain::failure::Service;
use hsmc::sandbox::FaultKind;
use hsmc::serve::requests::{Subject, SyncRequest};
use hsmc::serve::views::{RunView, StatusAnswer, StatusView};

/// What a process started later shows: nothing but what was kept.
async fn shown(world: &World) -> (StatusView, Vec<RunView>) {
    let app = world.open();
    let (status, runs) = (app.status(Subject::All).await, app.runs(20));
    app.close().await;
    match status.unwrap() {
        StatusAnswer::Overview(view) => (*view, runs.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_failed_keeps_the_code_of_what_it_failed_at() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.fail(Service::HubSpot, "GET", "/memberships", FaultKind::Status { code: 500, body: None });
    let report = world.sync().await;
    assert_eq!(report.run.code, Some(Code::ServiceAway), "{}", report.run.phase);
    world.mend();
    let config = world.config.clone();
    world.config = config.replace("id = \"720\"", "id = \"99720\"");
    let refused = world.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await.unwrap_err();
    assert_eq!(refused.code, Code::ListMissing, "{}", refused.message);
    world.config = config;
    let (view, runs) = shown(&world).await;
    assert_eq!(
        runs.iter().map(|run| run.code).collect::<Vec<_>>(),
        [Some(Code::ListMissing), Some(Code::ServiceAway)]
    );
    assert_eq!(view.alerts[0].code, Some(Code::RunUnfit), "{:?}", view.alerts);
    world.synced().await;
    assert_eq!(shown(&world).await.1[0].code, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_that_wait_give_their_run_one_code_and_have_one_of_their_own() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    world.patience = std::time::Duration::from_secs(20);
    world.fail(Service::HubSpot, "POST", "/batch/update", FaultKind::Http429 { retry_after: Some(5) });
    let report = world.sync().await;
    assert_eq!(report.run.code, Some(Code::MovesWait), "{}", report.run.phase);
    let (view, _) = shown(&world).await;
    assert_eq!(view.moves[0].code, Some(Code::TooFast), "{:?}", view.moves);
    assert!(view.moves[0].last_error.is_some(), "{:?}", view.moves);
    assert_eq!(view.alerts[0].code, Some(Code::MovesWait), "{:?}", view.alerts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_move_has_the_code_of_its_refusal_and_its_run_that_of_being_stuck() {
    let world = World::new(|builder| {
        let ada = people::enrolled(builder, "ada", GENERAL);
        builder.join(DEALS, ada);
    })
    .await;
    world.fail(Service::Mailchimp, "DELETE", "/members", FaultKind::Status { code: 400, body: None });
    let report = world.sync().await;
    assert_eq!((report.run.code, report.stuck[0].code), (Some(Code::MovesStuck), Some(Code::Refused)));
    let (view, _) = shown(&world).await;
    assert_eq!((view.moves[0].code, view.alerts[0].code), (Some(Code::Refused), Some(Code::MovesStuck)));
    let app = world.open();
    let detail = app.status(Subject::Move(report.stuck[0].id)).await.unwrap();
    app.close().await;
    let StatusAnswer::Moves(moves) = detail else { panic!("{detail:?}") };
    assert_eq!(moves[0].code, Some(Code::Refused));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_person_has_one_code_in_reports_among_the_parked_and_in_their_own_story() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let body = r#"{"new_members":[],"updated_members":[],"errors":[{"email_address":"ada@example.com","error":"ada@example.com looks fake or invalid, please enter a real email address.","error_code":"ERROR_GENERIC"}],"total_created":0,"total_updated":0,"error_count":1}"#;
    let fake = FaultKind::Status { code: 200, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "POST", "/lists/aud0000001", fake);
    let report = world.sync().await;
    assert_eq!(report.run.codes.get("fake-address"), Some(&Code::FakeAddress), "{:?}", report.run.codes);
    let app = world.open();
    let (parked, why) = (app.parked().unwrap(), app.why(&address("ada")).await.unwrap());
    app.close().await;
    assert_eq!(
        (parked.groups[0].code, parked.people[0].code),
        (Some(Code::FakeAddress), Some(Code::FakeAddress))
    );
    assert_eq!(why.memory[0].code, Some(Code::FakeAddress), "{:?}", why.memory);
}
