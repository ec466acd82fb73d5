//! Snapshots: what both accounts said at one time, as immutable sorted files.
//!
//! One directory per run, `<state>/snapshots/<run>/`:
//!
//! | file | rows | sorted by |
//! |---|---|---|
//! | `list-<id>.rows` | members of one list | record |
//! | `contacts.rows` | contacts in any scanned list, opted out, or looked up | record |
//! | `members.rows` | members, archived ones too | subscriber hash |
//! | `people.rows` | the join of the above, one row per person | hash; without an address: record |
//! | `unanswered.rows` | records that were asked for and not answered | record |
//! | `lookups.rows` | addresses HubSpot was asked about before, and the answer | hash |
//! | `lookups.pages` | such answers since the scan ended, appended | – |
//! | `header.json` | when, which lists and tags, how many rows | – |
//!
//! A forgotten person's rows are taken out of all of them; else a finished snapshot never changes. The header is
//! written last; a directory without one is a scan in progress. Every row has a
//! checksum and every file a trailer with its count, so that a damaged file is an error and never
//! silently a smaller one. Nothing here asks an account anything or looks at a clock.

mod directory;
mod erase;
mod error;
mod frame;
mod header;
mod join;
mod keyed;
mod lookups;
mod merge;
mod pages;
mod person;
mod rows;
mod search;
mod sort;
mod view;

pub(crate) use directory::{clear, link_or_copy, remove_work, write_json};
pub use directory::{finished, newest_finished, path_of, prune, run_of};
pub use erase::{Whose, erase, erase_from};
pub use error::SnapshotError;
pub(crate) use header::survivor;
pub use header::{Clocks, Counts, FORMAT, Header};
pub(crate) use join::{Join, Joined, join};
pub(crate) use keyed::Keyed;
pub use lookups::{Lookup, LookupRow};
pub(crate) use lookups::{carried_path, recorded};
pub use merge::MergeSorted;
pub use pages::{PageLog, PageRows, Position};
pub use person::{Found, Lists, LookedUp, PersonKey, PersonRow};
pub use rows::{RowReader, RowWriter};
pub use sort::{ExternalSorter, Sorted};
pub use view::{People, Snapshot};
pub(crate) use view::{contacts_path, list_path, members_path, people_path, unanswered_path};
