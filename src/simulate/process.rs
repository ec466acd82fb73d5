//! One process of hsmc: the composed app over a runtime of its own, from its start to its end, whichever that is.

use super::clock::VirtualClock;
use super::faults::{Fate, Kind};
use super::fuse::{BUSY, Fuse, Place};
use super::hands::InTurn;
use super::held;
use super::network::Network;
use super::orders;
use super::stage::Stage;
use crate::app::reload::Reload;
use crate::app::{App, Keeping, Network as By, OpenError, Ports, daemon};
use crate::config::Config;
use crate::domain::port::{Clock, Entropy};
use crate::domain::run::Run;
use crate::journal::store::Store;
use crate::journal::store::drive::{DriveStore, Mechanics, Turn};
use crate::serve::requests::Trouble;
use crate::serve::views::ReportView;
use async_trait::async_trait;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A run that takes longer than this never ends.
const ENDLESS: Duration = Duration::from_secs(4 * 24 * 3600);
/// How long one run may wait for a service without any progress.
const PATIENCE: Duration = Duration::from_secs(200);

/// How a process ended.
pub(super) enum Ended {
    /// It was killed.
    Killed,
    /// It did not start: the state directory is refused.
    Refused(OpenError),
    /// A run came to its end.
    Ran(Box<ReportView>),
    /// A run could not be made, or something else not be done.
    Failed(Trouble),
    /// Whatever else was asked for was done.
    Answered(String),
    /// A daemon stopped, in order or because the journal could not be written.
    Stopped(Vec<Run>),
    /// It goes round and round.
    Endless(&'static str),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Killed => f.write_str("killed"),
            Ended::Refused(why) => write!(f, "does not start: {why}"),
            Ended::Ran(report) => {
                let counts = &report.run.counts;
                write!(
                    f,
                    "run {}: {} {:?} {:?}",
                    report.run.id, report.run.phase, counts.planned, counts.ended
                )
            }
            Ended::Failed(trouble) => write!(f, "not done: {}", trouble.message),
            Ended::Answered(what) => f.write_str(what),
            Ended::Stopped(runs) => write!(f, "daemon stopped after {} runs", runs.len()),
            Ended::Endless(why) => f.write_str(why),
        }
    }
}

/// How the drive turns for one process.
struct Turning {
    stage: Arc<Stage>,
    fuse: Arc<Fuse>,
    refusal: Option<(Turn, u64)>,
    seen: AtomicU64,
}

#[async_trait]
impl Mechanics for Turning {
    async fn turn(&self, turn: Turn, bytes: usize) -> Result<(), String> {
        let (place, least, most) = match turn {
            Turn::Write => (Place::Write, 0, 1),
            Turn::Sync => (Place::Sync, 1, 20),
            Turn::Acknowledge => (Place::Acknowledge, 0, 0),
        };
        self.fuse.pass(place).await;
        let takes = match self.stage.calm {
            true => Duration::from_millis(least),
            false => held(&self.stage.chance).time(least, most),
        };
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if let Some((refused, nth)) = self.refusal
            && refused == turn
            && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == nth
        {
            self.stage.trace.tell(|| format!("the drive refuses to {turn:?}"));
            return Err("no space left on the device".to_owned());
        }
        if turn == Turn::Acknowledge {
            self.stage.trace.tell(|| format!("{bytes} bytes committed"));
        }
        Ok(())
    }

    fn is_gone(&self) -> bool {
        self.fuse.is_gone()
    }
}

