//! R11 end to end: tags that follow their lists' names.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::domain::failure::Service;
use hsmc::sandbox::scenario::Builder;
use hsmc::sandbox::{Act, FaultKind, What};

/// Both lists give their names, and everybody is settled.
async fn named(people: impl FnOnce(&mut Builder)) -> World {
    let mut world = World::new(people).await;
    for tag in ["General Single", "Competition"] {
        world.config = world.config.replace(&format!("tag = \"{tag}\" }}"), "tag = \"list-name\" }");
    }
    assert!(world.config.contains("list-name"));
    world.synced().await;
    world
}

fn rename(world: &World, list: u64, name: &str) {
    world.act(Act::RenameList { list, name: name.to_owned() });
}

fn journeys(world: &World, mark: usize) -> usize {
    world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_renamed_list_renames_its_tag_in_one_call_and_keeps_its_bearers() {
    let world = named(|builder| {
        for name in ["ada", "bram", "cleo"] {
            people::listed(builder, name, GENERAL);
        }
    })
    .await;
    let before = world.person("ada");
    assert!(before.starts_with("subscribed [") && before.ends_with("]; lists [987]"), "{before}");
    rename(&world, GENERAL, "Spring campaign");
    let (mark, calls) = (world.mark(), world.mutating_calls());
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [Spring campaign]; lists [987]");
    assert_eq!(journeys(&world, mark), 0);
    assert_eq!(world.mutating_calls() - calls, 1);
    world.assert_settled().await;
    world.act(Act::AddContact { properties: [("email".to_owned(), address("dora"))].into_iter().collect() });
    world.act(Act::JoinList { contact: address("dora"), list: GENERAL });
    world.synced().await;
    assert_eq!(world.person("dora"), "subscribed [Spring campaign]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_two_lists_that_changed_names_at_once_change_their_tags() {
    let world = named(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", COMPETITION);
    })
    .await;
    rename(&world, GENERAL, "One");
    rename(&world, COMPETITION, "Two");
    world.synced().await;
    rename(&world, GENERAL, "Three");
    rename(&world, COMPETITION, "One");
    rename(&world, GENERAL, "Two");
    let mark = world.mark();
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [Two]; lists [987]");
    assert_eq!(world.person("bram"), "subscribed [One]; lists [720]");
    assert_eq!(journeys(&world, mark), 0);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_where_mailchimp_refuses_the_tag_keeps_its_name_and_everybody_who_comes_gets_it() {
    let world = named(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    rename(&world, GENERAL, "Spring campaign");
    world.synced().await;
    rename(&world, GENERAL, "Summer campaign");
    world.act(Act::AddContact { properties: [("email".to_owned(), address("dora"))].into_iter().collect() });
    world.act(Act::JoinList { contact: address("dora"), list: GENERAL });
    let body = r#"{"title":"Invalid Resource","status":400,"detail":"no such name"}"#;
    let refused = FaultKind::Status { code: 400, body: Some(body.to_owned()) };
    world.fail(Service::Mailchimp, "PATCH", "/segments", refused);
    let report = world.synced().await;
    for name in ["ada", "dora"] {
        assert_eq!(world.person(name), "subscribed [Spring campaign]; lists [987]");
    }
    let notes: Vec<&String> = report.run.counts.notes.keys().collect();
    assert!(notes.iter().any(|note| note.contains("its tag stays \"Spring campaign\"")), "{notes:?}");
    world.mend();
    world.synced().await;
    assert_eq!(world.person("dora"), "subscribed [Summer campaign]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_an_answer_lost_after_the_renaming_harms_nobody() {
    let world = named(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    rename(&world, GENERAL, "Spring campaign");
    world.fail(Service::Mailchimp, "PATCH", "/segments", FaultKind::LostAfter);
    world.sync().await;
    world.mend();
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [Spring campaign]; lists [987]");
    world.assert_settled().await;
}
