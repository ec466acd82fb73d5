//! `check` and `completions`.

use super::{Show, write};
use crate::cli::{Backend, Cli, ExitCode, Failure, render};
use clap::CommandFactory;
use clap_complete::Shell;

pub(super) async fn check<B: Backend>(backend: &B, show: &Show<'_>) -> Result<ExitCode, Failure> {
    let view = backend.check(show.watch).await?;
    show.answer(&view, |layout| render::check(&view, layout))?;
    Ok(ExitCode::from(&view))
}

pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "hsmc", &mut script);
    write(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Done)
}
