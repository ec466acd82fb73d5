//! An operator's words: pause, resume, retry, skip, rollback, cancel.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, FINISHED, GENERAL, address};
use hsmc::app::App;
use hsmc::domain::code::Code;
use hsmc::domain::event::OperatorRequest;
use hsmc::domain::failure::Service;
use hsmc::domain::id::{ListId, MoveId};
use hsmc::sandbox::{Act, FaultKind};
use hsmc::serve::requests::{OperateRequest, Scope, Subject, SyncRequest, Trouble};
use hsmc::serve::views::{MovePhase, RunState, StatusAnswer, StatusView, SyncAnswer};
use hsmc::sync::scan::{Progress, Source};
use std::sync::Arc;

async fn overview(app: &App) -> StatusView {
    match app.status(Subject::All).await.unwrap() {
        StatusAnswer::Overview(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// Ada is excluded, and Mailchimp refuses to archive her: the move is stuck.
async fn stuck() -> (World, MoveId) {
    let world = World::new(|builder| {
        let ada = people::enrolled(builder, "ada", GENERAL);
        builder.join(DEALS, ada);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    refuse_archiving(&world);
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Stuck, "{}", report.run.phase);
    assert_eq!(world.person("ada"), "subscribed []; lists [717, 987]");
    let id = report.stuck[0].id;
    (world, id)
}

fn refuse_archiving(world: &World) {
    let body = r#"{"title":"Bad Request","status":400,"detail":"This member cannot be archived."}"#;
    let refused = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "DELETE", "/members", refused);
}

async fn operate(world: &World, id: MoveId, request: OperatorRequest) -> Result<String, Trouble> {
    let app = world.open();
    let told = app.operate(OperateRequest { id, request }).await;
    app.close().await;
    told.map(|told| told.message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_move_is_shown_and_holds_its_person_and_nobody_else() {
    let (world, id) = stuck().await;
    let app = world.open();
    let view = overview(&app).await;
    app.close().await;
    assert_eq!((view.open_moves, view.moves[0].id, view.moves[0].phase), (1, id, MovePhase::Stuck));
    let why = view.moves[0].last_error.clone().unwrap_or_default();
    assert!(why.contains("cannot be archived"), "{why}");
    world.act(Act::JoinList { contact: address("bram"), list: DEALS });
    world.mend();
    refuse_archiving(&world);
    world.sync().await;
    assert!(world.person("bram").starts_with("subscribed []"), "{}", world.person("bram"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_goes_on_once_the_cause_is_mended() {
    let (world, id) = stuck().await;
    world.mend();
    operate(&world, id, OperatorRequest::Retry).await.unwrap();
    assert_eq!(world.person("ada"), "archived []; lists [717]");
    let trouble = operate(&world, id, OperatorRequest::Retry).await.unwrap_err();
    assert_eq!(trouble.exit, 2);
    assert!(trouble.message.contains("is over"), "{}", trouble.message);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_while_the_cause_lasts_is_stuck_again_and_says_so() {
    let (world, id) = stuck().await;
    operate(&world, id, OperatorRequest::Retry).await.unwrap();
    let app = world.open();
    let view = overview(&app).await;
    app.close().await;
    assert_eq!((view.moves[0].id, view.moves[0].phase), (id, MovePhase::Stuck));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skip_takes_the_step_as_settled_and_goes_on_behind_it() {
    let (world, id) = stuck().await;
    operate(&world, id, OperatorRequest::Skip).await.unwrap();
    assert_eq!(world.person("ada"), "subscribed []; lists [717]");
    let app = world.open();
    assert_eq!(overview(&app).await.open_moves, 0);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_run_tries_a_stuck_move_once_more() {
    let (world, _) = stuck().await;
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Stuck, "{}", report.run.phase);
    world.mend();
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [717]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollback_and_cancel_of_a_move_that_only_goes_forward_are_refused_with_the_reason() {
    let (world, id) = stuck().await;
    for request in [OperatorRequest::RollBack, OperatorRequest::Cancel] {
        let trouble = operate(&world, id, request).await.unwrap_err();
        assert!(trouble.message.contains(&id.to_string()), "{}", trouble.message);
        assert!(!trouble.way_out.is_empty(), "{trouble:?}");
    }
    let trouble = operate(&world, MoveId { number: 99, ..id }, OperatorRequest::Retry).await.unwrap_err();
    assert_eq!(trouble.message, format!("there is no move {}.99", id.run));
}

/// So long after a call was sent, it cannot be running, whatever was done to the clock before a restart.
const LONG_AGO: std::time::Duration = std::time::Duration::from_secs(2 * 60 * 60);

/// A handover under way that waits for Mailchimp.
async fn waiting() -> (World, MoveId) {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    for part in ["/segments", "/tags"] {
        world.fail(Service::Mailchimp, "POST", part, FaultKind::Reset);
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    let app = world.open();
    let id = overview(&app).await.moves[0].id;
    app.close().await;
    (world, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollback_puts_everything_back_as_it_was_and_silently() {
    let (world, id) = waiting().await;
    assert_eq!(world.person("ada"), "subscribed [General Single, General Single Finished]; lists [946]");
    let mark = world.mark();
    world.mend();
    world.clock.jump(LONG_AGO);
    operate(&world, id, OperatorRequest::RollBack).await.unwrap();
    assert_eq!(world.person("ada"), "subscribed [General Single, General Single Finished]; lists [987]");
    assert_eq!(world.property("ada", "import_list"), "");
    let journeys = world.count_since(mark, |what| matches!(what, hsmc::sandbox::What::JourneyStarted { .. }));
    assert_eq!(journeys, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_of_a_move_under_way_unwinds_it() {
    let (world, id) = waiting().await;
    world.mend();
    world.clock.jump(LONG_AGO);
    operate(&world, id, OperatorRequest::Cancel).await.unwrap();
    assert_eq!(world.person("ada"), "subscribed [General Single, General Single Finished]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_only_planned_keeps_what_it_planned() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.plan(Default::default()).await;
    let app = world.open();
    let run = app.workspace.shared.journal.runs(1).unwrap().remove(0);
    app.close().await;
    assert!(run.is_plan_only());
    assert_eq!(run.counts.planned, [("enroll".to_owned(), 1)].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_person_list_or_service_waits_and_the_others_go_on() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", COMPETITION);
        people::finished(builder, "carl");
    })
    .await;
    let app = world.open();
    let trouble = app.pause(Scope::Person(address("ada"))).await.unwrap_err();
    assert!(trouble.way_out.contains("hsmc plan"), "{trouble:?}");
    app.close().await;
    world.plan(Default::default()).await;
    let app = world.open();
    app.pause(Scope::Person(address("ada"))).await.unwrap();
    app.pause(Scope::List(ListId(FINISHED))).await.unwrap();
    app.close().await;

    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    let held: u64 =
        report.run.counts.notes.iter().filter(|(note, _)| note.contains("paused")).map(|(_, n)| *n).sum();
    assert_eq!(held, 2, "{:?}", report.run.counts.notes);
    assert_eq!(world.person("bram"), "subscribed [Competition]; lists [720]");
    assert_eq!(world.person("ada"), "no member; lists [987]");
    assert_eq!(world.person("carl"), "subscribed [General Single, General Single Finished]; lists [987]");
    let app = world.open();
    let view = overview(&app).await;
    assert_eq!(view.pauses.len(), 2, "{:?}", view.pauses);
    assert_eq!(view.by_phase.get("paused"), Some(&2), "{:?}", view.by_phase);
    let told = app.resume(Scope::Person(address("ada"))).await.unwrap();
    assert!(told.message.contains("still paused: list 946"), "{told:?}");
    app.close().await;

    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    let app: Arc<App> = world.open();
    app.resume(Scope::List(ListId(FINISHED))).await.unwrap();
    app.pause(Scope::Service(Service::HubSpot)).await.unwrap();
    app.close().await;
    world.synced().await;
    assert!(world.person("carl").ends_with("lists [987]"), "{}", world.person("carl"));
    let app = world.open();
    app.resume(Scope::Service(Service::HubSpot)).await.unwrap();
    app.close().await;
    world.synced().await;
    assert_eq!(world.person("carl"), "archived []; lists [946]");
    world.assert_settled().await;
}

/// Nothing of an enrolment touches the list that it comes from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_source_list_enrols_nobody_until_it_goes_on() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", COMPETITION);
    })
    .await;
    let app = world.open();
    app.pause(Scope::List(ListId(GENERAL))).await.unwrap();
    app.close().await;
    world.sync().await;
    assert_eq!(world.person("ada"), "no member; lists [987]");
    assert_eq!(world.person("bram"), "subscribed [Competition]; lists [720]");
    let app = world.open();
    let of = async |name| app.why(&address(name)).await.unwrap().pauses;
    assert_eq!((of("ada").await.len(), of("bram").await.len()), (1, 0), "bram is not in it");
    app.resume(Scope::List(ListId(GENERAL))).await.unwrap();
    app.close().await;
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

/// A plan that is being made may take it up at that very moment: its records would contradict each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_has_not_begun_is_not_ended_by_hand_while_a_plan_is_made() {
    let world = World::new(|builder| {
        people::finished(builder, "carl");
    })
    .await;
    let app = world.open();
    app.pause(Scope::All).await.unwrap();
    app.close().await;
    world.sync().await;
    let app = world.open();
    let id = overview(&app).await.moves[0].id;
    let plan_is_made = app.workspace.deciding.lock().await;
    for request in [OperatorRequest::Cancel, OperatorRequest::RollBack] {
        let trouble = app.operate(OperateRequest { id, request }).await.unwrap_err();
        assert_eq!(trouble.code, Code::NotNow, "{trouble:?}");
    }
    drop(plan_is_made);
    app.operate(OperateRequest { id, request: OperatorRequest::Cancel }).await.unwrap();
    assert!(overview(&app).await.moves.is_empty());
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_a_list_that_the_config_does_not_name_is_refused() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let app = world.open();
    let trouble = app.pause(Scope::List(ListId(978))).await.unwrap_err();
    assert_eq!(trouble.code, Code::NothingSuch);
    app.resume(Scope::List(ListId(978))).await.unwrap();
    app.close().await;
    world.sync().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_people_than_have_a_place_are_in_flight_at_once() {
    const PEOPLE: usize = 2_300;
    let world = World::new(|builder| {
        for number in 0..PEOPLE {
            people::listed(builder, &format!("p{number}"), COMPETITION);
        }
    })
    .await;
    let app = world.open();
    let most = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (moves, seen) = (app.workspace.moves.clone(), Arc::clone(&most));
    let watcher = tokio::spawn(async move {
        loop {
            seen.fetch_max(moves.overview().await.live, std::sync::atomic::Ordering::SeqCst);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    let request = hsmc::serve::requests::SyncRequest { yes: true, ..Default::default() };
    app.sync(request, &hsmc::sync::scan::NoProgress).await.unwrap();
    watcher.abort();
    let limit = app.workspace.shared.settings.live_contacts;
    app.close().await;
    let most = most.load(std::sync::atomic::Ordering::SeqCst);
    assert!((100..=limit).contains(&most), "{most} of {limit}");
    assert_eq!(world.person("p2299"), "subscribed [Competition]; lists [720]");
    world.assert_careful();
}

/// Stops hsmc as soon as a source has been read.
struct StopBehind<'a>(&'a App, Source);

impl Progress for StopBehind<'_> {
    fn read(&self, _: Source, _: u64, _: u64, _: Option<u64>) {}

    fn ended(&self, source: Source) {
        if source == self.1 {
            self.0.ask_to_stop();
        }
    }
}

/// Its pages show somebody as they were before their move went on: nothing is planned for them by these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_that_was_cut_short_is_not_believed_of_whom_a_move_has_changed_since() {
    let (world, id) = waiting().await;
    world.mend();
    world.clock.jump(LONG_AGO);
    let refused = FaultKind::Status { code: 400, body: None };
    world.fail(Service::HubSpot, "PUT", "/946/memberships/remove", refused);
    operate(&world, id, OperatorRequest::RollBack).await.unwrap();
    let app = world.open();
    let behind = StopBehind(&app, Source::List(ListId(FINISHED)));
    let cut = app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &behind).await;
    app.close().await;
    assert!(
        cut.is_err()
            || matches!(cut, Ok(SyncAnswer::Ran(report)) if report.run.state == RunState::Interrupted)
    );
    assert!(world.person("ada").ends_with("lists [946, 987]"), "{}", world.person("ada"));
    world.mend();
    world.synced().await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    world.assert_settled().await;
}
