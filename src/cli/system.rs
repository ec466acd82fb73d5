//! The system behind the commands. Where a process owns the state directory, a command asks it through the
//! control socket; else the command owns the directory itself for as long as it takes.

use super::demo;
use super::error::Failure;
use super::exit_code::ExitCode;
use super::holding::{LOCK_TRIES, LOCK_WAIT, OWNER_TRIES};
use super::progress::Progress;
use super::{Answer, Backend};
use crate::app::daemon::Ended;
use crate::app::{App, OpenError, check, daemon, deliver, hints, pull, pulling, state, summary, watch};
use crate::bench;
use crate::config::{self, Config, Environment};
use crate::domain::alert::Alert;
use crate::domain::code::Code;
use crate::domain::id::RunId;
use crate::domain::run::Run;
use crate::serve::alert_views::TestedView;
use crate::serve::bench::{BenchRequest, BenchView, Part, PartView};
use crate::serve::consent::{ChainView, ConsentRequest, ConsentView};
use crate::serve::forget::{ForgetRequest, ForgetView};
use crate::serve::hooks_setup::{WebhooksRequest, WebhooksView};
use crate::serve::lists::ListsView;
use crate::serve::parked::{ParkedView, ReleaseRequest};
use crate::serve::people::{PeoplePage, PeopleRequest, SegmentsRequest, SegmentsView};
use crate::serve::pull::{ClearRequest, ClearView, HistoryRequest, PullAnswer, PullRequest, PullView};
use crate::serve::requests::{
    AdoptRequest, ApplyRequest, ApproveRequest, Call, OperateRequest, PlanRequest, SandboxRequest, Scope,
    Subject, SyncRequest, Trouble,
};
use crate::serve::snapshots::{SnapshotsAnswer, SnapshotsRequest};
use crate::serve::socket;
use crate::serve::state::{RestoreView, StateAnswer, StateRequest};
use crate::serve::tokens::{TokenAnswer, TokenRequest};
use crate::serve::undo::{UndoAnswer, UndoRequest};
use crate::serve::views::{
    Acknowledgement, CheckView, DemoView, Finding, PlanView, ReportView, RunView, Severity, StatusAnswer,
    SyncAnswer,
};
use crate::serve::why::WhyView;
use crate::sync::scan;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The real system, by the two global paths.
pub struct System {
    /// The config file.
    pub config: PathBuf,
    /// The state directory.
    pub state: PathBuf,
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Failure {
        let code = error.code();
        match error {
            OpenError::Store(store) => Failure::from(store),
            OpenError::Address { .. } => Failure::usage(code, error.to_string()),
            OpenError::Journal(_) | OpenError::Http(_) => Failure::failed(code, error.to_string()),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        let exit = match trouble.exit {
            2 => ExitCode::Usage,
            3 => ExitCode::NeedsApproval,
            4 => ExitCode::Stuck,
            130 => ExitCode::Interrupted,
            _ => ExitCode::Failed,
        };
        let mut failure = Failure::new(exit, trouble.code, trouble.message);
        if !trouble.place.is_empty() {
            failure = failure.at(trouble.place);
        }
        if !trouble.way_out.is_empty() {
            failure = failure.with_way_out(trouble.way_out);
        }
        failure
    }
}

fn told(run: &Run, progress: &dyn Progress) {
    let view = RunView::from(run);
    let way_out = view.asks.as_ref().map_or_else(String::new, |asks| format!("; {}", asks.way_out()));
    progress.say(&format!("run {}: {}{way_out}", view.id, view.phase));
}

/// Tells a scan's progress to the terminal.
struct ScanLine<'a> {
    to: &'a dyn Progress,
    shown: Mutex<(u64, String)>,
}

impl<'a> ScanLine<'a> {
    fn new(to: &'a dyn Progress) -> ScanLine<'a> {
        ScanLine { to, shown: Mutex::new((0, String::new())) }
    }
}

impl scan::Progress for ScanLine<'_> {
    fn read(&self, source: scan::Source, _: u64, rows: u64, total: Option<u64>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("reading {source}");
        if shown.1 != name {
            self.to.phase(&name);
            shown.1 = name;
        }
        shown.0 = rows;
        self.to.advance(rows, total);
    }

