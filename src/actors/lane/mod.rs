//! Lanes: where steps with the same target wait a moment so that one batched call carries hundreds of
//! them. One actor per target; each step gets an outcome of its own, whatever happens to the batch.
//!
//! Never: deciding what comes next (that is the engine's), or holding anything that would be lost: what
//! waits here is in the journal already.

mod audience;
mod away;
mod contacts;
mod erase;
mod item;
mod last_look;
mod list;
mod meanwhile;
mod opt_out;
mod outcome;
mod perform;
mod probe;
mod tag;

pub use item::{LaneItem, LaneStep, Settled, Work};
pub use probe::member_holds;

use super::contact::Contact;
use super::context::{LaneOverview, Shared};
use crate::domain::id::MoveId;
use crate::domain::port::Priority;
use crate::domain::step::Target;
use crate::domain::time::Timestamp;
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Deep enough that contacts rarely wait; they are bounded by the router.
const MAILBOX: usize = 1024;
/// Batches one lane has out at once.
const BATCHES_AT_ONCE: usize = 4;

/// One lane.
pub struct Lane {
    shared: Arc<Shared>,
    target: Target,
    me: ActorRef<Lane>,
    queue: VecDeque<LaneItem>,
    first_at: Option<Timestamp>,
    last_at: Timestamp,
    ticking: bool,
    batches_out: usize,
    items_out: usize,
}

impl Actor for Lane {
    type Args = (Arc<Shared>, Target);
    type Error = Infallible;

    async fn on_start((shared, target): Self::Args, me: ActorRef<Lane>) -> Result<Lane, Infallible> {
        let last_at = shared.clock.now();
        Ok(Lane {
            shared,
            target,
            me,
            queue: VecDeque::new(),
            first_at: None,
            last_at,
            ticking: false,
            batches_out: 0,
            items_out: 0,
        })
    }
}

struct Enqueue(LaneItem);
struct Withdraw(MoveId);
struct Tick;
struct BatchOver {
    items: usize,
    held_a_place: bool,
}

impl Message<Enqueue> for Lane {
    type Reply = ();
    async fn handle(&mut self, Enqueue(mut item): Enqueue, _: &mut Context<Self, ()>) {
        item.moving = None;
        self.last_at = self.shared.clock.now();
        self.first_at.get_or_insert(self.last_at);
        self.queue.push_back(item);
        self.flush_if_due();
    }
}
impl Message<Withdraw> for Lane {
    type Reply = ();
    async fn handle(&mut self, Withdraw(id): Withdraw, _: &mut Context<Self, ()>) {
        let (gone, kept): (VecDeque<_>, _) = self.queue.drain(..).partition(|item| item.id == id);
        self.queue = kept;
        self.tell_furthest();
        for item in gone {
            let outcomes = item
                .steps
                .iter()
                .map(|step| (step.index, outcome::not_sent(self.shared.clock.now())))
                .collect();
            item.settle(outcomes).await;
        }
        self.publish();
    }
}
impl Message<Tick> for Lane {
    type Reply = ();
    async fn handle(&mut self, _: Tick, _: &mut Context<Self, ()>) {
        self.ticking = false;
        self.flush_if_due();
    }
}
impl Message<BatchOver> for Lane {
    type Reply = ();
    async fn handle(&mut self, over: BatchOver, _: &mut Context<Self, ()>) {
        self.batches_out = self.batches_out.saturating_sub(usize::from(over.held_a_place));
        self.items_out = self.items_out.saturating_sub(over.items);
        self.flush_if_due();
    }
}

impl Lane {
    /// Sends when the batch is full, when nobody has come for a while and nobody is on their way who may, or when
    /// the first has waited long enough; else looks again a little later. An opt-out waits for other opt-outs only.
    fn flush_if_due(&mut self) {
        let limit = perform::batch_limit(&self.shared, &self.target);
        self.tell_furthest();
        while !self.queue.is_empty() && self.batches_out < BATCHES_AT_ONCE {
            let now = self.shared.clock.now();
            let settings = &self.shared.settings;
            let quiet = now.since(self.last_at) >= settings.lane_quiet;
            let long = self.first_at.is_some_and(|first| now.since(first) >= settings.lane_longest);
            let alone = quiet && self.has_nobody_to_wait_for();
            if self.queue.len() < limit && !alone && !long {
                break;
            }
            self.send(limit);
            self.tell_furthest();
        }
        if !self.queue.is_empty() && self.batches_out < BATCHES_AT_ONCE && !self.ticking {
            self.ticking = true;
            let (clock, wait, me) =
                (Arc::clone(&self.shared.clock), self.shared.settings.lane_quiet, self.me.downgrade());
            tokio::spawn(async move {
                clock.sleep(wait).await;
                if let Some(me) = me.upgrade() {
                    // A stopped lane holds nothing that is not in the journal.
                    drop(me.tell(Tick).await);
                }
            });
        }
        self.publish();
    }

