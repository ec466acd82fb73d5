//! One actor per person with work in flight: a mailbox round the engine. It makes intents durable, hands
//! steps to their lanes, makes outcomes durable, and goes on, one move after another.
//!
//! Nothing lives only here: whenever it starts, it reads its move from the journal, by the same fold as
//! after a crash. It never waits for a lane; outcomes come back as messages, so that an opt-out can
//! overtake.

use super::context::{Held, Shared};
use super::erasing::trace;
use super::evidence::evidence;
use super::lane::{LOOKED_FOR_WITHIN, LaneItem, LaneStep, Lanes, Settled, Work};
use super::router::{MoveReport, Reported, Router};
use super::traffic::Moving;
use crate::domain::consent::{ConsentChange, ConsentEntry};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, OperatorRequest};
use crate::domain::failure::{Refusal, RefusalCode, Service};
use crate::domain::id::{ListId, MoveId, PersonId, StepIndex};
use crate::domain::memory::{Archive, by_their_clock, remember};
use crate::domain::moves::{MemoryChange, MoveKind};
use crate::domain::person::Person;
use crate::domain::port::Priority;
use crate::domain::step::{Inverse, Step, Target};
use crate::domain::time::Timestamp;
use crate::engine::{MoveStatus, Next, Phase, Progress, decide, fold, transition};
use crate::failpoint;
use crate::journal::ledger::JournalError;
use crate::journal::store::Batch;
use kameo::Actor;
use kameo::actor::ActorRef;
use kameo::error::Infallible;
use kameo::message::{Context, Message};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Longer waits give the place back to the router; the journal remembers.
const NAP: Duration = Duration::from_secs(3);
/// How often a paused move looks whether it may go on: whoever ends a pause wakes all that sleep, save one that was just
/// falling asleep.
const PAUSE_LOOK: Duration = Duration::from_secs(60);

/// The actor.
pub struct Contact {
    shared: Arc<Shared>,
    lanes: Lanes,
    router: ActorRef<Router>,
    me: ActorRef<Contact>,
    person: PersonId,
    queue: VecDeque<MoveId>,
    current: Option<Current>,
}

struct Current {
    id: MoveId,
    status: MoveStatus,
    /// The lane that has a step of it, while one has.
    out: Option<Target>,
    overtaken: bool,
    /// Kept while it is on its way and not in a lane.
    moving: Option<Moving>,
}

/// What a contact actor needs.
pub struct ContactArgs {
    /// Shared by all.
    pub shared: Arc<Shared>,
    /// The lanes.
    pub lanes: Lanes,
    /// Whom to report to.
    pub router: ActorRef<Router>,
    /// Whose moves.
    pub person: PersonId,
}

impl Actor for Contact {
    type Args = ContactArgs;
    type Error = Infallible;

    async fn on_start(args: ContactArgs, me: ActorRef<Contact>) -> Result<Contact, Infallible> {
        Ok(Contact {
            shared: args.shared,
            lanes: args.lanes,
            router: args.router,
            me,
            person: args.person,
            queue: VecDeque::new(),
            current: None,
        })
    }
}

/// Perform this move; it is in the journal.
pub struct Perform {
    /// Which.
    pub id: MoveId,
    /// An opt-out goes before everything else, and ends what it overtakes.
    pub overtakes: bool,
}
/// An operator's request for a move.
pub struct Operate {
    /// Which move.
    pub id: MoveId,
    /// What.
    pub request: OperatorRequest,
}
struct Wake(MoveId);

impl Message<Perform> for Contact {
    type Reply = ();
    async fn handle(&mut self, message: Perform, _: &mut Context<Self, ()>) {
        if message.overtakes {
            self.queue.push_front(message.id);
            self.overtake().await;
        } else {
            self.queue.push_back(message.id);
        }
        self.go_on().await;
    }
}

impl Message<Settled> for Contact {
    type Reply = ();
    async fn handle(&mut self, message: Settled, _: &mut Context<Self, ()>) {
        let Some(current) = self.current.as_mut().filter(|current| current.id == message.id) else { return };
        current.out = None;
        current.moving = message.moving;
        if let Some(again_at) = message.again_at
            && !current.overtaken
        {
            return self.sleep(again_at, "an asynchronous batch of Mailchimp".to_owned()).await;
        }
        failpoint::answered(current.status.draft.kind, message.direction, &message.outcomes);
        if message.outcomes.iter().any(|(_, outcome)| outcome.is_settled()) {
            self.shared.got_further();
        }
        let at = self.shared.clock.now();
        let events = message
            .outcomes
            .into_iter()
            .map(|(step, outcome)| MoveEvent::Outcome { step, direction: message.direction, outcome, at })
            .collect();
        self.advance(events).await;
    }
}

