//! Virtual time: it stands while anybody has anything to do, and jumps to the next moment that somebody waits for.
//! The services have the true time; hsmc's own clock may be wrong.

use super::fuse::{Fuse, Place};
use crate::domain::port::Clock;
use crate::domain::time::Timestamp;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// The time of one process.
pub(super) struct VirtualClock {
    began: Timestamp,
    since: Instant,
    /// How wrong hsmc's clock is, in milliseconds.
    wrong_by: AtomicI64,
    fuse: Arc<Fuse>,
}

impl VirtualClock {
    /// A clock of a process that begins now, within its runtime.
    pub(super) fn new(began: Timestamp, wrong_by: i64, fuse: Arc<Fuse>) -> VirtualClock {
        VirtualClock { began, since: Instant::now(), wrong_by: AtomicI64::new(wrong_by), fuse }
    }

    /// What time it is in truth.
    pub(super) fn true_now(&self) -> Timestamp {
        self.began.plus(self.since.elapsed())
    }

    /// hsmc's clock jumps.
    pub(super) fn jump(&self, by: i64) {
        self.wrong_by.fetch_add(by, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.true_now().0 + self.wrong_by.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.fuse.pass(Place::Sleep).await;
        tokio::time::sleep(duration).await;
        self.fuse.pass(Place::Awake).await;
    }
}
