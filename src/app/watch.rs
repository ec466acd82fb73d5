//! Looks for what no run can tell of, because it is between runs or holds one up: refused credentials, a used
//! up quota, opt-outs that wait too long, a run that does not begin.

use super::App;
use crate::domain::alert::{Alert, Withheld};
use crate::domain::failure::Service;
use crate::domain::run::RunCause;
use crate::domain::time::Timestamp;
use crate::sync::RunError;
use crate::sync::alerts::{late, look_at_open};
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(20);

/// Looks again and again until the app is asked to stop.
pub async fn keep_watch(app: Arc<App>) {
    let since = app.workspace.shared.clock.now();
    let mut stop = app.workspace.stop.clone();
    while !*stop.borrow() {
        if let Err(problem) = look(&app, Some(since)).await {
            tracing::error!(%problem, "what should be watched cannot be read");
        }
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = app.workspace.shared.clock.sleep(LOOK) => {}
        }
    }
}

/// One look. `up_since` is when this process began to run on schedule, if it does.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn look(app: &App, up_since: Option<Timestamp>) -> Result<(), RunError> {
    let shared = &app.workspace.shared;
    let settings = app.workspace.settings.alerts;
    let now = shared.clock.now();
    let mut so = Vec::new();
    // What this process has not tried, it cannot judge.
    let mut known = Vec::new();
    for (service, gate) in
        [(Service::HubSpot, &app.workspace.hubspot), (Service::Mailchimp, &app.workspace.mailchimp)]
    {
        let Some(budget) = gate.overview().await.filter(|budget| budget.calls > budget.in_flight) else {
            continue;
        };
        known.push(service);
        if budget.is_refused() {
            so.push(Alert::CredentialsRefused { service });
        }
        if budget.daily_remaining == Some(0) {
            so.push(Alert::QuotaUsedUp { service });
        }
    }
    so.extend(late(&look_at_open(&app.workspace)?, settings.deliver_within, now));
    so.extend(up_since.and_then(|since| overdue(app, since, now).transpose()).transpose()?);
    let judges = |alert: &Alert| match alert {
        Alert::CredentialsRefused { service } | Alert::QuotaUsedUp { service } => known.contains(service),
        Alert::OptOutsLate { withheld: Withheld::ByService, .. } => true,
        Alert::RunOverdue { .. } => up_since.is_some(),
        _ => false,
    };
    let mut outbox = shared.journal.outbox().await?;
    outbox.resolve(now, |alert| judges(alert) && !so.iter().any(|one| one.is_same(alert)));
    for alert in so {
        outbox.keep_up(alert, now, settings.quiet);
    }
    Ok(outbox.commit().await?)
}

/// A run is due every `sync.every`; none for twice as long is an alert. A process that was not there cannot
/// have begun one: it counts from its own start.
fn overdue(app: &App, up_since: Timestamp, now: Timestamp) -> Result<Option<Alert>, RunError> {
    let every = app.workspace.settings.every;
    let last = app.workspace.shared.journal.runs(64)?.into_iter().find(|run| run.cause != RunCause::Webhook);
    let since = last.map_or(up_since, |run| run.started.max(up_since));
    let is_late = now.since(since) > every * 2;
    Ok(is_late.then_some(Alert::RunOverdue { since, every }))
}
