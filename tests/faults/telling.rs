//! People are told (R30): once, in order, of what is so and of its end, whatever becomes of the target.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use crate::support::receiver::{Receiver, Reply};
use hsmc::app::{App, deliver, watch};
use hsmc::domain::failure::Service;
use hsmc::domain::id::RunId;
use hsmc::sandbox::{Act, FaultKind, Matches};
use hsmc::serve::requests::{Subject, SyncRequest};
use hsmc::serve::undo::{UndoOf, UndoRequest};
use hsmc::serve::views::{RunState, StatusAnswer, StatusView};
use hsmc::sync::scan::NoProgress;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A world that tells a receiver, under these further keys of `[notify]`.
async fn world(
    receiver: &Receiver,
    more: &str,
    people: impl FnOnce(&mut hsmc::sandbox::scenario::Builder),
) -> World {
    let mut world = World::new(people).await;
    world.config.push_str(&format!("\n[notify]\nwebhook = \"{}\"\n{more}\n", receiver.url));
    world.call_timeout = Duration::from_secs(2);
    world
}

/// One run of a process of its own, which tells what is due before it ends.
async fn run(world: &World) -> Option<RunState> {
    let app = world.open();
    let done = app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await;
    deliver::before_leaving(&app).await;
    app.close().await;
    done.ok().map(|answer| crate::support::ran(answer).run.state)
}

async fn overview(app: &App) -> StatusView {
    match app.status(Subject::All).await.unwrap() {
        StatusAnswer::Overview(view) => *view,
        other => panic!("{other:?}"),
    }
}

fn refuse_archiving(world: &World) {
    let body = r#"{"title":"Bad Request","status":400,"detail":"ada@example.com (Ada Lovelace) cannot be archived."}"#;
    let refused = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "DELETE", "/members", refused);
}

/// Ada is excluded, and Mailchimp refuses to archive her: her move is stuck.
fn ada_is_excluded(builder: &mut hsmc::sandbox::scenario::Builder) {
    let ada = people::enrolled(builder, "ada", GENERAL);
    builder.join(DEALS, ada);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r30_a_stuck_run_is_told_once_and_its_end_once_and_nobody_is_named() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver, "", ada_is_excluded).await;
    refuse_archiving(&world);
    for _ in 0..3 {
        assert_eq!(run(&world).await, Some(RunState::Stuck));
    }
    assert_eq!(receiver.words(), ["raised run-stuck"]);
    world.mend();
    assert_eq!(run(&world).await, Some(RunState::Done));
    assert_eq!(receiver.words(), ["raised run-stuck", "resolved run-stuck"]);
    let first = &receiver.received()[0];
    assert_eq!(first.body["counts"]["exclude"], 1);
    assert_eq!(first.body["text"], "1 move is stuck; first refusal: refused");
    for received in receiver.received() {
        let all = format!("{}{}", received.headers, received.text).to_lowercase();
        for personal in ["ada", "lovelace", "example.com", &hash("ada")] {
            assert!(!all.contains(personal), "{personal}: {all}");
        }
    }
}

