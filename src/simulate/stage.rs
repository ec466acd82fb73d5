//! What outlives a process: both accounts, the drive, the state directory, what is under way on the wire, and what
//! people are going to do.

use super::chance::Chance;
use super::held;
use super::people::interferes;
use super::trace::Trace;
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::journal::store::drive::Drive;
use crate::sandbox::{Act, Sandbox, WireRequest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Above so many people touched, nobody interferes any more: the others must show what an undisturbed run does.
const TOUCHED: usize = 16;

/// A call on its way.
struct Underway {
    /// None once the service has it.
    request: Option<WireRequest>,
    service: Service,
    /// It took a connection.
    connected: bool,
}

/// Somebody does something.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    /// After so many calls.
    pub(super) after: u64,
    /// What.
    pub(super) act: Act,
}

#[derive(Default)]
struct Wire {
    calls: u64,
    next: u64,
    underway: BTreeMap<u64, Underway>,
    /// In order.
    happenings: Vec<Happening>,
    /// Nobody does anything any more.
    over: bool,
}

/// The stage.
pub(super) struct Stage {
    pub(super) sandbox: Mutex<Sandbox>,
    pub(super) drive: Arc<Drive>,
    pub(super) folder: PathBuf,
    pub(super) trace: Arc<Trace>,
    /// What is drawn while processes run.
    pub(super) chance: Mutex<Chance>,
    /// Nothing but a little time is drawn: the undisturbed run.
    pub(super) calm: bool,
    /// Whom people touch: addresses in the form they are compared in.
    touched: Mutex<BTreeSet<String>>,
    /// Of whom an operator took a step as settled.
    skipped: Mutex<BTreeSet<String>>,
    /// Who was to be forgotten, and whether they were.
    forgotten: Mutex<BTreeMap<String, bool>>,
    wire: Mutex<Wire>,
    now: Mutex<Timestamp>,
}

impl Stage {
    pub(super) fn new(
        sandbox: Sandbox,
        chance: Chance,
        folder: PathBuf,
        trace: Arc<Trace>,
        calm: bool,
    ) -> Stage {
        let now = sandbox.now();
        Stage {
            sandbox: Mutex::new(sandbox),
            drive: Arc::new(Drive::new()),
            folder,
            trace,
            chance: Mutex::new(chance),
            calm,
            touched: Mutex::default(),
            skipped: Mutex::default(),
            forgotten: Mutex::default(),
            wire: Mutex::default(),
            now: Mutex::new(now),
        }
    }

    /// The true time, between processes.
    pub(super) fn now(&self) -> Timestamp {
        *held(&self.now)
    }

    /// It is this late now.
    pub(super) fn set_now(&self, now: Timestamp) {
        *held(&self.now) = now;
        self.trace.at(now);
    }

    /// Time passes between processes.
    pub(super) fn pass(&self, time: Duration) {
        let now = self.now().plus(time);
        self.set_now(now);
        held(&self.sandbox).settle(now);
    }

    /// What people are going to do, and whom it touches.
    pub(super) fn will_happen(&self, mut happenings: Vec<Happening>, touched: BTreeSet<String>) {
        held(&self.touched).extend(touched);
        happenings.sort_by_key(|happening| happening.after);
        held(&self.wire).happenings = happenings;
    }

    /// Whom people have touched, or are going to.
    pub(super) fn touched(&self) -> BTreeSet<String> {
        held(&self.touched).clone()
    }

    /// Somebody does something to these.
    pub(super) fn touch(&self, whom: impl IntoIterator<Item = String>) {
        held(&self.touched).extend(whom);
    }

    /// Every address of the contact who has this one.
    pub(super) fn addresses_of(&self, email: &str) -> Vec<String> {
        let sandbox = held(&self.sandbox);
        sandbox.hubspot.contact_by_email(email).into_iter().flat_map(|record| record.addresses()).collect()
    }

