//! What an operator asks: why is this person as they are, who is left alone, and let them be judged afresh.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, FINISHED, GENERAL, LONG_TERM, NEW_AGENTS, address};
use hsmc::domain::failure::Service;
use hsmc::domain::id::{ListId, RunId};
use hsmc::domain::port::Clock;
use hsmc::sandbox::{Act, FaultKind};
use hsmc::serve::parked::{ParkedView, ReleaseRequest};
use hsmc::serve::requests::Trouble;
use hsmc::serve::snapshots::{SnapshotPart, SnapshotsAnswer, SnapshotsRequest};
use hsmc::serve::undo::{UndoOf, UndoRequest};
use hsmc::serve::views::Acknowledgement;
use hsmc::serve::why::{HeldView, WhyView};
use std::time::Duration;

async fn why(world: &World, name: &str) -> WhyView {
    let app = world.open();
    let view = app.why(&address(name)).await;
    app.close().await;
    view.unwrap()
}

async fn parked(world: &World) -> ParkedView {
    let app = world.open();
    let view = app.parked();
    app.close().await;
    view.unwrap()
}

async fn release(world: &World, request: ReleaseRequest) -> Acknowledgement {
    let app = world.open();
    let told = app.release(request).await;
    app.close().await;
    told.unwrap()
}

fn people_named(names: &[&str]) -> ReleaseRequest {
    ReleaseRequest::People(names.iter().map(|name| address(name)).collect())
}

