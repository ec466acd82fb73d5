//! Hands a run's moves to the actors, in order of application, no faster than they can take them, and
//! waits until they are over or nothing moves any more.

use super::error::RunError;
use super::guard::Guard;
use super::patience::GivenUp;
use super::planning::Due;
use super::workspace::Workspace;
use crate::actors::router::Tally;
use crate::domain::event::{MoveEnd, MoveEvent};
use crate::domain::failure::Service;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::moves::MoveKind;
use crate::domain::port::Priority;
use crate::domain::time::Timestamp;
use crate::engine::{MoveStatus, fold};
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Moves guarded and handed over together: as many as have a place at once, so that lanes fill up.
const CHUNK: usize = 1_000;
/// Above so many moves waiting for a place, the next chunk waits too.
const ENOUGH_WAITING: usize = 250;
/// Why a move is dropped that never began.
const UNANSWERED: &str = "a service did not answer; planned anew by the next run";
/// How often a wait looks up by itself, should no report come.
const LOOK: Duration = Duration::from_secs(2);

/// The priority of a kind.
pub fn priority(kind: MoveKind) -> Priority {
    match kind {
        kind if kind.overtakes() => Priority::OptOut,
        MoveKind::Enroll | MoveKind::Pending | MoveKind::Refresh => Priority::Enroll,
        _ => Priority::HandOver,
    }
}

/// How applying ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Every move is over, or stuck by name.
    All,
    /// Some wait for a service that does not answer; they stay open.
    Waiting,
    /// hsmc was asked to stop.
    Stopped,
}

/// Dispatches moves and waits for them.
///
/// # Errors
/// When a guard's call fails for good, after what was handed over has come to rest; or the journal fails.
pub async fn apply(workspace: &Workspace, due: Vec<Due>, seen: Timestamp) -> Result<Applied, RunError> {
    let runs: BTreeSet<RunId> = due.iter().map(|due| due.id.run).collect();
    let mut guard = Guard::new(workspace, seen);
    let mut rest = due;
    rest.reverse();
    let mut unseen = None;
    while !rest.is_empty() {
        if workspace.is_stopping() {
            return Ok(Applied::Stopped);
        }
        let at = rest.len().saturating_sub(CHUNK);
        let mut chunk = rest.split_off(at);
        chunk.reverse();
        let kept = without_held(workspace, chunk)?;
        let chunk = match guard.pass(kept.clone()).await {
            Ok(passed) => passed,
            Err(problem) => {
                rest.extend(kept.into_iter().rev());
                unseen = Some(problem);
                break;
            }
        };
        let handed = chunk.iter().map(|due| (due.person, due.id, priority(due.kind))).collect();
        if workspace.moves.submit(handed).await > ENOUGH_WAITING {
            let enough = || async { workspace.moves.overview().await.waiting <= ENOUGH_WAITING };
            if !wait_until(workspace, &runs, enough).await {
                break;
            }
        }
    }
    let never_sent: Vec<(PersonId, MoveId)> = rest.iter().map(|due| (due.person, due.id)).collect();
    let applied = wait_for(workspace, &runs, WaitUntil::Over).await;
    if let Some(problem) = unseen {
        drop_unbegun(workspace, &runs, &never_sent).await?;
        return Err(problem);
    }
    match applied {
        Applied::All if never_sent.is_empty() => Ok(Applied::All),
        Applied::Stopped => Ok(Applied::Stopped),
        Applied::All | Applied::Waiting => {
            drop_unbegun(workspace, &runs, &never_sent).await?;
            Ok(Applied::Waiting)
        }
    }
}

