//! That a journal was restored from a backup: what has happened since the backup was made, it does not know.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Stands in the journal from the restore on until a run has read everything and settled what the backup had left
/// open. Its form is frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: Timestamp,
    /// When it was restored.
    pub restored_at: Timestamp,
}
