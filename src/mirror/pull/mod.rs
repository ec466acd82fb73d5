//! The engines: one for objects of any type, one for what joins two types. Each reads page by page; a page and the
//! position behind it become one change of the store, so that whoever starts again goes on there.
//!
//! Never: a write to HubSpot; a record taken for gone because a page or a search did not show it; a watermark before
//! its data.

mod error;
mod objects;
mod pairs;
mod running;

pub use error::PullError;

use super::history::{Mode, Pull, PullEnd};
use super::store::Mirror;
use super::{AssociationDefinition, Identity, ObjectDefinition};
use crate::domain::object::{ObjectAccount, ObjectRecord, ObjectType};
use crate::domain::port::{Clock, Hands};
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A pull of everything that was cut short goes on when it was heard of within this time; later it begins anew.
const GOES_ON: Duration = Duration::from_secs(3_600);
/// Pulls looked through for what is done of it.
const WHOLE_PULLS: usize = 500;

/// How a pull was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Everything is read.
    pub full: bool,
    /// Only what changed since then, whatever the watermark says. Such a pull moves neither watermark nor position.
    pub since: Option<Timestamp>,
    /// Rows of a page, where the service takes as many.
    pub batch_size: Option<usize>,
    /// At most so many records. Such a pull moves neither watermark nor position.
    pub limit: Option<u64>,
    /// Nothing is written.
    pub dry_run: bool,
    /// Every record is written anew, one that is older than what is kept too.
    pub overwrite: bool,
}

impl Ask {
    /// Whether it is a look on the side: it takes in what it finds, and later pulls do not build on it.
    pub(crate) fn is_aside(&self) -> bool {
        self.since.is_some() || self.limit.is_some() || self.dry_run
    }
}

/// How a pull goes on.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The engine.
    pub engine: &'a str,
    /// What it is at, in words.
    pub phase: &'static str,
    /// Records read so far.
    pub seen: u64,
}

/// Whom the mirror must not take in.
pub type LeaveOut = Arc<dyn Fn(&ObjectType, &ObjectRecord) -> bool + Send + Sync>;

/// What engines need.
#[derive(Clone)]
pub struct Puller {
    /// What is pulled into.
    pub mirror: Mirror,
    /// HubSpot.
    pub account: Arc<dyn ObjectAccount>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where the store is written.
    pub hands: Arc<dyn Hands>,
    /// So much is read again before the watermark: search lags behind, and clocks differ.
    pub overlap: Duration,
    /// People who were forgotten.
    pub leave_out: LeaveOut,
}

impl Puller {
    /// Makes sure that the mirror is this portal's; an empty one becomes it.
    ///
    /// # Errors
    /// It is another portal's, or cannot be read or written.
    pub fn belongs_to(&self, portal: u64) -> Result<(), PullError> {
        match self.mirror.identity()? {
            Some(identity) if identity.portal == portal => Ok(()),
            Some(identity) => Err(PullError::OtherPortal { ours: identity.portal, theirs: portal }),
            None => Ok(self.mirror.identify(Identity { portal, generation: self.clock.now() })?),
        }
    }

    /// A pull of everything begins, or goes on: the engines that are done already, where one was cut short not long ago.
    ///
    /// # Errors
    /// The mirror cannot be read or written.
    pub fn begin_whole(&self, full: bool) -> Result<BTreeSet<String>, PullError> {
        let now = self.clock.now();
        let pulls = self.mirror.history(None, WHOLE_PULLS)?;
        let heard = pulls.iter().map(|pull| pull.last).max();
        let is_fresh = heard.is_some_and(|heard| now.since(heard) < GOES_ON);
        if let Some(since) = self.mirror.whole_since()?.filter(|_| is_fresh) {
            let done = pulls.into_iter().filter(|pull| pull.end == PullEnd::Done && pull.started >= since);
            let done = done.filter(|pull| !full || pull.mode == Mode::Full);
            return Ok(done.map(|pull| pull.engine).collect());
        }
        self.mirror.set_whole(Some(now))?;
        Ok(BTreeSet::new())
    }

    /// A pull of everything has come to its end.
    ///
    /// # Errors
    /// The mirror cannot be written.
    pub fn end_whole(&self) -> Result<(), PullError> {
        Ok(self.mirror.set_whole(None)?)
    }

    /// Pulls one type of object.
    ///
    /// # Errors
    /// What keeps the mirror from being written. A service that does not answer, or refuses, is told in the pull's
    /// own record.
    pub async fn objects(
        &self,
        definition: &ObjectDefinition,
        ask: &Ask,
        tell: &(dyn Fn(Told<'_>) + Send + Sync),
    ) -> Result<Pull, PullError> {
        objects::pull(self, definition, ask, tell).await
    }

    /// Pulls what joins two types.
    ///
    /// # Errors
    /// As [`Puller::objects`].
    pub async fn associations(
        &self,
        definition: &AssociationDefinition,
        ask: &Ask,
        tell: &(dyn Fn(Told<'_>) + Send + Sync),
    ) -> Result<Pull, PullError> {
        pairs::pull(self, definition, ask, tell).await
    }
}

/// Whether a pull reads everything. One that has nothing to build on does, or something that holds more than it should.
fn mode(ask: &Ask, must_be_full: bool) -> Mode {
    match ask.since {
        Some(_) if !ask.full => Mode::Changes,
        _ if ask.full || must_be_full => Mode::Full,
        _ => Mode::Changes,
    }
}
