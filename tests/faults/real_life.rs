//! What went wrong in real life, in the runs of scripts that hsmc takes the place of: each of it is shown here
//! not to happen.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::domain::failure::Service;
use hsmc::domain::report::RepeatedKind;
use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::requests::PlanRequest;
use hsmc::serve::views::RunState;

/// 98.7 % of all planned operations changed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_planned_or_called_that_would_change_nothing() {
    let world = World::new(|builder| {
        for number in 0..200 {
            people::enrolled(builder, &format!("p{number}"), GENERAL);
        }
    })
    .await;
    world.synced().await;
    for number in 0..3 {
        let contact = address(&format!("p{number}"));
        world.act(Act::SetProperty { contact, property: "lastname".to_owned(), value: "Baker".to_owned() });
    }
    // HubSpot's search takes a moment to know.
    world.clock.jump(std::time::Duration::from_secs(60));
    let (mark, mutating) = (world.mark(), world.mutating_calls());
    let report = world.synced().await;
    assert_eq!(report.run.counts.planned.values().sum::<u64>(), 3);
    let set = |what: &What| matches!(what, What::FieldSet { field, .. } if field == "LNAME");
    assert_eq!(world.count_since(mark, set), 3);
    assert_eq!(world.changes_since(mark).len(), 3, "each planned operation changed something");
    assert_eq!(world.mutating_calls() - mutating, 3);
    world.assert_settled().await;
}

/// The same 4 operations failed in every run, tried 5 times each, and every run was green.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_good_is_tried_once_told_with_its_first_date_and_never_green() {
    let world = World::new(|builder| {
        for number in 0..4 {
            let id = people::enrolled(builder, &format!("p{number}"), GENERAL);
            builder.join(DEALS, id);
        }
    })
    .await;
    let refusal =
        r#"{"title":"Method Not Allowed","status":405,"detail":"This list member cannot be removed."}"#;
    let refused = FaultKind::Status { code: 405, body: Some(refusal.to_owned()) };
    world.fail(Service::Mailchimp, "DELETE", "/members/", refused);
    let tries = |world: &World| {
        let sandbox = world.sandbox();
        let all = sandbox.calls.all();
        all.iter().filter(|(kind, _)| kind.method == "DELETE").map(|(_, count)| *count).sum::<u64>()
    };
    let first = world.sync().await;
    assert_eq!(first.run.state, RunState::Stuck, "{}", first.run.phase);
    assert_eq!(first.stuck.len(), 4);
    let after_first = tries(&world);
    assert!(after_first <= 4, "{after_first} tries of four operations");
    for times in 2..=3 {
        world.clock.jump(std::time::Duration::from_secs(8 * 3600));
        let report = world.sync().await;
        assert_eq!(report.run.state, RunState::Stuck);
        assert!(!report.run.report.makes_progress());
        let named = &report.run.report.repeated[0];
        assert_eq!((named.kind, named.people, named.times), (RepeatedKind::Open, 4, times), "{named:?}");
        assert!(named.since <= first.run.ended.unwrap() && named.what.contains("exclude"), "{named:?}");
        assert!(tries(&world) <= after_first + u64::from(times - 1) * 4, "once a run each");
    }
}

/// 129 people with an exit tag were skipped as "not found" in every run, and nobody saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_with_an_exit_tag_whom_hubspot_does_not_know_stand_in_every_report_and_cost_no_calls() {
    const PEOPLE: u64 = 129;
    let world = World::new(|builder| {
        for number in 0..PEOPLE {
            let name = format!("p{number}");
            people::member(builder, &name);
            builder.tag(&address(&name), "General Single Finished");
        }
    })
    .await;
    let first = world.synced().await;
    assert_eq!(first.run.counts.people.get("parked"), Some(&PEOPLE));
    for _ in 0..2 {
        world.sandbox().calls.clear();
        world.clock.jump(std::time::Duration::from_secs(8 * 3600));
        let report = world.synced().await;
        let parked = &report.run.report.parked[0];
        assert_eq!((parked.reason.as_str(), parked.people), ("not-found", PEOPLE));
        assert!(parked.since <= first.run.ended.unwrap(), "{parked:?}");
        let sandbox = world.sandbox();
        let lookups = sandbox.calls.all().keys().filter(|kind| kind.template.contains("batch/read")).count();
        assert_eq!(lookups, 0, "they are not looked up again: {:?}", sandbox.calls.all());
    }
}

/// A bounce flag was written to a read-only property: 28 people, 5 tries each, every run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_property_is_found_out_before_the_first_write_and_told_once_a_run() {
    let mut world = World::new(|builder| {
        for number in 0..28 {
            let name = format!("p{number}");
            people::enrolled(builder, &name, GENERAL);
            builder.member(&address(&name), Status::Cleaned);
        }
    })
    .await;
    world.config = world.config.replace("\"mailchimp_bounced\"", "\"hs_email_optout\"");
    let mark = world.mark();
    for _ in 0..2 {
        let report = world.sync().await;
        assert_eq!(report.run.state, RunState::Done, "{}", report.run.phase);
        let told = report.run.counts.notes.keys().filter(|note| note.contains("read-only"));
        assert!((1..=2).contains(&told.count()), "a line, not one for each: {:?}", report.run.counts.notes);
    }
    // The sandbox calls a write to a read-only property a violation, and there was none (`assert_careful`).
    assert_eq!(world.count_since(mark, |what| matches!(what, What::PropertySet { .. })), 0);
}

