//! Calls that a run needs before and beside its scan: a moment's trouble does not end the run.
//!
//! Never: a write that is not safe to repeat, or waiting for a service that asks for longer than a run should hang.

use super::error::RunError;
use super::workspace::Workspace;
use crate::domain::failure::FailureClass;
use crate::domain::port::CallResult;
use std::future::Future;
use std::time::Duration;

/// Tries of one call.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A service that asks for more than this is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Asks until there is an answer, a refusal, or too many failures.
///
/// # Errors
/// The last failure, or that hsmc was asked to stop.
pub async fn patiently<T, Fut: Future<Output = CallResult<T>>>(
    workspace: &Workspace,
    call: impl Fn() -> Fut,
) -> Result<T, RunError> {
    let mut pause = FIRST_PAUSE;
    for tried in 1.. {
        if workspace.is_stopping() {
            return Err(RunError::Stopped);
        }
        let failure = match call().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let wait = match failure.class {
            FailureClass::Transient | FailureClass::InDoubt => pause,
            FailureClass::RateLimited { retry_after } => retry_after.unwrap_or(pause),
            _ => return Err(failure.into()),
        };
        if tried >= TRIES || wait > LONGEST_PAUSE {
            return Err(failure.into());
        }
        tracing::debug!(what = %failure.what, class = ?failure.class, "asking again");
        pause *= 2;
        let mut stop = workspace.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            () = workspace.shared.clock.sleep(wait) => {}
        }
    }
    Err(RunError::Stopped)
}
