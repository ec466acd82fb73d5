//! Look-ups after the scan, and what later scans make of them.

use crate::fake::Fake;
use crate::support::*;
use hsmc::domain::email::Email;
use hsmc::domain::id::RecordId;
use hsmc::domain::member::MemberStatus;
use hsmc::sync::scan::{ScanContext, Stop, look_up};
use hsmc::sync::snapshot::{Lookup, PersonKey, PersonRow, Snapshot};

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn row(snapshot: &Snapshot, address: &str) -> PersonRow {
    let key = PersonKey::Hash(email(address).hash());
    people(snapshot).into_iter().find(|row| row.key == key).unwrap()
}

/// Looks up every member without a contact, and records the answers.
pub async fn look_up_all(ctx: &ScanContext, snapshot: &Snapshot) {
    let open: Vec<Email> = people(snapshot)
        .into_iter()
        .filter(|row| row.contacts.is_empty() && row.looked_up.is_none())
        .filter_map(|row| row.member.map(|member| member.email))
        .collect();
    let answers = look_up(ctx, &open, &Stop::never()).await.unwrap();
    let at = ctx.clock.now();
    let lookups = answers.into_iter().map(|(hash, found)| Lookup { hash, at, found }).collect();
    snapshot.record_lookups(lookups).unwrap();
}

fn world() -> Fake {
    let fake = Fake::new();
    let mut world = fake.world();
    world.contact(1, "one@example.com");
    world.join(1, 1);
    world.contact(2, "two@example.com");
    world.join(9, 2);
    world.contact(3, "three@example.com");
    world.secondary.insert(email("drei@example.com"), RecordId(3));
    for address in ["one", "two", "drei", "nobody", "later"] {
        world.member(&format!("{address}@example.com"), MemberStatus::Subscribed);
    }
    world.later(60);
    drop(world);
    fake
}

#[tokio::test]
async fn answers_show_at_once_and_in_later_scans_and_are_not_asked_for_again() {
    let (fake, state) = (world(), tempfile::tempdir().unwrap());
    let ctx = context(&fake, state.path(), 1, &[1]);
    let first = full(&ctx).await.unwrap();
    assert!(row(&first, "two@example.com").looked_up.is_none());
    look_up_all(&ctx, &first).await;
    let check = |snapshot: &Snapshot| {
        assert_eq!(row(snapshot, "two@example.com").contacts[0].0.record, RecordId(2));
        // List 9 is not scanned.
        assert!(row(snapshot, "two@example.com").contacts[0].1.is_empty());
        assert_eq!(row(snapshot, "drei@example.com").contacts[0].0.record, RecordId(3));
        let nobody = row(snapshot, "nobody@example.com");
        assert!(nobody.contacts.is_empty());
        assert_eq!(nobody.looked_up.unwrap().record, None);
    };
    check(&first);
    fake.world().later(20);
    let second = incremental(&context(&fake, state.path(), 2, &[1]), &first).await.unwrap();
    check(&second);
    fake.world().later(20);
    let third = full(&context(&fake, state.path(), 3, &[1])).await.unwrap();
    check(&third);
    let asked = fake.world().calls["contacts_by_email"];
    look_up_all(&context(&fake, state.path(), 3, &[1]), &third).await;
    assert_eq!(fake.world().calls["contacts_by_email"], asked);
    // A day later a full scan believes none of it any more.
    fake.world().later(25 * 60);
    let fourth = full(&context(&fake, state.path(), 4, &[1])).await.unwrap();
    assert!(row(&fourth, "nobody@example.com").looked_up.is_none());
    assert_eq!(fourth.lookups().unwrap().count(), 0);
}

#[tokio::test]
async fn contacts_found_by_look_up_are_followed() {
    let (fake, state) = (world(), tempfile::tempdir().unwrap());
    let ctx = context(&fake, state.path(), 1, &[1]);
    let first = full(&ctx).await.unwrap();
    look_up_all(&ctx, &first).await;
    fake.world().later(20);
    {
        let mut world = fake.world();
        world.contact(2, "two@example.com").opted_out = true;
        world.contact(7, "later@example.com");
        world.contact(3, "three@example.com").properties.insert("x".into(), "y".into());
        world.later(20);
    }
    for (run, full_scan) in [(2, false), (3, true)] {
        let ctx = context(&fake, state.path(), run, &[1]);
        let next = if full_scan { full(&ctx).await } else { incremental(&ctx, &first).await }.unwrap();
        assert!(row(&next, "two@example.com").contacts[0].0.opted_out);
        assert_eq!(row(&next, "later@example.com").contacts[0].0.record, RecordId(7));
        // Whether it still has the secondary address is not known: asked again.
        assert!(row(&next, "drei@example.com").looked_up.is_none());
    }
}

#[tokio::test]
async fn several_secondary_addresses_are_told_apart() {
    let (fake, state) = (Fake::new(), tempfile::tempdir().unwrap());
    let mut emails = Vec::new();
    for record in 1..=8 {
        let mut world = fake.world();
        world.contact(record, &format!("p{record}@example.com"));
        world.secondary.insert(email(&format!("s{record}@example.com")), RecordId(record));
        emails.push(email(&format!("s{record}@example.com")));
        emails.push(email(&format!("u{record}@example.com")));
    }
    emails.push(email("p1@example.com"));
    let answers = look_up(&context(&fake, state.path(), 1, &[]), &emails, &Stop::never()).await.unwrap();
    assert_eq!(answers.len(), 17);
    for record in 1..=8 {
        let found = answers[&email(&format!("s{record}@example.com")).hash()].as_ref().unwrap();
        assert_eq!(found.0.record, RecordId(record));
        assert!(answers[&email(&format!("u{record}@example.com")).hash()].is_none());
    }
}
