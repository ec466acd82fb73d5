//! Evidence of consent (R23): every change is kept, in one link for each thing seen and each thing done.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::sandbox::Act;
use hsmc::sandbox::mailchimp::Status;
use hsmc::serve::requests::AdoptRequest;
use std::time::Duration;

/// What the chain holds of somebody, in a line each.
pub async fn told(world: &World, name: &str) -> Vec<String> {
    let app = world.open();
    let view = app.consent_of(&address(name)).await.unwrap();
    app.close().await;
    let called = |called: &Option<String>| called.clone().unwrap_or_else(|| "nothing".to_owned());
    let lines = view.links.iter().map(|link| {
        assert_eq!(link.is_of_address, Some(true), "{link:?}");
        format!("{} {} {}: {}", link.change, link.seen, link.status, called(&link.called))
    });
    lines.collect()
}

async fn holds(world: &World) -> u64 {
    let app = world.open();
    let chain = app.verify_consent().await.unwrap();
    app.close().await;
    assert_eq!(chain.broken, None);
    chain.links
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_every_kind_of_consent_change_is_kept_as_evidence() {
    let world = World::new(|builder| {
        builder.property("mailchimp_bounced", "string");
        for name in ["ada", "bram", "cleo", "dora", "finn", "hal"] {
            people::enrolled(builder, name, GENERAL);
        }
        people::listed(builder, "gus", GENERAL);
        people::member(builder, "gus");
        people::contact(builder, "eve");
    })
    .await;
    world.act(Act::Archive { email: address("gus") });
    // Archived by hsmc, to be restored below.
    world.act(Act::LeaveList { contact: address("finn"), list: GENERAL });
    world.synced().await;
    assert_eq!(holds(&world).await, 0, "nobody's consent has changed yet");

    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    world.act(Act::Clean { email: address("cleo") });
    world.act(Act::Unsubscribe { email: address("dora") });
    world.act(Act::OptOut { email: address("dora"), subscription: None });
    world.act(Act::OptOut { email: address("eve"), subscription: None });
    world.act(Act::Unsubscribe { email: address("hal") });
    world.act(Act::JoinList { contact: address("finn"), list: COMPETITION });
    world.clock.jump(Duration::from_secs(60));
    let app = world.open();
    app.adopt(AdoptRequest::People(vec![address("gus")])).await.unwrap();
    app.close().await;
    world.synced().await;
    world.clock.jump(Duration::from_secs(600));
    world.act(Act::Resubscribe { email: address("hal") });
    world.synced().await;
    world.synced().await;

    let seen = |where_: &str| format!("opt-out-seen {where_}: nothing");
    assert_eq!(
        told(&world, "ada").await,
        [
            seen("Mailchimp unsubscribed"),
            "opt-out-delivered Mailchimp unsubscribed: opt out of all email".to_owned()
        ]
    );
    assert_eq!(
        told(&world, "bram").await,
        [
            seen("HubSpot hs_email_optout"),
            "opt-out-delivered HubSpot hs_email_optout: unsubscribe the member".to_owned()
        ]
    );
    let bounce =
        "bounce-noted Mailchimp cleaned: clear tag \"General Single\"; set mailchimp_bounced = \"true\"";
    assert_eq!(told(&world, "cleo").await, [bounce]);
    let both = "opt-out-delivered Mailchimp opted out on both sides: nothing".to_owned();
    assert_eq!(told(&world, "dora").await, [seen("Mailchimp unsubscribed"), both]);
    // Nobody to be told: seen, and that is all.
    assert_eq!(told(&world, "eve").await, [seen("HubSpot hs_email_optout")]);
    let restored =
        "restored Mailchimp archived by hsmc while subscribed: subscribe the archived member again";
    assert_eq!(told(&world, "finn").await, [restored]);
    let adopted = "restored operator adopted: subscribe the archived member again";
    assert_eq!(told(&world, "gus").await, ["adopted operator archived: nothing", adopted]);
    assert_eq!(told(&world, "hal").await[2..], ["opted-in-again Mailchimp subscribed: nothing"]);
    let links = holds(&world).await;
    world.synced().await;
    assert_eq!(holds(&world).await, links, "with nothing changed, nothing is told again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r23_whose_consent_never_changed_has_no_evidence_and_a_stranger_is_refused() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        builder.member(&address("old"), Status::Unsubscribed);
    })
    .await;
    world.synced().await;
    assert_eq!(told(&world, "ada").await, Vec::<String>::new());
    // Unknown to HubSpot: there is nobody to tell, and it is known that they opted out.
    assert_eq!(told(&world, "old").await, ["opt-out-seen Mailchimp unsubscribed: nothing"]);
    let app = world.open();
    let trouble = app.consent_of("nobody@example.com").await.unwrap_err();
    app.close().await;
    assert_eq!((trouble.exit, trouble.message.contains('@')), (2, false));
}
