//! Reads on a thread of its own what another works on meanwhile: of a plan about half the time goes into reading, half
//! into judging.
//!
//! Promises: the same items in the same order, and never more than a few handfuls of them in memory. Never: reading
//! where the work itself writes; the two would race.

use std::sync::mpsc::sync_channel;

/// Items handed over at once.
const HANDFUL: usize = 256;
/// Handfuls that are read before the first is worked on.
const AHEAD: usize = 3;

/// Does the work on these items. When it stops early, so does the reading.
pub(super) fn reading_ahead<T: Send, R>(
    mut items: impl Iterator<Item = T> + Send,
    work: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Vec<T>>(AHEAD);
        scope.spawn(move || {
            loop {
                let handful: Vec<T> = items.by_ref().take(HANDFUL).collect();
                if handful.is_empty() || sender.send(handful).is_err() {
                    break;
                }
            }
        });
        work(&mut receiver.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn everything_comes_in_its_order() {
        for length in [0, 1, HANDFUL, HANDFUL + 1, 10 * HANDFUL + 7] {
            let seen: Vec<usize> = reading_ahead(0..length, |items| items.collect());
            assert!(seen.into_iter().eq(0..length), "{length}");
        }
    }

    #[test]
    fn no_more_is_read_than_a_few_handfuls_before_the_work_and_nothing_once_it_has_stopped() {
        let read = AtomicUsize::new(0);
        let items = (0..1_000_000).inspect(|_| {
            read.fetch_add(1, Ordering::SeqCst);
        });
        let first = reading_ahead(items, |items| items.next());
        assert_eq!(first, Some(0));
        assert!(read.load(Ordering::SeqCst) <= (AHEAD + 3) * HANDFUL);
    }

    #[test]
    fn a_reader_that_panics_ends_the_work_and_is_not_passed_over() {
        let items = (0..10).inspect(|item| assert!(*item < 5, "broken"));
        let outcome = std::panic::catch_unwind(|| reading_ahead(items, |items| items.count()));
        assert!(outcome.is_err());
    }
}
