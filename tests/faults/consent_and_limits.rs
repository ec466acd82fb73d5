//! Opt-outs overtake whatever else goes on; limits and narrowings trim, and never change the meaning of a run.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, NEW_AGENTS, address};
use hsmc::domain::failure::Service;
use hsmc::domain::id::ListId;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::requests::{Only, PlanRequest, Scope, SyncRequest};
use hsmc::serve::views::{ReportView, RunState};
use hsmc::sync::scan::NoProgress;
use std::time::Duration;

const DAILY: &str = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;

fn opted_out(world: &World) -> usize {
    let state = world.sandbox().state();
    let contacts = state["hubspot"]["contacts"].as_object().unwrap();
    contacts.values().filter(|contact| contact["opted_out"] == true).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_opt_outs_at_once_are_all_delivered_in_that_run() {
    let world = World::new(|builder| {
        for number in 0..300 {
            people::enrolled(builder, &format!("p{number}"), GENERAL);
        }
    })
    .await;
    world.synced().await;
    for number in 0..300 {
        world.act(Act::Unsubscribe { email: address(&format!("p{number}")) });
    }
    world.synced().await;
    assert_eq!(opted_out(&world), 300);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_opt_outs_in_hubspot_are_all_delivered_in_that_run() {
    let world = World::new(|builder| {
        for number in 0..300 {
            people::enrolled(builder, &format!("p{number}"), GENERAL);
        }
    })
    .await;
    world.synced().await;
    for number in 0..300 {
        world.act(Act::OptOut { email: address(&format!("p{number}")), subscription: None });
    }
    world.clock.jump(std::time::Duration::from_secs(30));
    world.synced().await;
    for number in [0, 150, 299] {
        let person = world.person(&format!("p{number}"));
        assert!(person.starts_with("unsubscribed []"), "{person}");
    }
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_no_opt_out_is_dropped_because_a_service_takes_no_calls() {
    const EVERYBODY: usize = 300;
    let world = World::new(|builder| {
        for number in 0..EVERYBODY {
            people::enrolled(builder, &format!("p{number}"), GENERAL);
        }
    })
    .await;
    world.synced().await;
    for number in 0..EVERYBODY {
        world.act(Act::Unsubscribe { email: address(&format!("p{number}")) });
    }
    let used_up = FaultKind::Status { code: 429, body: Some(DAILY.to_owned()) };
    for method in ["POST", "PUT"] {
        world.fail(Service::HubSpot, method, "communication-preferences", used_up.clone());
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    assert_eq!(opted_out(&world), 0);
    let app = world.open();
    let open = app.workspace.shared.journal.open_moves(None, 2 * EVERYBODY).unwrap();
    app.close().await;
    assert_eq!(open.len(), EVERYBODY, "each stays known as on its way, since when it was taken up");
    world.mend();
    world.clock.jump(Duration::from_secs(24 * 60 * 60));
    world.synced().await;
    assert_eq!(opted_out(&world), EVERYBODY);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opt_outs_flow_although_a_gate_waits_for_approval() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
        for number in 0..20 {
            people::listed(builder, &format!("p{number}"), COMPETITION);
        }
    })
    .await;
    world.set("HSMC_SYNC__MAX_CHANGED_SHARE", "0.25");
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    let mark = world.mark();
    let report = world.try_sync(SyncRequest::default()).await.unwrap();
    assert_eq!(report.run.state, RunState::NeedsApproval, "{}", report.run.phase);
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    assert!(world.person("bram").starts_with("unsubscribed []"), "{}", world.person("bram"));
    assert_eq!(world.person("p3"), "no member; lists [720]");
    let made = |what: &What| matches!(what, What::MemberCreated { .. } | What::PropertyCreated { .. });
    assert_eq!(world.count_since(mark, made), 0);
    world.synced().await;
    assert_eq!(world.person("p3"), "subscribed [Competition]; lists [720]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opt_outs_flow_while_everything_is_paused() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "bram", COMPETITION);
    })
    .await;
    let app = world.open();
    app.pause(Scope::All).await.unwrap();
    app.close().await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.sync().await;
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    assert_eq!(world.person("bram"), "no member; lists [720]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_refused_for_good_is_stuck_and_never_parked() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("ada") });
    let refusal = r#"{"status":"error","category":"VALIDATION_ERROR","message":"no such subscription"}"#;
    for method in ["POST", "PUT"] {
        let refused = FaultKind::Status { code: 400, body: Some(refusal.to_owned()) };
        world.fail(Service::HubSpot, method, "communication-preferences", refused);
    }
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Stuck, "{}", report.run.phase);
    assert_eq!(report.stuck.len(), 1);
    assert_eq!(report.stuck[0].kind, "opt-out-hubspot");
    let again = world.sync().await;
    let ids = |report: &ReportView| report.stuck.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&report), "tried once more, and no second one beside it");
    world.mend();
    world.synced().await;
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_that_overtakes_a_waiting_move_ends_it_as_superseded() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    // The handover is under way and waits: HubSpot takes no notes now.
    let busy = FaultKind::Status { code: 503, body: None };
    world.fail(Service::HubSpot, "POST", "/batch/update", busy);
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    world.act(Act::Unsubscribe { email: address("ada") });
    world.sync().await;
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    world.mend();
    let report = world.sync().await;
    let app = world.open();
    let open = app.workspace.shared.journal.open_moves(None, 10).unwrap();
    let id = hsmc::domain::id::MoveId { run: hsmc::domain::id::RunId(1), number: 1 };
    let detail = hsmc::app::show::detail(&app.workspace.shared.journal, id, hsmc::app::show::Names::Numbers)
        .unwrap()
        .unwrap();
    app.close().await;
    assert!(open.is_empty(), "{open:?} {}", report.run.phase);
    assert!(
        detail.standing.contains("superseded") || detail.standing.contains("opt-out"),
        "{}",
        detail.standing
    );
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audience_cap_reached_in_the_middle_leaves_the_rest_out_and_counts_them() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        for number in 0..8 {
            builder.later(std::time::Duration::from_secs(60));
            people::listed(builder, &format!("p{number}"), GENERAL);
        }
    })
    .await;
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "4");
    world.act(Act::SetProperty {
        contact: address("ada"),
        property: "firstname".into(),
        value: "Ada".into(),
    });
    let report = world.synced().await;
    let created = world.count_since(0, |what| matches!(what, What::MemberCreated { .. }));
    assert_eq!(created, 3);
    assert_eq!(report.run.counts.left_out.values().sum::<u64>(), 5, "{:?}", report.run.counts.left_out);
    let state = world.sandbox().state();
    assert_eq!(state["mailchimp"]["members"]["ada@example.com"]["fields"]["FNAME"], "Ada", "refreshes go on");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn max_archives_per_run_trims_every_path_that_archives() {
    let mut world = World::new(|builder| {
        for number in 0..4 {
            people::finished(builder, &format!("f{number}"));
            let id = people::enrolled(builder, &format!("x{number}"), GENERAL);
            builder.join(people::DEALS, id);
        }
        people::enrolled(builder, "stays", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "3");
    let mut archived = Vec::new();
    for _ in 0..3 {
        let mark = world.mark();
        world.synced().await;
        archived.push(world.count_since(mark, |what| matches!(what, What::Archived { .. })));
    }
    assert_eq!(archived, [3, 3, 2]);
    world.assert_settled().await;
}

async fn mixed() -> World {
    World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", COMPETITION);
        people::finished(builder, "carl");
        people::listed(builder, "dora", NEW_AGENTS);
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r26_a_run_about_some_people_leaves_what_was_planned_for_others_as_it_is() {
    let world = mixed().await;
    let app = world.open();
    app.pause(Scope::All).await.unwrap();
    app.close().await;
    world.sync().await;
    let open = |world: &World| {
        let app = world.open();
        async move {
            let open = app.workspace.shared.journal.open_moves(None, 10).unwrap();
            app.close().await;
            open
        }
    };
    let planned = open(&world).await;
    assert_eq!(planned.len(), 4, "none of them has begun");
    let app = world.open();
    app.resume(Scope::All).await.unwrap();
    app.close().await;
    let only =
        SyncRequest { yes: true, only: vec![Only::List(ListId(COMPETITION))], ..SyncRequest::default() };
    world.try_sync(only).await.unwrap();
    assert_eq!(world.person("ada"), "no member; lists [987]");
    assert_eq!(world.person("bram"), "subscribed [Competition]; lists [720]");
    let left = open(&world).await;
    assert!(left.len() == 3 && left.iter().all(|id| planned.contains(id)), "{left:?} of {planned:?}");
    let report = world.synced().await;
    assert_eq!(report.run.counts.notes.get("moves of an earlier run taken over"), Some(&3));
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(open(&world).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_list_or_a_contact_changes_nobody_else() {
    let world = mixed().await;
    let only = |only| SyncRequest { yes: true, only: vec![only], ..SyncRequest::default() };
    world.try_sync(only(Only::List(ListId(COMPETITION)))).await.unwrap();
    assert_eq!(world.person("bram"), "subscribed [Competition]; lists [720]");
    world.try_sync(only(Only::Contact(address("ada")))).await.unwrap();
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("carl"), "subscribed [General Single, General Single Finished]; lists [987]");
    assert_eq!(world.person("dora"), "no member; lists [945]");
    let trouble = world.try_sync(only(Only::List(ListId(1)))).await.unwrap_err();
    assert_eq!((trouble.exit, trouble.message.as_str()), (2, "the config names no list 1"));
    world.synced().await;
    assert_eq!(world.person("carl"), "archived []; lists [946]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_applies_so_many_moves_and_the_next_runs_the_rest() {
    let world = mixed().await;
    let changed = |world: &World| {
        ["ada", "bram", "dora"].iter().filter(|name| world.person(name).starts_with("subscribed")).count()
            + usize::from(world.person("carl").starts_with("archived"))
    };
    let limited = SyncRequest { yes: true, limit: Some(2), ..SyncRequest::default() };
    let report = world.try_sync(limited).await.unwrap();
    assert_eq!(changed(&world), 2);
    assert_eq!(report.run.counts.notes.get("left for a later run by --limit"), Some(&2));
    // Nobody is said to be what they would have become.
    let said = |state: &str| report.run.counts.people.get(state).copied().unwrap_or_default();
    let archived = u64::from(world.person("carl").starts_with("archived"));
    assert_eq!(said("enrolled"), 2 - archived, "{:?}", report.run.counts.people);
    assert_eq!(said("handed-over"), archived, "{:?}", report.run.counts.people);
    world.synced().await;
    assert_eq!(changed(&world), 4);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_never_keeps_an_opt_out_waiting() {
    let world = mixed().await;
    world.act(Act::Unsubscribe { email: address("carl") });
    let limited = SyncRequest { yes: true, limit: Some(0), ..SyncRequest::default() };
    world.try_sync(limited).await.unwrap();
    assert!(world.person("carl").contains("opted out"), "{}", world.person("carl"));
    assert_eq!(world.person("ada"), "no member; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_and_dry_runs_and_apply_never_change_nothing_at_all() {
    let mut world = mixed().await;
    world.config = world.config.replace("[merge_fields]", "[merge_fields]\nBRANCHES = \"branches\"");
    world.act(Act::Unsubscribe { email: address("carl") });
    let mark = world.mark();
    let plan = world.plan(PlanRequest::default()).await;
    assert!(plan.total >= 4, "{plan:?}");
    let app = world.open();
    let dry = SyncRequest { dry_run: true, ..SyncRequest::default() };
    app.sync(dry, &NoProgress).await.unwrap();
    app.close().await;
    world.set("HSMC_SYNC__APPLY", "never");
    for yes in [false, true] {
        let report = world.try_sync(SyncRequest { yes, ..SyncRequest::default() }).await.unwrap();
        assert_eq!(report.run.state, RunState::NeedsApproval);
    }
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    assert_eq!(world.mutating_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_that_took_effect_late_subscribes_nobody_twice() {
    let world = mixed().await;
    let later = FaultKind::LostThenDoneLater(std::time::Duration::from_secs(100));
    world.fault(Matches::call(Service::Mailchimp, "POST", "/lists/aud0000001").nth(1), later.clone());
    world.fault(Matches::call(Service::HubSpot, "PUT", "/memberships").nth(1), later);
    let mark = world.mark();
    world.synced().await;
    let journeys = world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. }));
    assert_eq!(journeys, 3);
    assert_eq!(world.person("carl"), "archived []; lists [946]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_who_opted_out_is_unsubscribed_and_not_archived_for_the_list_they_went_into() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    // The list follows at once; the search for changed contacts may not yet.
    world.act(Act::OptOut { email: address("ada"), subscription: None });
    world.synced().await;
    assert_eq!(world.person("ada"), "unsubscribed []; lists [762, 987], opted out");
    world.assert_settled().await;
}

/// An enrolment is under way and gets nowhere; its person leaves the list, and then unsubscribes: nobody shows their
/// contact any more, and the opt-out is delivered all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_an_opt_out_waits_for_no_move_of_that_person_in_a_list_or_not() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::member(builder, "ada");
    })
    .await;
    world.patience = Duration::from_secs(20);
    world.fail(Service::Mailchimp, "POST", "/tags", FaultKind::Status { code: 503, body: None });
    world.fail(Service::Mailchimp, "POST", "/segments/", FaultKind::Status { code: 503, body: None });
    world.sync().await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.act(Act::Unsubscribe { email: address("ada") });
    world.sync().await;
    assert!(world.person("ada").ends_with("opted out"), "{}", world.person("ada"));
    world.mend();
    world.sync().await;
    world.assert_settled().await;
}

/// Somebody archives the member before the next run, and with it goes the only sign of the opt-out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_that_nobody_might_carry_over_when_it_was_seen_is_told_although_nothing_shows_it_any_more()
 {
    for way in ["plan", "dry run", "others only", "never"] {
        let mut world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
            people::enrolled(builder, "bram", COMPETITION);
        })
        .await;
        world.synced().await;
        world.act(Act::Unsubscribe { email: address("ada") });
        world.clock.jump(Duration::from_secs(3_600));
        let request = SyncRequest { yes: true, ..SyncRequest::default() };
        match way {
            "plan" => drop(world.plan(PlanRequest::default()).await),
            "dry run" => {
                let app = world.open();
                app.sync(SyncRequest { dry_run: true, ..request }, &NoProgress).await.unwrap();
                app.close().await;
            }
            "others only" => {
                let only = vec![Only::Contact(address("bram"))];
                world.try_sync(SyncRequest { only, ..request }).await.unwrap();
            }
            _ => {
                world.set("HSMC_SYNC__APPLY", "never");
                world.try_sync(request).await.unwrap();
                world.set("HSMC_SYNC__APPLY", "always");
            }
        }
        assert_eq!(world.person("ada"), "unsubscribed [General Single]; lists [987]", "{way}");
        world.act(Act::Archive { email: address("ada") });
        world.clock.jump(Duration::from_secs(3_600));
        world.synced().await;
        assert!(world.person("ada").starts_with("archived"), "{way}: {}", world.person("ada"));
        assert!(world.person("ada").ends_with("opted out"), "{way}: {}", world.person("ada"));
        world.assert_settled().await;
        let app = world.open();
        let links = app.consent_of(&address("ada")).await.unwrap().links;
        assert_eq!(app.verify_consent().await.unwrap().broken, None);
        app.close().await;
        assert!(links.len() >= 2, "{way}: seen, and delivered: {links:?}");
    }
}

/// A wrong type stops a run (R27), since its opt-outs would be stuck for good; one that was stuck before the config was
/// mended is no reason not to make the one that is due now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_stuck_at_a_type_that_the_config_names_no_more_holds_up_no_other() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    let of_all = world.config.clone();
    world.config = of_all.replace("subscriptions = \"all\"", "subscriptions = [\"999\"]");
    let refused = world.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await.unwrap_err();
    assert!(
        refused.message.contains("subscription type 999") && refused.place.contains("consent"),
        "{refused:?}"
    );

    world.config = of_all.replace("subscriptions = \"all\"", "subscriptions = [\"101\"]");
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("ada") });
    let refusal = r#"{"status":"error","category":"VALIDATION_ERROR","message":"no such subscription"}"#;
    let gone = FaultKind::Status { code: 400, body: Some(refusal.to_owned()) };
    // Once, and once more by the next run, which begins with what is stuck.
    let calls = Matches::call(Service::HubSpot, "POST", "/statuses/ada");
    world.fault(Matches { times: Some(2), ..calls }, gone);
    assert_eq!(world.sync().await.run.state, RunState::Stuck);
    world.config = of_all;
    let report = world.sync().await;
    assert_eq!(report.stuck.len(), 1, "the old one is an operator's to skip: {report:?}");
    assert!(world.person("ada").ends_with("opted out"), "{}", world.person("ada"));
}
