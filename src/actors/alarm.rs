//! The one timer of an actor, for the soonest moment that anybody in it waits for.
//!
//! Never: two of them at once. Each that rings has the next one set, so a second would never die out.

use crate::domain::port::Clock;
use crate::domain::time::Timestamp;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::AbortHandle;

/// The timer.
#[derive(Default)]
pub struct Alarm(Option<(Timestamp, AbortHandle)>);

impl Alarm {
    /// Sees to it that `ring` is done at that moment, unless the timer is set for a sooner one that is still to come.
    /// One that is set for later is given up.
    pub fn set<F>(&mut self, clock: &Arc<dyn Clock>, at: Timestamp, ring: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let now = clock.now();
        if self.0.as_ref().is_some_and(|(set, _)| *set <= at && *set > now) {
            return;
        }
        self.off();
        let (clock, wait) = (Arc::clone(clock), at.since(now).max(Duration::from_millis(1)));
        let timer = tokio::spawn(async move {
            clock.sleep(wait).await;
            ring.await;
        });
        self.0 = Some((at, timer.abort_handle()));
    }

    /// It has rung, or nobody waits any more.
    pub fn off(&mut self) {
        if let Some((_, timer)) = self.0.take() {
            timer.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::time::Instant;

    struct Virtual(Instant);

    #[async_trait]
    impl Clock for Virtual {
        fn now(&self) -> Timestamp {
            Timestamp::default().plus(self.0.elapsed())
        }

        async fn sleep(&self, duration: Duration) {
            tokio::time::sleep(duration).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sooner_moment_takes_the_place_of_a_later_one_and_one_bell_rings() {
        let clock: Arc<dyn Clock> = Arc::new(Virtual(Instant::now()));
        let rung = Arc::new(AtomicU32::new(0));
        let bell = || {
            let rung = Arc::clone(&rung);
            async move {
                rung.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut alarm = Alarm::default();
        for at in [10_000, 5_000, 8_000] {
            alarm.set(&clock, Timestamp(at), bell());
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(rung.load(Ordering::SeqCst), 1, "the one for the soonest");

        // One that has rung without anybody noticing is past, and stands in nobody's way.
        alarm.set(&clock, Timestamp(70_000), bell());
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(rung.load(Ordering::SeqCst), 2);
        alarm.set(&clock, Timestamp(130_000), bell());
        alarm.off();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(rung.load(Ordering::SeqCst), 2, "what is off does not ring");
    }
}
