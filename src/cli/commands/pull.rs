//! `pull`: HubSpot's objects into the mirror, and past pulls.

use super::Show;
use crate::cli::args::PullArgs;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::pull::HistoryRequest;

pub(super) async fn pull<B: Backend>(
    backend: &B,
    args: &PullArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let Some(request) = args.request() else {
        let request = HistoryRequest { engine: args.engines.first().cloned(), last: args.last };
        let views = backend.pull_history(request).await?;
        show.answer(&views, |layout| render::pull_history(&views, layout))?;
        return Ok(ExitCode::Done);
    };
    let answer = backend.pull(request, show.watch).await?;
    show.answer(&answer, |layout| render::pulled(&answer, layout))?;
    Ok(if answer.is_whole() { ExitCode::Done } else { ExitCode::Failed })
}
