//! `token`: who may ask over HTTP.

use super::Show;
use crate::cli::args::TokenCommand;
use crate::cli::{Backend, ExitCode, Failure, render};

pub(super) async fn token<B: Backend>(
    backend: &B,
    command: &TokenCommand,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.tokens(command.into()).await?;
    show.answer(&view, |layout| render::tokens(&view, layout))?;
    Ok(ExitCode::Done)
}
