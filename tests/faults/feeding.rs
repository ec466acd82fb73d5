//! A segment that feeds a static HubSpot list: by the moves of ordinary runs, and of nobody who is not marketed to.

use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, GENERAL, address};
use hsmc::domain::code::Code;
use hsmc::domain::id::RunId;
use hsmc::sandbox::{Act, Fault, FaultKind, Matches, What};
use hsmc::serve::requests::PlanRequest;
use hsmc::serve::undo::{UndoOf, UndoRequest};
use std::collections::BTreeSet;

/// The list that is fed: static, and used for nothing else.
const FED: u64 = 947;

/// Whoever calls themselves Customer belongs to the segment.
async fn feeding(people: impl FnOnce(&mut hsmc::sandbox::scenario::Builder)) -> World {
    let mut world = World::new(|builder| {
        builder.property("company", "string");
        people(builder);
    })
    .await;
    world
        .config
        .push_str("\n[segments.customers]\nwhere = 'company = Customer'\nfeeds = { list = \"947\" }\n");
    world
}

fn company(name: &str, value: &str) -> Act {
    Act::SetProperty { contact: address(name), property: "company".to_owned(), value: value.to_owned() }
}

/// Whoever was a customer is one no longer, and HubSpot's search for changes, which lags, knows of it.
fn becomes_a_lead(world: &World, name: &str) {
    world.act(company(name, "Lead"));
    world.clock.jump(std::time::Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_enters_a_segment_is_put_into_its_list_and_who_leaves_it_is_taken_out() {
    let world = feeding(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", COMPETITION);
        let cleo = people::enrolled(builder, "cleo", GENERAL);
        builder.join(FED, cleo);
    })
    .await;
    world.act(company("ada", "Customer"));
    let plan = world.plan(PlanRequest::default()).await;
    let steps: Vec<String> =
        plan.moves.iter().flat_map(|planned| &planned.steps).map(|step| step.text.clone()).collect();
    let wanted = ["join list 947", "leave list 947"].map(str::to_owned);
    assert_eq!(steps.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(wanted));
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [947, 987]");
    assert_eq!(world.person("bram"), "subscribed [Competition]; lists [720]");
    assert_eq!(world.person("cleo"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
    becomes_a_lead(&world, "ada");
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_new_is_enrolled_and_put_into_the_fed_list_by_one_run() {
    let world = feeding(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.act(company("ada", "Customer"));
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [947, 987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_marketed_to_no_more_leaves_the_fed_list_and_others_are_left_in_it() {
    let world = feeding(|builder| {
        for name in ["excluded", "orphan", "finished", "silent", "other"] {
            let contact = match name {
                "other" => people::contact(builder, name),
                _ => people::enrolled(builder, name, GENERAL),
            };
            builder.join(FED, contact);
        }
    })
    .await;
    for name in ["excluded", "orphan", "finished", "silent", "other"] {
        world.act(company(name, "Customer"));
    }
    world.synced().await;
    world.assert_settled().await;
    world.act(Act::JoinList { contact: address("excluded"), list: DEALS });
    world.act(Act::LeaveList { contact: address("orphan"), list: GENERAL });
    world.act(Act::SetTag { email: address("finished"), tag: "General Single Finished".to_owned() });
    world.act(Act::Unsubscribe { email: address("silent") });
    // The opt-out goes alone; the run after it does the rest.
    world.synced().await;
    world.synced().await;
    assert_eq!(world.person("excluded"), "archived []; lists [717]");
    assert_eq!(world.person("orphan"), "archived []; lists []");
    assert_eq!(world.person("finished"), "archived []; lists [946]");
    assert_eq!(world.person("silent"), "unsubscribed [General Single]; lists [762, 987], opted out");
    assert_eq!(world.person("other"), "no member; lists [947]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_segment_did_to_its_list_can_be_undone() {
    let world = feeding(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.act(company("ada", "Customer"));
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [947, 987]");
    let app = world.open();
    let of = UndoOf::Run(RunId(1));
    app.undo(UndoRequest { of, apply: true, agreed: None }).await.unwrap();
    app.close().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_to_the_call_that_fills_a_list_is_looked_after_and_nothing_is_done_twice() {
    let world = feeding(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    for name in ["ada", "bram"] {
        world.act(company(name, "Customer"));
    }
    let matches = Matches::call(hsmc::domain::failure::Service::HubSpot, "PUT", "/memberships/add").nth(1);
    world.sandbox().add_fault(Fault { matches, kind: FaultKind::LostAfter });
    let mark = world.mark();
    world.synced().await;
    for name in ["ada", "bram"] {
        assert_eq!(world.person(name), "subscribed [General Single]; lists [947, 987]");
    }
    assert_eq!(world.count_since(mark, |what| matches!(what, What::ListJoined { .. })), 2);
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dynamic_list_is_never_fed_and_check_names_it() {
    for (list, code, told) in [
        (99_947, "HSMC2101", "HubSpot has no list 99947"),
        (773, "HSMC2103", "is dynamic: nobody can be added"),
    ] {
        let mut world = feeding(|builder| {
            people::enrolled(builder, "ada", GENERAL);
        })
        .await;
        world.config = world.config.replace("\"947\"", &format!("\"{list}\""));
        world.act(company("ada", "Customer"));
        let mark = world.mark();
        let app = world.open();
        let found = hsmc::app::check::check(&app, &world.file("hsmc.toml")).await;
        app.close().await;
        let finding = found.findings.iter().find(|one| one.code.is_some_and(|one| one.to_string() == code));
        let finding = finding.unwrap_or_else(|| panic!("{code}: {:?}", found.findings));
        assert!(finding.place.contains("segments.customers.feeds.list"), "{}", finding.place);
        assert!(finding.message.contains(told), "{}", finding.message);
        let refused = world.try_sync(Default::default()).await.unwrap_err();
        assert_eq!(refused.code.to_string(), code, "{refused:?}");
        assert_eq!(world.changes_since(mark), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_of_a_missing_merge_field_that_a_segment_fills_where_the_segment_stands() {
    let mut world = feeding(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.config = world.config.replace("list = \"947\"", "list = \"947\", merge_field = \"CUST\"");
    let app = world.open();
    let found = hsmc::app::check::check(&app, &world.file("hsmc.toml")).await;
    app.close().await;
    let note = found.findings.iter().find(|one| one.message.contains("merge field CUST does not exist yet"));
    let place = &note.unwrap_or_else(|| panic!("{:?}", found.findings)).place;
    assert!(place.ends_with(" segments.customers.feeds.merge_field"), "{place}");
}

/// HubSpot says nothing of a name that it does not know: the mirror would have an empty column for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_that_the_mirror_shall_keep_and_hubspot_does_not_have_is_named_by_check() {
    let mut world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.config.push_str(
        "\n[[pull.object]]\ntype = \"contacts\"\nproperties = [\"email\", \"nosuch\"]\n\
         [[pull.object]]\ntype = \"companies\"\nproperties = [\"*\"]\n",
    );
    let app = world.open();
    let found = hsmc::app::check::check(&app, &world.file("hsmc.toml")).await;
    app.close().await;
    let told: Vec<&str> = found
        .findings
        .iter()
        .filter(|one| one.code == Some(Code::PropertyMissing))
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(told, ["HubSpot's contacts have no property nosuch"]);
}
