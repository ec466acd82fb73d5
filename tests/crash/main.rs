//! The real binary, killed wherever a crash matters (design §4), and left to go on.
//!
//! Every test serves simulated accounts in this process, runs `hsmc sync --yes` against them, kills it
//! with SIGKILL, runs it again, and compares both accounts with what a run leaves that nobody disturbed:
//! the same picture, by the same changes, none of them twice.
//!
//! `points` generates its cases from the points that an undisturbed run passes, so that a new step or a
//! new kind of move is covered without a new test; `refusals` does the same while moves are refused and
//! unwind; `random` kills by chance under load (`HSMC_KILLS=200 cargo test --test crash random` for a
//! long one); `prefixes` cuts the log after every record.

#![cfg(test)]
#![cfg(all(debug_assertions, unix))]

mod approving;
mod evidence;
mod forgetting;
mod owners;
mod patience;
mod points;
mod poisoned;
mod prefixes;
mod random;
mod recovery;
mod refusals;
mod reload;
mod stage;
mod state;
mod undoing;
mod world;
