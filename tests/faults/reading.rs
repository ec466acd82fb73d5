//! Reading goes wrong: what was not read is never taken for gone.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, NEW_AGENTS, address};
use hsmc::domain::code::Code;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::requests::SyncRequest;
use hsmc::serve::views::RunState;
use std::time::Duration;

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

/// From its nth page on, a list's members cannot be read.
fn from_page(list: u64, nth: u64) -> Matches {
    let pages = Matches::call(Service::HubSpot, "GET", &format!("/{list}/memberships"));
    Matches { times: Some(u64::MAX), ..pages.nth(nth) }
}

fn removals(what: &What) -> bool {
    matches!(what, What::Archived { .. } | What::TagCleared { .. } | What::ListLeft { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_whose_page_fails_midway_loses_nobody() {
    let world = crowd().await;
    world.fault(from_page(GENERAL, 2), FaultKind::Status { code: 500, body: None });
    let mark = world.mark();
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(report.run.phase.contains("list 987"), "{}", report.run.phase);
    assert_eq!(world.changes_since(mark), Vec::<String>::new());

    world.mend();
    world.synced().await;
    assert_eq!(world.count_since(mark, removals), 0);
    assert_eq!(world.person("p7"), SETTLED);
    assert_eq!(world.person("bram"), "subscribed [New Agents]; lists [945]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_refused_for_a_moment_is_read_again_and_changes_nothing() {
    let world = crowd().await;
    let mark = world.mark();
    world.fault(
        Matches { times: Some(2), ..from_page(GENERAL, 2) },
        FaultKind::Status { code: 503, body: None },
    );
    world.synced().await;
    assert_eq!(world.count_since(mark, removals), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_members_page_that_fails_midway_enrolls_nobody_again() {
    let world = crowd().await;
    world.synced().await;
    let mark = world.mark();
    world.fail(Service::Mailchimp, "GET", "/members", FaultKind::Status { code: 500, body: None });
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    world.mend();
    world.synced().await;
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_missing_stops_the_run_and_names_the_config_line() {
    let world = crowd().await;
    world.act(Act::DeleteList { list: COMPETITION });
    let mark = world.mark();
    let trouble = world.try_sync(Default::default()).await.unwrap_err();
    assert_eq!(trouble.exit, 2);
    assert_eq!(trouble.place, "hsmc.toml:28 group[0].list[1].id");
    assert!(trouble.message.contains("HubSpot has no list 720"), "{}", trouble.message);
    assert!(trouble.way_out.contains("restore the list"), "{}", trouble.way_out);
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    assert_eq!(world.person("ada"), "subscribed [Competition]; lists []");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_a_list_that_is_missing_stops_everything_but_opt_outs() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", COMPETITION);
        people::enrolled(builder, "bram", GENERAL);
        people::contact(builder, "eve");
        people::enrolled(builder, "dora", GENERAL);
        people::enrolled(builder, "fay", GENERAL);
        people::enrolled(builder, "gus", GENERAL);
    })
    .await;
    // A config that has never worked changes nothing at all (R27).
    world.act(Act::DeleteList { list: COMPETITION });
    let mark = world.mark();
    world.try_sync(Default::default()).await.unwrap_err();
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    world.act(Act::RestoreList { list: COMPETITION });
    world.synced().await;
    world.act(Act::JoinList { contact: address("eve"), list: GENERAL });
    world.act(Act::DeleteList { list: COMPETITION });
    for name in ["ada", "bram"] {
        world.act(Act::Unsubscribe { email: address(name) });
    }
    world.act(Act::OptOut { email: address("dora"), subscription: None });
    for _ in 0..2 {
        let trouble = world.try_sync(Default::default()).await.unwrap_err();
        assert_eq!(trouble.code, Code::ListMissing);
        assert_eq!(world.person("ada"), "unsubscribed [Competition]; lists [762], opted out");
        assert_eq!(world.person("bram"), "unsubscribed [General Single]; lists [762, 987], opted out");
        assert_eq!(world.person("dora"), "unsubscribed []; lists [762, 987], opted out");
        assert_eq!(world.person("eve"), "no member; lists [987]");
    }
    // Nor does a list that the token may not read stop them.
    world.act(Act::RestoreList { list: COMPETITION });
    let forbidden = FaultKind::Status { code: 403, body: None };
    world.fail(Service::HubSpot, "GET", "/720/memberships", forbidden);
    world.act(Act::Unsubscribe { email: address("fay") });
    let full = SyncRequest { yes: true, full: true, ..SyncRequest::default() };
    assert_eq!(world.try_sync(full).await.unwrap().run.state, RunState::Failed);
    assert_eq!(world.person("fay"), "unsubscribed [General Single]; lists [762, 987], opted out");
    assert_eq!(world.person("eve"), "no member; lists [987]");
    world.mend();
    // Or one that HubSpot does not answer, however often it is asked for.
    world.fail(Service::HubSpot, "GET", "/720/memberships", FaultKind::Status { code: 503, body: None });
    world.act(Act::OptOut { email: address("gus"), subscription: None });
    let full = SyncRequest { yes: true, full: true, ..SyncRequest::default() };
    assert_eq!(world.try_sync(full).await.unwrap().run.state, RunState::Failed);
    assert_eq!(world.person("gus"), "unsubscribed []; lists [762, 987], opted out");
    assert_eq!(world.person("eve"), "no member; lists [987]");
    world.mend();
    world.synced().await;
    assert_eq!(world.person("eve"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_forbidden_stops_the_run_before_any_change() {
    let world = crowd().await;
    let body = r#"{"status":"error","category":"MISSING_SCOPES","message":"This app hasn't been granted all required scopes","context":{"requiredGranularScopes":["crm.lists.read"]}}"#;
    let forbidden = FaultKind::Status { code: 403, body: Some(body.to_owned()) };
    world.fail(Service::HubSpot, "GET", "/720/memberships", forbidden);
    let mark = world.mark();
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    for part in ["list 720", "crm.lists.read"] {
        assert!(report.run.phase.contains(part), "{part}: {}", report.run.phase);
    }
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    world.mend();
    world.synced().await;
    assert_eq!(world.count_since(mark, removals), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_hubspot_is_rebuilding_takes_nobody_for_gone() {
    let world = crowd().await;
    world.synced().await;
    let mark = world.mark();
    world.act(Act::Processing { list: GENERAL, status: "PROCESSING".to_owned() });
    world.act(Act::LeaveList { contact: people::address("p7"), list: GENERAL });
    world.synced().await;
    assert_eq!(world.person("p7"), "subscribed [General Single]; lists []");
    assert_eq!(world.count_since(mark, |what| matches!(what, What::Archived { .. })), 0);
    world.act(Act::Processing { list: GENERAL, status: "COMPLETE".to_owned() });
    world.synced().await;
    assert_eq!(world.person("p7"), "archived []; lists []");
}

/// Mailchimp's listings may show members as they were half a minute ago (contract §17).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_that_lag_enroll_nobody_twice_and_hold_up_neither_handovers_nor_opt_outs() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
        people::enrolled(builder, "dora", GENERAL);
    })
    .await;
    world.synced().await;
    world.sandbox().settings.listing_lag = Duration::from_secs(30);
    people::act_new(&world, "eve", GENERAL);
    world.act(Act::SetTag { email: address("bram"), tag: "General Single Finished".to_owned() });
    world.act(Act::Unsubscribe { email: address("dora") });
    // One run after another, the listings behind each of them.
    for _ in 0..3 {
        world.synced().await;
        world.clock.jump(Duration::from_secs(20));
    }
    let journeys = |name: &str| world.sandbox().mailchimp.journeys(&address(name), "General Single");
    assert_eq!((journeys("ada"), journeys("eve")), (1, 1));
    assert_eq!(world.person("bram"), "archived []; lists [946]");
    assert!(world.person("dora").ends_with("opted out"), "{}", world.person("dora"));
    world.clock.jump(Duration::from_secs(60));
    world.assert_settled().await;
}
