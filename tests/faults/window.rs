//! R10a end to end: mail is started in a window of the day only. The simulation begins at 14:00 UTC.

use crate::support::World;
use crate::support::people::{self, GENERAL, address};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::requests::Subject;
use hsmc::serve::views::{MovePhase, RunState, StatusAnswer};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn journey(what: &What) -> bool {
    matches!(what, What::JourneyStarted { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10a_nobody_is_enrolled_before_the_window_opens_and_everything_else_goes_on() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
        people::finished(builder, "cleo");
    })
    .await;
    world.set("HSMC_SYNC__ENROLL_BETWEEN", "16:00-18:00 UTC");
    let report = world.synced().await;
    assert_eq!(world.person("ada"), "no member; lists [987]");
    assert_eq!(world.person("cleo"), "archived []; lists [946]");
    assert_eq!(report.run.counts.left_out.get("enroll_between"), Some(&1));
    assert_eq!(report.run.counts.people.get("left-out"), Some(&1));
    let report = world.synced().await;
    assert_eq!(report.run.counts.left_out.get("enroll_between"), Some(&1));
    assert!(report.run.report.makes_progress(), "a window opens by itself: {:?}", report.run.report.repeated);
    world.clock.jump(2 * HOUR);
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

/// The member is there and the tag is not when the window closes: nothing is undone, and the tag waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10a_an_enrolment_cut_short_by_the_end_of_the_window_goes_on_when_it_opens_again() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::member(builder, "ada");
        builder.field(&address("ada"), "FNAME", "Old");
    })
    .await;
    world.patience = Duration::from_secs(30);
    world.set("HSMC_SYNC__ENROLL_BETWEEN", "14:00-15:00 UTC");
    world.fail(Service::Mailchimp, "POST", "/tags", FaultKind::Status { code: 503, body: None });
    world.fail(Service::Mailchimp, "POST", "/segments", FaultKind::Status { code: 503, body: None });
    let report = world.sync().await;
    assert!(matches!(report.run.state, RunState::Failed), "{}", report.run.phase);
    world.mend();
    world.clock.jump(2 * HOUR);
    let mark = world.mark();
    let report = world.synced().await;
    assert_eq!(world.person("ada"), "subscribed []; lists [987]");
    assert_eq!(world.count_since(mark, journey), 0);
    let notes: Vec<&String> = report.run.counts.notes.keys().collect();
    assert!(notes.iter().any(|note| note.contains("enroll_between")), "{notes:?}");
    let app = world.open();
    let StatusAnswer::Overview(view) = app.status(Subject::All).await.unwrap() else { panic!("no overview") };
    app.close().await;
    assert_eq!(view.moves[0].phase, MovePhase::Paused);
    assert!(view.moves[0].next_try.is_some());
    // An opt-out does not wait for it.
    world.clock.jump(22 * HOUR);
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.count_since(mark, journey), 1);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10a_no_window_holds_an_opt_out() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__ENROLL_BETWEEN", "02:00-03:00 UTC");
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.synced().await;
    assert_eq!(world.person("ada"), "unsubscribed [General Single]; lists [762, 987], opted out");
}
