//! Objects of every type.

use crate::stage::*;
use hsmc::domain::id::RecordId;
use hsmc::domain::object::ObjectType;
use hsmc::domain::port::Clock;
use hsmc::mirror::pull::Ask;
use hsmc::mirror::{Gone, Mode, PullEnd, State};
use hsmc::sandbox::{Act, Fault, FaultKind, Matches};
use std::time::Duration;

const KINDS: [&str; 5] = ["contacts", "companies", "deals", "appointments", CUSTOM];

fn set(kind: &str, id: u64, name: &str, value: &str) -> Act {
    let (property, value) = (name.to_owned(), value.to_owned());
    match kind {
        "contacts" => Act::SetProperty { contact: id.to_string(), property, value },
        kind => Act::SetObject { object: kind.to_owned(), record: id, property, value },
    }
}

fn delete(kind: &str, id: u64) -> Act {
    match kind {
        "contacts" => Act::DeleteContact { contact: id.to_string() },
        kind => Act::DeleteObject { object: kind.to_owned(), record: id },
    }
}

fn merge(kind: &str, primary: u64, other: u64) -> Act {
    match kind {
        "contacts" => Act::Merge { primary: primary.to_string(), other: other.to_string() },
        kind => Act::MergeObjects { object: kind.to_owned(), primary, other },
    }
}

fn add(kind: &str, name: &str) -> Act {
    match kind {
        "contacts" => Act::AddContact { properties: [("firstname".to_owned(), name.to_owned())].into() },
        kind => Act::AddObject {
            object: kind.to_owned(),
            properties: [("name".to_owned(), name.to_owned())].into(),
        },
    }
}

fn ids(stage: &Stage, kind: &str) -> Vec<u64> {
    stage.theirs(kind).into_keys().collect()
}

#[tokio::test]
async fn every_type_is_pulled_whole_by_as_few_calls_as_there_are_pages() {
    let stage = Stage::new(250);
    for kind in KINDS {
        let (mirror, before) = (mirror(), stage.calls());
        let pull = stage.pull(&mirror, kind, &Ask::default()).await.unwrap();
        assert_eq!((pull.end.clone(), pull.mode), (PullEnd::Done, Mode::Full));
        assert_eq!((pull.counts.seen, pull.counts.new, pull.counts.failed), (250, 250, 0));
        assert_eq!((pull.ours, pull.theirs), (Some(250), Some(250)));
        // Three pages, the recycle bin, what changed meanwhile, the count.
        assert_eq!((stage.calls() - before, pull.counts.calls), (6, 6));
        stage.assert_same(&mirror, kind);
    }
}

#[tokio::test]
async fn what_changed_is_read_by_search_and_nothing_else_is_written() {
    let stage = Stage::new(30);
    for kind in KINDS {
        let mirror = mirror();
        stage.pull(&mirror, kind, &Ask::default()).await.unwrap();
        let last = mirror.last_change().unwrap();
        stage.pass(Duration::from_secs(600));
        let ids = ids(&stage, kind);
        stage.act(set(kind, ids[4], "city", "York"));
        stage.act(add(kind, "New"));
        stage.pass(Duration::from_secs(30));
        let pull = stage.pull(&mirror, kind, &Ask::default()).await.unwrap();
        assert_eq!((pull.mode, pull.counts.new, pull.counts.changed), (Mode::Changes, 1, 1));
        assert_eq!(pull.counts.calls, 3);
        stage.assert_same(&mirror, kind);
        let changed = mirror.changes(last, 100).unwrap();
        assert_eq!(changed.iter().map(|(_, change)| change.id.0).take(1).collect::<Vec<_>>(), [ids[4]]);
        assert_eq!(changed.len(), 2);
        // A pull without any change changes nothing.
        stage.pass(Duration::from_secs(600));
        let pull = stage.pull(&mirror, kind, &Ask::default()).await.unwrap();
        assert_eq!((pull.counts.new, pull.counts.changed, mirror.last_change().unwrap()), (0, 0, last + 2));
    }
}

#[tokio::test]
async fn deletions_and_merges_are_kept_as_tombstones_without_what_was_held() {
    for full in [false, true] {
        let stage = Stage::new(12);
        for kind in KINDS {
            let (mirror, ids) = (mirror(), ids(&stage, kind));
            stage.pull(&mirror, kind, &small()).await.unwrap();
            stage.pass(Duration::from_secs(600));
            stage.act(delete(kind, ids[1]));
            stage.act(merge(kind, ids[2], ids[3]));
            stage.pass(Duration::from_secs(30));
            let pull = stage.pull(&mirror, kind, &Ask { full, ..small() }).await.unwrap();
            assert_eq!((pull.counts.deleted, pull.counts.merged), (1, 2), "{kind} {pull:?}");
            stage.assert_same(&mirror, kind);
            assert!(matches!(
                state(&mirror, kind, ids[1]),
                Some(State::Gone(Gone::Archived { at: Some(_) }))
            ));
            let object: ObjectType = kind.parse().unwrap();
            let survivor = mirror.survivor(&object, RecordId(ids[3])).unwrap().unwrap();
            assert!(!ids.contains(&survivor.0.0), "a merged record has a new id");
            assert_eq!(mirror.totals(&object).unwrap().gone, 3);
        }
    }
}

