//! What waits in a lane, and when it goes.
//!
//! Promises: whoever came leaves once, in the order of coming; so many batches are out at most; who goes from one lane
//! to another is never seen in neither, so that no lane goes too early. Never: a call, a clock, an actor.

use crate::actors::traffic::{Moving, Traffic};
use crate::domain::id::MoveId;
use crate::domain::step::Target;
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Batches one lane has out at once.
const BATCHES_AT_ONCE: usize = 4;

/// What can wait in a lane.
pub(super) trait Waits {
    /// Whose it is.
    fn id(&self) -> MoveId;
    /// The steps that come after it.
    fn ahead(&self) -> usize;
    /// Whether it is an opt-out, which waits for other opt-outs only.
    fn is_opt_out(&self) -> bool;
    /// Of an opt-out: the lanes that come after this one.
    fn opts_out_in(&self) -> Vec<Target>;
    /// Whether it asks for something that takes minutes, and no connection: it must not hold up others.
    fn takes_no_place(&self) -> bool;
    /// Kept while it is on its way.
    fn moving(&mut self) -> &mut Option<Moving>;
}

/// How long a lane waits for company.
pub(super) struct Patience {
    /// So many are a full batch.
    pub(super) limit: usize,
    /// Since the last one came.
    pub(super) quiet: Duration,
    /// Since the first one came, at most.
    pub(super) longest: Duration,
}

/// Those who leave together.
pub(super) struct Leaving<T> {
    /// In a batch that takes a place, unless it is empty.
    pub(super) batch: Vec<T>,
    /// Beside it.
    pub(super) beside: Vec<T>,
}

/// A lane's waiting room.
pub(super) struct Gathering<T> {
    target: Target,
    traffic: Arc<Traffic>,
    queue: VecDeque<T>,
    /// How many wait with so many steps ahead.
    by_ahead: BTreeMap<usize, usize>,
    opt_outs: usize,
    first_at: Option<Timestamp>,
    last_at: Timestamp,
    batches_out: usize,
    items_out: usize,
}

impl<T: Waits> Gathering<T> {
    /// Nobody waits yet.
    pub(super) fn new(target: Target, traffic: Arc<Traffic>, now: Timestamp) -> Gathering<T> {
        Gathering {
            target,
            traffic,
            queue: VecDeque::new(),
            by_ahead: BTreeMap::new(),
            opt_outs: 0,
            first_at: None,
            last_at: now,
            batches_out: 0,
            items_out: 0,
        }
    }

    /// Whose lane it is.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// How many wait, and how many are out.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.queue.len(), self.items_out)
    }

    /// One more waits, and is on their way no more.
    pub(super) fn come(&mut self, mut item: T, now: Timestamp) {
        self.last_at = now;
        self.first_at.get_or_insert(now);
        let arrived = item.moving().take();
        let before = self.furthest();
        *self.by_ahead.entry(item.ahead()).or_default() += 1;
        self.opt_outs += usize::from(item.is_opt_out());
        self.queue.push_back(item);
        self.tell_if_other_than(before);
        drop(arrived);
    }

    /// Takes a move's steps out again.
    pub(super) fn withdraw(&mut self, id: MoveId) -> Vec<T> {
        let (gone, kept): (VecDeque<T>, _) = self.queue.drain(..).partition(|item| item.id() == id);
        self.queue = kept;
        self.leave(gone.into())
    }

    /// Those who are to leave now: the batch is full, or nobody has come for a while and nobody is on their way who
    /// may, or the first has waited long enough. An opt-out waits for other opt-outs only.
    pub(super) fn next(&mut self, patience: &Patience, now: Timestamp) -> Option<Leaving<T>> {
        if self.queue.is_empty() || self.batches_out >= BATCHES_AT_ONCE {
            return None;
        }
        let quiet = now.since(self.last_at) >= patience.quiet;
        let long = self.first_at.is_some_and(|first| now.since(first) >= patience.longest);
        if self.queue.len() < patience.limit && !long && !(quiet && self.has_nobody_to_wait_for()) {
            return None;
        }
        let count = patience.limit.min(self.queue.len());
        let leaving: Vec<T> = self.queue.drain(..count).collect();
        self.first_at = self.queue.front().map(|_| now);
        let leaving = self.leave(leaving);
        let (beside, batch): (Vec<T>, Vec<T>) = leaving.into_iter().partition(T::takes_no_place);
        self.items_out += beside.len() + batch.len();
        self.batches_out += usize::from(!batch.is_empty());
        Some(Leaving { batch, beside })
    }

    fn has_nobody_to_wait_for(&self) -> bool {
        match self.opt_outs {
            0 => self.traffic.is_turn_of(&self.target),
            _ => !self.traffic.expects_opt_out(&self.target),
        }
    }

    /// Whether somebody waits for whom there is a place: to be looked at again a little later.
    pub(super) fn waits_for_company(&self) -> bool {
        !self.queue.is_empty() && self.batches_out < BATCHES_AT_ONCE
    }

    /// A batch, or what left beside one, is over.
    pub(super) fn over(&mut self, items: usize, held_a_place: bool) {
        self.batches_out = self.batches_out.saturating_sub(usize::from(held_a_place));
        self.items_out = self.items_out.saturating_sub(items);
    }

    /// Whoever leaves is on their way before they wait no more.
    fn leave(&mut self, mut leaving: Vec<T>) -> Vec<T> {
        let before = self.furthest();
        for item in &mut leaving {
            if !item.takes_no_place() {
                *item.moving() = Some(self.traffic.moving(item.opts_out_in()));
            }
            self.opt_outs = self.opt_outs.saturating_sub(usize::from(item.is_opt_out()));
            if let Some(count) = self.by_ahead.get_mut(&item.ahead()) {
                *count -= 1;
            }
        }
        self.by_ahead.retain(|_, count| *count > 0);
        self.tell_if_other_than(before);
        leaving
    }

    fn furthest(&self) -> Option<usize> {
        self.by_ahead.last_key_value().map(|(ahead, _)| *ahead)
    }

    fn tell_if_other_than(&self, before: Option<usize>) {
        let furthest = self.furthest();
        if furthest != before {
            self.traffic.waits(&self.target, furthest);
        }
    }
}

#[cfg(test)]
#[path = "gathering_tests.rs"]
mod tests;