fn by<'a>(held: &'a [HeldView], what: &str) -> &'a str {
    held.iter().find(|one| one.what.starts_with(what)).map_or("not held", |one| one.by.as_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_tells_by_which_rule_move_or_scan_each_thing_holds() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::SetTag { email: address("ada"), tag: "Guest".to_owned() });
    world.act(Act::JoinList { contact: address("bram"), list: COMPETITION });
    world.clock.jump(Duration::from_secs(3600));
    world.synced().await;

    let ada = why(&world, "ada").await;
    assert_eq!(by(&ada.tags, "General Single"), "R4 enroll, move 1.1");
    assert_eq!(by(&ada.tags, "Guest"), "somebody else; seen first in run 2's scan");
    assert_eq!(ada.member.as_ref().map(|member| member.by.as_str()), Some("R4 enroll, move 1.1"));
    assert_eq!(ada.state.word, "enrolled");
    assert!(ada.next.what.starts_with("nothing: enrolled"), "{}", ada.next.what);
    let bram = why(&world, "bram").await;
    assert_eq!(by(&bram.tags, "General Single"), "before hsmc looked (run 1's scan has it)");
    assert_eq!(by(&bram.lists, "720"), "somebody else; seen first in run 2's scan");
    assert!(bram.lists.iter().all(|list| list.since.is_some()), "{:?}", bram.lists);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_does_not_take_a_tag_for_ours_that_somebody_took_off_and_set_again() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.set("HSMC_SYNC__APPLY", "never");
    for act in [
        Act::ClearTag { email: address("ada"), tag: "General Single".to_owned() },
        Act::SetTag { email: address("ada"), tag: "General Single".to_owned() },
    ] {
        world.act(act);
        world.clock.jump(Duration::from_secs(3600));
        world.sync().await;
    }
    let ada = why(&world, "ada").await;
    assert_eq!(by(&ada.tags, "General Single"), "somebody else; seen first in run 3's scan");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_says_what_the_next_run_would_do_and_what_it_waits_for() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.set("HSMC_SYNC__APPLY", "never");
    world.act(Act::JoinList { contact: address("bram"), list: DEALS });
    world.sync().await;
    let ada = why(&world, "ada").await;
    assert_eq!(ada.next.what, "enroll: R4 new in source list 987; then enrolled");
    assert_eq!(ada.next.steps.last().map(String::as_str), Some("set tag \"General Single\""));
    assert_eq!(ada.next.waits_for, ["apply = \"never\" in the config: nothing is applied"]);
    let bram = why(&world, "bram").await;
    assert_eq!(bram.next.what, "exclude: R12 in exclusion list 717; then excluded");
    let mark = world.mark();
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_shows_past_states_moves_refusals_and_evidence_oldest_first() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.clock.jump(Duration::from_secs(3600));
    world.act(Act::Unsubscribe { email: address("ada") });
    world.synced().await;
    let ada = why(&world, "ada").await;
    assert_eq!(ada.state.word, "opted-out");
    let told: Vec<&str> = ada.timeline.iter().map(|event| event.what.as_str()).collect();
    assert!(told[0].starts_with("enrolled until"), "{told:?}");
    assert!(told.contains(&"opt-out-hubspot 2.1: done"), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("evidence: unsubscribed in Mailchimp")), "{told:?}");
    assert!(ada.timeline.is_sorted_by_key(|event| event.at));
    assert_eq!(ada.memory[0].released_by, "nothing: hsmc never takes an opt-out back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r16_a_handed_over_person_is_enrolled_again_only_once_released() {
    let world = World::new(|builder| {
        let ada = people::finished(builder, "ada");
        builder.join(NEW_AGENTS, ada);
        people::finished(builder, "bram");
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [945, 946]");
    // Out of the destination, which alone would keep them out.
    world.act(Act::LeaveList { contact: address("ada"), list: FINISHED });
    world.assert_settled().await;
    let ada = why(&world, "ada").await;
    assert!(
        ada.memory.iter().any(|line| line.what.ends_with("closed to them: list 945")),
        "{:?}",
        ada.memory
    );

    let told = release(&world, people_named(&["ada", "nobody"])).await;
    assert_eq!(told.message, "1 person is released: the next run judges them afresh");
    assert_eq!(told.left_out, ["nobody@example.com: nobody with this address has been seen"]);
    let ada = why(&world, "ada").await;
    assert!(ada.next.what.starts_with("restore: R6"), "{}", ada.next.what);
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [New Agents]; lists [945]");
    let told: Vec<String> =
        why(&world, "ada").await.timeline.into_iter().flat_map(|event| event.details).collect();
    let release = "released by an operator: was handed over by exit tag \"General Single Finished\"";
    assert!(told.iter().any(|line| line.contains(release)), "{told:?}");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_whom_hubspot_did_not_have_is_judged_afresh_once_released() {
    let world = World::new(|builder| {
        for name in ["ada", "bram"] {
            people::member(builder, name);
            builder.tag(&address(name), "General Single").tag(&address(name), "General Single Finished");
        }
    })
    .await;
    world.synced().await;
    let view = parked(&world).await;
    assert_eq!((view.total, view.groups.len()), (2, 1));
    assert_eq!((view.groups[0].reason.as_str(), view.groups[0].count), ("not-found", 2));
    assert_eq!(view.people[0].why, "HubSpot: HubSpot has no contact with the address of this member");

    let told = release(&world, ReleaseRequest::Reason("not-found".to_owned())).await;
    assert_eq!(told.message, "2 people are released: the next run judges them afresh");
    world.clock.jump(Duration::from_secs(3600));
    let before = world.clock.now();
    world.synced().await;
    // HubSpot still has nobody: parked again, and the release is told of all the same.
    let view = parked(&world).await;
    assert_eq!(view.total, 2);
    assert!(view.people.iter().all(|one| one.since >= before), "judged afresh: {:?}", view.people);
    let lines: Vec<String> =
        why(&world, "ada").await.timeline.into_iter().flat_map(|event| event.details).collect();
    assert!(lines.iter().any(|line| line.contains("released by an operator: was parked as not-found")));
}

async fn snapshots(world: &World, request: SnapshotsRequest) -> Result<SnapshotsAnswer, Trouble> {
    let app = world.open();
    let answer = app.snapshots(request).await;
    app.close().await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_kept_scans_tell_what_they_saw_and_what_changed_between_two() {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo"] {
            people::enrolled(builder, name, GENERAL);
        }
        people::listed(builder, "dev", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::SetTag { email: address("ada"), tag: "Guest".to_owned() });
    world.act(Act::JoinList { contact: address("bram"), list: COMPETITION });
    world.act(Act::Unsubscribe { email: address("cleo") });
    world.synced().await;
    let SnapshotsAnswer::List(kept) = snapshots(&world, SnapshotsRequest::List).await.unwrap() else {
        panic!()
    };
    // Cleo's opt-out was run 2.
    assert_eq!(kept.iter().map(|one| one.run.0).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(kept.iter().map(|one| one.full).collect::<Vec<_>>(), [false, true]);
    let (from, to) = (RunId(1), RunId(3));
    let SnapshotsAnswer::Diff(diff) = snapshots(&world, SnapshotsRequest::Diff { from, to }).await.unwrap()
    else {
        panic!()
    };
    let told: Vec<(&str, u64)> = diff.changes.iter().map(|(what, count)| (what.as_str(), *count)).collect();
    assert_eq!(
        told,
        [
            ("gained tag \"General Single\"", 1),
            ("gained tag \"Guest\"", 1),
            ("joined list 720 \"Competition entrants\"", 1),
            ("no member → subscribed", 1),
            ("subscribed → unsubscribed", 1),
        ]
    );
    assert_eq!(diff.total, 4);
    assert!(
        diff.people.iter().any(|one| one.person == address("ada") && one.changes == ["gained tag \"Guest\""])
    );

    let show = |run, part| snapshots(&world, SnapshotsRequest::Show { run: RunId(run), part });
    for (part, count) in [
        (SnapshotPart::List(ListId(GENERAL)), 4),
        (SnapshotPart::Tag("guest".to_owned()), 1),
        (SnapshotPart::Person(address("bram")), 1),
        (SnapshotPart::All, 0),
    ] {
        let SnapshotsAnswer::Shown(view) = show(3, part.clone()).await.unwrap() else { panic!() };
        assert_eq!((view.total, view.people.len() as u64), (count, count), "{part:?}");
    }
    let trouble = show(7, SnapshotPart::All).await.unwrap_err();
    assert_eq!(trouble.message, "run 7 has left no scan, or it is no longer kept");
    let trouble = show(3, SnapshotPart::List(ListId(5))).await.unwrap_err();
    assert_eq!((trouble.exit, trouble.message.as_str()), (2, "that scan has not read list 5"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_never_loosens_consent() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", LONG_TERM);
    })
    .await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.synced().await;
    let told = release(&world, people_named(&["ada", "bram"])).await;
    assert_eq!(told.message, "nobody is released");
    assert_eq!(
        told.left_out,
        ["ada@example.com: opted out, and stays so", "bram@example.com: nothing holds them back"]
    );
    world.assert_settled().await;
    assert_eq!(world.person("ada"), "unsubscribed [General Single]; lists [762, 987], opted out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_release_takes_one_reason_or_all_and_says_when_nobody_is() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let body = r#"{"new_members":[],"updated_members":[],"errors":[{"email_address":"ada@example.com","error":"ada@example.com looks fake or invalid, please enter a real email address.","error_code":"ERROR_GENERIC"}],"total_created":0,"total_updated":0,"error_count":1}"#;
    let fake = FaultKind::Status { code: 200, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "POST", "/lists/aud0000001", fake);
    world.sync().await;
    assert_eq!(parked(&world).await.groups[0].reason, "fake-address");
    world.mend();
    world.assert_settled().await;

    let app = world.open();
    let trouble = app.release(ReleaseRequest::Reason("compliance".to_owned())).await.unwrap_err();
    app.close().await;
    assert_eq!((trouble.exit, trouble.way_out.as_str()), (2, "`hsmc parked` lists the reasons"));
    release(&world, ReleaseRequest::All).await;
    assert_eq!(parked(&world).await.total, 1, "parked until the next run has judged them");
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(parked(&world).await.total, 0);
}

/// Opt-outs are a run of their own, and take the number that the scan was begun under.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_what_a_scan_saw_goes_by_the_number_of_its_own_run_with_opt_outs_before_it_too() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world.act(Act::Unsubscribe { email: address("ada") });
    let report = world.synced().await;
    let folders: Vec<String> = std::fs::read_dir(world.state().join("snapshots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(report.run.id.0, 2, "the opt-outs were run 1");
    assert_eq!(folders.iter().map(|name| name.parse::<u64>().unwrap()).collect::<Vec<_>>(), [2]);
    world.assert_settled().await;
}

/// Somebody merged away keeps their member as a second one: what `why` says comes next is what the next run does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_says_of_a_second_member_what_the_next_run_does_which_is_nothing() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::Merge { primary: address("ada"), other: address("bram") });
    world.synced().await;
    world.assert_settled().await;
    let next = why(&world, "bram").await.next;
    assert_eq!(next.steps, Vec::<String>::new(), "{}", next.what);
    assert!(next.what.starts_with("nothing: parked"), "{}", next.what);
    world.act(Act::Unsubscribe { email: address("bram") });
    world.synced().await;
    world.synced().await;
    world.assert_settled().await;
    let next = why(&world, "bram").await.next;
    assert_eq!(next.steps, Vec::<String>::new(), "{}", next.what);
}

/// What an operator undid, no service said; and who has opted out since is that, and not parked beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opts_out_after_an_undo_is_not_counted_as_parked_too() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::finished(builder, "bram");
        people::finished(builder, "cleo");
    })
    .await;
    let done = world.synced().await.run.id;
    let app = world.open();
    let undone = app.undo(UndoRequest { of: UndoOf::Run(done), apply: true, agreed: None }).await;
    app.close().await;
    undone.unwrap();
    let why_parked = &parked(&world).await.people[0].why;
    assert!(why_parked.starts_with("an operator undid move "), "{why_parked}");
    let held = why(&world, "bram").await.memory;
    assert!(held.iter().any(|one| one.what.contains(" UTC: undone: an operator undid")), "{held:?}");

    world.act(Act::Unsubscribe { email: address("bram") });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    let report = world.synced().await;
    assert_eq!(report.run.counts.people["opted-out"], 1);
    assert_eq!(report.run.counts.people["parked"], 1);
    let told: Vec<_> = report.run.report.parked.iter().map(|one| (one.reason.as_str(), one.people)).collect();
    assert_eq!(told, [("undone", 1)]);
    assert_eq!(parked(&world).await.total, 1);
    let told = release(&world, ReleaseRequest::Reason("undone".to_owned())).await;
    assert_eq!(told.message, "1 person is released: the next run judges them afresh");
    assert_eq!(told.left_out, Vec::<String>::new());
    let told = release(&world, people_named(&["bram"])).await;
    assert_eq!(told.message, "nobody is released");
    assert_eq!(told.left_out, ["bram@example.com: opted out, and stays so"]);
}
