//! A power cut behind every single put of a pull, and what it leaves: all of them, not a sample.

use crate::stage::*;
use hsmc::mirror::pull::Ask;
use hsmc::mirror::shelf::Memory;
use hsmc::mirror::{Mirror, PullEnd};
use hsmc::sandbox::Act;
use std::sync::Arc;
use std::time::Duration;

/// Pulls in a story: what happened before, and then one pull that may be cut off.
async fn story(stage: &Stage, mirror: &Mirror, ask: &Ask) -> bool {
    for kind in ["contacts", "companies"] {
        match stage.pull(mirror, kind, ask).await {
            Ok(pull) => assert_eq!(pull.end, PullEnd::Done),
            Err(_) => return false,
        }
    }
    match stage.pull_pairs(mirror, "contacts", "companies", &small()).await {
        Ok(pull) => assert_eq!(pull.end, PullEnd::Done),
        Err(_) => return false,
    }
    true
}

fn portal() -> Stage {
    let stage = Stage::new(10);
    let mut sandbox = stage.sandbox.lock().unwrap();
    sandbox.settings.association_page = 2;
    let contacts: Vec<u64> = sandbox.hubspot.contacts().map(|row| row.id).collect();
    let companies: Vec<u64> = sandbox.hubspot.objects("companies").map(|row| row.id).collect();
    for (at, contact) in contacts.iter().enumerate() {
        for company in companies.iter().take(at % 6) {
            sandbox.hubspot.link(("contacts", *contact), ("companies", *company), "");
        }
    }
    drop(sandbox);
    stage
}

/// What changes in the portal between the first pulls and the one that is cut off.
fn change(stage: &Stage) {
    let contacts: Vec<u64> = stage.theirs("contacts").into_keys().collect();
    let companies: Vec<u64> = stage.theirs("companies").into_keys().collect();
    stage.pass(Duration::from_secs(600));
    stage.act(Act::DeleteContact { contact: contacts[3].to_string() });
    stage.act(Act::Merge { primary: contacts[4].to_string(), other: contacts[8].to_string() });
    stage.act(Act::AddContact { properties: [("firstname".to_owned(), "New".to_owned())].into() });
    let (property, value) = ("city".to_owned(), "York".to_owned());
    stage.act(Act::SetProperty { contact: contacts[9].to_string(), property, value });
    stage.act(Act::DeleteObject { object: "companies".to_owned(), record: companies[1] });
    let (from, to) = ("contacts".to_owned(), "companies".to_owned());
    stage.act(Act::Part { from, record: contacts[5], to, other: companies[0] });
    stage.pass(Duration::from_secs(30));
}

#[tokio::test]
async fn whatever_a_power_cut_leaves_the_next_pull_makes_whole() {
    let first = portal();
    let memory = Arc::new(Memory::default());
    let mirror = on(&memory);
    assert!(story(&first, &mirror, &small()).await);
    let (before, _) = memory.puts();
    change(&first);

    for full in [false, true] {
        let ask = Ask { full, ..small() };
        // How many puts the pull makes when nothing goes wrong.
        let (whole, memory) = cut(&before);
        assert!(story(&first.again(), &whole, &ask).await);
        let puts = memory.puts().0.len();
        assert!(puts > before.len() + 8, "{puts}");
        for fails in before.len()..=puts {
            let stage = first.again();
            let (mirror, memory) = cut(&before);
            memory.fail_at(fails);
            story(&stage, &mirror, &ask).await;
            let (done, settled) = memory.puts();
            // What was not settled may be lost from the end, down to what was.
            for left in settled.min(done.len())..=done.len() {
                let stage = stage.again();
                let (mirror, _) = cut(&done[..left]);
                stage.pass(Duration::from_secs(5));
                assert!(story(&stage, &mirror, &small()).await);
                // Deletions for good are a full pass's; these here are in the recycle bin.
                for kind in ["contacts", "companies"] {
                    stage.assert_same(&mirror, kind);
                }
                stage.assert_same_pairs(&mirror, "contacts", "companies");
            }
        }
    }
}

