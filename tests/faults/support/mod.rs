//! A world of two simulated accounts and one workspace on them, driven through the composed app.

pub mod clock;
pub mod people;
pub mod receiver;

use clock::Hurried;
use hsmc::app::{App, Keeping, Network, Ports};
use hsmc::config::{self, Config, Environment};
use hsmc::connect::HttpSettings;
use hsmc::domain::failure::Service;
use hsmc::domain::id::RunId;
use hsmc::journal::medium::Medium;
use hsmc::journal::store::live;
use hsmc::sandbox::scenario::{Builder, agency_without_people};
use hsmc::sandbox::{Act, Actor, Effect, Fault, FaultKind, Matches, Sandbox, What};
use hsmc::serve::requests::{ApplyRequest, ApproveRequest, PlanRequest, SyncRequest, Trouble};
use hsmc::serve::sandbox_http::{self, Served};
use hsmc::serve::views::{PlanView, ReportView, RunState, SyncAnswer};
use hsmc::sync::scan::{NoProgress, Progress, Source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const CONFIG: &str = include_str!("config.toml");

pub struct World {
    pub sandbox: Arc<Mutex<Sandbox>>,
    pub clock: Arc<Hurried>,
    /// The config's text; a test may change it between runs.
    pub config: String,
    /// Variables laid over the config, as (name, value).
    pub environment: BTreeMap<String, String>,
    /// A disk that breaks, instead of the real one.
    pub medium: Option<Arc<dyn Medium>>,
    /// How long a call may take, in real time.
    pub call_timeout: Duration,
    /// How long a run waits for a service that is away.
    pub patience: Duration,
    folder: tempfile::TempDir,
    served: Served,
}

impl World {
    /// Two accounts with these people.
    pub async fn new(people: impl FnOnce(&mut Builder)) -> World {
        let mut builder = agency_without_people();
        people(&mut builder);
        World::of(builder.build()).await
    }

    pub async fn of(sandbox: Sandbox) -> World {
        let clock = Arc::new(Hurried::new());
        let sandbox = Arc::new(Mutex::new(sandbox));
        let time = Arc::clone(&clock);
        let served = sandbox_http::serve_by(
            Arc::clone(&sandbox),
            0,
            Duration::ZERO,
            Arc::new(move || time.true_now()),
        )
        .await
        .unwrap();
        World {
            sandbox,
            clock,
            config: CONFIG
                .replace("@HUBSPOT@", &served.hubspot_url())
                .replace("@MAILCHIMP@", &served.mailchimp_url()),
            environment: BTreeMap::new(),
            medium: None,
            call_timeout: Duration::from_secs(20),
            patience: Duration::from_secs(200),
            folder: tempfile::tempdir().unwrap(),
            served,
        }
    }

    /// The config that goes with the scenarios, instead of that for small worlds.
    pub fn take_the_scenarios_config(&mut self) {
        self.config =
            hsmc::sandbox::scenario::config_toml(&self.served.hubspot_url(), &self.served.mailchimp_url());
    }

    /// Lays a variable over the config.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    pub fn sandbox(&self) -> MutexGuard<'_, Sandbox> {
        self.sandbox.lock().unwrap()
    }

    /// A file beside the config.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.file("state")
    }

    // ----- what happens to the accounts

    /// Somebody does something by hand; it must be possible.
    pub fn act(&self, act: Act) {
        let mut sandbox = self.sandbox();
        sandbox.settle(self.clock.true_now());
        self::act(&mut sandbox, act);
    }

    pub fn fault(&self, matches: Matches, kind: FaultKind) {
        self.sandbox().add_fault(Fault { matches, kind });
    }

    /// Every call with this method and this part in its path goes wrong.
    pub fn fail(&self, service: Service, method: &str, part: &str, kind: FaultKind) {
        self.fault(Matches::call(service, method, part), kind);
    }

    pub fn mend(&self) {
        self.sandbox().clear_faults();
    }

    // ----- what hsmc does

    pub fn load(&self) -> Config {
        let path = self.file("hsmc.toml");
        std::fs::write(&path, &self.config).unwrap();
        let environment: Environment = self.environment.clone().into_iter().collect();
        config::load(&path, &environment).unwrap_or_else(|errors| panic!("{errors}"))
    }

    pub fn ports(&self) -> Ports {
        let mut settings = live::Settings::default();
        if let Some(medium) = &self.medium {
            settings.medium = Arc::clone(medium);
        }
        Ports {
            clock: Arc::clone(&self.clock) as Arc<dyn hsmc::domain::port::Clock>,
            keeping: Keeping::InState(settings),
            network: Network::Http(HttpSettings { timeout: self.call_timeout, ..HttpSettings::default() }),
            patience: self.patience,
            ..Ports::default()
        }
    }

    pub fn open(&self) -> Arc<App> {
        let app = App::open_with(self.load(), &self.file("hsmc.toml"), &self.state(), "test", self.ports());
        Arc::new(app.unwrap_or_else(|problem| panic!("{problem}")))
    }

    /// One run of a process of its own.
    pub async fn sync(&self) -> ReportView {
        self.try_sync(SyncRequest { yes: true, ..SyncRequest::default() }).await.unwrap()
    }

    /// One run, which must end well.
    pub async fn synced(&self) -> ReportView {
        let report = self.sync().await;
        assert_eq!(report.run.state, RunState::Done, "{}", serde_json::to_string_pretty(&report).unwrap());
        report
    }

    pub async fn try_sync(&self, request: SyncRequest) -> Result<ReportView, Trouble> {
        let app = self.open();
        let answer = app.sync(request, &NoProgress).await;
        app.close().await;
        self.assert_careful();
        answer.map(ran)
    }

    /// One run, and when it has read a source, the world changes behind its back and a while passes: long
    /// enough for what was read to be old.
    pub async fn sync_while(&self, read: Source, change: impl Fn(&mut Sandbox) + Send + Sync) -> ReportView {
        self.sync_and_wait(read, Duration::from_secs(90), change).await
    }

    /// The same with no while between.
    pub async fn sync_at_once(
        &self,
        read: Source,
        change: impl Fn(&mut Sandbox) + Send + Sync,
    ) -> ReportView {
        self.sync_and_wait(read, Duration::ZERO, change).await
    }

    async fn sync_and_wait(
        &self,
        read: Source,
        wait: Duration,
        change: impl Fn(&mut Sandbox) + Send + Sync,
    ) -> ReportView {
        let app = self.open();
        let moment = Moment { world: self, read, wait, change };
        let answer = app.sync(SyncRequest { yes: true, ..SyncRequest::default() }, &moment).await;
        app.close().await;
        self.assert_careful();
        ran(answer.unwrap())
    }

    pub async fn plan(&self, request: PlanRequest) -> PlanView {
        let app = self.open();
        let view = app.plan(request, &NoProgress).await;
        app.close().await;
        self.assert_careful();
        view.unwrap()
    }

    pub async fn apply(&self, file: PathBuf) -> ReportView {
        let app = self.open();
        let answer = app.apply(ApplyRequest { file }, &NoProgress).await;
        app.close().await;
        self.assert_careful();
        ran(answer.unwrap())
    }

    /// Says yes to a waiting run, in a process of its own.
    pub async fn approve(&self, run: RunId) -> Result<ReportView, Trouble> {
        let app = self.open();
        let answer = app.approve(ApproveRequest { run, dry_run: false }, &NoProgress).await;
        app.close().await;
        self.assert_careful();
        answer.map(ran)
    }

    /// Another run changes nothing and asks nobody to.
    pub async fn assert_settled(&self) {
        let (mutating, effects) = (self.mutating_calls(), self.mark());
        self.synced().await;
        assert_eq!(self.changes_since(effects), Vec::<String>::new());
        assert_eq!(self.mutating_calls(), mutating, "calls that may change something");
    }

    // ----- what came of it

    /// No call was made that a careful client would not have made.
    pub fn assert_careful(&self) {
        let sandbox = self.sandbox();
        assert_eq!(sandbox.effects.violations(), Vec::<(&str, &str)>::new());
    }

    /// `subscribed [General Single]; lists [987]`
    pub fn person(&self, name: &str) -> String {
        let email = people::address(name);
        let mut sandbox = self.sandbox();
        sandbox.settle(self.clock.true_now());
        let state = sandbox.state();
        let words = |value: &serde_json::Value| {
            let items = value.as_array().into_iter().flatten();
            let words: Vec<String> =
                items.map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            words.join(", ")
        };
        let member = &state["mailchimp"]["members"][&email];
        let member = match member["status"].as_str() {
            Some(status) => format!("{status} [{}]", words(&member["tags"])),
            None => "no member".to_owned(),
        };
        let contacts = state["hubspot"]["contacts"].as_object().unwrap();
        let mut found: Vec<String> = contacts
            .values()
            .filter(|contact| contact["properties"]["email"] == email.as_str())
            .map(|contact| {
                let opted_out = if contact["opted_out"] == true { ", opted out" } else { "" };
                format!("lists [{}]{opted_out}", words(&contact["lists"]))
            })
            .collect();
        found.sort();
        let contact = if found.is_empty() { "not in HubSpot".to_owned() } else { found.join(" and ") };
        format!("{member}; {contact}")
    }

    /// A contact's property.
    pub fn property(&self, name: &str, property: &str) -> String {
        let sandbox = self.sandbox();
        let record = sandbox.hubspot.contact_by_email(&people::address(name)).unwrap();
        record.properties.get(property).cloned().unwrap_or_default()
    }

    /// Where the journal of effects stands.
    pub fn mark(&self) -> usize {
        self.sandbox().effects.len()
    }

    /// What calls changed since then, in words.
    pub fn changes_since(&self, mark: usize) -> Vec<String> {
        let sandbox = self.sandbox();
        let by_call = |effect: &&Effect| effect.by == Actor::Api;
        sandbox
            .effects
            .since(mark)
            .iter()
            .filter(by_call)
            .map(|effect| format!("{:?}", effect.what))
            .collect()
    }

    /// How often something happened since then.
    pub fn count_since(&self, mark: usize, is_it: impl Fn(&What) -> bool) -> usize {
        self.sandbox().effects.since(mark).iter().filter(|effect| is_it(&effect.what)).count()
    }

    pub fn mutating_calls(&self) -> u64 {
        self.sandbox().calls.mutating()
    }
}

/// The report of what ran.
pub fn ran(answer: SyncAnswer) -> ReportView {
    match answer {
        SyncAnswer::Ran(report) => *report,
        SyncAnswer::Planned(plan) => panic!("only planned: {plan:?}"),
    }
}

/// Something happens at the moment when a source has been read.
struct Moment<'a, F> {
    world: &'a World,
    read: Source,
    wait: Duration,
    change: F,
}

impl<F: Fn(&mut Sandbox) + Send + Sync> Progress for Moment<'_, F> {
    fn read(&self, _: Source, _: u64, _: u64, _: Option<u64>) {}

    fn ended(&self, source: Source) {
        if source == self.read {
            let mut sandbox = self.world.sandbox();
            sandbox.settle(self.world.clock.true_now());
            (self.change)(&mut sandbox);
            self.world.clock.jump(self.wait);
        }
    }
}

/// Somebody does this; it must be possible.
pub fn act(sandbox: &mut Sandbox, act: Act) {
    assert!(sandbox.act(&act), "nobody to do it to: {act:?}");
}
