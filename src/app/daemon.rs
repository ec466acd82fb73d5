//! The daemon: runs on schedule until it is asked to stop. A run that needs approval holds nobody up; the
//! next one takes its place.

use super::App;
use super::reload::{self, Change, Reload};
use super::show::{self, Names};
use super::summary;
use crate::config::Config;
use crate::domain::code::Code;
use crate::domain::failure::{FailureClass, Service};
use crate::domain::plan::Limit;
use crate::domain::run::{Run, RunCause, RunEnd, RunPhase};
use crate::domain::time::Timestamp;
use crate::sync::RunError;
use crate::sync::preflight;
use crate::sync::run::{self, RunOptions};
use crate::sync::scan::NoProgress;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often the summary file is written.
const SUMMARY_EVERY: Duration = Duration::from_secs(5);
/// A run that failed is tried again after this, then twice as long, up to the schedule's own distance.
const FIRST_RETRY: Duration = Duration::from_secs(60);

/// Writes the summary file now.
pub async fn write_summary(app: &App) {
    match show::status(app, Names::Numbers).await {
        Ok(view) => {
            if let Err(problem) = summary::write(&app.state, &view) {
                tracing::warn!(%problem, "the summary file cannot be written");
            }
        }
        Err(problem) => tracing::warn!(%problem, "there is no status to summarise"),
    }
}

/// Keeps the summary file fresh until the app stops.
pub async fn keep_summary(app: Arc<App>) {
    let mut stop = app.workspace.stop.clone();
    while !*stop.borrow() {
        write_summary(&app).await;
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = app.workspace.shared.clock.sleep(SUMMARY_EVERY) => {}
        }
    }
}

/// Why the daemon's loop came to its end.
pub enum Ended {
    /// It was asked to stop.
    Stopped,
    /// The config has changed; the loop goes on with it in another app.
    Reloaded {
        /// The new config.
        config: Box<Config>,
        /// When the next run was due.
        due: Timestamp,
    },
}

/// Runs until asked to stop, or until a changed config is to be taken over; the first run is due at `due`, or when the
/// journal says. `told` hears of each run that ended.
///
/// # Errors
/// The journal cannot be written: nothing can be promised any more.
pub async fn run_forever(
    app: &App,
    due: Option<Timestamp>,
    changed: &Reload,
    told: impl Fn(&Run),
) -> Result<Ended, RunError> {
    let clock = &app.workspace.shared.clock;
    let every = app.workspace.settings.every;
    let (mut failures, mut is_refused) = (0u32, false);
    let mut due = due.map_or_else(|| first_due(app), |due| due.min(clock.now().plus(every)));
    let mut stop = app.workspace.stop.clone();
    loop {
        *app.next_run_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(due);
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(Ended::Stopped),
            () = changed.asked.notified() => {
                match reload::read(&changed.file, &app.config) {
                    Ok(config) => return Ok(Ended::Reloaded { config: Box::new(config), due }),
                    Err(why) => app.set_config_change(Change::Refused(why)),
                }
                continue;
            }
            // What a pause has held back and had not begun is planned anew by a run, and nobody waits for the next one.
            () = app.resumed.notified() => {
                if app.workspace.shared.journal.open_moves(None, 1).is_ok_and(|open| !open.is_empty()) {
                    due = clock.now();
                }
                continue;
            }
            () = clock.sleep(due.since(clock.now())) => {}
        }
        // One look a minute, and no run, for as long as a token or key is refused.
        is_refused = is_refused && are_credentials_refused(app).await;
        if is_refused {
            due = clock.now().plus(FIRST_RETRY);
            continue;
        }
        *app.next_run_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let options = RunOptions::of(RunCause::Schedule);
        let started = clock.now();
        let ended = run::sync(&app.workspace, &options, &NoProgress).await;
        app.keep_reports().await;
        let ended = match ended {
            Ok(ended) => ended,
            // The accounts can be mended while the daemon waits: the run has failed, nothing else.
            Err(problem @ RunError::Unfit { .. }) => {
                let last = app.workspace.shared.journal.runs(1)?.into_iter().next();
                last.ok_or(problem)?
            }
            Err(problem) => return Err(problem),
        };
        told(&ended);
        failures =
            if matches!(ended.phase, RunPhase::Finished(RunEnd::Failed { .. })) { failures + 1 } else { 0 };
        // Whoever waits for the window is not left waiting for a run that comes after it.
        let window = app.workspace.rules.enroll_between.as_ref();
        let waits = ended.counts.left_out.contains_key(Limit::EnrollBetween.word());
        let opens = window.filter(|_| waits).map(|window| window.opens(clock.now()));
        is_refused = ended.code == Some(Code::CredentialsRefused.number());
        due = match failures {
            _ if is_refused => clock.now().plus(FIRST_RETRY),
            0 => opens.map_or(started.plus(every), |opens| started.plus(every).min(opens)),
            times => clock.now().plus(every.min(FIRST_RETRY * 2u32.saturating_pow(times.min(10) - 1))),
        };
        // Before then, a service whose quota is used up, or which asked to be left alone, answers nothing.
        for service in [Service::HubSpot, Service::Mailchimp] {
            due = due.max(app.workspace.away_until(service).await.unwrap_or(due));
        }
    }
}

/// Whether a service still refuses the token or the key: whatever else is wrong, a run tells better.
async fn are_credentials_refused(app: &App) -> bool {
    let looked = preflight::glance(&app.workspace).await;
    looked.is_err_and(|failure| failure.class == FailureClass::Unauthorized)
}

/// The first run is due at once when something was left open, the last one failed, or is long ago. A plan that waits for a
/// yes goes on waiting: a restart takes nobody's decision away, and the next run is due when it would have been.
fn first_due(app: &App) -> Timestamp {
    let now = app.workspace.shared.clock.now();
    let journal = &app.workspace.shared.journal;
    let open = journal.open_moves(None, 1).is_ok_and(|open| !open.is_empty());
    let mut runs = journal.runs(64).unwrap_or_default();
    // What a webhook led to says nothing of the schedule.
    runs.retain(|run| run.cause != RunCause::Webhook);
    let waits = runs.iter().find(|run| matches!(run.phase, RunPhase::AwaitingApproval { .. }));
    // One that failed, or was cut short, is tried again at once, whatever waits behind it.
    let failed = |run: &Run| {
        matches!(
            run.phase,
            RunPhase::Finished(RunEnd::Failed { .. } | RunEnd::Interrupted) | RunPhase::Scanning
        )
    };
    if runs.first().is_some_and(failed) {
        return now;
    }
    let is_over =
        |run: &&Run| run.phase == RunPhase::Finished(RunEnd::Done) && run.cause == RunCause::Schedule;
    match waits.or_else(|| runs.first().filter(is_over)) {
        Some(run) if !open => run.started.plus(app.workspace.settings.every).max(now),
        _ => now,
    }
}
