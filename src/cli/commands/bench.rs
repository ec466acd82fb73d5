//! `bench`: how fast and how large hsmc is on this machine.

use super::Show;
use crate::cli::args::BenchArgs;
use crate::cli::{Backend, ExitCode, Failure, render};

/// A figure that misses its aim is a figure, not a failure.
pub(super) async fn bench<B: Backend>(
    backend: &B,
    args: &BenchArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    if let Some(part) = &args.part {
        let view = backend.bench_part(part.clone()).await?;
        show.answer(&view, |_| format!("{:?}\n", view.values))?;
        return Ok(ExitCode::Done);
    }
    let view = backend.bench(args.into(), show.watch).await?;
    show.answer(&view, |layout| render::bench(&view, layout))?;
    Ok(ExitCode::Done)
}
