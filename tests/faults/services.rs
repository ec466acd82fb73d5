//! The services go wrong while a run applies: it waits, stops, or goes on later, and leaves nobody half moved
//! without saying so.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::domain::code::Code;
use hsmc::domain::failure::Service;
use hsmc::sandbox::scenario::AUDIENCE;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::requests::SyncRequest;
use hsmc::serve::views::RunState;
use std::time::Duration;

const DONE: &str = "archived []; lists [946]";
const UNTOUCHED: &str = "subscribed [General Single, General Single Finished]; lists [987]";

/// Three who finished, and one who is new.
async fn world() -> World {
    World::new(|builder| {
        for name in ["ada", "bram", "carl"] {
            people::finished(builder, name);
        }
        people::listed(builder, "dora", COMPETITION);
    })
    .await
}

fn assert_all_done(world: &World) {
    for name in ["ada", "bram", "carl"] {
        assert_eq!(world.person(name), DONE, "{name}");
    }
    assert_eq!(world.person("dora"), "subscribed [Competition]; lists [720]");
}

fn writes(service: Service) -> [Matches; 4] {
    ["POST", "PUT", "PATCH", "DELETE"]
        .map(|method| Matches { method: Some(method.to_owned()), ..Matches::all(service) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_with_retry_after_is_waited_out_as_told() {
    let world = world().await;
    let limited = Matches::call(Service::HubSpot, "PUT", "/memberships").nth(1);
    world.fault(limited, FaultKind::Http429 { retry_after: Some(30) });
    let report = world.synced().await;
    let took = report.run.ended.unwrap().since(report.run.started);
    assert!(took >= Duration::from_secs(30), "{took:?}");
    assert_all_done(&world);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_without_retry_after_is_waited_out_all_the_same() {
    let world = world().await;
    for service in [Service::HubSpot, Service::Mailchimp] {
        for matches in writes(service) {
            world.fault(matches.nth(1), FaultKind::Http429 { retry_after: None });
        }
    }
    world.synced().await;
    assert_all_done(&world);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_quota_that_is_used_up_ends_the_run_and_the_next_goes_on() {
    let world = world().await;
    let body = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;
    for matches in writes(Service::HubSpot).into_iter().filter(|one| one.method.as_deref() == Some("PUT")) {
        world.fault(matches, FaultKind::Status { code: 429, body: Some(body.to_owned()) });
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    assert!(report.run.phase.contains("HubSpot"), "{}", report.run.phase);
    assert_eq!(world.person("ada"), UNTOUCHED);
    assert!(report.run.phase.contains("daily quota is used up until 2026-11-2"), "{}", report.run.phase);
    let took = report.run.ended.unwrap().since(report.run.started);
    assert!(took < Duration::from_secs(120), "a day's quota is not waited for: {took:?}");
    world.mend();
    world.clock.jump(Duration::from_secs(24 * 60 * 60));
    world.synced().await;
    assert_all_done(&world);
    world.assert_settled().await;
}

/// Somebody bought more: the service takes calls again long before its midnight, and hsmc is started anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_asks_whether_a_days_quota_is_still_used_up_and_goes_on_with_what_waited_for_it() {
    let world = world().await;
    let body = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;
    for matches in writes(Service::HubSpot).into_iter().filter(|one| one.method.as_deref() == Some("PUT")) {
        world.fault(matches, FaultKind::Status { code: 429, body: Some(body.to_owned()) });
    }
    assert_eq!(world.sync().await.run.state, RunState::Failed);
    world.mend();
    world.synced().await;
    assert_all_done(&world);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_used_up_before_the_scan_says_so_within_the_minute() {
    let world = world().await;
    let body = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;
    world.fault(Matches::all(Service::HubSpot), FaultKind::Status { code: 429, body: Some(body.to_owned()) });
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    assert!(report.run.phase.contains("daily quota is used up"), "{}", report.run.phase);
    assert!(report.run.ended.unwrap().since(report.run.started) < Duration::from_secs(120));
}

/// HubSpot moves the account to another data centre, and says how long that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_asks_to_be_left_alone_for_hours_ends_the_run_at_once_and_says_so() {
    let world = world().await;
    for matches in writes(Service::HubSpot).into_iter().filter(|one| one.method.as_deref() == Some("PUT")) {
        world.fault(matches, FaultKind::Http429 { retry_after: Some(7200) });
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    assert!(report.run.phase.contains("HubSpot asked to be left alone until"), "{}", report.run.phase);
    let took = report.run.ended.unwrap().since(report.run.started);
    assert!(took < Duration::from_secs(120), "hours are not waited for: {took:?}");
    assert_eq!(world.person("ada"), UNTOUCHED);
    assert_eq!(world.person("dora"), "subscribed [Competition]; lists [720]");
    world.mend();
    world.clock.jump(Duration::from_secs(2 * 60 * 60));
    world.synced().await;
    assert_all_done(&world);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_mailchimp_down_chains_stop_and_go_on_when_it_is_back() {
    let world = world().await;
    for matches in writes(Service::Mailchimp) {
        world.fault(matches, FaultKind::Reset);
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(report.run.phase.contains("Mailchimp"), "{}", report.run.phase);
    assert_eq!(world.person("dora"), "no member; lists [720]");
    // What was begun is said to be open.
    let app = world.open();
    let open = app.workspace.shared.journal.open_moves(None, 10).unwrap();
    assert!(open.len() >= 3, "{open:?}");
    app.close().await;
    world.mend();
    world.synced().await;
    assert_all_done(&world);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_hubspot_down_nobody_is_untagged_or_archived() {
    let world = world().await;
    let mark = world.mark();
    for matches in writes(Service::HubSpot).into_iter().skip(1) {
        world.fault(matches, FaultKind::Status { code: 503, body: None });
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    for name in ["ada", "bram", "carl"] {
        assert_eq!(world.person(name), UNTOUCHED);
    }
    assert_eq!(world.count_since(mark, |what| matches!(what, What::TagCleared { .. })), 0);
    // The other side goes on with what does not need it.
    assert_eq!(world.person("dora"), "subscribed [Competition]; lists [720]");
    world.mend();
    world.synced().await;
    assert_all_done(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_html_is_no_answer() {
    let world = world().await;
    for service in [Service::HubSpot, Service::Mailchimp] {
        for matches in writes(service) {
            world.fault(matches.nth(1), FaultKind::Html);
        }
        world.fault(
            Matches { method: Some("GET".to_owned()), ..Matches::all(service) }.nth(2),
            FaultKind::Html,
        );
    }
    let page = "<html><body>Please log in</body></html>".to_owned();
    let login = FaultKind::Status { code: 200, body: Some(page) };
    world.fault(Matches::call(Service::Mailchimp, "DELETE", "/members").nth(2), login);
    let mark = world.mark();
    world.synced().await;
    assert_all_done(&world);
    let joined = world.count_since(mark, |what| matches!(what, What::ListJoined { list: 946, .. }));
    assert_eq!(joined, 3, "each once");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_slower_than_its_time_limit_is_looked_for_and_not_done_twice() {
    let mut world = world().await;
    world.call_timeout = Duration::from_millis(700);
    let slow = FaultKind::Slow(Duration::from_secs(2));
    for service in [Service::HubSpot, Service::Mailchimp] {
        for matches in writes(service) {
            world.fault(matches.nth(1), slow.clone());
        }
    }
    let mark = world.mark();
    world.synced().await;
    assert_all_done(&world);
    let journeys = world
        .count_since(mark, |what| matches!(what, What::JourneyStarted { tag, .. } if tag == "Competition"));
    assert_eq!(journeys, 1);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_revoked_in_the_middle_stop_that_side_and_the_next_run_finishes() {
    let world = world().await;
    for service in [Service::HubSpot, Service::Mailchimp] {
        let mark = world.mark();
        if service == Service::Mailchimp {
            world.act(Act::SetProperty {
                contact: address("dora"),
                property: "firstname".to_owned(),
                value: "Dorothea".to_owned(),
            });
            // HubSpot's search is a few seconds behind.
            world.clock.jump(Duration::from_secs(30));
        }
        for matches in writes(service).into_iter().skip(usize::from(service == Service::HubSpot)) {
            world.fault(matches, FaultKind::Unauthorized);
        }
        let report = world.sync().await;
        assert_eq!(report.run.state, RunState::Failed, "{service}: {}", report.run.phase);
        assert!(report.run.phase.contains(&service.to_string()), "{}", report.run.phase);
        if service == Service::HubSpot {
            assert_eq!(world.person("ada"), UNTOUCHED);
            let archived = world.count_since(mark, |what| matches!(what, What::Archived { .. }));
            assert_eq!(archived, 0);
        }
        world.mend();
        world.synced().await;
        assert_all_done(&world);
    }
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_cost_one_call_a_minute_not_one_for_each_person() {
    let world = World::new(|builder| {
        for number in 0..60 {
            people::finished(builder, &format!("p{number}"));
        }
    })
    .await;
    for matches in writes(Service::Mailchimp) {
        world.fault(matches, FaultKind::Unauthorized);
    }
    let before = world.mutating_calls();
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    // Joins, leaves and notes go through in batches; then one refused call, and one a minute.
    let calls = world.mutating_calls() - before;
    assert!(calls < 40, "{calls} calls");
    world.mend();
    world.synced().await;
    assert_eq!(world.person("p7"), DONE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_from_the_start_change_nothing_and_say_which() {
    let mut world = world().await;
    let mark = world.mark();
    world.set("HSMC_MAILCHIMP__API_KEY", "wrong-us1");
    let trouble = world.try_sync(SyncRequest::default()).await.unwrap_err();
    assert_eq!((trouble.exit, trouble.place.as_str()), (2, "hsmc.toml:10 mailchimp.api_key"));
    assert!(trouble.message.contains("Mailchimp") && !trouble.message.contains("wrong-us1"), "{trouble:?}");
    world.set("HSMC_MAILCHIMP__API_KEY", "sandbox-mailchimp-us1");
    world.set("HSMC_HUBSPOT__TOKEN", "wrong");
    let trouble = world.try_sync(SyncRequest::default()).await.unwrap_err();
    assert_eq!((trouble.exit, trouble.place.as_str()), (2, "hsmc.toml:5 hubspot.token"));
    assert!(trouble.way_out.contains("service key"), "{trouble:?}");
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    let _ = GENERAL;
}

/// Two workspaces whose state directories were mixed up, or a token of the wrong portal in the environment: what was
/// remembered of one account would be done to the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_of_another_portal_is_refused_before_anything_is_done() {
    let mut world = world().await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("dora") });
    world.set("HSMC_HUBSPOT__PORTAL_ID", "7");
    let body = r#"{"portalId": 7, "timeZone": "UTC"}"#.to_owned();
    world.fail(Service::HubSpot, "GET", "/account-info", FaultKind::Status { code: 200, body: Some(body) });
    let calls = world.mutating_calls();
    let trouble = world.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await.unwrap_err();
    assert_eq!(trouble.code, Code::WrongPortal);
    assert!(trouble.message.contains("is about portal 4200042"), "{trouble:?}");
    assert_eq!(world.mutating_calls(), calls);
}

/// The config of another audience beside the old state: everybody would look archived by others there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_of_another_audience_is_refused_before_anything_is_done() {
    let mut world = world().await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("dora") });
    world.set("HSMC_MAILCHIMP__AUDIENCE", "another");
    let calls = world.mutating_calls();
    let trouble = world.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await.unwrap_err();
    assert_eq!((trouble.code, trouble.exit), (Code::WrongAudience, 2));
    assert!(trouble.place.ends_with("mailchimp.audience"), "{trouble:?}");
    assert!(trouble.message.contains("names audience another, but"), "{trouble:?}");
    assert_eq!(world.mutating_calls(), calls);
}

/// An audience that Mailchimp does not have is a slip of the pen, and no audience to be about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_is_about_no_audience_that_mailchimp_does_not_have() {
    let mut world = world().await;
    world.set("HSMC_MAILCHIMP__AUDIENCE", "another");
    let trouble = world.try_sync(SyncRequest::default()).await.unwrap_err();
    assert_eq!(trouble.code, Code::AudienceMissing);
    world.set("HSMC_MAILCHIMP__AUDIENCE", AUDIENCE);
    world.synced().await;
}
