//! Steps of moves in a second: five steps that do nothing, each for another lane, with so many moves in flight. The
//! real journal, engine, router, contact actors and lanes; only the accounts answer at once.
//!
//! Beside it, the bare committer making as many records as any journal of such a move has: one for its start, one for
//! each step, one for its end.

use super::accounts::Prompt;
use super::error::BenchError;
use super::records::Writers;
use super::rig::Rig;
use super::stopwatch::{Stopwatch, per_second};
use super::{Found, Size};
use crate::domain::event::MoveEvent;
use crate::domain::id::{ListId, MoveId, PersonId, RunId};
use crate::domain::moves::{Move, MoveKind, PlannedStep, Reason};
use crate::domain::port::Priority;
use crate::domain::step::{Before, Fingerprint, Step};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::journal::store::Batch;
use crate::serve::bench::{Figure, Round, Unit};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Moves in flight.
const IN_FLIGHT: [u64; 3] = [1, 64, 1024];
/// Steps of a move.
pub(super) const STEPS: u64 = 5;
/// Records of a move in the least of all journals: start, steps, end.
const RECORDS: u64 = STEPS + 2;
/// More people than moves in flight: no move waits for another of the same person.
const PEOPLE: u64 = 4_096;

/// Makes such moves, as many at once as is asked for.
pub struct Mover {
    rig: Rig,
    /// The last run: each round is one of its own.
    run: AtomicU64,
}

impl Mover {
    /// In a folder of its own.
    ///
    /// # Errors
    /// The store cannot be opened or written.
    pub async fn open(folder: &Path) -> Result<Mover, BenchError> {
        let rig = Rig::open(folder, Prompt::of(PEOPLE), 2_000)?;
        rig.people(PEOPLE).await?;
        Ok(Mover { rig, run: AtomicU64::new(0) })
    }

    /// Keeps so many moves in flight for so long, and lets them end; steps in a second.
    ///
    /// # Errors
    /// A move did not end as done.
    pub async fn drive(&self, in_flight: u64, span: Duration) -> Result<f64, BenchError> {
        let run = RunId(1 + self.run.fetch_add(1, Ordering::Relaxed));
        drive(&self.rig, run, in_flight, span).await
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// The store had stopped before.
    pub async fn close(self) -> Result<(), BenchError> {
        self.rig.close().await
    }
}

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (rounds, span) = size.pick((7, Duration::from_millis(1_000)), (3, Duration::from_millis(100)));
    let mover = Mover::open(&folder.join("state")).await?;
    let mut figures = Vec::new();
    let bare = Writers::open(&folder.join("bare"))?;
    for in_flight in IN_FLIGHT {
        let mut taken = Vec::new();
        for round in 0..rounds {
            let (measured, beside);
            if round % 2 == 0 {
                beside = bare.bare(in_flight, span).await?;
                measured = mover.drive(in_flight, span).await?;
            } else {
                measured = mover.drive(in_flight, span).await?;
                beside = bare.bare(in_flight, span).await?;
            }
            #[expect(clippy::cast_precision_loss, reason = "five and seven")]
            let steps_of_records = STEPS as f64 / RECORDS as f64;
            taken.push(Round { measured, beside: beside * steps_of_records });
        }
        let what =
            if in_flight == 1 { "1 move at a time".to_owned() } else { format!("{in_flight} in flight") };
        figures.push(Figure::of_rounds(what, Unit::PerSecond, "bare committer", taken));
    }
    mover.close().await?;
    bare.close().await?;
    let notes =
        vec!["steps in a second; beside it a committer that writes seven bare records a move".to_owned()];
    Ok((figures, notes))
}

async fn drive(rig: &Rig, run: RunId, in_flight: u64, span: Duration) -> Result<f64, BenchError> {
    let moves = &rig.workspace.moves;
    let mut changes = moves.changes();
    let watch = Stopwatch::start();
    let (mut begun, mut over) = (0_u64, 0_u64);
    loop {
        if watch.elapsed() < span {
            let wanted = in_flight - (begun - over);
            begin(rig, run, begun, wanted).await?;
            begun += wanted;
        } else if over == begun {
            break;
        }
        changes.changed().await.map_err(|_| BenchError::Broke("the router has stopped".to_owned()))?;
        let tally = moves.tally(run).await;
        if tally.stuck + tally.broken > 0 {
            let why = tally.last_why.unwrap_or_default();
            return Err(BenchError::Broke(format!("a move that must end does not: {why}")));
        }
        over = tally.ended.values().sum();
    }
    let elapsed = watch.elapsed();
    let tally = moves.tally(run).await;
    if tally.ended.get("done") != Some(&begun) {
        return Err(BenchError::Broke(format!("of {begun} moves not all were done: {:?}", tally.ended)));
    }
    moves.forget(run).await;
    Ok(per_second(begun * STEPS, elapsed))
}

/// Journals some more moves and hands them over, as a run does.
async fn begin(rig: &Rig, run: RunId, begun: u64, count: u64) -> Result<(), BenchError> {
    if count == 0 {
        return Ok(());
    }
    let at = rig.workspace.shared.clock.now();
    let mut batch = Batch::new();
    let mut handed = Vec::new();
    for number in begun + 1..=begun + count {
        let person = PersonId(1 + number % PEOPLE);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let id = MoveId { run, number };
        let event = MoveEvent::Planned { draft: Box::new(draft(person, at)), at };
        rig.journal().append_event(&mut batch, id, person, &event)?;
        handed.push((person, id, Priority::HandOver));
    }
    rig.journal().commit(batch).await?;
    rig.workspace.moves.submit(handed).await;
    Ok(())
}

/// A handover, each step for a lane of its own.
pub(super) fn draft(person: PersonId, at: Timestamp) -> Move {
    let steps = [
        Step::JoinList { list: ListId(946) },
        Step::LeaveList { list: ListId(987) },
        Step::LeaveList { list: ListId(720) },
        Step::SetProperty { property: "import_list".to_owned(), value: "General".to_owned() },
        Step::ClearTag { tag: TagName::new("General Single") },
    ];
    Move {
        person,
        kind: MoveKind::HandOver,
        reason: Reason {
            rule: "R15".to_owned(),
            text: "bears exit tag \"General Single Finished\"".to_owned(),
        },
        steps: steps.map(|step| PlannedStep { step, before: Before::NotHeld }).into(),
        then: Vec::new(),
        since: at,
        input: Fingerprint(0),
    }
}
