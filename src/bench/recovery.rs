//! A start after a kill, with a hundred thousand moves that have begun: the store is opened, every open move is read and
//! classified, and the first are handed to their actors. What a service takes to answer is no part of it.

use super::accounts::Prompt;
use super::error::BenchError;
use super::machine::peak_megabytes;
use super::part::apart;
use super::rig::Rig;
use super::steps::draft;
use super::stopwatch::Stopwatch;
use super::{Found, Size};
use crate::domain::event::{Direction, MoveEvent};
use crate::domain::id::{MoveId, PersonId, RunId, StepIndex};
use crate::journal::store::Batch;
use crate::serve::bench::{Aim, Figure, Part, PartView, Round, Unit};
use crate::sync::{damage, recovering};
use std::path::Path;
use std::time::Duration;

/// People with an actor at once.
const LIVE: u64 = 2_000;
/// Moves made durable at once.
const CHUNK: u64 = 500;
const SECONDS: f64 = 3.0;
const MEGABYTES: f64 = 300.0;

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let moves = size.pick(100_000, 2_000);
    let state = folder.join("state");
    apart(&Part::LeaveOpen { folder: state.clone(), moves }).await?;
    let (mut rounds, mut peaks, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..size.pick(3, 1) {
        let beside = read_through(&state)?;
        let found = apart(&Part::Recover { folder: state.clone(), people: moves }).await?;
        rounds.push(Round { measured: found.value("all")?, beside });
        peaks.push(found.value("peak")?);
        notes.push(format!(
            "store open after {:.2} s, {} moves known to this version after {:.2} s, classified after {:.2} s",
            found.value("opened")?,
            moves,
            found.value("known")?,
            found.value("all")?,
        ));
    }
    let time = Figure::of_rounds(format!("{moves} open moves"), Unit::Seconds, "reading its files", rounds);
    let memory = Figure::alone("most memory", Unit::Megabytes, peaks.into_iter().fold(0.0, f64::max));
    Ok(match size {
        Size::Full => (vec![time.aim(Aim::AtMost(SECONDS)), memory.aim(Aim::AtMost(MEGABYTES))], notes),
        Size::Quick => (vec![time, memory], notes),
    })
}

/// Journals moves whose first call is out, and ends like a process that is killed.
pub(super) async fn leave_open(folder: &Path, moves: u64) -> Result<PartView, BenchError> {
    let rig = Rig::open(folder, Prompt::of(moves), 1)?;
    rig.people(moves).await?;
    let at = rig.workspace.shared.clock.now();
    let mut number = 1;
    while number <= moves {
        let mut batch = Batch::new();
        for number in number..=moves.min(number + CHUNK - 1) {
            let person = PersonId(number);
            let id = MoveId { run: RunId(1), number: u32::try_from(number).unwrap_or(u32::MAX) };
            let planned = MoveEvent::Planned { draft: Box::new(draft(person, at)), at };
            let step = StepIndex(0);
            let intent = MoveEvent::Intent { step, direction: Direction::Forward, before: None, at };
            for event in [planned, intent] {
                rig.journal().append_event(&mut batch, id, person, &event)?;
            }
        }
        rig.journal().commit(batch).await?;
        number += CHUNK;
    }
    // Not closed: nothing is put in order any more.
    std::mem::forget(rig);
    Ok(PartView::default())
}

/// Starts, until every open move is classified and the first are handed on.
pub(super) async fn recover(folder: &Path, people: u64) -> Result<PartView, BenchError> {
    let broke = |problem: &dyn std::fmt::Display| BenchError::Broke(problem.to_string());
    let mut view = PartView::default();
    let watch = Stopwatch::start();
    // No probe is answered while the rest is read: what is open stays as it is, for the next round too.
    let accounts = Prompt { probe_takes: Duration::from_secs(600), ..Prompt::of(people) };
    let live = usize::try_from(LIVE).unwrap_or(usize::MAX);
    let rig = Rig::open(folder, accounts, live)?;
    view.note("opened", watch.elapsed().as_secs_f64());
    let unknown = damage::incompatible(rig.journal())?;
    view.note("known", watch.elapsed().as_secs_f64());
    let leftover = recovering::take_up(&rig.workspace).await.map_err(|problem| broke(&problem))?;
    let dispatched = rig.workspace.moves.overview().await.live as u64;
    view.note("all", watch.elapsed().as_secs_f64());
    view.note("peak", peak_megabytes());
    if leftover.begun != people || !unknown.is_empty() || dispatched < LIVE.min(people) {
        let found = format!("{} of {people} go on, {dispatched} handed on", leftover.begun);
        return Err(broke(&found));
    }
    // As after a kill, once more.
    std::mem::forget(rig);
    Ok(view)
}

/// How long it takes to read every byte of a directory.
fn read_through(folder: &Path) -> Result<f64, BenchError> {
    let watch = Stopwatch::start();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(BenchError::file(&folder))? {
            let path = entry.map_err(BenchError::file(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                drop(std::fs::read(&path).map_err(BenchError::file(&path))?);
            }
        }
    }
    Ok(watch.elapsed().as_secs_f64())
}
