//! `retry`, `skip`, `rollback`, `cancel`, `pause`, `resume`, `adopt`: an operator's word.

use super::Show;
use crate::cli::args::{AdoptArgs, Command, ScopeArgs};
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::domain::code::Code;
use crate::serve::requests::OperateRequest;
use crate::serve::views::Acknowledgement;

pub(super) async fn operate<B: Backend>(
    backend: &B,
    command: &Command,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let Some((id, request)) = command.operation() else {
        return Err(Failure::usage(Code::CommandLine, "this command is about no move"));
    };
    acknowledged(&backend.operate(OperateRequest { id, request }).await?, show)
}

pub(super) async fn pause<B: Backend>(
    backend: &B,
    args: &ScopeArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    acknowledged(&backend.pause(args.into()).await?, show)
}

pub(super) async fn resume<B: Backend>(
    backend: &B,
    args: &ScopeArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    acknowledged(&backend.resume(args.into()).await?, show)
}

pub(super) async fn adopt<B: Backend>(
    backend: &B,
    args: &AdoptArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    acknowledged(&backend.adopt(args.into()).await?, show)
}

fn acknowledged(view: &Acknowledgement, show: &Show<'_>) -> Result<ExitCode, Failure> {
    show.answer(view, |_| render::acknowledgement(view))?;
    Ok(ExitCode::Done)
}
