//! The world moves on between reading and applying.

use crate::support::people::{self, COMPETITION, DEALS, FINISHED, GENERAL, address};
use crate::support::{World, act};
use hsmc::domain::email::Email;
use hsmc::domain::event::{MoveEvent, StepOutcome};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::requests::{PlanRequest, SyncRequest};
use hsmc::serve::views::RunState;
use hsmc::sync::scan::{NoProgress, Source};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_unsubscribes_between_plan_and_apply_is_not_subscribed() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::member(builder, "ada");
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    let report = world
        .sync_while(Source::Members, |world| act(world, Act::Unsubscribe { email: address("ada") }))
        .await;
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert_eq!(report.run.counts.ended.get("dropped"), Some(&1));
    assert_eq!(world.person("ada"), "unsubscribed []; lists [987]");
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    world.synced().await;
    assert_eq!(world.person("ada"), "unsubscribed []; lists [762, 987], opted out");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opts_out_in_hubspot_between_plan_and_apply_is_not_added() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world
        .sync_while(Source::Contacts, |world| {
            act(world, Act::OptOut { email: address("ada"), subscription: None });
        })
        .await;
    assert_eq!(world.person("ada"), "no member; lists [762, 987], opted out");
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    world.synced().await;
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_deleted_between_scan_and_apply_harms_nobody_else() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::finished(builder, "bram");
    })
    .await;
    world
        .sync_while(Source::Contacts, |world| act(world, Act::DeleteContact { contact: address("ada") }))
        .await;
    assert_eq!(world.person("bram"), "archived []; lists [946]");
    // Nothing is half done: all of General's tags are still there, nobody was archived.
    assert_eq!(world.person("ada"), "subscribed [General Single, General Single Finished]; not in HubSpot");
    world.sync().await;
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_merged_between_scan_and_apply_follows_the_survivor() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::contact(builder, "survivor");
    })
    .await;
    world
        .sync_while(Source::Contacts, |world| {
            act(world, Act::Merge { primary: address("survivor"), other: address("ada") });
        })
        .await;
    world.sync().await;
    world.sync().await;
    let member = world.person("ada");
    assert!(
        member.starts_with("archived []")
            || member.starts_with("subscribed [General Single, General Single F"),
        "neither half: {member}"
    );
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_tag_taken_away_between_plan_and_apply_hands_nobody_over() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::finished(builder, "bram");
    })
    .await;
    let tag = "General Single Finished".to_owned();
    let report = world
        .sync_while(Source::Members, |world| {
            act(world, Act::ClearTag { email: address("ada"), tag: tag.clone() })
        })
        .await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("bram"), "archived []; lists [946]");
    assert_eq!(report.run.counts.ended.get("dropped"), Some(&1));
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_archived_by_hand_between_plan_and_apply_stays_archived() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::member(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.sync_while(Source::Members, |world| act(world, Act::Archive { email: address("ada") })).await;
    assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    world.sync().await;
    assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_plan_applies_what_still_comes_out_and_names_what_it_dropped() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
        people::finished(builder, "carl");
        people::listed(builder, "dora", COMPETITION);
    })
    .await;
    let file = world.file("plan.jsonl");
    let plan = world.plan(PlanRequest { out: Some(file.clone()), ..PlanRequest::default() }).await;
    assert_eq!(plan.total, 4);
    // Somebody changes two of them, and a new one comes.
    world.act(Act::OptOut { email: address("ada"), subscription: None });
    world.act(Act::ClearTag { email: address("carl"), tag: "General Single Finished".to_owned() });
    world.act(Act::AddContact { properties: [("email".to_owned(), address("eve"))].into_iter().collect() });
    world.act(Act::JoinList { contact: address("eve"), list: GENERAL });
    let report = world.apply(file).await;
    assert_eq!(world.person("ada"), "no member; lists [762, 987], opted out");
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("carl"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("dora"), "subscribed [Competition]; lists [720]");
    assert_eq!(world.person("eve"), "no member; lists [987]", "it was not in the plan");
    let told = serde_json::to_string(&report).unwrap();
    for part in ["enroll", "hand-over"] {
        let named =
            report.run.counts.notes.iter().any(|(note, _)| note.contains("dropped") && note.contains(part));
        assert!(named, "{part} is not named: {told}");
    }
}

