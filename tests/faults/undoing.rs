//! Undo (R28): what a run did is taken back, as far as nobody changed it since, and never more than that.

use crate::identity::set_email;
use crate::support::World;
use crate::support::people::{self, COMPETITION, DEALS, FINISHED, GENERAL, LONG_TERM, NEW_AGENTS, address};
use hsmc::domain::failure::Service;
use hsmc::domain::id::{MoveId, RunId};
use hsmc::sandbox::mailchimp::Status;
use hsmc::sandbox::{Act, FaultKind, Matches, What};
use hsmc::serve::parked::ReleaseRequest;
use hsmc::serve::requests::Trouble;
use hsmc::serve::undo::{UndoAnswer, UndoOf, UndoRequest, UndoView};
use hsmc::serve::views::RunState;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

async fn ask(world: &World, request: UndoRequest) -> Result<UndoAnswer, Trouble> {
    let app = world.open();
    let answer = app.undo(request).await;
    app.close().await;
    world.assert_careful();
    answer
}

async fn undo(world: &World, run: u64) -> UndoAnswer {
    let of = UndoOf::Run(RunId(run));
    let answer = ask(world, UndoRequest { of, apply: true, agreed: None }).await.unwrap();
    if let Some(report) = &answer.report {
        assert_eq!(report.run.state, RunState::Done, "{report:#?}");
    }
    answer
}

async fn plan(world: &World, run: u64) -> UndoView {
    let of = UndoOf::Run(RunId(run));
    let answer = ask(world, UndoRequest { of, apply: false, agreed: None }).await.unwrap();
    assert!(answer.report.is_none());
    answer.plan
}

fn why_it_stays(plan: &UndoView, name: &str) -> Vec<String> {
    let of = |stays: &&hsmc::serve::undo::StaysView| stays.person == address(name);
    plan.stays.iter().filter(of).map(|stays| format!("{}: {}", stays.what, stays.why)).collect()
}

fn joined(name: &str, list: u64) -> Act {
    Act::JoinList { contact: address(name), list }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_what_a_run_did_is_taken_back_and_shown_before() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::finished(builder, "bram");
        let cleo = people::enrolled(builder, "cleo", COMPETITION);
        builder.join(DEALS, cleo);
        people::member(builder, "dev");
        builder.tag(&address("dev"), "General Single");
        builder.tag(&address("dev"), "Guest");
    })
    .await;
    let before: Vec<String> = ["bram", "cleo", "dev"].iter().map(|name| world.person(name)).collect();
    world.synced().await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [987]");

    let mark = world.mark();
    let shown = plan(&world, 1).await;
    assert_eq!(shown.total, 4);
    assert_eq!(world.changes_since(mark), Vec::<String>::new(), "a plan changes nothing");
    assert_eq!(
        shown.notes,
        ["1 of them had set tags that may start a journey: mail that has gone out stays out"]
    );
    let done = undo(&world, 1).await;
    assert_eq!(done.plan.agreed, shown.agreed, "what was shown is what is done");
    // Who was made is archived; everybody else is as before.
    assert_eq!(world.person("ada"), "archived []; lists [987]");
    for (name, before) in ["bram", "cleo", "dev"].iter().zip(before) {
        assert_eq!(world.person(name), before, "{name}");
    }
    assert_eq!(world.property("bram", "import_list"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_the_next_run_does_not_do_it_again_before_data_change_or_an_operator_releases() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::finished(builder, "bram");
        people::finished(builder, "cleo");
    })
    .await;
    world.synced().await;
    undo(&world, 1).await;
    world.assert_settled().await;
    world.clock.jump(Duration::from_secs(26 * 3600));
    world.assert_settled().await;
    // Of the three, one's data change and one is released.
    world.act(joined("ada", NEW_AGENTS));
    let app = world.open();
    app.release(ReleaseRequest::People(vec![address("bram")])).await.unwrap();
    app.close().await;
    world.synced().await;
    assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    assert!(world.person("bram").starts_with("archived"), "{}", world.person("bram"));
    assert!(world.person("cleo").starts_with("subscribed"), "{}", world.person("cleo"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_undone_twice_changes_nothing_the_second_time_and_an_undo_is_undone_the_same_way() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::finished(builder, "bram");
    })
    .await;
    let before = world.person("bram");
    world.synced().await;
    let after: Vec<String> = ["ada", "bram"].iter().map(|name| world.person(name)).collect();
    undo(&world, 1).await;
    let mark = world.mark();
    let again = undo(&world, 1).await;
    assert_eq!((again.plan.total, again.report), (0, None));
    assert_eq!(why_it_stays(&again.plan, "bram"), ["the whole hand-over: undone already by move 2.1"]);
    assert_eq!(world.changes_since(mark), Vec::<String>::new());

    undo(&world, 2).await;
    let redone: Vec<String> = ["ada", "bram"].iter().map(|name| world.person(name)).collect();
    assert_eq!(redone, after);
    undo(&world, 3).await;
    assert_eq!(world.person("bram"), before);
    assert_eq!(world.property("bram", "import_list"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_someone_who_unsubscribed_meanwhile_is_never_resubscribed() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        for name in ["bram", "cleo", "dev"] {
            people::finished(builder, name);
        }
    })
    .await;
    world.synced().await;
    // By the link in a mail; in HubSpot while archived; and one opt-out hsmc has seen already.
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    world.act(Act::Archive { email: address("ada") });
    world.act(Act::Resubscribe { email: address("cleo") });
    world.act(Act::Unsubscribe { email: address("cleo") });
    let mark = world.mark();
    let done = undo(&world, 1).await;
    assert_eq!(
        why_it_stays(&done.plan, "bram"),
        [
            "archive the member: opted out since: stays archived",
            "clear tag \"General Single Finished\": opted out since: no tag is set",
            "clear tag \"General Single\": opted out since: no tag is set",
        ]
    );
    let subscribed = |what: &What| matches!(what, What::StatusChanged { email, to: "subscribed", .. } if *email != address("dev"));
    assert_eq!(world.count_since(mark, subscribed), 0);
    assert!(world.person("cleo").starts_with("unsubscribed []"), "{}", world.person("cleo"));
    assert_eq!(world.person("dev"), "subscribed [General Single, General Single Finished]; lists [987]");
}

