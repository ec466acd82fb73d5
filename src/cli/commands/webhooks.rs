//! `webhooks`: how they are set up, and setting them up.

use super::Show;
use crate::cli::args::WebhooksCommand;
use crate::cli::{Backend, ExitCode, Failure, render};

pub(super) async fn webhooks<B: Backend>(
    backend: &B,
    command: Option<&WebhooksCommand>,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.webhooks(WebhooksCommand::request(command)).await?;
    show.answer(&view, |layout| render::webhooks(&view, layout))?;
    Ok(ExitCode::Done)
}