/// What is done does not come out again because it holds: nobody has to look at it once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_plan_applied_twice_says_that_it_is_done_and_asks_nobody() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::finished(builder, "carl");
        people::listed(builder, "dora", COMPETITION);
    })
    .await;
    let file = world.file("plan.jsonl");
    world.plan(PlanRequest { out: Some(file.clone()), ..PlanRequest::default() }).await;
    assert_eq!(world.apply(file.clone()).await.run.state, RunState::Done);
    world.set("HSMC_SYNC__MAX_CHANGED_SHARE", "0.1");
    people::act_new(&world, "eve", GENERAL);
    world.clock.jump(Duration::from_secs(60));
    let mutating = world.mutating_calls();
    let report = world.apply(file).await;
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    let notes = &report.run.counts.notes;
    assert_eq!(notes.get("moves of the plan shown before are done already"), Some(&3), "{notes:?}");
    assert!(!notes.keys().any(|note| note.contains("dropped")), "{notes:?}");
    assert_eq!(world.mutating_calls(), mutating);
    assert_eq!(world.person("eve"), "no member; lists [987]", "it was not in the plan");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_moved_between_lists_in_one_cycle_keeps_the_first_tag() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    let mark = world.mark();
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.act(Act::JoinList { contact: address("ada"), list: COMPETITION });
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [720]");
    assert_eq!(world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. })), 0);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_left_and_came_back_while_it_ran_is_not_moved() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    let list = hsmc::domain::id::ListId(GENERAL);
    // The list's page is read without them; they are back before anything is decided.
    world
        .sync_while(Source::List(list), |world| {
            act(world, Act::JoinList { contact: address("ada"), list: GENERAL })
        })
        .await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
}

/// The tags cannot be set for a while; meanwhile two of four opt out, and one does and has their contact deleted, which
/// then tells nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_who_opts_out_while_a_step_waits_for_the_service_gets_no_mail_from_it() {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo", "dora"] {
            people::listed(builder, name, GENERAL);
            people::member(builder, name);
        }
    })
    .await;
    for part in ["/segments", "/tags"] {
        world.fail(Service::Mailchimp, "POST", part, FaultKind::Status { code: 503, body: None });
    }
    let (app, mark) = (world.open(), world.mark());
    let run = Arc::clone(&app);
    let running = tokio::spawn(async move {
        run.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await
    });
    let mut changes = app.workspace.moves.changes();
    while app.workspace.moves.overview().await.asleep < 4 {
        changes.changed().await.unwrap();
    }
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    world.act(Act::OptOut { email: address("dora"), subscription: None });
    world.act(Act::DeleteContact { contact: address("dora") });
    world.clock.jump(Duration::from_secs(90));
    world.mend();
    running.await.unwrap().unwrap();
    app.close().await;
    world.assert_careful();
    let journeys = |name: &str| {
        let email = address(name);
        world.count_since(
            mark,
            |what| matches!(what, What::JourneyStarted { email: started, .. } if *started == email),
        )
    };
    assert_eq!((journeys("ada"), journeys("bram"), journeys("cleo"), journeys("dora")), (0, 0, 1, 0));
    world.synced().await;
    assert_eq!(world.person("ada"), "unsubscribed []; lists [762, 987], opted out");
    assert_eq!(world.person("bram"), "unsubscribed []; lists [762, 987], opted out");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_who_unsubscribes_between_plan_and_archive_is_not_archived_and_hubspot_is_told() {
    unsubscribed_between_plan_and_archive(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_nor_where_the_clock_here_is_ahead_of_mailchimps() {
    unsubscribed_between_plan_and_archive(20 * 60_000).await;
}

/// Once archived, nobody can see any more that somebody had opted out (Mailchimp contract §6).
async fn unsubscribed_between_plan_and_archive(ahead_ms: i64) {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo"] {
            people::enrolled(builder, name, GENERAL);
        }
        people::finished(builder, "dora");
    })
    .await;
    world.synced().await;
    people_leave(&world, &["ada", "bram", "cleo"]);
    world.clock.set_wrong_by(ahead_ms);
    world
        .sync_while(Source::Members, |world| {
            act(world, Act::Unsubscribe { email: address("ada") });
            act(world, Act::Clean { email: address("bram") });
        })
        .await;
    assert!(world.person("ada").starts_with("unsubscribed ["), "{}", world.person("ada"));
    assert!(world.person("bram").starts_with("cleaned ["), "{}", world.person("bram"));
    assert_eq!(world.person("cleo"), "archived []; lists []");
    world.synced().await;
    assert!(world.person("ada").ends_with("opted out"), "{}", world.person("ada"));
    assert_eq!(world.property("bram", "mailchimp_bounced"), "true");
    world.act(Act::JoinList { contact: address("ada"), list: GENERAL });
    world.synced().await;
    assert!(world.person("ada").starts_with("unsubscribed ["), "{}", world.person("ada"));
    world.assert_settled().await;
}

