//! A damaged record is isolated and told, and the rest goes on: each record of a state in turn.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::app::state;
use hsmc::domain::id::{ListId, PersonId};
use hsmc::journal::ledger::Journal;
use hsmc::journal::store::Table;
use hsmc::journal::store::live::LiveStore;
use hsmc::sandbox::Act;
use hsmc::serve::parked::ReleaseRequest;
use hsmc::serve::requests::{Scope, Subject, SyncRequest};
use hsmc::serve::state::{SoundView, StateAnswer, StateRequest};
use hsmc::serve::views::{RunState, StatusAnswer};
use hsmc::sync::scan::NoProgress;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn log(state: &Path) -> PathBuf {
    let found = fs::read_dir(state.join("log")).unwrap();
    found.map(|entry| entry.unwrap().path()).max().unwrap()
}

/// The last value of each key in the log that has bytes: where it begins.
fn values(log: &[u8]) -> BTreeMap<(u8, Vec<u8>), usize> {
    let number = |at: usize| u32::from_le_bytes(log[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut found) = (0, BTreeMap::new());
    while at < log.len() {
        let end = at + 26 + number(at + 6);
        let mut change = at + 26;
        while change < end {
            let (key, value) = (number(change + 1), number(change + 5));
            let name = log[change + 9..change + 9 + key].to_vec();
            let begins = change + 9 + key + 4;
            let full = (name[0], name[1..].to_vec());
            if log[change] == 3 {
                found.remove(&full);
            } else if value > 0 {
                found.insert(full, begins);
            }
            change = begins + value + 4;
        }
        at = end + 4;
    }
    found
}

/// Flips a byte of a value and takes the index away, so that the log is read.
fn damage(state: &Path, begins: usize) {
    let log = log(state);
    let mut bytes = fs::read(&log).unwrap();
    bytes[begins] ^= 0x10;
    fs::write(log, bytes).unwrap();
    fs::remove_dir_all(state.join("index")).unwrap();
}

fn restore(world: &World, kept: &Path) {
    fs::remove_dir_all(world.state()).unwrap();
    copy(kept, &world.state());
}

async fn check(world: &World) -> SoundView {
    match state::alone(&world.state(), None, StateRequest::Check).await.unwrap() {
        StateAnswer::Check(view) => view,
        other => panic!("{other:?}"),
    }
}

async fn notices(world: &World) -> Vec<String> {
    let app = world.open();
    let answer = app.status(Subject::All).await;
    app.close().await;
    match answer.unwrap() {
        StatusAnswer::Overview(view) => view.notices,
        other => panic!("{other:?}"),
    }
}

/// A settled world, and what is due in it: Ada has finished her campaign, Carl is new.
async fn settled() -> (World, PathBuf) {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
        people::listed(builder, "dora", COMPETITION);
    })
    .await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.clock.jump(std::time::Duration::from_secs(60));
    world.synced().await;
    world.act(Act::SetTag { email: address("ada"), tag: "General Single Finished".to_owned() });
    world.act(Act::JoinList { contact: address("ada"), list: COMPETITION });
    let kept = world.file("kept");
    copy(&world.state(), &kept);
    (world, kept)
}

fn id_of(state: &Path, name: &str) -> PersonId {
    let store = Arc::new(LiveStore::open(state).unwrap());
    let journal = Journal::new(store);
    let email = hsmc::domain::email::Email::parse(&address(name)).unwrap();
    journal.person_by_hash(email.hash()).unwrap().unwrap()
}

fn key_of(id: PersonId) -> (u8, Vec<u8>) {
    (Table::People as u8, id.0.to_be_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_record_damaged_in_turn_is_named_and_the_rest_goes_on() {
    let (world, kept) = settled().await;
    let ada = key_of(id_of(&kept, "ada"));
    let accounts = world.sandbox().clone();
    let values = values(&fs::read(log(&kept)).unwrap());
    let mut tables: BTreeMap<u8, usize> = BTreeMap::new();
    for (key, begins) in values {
        restore(&world, &kept);
        *world.sandbox() = accounts.clone();
        damage(&world.state(), begins);
        let table = Table::numbered(key.0).unwrap();
        let name = format!("{table:?} {:?}", key.1);
        let view = check(&world).await;
        assert!(!view.is_sound(), "{name}: the check finds it");
        assert!(view.defects.iter().all(|defect| !defect.means.is_empty()), "{name}: {:?}", view.defects);
        assert!(notices(&world).await.iter().any(|line| line.starts_with("damaged record, ")), "{name}");
        let before = world.mark();
        let report = world.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await;
        let report = report.unwrap_or_else(|trouble| panic!("{name}: {}", trouble.message));
        assert!(matches!(report.run.state, RunState::Done | RunState::Stuck), "{name}: {}", report.run.phase);
        // Whoever is not meant goes on; who is, is held.
        let held = key == ada || (table == Table::Meta && key.1 == b"pauses");
        let handed_over = world.person("ada").contains("946");
        assert_eq!(handed_over, !held, "{name}: {}", world.person("ada"));
        let subscribed = world.person("bram");
        assert!(subscribed.starts_with("unsubscribed"), "{name}: {subscribed}");
        let on_ada = world.changes_since(before).iter().any(|what| what.contains(&address("ada")));
        assert!(!held || !on_ada, "{name}");
        *tables.entry(key.0).or_default() += 1;
    }
    for table in [Table::Meta, Table::Runs, Table::Moves, Table::People, Table::PeopleByHash, Table::Evidence]
    {
        assert!(tables.contains_key(&(table as u8)), "{table:?} was not tried: {tables:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_damaged_record_holds_an_operator_may_release() {
    let (world, kept) = settled().await;
    let ada = key_of(id_of(&kept, "ada"));
    let begins = values(&fs::read(log(&kept)).unwrap())[&ada];
    restore(&world, &kept);
    damage(&world.state(), begins);
    world.sync().await;
    assert!(!world.person("ada").contains("946"));
    let app = world.open();
    let said = app.release(ReleaseRequest::People(vec![address("ada")])).await.unwrap();
    app.close().await;
    assert!(said.message.starts_with("1 person is released"), "{said:?}");
    assert!(check(&world).await.is_sound());
    world.sync().await;
    assert!(world.person("ada").contains("946"), "{}", world.person("ada"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_not_known_what_was_paused_everything_is() {
    let (world, kept) = settled().await;
    restore(&world, &kept);
    let app = world.open();
    app.pause(Scope::List(ListId(1032))).await.unwrap();
    app.close().await;
    let log_bytes = fs::read(log(&world.state())).unwrap();
    let begins = values(&log_bytes)[&(Table::Meta as u8, b"pauses".to_vec())];
    damage(&world.state(), begins);
    world.sync().await;
    assert!(!world.person("ada").contains("946"), "nothing is done");
    let app = world.open();
    app.resume(Scope::All).await.unwrap();
    let ended = app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await;
    app.close().await;
    ended.unwrap();
    assert!(world.person("ada").contains("946"), "{}", world.person("ada"));
}
