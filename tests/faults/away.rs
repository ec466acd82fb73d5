//! A service stays away: a run bears with it once, not phase by phase, says which it was, and does what does not
//! need it.

use crate::support::people::{self, COMPETITION, GENERAL, address};
use crate::support::{World, act};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, Fault, FaultKind, Matches, Sandbox};
use hsmc::serve::views::{ReportView, RunState};
use hsmc::sync::scan::Source;
use std::time::Duration;

/// The run's patience with a service, and a little: a wait looks every two seconds, and what does not need the
/// service takes its time too.
const ONCE: Duration = Duration::from_secs(200 + 90);

/// Somebody opts out on each side; somebody has finished, somebody is new, somebody's name has changed.
async fn world() -> World {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "carl"] {
            people::enrolled(builder, name, GENERAL);
        }
        people::enrolled(builder, "dora", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::SetTag { email: address("dora"), tag: "General Single Finished".to_owned() });
    people::act_new(&world, "eve", COMPETITION);
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    world.clock.jump(Duration::from_secs(60));
    world
}

fn hangs(sandbox: &mut Sandbox, service: Service) {
    let forever = FaultKind::Slow(Duration::from_secs(600));
    sandbox.add_fault(Fault { matches: Matches::all(service), kind: forever });
}

fn took(report: &ReportView) -> Duration {
    report.run.ended.unwrap().since(report.run.started)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_hangs_is_borne_with_once_and_the_others_opt_outs_arrive() {
    let world = world().await;
    let report = world.sync_while(Source::Archived, |sandbox| hangs(sandbox, Service::Mailchimp)).await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(report.run.phase.contains("Mailchimp"), "{}", report.run.phase);
    assert!(took(&report) < ONCE + Duration::from_secs(90), "{:?}", took(&report));
    assert!(world.person("ada").ends_with("opted out"), "{}", world.person("ada"));
    world.mend();
    world.synced().await;
    assert!(world.person("bram").starts_with("unsubscribed []"), "{}", world.person("bram"));
    assert_eq!(world.person("dora"), "archived []; lists [946]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_refuses_every_change_is_borne_with_once_too() {
    let world = world().await;
    world.fault(Matches::changes(Service::HubSpot), FaultKind::Status { code: 503, body: None });
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(report.run.phase.contains("HubSpot"), "{}", report.run.phase);
    assert!(took(&report) < ONCE, "{:?}", took(&report));
    assert!(world.person("bram").starts_with("unsubscribed"), "{}", world.person("bram"));
    assert_eq!(world.person("eve"), "subscribed [Competition]; lists [720]");
    world.mend();
    world.synced().await;
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_hangs_from_the_start_is_told_of_after_one_patience() {
    for service in [Service::HubSpot, Service::Mailchimp] {
        let world = world().await;
        hangs(&mut world.sandbox(), service);
        let report = world.sync().await;
        assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
        assert!(report.run.phase.contains(&format!("{service}: stays away")), "{}", report.run.phase);
        assert!(took(&report) < ONCE, "{service}: {:?}", took(&report));
        world.mend();
        world.synced().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_left_open_arrives_while_the_other_service_hangs() {
    let world = world().await;
    // Its intent is durable, its call lost: it goes on with the next run, whatever Mailchimp does by then.
    world.fault(Matches::changes(Service::HubSpot), FaultKind::Unauthorized);
    world.sync().await;
    assert!(!world.person("ada").ends_with("opted out"));
    world.mend();
    act(
        &mut world.sandbox(),
        Act::SetProperty {
            contact: address("carl"),
            property: "firstname".to_owned(),
            value: "Carlo".to_owned(),
        },
    );
    hangs(&mut world.sandbox(), Service::Mailchimp);
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(world.person("ada").ends_with("opted out"), "{}", world.person("ada"));
    assert!(took(&report) < ONCE, "{:?}", took(&report));
}
