//! `notify test`: whether alerts arrive.

use super::Show;
use crate::cli::args::NotifyCommand;
use crate::cli::{Backend, ExitCode, Failure, render};

pub(super) async fn notify<B: Backend>(
    backend: &B,
    command: NotifyCommand,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let NotifyCommand::Test = command;
    let views = backend.notify_test().await?;
    show.answer(&views, |layout| render::tested(&views, layout))?;
    Ok(if views.iter().all(|view| view.taken) { ExitCode::Done } else { ExitCode::Failed })
}