/// HubSpot keeps its opt-outs, and yet: who is archived cannot be told of any more, and comes back as subscribed when
/// somebody brings them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_who_opts_out_in_hubspot_between_plan_and_archive_is_unsubscribed_and_not_archived() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::finished(builder, "bram");
    })
    .await;
    world
        .sync_while(Source::Contacts, |world| {
            act(world, Act::OptOut { email: address("ada"), subscription: None });
        })
        .await;
    assert!(world.person("ada").starts_with("subscribed ["), "{}", world.person("ada"));
    assert_eq!(world.person("bram"), "archived []; lists [946]");
    world.synced().await;
    assert!(world.person("ada").starts_with("unsubscribed []"), "{}", world.person("ada"));
    world.assert_settled().await;
}

fn people_leave(world: &World, names: &[&str]) {
    for name in names {
        world.act(Act::LeaveList { contact: address(name), list: GENERAL });
    }
}

/// The same while the archive waits for Mailchimp: each way out of an audience, and few or many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_whom_an_archive_would_have_hidden_while_it_waited_is_never_restored() {
    for many in [false, true] {
        let world = World::new(|builder| {
            for name in ["ada", "bram"] {
                people::enrolled(builder, name, GENERAL);
            }
            for number in 0..if many { 30 } else { 0 } {
                people::enrolled(builder, &format!("p{number}"), GENERAL);
            }
        })
        .await;
        world.synced().await;
        people_leave(&world, &["ada", "bram"]);
        for number in 0..if many { 30 } else { 0 } {
            people_leave(&world, &[&format!("p{number}")]);
        }
        world.fail(Service::Mailchimp, "DELETE", "/members", FaultKind::Status { code: 503, body: None });
        world.fail(Service::Mailchimp, "POST", "/batches", FaultKind::Status { code: 503, body: None });
        let app = world.open();
        let run = Arc::clone(&app);
        let running = tokio::spawn(async move {
            run.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await
        });
        // Whoever is between their look and their call is not looked at again.
        while !has_to_wait(&app, "ada") && !running.is_finished() {
            tokio::task::yield_now().await;
        }
        world.act(Act::Unsubscribe { email: address("ada") });
        world.mend();
        running.await.unwrap().unwrap();
        app.close().await;
        world.assert_careful();
        world.synced().await;
        assert_eq!(world.person("bram"), "archived []; lists []", "many: {many}");
        assert_eq!(world.person("ada"), "unsubscribed []; lists [762], opted out", "many: {many}");
        world.act(Act::JoinList { contact: address("ada"), list: GENERAL });
        world.synced().await;
        assert_eq!(world.person("ada"), "unsubscribed []; lists [762, 987], opted out", "many: {many}");
        world.assert_settled().await;
    }
}

/// The call for one tags archived members too, and the call for many leaves them to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_member_archived_between_plan_and_apply_is_neither_tagged_nor_restored() {
    for (names, late) in [(&["ada"][..], true), (&["ada"], false), (&["ada", "bram", "cleo"], true)] {
        let world = World::new(|builder| {
            for name in names {
                people::listed(builder, name, GENERAL);
                people::member(builder, name);
            }
            people::enrolled(builder, "dora", GENERAL);
        })
        .await;
        let mark = world.mark();
        let archive = |sandbox: &mut hsmc::sandbox::Sandbox| {
            for name in names {
                act(sandbox, Act::Archive { email: address(name) });
            }
        };
        let report = match late {
            true => world.sync_while(Source::Archived, archive).await,
            false => world.sync_at_once(Source::Archived, archive).await,
        };
        assert_eq!(world.person("ada"), "archived []; lists [987]", "{names:?} {late}");
        assert_eq!(world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. })), 0);
        let ended = &report.run.counts.ended;
        let undone = ended.get("dropped").into_iter().chain(ended.get("unwound")).chain(ended.get("refused"));
        assert_eq!(undone.sum::<u64>(), names.len() as u64, "{ended:?}");
        world.synced().await;
        assert_eq!(world.person("ada"), "archived []; lists [987]");
        world.assert_settled().await;
    }
}

