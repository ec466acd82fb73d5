//! The router: which people have an actor now. At most some 2,000 do; everybody else's moves wait, as
//! numbers here and as records in the journal. Opt-outs go first, then moves already begun and handovers,
//! then the rest.
//!
//! A contact that panics takes nobody with it: its moves are tried again, and after the third time they are
//! stuck, durably and by name, as if a service had refused them for good.

use super::alarm::Alarm;
use super::contact::{Contact, ContactArgs, Perform};
use super::context::Shared;
use super::lane::Lanes;
pub use super::moves::Moves;
pub use super::tally::Tally;
use super::tally::has_failed;
use crate::domain::event::{MoveEnd, MoveEvent};
use crate::domain::failure::{Refusal, RefusalCode};
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::moves::MoveKind;
use crate::domain::port::Priority;
use crate::domain::time::Timestamp;
use crate::engine::{fold, transition};
use crate::journal::store::Batch;
use kameo::Actor;
use kameo::actor::{ActorId, ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, Infallible};
use kameo::mailbox;
use kameo::message::{Context, Message};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A contact gets at most its moves, one outcome and one timer at a time.
const CONTACT_MAILBOX: usize = 64;
const PANICS: u32 = 3;
/// Failed moves of a run that are kept by number; all of them are counted.
const FAILED_KEPT: usize = 10_000;

/// What became of a move, for now.
#[derive(Debug)]
pub enum Reported {
    /// It is over.
    Ended {
        /// How.
        end: MoveEnd,
        /// Of what kind it was.
        kind: MoveKind,
    },
    /// It is stuck.
    Stuck {
        /// Why.
        because: Refusal,
        /// Of what kind it is.
        kind: MoveKind,
    },
    /// It waits longer than is worth a place.
    Asleep {
        /// Until when.
        until: Timestamp,
        /// For what.
        why: String,
    },
    /// Its records cannot be read or written, or its actor panicked again and again.
    Broken(String),
}

/// A contact's report.
pub struct MoveReport {
    /// Which move.
    pub id: MoveId,
    /// Whose.
    pub person: PersonId,
    /// What.
    pub what: Reported,
}

/// A look at the router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterOverview {
    /// People with an actor now.
    pub live: usize,
    /// Moves waiting for a place.
    pub waiting: usize,
    /// Moves waiting for a moment.
    pub asleep: usize,
}

struct Live {
    actor: ActorRef<Contact>,
    outstanding: Vec<(MoveId, Priority)>,
}

/// The actor.
pub struct Router {
    shared: Arc<Shared>,
    lanes: Lanes,
    me: ActorRef<Router>,
    /// Every move that was handed over and has neither ended nor got stuck: counted once, however often
    /// it is handed over.
    open: HashSet<MoveId>,
    live: HashMap<PersonId, Live>,
    people: HashMap<ActorId, PersonId>,
    waiting: BTreeMap<Priority, VecDeque<(PersonId, MoveId)>>,
    asleep: BTreeMap<(Timestamp, MoveId), PersonId>,
    panics: HashMap<PersonId, u32>,
    tallies: BTreeMap<RunId, Tally>,
    /// Moves that ended as nobody wanted, for the report of their run.
    failed: BTreeMap<RunId, Vec<MoveId>>,
    changed: watch::Sender<u64>,
    alarm: Alarm,
}

impl Actor for Router {
    type Args = (Arc<Shared>, watch::Sender<u64>);
    type Error = Infallible;

    async fn on_start((shared, changed): Self::Args, me: ActorRef<Router>) -> Result<Router, Infallible> {
        Ok(Router {
            lanes: Lanes::new(Arc::clone(&shared)),
            shared,
            me,
            open: HashSet::new(),
            live: HashMap::new(),
            people: HashMap::new(),
            waiting: BTreeMap::new(),
            asleep: BTreeMap::new(),
            panics: HashMap::new(),
            tallies: BTreeMap::new(),
            failed: BTreeMap::new(),
            changed,
            alarm: Alarm::default(),
        })
    }

    /// A dead contact never takes the router with it, which is what kameo would do by itself.
    async fn on_link_died(
        &mut self,
        _: WeakActorRef<Self>,
        id: ActorId,
        reason: ActorStopReason,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        // Whoever has a new actor by now has taken the moves of the old one along.
        if let Some(person) = self.people.remove(&id)
            && self.live.get(&person).is_some_and(|live| live.actor.id() == id)
            && !matches!(reason, ActorStopReason::Normal | ActorStopReason::Killed)
        {
            self.contact_panicked(person).await;
        }
        Ok(ControlFlow::Continue(()))
    }
}

