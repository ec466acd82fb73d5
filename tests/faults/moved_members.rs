//! Members given another address in Mailchimp, by themselves or by somebody else (R10): they are followed by Mailchimp's
//! own number, whatever becomes of their contact meanwhile, and opt-outs cross under the address that each side has.

use crate::identity::{change_address, parked_for, set_email};
use crate::support::World;
use crate::support::people::{self, GENERAL, address};
use hsmc::sandbox::Act;
use hsmc::serve::parked::ReleaseRequest;

/// Neither enrolled a second time, nor taken for somebody else.
fn assert_ada_was_followed(world: &World, mark: usize) {
    assert_eq!(world.person("ada"), "no member; lists [987]");
    assert_eq!(world.person("ada.new"), "subscribed [General Single]; not in HubSpot");
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
}

/// The member may have changed it themselves: hsmc takes it neither back nor for somebody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_an_address_changed_in_mailchimp_parks_the_person_and_enrolls_nobody_twice() {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo", "dora"] {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    for name in ["ada", "bram", "cleo", "dora"] {
        change_address(&world, name, &format!("{name}.new"));
    }
    let mark = world.mark();
    let report = world.synced().await;
    assert_ada_was_followed(&world, mark);
    assert_eq!(parked_for(&report), [("address-changed", 4)]);
    world.assert_settled().await;

    // Consent crosses under both addresses, in both directions.
    world.act(Act::Unsubscribe { email: address("bram.new") });
    world.act(Act::OptOut { email: address("cleo"), subscription: None });
    world.synced().await;
    assert_eq!(world.person("bram"), "no member; lists [762, 987], opted out");
    assert_eq!(world.person("cleo.new"), "unsubscribed []; not in HubSpot");
    world.assert_settled().await;

    // HubSpot follows, or an operator says that HubSpot's address counts.
    set_email(&world, "ada", &address("ada.new"));
    let app = world.open();
    app.release(ReleaseRequest::People(vec![address("dora")])).await.unwrap();
    app.close().await;
    world.synced().await;
    assert_eq!(world.person("ada.new"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("dora"), "subscribed [General Single]; lists [987]");
    assert_eq!(world.person("dora.new"), "no member; not in HubSpot");
    world.assert_settled().await;
}

/// Mailchimp's number for a member is known from the call that made it: no scan in between is needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_an_address_changed_right_after_the_enrolment_is_followed_and_nobody_enrolled_twice() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world.sync().await;
    change_address(&world, "ada", "ada.new");
    let mark = world.mark();
    let report = world.synced().await;
    assert_ada_was_followed(&world, mark);
    assert_eq!(parked_for(&report), [("address-changed", 1)]);
    world.assert_settled().await;
}

/// Nothing shows the address any more that they were known under: neither their member, which was given another one, nor
/// their contact, which was merged away. They are followed by Mailchimp's number, and what binds one binds the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_whoever_changed_their_address_and_was_merged_away_is_a_second_member_and_opt_outs_cross() {
    for (seen_between, in_hubspot) in [(true, true), (true, false), (false, true), (false, false)] {
        let world = World::new(|builder| {
            people::enrolled(builder, "cleo", GENERAL);
            people::enrolled(builder, "dora", GENERAL);
        })
        .await;
        world.synced().await;
        change_address(&world, "cleo", "cleo.new");
        let opt_out = |world: &World| match in_hubspot {
            true => world.act(Act::OptOut { email: address("dora"), subscription: None }),
            false => world.act(Act::Unsubscribe { email: address("cleo.new") }),
        };
        if seen_between {
            world.synced().await;
        } else {
            opt_out(&world);
        }
        world.act(Act::Merge { primary: address("dora"), other: address("cleo") });
        world.synced().await;
        world.synced().await;
        if seen_between {
            assert_eq!(world.person("cleo.new"), "subscribed []; not in HubSpot", "one campaign");
            assert_eq!(world.person("dora"), "subscribed [General Single]; lists [987]");
            opt_out(&world);
            world.synced().await;
            world.synced().await;
        }
        let case = format!("seen between: {seen_between}, in HubSpot: {in_hubspot}");
        for name in ["cleo.new", "dora"] {
            assert!(world.person(name).starts_with("unsubscribed ["), "{case}: {}", world.person(name));
        }
        assert!(world.person("dora").ends_with("opted out"), "{case}: {}", world.person("dora"));
        world.assert_settled().await;
    }
}

/// The survivor is who changed their address, and had opted out: whoever is merged into them is judged all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_whoever_is_merged_into_somebody_opted_out_whose_address_changed_gets_no_more_mail() {
    let world = World::new(|builder| {
        people::enrolled(builder, "cleo", GENERAL);
        people::enrolled(builder, "dora", GENERAL);
    })
    .await;
    world.synced().await;
    change_address(&world, "cleo", "cleo.new");
    world.act(Act::Unsubscribe { email: address("cleo.new") });
    world.synced().await;
    world.act(Act::Merge { primary: address("cleo"), other: address("dora") });
    world.synced().await;
    world.synced().await;
    assert!(world.person("dora").starts_with("unsubscribed ["), "{}", world.person("dora"));
    world.assert_settled().await;
}

/// The new address is that of another contact: it is their member now, and the first has none to be sent mail to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_member_given_another_contacts_address_is_theirs_and_the_first_gets_no_second_one() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "bram", people::DEALS);
    })
    .await;
    world.synced().await;
    change_address(&world, "ada", "bram");
    world.synced().await;
    world.assert_settled().await;
    assert_eq!(world.person("ada"), "no member; lists [987]");
    set_email(&world, "ada", &address("ada.third"));
    world.synced().await;
    assert_eq!(world.person("ada.third"), "no member; lists [987]", "whatever changes about them");
}

/// A contact with the new address may come later: the member is theirs by then, and the first is enrolled no second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r10_a_member_given_the_address_of_a_contact_that_comes_later_is_theirs_by_then() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    change_address(&world, "ada", "ada.new");
    world.synced().await;
    people::act_new(&world, "ada.new", people::LONG_TERM);
    for round in 0..3 {
        world.synced().await;
        assert_eq!(world.person("ada"), "no member; lists [987]", "{round} {}", world.person("ada.new"));
    }
    assert_eq!(world.person("ada.new"), "subscribed [General Single]; lists [1032]");
    world.assert_settled().await;
    world.act(Act::Unsubscribe { email: address("ada.new") });
    world.synced().await;
    world.synced().await;
    assert!(world.person("ada.new").ends_with("opted out"), "{}", world.person("ada.new"));
    world.assert_settled().await;
}

/// Of a contact that is in no list a scan shows nothing: HubSpot is told under the address that unsubscribed, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r20_an_opt_out_under_an_address_given_in_mailchimp_reaches_whoever_has_it_in_hubspot() {
    for seen_between in [true, false] {
        let world = World::new(|builder| {
            people::enrolled(builder, "ada", GENERAL);
            people::contact(builder, "ada.new");
        })
        .await;
        world.synced().await;
        change_address(&world, "ada", "ada.new");
        if seen_between {
            world.synced().await;
        }
        world.act(Act::Unsubscribe { email: address("ada.new") });
        world.synced().await;
        world.synced().await;
        for name in ["ada", "ada.new"] {
            assert!(world.person(name).ends_with("opted out"), "{seen_between}: {}", world.person(name));
        }
        world.assert_settled().await;
    }
}
