//! What the scan promises, against two small accounts in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod fake;
mod files;
mod full;
mod incremental;
mod load;
mod lookups;
mod resume;
mod support;
