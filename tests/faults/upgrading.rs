//! A newer hsmc on an older state, an older one on a newer state.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::app::App;
use hsmc::app::state;
use hsmc::domain::failure::Service;
use hsmc::journal::store::live::LiveStore;
use hsmc::journal::store::{Batch, Store, Table};
use hsmc::sandbox::FaultKind;
use hsmc::serve::requests::Subject;
use hsmc::serve::state::StateRequest;
use hsmc::serve::views::{MovePhase, StatusAnswer};
use std::fs;

/// The fixtures of the first format, as a directory.
fn first_format(state: &std::path::Path) {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal/v1");
    fs::create_dir_all(state).unwrap();
    fs::write(state.join("format"), "1\n").unwrap();
    for name in ["log/0000000000000001.log", "log/0000000000000004.log", "snapshot/0000000000000003.snap"] {
        let text = fs::read_to_string(fixtures.join(format!("{}.hex", name.replace('/', "-")))).unwrap();
        fs::create_dir_all(state.join(name).parent().unwrap()).unwrap();
        fs::write(state.join(name), hex::decode(text.split_whitespace().collect::<String>()).unwrap())
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_the_first_format_is_raised_opened_and_run_on() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::listed(builder, "bram", COMPETITION);
    })
    .await;
    // Its tables hold test bytes, which no record is made of: they are taken out as a store, the format stays.
    first_format(&world.state());
    let store = LiveStore::open(&world.state()).unwrap();
    let mut gone = Batch::new();
    for table in Table::ALL {
        for (key, _) in store.scan(table, &[], None, usize::MAX).unwrap() {
            gone.delete(table, key);
        }
    }
    assert!(!gone.is_empty());
    store.commit(gone).await.unwrap();
    store.close().unwrap();
    assert_eq!(fs::read_to_string(world.state().join("format")).unwrap(), "2\n");
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    assert_eq!(world.person("bram"), "subscribed [Competition]; lists [720]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_a_newer_hsmc_is_refused_by_name_and_left_as_it_is() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    fs::write(world.state().join("format"), "3\n").unwrap();
    let opened =
        App::open_with(world.load(), &world.file("hsmc.toml"), &world.state(), "test", world.ports());
    let said = opened.err().unwrap().to_string();
    assert!(
        said.contains("written by a newer hsmc (format 3, this one reads up to 2); use that version"),
        "{said}"
    );
    for request in [StateRequest::Check, StateRequest::Compact] {
        assert_eq!(state::alone(&world.state(), None, request).await.unwrap_err().message, said);
    }
    assert_eq!(fs::read_to_string(world.state().join("format")).unwrap(), "3\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_move_that_a_newer_hsmc_recorded_shows_as_incompatible_and_holds_its_person_only() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::listed(builder, "bram", COMPETITION);
    })
    .await;
    world.patience = std::time::Duration::from_secs(5);
    let unavailable = FaultKind::Status { code: 503, body: None };
    world.fail(Service::Mailchimp, "DELETE", "/members", unavailable);
    world.sync().await;
    world.mend();
    // Somebody's next event, in a version that this hsmc does not know.
    let store = LiveStore::open(&world.state()).unwrap();
    let (key, _) = store.scan(Table::OpenMoves, &[], None, 1).unwrap().remove(0);
    let body = [9_u8, 1, 2, 3];
    let event = [&4_u32.to_le_bytes()[..], &body, &crc32fast::hash(&body).to_le_bytes()].concat();
    let mut batch = Batch::new();
    batch.append(Table::Moves, key, event);
    store.commit(batch).await.unwrap();
    store.close().unwrap();

    let app = world.open();
    let StatusAnswer::Overview(view) = app.status(Subject::All).await.unwrap() else { panic!() };
    app.close().await;
    let [only] = view.moves.as_slice() else { panic!("{:?}", view.moves) };
    assert_eq!((only.phase, only.person.as_str()), (MovePhase::Incompatible, address("ada").as_str()));
    assert_eq!(view.by_phase.get("incompatible"), Some(&1));
    let why = only.last_error.clone().unwrap_or_default();
    assert!(why.contains("version 9; this hsmc reads up to 1"), "{why}");

    let before = world.mark();
    world.act(hsmc::sandbox::Act::LeaveList { contact: address("bram"), list: COMPETITION });
    world.clock.jump(std::time::Duration::from_secs(60));
    world.sync().await;
    assert!(world.person("bram").starts_with("archived"), "{}", world.person("bram"));
    let on_ada = world.changes_since(before).into_iter().filter(|what| what.contains(&address("ada")));
    assert_eq!(on_ada.collect::<Vec<_>>(), Vec::<String>::new());
}
