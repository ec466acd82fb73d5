//! The machine goes wrong: its clock, its disk; and the config changes between runs.

use crate::support::World;
use crate::support::people::{self, COMPETITION, GENERAL, LONG_TERM, address};
use hsmc::domain::code::Code;
use hsmc::journal::medium::{Appender, Disk, Medium};
use hsmc::sandbox::{Act, What};
use hsmc::serve::requests::SyncRequest;
use hsmc::sync::scan::NoProgress;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

async fn three() -> World {
    World::new(|builder| {
        people::finished(builder, "ada");
        people::enrolled(builder, "bram", GENERAL);
        people::listed(builder, "carl", COMPETITION);
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_or_ahead_between_runs_loses_no_change_and_repeats_none() {
    let world = three().await;
    world.synced().await;
    for wrong_by in [-3_600_000, 7_200_000, -86_400_000, 0] {
        world.clock.set_wrong_by(wrong_by);
        world.clock.jump(Duration::from_secs(60));
        let name = format!("n{}", wrong_by.unsigned_abs());
        world.act(Act::AddContact {
            properties: [("email".to_owned(), address(&name))].into_iter().collect(),
        });
        world.act(Act::JoinList { contact: address(&name), list: GENERAL });
        world.clock.jump(Duration::from_secs(60));
        world.synced().await;
        assert_eq!(world.person(&name), "subscribed [General Single]; lists [987]", "{wrong_by}");
        world.act(Act::Unsubscribe { email: address(&name) });
        world.clock.jump(Duration::from_secs(60));
        world.synced().await;
        assert!(world.person(&name).contains("opted out"), "{wrong_by}: {}", world.person(&name));
    }
    assert_eq!(world.person("bram"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

/// The clock stays wrong over several runs: what has changed is asked for by the services' clocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_stays_hours_off_hides_no_change_and_is_told_of() {
    for (wrong_by, told) in [(-10_800_000, "behind HubSpot's"), (10_800_000, "ahead of HubSpot's")] {
        let world = three().await;
        world.clock.set_wrong_by(wrong_by);
        world.synced().await;
        for run in 0..3 {
            let name = format!("Bram the {run}.");
            world.act(Act::SetProperty {
                contact: address("bram"),
                property: "firstname".to_owned(),
                value: name.clone(),
            });
            world.clock.jump(Duration::from_secs(60));
            let report = world.synced().await;
            let fields = world.sandbox().state()["mailchimp"]["members"][address("bram")]["fields"].clone();
            assert_eq!(fields["FNAME"], name, "{told}");
            let notes = &report.run.counts.notes;
            assert!(notes.keys().any(|note| note.contains(told)), "{notes:?}");
        }
        let app = world.open();
        let findings = hsmc::app::check::check(&app, &world.file("hsmc.toml")).await.findings;
        app.close().await;
        let found = findings.iter().filter(|one| one.code == Some(Code::ClockWrong)).count();
        assert_eq!(found, 2, "{findings:?}");
        world.clock.set_wrong_by(0);
        world.synced().await;
        world.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_while_a_run_applies_only_makes_it_wait() {
    let world = three().await;
    let app = world.open();
    let clock = Arc::clone(&world.clock);
    let back = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        clock.set_wrong_by(-30_000);
    });
    let request = SyncRequest { yes: true, ..SyncRequest::default() };
    app.sync(request, &NoProgress).await.unwrap();
    app.close().await;
    back.await.unwrap();
    world.clock.set_wrong_by(0);
    world.synced().await;
    assert_eq!(world.person("ada"), "archived []; lists [946]");
    world.assert_settled().await;
}

/// A disk with room for so many more bytes.
struct Nearly {
    left: Arc<AtomicI64>,
}

struct Full {
    inner: Box<dyn Appender>,
    left: Arc<AtomicI64>,
}

impl Medium for Nearly {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Appender>> {
        Ok(Box::new(Full { inner: Disk.open(path)?, left: Arc::clone(&self.left) }))
    }
}

impl Appender for Full {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = i64::try_from(bytes.len()).unwrap();
        if self.left.fetch_sub(length, Ordering::SeqCst) < length {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.inner.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_run_with_one_message_and_the_next_finishes() {
    for room in [0, 600, 1_500, 3_000, 4_500, 6_000] {
        let mut world = three().await;
        world.medium = Some(Arc::new(Nearly { left: Arc::new(AtomicI64::new(room)) }));
        let mark = world.mark();
        let request = SyncRequest { yes: true, ..SyncRequest::default() };
        match world.try_sync(request).await {
            Err(trouble) => {
                assert_eq!(trouble.exit, 1);
                for part in ["cannot be written", "free space", "nothing acknowledged is lost"] {
                    assert!(trouble.message.contains(part), "{room}: {}", trouble.message);
                }
            }
            Ok(report) => assert!(room > 3_000, "{room}: {}", report.run.phase),
        }
        if room == 0 {
            assert_eq!(world.changes_since(mark), Vec::<String>::new());
        }
        // Somebody makes room.
        world.medium = None;
        world.clock.jump(Duration::from_secs(200));
        world.sync().await;
        world.synced().await;
        assert_eq!(world.person("ada"), "archived []; lists [946]", "{room}");
        assert_eq!(world.person("carl"), "subscribed [Competition]; lists [720]", "{room}");
        let journeys = world.count_since(mark, |what| matches!(what, What::JourneyStarted { .. }));
        assert_eq!(journeys, 1, "{room}");
        world.assert_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_added_to_the_config_enrolls_its_members_at_the_next_run() {
    let mut world = World::new(|builder| {
        people::enrolled(builder, "ada", GENERAL);
        people::listed(builder, "bram", 1050);
    })
    .await;
    world.synced().await;
    assert_eq!(world.person("bram"), "no member; lists [1050]");
    world.config = world.config.replace(
        "  { id = \"945\", tag = \"New Agents\" },",
        "  { id = \"945\", tag = \"New Agents\" },\n  { id = \"1050\", tag = \"Sub Agents\" },",
    );
    world.synced().await;
    assert_eq!(world.person("bram"), "subscribed [Sub Agents]; lists [1050]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_taken_out_of_the_config_makes_orphans_within_the_limits() {
    let mut world = World::new(|builder| {
        for number in 0..5 {
            people::enrolled(builder, &format!("p{number}"), COMPETITION);
        }
        for number in 0..15 {
            people::enrolled(builder, &format!("q{number}"), GENERAL);
        }
    })
    .await;
    world.synced().await;
    world.config = world.config.replace("  { id = \"720\", tag = \"Competition\" },\n", "");
    world.config =
        world.config.replace("[[handover]]\nexit_tag = \"Competition Finished\"\nfrom = \"720\"\n", "");
    world.set("HSMC_SYNC__MAX_CHANGED_SHARE", "0.2");
    world.set("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "5");
    let report = world.try_sync(SyncRequest::default()).await.unwrap();
    assert_eq!(report.run.state, hsmc::serve::views::RunState::NeedsApproval, "{}", report.run.phase);
    world.set("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "2");
    let mark = world.mark();
    world.synced().await;
    assert_eq!(world.count_since(mark, |what| matches!(what, What::Archived { .. })), 2);
    world.sync().await;
    world.synced().await;
    assert_eq!(world.count_since(mark, |what| matches!(what, What::Archived { .. })), 5);
    assert_eq!(world.person("q3"), "subscribed [General Single]; lists [987]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_renamed_in_the_config_changes_nobodys_campaign() {
    let mut world = three().await;
    world.synced().await;
    world.config = world.config.replace("tag = \"Competition\"", "tag = \"Contest\"");
    let mark = world.mark();
    world.synced().await;
    assert_eq!(world.person("carl"), "subscribed [Competition]; lists [720]", "the first tag stays");
    assert_eq!(world.count_since(mark, |what| matches!(what, What::Archived { .. })), 0);
    world.act(Act::AddContact { properties: [("email".to_owned(), address("dora"))].into_iter().collect() });
    world.act(Act::JoinList { contact: address("dora"), list: COMPETITION });
    world.clock.jump(Duration::from_secs(30));
    world.synced().await;
    assert_eq!(world.person("dora"), "subscribed [Contest]; lists [720]");
    world.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_renamed_in_hubspot_changes_nobody() {
    let world = three().await;
    world.synced().await;
    let mark = world.mark();
    world.act(Act::RenameList { list: GENERAL, name: "General marketing 2".to_owned() });
    world.act(Act::RenameList { list: LONG_TERM, name: "General marketing".to_owned() });
    world.synced().await;
    assert_eq!(world.changes_since(mark), Vec::<String>::new());
    world.act(Act::SetTag { email: address("bram"), tag: "General Single Finished".to_owned() });
    world.synced().await;
    assert_eq!(world.property("bram", "import_list"), "General marketing 2");
    world.assert_settled().await;
}
