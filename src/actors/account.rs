//! One actor per remote account: the only way to the network. It grants each call its permit, by
//! priority, from the account's budget; what a call saw comes back and shapes the budget.
//!
//! Never: sending anything itself, or knowing what a call is for.

use super::alarm::Alarm;
use super::budget::{Admission, BudgetLimits, BudgetOverview, RateBudget};
use super::leave_by::too_late;
use super::meter::CallMeter;
use super::silence::Silence;
use crate::domain::code::Code;
use crate::domain::day::ServiceDay;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::port::{Budget, Clock, Gate, Observed, Permit, Priority};
use crate::domain::report::CallCurve;
use crate::domain::time::{ClockOffset, Timestamp};
use async_trait::async_trait;
use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::oneshot;

/// A mailbox deep enough for every caller there can be: lanes and scans are bounded themselves.
const MAILBOX: usize = 1024;

type Answer = Result<AccountPermit, CallFailure>;

/// The actor.
pub struct Account {
    service: Service,
    clock: Arc<dyn Clock>,
    budget: RateBudget,
    meter: CallMeter,
    silence: Silence,
    waiting: BTreeMap<(Priority, Budget), VecDeque<oneshot::Sender<Answer>>>,
    alarm: Alarm,
    learned: LearnedClock,
    me: ActorRef<Account>,
}

/// How far the service's clock is ahead, by the last answer: known as soon as an answer is there.
#[derive(Clone)]
pub struct LearnedClock {
    clock: Arc<dyn Clock>,
    ahead_ms: Arc<AtomicI64>,
}

impl LearnedClock {
    /// Of a service that has not answered yet.
    pub fn new(clock: Arc<dyn Clock>) -> LearnedClock {
        LearnedClock { clock, ahead_ms: Arc::default() }
    }

    /// How far it is ahead.
    pub fn offset(&self) -> ClockOffset {
        ClockOffset::from_ms(self.ahead_ms.load(Ordering::Acquire))
    }

    fn learn(&self, theirs: Timestamp) {
        let offset = ClockOffset::between(theirs, self.clock.now());
        self.ahead_ms.store(offset.in_ms(), Ordering::Release);
    }
}

/// What an account needs to start.
pub struct AccountArgs {
    /// Which service.
    pub service: Service,
    /// Its bounds.
    pub limits: BudgetLimits,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Actor for Account {
    type Args = (AccountArgs, LearnedClock);
    type Error = Infallible;

    async fn on_start((args, learned): Self::Args, me: ActorRef<Account>) -> Result<Account, Infallible> {
        Ok(Account {
            service: args.service,
            meter: CallMeter::new(args.clock.now()),
            clock: args.clock,
            budget: RateBudget::new(args.limits),
            silence: Silence::default(),
            waiting: BTreeMap::new(),
            alarm: Alarm::default(),
            learned,
            me,
        })
    }
}

impl Account {
    /// Lets go whoever may, strongest priority first; sets one timer for the rest.
    fn grant(&mut self) {
        loop {
            let now = self.clock.now();
            let mut granted = false;
            let mut next: Option<Timestamp> = None;
            let keys: Vec<_> = self.waiting.keys().copied().collect();
            for key in keys {
                let (priority, budget) = key;
                let admission = self.budget.admit(now, priority, budget);
                let Some(queue) = self.waiting.get_mut(&key) else { continue };
                match admission {
                    Admission::Now => {
                        if let Some(caller) = queue.pop_front() {
                            self.budget.start(budget);
                            self.meter.count(now);
                            self.silence.asked(now);
                            // A caller that is gone drops the permit, and that releases it.
                            let (account, learned) = (self.me.clone(), self.learned.clone());
                            drop(caller.send(Ok(AccountPermit {
                                account,
                                learned,
                                budget,
                                reported: false,
                            })));
                            granted = true;
                        }
                    }
                    Admission::At(at) => next = Some(next.map_or(at, |soonest: Timestamp| soonest.min(at))),
                    Admission::WhenFree => {}
                    Admission::LeftAlone { until } => {
                        for caller in queue.drain(..) {
                            let used_up = self.budget.used_up_until(now).is_some();
                            drop(caller.send(Err(left_alone(self.service, now, until, used_up))));
                        }
                    }
                    Admission::Stopped { .. } => {
                        for caller in queue.drain(..) {
                            // Nobody listens any more: nothing to tell.
                            drop(caller.send(Err(stopped(self.service))));
                        }
                    }
                }
                if self.waiting.get(&key).is_some_and(VecDeque::is_empty) {
                    self.waiting.remove(&key);
                }
                if granted {
                    break;
                }
            }
            if granted {
                continue;
            }
            if let Some(at) = next {
                self.wake(at);
            }
            return;
        }
    }

