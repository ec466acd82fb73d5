//! Who is who after contacts were deleted, merged or given another address, seen end to end.

use crate::merging::journeys_since;
use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::domain::code::Code;
use hsmc::domain::email::Email;
use hsmc::domain::failure::Service;
use hsmc::domain::id::RecordId;
use hsmc::domain::person::PersonState;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::views::ReportView;
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

/// Bram's contact gives its address up, and Ada's takes it.
fn hand_on(world: &World) {
    for (name, to) in [("bram", "cora"), ("ada", "bram")] {
        let (contact, value) = (address(name), address(to));
        world.act(Act::SetProperty { contact, property: "email".to_owned(), value });
    }
}

async fn ada_and_bram() -> World {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", COMPETITION);
    })
    .await;
    world.synced().await;
    world
}

/// Who leaves an address is renamed first, who takes it in the run after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_an_address_handed_on_from_contact_to_contact_starts_no_journey_and_opts_out_nobody_else() {
    let out = [
        None,
        Some(Act::Unsubscribe { email: address("ada") }),
        Some(Act::OptOut { email: address("ada"), subscription: None }),
    ];
    for out in out {
        let world = ada_and_bram().await;
        if let Some(act) = out.clone() {
            world.act(act);
        }
        hand_on(&world);
        let mark = world.mark();
        for _ in 0..3 {
            world.clock.jump(Duration::from_secs(3_600));
            world.synced().await;
        }
        assert_eq!(world.person("cora"), "subscribed [Competition]; lists [720]", "{out:?}");
        let bram = world.person("bram");
        match out {
            None => assert_eq!(bram, "subscribed [General Single]; lists [987]"),
            Some(_) => assert!(bram.starts_with("unsubscribed"), "{out:?}: {bram}"),
        }
        assert_eq!(world.person("ada"), "no member; not in HubSpot");
        assert_eq!(journeys_since(&world, mark), 0, "{out:?}");
        world.assert_settled().await;
    }
}

/// A rename that is refused for good holds up nobody: an opt-out under the address that was taken crosses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_who_takes_an_address_whose_member_cannot_leave_it_is_heard() {
    let world = ada_and_bram().await;
    hand_on(&world);
    let body = r#"{"title":"Invalid Resource","status":400,"detail":"no"}"#.to_owned();
    world.fail(Service::Mailchimp, "PATCH", "/members/", FaultKind::Status { code: 400, body: Some(body) });
    for _ in 0..2 {
        world.clock.jump(Duration::from_secs(3_600));
        world.sync().await;
    }
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    for _ in 0..2 {
        world.clock.jump(Duration::from_secs(3_600));
        world.sync().await;
    }
    for name in ["ada", "bram"] {
        assert!(world.person(name).starts_with("unsubscribed"), "{name}: {}", world.person(name));
    }
}

/// Whose member stays archived where it was hides nobody who comes to that address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_who_takes_the_address_of_somebody_handed_over_is_seen() {
    let mut world = World::new(|builder| {
        people::finished(builder, "bram");
    })
    .await;
    world.synced().await;
    // However long ago: of that handover nothing but a line is left.
    world.set("HSMC_SYNC__RETENTION", "1d");
    world.clock.jump(Duration::from_secs(3 * 24 * 3_600));
    world.synced().await;
    let app = world.open();
    let journal = &app.workspace.shared.journal;
    let hash = Email::parse(&address("bram")).unwrap().hash();
    let bram = journal.person_by_hash(hash).unwrap().unwrap();
    let handover = journal.moves_of_person(bram).unwrap()[0];
    assert!(journal.audit(bram, handover).unwrap().is_some() && journal.events(handover).unwrap().is_empty());
    app.close().await;
    let (contact, value) = (address("bram"), address("cora"));
    world.act(Act::SetProperty { contact, property: "email".to_owned(), value });
    people::act_new(&world, "bram", GENERAL);
    let record = world.sandbox().hubspot.contact_by_email(&address("bram")).unwrap().id;
    let mark = world.mark();
    for _ in 0..3 {
        world.clock.jump(Duration::from_secs(3_600));
        world.synced().await;
    }
    let app = world.open();
    let journal = &app.workspace.shared.journal;
    let person = journal.person_by_record(RecordId(record)).unwrap().expect("they are somebody");
    let person = journal.person(person).unwrap().unwrap();
    app.close().await;
    // Whose archive it was that hides them, nobody knows.
    assert_eq!(person.state, PersonState::ArchivedByOthers, "{}", person.why);
    assert_eq!(journeys_since(&world, mark), 0, "and who was handed over is not enrolled anew");
    world.assert_settled().await;
}

/// Nobody is enrolled by an address that is spelt like this; a member from other times may have it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_r21_an_opt_out_crosses_both_ways_for_an_address_that_nobody_would_be_enrolled_by() {
    let names = ["taro..y", "(hana)"];
    for in_list in [false, true] {
        let world = World::new(|builder| {
            for name in names {
                match in_list {
                    true => people::listed(builder, name, GENERAL),
                    false => people::contact(builder, name),
                };
                people::member(builder, name);
            }
        })
        .await;
        world.synced().await;
        world.act(Act::OptOut { email: address(names[0]), subscription: None });
        world.act(Act::Unsubscribe { email: address(names[1]) });
        world.clock.jump(Duration::from_secs(3_600));
        world.synced().await;
        for name in names {
            assert!(world.person(name).starts_with("unsubscribed"), "{}", world.person(name));
            assert!(world.sandbox().hubspot.is_opted_out(&address(name)), "{name}");
        }
        world.assert_settled().await;
    }
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

/// Nobody is subscribed under an address that their contact no longer has: what they said under it, nothing shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r21_an_enrolment_cut_short_does_not_go_on_under_an_address_that_was_left_after_an_opt_out() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.fail(Service::Mailchimp, "POST", "/lists/", FaultKind::Status { code: 503, body: None });
    world.sync().await;
    assert_eq!(world.person("ada"), "no member; lists [987]");
    world.mend();
    world.act(Act::OptOut { email: address("ada"), subscription: None });
    let (contact, property) = (address("ada"), "email".to_owned());
    world.act(Act::SetProperty { contact, property, value: address("ada.new") });
    world.clock.jump(Duration::from_secs(600));
    for _ in 0..3 {
        world.sync().await;
    }
    assert!(world.person("ada").starts_with("no member"), "{}", world.person("ada"));
    assert!(world.person("ada.new").starts_with("no member"), "{}", world.person("ada.new"));
}
