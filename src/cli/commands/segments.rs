//! `segments`: the segments of the config, and who belongs to them.

use super::Show;
use crate::cli::args::SegmentsCommand;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::people::SegmentsRequest;

pub(super) async fn segments<B: Backend>(
    backend: &B,
    command: Option<&SegmentsCommand>,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let name = command.map(|SegmentsCommand::Show { name }| name.clone());
    let one = name.is_some();
    let view = backend.segments(SegmentsRequest { name }).await?;
    show.answer(
        &view,
        |layout| if one { render::segment(&view, layout) } else { render::segments(&view, layout) },
    )?;
    Ok(ExitCode::Done)
}
