//! What an app is given of the outer world: the real clock, chance, disk and network, unless told otherwise.

use crate::connect::HttpSettings;
use crate::domain::port::{Clock, Entropy};
use crate::domain::time::Timestamp;
use crate::journal::store::live;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A run gives up on a service after so long without any progress; longer than the 130 s rule.
const PATIENCE: Duration = Duration::from_secs(200);

/// The outer world of one app.
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Sizes of the store, and what its log is written on.
    pub store: live::Settings,
    /// Time limits of calls.
    pub http: HttpSettings,
    /// A run gives up on a service after so long without any progress.
    pub patience: Duration,
}

impl Default for Ports {
    fn default() -> Ports {
        Ports {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            store: live::Settings::default(),
            http: HttpSettings::default(),
            patience: PATIENCE,
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
