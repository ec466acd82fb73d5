//! Forgetting somebody: nothing that names them is left on either side or in any file, they stay away when they
//! come again, and nobody else loses anything.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, address};
use hsmc::domain::code::Code;
use hsmc::domain::email::Email;
use hsmc::domain::failure::Service;
use hsmc::sandbox::{Act, FaultKind, What};
use hsmc::serve::forget::{ForgetRequest, ForgetState, ForgetView};
use hsmc::serve::pull::{PullAnswer, PullRequest, PullWhat};
use hsmc::serve::requests::{Subject, SyncRequest};
use hsmc::serve::views::{RunState, StatusAnswer};
use hsmc::sync::scan::NoProgress;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

async fn forget(world: &World, name: &str) -> ForgetView {
    let app = world.open();
    let view = app.forget(ForgetRequest { address: address(name), dry_run: false }).await;
    app.close().await;
    world.assert_careful();
    view.unwrap_or_else(|trouble| panic!("{trouble:?}"))
}

/// Files below the state directory that hold an address, or its subscriber hash.
fn files_naming(world: &World, name: &str) -> Vec<String> {
    let email = Email::parse(&address(name)).unwrap();
    let mut found = Vec::new();
    let mut folders = vec![world.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && names(&path, &email) {
                found.push(path.strip_prefix(world.state()).unwrap().display().to_string());
            }
        }
    }
    found
}

fn names(path: &Path, email: &Email) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    holds(email.as_str().as_bytes()) || holds(&email.hash().0) || holds(email.hash().hex().as_bytes())
}

async fn world() -> World {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo"] {
            people::enrolled(builder, name, GENERAL);
        }
        people::enrolled(builder, "dora", COMPETITION);
    })
    .await;
    world.synced().await;
    world
}

