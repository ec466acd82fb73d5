//! Watermarks: progress of a scan that may be relied on.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How far one source has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Every change up to here has been seen.
    pub upto: Timestamp,
    /// The source's own mark then, where it has one: equal marks mean that nothing changed.
    pub mark: Option<String>,
    /// Where a scan in progress stands: its last durable page.
    pub cursor: Option<String>,
    /// When everything was last read.
    pub full: Option<Timestamp>,
}
