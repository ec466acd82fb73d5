//! From two accounts to one picture: the scan reads both sides into a snapshot.
//!
//! A *scan* asks the two accounts, page by page, and puts every page on disk before it asks for the
//! next. A *snapshot* is what comes out: sorted files that never change, joined per person. Both work
//! with streams, so memory stays small however many people there are.

pub mod scan;
pub mod snapshot;
