//! Exit tags, in every condition.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, LONG_TERM, NEW_AGENTS, address};
use hsmc::domain::failure::Service;
use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::views::RunState;
use hsmc::sync::scan::Source;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_tag_with_a_destination_moves_the_person_and_archives_them() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    assert_eq!(world.property("ada", "import_list"), "General marketing");
    world.assert_settled().await;
    // Back in a source list while in the destination: not enrolled again.
    world.act(Act::JoinList { contact: address("ada"), list: GENERAL });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946, 987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_tag_without_a_destination_changes_mailchimp_and_leaves_the_list() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", COMPETITION);
        builder.tag(&address("ada"), "Competition Finished");
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists []");
    assert_eq!(world.property("ada", "import_list"), "");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_confirmed_yet_is_handed_over_although_no_listing_of_bearers_shows_them() {
    let world = World::new(|builder| {
        let email = address("ada");
        people::listed(builder, "ada", GENERAL);
        builder
            .member(&email, Status::Pending)
            .field(&email, "FNAME", "ada")
            .field(&email, "LNAME", "Archer");
        builder.tag(&email, "General Single Finished");
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("ada"), "pending []; lists [946]");
    world.assert_settled().await;
}

/// More than are looked at one by one, in a run that takes its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_anybody_dropped_where_many_have_not_confirmed_yet() {
    let names: Vec<String> = (0..25).map(|number| format!("p{number}")).collect();
    let world = World::new(|builder| {
        for name in &names {
            let email = address(name);
            people::listed(builder, name, GENERAL);
            builder.member(&email, Status::Pending).field(&email, "FNAME", name);
            builder.field(&email, "LNAME", "Archer").tag(&email, "General Single Finished");
        }
    })
    .await;
    let report = world.sync_while(Source::Members, |_| ()).await;
    assert_eq!(report.run.counts.ended.get("dropped"), None, "{:?}", report.run.counts.ended);
    for name in &names {
        assert_eq!(world.person(name), "pending []; lists [946]");
    }
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exempt_bearer_is_passed_over() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        builder.tag(&address("ada"), "Manual Inclusion");
    })
    .await;
    let before = world.person("ada");
    world.synced().await;
    assert_eq!(world.person("ada"), before);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_member_whom_hubspot_does_not_know_is_parked_and_not_looked_up_each_run() {
    let world = World::new(|builder| {
        people::member(builder, "ada");
        builder.tag(&address("ada"), "General Single").tag(&address("ada"), "General Single Finished");
    })
    .await;
    let before = world.person("ada");
    let report = world.synced().await;
    assert_eq!(world.person("ada"), before);
    assert_eq!(report.run.counts.people.get("parked"), Some(&1), "{:?}", report.run.counts);
    let searches = |world: &World| {
        let sandbox = world.sandbox();
        let found: u64 = sandbox
            .calls
            .all()
            .iter()
            .filter(|(kind, _)| {
                kind.template.ends_with("contacts/search") || kind.template.ends_with("batch/read")
            })
            .map(|(_, count)| *count)
            .sum();
        found
    };
    world.synced().await;
    let after_second = searches(&world);
    world.synced().await;
    let third = searches(&world) - after_second;
    let app = world.open();
    let runs = app.runs(10).unwrap();
    app.close().await;
    // At most the search for changed contacts, which every incremental run makes.
    assert!(third <= 1, "{third} searches in a quiet run; {} runs", runs.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_member_whom_hubspot_does_not_know_is_created_there_when_asked() {
    let mut world = World::new(|builder| {
        people::member(builder, "ada");
        builder.tag(&address("ada"), "General Single").tag(&address("ada"), "General Single Finished");
    })
    .await;
    world.set("HSMC_HANDOVER_DEFAULTS__CREATE_MISSING", "true");
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_exit_tags_at_once_follow_the_entry_tag_and_the_report_says_so() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        builder.tag(&address("ada"), "Competition Finished");
    })
    .await;
    let report = world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    let notes = &report.run.counts.notes;
    assert!(notes.keys().any(|note| note.contains("exit tag")), "{notes:?}");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handed_over_and_still_in_a_dynamic_list_is_not_enrolled_until_gone_and_back() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        let id = builder.contact(&[("email", "spare@example.com")]);
        builder.join(NEW_AGENTS, id);
    })
    .await;
    world.act(Act::JoinList { contact: address("ada"), list: LONG_TERM });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946, 1032]");
    world.act(Act::LeaveList { contact: address("ada"), list: 946 });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [1032]", "still in the list they came with");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exclusion_while_enrolled_untags_archives_and_unlists_but_never_unsubscribes() {
    let world = World::new(|builder| {
        let ada = people::enrolled(builder, "ada", GENERAL);
        builder.join(DEALS, ada);
        let vip = people::enrolled(builder, "vip", GENERAL);
        builder.join(DEALS, vip).tag(&address("vip"), "VIP");
    })
    .await;
    let mark = world.mark();
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [717]");
    assert_eq!(world.person("vip"), "subscribed [General Single, VIP]; lists [717, 987]");
    assert_eq!(
        world.count_since(mark, |what| matches!(what, What::StatusChanged { to: "unsubscribed", .. })),
        0
    );
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_deleted_in_the_middle_of_a_handover_leaves_nothing_stuck() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    // It has joined and left lists, and waits: HubSpot takes no notes now.
    let busy = FaultKind::Status { code: 503, body: None };
    world.fail(Service::HubSpot, "POST", "/batch/update", busy);
    let report = world.sync().await;
    assert_eq!(report.run.state, RunState::Failed, "{}", report.run.phase);
    world.act(Act::DeleteContact { contact: address("ada") });
    world.mend();
    world.sync().await;
    let report = world.synced().await;
    assert!(report.stuck.is_empty(), "{:?}", report.stuck);
    let app = world.open();
    let open = app.workspace.shared.journal.open_moves(None, 10).unwrap();
    app.close().await;
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(world.person("ada"), "subscribed [General Single, General Single Finished]; not in HubSpot");
    world.assert_settled().await;
}

