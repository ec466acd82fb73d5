//! What many moves are about, a list, a tag, the audience, goes away while a run applies: that says nothing of the
//! people. Nobody is parked; their moves wait, the report names what for, and go on by themselves once it is back.

use crate::support::people::{self, COMPETITION, FINISHED, GENERAL};
use crate::support::{World, act};
use hsmc::domain::code::Code;
use hsmc::domain::event::OperatorRequest;
use hsmc::domain::failure::Service;
use hsmc::domain::id::ListId;
use hsmc::sandbox::hubspot::{Definition, Rule};
use hsmc::sandbox::{Act, FaultKind, Matches, Sandbox};
use hsmc::serve::requests::{OperateRequest, Subject, SyncRequest};
use hsmc::serve::views::{MoveView, ReportView, RunState, StatusAnswer};
use hsmc::sync::scan::Source;
use std::time::Duration;

const DONE: &str = "archived []; lists [946]";
const UNTOUCHED: &str = "subscribed [General Single, General Single Finished]; lists [987]";
const NAMES: [&str; 3] = ["ada", "bram", "carl"];

/// Three who finished, and one who is new.
async fn world() -> World {
    World::new(|builder| {
        for name in NAMES {
            people::finished(builder, name);
        }
        people::listed(builder, "dora", COMPETITION);
    })
    .await
}

async fn open_moves(world: &World) -> Vec<MoveView> {
    let app = world.open();
    let answer = app.status(Subject::All).await;
    app.close().await;
    match answer.unwrap() {
        StatusAnswer::Overview(view) => view.moves,
        other => panic!("{other:?}"),
    }
}

/// The run says what it waits for, and for how long that is so nobody is parked.
async fn assert_waits_for(world: &World, report: &ReportView, what: &str) {
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert!(report.run.phase.contains(&format!("{what} is gone")), "{}", report.run.phase);
    assert_eq!(report.run.code, Some(Code::MovesWait));
    assert!(report.run.counts.parked.is_empty(), "{:?}", report.run.counts.parked);
    let took = report.run.ended.unwrap().since(report.run.started);
    assert!(took < Duration::from_secs(150), "nobody waits for somebody to restore it: {took:?}");
    let moves = open_moves(world).await;
    assert!(!moves.is_empty());
    for one in moves {
        assert_eq!(one.code, Some(Code::TargetAway), "{one:?}");
        assert!(one.last_error.as_deref().unwrap().contains(what), "{one:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_deleted_before_its_moves_reach_it_parks_nobody_and_they_go_on_once_it_is_restored() {
    let world = world().await;
    let report = world
        .sync_at_once(Source::List(ListId(FINISHED)), |sandbox| {
            act(sandbox, Act::DeleteList { list: FINISHED })
        })
        .await;
    assert_waits_for(&world, &report, "list 946").await;
    assert_eq!(world.person("ada"), UNTOUCHED);
    assert_eq!(world.person("dora"), "subscribed [Competition]; lists [720]", "who does not need it");

    let trouble = world.try_sync(SyncRequest::default()).await.unwrap_err();
    assert_eq!(trouble.code, Code::ListMissing);
    world.act(Act::RestoreList { list: FINISHED });
    world.synced().await;
    for name in NAMES {
        assert_eq!(world.person(name), DONE, "{name}");
    }
    world.assert_settled().await;
}

/// HubSpot does not say with which status it refuses a list that is not there (contract §6).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_refuses_everybody_is_looked_at_before_anybody_is_parked() {
    let world = world().await;
    let body = r#"{"status":"error","category":"VALIDATION_ERROR","message":"This list is not there."}"#;
    let refused = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::HubSpot, "PUT", "/946/memberships", refused);
    let report = world
        .sync_at_once(Source::List(ListId(FINISHED)), |sandbox| {
            act(sandbox, Act::DeleteList { list: FINISHED })
        })
        .await;
    assert_waits_for(&world, &report, "list 946").await;
    world.mend();
    world.act(Act::RestoreList { list: FINISHED });
    world.synced().await;
    for name in NAMES {
        assert_eq!(world.person(name), DONE, "{name}");
    }
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whom_a_list_refuses_is_parked_and_nobody_else() {
    let world = world().await;
    let refused = FaultKind::Status { code: 400, body: None };
    // The batch of three, then the half with one of them.
    let calls = Matches::call(Service::HubSpot, "PUT", "/946/memberships/add");
    world.fault(Matches { times: Some(2), ..calls.nth(1) }, refused);
    let report = world.sync().await;
    assert_eq!(report.run.counts.parked.values().sum::<u64>(), 1, "{:?}", report.run.counts.parked);
    let done = NAMES.iter().filter(|name| world.person(name) == DONE).count();
    assert_eq!(done, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audience_that_is_gone_parks_nobody_and_they_are_enrolled_once_it_is_back() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world.fail(Service::Mailchimp, "POST", "/lists/", FaultKind::Status { code: 404, body: None });
    let report = world.sync().await;
    assert_waits_for(&world, &report, "audience").await;
    world.mend();
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_whose_segment_is_gone_is_made_anew_and_borne_by_whoever_shall() {
    let world = World::new(|builder| {
        people::enrolled(builder, "carl", GENERAL);
        for name in ["ada", "bram"] {
            people::listed(builder, name, GENERAL);
            people::member(builder, name);
        }
    })
    .await;
    let gone = Matches::call(Service::Mailchimp, "POST", "/segments/");
    world.fault(gone.nth(1), FaultKind::Status { code: 404, body: None });
    let report = world.synced().await;
    assert!(report.run.counts.parked.is_empty(), "{:?}", report.run.counts.parked);
    for name in ["ada", "bram"] {
        assert_eq!(world.person(name), "subscribed [General Single]; lists [987]", "{name}");
    }
    world.assert_settled().await;
}

/// Other properties than the one that is away are written, although one batch would have carried both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_archived_before_its_moves_write_it_parks_nobody_and_holds_up_no_other_property() {
    let world = World::new(|builder| {
        for name in NAMES {
            people::finished(builder, name);
        }
        people::enrolled(builder, "dora", GENERAL);
    })
    .await;
    world.act(Act::Clean { email: people::address("dora") });
    let define = |sandbox: &mut Sandbox| {
        let definition = Definition::plain("Import list", "string", "text");
        sandbox.hubspot.define_property("import_list", definition);
    };
    define(&mut world.sandbox());
    let report = world
        .sync_at_once(Source::List(ListId(FINISHED)), |sandbox| {
            sandbox.hubspot.archive_property("import_list");
        })
        .await;
    assert_waits_for(&world, &report, "a contact property").await;
    assert_eq!(world.property("dora", "mailchimp_bounced"), "true");
    define(&mut world.sandbox());
    world.synced().await;
    for name in NAMES {
        assert_eq!(world.person(name), DONE, "{name}");
        assert_eq!(world.property(name, "import_list"), "General marketing", "{name}");
    }
}

/// Nobody can write it any more, and a plan made by now would not want to (R9): a handover goes on without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_that_became_read_only_before_its_moves_write_it_holds_up_nobody() {
    let world = World::new(|builder| {
        for name in NAMES {
            people::finished(builder, name);
        }
    })
    .await;
    let definition = Definition::plain("Import list", "string", "text");
    world.sandbox().hubspot.define_property("import_list", definition.clone());
    let body = r#"{"status":"error","category":"VALIDATION_ERROR","errors":[{"code":"READ_ONLY_VALUE","message":"import_list"}]}"#;
    let refused = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::HubSpot, "POST", "/contacts/batch/update", refused);
    let report = world
        .sync_at_once(Source::List(ListId(FINISHED)), |sandbox| {
            sandbox.hubspot.define_property("import_list", definition.clone().read_only());
        })
        .await;
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    for name in NAMES {
        assert_eq!(world.person(name), DONE, "{name}");
        assert_eq!(world.property(name, "import_list"), "", "{name}");
    }
    world.mend();
    world.assert_settled().await;
}

