//! Room on the disk: for each person and each finished move, before and after compaction; and whether it stays the same
//! over a thousand runs.

use super::accounts::Prompt;
use super::error::BenchError;
use super::rig::Rig;
use super::stage::{Stage, sync};
use super::steps::draft;
use super::{Found, Size};
use crate::app::{Keeping, Ports};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, StepOutcome};
use crate::domain::id::{MoveId, PersonId, RunId, StepIndex};
use crate::domain::port::Clock;
use crate::domain::time::Timestamp;
use crate::journal::size;
use crate::journal::store::Batch;
use crate::journal::store::live::Settings;
use crate::sandbox::{Act, scenario};
use crate::serve::bench::{Aim, Figure, Unit};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// From one run to the next.
const EVERY: Duration = Duration::from_secs(8 * 3600);
/// What counts as flat: the most of the last runs, of the most of those after the keeping times have passed once.
const FLAT: f64 = 1.1;
/// People whose data change before each run.
const CHANGED: usize = 10;

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let mut found = each(&folder.join("each"), size.pick(20_000, 500)).await?;
    let (figures, notes) = over_runs(&folder.join("runs"), size).await?;
    found.0.extend(figures);
    found.1.extend(notes);
    Ok(found)
}

#[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^52")]
fn per(bytes: u64, each: u64) -> f64 {
    bytes as f64 / each.max(1) as f64
}

fn on_disk(folder: &Path) -> u64 {
    size::on_disk(folder).into_iter().map(|(_, bytes)| bytes).sum()
}

/// Bytes of the records themselves.
fn recorded(rig: &Rig) -> Result<u64, BenchError> {
    Ok(size::tables(rig.store().as_ref())?.values().map(|table| table.bytes).sum())
}

/// For each person, then for each finished move of theirs.
async fn each(folder: &Path, people: u64) -> Result<Found, BenchError> {
    let rig = Rig::open(folder, Prompt::of(people), 1)?;
    let (mut disk, mut records) = (0, 0);
    let mut figures = Vec::new();
    for what in ["person", "finished move"] {
        match what {
            "person" => rig.people(people).await?,
            _ => finished(&rig, people).await?,
        }
        // Everything in the index, as it is after a while.
        rig.store().checkpoint().await?;
        let (before, recorded_then) = (on_disk(folder), recorded(&rig)?);
        rig.store().compact().await?;
        let after = on_disk(folder);
        let bare = per(recorded_then.saturating_sub(records), people);
        for (how, bytes) in [("", before), (", compacted", after)] {
            let figure =
                Figure::alone(format!("a {what}{how}"), Unit::Bytes, per(bytes.saturating_sub(disk), people));
            figures.push(figure.beside("its records", bare));
        }
        (disk, records) = (after, recorded_then);
    }
    rig.close().await?;
    Ok((figures, vec![format!("on the disk: log, snapshots and index of {people} people with a move each")]))
}

/// A move of five steps for each, from plan to end.
async fn finished(rig: &Rig, people: u64) -> Result<(), BenchError> {
    let at = rig.workspace.shared.clock.now();
    for number in 1..=people {
        let person = PersonId(number);
        let id = MoveId { run: RunId(1), number: u32::try_from(number).unwrap_or(u32::MAX) };
        let draft = draft(person, at);
        let steps = u8::try_from(draft.steps.len()).unwrap_or(u8::MAX);
        let mut events = vec![MoveEvent::Planned { draft: Box::new(draft), at }];
        let direction = Direction::Forward;
        for step in (0..steps).map(StepIndex) {
            events.push(MoveEvent::Intent { step, direction, before: None, at });
            events.push(MoveEvent::Outcome { step, direction, outcome: StepOutcome::Done, at });
        }
        events.push(MoveEvent::Ended { end: MoveEnd::Done, at });
        let mut batch = Batch::new();
        for event in &events {
            rig.journal().append_event(&mut batch, id, person, event)?;
        }
        rig.journal().commit(batch).await?;
    }
    Ok(())
}

/// A clock that jumps from one run to the next.
struct Jumping {
    clock: crate::app::ports::SystemClock,
    ahead_ms: AtomicI64,
}

#[async_trait]
impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now().0 + self.ahead_ms.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

/// A thousand runs, eight hours from one to the next, in each of which some people change: what is kept for ten days must
/// not grow any more after that.
async fn over_runs(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (runs, settled) = size.pick((1_000, 100), (12, 6));
    let clock = Arc::new(Jumping { clock: crate::app::ports::SystemClock, ahead_ms: AtomicI64::new(0) });
    let stage = Stage::serve_by(folder, scenario::tiny(1), Arc::clone(&clock) as Arc<dyn Clock>).await?;
    let people: Vec<String> = stage
        .sandbox()
        .hubspot
        .contacts()
        .filter(|contact| !contact.email().is_empty())
        .map(|contact| contact.id.to_string())
        .take(CHANGED)
        .collect();
    let settings =
        ["HSMC_SYNC__RETENTION", "HSMC_SYNC__HISTORY", "HSMC_SYNC__SNAPSHOTS"].map(|key| (key, "10d"));
    let mut sizes = Vec::new();
    for run in 0..runs {
        // The log is cut early, so that a thousand runs see it cut many times.
        let store =
            Settings { checkpoint_bytes: 256 * 1024, segment_bytes: 64 * 1024, ..Settings::default() };
        let keeping = Keeping::InState(store);
        let ports = Ports { clock: Arc::clone(&clock) as Arc<dyn Clock>, keeping, ..Ports::default() };
        let app = stage.open(&settings, ports)?;
        sync(&app).await?;
        app.close().await;
        drop(app);
        sizes.push(on_disk(&stage.state()));
        {
            let mut sandbox = stage.sandbox();
            for contact in &people {
                let (contact, property) = (contact.clone(), "firstname".to_owned());
                sandbox.act(&Act::SetProperty { contact, property, value: format!("Name {run}") });
            }
        }
        let ahead = i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX);
        clock.ahead_ms.fetch_add(ahead, Ordering::Relaxed);
    }
    stage.close().await;
    let most = |from: usize, count: usize| sizes.iter().skip(from).take(count).max().copied().unwrap_or(0);
    let (early, late) = (most(settled, settled), most(runs - settled, settled));
    let figure = Figure::alone(format!("after {runs} runs, at most"), Unit::Bytes, per(late, 1))
        .beside(format!("after {} runs", 2 * settled), per(early, 1));
    let judged = if size == Size::Full { figure.aim(Aim::RatioAtMost(FLAT)) } else { figure };
    let note =
        format!("each run refreshes {} people; everything but evidence is kept for ten days", people.len());
    Ok((vec![judged], vec![note]))
}