impl Message<Operate> for Contact {
    type Reply = Result<(), String>;
    async fn handle(&mut self, message: Operate, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let id = message.id;
        if self.current.as_ref().is_some_and(|current| current.id == id && current.out.is_some()) {
            return Err(format!("move {id} has a call out; try again in a moment"));
        }
        let is_loaded_for_this = self.current.is_none();
        if is_loaded_for_this {
            self.load(id).map_err(|error| error.to_string())?;
        }
        let at = self.shared.clock.now();
        let Some(current) = self.current.as_ref().filter(|current| current.id == id) else {
            return Err(format!("move {id} waits behind another move of the same person"));
        };
        let asked = MoveEvent::Operator { request: message.request, at };
        if let Err(error) = transition(Some(current.status.clone()), &asked) {
            if is_loaded_for_this {
                // Nobody performs it here; left loaded, it would hold up whatever comes next.
                self.current = None;
            }
            return Err(format!("move {id} cannot do that now: {error}"));
        }
        let mut events = vec![asked];
        let because = Refusal { code: RefusalCode::Other, message: "an operator asked for it".to_owned() };
        match message.request {
            OperatorRequest::Retry | OperatorRequest::Skip => {}
            OperatorRequest::RollBack | OperatorRequest::Cancel if !current.status.has_begun() => {
                events.push(MoveEvent::Ended { end: MoveEnd::Dropped { why: because.message }, at });
            }
            OperatorRequest::RollBack | OperatorRequest::Cancel => {
                if !matches!(current.status.phase, Phase::Unwinding { .. }) {
                    events.push(MoveEvent::Unwinding { because, at });
                }
            }
        }
        self.advance(events).await;
        Ok(())
    }
}

impl Message<Wake> for Contact {
    type Reply = ();
    async fn handle(&mut self, Wake(id): Wake, _: &mut Context<Self, ()>) {
        if let Some(current) =
            self.current.as_mut().filter(|current| current.id == id && current.out.is_none())
        {
            current.moving = Some(self.shared.traffic.moving(opts_out_in(&current.status, &[])));
            self.advance(Vec::new()).await;
        }
    }
}

impl Contact {
    /// An opt-out is here: steps not sent yet leave the lanes, a call that is out is awaited, and what was
    /// going on ends as superseded.
    async fn overtake(&mut self) {
        let Some(current) = self.current.as_mut().filter(|current| !current.status.draft.kind.overtakes())
        else {
            return;
        };
        current.overtaken = true;
        match current.out.clone() {
            Some(lane) => self.lanes.withdraw(&lane, current.id).await,
            None => self.advance(Vec::new()).await,
        }
    }

    /// Takes the next move, when none is going on.
    async fn go_on(&mut self) {
        while self.current.is_none() {
            let Some(id) = self.queue.pop_front() else { return };
            match self.load(id) {
                Ok(()) if self.overtakes() => match self.end_older(id).await {
                    Ok(()) => self.advance(Vec::new()).await,
                    Err(error) => self.fail(error).await,
                },
                Ok(()) => self.advance(Vec::new()).await,
                Err(error) => self.report(id, Reported::Broken(error.to_string())).await,
            }
        }
    }

    fn overtakes(&self) -> bool {
        let overtakes =
            |current: &Current| current.status.draft.kind.overtakes() && !current.status.is_over();
        self.current.as_ref().is_some_and(overtakes)
    }

    /// Before an opt-out, whatever else of this person is open ends as superseded, wherever it waits: a move
    /// that sleeps or is stuck must not go on afterwards with what the opt-out has taken away (design §3.5).
    /// Who is forgotten is opted out by that, too; forgetting itself is never superseded.
    async fn end_older(&mut self, overtaking: MoveId) -> Result<(), JournalError> {
        let journal = &self.shared.journal;
        let at = self.shared.clock.now();
        let forgets = self.current.as_ref().is_some_and(|c| c.status.draft.kind == MoveKind::Forget);
        let (mut batch, mut ended) = (Batch::new(), Vec::new());
        for id in journal.moves_of_person(self.person)? {
            // Records that cannot be read hold their person already.
            let Ok(status) = fold(&journal.events(id)?) else { continue };
            let kind = status.draft.kind;
            let stays = kind == MoveKind::Forget || (kind.is_opt_out() && !forgets);
            if id == overtaking || status.is_over() || stays || past_return(&status) {
                continue;
            }
            let end = MoveEvent::Ended { end: MoveEnd::Superseded, at };
            journal.append_event(&mut batch, id, self.person, &end)?;
            ended.push((id, kind));
        }
        if ended.is_empty() {
            return Ok(());
        }
        journal.commit(batch).await?;
        self.queue.retain(|queued| !ended.iter().any(|(id, _)| id == queued));
        for (id, kind) in ended {
            let what = Reported::Ended { end: MoveEnd::Superseded, kind };
            drop(self.router.tell(MoveReport { id, person: self.person, what }).await);
        }
        Ok(())
    }

