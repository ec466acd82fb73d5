//! Simulated accounts over HTTP on this machine, and the whole app on them, in a folder of its own.

use super::error::BenchError;
use super::floor::Sizes;
use crate::app::{App, Ports};
use crate::config::{self, Environment};
use crate::domain::tag::TagName;
use crate::sandbox::mailchimp::Status;
use crate::sandbox::{Sandbox, scenario};
use crate::serve::requests::SyncRequest;
use crate::serve::sandbox_http::{self, Served};
use crate::serve::views::{ReportView, RunState, SyncAnswer};
use crate::sync::scan::NoProgress;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the scenarios' config leaves open, for runs that nothing holds up.
const SETTINGS: [(&str, &str); 4] = [
    ("HSMC_SYNC__APPLY", "always"),
    ("HSMC_SYNC__MAX_CHANGED_SHARE", "none"),
    ("HSMC_SYNC__MAX_ARCHIVES_PER_RUN", "none"),
    ("HSMC_MAILCHIMP__AUDIENCE_CAP", "none"),
];

/// The accounts, served.
pub(super) struct Stage {
    sandbox: Arc<Mutex<Sandbox>>,
    folder: PathBuf,
    served: Served,
}

impl Stage {
    /// Serves the accounts, each call taking so long, by the wall's clock.
    pub(super) async fn serve(
        folder: &Path,
        sandbox: Sandbox,
        latency: Duration,
    ) -> Result<Stage, BenchError> {
        let sandbox = Arc::new(Mutex::new(sandbox));
        let served = sandbox_http::serve_slowly(Arc::clone(&sandbox), 0, latency).await;
        Stage::of(folder, sandbox, served)
    }

    /// The same by a clock that goes faster, or jumps.
    pub(super) async fn serve_by(
        folder: &Path,
        sandbox: Sandbox,
        clock: Arc<dyn crate::domain::port::Clock>,
    ) -> Result<Stage, BenchError> {
        let sandbox = Arc::new(Mutex::new(sandbox));
        let now = Arc::new(move || clock.now());
        let served = sandbox_http::serve_by(Arc::clone(&sandbox), 0, Duration::ZERO, now).await;
        Stage::of(folder, sandbox, served)
    }

    fn of(
        folder: &Path,
        sandbox: Arc<Mutex<Sandbox>>,
        served: std::io::Result<Served>,
    ) -> Result<Stage, BenchError> {
        let served = served.map_err(BenchError::file(Path::new("127.0.0.1")))?;
        std::fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
        let file = folder.join("hsmc.toml");
        let text = scenario::config_toml(&served.hubspot_url(), &served.mailchimp_url());
        std::fs::write(&file, text).map_err(BenchError::file(&file))?;
        Ok(Stage { sandbox, folder: folder.to_path_buf(), served })
    }

    /// The accounts' own state.
    pub(super) fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state directory.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The app on these accounts, with some settings more.
    pub(super) fn open(&self, settings: &[(&str, &str)], ports: Ports) -> Result<Arc<App>, BenchError> {
        let file = self.folder.join("hsmc.toml");
        let environment: Environment = SETTINGS.iter().chain(settings).copied().collect();
        let config =
            config::load(&file, &environment).map_err(|errors| BenchError::Broke(errors.to_string()))?;
        let app = App::open_with(config, &file, &self.state(), "bench", ports);
        app.map(Arc::new).map_err(|problem| BenchError::Broke(problem.to_string()))
    }

    /// How much there is to read, by the accounts' own state.
    pub(super) fn sizes(&self, app: &App) -> Sizes {
        let sandbox = self.sandbox();
        let rules = &app.workspace.rules;
        let lists = rules.all_lists();
        let listed =
            |id: u64| sandbox.hubspot.lists_of(id).keys().any(|list| lists.iter().any(|one| one.0 == *list));
        let members = |is_so: fn(Status) -> bool| {
            sandbox.mailchimp.members().filter(|member| is_so(member.status)).count() as u64
        };
        let bears = |tag: &TagName| {
            let bears = |member: &&crate::sandbox::mailchimp::Member| {
                sandbox.mailchimp.tags_of(member).iter().any(|borne| TagName::new(borne) == *tag)
            };
            sandbox.mailchimp.members().filter(bears).count() as u64
        };
        Sizes {
            lists: lists
                .iter()
                .map(|list| sandbox.hubspot.lists().get(&list.0).map_or(0, |list| list.members.len() as u64))
                .collect(),
            listed: sandbox.hubspot.contacts().filter(|contact| listed(contact.id)).count() as u64,
            opted_out: sandbox
                .hubspot
                .contacts()
                .filter(|one| sandbox.hubspot.is_opted_out(one.email()))
                .count() as u64,
            members: members(|status| status != Status::Archived),
            archived: members(|status| status == Status::Archived),
            exit_tags: rules
                .handovers
                .iter()
                .map(|handover| bears(&handover.exit_tag))
                .filter(|bearers| *bearers > 0)
                .collect(),
        }
    }

    /// Ends the serving.
    pub(super) async fn close(self) {
        self.served.shut_down().await;
    }
}

/// One run, which must end well.
pub(super) async fn sync(app: &App) -> Result<ReportView, BenchError> {
    let request = SyncRequest { yes: true, ..SyncRequest::default() };
    match app.sync(request, &NoProgress).await {
        Ok(SyncAnswer::Ran(report)) if matches!(report.run.state, RunState::Done | RunState::Stuck) => {
            Ok(*report)
        }
        Ok(SyncAnswer::Ran(report)) => Err(BenchError::Broke(format!("a run ended as {}", report.run.phase))),
        Ok(SyncAnswer::Planned(_)) => Err(BenchError::Broke("a run only planned".to_owned())),
        Err(trouble) => Err(BenchError::Broke(trouble.message)),
    }
}
