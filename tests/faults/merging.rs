//! Contacts that were merged: one campaign, what binds one of them binds both, and both are told, seen end to end.

use crate::identity::parked_for;
use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::views::RunState;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r02_merged_contacts_have_one_campaign_and_an_opt_out_of_either_member_counts_for_both() {
    for silent in ["ada", "bram"] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
            people::enrolled(builder, "bram", GENERAL);
        })
        .await;
        world.synced().await;
        world.act(Act::Merge { primary: address("ada"), other: address("bram") });
        let report = world.synced().await;
        assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
        assert_eq!(world.person("bram"), "subscribed []; not in HubSpot");
        assert_eq!(parked_for(&report), [("second-member", 1)]);
        world.assert_settled().await;
        world.act(Act::Unsubscribe { email: address(silent) });
        world.synced().await;
        world.synced().await;
        assert!(world.person("ada").starts_with("unsubscribed ["), "{silent}: {}", world.person("ada"));
        assert!(world.person("ada").ends_with("opted out"), "{silent}: {}", world.person("ada"));
        assert!(world.person("bram").starts_with("unsubscribed ["), "{silent}: {}", world.person("bram"));
        // HubSpot keeps opt-outs by address: the one they opted out under is known too, whatever becomes of the contact's.
        assert!(world.sandbox().hubspot.is_opted_out(&address(silent)), "{silent}");
        world.assert_settled().await;
    }
}

/// Neither had the other's opt-out: that is no opting in again, and nobody's evidence says so (R23).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_whoever_is_merged_with_somebody_opted_out_is_told_in_the_same_run_and_has_not_opted_in_again() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.synced().await;
    world.act(Act::Merge { primary: address("ada"), other: address("bram") });
    world.synced().await;
    assert_eq!(world.person("ada"), "unsubscribed []; lists [762, 987], opted out");
    let evidence = crate::evidence::told(&world, "ada").await;
    assert!(!evidence.iter().any(|line| line.starts_with("opted-in-again")), "{evidence:?}");
    world.assert_settled().await;
}

/// Whatever has become of the member of the address that a merge takes away, and whoever of the two has opted out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_an_opt_out_in_hubspot_right_before_a_merge_reaches_both_addresses_and_both_members() {
    for (out, case) in [
        ("bram", "subscribed"),
        ("bram", "archived by hsmc"),
        ("bram", "bounced"),
        ("ada", "subscribed"),
        ("ada", "bounced"),
    ] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
            people::enrolled(builder, "bram", GENERAL);
        })
        .await;
        world.synced().await;
        match case {
            "archived by hsmc" => world.act(Act::LeaveList { contact: address("bram"), list: GENERAL }),
            "bounced" => world.act(Act::Clean { email: address("bram") }),
            _ => {}
        }
        world.synced().await;
        world.act(Act::OptOut { email: address(out), subscription: None });
        world.clock.jump(Duration::from_secs(600));
        world.act(Act::Merge { primary: address("ada"), other: address("bram") });
        world.synced().await;
        world.synced().await;
        let ada = world.person("ada");
        assert!(ada.starts_with("unsubscribed [") && ada.ends_with("opted out"), "{out} {case}: {ada}");
        assert!(!world.person("bram").starts_with("subscribed"), "{out} {case}: {}", world.person("bram"));
        if case == "subscribed" {
            let opted_out = |name: &str| world.sandbox().hubspot.is_opted_out(&address(name));
            assert!(opted_out("ada") && opted_out("bram"), "{out}");
        }
        world.assert_settled().await;
    }
}

/// A lookup shows the merge where the contact is in none of the lists any more; the opt-out may have been seen or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_whoever_was_merged_with_somebody_opted_out_is_unsubscribed_and_not_archived() {
    for (seen_before, excluded) in [(true, false), (true, true), (false, false), (false, true)] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
            people::enrolled(builder, "bram", GENERAL);
        })
        .await;
        world.synced().await;
        world.act(Act::Unsubscribe { email: address("bram") });
        if seen_before {
            world.synced().await;
        }
        world.act(Act::Merge { primary: address("ada"), other: address("bram") });
        world.act(match excluded {
            true => Act::JoinList { contact: address("ada"), list: DEALS },
            false => Act::LeaveList { contact: address("ada"), list: GENERAL },
        });
        world.synced().await;
        world.synced().await;
        let ada = world.person("ada");
        let holds = ada.starts_with("unsubscribed [") && ada.ends_with("opted out");
        assert!(holds, "seen before: {seen_before}, excluded: {excluded}: {ada}");
        world.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_whoever_survives_a_merge_without_a_member_gets_the_others_and_no_journey_starts_anew() {
    let world = World::new(|builder| {
        people::contact(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::Merge { primary: address("ada"), other: address("bram") });
    let mark = world.mark();
    world.synced().await;
    world.synced().await;
    assert_eq!(world.person("bram"), "no member; not in HubSpot");
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    let created = |what: &What| matches!(what, What::MemberCreated { .. } | What::JourneyStarted { .. });
    assert_eq!(world.count_since(mark, created), 0);
    world.assert_settled().await;
}

/// The survivor has a member already, archived under an address from before: the other one is a second member, and is
/// not lost from view because the survivor's present address has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_of_a_merged_contacts_member_crosses_although_the_survivors_own_stands_elsewhere() {
    for seen_before in [true, false] {
        let world = World::new(|builder| {
            people::finished(builder, "bram");
            match seen_before {
                true => people::enrolled(builder, "ivo", GENERAL),
                false => people::contact(builder, "ivo"),
            };
        })
        .await;
        world.synced().await;
        assert_eq!(world.person("bram"), "archived []; lists [946]");
        if !seen_before {
            world.act(Act::AddMember { email: address("ivo"), status: "subscribed".to_owned() });
        }
        world.act(Act::Merge { primary: address("bram"), other: address("ivo") });
        let (property, value) = ("email".to_owned(), address("bram.new"));
        world.act(Act::SetProperty { contact: address("bram"), property, value });
        world.synced().await;
        world.act(Act::Unsubscribe { email: address("ivo") });
        world.synced().await;
        assert!(world.sandbox().hubspot.is_opted_out(&address("ivo")), "seen before: {seen_before}");
        assert!(world.person("bram.new").ends_with("opted out"), "{}", world.person("bram.new"));
        world.assert_settled().await;
    }
}

pub fn journeys_since(world: &World, mark: usize) -> usize {
    world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. }))
}

