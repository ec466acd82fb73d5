//! What an app is given of the outer world: the real clock, chance, disk, threads and network, unless told
//! otherwise.

use crate::connect::{HttpSettings, Transport};
use crate::domain::port::{Awaited, BrokenOff, Clock, Entropy, Hands, LongWork, Waits};
use crate::domain::time::Timestamp;
use crate::journal::store::{Store, live};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;

/// A run gives up on a service after so long without any progress; longer than the 130 s rule.
const PATIENCE: Duration = Duration::from_secs(200);

/// The outer world of one app.
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Long work.
    pub hands: Arc<dyn Hands>,
    /// Where the journal is kept.
    pub keeping: Keeping,
    /// How calls travel.
    pub network: Network,
    /// A run gives up on a service after so long without any progress.
    pub patience: Duration,
    /// Steps that one call of a lane carries at most, whatever the service takes: without a bound, but where it is
    /// measured what lanes are worth.
    pub lane_carries: usize,
}

/// Where the journal is kept.
pub enum Keeping {
    /// In the state directory, on a disk; with sizes of the store, and what its log is written on.
    InState(live::Settings),
    /// In a store of the caller's, which outlives the app.
    Given(Arc<dyn Store>),
}

/// How calls travel.
pub enum Network {
    /// Over HTTP, within these limits.
    Http(HttpSettings),
    /// By a way of the caller's.
    Given(Arc<dyn Transport>),
}

impl Default for Ports {
    fn default() -> Ports {
        Ports {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            hands: Arc::new(Threads),
            keeping: Keeping::InState(live::Settings::default()),
            network: Network::Http(HttpSettings::default()),
            patience: PATIENCE,
            lane_carries: usize::MAX,
        }
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The system's chance.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fraction(&self) -> f64 {
        rand::random()
    }

    fn secret(&self) -> [u8; 32] {
        rand::random()
    }
}

/// The runtime's threads for work that blocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threads;

struct OnRuntime(Handle);

impl Waits for OnRuntime {
    fn wait_for(&self, awaited: Awaited) -> Result<(), BrokenOff> {
        self.0.block_on(awaited);
        Ok(())
    }
}

#[async_trait]
impl Hands for Threads {
    async fn carry_out(&self, work: LongWork) -> Result<(), BrokenOff> {
        let waits = OnRuntime(Handle::current());
        let done = tokio::task::spawn_blocking(move || work(&waits)).await;
        done.map_err(|problem| BrokenOff(problem.to_string()))
    }
}
