//! Group commit: one thread drains all waiting commits, appends them to the log as one write, syncs
//! once, makes them readable, and acknowledges everyone.
//!
//! Promises: nobody is told "durable" before the sync returned; the queue is bounded. After a failed
//! write or sync every waiting and later commit is refused until the store is opened again.

use super::applier::Signal;
use super::change::{Effect, FullKey};
use super::fault::Fault;
use super::frame;
use super::log::LogWriter;
use super::overlay::Overlay;
use super::store::{Sequence, StoreError};
use crate::threads::{AtomicU64, Condvar, Mutex, lock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Bytes that count as one place in the queue.
const PLACE: usize = 4096;
/// Places in the queue: at most 64 MiB wait.
const PLACES: usize = 16 * 1024;
/// Bounds of a group.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
const GROUP_COMMITS: usize = 4096;

type Answer = oneshot::Sender<Result<Sequence, StoreError>>;

/// One commit, encoded by its caller so that the committer does as little as possible.
struct Waiting {
    payload: Vec<u8>,
    effects: Vec<(FullKey, Effect)>,
    places: usize,
    answer: Answer,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Callers who want a new segment to begin.
    roll: Vec<Answer>,
    closing: bool,
}

/// The queue and what commits are made of.
pub(crate) struct Committer {
    queue: Mutex<Queue>,
    work: Condvar,
    room: Semaphore,
    fault: Arc<Fault>,
    overlay: Arc<Overlay>,
    signal: Arc<Signal>,
    /// The last acknowledged sequence.
    committed: AtomicU64,
}

impl Committer {
    pub(crate) fn new(
        committed: Sequence,
        fault: Arc<Fault>,
        overlay: Arc<Overlay>,
        signal: Arc<Signal>,
    ) -> Committer {
        Committer {
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Semaphore::new(PLACES),
            fault,
            overlay,
            signal,
            committed: AtomicU64::new(committed),
        }
    }

    /// The last acknowledged sequence.
    pub(crate) fn committed(&self) -> Sequence {
        self.committed.load(Ordering::Acquire)
    }

    fn refusal(&self) -> StoreError {
        self.fault.get().unwrap_or(StoreError::Closed)
    }

    /// Queues a commit and waits until it is durable. Once queued it is committed even when the caller
    /// stops waiting.
    pub(crate) async fn commit(
        &self,
        payload: Vec<u8>,
        effects: Vec<(FullKey, Effect)>,
    ) -> Result<Sequence, StoreError> {
        let places = (1 + payload.len() / PLACE).min(PLACES);
        let permits = u32::try_from(places).unwrap_or(u32::MAX);
        match self.room.acquire_many(permits).await {
            // Given back by the committer.
            Ok(permit) => permit.forget(),
            Err(_) => return Err(self.refusal()),
        }
        let (answer, answered) = oneshot::channel();
        self.enqueue(|queue| queue.waiting.push(Waiting { payload, effects, places, answer }))?;
        answered.await.unwrap_or_else(|_| Err(self.refusal()))
    }

    /// Makes the next commit begin a new segment.
    pub(crate) async fn roll(&self) -> Result<Sequence, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(|queue| queue.roll.push(answer))?;
        answered.await.unwrap_or_else(|_| Err(self.refusal()))
    }

    fn enqueue(&self, put: impl FnOnce(&mut Queue)) -> Result<(), StoreError> {
        let mut queue = lock(&self.queue);
        if queue.closing || self.fault.get().is_some() {
            return Err(self.refusal());
        }
        let idle = queue.waiting.is_empty() && queue.roll.is_empty();
        put(&mut queue);
        drop(queue);
        if idle {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Takes no more commits; those queued are still made.
    pub(crate) fn close(&self) {
        lock(&self.queue).closing = true;
        self.room.close();
        self.work.notify_one();
    }

    /// The committer's thread: returns once closed and drained, or after a fault.
    pub(crate) fn run(&self, mut log: LogWriter) {
        let mut buffer = Vec::new();
        while let Some((group, rolls)) = self.next_group() {
            self.signal.wait_for_room(&self.fault);
            if let Some(fault) = self.fault.get() {
                self.refuse_all(group, rolls, &fault);
                return;
            }
            let first = self.committed() + 1;
            buffer.clear();
            for (place, waiting) in group.iter().enumerate() {
                let offset = u32::try_from(place).unwrap_or(u32::MAX);
                frame::write(&mut buffer, first + u64::from(offset), offset, &waiting.payload);
            }
            let rolled = if rolls.is_empty() { Ok(()) } else { log.roll(first) };
            let written =
                rolled.and_then(|()| if group.is_empty() { Ok(()) } else { log.append(first, &buffer) });
            if let Err(error) = written {
                let fault = self.fault.set(StoreError::Write {
                    path: log.path().display().to_string(),
                    what: error.to_string(),
                });
                self.refuse_all(group, rolls, &fault);
                return;
            }
            for answer in rolls {
                // A caller who stopped waiting needs no answer.
                drop(answer.send(Ok(first.saturating_sub(1))));
            }
            self.acknowledge(first, group, buffer.len());
            buffer.shrink_to(GROUP_BYTES);
        }
    }

    /// Refuses everyone who waits, after the thread's end out of order.
    pub(crate) fn refuse_waiting(&self, fault: &StoreError) {
        self.refuse_all(Vec::new(), Vec::new(), fault);
    }

    /// Waits for commits and takes a group of them; none once closed and drained.
    fn next_group(&self) -> Option<(Vec<Waiting>, Vec<Answer>)> {
        let mut queue = lock(&self.queue);
        while queue.waiting.is_empty() && queue.roll.is_empty() {
            if queue.closing {
                return None;
            }
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        let fits = queue.waiting.iter().take(GROUP_COMMITS).take_while(|waiting| {
            let fits = bytes == 0 || bytes + waiting.payload.len() <= GROUP_BYTES;
            bytes += waiting.payload.len();
            fits
        });
        let count = fits.count();
        let group = if count == queue.waiting.len() {
            std::mem::take(&mut queue.waiting)
        } else {
            queue.waiting.drain(..count).collect()
        };
        Some((group, std::mem::take(&mut queue.roll)))
    }

    fn acknowledge(&self, first: Sequence, group: Vec<Waiting>, bytes: usize) {
        if group.is_empty() {
            return;
        }
        let last = first + group.len() as u64 - 1;
        let mut answers = Vec::with_capacity(group.len());
        let mut places = 0;
        let effects = group.into_iter().flat_map(|waiting| {
            answers.push(waiting.answer);
            places += waiting.places;
            waiting.effects
        });
        let weight = self.overlay.add(last, effects);
        self.committed.store(last, Ordering::Release);
        self.signal.committed(weight, bytes);
        self.room.add_permits(places);
        for (sequence, answer) in (first..).zip(answers) {
            // A caller who stopped waiting needs no answer.
            drop(answer.send(Ok(sequence)));
        }
    }

    fn refuse_all(&self, group: Vec<Waiting>, rolls: Vec<Answer>, fault: &StoreError) {
        self.room.close();
        let (waiting, later_rolls) = {
            let mut queue = lock(&self.queue);
            queue.closing = true;
            (std::mem::take(&mut queue.waiting), std::mem::take(&mut queue.roll))
        };
        let answers = group.into_iter().chain(waiting).map(|waiting| waiting.answer);
        for answer in answers.chain(rolls).chain(later_rolls) {
            // A caller who stopped waiting needs no answer.
            drop(answer.send(Err(fault.clone())));
        }
    }
}
