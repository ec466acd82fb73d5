//! `demo` and `sandbox`: simulated accounts.

use super::Show;
use crate::cli::args::SandboxArgs;
use crate::cli::{Backend, ExitCode, Failure, render};

pub(super) async fn demo<B: Backend>(
    backend: &B,
    crash: bool,
    seed: u64,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.demo(crash, seed, show.watch).await?;
    show.answer(&view, |layout| render::demo(&view, layout))?;
    Ok(ExitCode::from(&view))
}

pub(super) async fn sandbox<B: Backend>(
    backend: &B,
    args: &SandboxArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    backend.sandbox(args.into(), show.watch).await?;
    Ok(ExitCode::Done)
}
