//! `snapshots`: what kept scans saw.

use super::Show;
use crate::cli::{Backend, ExitCode, Failure, render};
use crate::serve::snapshots::{SnapshotsAnswer, SnapshotsRequest};

pub(super) async fn snapshots<B: Backend>(
    backend: &B,
    request: SnapshotsRequest,
    show: &Show<'_>,
) -> Result<ExitCode, Failure> {
    match backend.snapshots(request).await? {
        SnapshotsAnswer::List(views) => show.answer(&views, |layout| render::snapshots(&views, layout))?,
        SnapshotsAnswer::Shown(view) => show.answer(&view, |layout| render::snapshot(&view, layout))?,
        SnapshotsAnswer::Diff(view) => show.answer(&view, |layout| render::snapshot_diff(&view, layout))?,
    }
    Ok(ExitCode::Done)
}