pub(super) struct Submit(pub(super) Vec<(PersonId, MoveId, Priority)>);
struct Tick;
pub(super) struct TallyOf(pub(super) RunId);
pub(super) struct Look;
pub(super) struct WakeAll;
pub(super) struct OpenMoves;
pub(super) struct Forget(pub(super) RunId);
pub(super) struct Abandon(pub(super) RunId);
pub(super) struct Dropped(pub(super) MoveId, pub(super) MoveKind, pub(super) &'static str);
pub(super) struct Route {
    pub(super) id: MoveId,
    pub(super) person: PersonId,
}
/// Where a move is, as far as the router knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Live,
    Asleep(Timestamp),
    Waiting(Priority),
    /// Stuck, or left open by an earlier run.
    Nowhere,
}
#[derive(kameo::Reply)]
pub(super) struct Routed {
    pub(super) contact: ActorRef<Contact>,
    pub(super) place: Place,
}
/// An operator's request was not taken: the move goes back to where it was.
pub(super) struct PutBack {
    pub(super) id: MoveId,
    pub(super) person: PersonId,
    pub(super) place: Place,
}

impl Message<Submit> for Router {
    type Reply = Result<usize, Infallible>;
    async fn handle(&mut self, Submit(moves): Submit, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        for (person, id, priority) in moves {
            // A move that waits, sleeps or is under way already goes on there.
            if self.take(id) {
                self.waiting.entry(priority).or_default().push_back((person, id));
            }
        }
        self.fill().await;
        Ok(self.waiting.values().map(VecDeque::len).sum())
    }
}