/// R15: the exit tag is read again, although the handover had begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_cut_short_is_taken_back_once_its_exit_tag_is_gone_and_goes_on_while_it_is_there() {
    for withdrawn in [true, false] {
        let world = World::new(|builder| {
            people::finished(builder, "ada");
        })
        .await;
        for part in ["/segments", "/tags", "/batches"] {
            world.fail(Service::Mailchimp, "POST", part, FaultKind::Status { code: 503, body: None });
        }
        world.sync().await;
        assert_eq!(world.person("ada"), "subscribed [General Single, General Single Finished]; lists [946]");
        world.mend();
        world.clock.jump(Duration::from_secs(600));
        if withdrawn {
            let tag = "General Single Finished".to_owned();
            world.act(Act::ClearTag { email: address("ada"), tag });
        }
        let report = world.synced().await;
        let told = report.run.counts.notes.get("moves begun by an earlier run, and seen to their end");
        assert_eq!(told, Some(&1), "{:?}", report.run.counts.notes);
        let expected = match withdrawn {
            true => "subscribed [General Single]; lists [987]",
            false => "archived []; lists [946]",
        };
        assert_eq!(world.person("ada"), expected);
        world.assert_settled().await;
    }
}

/// Ada's handover has come as far as Mailchimp, which answers again.
async fn cut_short() -> World {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    for part in ["/segments", "/tags", "/batches"] {
        world.fail(Service::Mailchimp, "POST", part, FaultKind::Status { code: 503, body: None });
    }
    world.sync().await;
    world.mend();
    world
}

/// An opt-out goes before whatever else is open for that person, whichever process began it (design §3.5).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_cut_short_archives_nobody_who_has_opted_out_in_hubspot_since() {
    let world = cut_short().await;
    world.act(Act::OptOut { email: address("ada"), subscription: None });
    world.clock.jump(Duration::from_secs(600));
    world.synced().await;
    assert!(world.person("ada").starts_with("unsubscribed"), "{}", world.person("ada"));
    world.assert_settled().await;
}

/// A bounce is no opt-out, and nothing would take the handover's place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_cut_short_goes_on_for_whom_mailchimp_shows_silent_since() {
    for act in [Act::Clean { email: address("ada") }, Act::Unsubscribe { email: address("ada") }] {
        let world = cut_short().await;
        world.act(act.clone());
        world.clock.jump(Duration::from_secs(600));
        world.synced().await;
        let person = world.person("ada");
        assert!(person.contains("946") && !person.contains("987"), "{act:?}: {person}");
        assert!(!person.starts_with("archived"), "{act:?}: {person}");
        world.assert_settled().await;
    }
}
