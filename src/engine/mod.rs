//! Runs moves. One transition function folds events into a move's status, live and at recovery; one
//! decision function says what comes next. Both are pure: no clock, no chance, no I/O.
//!
//! ```text
//!   events ──► transition ──► MoveStatus ──► decide(now) ──► Next: send · probe · poll · wait · record
//!     ▲                                                        │
//!     └───────────── outcome, as an event ◄────────────────────┘
//! ```
//!
//! Promises: a move ends as done, unwound, superseded or, by name, stuck; nothing is sent twice without
//! a look in between; nothing is undone while the call it undoes may still be running. Never: knowing
//! sled, kameo or HTTP, nor what a list means.

pub mod decide;
pub mod outbox;
pub mod recovery;
pub mod retry;
pub mod status;
pub mod transition;

#[cfg(test)]
mod crash_matrix;

pub use decide::{Next, decide};
pub use status::{MoveStatus, Phase, Progress, Setback, StepState};
pub use transition::{IllegalEvent, fold, transition};
