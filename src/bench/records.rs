//! Durable records in a second: so many writers, each waiting until its own record is on the disk before it writes the
//! next. hsmc's store, which frames, checksums and indexes them, beside the bare committer, which does none of that.
//! Both take turns, so that neither has the better moments of the machine.

use super::bare::BareCommitter;
use super::error::BenchError;
use super::stopwatch::{Stopwatch, per_second, percentile};
use super::{Found, Size};
use crate::journal::store::live::LiveStore;
use crate::journal::store::{Batch, Store, Table};
use crate::serve::bench::{Aim, Figure, Round, Unit};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a key: as long as the longest that moves have.
const KEY: usize = 24;
/// Bytes of a value: an event of a move.
const VALUE: usize = 100;
/// Events of a move that is done.
const EVENTS: u64 = 8;
/// Writers at once, and how they write.
const LOADS: [(u64, Shape); 4] =
    [(1, Shape::Keys), (64, Shape::Keys), (1024, Shape::Keys), (64, Shape::Events)];
/// What 64 writers are to reach of the bare committer, with the index applied behind them.
const AIM: f64 = 0.45;

/// How keys follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each record has a key of its own: the most that the index can be given to do.
    Keys,
    /// As moves have them: events appended under one key, then the next.
    Events,
}

/// Where records go.
pub(super) trait Sink: Send + Sync + 'static {
    /// Returns when the record is durable.
    fn put(
        &self,
        shape: Shape,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> impl Future<Output = Result<(), BenchError>> + Send;
}

impl Sink for BareCommitter {
    async fn put(&self, _: Shape, mut key: Vec<u8>, value: Vec<u8>) -> Result<(), BenchError> {
        key.extend(value);
        self.commit(key).await
    }
}

impl Sink for LiveStore {
    async fn put(&self, shape: Shape, key: Vec<u8>, value: Vec<u8>) -> Result<(), BenchError> {
        let mut batch = Batch::new();
        match shape {
            Shape::Keys => batch.put(Table::Moves, key, value),
            Shape::Events => batch.append(Table::Moves, key, value),
        };
        Ok(Store::commit(self, batch).await.map(|_| ())?)
    }
}

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (rounds, span) = size.pick((7, Duration::from_millis(1_000)), (3, Duration::from_millis(100)));
    let store = Arc::new(LiveStore::open(&folder.join("state"))?);
    let (mut figures, mut notes) = (Vec::new(), Vec::new());
    let mut file = 0_u32;
    for (writers, shape) in LOADS {
        let (mut taken, mut waits) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            file += 1;
            let bare = Arc::new(BareCommitter::start(&folder.join(format!("bare-{file}")))?);
            let first = u64::from(file) << 40;
            let (of_bare, of_store);
            if round % 2 == 0 {
                of_bare = drive(&bare, (writers, shape), first, span).await?;
                of_store = drive(&store, (writers, shape), first, span).await?;
            } else {
                of_store = drive(&store, (writers, shape), first, span).await?;
                of_bare = drive(&bare, (writers, shape), first, span).await?;
            }
            waits.extend(of_store.waits);
            taken.push(Round { measured: of_store.per_second, beside: of_bare.per_second });
        }
        let figure = Figure::of_rounds(in_words(writers, shape), Unit::PerSecond, "bare committer", taken);
        figures.push(if (writers, shape) == (64, Shape::Keys) {
            figure.aim(Aim::RatioAtLeast(AIM))
        } else {
            figure
        });
        waits.sort_unstable();
        notes.push(format!(
            "{}: a record is durable after {:.2} ms (half of them), {:.2} ms (99 of 100)",
            in_words(writers, shape),
            percentile(&waits, 50),
            percentile(&waits, 99),
        ));
    }
    let closing = Arc::clone(&store);
    tokio::task::spawn_blocking(move || closing.close()).await??;
    Ok((figures, notes))
}

fn in_words(writers: u64, shape: Shape) -> String {
    match (writers, shape) {
        (1, Shape::Keys) => "1 writer".to_owned(),
        (_, Shape::Keys) => format!("{writers} writers"),
        (_, Shape::Events) => format!("{writers} writers, {EVENTS} events a key"),
    }
}

/// What a round came to.
pub(super) struct Driven {
    /// Records in a second.
    pub(super) per_second: f64,
    waits: Vec<Duration>,
}

/// Lets the writers write for so long.
pub(super) async fn drive<S: Sink>(
    sink: &Arc<S>,
    (writers, shape): (u64, Shape),
    first: u64,
    span: Duration,
) -> Result<Driven, BenchError> {
    let watch = Stopwatch::start();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let sink = Arc::clone(sink);
            tokio::spawn(async move {
                let mut waits = Vec::new();
                let mut number = 0;
                while watch.elapsed() < span {
                    let (key, value) = record(shape, first, writer, number);
                    let began = watch.elapsed();
                    sink.put(shape, key, value).await?;
                    waits.push(watch.elapsed().saturating_sub(began));
                    number += 1;
                }
                Ok::<_, BenchError>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    Ok(Driven { per_second: per_second(waits.len() as u64, watch.elapsed()), waits })
}

/// A key that no other record, or no other move, has, and a value that cannot be compressed.
fn record(shape: Shape, first: u64, writer: u64, number: u64) -> (Vec<u8>, Vec<u8>) {
    let mut key = Vec::with_capacity(KEY + VALUE);
    let of_key = match shape {
        Shape::Keys => number,
        Shape::Events => number / EVENTS,
    };
    for part in [first, writer, of_key] {
        key.extend_from_slice(&part.to_be_bytes());
    }
    let mut state = (first ^ (writer << 32) ^ number) | 1;
    let mut value = Vec::with_capacity(VALUE + 8);
    while value.len() < VALUE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        value.extend_from_slice(&state.to_le_bytes());
    }
    value.truncate(VALUE);
    (key, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_records_have_the_same_key_and_all_have_the_same_size() {
        let mut keys = BTreeSet::new();
        for (first, writer, number) in [(0, 0, 0), (1 << 40, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)] {
            let (key, value) = record(Shape::Keys, first, writer, number);
            assert_eq!((key.len(), value.len()), (KEY, VALUE));
            assert!(keys.insert(key));
        }
    }
}
