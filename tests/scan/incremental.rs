//! Incremental scans: as good as full ones, and cheaper.

use crate::fake::{Fake, World};
use crate::full::some_people;
use crate::lookups::look_up_all;
use crate::support::*;
use hsmc::domain::id::{ListId, RecordId};
use hsmc::domain::member::MemberStatus;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

#[derive(Clone, Debug)]
enum Change {
    Join(u64, u64),
    Leave(u64, u64),
    Address(u64, u64),
    Property(u64, u8),
    OptOut(u64, bool),
    Delete(u64),
    Member(u64, u8),
    Rename(u64, u64),
    Tag(u64, u8, bool),
    Unmark(u64),
    Later,
}

fn change() -> impl Strategy<Value = Change> {
    let (list, who) = (1..4_u64, 0..14_u64);
    prop_oneof![
        4 => (list.clone(), who.clone()).prop_map(|(l, w)| Change::Join(l, w)),
        2 => (list.clone(), who.clone()).prop_map(|(l, w)| Change::Leave(l, w)),
        2 => (who.clone(), who.clone()).prop_map(|(w, a)| Change::Address(w, a)),
        2 => (who.clone(), any::<u8>()).prop_map(|(w, v)| Change::Property(w, v)),
        1 => (who.clone(), any::<bool>()).prop_map(|(w, o)| Change::OptOut(w, o)),
        1 => who.clone().prop_map(Change::Delete),
        4 => (who.clone(), 0..4_u8).prop_map(|(w, s)| Change::Member(w, s)),
        1 => (who.clone(), who.clone()).prop_map(|(w, a)| Change::Rename(w, a)),
        3 => (who, 0..3_u8, any::<bool>()).prop_map(|(w, t, b)| Change::Tag(w, t, b)),
        1 => list.prop_map(Change::Unmark),
        1 => Just(Change::Later),
    ]
}

fn address(who: u64) -> String {
    if who == 13 { "none".to_owned() } else { format!("p{who}@example.com") }
}

