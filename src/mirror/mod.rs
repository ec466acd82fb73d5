//! The mirror: a copy of HubSpot's objects on this machine, to be asked without calling anybody; and the engines that
//! pull it.
//!
//! It promises: a record is in it once, as HubSpot last gave it; what is gone there is a tombstone here, without
//! what it held; a pull that was killed goes on at its last page; a watermark never stands behind data that a power
//! cut could take; a copy that lost something is never taken for a whole one. It never writes to an account, holds
//! nothing that HubSpot cannot give again, and knows nothing of HTTP, rules or runs (docs/mirror.md).
//!
//! To read it: [`Mirror::live`] for all records of a type in the order of their ids, [`Mirror::record`] for one,
//! [`Mirror::joined`] for what it is joined with, [`Mirror::changes`] for what changed behind a number.

mod block;
mod definition;
mod disk;
mod draft;
mod erase;
mod history;
mod index;
mod key;
mod older;
mod packed;
pub mod pull;
mod record;
mod repack;
pub mod shelf;
mod store;

pub use definition::{AssociationDefinition, EVERYTHING, ObjectDefinition};
pub use history::{Counts, Mode, Pull, PullEnd};
pub use packed::Packed;
pub use record::{Changed, Gone, Identity, Kept, Live, Pair, State, Totals};
pub(crate) use record::{seal, unseal};
pub use shelf::ShelfError;
pub use store::{Mirror, Opened};
