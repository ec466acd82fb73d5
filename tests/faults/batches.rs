//! An asynchronous batch of Mailchimp that gets nowhere: no run and no opt-out waits for it, and whoever comes next
//! finds it where it is.

use crate::support::people::{self, COMPETITION, GENERAL, address};
use crate::support::{World, ran};
use hsmc::domain::email::Email;
use hsmc::domain::event::{MoveEvent, StepOutcome};
use hsmc::domain::failure::Service;
use hsmc::domain::id::MoveId;
use hsmc::domain::port::Clock;
use hsmc::engine::fold;
use hsmc::sandbox::{Act, Fault, FaultKind, Matches, What};
use hsmc::serve::requests::{AdoptRequest, SyncRequest};
use hsmc::serve::views::RunState;
use hsmc::sync::scan::NoProgress;
use std::sync::Arc;
use std::time::Duration;

/// So many that most go in a batch, whoever comes first alone.
const REFRESHED: usize = 12;
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The names of many have changed, which goes in batches; those take Mailchimp a day.
async fn world() -> World {
    let mut world = World::new(|builder| {
        for name in names() {
            people::enrolled(builder, &name, GENERAL);
        }
        for name in ["dora", "eve", "fay"] {
            people::enrolled(builder, name, COMPETITION);
        }
    })
    .await;
    world.config = world.config.replace("[sync]", "batch_above = 1\n\n[sync]");
    world.synced().await;
    world.sandbox().settings.batch_delay = A_DAY;
    for name in names() {
        world.act(Act::SetProperty {
            contact: address(&name),
            property: "firstname".to_owned(),
            value: format!("{name} the second"),
        });
    }
    // HubSpot's search is a few seconds behind.
    world.clock.jump(Duration::from_secs(60));
    world
}

/// Many are to be handed over, and archived in batches.
async fn handovers() -> World {
    let mut world = World::new(|builder| {
        for name in names() {
            people::finished(builder, &name);
        }
    })
    .await;
    world.config = world.config.replace("[sync]", "batch_above = 1\n\n[sync]");
    world
}

fn batches_since(world: &World, mark: usize) -> usize {
    world.count_since(mark, |what| matches!(what, What::BatchSubmitted { .. }))
}

fn names() -> Vec<String> {
    (0..REFRESHED).map(|number| format!("p{number}")).collect()
}

/// Open moves, by which batch each is carried, and whose it is.
async fn waiting(world: &World) -> Vec<(MoveId, String, String)> {
    let app = world.open();
    let journal = &app.workspace.shared.journal;
    let mut found = Vec::new();
    for id in journal.open_moves(None, 100).unwrap() {
        let events = journal.events(id).unwrap();
        let ticket = events.iter().find_map(|event| match event {
            MoveEvent::Outcome { outcome: StepOutcome::Ticket(ticket), .. } => Some(ticket.clone()),
            _ => None,
        });
        let status = fold(&events).unwrap();
        assert!(status.waits_for_batch(), "{id}");
        let whose = journal.person(status.draft.person).unwrap().unwrap().email.unwrap();
        found.push((id, ticket.unwrap(), whose.as_str().trim_end_matches("@example.com").to_owned()));
    }
    app.close().await;
    found
}