#[tokio::test]
async fn a_pull_that_is_cut_off_ten_times_makes_one_call_more_for_each() {
    let stage = Stage::new(60);
    let memory = Arc::new(Memory::default());
    let mirror = on(&memory);
    let mut cut_off = 0;
    loop {
        let (puts, _) = memory.puts();
        if cut_off < 10 {
            memory.fail_at(puts.len() + 2);
        } else {
            memory.fail_at(usize::MAX);
        }
        match stage.pull(&mirror, "deals", &small()).await {
            Ok(pull) => {
                assert_eq!((pull.counts.seen, pull.counts.new, pull.counts.resumed), (60, 60, cut_off));
                break;
            }
            Err(_) => cut_off += 1,
        }
    }
    stage.assert_same(&mirror, "deals");
    // 20 pages, three further calls, and the page that was lost each time.
    assert_eq!(stage.calls(), 23 + 10);
    assert_eq!(mirror.history(None, 9).unwrap().len(), 1, "it is one pull");
}

#[tokio::test]
async fn wherever_a_pull_is_cut_off_no_page_is_read_again_but_the_one_that_was_lost() {
    for full in [true, false] {
        let first = Stage::new(10);
        let memory = Arc::new(Memory::default());
        if !full {
            first.pull(&on(&memory), "deals", &small()).await.unwrap();
            let ids: Vec<u64> = first.theirs("deals").into_keys().collect();
            first.pass(Duration::from_secs(600));
            for id in ids {
                let (property, value) = ("city".to_owned(), "York".to_owned());
                first.act(Act::SetObject { object: "deals".to_owned(), record: id, property, value });
            }
            first.pass(Duration::from_secs(30));
        }
        let (before, _) = memory.puts();
        let stage = first.again();
        let (mirror, memory) = cut(&before);
        stage.pull(&mirror, "deals", &small()).await.unwrap();
        let (calls, puts) = (stage.calls(), memory.puts().0.len());
        for fails in before.len()..puts {
            let stage = first.again();
            let (mirror, memory) = cut(&before);
            memory.fail_at(fails);
            stage.pull(&mirror, "deals", &small()).await.unwrap_err();
            memory.fail_at(usize::MAX);
            let pull = stage.pull(&mirror, "deals", &small()).await.unwrap();
            assert!(stage.calls() <= calls + 1, "put {fails}: {} calls, {calls} whole", stage.calls());
            assert_eq!((pull.end, pull.counts.seen), (PullEnd::Done, 10), "put {fails}");
            stage.assert_same(&mirror, "deals");
        }
    }
}

#[tokio::test]
async fn the_watermark_is_settled_only_behind_its_data() {
    let stage = Stage::new(9);
    let memory = Arc::new(Memory::default());
    let mirror = on(&memory);
    stage.pull(&mirror, "deals", &small()).await.unwrap();
    let (puts, settled) = memory.puts();
    assert_eq!(settled, puts.len());
    for left in 0..puts.len() {
        let (mirror, _) = cut(&puts[..left]);
        assert_eq!(mirror.watermark(&"deals".parse().unwrap()).unwrap(), None, "{left}");
    }
}

#[tokio::test]
async fn a_cursor_that_ran_out_while_nobody_pulled_begins_the_pages_again() {
    let stage = Stage::new(12);
    let memory = Arc::new(Memory::default());
    let mirror = on(&memory);
    memory.fail_at(3);
    stage.pull(&mirror, "deals", &small()).await.unwrap_err();
    memory.fail_at(usize::MAX);
    let refusal = hsmc::sandbox::FaultKind::Status { code: 400, body: None };
    let matches =
        hsmc::sandbox::Matches::call(hsmc::domain::failure::Service::HubSpot, "GET", "deals").nth(1);
    stage.sandbox.lock().unwrap().add_fault(hsmc::sandbox::Fault { matches, kind: refusal });
    let pull = stage.pull(&mirror, "deals", &small()).await.unwrap();
    assert_eq!((pull.end, pull.counts.seen), (PullEnd::Done, 12));
    stage.assert_same(&mirror, "deals");
}