/// Those that nothing holds back: no pause, no window. The others stay in the journal as they are, and the
/// next run plans them anew: handed over, they would begin whenever the hold ends, however old their plan is by
/// then.
fn without_held(workspace: &Workspace, chunk: Vec<Due>) -> Result<Vec<Due>, RunError> {
    let shared = &workspace.shared;
    if shared.pauses().lines().is_empty() && shared.settings.enroll_between.is_none() {
        return Ok(chunk);
    }
    let (journal, now) = (&shared.journal, shared.clock.now());
    let mut free = Vec::with_capacity(chunk.len());
    for due in chunk {
        let held = fold(&journal.events(due.id)?)
            .is_ok_and(|status| !status.has_begun() && shared.holds(&status, now).is_some());
        if !held {
            free.push(due);
        }
    }
    Ok(free)
}

/// How long a wait goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitUntil {
    /// Until all moves are over; gives up when none of them has got any further for as long as patience
    /// lasts. Whoever is asleep wakes again and again to try: that is no progress.
    Over,
    /// Until all moves are over or asleep: waiting for a retry, or for a lost call to be surely at its end.
    Asleep,
}

/// Waits for the moves of these runs.
pub async fn wait_for(workspace: &Workspace, runs: &BTreeSet<RunId>, until: WaitUntil) -> Applied {
    let mut changes = workspace.moves.changes();
    let clock = &workspace.shared.clock;
    let mut progress_at = clock.now();
    let mut last = (Vec::new(), 0);
    loop {
        changes.mark_unchanged();
        let mut tallies = Vec::with_capacity(runs.len());
        for run in runs {
            tallies.push(workspace.moves.tally(*run).await);
        }
        if tallies.iter().all(|tally| tally.open == 0) {
            return Applied::All;
        }
        if workspace.is_stopping() {
            return Applied::Stopped;
        }
        let got = (tallies.iter().map(ended).collect(), workspace.shared.progress.load(Ordering::Acquire));
        let asleep = tallies.iter().all(|tally| tally.open == tally.asleep);
        if asleep && until == WaitUntil::Asleep {
            return Applied::Waiting;
        }
        // Who only waits for a last look, or for an operator, holds nobody up: a daemon looks when it is time,
        // a single run leaves it to the next.
        if asleep && only(workspace, runs, |status, now| is_held_up(workspace, status, now)) {
            return Applied::All;
        }
        // Nor does who waits for a list to be brought back: that takes somebody hours.
        let can_only_wait =
            |status: &MoveStatus, now| status.waits_for_target() || is_held_up(workspace, status, now);
        if asleep && only(workspace, runs, can_only_wait) {
            return Applied::Waiting;
        }
        let is_still = got == last;
        if !is_still {
            last = got;
            progress_at = clock.now();
        }
        // A batch that takes hours is no failure: the next run finds it where it is by then.
        let at_rest =
            |status: &MoveStatus, now| status.waits_for_batch() || is_held_up(workspace, status, now);
        if clock.now().since(progress_at) > workspace.settings.patience {
            if only(workspace, runs, at_rest) {
                return Applied::All;
            }
            workspace.patience.stalled(waited_for(workspace, runs));
            return Applied::Waiting;
        }
        let away = Away::of(workspace).await;
        if is_still && away.is_any() && only(workspace, runs, |s, now| away.holds_up(s) || at_rest(s, now)) {
            workspace.patience.gave_up(&away.given_up);
            return Applied::Waiting;
        }
        let mut stop = workspace.stop.clone();
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() { return Applied::Stopped },
            _ = stop.changed() => {}
            () = clock.sleep(LOOK) => {}
        }
    }
}

/// Whether a move waits for a last look, a window or an operator only.
fn is_held_up(workspace: &Workspace, status: &MoveStatus, now: Timestamp) -> bool {
    status.awaits_last_look() || status.is_stuck() || workspace.shared.holds(status, now).is_some()
}

/// Services that the run has no patience with any more.
struct Away {
    given_up: BTreeMap<Service, GivenUp>,
    stalled: BTreeSet<Service>,
}

impl Away {
    async fn of(workspace: &Workspace) -> Away {
        let mut away = Away { given_up: BTreeMap::new(), stalled: BTreeSet::new() };
        for service in [Service::HubSpot, Service::Mailchimp] {
            if let Some(why) = workspace.given_up(service).await {
                away.given_up.insert(service, why);
            } else if workspace.patience.has_stalled(service) {
                away.stalled.insert(service);
            }
        }
        away
    }

