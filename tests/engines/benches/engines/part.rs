//! One measurement of one library, in a process of its own and a folder of its own: no store is warmer, and no memory
//! fuller, than that of the others whose turn it is next. Each is measured as `hsmc bench --part` measures hsmc.

use crate::durare::Durare;
use crate::library::Library;
use crate::memable::Memable;
use crate::workflow::{Bodies, STEPS};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long the first workflows go uncounted: as long as hsmc's.
const WARM_UP: Duration = Duration::from_millis(200);
/// Workflows begun at once, of those that are left unfinished.
const AT_ONCE: u64 = 64;

/// The libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// durare, SQLite at synchronous FULL.
    Durare,
    /// memable.
    Memable,
}

/// What is measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Part {
    /// So many workflows in flight, for so long: steps in a second.
    Steps {
        /// At once.
        in_flight: u64,
        /// For how long.
        milliseconds: u64,
    },
    /// Begins so many workflows, says so, and waits to be killed in their first steps.
    LeaveOpen {
        /// How many.
        workflows: u64,
    },
    /// Takes up what was left, and lets it end.
    Finish {
        /// How many were left.
        workflows: u64,
    },
}

/// A measurement, as one process asks another for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Of which library.
    pub which: Which,
    /// Where its store is.
    pub folder: PathBuf,
    /// Of what.
    pub part: Part,
}

/// What was found, by name: written as hsmc writes it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Steps in a second, or seconds.
    pub values: BTreeMap<String, f64>,
}

/// Measures here, and says what was found in one line.
pub async fn here(asked: Asked) -> Result<()> {
    let found = match asked.which {
        Which::Durare => measure::<Durare>(&asked).await?,
        Which::Memable => measure::<Memable>(&asked).await?,
    };
    say(&found)
}

async fn measure<L: Library>(asked: &Asked) -> Result<Found> {
    match asked.part {
        Part::Steps { in_flight, milliseconds } => {
            steps::<L>(&asked.folder, in_flight, Duration::from_millis(milliseconds)).await
        }
        Part::LeaveOpen { workflows } => leave_open::<L>(&asked.folder, workflows).await,
        Part::Finish { workflows } => finish::<L>(&asked.folder, workflows).await,
    }
}

fn say(found: &Found) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(found)?)?;
    Ok(out.flush()?)
}

async fn steps<L: Library>(folder: &Path, in_flight: u64, span: Duration) -> Result<Found> {
    let bodies = Arc::new(Bodies::default());
    let library = Arc::new(L::open(folder, Arc::clone(&bodies)).await?);
    drive(&library, in_flight, WARM_UP).await?;
    let (before, watch) = (bodies.begun(), Instant::now());
    let workflows = drive(&library, in_flight, span).await?;
    let elapsed = watch.elapsed();
    let steps = bodies.begun() - before;
    ensure!(steps == workflows * STEPS.len() as u64, "{steps} steps of {workflows} workflows");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = steps as f64 / elapsed.as_secs_f64();
    Ok(Found { values: [("steps".to_owned(), per_second)].into() })
}

/// Keeps so many workflows in flight for so long, and lets them end; how many there were.
async fn drive<L: Library>(library: &Arc<L>, in_flight: u64, span: Duration) -> Result<u64> {
    let until = Instant::now() + span;
    let mut lines = JoinSet::new();
    for _ in 0..in_flight {
        let library = Arc::clone(library);
        lines.spawn(async move {
            let mut workflows = 0;
            while Instant::now() < until {
                library.run().await?;
                workflows += 1;
            }
            anyhow::Ok(workflows)
        });
    }
    let mut workflows = 0;
    while let Some(line) = lines.join_next().await {
        workflows += line??;
    }
    Ok(workflows)
}

async fn leave_open<L: Library>(folder: &Path, workflows: u64) -> Result<Found> {
    let bodies = Arc::new(Bodies::held());
    let library = Arc::new(L::open(folder, Arc::clone(&bodies)).await?);
    let begun = Arc::new(AtomicU64::new(0));
    let mut lines = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (library, begun) = (Arc::clone(&library), Arc::clone(&begun));
        lines.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < workflows {
                library.start().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(line) = lines.join_next().await {
        line??;
    }
    while bodies.begun() < workflows {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    say(&Found::default())?;
    std::future::pending().await
}

async fn finish<L: Library>(folder: &Path, workflows: u64) -> Result<Found> {
    let watch = Instant::now();
    let bodies = Arc::new(Bodies::default());
    let library = L::open(folder, Arc::clone(&bodies)).await?;
    let taken_up = watch.elapsed().as_secs_f64();
    library.all_ended(workflows).await?;
    let all_ended = watch.elapsed().as_secs_f64();
    let steps = bodies.begun();
    ensure!(steps == workflows * STEPS.len() as u64, "{steps} steps of {workflows} workflows");
    Ok(Found { values: [("taken up".to_owned(), taken_up), ("all ended".to_owned(), all_ended)].into() })
}
