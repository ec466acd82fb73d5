//! The durable record of every run, move, step and person: snapshot and log are the truth, sled is
//! the index they are looked up in (docs/journal-format.md).
//!
//! Promises: what `Store::commit` acknowledged survives a power cut and any damage to sled's files,
//! or the next start is refused with the way to restore. Never: knowing what a list is, or what a
//! move means.

pub mod store;