#[tokio::test]
async fn a_record_that_no_page_showed_is_gone_only_when_it_does_not_answer_to_its_id() {
    let stage = Stage::new(10);
    let (mirror, ids) = (mirror(), ids(&stage, "contacts"));
    stage.pull(&mirror, "contacts", &small()).await.unwrap();
    stage.pass(Duration::from_secs(600));
    // Forgotten for good: in no recycle bin.
    {
        let mut sandbox = stage.sandbox.lock().unwrap();
        let now = hsmc::sandbox::WireRequest::new(
            hsmc::domain::failure::Service::HubSpot,
            "POST",
            "/crm/objects/2026-09/contacts/gdpr-delete",
        )
        .with_bearer("sandbox-hubspot")
        .with_json(&serde_json::json!({ "objectId": ids[5].to_string() }));
        let time = sandbox.now();
        assert_eq!(sandbox.handle(time, &now).response.status, 204);
    }
    // HubSpot's own count tells after a while; everything is read for it once a day at most.
    for _ in 0..3 {
        stage.pass(Duration::from_secs(600));
        let pull = stage.pull(&mirror, "contacts", &small()).await.unwrap();
        assert_eq!((pull.mode, pull.counts.deleted), (Mode::Changes, 0), "what changed does not tell");
        assert_eq!((pull.ours, pull.theirs), (Some(10), Some(9)));
    }
    stage.pass(Duration::from_secs(24 * 3_600));
    let pull = stage.pull(&mirror, "contacts", &small()).await.unwrap();
    assert_eq!(
        (pull.mode, pull.counts.deleted, state(&mirror, "contacts", ids[5])),
        (Mode::Full, 1, Some(State::Gone(Gone::Deleted)))
    );
    let pull = stage.pull(&mirror, "contacts", &small()).await.unwrap();
    assert_eq!((pull.mode, pull.ours), (Mode::Changes, pull.theirs));
    stage.assert_same(&mirror, "contacts");
}

#[tokio::test]
async fn whatever_changes_while_it_is_paged_is_neither_missed_nor_doubled() {
    for kind in KINDS {
        for at in 1..14 {
            let stage = Stage::new(12);
            let (mirror, ids) = (mirror(), ids(&stage, kind));
            stage.between(move |number, sandbox| {
                if number == at {
                    for act in [
                        set(kind, ids[0], "city", "Hull"),
                        set(kind, ids[11], "city", "Bath"),
                        delete(kind, ids[4]),
                        merge(kind, ids[5], ids[10]),
                        add(kind, "Late"),
                    ] {
                        assert!(sandbox.act(&act), "{act:?}");
                    }
                }
            });
            stage.pull(&mirror, kind, &small()).await.unwrap();
            stage.calm();
            stage.pass(Duration::from_secs(30));
            // What happens behind the last look of a pull is the next one's.
            stage.pull(&mirror, kind, &small()).await.unwrap();
            stage.assert_same(&mirror, kind);
        }
    }
}

#[tokio::test]
async fn more_than_ten_thousand_changes_are_read_past_the_ceiling_of_search() {
    let stage = Stage::built(|builder| {
        for number in 0..10_450 {
            builder.object("deals", &[("name", &number.to_string())]);
        }
    });
    let mirror = mirror();
    let ask = Ask { since: Some(stage_start()), ..Ask::default() };
    let pull = stage.pull(&mirror, "deals", &ask).await.unwrap();
    assert_eq!((pull.counts.new, pull.counts.calls), (10_450, 53));
    stage.assert_same(&mirror, "deals");
    assert_eq!(
        mirror.watermark(&"deals".parse().unwrap()).unwrap(),
        None,
        "a look on the side moves no watermark"
    );
}

fn stage_start() -> hsmc::domain::time::Timestamp {
    hsmc::sandbox::scenario::START
}

#[tokio::test]
async fn more_property_names_than_an_address_or_a_search_takes_are_read_by_id() {
    let stage = Stage::new(5);
    let mirror = mirror();
    let mut definition = definition("companies");
    definition.properties.extend((0..300).map(|number| format!("a_rather_long_property_{number}")));
    let puller = stage.puller(&mirror);
    let pull = puller.objects(&definition, &small(), &silent).await.unwrap();
    assert_eq!((pull.counts.new, pull.counts.failed), (5, 0));
    assert_eq!(live(&mirror, "companies").values().next().unwrap().value("name"), Some("companies 1"));
    stage.pass(Duration::from_secs(600));
    let id = ids(&stage, "companies")[2];
    stage.act(set("companies", id, "name", "Other"));
    stage.pass(Duration::from_secs(30));
    puller.objects(&definition, &small(), &silent).await.unwrap();
    assert_eq!(live(&mirror, "companies")[&id].value("name"), Some("Other"));
}