    fn wake(&mut self, at: Timestamp) {
        let me = self.me.downgrade();
        self.alarm.set(&self.clock, at, async move {
            if let Some(me) = me.upgrade() {
                // A stopped account grants nothing any more.
                drop(me.tell(Tick).await);
            }
        });
    }
}

fn stopped(service: Service) -> CallFailure {
    CallFailure {
        service,
        class: FailureClass::Unauthorized,
        refusal: RefusalCode::Other,
        status: None,
        what: "takes no calls".to_owned(),
        message: "the credentials were refused; they are tried again once a minute".to_owned(),
        trace: None,
    }
}

fn left_alone(service: Service, now: Timestamp, until: Timestamp, daily: bool) -> CallFailure {
    let why = if daily { "its daily quota is used up" } else { "it asked to be left alone" };
    CallFailure {
        class: FailureClass::RateLimited { retry_after: Some(until.since(now)) },
        message: format!("{why} until {until}"),
        ..stopped(service)
    }
}

struct Admit {
    priority: Priority,
    budget: Budget,
    answer: oneshot::Sender<Answer>,
}
struct Finished(Budget, Option<Observed>);
struct Tick;
struct DayIs(Option<ServiceDay>);
/// Asks for a look at the budget.
pub struct Overview;
/// Counts calls over time anew from now on.
struct MeterAnew;
/// Asks for the calls over time.
struct Metered;
/// Asks since when the service has been silent.
struct SilentSince;

impl Message<Admit> for Account {
    type Reply = ();
    async fn handle(&mut self, message: Admit, _: &mut Context<Self, ()>) {
        self.waiting.entry((message.priority, message.budget)).or_default().push_back(message.answer);
        self.grant();
    }
}
impl Message<Finished> for Account {
    type Reply = ();
    async fn handle(&mut self, message: Finished, _: &mut Context<Self, ()>) {
        let Finished(budget, seen) = message;
        let now = self.clock.now();
        self.silence.ended(now, seen.as_ref());
        match seen {
            Some(seen) => {
                if self.budget.finish(now, budget, &seen) {
                    tracing::warn!(
                        service = %self.service,
                        code = %Code::CredentialsRefused,
                        "the credentials are refused: this side stops, and is tried once a minute"
                    );
                }
            }
            None => self.budget.release(now, budget),
        }
        self.grant();
    }
}
impl Message<Tick> for Account {
    type Reply = ();
    async fn handle(&mut self, _: Tick, _: &mut Context<Self, ()>) {
        self.alarm.off();
        self.grant();
    }
}
impl Message<DayIs> for Account {
    type Reply = ();
    async fn handle(&mut self, DayIs(day): DayIs, _: &mut Context<Self, ()>) {
        self.budget.day_is(day);
    }
}
impl Message<Overview> for Account {
    type Reply = Result<BudgetOverview, Infallible>;
    async fn handle(&mut self, _: Overview, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(self.budget.overview(self.clock.now()))
    }
}

impl Message<MeterAnew> for Account {
    type Reply = ();
    async fn handle(&mut self, _: MeterAnew, _: &mut Context<Self, ()>) {
        self.meter = CallMeter::new(self.clock.now());
    }
}
impl Message<Metered> for Account {
    type Reply = Result<CallCurve, Infallible>;
    async fn handle(&mut self, _: Metered, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let budget = self.budget.overview(self.clock.now());
        Ok(self.meter.curve(self.service, budget.max.map(|max| (max, budget.window))))
    }
}

impl Message<SilentSince> for Account {
    type Reply = Result<Option<Timestamp>, Infallible>;
    async fn handle(&mut self, _: SilentSince, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        Ok(self.silence.since(self.clock.now()))
    }
}

/// The account's gate, as connectors see it.
#[derive(Clone)]
pub struct AccountGate {
    service: Service,
    account: ActorRef<Account>,
    learned: LearnedClock,
}

impl AccountGate {
    /// Starts the account's actor and gives out its gate.
    pub fn start(args: AccountArgs) -> AccountGate {
        let service = args.service;
        let learned = LearnedClock::new(Arc::clone(&args.clock));
        let account = Account::spawn_with_mailbox((args, learned.clone()), mailbox::bounded(MAILBOX));
        AccountGate { service, account, learned }
    }

