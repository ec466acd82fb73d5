//! Who is who after contacts were deleted, merged or given another address, seen end to end.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::domain::code::Code;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::views::{ReportView, RunState};
use hsmc::sync::scan::Source;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_contact_deleted_in_hubspot_is_traced_and_the_member_archived_as_an_orphan() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::DeleteContact { contact: address("ada") });
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; not in HubSpot");
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_an_address_changed_by_somebody_who_left_all_lists_is_followed_not_lost() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    let email = address("ada.new");
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.act(Act::SetProperty { contact: address("ada"), property: "email".to_owned(), value: email });
    world.synced().await;
    assert_eq!(
        world.person("ada"),
        "archived []; not in HubSpot",
        "in no list any more, under either address"
    );
    world.assert_settled().await;
}

/// Whatever else befalls somebody whose address changed, befalls the member Mailchimp has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_the_member_is_reached_under_the_old_address_until_it_is_renamed() {
    let names = ["excluded", "finished", "opted", "gone"];
    let world = World::new(|builder| {
        for name in names {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    for name in names {
        let value = address(&format!("{name}.new"));
        world.act(Act::SetProperty { contact: address(name), property: "email".to_owned(), value });
    }
    world.act(Act::JoinList { contact: address("excluded.new"), list: people::DEALS });
    world.act(Act::SetTag { email: address("finished"), tag: "General Single Finished".to_owned() });
    world.act(Act::OptOut { email: address("opted.new"), subscription: None });
    world.act(Act::LeaveList { contact: address("gone.new"), list: GENERAL });
    world.sync().await;
    world.synced().await;
    assert_eq!(world.person("excluded"), "archived []; not in HubSpot");
    assert_eq!(world.person("finished"), "archived []; not in HubSpot");
    assert_eq!(world.person("finished.new"), "no member; lists [946]");
    assert_eq!(world.person("gone"), "archived []; not in HubSpot");
    let opted = (world.person("opted"), world.person("opted.new"));
    assert_eq!(opted.0, "no member; not in HubSpot");
    assert_eq!(opted.1, "unsubscribed []; lists [762, 987], opted out");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_of_an_address_that_changed_reaches_the_contact_under_the_new_one() {
    let world = World::new(|builder| {
        let id = people::contact(builder, "ada");
        builder.join(GENERAL, id);
        people::member(builder, "ada");
        builder.tag(&address("ada"), "General Single");
    })
    .await;
    world.synced().await;
    let email = address("ada.new");
    world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
    world.act(Act::SetProperty { contact: address("ada"), property: "email".to_owned(), value: email });
    world.act(Act::Unsubscribe { email: address("ada") });
    world.synced().await;
    assert_eq!(world.person("ada.new"), "unsubscribed [General Single]; lists [762], opted out");
    world.assert_settled().await;
}

pub fn change_address(world: &World, name: &str, to: &str) {
    world.act(Act::ChangeAddress { email: address(name), to: address(to) });
}

pub fn set_email(world: &World, name: &str, value: &str) {
    let (property, value) = ("email".to_owned(), value.to_owned());
    world.act(Act::SetProperty { contact: address(name), property, value });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_an_address_emptied_in_hubspot_parks_the_person_and_opt_outs_still_cross() {
    let names = ["ada", "bram", "cleo", "dora"];
    let world = World::new(|builder| {
        for name in names {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    let record = |name: &str| world.sandbox().hubspot.contact_by_email(&address(name)).unwrap().id;
    let (ada, cleo, dora) = (record("ada"), record("cleo"), record("dora"));
    for name in names {
        set_email(&world, name, "");
    }
    world.act(Act::LeaveList { contact: dora.to_string(), list: GENERAL });
    let mark = world.mark();
    // HubSpot's search for changes lags.
    world.synced().await;
    let report = world.synced().await;
    assert_eq!(world.changes_since(mark), Vec::<String>::new(), "dora has no address, and is no orphan");
    assert_eq!(parked_for(&report), [("invalid-address", 4)]);
    assert_eq!(report.run.report.judged, Some(4), "each of them once");
    world.assert_settled().await;

    world.act(Act::Unsubscribe { email: address("bram") });
    world.act(Act::JoinList { contact: cleo.to_string(), list: people::DEALS });
    let mark = world.mark();
    world.synced().await;
    assert_eq!(world.person("cleo"), "archived []; not in HubSpot", "excluded, and their mail stops");
    let opt_outs = world.count_since(mark, |what| matches!(what, What::OptedOut { .. }));
    assert_eq!(opt_outs, 1);
    world.assert_settled().await;

    let (property, value) = ("email".to_owned(), address("ada.new"));
    world.act(Act::SetProperty { contact: ada.to_string(), property, value });
    world.synced().await;
    world.synced().await;
    assert_eq!(world.person("ada.new"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

pub fn parked_for(report: &ReportView) -> Vec<(&str, u64)> {
    report.run.report.parked.iter().map(|one| (one.reason.as_str(), one.people)).collect()
}

/// The member of the contact's own address is the contact's; the other keeps its status and loses the campaign.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_rename_onto_an_address_that_has_a_member_ends_with_one_campaign_and_one_parked() {
    for known_before in [true, false] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
            people::enrolled(builder, "bram", GENERAL);
            if known_before {
                people::member(builder, "ada.new");
            }
        })
        .await;
        world.synced().await;
        set_email(&world, "ada", &address("ada.new"));
        // HubSpot's search for changes lags.
        world.clock.jump(std::time::Duration::from_secs(60));
        if !known_before {
            world
                .sync_while(Source::Members, |sandbox| {
                    let (email, status) = (address("ada.new"), "subscribed".to_owned());
                    crate::support::act(sandbox, Act::AddMember { email, status });
                })
                .await;
        }
        world.sync().await;
        let report = world.synced().await;
        assert_eq!(world.person("ada"), "subscribed []; not in HubSpot", "known before: {known_before}");
        assert_eq!(world.person("ada.new"), "subscribed [General Single]; lists [987]");
        assert_eq!(parked_for(&report), [("second-member", 1)]);
        world.assert_settled().await;
        let (contact, property) = (address("ada.new"), "lastname".to_owned());
        world.act(Act::SetProperty { contact, property, value: "Archerova".to_owned() });
        let mark = world.mark();
        // HubSpot's search for changes lags.
        world.synced().await;
        let report = world.synced().await;
        assert!(world.changes_since(mark).iter().all(|change| change.contains("ada.new")), "ada rests");
        assert_eq!(parked_for(&report), [("second-member", 1)]);
        world.assert_settled().await;
        world.act(Act::Unsubscribe { email: address("ada") });
        world.synced().await;
        world.synced().await;
        assert_eq!(world.person("ada.new"), "unsubscribed []; lists [762, 987], opted out");
        world.assert_settled().await;
    }
}

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

/// A bounce is the address's, not the person's: corrected in HubSpot, they are enrolled under the new one, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_whose_bounced_address_is_corrected_in_hubspot_is_enrolled_under_the_new_one() {
    for seen_before in [true, false] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
        })
        .await;
        world.synced().await;
        world.act(Act::Clean { email: address("ada") });
        if seen_before {
            world.synced().await;
        }
        set_email(&world, "ada", &address("ada.new"));
        world.synced().await;
        world.synced().await;
        assert_eq!(world.person("ada.new"), "subscribed [General Single]; lists [987]", "{seen_before}");
        assert_eq!(world.person("ada"), "cleaned []; not in HubSpot", "{seen_before}");
        world.assert_settled().await;
    }
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

/// HubSpot keeps opt-outs by address, and the contact shows that of its own only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_who_opted_out_under_an_address_that_was_corrected_since_is_never_enrolled_under_the_new_one() {
    for case in ["bounced", "archived", "no member"] {
        let world = World::new(|builder| match case {
            "no member" => drop(people::contact(builder, "ada")),
            _ => drop(people::enrolled(builder, "ada", GENERAL)),
        })
        .await;
        match case {
            "bounced" => world.act(Act::Clean { email: address("ada") }),
            "archived" => world.act(Act::LeaveList { contact: address("ada"), list: GENERAL }),
            _ => {
                world.act(Act::JoinList { contact: address("ada"), list: GENERAL });
                world.act(Act::JoinList { contact: address("ada"), list: DEALS });
            }
        }
        world.synced().await;
        world.act(Act::OptOut { email: address("ada"), subscription: None });
        set_email(&world, "ada", &address("ada.new"));
        match case {
            "bounced" => {}
            "archived" => world.act(Act::JoinList { contact: address("ada.new"), list: GENERAL }),
            _ => world.act(Act::LeaveList { contact: address("ada.new"), list: DEALS }),
        }
        for _ in 0..3 {
            world.synced().await;
        }
        assert!(world.person("ada.new").starts_with("no member;"), "{case}: {}", world.person("ada.new"));
        world.assert_settled().await;
    }
}

/// Told under the address of then, and nothing in Mailchimp shows it any more: the new address is told as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_long_delivered_follows_an_address_that_changes_though_its_member_shows_it_no_more() {
    for archived in [true, false] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
        })
        .await;
        world.synced().await;
        world.act(Act::Unsubscribe { email: address("ada") });
        world.synced().await;
        world.act(match archived {
            true => Act::Archive { email: address("ada") },
            false => Act::Clean { email: address("ada") },
        });
        world.clock.jump(Duration::from_secs(3600));
        set_email(&world, "ada", &address("ada.new"));
        world.sync().await;
        world.synced().await;
        assert!(world.person("ada.new").ends_with("opted out"), "{archived}: {}", world.person("ada.new"));
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

