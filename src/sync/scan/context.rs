//! What a scan is given.

use crate::domain::id::ListId;
use crate::domain::port::{AudienceAccount, Clock, CrmAccount, Hands};
use crate::domain::tag::TagName;
pub use crate::sync::snapshot::Clocks;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The accounts, and what to read of them.
#[derive(Clone)]
pub struct ScanContext {
    /// HubSpot.
    pub crm: Arc<dyn CrmAccount>,
    /// Mailchimp.
    pub audience: Arc<dyn AudienceAccount>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Long work.
    pub hands: Arc<dyn Hands>,
    /// The snapshot's directory, `<state>/snapshots/<run>`.
    pub dir: PathBuf,
    /// The lists to read.
    pub lists: BTreeSet<ListId>,
    /// The tags the rules know: an incremental scan follows these most closely.
    pub known_tags: BTreeSet<TagName>,
    /// How far the services' clocks are ahead.
    pub clocks: Clocks,
    /// Sizes; the defaults fit the services.
    pub tuning: Tuning,
}

/// All, or what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanMode {
    /// Everything is read.
    Full,
    /// Only what can have changed since an older snapshot. Not for a config that asks for other
    /// properties than that snapshot was read with: its contacts have only those.
    Incremental {
        /// The older snapshot's directory.
        previous: PathBuf,
    },
}

/// Sizes and bounds.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Lists read at once.
    pub lists_at_once: usize,
    /// Batch calls in flight.
    pub batches_at_once: usize,
    /// Up to this many members the audience is always read whole.
    pub small_audience: u64,
    /// Members per page, to reckon what is cheaper.
    pub member_page: u64,
    /// A tag that the rules know is read anew up to this many pages of bearers, whatever its count says.
    pub known_tag_pages: u64,
    /// A tag that the rules do not know is followed up to this many pages of bearers.
    pub foreign_tag_pages: u64,
    /// Memory of one external sort.
    pub sort_bytes: usize,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            lists_at_once: 4,
            batches_at_once: 8,
            small_audience: 5_000,
            member_page: 1_000,
            known_tag_pages: 1,
            foreign_tag_pages: 5,
            sort_bytes: 8 << 20,
        }
    }
}
