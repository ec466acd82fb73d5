//! What a run needs: the actors' shared world, the rules, the accounts, where the state lies.

use super::alerts::AlertSettings;
use super::patience::Patience;
use crate::actors::account::AccountGate;
use crate::actors::context::Shared;
use crate::actors::router::Moves;
use crate::domain::failure::Service;
use crate::domain::forget::Copied;
use crate::domain::id::ListId;
use crate::domain::rules::RuleSet;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How far a run goes by itself (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// It plans and shows.
    Never,
    /// It plans and waits for a yes.
    Ask,
    /// It applies, unless a gate asks.
    Always,
}

/// Settings of runs.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The workspace's name.
    pub name: String,
    /// The audience's id.
    pub audience: String,
    /// The only portal hsmc may work on.
    pub portal: Option<u64>,
    /// How far a run goes by itself.
    pub apply: ApplyMode,
    /// From one run to the next.
    pub every: Duration,
    /// A full pass at least this often (R28b).
    pub full_every: Duration,
    /// How long snapshots are kept (R28).
    pub snapshots: Duration,
    /// How long finished runs keep their details.
    pub retention: Duration,
    /// How long what is left of them after that is kept.
    pub history: Duration,
    /// What a plan depends on, as a number: a saved plan names it.
    pub config: u64,
    /// What a scan depends on, as a number: a difference costs one full pass.
    pub scanned: u64,
    /// The state directory.
    pub state: PathBuf,
    /// Where each list stands in the config, for messages: `hsmc.toml:31 list`.
    pub places: BTreeMap<ListId, String>,
    /// The same for the keys that name the accounts: `hubspot.token` → `hsmc.toml:8 hubspot.token`.
    pub keys: BTreeMap<String, String>,
    /// When what is an alert.
    pub alerts: AlertSettings,
    /// How long a run waits for the services when nothing moves any more.
    pub patience: Duration,
}

/// One workspace, ready to run.
#[derive(Clone)]
pub struct Workspace {
    /// What the actors share.
    pub shared: Arc<Shared>,
    /// The way to the actors.
    pub moves: Moves,
    /// Copies of what the services hold, which must let go of whoever is forgotten.
    pub copies: Vec<Arc<dyn Copied>>,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// Settings.
    pub settings: RunSettings,
    /// HubSpot's budget.
    pub hubspot: AccountGate,
    /// Mailchimp's budget.
    pub mailchimp: AccountGate,
    /// True once hsmc is asked to stop.
    pub stop: watch::Receiver<bool>,
    /// What is still done behind the last run.
    pub chore: Arc<std::sync::Mutex<Option<tokio::task::JoinHandle<()>>>>,
    /// One applying run at a time (R26).
    pub running: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever makes a plan and journals it: memory does not change meanwhile but by them.
    pub deciding: Arc<tokio::sync::Mutex<()>>,
    /// What the present run bears with.
    pub patience: Arc<Patience>,
}

impl Workspace {
    /// Whether hsmc has been asked to stop.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until no other run goes on; from then on both services have the whole of a run's patience again.
    pub async fn one_at_a_time(&self) -> tokio::sync::MutexGuard<'_, ()> {
        let held = self.running.lock().await;
        self.patience.begin(self.shared.clock.now());
        held
    }

    /// The budget of a service.
    pub fn gate(&self, service: Service) -> &AccountGate {
        match service {
            Service::HubSpot => &self.hubspot,
            Service::Mailchimp => &self.mailchimp,
        }
    }

    /// That this machine's clock is not the services', where it is so far off that an operator should know.
    pub fn wrong_clock(&self) -> Vec<String> {
        let of = |service| Some((service, self.gate(service).clock_offset().in_words()?));
        let apart = [Service::HubSpot, Service::Mailchimp].into_iter().filter_map(of);
        apart.map(|(service, apart)| format!("this machine's clock is {apart} {service}'s")).collect()
    }

    /// Waits for what is done behind the last run; it is bounded, and ends early once hsmc is asked to stop.
    pub async fn chore_done(&self) {
        let chore = self.chore.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(chore) = chore
            && let Err(problem) = chore.await
        {
            tracing::warn!(%problem, "what is done behind a run broke off");
        }
    }

    /// Calls made so far, by service word.
    pub async fn calls(&self) -> BTreeMap<String, u64> {
        let mut calls = BTreeMap::new();
        for (word, gate) in [("HubSpot", &self.hubspot), ("Mailchimp", &self.mailchimp)] {
            if let Some(overview) = gate.overview().await {
                calls.insert(word.to_owned(), overview.calls);
            }
        }
        calls
    }
}
