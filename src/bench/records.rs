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
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
enum Shape {
    /// Each record has a key of its own: the most that the index can be given to do.
    Keys,
    /// As moves have them: events appended under one key, then the next.
    Events,
}

/// Where records go.
trait Sink: Send + Sync + 'static {
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

/// The store and the bare committer, to be held against each other and against others: each drive writes keys that no
/// other has.
pub struct Writers {
    folder: PathBuf,
    store: Arc<LiveStore>,
    drives: AtomicU64,
}

impl Writers {
    /// In a folder of their own.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn open(folder: &Path) -> Result<Writers, BenchError> {
        let store = Arc::new(LiveStore::open(&folder.join("state"))?);
        Ok(Writers { folder: folder.to_path_buf(), store, drives: AtomicU64::new(0) })
    }

    /// Lets so many write new keys into the store for so long; records in a second.
    ///
    /// # Errors
    /// The store stopped.
    pub async fn store(&self, writers: u64, span: Duration) -> Result<f64, BenchError> {
        Ok(self.drive_store((writers, Shape::Keys), span).await?.per_second)
    }

    /// The same for the bare committer, with a file of its own.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn bare(&self, writers: u64, span: Duration) -> Result<f64, BenchError> {
        Ok(self.drive_bare((writers, Shape::Keys), span).await?.per_second)
    }

    /// Stops the store.
    ///
    /// # Errors
    /// It had stopped before.
    pub async fn close(self) -> Result<(), BenchError> {
        Ok(tokio::task::spawn_blocking(move || self.store.close()).await??)
    }

    async fn drive_store(&self, load: (u64, Shape), span: Duration) -> Result<Driven, BenchError> {
        drive(&self.store, load, self.next() << 40, span).await
    }

    async fn drive_bare(&self, load: (u64, Shape), span: Duration) -> Result<Driven, BenchError> {
        let number = self.next();
        let bare = Arc::new(BareCommitter::start(&self.folder.join(format!("bare-{number}")))?);
        drive(&bare, load, number << 40, span).await
    }

    fn next(&self) -> u64 {
        1 + self.drives.fetch_add(1, Ordering::Relaxed)
    }
}

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    let (rounds, span) = size.pick((7, Duration::from_millis(1_000)), (3, Duration::from_millis(100)));
    let writers_of = Writers::open(folder)?;
    let (mut figures, mut notes) = (Vec::new(), Vec::new());
    for (writers, shape) in LOADS {
        let (mut taken, mut waits) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let (of_bare, of_store);
            if round % 2 == 0 {
                of_bare = writers_of.drive_bare((writers, shape), span).await?;
                of_store = writers_of.drive_store((writers, shape), span).await?;
            } else {
                of_store = writers_of.drive_store((writers, shape), span).await?;
                of_bare = writers_of.drive_bare((writers, shape), span).await?;
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
    writers_of.close().await?;
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
struct Driven {
    per_second: f64,
    waits: Vec<Duration>,
}

/// Lets the writers write for so long.
async fn drive<S: Sink>(
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
