//! Where a page ended, as text that means something to nobody else.

use crate::domain::id::RecordId;
use crate::domain::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Where a page ended, of which question, and at which moment that was first asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// A number of the question: a cursor of another one is refused.
    pub(super) question: u32,
    /// Of which crowd: a cursor from before the mirror was emptied is refused.
    #[serde(default)]
    pub(super) crowd: i64,
    /// The moment people are judged by.
    pub(super) at: Timestamp,
    /// The last one's record.
    pub(super) record: RecordId,
    /// What the last one was placed by; none without an order.
    pub(super) value: Option<String>,
}

/// Longer ones are none of ours: a property holds at most 65,536 characters.
const LONGEST: usize = 400_000;
/// The form below; another one is not read.
const VERSION: u8 = 1;

impl Cursor {
    /// As text.
    pub fn text(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        let sum = crc32fast::hash(&bytes);
        bytes.extend(sum.to_le_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// From text; none when it is no cursor.
    pub fn read(text: &str) -> Option<Cursor> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        let (body, sum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(body).to_le_bytes() != *sum {
            return None;
        }
        let (version, json) = body.split_first()?;
        if *version != VERSION {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}
