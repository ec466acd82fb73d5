//! The applier: one thread that carries the overlay into the index behind the committer's back, and
//! writes snapshots, or the whole index anew, between two batches, when the index stands at exactly one commit.
//!
//! Promises: commits go on meanwhile; a snapshot that does not add up to the index's mark is never
//! finished, and nothing is deleted then: a checkpoint must not launder a loss.

use super::directory::Directory;
use super::fault::Fault;
use super::index::{Index, Mark, Shared, Trouble};
use super::log;
use super::overlay::Overlay;
use super::snapshot::{self, SnapshotFailure};
use super::store::{Sequence, StoreError};
use crate::failpoint;
use crate::threads::{Condvar, Mutex, lock};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

type Answer = oneshot::Sender<Result<Sequence, StoreError>>;

#[derive(Default)]
struct State {
    /// The overlay may hold something.
    pending: bool,
    /// Bytes in the overlay's active layer, as last told.
    weight: usize,
    /// Bytes in the log since the newest snapshot.
    log_bytes: u64,
    checkpoints: Vec<Answer>,
    rebuilds: Vec<Answer>,
    stop: bool,
    /// The applier is no more; nobody waits for it.
    ended: bool,
}

/// What the applier is to do next, besides bringing the index up to date.
struct Asked {
    checkpoints: Vec<Answer>,
    rebuilds: Vec<Answer>,
    log_bytes: u64,
    stop: bool,
}

/// How committer, applier and store wake each other.
pub(crate) struct Signal {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    /// The overlay's bound.
    limit: usize,
}

impl Signal {
    pub(crate) fn new(limit: usize, log_bytes: u64) -> Signal {
        let state = State { log_bytes, pending: true, ..State::default() };
        Signal { state: Mutex::new(state), work: Condvar::new(), room: Condvar::new(), limit }
    }

    /// Commits are in the overlay.
    pub(crate) fn committed(&self, weight: usize, bytes: usize) {
        let mut state = lock(&self.state);
        let was_light = state.weight < self.limit / 2;
        state.weight = weight;
        state.log_bytes = state.log_bytes.saturating_add(bytes as u64);
        let wake = !state.pending || (was_light && weight >= self.limit / 2);
        state.pending = true;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Waits while the overlay is full, unless the store has stopped.
    pub(crate) fn wait_for_room(&self, fault: &Fault) {
        let mut state = lock(&self.state);
        while state.weight >= self.limit && fault.get().is_none() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Asks for a checkpoint of everything acknowledged so far.
    pub(crate) fn ask_checkpoint(&self, answer: Answer) {
        self.ask(|state| state.checkpoints.push(answer));
    }

    /// Asks for the index to be made anew.
    pub(crate) fn ask_rebuild(&self, answer: Answer) {
        self.ask(|state| state.rebuilds.push(answer));
    }

    fn ask(&self, put: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        if !state.ended {
            put(&mut state);
        }
        drop(state);
        self.work.notify_one();
    }

    /// Asks the applier to apply what is left and end.
    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.work.notify_one();
    }

    /// The applier has ended, in order or not: whoever waits for it is told, by dropping their answer.
    pub(crate) fn ended(&self) {
        let waiting = {
            let mut state = lock(&self.state);
            state.ended = true;
            (std::mem::take(&mut state.checkpoints), std::mem::take(&mut state.rebuilds))
        };
        drop(waiting);
        self.room.notify_all();
    }

    /// Tells whoever waits for room that there was a fault.
    pub(crate) fn wake(&self) {
        drop(lock(&self.state));
        self.room.notify_all();
    }

    /// Waits for something to do. Lingers a little, so that several states of one key become one.
    fn next(&self, linger: Duration) -> Asked {
        let state = lock(&self.state);
        let asked = |state: &State| !state.checkpoints.is_empty() || !state.rebuilds.is_empty();
        let idle = |state: &mut State| !state.pending && !state.stop && !asked(state);
        let state = self.work.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let light = |state: &mut State| !state.stop && !asked(state) && state.weight < self.limit / 2;
        let (mut state, _) =
            self.work.wait_timeout_while(state, linger, light).unwrap_or_else(PoisonError::into_inner);
        state.pending = false;
        state.weight = 0;
        let found = Asked {
            checkpoints: std::mem::take(&mut state.checkpoints),
            rebuilds: std::mem::take(&mut state.rebuilds),
            log_bytes: state.log_bytes,
            stop: state.stop,
        };
        drop(state);
        found
    }

    /// Waits as the applier does, which nobody asks for more than to stop.
    #[cfg(test)]
    pub(super) fn next_stop(&self, linger: Duration) -> bool {
        self.next(linger).stop
    }

    fn snapshot_taken(&self, log_bytes: u64) {
        let mut state = lock(&self.state);
        state.log_bytes = state.log_bytes.saturating_sub(log_bytes);
    }
}

/// What the applier's thread owns.
pub(crate) struct Applier {
    pub(crate) directory: Directory,
    /// None once the store is closed; only the applier puts another index in.
    pub(crate) index: Shared,
    pub(crate) cache_bytes: u64,
    pub(crate) mark: Mark,
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) signal: Arc<Signal>,
    pub(crate) fault: Arc<Fault>,
    pub(crate) linger: Duration,
    /// A snapshot is taken when the log has grown by this much, or by the size of the last snapshot.
    pub(crate) checkpoint_bytes: u64,
}

