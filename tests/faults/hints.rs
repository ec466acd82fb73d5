//! People of whom a webhook said something, many at once and soon after one another.

use crate::support::World;
use crate::support::people::{self, GENERAL, address};
use hsmc::app::App;
use hsmc::domain::email::Email;
use hsmc::domain::hint::Says;
use hsmc::domain::id::RecordId;
use hsmc::sandbox::Act;
use hsmc::serve::webhooks::Whom;

/// More than are read one by one.
const BURST: usize = 25;

/// They all unsubscribe, and a webhook tells of it.
async fn unsubscribe(world: &World, app: &App, names: &[String]) {
    let mut told = Vec::new();
    for name in names {
        world.act(Act::Unsubscribe { email: address(name) });
        told.push(Whom::Member(Email::parse(&address(name)).unwrap().hash()));
    }
    assert_eq!(app.hear_of(told, Says::OptedOut).await.unwrap(), names.len() as u64);
    app.look_into_hints(Says::OptedOut).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsubscribe_of_somebody_in_none_of_the_lists_crosses_over_too() {
    let world = World::new(|builder| {
        people::contact(builder, "ada");
        people::member(builder, "ada");
        people::member(builder, "bram");
        people::contact(builder, "cleo");
        people::member(builder, "cleo");
        people::contact(builder, "dora");
    })
    .await;
    world.synced().await;
    let app = world.open();
    unsubscribe(&world, &app, &["ada".to_owned(), "bram".to_owned()]).await;
    // The other way: HubSpot names a record that hsmc knows nobody by; over a restart, too.
    for name in ["cleo", "dora"] {
        world.act(Act::OptOut { email: address(name), subscription: None });
        let record = world.sandbox().hubspot.contact_by_email(&address(name)).unwrap().id;
        assert_eq!(app.hear_of(vec![Whom::Record(RecordId(record))], Says::OptedOut).await.unwrap(), 1);
    }
    app.close().await;
    let app = world.open();
    app.look_into_hints(Says::OptedOut).await.unwrap();
    assert_eq!(app.hints.waiting(), 0);
    app.close().await;
    assert!(world.person("ada").ends_with("opted out"), "{}", world.person("ada"));
    assert_eq!(world.person("bram"), "unsubscribed []; not in HubSpot");
    assert_eq!(world.person("cleo"), "unsubscribed []; lists [762], opted out");
    assert_eq!(world.person("dora"), "no member; lists [762], opted out");
    world.synced().await;
    world.assert_settled().await;
}

/// A bulk edit tells of everybody; over a restart, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_said_to_have_opted_out_waits_behind_nobody_else() {
    let names: Vec<String> = (0..2 * BURST).map(|number| format!("p{number}")).collect();
    let world = World::new(|builder| {
        for name in &names {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    let member = |name: &String| Whom::Member(Email::parse(&address(name)).unwrap().hash());
    let last = names.last().unwrap();
    let app = world.open();
    let all = names.iter().map(member).collect();
    assert_eq!(app.hear_of(all, Says::Changed).await.unwrap(), names.len() as u64);
    world.act(Act::Unsubscribe { email: address(last) });
    assert_eq!(app.hear_of(vec![member(last)], Says::OptedOut).await.unwrap(), 1, "who waits already, too");
    assert_eq!(app.hear_of(vec![member(last)], Says::OptedOut).await.unwrap(), 0);
    assert_eq!(app.hear_of(vec![member(last)], Says::Changed).await.unwrap(), 0);
    app.close().await;
    let app = world.open();
    app.look_into_hints(Says::OptedOut).await.unwrap();
    assert!(world.person(last).ends_with("opted out"), "{}", world.person(last));
    assert_eq!(app.hints.waiting(), names.len(), "the others wait");
    app.look_into_hints(Says::Changed).await.unwrap();
    assert_eq!(app.hints.waiting(), 0);
    app.close().await;
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_burst_of_unsubscribes_crosses_over_however_soon_it_comes() {
    let names: Vec<String> = (0..3 * BURST).map(|number| format!("p{number}")).collect();
    let world = World::new(|builder| {
        for name in &names {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    let app = world.open();
    for burst in names.chunks(BURST) {
        unsubscribe(&world, &app, burst).await;
        for name in burst {
            assert!(world.person(name).ends_with("opted out"), "{}", world.person(name));
        }
    }
    app.close().await;
    world.synced().await;
    world.assert_settled().await;
}
