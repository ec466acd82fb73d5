//! Members in every condition, and merge fields that are not as they should be.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address, entry_tag};
use hsmc::domain::failure::Service;
use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::parked::ReleaseRequest;
use hsmc::serve::requests::AdoptRequest;
use hsmc::serve::views::RunState;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_of_these_is_ever_subscribed() {
    let world = World::new(|builder| {
        for (name, status) in [
            ("unsubscribed", Status::Unsubscribed),
            ("cleaned", Status::Cleaned),
            ("pending", Status::Pending),
            ("archived", Status::Archived),
        ] {
            people::listed(builder, name, GENERAL);
            people::member(builder, name);
            builder.member(&address(name), status);
        }
        people::listed(builder, "forgotten", GENERAL);
        people::member(builder, "forgotten");
    })
    .await;
    world.act(Act::Forget { email: address("forgotten") });
    let mark = world.mark();
    world.sync().await;
    world.sync().await;
    assert_eq!(world.person("unsubscribed"), "unsubscribed []; lists [762, 987], opted out");
    assert_eq!(world.person("cleaned"), "cleaned []; lists [987]");
    assert_eq!(world.person("pending"), "pending []; lists [987]");
    assert_eq!(world.person("archived"), "archived []; lists [987]");
    assert_eq!(world.person("forgotten"), "no member; lists [987]");
    let subscribed = |what: &What| {
        matches!(what, What::MemberCreated { .. } | What::StatusChanged { to: "subscribed", .. })
    };
    assert_eq!(world.count_since(mark, subscribed), 0);
    assert_eq!(world.property("cleaned", "mailchimp_bounced"), "true");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archived_by_us_and_back_in_another_list_is_restored_with_that_lists_tag() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists []");
    world.act(Act::JoinList { contact: address("ada"), list: COMPETITION });
    let mark = world.mark();
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [Competition]; lists [720]");
    assert_eq!(world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. })), 1);
    world.assert_settled().await;
}

/// Brought back by a form, unsubscribed and archived by hand, all between two runs: nothing shows the opt-out any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_whom_hsmc_archived_and_somebody_else_archived_again_is_not_restored() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists []");
    world.clock.jump(Duration::from_secs(600));
    world.act(Act::Resubscribe { email: address("ada") });
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::Archive { email: address("ada") });
    world.act(Act::JoinList { contact: address("ada"), list: GENERAL });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [987]");
    world.assert_settled().await;
}

/// What the operator has settled is the archive that they had seen, however long the adoption waits for a source list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_an_adoption_is_of_no_archive_that_comes_after_it() {
    for waits in [false, true] {
        let world = World::new(|builder| {
            for name in ["ada", "bram"] {
                people::enrolled(builder, name, GENERAL);
                builder.archived(&address(name));
            }
        })
        .await;
        let everybody = ["ada", "bram"];
        if waits {
            for name in everybody {
                world.act(Act::LeaveList { contact: address(name), list: GENERAL });
            }
        }
        world.synced().await;
        let app = world.open();
        let whom = everybody.map(address).to_vec();
        assert_eq!(app.adopt(AdoptRequest::People(whom)).await.unwrap().left_out, Vec::<String>::new());
        app.close().await;
        if waits {
            world.synced().await;
        }
        world.clock.jump(Duration::from_secs(3_600));
        world.act(Act::Resubscribe { email: address("ada") });
        world.act(Act::Unsubscribe { email: address("ada") });
        world.act(Act::Archive { email: address("ada") });
        if waits {
            for name in everybody {
                world.act(Act::JoinList { contact: address(name), list: GENERAL });
            }
        }
        world.synced().await;
        assert!(world.person("ada").starts_with("archived"), "{waits}: {}", world.person("ada"));
        assert!(world.person("bram").starts_with("subscribed"), "{waits}: {}", world.person("bram"));
        world.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archived_by_others_stays_so_until_an_operator_adopts_them() {
    let world = World::new(|builder| {
        for name in ["ada", "bram"] {
            people::enrolled(builder, name, GENERAL);
            builder.archived(&address(name));
        }
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived [General Single]; lists [987]");
    let app = world.open();
    let told = app.adopt(AdoptRequest::People(vec![address("ada"), address("nobody")])).await.unwrap();
    assert_eq!(told.left_out.len(), 1, "{told:?}");
    app.close().await;
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("bram"), "archived [General Single]; lists [987]");
    let app = world.open();
    app.adopt(AdoptRequest::List(hsmc::domain::id::ListId(GENERAL))).await.unwrap();
    app.close().await;
    world.synced().await;
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_rest_and_an_opt_out_of_either_counts_for_both() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "ada", COMPETITION);
        people::listed(builder, "bram", GENERAL);
        people::listed(builder, "bram", COMPETITION);
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("bram"), "no member; lists [720] and lists [987]");
    world.act(Act::Unsubscribe { email: address("ada") });
    world.synced().await;
    assert!(world.person("ada").starts_with("unsubscribed"), "{}", world.person("ada"));
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_field_that_is_missing_is_created_once_and_filled() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world.config = world.config.replace("[merge_fields]", "[merge_fields]\nBRANCHES = \"branches\"");
    world.act(Act::SetProperty { contact: address("ada"), property: "branches".into(), value: "3".into() });
    let mark = world.mark();
    let report = world.synced().await;
    assert!(report.run.counts.notes.keys().any(|note| note.contains("BRANCHES was missing")));
    assert_eq!(world.count_since(mark, |what| matches!(what, What::FieldCreated { .. })), 1);
    let state = world.sandbox().state();
    assert_eq!(state["mailchimp"]["members"]["ada@example.com"]["fields"]["BRANCHES"], "3");
    world.assert_settled().await;
}

