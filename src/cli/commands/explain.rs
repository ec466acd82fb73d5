//! `explain`: what a code means and what to do, from the pages that are part of the program. Needs no config, no
//! state directory and no network: it is for the hour at which none of these may work.

use super::Show;
use crate::cli::render;
use crate::cli::{ExitCode, Failure};
use crate::domain::code::Code;
use crate::serve::explained::ExplainedView;

pub(super) fn explain(code: Option<&str>, show: &Show<'_>) -> Result<ExitCode, Failure> {
    let Some(asked) = code else {
        let all: Vec<ExplainedView> = Code::ALL.iter().map(|code| ExplainedView::titled(*code)).collect();
        show.answer(&all, |layout| render::codes(&all, layout))?;
        return Ok(ExitCode::Done);
    };
    let code: Code = asked.parse().map_err(|problem: crate::domain::code::NoCode| {
        Failure::usage(Code::NothingSuch, format!("`{asked}`: {problem}"))
            .with_way_out("`hsmc explain` lists all of them")
    })?;
    let view = ExplainedView::of(code);
    show.answer(&view, |_| render::page(&view))?;
    Ok(ExitCode::Done)
}
