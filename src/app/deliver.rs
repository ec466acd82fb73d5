//! Tells people what stands in the outbox (R30), beside everything else: a target that is away holds nobody
//! up, neither a run nor a stop.
//!
//! At least once: what was sent and not yet noted when the process died is sent again, under the same id. One
//! message at a time for each target, the targets side by side.

use super::{App, watch};
use crate::config::Notify;
use crate::connect::notify::{Form, Target, send};
use crate::domain::alert::{Alert, Answered, Message, Standing};
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use crate::engine::outbox::{Due, due, settle};
use crate::journal::ledger::JournalResult;
use std::sync::Arc;
use std::time::Duration;

/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Between two messages to one target: no target takes many more.
const PACE: Duration = Duration::from_secs(1);
/// How long a process that is about to end goes on telling.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Where alerts go, by the config.
pub fn targets(notify: &Notify) -> Vec<Target> {
    let target = |form, address: &Option<_>, secret: &Option<_>| {
        address.clone().map(|address| Target { form, address, secret: secret.clone() })
    };
    [
        target(Form::Teams, &notify.teams, &None),
        target(Form::Slack, &notify.slack, &None),
        target(Form::Webhook, &notify.webhook, &notify.webhook_secret),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Tells what is due, again and again, until the app is asked to stop. What is on its way then is left: the
/// next start sends it again.
pub async fn keep_telling(app: Arc<App>) {
    let mut stop = app.workspace.stop.clone();
    while !*stop.borrow() {
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = tell(&app) => {}
        }
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = app.workspace.shared.clock.sleep(LOOK) => {}
        }
    }
}

/// Looks once more and tells what is due, for as long as a process that is about to end may wait for it.
pub async fn before_leaving(app: &App) {
    if let Err(problem) = watch::look(app, None).await {
        tracing::error!(%problem, "what should be watched cannot be read");
    }
    if tokio::time::timeout(LAST_WORDS, tell(app)).await.is_err() {
        tracing::warn!("not every alert could be told yet; the next start goes on with them");
    }
}

/// Tells what is due now.
pub async fn tell(app: &App) {
    let telling = app.targets.iter().map(|target| tell_target(app, target));
    for told in futures::future::join_all(telling).await {
        if let Err(problem) = told {
            tracing::error!(%problem, "alerts cannot be told: the outbox cannot be read or written");
        }
    }
    if let Err(problem) = tidy(app).await {
        tracing::error!(%problem, "the outbox cannot be tidied");
    }
}

/// Sends a message without keeping it: for what can no longer be written down. One try for each target.
pub async fn cry(app: &App, alert: Alert) {
    let now = app.workspace.shared.clock.now();
    let standing = Standing::new(0, alert, now);
    let message = |target| Message::of(&standing, standing.wants(), target, &app.config.workspace);
    let sending = app.targets.iter().map(|target| async {
        let message = message(target.form.name());
        send(&app.http, target, &message, now).await
    });
    let crying = futures::future::join_all(sending);
    if tokio::time::timeout(LAST_WORDS, crying).await.is_err() {
        tracing::warn!("nobody took the last alert in time");
    }
}

/// Sends a test message to each target; what each answered.
pub async fn test(app: &App) -> Vec<(&'static str, Answered)> {
    let now = app.workspace.shared.clock.now();
    let message = Message::test(&app.config.workspace, now);
    let sending = app
        .targets
        .iter()
        .map(|target| async { (target.form.name(), send(&app.http, target, &message, now).await) });
    futures::future::join_all(sending).await
}

/// One message after another, until nothing more is due for this target, or it does not take the next one.
async fn tell_target(app: &App, target: &Target) -> JournalResult<()> {
    let clock = &app.workspace.shared.clock;
    let journal = &app.workspace.shared.journal;
    let name = target.form.name();
    loop {
        let standing = journal.standing()?;
        let now = clock.now();
        let Some(what) = due(&standing, name, app.config.notify.from, now) else { return Ok(()) };
        let Some(one) = standing.iter().find(|one| one.number == what.number) else { return Ok(()) };
        let message = Message::of(one, what.said, name, &app.config.workspace);
        let answered = send(&app.http, target, &message, now).await;
        note(app, name, what, answered).await?;
        clock.sleep(PACE).await;
    }
}

async fn note(app: &App, target: &'static str, what: Due, answered: Answered) -> JournalResult<()> {
    let shared = &app.workspace.shared;
    let now: Timestamp = shared.clock.now();
    let mut outbox = shared.journal.outbox().await?;
    // It may have been tidied away meanwhile: then nobody asks what became of it.
    let Some(standing) = outbox.change(what.number) else { return Ok(()) };
    let kind = standing.alert.kind();
    let delivery = standing.deliveries.entry(target.to_owned()).or_default();
    let is_first = delivery.trying.is_none();
    let given_up = settle(delivery, what, answered, now, shared.entropy.fraction());
    match (given_up, &delivery.trying) {
        (Some(why), _) => {
            tracing::error!(target, kind, code = %Code::AlertNotTold, %why, "an alert could not be told for a day, and is given up");
        }
        (None, Some(trying)) if is_first => {
            tracing::warn!(target, kind, code = %Code::AlertNotTold, why = %trying.why, "an alert cannot be told; it is tried again");
        }
        (None, Some(trying)) => tracing::debug!(target, kind, why = %trying.why, "not told again"),
        (None, None) => tracing::info!(target, kind, "an alert was told"),
    }
    outbox.commit().await
}

async fn tidy(app: &App) -> JournalResult<()> {
    let shared = &app.workspace.shared;
    let names: Vec<&str> = app.targets.iter().map(|target| target.form.name()).collect();
    let mut outbox = shared.journal.outbox().await?;
    outbox.tidy(&names, shared.clock.now(), app.config.notify.quiet);
    outbox.commit().await
}