/// Protection holds against an operator too: who is a VIP since stays subscribed, with the tag.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_who_bears_a_protected_tag_by_now_is_left_alone_and_named() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
        people::listed(builder, "bram", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(Act::SetTag { email: address("ada"), tag: "VIP".to_owned() });
    let answer = undo(&world, 1).await;
    assert_eq!(world.person("ada"), "subscribed [General Single, VIP]; lists [987]");
    assert_eq!(world.person("bram"), "archived []; lists [987]");
    let why = "the whole enroll: bears the protected tag \"VIP\": never untagged or archived";
    assert_eq!(why_it_stays(&answer.plan, "ada"), [why]);
    assert_eq!(why_it_stays(&answer.plan, "bram"), Vec::<String>::new());
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_who_opts_out_between_the_yes_and_the_move_is_left_alone() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        people::finished(builder, "bram");
    })
    .await;
    world.synced().await;
    let shown = plan(&world, 1).await;
    world.act(Act::OptOut { email: address("ada"), subscription: None });
    world.act(Act::LeaveList { contact: address("bram"), list: FINISHED });
    let agreed = Some(shown.agreed);
    let of = UndoOf::Run(RunId(1));
    let answer = ask(&world, UndoRequest { of, apply: true, agreed }).await.unwrap();
    assert_eq!(answer.plan.total, 0);
    assert_eq!(answer.plan.notes, ["2 moves came out differently from what was shown: left as they are"]);
    assert!(world.person("ada").starts_with("archived"), "{}", world.person("ada"));
    assert!(world.person("bram").starts_with("archived"), "{}", world.person("bram"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_an_undone_removal_of_a_tag_starts_no_journey() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
        let bram = people::enrolled(builder, "bram", GENERAL);
        builder.join(DEALS, bram);
        people::member(builder, "cleo");
        builder.tag(&address("cleo"), "General Single");
    })
    .await;
    world.synced().await;
    let mark = world.mark();
    undo(&world, 1).await;
    assert!(world.count_since(mark, |what| matches!(what, What::TagSet { .. })) >= 4);
    assert_eq!(world.count_since(mark, |what| matches!(what, What::TagSet { loud: true, .. })), 0);
    assert_eq!(world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. })), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_opt_outs_bounces_and_refreshed_fields_have_no_way_back() {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo", "dev"] {
            people::enrolled(builder, name, GENERAL);
        }
    })
    .await;
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::OptOut { email: address("bram"), subscription: None });
    world.act(Act::Clean { email: address("cleo") });
    world.act(Act::SetField { email: address("dev"), field: "FNAME".to_owned(), value: "Nobody".to_owned() });
    world.synced().await;
    let mark = world.mark();
    let (opt_outs, rest) = (undo(&world, 1).await, undo(&world, 2).await);
    assert_eq!((opt_outs.plan.total, rest.plan.total), (0, 0));
    assert_eq!(
        why_it_stays(&opt_outs.plan, "ada"),
        ["the whole opt-out-hubspot: an opt-out has no way back"]
    );
    assert_eq!(
        why_it_stays(&opt_outs.plan, "bram"),
        ["the whole opt-out-mailchimp: an opt-out has no way back"]
    );
    assert_eq!(why_it_stays(&rest.plan, "cleo"), ["the whole bounce: the address bounced: that stays noted"]);
    assert!(
        why_it_stays(&rest.plan, "dev")[0].starts_with("refresh merge fields: merge fields follow HubSpot")
    );
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_what_a_later_move_changed_is_left_and_named() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", GENERAL);
    })
    .await;
    world.synced().await;
    world.act(joined("ada", DEALS));
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [717]");
    let mark = world.mark();
    let done = undo(&world, 1).await;
    let changed = "changed since by move 2.1";
    assert_eq!(why_it_stays(&done.plan, "ada")[0], format!("set tag \"General Single\": {changed}"));
    assert!(why_it_stays(&done.plan, "ada").iter().all(|line| line.ends_with(changed)));
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    // The later one is undone, and then the first can be: but each on its own word.
    undo(&world, 2).await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [717, 987]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_only_our_own_archive_of_somebody_subscribed_or_transactional_returns() {
    let world = World::new(|builder| {
        for (name, status) in
            [("ada", Status::Subscribed), ("bram", Status::Transactional), ("cleo", Status::Subscribed)]
        {
            let id = people::listed(builder, name, GENERAL);
            builder.member(&address(name), status);
            builder.tag(&address(name), "General Single");
            builder.join(DEALS, id);
        }
    })
    .await;
    world.synced().await;
    for name in ["ada", "bram", "cleo"] {
        assert_eq!(world.person(name), "archived []; lists [717]");
    }
    // Somebody else brings one back, and archives them again.
    world.clock.jump(Duration::from_secs(60));
    world.act(Act::Resubscribe { email: address("cleo") });
    world.clock.jump(Duration::from_secs(60));
    world.synced().await;
    world.act(Act::Archive { email: address("cleo") });
    let done = undo(&world, 1).await;
    assert_eq!(world.person("ada"), "subscribed [General Single]; lists [717, 987]");
    assert_eq!(world.person("bram"), "transactional [General Single]; lists [717, 987]");
    assert!(world.person("cleo").starts_with("archived []"), "{}", world.person("cleo"));
    assert_eq!(why_it_stays(&done.plan, "cleo")[0], "archive the member: changed since by somebody else");
}