#[tokio::test]
async fn everything_that_hubspot_knows_is_kept_when_the_definition_says_so() {
    let stage = Stage::new(3);
    let mirror = mirror();
    let definition = hsmc::mirror::ObjectDefinition::of(CUSTOM.parse().unwrap());
    stage.puller(&mirror).objects(&definition, &small(), &silent).await.unwrap();
    stage.assert_same(&mirror, CUSTOM);
    // Another definition reads everything anew.
    let other = crate::stage::definition(CUSTOM);
    let pull = stage.puller(&mirror).objects(&other, &small(), &silent).await.unwrap();
    assert_eq!(pull.mode, Mode::Full);
}

#[tokio::test]
async fn a_dry_run_a_limit_and_a_since_leave_watermark_and_position_alone() {
    let stage = Stage::new(9);
    let mirror = mirror();
    let dry = stage.pull(&mirror, "deals", &Ask { dry_run: true, ..small() }).await.unwrap();
    assert_eq!((dry.counts.new, live(&mirror, "deals").len()), (9, 0));
    assert!(mirror.history(None, 9).unwrap().is_empty());
    let some = stage.pull(&mirror, "deals", &Ask { limit: Some(4), ..small() }).await.unwrap();
    assert_eq!((some.end, some.counts.seen, live(&mirror, "deals").len()), (PullEnd::Limited, 4, 4));
    assert_eq!(mirror.watermark(&"deals".parse().unwrap()).unwrap(), None);
    let whole = stage.pull(&mirror, "deals", &small()).await.unwrap();
    assert_eq!((whole.mode, whole.counts.new, whole.counts.unchanged), (Mode::Full, 5, 4));
    let mark = mirror.watermark(&"deals".parse().unwrap()).unwrap();
    assert!(mark.is_some());
    stage.pass(Duration::from_secs(600));
    stage.pull(&mirror, "deals", &Ask { since: Some(stage_start()), ..small() }).await.unwrap();
    assert_eq!(mirror.watermark(&"deals".parse().unwrap()).unwrap(), mark);
    stage.assert_same(&mirror, "deals");
}

#[tokio::test]
async fn an_older_look_never_takes_the_place_of_a_newer_one_unless_it_is_asked_for() {
    let stage = Stage::new(1);
    let mirror = mirror();
    let id = ids(&stage, "deals")[0];
    stage.pull(&mirror, "deals", &small()).await.unwrap();
    stage.pass(Duration::from_secs(600));
    stage.act(set("deals", id, "city", "York"));
    // Search has not seen it, a full pass does.
    stage.sandbox.lock().unwrap().settings.index_lag = Duration::from_secs(3_600);
    stage.act(set("deals", id, "city", "Ely"));
    stage.pull(&mirror, "deals", &Ask { full: true, ..small() }).await.unwrap();
    let old = Ask { since: Some(stage_start()), ..small() };
    stage.pull(&mirror, "deals", &old).await.unwrap();
    assert_eq!(live(&mirror, "deals")[&id].value("city"), Some("Ely"));
    stage.pull(&mirror, "deals", &Ask { overwrite: true, ..old }).await.unwrap();
    assert_ne!(live(&mirror, "deals")[&id].value("city"), Some("Ely"));
}

#[tokio::test]
async fn a_mirror_of_another_portal_is_refused() {
    let stage = Stage::new(1);
    let mirror = mirror();
    let puller = stage.puller(&mirror);
    puller.belongs_to(1).unwrap();
    puller.belongs_to(1).unwrap();
    assert!(puller.belongs_to(2).is_err());
}

/// A gateway may cut an answer short: what search counts and does not show is read all the same.
#[tokio::test]
async fn a_search_that_shows_less_than_it_counts_leaves_nothing_out() {
    let stage = Stage::new(30);
    for shows_some in [true, false] {
        let mirror = mirror();
        stage.pull(&mirror, "contacts", &Ask::default()).await.unwrap();
        stage.pass(Duration::from_secs(600));
        let changed = &ids(&stage, "contacts")[4..7];
        for id in changed {
            stage.act(set("contacts", *id, "city", &format!("York {shows_some}")));
        }
        let modified = stage.now().0.to_string();
        stage.pass(Duration::from_secs(30));
        let row = |id: &u64| {
            let mut values = stage.theirs("contacts")[id].clone();
            values.insert("lastmodifieddate".to_owned(), modified.clone());
            serde_json::json!({ "id": id.to_string(), "properties": values, "archived": false })
        };
        let shown: Vec<_> = changed.iter().take(usize::from(shows_some)).map(row).collect();
        let body = serde_json::json!({ "total": changed.len(), "results": shown }).to_string();
        let search = Matches {
            times: Some(1),
            ..Matches::call(hsmc::domain::failure::Service::HubSpot, "POST", "contacts/search")
        };
        let kind = FaultKind::Status { code: 200, body: Some(body) };
        stage.sandbox.lock().unwrap().add_fault(Fault { matches: search, kind });
        let pull = stage.pull(&mirror, "contacts", &Ask::default()).await.unwrap();
        assert_eq!((pull.end.clone(), pull.counts.changed), (PullEnd::Done, 3), "{shows_some}: {pull:?}");
        stage.assert_same(&mirror, "contacts");
    }
}