#[tokio::test]
async fn a_cursor_that_runs_out_on_the_way_begins_the_pages_again_and_only_once() {
    for for_ever in [false, true] {
        let stage = Stage::new(12);
        let mirror = mirror();
        let kind = hsmc::sandbox::FaultKind::Status { code: 400, body: None };
        let matches = hsmc::sandbox::Matches::call(
            hsmc::domain::failure::Service::HubSpot,
            "GET",
            "objects/2026-09/deals",
        );
        let matches = hsmc::sandbox::Matches { times: for_ever.then_some(u64::MAX), ..matches.nth(2) };
        stage.sandbox.lock().unwrap().add_fault(hsmc::sandbox::Fault { matches, kind });
        let pull = stage.pull(&mirror, "deals", &small()).await.unwrap();
        assert!(pull.notes.iter().any(|note| note.contains("a cursor had run out")), "{:?}", pull.notes);
        assert_eq!(pull.end == PullEnd::Done, !for_ever, "{:?}", pull.end);
        if !for_ever {
            stage.assert_same(&mirror, "deals");
        }
    }
}

#[tokio::test]
async fn a_pull_of_everything_goes_on_with_what_is_not_done_and_later_begins_anew() {
    let stage = Stage::new(3);
    let mirror = mirror();
    let puller = stage.puller(&mirror);
    assert!(puller.begin_whole(false).unwrap().is_empty());
    stage.pull(&mirror, "deals", &small()).await.unwrap();
    // Killed here.
    assert_eq!(puller.begin_whole(false).unwrap(), ["deals".to_owned()].into());
    stage.pass(Duration::from_secs(7_200));
    assert!(puller.begin_whole(false).unwrap().is_empty(), "what was read is old by now");
    stage.pull(&mirror, "deals", &small()).await.unwrap();
    assert_eq!(puller.begin_whole(false).unwrap(), ["deals".to_owned()].into());
    assert!(puller.begin_whole(true).unwrap().is_empty(), "changes are not everything");
    puller.end_whole().unwrap();
    assert!(puller.begin_whole(false).unwrap().is_empty());
}

#[tokio::test]
async fn a_pull_that_no_other_goes_on_with_is_closed_as_interrupted() {
    let stage = Stage::new(9);
    let memory = Arc::new(Memory::default());
    let mirror = on(&memory);
    let ends =
        || -> Vec<PullEnd> { mirror.history(None, 9).unwrap().into_iter().map(|pull| pull.end).collect() };
    // Killed before its first page, and a look on the side behind its own.
    for (ask, lives) in [(small(), 1), (Ask { limit: Some(8), ..small() }, 2)] {
        memory.fail_at(memory.puts().0.len() + lives);
        stage.pull(&mirror, "deals", &ask).await.unwrap_err();
        memory.fail_at(usize::MAX);
    }
    assert_eq!(ends(), [PullEnd::Open, PullEnd::Open]);
    mirror.close_abandoned().unwrap();
    assert_eq!(ends(), [PullEnd::Interrupted, PullEnd::Interrupted]);

    // One that got as far as its first page is gone on with.
    memory.fail_at(memory.puts().0.len() + 2);
    stage.pull(&mirror, "deals", &small()).await.unwrap_err();
    memory.fail_at(usize::MAX);
    mirror.close_abandoned().unwrap();
    assert_eq!(ends()[0], PullEnd::Open);
    assert_eq!(stage.pull(&mirror, "deals", &small()).await.unwrap().counts.resumed, 1);
    assert_eq!(ends(), [PullEnd::Done, PullEnd::Interrupted, PullEnd::Interrupted]);

    // A full pass takes the place of one that read what changed.
    stage.pass(Duration::from_secs(600));
    for record in stage.theirs("deals").into_keys() {
        let (property, value) = ("city".to_owned(), "York".to_owned());
        stage.act(Act::SetObject { object: "deals".to_owned(), record, property, value });
    }
    stage.pass(Duration::from_secs(30));
    memory.fail_at(memory.puts().0.len() + 2);
    stage.pull(&mirror, "deals", &small()).await.unwrap_err();
    memory.fail_at(usize::MAX);
    stage.pull(&mirror, "deals", &Ask { full: true, ..small() }).await.unwrap();
    assert_eq!(ends()[..2], [PullEnd::Done, PullEnd::Interrupted]);
    stage.assert_same(&mirror, "deals");
}
