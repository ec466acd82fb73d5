//! What the journal promises, proved from outside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in tests, but takes helpers of an integration test for no tests"
)]

mod anything;
mod consent;
mod contract;
mod damage;
mod every_record;
mod forgotten;
mod golden;
mod keeping;
mod ledger;
mod outbox;
mod samples;
mod support;
