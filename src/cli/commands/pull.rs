//! `pull`: HubSpot's objects into the mirror, past pulls, and the end of it all.

use super::{Show, says_yes, write};
use crate::cli::args::PullArgs;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::domain::code::Code;
use crate::serve::pull::{ClearRequest, HistoryRequest};
use std::io::IsTerminal;

pub(super) async fn pull<B: Backend>(
    backend: &B,
    args: &PullArgs,
    watched: bool,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let request = args.request().map_err(|why| Failure::usage(Code::CommandLine, why))?;
    if args.what == "clear" {
        return clear(backend, args, watched, show).await;
    }
    let Some(request) = request else {
        let request = HistoryRequest { engine: args.engines.first().cloned(), last: args.last };
        let views = backend.pull_history(request).await?;
        show.answer(&views, |layout| render::pull_history(&views, layout))?;
        return Ok(ExitCode::Done);
    };
    let answer = backend.pull(request, show.watch).await?;
    show.answer(&answer, |layout| render::pulled(&answer, layout))?;
    Ok(if answer.is_whole() { ExitCode::Done } else { ExitCode::Failed })
}

async fn clear<B: Backend>(
    backend: &B,
    args: &PullArgs,
    watched: bool,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let there = backend.clear_mirror(ClearRequest::default()).await?;
    if args.dry_run {
        show.answer(&there, |layout| render::cleared(&there, layout))?;
        return Ok(ExitCode::Done);
    }
    if !args.yes {
        let nobody =
            || Failure::new(ExitCode::NeedsApproval, Code::NobodySaidYes, "the mirror stays as it is");
        if show.json || !watched || !std::io::stdin().is_terminal() {
            show.answer(&there, |layout| render::cleared(&there, layout))?;
            return Err(nobody().with_way_out("look at what is in it, then add --yes"));
        }
        show.watch.finish();
        write(&render::cleared(&there, show.layout))?;
        if !says_yes("empty the mirror?")? {
            return Err(nobody());
        }
    }
    let cleared = backend.clear_mirror(ClearRequest { confirm: there.confirm }).await?;
    show.answer(&cleared, |layout| render::cleared(&cleared, layout))?;
    Ok(ExitCode::Done)
}
