//! Full scans.

use crate::fake::Fake;
use crate::support::*;
use hsmc::domain::email::Email;
use hsmc::domain::failure::FailureClass;
use hsmc::domain::id::{ListId, RecordId};
use hsmc::domain::member::MemberStatus;
use hsmc::sync::scan::ScanError;
use hsmc::sync::snapshot::PersonKey;

fn hash(address: &str) -> PersonKey {
    PersonKey::Hash(Email::parse(address).unwrap().hash())
}

pub fn some_people() -> Fake {
    let fake = Fake::new();
    let mut world = fake.world();
    for record in 1..=10 {
        world.contact(record, &format!("p{record}@example.com"));
        world.join(1, record);
        if record % 2 == 0 {
            world.join(2, record);
        }
        world.member(&format!("p{record}@example.com"), MemberStatus::Subscribed);
        world.tag(&format!("p{record}@example.com"), "Entry", true);
    }
    world.contact(11, "no address");
    world.join(2, 11);
    world.contact(12, "Out@Example.com").opted_out = true;
    world.contact(13, "P3@example.com");
    world.join(2, 13);
    world.member("only@example.org", MemberStatus::Unsubscribed);
    world.member("old@example.org", MemberStatus::Archived);
    world.later(60);
    drop(world);
    fake
}

#[tokio::test]
async fn a_full_scan_joins_both_sides_per_person() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let snapshot = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
    let people = people(&snapshot);
    let of = |key: PersonKey| people.iter().find(|row| row.key == key).unwrap();

    let two = of(hash("p2@example.com"));
    assert_eq!(two.contacts[0].1.keys().copied().collect::<Vec<_>>(), [ListId(1), ListId(2)]);
    assert_eq!(two.member.as_ref().unwrap().status, MemberStatus::Subscribed);
    let twins = of(hash("p3@example.com"));
    assert_eq!(twins.contacts.iter().map(|(c, _)| c.record.0).collect::<Vec<_>>(), [3, 13]);
    let out = of(hash("out@example.com"));
    assert!(out.contacts[0].0.opted_out && out.contacts[0].1.is_empty() && out.member.is_none());
    assert_eq!(of(hash("old@example.org")).member.as_ref().unwrap().status, MemberStatus::Archived);
    assert!(of(hash("only@example.org")).contacts.is_empty());
    assert_eq!(people.last().unwrap().key, PersonKey::Record(RecordId(11)));
    assert!(people.is_sorted_by_key(|row| row.key));
    assert_eq!(people.len(), 10 + 1 + 1 + 2);

    let counts = &snapshot.header().counts;
    assert_eq!((counts.people, counts.without_address), (14, 1));
    assert_eq!((counts.members, counts.archived, counts.subscribed), (12, 1, 10));
    assert_eq!(counts.lists[&ListId(2)], 7);
    let left: Vec<_> = std::fs::read_dir(snapshot.dir()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().starts_with("work")), "{left:?}");
}

#[tokio::test]
async fn every_single_failing_call_is_repeated_and_changes_nothing() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let expected = people(&full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap());
    let calls = fake.world().total_calls;
    for class in
        [FailureClass::Transient, FailureClass::InDoubt, FailureClass::RateLimited { retry_after: None }]
    {
        for call in 1..=calls {
            fake.world().total_calls = 0;
            fake.world().fail = [(call, class)].into();
            let again = tempfile::tempdir().unwrap();
            let snapshot = full(&context(&fake, again.path(), 1, &[1, 2])).await.unwrap();
            assert_eq!(people(&snapshot), expected);
        }
    }
}

#[tokio::test]
async fn a_page_that_stays_unreadable_ends_the_scan_and_names_what_was_read() {
    for class in [FailureClass::Transient, FailureClass::Unauthorized, FailureClass::Permanent] {
        let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
        let ctx = context(&fake, state.path(), 1, &[1]);
        fake.world().members.clear();
        fake.world().fail = (4..400).map(|call| (call, class)).collect();
        let problem = full(&ctx).await.unwrap_err();
        assert!(matches!(problem, ScanError::Call { .. }), "{problem}");
        assert!(hsmc::sync::snapshot::Snapshot::open(&ctx.dir).is_err());
    }
}

#[tokio::test]
async fn a_list_that_hubspot_does_not_have_is_named() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let problem = full(&context(&fake, state.path(), 1, &[1, 77])).await.unwrap_err();
    assert!(problem.to_string().contains("list 77"), "{problem}");
}

#[tokio::test]
async fn a_list_still_being_built_is_marked() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    fake.world().list(2).complete = false;
    let snapshot = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
    assert_eq!(snapshot.header().incomplete, [ListId(2)].into());
}

#[tokio::test]
async fn people_doubled_over_pages_are_there_once() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let expected = people(&full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap());
    fake.world().overlap = true;
    let again = tempfile::tempdir().unwrap();
    assert_eq!(people(&full(&context(&fake, again.path(), 1, &[1, 2])).await.unwrap()), expected);
}

#[tokio::test]
async fn a_member_the_first_listing_skipped_is_found_by_the_second() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let expected = people(&full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap());
    let skipped = fake.world().members.keys().copied().collect();
    fake.world().skipped_once = skipped;
    let again = tempfile::tempdir().unwrap();
    assert_eq!(people(&full(&context(&fake, again.path(), 1, &[1, 2])).await.unwrap()), expected);
}

#[tokio::test]
async fn a_merged_contact_is_followed_and_a_deleted_one_is_gone_and_neither_is_unanswered() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    {
        let mut world = fake.world();
        // The list still shows 4, 5 and 6; 4 and 5 were merged into 50, 6 was deleted.
        world.contact(50, "p50@example.com");
        for record in [4, 5, 6] {
            world.contacts.remove(&RecordId(record));
        }
        world.merged = [(RecordId(4), RecordId(50)), (RecordId(5), RecordId(50))].into();
        world.later(1);
    }
    let snapshot = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
    let people = people(&snapshot);
    let heir = people.iter().find(|row| row.key == hash("p50@example.com")).unwrap();
    assert_eq!(heir.contacts[0].1.keys().copied().collect::<Vec<_>>(), [ListId(1), ListId(2)]);
    assert_eq!(snapshot.header().survivor(RecordId(4)), RecordId(50));
    assert!(snapshot.unanswered().unwrap().is_empty());
    assert!(people.iter().all(|row| row.contacts.iter().all(|(c, _)| c.record != RecordId(6))));
}

#[tokio::test]
async fn records_beyond_what_is_asked_for_singly_stay_unanswered() {
    let (fake, state) = (Fake::new(), tempfile::tempdir().unwrap());
    for record in 1..=30 {
        fake.world().join(1, record);
    }
    let snapshot = full(&context(&fake, state.path(), 1, &[1])).await.unwrap();
    assert_eq!(snapshot.unanswered().unwrap().len(), 10);
    assert_eq!(fake.world().calls["contact"], 20);
}
