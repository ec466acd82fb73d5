//! Actors (kameo): each owns what must have exactly one writer. A mailbox is a hint, the journal is the
//! truth: what must not be lost is journaled before it is sent, and an actor that starts reads the
//! journal.
//!
//! ```text
//!   Moves (router) ──► Contact, one per person in flight ──► Lane, one per list, tag, audience
//!        ▲                    │        ▲                        │
//!        └──── reports ───────┘        └────── outcomes ────────┤
//!                                                               ▼
//!                                       ports ──► Account, one per service: permits
//! ```
//!
//! Nobody asks itself or upward, and no handler waits for a lane. Never: rules, wire formats, sled.

pub mod account;
mod alarm;
pub mod budget;
pub mod contact;
pub mod context;
mod erasing;
mod evidence;
pub mod lane;
mod leave_by;
pub mod looks;
mod meter;
mod moves;
pub mod reading;
pub mod router;
pub mod silence;
mod tally;
pub mod traffic;
