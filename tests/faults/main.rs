//! Everything that goes wrong around a sync, end to end: the composed app against two simulated accounts,
//! over HTTP, with scripted faults.

#![cfg(test)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

mod accounting;
mod approving;
mod asking;
mod away;
mod batches;
mod between;
mod codes;
mod consent_and_limits;
mod damaged;
mod evidence;
mod feeding;
mod forgetting;
mod handing_over;
mod hints;
mod identity;
mod keeping_on;
mod machine;
mod members;
mod merging;
mod moved_members;
mod naming;
mod operating;
mod reading;
mod real_life;
mod reports;
mod restoring;
mod retention;
mod services;
mod support;
mod targets;
mod telling;
mod undoing;
mod upgrading;
mod window;