impl Message<MoveReport> for Router {
    type Reply = ();
    async fn handle(&mut self, report: MoveReport, _: &mut Context<Self, ()>) {
        let MoveReport { id, person, what } = report;
        let now = self.shared.clock.now();
        if !matches!(what, Reported::Asleep { .. }) && !self.settle(id) {
            // It was reported before: a move ends once.
            self.release(person, id);
            return;
        }
        let tally = self.tallies.entry(id.run).or_default();
        tally.progress_at = Some(now);
        match what {
            Reported::Asleep { until, why } => {
                tally.last_why = Some(why);
                self.fall_asleep(until, id, person);
            }
            Reported::Ended { end, kind } => {
                tally.count_end(kind, &end);
                if has_failed(&end) {
                    self.note_failed(id);
                }
                if end == MoveEnd::Superseded {
                    // An opt-out ends moves that wait or sleep, too.
                    self.take_from(id, person);
                }
                tracing::debug!(move.id = %id, move.kind = %kind, end = %end, "move ended");
            }
            Reported::Stuck { because, kind } => {
                tally.count_stuck(kind);
                let code = because.code.code();
                tracing::error!(move.id = %id, move.kind = %kind, %code, because = %because, "move is stuck: see `hsmc status {id}`");
            }
            Reported::Broken(why) => {
                tally.broken += 1;
                // A disk that is full breaks everybody at once, for one reason.
                if tally.last_why.as_ref() != Some(&why) {
                    tracing::error!(move.id = %id, why, "move cannot go on");
                }
                tally.last_why = Some(why);
            }
        }
        self.release(person, id);
        self.fill().await;
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Message<Tick> for Router {
    type Reply = ();
    async fn handle(&mut self, _: Tick, _: &mut Context<Self, ()>) {
        self.alarm.off();
        self.fill().await;
    }
}

impl Message<TallyOf> for Router {
    type Reply = Result<Tally, Infallible>;
    async fn handle(&mut self, TallyOf(run): TallyOf, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(self.tallies.get(&run).cloned().unwrap_or_default())
    }
}

impl Message<Forget> for Router {
    type Reply = Result<Vec<MoveId>, Infallible>;
    async fn handle(&mut self, Forget(run): Forget, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        self.tallies.remove(&run);
        Ok(self.failed.remove(&run).unwrap_or_default())
    }
}

impl Message<Dropped> for Router {
    type Reply = ();
    async fn handle(&mut self, Dropped(id, kind, why): Dropped, _: &mut Context<Self, ()>) {
        self.tallies.entry(id.run).or_default().count_dropped(kind, why);
        self.note_failed(id);
    }
}

impl Message<Abandon> for Router {
    type Reply = Result<Vec<(PersonId, MoveId)>, Infallible>;
    async fn handle(&mut self, Abandon(run): Abandon, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let mut left: Vec<(PersonId, MoveId)> = Vec::new();
        for queue in self.waiting.values_mut() {
            left.extend(queue.iter().filter(|(_, id)| id.run == run));
            queue.retain(|(_, id)| id.run != run);
        }
        left.extend(
            self.asleep.iter().filter(|((_, id), _)| id.run == run).map(|((_, id), person)| (*person, *id)),
        );
        self.asleep.retain(|(_, id), _| id.run != run);
        for (_, id) in &left {
            self.settle(*id);
        }
        if let Some(tally) = self.tallies.get_mut(&run) {
            tally.asleep = 0;
        }
        Ok(left)
    }
}

impl Message<Look> for Router {
    type Reply = Result<RouterOverview, Infallible>;
    async fn handle(&mut self, _: Look, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(RouterOverview {
            live: self.live.len(),
            waiting: self.waiting.values().map(VecDeque::len).sum(),
            asleep: self.asleep.len(),
        })
    }
}

impl Message<OpenMoves> for Router {
    type Reply = Result<HashSet<MoveId>, Infallible>;
    async fn handle(&mut self, _: OpenMoves, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(self.open.clone())
    }
}

impl Message<WakeAll> for Router {
    type Reply = ();
    async fn handle(&mut self, _: WakeAll, _: &mut Context<Self, ()>) {
        let now = self.shared.clock.now();
        let asleep = std::mem::take(&mut self.asleep);
        self.asleep = asleep.into_iter().map(|((_, id), person)| ((now, id), person)).collect();
        self.fill().await;
    }
}

impl Message<Route> for Router {
    type Reply = Result<Routed, Infallible>;
    /// Gives the move a place, and its person's actor to whoever asks: asking it from here could wait for an
    /// actor that waits for this one.
    async fn handle(
        &mut self,
        Route { id, person }: Route,
        _: &mut Context<Self, Self::Reply>,
    ) -> Self::Reply {
        let place = self.take_from(id, person);
        self.take(id);
        let contact = match self.live.get(&person).filter(|_| place == Place::Live) {
            Some(live) => live.actor.clone(),
            None => self.actor(person, id, Priority::HandOver).await,
        };
        Ok(Routed { contact, place })
    }
}

impl Message<PutBack> for Router {
    type Reply = ();
    async fn handle(&mut self, PutBack { id, person, place }: PutBack, _: &mut Context<Self, ()>) {
        if place != Place::Live {
            self.release(person, id);
        }
        match place {
            Place::Live => {}
            Place::Asleep(until) => self.fall_asleep(until, id, person),
            Place::Waiting(priority) => self.waiting.entry(priority).or_default().push_front((person, id)),
            Place::Nowhere => {
                self.settle(id);
            }
        }
        self.fill().await;
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Router {
    /// Counts a move as open; false when it is already.
    fn take(&mut self, id: MoveId) -> bool {
        let is_new = self.open.insert(id);
        if is_new {
            self.tallies.entry(id.run).or_default().open += 1;
        }
        is_new
    }

    /// Counts a move as open no longer; false when it was not.
    fn settle(&mut self, id: MoveId) -> bool {
        let was_open = self.open.remove(&id);
        if was_open && let Some(tally) = self.tallies.get_mut(&id.run) {
            tally.open = tally.open.saturating_sub(1);
        }
        was_open
    }

    fn fall_asleep(&mut self, until: Timestamp, id: MoveId, person: PersonId) {
        if self.asleep.insert((until, id), person).is_none() {
            self.tallies.entry(id.run).or_default().asleep += 1;
        }
    }

    fn wake(&mut self, until: Timestamp, id: MoveId) {
        if self.asleep.remove(&(until, id)).is_some()
            && let Some(tally) = self.tallies.get_mut(&id.run)
        {
            tally.asleep = tally.asleep.saturating_sub(1);
        }
    }

    /// Takes a move out of where it waits or sleeps, and tells where that was.
    fn take_from(&mut self, id: MoveId, person: PersonId) -> Place {
        if self.live.get(&person).is_some_and(|live| live.outstanding.iter().any(|(live, _)| *live == id)) {
            return Place::Live;
        }
        if let Some((until, _)) = self.asleep.keys().find(|(_, asleep)| *asleep == id).copied() {
            self.wake(until, id);
            return Place::Asleep(until);
        }
        for (priority, queue) in &mut self.waiting {
            let before = queue.len();
            queue.retain(|(_, waiting)| *waiting != id);
            if queue.len() < before {
                return Place::Waiting(*priority);
            }
        }
        Place::Nowhere
    }

    /// Wakes whose moment has come, gives out places, and sets the timer for the next moment.
    async fn fill(&mut self) {
        let now = self.shared.clock.now();
        while let Some(((until, id), person)) =
            self.asleep.first_key_value().map(|(key, person)| (*key, *person))
        {
            if until > now {
                break;
            }
            self.wake(until, id);
            self.waiting.entry(Priority::HandOver).or_default().push_back((person, id));
        }
        while !self.shared.is_stopping()
            && let Some(priority) =
                self.waiting.iter().find(|(_, queue)| !queue.is_empty()).map(|(priority, _)| *priority)
        {
            let room = self.live.len() < self.shared.settings.live_contacts || priority == Priority::OptOut;
            let Some(queue) = self.waiting.get_mut(&priority).filter(|_| room) else { break };
            let Some((person, id)) = queue.pop_front() else { break };
            let actor = self.actor(person, id, priority).await;
            let overtakes = priority == Priority::OptOut;
            if actor.tell(Perform { id, overtakes }).try_send().is_err() {
                self.release(person, id);
                self.fall_asleep(now.plus(Duration::from_secs(1)), id, person);
            }
        }
        self.set_timer();
    }

    async fn actor(&mut self, person: PersonId, id: MoveId, priority: Priority) -> ActorRef<Contact> {
        if let Some(live) = self.live.get_mut(&person).filter(|live| live.actor.is_alive()) {
            live.outstanding.push((id, priority));
            return live.actor.clone();
        }
        if let Some(dead) = self.live.remove(&person) {
            // It panicked, and the news is still on its way: its moves wait for the new one.
            self.people.remove(&dead.actor.id());
            self.count_panic(person, dead.outstanding).await;
        }
        let args = ContactArgs {
            shared: Arc::clone(&self.shared),
            lanes: self.lanes.clone(),
            router: self.me.clone(),
            person,
        };
        let actor = Contact::spawn_link_with_mailbox(&self.me, args, mailbox::bounded(CONTACT_MAILBOX)).await;
        self.people.insert(actor.id(), person);
        self.live.insert(person, Live { actor: actor.clone(), outstanding: vec![(id, priority)] });
        actor
    }

    /// A move no longer needs its person's actor; the last one to go ends it.
    fn release(&mut self, person: PersonId, id: MoveId) {
        let Some(live) = self.live.get_mut(&person) else { return };
        live.outstanding.retain(|(outstanding, _)| *outstanding != id);
        if live.outstanding.is_empty()
            && let Some(live) = self.live.remove(&person)
        {
            self.people.remove(&live.actor.id());
            // It has reported everything it had; nothing is lost with it.
            live.actor.kill();
        }
    }

    async fn contact_panicked(&mut self, person: PersonId) {
        let Some(live) = self.live.remove(&person) else { return };
        self.count_panic(person, live.outstanding).await;
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        self.tick_at(self.shared.clock.now());
    }

    fn note_failed(&mut self, id: MoveId) {
        let failed = self.failed.entry(id.run).or_default();
        if failed.len() < FAILED_KEPT {
            failed.push(id);
        }
    }

    async fn count_panic(&mut self, person: PersonId, outstanding: Vec<(MoveId, Priority)>) {
        let times = self.panics.entry(person).or_default();
        *times += 1;
        let times = *times;
        tracing::error!(person.id = %person, times, "a contact's actor panicked");
        if times < PANICS {
            for (id, priority) in outstanding {
                self.waiting.entry(priority).or_default().push_back((person, id));
            }
            return;
        }
        // The next run tries as often again.
        self.panics.remove(&person);
        for (id, _) in outstanding {
            self.settle(id);
            let stuck = stick(&self.shared, person, id).await;
            let tally = self.tallies.entry(id.run).or_default();
            match stuck {
                Ok(kind) => tally.count_stuck(kind),
                Err(why) => {
                    tally.broken += 1;
                    tally.last_why = Some(format!("move {id} made its actor panic {PANICS} times: {why}"));
                }
            }
        }
    }

    fn set_timer(&mut self) {
        if let Some(((until, _), _)) = self.asleep.first_key_value() {
            self.tick_at(*until);
        }
    }

    fn tick_at(&mut self, at: Timestamp) {
        let me = self.me.downgrade();
        self.alarm.set(&self.shared.clock, at, async move {
            if let Some(me) = me.upgrade() {
                // A stopped router has nothing to wake.
                drop(me.tell(Tick).await);
            }
        });
    }
}

/// Writes that a move is stuck whose person's actor is dead: nobody else writes its records now.
async fn stick(shared: &Shared, person: PersonId, id: MoveId) -> Result<MoveKind, String> {
    let journal = &shared.journal;
    let events = journal.events(id).map_err(|problem| problem.to_string())?;
    let status = fold(&events).map_err(|problem| problem.to_string())?;
    let message = format!("hsmc itself came to grief over it {PANICS} times (panic): a mistake of its own");
    let because = Refusal { code: RefusalCode::Other, message };
    let event = MoveEvent::Stuck { because, at: shared.clock.now() };
    transition(Some(status.clone()), &event).map_err(|problem| problem.to_string())?;
    let mut batch = Batch::new();
    journal.append_event(&mut batch, id, person, &event).map_err(|problem| problem.to_string())?;
    journal.commit(batch).await.map_err(|problem| problem.to_string())?;
    tracing::error!(move.id = %id, "move is stuck: see `hsmc status {id}`");
    Ok(status.draft.kind)
}