/// Where dates of change do not move with tags, only tags that the rules know are seen for sure, and
/// not on archived members.
fn apply(world: &mut World, change: &Change) {
    match *change {
        Change::Join(list, who) => {
            if !world.contacts.contains_key(&RecordId(who)) {
                world.contact(who, &address(who));
            }
            world.join(list, who);
        }
        Change::Leave(list, who) => world.leave(list, who),
        Change::Address(who, other) if world.contacts.contains_key(&RecordId(who)) => {
            world.contact(who, &address(other));
        }
        Change::Property(who, value) if world.contacts.contains_key(&RecordId(who)) => {
            let address = world.contacts[&RecordId(who)].address.clone();
            world.contact(who, &address).properties.insert("city".into(), value.to_string());
        }
        Change::OptOut(who, out) if world.contacts.contains_key(&RecordId(who)) => {
            let address = world.contacts[&RecordId(who)].address.clone();
            world.contact(who, &address).opted_out = out;
        }
        // Out of every list, and gone. Nobody's search shows it: only people whose lists tell it.
        Change::Delete(who) => {
            let listed = world.lists.values().any(|list| list.members.contains_key(&RecordId(who)));
            if listed && world.contacts.get(&RecordId(who)).is_some_and(|c| !c.opted_out) && who > 8 {
                for list in 1..4 {
                    world.leave(list, who);
                }
                world.contacts.remove(&RecordId(who));
            }
        }
        Change::Member(who, status) if who != 13 => {
            let status = match status {
                0 => MemberStatus::Unsubscribed,
                1 => MemberStatus::Archived,
                2 => MemberStatus::Cleaned,
                _ => MemberStatus::Subscribed,
            };
            world.member(&address(who), status);
        }
        Change::Rename(who, to) if who != 13 && to != 13 && who != to => {
            let hash = |who| hsmc::domain::email::Email::parse(&address(who)).unwrap().hash();
            if world.members.contains_key(&hash(to)) {
                return;
            }
            if let Some(mut member) = world.members.remove(&hash(who)) {
                member.email = hsmc::domain::email::Email::parse(&address(to)).unwrap();
                member.changed = Some(world.now);
                world.members.insert(hash(to), member);
            }
        }
        Change::Tag(who, tag, borne) if who != 13 => {
            let hash = hsmc::domain::email::Email::parse(&address(who)).unwrap().hash();
            let archived = world.members.get(&hash).is_some_and(|m| m.status == MemberStatus::Archived);
            if world.tags_move_date {
                world.tag(&address(who), ["Entry", "Exit", "Other"][usize::from(tag)], borne);
            } else if !archived {
                world.tag(&address(who), ["Entry", "Exit"][usize::from(tag) % 2], borne);
            }
        }
        Change::Unmark(list) => world.list(list).marked = false,
        Change::Later => world.later(7),
        _ => {}
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

async fn incremental_and_full_agree(before: Vec<Change>, rounds: Vec<Vec<Change>>, moves: bool, looks: bool) {
    let (fake, state) = (Fake::new(), tempfile::tempdir().unwrap());
    {
        let mut world = fake.world();
        world.tags_move_date = moves;
        // Some are members only, some contacts only; look-ups find those in no list.
        for list in 1..4 {
            world.list(list);
        }
        for who in 0..12 {
            world.contact(who, &address(who));
            world.member(&address(who), MemberStatus::Subscribed);
        }
        // Without these the audience is so small that it is read whole.
        for extra in 0..40 {
            world.member(&format!("x{extra}@example.org"), MemberStatus::Subscribed);
        }
        before.iter().for_each(|change| apply(&mut world, change));
        world.later(30);
    }
    let lists = [1, 2, 3];
    let mut last = full(&context(&fake, state.path(), 1, &lists)).await.unwrap();
    for (run, changes) in (2..).zip(rounds) {
        if looks {
            look_up_all(&context(&fake, state.path(), run - 1, &lists), &last).await;
        }
        {
            let mut world = fake.world();
            world.later(1);
            // A contact that a look-up found and that is deleted is missed until the next full scan
            // forgets the look-up.
            let seen = |change: &&Change| !(looks && matches!(change, Change::Delete(_)));
            changes.iter().filter(seen).for_each(|change| apply(&mut world, change));
            world.later(5);
        }
        let elsewhere = tempfile::tempdir().unwrap();
        let twin = context(&fake, elsewhere.path(), run, &lists);
        copy(last.dir(), &twin.dir.with_file_name(last.dir().file_name().unwrap()));
        let whole = full(&twin).await.unwrap();
        let mut ctx = context(&fake, state.path(), run, &lists);
        ctx.tuning.known_tag_pages = 100;
        let next = incremental(&ctx, &last).await.unwrap();
        assert!(!next.header().full && whole.header().full);
        let told = |snapshot| {
            let mut rows = people(snapshot);
            // When an answer was corrected is not part of it.
            rows.iter_mut().for_each(|row| {
                row.looked_up = row
                    .looked_up
                    .map(|l| hsmc::sync::snapshot::LookedUp { at: hsmc::domain::time::Timestamp(0), ..l })
            });
            rows
        };
        let (mut seen, mut expected) = (told(&next), told(&whole));
        let (all_seen, all_expected) = (seen.clone(), expected.clone());
        seen.retain(|row| !all_expected.contains(row));
        expected.retain(|row| !all_seen.contains(row));
        assert_eq!(seen, expected, "only where they differ");
        let (a, b) = (&next.header().counts, &whole.header().counts);
        assert_eq!(a, b);
        last = next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_incremental_scan_sees_what_a_full_one_sees(
        before in proptest::collection::vec(change(), 0..40),
        rounds in proptest::collection::vec(proptest::collection::vec(change(), 0..12), 1..4),
        moves in any::<bool>(),
        looks in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(incremental_and_full_agree(before, rounds, moves, looks));
    }
}

#[tokio::test]
async fn an_unchanged_world_costs_a_handful_of_calls_and_shares_its_files() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    for extra in 0..30 {
        fake.world().member(&format!("x{extra}@example.org"), MemberStatus::Subscribed);
    }
    fake.world().later(20);
    let first = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
    fake.world().later(20);
    fake.world().calls.clear();
    let second = incremental(&context(&fake, state.path(), 2, &[1, 2]), &first).await.unwrap();
    let calls: Vec<_> = fake.world().calls.clone().into_iter().collect();
    assert_eq!(calls, [("lists", 1), ("members", 3), ("search", 1), ("tags", 1)]);
    assert_eq!(people(&second), people(&first));
    assert_eq!(second.header().counts, first.header().counts);
    use std::os::unix::fs::MetadataExt;
    for name in ["list-1.rows", "contacts.rows", "members.rows", "people.rows"] {
        let inode = |snapshot: &hsmc::sync::snapshot::Snapshot| {
            fs::metadata(snapshot.dir().join(name)).unwrap().ino()
        };
        assert_eq!(inode(&first), inode(&second), "{name} is shared");
    }
}

#[tokio::test]
async fn somebody_new_in_a_list_is_read_and_no_one_else() {
    let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
    let first = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
    fake.world().later(20);
    fake.world().contact(99, "p99@example.com");
    fake.world().later(20);
    let second = incremental(&context(&fake, state.path(), 2, &[1, 2]), &first).await.unwrap();
    assert_eq!(people(&second), people(&first), "in no list: not ours");
    fake.world().join(2, 99);
    fake.world().later(20);
    fake.world().calls.clear();
    let third = incremental(&context(&fake, state.path(), 3, &[1, 2]), &second).await.unwrap();
    assert_eq!(fake.world().calls["contacts"], 1);
    assert_eq!(people(&third).len(), people(&second).len() + 1);
    assert_eq!(third.header().counts.lists[&ListId(2)], 8);
}

#[tokio::test]
async fn a_damaged_older_snapshot_leads_to_a_full_scan() {
    for name in ["list-1.rows", "contacts.rows", "members.rows", "lookups.rows", "header.json"] {
        let (fake, state) = (some_people(), tempfile::tempdir().unwrap());
        for extra in 0..30 {
            fake.world().member(&format!("x{extra}@example.org"), MemberStatus::Subscribed);
        }
        let first = full(&context(&fake, state.path(), 1, &[1, 2])).await.unwrap();
        let expected = people(&first);
        fake.world().later(1);
        fake.world().tag("p1@example.com", "Entry", false);
        fake.world().tag("p1@example.com", "Entry", true);
        fake.world().later(1);
        let path = first.dir().join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&path, bytes).unwrap();
        let second = incremental(&context(&fake, state.path(), 2, &[1, 2]), &first).await.unwrap();
        assert!(second.header().full, "{name}");
        let contacts: Vec<_> = people(&second).into_iter().map(|row| row.contacts).collect();
        assert_eq!(contacts, expected.into_iter().map(|row| row.contacts).collect::<Vec<_>>());
    }
}