/// Lets a process live. `look` sees the app at the end of an orderly run, before it closes.
pub(super) fn live(
    stage: &Arc<Stage>,
    config: &Config,
    entropy: &Arc<dyn Entropy>,
    fate: &Fate,
    look: impl FnOnce(&App),
) -> Result<Ended, std::io::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let fuse = Arc::new(Fuse::new(fate.death, Arc::clone(&stage.trace)));
    stage.trace.tell(|| format!("a process starts: {:?}", fate.kind));
    let ended = runtime.block_on(async {
        let clock = Arc::new(VirtualClock::new(stage.now(), fate.wrong_by, Arc::clone(&fuse)));
        let life = run(stage, config, entropy, fate, &fuse, &clock, look);
        let ended = tokio::select! {
            biased;
            () = fuse.burnt() => Ended::Killed,
            ended = life => ended,
        };
        stage.set_now(clock.true_now());
        ended
    });
    // Whoever still does something stays at the next place.
    fuse.burn();
    drop(runtime);
    stage.abandon();
    let unsynced = stage.drive.unsynced();
    if unsynced > 0 {
        let reached = held(&stage.chance).index(unsynced + 1);
        stage.trace.tell(|| format!("of {unsynced} bytes not synced, {reached} are there"));
        stage.drive.cut_power(reached);
    }
    let ended = if fuse.steps() > BUSY { Ended::Endless("it is busy and gets nowhere") } else { ended };
    stage.trace.tell(|| ended.to_string());
    Ok(ended)
}

async fn run(
    stage: &Arc<Stage>,
    config: &Config,
    entropy: &Arc<dyn Entropy>,
    fate: &Fate,
    fuse: &Arc<Fuse>,
    clock: &Arc<VirtualClock>,
    look: impl FnOnce(&App),
) -> Ended {
    let turning = Turning {
        stage: Arc::clone(stage),
        fuse: Arc::clone(fuse),
        refusal: fate.refusal,
        seen: AtomicU64::new(0),
    };
    let store: Arc<dyn Store> = match DriveStore::open(Arc::clone(&stage.drive), Arc::new(turning)) {
        Ok(store) => Arc::new(store),
        Err(problem) => return Ended::Refused(OpenError::Store(problem)),
    };
    let network = Network {
        stage: Arc::clone(stage),
        clock: Arc::clone(clock),
        fuse: Arc::clone(fuse),
        jump: Arc::new(Mutex::new(fate.jump)),
    };
    let ports = Ports {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        entropy: Arc::clone(entropy),
        hands: Arc::new(InTurn { fuse: Arc::clone(fuse) }),
        keeping: Keeping::Given(store),
        network: By::Given(Arc::new(network)),
        patience: PATIENCE,
        lane_carries: usize::MAX,
    };
    let (file, state) = (stage.folder.join("hsmc.toml"), stage.folder.join("state"));
    let app = match App::open_with(config.clone(), &file, &state, "simulation", ports) {
        Ok(app) => app,
        Err(problem) => return Ended::Refused(problem),
    };
    let work = async {
        match &fate.kind {
            Kind::Once(order) => {
                let done = orders::carry_out(&app, stage, order.clone());
                tokio::time::timeout(ENDLESS, done).await.unwrap_or(Ended::Endless("the run never ends"))
            }
            Kind::Daemon(time) => daemon(&app, file.clone(), *time).await,
        }
    };
    let asked = async {
        for (after, order) in &fate.meanwhile {
            tokio::time::sleep(*after).await;
            let answer = orders::carry_out(&app, stage, order.clone()).await;
            stage.trace.tell(|| answer.to_string());
        }
        std::future::pending::<Ended>().await
    };
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        ended = asked => ended,
    };
    look(&app);
    app.close().await;
    ended
}

async fn daemon(app: &App, file: std::path::PathBuf, time: Duration) -> Ended {
    let reload = Reload { asked: tokio::sync::Notify::new(), file };
    let runs = Mutex::new(Vec::new());
    let running = daemon::run_forever(app, None, &reload, |run| held(&runs).push(run.clone()));
    let stopping = async {
        tokio::time::sleep(time).await;
        app.ask_to_stop();
        tokio::time::sleep(ENDLESS).await;
    };
    tokio::select! {
        biased;
        ended = running => {
            if let Err(problem) = ended {
                tracing::debug!(%problem, "the daemon stopped");
            }
        }
        () = stopping => return Ended::Endless("the daemon does not stop"),
    }
    Ended::Stopped(std::mem::take(&mut held(&runs)))
}