/// A list that is gone for good: the step does not matter any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_can_skip_the_step_that_waits_for_a_list() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    world.fail(Service::HubSpot, "PUT", "/946/memberships", FaultKind::Status { code: 404, body: None });
    assert_eq!(world.sync().await.run.state, RunState::Failed);
    let id = open_moves(&world).await[0].id;
    let app = world.open();
    app.operate(OperateRequest { id, request: OperatorRequest::Skip }).await.unwrap();
    app.close().await;
    world.sync().await;
    assert_eq!(world.person("ada"), "archived []; lists []");
}

/// Who is not in an audience that is not there is not archived by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_no_audience_answers_is_not_taken_for_done() {
    let world = world().await;
    let away = FaultKind::Status { code: 404, body: None };
    world.fail(Service::Mailchimp, "DELETE", "/members/", away.clone());
    // The first look at them belongs to the run's beginning.
    let fields = Matches::call(Service::Mailchimp, "GET", "/merge-fields");
    world.fault(Matches { times: Some(u64::MAX), ..fields.nth(2) }, away);
    let report = world.sync().await;
    assert_waits_for(&world, &report, "audience").await;
    world.mend();
    world.synced().await;
    for name in NAMES {
        assert_eq!(world.person(name), DONE, "{name}");
    }
    world.assert_settled().await;
}

/// HubSpot's own rule says who is in it from then on: a handover that would take people out of it goes on without (R15).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_became_dynamic_before_it_was_left_holds_up_nobody() {
    // HubSpot need not say so in its refusal: the list is looked at.
    for words in ["List 987 is DYNAMIC", "This list cannot be changed."] {
        let world = world().await;
        let body = format!(r#"{{"status":"error","category":"VALIDATION_ERROR","message":"{words}"}}"#);
        let refused = FaultKind::Status { code: 400, body: Some(body) };
        world.fail(Service::HubSpot, "PUT", "/987/memberships", refused);
        let rule = Rule::Equals("firstname".to_owned(), "nobody".to_owned());
        let report = world
            .sync_at_once(Source::List(ListId(FINISHED)), |sandbox| {
                assert!(sandbox.hubspot.rule_list(GENERAL, rule.clone()));
            })
            .await;
        assert_eq!(report.run.state, RunState::Done, "{words}: {}", report.run.phase);
        for name in NAMES {
            assert!(world.person(name).starts_with("archived []; lists [946"), "{}", world.person(name));
        }
        world.mend();
        world.assert_settled().await;
    }
}
