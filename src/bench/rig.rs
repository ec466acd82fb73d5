//! A workspace put together from the real parts (store, journal, engine, router, contact actors, lanes) over accounts in
//! memory, in a folder of its own.

use super::accounts::{self, FIELDS, LIST, Prompt, TAG};
use super::error::BenchError;
use crate::actors::account::LearnedClock;
use crate::actors::account::{AccountArgs, AccountGate};
use crate::actors::budget::BudgetLimits;
use crate::actors::context::{ActorSettings, Shared, TagDirectory};
use crate::actors::router::Moves;
use crate::app::ports::{SystemClock, SystemEntropy, Threads};
use crate::domain::failure::Service;
use crate::domain::id::{PersonId, RecordId};
use crate::domain::person::Person;
use crate::domain::port::{AudienceAccount, Clock, CrmAccount, Entropy, OptOutBasis};
use crate::domain::rules::{Group, Precedence, RuleSet, SourceList, TagSource};
use crate::domain::step::OptOutScope;
use crate::domain::tag::TagName;
use crate::engine::retry::RetryPolicy;
use crate::journal::consent::ConsentLedger;
use crate::journal::ledger::Journal;
use crate::journal::store::live::LiveStore;
use crate::journal::store::{Batch, Store};
use crate::sync::alerts::AlertSettings;
use crate::sync::workspace::{ApplyMode, RunSettings, Workspace};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// People whose records are made durable at once.
const CHUNK: u64 = 500;

/// The workspace.
pub(super) struct Rig {
    /// What runs need.
    pub(super) workspace: Workspace,
    store: Arc<LiveStore>,
    /// Kept, for a workspace whose sender is gone is asked to stop.
    _stop: watch::Sender<bool>,
}

impl Rig {
    /// Opens the store in a folder and puts everything together over it.
    pub(super) fn open(folder: &Path, accounts: Prompt, live: usize) -> Result<Rig, BenchError> {
        let store = Arc::new(LiveStore::open(folder)?);
        let journal = Journal::new(Arc::clone(&store) as Arc<dyn Store>);
        let accounts = Arc::new(accounts);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let shared = Arc::new(Shared {
            consent: ConsentLedger::new(journal.clone(), Arc::clone(&entropy)),
            journal,
            crm: Arc::clone(&accounts) as Arc<dyn CrmAccount>,
            audience: accounts as Arc<dyn AudienceAccount>,
            audience_clock: LearnedClock::new(Arc::clone(&clock)),
            clock: Arc::clone(&clock),
            began: clock.now(),
            entropy,
            hands: Arc::new(Threads),
            settings: settings(live),
            listings: Default::default(),
            looks: Default::default(),
            pauses: Default::default(),
            tags: TagDirectory::default(),
            lanes: Default::default(),
            batches: Default::default(),
            traffic: Default::default(),
            stopping: Default::default(),
            progress: Default::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let workspace = Workspace {
            copies: Vec::new(),
            moves: Moves::start(Arc::clone(&shared)),
            shared,
            rules: Arc::new(rules()),
            settings: run_settings(folder),
            hubspot: gate(Service::HubSpot, &clock),
            mailchimp: gate(Service::Mailchimp, &clock),
            stop: stopped,
            patience: Arc::default(),
            chore: Arc::default(),
            running: Arc::default(),
            deciding: Arc::default(),
        };
        Ok(Rig { workspace, store, _stop: stop })
    }

    /// The journal.
    pub(super) fn journal(&self) -> &Journal {
        &self.workspace.shared.journal
    }

    /// The store.
    pub(super) fn store(&self) -> &Arc<LiveStore> {
        &self.store
    }

    /// Writes so many made-up people into the journal, numbered from 1.
    pub(super) async fn people(&self, count: u64) -> Result<(), BenchError> {
        let journal = self.journal();
        let now = self.workspace.shared.clock.now();
        let mut first = 1;
        while first <= count {
            let last = count.min(first + CHUNK - 1);
            let mut batch = Batch::new();
            for number in first..=last {
                let record = Some(RecordId(number));
                let person = Person::new(PersonId(number), accounts::email(number), record, now);
                journal.put_person(&mut batch, &person, None)?;
            }
            journal.commit(batch).await?;
            first = last + 1;
        }
        Ok(())
    }

    /// Stops the actors and lets go of the folder.
    pub(super) async fn close(self) -> Result<(), BenchError> {
        self.workspace.moves.stop().await;
        let store = Arc::clone(&self.store);
        Ok(tokio::task::spawn_blocking(move || store.close()).await??)
    }
}

/// As the app has them, but for the moment a lane waits for company: these accounts answer at once.
fn settings(live: usize) -> ActorSettings {
    ActorSettings {
        retry: RetryPolicy::default(),
        live_contacts: live,
        lane_carries: usize::MAX,
        lane_quiet: Duration::ZERO,
        lane_longest: Duration::ZERO,
        batch_above: 20,
        singles_at_once: 8,
        basis: OptOutBasis { legal_basis: String::new(), explanation: String::new() },
        enroll_between: None,
        protection: Default::default(),
        barring: Default::default(),
    }
}

fn gate(service: Service, clock: &Arc<dyn Clock>) -> AccountGate {
    let limits = BudgetLimits {
        connections: 8,
        per_window: None,
        at_most: None,
        window: Duration::from_secs(10),
        searches_per_second: None,
        reserve: 0.0,
    };
    AccountGate::start(AccountArgs { service, limits, clock: Arc::clone(clock) })
}

/// One list, one tag: everybody made up is as these want them.
fn rules() -> RuleSet {
    let source = SourceList {
        list: LIST,
        tag: TagSource::Name(TagName::new(TAG)),
        overrides: Vec::new(),
        also: Vec::new(),
    };
    let group = Group {
        name: "everybody".to_owned(),
        exclude: Vec::new(),
        precedence: Precedence::First,
        lists: vec![source],
    };
    RuleSet {
        groups: vec![group],
        critical: Vec::new(),
        handovers: Vec::new(),
        supplemental: Vec::new(),
        segments: Vec::new(),
        protected_tags: Vec::new(),
        protected_patterns: Vec::new(),
        merge_fields: FIELDS.map(|(field, name)| (field.to_owned(), name.to_owned())).into(),
        import_list: None,
        ori_lists: None,
        opt_out_scopes: vec![OptOutScope::All],
        bounce_property: None,
        double_opt_in: false,
        audience_cap: None,
        max_archives_per_run: None,
        max_changed_share: None,
        enroll_between: None,
        refresh_unsubscribed: true,
    }
}

fn run_settings(folder: &Path) -> RunSettings {
    RunSettings {
        name: "bench".to_owned(),
        audience: "made-up".to_owned(),
        portal: None,
        apply: ApplyMode::Always,
        every: DAY / 3,
        full_every: DAY,
        snapshots: 30 * DAY,
        retention: 90 * DAY,
        history: 400 * DAY,
        config: 0,
        scanned: 0,
        state: folder.to_path_buf(),
        places: BTreeMap::new(),
        keys: BTreeMap::new(),
        alerts: AlertSettings { quiet: DAY, summary: false, many_opt_outs: None, deliver_within: DAY },
        patience: Duration::from_secs(60),
    }
}