    fn has_nobody_to_wait_for(&self) -> bool {
        let traffic = &self.shared.traffic;
        match self.queue.iter().any(|item| item.priority == Priority::OptOut) {
            true => !traffic.expects_opt_out(&self.target),
            false => traffic.is_turn_of(&self.target),
        }
    }

    fn tell_furthest(&self) {
        self.shared.traffic.waits(&self.target, self.queue.iter().map(|item| item.ahead).max());
    }

    fn send(&mut self, limit: usize) {
        let count = limit.min(self.queue.len());
        // Waiting for an asynchronous batch takes minutes and no connection: it must not hold up others.
        let (polls, batch): (Vec<LaneItem>, Vec<LaneItem>) =
            self.queue.drain(..count).partition(|item| matches!(item.work, Work::Poll { .. }));
        self.first_at = self.queue.front().map(|_| self.shared.clock.now());
        self.spawn(polls, false);
        let batch = batch.into_iter().map(|mut item| {
            item.moving = Some(self.shared.traffic.moving(item.opts_out_in.clone()));
            item
        });
        self.spawn(batch.collect(), true);
    }

    fn spawn(&mut self, batch: Vec<LaneItem>, holds_a_place: bool) {
        if batch.is_empty() {
            return;
        }
        self.batches_out += usize::from(holds_a_place);
        self.items_out += batch.len();
        let (shared, target, me) = (Arc::clone(&self.shared), self.target.clone(), self.me.clone());
        tokio::spawn(async move {
            let items = batch.len();
            perform::perform(&shared, &target, batch).await;
            drop(me.tell(BatchOver { items, held_a_place: holds_a_place }).await);
        });
    }

    fn publish(&self) {
        let mut lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = perform::lane_name(&self.target);
        if self.queue.is_empty() && self.items_out == 0 {
            lanes.remove(&name);
        } else {
            lanes.insert(name, LaneOverview { queued: self.queue.len(), in_flight: self.items_out });
        }
    }
}

/// All lanes, started on demand.
#[derive(Clone)]
pub struct Lanes {
    shared: Arc<Shared>,
    running: Arc<Mutex<BTreeMap<Target, ActorRef<Lane>>>>,
}

impl Lanes {
    /// No lane runs yet.
    pub fn new(shared: Arc<Shared>) -> Lanes {
        Lanes { shared, running: Arc::default() }
    }

    fn lane(&self, target: &Target) -> ActorRef<Lane> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.get(target).filter(|lane| lane.is_alive()) {
            Some(lane) => lane.clone(),
            None => {
                let args = (Arc::clone(&self.shared), target.clone());
                let lane = Lane::spawn_with_mailbox(args, mailbox::bounded(MAILBOX));
                running.insert(target.clone(), lane.clone());
                lane
            }
        }
    }

    /// Hands a step to its lane. Waits while the lane's mailbox is full.
    pub async fn enqueue(&self, target: &Target, item: LaneItem) {
        let mut item = item;
        // A lane that died meanwhile gives the message back; the next one takes it.
        for _ in 0..3 {
            match self.lane(target).tell(Enqueue(item)).await {
                Ok(()) => return,
                Err(kameo::error::SendError::ActorNotRunning(Enqueue(back))) => item = back,
                Err(_) => return,
            }
        }
    }

    /// Takes a move's steps out of a lane again, if they have not been sent.
    pub async fn withdraw(&self, target: &Target, id: MoveId) {
        drop(self.lane(target).tell(Withdraw(id)).await);
    }
}

/// The contact actor an item answers to.
pub type ReplyTo = ActorRef<Contact>;