/// A tag was set on someone whose upsert had just failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tag_is_set_on_somebody_whose_upsert_failed() {
    let world = World::new(|builder| {
        people::listed(builder, "fine", GENERAL);
        people::listed(builder, "broken", GENERAL);
    })
    .await;
    let refusal = r#"{"title":"Invalid Resource","status":400,"detail":"looks fake or invalid, please enter a real email address."}"#;
    let refused = FaultKind::Status { code: 400, body: Some(refusal.to_owned()) };
    let hash = hsmc::domain::email::Email::parse(&address("broken")).unwrap().hash().hex();
    let mark = world.mark();
    for matches in [
        Matches::call(Service::Mailchimp, "PUT", &hash),
        Matches::call(Service::Mailchimp, "POST", "/lists/aud0000001"),
    ] {
        world.fault(matches, refused.clone());
    }
    let report = world.sync().await;
    assert!(report.run.counts.parked.contains_key("fake-address"), "{:?}", report.run.counts);
    let tagged = |what: &What| matches!(what, What::TagSet { email, .. } if *email == address("broken"));
    assert_eq!(world.count_since(mark, tagged), 0);
    assert_eq!(world.person("broken"), "no member; lists [987]");
}

/// Plans and logs with addresses lay about. What the journal keeps people in is the one place for these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_written_beside_the_journal_names_anybody() {
    let mut world = World::new(|builder| {
        for number in 0..20 {
            people::listed(builder, &format!("secretperson{number}"), GENERAL);
        }
    })
    .await;
    world.set("HSMC_SYNC__APPLY", "ask");
    let plan = world.file("plan.jsonl");
    world.plan(PlanRequest { out: Some(plan.clone()), ..PlanRequest::default() }).await;
    let waiting = world.try_sync(hsmc::serve::requests::SyncRequest::default()).await.unwrap();
    assert_eq!(waiting.run.state, RunState::NeedsApproval);
    let app = world.open();
    hsmc::app::daemon::write_summary(&app).await;
    app.close().await;
    let mut written = vec![plan];
    let mut folders = vec![world.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The journal, and what scans saw: told of in docs/journal-format.md as holding addresses.
            match name.as_str() {
                "log" | "snapshot" | "index" | "snapshots" => {}
                _ if path.is_dir() => folders.push(path),
                _ => written.push(path),
            }
        }
    }
    assert!(written.len() >= 4, "{written:?}");
    let hash = hsmc::domain::email::Email::parse(&address("secretperson3")).unwrap().hash().hex();
    for path in written {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("secretperson") && !text.contains(&hash), "{}", path.display());
    }
}

/// One run archived 2,810 people, and another restored 2,068, past a cap that guarded orphans only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_of_archiving_or_restoring_goes_past_the_caps() {
    let mut world = World::new(|builder| {
        for number in 0..12 {
            people::finished(builder, &format!("done{number}"));
            let excluded = people::enrolled(builder, &format!("excluded{number}"), GENERAL);
            builder.join(DEALS, excluded);
            let orphan = format!("orphan{number}");
            people::contact(builder, &orphan);
            people::member(builder, &orphan);
            builder.tag(&address(&orphan), "General Single");
        }
    })
    .await;
    world.set("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "10");
    let is_archived = |what: &What| matches!(what, What::Archived { .. });
    for _ in 0..3 {
        let mark = world.mark();
        let report = world.sync().await;
        assert_eq!(world.count_since(mark, is_archived), 10, "{:?}", report.run.counts);
        assert!(report.run.counts.left_out.contains_key("max_archives_per_run"));
    }
    world.sync().await;
    // All 36 are archived by hsmc; now they come back, and there is room for five.
    for number in 0..12 {
        let orphan = address(&format!("orphan{number}"));
        world.act(Act::JoinList { contact: orphan, list: COMPETITION });
    }
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "5");
    let mark = world.mark();
    let report = world.sync().await;
    let restored = |what: &What| matches!(what, What::StatusChanged { to: "subscribed", .. });
    assert_eq!(world.count_since(mark, restored), 5, "{:?}", report.run.counts);
    assert_eq!(report.run.counts.left_out.get("audience_cap"), Some(&7));
    // And a gate asks before that many are touched at once.
    world.set("HSMC_MAILCHIMP__AUDIENCE_CAP", "none");
    world.set("HSMC_SYNC__MAX_CHANGED_SHARE", "0.25");
    let asked = world.try_sync(hsmc::serve::requests::SyncRequest::default()).await.unwrap();
    assert_eq!(asked.run.state, RunState::NeedsApproval, "{}", asked.run.phase);
}
