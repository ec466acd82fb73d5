//! The durable record of every run, move, step and person: snapshot and log are the truth, sled is
//! the index they are looked up in (docs/journal-format.md).
//!
//! Promises: what `Store::commit` acknowledged survives a power cut and any damage to sled's files,
//! or the next start is refused with the way to restore. Never: knowing what a list is, or what a
//! move means.
//!
//! From the caller down: [`ledger`] speaks of people, runs and moves, [`consent`] of evidence; [`record`], [`codec`] and [`key`]
//! turn them into bytes; [`store`] takes bytes and makes them durable. Below `store::live`, a commit goes
//! through the committer into the log (one sync for a whole group), into the overlay, and from there,
//! coalesced, into the index; the applier also writes the snapshots. `recovery` puts all of it together
//! again at start.
//!
//! Beside that: [`backup`] and [`restore`] take everything out and in again, [`inspect`] looks at the files and
//! [`verify`] at the records without changing them, [`size`] counts them.

mod applier;
pub mod backup;
mod change;
pub mod codec;
mod committer;
pub mod consent;
pub(crate) mod directory;
pub mod expiring;
mod fault;
pub mod forgotten;
mod frame;
mod gather;
pub mod hints;
mod index;
pub mod inspect;
pub mod key;
pub mod ledger;
mod log;
pub mod medium;
mod mending;
pub mod naming;
pub mod outbox;
mod overlay;
pub mod record;
mod recovery;
pub mod restore;
pub mod size;
mod snapshot;
pub mod store;
#[cfg(test)]
mod together;
pub mod tokens;
mod totals;
mod upgrade;
pub mod verify;

pub use consent::ConsentLedger;
pub use ledger::{Journal, JournalError};