/// The survivor was in no list and no member, so hsmc had never seen it: it is no stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_merge_into_a_contact_never_seen_before_takes_along_campaign_opt_out_and_handover() {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo"] {
            people::enrolled(builder, name, people::NEW_AGENTS);
            people::contact(builder, &format!("{name}.survivor"));
        }
    })
    .await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.act(Act::SetTag { email: address("cleo"), tag: "General Single Finished".to_owned() });
    world.synced().await;
    let mark = world.mark();
    for name in ["ada", "bram", "cleo"] {
        world.act(Act::Merge { primary: address(&format!("{name}.survivor")), other: address(name) });
        world.act(Act::JoinList { contact: address(&format!("{name}.survivor")), list: people::NEW_AGENTS });
    }
    world.sync().await;
    world.sync().await;
    world.synced().await;
    assert_eq!(journeys_since(&world, mark), 0, "nobody is a stranger");
    assert!(
        world.person("ada.survivor").starts_with("subscribed [New Agents]"),
        "{}",
        world.person("ada.survivor")
    );
    assert!(world.person("bram.survivor").ends_with("opted out"), "{}", world.person("bram.survivor"));
    assert!(world.person("cleo.survivor").starts_with("no member"), "{}", world.person("cleo.survivor"));
    world.assert_settled().await;
}

/// Both were known: who opted out, or was handed over, binds whom they have become.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_of_two_known_people_merged_what_binds_one_binds_both() {
    let world = World::new(|builder| {
        for name in ["bram", "cleo"] {
            people::enrolled(builder, name, people::NEW_AGENTS);
            people::listed(builder, &format!("{name}.survivor"), DEALS);
        }
    })
    .await;
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.act(Act::SetTag { email: address("cleo"), tag: "General Single Finished".to_owned() });
    world.synced().await;
    let mark = world.mark();
    for name in ["bram", "cleo"] {
        world.act(Act::Merge { primary: address(&format!("{name}.survivor")), other: address(name) });
        world.act(Act::JoinList { contact: address(&format!("{name}.survivor")), list: people::NEW_AGENTS });
        world.act(Act::LeaveList { contact: address(&format!("{name}.survivor")), list: DEALS });
    }
    world.sync().await;
    world.sync().await;
    world.synced().await;
    assert_eq!(journeys_since(&world, mark), 0);
    assert!(world.person("bram.survivor").ends_with("opted out"), "{}", world.person("bram.survivor"));
    assert!(world.person("cleo.survivor").starts_with("no member"), "{}", world.person("cleo.survivor"));
    world.assert_settled().await;
}

/// Found by the simulation: the probe asked for a record that was no more, for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_list_step_in_doubt_when_its_contact_is_merged_is_looked_for_at_the_survivor() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::contact(builder, "bram");
    })
    .await;
    world.patience = Duration::from_secs(20);
    world.fail(Service::HubSpot, "PUT", "/memberships/add", FaultKind::LostAfter);
    world.fail(
        Service::HubSpot,
        "POST",
        "/records/memberships/batch/read",
        FaultKind::Status { code: 503, body: None },
    );
    assert_eq!(world.sync().await.run.state, RunState::Failed);
    world.mend();
    world.act(Act::Merge { primary: address("ada"), other: address("bram") });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    world.assert_settled().await;
}

/// That hsmc archived the one says nothing of why the other is archived: bringing them back would launder an opt-out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r06_a_merge_makes_nobody_return_whom_others_archived() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::member(builder, "ada");
        people::enrolled(builder, "bram", COMPETITION);
    })
    .await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::Archive { email: address("ada") });
    world.synced().await;
    world.act(Act::LeaveList { contact: address("bram"), list: COMPETITION });
    world.synced().await;
    assert!(world.person("bram").starts_with("archived"), "{}", world.person("bram"));
    world.act(Act::Merge { primary: address("ada"), other: address("bram") });
    world.sync().await;
    world.synced().await;
    assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    world.assert_settled().await;
}