fn first_name(world: &World, name: &str) -> String {
    world.sandbox().state()["mailchimp"]["members"][address(name)]["fields"]["FNAME"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_gets_nowhere_holds_no_run_and_the_next_process_finds_it() {
    let world = world().await;
    let mark = world.mark();
    let report = world.synced().await;
    let note = report.run.counts.notes.keys().find(|note| note.contains("asynchronous batch"));
    assert!(note.is_some(), "{:?}", report.run.counts.notes);
    let took = report.run.ended.unwrap().since(report.run.started);
    assert!(took < Duration::from_secs(240), "{took:?}");
    let (before, sent) = (waiting(&world).await, batches_since(&world, mark));
    assert!(before.len() > REFRESHED / 2, "{before:?}");

    // Another process, while the batch still goes on: it asks, and sends nothing again.
    world.synced().await;
    assert_eq!(waiting(&world).await, before);
    assert_eq!(batches_since(&world, mark), sent);

    world.clock.jump(A_DAY);
    world.synced().await;
    for name in names() {
        assert_eq!(first_name(&world, &name), format!("{name} the second"));
    }
    assert_eq!(waiting(&world).await, vec![]);
    assert_eq!(batches_since(&world, mark), sent, "nothing was sent again");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opt_outs_go_through_while_a_batch_gets_nowhere() {
    let world = world().await;
    let mark = world.mark();
    world.synced().await;
    let (before, sent) = (waiting(&world).await, batches_since(&world, mark));
    let (in_batch, other) = (before[0].2.clone(), before[1].2.clone());
    world.act(Act::Unsubscribe { email: address("dora") });
    world.act(Act::OptOut { email: address("eve"), subscription: None });
    world.act(Act::OptOut { email: address(&in_batch), subscription: None });
    world.clock.jump(Duration::from_secs(60));
    let app = world.open();
    let run = Arc::clone(&app);
    let running = tokio::spawn(async move {
        run.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await
    });
    // They do not wait for the run that waits for the batch.
    for _ in 0..600 {
        let arrived = world.person("dora").ends_with("opted out")
            && ["eve", &in_batch].iter().all(|name| world.person(name).starts_with("unsubscribed"));
        if arrived {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(world.person("dora").ends_with("opted out"), "{}", world.person("dora"));
    for name in ["eve", &in_batch] {
        assert!(world.person(name).starts_with("unsubscribed"), "{name}: {}", world.person(name));
    }
    assert!(!running.is_finished(), "the run is still there");
    let report = ran(running.await.unwrap().unwrap());
    app.close().await;
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert_eq!(waiting(&world).await, before[1..], "whoever opted out waits for no batch");
    world.clock.jump(A_DAY);
    world.synced().await;
    assert!(world.person(&in_batch).starts_with("unsubscribed"), "{}", world.person(&in_batch));
    assert_eq!(first_name(&world, &other), format!("{other} the second"));
    assert_eq!(batches_since(&world, mark), sent);
    world.assert_settled().await;
}

/// Mailchimp archives them in the end, and an archive hides that they had unsubscribed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opts_out_while_a_batch_archives_them_is_told_of_in_hubspot_all_the_same() {
    let world = handovers().await;
    world.sandbox().settings.batch_delay = A_DAY;
    let app = world.open();
    let report =
        ran(app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap());
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    // The process stays, as a daemon does between two runs.
    let journal = &app.workspace.shared.journal;
    let open = journal.open_moves(None, 1).unwrap()[0];
    assert!(fold(&journal.events(open).unwrap()).unwrap().waits_for_batch());
    let id = journal.person_of_move(open).unwrap().unwrap();
    let who = || journal.person(id).unwrap().unwrap();
    let email = who().email.unwrap().as_str().to_owned();
    world.act(Act::Unsubscribe { email: email.clone() });
    for _ in 0..600 {
        if who().opt_out.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.close().await;
    world.clock.jump(A_DAY);
    world.synced().await;
    let name = email.trim_end_matches("@example.com");
    assert_eq!(world.person(name), "archived []; lists [762, 946], opted out");
    world.assert_settled().await;
}

/// Between the death of one process and the begin of the next nobody looks, and the archive hides an unsubscribe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_batch_archives_while_no_hsmc_runs_is_not_subscribed_again_before_an_operator_has_settled_it()
{
    let mut world = World::new(|builder| {
        for name in names() {
            people::enrolled(builder, &name, GENERAL);
        }
    })
    .await;
    world.config = world.config.replace("[sync]", "batch_above = 1\n\n[sync]");
    world.synced().await;
    for name in names() {
        world.act(Act::LeaveList { contact: address(&name), list: GENERAL });
    }
    world.sandbox().settings.batch_delay = A_DAY;
    world.synced().await;
    let waits = waiting(&world).await;
    let (out, settled) = (waits[0].2.clone(), waits[1].2.clone());
    world.act(Act::Unsubscribe { email: address(&out) });
    world.clock.jump(A_DAY);
    world.synced().await;
    for name in [&out, &settled] {
        assert!(world.person(name).starts_with("archived"), "{name}: {}", world.person(name));
        world.act(Act::JoinList { contact: address(name), list: GENERAL });
    }
    let report = world.synced().await;
    assert_eq!(report.run.counts.people.get("archived-by-others"), Some(&2), "{:?}", report.run.counts);
    for name in [&out, &settled] {
        assert!(world.person(name).starts_with("archived"), "{name}: {}", world.person(name));
    }
    let app = world.open();
    let why = app.why(&address(&settled)).await.unwrap();
    let held = why.memory.iter().find(|line| line.what.starts_with("archived by hsmc")).unwrap();
    assert!(held.what.ends_with("while nobody could see whether they unsubscribed"), "{}", held.what);
    assert!(held.released_by.contains("hsmc adopt"), "{}", held.released_by);
    app.adopt(AdoptRequest::People(vec![address(&settled)])).await.unwrap();
    app.close().await;
    world.synced().await;
    assert!(world.person(&settled).starts_with("subscribed"), "{}", world.person(&settled));
    assert!(world.person(&out).starts_with("archived"), "{}", world.person(&out));
}

/// What an earlier process left with Mailchimp is looked at before anything else: a moment later the archive hides it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_had_opted_out_before_a_restart_is_told_of_although_the_batch_archives_them_right_after() {
    let world = handovers().await;
    // Within the hour: a call of an earlier process counts as sent when this one began.
    world.sandbox().settings.batch_delay = HALF_AN_HOUR;
    world.synced().await;
    let app = world.open();
    let journal = &app.workspace.shared.journal;
    let open = journal.open_moves(None, 1).unwrap()[0];
    let is_ticket = |event: &MoveEvent| match event {
        MoveEvent::Outcome { outcome: StepOutcome::Ticket(_), at, .. } => Some(*at),
        _ => None,
    };
    let submitted = journal.events(open).unwrap().iter().find_map(is_ticket).unwrap();
    let id = journal.person_of_move(open).unwrap().unwrap();
    let email = journal.person(id).unwrap().unwrap().email.unwrap().as_str().to_owned();
    app.close().await;
    world.act(Act::Unsubscribe { email: email.clone() });
    let until_due = submitted.plus(HALF_AN_HOUR).since(world.clock.now());
    world.clock.jump(until_due.saturating_sub(Duration::from_secs(10)));
    world.synced().await;
    let name = email.trim_end_matches("@example.com");
    assert_eq!(world.person(name), "archived []; lists [762, 946], opted out");
    world.assert_settled().await;
}

/// Whom somebody else unsubscribed and archived before the batch came to them: what that hid, nobody knows (R6).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_others_archived_before_a_batch_came_to_them_is_not_remembered_as_archived_by_hsmc() {
    let world = handovers().await;
    world.sandbox().settings.batch_delay = A_DAY;
    world.synced().await;
    let in_batch: Vec<String> = waiting(&world).await.into_iter().map(|(_, _, name)| name).collect();
    assert!(in_batch.len() > 2, "{in_batch:?}");
    let theirs = address(&in_batch[0]);
    world.act(Act::Unsubscribe { email: theirs.clone() });
    world.act(Act::Archive { email: theirs.clone() });
    world.clock.jump(A_DAY);
    world.synced().await;
    assert_eq!(waiting(&world).await, vec![]);
    let app = world.open();
    for name in &in_batch {
        let journal = &app.workspace.shared.journal;
        let email = Email::parse(&address(name)).unwrap();
        let person = journal.person_by_hash(email.hash()).unwrap().unwrap();
        let person = journal.person(person).unwrap().unwrap();
        assert_eq!(person.archived.is_some(), address(name) != theirs, "{name}: {:?}", person.archived);
    }
    app.close().await;
}

/// Nobody knows its id, or whether it was taken: it archives two minutes later whoever has opted out by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_was_lost_is_looked_for_and_who_opts_out_meanwhile_is_told_of_in_hubspot() {
    let world = handovers().await;
    let lost = FaultKind::LostThenDoneLater(Duration::from_secs(100));
    let submission = Matches { times: Some(1), ..Matches::call(Service::Mailchimp, "POST", "/batches") };
    world.sandbox().add_fault(Fault { matches: submission, kind: lost });
    let mark = world.mark();
    let app = world.open();
    let run = Arc::clone(&app);
    let running = tokio::spawn(async move {
        run.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await
    });
    let journal = &app.workspace.shared.journal;
    let carried = |id: &MoveId| fold(&journal.events(*id).unwrap()).unwrap().waits_for_batch();
    let open = loop {
        assert!(!running.is_finished(), "no batch was lost");
        if let Some(open) = journal.open_moves(None, 100).unwrap().into_iter().find(|id| carried(id)) {
            break open;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let id = journal.person_of_move(open).unwrap().unwrap();
    let who = || journal.person(id).unwrap().unwrap();
    let email = who().email.unwrap().as_str().to_owned();
    world.act(Act::Unsubscribe { email: email.clone() });
    let report = ran(running.await.unwrap().unwrap());
    assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
    assert!(who().opt_out.is_some(), "seen before the batch hid it");
    app.close().await;
    assert_eq!(batches_since(&world, mark), 1, "the lost one is the only one");
    assert_eq!(world.count_since(mark, |what| matches!(what, What::Archived { .. })), REFRESHED);
    world.synced().await;
    let name = email.trim_end_matches("@example.com");
    assert_eq!(world.person(name), "archived []; lists [762, 946], opted out");
    world.assert_settled().await;
}