    fn load(&mut self, id: MoveId) -> Result<(), LoadError> {
        let events = self.shared.journal.events(id)?;
        let mut status = fold(&events).map_err(|error| LoadError::Contradiction(id, error.to_string()))?;
        status.ask_anew(self.shared.clock.now());
        status.count_from(self.shared.began);
        let moving = Some(self.shared.traffic.moving(opts_out_in(&status, &[])));
        self.current = Some(Current { id, status, out: None, overtaken: false, moving });
        Ok(())
    }

    /// Records events and does what comes next, until something has to be waited for.
    async fn advance(&mut self, events: Vec<MoveEvent>) {
        let mut events = events;
        loop {
            let Some(current) = self.current.as_mut() else { return };
            let now = self.shared.clock.now();
            for event in &events {
                match transition(Some(current.status.clone()), event) {
                    Ok(status) => current.status = status,
                    Err(error) => {
                        let id = current.id;
                        self.current = None;
                        self.report(id, Reported::Broken(error.to_string())).await;
                        return;
                    }
                }
            }
            if current.overtaken && !current.status.is_over() && !past_return(&current.status) {
                let end = MoveEvent::Ended { end: MoveEnd::Superseded, at: now };
                if let Ok(status) = transition(Some(current.status.clone()), &end) {
                    current.status = status;
                    events.push(end);
                }
            }
            let next = if current.status.is_over() { Next::Rest } else { decide(&current.status, now) };
            let held = if self.shared.is_stopping() {
                Some(Held { why: "hsmc is stopping".to_owned(), until: None })
            } else {
                self.shared.holds(&current.status, now)
            };
            let next = match (next, held) {
                (Next::Send { .. }, Some(Held { why, until })) => {
                    Next::Wait { until: until.unwrap_or(now.plus(PAUSE_LOOK)), why }
                }
                (next, _) => next,
            };
            let to_send = match &next {
                Next::Send { steps, direction } => self.lane_item(steps, *direction, Work::Perform),
                Next::Probe { step, direction } => self.lane_item(&[*step], *direction, Work::Probe),
                Next::Poll { step, direction, ticket } => {
                    self.lane_item(&[*step], *direction, Work::Poll { ticket: ticket.clone() })
                }
                Next::Wait { .. } | Next::Record(_) | Next::Rest => None,
            };
            if let Next::Send { steps, direction } = &next {
                for step in steps {
                    let intent =
                        MoveEvent::Intent { step: *step, direction: *direction, before: None, at: now };
                    self.fold_in(&intent);
                    events.push(intent);
                }
            }
            // Outcomes and the next intents become durable together, before the next call leaves.
            if let Err(error) = self.commit(&events).await {
                return self.fail(error).await;
            }
            if let Some(current) = self.current.as_ref() {
                failpoint::recorded(current.status.draft.kind, &events);
            }
            match (next, to_send) {
                (Next::Record(more), _) => events = more,
                (Next::Wait { until, why }, _) => return self.sleep(until, why).await,
                (Next::Rest, _) => return self.finish().await,
                (Next::Send { .. } | Next::Probe { .. } | Next::Poll { .. }, Some((target, mut item))) => {
                    if let Some(current) = self.current.as_mut() {
                        current.out = Some(target.clone());
                        item.moving = current.moving.take();
                    }
                    return self.lanes.enqueue(&target, item).await;
                }
                (Next::Send { .. } | Next::Probe { .. } | Next::Poll { .. }, None) => {
                    let Some(current) = self.current.take() else { return };
                    let what = Reported::Broken("a step has nothing to send".to_owned());
                    return self.report(current.id, what).await;
                }
            }
        }
    }

    fn fold_in(&mut self, event: &MoveEvent) {
        if let Some(current) = self.current.as_mut()
            && let Ok(status) = transition(Some(current.status.clone()), event)
        {
            current.status = status;
        }
    }