fn comes_again(world: &World, name: &str) {
    let properties = BTreeMap::from([("email".to_owned(), address(name))]);
    world.act(Act::AddContact { properties });
    world.act(Act::JoinList { contact: address(name), list: GENERAL });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_names_a_forgotten_person_is_left_anywhere_and_nobody_else_loses_anything() {
    let world = world().await;
    world.act(Act::Unsubscribe { email: address("bram") });
    world.synced().await;
    assert!(!files_naming(&world, "ada").is_empty(), "she was known");
    let view = forget(&world, "ada").await;
    assert_eq!(view.state, ForgetState::Forgotten, "{view:?}");
    assert_eq!(view.mailchimp, ["unsubscribe the member", "delete the member for good"]);
    assert_eq!(view.hubspot.len(), 2, "{view:?}");
    assert_eq!(world.person("ada"), "no member; not in HubSpot");
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
    assert!(!serde_json::to_string(&view).unwrap().contains('@'), "a receipt names nobody: {view:?}");
    // The others are known as before, and the evidence of everybody is whole.
    assert!(!files_naming(&world, "bram").is_empty());
    let app = world.open();
    let chain = app.verify_consent().await.unwrap();
    let bram = app.consent_of(&address("bram")).await.unwrap();
    let ada = app.consent_of(&address("ada")).await.unwrap_err();
    app.close().await;
    assert_eq!(
        (chain.broken, chain.links, bram.links.len()),
        (None, 5, 2),
        "opted out on both sides, and forgotten"
    );
    assert!(ada.message.contains("forgotten"), "{ada:?}");
    world.assert_settled().await;
    assert_eq!(world.person("cleo"), "subscribed [General Single]; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_becomes_known_while_forgetting_waits_for_a_run_leaves_nothing() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    let app = world.open();
    let request = ForgetRequest { address: address("ada"), dry_run: false };
    let run = SyncRequest { yes: true, ..SyncRequest::default() };
    // The run comes first, and sees her before she is forgotten.
    let (ran, view) = tokio::join!(biased; app.sync(run, &NoProgress), app.forget(request));
    app.close().await;
    ran.unwrap();
    assert_eq!(view.unwrap().state, ForgetState::Forgotten);
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
    assert!(!files_naming(&world, "bram").is_empty(), "the run saw both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_still_get_mail_is_opted_out_before_anything_is_deleted() {
    let world = world().await;
    let mark = world.mark();
    forget(&world, "ada").await;
    let order = world.changes_since(mark);
    let at = |word: &str| {
        order.iter().position(|line| line.starts_with(word)).unwrap_or_else(|| panic!("{order:?}"))
    };
    assert!(at("StatusChanged") < at("MemberForgotten"), "{order:?}");
    assert!(at("OptedOut") < at("ContactForgotten"), "{order:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_of_one_address_are_forgotten_together() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "ada", COMPETITION);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    let view = forget(&world, "ada").await;
    let contacts = view.hubspot.iter().filter(|line| line.starts_with("delete contact")).count();
    assert_eq!((view.state, contacts), (ForgetState::Forgotten, 2));
    assert_eq!(world.person("ada"), "no member; not in HubSpot");
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Before);
}

/// Ada's contact has two addresses, and each a member of its own.
async fn of_two_addresses(further_member: bool) -> World {
    let world = World::new(|builder| {
        let (email, further) = (address("ada"), address("ada.too"));
        let id = builder.contact(&[("email", &email), ("hs_additional_emails", &further)]);
        builder.join(GENERAL, id);
        people::member(builder, "ada");
        if further_member {
            people::member(builder, "ada.too");
        }
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_under_a_further_address_of_the_contact_is_forgotten_with_them() {
    for asked in ["ada", "ada.too"] {
        let world = of_two_addresses(true).await;
        let app = world.open();
        let plan = app.forget(ForgetRequest { address: address(asked), dry_run: true }).await.unwrap();
        app.close().await;
        assert_eq!(plan.mailchimp.len(), 4, "{plan:?}");
        let view = forget(&world, asked).await;
        assert_eq!(view.state, ForgetState::Forgotten, "{view:?}");
        let erased = view.mailchimp.iter().filter(|line| *line == "delete the member for good").count();
        assert_eq!(erased, 2, "{view:?}");
        for name in ["ada", "ada.too"] {
            assert_eq!(world.person(name), "no member; not in HubSpot", "{name}, asked for {asked}");
            assert_eq!(files_naming(&world, name), Vec::<String>::new(), "{name}, asked for {asked}");
            assert_eq!(forget(&world, name).await.state, ForgetState::Before, "{name}");
        }
        world.assert_settled().await;
    }
}

/// HubSpot keeps opt-outs by address, and nobody has been told of the new one yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_was_given_another_address_is_opted_out_under_it_before_it_is_deleted() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    let (contact, property) = (address("ada"), "email".to_owned());
    world.act(Act::SetProperty { contact, property, value: address("ada.new") });
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    world.assert_careful();
    assert_eq!(world.person("ada.new"), "no member; not in HubSpot");
}

/// They write from the address they remember; the evidence of their consent knows whom they have become.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_by_a_former_address_is_forgotten_under_the_present_one_too() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::Clean { email: address("ada") });
    world.synced().await;
    let (contact, property) = (address("ada"), "email".to_owned());
    world.act(Act::SetProperty { contact, property, value: address("ada.new") });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    assert!(world.person("ada.new").starts_with("subscribed"), "{}", world.person("ada.new"));

    let app = world.open();
    let plan = app.forget(ForgetRequest { address: address("ada"), dry_run: true }).await.unwrap();
    app.close().await;
    assert!(plan.hubspot.iter().any(|line| line.starts_with("delete contact")), "{plan:?}");
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    for name in ["ada", "ada.new"] {
        assert_eq!(world.person(name), "no member; not in HubSpot", "{name}");
        assert_eq!(files_naming(&world, name), Vec::<String>::new(), "{name}");
        assert_eq!(forget(&world, name).await.state, ForgetState::Before, "{name}");
    }
    world.assert_careful();
}

/// Ada's address becomes another, and somebody new is given hers.
fn changes_hands(world: &World) {
    let (contact, property) = (address("ada"), "email".to_owned());
    world.act(Act::SetProperty { contact, property, value: address("ada.new") });
    people::act_new(world, "ada", COMPETITION);
}

/// Which of the two contacts is meant nobody can say: nothing is deleted before a run has seen both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_address_that_has_changed_hands_nobody_is_forgotten_before_a_run_has_seen_it() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    changes_hands(&world);
    let app = world.open();
    for dry_run in [true, false] {
        let trouble = app.forget(ForgetRequest { address: address("ada"), dry_run }).await.unwrap_err();
        assert_eq!(trouble.code, Code::NotNow, "{}", trouble.message);
        assert!(trouble.way_out.contains("hsmc sync"), "{}", trouble.way_out);
    }
    app.close().await;
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    assert_eq!(world.person("ada"), "no member; not in HubSpot");
    assert!(world.person("ada.new").starts_with("subscribed"), "{}", world.person("ada.new"));
}

/// An operator who is not sure asks twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_address_leads_to_nobody_who_had_it_before() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::Clean { email: address("ada") });
    world.synced().await;
    changes_hands(&world);
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    assert!(world.person("ada.new").starts_with("subscribed"), "{}", world.person("ada.new"));
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Before);
    assert!(world.person("ada.new").starts_with("subscribed"), "{}", world.person("ada.new"));
    let app = world.open();
    let trouble = app.why(&address("ada")).await.unwrap_err();
    assert!(trouble.message.contains("was forgotten"), "{}", trouble.message);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_scans_name_a_forgotten_person_by_no_former_address_either() {
    let world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    let (contact, property) = (address("ada"), "email".to_owned());
    world.act(Act::SetProperty { contact, property, value: address("ada.new") });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    assert_eq!(forget(&world, "ada.new").await.state, ForgetState::Forgotten);
    for name in ["ada", "ada.new"] {
        assert_eq!(files_naming(&world, name), Vec::<String>::new(), "{name}");
    }
    world.synced().await;
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_further_address_without_a_member_is_kept_away_as_well() {
    let world = of_two_addresses(false).await;
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    comes_again(&world, "ada.too");
    world.synced().await;
    assert_eq!(world.person("ada.too"), "no member; lists [987]");
    assert_eq!(files_naming(&world, "ada.too"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let world = world().await;
    let (mark, calls) = (world.mark(), world.mutating_calls());
    let app = world.open();
    let view = app.forget(ForgetRequest { address: address("ada"), dry_run: true }).await.unwrap();
    let stranger = app.forget(ForgetRequest { address: address("nobody"), dry_run: true }).await.unwrap();
    app.close().await;
    assert_eq!((view.state, view.mailchimp.len(), view.hubspot.len()), (ForgetState::Planned, 2, 2));
    assert_eq!((stranger.person, stranger.mailchimp.len(), stranger.hubspot.len()), (None, 0, 0));
    assert_eq!((world.changes_since(mark), world.mutating_calls()), (Vec::new(), calls));
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_forget_twice_is_harmless_and_a_stranger_is_kept_away_too() {
    let world = world().await;
    forget(&world, "ada").await;
    let (mark, calls) = (world.mark(), world.mutating_calls());
    let again = forget(&world, "ada").await;
    assert_eq!(again.state, ForgetState::Before);
    assert!(again.at.is_some());
    assert_eq!((world.changes_since(mark), world.mutating_calls()), (Vec::new(), calls));
    // Nobody has ever seen them: they are not to be taken in either.
    assert_eq!(forget(&world, "nobody").await.state, ForgetState::Forgotten);
    assert_eq!(files_naming(&world, "nobody"), Vec::<String>::new());
    comes_again(&world, "nobody");
    world.synced().await;
    assert_eq!(world.person("nobody"), "no member; lists [987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_person_who_comes_again_is_not_enrolled_and_not_even_recorded() {
    let world = world().await;
    forget(&world, "ada").await;
    comes_again(&world, "ada");
    // By their own hand, on both sides, with a tag that would hand them over.
    world.act(Act::OptIn { email: address("ada"), subscription: None });
    world.act(Act::AddMember { email: address("ada"), status: "subscribed".to_owned() });
    world.act(Act::SetTag { email: address("ada"), tag: "General Single Finished".to_owned() });
    // HubSpot's search lags, and would still show the opt-out.
    world.clock.jump(Duration::from_secs(60));
    let (mark, calls) = (world.mark(), world.mutating_calls());
    let report = world.synced().await;
    assert_eq!((world.changes_since(mark), world.mutating_calls()), (Vec::new(), calls));
    assert!(!serde_json::to_string(&report).unwrap().contains("ada@"));
    assert_eq!(report.run.counts.notes.get("forgotten, and seen again: left alone"), Some(&1));
    let app = world.open();
    assert!(app.consent_of(&address("ada")).await.unwrap_err().message.contains("forgotten"));
    app.close().await;
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new(), "not in what scans keep either");
    world.assert_settled().await;
    // Forgotten once more, and gone once more.
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    assert_eq!(world.person("ada"), "no member; not in HubSpot");
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_of_a_forgotten_person_is_still_carried_over_and_leaves_no_record() {
    let world = world().await;
    forget(&world, "ada").await;
    comes_again(&world, "ada");
    world.act(Act::AddMember { email: address("ada"), status: "subscribed".to_owned() });
    // HubSpot knows by the address that they opted out, although the contact is a new one.
    world.synced().await;
    assert!(world.person("ada").starts_with("unsubscribed"), "{}", world.person("ada"));
    world.act(Act::OptIn { email: address("ada"), subscription: None });
    world.act(Act::Resubscribe { email: address("ada") });
    world.synced().await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    assert!(world.person("ada").contains("opted out"), "{}", world.person("ada"));
    let app = world.open();
    assert!(app.consent_of(&address("ada")).await.unwrap_err().message.contains("forgotten"));
    let chain = app.verify_consent().await.unwrap();
    app.close().await;
    assert_eq!(chain.broken, None);
    world.assert_settled().await;
    // What scans kept of them for it goes with the next run.
    world.synced().await;
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting_overtakes_whatever_else_is_open_for_that_person() {
    let mut world = World::new(|builder| {
        people::finished(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
    })
    .await;
    world.patience = Duration::from_secs(20);
    world.fail(Service::HubSpot, "POST", "batch/update", FaultKind::Status { code: 503, body: None });
    world.fail(Service::HubSpot, "PUT", "memberships", FaultKind::Status { code: 503, body: None });
    assert_eq!(world.sync().await.run.state, RunState::Failed);
    let app = world.open();
    let StatusAnswer::Overview(status) = app.status(Subject::All).await.unwrap() else { panic!() };
    assert_eq!((status.open_moves, status.moves[0].kind.as_str()), (1, "hand-over"));
    app.close().await;
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
    let app = world.open();
    let StatusAnswer::Overview(status) = app.status(Subject::All).await.unwrap() else { panic!() };
    app.close().await;
    assert_eq!(status.open_moves, 0, "{:?}", status.moves);
    assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
    world.mend();
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting_is_not_held_by_a_pause() {
    let world = world().await;
    let app = world.open();
    app.pause(hsmc::serve::requests::Scope::All).await.unwrap();
    app.close().await;
    assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_is_looked_for_and_nothing_is_deleted_twice() {
    for part in ["gdpr-delete", "delete-permanent"] {
        let world = world().await;
        let service = if part == "gdpr-delete" { Service::HubSpot } else { Service::Mailchimp };
        let lost =
            hsmc::sandbox::Matches { times: Some(1), ..hsmc::sandbox::Matches::call(service, "POST", part) };
        world.fault(lost, FaultKind::LostAfter);
        let mark = world.mark();
        assert_eq!(forget(&world, "ada").await.state, ForgetState::Forgotten, "{part}");
        let gone = |what: &What| matches!(what, What::MemberForgotten { .. } | What::ContactForgotten { .. });
        assert_eq!(world.count_since(mark, gone), 2, "{part}");
        assert_eq!(files_naming(&world, "ada"), Vec::<String>::new(), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_for_good_it_is_stuck_and_goes_on_once_the_cause_is_mended() {
    // A right that the token lacks is refused for good too: it comes by nobody's waiting.
    for (service, part, code) in [
        (Service::HubSpot, "gdpr-delete", 400),
        (Service::HubSpot, "gdpr-delete", 403),
        (Service::Mailchimp, "delete-permanent", 403),
    ] {
        let world = world().await;
        world.fail(service, "POST", part, FaultKind::Status { code, body: None });
        let view = forget(&world, "ada").await;
        assert!(matches!(view.state, ForgetState::Stuck { .. }), "{part} {code}: {view:?}");
        // Nobody's record goes before both services are done.
        assert!(!files_naming(&world, "ada").is_empty());
        world.mend();
        world.synced().await;
        assert_eq!(world.person("ada"), "no member; not in HubSpot", "{part} {code}");
        assert_eq!(files_naming(&world, "ada"), Vec::<String>::new());
        world.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_again_and_again_for_a_person_is_forgotten_with_them() {
    let world = World::new(|builder| {
        people::enrolled(builder, "bram", GENERAL);
        // Mailchimp refuses the address: the same failure each time it is tried.
        let ada = builder.contact(&[("email", "fake.ada@example.com"), ("firstname", "Ada")]);
        builder.join(GENERAL, ada);
    })
    .await;
    world.synced().await;
    let remembered = |app: &hsmc::app::App| {
        let journal = &app.workspace.shared.journal;
        journal.meta_get::<hsmc::domain::repeat::Memory>("repeated failures").unwrap().unwrap_or_default()
    };
    let app = world.open();
    assert_ne!(remembered(&app), hsmc::domain::repeat::Memory::default(), "her failure is remembered");
    app.close().await;
    forget(&world, "fake.ada").await;
    let app = world.open();
    assert_eq!(remembered(&app), hsmc::domain::repeat::Memory::default());
    app.close().await;
}

async fn pull(world: &World, what: PullWhat) -> PullAnswer {
    let request = PullRequest {
        what,
        full: true,
        since: None,
        batch_size: None,
        limit: None,
        dry_run: false,
        overwrite: false,
    };
    let app = world.open();
    let answer = app.pull(request, &|_| ()).await;
    app.close().await;
    world.assert_careful();
    answer.unwrap_or_else(|trouble| panic!("{trouble:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mirror_lets_go_of_a_forgotten_person_and_takes_them_in_no_more() {
    let world = world().await;
    assert!(pull(&world, PullWhat::All).await.is_whole());
    let before = files_naming(&world, "bram");
    assert!(before.iter().any(|file| file.starts_with("mirror/")), "{before:?}");

    forget(&world, "bram").await;
    assert_eq!(files_naming(&world, "bram"), Vec::<String>::new());
    let again = pull(&world, PullWhat::Object("contacts".to_owned())).await;
    assert_eq!(
        (again.lost, again.pulls[0].unchanged, again.pulls[0].new),
        (None, 3, 0),
        "nobody else is lost"
    );

    comes_again(&world, "bram");
    world.clock.jump(Duration::from_secs(60));
    let again = pull(&world, PullWhat::Object("contacts".to_owned())).await;
    assert_eq!((again.pulls[0].left_out, again.pulls[0].new), (1, 0));
    assert_eq!(files_naming(&world, "bram"), Vec::<String>::new());
}
