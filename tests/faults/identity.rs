//! Who is who after contacts were deleted, merged or given another address, seen end to end.

use crate::support::World;
use crate::support::people::{self, GENERAL, address};
use hsmc::sandbox::Act;

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