    fn ended(&self, _: scan::Source) {}
}

/// Tells a pull's progress to the terminal.
struct PullLine<'a> {
    to: &'a dyn Progress,
    shown: Mutex<String>,
}

impl PullLine<'_> {
    fn tell(&self, told: pull::Told<'_>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("pulling {}: {}", told.engine, told.phase);
        if *shown != name {
            self.to.phase(&name);
            *shown = name;
        }
        self.to.advance(told.seen, None);
    }
}

#[async_trait]
impl Backend for System {
    async fn demo(&self, crash: bool, seed: u64, progress: &dyn Progress) -> Answer<DemoView> {
        if crash { demo::crash(seed, progress).await } else { demo::calm(seed, progress).await }
    }

    async fn sandbox(&self, request: SandboxRequest, _: &dyn Progress) -> Answer<()> {
        let people = request.people.map(|people| people as usize);
        crate::serve::sandbox_http::sandbox_command(
            &request.scenario,
            request.seed,
            request.port,
            request.latency_ms,
            people,
        )
        .await
        .map_err(|problem| {
            let code = match problem.kind() {
                std::io::ErrorKind::InvalidInput => Code::NothingSuch,
                _ => Code::Inside,
            };
            Failure::usage(code, problem.to_string())
        })
    }

    async fn check(&self, _: &dyn Progress) -> Answer<CheckView> {
        if let Err(view) = self.load_or_findings() {
            return Ok(view);
        }
        let file = self.config.clone();
        let look = |app: Arc<App>| async move { Ok(check::check(&app, &file).await) };
        if !socket::is_served(&self.state).await {
            return self.own("check", look).await;
        }
        // The state directory is in use, and nothing in it is needed for a look at the accounts.
        let scratch = std::env::temp_dir().join(format!("hsmc-check-{}", std::process::id()));
        let aside = System { config: self.config.clone(), state: scratch.clone() };
        let view = aside.own("check", look).await;
        if let Err(problem) = std::fs::remove_dir_all(&scratch) {
            tracing::debug!(%problem, "the directory of the check stays");
        }
        view
    }

    async fn plan(&self, request: PlanRequest, progress: &dyn Progress) -> Answer<PlanView> {
        let request = PlanRequest { out: request.out.map(absolute), ..request };
        let line = ScanLine::new(progress);
        self.answer(&Call::Plan(request.clone()), "plan", |app| async move { app.plan(request, &line).await })
            .await
    }

    async fn apply(&self, request: ApplyRequest, progress: &dyn Progress) -> Answer<SyncAnswer> {
        let request = ApplyRequest { file: absolute(request.file) };
        let line = ScanLine::new(progress);
        self.answer(&Call::Apply(request.clone()), "apply", |app| async move {
            let done = app.apply(request, &line).await;
            deliver::before_leaving(&app).await;
            done
        })
        .await
    }

    async fn sync(&self, request: SyncRequest, progress: &dyn Progress) -> Answer<SyncAnswer> {
        let line = ScanLine::new(progress);
        self.answer(&Call::Sync(request.clone()), "sync", |app| async move {
            let done = app.sync(request, &line).await;
            deliver::before_leaving(&app).await;
            done
        })
        .await
    }

    async fn approve(&self, request: ApproveRequest, progress: &dyn Progress) -> Answer<SyncAnswer> {
        let line = ScanLine::new(progress);
        self.answer(&Call::Approve(request), "approve", |app| async move {
            let done = app.approve(request, &line).await;
            deliver::before_leaving(&app).await;
            done
        })
        .await
    }

    async fn reject(&self, run: RunId) -> Answer<Acknowledgement> {
        self.answer(&Call::Reject(run), "reject", |app| async move {
            let done = app.reject(run).await;
            // Who was asked learns that nobody has to answer any more.
            deliver::before_leaving(&app).await;
            done
        })
        .await
    }

