//! Shorthands.

use crate::fake::Fake;
use hsmc::domain::id::{ListId, RunId};
use hsmc::domain::tag::TagName;
use hsmc::sync::scan::{self, *};
use hsmc::sync::snapshot::{PersonRow, Snapshot, path_of};
use std::path::Path;
use std::sync::Arc;

pub fn context(fake: &Fake, state: &Path, run: u64, lists: &[u64]) -> ScanContext {
    ScanContext {
        crm: Arc::new(fake.clone()),
        audience: Arc::new(fake.clone()),
        clock: Arc::new(fake.clone()),
        hands: Arc::new(hsmc::app::ports::Threads),
        dir: path_of(state, RunId(run)),
        lists: lists.iter().copied().map(ListId).collect(),
        known_tags: ["Entry", "Exit"].into_iter().map(TagName::new).collect(),
        clocks: Clocks::default(),
        // Nothing is small here, so that changes are read as changes, and sorts spill.
        tuning: Tuning { small_audience: 0, member_page: 3, sort_bytes: 300, ..Tuning::default() },
    }
}

pub async fn full(ctx: &ScanContext) -> Result<Snapshot, ScanError> {
    scan::scan(ctx, ScanMode::Full, &NoProgress, &Stop::never()).await
}

pub async fn incremental(ctx: &ScanContext, previous: &Snapshot) -> Result<Snapshot, ScanError> {
    let mode = ScanMode::Incremental { previous: previous.dir().to_owned() };
    scan::scan(ctx, mode, &NoProgress, &Stop::never()).await
}

pub fn people(snapshot: &Snapshot) -> Vec<PersonRow> {
    snapshot.people().unwrap().collect::<Result<_, _>>().unwrap()
}

/// A scan can be handed to any thread.
#[allow(dead_code)]
fn a_scan_may_run_anywhere(ctx: &'static ScanContext, stop: &'static Stop) -> impl Future + Send {
    async move {
        let done = scan::scan(ctx, ScanMode::Full, &NoProgress, stop).await;
        let found = scan::look_up(ctx, &[], stop).await;
        let proven = scan::prove(ctx, &[], stop).await;
        (done, found, proven)
    }
}