    /// An operator takes a step of theirs as settled.
    pub(super) fn skip(&self, whose: impl IntoIterator<Item = String>) {
        held(&self.skipped).extend(whose);
    }

    /// Of whom an operator took a step as settled.
    pub(super) fn skipped(&self) -> BTreeSet<String> {
        held(&self.skipped).clone()
    }

    /// Somebody is to be forgotten, or was.
    pub(super) fn forget(&self, whom: impl IntoIterator<Item = String>, done: bool) {
        held(&self.forgotten).extend(whom.into_iter().map(|address| (address, done)));
    }

    /// Who was to be forgotten, and whether they were.
    pub(super) fn forgotten(&self) -> BTreeMap<String, bool> {
        held(&self.forgotten).clone()
    }

    /// What calls have changed since there were so many effects may make somebody interfere, with this likelihood.
    pub(super) fn may_interfere(&self, percent: u64, since: usize) {
        if held(&self.wire).over {
            return;
        }
        let drawn = {
            let (mut chance, sandbox) = (held(&self.chance), held(&self.sandbox));
            let changed = sandbox.effects.since(since);
            if changed.is_empty() || held(&self.touched).len() >= TOUCHED || !chance.percent(percent) {
                return;
            }
            interferes(&mut chance, &sandbox, changed)
        };
        if let Some((act, whose)) = drawn {
            held(&self.touched).extend(whose);
            self.act(&act);
        }
    }

    /// Calls that arrived so far.
    pub(super) fn calls(&self) -> u64 {
        held(&self.wire).calls
    }

    /// A call leaves.
    pub(super) fn leaves(&self, request: &WireRequest, connected: bool) -> u64 {
        let mut wire = held(&self.wire);
        wire.next += 1;
        let id = wire.next;
        let underway = Underway { request: Some(request.clone()), service: request.service, connected };
        wire.underway.insert(id, underway);
        id
    }

    /// A call has arrived; what happens behind it, in people's hands.
    pub(super) fn arrives(&self, id: u64) -> Vec<Act> {
        let mut wire = held(&self.wire);
        if let Some(underway) = wire.underway.get_mut(&id) {
            underway.request = None;
        }
        wire.calls += 1;
        let calls = wire.calls;
        let due = wire.happenings.iter().take_while(|happening| happening.after <= calls).count();
        wire.happenings.drain(..due).map(|happening| happening.act).collect()
    }

    /// A call is over.
    pub(super) fn ends(&self, id: u64) {
        let ended = held(&self.wire).underway.remove(&id);
        if let Some(Underway { service, connected: true, .. }) = ended {
            held(&self.sandbox).end(service);
        }
    }

    /// The process is no more: what it had sent may arrive all the same.
    pub(super) fn abandon(&self) {
        let left = std::mem::take(&mut held(&self.wire).underway);
        for Underway { request, service, connected } in left.into_values() {
            let mut sandbox = held(&self.sandbox);
            if connected {
                sandbox.end(service);
            }
            let Some(request) = request else { continue };
            let mut chance = held(&self.chance);
            if chance.percent(50) {
                let delay = if chance.percent(50) { Duration::ZERO } else { chance.time(0, 110_000) };
                self.trace
                    .tell(|| format!("{} {} arrives {delay:?} later", request.method, request.path.len()));
                sandbox.deliver(request, delay);
            }
        }
    }

    /// Everything that people were going to do has been done: what is left is done now.
    pub(super) fn let_all_happen(&self) {
        let left = {
            let mut wire = held(&self.wire);
            wire.over = true;
            std::mem::take(&mut wire.happenings)
        };
        for Happening { act, .. } in left {
            self.act(&act);
        }
    }

    /// Somebody does this now.
    pub(super) fn act(&self, act: &Act) {
        let done = held(&self.sandbox).act(act);
        self.trace.tell(|| format!("{act:?}{}", if done { "" } else { ": nobody to do it to" }));
    }
}
