//! Until when a call may leave that rests on a look at somebody's consent, or at what protects them. It may wait for its
//! turn at the account for longer than the look counts (design §3.10): then it does not leave, and is looked at again.
//!
//! Promises: a call within [`leaving_by`] leaves in time or not at all. Never: breaking off a call that has left.

use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::time::Timestamp;

tokio::task_local! {
    static LEAVE_BY: Timestamp;
}

/// Makes these calls, none of which leaves later than that.
pub async fn leaving_by<T>(latest: Timestamp, calls: impl Future<Output = T>) -> T {
    LEAVE_BY.scope(latest, calls).await
}

/// Why the call that is about to leave must not, if that is so.
pub(super) fn too_late(service: Service, now: Timestamp) -> Option<CallFailure> {
    LEAVE_BY.try_with(|latest| now > *latest).unwrap_or(false).then(|| CallFailure {
        service,
        // Nothing happened, and it costs no try.
        class: FailureClass::RateLimited { retry_after: None },
        refusal: RefusalCode::Other,
        status: None,
        what: "takes its calls late".to_owned(),
        message: "the call has waited for longer than the look before it counts; it is looked at again"
            .to_owned(),
        trace: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::account::{AccountArgs, AccountGate};
    use crate::actors::budget::BudgetLimits;
    use crate::domain::port::{Budget, Clock, Gate, Observed, Priority};
    use async_trait::async_trait;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    struct Hand(AtomicI64);

    #[async_trait]
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }

        async fn sleep(&self, duration: Duration) {
            tokio::time::sleep(duration).await;
        }
    }

    #[tokio::test]
    async fn a_call_that_has_waited_for_longer_than_its_look_counts_does_not_leave_and_holds_up_nobody() {
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let limits = BudgetLimits {
            connections: 1,
            per_window: None,
            at_most: None,
            window: Duration::from_secs(10),
            searches_per_second: None,
            reserve: 0.0,
        };
        let service = Service::Mailchimp;
        let args = AccountArgs { service, limits, clock: Arc::clone(&clock) as Arc<dyn Clock> };
        let gate = AccountGate::start(args);
        let ask = |gate: AccountGate| async move { gate.admit(Priority::Enroll, Budget::Ordinary).await };
        let Ok(slow) = ask(gate.clone()).await else { panic!("the only connection is free") };
        let waits = tokio::spawn(leaving_by(Timestamp(60_000), ask(gate.clone())));
        let in_time = tokio::spawn(leaving_by(Timestamp(70_000), ask(gate.clone())));
        clock.0.store(61_000, Ordering::SeqCst);
        slow.report(Observed::default());
        let Err(failure) = waits.await.unwrap() else { panic!("it has left") };
        assert_eq!(failure.class, FailureClass::RateLimited { retry_after: None });
        assert!(in_time.await.unwrap().is_ok(), "who has time left goes");
        assert!(ask(gate).await.is_ok(), "and so does who waits for no look");
    }
}
