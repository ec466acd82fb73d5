//! How a scan begins, or goes on: what it builds upon, and since when it has been reading.

use super::context::{Clocks, ScanContext, ScanMode};
use super::error::ScanError;
use crate::domain::id::ListId;
use crate::domain::time::{ClockOffset, Timestamp};
use crate::sync::snapshot::{self, FORMAT, Snapshot, SnapshotError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

/// A scan in progress older than this starts anew: its first pages no longer fit its last ones.
const GOES_ON_FOR: Duration = Duration::from_secs(15 * 60);
/// How far an incremental reading reaches back behind the older snapshot: searches and listings lag.
const OVERLAP: Duration = Duration::from_secs(10 * 60);
/// How long a full scan believes an answer to a look-up.
const LOOKUP_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What is known of a scan in progress.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Work {
    format: u32,
    seen: Timestamp,
    #[serde(default)]
    clocks: Clocks,
    old: Option<PathBuf>,
    carry: Option<PathBuf>,
    lists: BTreeSet<ListId>,
}

/// What a scan builds upon.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// When reading began.
    pub(super) seen: Timestamp,
    /// How far the services' clocks were ahead then.
    pub(super) clocks: Clocks,
    /// The older snapshot of an incremental scan.
    pub(super) old: Option<Snapshot>,
    /// The snapshot whose look-ups are carried on.
    pub(super) carry: Option<Snapshot>,
}

impl Base {
    /// Begins a scan in `ctx.dir`, or finds the one begun there.
    pub(super) fn begin(ctx: &ScanContext, mode: &ScanMode) -> Result<Base, ScanError> {
        let dir = &ctx.dir;
        // People's addresses stand in these files: nobody else may look, whoever made the state directory.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(SnapshotError::io(dir))?;
        let (old, carry) = match mode {
            ScanMode::Incremental { previous } => {
                let old = Snapshot::open(previous)?;
                (Some(old.clone()), Some(old))
            }
            ScanMode::Full => (None, carried_by_full_scan(ctx)?),
        };
        let path_of = |snapshot: &Option<Snapshot>| snapshot.as_ref().map(|s| s.dir().to_owned());
        let now = ctx.clock.now();
        let begun: Option<Work> =
            fs::read(dir.join("work.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let goes_on = begun.filter(|work| {
            work.format == FORMAT
                && work.old == path_of(&old)
                && work.carry == path_of(&carry)
                && work.lists == ctx.lists
                && now.since(work.seen) <= GOES_ON_FOR
        });
        if let Some(work) = goes_on {
            return Ok(Base { seen: work.seen, clocks: work.clocks, old, carry });
        }
        snapshot::clear(dir)?;
        let work = Work {
            format: FORMAT,
            seen: now,
            clocks: ctx.clocks,
            old: path_of(&old),
            carry: path_of(&carry),
            lists: ctx.lists.clone(),
        };
        snapshot::write_json(&dir.join("work.json"), &work)?;
        Ok(Base { seen: now, clocks: ctx.clocks, old, carry })
    }

    /// The moment changes are asked for from, when there is an older snapshot: as a service's clock showed it then.
    pub(super) fn since(&self, of: impl Fn(&Clocks) -> ClockOffset) -> Option<Timestamp> {
        let header = self.carry.as_ref()?.header();
        Some(of(&header.clocks).of_theirs(header.seen).minus(OVERLAP))
    }

    /// The oldest answer to a look-up that is still believed.
    pub(super) fn believed_since(&self) -> Timestamp {
        match self.old {
            Some(_) => Timestamp(i64::MIN),
            None => self.seen.minus(LOOKUP_AGE),
        }
    }
}

/// The snapshot whose look-ups a full scan carries on. One that cannot be read, or is too old to have
/// any that count, is none: its addresses are asked for again.
fn carried_by_full_scan(ctx: &ScanContext) -> Result<Option<Snapshot>, ScanError> {
    let Some(parent) = ctx.dir.parent() else { return Ok(None) };
    let Some(newest) = snapshot::newest_finished(parent, Some(&ctx.dir))? else { return Ok(None) };
    let oldest = ctx.clock.now().minus(LOOKUP_AGE);
    let fresh = newest.lookups().and_then(|mut rows| {
        // To the end, so that damage anywhere in the file shows.
        rows.try_fold(false, |any, row| Ok(any | (row?.at >= oldest)))
    });
    Ok(fresh.unwrap_or(false).then_some(newest))
}
