//! Time that hurries: a minute of the simulation is about a second of the test. Both accounts and hsmc read the same
//! clock.

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
}

impl Hurried {
    pub fn new() -> Hurried {
        Hurried { since: Instant::now(), jumped_ms: AtomicI64::new(0) }
    }

    /// What every clock says.
    pub fn true_now(&self) -> Timestamp {
        let now = BEGIN.plus(self.since.elapsed() * HURRY);
        Timestamp(now.0 + self.jumped_ms.load(Ordering::SeqCst))
    }

    /// So much time passes at once, for everybody.
    pub fn jump(&self, by: Duration) {
        self.jumped_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        self.true_now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / HURRY).await;
    }
}
