//! Signals of the process: SIGINT and SIGTERM ask for an orderly stop, a second one ends the process at once. SIGHUP
//! makes a daemon read its config again; everybody else stops, as when a terminal is closed.

use super::exit_code::ExitCode;
use crate::app::App;
use crate::app::reload::{Change, Reload};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::signal::unix::{SignalKind, signal};

/// Who is told.
#[derive(Default)]
struct Told {
    app: Weak<App>,
    stopping: bool,
}

/// The signals of a process, watched until it ends.
pub struct Signals {
    told: Arc<Mutex<Told>>,
    /// Where SIGHUP is heard of.
    pub reload: Arc<Reload>,
}

impl Signals {
    /// Watches from now on. `reloads` says what SIGHUP means.
    ///
    /// # Errors
    /// The system does not let signals be watched.
    pub fn watch(config: &Path, reloads: bool) -> io::Result<Signals> {
        let told: Arc<Mutex<Told>> = Arc::default();
        let reload = Arc::new(Reload { asked: tokio::sync::Notify::new(), file: config.to_path_buf() });
        *INTERRUPTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&told));
        match ctrlc::set_handler(interrupt) {
            // The demo runs one command after another in its process: the handler serves them all.
            Ok(()) | Err(ctrlc::Error::MultipleHandlers) => {}
            Err(problem) => return Err(io::Error::other(problem)),
        }
        // ctrlc takes SIGTERM only together with SIGHUP, which means something else to a daemon.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (tell, again) = (Arc::clone(&told), Arc::clone(&reload));
        tokio::spawn(async move {
            loop {
                let hung_up = tokio::select! {
                    _ = terminate.recv() => false,
                    _ = hangup.recv() => true,
                };
                if hung_up && reloads {
                    let app = tell.lock().unwrap_or_else(PoisonError::into_inner).app.upgrade();
                    if let Some(app) = app {
                        app.set_config_change(Change::Waits);
                    }
                    again.asked.notify_one();
                } else {
                    stop(&tell);
                }
            }
        });
        Ok(Signals { told, reload })
    }

    /// From now on this one is told; at once, if a stop was asked for before.
    pub fn follow(&self, app: &Arc<App>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.app = Arc::downgrade(app);
        if told.stopping {
            app.ask_to_stop();
        }
    }
}

/// Whom SIGINT is for now: a process has one handler, whatever it does one after another.
static INTERRUPTED: Mutex<Option<Arc<Mutex<Told>>>> = Mutex::new(None);

fn interrupt() {
    let told = INTERRUPTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(told) = told {
        stop(&told);
    }
}

/// The first asks for an orderly stop; the second ends the process at once.
fn stop(told: &Mutex<Told>) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if told.stopping {
        std::process::exit(ExitCode::Interrupted as i32);
    }
    told.stopping = true;
    if let Some(app) = told.app.upgrade() {
        app.ask_to_stop();
    }
}