fn hash(name: &str) -> String {
    hex::encode(hsmc::domain::email::Email::parse(&address(name)).unwrap().hash().0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r30_a_failed_run_is_told_with_the_line_of_the_config_and_its_end() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver, "", |builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.fail(Service::HubSpot, "GET", "", FaultKind::Status { code: 401, body: None });
    assert_eq!(run(&world).await, None);
    let mut words = receiver.words();
    words.sort();
    assert_eq!(words, ["raised credentials-refused", "raised run-failed"]);
    let failed = receiver.received().into_iter().find(|got| got.body["kind"] == "run-failed").unwrap();
    let text = failed.body["text"].as_str().unwrap();
    assert!(text.contains("hsmc.toml:") && text.contains("hubspot.token"), "{text}");
    world.mend();
    assert_eq!(run(&world).await, Some(RunState::Done));
    let mut words = receiver.words().split_off(2);
    words.sort();
    assert_eq!(words, ["resolved credentials-refused", "resolved run-failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r30_a_refused_person_is_never_an_alert() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver, "from = \"note\"", |builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let body = r#"{"title":"Invalid Resource","status":400,"detail":"ada@example.com looks fake or invalid, please enter a real email address."}"#;
    let fake = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "POST", "/lists/aud0000001", fake);
    run(&world).await;
    assert_eq!(receiver.words(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_plan_that_waits_for_approval_is_told_with_its_counts_the_audience_and_the_command() {
    let receiver = Receiver::start([]).await;
    let mut world = world(&receiver, "", |builder| {
        people::listed(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", COMPETITION);
    })
    .await;
    world.set("HSMC_SYNC__APPLY", "ask");
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "100");
    let app = world.open();
    app.sync(SyncRequest::default(), &NoProgress).await.unwrap();
    deliver::before_leaving(&app).await;
    app.close().await;
    assert_eq!(receiver.words(), ["raised needs-approval"]);
    let body = &receiver.received()[0].body;
    assert_eq!(body["counts"]["enroll"], 1);
    assert_eq!(
        (&body["counts"]["audience-before"], &body["counts"]["audience-after"]),
        (&1.into(), &2.into())
    );
    assert!(body["way_out"].as_str().unwrap().contains("hsmc approve 1"), "{body}");
    assert_eq!(run(&world).await, Some(RunState::Done));
    assert_eq!(receiver.words(), ["raised needs-approval", "resolved needs-approval"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_a_no_ends_the_alert_that_asked() {
    let receiver = Receiver::start([]).await;
    let mut world = world(&receiver, "", |builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__APPLY", "ask");
    let app = world.open();
    app.sync(SyncRequest::default(), &NoProgress).await.unwrap();
    deliver::tell(&app).await;
    let waiting = overview(&app).await.current_run.unwrap().id;
    app.reject(waiting).await.unwrap();
    deliver::tell(&app).await;
    let people = overview(&app).await.people;
    app.close().await;
    assert_eq!(receiver.words(), ["raised needs-approval", "resolved needs-approval"]);
    assert!(!people.contains_key("enrolled"), "nobody is: {people:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_cap_is_told_once_with_the_number_left_out() {
    let receiver = Receiver::start([]).await;
    let mut world = world(&receiver, "", |builder| {
        for name in ["ada", "bram", "carl"] {
            people::listed(builder, name, GENERAL);
        }
    })
    .await;
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "1");
    run(&world).await;
    run(&world).await;
    assert_eq!(receiver.words(), ["raised audience-cap"]);
    assert_eq!(receiver.received()[0].body["counts"]["left-out"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r24_many_opt_outs_at_once_are_told_and_those_that_never_leave() {
    let receiver = Receiver::start([]).await;
    let mut world = world(&receiver, "many_opt_outs = 2", |builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    run(&world).await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::Unsubscribe { email: address("bram") });
    world.clock.jump(Duration::from_secs(2 * 3600));
    world.set("HSMC_SYNC__APPLY", "never");
    run(&world).await;
    let mut words = receiver.words();
    words.sort();
    assert_eq!(words, ["raised many-opt-outs", "raised opt-outs-late"]);
    world.set("HSMC_SYNC__APPLY", "always");
    run(&world).await;
    assert_eq!(receiver.words().last().map(String::as_str), Some("resolved opt-outs-late"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_survives_the_process_that_raised_it_and_one_whose_answer_was_lost_comes_again_under_its_id()
{
    let receiver = Receiver::start([Reply::Lose]).await;
    let world = world(&receiver, "", ada_is_excluded).await;
    refuse_archiving(&world);
    // It dies after the run's last record, before a word was sent.
    world.sync().await;
    assert_eq!(receiver.words(), Vec::<String>::new());
    let app = world.open();
    deliver::tell(&app).await;
    // Once, or on a slow machine, whose clock goes on meanwhile, twice already.
    assert!(receiver.words().iter().all(|word| word == "raised run-stuck"), "{:?}", receiver.words());
    assert!(!receiver.words().is_empty());
    app.close().await;
    world.clock.jump(Duration::from_secs(60));
    let app = world.open();
    deliver::tell(&app).await;
    deliver::tell(&app).await;
    app.close().await;
    let ids: Vec<_> = receiver.received().iter().map(|got| got.body["id"].clone()).collect();
    assert_eq!(ids.len(), 2, "told, and told again because nobody knows: {ids:?}");
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_away_is_tried_again_and_shown_in_status_and_then_gets_everything_in_order() {
    let receiver = Receiver::start([]).await;
    receiver.then(Reply::Status(500));
    let world = world(&receiver, "from = \"note\"\nsummary = true", ada_is_excluded).await;
    refuse_archiving(&world);
    run(&world).await;
    world.clock.jump(Duration::from_secs(600));
    run(&world).await;
    let app = world.open();
    let view = overview(&app).await;
    assert_eq!((view.told[0].waiting, view.told[0].error.as_deref()), (3, Some("answers 500")));
    assert!(view.told[0].next_try.is_some());
    assert!(view.alerts.iter().any(|alert| alert.kind == "run-stuck" && alert.times == 2));
    let tried = receiver.received().len();
    assert!(tried <= 3, "one at a time while it is away: {tried}");
    receiver.then(Reply::Status(202));
    world.clock.jump(Duration::from_secs(3600));
    deliver::tell(&app).await;
    app.close().await;
    let words = receiver.words().split_off(tried);
    assert_eq!(words, ["raised run-stuck", "raised run-summary", "raised run-summary"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_wants_to_be_left_alone_is_and_one_message_it_refuses_lets_the_next_pass() {
    let receiver = Receiver::start([Reply::Status(400), Reply::LeaveAlone(600)]).await;
    let world = world(&receiver, "from = \"note\"\nsummary = true", ada_is_excluded).await;
    refuse_archiving(&world);
    run(&world).await;
    assert_eq!(receiver.words(), ["raised run-stuck", "raised run-summary"]);
    let app = world.open();
    world.clock.jump(Duration::from_secs(300));
    deliver::tell(&app).await;
    assert_eq!(receiver.received().len(), 2, "left alone");
    world.clock.jump(Duration::from_secs(400));
    deliver::tell(&app).await;
    app.close().await;
    assert_eq!(receiver.words().split_off(2), ["raised run-summary", "raised run-stuck"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_never_answers_holds_up_neither_a_run_nor_a_stop() {
    let receiver = Receiver::start([]).await;
    receiver.then(Reply::Hang);
    let mut world = world(&receiver, "", ada_is_excluded).await;
    world.call_timeout = Duration::from_secs(20);
    refuse_archiving(&world);
    let app = world.open();
    let teller = tokio::spawn(deliver::keep_telling(Arc::clone(&app)));
    app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    while receiver.received().is_empty() {
        tokio::task::yield_now().await;
    }
    // A run, while the message hangs.
    app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    let stopping = Instant::now();
    app.close().await;
    teller.await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(3), "{:?}", stopping.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_takes_does_not_pile_up_and_is_given_up_by_name() {
    let receiver = Receiver::start([]).await;
    receiver.then(Reply::Status(404));
    let world = world(&receiver, "from = \"note\"\nsummary = true", ada_is_excluded).await;
    refuse_archiving(&world);
    for _ in 0..25 {
        world.sync().await;
    }
    let app = world.open();
    deliver::tell(&app).await;
    let standing = app.workspace.shared.journal.standing().unwrap();
    assert!(standing.len() <= 21, "{} alerts are kept", standing.len());
    for _ in 0..26 {
        world.clock.jump(Duration::from_secs(3600));
        deliver::tell(&app).await;
    }
    let view = overview(&app).await;
    assert_eq!((view.told[0].waiting, view.told[0].given_up), (0, 1), "{:?}", view.told);
    assert!(view.told[0].error.as_deref().unwrap().contains("404"), "{:?}", view.told);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_does_not_begin_is_told_and_its_end() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver, "", |builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let app = world.open();
    let up_since = hsmc::domain::port::Clock::now(world.clock.as_ref());
    world.clock.jump(Duration::from_secs(15 * 3600));
    watch::look(&app, Some(up_since)).await.unwrap();
    assert!(overview(&app).await.alerts.is_empty());
    world.clock.jump(Duration::from_secs(2 * 3600));
    watch::look(&app, Some(up_since)).await.unwrap();
    watch::look(&app, Some(up_since)).await.unwrap();
    deliver::tell(&app).await;
    app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &NoProgress).await.unwrap();
    watch::look(&app, Some(up_since)).await.unwrap();
    deliver::tell(&app).await;
    app.close().await;
    assert_eq!(receiver.words(), ["raised run-overdue", "resolved run-overdue"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opt_outs_that_a_service_does_not_take_are_told_after_their_time() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver, "from = \"error\"", |builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    run(&world).await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.fail(Service::HubSpot, "POST", "communication-preferences", FaultKind::Reset);
    run(&world).await;
    assert_eq!(receiver.words(), ["raised run-failed"]);
    world.clock.jump(Duration::from_secs(2 * 3600));
    let app = world.open();
    watch::look(&app, None).await.unwrap();
    deliver::tell(&app).await;
    app.close().await;
    assert_eq!(receiver.words().last().map(String::as_str), Some("raised opt-outs-late"));
    world.mend();
    run(&world).await;
    let mut words = receiver.words().split_off(2);
    words.sort();
    assert_eq!(words, ["resolved opt-outs-late", "resolved run-failed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_message_reaches_every_target_and_says_what_each_answered() {
    let (webhook, teams) = (Receiver::start([]).await, Receiver::start([Reply::Status(404)]).await);
    let more = format!("teams = \"{}\"\nwebhook_secret = \"sesame\"", teams.url);
    let world = world(&webhook, &more, |builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let app = world.open();
    let tested = app.notify_test().await.unwrap();
    app.close().await;
    let answers: Vec<_> = tested.iter().map(|view| (view.target.as_str(), view.taken)).collect();
    assert_eq!(answers, [("teams", false), ("webhook", true)]);
    assert!(tested[0].answer.contains("404"), "{tested:?}");
    assert_eq!(webhook.words(), ["test test"]);
    assert!(webhook.received()[0].headers.contains("webhook-signature: v1,"));
    assert_eq!(teams.received()[0].body["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert!(!teams.received()[0].headers.contains("webhook-signature"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r30_an_undo_that_fails_is_told_like_any_run_and_ends_no_alert_of_others() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver, "", |builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    assert_eq!(run(&world).await, Some(RunState::Done));
    world.fault(Matches::changes(Service::Mailchimp), FaultKind::Status { code: 503, body: None });
    let undo = || async {
        let app = world.open();
        let of = UndoOf::Run(RunId(1));
        let done = app.undo(UndoRequest { of, apply: true, agreed: None }).await.unwrap();
        deliver::before_leaving(&app).await;
        app.close().await;
        done.report.map(|report| report.run.state)
    };
    assert_eq!(undo().await, Some(RunState::Failed));
    assert_eq!(receiver.words(), ["raised run-failed"]);
    world.mend();
    // What was begun is taken up and ends; that an undo is done says nothing of whether runs go on.
    undo().await;
    assert_eq!(receiver.words(), ["raised run-failed"]);
    run(&world).await;
    assert_eq!(receiver.words(), ["raised run-failed", "resolved run-failed"]);
}
