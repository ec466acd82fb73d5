//! Places where a crash matters (design §4), so that tests can kill the real binary exactly there.
//!
//! Promises: in a debug build, `HSMC_FAILPOINT=<point>[@<nth>]` ends the process with SIGKILL when the
//! point, or one whose name begins with it, is passed (for the nth time); `HSMC_FAILPOINT_LOG=<file>`
//! writes down the name of every point that is passed. `HSMC_PANIC=<point>` makes whoever passes such a point panic,
//! every time: the mistake of hsmc's own that nobody has made yet. In a release build nothing of it is left: it asks
//! `cfg!` rather than leaving code out, so that one build lints what either has.
//! Names are words with colons between: `intent:hand-over:2:forward`. Never: changing what is done.

use crate::domain::event::{Direction, MoveEvent, StepOutcome};
use crate::domain::id::StepIndex;
use crate::domain::moves::MoveKind;
use std::time::Duration;

/// A page of a scan is on disk; followed by what is read.
pub const PAGE: &str = "page";
/// The scan is over, and nothing is planned yet.
pub const SCANNED: &str = "scanned";
/// A part of the plan is made, and not in the journal yet.
pub const PLANNED: &str = "planned";
/// The same part is in the journal.
pub const JOURNALED: &str = "journaled";
/// The run is recorded as being applied; no move has begun.
pub const APPLYING: &str = "applying";
/// What waits for a yes is on disk, and the run does not say so yet.
pub const SHOWN: &str = "shown";
/// The opt-outs are over, the rest of the run has not begun.
pub const CONSENT_OVER: &str = "consent-over";
/// The run is recorded as being reported.
pub const REPORTING: &str = "reporting";
/// The intent of a step is durable, the call not sent; followed by kind, step and direction.
pub const INTENT: &str = "intent";
/// The call has its answer, which is not durable yet.
pub const ANSWERED: &str = "answered";
/// A step's outcome is durable, the next step not begun.
pub const OUTCOME: &str = "outcome";
/// An asynchronous batch was taken, its ticket is not durable yet.
pub const TICKET: &str = "ticket";
/// Its ticket is durable.
pub const TICKETED: &str = "ticketed";
/// One of those a batched call carried has its outcome, others have not; followed by the call.
pub const BATCH: &str = "batch";
/// A step of compacting the state directory is done; followed by which.
pub const COMPACT: &str = "compact";
/// A step of forgetting somebody, beside those of the move itself; followed by which.
pub const FORGET: &str = "forget";
/// It is durable that a move unwinds; followed by its kind.
pub const UNWINDING: &str = "unwinding";
/// It is durable that a move is stuck.
pub const STUCK: &str = "stuck";
/// It is durable that a move has ended.
pub const ENDED: &str = "ended";

/// A step of a backup is done; followed by which.
pub const BACKUP: &str = "backup";
/// A step of restoring a backup is done; followed by which.
pub const RESTORE: &str = "restore";
/// The details of some moves are given up; followed by `before` or `after` that is durable.
pub const RETENTION: &str = "retention";
/// What is old goes for good; followed by `before` or `after` that is durable.
pub const EXPIRY: &str = "expiry";

/// The process passes a point; its name is made only in debug builds.
#[inline]
pub fn pass(name: impl FnOnce() -> String) {
    if cfg!(debug_assertions) {
        armed::pass(name);
    }
}

/// These outcomes of a move's steps have come, and are not durable yet.
#[inline]
pub fn answered(kind: MoveKind, direction: Direction, outcomes: &[(StepIndex, StepOutcome)]) {
    for (step, outcome) in outcomes {
        let point = if matches!(outcome, StepOutcome::Ticket(_)) { TICKET } else { ANSWERED };
        pass(|| of_step(point, kind, *step, direction));
    }
}

/// These events of a move are durable.
#[inline]
pub fn recorded(kind: MoveKind, events: &[MoveEvent]) {
    for event in events {
        match event {
            MoveEvent::Intent { step, direction, .. } => pass(|| of_step(INTENT, kind, *step, *direction)),
            MoveEvent::Outcome { step, direction, outcome, .. } => {
                let point = if matches!(outcome, StepOutcome::Ticket(_)) { TICKETED } else { OUTCOME };
                pass(|| of_step(point, kind, *step, *direction));
            }
            MoveEvent::Unwinding { .. } => pass(|| format!("{UNWINDING}:{kind}")),
            MoveEvent::Stuck { .. } => pass(|| format!("{STUCK}:{kind}")),
            MoveEvent::Ended { .. } => pass(|| format!("{ENDED}:{kind}")),
            MoveEvent::Planned { .. } | MoveEvent::Operator { .. } | MoveEvent::Confirmed { .. } => {}
        }
    }
}

fn of_step(point: &str, kind: MoveKind, step: StepIndex, direction: Direction) -> String {
    let direction = match direction {
        Direction::Forward => "forward",
        Direction::Undo => "undo",
    };
    format!("{point}:{kind}:{}:{direction}", step.0)
}

/// How long a lost call counts as still running: the usual, or what a test set so as not to wait for
/// minutes (`HSMC_STILL_RUNNING_MS`, debug builds only).
#[inline]
pub fn still_running(usual: Duration) -> Duration {
    if cfg!(debug_assertions) { armed::still_running().unwrap_or(usual) } else { usual }
}

mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    struct Armed {
        point: Option<String>,
        nth: u64,
        panics: Option<String>,
        passed: AtomicU64,
        log: Option<File>,
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        ARMED
            .get_or_init(|| {
                let point = std::env::var("HSMC_FAILPOINT").ok();
                let log = std::env::var_os("HSMC_FAILPOINT_LOG")
                    .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
                let panics = std::env::var("HSMC_PANIC").ok();
                if point.is_none() && log.is_none() && panics.is_none() {
                    return None;
                }
                let (point, nth) = match point.as_deref().and_then(|point| point.rsplit_once('@')) {
                    Some((name, nth)) => (Some(name.to_owned()), nth.parse().unwrap_or(1)),
                    None => (point, 1),
                };
                Some(Armed { point, nth, panics, passed: AtomicU64::new(0), log })
            })
            .as_ref()
    }

    pub(super) fn pass(name: impl FnOnce() -> String) {
        let Some(armed) = armed() else { return };
        let name = name();
        if let Some(mut log) = armed.log.as_ref()
            && let Err(problem) = log.write_all(format!("{name}\n").as_bytes())
        {
            tracing::error!(%problem, "the points passed cannot be written down");
        }
        let begins_with = |point: &String| {
            name.strip_prefix(point.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        if armed.panics.as_ref().is_some_and(begins_with) {
            std::panic::resume_unwind(Box::new(format!("fail point {name}")));
        }
        if armed.point.as_ref().is_some_and(begins_with)
            && armed.passed.fetch_add(1, Ordering::SeqCst) + 1 == armed.nth
        {
            die();
        }
    }

    /// As a power cut would: no destructor, no flush, no last word.
    fn die() {
        #[cfg(unix)]
        if let Err(problem) = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL) {
            tracing::error!(%problem, "this process cannot be killed");
        }
        std::process::abort();
    }

    pub(super) fn still_running() -> Option<Duration> {
        static OVERRIDE: OnceLock<Option<Duration>> = OnceLock::new();
        *OVERRIDE.get_or_init(|| {
            let text = std::env::var("HSMC_STILL_RUNNING_MS").ok()?;
            text.parse().ok().map(Duration::from_millis)
        })
    }
}
