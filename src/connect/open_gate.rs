//! A gate that admits everything: for tests, and for the one call that checks new credentials.

use crate::domain::failure::{CallFailure, Service};
use crate::domain::port::{Budget, Gate, Observed, Permit, Priority};
use async_trait::async_trait;

/// Admits every call at once and forgets what was seen.
#[derive(Clone, Copy, Debug)]
pub struct OpenGate(pub Service);

struct Nothing;

impl Permit for Nothing {
    fn report(self: Box<Self>, _observed: Observed) {}
}

#[async_trait]
impl Gate for OpenGate {
    async fn admit(&self, _priority: Priority, _budget: Budget) -> Result<Box<dyn Permit>, CallFailure> {
        Ok(Box::new(Nothing))
    }

    fn service(&self) -> Service {
        self.0
    }
}
