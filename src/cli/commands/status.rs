//! `status`, once or again and again.

use super::{Show, write};
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::requests::Subject;
use crate::serve::views::StatusAnswer;
use std::time::Duration;

const AGAIN: Duration = Duration::from_secs(2);

pub(super) async fn status<B: Backend>(
    backend: &B,
    what: Option<Subject>,
    again: bool,
    watched: bool,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let subject = what.unwrap_or(Subject::All);
    loop {
        let answer = backend.status(subject.clone()).await?;
        if again && watched && !show.json {
            // Home and clear: the next picture stands where the last one stood.
            write("\u{1b}[H\u{1b}[2J")?;
        }
        show.answer(&answer, |layout| match &answer {
            StatusAnswer::Overview(view) => render::status(view, layout),
            StatusAnswer::Run(view) => render::report(view, layout),
            StatusAnswer::Moves(views) => render::moves(views, layout),
        })?;
        if !again {
            return Ok(ExitCode::Done);
        }
        tokio::time::sleep(AGAIN).await;
    }
}
