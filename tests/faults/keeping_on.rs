//! A daemon while the services limit it or refuse its credentials: it goes on by itself when they let it, tells once,
//! and waits as long as it has to.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use crate::support::receiver::Receiver;
use hsmc::app::reload::Reload;
use hsmc::app::{App, daemon, deliver, watch};
use hsmc::domain::failure::Service;
use hsmc::domain::time::Timestamp;
use hsmc::sandbox::{Act, FaultKind, Matches};
use hsmc::serve::requests::{Scope, Subject};
use hsmc::serve::views::{RunState, StatusAnswer, StatusView};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// 24 November 2026, 00:00 in London, where the portal is: ten hours after everything here begins.
const MIDNIGHT: Timestamp = Timestamp(1_795_442_400_000 + 10 * 60 * 60 * 1_000);
const DAILY: &str = r#"{"status":"error","message":"You have reached your daily limit.","errorType":"RATE_LIMIT","policyName":"DAILY"}"#;

/// Everything a daemon process does.
struct Daemon {
    app: Arc<App>,
    ended: Arc<Mutex<Vec<String>>>,
    running: JoinHandle<()>,
    beside: Vec<JoinHandle<()>>,
}

impl Daemon {
    fn start(world: &World) -> Daemon {
        let app = world.open();
        let ended: Arc<Mutex<Vec<String>>> = Arc::default();
        let beside = vec![
            tokio::spawn(watch::keep_watch(Arc::clone(&app))),
            tokio::spawn(deliver::keep_telling(Arc::clone(&app))),
        ];
        let changed = Reload { asked: tokio::sync::Notify::new(), file: world.file("hsmc.toml") };
        let (runs, told) = (Arc::clone(&app), Arc::clone(&ended));
        let running = tokio::spawn(async move {
            let note = |run: &hsmc::domain::run::Run| told.lock().unwrap().push(run.phase.to_string());
            daemon::run_forever(&runs, None, &changed, note).await.unwrap();
        });
        Daemon { app, ended, running, beside }
    }

    fn ended(&self) -> Vec<String> {
        self.ended.lock().unwrap().clone()
    }

    fn next_run_at(&self) -> Option<Timestamp> {
        *self.app.next_run_at.lock().unwrap()
    }

    /// It has ended a run, and waits for the next.
    async fn waits(&self) -> Timestamp {
        until("it waits", || async { !self.ended().is_empty() && self.next_run_at().is_some() }).await;
        self.next_run_at().unwrap()
    }

    async fn status(&self) -> StatusView {
        match self.app.status(Subject::All).await.unwrap() {
            StatusAnswer::Overview(view) => *view,
            other => panic!("{other:?}"),
        }
    }

    async fn stop(self) {
        self.app.ask_to_stop();
        self.running.await.unwrap();
        self.app.close().await;
        for task in self.beside {
            task.abort();
        }
    }
}

async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..1_500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

/// One who finished, one who is new; whoever is told is the receiver.
async fn world(receiver: &Receiver) -> World {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::listed(builder, "dora", COMPETITION);
        people::enrolled(builder, "eve", GENERAL);
    })
    .await;
    world.config.push_str(&format!("\n[notify]\nwebhook = \"{}\"\n", receiver.url));
    world
}

fn all_done(world: &World) -> bool {
    world.person("ada") == "archived []; lists [946]"
        && world.person("dora") == "subscribed [Competition]; lists [720]"
}

fn changes(service: Service) -> Matches {
    Matches { mutating: true, ..Matches::all(service) }
}

