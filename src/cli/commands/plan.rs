//! `plan` and `apply`.

use super::Show;
use crate::cli::args::PlanArgs;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::requests::ApplyRequest;
use std::path::Path;

pub(super) async fn plan<B: Backend>(
    backend: &B,
    args: &PlanArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.plan(args.into(), show.watch).await?;
    show.answer(&view, |layout| render::plan(&view, layout))?;
    Ok(ExitCode::Done)
}

pub(super) async fn apply<B: Backend>(
    backend: &B,
    file: &Path,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let answer = backend.apply(ApplyRequest { file: file.to_owned() }, show.watch).await?;
    super::runs::ran(&answer, show)
}