/// HubSpot keeps opt-outs by address: one that changes leaves its opt-out behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_long_delivered_follows_an_address_that_changes_afterwards() {
    for listed in [true, false] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
        })
        .await;
        world.synced().await;
        world.act(Act::Unsubscribe { email: address("ada") });
        world.synced().await;
        assert_eq!(world.person("ada"), "unsubscribed [General Single]; lists [762, 987], opted out");
        if !listed {
            world.act(Act::LeaveList { contact: address("ada"), list: GENERAL });
            world.synced().await;
        }
        let value = address("ada.new");
        world.act(Act::SetProperty { contact: address("ada"), property: "email".to_owned(), value });
        world.clock.jump(Duration::from_secs(3600));
        world.sync().await;
        world.synced().await;
        assert!(world.person("ada.new").ends_with("opted out"), "{}", world.person("ada.new"));
        world.assert_settled().await;
        // Who asks by the address of before, or by the number of a log, is answered too.
        let app = world.open();
        let (former, present) = (address("ada"), address("ada.new"));
        let id = app.consent_of(&present).await.unwrap().person;
        for who in [former, present, id.to_string()] {
            assert!(!app.consent_of(&who).await.unwrap().links.is_empty(), "{who}");
            assert_eq!(app.why(&who).await.unwrap().id, id, "{who}");
        }
        assert_eq!(app.why(&address("nobody")).await.unwrap_err().code, Code::NobodySeen);
        assert_eq!(app.why("4711").await.unwrap_err().code, Code::NobodySeen);
        app.close().await;
    }
}