    async fn daemon(&self, progress: &dyn Progress) -> Answer<()> {
        let signals = self.signals(true)?;
        let mut held = self.hold(self.load()?, "daemon", &signals, LOCK_TRIES).await?;
        progress.say(&format!(
            "hsmc daemon: workspace {}, state in {}; stop with ctrl-c or SIGTERM",
            held.app.workspace.settings.name,
            self.state.display()
        ));
        let mut due = None;
        loop {
            let keeper = tokio::spawn(daemon::keep_summary(Arc::clone(&held.app)));
            let watcher = tokio::spawn(watch::keep_watch(Arc::clone(&held.app)));
            let looker = tokio::spawn(hints::keep_looking(Arc::clone(&held.app)));
            let teller = tokio::spawn(deliver::keep_telling(Arc::clone(&held.app)));
            let puller = tokio::spawn(pulling::keep_pulling(Arc::clone(&held.app)));
            let turner = tokio::spawn(pulling::keep_turning(Arc::clone(&held.app)));
            let ended = daemon::run_forever(&held.app, due, &signals.reload, |run| told(run, progress)).await;
            for task in [keeper, watcher, looker, teller, puller, turner] {
                task.abort();
            }
            if ended.is_err() {
                deliver::cry(&held.app, Alert::Stopped).await;
            }
            // Before the journal is closed: it is what the summary is made from.
            daemon::write_summary(&held.app).await;
            let before = held.app.config.clone();
            held.close().await;
            match ended.map_err(|error| Failure::failed(error.code(), error.to_string()))? {
                Ended::Stopped => return Ok(()),
                Ended::Reloaded { config, due: next } => {
                    due = Some(next);
                    held = self.take_over(*config, before, &signals).await?;
                    let said = held.app.config_change().notice();
                    progress.say(&said.unwrap_or_else(|| "the changed config is in force".to_owned()));
                }
            }
        }
    }

    async fn status(&self, subject: Subject) -> Answer<StatusAnswer> {
        if let Some(answer) = self.ask(&Call::Status(subject.clone())).await {
            return status_answer(&subject, answer?);
        }
        match subject {
            Subject::All | Subject::List(_) => match summary::read(&self.state) {
                Ok(Some(view)) => Ok(StatusAnswer::Overview(Box::new(view))),
                Ok(None) if state::has_journal(&self.state) => Err(Failure::failed(
                    Code::NothingKept,
                    format!(
                        "whoever began in {} could not write down how it stands: the disk is full, or they were killed",
                        self.state.display()
                    ),
                )
                .with_way_out("make room on that disk if it is full; `hsmc sync` goes on, `hsmc state check` looks")),
                Ok(None) => Err(Failure::usage(
                    Code::NothingKept,
                    format!("nothing has run in {} yet", self.state.display()),
                )
                .with_way_out("`hsmc plan` or `hsmc sync` begins; --state names another directory")),
                Err(problem) => Err(Failure::failed(
                    Code::StateUnusable,
                    format!("the summary in {} cannot be read: {problem}", self.state.display()),
                )),
            },
            Subject::Move(_) | Subject::Run(_) | Subject::Person(_) => {
                let call = Call::Status(subject.clone());
                self.answer(&call, "status", |app| async move { app.status(subject).await }).await
            }
        }
    }

    async fn runs(&self, last: usize) -> Answer<Vec<RunView>> {
        self.answer(&Call::Runs(last), "runs", |app| async move { app.runs(last) }).await
    }

    async fn run(&self, id: RunId) -> Answer<ReportView> {
        self.answer(&Call::Run(id), "runs", |app| async move { app.report_of(id) }).await
    }

    async fn operate(&self, request: OperateRequest) -> Answer<Acknowledgement> {
        self.answer(&Call::Operate(request), "operate", |app| async move { app.operate(request).await }).await
    }

    async fn pause(&self, scope: Scope) -> Answer<Acknowledgement> {
        self.answer(&Call::Pause(scope.clone()), "pause", |app| async move { app.pause(scope).await }).await
    }

    async fn resume(&self, scope: Scope) -> Answer<Acknowledgement> {
        self.answer(&Call::Resume(scope.clone()), "resume", |app| async move { app.resume(scope).await })
            .await
    }

