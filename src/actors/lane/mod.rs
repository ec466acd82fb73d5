//! Lanes: where steps with the same target wait a moment so that one batched call carries hundreds of
//! them. One actor per target; each step gets an outcome of its own, whatever happens to the batch.
//!
//! Never: deciding what comes next (that is the engine's), or holding anything that would be lost: what
//! waits here is in the journal already.

mod audience;
mod away;
mod bulk;
mod contacts;
mod erase;
mod gathering;
mod item;
mod last_look;
mod list;
mod meanwhile;
mod opt_out;
mod outcome;
mod perform;
mod probe;
mod tag;

pub use bulk::LOOKED_FOR_WITHIN;
pub use item::{LaneItem, LaneStep, Settled, Work};
pub use probe::member_holds;

use super::contact::Contact;
use super::context::{LaneOverview, Shared};
use crate::domain::id::MoveId;
use crate::domain::step::Target;
use gathering::{Gathering, Leaving, Patience};
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Deep enough that contacts rarely wait; they are bounded by the router.
const MAILBOX: usize = 1024;

/// One lane.
pub struct Lane {
    shared: Arc<Shared>,
    me: ActorRef<Lane>,
    gathering: Gathering<LaneItem>,
    ticking: bool,
}

impl Actor for Lane {
    type Args = (Arc<Shared>, Target);
    type Error = Infallible;

    async fn on_start((shared, target): Self::Args, me: ActorRef<Lane>) -> Result<Lane, Infallible> {
        let gathering = Gathering::new(target, Arc::clone(&shared.traffic), shared.clock.now());
        Ok(Lane { shared, me, gathering, ticking: false })
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
    async fn handle(&mut self, Enqueue(item): Enqueue, _: &mut Context<Self, ()>) {
        self.gathering.come(item, self.shared.clock.now());
        self.flush();
    }
}
impl Message<Withdraw> for Lane {
    type Reply = ();
    async fn handle(&mut self, Withdraw(id): Withdraw, _: &mut Context<Self, ()>) {
        for item in self.gathering.withdraw(id) {
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
        self.flush();
    }
}
impl Message<BatchOver> for Lane {
    type Reply = ();
    async fn handle(&mut self, over: BatchOver, _: &mut Context<Self, ()>) {
        self.gathering.over(over.items, over.held_a_place);
        self.flush();
    }
}

impl Lane {
    /// Sends whatever is due, and looks again a little later while somebody waits for company.
    fn flush(&mut self) {
        let settings = &self.shared.settings;
        let patience = Patience {
            limit: perform::batch_limit(&self.shared, self.gathering.target()),
            quiet: settings.lane_quiet,
            longest: settings.lane_longest,
        };
        while let Some(Leaving { batch, beside }) = self.gathering.next(&patience, self.shared.clock.now()) {
            self.spawn(beside, false);
            self.spawn(batch, true);
        }
        if self.gathering.waits_for_company() && !self.ticking {
            self.ticking = true;
            let (clock, wait, me) = (Arc::clone(&self.shared.clock), patience.quiet, self.me.downgrade());
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

    fn spawn(&self, batch: Vec<LaneItem>, holds_a_place: bool) {
        if batch.is_empty() {
            return;
        }
        let (shared, target, me) =
            (Arc::clone(&self.shared), self.gathering.target().clone(), self.me.clone());
        tokio::spawn(async move {
            let items = batch.len();
            perform::perform(&shared, &target, batch).await;
            drop(me.tell(BatchOver { items, held_a_place: holds_a_place }).await);
        });
    }

    fn publish(&self) {
        let mut lanes = self.shared.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = perform::lane_name(self.gathering.target());
        let (queued, in_flight) = self.gathering.counts();
        if queued + in_flight == 0 {
            lanes.remove(&name);
        } else {
            lanes.insert(name, LaneOverview { queued, in_flight });
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
