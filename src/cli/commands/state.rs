//! `state`: the state directory itself.

use super::Show;
use crate::cli::args::StateCommand;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::state::{StateAnswer, StateRequest};

pub(super) async fn state<B: Backend>(
    backend: &B,
    command: &StateCommand,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let request = match command {
        StateCommand::Size => StateRequest::Size,
        StateCommand::Check => StateRequest::Check,
        StateCommand::Backup { file } => StateRequest::Backup(file.clone()),
        StateCommand::Compact => StateRequest::Compact,
        StateCommand::Restore { file, force } => {
            let view = backend.restore(file.clone(), *force).await?;
            show.answer(&view, |layout| render::restored(&view, layout))?;
            return Ok(ExitCode::Done);
        }
    };
    match backend.state(request).await? {
        StateAnswer::Size(view) => show.answer(&view, |layout| render::size(&view, layout))?,
        StateAnswer::Backup(view) => show.answer(&view, |layout| render::backup(&view, layout))?,
        StateAnswer::Compact(view) => show.answer(&view, |layout| render::compacted(&view, layout))?,
        StateAnswer::Check(view) => {
            show.answer(&view, |layout| render::sound(&view, layout))?;
            return Ok(if view.is_sound() { ExitCode::Done } else { ExitCode::Failed });
        }
    }
    Ok(ExitCode::Done)
}
