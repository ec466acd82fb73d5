//! Everybody who was seen is in exactly one state of every report, however the run went.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::domain::failure::Service;
use hsmc::domain::id::ListId;
use hsmc::domain::person::PersonState;
use hsmc::domain::report::RepeatedKind;
use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::{Act, FaultKind, scenario};
use hsmc::serve::requests::{Only, SyncRequest};
use hsmc::serve::views::{ReportView, RunState};
use std::collections::BTreeMap;

/// The people of a report, and how many are known, counted one by one.
async fn adds_up(world: &World, report: &ReportView) -> u64 {
    let app = world.open();
    let people = app.workspace.shared.journal.people(None, usize::MAX).unwrap();
    app.close().await;
    let told = &report.run.counts.people;
    for word in told.keys() {
        assert!(PersonState::ALL.iter().any(|state| state.word() == word), "{word} is no state");
    }
    assert_eq!(told.values().sum::<u64>(), people.len() as u64, "{} {told:?}", report.run.phase);
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for person in &people {
        *counted.entry(person.state.word().to_owned()).or_default() += 1;
    }
    assert_eq!(*told, counted);
    people.len() as u64
}

fn mixed(builder: &mut hsmc::sandbox::scenario::Builder) {
    people::listed(builder, "ada", GENERAL);
    people::listed(builder, "bram", COMPETITION);
    people::enrolled(builder, "carl", GENERAL);
    people::finished(builder, "dora");
    people::contact(builder, "eve");
    people::member(builder, "foreign");
    builder.member(&address("gone"), Status::Unsubscribed);
    let excluded = people::enrolled(builder, "henk", GENERAL);
    builder.join(DEALS, excluded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_people_of_every_report_add_up_whatever_the_seed() {
    for seed in 1..=6 {
        let mut world = World::of(scenario::named("agency", seed, Some(150)).unwrap()).await;
        world.take_the_scenarios_config();
        let report = world.sync().await;
        let known = adds_up(&world, &report).await;
        assert!(known >= 150 && report.run.report.judged.unwrap() <= known, "{known}");
        let again = world.sync().await;
        assert_eq!(adds_up(&world, &again).await, known, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrowed_run_says_whom_it_went_over_and_counts_everybody() {
    let world = World::new(mixed).await;
    world.synced().await;
    let only =
        SyncRequest { yes: true, only: vec![Only::List(ListId(COMPETITION))], ..SyncRequest::default() };
    let report = world.try_sync(only).await.unwrap();
    assert_eq!(report.run.report.narrowed.as_deref(), Some("list 720"));
    assert_eq!(report.run.report.judged, Some(1));
    assert!(adds_up(&world, &report).await > 5);
    let limited = SyncRequest { yes: true, limit: Some(0), ..SyncRequest::default() };
    let report = world.try_sync(limited).await.unwrap();
    assert_eq!(report.run.report.narrowed.as_deref(), Some("at most 0 moves"));
    adds_up(&world, &report).await;
    // An address that nobody has is misspelt, most likely.
    let nobody = Only::Contact(address("nobody.at.all"));
    let report =
        world.try_sync(SyncRequest { yes: true, only: vec![nobody], ..SyncRequest::default() }).await;
    let notes = report.unwrap().run.counts.notes;
    assert_eq!(notes.get("addresses given with --only that nobody has"), Some(&1), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_fails_anywhere_still_counts_everybody_it_knows() {
    for (service, method, part) in [
        (Service::HubSpot, "GET", "/properties"),
        (Service::Mailchimp, "GET", "/members"),
        (Service::HubSpot, "PUT", "/memberships"),
    ] {
        let mut world = World::new(mixed).await;
        world.patience = std::time::Duration::from_secs(20);
        world.sync().await;
        people::act_new(&world, "iris", GENERAL);
        world.act(Act::SetTag { email: address("carl"), tag: "General Single Finished".to_owned() });
        world.fail(service, method, part, FaultKind::Status { code: 503, body: None });
        let report = world.sync().await;
        assert!(matches!(report.run.state, RunState::Failed), "{part}: {}", report.run.phase);
        assert!(adds_up(&world, &report).await > 5, "{part}");
        // And a second time it is told since when.
        let again = world.sync().await;
        assert_eq!(again.run.state, RunState::Failed, "{part}: {}", again.run.phase);
        let named = again.run.report.repeated.iter().find(|one| one.kind == RepeatedKind::Run);
        let named = named.unwrap_or_else(|| panic!("{part}: {:?}", again.run.report.repeated));
        assert_eq!((named.times, named.since <= again.run.started), (2, true));
        world.mend();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_are_counted_by_kind_and_end_and_work_in_flight_beside_the_states() {
    let world = World::new(|builder| {
        mixed(builder);
        for number in 0..3 {
            people::listed(builder, &format!("fake{number}"), GENERAL);
        }
    })
    .await;
    let report = world.sync().await;
    let by_kind = &report.run.report.by_kind;
    // Who looks fake is refused by the service, and undone.
    let enrolled = (by_kind["enroll"].get("done"), by_kind["enroll"].get("unwound"));
    assert_eq!(enrolled, (Some(&2), Some(&3)), "{by_kind:?}");
    assert_eq!(by_kind["hand-over"].get("done"), Some(&1), "{by_kind:?}");
    let ended: u64 = by_kind.values().flat_map(BTreeMap::values).sum();
    assert_eq!(ended, report.run.counts.ended.values().sum::<u64>());
    assert!(report.run.report.in_flight.is_empty());
    // A destination that refuses everybody for good, with a list that cannot be left either: unwound.
    world.act(Act::SetTag { email: address("carl"), tag: "General Single Finished".to_owned() });
    let app = world.open();
    app.pause(hsmc::serve::requests::Scope::List(ListId(people::FINISHED))).await.unwrap();
    app.close().await;
    let report = world.sync().await;
    assert_eq!(report.run.report.in_flight.get("hand-over"), Some(&1), "{:?}", report.run.report);
    assert!(report.run.report.makes_progress(), "held back by an operator is nothing that goes wrong");
    adds_up(&world, &report).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_limit_leaves_out_again_and_again_is_no_green_run() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "zoe", GENERAL);
        for number in 0..4 {
            people::listed(builder, &format!("p{number}"), GENERAL);
        }
    })
    .await;
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "3");
    let first = world.sync().await;
    assert_eq!(first.run.counts.left_out.get("audience_cap"), Some(&2));
    assert!(first.run.report.makes_progress());
    let second = world.sync().await;
    assert_eq!(second.run.state, RunState::Done, "the exit code stays what it is");
    assert!(!second.run.report.makes_progress());
    let named = &second.run.report.repeated[0];
    assert_eq!((named.kind, named.people, named.times), (RepeatedKind::LeftOut, 2, 2));
    assert!(
        named.to_string().starts_with("left out by audience_cap: 2 people, not fewer than before"),
        "{named}"
    );
    adds_up(&world, &second).await;
}

/// Design §3.14: what somebody was is over once nothing shows it any more; what binds them is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_left_every_list_and_is_no_member_is_nothing_that_they_were() {
    let world = World::new(|builder| {
        let excluded = people::listed(builder, "ada", GENERAL);
        builder.join(DEALS, excluded);
        let nameless = builder.contact(&[("firstname", "Bram")]);
        builder.join(GENERAL, nameless);
        people::enrolled(builder, "cleo", GENERAL);
        let out = people::listed(builder, "dora", GENERAL);
        builder.join(DEALS, out);
    })
    .await;
    world.act(Act::OptOut { email: address("dora"), subscription: None });
    let states = |report: &ReportView| report.run.counts.people.clone();
    let counted = |counts: &[(&str, u64)]| -> BTreeMap<String, u64> {
        counts.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect()
    };
    let first = states(&world.synced().await);
    assert_eq!(first, counted(&[("excluded", 1), ("no-address", 1), ("enrolled", 1), ("opted-out", 1)]));
    // The exclusion has taken ada out of the source list already.
    for (name, list) in [("ada", DEALS), ("cleo", GENERAL), ("dora", GENERAL), ("dora", DEALS)] {
        world.act(Act::LeaveList { contact: address(name), list });
    }
    world.act(Act::Forget { email: address("cleo") });
    let report = world.synced().await;
    assert_eq!(states(&report), counted(&[("foreign", 2), ("no-address", 1), ("opted-out", 1)]));
    adds_up(&world, &report).await;
}