/// Precedence: protection stands above exclusion, handover and orphans, and below a critical exclusion.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_protected_tag_set_between_plan_and_apply_spares_its_bearer() {
    for many in [0, 30] {
        let crowd: Vec<String> = (0..many).map(|number| format!("p{number}")).collect();
        let mut world = World::new(|builder| {
            for name in ["orphan", "excluded", "critical"].into_iter().chain(crowd.iter().map(String::as_str))
            {
                people::enrolled(builder, name, GENERAL);
            }
            people::enrolled(builder, "finished", GENERAL);
        })
        .await;
        world.synced().await;
        // Deals become critical; Competition, no source list any more, excludes from here on.
        for (from, to) in [
            ("critical = [\"762\"]", "critical = [\"762\", \"717\"]"),
            ("exclude = [\"762\", \"717\"]", "exclude = [\"762\", \"717\", \"720\"]"),
            ("  { id = \"720\", tag = \"Competition\" },\n", ""),
            ("[[handover]]\nexit_tag = \"Competition Finished\"\nfrom = \"720\"\n", ""),
        ] {
            assert!(world.config.contains(from));
            world.config = world.config.replace(from, to);
        }
        people_leave(&world, &["orphan"]);
        people_leave(&world, &crowd.iter().map(String::as_str).collect::<Vec<_>>());
        let tag = "General Single Finished".to_owned();
        world.act(Act::SetTag { email: address("finished"), tag });
        world.act(Act::JoinList { contact: address("excluded"), list: COMPETITION });
        world.act(Act::JoinList { contact: address("critical"), list: people::DEALS });
        world
            .sync_while(Source::Archived, |sandbox| {
                for name in ["orphan", "excluded", "critical", "finished"] {
                    act(sandbox, Act::SetTag { email: address(name), tag: "VIP".to_owned() });
                }
            })
            .await;
        assert_eq!(world.person("orphan"), "subscribed [General Single, VIP]; lists []", "many: {many}");
        assert_eq!(world.person("excluded"), "subscribed [General Single, VIP]; lists [720, 987]");
        assert_eq!(world.person("critical"), "subscribed [VIP]; lists [717]");
        assert_eq!(
            world.person("finished"),
            "subscribed [General Single, General Single Finished, VIP]; lists [987]"
        );
        for name in &crowd {
            assert_eq!(world.person(name), "archived []; lists []");
        }
        world.synced().await;
        world.assert_settled().await;
    }
}

/// Whether the last call of the person's last move failed, and is to be made again.
fn has_to_wait(app: &hsmc::app::App, name: &str) -> bool {
    let journal = &app.workspace.shared.journal;
    let hash = Email::parse(&address(name)).unwrap().hash();
    let Some(person) = journal.person_by_hash(hash).unwrap() else { return false };
    let Some(last) = journal.moves_of_person(person).unwrap().pop() else { return false };
    let events = journal.events(last).unwrap();
    let Some(MoveEvent::Outcome { outcome, .. }) = events.last() else { return false };
    matches!(outcome, StepOutcome::RetryAt { .. } | StepOutcome::InDoubt { .. })
}

/// A begun enrolment goes on where it stood, hours later, too; what was planned then may be wrong by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolment_that_has_waited_starts_no_mail_for_whom_a_list_bars_by_now() {
    let joins = |list| Act::JoinList { contact: address("ada"), list };
    for (what, happens) in [
        ("exclusion", joins(DEALS)),
        ("destination", joins(FINISHED)),
        ("gone from the list", Act::LeaveList { contact: address("ada"), list: GENERAL }),
    ] {
        let world = World::new(|builder| {
            people::listed(builder, "ada", GENERAL);
            people::member(builder, "ada");
            people::listed(builder, "bram", GENERAL);
            people::member(builder, "bram");
        })
        .await;
        let mark = world.mark();
        // The first step is made, and the tag that starts mail waits for Mailchimp.
        let away = FaultKind::Status { code: 503, body: None };
        world.fail(Service::Mailchimp, "POST", "/tags", away.clone());
        world.fail(Service::Mailchimp, "POST", "/segments", away);
        let app = world.open();
        let run = Arc::clone(&app);
        let running = tokio::spawn(async move {
            run.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await
        });
        while !has_to_wait(&app, "ada") && !running.is_finished() {
            tokio::task::yield_now().await;
        }
        world.act(happens);
        world.clock.jump(Duration::from_secs(8 * 3600));
        world.mend();
        running.await.unwrap().unwrap();
        app.close().await;
        world.synced().await;
        world.synced().await;
        let started = world.count_since(
            mark,
            |one| matches!(one, What::JourneyStarted { email, .. } if *email == address("ada")),
        );
        assert_eq!(started, 0, "{what}: {}", world.person("ada"));
        assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]", "{what}");
        world.assert_settled().await;
    }
}

/// A listing may show them without their tag for a while, and another list would give another one beside it (R2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_enrolment_a_run_brings_to_its_end_gets_nothing_else_before_the_next_one() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::member(builder, "ada");
    })
    .await;
    let away = FaultKind::Status { code: 503, body: None };
    world.fail(Service::Mailchimp, "POST", "/tags", away.clone());
    world.fail(Service::Mailchimp, "POST", "/segments", away);
    world.sync().await;
    world.mend();
    let name = "Ada the second".to_owned();
    world.act(Act::SetProperty { contact: address("ada"), property: "firstname".to_owned(), value: name });
    world.clock.jump(Duration::from_secs(60));
    let report = world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(report.run.counts.planned.get("refresh"), None, "{:?}", report.run.counts.planned);
    let report = world.synced().await;
    assert_eq!(report.run.counts.planned.get("refresh"), Some(&1), "{:?}", report.run.counts.planned);
    world.assert_settled().await;
}
