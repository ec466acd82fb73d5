//! Patience with calls that only read: what may pass is waited for and asked again, as design §5 says.
//! Never: repeating what was refused.

use super::error::RunError;
use super::workspace::Workspace;
use crate::domain::failure::FailureClass;
use std::time::Duration;

/// Tries of one reading, when it fails.
const TRIES: u32 = 8;
/// Waits of one reading, when the account's limit is what stops it: that is no failure.
const WAITS: u32 = 60;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How much patience is left with one reading.
pub struct Patience {
    tries: u32,
    waits: u32,
    pause: Duration,
}

impl Patience {
    /// All of it.
    pub fn new() -> Patience {
        Patience { tries: 1, waits: 0, pause: FIRST_PAUSE }
    }

    /// Waits until the reading is worth another try.
    ///
    /// # Errors
    /// The problem itself, when it is not; or that hsmc was asked to stop.
    pub async fn after(&mut self, workspace: &Workspace, problem: RunError) -> Result<(), RunError> {
        let RunError::Call(failure) = &problem else { return Err(problem) };
        let wait = match failure.class {
            FailureClass::Transient | FailureClass::InDoubt if self.tries < TRIES => {
                self.tries += 1;
                self.pause
            }
            FailureClass::RateLimited { retry_after } if self.waits < WAITS => {
                self.waits += 1;
                retry_after.unwrap_or(self.pause)
            }
            _ => return Err(problem),
        };
        tracing::debug!(class = ?failure.class, status = ?failure.status, "reading again");
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let mut stop = workspace.stop.clone();
        tokio::select! {
            biased;
            // An error means that nobody is left who could ask: everything is being shut down.
            _ = stop.wait_for(|stop| *stop) => Err(RunError::Stopped),
            () = workspace.shared.clock.sleep(wait) => Ok(()),
        }
    }
}

impl Default for Patience {
    fn default() -> Patience {
        Patience::new()
    }
}
