//! `sync`, `approve`, `reject`, `daemon` and `runs`.

use super::Show;
use crate::cli::args::{RunsCommand, SyncArgs};
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::domain::code::Code;
use crate::domain::id::RunId;
use crate::serve::requests::ApproveRequest;
use crate::serve::views::SyncAnswer;

pub(super) async fn sync<B: Backend>(
    backend: &B,
    args: &SyncArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let answer = backend.sync(args.into(), show.watch).await?;
    ran(&answer, show)
}

pub(super) async fn approve<B: Backend>(
    backend: &B,
    run: RunId,
    dry_run: bool,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let answer = backend.approve(ApproveRequest { run, dry_run }, show.watch).await?;
    ran(&answer, show)
}

pub(super) async fn reject<B: Backend>(
    backend: &B,
    run: RunId,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.reject(run).await?;
    show.answer(&view, |_| render::acknowledgement(&view))?;
    Ok(ExitCode::Done)
}

/// Shows what became of a run, or of its plan.
pub(super) fn ran(answer: &SyncAnswer, show: &Show<'_>) -> Result<ExitCode, Failure> {
    show.answer(answer, |layout| match answer {
        SyncAnswer::Ran(report) => render::report(report, layout),
        SyncAnswer::Planned(plan) => render::plan(plan, layout),
    })?;
    Ok(ExitCode::from(answer))
}

pub(super) async fn daemon<B: Backend>(backend: &B, show: &Show<'_>) -> Result<ExitCode, Failure> {
    backend.daemon(show.watch).await?;
    Ok(ExitCode::Done)
}

pub(super) async fn runs<B: Backend>(
    backend: &B,
    command: Option<&RunsCommand>,
    last: usize,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    match command {
        Some(RunsCommand::Show { id, html: Some(file) }) => {
            let page = crate::serve::report_page::page(&backend.run(*id).await?);
            crate::app::reports::write(file, &page).map_err(|why| {
                Failure::failed(Code::FileNamed, format!("the page cannot be written: {why}"))
                    .at(file.display().to_string())
                    .with_way_out("name a file in a folder that exists and that this user may write to")
            })?;
            super::write(&format!("{}\n", file.display()))?;
        }
        Some(RunsCommand::Show { id, html: None }) => {
            let view = backend.run(*id).await?;
            show.answer(&view, |layout| render::report(&view, layout))?;
        }
        None => {
            let views = backend.runs(last).await?;
            show.answer(&views, |layout| render::runs(&views, layout))?;
        }
    }
    Ok(ExitCode::Done)
}