fn journeys_since(world: &World, mark: usize) -> usize {
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

/// From the very first run: a member under a further address of a contact is that contact's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_member_under_a_further_address_is_no_second_person() {
    let world = World::new(|builder| {
        for (name, tags) in [
            ("ada", vec!["General Single"]),
            ("bram", vec!["General Single", "General Single Finished"]),
            ("cleo", vec![]),
        ] {
            let (email, further) = (address(name), address(&format!("{name}.further")));
            let id = builder.contact(&[("email", &email), ("hs_additional_emails", &further)]);
            builder.join(GENERAL, id);
            people::member(builder, &format!("{name}.further"));
            for tag in tags {
                builder.tag(&address(&format!("{name}.further")), tag);
            }
        }
    })
    .await;
    world.act(Act::Unsubscribe { email: address("cleo.further") });
    let mark = world.mark();
    world.sync().await;
    world.sync().await;
    world.synced().await;
    assert_eq!(journeys_since(&world, mark), 0);
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("bram"), "no member; lists [946]");
    assert!(world.person("cleo").ends_with("opted out"), "{}", world.person("cleo"));
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

/// A contact's own address was deleted for good in Mailchimp, and members stand under further ones of theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_rename_that_is_refused_for_good_is_not_tried_again() {
    for members in [vec!["ada.one"], vec!["ada.one", "ada.two"]] {
        let world = World::new(|builder| {
            let further = format!("{};{}", address("ada.one"), address("ada.two"));
            let properties = [("email", address("ada")), ("hs_additional_emails", further)];
            let properties: Vec<(&str, &str)> =
                properties.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let id = builder.contact(&properties);
            builder.join(GENERAL, id);
            people::member(builder, "ada");
            for name in &members {
                people::member(builder, name);
            }
        })
        .await;
        world.act(Act::Forget { email: address("ada") });
        let mut planned = Vec::new();
        for _ in 0..4 {
            planned.push(world.sync().await.run.counts.planned.get("rename").copied());
            world.clock.jump(Duration::from_secs(60));
        }
        assert_eq!(planned, [Some(1), None, None, None], "{members:?}");
    }
}