    /// How far the service's clock is ahead of this machine's, by its last answer.
    pub fn clock_offset(&self) -> ClockOffset {
        self.learned.offset()
    }

    /// The service's clock, as it is learned.
    pub fn learned(&self) -> LearnedClock {
        self.learned.clone()
    }

    /// A look at the budget; none when the account has stopped.
    pub async fn overview(&self) -> Option<BudgetOverview> {
        self.account.ask(Overview).await.ok()
    }

    /// Counts calls over time anew: a run begins.
    pub async fn meter_anew(&self) {
        // An account that has stopped makes no calls.
        drop(self.account.tell(MeterAnew).await);
    }

    /// Calls over time since then; none when the account has stopped.
    pub async fn metered(&self) -> Option<CallCurve> {
        self.account.ask(Metered).await.ok()
    }

    /// When the account's day ends: the daily quota is new from then on.
    pub async fn day_is(&self, day: Option<ServiceDay>) {
        // An account that has stopped makes no calls.
        drop(self.account.tell(DayIs(day)).await);
    }

    /// Since when the service has been asked without an answer; none while it answers, or nobody asks.
    pub async fn silent_since(&self) -> Option<Timestamp> {
        self.account.ask(SilentSince).await.ok().flatten()
    }

    fn closed(&self) -> CallFailure {
        CallFailure {
            class: FailureClass::Transient,
            message: "hsmc is shutting down".to_owned(),
            ..stopped(self.service)
        }
    }
}

struct AccountPermit {
    account: ActorRef<Account>,
    learned: LearnedClock,
    budget: Budget,
    reported: bool,
}

impl AccountPermit {
    fn tell(&self, seen: Option<Observed>) {
        let (account, budget) = (self.account.clone(), self.budget);
        // Dropping a permit cannot wait for a mailbox, so the message travels on its own.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(account.tell(Finished(budget, seen)).await) });
        }
    }
}

impl Permit for AccountPermit {
    fn report(mut self: Box<Self>, observed: Observed) {
        self.reported = true;
        if let Some(date) = observed.date {
            self.learned.learn(date);
        }
        self.tell(Some(observed));
    }
}

impl Drop for AccountPermit {
    fn drop(&mut self) {
        if !self.reported {
            self.tell(None);
        }
    }
}

#[async_trait]
impl Gate for AccountGate {
    async fn admit(&self, priority: Priority, budget: Budget) -> Result<Box<dyn Permit>, CallFailure> {
        let (answer, granted) = oneshot::channel();
        self.account.tell(Admit { priority, budget, answer }).await.map_err(|_| self.closed())?;
        let permit = granted.await.map_err(|_| self.closed())??;
        match too_late(self.service, self.learned.clock.now()) {
            Some(failure) => Err(failure),
            None => Ok(Box::new(permit)),
        }
    }

    fn service(&self) -> Service {
        self.service
    }
}
