//! Finished moves shrink to a line once they are old; what is open, people and evidence never do.

use crate::support::World;
use crate::support::people::{self, DEALS, GENERAL, address};
use hsmc::app::state;
use hsmc::domain::event::OperatorRequest;
use hsmc::domain::failure::Service;
use hsmc::domain::id::MoveId;
use hsmc::sandbox::{Act, FaultKind};
use hsmc::serve::requests::{OperateRequest, Subject};
use hsmc::serve::state::{SizeView, StateAnswer, StateRequest};
use hsmc::serve::undo::{UndoOf, UndoRequest};
use hsmc::serve::views::{MoveDetailView, RunState, StatusAnswer};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn size(world: &World) -> SizeView {
    match state::alone(&world.state(), None, StateRequest::Size).await.unwrap() {
        StateAnswer::Size(view) => view,
        other => panic!("{other:?}"),
    }
}

fn records(view: &SizeView, table: &str) -> u64 {
    view.tables.iter().find(|one| one.table == table).map_or(0, |one| one.records)
}

async fn look(world: &World, subject: Subject) -> Vec<MoveDetailView> {
    let app = world.open();
    let answer = app.status(subject).await;
    app.close().await;
    match answer.unwrap() {
        StatusAnswer::Moves(views) => views,
        other => panic!("{other:?}"),
    }
}