    async fn state(&self, request: StateRequest) -> Answer<StateAnswer> {
        let request = state::absolute(request);
        let call = Call::State(request.clone());
        // The config only says how long details are kept: one that does not load is no reason not to answer.
        let config = self.load().ok();
        let mut rounds = 0;
        loop {
            if let Some(answer) = self.ask(&call).await {
                return answer;
            }
            rounds += 1;
            match state::alone(&self.state, config.as_ref(), request.clone()).await {
                Err(trouble) if trouble.code == Code::StateInUse && rounds < OWNER_TRIES => {
                    tokio::time::sleep(LOCK_WAIT).await;
                }
                done => return Ok(done?),
            }
        }
    }

    async fn restore(&self, file: PathBuf, force: bool) -> Answer<RestoreView> {
        if socket::is_served(&self.state).await {
            return Err(Failure::usage(Code::StateInUse, format!("a process uses {}", self.state.display()))
                .with_way_out("stop it first: a running hsmc would go on with what it knows"));
        }
        Ok(state::restore(&file, &self.state, force).await?)
    }

    async fn notify_test(&self) -> Answer<Vec<TestedView>> {
        self.answer(&Call::NotifyTest, "notify", |app| async move { app.notify_test().await }).await
    }

    async fn adopt(&self, request: AdoptRequest) -> Answer<Acknowledgement> {
        self.answer(&Call::Adopt(request.clone()), "adopt", |app| async move { app.adopt(request).await })
            .await
    }

    async fn why(&self, address: &str) -> Answer<WhyView> {
        let address = address.to_owned();
        self.answer(&Call::Why(address.clone()), "why", |app| async move { app.why(&address).await }).await
    }

    async fn lists(&self) -> Answer<ListsView> {
        self.answer(&Call::Lists, "lists", |app| async move { app.lists() }).await
    }

    async fn parked(&self) -> Answer<ParkedView> {
        self.answer(&Call::Parked, "parked", |app| async move { app.parked() }).await
    }

    async fn release(&self, request: ReleaseRequest) -> Answer<Acknowledgement> {
        self.answer(
            &Call::Release(request.clone()),
            "release",
            |app| async move { app.release(request).await },
        )
        .await
    }

    async fn consent_of(&self, address: String) -> Answer<ConsentView> {
        self.answer(&Call::Consent(ConsentRequest::Of(address.clone())), "consent", |app| async move {
            app.consent_of(&address).await
        })
        .await
    }

    async fn forget(&self, request: ForgetRequest) -> Answer<ForgetView> {
        self.answer(&Call::Forget(request.clone()), "forget", |app| async move { app.forget(request).await })
            .await
    }

    async fn verify_consent(&self) -> Answer<ChainView> {
        self.answer(&Call::Consent(ConsentRequest::Verify), "consent", |app| async move {
            app.verify_consent().await
        })
        .await
    }

    async fn undo(&self, request: UndoRequest) -> Answer<UndoAnswer> {
        self.answer(&Call::Undo(request.clone()), "undo", |app| async move { app.undo(request).await }).await
    }

    async fn bench(&self, request: BenchRequest, progress: &dyn Progress) -> Answer<BenchView> {
        // The disk that the state directory is on, or would be.
        let state = std::path::absolute(&self.state).unwrap_or_else(|_| self.state.clone());
        let tell = |line: &str| progress.say(line);
        tokio::select! {
            biased;
            measured = bench::run(&request, state.parent().unwrap_or(&state), &tell) => {
                measured.map_err(|problem| {
                    Failure::failed(problem.code(), format!("nothing was measured: {problem}"))
                })
            }
            _ = tokio::signal::ctrl_c() => {
                Err(Failure::interrupted().with_way_out("nothing is left behind"))
            }
        }
    }

    async fn bench_part(&self, part: Part) -> Answer<PartView> {
        bench::part(part).await.map_err(|problem| Failure::failed(problem.code(), problem.to_string()))
    }

