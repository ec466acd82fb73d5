//! The composition root: puts the parts together, hands commands to them, and takes them apart in order.
//!
//! One `App` owns one state directory. While it does, it serves the control socket there and keeps the
//! summary that `status` reads when nobody runs.

mod adopting;
pub mod alerts;
pub mod api;
pub mod check;
pub mod clearing;
mod consent;
pub mod control;
pub mod daemon;
pub mod deliver;
mod forget;
pub mod hints;
pub mod lists;
pub mod parked;
pub mod people;
pub mod plan_file;
pub mod ports;
pub mod pull;
pub mod pulling;
pub mod reload;
pub mod reports;
pub mod show;
pub mod snapshots;
pub mod state;
pub mod summary;
pub mod tokens;
pub mod undo;
pub mod watch;
pub mod webhooks;
pub mod why;

use crate::actors::account::{AccountArgs, AccountGate};
use crate::actors::budget::BudgetLimits;
use crate::actors::context::{ActorSettings, Shared, TagDirectory};
use crate::actors::looks::ConsentLooks;
use crate::actors::reading::Listings;
use crate::actors::router::Moves;
use crate::config::{Apply, Config};
use crate::connect::notify::Target;
use crate::connect::{Http, HubSpotClient, HubSpotSettings, MailchimpClient, MailchimpSettings};
use crate::domain::code::Code;
use crate::domain::failure::Service;
use crate::domain::forget::Copied;
use crate::domain::object::ObjectAccount;
use crate::domain::pause::Pauses;
use crate::domain::port::{AudienceAccount, CrmAccount, Gate};
use crate::domain::webhook::WebhookAccount;
use crate::engine::retry::RetryPolicy;
use crate::journal::consent::ConsentLedger;
use crate::journal::ledger::{Journal, JournalError};
use crate::journal::store::live::LiveStore;
use crate::journal::store::{Store, StoreError, Table};
use crate::serve::requests::Trouble;
use crate::serve::state::{StateAnswer, StateRequest};
use crate::sync::alerts::AlertSettings;
use crate::sync::damage;
use crate::sync::workspace::{ApplyMode, RunSettings, Workspace};
pub use ports::{Keeping, Network, Ports};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::watch as signal;

/// The name pauses are kept under in the journal.
pub const PAUSES: &str = "pauses";
/// How long calls in flight may take once hsmc is asked to stop; the whole stop stays under 25 s.
const QUIESCE: Duration = Duration::from_secs(20);
/// Calls HubSpot gets at once.
const HUBSPOT_CONNECTIONS: usize = 16;

/// Why the parts could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The state directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is in it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A base URL of the config.
    #[error("{key} = \"{value}\" is no address: {why}")]
    Address {
        /// The config key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong.
        why: url::ParseError,
    },
    /// HTTP cannot be set up.
    #[error("HTTP cannot be set up: {0}")]
    Http(String),
}

impl OpenError {
    /// The code whose page says what to do about it.
    pub fn code(&self) -> Code {
        match self {
            OpenError::Store(error) => error.code(),
            OpenError::Journal(error) => error.code(),
            OpenError::Address { .. } => Code::ConfigValue,
            OpenError::Http(_) => Code::Inside,
        }
    }
}

/// Everything, put together.
pub struct App {
    /// The config.
    pub config: Config,
    /// The state directory.
    pub state: PathBuf,
    /// What this process is: `daemon`, `sync`, …
    pub what: &'static str,
    /// What runs need.
    pub workspace: Workspace,
    /// When the next run is due (daemon).
    pub next_run_at: Mutex<Option<crate::domain::time::Timestamp>>,
    /// Told when a pause has ended (daemon).
    resumed: tokio::sync::Notify,
    config_change: Mutex<reload::Change>,
    /// Where alerts go.
    pub targets: Vec<Target>,
    http: Http,
    /// HubSpot's objects, for the mirror.
    objects: Arc<dyn ObjectAccount>,
    /// Mailchimp's webhooks.
    hooks: Arc<dyn WebhookAccount>,
    mirror: Arc<pull::Held>,
    keeping: people::Keeping,
    stop: signal::Sender<bool>,
    /// Whom webhooks told of, until somebody has looked.
    pub hints: hints::Hints,
    /// The store in the state directory; none where the journal is kept elsewhere.
    disk: Option<Arc<LiveStore>>,
}

