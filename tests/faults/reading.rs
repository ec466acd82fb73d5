//! Reading goes wrong: what was not read is never taken for gone.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, NEW_AGENTS, address};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::views::RunState;

const SETTLED: &str = "subscribed [General Single]; lists [987]";

async fn crowd() -> World {
    World::new(|builder| {
        for number in 0..300 {
            people::enrolled(builder, &format!("p{number}"), GENERAL);
        }
        people::enrolled(builder, "ada", COMPETITION);
        people::listed(builder, "bram", NEW_AGENTS);
    })
    .await
}

/// The calls of a run that read a list's members.
fn page_of(list: u64, nth: u64) -> Matches {
    Matches { times: Some(u64::MAX), ..Matches::call(Service::HubSpot, "GET", &format!("/{list}/memberships")).nth(nth) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_whose_page_fails_midway_loses_nobody() {
    let world = crowd().await;
    world.fault(page_of(GENERAL, 2), FaultKind::Status { code: 500, body: None });
    let mark = world.mark();
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(report.run.phase.contains("list 987"), "{}", report.run.phase);
    assert_eq!(world.changes_since(mark), Vec::<String>::new());

    world.mend();
    world.synced().await;
    assert_eq!(world.count_since(mark, |what| matches!(what, What::Archived { .. } | What::TagCleared { .. })), 0);
    assert_eq!(world.person("p7"), SETTLED);
    assert_eq!(world.person("bram"), "subscribed [New Agents]; lists [945]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_missing_stops_the_run_and_names_it() {
    let world = crowd().await;
    world.act(Act::DeleteList { list: COMPETITION });
    let mark = world.mark();
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    assert!(report.run.phase.contains("list 720"), "{}", report.run.phase);
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    assert_eq!(world.person("ada"), "subscribed [Competition]; lists []");
    let _ = address("ada");
}