/// Brought back by a form, unsubscribed and archived by hand, with no run in between: nothing shows the opt-out any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_who_was_brought_back_and_archived_by_others_since_is_never_resubscribed() {
    let world = World::new(|builder| {
        let ada = people::enrolled(builder, "ada", GENERAL);
        builder.join(DEALS, ada);
        people::enrolled(builder, "cleo", GENERAL);
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [717]");
    world.clock.jump(Duration::from_secs(3_600));
    world.act(Act::Resubscribe { email: address("ada") });
    world.act(Act::Unsubscribe { email: address("ada") });
    world.act(Act::Archive { email: address("ada") });
    let done = undo(&world, 1).await;
    assert!(world.person("ada").starts_with("archived []"), "{}", world.person("ada"));
    let stays = why_it_stays(&done.plan, "ada");
    assert!(stays.contains(&"archive the member: changed since by somebody else".to_owned()), "{stays:?}");
}

/// HubSpot keeps an opt-out under the address it was given for, and no contact shows it once that has another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_who_opted_out_under_an_address_their_contact_had_is_never_resubscribed_under_it() {
    let world = World::new(|builder| {
        for name in ["ada", "bram", "cleo"] {
            let id = people::enrolled(builder, name, GENERAL);
            builder.join(DEALS, id);
        }
    })
    .await;
    world.synced().await;
    world.clock.jump(Duration::from_secs(3_600));
    world.act(Act::OptOut { email: address("ada"), subscription: None });
    set_email(&world, "ada", &address("ada.new"));
    world.act(Act::DeleteContact { contact: address("bram") });
    let done = undo(&world, 1).await;
    for name in ["ada", "bram"] {
        assert!(world.person(name).starts_with("archived []"), "{name}: {}", world.person(name));
    }
    assert_eq!(world.person("cleo"), "subscribed [General Single]; lists [717, 987]");
    let archive =
        |name| why_it_stays(&done.plan, name).into_iter().find(|line| line.starts_with("archive the"));
    assert_eq!(archive("ada").unwrap(), "archive the member: opted out since: stays archived");
    let gone = "archive the member: HubSpot has no such record any more: stays archived";
    assert_eq!(archive("bram").unwrap(), gone);
    // Subscribing again is a change of consent, and kept as that (R23).
    let app = world.open();
    let links = app.consent_of(&address("cleo")).await.unwrap().links;
    app.close().await;
    assert_eq!(links.len(), 1, "{links:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_limits_hold_for_an_undo_and_apply_never_lets_nothing_be_undone() {
    let mut world = World::new(|builder| {
        for name in ["ada", "bram", "cleo"] {
            people::listed(builder, name, GENERAL);
        }
    })
    .await;
    world.synced().await;
    world.set("HSMC_SYNC__APPLY", "never");
    let of = UndoOf::Run(RunId(1));
    let trouble = ask(&world, UndoRequest { of, apply: true, agreed: None }).await.unwrap_err();
    assert!(trouble.message.contains("apply = \"never\""), "{trouble:?}");
    world.set("HSMC_SYNC__APPLY", "ask");
    world.set("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "2");
    let done = undo(&world, 1).await;
    assert_eq!(done.plan.left_out.get("max_archives_per_run"), Some(&1));
    let archived = ["ada", "bram", "cleo"].iter().filter(|name| world.person(name).starts_with("archived"));
    assert_eq!(archived.count(), 2);
    undo(&world, 1).await;
    assert!(["ada", "bram", "cleo"].iter().all(|name| world.person(name).starts_with("archived")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_an_undo_refused_midway_is_unwound_and_parks_nobody() {
    let world = World::new(|builder| {
        people::finished(builder, "ada");
    })
    .await;
    world.synced().await;
    let before = world.person("ada");
    let refused = FaultKind::Status { code: 400, body: None };
    world.fault(Matches::call(Service::HubSpot, "PUT", "/946/memberships/remove"), refused);
    let of = UndoOf::Move(MoveId { run: RunId(1), number: 1 });
    let answer = ask(&world, UndoRequest { of, apply: true, agreed: None }).await.unwrap();
    let report = answer.report.unwrap();
    assert_eq!(report.run.counts.ended.get("unwound"), Some(&1), "{report:#?}");
    assert_eq!(world.person("ada"), before);
    world.mend();
    world.assert_settled().await;
    assert_eq!(world.person("ada"), before);
    let app = world.open();
    assert_eq!(app.parked().unwrap().total, 0);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_what_cannot_be_undone_is_said_before_anything_is_read() {
    let world = World::new(|builder| {
        people::listed(builder, "ada", LONG_TERM);
    })
    .await;
    world.synced().await;
    for (of, told) in [
        (UndoOf::Run(RunId(7)), "there is no run 7"),
        (UndoOf::Move(MoveId { run: RunId(1), number: 9 }), "there is no move 1.9"),
    ] {
        let trouble = ask(&world, UndoRequest { of, apply: true, agreed: None }).await.unwrap_err();
        assert_eq!((trouble.exit, trouble.message.as_str()), (2, told));
    }
}

// ----- the property

type Facts = BTreeMap<String, BTreeSet<String>>;

/// Everything about everybody that an undo may touch: status, tags, lists, the tracked property.
fn facts(world: &World) -> Facts {
    let sandbox = world.sandbox();
    let state = sandbox.state();
    drop(sandbox);
    let mut facts = Facts::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (email, member) in state["mailchimp"]["members"].as_object().unwrap() {
        let all = facts.entry(email.clone()).or_default();
        all.insert(format!("status {}", text(&member["status"])));
        all.extend(member["tags"].as_array().unwrap().iter().map(|tag| format!("tag {}", text(tag))));
    }
    for contact in state["hubspot"]["contacts"].as_object().unwrap().values() {
        let all = facts.entry(text(&contact["properties"]["email"])).or_default();
        all.extend(contact["lists"].as_array().unwrap().iter().map(|list| format!("list {}", text(list))));
        let tracked = contact["properties"].get("import_list").map(text).unwrap_or_default();
        all.insert(format!("import_list {tracked}"));
    }
    facts
}

/// One thing about a person: `tag X`, `list 987`, or the one `status` or `import_list` they have.
fn aspects(all: [&BTreeSet<String>; 4]) -> BTreeSet<String> {
    let single = |fact: &str| ["status", "import_list"].iter().find(|name| fact.starts_with(**name)).copied();
    all.iter().flat_map(|facts| facts.iter()).map(|fact| single(fact).unwrap_or(fact).to_owned()).collect()
}

fn of(facts: &BTreeSet<String>, aspect: &str) -> Option<String> {
    facts.iter().find(|fact| fact.as_str() == aspect || fact.starts_with(&format!("{aspect} "))).cloned()
}

async fn a_random_world(seed: u64) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let names: Vec<String> = (0..24).map(|number| format!("p{number}")).collect();
    let world = World::new(|builder| {
        for name in &names {
            let lists = [GENERAL, COMPETITION, NEW_AGENTS, LONG_TERM];
            let list = lists[chance.random_range(0..lists.len())];
            match chance.random_range(0..7) {
                0 => drop(people::listed(builder, name, list)),
                1 => drop(people::finished(builder, name)),
                2 => {
                    let id = people::enrolled(builder, name, list);
                    builder.join(DEALS, id);
                }
                3 => {
                    people::member(builder, name);
                    builder.tag(&address(name), people::entry_tag(list));
                }
                4 => {
                    people::enrolled(builder, name, list);
                    builder.tag(&address(name), "Competition");
                }
                5 => {
                    people::enrolled(builder, name, list);
                    builder.tag(&address(name), "Competition Finished");
                }
                _ => drop(people::enrolled(builder, name, list)),
            }
        }
    })
    .await;
    let before = facts(&world);
    world.synced().await;
    let after = facts(&world);
    world.clock.jump(Duration::from_secs(3600));
    for name in &names {
        let email = address(name);
        let act = match chance.random_range(0..12) {
            0 => Act::SetTag { email, tag: "General Single".to_owned() },
            1 => Act::ClearTag { email, tag: people::entry_tag(GENERAL).to_owned() },
            2 => Act::JoinList { contact: email, list: GENERAL },
            3 => Act::LeaveList { contact: email, list: FINISHED },
            4 => Act::Unsubscribe { email },
            5 => Act::Archive { email },
            6 => Act::SetProperty {
                contact: email,
                property: "import_list".to_owned(),
                value: "by hand".to_owned(),
            },
            _ => continue,
        };
        // Not everybody is there to have it done to them.
        world.sandbox().act(&act);
    }
    let meddled = facts(&world);
    let answer = undo(&world, 1).await;
    let undone = facts(&world);
    let everybody: BTreeSet<&String> =
        [&before, &after, &meddled, &undone].iter().flat_map(|all| all.keys()).collect();
    for email in everybody {
        let at = |all: &'_ Facts| all.get(email).cloned().unwrap_or_default();
        let (b, a, m, u) = (at(&before), at(&after), at(&meddled), at(&undone));
        // Who is silent now, by their own choice or another's hand, gets no tag and no subscription back.
        let silent = ["status unsubscribed", "status cleaned"].iter().any(|status| m.contains(*status))
            || (of(&m, "status") != of(&a, "status") && m.contains("status archived"));
        for aspect in aspects([&b, &a, &m, &u]) {
            let [b, a, m, u] = [&b, &a, &m, &u].map(|facts| of(facts, &aspect));
            let told = format!("seed {seed}, {email}, {aspect}: {b:?} → {a:?} → {m:?} → {u:?}\n{answer:#?}");
            let mailchimp = aspect == "status" || aspect.starts_with("tag ");
            let taken_off = aspect != "status" && u.is_none() && b.is_none();
            if b == a || a != m || (silent && mailchimp && !taken_off) {
                assert_eq!(u, m, "changed although it was not ours to change; {told}");
            } else if aspect == "status" && b.is_none() {
                assert_eq!(u.as_deref(), Some("status archived"), "made by the run; {told}");
            } else {
                assert_eq!(u, b, "not as before; {told}");
            }
        }
    }
    let mark = world.mark();
    undo(&world, 1).await;
    assert_eq!(world.changes_since(mark), Vec::<String>::new(), "seed {seed}: the second time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r28_property_an_undo_restores_what_nobody_else_changed_and_changes_nothing_else() {
    for seed in 0..12 {
        a_random_world(seed).await;
    }
}