impl App {
    /// Opens the state directory and puts everything together. Nothing is sent yet.
    ///
    /// # Errors
    /// The state directory is in use, newer or damaged; or an address of the config is none.
    pub fn open(
        config: Config,
        config_path: &Path,
        state: &Path,
        what: &'static str,
    ) -> Result<App, OpenError> {
        App::open_with(config, config_path, state, what, Ports::default())
    }

    /// The same with another time, chance, disk or network: for simulations and tests.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_with(
        config: Config,
        config_path: &Path,
        state: &Path,
        what: &'static str,
        ports: Ports,
    ) -> Result<App, OpenError> {
        let Ports { clock, entropy, hands, keeping, network, patience, lane_carries } = ports;
        let (store, disk): (Arc<dyn Store>, _) = match keeping {
            Keeping::InState(settings) => {
                let disk = Arc::new(LiveStore::open_with(state, settings)?);
                (Arc::clone(&disk) as Arc<dyn Store>, Some(disk))
            }
            Keeping::Given(store) => (store, None),
        };
        let journal = Journal::new(store);
        let pauses = pauses(&journal)?;
        let hints = hints::Hints::left(&journal)?;
        for (id, why) in damage::incompatible(&journal)? {
            let code = Code::MoveIncompatible;
            tracing::error!(move.id = %id, %code, %why, "this hsmc cannot go on with an open move: it holds its person");
        }
        let hubspot = AccountGate::start(AccountArgs {
            service: Service::HubSpot,
            limits: BudgetLimits {
                connections: HUBSPOT_CONNECTIONS,
                per_window: Some(config.hubspot.requests_per_10s.unwrap_or(100)),
                at_most: config.hubspot.requests_per_10s,
                window: Duration::from_secs(10),
                searches_per_second: Some(5),
                reserve: config.hubspot.reserve,
            },
            clock: Arc::clone(&clock),
        });
        let mailchimp = AccountGate::start(AccountArgs {
            service: Service::Mailchimp,
            limits: BudgetLimits {
                connections: config.mailchimp.connections,
                per_window: None,
                at_most: None,
                window: Duration::from_secs(10),
                searches_per_second: None,
                reserve: 0.0,
            },
            clock: Arc::clone(&clock),
        });
        let http = match network {
            Network::Http(settings) => {
                Http::new(&settings).map_err(|problem| OpenError::Http(problem.to_string()))?
            }
            Network::Given(transport) => Http::over(transport),
        };
        let crm = Arc::new(HubSpotClient::new(
            HubSpotSettings {
                base_url: address("hubspot.base_url", &config.hubspot.base_url)?,
                token: config.hubspot.token.clone(),
                api_version: config.hubspot.api_version.clone(),
                properties: config.rules.all_properties().into_iter().collect(),
                opt_out_scopes: config.rules.opt_out_scopes.clone(),
                list_write_limit: config.hubspot.list_write_limit,
            },
            Arc::new(hubspot.clone()) as Arc<dyn Gate>,
            http.clone(),
        ));
        let audience = Arc::new(MailchimpClient::new(
            MailchimpSettings {
                base_url: address("mailchimp.base_url", &config.mailchimp.base_url)?,
                api_key: config.mailchimp.api_key.clone(),
                audience: config.mailchimp.audience.clone(),
            },
            Arc::new(mailchimp.clone()) as Arc<dyn Gate>,
            http.clone(),
        ));
        let shared = Arc::new(Shared {
            consent: ConsentLedger::new(journal.clone(), Arc::clone(&entropy)),
            journal,
            crm: Arc::clone(&crm) as Arc<dyn CrmAccount>,
            audience: Arc::clone(&audience) as Arc<dyn AudienceAccount>,
            began: clock.now(),
            clock,
            audience_clock: mailchimp.learned(),
            entropy,
            hands,
            settings: ActorSettings {
                retry: RetryPolicy::default(),
                live_contacts: 2_500,
                lane_carries,
                lane_quiet: Duration::from_millis(40),
                lane_longest: Duration::from_millis(1_500),
                batch_above: config.mailchimp.batch_above,
                singles_at_once: config.mailchimp.connections.max(1),
                basis: config.consent.basis.clone(),
                enroll_between: config.rules.enroll_between.clone(),
                protection: config.rules.protection(),
                barring: config.rules.barring(),
            },
            listings: Listings::default(),
            looks: ConsentLooks::default(),
            pauses: RwLock::new(pauses),
            tags: TagDirectory::default(),
            lanes: Mutex::new(BTreeMap::new()),
            batches: Mutex::new(BTreeMap::new()),
            traffic: Arc::default(),
            stopping: std::sync::atomic::AtomicBool::new(false),
            progress: std::sync::atomic::AtomicU64::new(0),
        });
        let (stop, stopped) = signal::channel(false);
        let mirror = Arc::new(pull::Held::new(state, Arc::clone(&shared.hands), Arc::clone(&shared.clock)));
        let workspace = Workspace {
            copies: vec![Arc::clone(&mirror) as Arc<dyn Copied>],
            moves: Moves::start(Arc::clone(&shared)),
            shared,
            rules: Arc::new(config.rules.clone()),
            settings: run_settings(&config, config_path, state, patience),
            hubspot,
            mailchimp,
            stop: stopped,
            chore: Arc::default(),
            running: Arc::default(),
            deciding: Arc::default(),
            patience: Arc::default(),
        };
        let targets = deliver::targets(&config.notify);
        Ok(App {
            config,
            state: state.to_path_buf(),
            what,
            workspace,
            next_run_at: Mutex::new(None),
            resumed: tokio::sync::Notify::new(),
            config_change: Mutex::default(),
            targets,
            http,
            objects: crm,
            hooks: audience,
            mirror,
            keeping: people::Keeping::default(),
            stop,
            hints,
            disk,
        })
    }

    /// What is asked about the state directory, while everything goes on.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub async fn look_after(&self, request: StateRequest) -> control::Done<StateAnswer> {
        let Some(disk) = &self.disk else {
            return Err(Trouble::usage(Code::NotNow, "the journal is not kept in the state directory"));
        };
        let opened = state::Opened {
            store: Arc::clone(disk),
            workspace: self.workspace.settings.name.clone(),
            retention: Some(self.config.sync.retention),
        };
        state::answer(&opened, request, self.workspace.shared.clock.now()).await
    }

    /// Asks everything to stop: calls in flight end, none is begun.
    pub fn ask_to_stop(&self) {
        self.workspace.shared.stopping.store(true, Ordering::Release);
        self.stop.send_replace(true);
    }

    /// Waits for calls in flight, then closes the journal. What is still out then is in doubt, and the
    /// next start looks.
    pub async fn close(&self) {
        self.workspace.chore_done().await;
        self.ask_to_stop();
        let clock = &self.workspace.shared.clock;
        let since = clock.now();
        while self.workspace.shared.calls_out() > 0 && clock.now().since(since) < QUIESCE {
            clock.sleep(Duration::from_millis(20)).await;
        }
        self.workspace.moves.stop().await;
        if let Some(disk) = &self.disk
            && let Err(problem) = disk.close()
        {
            tracing::error!(%problem, "the journal could not be closed in order; the next start replays it");
        }
    }
}

