//! Benchmarks that an operator can run on their own machine. Each measures hsmc's own parts, put together as they are
//! for real, beside something simpler measured in the same run: machines and moments differ, ratios less so.
//!
//! Promises: works in a folder of its own beside the state directory, which it takes away again; opens no state
//! directory, and makes no call to either service. Never: failing because a figure is worse than was aimed at.

mod accounts;
mod bare;
mod error;
mod floor;
mod handovers;
mod machine;
mod part;
mod plan;
mod records;
mod recovery;
mod rig;
mod runs;
mod scratch;
mod soak;
mod stage;
mod state_size;
mod status;
mod steps;
mod stopwatch;

pub use error::BenchError;
pub use part::part;
pub use records::Writers;
pub use steps::Mover;

use crate::serve::bench::{Bench, BenchRequest, BenchView, Figure, ResultView};
use scratch::Scratch;
use std::path::Path;
use stopwatch::Stopwatch;

/// What one benchmark found: figures, and what has to be said beside them.
type Found = (Vec<Figure>, Vec<String>);

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// What figures to keep are taken with.
    Full,
    /// What shows that it works.
    Quick,
}

impl Size {
    fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Size::Full => full,
            Size::Quick => quick,
        }
    }
}

/// Runs benchmarks on the disk that holds `beside`, and tells before each which it is.
///
/// # Errors
/// A file cannot be written, or a part of hsmc failed; never for a figure.
pub async fn run(
    request: &BenchRequest,
    beside: &Path,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<BenchView, BenchError> {
    let size = if request.quick { Size::Quick } else { Size::Full };
    let machine = machine::view(beside);
    let mut results = Vec::new();
    for bench in &request.which {
        tell(&format!("{}: {}", bench.word(), bench.about()));
        let scratch = Scratch::beside(beside, bench.word())?;
        let watch = Stopwatch::start();
        let (figures, notes) = one(*bench, scratch.path(), size).await?;
        results.push(ResultView { bench: *bench, seconds: watch.elapsed().as_secs_f64(), figures, notes });
    }
    Ok(BenchView { machine, quick: request.quick, results })
}

async fn one(bench: Bench, folder: &Path, size: Size) -> Result<Found, BenchError> {
    match bench {
        Bench::Records => records::measure(folder, size).await,
        Bench::Steps => steps::measure(folder, size).await,
        Bench::Recovery => recovery::measure(folder, size).await,
        Bench::Plan => plan::measure(folder, size).await,
        Bench::Runs => runs::measure(folder, size).await,
        Bench::Size => state_size::measure(folder, size).await,
        Bench::Status => status::measure(folder, size).await,
        Bench::Soak => soak::measure(folder, size).await,
    }
}
