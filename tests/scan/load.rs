//! How much memory a scan takes, however many people there are.

use crate::fake::Fake;
use crate::support::*;
use hsmc::sync::scan::Tuning;

/// The most memory this process ever had, in megabytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

async fn scanned(people: u64) -> u64 {
    let (fake, state) = (Fake::new(), tempfile::tempdir().unwrap());
    fake.world().list(1);
    fake.world().page = 1_000;
    fake.world().made_up = people;
    let mut ctx = context(&fake, state.path(), 1, &[1]);
    ctx.tuning = Tuning::default();
    let snapshot = full(&ctx).await.unwrap();
    assert_eq!(snapshot.header().counts.people, people);
    let joined = snapshot.people().unwrap().filter(|row| {
        let row = row.as_ref().unwrap();
        row.contacts.len() == 1 && row.member.is_some() && row.contacts[0].1.len() == 1
    });
    assert_eq!(joined.count() as u64, people);
    peak()
}

#[tokio::test]
#[ignore = "takes a while: run alone, with --ignored"]
async fn a_hundred_thousand_people_take_less_than_a_hundred_megabytes() {
    let peak = scanned(100_000).await;
    println!("{peak} MB");
    assert!(peak < 100, "{peak} MB");
}

#[tokio::test]
#[ignore = "takes minutes: run alone, with --ignored"]
async fn a_million_people_take_less_than_two_hundred_megabytes() {
    let peak = scanned(1_000_000).await;
    println!("{peak} MB");
    assert!(peak < 200, "{peak} MB");
}