/// What is paused. Where that is not known any more, everything is: whoever paused something had a reason.
fn pauses(journal: &Journal) -> Result<Pauses, JournalError> {
    if journal.damaged().contains(&(Table::Meta, PAUSES.as_bytes().to_vec())) {
        return Ok(Pauses { all: true, ..Pauses::default() });
    }
    Ok(journal.meta_get(PAUSES)?.unwrap_or_default())
}

fn address(key: &'static str, value: &str) -> Result<url::Url, OpenError> {
    value.parse().map_err(|why| OpenError::Address { key, value: value.to_owned(), why })
}

fn run_settings(config: &Config, config_path: &Path, state: &Path, patience: Duration) -> RunSettings {
    RunSettings {
        name: config.workspace.clone(),
        audience: config.mailchimp.audience.clone(),
        portal: config.hubspot.portal_id,
        apply: match config.sync.apply {
            Apply::Never => ApplyMode::Never,
            Apply::Ask => ApplyMode::Ask,
            Apply::Always => ApplyMode::Always,
        },
        every: config.sync.every,
        full_every: config.sync.full_every,
        snapshots: config.sync.snapshots,
        retention: config.sync.retention,
        history: config.sync.history,
        config: config.fingerprint(),
        scanned: config.scan_fingerprint(),
        state: state.to_path_buf(),
        alerts: AlertSettings {
            quiet: config.notify.quiet,
            summary: config.notify.summary,
            many_opt_outs: config.notify.many_opt_outs,
            deliver_within: config.consent.deliver_within,
        },
        places: check::list_places(config_path),
        keys: check::key_places(config_path),
        patience,
    }
}
