//! What every actor of a workspace shares: the journal, the two accounts, time, chance, settings.

use super::account::LearnedClock;
use super::looks::ConsentLooks;
use super::reading::Listings;
use super::traffic::Traffic;
use crate::domain::event::Direction;
use crate::domain::id::SegmentId;
use crate::domain::member::TagInfo;
use crate::domain::pause::Pauses;
use crate::domain::port::{
    AudienceAccount, BatchState, CallResult, Clock, CrmAccount, Entropy, Hands, OptOutBasis, Priority,
};
use crate::domain::rules::{Barring, Protection};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::domain::window::EnrollWindow;
use crate::engine::MoveStatus;
use crate::engine::retry::RetryPolicy;
use crate::journal::consent::ConsentLedger;
use crate::journal::ledger::Journal;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

/// Settings of the actors.
#[derive(Clone, Debug)]
pub struct ActorSettings {
    /// When steps are tried again.
    pub retry: RetryPolicy,
    /// People with work in flight at most; the others wait in the journal.
    pub live_contacts: usize,
    /// Steps that one call of a lane carries at most, whatever the service takes.
    pub lane_carries: usize,
    /// How long a lane waits for company after the last arrival.
    pub lane_quiet: Duration,
    /// How long a lane waits at most.
    pub lane_longest: Duration,
    /// Above how many single calls an asynchronous batch is used.
    pub batch_above: usize,
    /// Single calls a lane has out at once.
    pub singles_at_once: usize,
    /// Legal basis of opt-outs.
    pub basis: OptOutBasis,
    /// When mail may be started (R10a); always without one.
    pub enroll_between: Option<EnrollWindow>,
    /// Whose bearers are never archived.
    pub protection: Protection,
    /// Which lists stand against an enrolment that has waited.
    pub barring: Barring,
}

/// Why a move may not go on now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// In words.
    pub why: String,
    /// Until when, where that is known; else until an operator says so.
    pub until: Option<Timestamp>,
}

/// The answer of an asynchronous batch, shared by all who wait for it.
pub type BatchLook = tokio::sync::OnceCell<CallResult<BatchState>>;

/// What every actor shares.
pub struct Shared {
    /// The journal.
    pub journal: Journal,
    /// The ledger of consent over it.
    pub consent: ConsentLedger,
    /// HubSpot.
    pub crm: Arc<dyn CrmAccount>,
    /// Mailchimp.
    pub audience: Arc<dyn AudienceAccount>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Mailchimp's time.
    pub audience_clock: LearnedClock,
    /// When this process began.
    pub began: Timestamp,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Long work.
    pub hands: Arc<dyn Hands>,
    /// Settings.
    pub settings: ActorSettings,
    /// When people's consent was last read.
    pub looks: ConsentLooks,
    /// Listings that still count.
    pub listings: Listings,
    /// What is paused now.
    pub pauses: RwLock<Pauses>,
    /// Segments by tag.
    pub tags: TagDirectory,
    /// What each lane is doing, for `status`.
    pub lanes: Mutex<BTreeMap<String, LaneOverview>>,
    /// Which moves are on their way.
    pub traffic: Arc<Traffic>,
    /// Looks at asynchronous batches that are going on, by ticket.
    pub batches: Mutex<BTreeMap<String, Weak<BatchLook>>>,
    /// Set once hsmc quiesces: calls in flight end, none is begun.
    pub stopping: AtomicBool,
    /// Counts up whenever a step is settled or a service works at one: while it stands still, whoever waits
    /// waits in vain.
    pub progress: AtomicU64,
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneOverview {
    /// Steps waiting for company or leave.
    pub queued: usize,
    /// Steps in calls that are out.
    pub in_flight: usize,
}

impl Shared {
    /// Whether hsmc quiesces.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Something got further.
    pub fn got_further(&self) {
        self.progress.fetch_add(1, Ordering::AcqRel);
    }

    /// Steps in calls that are out now.
    pub fn calls_out(&self) -> usize {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.values().map(|lane| lane.in_flight).sum()
    }

    /// The pauses in force.
    pub fn pauses(&self) -> Pauses {
        self.pauses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What holds a move back: an operator's pause, or the window in which mail may be started. Nothing holds
    /// an opt-out, and no window holds what is being undone or has started its mail already.
    pub fn holds(&self, status: &MoveStatus, now: Timestamp) -> Option<Held> {
        if let Some(why) = self.pauses().holds(&status.draft) {
            return Some(Held { why, until: None });
        }
        let window = self.settings.enroll_between.as_ref()?;
        let starts_mail = status.draft.kind.starts_mail() && !status.is_past_pivot();
        if !starts_mail || status.direction() != Some(Direction::Forward) || window.is_open(now) {
            return None;
        }
        let opens = window.opens(now);
        Some(Held { why: format!("enroll_between: mail starts from {opens} on"), until: Some(opens) })
    }

    /// Replaces the pauses in force.
    pub fn set_pauses(&self, pauses: Pauses) {
        *self.pauses.write().unwrap_or_else(PoisonError::into_inner) = pauses;
    }
}

/// Segments by tag name: learned from the scan, and asked for when a tag is new.
///
/// A tag comes into being in two ways: made as a segment, or named in a call about members. Never both at once, since
/// that might make twins (Mailchimp contract §8).
#[derive(Default)]
pub struct TagDirectory {
    known: RwLock<BTreeMap<TagName, SegmentId>>,
    making: tokio::sync::RwLock<()>,
}

impl TagDirectory {
    /// Takes over what a scan has read.
    pub fn learn(&self, tags: &[TagInfo]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.clear();
        known.extend(tags.iter().map(|tag| (tag.name.clone(), tag.segment)));
    }

    /// A tag has another name now.
    pub fn renamed(&self, segment: SegmentId, name: &TagName) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, tag| *tag != segment);
        known.insert(name.clone(), segment);
    }

    /// A segment is not there any more.
    pub fn forget(&self, segment: SegmentId) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).retain(|_, tag| *tag != segment);
    }

    /// The segment of a tag, if it is known.
    pub fn find(&self, tag: &TagName) -> Option<SegmentId> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(tag).copied()
    }

    /// To be held while a call names these tags; none where all of them are there.
    pub async fn naming(&self, tags: &[TagName]) -> Option<tokio::sync::RwLockReadGuard<'_, ()>> {
        match tags.iter().all(|tag| self.find(tag).is_some()) {
            true => None,
            false => Some(self.making.read().await),
        }
    }

    /// The segment of a tag; asked for, and created when there is none.
    ///
    /// # Errors
    /// When the service cannot be asked.
    pub async fn resolve(
        &self,
        audience: &dyn AudienceAccount,
        priority: Priority,
        tag: &TagName,
    ) -> CallResult<SegmentId> {
        if let Some(segment) = self.find(tag) {
            return Ok(segment);
        }
        let _one_at_a_time = self.making.write().await;
        if let Some(segment) = self.find(tag) {
            return Ok(segment);
        }
        let segment = audience.create_tag(priority, tag).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(tag.clone(), segment);
        Ok(segment)
    }
}
