//! `forget`: asks first, names what it will do, prints the receipt.

use super::Show;
use crate::cli::args::ForgetArgs;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::domain::code::Code;
use crate::serve::forget::{ForgetRequest, ForgetState};
use std::io::{BufRead, IsTerminal, Write};

pub(super) async fn forget<B: Backend>(
    backend: &B,
    args: &ForgetArgs,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let asked = |dry_run| ForgetRequest { address: args.address.clone(), dry_run };
    if !args.yes && !args.dry_run {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                Code::NobodySaidYes,
                "forgetting somebody cannot be undone, and nobody is here to be asked",
            )
            .with_way_out("look with --dry-run, then say --yes"));
        }
        let view = backend.forget(asked(true)).await?;
        let question =
            format!("{}\nthis cannot be undone; type yes to go on: ", render::forget(&view, show.layout));
        if !agreed(&question)? {
            return Err(Failure::usage(Code::NobodySaidYes, "nothing was done"));
        }
    }
    let view = backend.forget(asked(args.dry_run)).await?;
    show.answer(&view, |layout| render::forget(&view, layout))?;
    Ok(match view.state {
        ForgetState::Planned | ForgetState::Forgotten | ForgetState::Before => ExitCode::Done,
        ForgetState::GoesOn { .. } => ExitCode::Failed,
        ForgetState::Stuck { .. } => ExitCode::Stuck,
    })
}

fn agreed(question: &str) -> Result<bool, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::failed(Code::Output, format!("the answer cannot be read: {error}"));
    let mut errors = std::io::stderr();
    errors.write_all(question.as_bytes()).and_then(|()| errors.flush()).map_err(unreadable)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
    Ok(line.trim().eq_ignore_ascii_case("yes"))
}
