//! A plan of everybody with nothing changed: each row of the last scan is held against what is remembered of that
//! person, by all rules. In a process of its own, so that its memory is known; the scan was made by another.

use super::accounts::Prompt;
use super::error::BenchError;
use super::machine::peak_megabytes;
use super::part::apart;
use super::rig::Rig;
use super::stopwatch::Stopwatch;
use super::{Found, Size};
use crate::domain::run::{RunCause, RunEnd, RunPhase};
use crate::serve::bench::{Aim, Figure, Part, PartView, Unit};
use crate::sync::planning::Planning;
use crate::sync::run::{self, RunOptions};
use crate::sync::scan::{NoProgress, ScanContext, Stop, Tuning};
use crate::sync::snapshot::Snapshot;
use crate::sync::{RunError, preflight, snapshot};
use std::path::Path;

const SECONDS: f64 = 10.0;
const MEGABYTES: f64 = 256.0;
/// What counts as linear: a person of a million costs at most so many times what one of ten thousand does.
const LINEAR: f64 = 1.5;

fn broke(problem: &dyn std::fmt::Display) -> BenchError {
    BenchError::Broke(problem.to_string())
}

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (mut figures, mut notes) = (Vec::new(), Vec::new());
    let mut first: Option<(u64, f64)> = None;
    let sizes: &[u64] = size.pick(&[10_000, 100_000, 1_000_000], &[1_000, 4_000]);
    let last = sizes.last().copied();
    for people in sizes.iter().copied() {
        let state = folder.join(format!("state-{people}"));
        let made = apart(&Part::FirstRun { folder: state.clone(), people }).await?;
        let found = apart(&Part::PlanAgain { folder: state.clone(), people }).await?;
        std::fs::remove_dir_all(&state).map_err(BenchError::file(&state))?;
        let seconds = found.value("planned")?;
        let time = Figure::alone(format!("{people} people"), Unit::Seconds, seconds)
            .beside("reading the rows", found.value("rows")?);
        let memory =
            Figure::alone(format!("{people} people, most memory"), Unit::Megabytes, found.value("peak")?);
        let judged = size == Size::Full && Some(people) == last;
        let with = |figure: Figure, aim| if judged { figure.aim(aim) } else { figure };
        figures.push(with(time, Aim::AtMost(SECONDS)));
        figures.push(with(memory, Aim::AtMost(MEGABYTES)));
        #[expect(clippy::cast_precision_loss, reason = "people are far below 2^52")]
        let each = seconds * 1e9 / people as f64;
        match first {
            None => first = Some((people, each)),
            Some((fewest, of_few)) if Some(people) == last => {
                let growth = Figure::alone(format!("one of {people}"), Unit::NanosecondsEach, each)
                    .beside(format!("one of {fewest}:"), of_few);
                figures.push(with(growth, Aim::RatioAtMost(LINEAR)));
            }
            Some(_) => {}
        }
        notes.push(format!(
            "{people} people: the run before read and judged everybody for the first time in {:.1} s with {:.0} MB; \
             the store opened in {:.2} s",
            made.value("ran")?,
            made.value("peak")?,
            found.value("opened")?,
        ));
    }
    Ok((figures, notes))
}

/// Reads everybody and remembers them.
pub(super) async fn first_run(folder: &Path, people: u64) -> Result<PartView, BenchError> {
    let mut view = PartView::default();
    let rig = Rig::open(folder, Prompt::of(people), 1_000)?;
    let watch = Stopwatch::start();
    let options = RunOptions::of(RunCause::Command);
    let ended = run::sync(&rig.workspace, &options, &NoProgress).await.map_err(|problem| broke(&problem))?;
    view.note("ran", watch.elapsed().as_secs_f64());
    view.note("peak", peak_megabytes());
    if ended.phase != RunPhase::Finished(RunEnd::Done)
        || ended.counts.planned.values().any(|count| *count > 0)
    {
        return Err(broke(&format!(
            "the first run ended as {}, with {:?}",
            ended.phase, ended.counts.planned
        )));
    }
    rig.workspace.chore_done().await;
    rig.close().await?;
    Ok(view)
}

/// Plans over what was read before.
pub(super) async fn plan_again(folder: &Path, people: u64) -> Result<PartView, BenchError> {
    let mut view = PartView::default();
    let watch = Stopwatch::start();
    let rig = Rig::open(folder, Prompt::of(people), 1_000)?;
    view.note("opened", watch.elapsed().as_secs_f64());
    let newest =
        snapshot::newest_finished(&folder.join("snapshots"), None).map_err(|problem| broke(&problem))?;
    let newest = newest.ok_or_else(|| broke(&"the first run left no snapshot"))?;
    let watch = Stopwatch::start();
    let mut rows = 0_u64;
    for row in newest.people().map_err(|problem| broke(&problem))? {
        row.map_err(|problem| broke(&problem))?;
        rows += 1;
    }
    view.note("rows", watch.elapsed().as_secs_f64());
    let watch = Stopwatch::start();
    let counted = plan(&rig, newest).await.map_err(|problem| broke(&problem))?;
    view.note("planned", watch.elapsed().as_secs_f64());
    view.note("peak", peak_megabytes());
    if (rows, counted) != (people, (people, 0)) {
        return Err(broke(&format!("of {people} people, {rows} were read, and judged: {counted:?}")));
    }
    rig.close().await?;
    Ok(view)
}

/// How many people were judged, and how many moves are due.
async fn plan(rig: &Rig, snapshot: Snapshot) -> Result<(u64, u64), RunError> {
    let workspace = &rig.workspace;
    let shared = &workspace.shared;
    let accounts = preflight::preflight(workspace).await?;
    let context = ScanContext {
        crm: shared.crm.clone(),
        audience: shared.audience.clone(),
        clock: shared.clock.clone(),
        hands: shared.hands.clone(),
        dir: snapshot.dir().to_owned(),
        lists: workspace.rules.all_lists(),
        known_tags: Default::default(),
        clocks: Default::default(),
        tuning: Tuning::default(),
    };
    let rules = std::sync::Arc::clone(&workspace.rules);
    let (journal, consent, hands) = (shared.journal.clone(), shared.consent.clone(), shared.hands.clone());
    let planning =
        Planning::new(journal, consent, hands, rules, snapshot, &accounts, shared.clock.now()).await?;
    let (planning, limits) = planning.settle(&context, &Stop::never()).await?;
    let (_, summary, moves) = planning.show(limits, usize::MAX, None).await?;
    Ok((summary.people.values().sum(), moves.len() as u64))
}