    fn is_any(&self) -> bool {
        !self.given_up.is_empty() || !self.stalled.is_empty()
    }

    /// Whether the step that the move is at waits for one of them. A service that answers reads gets one try of
    /// every step all the same.
    fn holds_up(&self, status: &MoveStatus) -> bool {
        let Some(service) = status.waits_for() else { return false };
        self.given_up.contains_key(&service) || (self.stalled.contains(&service) && status.has_been_tried())
    }
}

/// The services that open moves of these runs are waiting for.
fn waited_for(workspace: &Workspace, runs: &BTreeSet<RunId>) -> BTreeSet<Service> {
    let mut services = BTreeSet::new();
    only(workspace, runs, |status, now| {
        let may_answer = !status.waits_for_batch() && !status.waits_for_target();
        if may_answer && !is_held_up(workspace, status, now) {
            services.extend(status.waits_for());
        }
        true
    });
    services
}

/// Whether every open move of these runs is so.
fn only(
    workspace: &Workspace,
    runs: &BTreeSet<RunId>,
    mut is_so: impl FnMut(&MoveStatus, Timestamp) -> bool,
) -> bool {
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    let mut after = None;
    loop {
        let Ok(page) = journal.open_moves(after, 1_000) else { return false };
        let Some(last) = page.last() else { return true };
        after = Some(*last);
        for id in page.iter().filter(|id| runs.contains(&id.run)) {
            let status = journal.events(*id).ok().and_then(|events| fold(&events).ok());
            if !status.is_some_and(|status| is_so(&status, now)) {
                return false;
            }
        }
    }
}

fn ended(tally: &Tally) -> u64 {
    tally.ended.values().sum::<u64>() + tally.stuck + tally.broken
}

async fn wait_until<F: Future<Output = bool>>(
    workspace: &Workspace,
    runs: &BTreeSet<RunId>,
    is_so: impl Fn() -> F,
) -> bool {
    let mut changes = workspace.moves.changes();
    let clock = &workspace.shared.clock;
    let progress = || workspace.shared.progress.load(Ordering::Acquire);
    let (mut since, mut last) = (clock.now(), progress());
    loop {
        changes.mark_unchanged();
        if is_so().await {
            return true;
        }
        if progress() != last {
            (since, last) = (clock.now(), progress());
        }
        if workspace.is_stopping() {
            return false;
        }
        if clock.now().since(since) > workspace.settings.patience {
            workspace.patience.stalled(waited_for(workspace, runs));
            return false;
        }
        tokio::select! {
            biased;
            changed = changes.changed() => if changed.is_err() { return false },
            () = clock.sleep(LOOK) => {}
        }
    }
}

/// What has not begun while a service is away is dropped, and planned anew by the next run; what has
/// begun stays open and goes on then.
async fn drop_unbegun(
    workspace: &Workspace,
    runs: &BTreeSet<RunId>,
    never_sent: &[(PersonId, MoveId)],
) -> Result<(), RunError> {
    let mut waiting: Vec<(PersonId, MoveId)> = never_sent.to_vec();
    for run in runs {
        waiting.extend(workspace.moves.abandon(*run).await);
    }
    let journal = &workspace.shared.journal;
    let at = workspace.shared.clock.now();
    let mut batch = Batch::new();
    for (person, id) in waiting {
        let Ok(status) = fold(&journal.events(id)?) else { continue };
        if status.is_over() || status.has_begun() {
            continue;
        }
        workspace.moves.count_dropped(id, status.draft.kind, UNANSWERED).await;
        let end = MoveEnd::Dropped { why: UNANSWERED.to_owned() };
        journal.append_event(&mut batch, id, person, &MoveEvent::Ended { end, at })?;
    }
    if !batch.is_empty() {
        journal.commit(batch).await?;
    }
    Ok(())
}