    fn lane_item(&self, steps: &[StepIndex], direction: Direction, work: Work) -> Option<(Target, LaneItem)> {
        let current = self.current.as_ref()?;
        let status = &current.status;
        let lane_steps: Vec<LaneStep> = steps
            .iter()
            .filter_map(|index| {
                let planned = status.draft.step(*index)?;
                let state = status.steps.get(usize::from(index.0))?;
                Some(LaneStep {
                    index: *index,
                    step: status.effective_step(*index, direction)?,
                    before: state.before.clone(),
                    undoes: (direction == Direction::Undo).then(|| planned.step.clone()),
                })
            })
            .collect();
        let first = lane_steps.first()?;
        let state = status.steps.get(usize::from(first.index.0))?;
        let target = first.step.target();
        let item = LaneItem {
            id: current.id,
            person: self.person,
            direction,
            work,
            priority: priority(status),
            attempts: state.attempts,
            planned_at: status.planned_at,
            sent_at: state.sent_at,
            noted_at: state.noted_at,
            ahead: ahead(status, &lane_steps, direction),
            opts_out_in: opts_out_in(status, &lane_steps),
            enrolls_from: enrolls_from(status),
            moving: None,
            reply: self.me.clone(),
            steps: lane_steps,
        };
        Some((target, item))
    }

    async fn commit(&self, events: &[MoveEvent]) -> Result<(), JournalError> {
        let Some(current) = self.current.as_ref().filter(|_| !events.is_empty()) else { return Ok(()) };
        let journal = &self.shared.journal;
        let draft = &current.status.draft;
        let (mut batch, mut entries) = (Batch::new(), Vec::new());
        let person = journal.person(self.person)?;
        for event in events {
            journal.append_event(&mut batch, current.id, self.person, event)?;
            if let (MoveEvent::Ended { end: MoveEnd::Done, at }, Some(person), MoveKind::Forget) =
                (event, &person, draft.kind)
            {
                self.erase(&mut batch, person, current, *at)?;
            } else if let (MoveEvent::Ended { end, at }, Some(person)) = (event, &person) {
                let by = refused_by(&current.status);
                let archived = archive_of(&current.status, self.shared.began);
                let theirs = self.shared.audience_clock.offset().of_theirs(*at);
                let after = by_their_clock(remember(person, draft, end, by, archived, *at), *at, theirs);
                if after != *person {
                    journal.put_person(&mut batch, &after, Some(person))?;
                }
            }
            // Every consent change is kept as evidence (R23): before the call, and what the call said.
            if let Some(fact) = evidence(current.id, draft, event, &self.shared.settings.basis) {
                // A salt must not outlive whom it is of.
                let lasts = fact.change != ConsentChange::Forgotten;
                let email = person.as_ref().filter(|_| lasts).and_then(|person| person.email.clone());
                entries.push(ConsentEntry { person: self.person, email, fact });
            }
        }
        self.shared.consent.commit(batch, entries).await.map(|_| ())
    }

    /// Both services have nothing of the person any more: everything that names them here goes too.
    fn erase(
        &self,
        batch: &mut Batch,
        person: &Person,
        current: &Current,
        at: Timestamp,
    ) -> Result<(), JournalError> {
        let (journal, status) = (&self.shared.journal, &current.status);
        for id in journal.moves_of_person(person.id)? {
            let open = fold(&journal.events(id)?).is_ok_and(|status| !status.is_over());
            if open && id != current.id {
                let end = MoveEvent::Ended { end: MoveEnd::Superseded, at };
                journal.append_event(batch, id, person.id, &end)?;
            }
        }
        let trace = trace(current.id, status, person, at);
        journal.erase_person(&self.shared.consent, self.shared.entropy.as_ref(), batch, person, trace)
    }

    async fn sleep(&mut self, until: Timestamp, why: String) {
        let Some(id) = self.current.as_ref().map(|current| current.id) else { return };
        let wait = until.since(self.shared.clock.now());
        if wait > NAP {
            self.current = None;
            self.report(id, Reported::Asleep { until, why }).await;
            return;
        }
        if let Some(current) = self.current.as_mut() {
            current.moving = None;
        }
        let (clock, me) = (Arc::clone(&self.shared.clock), self.me.downgrade());
        tokio::spawn(async move {
            clock.sleep(wait.max(Duration::from_millis(1))).await;
            if let Some(me) = me.upgrade() {
                // Whoever takes the place later reads the same timer from the journal.
                drop(me.tell(Wake(id)).await);
            }
        });
    }

