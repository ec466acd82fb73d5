//! The workflow that every library is given: five steps that do nothing. What runs it counts its steps, so that none is
//! left out and none done twice without being noticed.

use std::sync::atomic::{AtomicU64, Ordering};

/// The steps, by name.
pub const STEPS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// The bodies of the steps, of all workflows of a process.
#[derive(Debug, Default)]
pub struct Bodies {
    begun: AtomicU64,
    hold: bool,
}

impl Bodies {
    /// Whose steps never end: what a kill meets in the midst of its first step.
    pub fn held() -> Bodies {
        Bodies { hold: true, ..Bodies::default() }
    }

    /// One step.
    pub async fn run(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        if self.hold {
            std::future::pending::<()>().await;
        }
    }

    /// How many steps have begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}
