//! A look at everybody of a snapshot by all of the machine's processors: one thread reads rows, others recognise and
//! weigh a handful each, and whoever asked takes what came of them.
//!
//! Promises: the same, in the same order, as one row after another; a few handfuls in memory and no more; a thread that
//! panics takes the look with it. Never: work that writes, which would race.

use super::error::RunError;
use super::recognising::{Recognised, handfuls, recognise};
use super::snapshot::{PersonRow, SnapshotError};
use crate::journal::ledger::Journal;
use pariter::IteratorExt;

/// Handfuls that are read before they are looked at.
const AHEAD: usize = 2;

/// Has each handful recognised and weighed, together with the places at which its rows stand; and takes what came of each,
/// in order.
///
/// # Errors
/// The first that reading, recognising or weighing met; nothing behind it is taken.
pub(super) fn side_by_side<Rows, Out>(
    journal: &Journal,
    rows: Rows,
    places: impl Iterator<Item = u32> + Send,
    weigh: impl Fn(Vec<(u32, Recognised)>) -> Result<Out, RunError> + Sync,
    mut take: impl FnMut(Out),
) -> Result<(), RunError>
where
    Rows: Iterator<Item = Result<PersonRow, SnapshotError>> + Send,
    Out: Send,
{
    let mut places = places;
    let placed = handfuls(rows).map(move |handful| {
        let count = handful.as_ref().map_or(0, Vec::len);
        (places.by_ref().take(count).collect::<Vec<u32>>(), handful)
    });
    let weigh = &weigh;
    let one = move |(places, handful): (Vec<u32>, Result<Vec<PersonRow>, SnapshotError>)| {
        weigh(places.into_iter().zip(recognise(journal, handful?)?).collect())
    };
    std::thread::scope(|scope| {
        for out in placed
            .readahead_scoped_custom(scope, |ahead| ahead.buffer_size(AHEAD))
            .parallel_map_scoped(scope, one)
        {
            take(out?);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::RecordId;
    use crate::journal::store::memory::MemoryStore;
    use crate::sync::snapshot::PersonKey;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    fn row(number: u64) -> PersonRow {
        let key = PersonKey::Record(RecordId(number));
        PersonRow { key, contacts: Vec::new(), member: None, looked_up: None }
    }

    /// Looks at so many rows; whom it has met, by place, until somebody is reached whom nothing can be made of.
    fn look(count: u64, weigh: impl Fn(u32) -> Result<(), RunError> + Sync) -> (Vec<u32>, bool) {
        let journal = Journal::new(Arc::new(MemoryStore::default()));
        let mut seen = Vec::new();
        let each = |people: Vec<(u32, Recognised)>| {
            for (place, (row, _)) in &people {
                assert_eq!(row.key, PersonKey::Record(RecordId(u64::from(*place) / 2)), "its own place");
                weigh(*place)?;
            }
            Ok(people.into_iter().map(|(place, _)| place).collect::<Vec<u32>>())
        };
        let rows = (0..count).map(|number| Ok(row(number)));
        let ended = side_by_side(&journal, rows, (0..).step_by(2), each, |places| seen.extend(places));
        (seen, ended.is_ok())
    }

    #[test]
    fn everybody_is_met_once_in_order_at_the_place_where_they_stand() {
        for count in [0, 1, 255, 256, 257, 5_000] {
            let (seen, whole) = look(count, |_| Ok(()));
            assert!(whole && seen.into_iter().eq((0..).step_by(2).take(count as usize)), "{count}");
        }
    }

    #[test]
    fn nothing_behind_a_mistake_is_taken() {
        let (seen, whole) = look(5_000, |place| if place == 2_000 { Err(RunError::Stopped) } else { Ok(()) });
        assert!(!whole && seen.into_iter().eq((0..).step_by(2).take(768)), "three handfuls come before it");
    }

    #[test]
    fn a_thread_that_panics_is_not_passed_over() {
        let panics = |place| {
            assert_ne!(place, 2_000);
            Ok(())
        };
        assert!(catch_unwind(AssertUnwindSafe(|| look(5_000, panics))).is_err());
    }
}