/// When the details of a move were given up.
fn given_up_on(app: &hsmc::app::App, id: MoveId) -> String {
    let (_, line) = app.workspace.shared.journal.audit_of_move(id).unwrap().unwrap();
    line.given_up.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_move_is_told_in_one_line_and_says_when_its_details_were_given_up() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__RETENTION", "10d");
    world.synced().await;
    let before = look(&world, Subject::Person(address("ada"))).await;
    assert_eq!(before.len(), 1);
    world.clock.jump(9 * DAY);
    world.synced().await;
    assert_eq!(look(&world, Subject::Person(address("ada"))).await, before, "not yet");
    world.clock.jump(2 * DAY);
    world.synced().await;
    let size = size(&world).await;
    assert_eq!((records(&size, "moves"), records(&size, "audit")), (0, 1));
    let id = before[0].id;
    for subject in [Subject::Person(address("ada")), Subject::Move(id)] {
        let after = look(&world, subject).await;
        let [one] = after.as_slice() else { panic!("{after:?}") };
        assert_eq!((one.id, &one.kind, &one.reason), (id, &before[0].kind, &before[0].reason));
        assert!(one.standing.starts_with("done; details were given up on 20"), "{}", one.standing);
        assert_eq!(one.steps.len(), before[0].steps.len());
    }
    let app = world.open();
    let refused =
        app.undo(UndoRequest { of: UndoOf::Move(id), apply: false, agreed: None }).await.unwrap_err();
    let date = &given_up_on(&app, id)[..10];
    assert!(
        refused.message.contains(&format!("given up on {date}"))
            && refused.message.contains("sync.retention"),
        "{refused:?}"
    );
    let plan =
        app.undo(UndoRequest { of: UndoOf::Run(id.run), apply: false, agreed: None }).await.unwrap().plan;
    let told = format!("the details of 1 moves of run {} were given up, last on {date}", id.run);
    assert!(plan.notes.iter().any(|note| note.starts_with(&told)), "{:?}", plan.notes);
    let why = app.why(&address("ada")).await.unwrap();
    let said = app.operate(OperateRequest { id, request: OperatorRequest::Retry }).await.unwrap_err();
    app.close().await;
    assert!(said.message.contains("details were given up on"), "{}", said.message);
    let told = format!("{:?}", why.timeline);
    assert!(told.contains("details were given up on") && !told.contains("cannot be read"), "{told}");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_move_people_runs_and_evidence_outlive_any_retention() {
    let mut world = World::new(|builder| {
        let ada = people::enrolled(builder, "ada", GENERAL);
        builder.join(DEALS, ada);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__RETENTION", "1d");
    let body = r#"{"title":"Bad Request","status":400,"detail":"This member cannot be archived."}"#;
    let refused = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "DELETE", "/members", refused);
    let first = world.sync().await;
    let stuck: MoveId = first.stuck[0].id;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.clock.jump(Duration::from_secs(60));
    world.sync().await;
    let kept = size(&world).await;
    assert!(records(&kept, "evidence") > 0);
    for _ in 0..3 {
        world.clock.jump(5 * DAY);
        let report = world.sync().await;
        assert_eq!(report.run.state, RunState::Stuck, "{}", report.run.phase);
    }
    let now = size(&world).await;
    assert_eq!(records(&now, "moves"), 1, "the stuck one");
    assert!(!look(&world, Subject::Move(stuck)).await[0].standing.contains("given up"));
    for table in ["people", "evidence", "consent", "salts"] {
        assert_eq!(records(&now, table), records(&kept, table), "{table}");
    }
    assert_eq!(records(&now, "runs"), records(&kept, "runs") + 3, "each keeps its summary");
    let sound = state::alone(&world.state(), None, StateRequest::Check).await.unwrap();
    assert!(matches!(&sound, StateAnswer::Check(view) if view.is_sound()), "{sound:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_than_the_history_goes_for_good_and_people_and_evidence_stay() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__RETENTION", "10d");
    world.set("HSMC_SYNC__HISTORY", "20d");
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    let moved = look(&world, Subject::Person(address("ada"))).await[0].id;
    world.clock.jump(11 * DAY);
    world.synced().await;
    let kept = size(&world).await;
    assert!(records(&kept, "audit") > 0 && records(&kept, "history") > 0, "{kept:?}");

    world.clock.jump(10 * DAY);
    world.synced().await;
    let now = size(&world).await;
    for table in ["audit", "moves-by-person", "history"] {
        assert_eq!(records(&now, table), 0, "{table}");
    }
    assert_eq!(records(&now, "runs"), 2, "those of the last ten days");
    for table in ["people", "evidence", "consent", "salts"] {
        assert_eq!(records(&now, table), records(&kept, table), "{table}");
    }
    assert_eq!(look(&world, Subject::Person(address("ada"))).await, vec![]);
    let app = world.open();
    let said = app.status(Subject::Move(moved)).await.unwrap_err();
    let why = app.why(&address("ada")).await.unwrap();
    app.close().await;
    assert!(said.message.contains(&moved.to_string()), "{}", said.message);
    assert!(!format!("{why:?}").contains("cannot be read"), "{why:?}");
    let sound = state::alone(&world.state(), None, StateRequest::Check).await.unwrap();
    assert!(matches!(&sound, StateAnswer::Check(view) if view.is_sound()), "{sound:?}");
    world.assert_settled().await;
}

/// One person changes their name, every day.
async fn days(world: &World, days: std::ops::Range<u32>) {
    for day in days {
        world.clock.jump(DAY);
        let (property, value) = ("firstname".to_owned(), format!("ada the {day}."));
        world.act(Act::SetProperty { contact: address("ada"), property, value });
        world.clock.jump(Duration::from_secs(60));
        world.sync().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_directory_stays_flat_over_many_days() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__RETENTION", "6d");
    world.set("HSMC_SYNC__SNAPSHOTS", "3d");
    let mut seen = Vec::new();
    for part in 0..3 {
        days(&world, part * 14..(part + 1) * 14).await;
        let compacted = state::alone(&world.state(), None, StateRequest::Compact).await.unwrap();
        let StateAnswer::Compact(compacted) = compacted else { panic!("{compacted:?}") };
        let total: u64 = compacted.after.iter().map(|room| room.bytes).sum();
        let view = size(&world).await;
        let details = view.tables.iter().find(|one| one.table == "moves").unwrap().bytes;
        seen.push((total, details, records(&view, "audit")));
    }
    let [first, second, third] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(third.2 > second.2 && second.2 > first.2, "moves go on being made: {seen:?}");
    assert!(third.1 <= first.1, "details do not add up: {seen:?}");
    // What stays of a day: a line of the audit, a summary of the run, a past state.
    let a_day = (third.0.saturating_sub(second.0)) / 14;
    assert!(a_day < 4096, "{a_day} bytes a day: {seen:?}");
}
