//! How a run's moves are doing, in figures: what the run waits by, and what its report is made from. Pure.

use crate::domain::event::MoveEnd;
use crate::domain::moves::MoveKind;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;

/// How a run's moves are doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Moves not over and not stuck.
    pub open: u64,
    /// Of these: waiting for a moment to come.
    pub asleep: u64,
    /// Ends, by word.
    pub ended: BTreeMap<&'static str, u64>,
    /// Ends and stuck moves, by kind and word.
    pub by_kind: BTreeMap<(MoveKind, &'static str), u64>,
    /// Ended as refused or unwound, by the refusal's word.
    pub refused: BTreeMap<&'static str, u64>,
    /// Dropped before they began, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Stuck.
    pub stuck: u64,
    /// Broken, with the last reason.
    pub broken: u64,
    /// The last reason something waits or broke.
    pub last_why: Option<String>,
    /// When the last move ended or went a step further.
    pub progress_at: Option<Timestamp>,
}

impl Tally {
    /// A move has ended.
    pub(super) fn count_end(&mut self, kind: MoveKind, end: &MoveEnd) {
        let word = end_word(end);
        *self.ended.entry(word).or_default() += 1;
        *self.by_kind.entry((kind, word)).or_default() += 1;
        if let MoveEnd::Refused(refusal) | MoveEnd::Unwound { because: refusal, .. } = end {
            *self.refused.entry(refusal.code.word()).or_default() += 1;
        }
    }

    /// A move got stuck.
    pub(super) fn count_stuck(&mut self, kind: MoveKind) {
        self.stuck += 1;
        *self.by_kind.entry((kind, "stuck")).or_default() += 1;
    }

    /// A move was dropped before it began.
    pub(super) fn count_dropped(&mut self, kind: MoveKind, why: &'static str) {
        self.count_end(kind, &MoveEnd::Dropped { why: why.to_owned() });
        *self.dropped.entry(why).or_default() += 1;
    }
}

/// Whether a move has come to an end that nobody wanted.
pub(super) fn has_failed(end: &MoveEnd) -> bool {
    matches!(end, MoveEnd::Refused(_) | MoveEnd::Unwound { .. } | MoveEnd::Dropped { .. })
}

fn end_word(end: &MoveEnd) -> &'static str {
    match end {
        MoveEnd::Done => "done",
        MoveEnd::Unwound { .. } => "unwound",
        MoveEnd::Superseded => "superseded",
        MoveEnd::Dropped { .. } => "dropped",
        MoveEnd::Refused(_) => "refused",
        MoveEnd::Skipped => "skipped",
    }
}
