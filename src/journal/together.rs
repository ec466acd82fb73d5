//! What the committer promises to those who write at the same time, tried in many orders of their threads
//! (docs/simulation.md).

use super::applier::Signal;
use super::change::{self, Effect};
use super::committer::Committer;
use super::fault::Fault;
use super::log::LogWriter;
use super::medium::Appender;
use super::overlay::{Known, Overlay};
use super::store::{Sequence, StoreError};
use crate::threads::orders::{block_on, in_any_order, spawn, yield_now};
use crate::threads::{Mutex, lock};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A key, and what its writer was told.
type Told = (u64, Result<Sequence, StoreError>);

const WRITERS: u64 = 3;
const EACH: u64 = 3;

/// A file that keeps what of it is on the disk, and refuses from some sync on.
struct Kept {
    written: Vec<u8>,
    synced: Arc<Mutex<Vec<u8>>>,
    refuses_at: usize,
}

impl Appender for Kept {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written.extend_from_slice(bytes);
        yield_now();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.written.len() >= self.refuses_at {
            return Err(io::Error::other("the disk is gone"));
        }
        lock(&self.synced).clone_from(&self.written);
        Ok(())
    }
}

struct Journal {
    committer: Committer,
    overlay: Arc<Overlay>,
    signal: Arc<Signal>,
    fault: Arc<Fault>,
    synced: Arc<Mutex<Vec<u8>>>,
}

impl Journal {
    /// With an overlay that takes so many bytes before commits wait.
    fn new(room: usize) -> Arc<Journal> {
        let (overlay, fault) = (Arc::new(Overlay::default()), Arc::new(Fault::default()));
        let signal = Arc::new(Signal::new(room, 0));
        let committer = Committer::new(0, Arc::clone(&fault), Arc::clone(&overlay), Arc::clone(&signal));
        Arc::new(Journal { committer, overlay, signal, fault, synced: Arc::default() })
    }

    fn log(&self, refuses_at: usize) -> LogWriter {
        let synced = Arc::clone(&self.synced);
        LogWriter::over(Box::new(Kept { written: Vec::new(), synced, refuses_at }))
    }

    /// Commits, and looks whether what it was told is so.
    fn commit(&self, key: u64) -> Result<Sequence, StoreError> {
        let (key, effect) = (key.to_be_bytes().to_vec(), Effect::Put(vec![7; 20]));
        let mut payload = Vec::new();
        change::write(&mut payload, &key, &effect);
        let told = block_on(self.committer.commit(payload.clone(), vec![(key, effect)]));
        if let Ok(sequence) = told {
            let on_disk = lock(&self.synced).windows(payload.len()).any(|bytes| bytes == payload);
            assert!(on_disk, "told before the sync");
            assert!(sequence <= self.committer.committed(), "told before it counts");
        }
        told
    }

    /// As the applier does, with nothing behind it. What it took, by key.
    fn apply(&self) -> u64 {
        let mut taken = 0;
        loop {
            let stop = self.signal.next_stop(Duration::ZERO);
            let layer = self.overlay.take();
            self.signal.wake();
            taken += layer.effects.len() as u64;
            self.overlay.applied();
            if stop || self.fault.get().is_some() {
                return taken;
            }
        }
    }
}

/// Runs writers, committer and applier; what each writer was told, and how much was applied.
fn run(journal: &Arc<Journal>, refuses_at: usize) -> (Vec<Told>, u64) {
    let log = journal.log(refuses_at);
    let committer = {
        let journal = Arc::clone(journal);
        spawn(move || journal.committer.run(log))
    };
    let applier = {
        let journal = Arc::clone(journal);
        spawn(move || journal.apply())
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let journal = Arc::clone(journal);
            spawn(move || {
                let keys = (0..EACH).map(|number| writer * EACH + number);
                keys.map(|key| (key, journal.commit(key))).collect::<Vec<Told>>()
            })
        })
        .collect();
    let told = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    journal.committer.close();
    committer.join().unwrap();
    journal.signal.stop();
    journal.signal.wake();
    (told, applier.join().unwrap())
}

#[test]
fn everybody_is_told_once_in_order_and_after_the_sync_in_any_order() {
    in_any_order(|| {
        // So little room that the committer waits for the applier after each group.
        let journal = Journal::new(1);
        let (told, applied) = run(&journal, usize::MAX);
        let mut sequences: Vec<Sequence> = told.iter().map(|(_, told)| *told.as_ref().unwrap()).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=WRITERS * EACH).collect::<Vec<_>>(), "each has a number of its own");
        for writer in told.chunks(EACH as usize) {
            assert!(writer.is_sorted_by_key(|(_, told)| *told.as_ref().unwrap()), "in the order of asking");
        }
        assert_eq!(applied, WRITERS * EACH, "nothing is lost on the way to the index");
        let closed = journal.commit(99);
        assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
    });
}

#[test]
fn what_is_told_can_be_read_in_any_order() {
    in_any_order(|| {
        let journal = Journal::new(1 << 20);
        let log = journal.log(usize::MAX);
        let committer = {
            let journal = Arc::clone(&journal);
            spawn(move || journal.committer.run(log))
        };
        let writers = [1, 2].map(|key| {
            let journal = Arc::clone(&journal);
            spawn(move || {
                journal.commit(key).unwrap();
                let known = journal.overlay.read().look(&key.to_be_bytes());
                assert!(matches!(known, Known::Value(_)), "nobody applies, so it must be here");
            })
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        journal.committer.close();
        committer.join().unwrap();
    });
}

#[test]
fn after_a_failed_sync_everybody_is_refused_and_nobody_waits_in_any_order() {
    in_any_order(|| {
        let journal = Journal::new(1);
        let (told, _) = run(&journal, 150);
        let mut by_writer = BTreeMap::<u64, Vec<bool>>::new();
        for (key, told) in &told {
            by_writer.entry(key / EACH).or_default().push(told.is_ok());
        }
        for told in by_writer.values() {
            assert!(told.is_sorted_by(|before, after| before >= after), "once refused, always refused");
        }
        let acknowledged = told.iter().filter(|(_, told)| told.is_ok()).count() as u64;
        assert_eq!(journal.committer.committed(), acknowledged);
        assert!(told.iter().any(|(_, told)| matches!(told, Err(StoreError::Write { .. }))));
    });
}

/// Whoever asks while the journal closes is told one thing or the other, and what was taken is on the disk.
#[test]
fn a_close_in_between_leaves_nobody_waiting_in_any_order() {
    in_any_order(|| {
        let journal = Journal::new(1 << 20);
        let log = journal.log(usize::MAX);
        let committer = {
            let journal = Arc::clone(&journal);
            spawn(move || journal.committer.run(log))
        };
        let writers: Vec<_> = (0..WRITERS)
            .map(|key| {
                let journal = Arc::clone(&journal);
                spawn(move || journal.commit(key))
            })
            .collect();
        journal.committer.close();
        let told: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        committer.join().unwrap();
        let taken = told.iter().filter(|told| told.is_ok()).count() as u64;
        assert_eq!(journal.committer.committed(), taken, "{told:?}");
        assert!(told.iter().all(|told| matches!(told, Ok(_) | Err(StoreError::Closed))), "{told:?}");
    });
}
