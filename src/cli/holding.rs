//! How a command comes by the state directory: it asks the process that owns it, or owns it itself for as long as it
//! takes. An owner that ends before it has answered leaves what may be repeated to whoever asked.
//!
//! Never: two owners, or saying that nothing was done where nobody can know.

use super::Answer;
use super::error::Failure;
use super::signals::Signals;
use super::system::System;
use crate::app::reload::Change;
use crate::app::{App, OpenError, api, daemon};
use crate::config::{self, Config, Environment};
use crate::domain::code::Code;
use crate::journal::store::StoreError;
use crate::serve::api::Served;
use crate::serve::requests::{Call, Trouble};
use crate::serve::socket::{self, Asked};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// How often, and how far apart, a state directory in use is tried again before that is an error.
pub(super) const LOCK_TRIES: u32 = 20;
pub(super) const LOCK_WAIT: Duration = Duration::from_millis(50);
/// How often a command that finds the directory in use, and nobody who answers, asks again: some ten seconds in all.
pub(super) const OWNER_TRIES: u32 = 10;
/// A daemon that takes over a changed config waits for a command that came in between, some ten minutes.
const RELOAD_TRIES: u32 = 12_000;
/// An owner that is about to end has so long: calls that are out are awaited.
const LEAVING: Duration = Duration::from_secs(40);
const LEAVING_LOOK: Duration = Duration::from_millis(250);

/// A process's hold on the state directory: the app, its socket, its summary, its signals.
pub(super) struct Held {
    pub(super) app: Arc<App>,
    _socket: Option<socket::Served>,
    _api: Option<Served>,
}

impl Held {
    /// Lets go of the directory, in order.
    pub(super) async fn close(self) {
        let Held { app, _socket, _api } = self;
        app.close().await;
    }
}

impl System {
    /// Goes on with a changed config, or, where nothing can be opened with it, with the one before.
    pub(super) async fn take_over(&self, config: Config, before: Config, signals: &Signals) -> Answer<Held> {
        match self.hold(config, "daemon", signals, RELOAD_TRIES).await {
            Ok(held) => Ok(held),
            Err(failure) => {
                let held = self.hold(before, "daemon", signals, RELOAD_TRIES).await?;
                held.app.set_config_change(Change::Refused(failure.to_string()));
                Ok(held)
            }
        }
    }

    pub(super) fn load(&self) -> Answer<Config> {
        Ok(config::load(&self.config, &Environment::of_process())?)
    }

    pub(super) fn signals(&self, reloads: bool) -> Answer<Signals> {
        Signals::watch(&self.config, reloads)
            .map_err(|problem| Failure::failed(Code::Inside, format!("signals cannot be watched: {problem}")))
    }

    /// Opens the state directory. A process that was just killed may hold it for another moment.
    async fn open(&self, config: Config, what: &'static str, tries: u32) -> Answer<App> {
        for _ in 0..tries {
            match App::open(config.clone(), &self.config, &self.state, what) {
                Err(OpenError::Store(StoreError::Locked { .. })) => tokio::time::sleep(LOCK_WAIT).await,
                opened => return Ok(opened?),
            }
        }
        Ok(App::open(config, &self.config, &self.state, what)?)
    }

    /// Takes the state directory: serves its socket and listens for signals.
    pub(super) async fn hold(
        &self,
        config: Config,
        what: &'static str,
        signals: &Signals,
        tries: u32,
    ) -> Answer<Held> {
        let app = Arc::new(self.open(config, what, tries).await?);
        let control: Arc<dyn socket::Control> = Arc::clone(&app) as Arc<dyn socket::Control>;
        let served = socket::serve(&self.state, control)
            .map_err(|problem| tracing::warn!(%problem, "no control socket: `hsmc status` shows the summary file only"))
            .ok();
        let api = match what {
            "daemon" => api::serve(&app, &self.config).await,
            _ => Ok(None),
        };
        let api = match api {
            Ok(api) => api,
            Err(trouble) => {
                drop(served);
                app.close().await;
                return Err(trouble.into());
            }
        };
        signals.follow(&app);
        Ok(Held { app, _socket: served, _api: api })
    }

    /// Asks the process that owns the directory; none, when there is none, or when it ended over the question and the
    /// question can be taken over.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Option<Answer<T>> {
        let mut waited = Duration::ZERO;
        loop {
            let trouble = match socket::ask(&self.state, call).await? {
                Asked::Answered(Ok(value)) => {
                    return Some(serde_json::from_value(value).map_err(|problem| {
                        let words = "the running hsmc answers in another version's words";
                        Failure::failed(Code::NoAnswer, format!("{words}: {problem}"))
                    }));
                }
                Asked::Answered(Err(trouble)) => return Some(Err(trouble.into())),
                Asked::Left(trouble) => trouble,
            };
            if !call.may_be_repeated() || waited >= LEAVING {
                return Some(Err(self.left(&trouble)));
            }
            if waited.is_zero() {
                tracing::warn!("the hsmc process that was asked has ended: this one goes on with it");
            }
            tokio::time::sleep(LEAVING_LOOK).await;
            waited += LEAVING_LOOK;
        }
    }

    fn left(&self, trouble: &Trouble) -> Failure {
        let owner = format!("the process that owned {} ended before it answered", self.state.display());
        Failure::failed(Code::NoAnswer, format!("{owner} ({})", trouble.message)).with_way_out(
            "it may have been done, in whole or in part: look with `hsmc status`, then ask again; nothing is done twice",
        )
    }

    /// Asks the process that owns the directory, or does it here as its owner. Of several that come at once one is the
    /// owner, and the others ask that one as soon as it answers.
    pub(super) async fn answer<T: DeserializeOwned, F: Future<Output = Result<T, Trouble>>>(
        &self,
        call: &Call,
        what: &'static str,
        work: impl FnOnce(Arc<App>) -> F,
    ) -> Answer<T> {
        let mut rounds = 0;
        loop {
            if let Some(answer) = self.ask(call).await {
                return answer;
            }
            rounds += 1;
            match self.hold(self.load()?, what, &self.signals(false)?, LOCK_TRIES).await {
                Err(failure) if failure.is(Code::StateInUse) && rounds < OWNER_TRIES => {}
                held => return done_by(held?, work).await,
            }
        }
    }

    /// Does something here, as the owner of the directory, and closes it in order.
    pub(super) async fn own<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        what: &'static str,
        work: impl FnOnce(Arc<App>) -> F,
    ) -> Answer<T> {
        done_by(self.hold(self.load()?, what, &self.signals(false)?, LOCK_TRIES).await?, work).await
    }
}

async fn done_by<T, F: Future<Output = Result<T, Trouble>>>(
    held: Held,
    work: impl FnOnce(Arc<App>) -> F,
) -> Answer<T> {
    let done = work(Arc::clone(&held.app)).await;
    daemon::write_summary(&held.app).await;
    held.close().await;
    Ok(done?)
}