impl Applier {
    /// The applier's thread: returns once told to stop and everything is applied, or after a fault.
    pub(crate) fn run(mut self) {
        loop {
            let Asked { checkpoints, rebuilds, log_bytes, stop } = self.signal.next(self.linger);
            if let Err(error) = self.apply() {
                let error = self.fault.set(error);
                self.signal.wake();
                answer(checkpoints, &Err(error.clone()));
                answer(rebuilds, &Err(error));
                return;
            }
            let due = log_bytes >= self.checkpoint_bytes && self.fault.get().is_none();
            if due || !checkpoints.is_empty() {
                let taken = self.checkpoint();
                self.signal.snapshot_taken(log_bytes);
                if let Err(error) = &taken {
                    tracing::warn!(error = %error, "no checkpoint was taken");
                }
                answer(checkpoints, &taken);
            }
            if !rebuilds.is_empty() {
                let made = self.rebuild();
                answer(rebuilds, &made);
            }
            if self.fault.get().is_some() {
                self.signal.wake();
                return;
            }
            if stop {
                break;
            }
        }
    }

    /// A handle of the index, held no longer than one piece of work.
    fn index(&self) -> Result<Index, StoreError> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.clone().ok_or(StoreError::Closed)
    }

    fn apply(&mut self) -> Result<(), StoreError> {
        let layer = self.overlay.take();
        // Room is free as soon as the layer is on its way.
        self.signal.wake();
        if !layer.is_empty() {
            let index = self.index()?;
            let applied = index.prepare(&self.mark, &layer).and_then(|mut prepared| {
                self.overlay.resolve(std::mem::take(&mut prepared.resolved));
                index.apply(prepared)
            });
            self.mark = applied.map_err(|error| index_fault(&self.directory, &error))?;
        }
        self.overlay.applied();
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Sequence, StoreError> {
        let sequence = self.mark.sequence;
        match snapshot::write(&self.directory.snapshots(), &self.index()?, &self.mark) {
            Ok(bytes) => self.checkpoint_bytes = self.checkpoint_bytes.max(bytes),
            Err(SnapshotFailure::File(error)) => return Err(error),
            Err(SnapshotFailure::Index(error)) => {
                return Err(self.fault.set(index_fault(&self.directory, &error)));
            }
        }
        let kept = snapshot::keep_two(&self.directory.snapshots())?;
        if let Some(older) = kept.get(1) {
            log::remove_up_to(&self.directory.log(), older.sequence)?;
        }
        tracing::debug!(sequence, "checkpoint taken");
        Ok(sequence)
    }

    /// Makes the index anew beside itself, and puts it in its place. Reads wait while the two change places;
    /// commits go on. The old one is used until the new one is whole.
    fn rebuild(&mut self) -> Result<Sequence, StoreError> {
        let unusable = |error: Trouble| index_fault(&self.directory, &error);
        self.directory.remove_new_index()?;
        self.index()?.copy_to(&self.directory.new_index(), self.cache_bytes, &self.mark).map_err(unusable)?;
        failpoint::pass(|| format!("{}:index-made", failpoint::COMPACT));
        let mut shared = self.index.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = shared.take() {
            old.close().map_err(|error| self.fault.set(unusable(error)))?;
        }
        let opened = self
            .directory
            .change_index()
            .and_then(|()| Index::open(&self.directory.index(), self.cache_bytes).map_err(unusable));
        *shared = Some(opened.map_err(|error| self.fault.set(error))?);
        Ok(self.mark.sequence)
    }
}

fn answer(waiting: Vec<Answer>, outcome: &Result<Sequence, StoreError>) {
    for one in waiting {
        // A caller who stopped waiting needs no answer.
        drop(one.send(outcome.clone()));
    }
}

/// The index failed while in use: only a new start, which rebuilds it, knows what is true.
pub(crate) fn index_fault(directory: &Directory, error: &super::index::Trouble) -> StoreError {
    StoreError::Io {
        path: directory.index().display().to_string(),
        what: format!("the index cannot be used ({error}); start again: it is rebuilt from snapshot and log"),
    }
}