    async fn pull(&self, request: PullRequest, progress: &dyn Progress) -> Answer<PullAnswer> {
        let line = PullLine { to: progress, shown: Mutex::default() };
        self.answer(&Call::Pull(request.clone()), "pull", |app| async move {
            app.pull(request, &|told| line.tell(told)).await
        })
        .await
    }

    async fn pull_history(&self, request: HistoryRequest) -> Answer<Vec<PullView>> {
        self.answer(&Call::PullHistory(request.clone()), "pull", |app| async move {
            app.pull_history(request).await
        })
        .await
    }

    async fn clear_mirror(&self, request: ClearRequest) -> Answer<ClearView> {
        self.answer(&Call::ClearMirror(request.clone()), "pull", |app| async move {
            app.clear_mirror(request).await
        })
        .await
    }

    async fn people(
        &self,
        request: PeopleRequest,
        take: &mut (dyn FnMut(PeoplePage) -> Option<PeopleRequest> + Send),
    ) -> Answer<()> {
        let (mut next, mut rounds) = (Some(request), 0);
        while let Some(request) = next.take() {
            if let Some(answer) = self.ask(&Call::People(request.clone())).await {
                next = take(answer?);
                continue;
            }
            rounds += 1;
            // The directory is free: it is held from here to the last page.
            match self.own("people", |app| page_by_page(app, request.clone(), &mut *take)).await {
                Err(failure) if failure.is(Code::StateInUse) && rounds < OWNER_TRIES => next = Some(request),
                done => return done,
            }
        }
        Ok(())
    }

    async fn segments(&self, request: SegmentsRequest) -> Answer<SegmentsView> {
        self.answer(
            &Call::Segments(request.clone()),
            "segments",
            |app| async move { app.segments(request).await },
        )
        .await
    }

    async fn tokens(&self, request: TokenRequest) -> Answer<TokenAnswer> {
        self.answer(&Call::Tokens(request.clone()), "token", |app| async move { app.tokens(request).await })
            .await
    }

    async fn webhooks(&self, request: WebhooksRequest) -> Answer<WebhooksView> {
        self.answer(&Call::Webhooks(request.clone()), "webhooks", |app| async move {
            app.set_up_webhooks(request).await
        })
        .await
    }

    async fn snapshots(&self, request: SnapshotsRequest) -> Answer<SnapshotsAnswer> {
        self.answer(&Call::Snapshots(request.clone()), "snapshots", |app| async move {
            app.snapshots(request).await
        })
        .await
    }
}

impl System {
    /// A config that does not load is what `check` is for: its problems are findings.
    fn load_or_findings(&self) -> Result<Config, CheckView> {
        config::load(&self.config, &Environment::of_process()).map_err(|errors| CheckView {
            checked: vec!["config".to_owned()],
            findings: errors
                .0
                .into_iter()
                .map(|error| Finding {
                    severity: Severity::Error,
                    code: Some(error.code),
                    place: error.place(),
                    message: error.what,
                    way_out: error.way_out,
                })
                .collect(),
        })
    }
}

/// People, asked of whoever owns the directory.
async fn page_by_page(
    app: Arc<App>,
    request: PeopleRequest,
    take: &mut (dyn FnMut(PeoplePage) -> Option<PeopleRequest> + Send),
) -> Result<(), Trouble> {
    let mut next = Some(request);
    while let Some(request) = next {
        next = take(app.people(request).await?);
    }
    Ok(())
}

/// The answer to `status` is one of three; which, follows from what was asked.
fn status_answer(subject: &Subject, value: serde_json::Value) -> Answer<StatusAnswer> {
    let parsed = match subject {
        Subject::All | Subject::List(_) => {
            serde_json::from_value(value).map(|view| StatusAnswer::Overview(Box::new(view)))
        }
        Subject::Run(_) => serde_json::from_value(value).map(|view| StatusAnswer::Run(Box::new(view))),
        Subject::Move(_) | Subject::Person(_) => serde_json::from_value(value).map(StatusAnswer::Moves),
    };
    parsed.map_err(|problem| {
        Failure::failed(
            Code::NoAnswer,
            format!("the running hsmc answers in another version's words: {problem}"),
        )
    })
}

/// The process that owns the directory may stand in another folder.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
