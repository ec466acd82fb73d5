//! What a daemon does for the mirror by itself: it pulls everything as often as the config says, and looks at segments
//! when time alone changes who belongs to them.
//!
//! Never: a run held up by it; a pull begun while another one goes on.

use super::App;
use super::control::Done;
use super::pull::Definitions;
use crate::domain::port::long_work;
use crate::domain::time::Timestamp;
use crate::mirror::PullEnd;
use crate::people::Roll;
use crate::serve::pull::{PullAnswer, PullRequest, PullWhat};
use crate::serve::requests::Trouble;
use std::sync::Arc;
use std::time::Duration;

/// A pull that failed is tried again after this, then twice as long, up to the schedule's own distance.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// Between two looks at when somebody next enters or leaves a segment: a pull may change that.
const LOOK: Duration = Duration::from_secs(60);
/// However many enter and leave, they are looked at together this often.
const SOONEST: Duration = Duration::from_secs(5);

/// Pulls everything on schedule until the app stops; returns at once where the config has none.
pub async fn keep_pulling(app: Arc<App>) {
    let Some(every) = app.config.pull.every else { return };
    let clock = Arc::clone(&app.workspace.shared.clock);
    let mut stop = app.workspace.stop.clone();
    let mut failures = 0_u32;
    loop {
        let now = clock.now();
        let retry = every.min(FIRST_RETRY * 2_u32.saturating_pow(failures.clamp(1, 10) - 1));
        let due = match failures {
            0 => app.pull_due(every).await.unwrap_or(now.plus(retry)),
            _ => now.plus(retry),
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock.sleep(due.since(now)) => {}
        }
        let pulled = app.pull(PullRequest::of(PullWhat::All), &|_| ()).await;
        failures = if told(&pulled) { 0 } else { failures.saturating_add(1) };
    }
}

/// Says what came of it; whether all of it was pulled.
fn told(pulled: &Result<PullAnswer, Trouble>) -> bool {
    match pulled {
        Ok(answer) => {
            for pull in &answer.pulls {
                match (&pull.why, pull.code) {
                    (Some(why), Some(code)) => {
                        tracing::warn!(engine = %pull.engine, %code, %why, "a pull on schedule failed")
                    }
                    _ => {
                        tracing::info!(engine = %pull.engine, seen = pull.seen, calls = pull.calls, "pulled on schedule")
                    }
                }
            }
            answer.is_whole()
        }
        Err(trouble) => {
            tracing::warn!(code = %trouble.code, why = %trouble.message, "a pull on schedule failed");
            false
        }
    }
}

/// Looks at segments whenever somebody's moment has come, until the app stops.
pub async fn keep_turning(app: Arc<App>) {
    if app.config.rules.segments.is_empty() {
        return;
    }
    let clock = Arc::clone(&app.workspace.shared.clock);
    let mut stop = app.workspace.stop.clone();
    loop {
        let now = clock.now();
        let due = app.next_turn().await.unwrap_or_else(|trouble| {
            tracing::warn!(why = %trouble.message, "nobody can tell who enters or leaves segments next");
            None
        });
        let wait = due.map_or(LOOK, |due| due.since(now).clamp(SOONEST, LOOK));
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock.sleep(wait) => {}
        }
        if due.is_some_and(|due| due <= clock.now())
            && let Err(trouble) = app.keep_segments().await
        {
            tracing::warn!(why = %trouble.message, "segments are not up to date");
        }
    }
}

impl App {
    /// When everything is to be pulled next: so long after the object that was pulled longest ago.
    async fn pull_due(&self, every: Duration) -> Done<Timestamp> {
        let now = self.workspace.shared.clock.now();
        let pulls = self.mirror().await?.history(None, usize::MAX)?;
        let of_object = |name: &str| {
            let mut of_it = pulls.iter().filter(|pull| pull.engine == name && pull.end == PullEnd::Done);
            of_it.next().map(|pull| pull.started)
        };
        let definitions = Definitions::of(&self.config);
        let oldest = definitions.objects().map(|object| of_object(&object.name)).min().flatten();
        Ok(oldest.map_or(now, |began| began.plus(every)))
    }

    /// When somebody next enters or leaves a segment by time alone.
    async fn next_turn(&self) -> Done<Option<Timestamp>> {
        if !self.mirror.is_there() {
            return Ok(None);
        }
        let mirror = self.mirror().await?;
        long_work(self.workspace.shared.hands.as_ref(), move |_| Ok(Roll::over(&mirror)?.next_due()?)).await?
    }
}
