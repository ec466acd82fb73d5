//! What was taken already: signatures within their window, and events for longer. Two generations, so that letting go
//! of the older costs nothing, and a bound on both.

use crate::domain::time::Timestamp;
use std::collections::HashSet;
use std::time::Duration;

/// Marks that were seen, for at least a span of time or until there are too many.
#[derive(Debug)]
pub struct Replays {
    span: Duration,
    most: usize,
    since: Timestamp,
    young: HashSet<u128>,
    old: HashSet<u128>,
}

impl Replays {
    /// Remembers for this long, and no more than twice so many.
    pub fn new(span: Duration, most: usize) -> Replays {
        Replays { span, most, since: Timestamp(0), young: HashSet::new(), old: HashSet::new() }
    }

    /// Whether a mark was seen.
    pub fn has(&self, mark: u128) -> bool {
        self.young.contains(&mark) || self.old.contains(&mark)
    }

    /// Notes a mark.
    pub fn note(&mut self, mark: u128, now: Timestamp) {
        if now.since(self.since) > self.span || self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        self.young.insert(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_known_for_the_span_and_not_for_ever() {
        let mut seen = Replays::new(Duration::from_secs(300), 1000);
        seen.note(1, Timestamp(1_000_000));
        seen.note(2, Timestamp(1_299_000));
        assert!(seen.has(1) && seen.has(2) && !seen.has(3));
        seen.note(3, Timestamp(1_301_000));
        assert!(seen.has(1) && seen.has(2));
        seen.note(4, Timestamp(1_602_000));
        assert!(!seen.has(1) && !seen.has(2) && seen.has(3));
    }

    #[test]
    fn however_many_come_memory_is_bounded() {
        let mut seen = Replays::new(Duration::from_secs(300), 10);
        (0..1000).for_each(|mark| seen.note(mark, Timestamp(1)));
        assert!(seen.young.len() + seen.old.len() <= 20);
        assert!(seen.has(999) && seen.has(990) && !seen.has(500));
    }
}
