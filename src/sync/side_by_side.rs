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
