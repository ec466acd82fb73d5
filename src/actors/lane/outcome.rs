//! From what a call said to what it means for a step.

use crate::actors::budget::LONGEST_WAIT;
use crate::actors::context::Shared;
use crate::domain::event::{NOT_SENT, StepOutcome};
use crate::domain::failure::{CallFailure, FailureClass, Refusal, RefusalCode};
use crate::domain::port::ItemOutcome;
use crate::domain::time::Timestamp;
use std::time::Duration;

/// The outcome a failed call means for each of its steps.
pub fn of_failure(shared: &Shared, failure: &CallFailure, attempts: u32) -> StepOutcome {
    let now = shared.clock.now();
    let fraction = shared.entropy.fraction();
    let retry = |wait: Duration| StepOutcome::RetryAt {
        at: now.plus(wait),
        class: failure.class,
        why: failure.to_string(),
    };
    match failure.class {
        FailureClass::Transient => retry(shared.settings.retry.wait(attempts, fraction)),
        FailureClass::RateLimited { retry_after: Some(told) } if told > LONGEST_WAIT => retry(told),
        // The account's gate waits as told; the step need not wait on top of it.
        FailureClass::RateLimited { .. } => retry(Duration::from_millis(50)),
        FailureClass::Unauthorized => retry(Duration::from_secs(60)),
        FailureClass::Misconfigured | FailureClass::TargetAway => retry(Duration::from_secs(300)),
        FailureClass::Permanent => StepOutcome::Refused(failure.as_refusal()),
        FailureClass::InDoubt => in_doubt(shared, attempts, failure.to_string()),
    }
}

/// An unknown outcome: probed a little later, since the first call may still be running.
pub fn in_doubt(shared: &Shared, attempts: u32, why: String) -> StepOutcome {
    let wait = shared
        .settings
        .retry
        .before_probe
        .max(shared.settings.retry.wait(attempts, shared.entropy.fraction()));
    StepOutcome::InDoubt { probe_at: shared.clock.now().plus(wait), why }
}

/// What the answer said of one input.
pub fn of_item(shared: &Shared, item: Option<&ItemOutcome>, attempts: u32) -> StepOutcome {
    match item {
        Some(ItemOutcome::Done) => StepOutcome::Done,
        Some(ItemOutcome::AlreadyHeld) => StepOutcome::AlreadyHeld,
        Some(ItemOutcome::Refused(refusal)) => StepOutcome::Refused(refusal.clone()),
        Some(ItemOutcome::Unknown) | None => {
            in_doubt(shared, attempts, "the answer does not name this person".to_owned())
        }
    }
}

/// It certainly did not happen, and nothing is wrong: the call never left.
pub fn not_sent(now: Timestamp) -> StepOutcome {
    StepOutcome::RetryAt {
        at: now,
        class: FailureClass::RateLimited { retry_after: None },
        why: NOT_SENT.to_owned(),
    }
}

/// A refusal of ours, before any call.
pub fn refused(code: RefusalCode, message: &str) -> StepOutcome {
    StepOutcome::Refused(Refusal { code, message: message.to_owned() })
}

/// Whether a step is as it should be.
pub fn holds(is_so: bool) -> StepOutcome {
    if is_so { StepOutcome::Done } else { StepOutcome::ProbedNot }
}
