//! Where a process dies: the n-th time that it comes past a kind of place, there or a few turns of the scheduler
//! later.
//!
//! Promises: once it is dead, nothing it still does counts: whoever comes past a place stays there. Never: a thread
//! that is killed; what was running until its next place is like what a processor had still in its pipeline.

use super::held;
use super::trace::Trace;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::Notify;

/// A process that passes more places than this gets nowhere, and dies too.
pub(super) const BUSY: u64 = 400_000;

/// A kind of place at which a process can die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// A call is about to leave.
    CallLeaves,
    /// The service has carried it out; no answer has come.
    CallDone,
    /// The answer is there.
    CallAnswered,
    /// A commit is about to be written.
    Write,
    /// It is written and not synced.
    Sync,
    /// It is synced and nobody knows.
    Acknowledge,
    /// Something is about to wait.
    Sleep,
    /// It has waited.
    Awake,
    /// Long work is about to begin.
    Work,
}

impl Place {
    pub(super) const ALL: [Place; 9] = [
        Place::CallLeaves,
        Place::CallDone,
        Place::CallAnswered,
        Place::Write,
        Place::Sync,
        Place::Acknowledge,
        Place::Sleep,
        Place::Awake,
        Place::Work,
    ];
}

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    /// At which kind of place.
    pub(super) place: Place,
    /// The how-manyth time, counted from 1.
    pub(super) nth: u64,
    /// So many turns of the scheduler later; with none, right there.
    pub(super) turns: u32,
}

/// One process's fuse.
pub(super) struct Fuse {
    death: Option<Death>,
    seen: Mutex<BTreeMap<Place, u64>>,
    steps: AtomicU64,
    gone: AtomicBool,
    burnt: Notify,
    trace: Arc<Trace>,
}

impl Fuse {
    pub(super) fn new(death: Option<Death>, trace: Arc<Trace>) -> Fuse {
        Fuse {
            death,
            seen: Mutex::default(),
            steps: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            burnt: Notify::new(),
            trace,
        }
    }

    /// Whether the process is dead.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// Returns when the process has died.
    pub(super) async fn burnt(&self) {
        while !self.is_gone() {
            self.burnt.notified().await;
        }
    }

    /// The process dies now.
    pub(super) fn burn(&self) {
        self.gone.store(true, Ordering::SeqCst);
        self.burnt.notify_one();
    }

    /// How many places were passed: a measure of how much was done.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Comes past a place: goes on, or never returns.
    pub(super) async fn pass(self: &Arc<Self>, place: Place) {
        if self.steps.fetch_add(1, Ordering::SeqCst) >= BUSY {
            self.burn();
        }
        let nth = {
            let mut seen = held(&self.seen);
            let count = seen.entry(place).or_default();
            *count += 1;
            *count
        };
        if let Some(death) = self.death
            && (death.place, death.nth) == (place, nth)
        {
            self.trace.tell(|| format!("dies at {place:?} {nth}, {} turns later", death.turns));
            if death.turns == 0 {
                self.burn();
            } else {
                let fuse = Arc::clone(self);
                tokio::spawn(async move {
                    Turns(death.turns).await;
                    fuse.burn();
                });
            }
        }
        if self.is_gone() {
            std::future::pending::<()>().await;
        }
    }
}

/// Lets everybody who is ready have so many turns. Time stands still meanwhile.
struct Turns(u32);

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
