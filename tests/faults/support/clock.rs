//! Time that hurries: a minute of the simulation is about a second of the test. Both accounts and hsmc read
//! the same clock; hsmc's own may besides be set wrong, as a machine's can be.

use async_trait::async_trait;
use hsmc::domain::port::Clock;
use hsmc::domain::time::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// How much faster than the wall's.
pub const HURRY: u32 = 60;

/// 23 November 2026, 14:00 UTC: later than everything that scenarios build.
const BEGIN: Timestamp = Timestamp(1_795_442_400_000);

pub struct Hurried {
    since: Instant,
    jumped_ms: AtomicI64,
    wrong_by_ms: AtomicI64,
}

impl Hurried {
    pub fn new() -> Hurried {
        Hurried { since: Instant::now(), jumped_ms: AtomicI64::new(0), wrong_by_ms: AtomicI64::new(0) }
    }

    /// What the services' clocks say.
    pub fn true_now(&self) -> Timestamp {
        let now = BEGIN.plus(self.since.elapsed() * HURRY);
        Timestamp(now.0 + self.jumped_ms.load(Ordering::SeqCst))
    }

    /// So much time passes at once, for everybody.
    pub fn jump(&self, by: Duration) {
        self.jumped_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// hsmc's clock is off by this much from now on.
    pub fn set_wrong_by(&self, milliseconds: i64) {
        self.wrong_by_ms.store(milliseconds, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        Timestamp(self.true_now().0 + self.wrong_by_ms.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / HURRY).await;
    }
}
