//! The rules (R1–R30, docs/rules.md), one promise a test, on the pure decision alone: no journal, no
//! actor, no network.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod consent;
mod contested;
mod enroll;
mod exclude;
mod handover;
mod identity;
mod limits;
mod naming;
mod properties;
mod scenarios;
mod segments;
mod support;
mod window;
