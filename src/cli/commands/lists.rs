//! `lists`: the lists that the config names, and the names they have had.

use super::Show;
use crate::cli::args::ListsCommand;
use crate::cli::{Backend, ExitCode, Failure, render};

pub(super) async fn lists<B: Backend>(
    backend: &B,
    command: Option<ListsCommand>,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.lists().await?;
    show.answer(&view, |layout| match command {
        None => render::lists(&view, layout),
        Some(ListsCommand::History) => render::list_names(&view, layout),
    })?;
    Ok(ExitCode::Done)
}
