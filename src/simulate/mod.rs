//! Deterministic simulation: the composed app against the simulated accounts, in virtual time, every choice from
//! one seed (docs/simulation.md).
//!
//! A seed draws two accounts, a config, what people do meanwhile, what goes wrong on the wire, on the drive and with
//! the clock, and at which places processes are killed. Then the world is healed, hsmc runs until it has come to
//! rest, and every invariant of design §3 must hold. The same seed gives the same trace, byte for byte: whatever is
//! found can be looked at as often as needed.
//!
//! Never: the network, the time of day, a thread that runs beside another, or a choice that is not the seed's. Files
//! are real (the pages and snapshots of scans), in a directory of the seed's own, which no choice depends on.

mod accounting;
#[cfg(test)]
mod calls_tests;
mod chance;
mod clock;
mod done;
mod faults;
mod fuse;
mod hands;
mod invariants;
mod network;
mod orders;
mod people;
mod process;
mod range;
mod seed;
mod stage;
mod trace;
mod world;

pub use range::{Summary, simulate_all};
pub use seed::{Outcome, simulate};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock whose holder panicked is as good as any.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