fn count(receiver: &Receiver, word: &str) -> usize {
    receiver.words().iter().filter(|told| *told == word).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_with_and_without_retry_after_only_slow_a_daemon_down() {
    for retry_after in [Some(20), None] {
        let receiver = Receiver::start([]).await;
        let world = world(&receiver).await;
        for service in [Service::HubSpot, Service::Mailchimp] {
            for nth in [1, 2] {
                world.fault(changes(service).nth(nth), FaultKind::Http429 { retry_after });
            }
            world.fault(Matches::all(service).nth(3), FaultKind::Http429 { retry_after });
        }
        let daemon = Daemon::start(&world);
        daemon.waits().await;
        assert_eq!(daemon.ended(), ["done"]);
        assert!(all_done(&world), "{} {}", world.person("ada"), world.person("dora"));
        daemon.stop().await;
        assert_eq!(receiver.words(), Vec::<String>::new(), "nothing that anybody must know");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_given_back_are_found_by_the_daemon_itself_and_told_once() {
    for service in [Service::HubSpot, Service::Mailchimp] {
        let receiver = Receiver::start([]).await;
        let world = world(&receiver).await;
        world.fault(changes(service), FaultKind::Unauthorized);
        let daemon = Daemon::start(&world);
        until("two runs fail", || async { daemon.ended().len() >= 2 }).await;
        assert!(daemon.ended()[0].contains(&service.to_string()), "{service}: {:?}", daemon.ended());
        assert_eq!(count(&receiver, "raised credentials-refused"), 1, "{:?}", receiver.words());
        world.mend();
        until("a run is done", || async { daemon.ended().last().is_some_and(|last| last == "done") }).await;
        assert!(all_done(&world), "{service}: {} {}", world.person("ada"), world.person("dora"));
        until("its end is told", || async { count(&receiver, "resolved credentials-refused") == 1 }).await;
        assert_eq!(count(&receiver, "raised credentials-refused"), 1, "{:?}", receiver.words());
        daemon.stop().await;
        world.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_quota_that_is_used_up_is_waited_for_until_the_portals_midnight() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver).await;
    world.synced().await;
    world.act(Act::SetTag { email: address("eve"), tag: "General Single Finished".to_owned() });
    world.clock.jump(Duration::from_secs(60));
    let used_up = FaultKind::Status { code: 429, body: Some(DAILY.to_owned()) };
    world.fault(changes(Service::HubSpot), used_up.clone());

    // A single run ends at once, with the reason.
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed);
    let why = "daily quota is used up until 2026-11-24 00:00:00 UTC";
    assert!(report.run.phase.contains("HubSpot") && report.run.phase.contains(why), "{}", report.run.phase);
    assert!(report.run.ended.unwrap().since(report.run.started) < Duration::from_secs(60));

    // A daemon waits, and so does the next one: what waits is in the journal, and so is the portal's zone.
    world.fault(Matches::all(Service::HubSpot), used_up);
    for _ in 0..2 {
        let calls = world.sandbox().calls.total();
        let daemon = Daemon::start(&world);
        assert_eq!(daemon.waits().await, MIDNIGHT);
        assert!(world.sandbox().calls.total() - calls <= 3, "it does not ask again and again");
        let view = daemon.status().await;
        let hubspot = view.budgets.iter().find(|budget| budget.service == "HubSpot").unwrap();
        assert_eq!(hubspot.breaker, "daily quota used up, until 2026-11-24 00:00:00 UTC");
        daemon.stop().await;
    }
    world.mend();
    world.clock.jump(MIDNIGHT.since(world.clock.true_now()));
    let daemon = Daemon::start(&world);
    daemon.waits().await;
    assert_eq!(daemon.ended(), ["done"]);
    assert_eq!(world.person("eve"), "archived []; lists [946]");
    daemon.stop().await;
    world.assert_settled().await;
}

/// The next run by the schedule is hours away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pause_held_back_goes_on_once_it_ends() {
    let receiver = Receiver::start([]).await;
    let world = world(&receiver).await;
    let app = world.open();
    app.pause(Scope::All).await.unwrap();
    app.close().await;
    let daemon = Daemon::start(&world);
    daemon.waits().await;
    assert!(!all_done(&world));
    daemon.app.resume(Scope::All).await.unwrap();
    until("they are enrolled and handed over", || async { all_done(&world) }).await;
    daemon.stop().await;
}