    async fn finish(&mut self) {
        let Some(current) = self.current.take() else { return };
        let report = match current.status.phase {
            Phase::Ended(end) => Reported::Ended { end, kind: current.status.draft.kind },
            Phase::Stuck { because, .. } => Reported::Stuck { because, kind: current.status.draft.kind },
            Phase::Ready | Phase::Forward | Phase::Unwinding { .. } => {
                Reported::Broken("the engine rests before the end".to_owned())
            }
        };
        self.report(current.id, report).await;
    }

    async fn fail(&mut self, error: JournalError) {
        let Some(current) = self.current.take() else { return };
        self.report(current.id, Reported::Broken(error.to_string())).await;
    }

    async fn report(&mut self, id: MoveId, what: Reported) {
        // The router outlives its contacts; when it is gone, everything is being shut down.
        drop(self.router.tell(MoveReport { id, person: self.person, what }).await);
        if self.current.is_none() && !self.queue.is_empty() {
            let me = self.me.clone();
            tokio::spawn(async move { drop(me.tell(Continue).await) });
        }
    }
}

struct Continue;
impl Message<Continue> for Contact {
    type Reply = ();
    async fn handle(&mut self, _: Continue, _: &mut Context<Self, ()>) {
        self.go_on().await;
    }
}

/// Why a move cannot be taken up.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the records of move {0} contradict each other: {1}")]
    Contradiction(MoveId, String),
}

/// How many steps come after these.
fn ahead(status: &MoveStatus, steps: &[LaneStep], direction: Direction) -> usize {
    let place = |step: &LaneStep| usize::from(step.index.0);
    match direction {
        Direction::Forward => {
            steps.iter().map(place).max().map_or(0, |last| status.steps.len().saturating_sub(last + 1))
        }
        Direction::Undo => steps.iter().map(place).min().unwrap_or(0),
    }
}

/// The source list that the move enrols from, if it does.
fn enrolls_from(status: &MoveStatus) -> Option<ListId> {
    status.draft.then.iter().find_map(|change| match change {
        MemoryChange::Enrolled { list, .. } => Some(*list),
        _ => None,
    })
}

/// The lanes that an opt-out comes to but for these steps; none of another move, for which no opt-out waits.
fn opts_out_in(status: &MoveStatus, but: &[LaneStep]) -> Vec<Target> {
    if !status.draft.kind.overtakes() {
        return Vec::new();
    }
    let steps = status.draft.steps.iter().zip(&status.steps).zip(0..);
    let due = steps.filter(|((_, state), place)| {
        !state.forward.is_settled() && !but.iter().any(|step| usize::from(step.index.0) == *place)
    });
    due.map(|((planned, _), _)| planned.step.target()).collect()
}

fn priority(status: &MoveStatus) -> Priority {
    match status.draft.kind {
        kind if kind.overtakes() => Priority::OptOut,
        MoveKind::Enroll | MoveKind::Pending | MoveKind::Refresh if !status.has_begun() => Priority::Enroll,
        _ => Priority::HandOver,
    }
}

/// A pivot that holds, or may hold, cannot be superseded: the move is as good as done.
fn past_return(status: &MoveStatus) -> bool {
    !status.draft.kind.is_forward_only() && status.is_past_pivot()
}

/// Whether it was a call of this move that archived the member. One that an earlier process sent, and which only this
/// one, begun at the moment given, found done, may have hidden an unsubscribe: it may have been in a batch of Mailchimp
/// that went on while nobody looked (see [`super::lane`]'s `meanwhile`).
fn archive_of(status: &MoveStatus, began: Timestamp) -> Archive {
    let ours = status.draft.steps.iter().zip(&status.steps).find(|(planned, state)| {
        let taken_back = planned.step.inverse(&state.before) == Inverse::Step(Step::ArchiveMember);
        (planned.step == Step::ArchiveMember && state.forward == Progress::Done)
            || (taken_back && state.undo == Progress::Done)
    });
    match ours.and_then(|(_, state)| state.noted_at) {
        None if ours.is_none() => Archive::NotOurs,
        Some(sent) if sent < began && began.since(sent) > LOOKED_FOR_WITHIN => Archive::Unwatched,
        _ => Archive::Watched,
    }
}

/// The service that refused a step of the move, if one did.
fn refused_by(status: &MoveStatus) -> Option<Service> {
    status.draft.step(status.refused?)?.step.target().service()
}
