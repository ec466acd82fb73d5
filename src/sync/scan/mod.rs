//! The scan: reads both accounts into a snapshot, all of them or only what can have changed.
//!
//! It promises: every page is on disk before the next is asked for, and a scan that was interrupted
//! goes on there; a page that cannot be read ends the scan and never looks like people who left; both
//! accounts are read side by side, with a bounded number of calls at once. It never writes to an
//! account, and never decides anything about a person.
//!
//! An incremental scan starts from an older snapshot. Lists whose mark is the same are not read,
//! contacts are asked for by their date of change, and of the audience only the changes are read when
//! that is cheaper. What the services cannot say that way (a contact deleted while in no list, a member
//! deleted for good) is found by the next full scan; so a full one is due every day.

mod audience;
mod contacts;
mod context;
mod crm;
mod error;
mod looked_up;
mod lookup;
mod members;
mod progress;
mod reader;
mod work;

pub use context::{Clocks, ScanContext, ScanMode, Tuning};
pub use error::ScanError;
pub use lookup::{look_up, opted_out, prove, trace};
pub use progress::{NoProgress, Progress, Source, Stop};

use crate::domain::port::long_work;
use crate::sync::snapshot::{self, Counts, FORMAT, Header, Join, Snapshot, SnapshotError};
use audience::AudiencePart;
use crm::CrmPart;
use futures::TryFutureExt;
use reader::Reader;
use std::collections::BTreeMap;
use tokio::sync::watch;
use work::Base;

/// Reads both accounts into `ctx.dir`, or goes on with the scan that was begun there.
///
/// A finished snapshot in that directory is answered as it is. An incremental scan whose older snapshot
/// turns out to be damaged becomes a full one.
///
/// # Errors
/// When a list is missing, a call is refused or keeps failing, the scan is stopped, or the disk fails.
/// What was read until then stays, and the next call goes on from there. Stop it by `stop`, not by
/// dropping it: file work under way would go on beside the next scan.
pub async fn scan(
    ctx: &ScanContext,
    mode: ScanMode,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Snapshot, ScanError> {
    if let Ok(done) = Snapshot::open(&ctx.dir) {
        snapshot::remove_work(&ctx.dir)?;
        return Ok(done);
    }
    match run(ctx, mode.clone(), progress, stop).await {
        Err(ScanError::Snapshot(problem)) if problem.mended_by_full_scan() && mode != ScanMode::Full => {
            tracing::warn!(%problem, "the older snapshot cannot be used: reading everything");
            run(ctx, ScanMode::Full, progress, stop).await
        }
        ended => ended,
    }
}

async fn run(
    ctx: &ScanContext,
    mode: ScanMode,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Snapshot, ScanError> {
    let base = Base::begin(ctx, &mode)?;
    let (crm, audience) = both_sides(ctx, &base, progress, stop).await?;
    let nothing_new = crm.unchanged && audience.unchanged;
    let mut counts = Counts {
        lists: crm.list_counts,
        contacts: crm.contacts,
        unanswered: crm.unanswered,
        lookups: crm.lookups,
        ..audience.counts
    };
    let shared = base.old.as_ref().filter(|old| nothing_new && old.header().aliases == crm.aliases).cloned();
    let (dir, lists, sort_bytes) = (ctx.dir.clone(), ctx.lists.clone(), ctx.tuning.sort_bytes);
    let (aliases, secondary) = (crm.aliases.clone(), crm.secondary);
    let joined = blocking(ctx, move || match shared {
        Some(old) => {
            snapshot::link_or_copy(&snapshot::people_path(old.dir()), &snapshot::people_path(&dir))?;
            let counts = &old.header().counts;
            Ok(snapshot::Joined { people: counts.people, without_address: counts.without_address })
        }
        None => snapshot::join(&Join {
            dir: &dir,
            lists: &lists,
            aliases: &aliases,
            secondary: &secondary,
            sort_bytes,
        }),
    })
    .await?;
    (counts.people, counts.without_address) = (joined.people, joined.without_address);
    let incomplete = crm.lists.values().filter(|info| !info.complete).map(|info| info.list).collect();
    let header = Header {
        format: FORMAT,
        finished: true,
        seen: base.seen,
        clocks: base.clocks,
        ended: ctx.clock.now(),
        full: base.old.is_none(),
        full_seen: base.old.as_ref().map_or(base.seen, |old| old.header().full_seen),
        lists: crm.lists,
        incomplete,
        tags: audience.tags,
        aliases: crm.aliases,
        counts,
    };
    snapshot::write_json(&ctx.dir.join("header.json"), &header)?;
    snapshot::remove_work(&ctx.dir)?;
    Ok(Snapshot::open(&ctx.dir)?)
}

/// Reads both sides at once. When one fails the other is told to stop, and its end is awaited: nobody
/// works in the directory any more when this returns.
async fn both_sides(
    ctx: &ScanContext,
    base: &Base,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<(CrmPart, AudiencePart), ScanError> {
    let (failed, in_vain) = watch::channel(false);
    let reader = Reader { ctx, progress, stop, in_vain: Stop::when(in_vain) };
    let tell = |failure: ScanError| {
        failed.send_replace(true);
        failure
    };
    let (crm, audience) =
        futures::join!(crm::read(&reader, base).map_err(tell), audience::read(&reader, base).map_err(tell));
    match (crm, audience) {
        (Ok(crm), Ok(audience)) => Ok((crm, audience)),
        // Who stopped because the other failed has nothing to say.
        (Err(ScanError::Stopped), Err(failure)) | (Err(failure), _) | (_, Err(failure)) => Err(failure),
    }
}

/// Runs file work where it may take its time.
async fn blocking<T: Send + 'static>(
    ctx: &ScanContext,
    work: impl FnOnce() -> Result<T, SnapshotError> + Send + 'static,
) -> Result<T, ScanError> {
    match long_work(ctx.hands.as_ref(), |_| work()).await {
        Ok(done) => Ok(done?),
        Err(problem) => Err(ScanError::Internal(problem.to_string())),
    }
}

/// Which contacts stand under further addresses.
type Secondary = BTreeMap<crate::domain::id::RecordId, Vec<crate::domain::email::SubscriberHash>>;
