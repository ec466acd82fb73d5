//! `undo`: shows what would be taken back, asks, and does it.

use super::{Show, says_yes, write};
use crate::cli::args::UndoArgs;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::domain::code::Code;
use crate::serve::undo::{UndoAnswer, UndoRequest};
use std::io::IsTerminal;

pub(super) async fn undo<B: Backend>(
    backend: &B,
    args: &UndoArgs,
    watched: bool,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let request = UndoRequest { of: args.of, apply: false, agreed: None };
    if args.yes {
        return shown(&backend.undo(UndoRequest { apply: true, ..request }).await?, show);
    }
    let planned = backend.undo(request.clone()).await?;
    let total = planned.plan.total;
    if args.dry_run || total == 0 {
        return shown(&planned, show);
    }
    if show.json || !watched || !std::io::stdin().is_terminal() {
        shown(&planned, show)?;
        return Err(Failure::new(
            ExitCode::NeedsApproval,
            Code::NobodySaidYes,
            "nothing was undone: nobody is there to say yes",
        )
        .with_way_out("look at the plan above, then add --yes"));
    }
    show.watch.finish();
    write(&render::undo(&planned.plan, show.layout))?;
    let what = if total == 1 { "this move".to_owned() } else { format!("these {total} moves") };
    if !says_yes(&format!("undo {what}?"))? {
        return Err(Failure::new(ExitCode::NeedsApproval, Code::NobodySaidYes, "nothing was undone"));
    }
    let agreed = Some(planned.plan.agreed);
    let answer = backend.undo(UndoRequest { apply: true, agreed, ..request }).await?;
    match &answer.report {
        Some(report) => {
            write(&render::report(report, show.layout))?;
            Ok(ExitCode::from(report))
        }
        None => shown(&answer, show),
    }
}

/// The plan, and what became of it.
fn shown(answer: &UndoAnswer, show: &Show<'_>) -> Result<ExitCode, Failure> {
    show.answer(answer, |layout| {
        let mut text = render::undo(&answer.plan, layout);
        if let Some(report) = &answer.report {
            text.push('\n');
            text.push_str(&render::report(report, layout));
        }
        text
    })?;
    Ok(answer.report.as_ref().map_or(ExitCode::Done, ExitCode::from))
}
