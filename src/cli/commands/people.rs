//! `why`, `parked` and `release`: one person, and whom hsmc leaves alone.

use super::Show;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::parked::ReleaseRequest;

pub(super) async fn why<B: Backend>(
    backend: &B,
    address: &str,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.why(address).await?;
    show.answer(&view, |layout| render::why(&view, layout))?;
    Ok(ExitCode::Done)
}

pub(super) async fn parked<B: Backend>(backend: &B, show: &Show<'_>) -> Result<ExitCode, Failure> {
    let view = backend.parked().await?;
    show.answer(&view, |layout| render::parked(&view, layout))?;
    Ok(ExitCode::Done)
}

pub(super) async fn release<B: Backend>(
    backend: &B,
    request: ReleaseRequest,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    let view = backend.release(request).await?;
    show.answer(&view, |_| render::acknowledgement(&view))?;
    Ok(ExitCode::Done)
}