/// The values went with it, and no member counts as changed by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_field_that_was_deleted_is_made_anew_and_filled_for_everybody() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::DeleteField { field: "FNAME".to_owned() });
    people::act_new(&world, "cleo", GENERAL);
    world.synced().await;
    let state = world.sandbox().state();
    for name in ["ada", "bram"] {
        assert_eq!(state["mailchimp"]["members"][address(name)]["fields"]["FNAME"], name);
    }
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_field_of_another_type_takes_what_fits_and_the_report_says_so() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world.sandbox().mailchimp.define_field("SIZE", "Size", "number");
    world.config = world.config.replace("[merge_fields]", "[merge_fields]\nSIZE = \"branches\"");
    for (name, value) in [("ada", "many"), ("bram", "7")] {
        world.act(Act::SetProperty {
            contact: address(name),
            property: "branches".into(),
            value: value.into(),
        });
    }
    let report = world.synced().await;
    let notes: Vec<_> = report.run.counts.notes.keys().collect();
    assert!(notes.iter().any(|note| note.contains("SIZE")), "{notes:?}");
    let state = world.sandbox().state();
    let size = |name: &str| state["mailchimp"]["members"][address(name)]["fields"]["SIZE"].clone();
    assert!(size("bram") == "7" || size("bram") == 7, "{}", size("bram"));
    assert_ne!(size("ada"), "many");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_too_long_is_cut_at_a_character_and_is_not_written_again() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    let long = "ü".repeat(200);
    world.act(Act::SetProperty { contact: address("ada"), property: "firstname".into(), value: long });
    let report = world.synced().await;
    assert!(
        report.run.counts.notes.keys().any(|note| note.contains("FNAME")),
        "{:?}",
        report.run.counts.notes
    );
    let state = world.sandbox().state();
    let written =
        state["mailchimp"]["members"]["ada@example.com"]["fields"]["FNAME"].as_str().unwrap().to_owned();
    assert!(written.len() <= 255 && written.chars().all(|one| one == 'ü'), "{}", written.len());
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fake_looking_address_is_parked_and_tried_no_more() {
    let world = World::new(|builder| {
        people::listed(builder, "fake.ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    let report = world.synced().await;
    assert_eq!(report.run.counts.parked.get("fake-address"), Some(&1), "{:?}", report.run.counts);
    assert_eq!(world.person("fake.ada"), "no member; lists [987]");
    assert_eq!(world.person("bram"), format!("subscribed [{}]; lists [987]", entry_tag(GENERAL)));
    world.assert_settled().await;
}

fn refused() -> FaultKind {
    FaultKind::Status { code: 400, body: None }
}

/// A world in which an enrolment makes a member, and then writes a property of the contact.
async fn world_with_source_property() -> World {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.config = world.config.replace("[source_tracking]", "[source_tracking]\nori_lists = \"ori_lists\"");
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_whoever_a_refused_enrolment_made_and_archived_is_enrolled_once_released() {
    let world = world_with_source_property().await;
    world.fail(Service::HubSpot, "POST", "/contacts/batch/update", refused());
    let report = world.synced().await;
    assert_eq!(report.run.counts.parked.len(), 1, "{:?}", report.run.counts);
    assert_eq!(world.person("ada"), "archived []; lists [987]");
    // That she is archived by now is no reason to try again, and nobody else's doing.
    world.mend();
    let report = world.synced().await;
    assert_eq!(report.run.counts.people.get("parked"), Some(&1), "{:?}", report.run.counts.people);
    world.assert_settled().await;
    let app = world.open();
    app.release(ReleaseRequest::People(vec![address("ada")])).await.unwrap();
    app.close().await;
    world.synced().await;
    assert_eq!(world.person("ada"), format!("subscribed [{}]; lists [987]", entry_tag(GENERAL)));
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_archived_over_an_opt_out_by_the_unwinding_of_what_made_them() {
    let world = world_with_source_property().await;
    let fails = |code| {
        let status = FaultKind::Status { code, body: None };
        world.fail(Service::HubSpot, "POST", "/contacts/batch/update", status);
    };
    fails(503);
    let meanwhile = async {
        while world.sandbox().mailchimp.member(&address("ada")).is_none() {
            tokio::task::yield_now().await;
        }
        world.act(Act::Unsubscribe { email: address("ada") });
        world.mend();
        fails(400);
    };
    tokio::join!(world.sync(), meanwhile);
    world.synced().await;
    assert!(world.person("ada").starts_with("unsubscribed"), "{}", world.person("ada"));
    assert!(world.sandbox().hubspot.is_opted_out(&address("ada")), "and HubSpot knows");
}

/// A page that somebody on the way put in front of the service, or an answer of another call: it says nothing of this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_or_a_tag_answered_by_somebody_else_is_looked_at_and_sent_again() {
    for body in ["", "{}", r#"{"ok":true}"#, "<html>Welcome</html>"] {
        let world = World::new(|builder| {
            people::finished(builder, "ada");
        })
        .await;
        let answered = FaultKind::Status { code: 200, body: Some(body.to_owned()) };
        for (method, path) in [("DELETE", "/members/"), ("POST", "/tags")] {
            world.fault(Matches::call(Service::Mailchimp, method, path).nth(1), answered.clone());
        }
        world.synced().await;
        assert_eq!(world.person("ada"), "archived []; lists [946]", "{body}");
        world.assert_settled().await;
    }
}

/// Their restore took effect, and the process ended before it knew. Whatever befell them since, the call is not made
/// again: nobody can see whether they opted out before another hand archived them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_restore_that_took_effect_unseen_is_not_made_again_for_whom_others_archived_since() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    let patience = std::mem::replace(&mut world.patience, Duration::from_secs(5));
    world.synced().await;
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    world.act(Act::JoinList { contact: address("ada"), list: GENERAL });
    world.clock.jump(Duration::from_secs(60));
    world.fail(Service::Mailchimp, "PUT", "/members/", FaultKind::LostAfter);
    let away = FaultKind::Status { code: 503, body: None };
    let looks =
        Matches { nth: Some(2), times: Some(1_000), ..Matches::call(Service::Mailchimp, "GET", "/members/") };
    world.fault(looks, away);
    assert_eq!(world.sync().await.run.state, RunState::Failed);
    assert!(world.person("ada").starts_with("subscribed"), "{}", world.person("ada"));

    // At once, within a second that no clock tells apart.
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::Archive { email: address("ada") });
    world.mend();
    world.patience = patience;
    world.clock.jump(Duration::from_secs(600));
    for _ in 0..3 {
        world.synced().await;
        assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    }
    let app = world.open();
    assert_eq!(app.why(&address("ada")).await.unwrap().state.word, "archived-by-others");
    app.close().await;
    world.assert_settled().await;
}
