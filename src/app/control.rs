//! What commands ask for, done by the process that owns the state directory: the same whether the command
//! runs here or comes through the control socket.

use super::show::{self, Names};
use super::{App, PAUSES, plan_file};
use crate::domain::code::Code;
use crate::domain::email::Email;
use crate::domain::event::OperatorRequest;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::pause::Pauses;
use crate::domain::person::Person;
use crate::domain::port::BrokenOff;
use crate::domain::run::RunCause;
use crate::engine::{MoveStatus, Phase, fold};
use crate::journal::ledger::JournalError;
use crate::journal::store::Batch;
use crate::serve::consent::ConsentRequest;
use crate::serve::requests::{
    ApplyRequest, ApproveRequest, Call, Only, OperateRequest, PlanRequest, Scope, Subject, SyncRequest,
    Trouble,
};
use crate::serve::socket::Control;
use crate::serve::views::{
    Acknowledgement, PlanView, ReportView, RunState, RunView, StatusAnswer, SyncAnswer,
};
use crate::sync::approval;
use crate::sync::error::RunError;
use crate::sync::forgetting::forgotten_at;
use crate::sync::planning::Narrowing;
use crate::sync::run::{self, RunOptions};
use crate::sync::scan::{NoProgress, Progress, ScanError};
use async_trait::async_trait;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Moves shown of a plan; all of them are in a saved one.
const SHOWN: usize = 200;

/// Result of an operation.
pub type Done<T> = Result<T, Trouble>;

impl From<BrokenOff> for Trouble {
    fn from(error: BrokenOff) -> Trouble {
        Trouble::failed(Code::Inside, error.to_string())
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Trouble {
        failed(error.code(), error.to_string())
    }
}

/// A failure; where the disk is at fault, with what helps.
pub(super) fn failed(code: Code, what: String) -> Trouble {
    let trouble = Trouble::failed(code, what);
    match code {
        Code::DiskRefuses => trouble.with_way_out(
            "free space on the state directory's disk, or make it writable, then start again: nothing acknowledged is lost",
        ),
        _ => trouble,
    }
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Trouble {
        let code = error.code();
        match error {
            RunError::Unfit { place, what, way_out, .. } => {
                Trouble { place, ..Trouble::usage(code, what).with_way_out(way_out) }
            }
            RunError::NotNow { what, way_out, .. } => Trouble::usage(code, what).with_way_out(way_out),
            RunError::Stopped | RunError::Scan(ScanError::Stopped) => {
                Trouble { exit: 130, ..Trouble::failed(code, error.to_string()) }
            }
            RunError::Call(ref failure) | RunError::Scan(ScanError::Call { ref failure, .. }) => {
                Trouble::failed(code, error.to_string()).with_way_out(failure.class.way_out())
            }
            other => failed(code, other.to_string()),
        }
    }
}

impl From<plan_file::PlanFileError> for Trouble {
    fn from(error: plan_file::PlanFileError) -> Trouble {
        Trouble::usage(error.code(), error.to_string())
            .with_way_out("make a plan with `hsmc plan --out FILE`")
    }
}

impl App {
    fn narrowing(&self, only: &[Only], limit: Option<u64>) -> Done<Narrowing> {
        let mut narrowing = Narrowing { limit, ..Narrowing::default() };
        let known = self.workspace.rules.all_lists();
        for one in only {
            match one {
                Only::List(list) if known.contains(list) => {
                    narrowing.lists.insert(*list);
                }
                Only::List(list) => {
                    return Err(Trouble::usage(
                        Code::NothingSuch,
                        format!("the config names no list {list}"),
                    ));
                }
                Only::Contact(address) => {
                    let email = Email::as_given(address)
                        .map_err(|why| Trouble::usage(Code::NoAddress, format!("--only contact: {why}")))?;
                    narrowing.emails.insert(email);
                }
            }
        }
        Ok(narrowing)
    }

    /// Scans and plans; saves the plan when asked.
    ///
    /// # Errors
    /// See the message.
    pub async fn plan(&self, request: PlanRequest, progress: &dyn Progress) -> Done<PlanView> {
        // Told now, not after everything was read.
        let folder = request.out.as_deref().and_then(std::path::Path::parent);
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            return Err(Trouble::usage(
                Code::FileNamed,
                format!("there is no directory {} to save the plan in", folder.display()),
            )
            .with_way_out("make it, or name another file with --out"));
        }
        let options = RunOptions {
            full: request.full,
            narrowing: self.narrowing(&request.only, request.limit)?,
            ..RunOptions::of(RunCause::Command)
        };
        let shown = run::plan(&self.workspace, &options, progress).await?;
        if let Some(out) = &request.out {
            plan_file::save(self, out, shown.seen, &shown.summary, &shown.moves)?;
        }
        let mut view = self.plan_view(shown);
        view.saved = request.out.map(|out| out.display().to_string());
        Ok(view)
    }

    fn plan_view(&self, shown: run::Shown) -> PlanView {
        let run::Shown { seen, full, summary, moves } = shown;
        let journal = &self.workspace.shared.journal;
        show::plan(journal, (seen, full), summary, &moves, SHOWN, Names::Addresses)
    }

    /// One run, and what it leaves behind for people.
    async fn ran(&self, options: &RunOptions, progress: &dyn Progress) -> Done<SyncAnswer> {
        let ended = run::sync(&self.workspace, options, progress).await;
        self.keep_reports().await;
        Ok(SyncAnswer::Ran(Box::new(show::report(self, &ended?, Names::Addresses)?)))
    }

    /// A run that this process's end cut short is no answer to somebody else's question: they can go on with it.
    fn whole(&self, done: Done<SyncAnswer>) -> Done<SyncAnswer> {
        match done? {
            SyncAnswer::Ran(report)
                if self.workspace.is_stopping() && report.run.state == RunState::Interrupted =>
            {
                Err(RunError::Stopped.into())
            }
            answer => Ok(answer),
        }
    }

    /// Carries out what a waiting run has shown, as far as it still comes out the same (design §3.10).
    ///
    /// # Errors
    /// See the message.
    pub async fn approve(&self, request: ApproveRequest, progress: &dyn Progress) -> Done<SyncAnswer> {
        let options = RunOptions::approving(request.run);
        if request.dry_run {
            let shown = run::plan(&self.workspace, &options, progress).await?;
            return Ok(SyncAnswer::Planned(Box::new(self.plan_view(shown))));
        }
        self.ran(&options, progress).await
    }

    /// Ends a waiting run: nothing of its plan is applied.
    ///
    /// # Errors
    /// It does not wait, or the journal cannot be written.
    pub async fn reject(&self, id: RunId) -> Done<Acknowledgement> {
        let run = approval::reject(&self.workspace, id).await?;
        self.keep_reports().await;
        let message =
            format!("run {} is rejected: nothing of it is applied, the next run plans anew", run.id);
        Ok(Acknowledgement { message, left_out: Vec::new() })
    }

    /// Reads again, applies what still comes out the same, and names what was dropped (design §3.10).
    ///
    /// # Errors
    /// See the message.
    pub async fn apply(&self, request: ApplyRequest, progress: &dyn Progress) -> Done<SyncAnswer> {
        let shown = plan_file::read(self, &request.file)?;
        let options = RunOptions {
            yes: true,
            narrowing: Narrowing { shown: Some(Arc::new(shown)), ..Narrowing::default() },
            ..RunOptions::of(RunCause::PlanFile)
        };
        self.ran(&options, progress).await
    }

    /// One run.
    ///
    /// # Errors
    /// See the message.
    pub async fn sync(&self, request: SyncRequest, progress: &dyn Progress) -> Done<SyncAnswer> {
        if request.dry_run {
            let plan =
                PlanRequest { out: None, only: request.only, limit: request.limit, full: request.full };
            return Ok(SyncAnswer::Planned(Box::new(self.plan(plan, progress).await?)));
        }
        let options = RunOptions {
            full: request.full,
            since: request.since,
            yes: request.yes,
            narrowing: self.narrowing(&request.only, request.limit)?,
            ..RunOptions::of(RunCause::Command)
        };
        self.ran(&options, progress).await
    }

    /// What goes on.
    ///
    /// # Errors
    /// See the message.
    pub async fn status(&self, subject: Subject) -> Done<StatusAnswer> {
        let journal = &self.workspace.shared.journal;
        match subject {
            Subject::All => Ok(StatusAnswer::Overview(Box::new(show::status(self, Names::Addresses).await?))),
            Subject::List(list) => {
                let mut view = show::status(self, Names::Addresses).await?;
                let touches = |id: MoveId| {
                    journal.events(id).ok().and_then(|events| fold(&events).ok()).is_some_and(|status| {
                        let target = crate::domain::step::Target::List(list);
                        status.draft.steps.iter().any(|planned| planned.step.target() == target)
                    })
                };
                view.moves.retain(|one| touches(one.id));
                let name = format!("list {list}");
                view.lanes.retain(|lane| lane.target == name);
                Ok(StatusAnswer::Overview(Box::new(view)))
            }
            Subject::Run(id) => Ok(StatusAnswer::Run(Box::new(self.report_of(id)?))),
            Subject::Move(id) => match show::detail(journal, id, Names::Addresses)? {
                Some(view) => Ok(StatusAnswer::Moves(vec![view])),
                None => match journal.audit_of_move(id)? {
                    Some((person, line)) => {
                        let person = show::person(journal, person, Names::Addresses);
                        Ok(StatusAnswer::Moves(vec![show::given_up(id, person, line)]))
                    }
                    None => Err(Trouble::usage(Code::NothingSuch, format!("there is no move {id}"))
                        .with_way_out("`hsmc status` lists open moves")),
                },
            },
            Subject::Person(address) => {
                let person = self.person(&address)?;
                let mut views = Vec::new();
                for id in journal.moves_of_person(person.id)?.into_iter().rev().take(50) {
                    views.extend(match show::detail(journal, id, Names::Addresses)? {
                        Some(view) => Some(view),
                        None => journal
                            .audit(person.id, id)?
                            .map(|line| show::given_up(id, address.clone(), line)),
                    });
                }
                Ok(StatusAnswer::Moves(views))
            }
        }
    }

    /// The last runs.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn runs(&self, last: usize) -> Done<Vec<RunView>> {
        let runs = self.workspace.shared.journal.runs(last)?;
        Ok(runs.iter().map(RunView::from).collect())
    }

    /// One run's report.
    ///
    /// # Errors
    /// There is no such run, or the journal cannot be read.
    pub fn report_of(&self, id: RunId) -> Done<ReportView> {
        match show::run(&self.workspace.shared.journal, id)? {
            Some(run) => Ok(show::report(self, &run, Names::Addresses)?),
            None => Err(Trouble::usage(Code::NothingSuch, format!("there is no run {id}"))
                .with_way_out("`hsmc runs` lists them")),
        }
    }

    /// An operator's word on a move.
    ///
    /// # Errors
    /// There is no such move, or it cannot do that now.
    pub async fn operate(&self, request: OperateRequest) -> Done<Acknowledgement> {
        let OperateRequest { id, request } = request;
        let journal = &self.workspace.shared.journal;
        let Ok(status) = fold(&journal.events(id)?) else {
            if let Some((_, line)) = journal.audit_of_move(id)? {
                let given_up = format!("its details were given up on {}", line.given_up);
                return Err(Trouble::usage(Code::NotNow, format!("move {id} is over, and {given_up}")));
            }
            return Err(Trouble::usage(Code::NothingSuch, format!("there is no move {id}"))
                .with_way_out("`hsmc status` lists open moves"));
        };
        // A plan that is being made may take over what has not begun, and must find it as it was.
        let _deciding = match status.has_begun() {
            true => None,
            false => Some(self.workspace.deciding.try_lock().map_err(|_| {
                Trouble::usage(Code::NotNow, format!("a plan is being made, which may be about move {id}"))
                    .with_way_out("try again in a moment")
            })?),
        };
        let status = fold(&journal.events(id)?).unwrap_or(status);
        if status.is_over() {
            return Err(Trouble::usage(Code::NotNow, format!("move {id} is over")));
        }
        can_be_asked(id, &status, request)?;
        self.workspace.moves.operate(id, status.draft.person, request).await.map_err(|why| {
            Trouble::usage(Code::NotNow, why)
                .with_way_out(format!("`hsmc status {id}` tells what it is doing; try again then"))
        })?;
        let what = match request {
            OperatorRequest::Retry => "is tried again, after a look",
            OperatorRequest::Skip => "goes on behind the step it was stuck at",
            OperatorRequest::RollBack => "is being unwound",
            OperatorRequest::Cancel => "is being ended",
        };
        self.settle(id).await;
        Ok(Acknowledgement { message: format!("move {id} {what}"), left_out: Vec::new() })
    }

    /// Gives a move a moment to come to rest, for a command that ends right after.
    async fn settle(&self, id: MoveId) {
        let run = id.run;
        let mut changes = self.workspace.moves.changes();
        for _ in 0..50 {
            changes.mark_unchanged();
            let tally = self.workspace.moves.tally(run).await;
            if tally.open == tally.asleep {
                return;
            }
            let clock = &self.workspace.shared.clock;
            tokio::select! {
                biased;
                _ = changes.changed() => {}
                () = clock.sleep(std::time::Duration::from_millis(200)) => {}
            }
        }
    }

    /// Who has an address, or a number, as logs and reports name people.
    ///
    /// # Errors
    /// It is neither, or nobody with it has been seen.
    pub(super) fn person(&self, who: &str) -> Done<Person> {
        self.known(who).map(|(_, person)| person)
    }

    /// The same, with the address as it is kept. One that somebody had before leads to them as far as there is evidence
    /// of their consent under it.
    pub(super) fn known(&self, who: &str) -> Done<(Option<Email>, Person)> {
        let journal = &self.workspace.shared.journal;
        let number = who.trim();
        if let Ok(number) = number.strip_prefix("person=").unwrap_or(number).parse() {
            let person = journal.person(PersonId(number))?;
            return person.map(|person| (person.email.clone(), person)).ok_or_else(|| {
                Trouble::usage(Code::NobodySeen, format!("there is no person {number}"))
                    .with_way_out("numbers are those of logs and reports; an address does as well")
            });
        }
        let email = Email::as_given(who).map_err(|why| Trouble::usage(Code::NoAddress, why.to_string()))?;
        let id = match journal.person_by_hash(email.hash())? {
            Some(id) => Some(id),
            None if forgotten_at(&self.workspace, &email)?.is_some() => None,
            None => self.workspace.shared.consent.of_address(&email)?,
        };
        match id.map(|id| journal.person(id)).transpose()?.flatten() {
            Some(person) => Ok((Some(email), person)),
            None if forgotten_at(&self.workspace, &email)?.is_some() => Err(Trouble::usage(
                Code::NobodySeen,
                "whoever had this address was forgotten: nothing leads from it to them",
            )
            .with_way_out("`hsmc consent verify` shows that the evidence is whole")),
            None => Err(Trouble::usage(Code::NobodySeen, "nobody with this address has been seen")
                .with_way_out("run `hsmc plan` once, or check the spelling")),
        }
    }

    /// Holds work back, durably.
    ///
    /// # Errors
    /// Nobody has that address, the config does not name that list, or the journal cannot be written.
    pub async fn pause(&self, scope: Scope) -> Done<Acknowledgement> {
        let mut pauses = self.workspace.shared.pauses();
        let what = self.change(&mut pauses, scope, true)?;
        self.keep(pauses).await?;
        Ok(Acknowledgement { message: format!("{what} is paused; opt-outs go on"), left_out: Vec::new() })
    }

    /// Lets work go on.
    ///
    /// # Errors
    /// Nobody has that address, or the journal cannot be written.
    pub async fn resume(&self, scope: Scope) -> Done<Acknowledgement> {
        let mut pauses = self.workspace.shared.pauses();
        let what = self.change(&mut pauses, scope, false)?;
        let still = pauses.lines().join(", ");
        self.keep(pauses).await?;
        self.workspace.moves.wake_all().await;
        self.resumed.notify_one();
        let but =
            if still.is_empty() { String::new() } else { format!(", but for what is still paused: {still}") };
        let message = format!("{what} goes on{but}; what had not begun is planned anew by the next run");
        Ok(Acknowledgement { message, left_out: Vec::new() })
    }

    fn change(&self, pauses: &mut Pauses, scope: Scope, on: bool) -> Done<String> {
        fn toggle<T: Ord>(set: &mut BTreeSet<T>, value: T, on: bool) {
            if on {
                set.insert(value);
            } else {
                set.remove(&value);
            }
        }
        Ok(match scope {
            Scope::All => {
                pauses.all = on;
                "everything".to_owned()
            }
            Scope::Person(address) => {
                let id: PersonId = self.person(&address)?.id;
                toggle(&mut pauses.people, id, on);
                format!("person {id}")
            }
            Scope::List(list) => {
                // A slip of the pen would hold nothing. What was paused under an earlier config can still be resumed.
                if on && !self.workspace.rules.all_lists().contains(&list) {
                    return Err(Trouble::usage(
                        Code::NothingSuch,
                        format!("the config names no list {list}"),
                    )
                    .with_way_out("`hsmc lists` shows those it names"));
                }
                toggle(&mut pauses.lists, list, on);
                format!("list {list}")
            }
            Scope::Service(service) => {
                toggle(&mut pauses.services, service, on);
                service.to_string()
            }
        })
    }

    async fn keep(&self, pauses: Pauses) -> Done<()> {
        let journal = &self.workspace.shared.journal;
        let mut batch = Batch::new();
        journal.meta_put(&mut batch, PAUSES, &pauses)?;
        journal.commit(batch).await?;
        self.workspace.shared.set_pauses(pauses);
        Ok(())
    }
}

/// Whether a move can do what is asked of it, in the operator's words.
fn can_be_asked(id: MoveId, status: &MoveStatus, request: OperatorRequest) -> Done<()> {
    let is_stuck = matches!(status.phase, Phase::Stuck { .. });
    let kind = status.draft.kind;
    match request {
        OperatorRequest::Skip if status.waits_for_target() => Ok(()),
        OperatorRequest::Retry | OperatorRequest::Skip if !is_stuck => {
            Err(Trouble::usage(Code::NotNow, format!("move {id} is not stuck: it goes on by itself"))
                .with_way_out(format!("`hsmc status {id}` tells what it waits for")))
        }
        OperatorRequest::RollBack | OperatorRequest::Cancel
            if kind.overtakes() || (status.has_begun() && status.is_past_pivot()) =>
        {
            Err(Trouble::usage(Code::NotNow, format!("move {id} ({kind}) has no way back any more")).with_way_out(format!(
                "`hsmc retry {id}` once the cause is mended; `hsmc skip {id}` takes the step as done and goes on"
            )))
        }
        _ => Ok(()),
    }
}

fn json<T: Serialize>(done: Done<T>) -> Done<serde_json::Value> {
    let value = done?;
    serde_json::to_value(value).map_err(|problem| Trouble::failed(Code::Inside, problem.to_string()))
}

#[async_trait]
impl Control for App {
    async fn call(&self, call: Call) -> Result<serde_json::Value, Trouble> {
        match call {
            Call::Status(subject) => json(self.status(subject).await),
            Call::Runs(last) => json(self.runs(last)),
            Call::Run(id) => json(self.report_of(id)),
            Call::Plan(request) => json(self.plan(request, &NoProgress).await),
            Call::Apply(request) => json(self.whole(self.apply(request, &NoProgress).await)),
            Call::Sync(request) => json(self.whole(self.sync(request, &NoProgress).await)),
            Call::Approve(request) => json(self.whole(self.approve(request, &NoProgress).await)),
            Call::Reject(run) => json(self.reject(run).await),
            Call::Operate(request) => json(self.operate(request).await),
            Call::Pause(scope) => json(self.pause(scope).await),
            Call::Resume(scope) => json(self.resume(scope).await),
            Call::Adopt(request) => json(self.adopt(request).await),
            Call::NotifyTest => json(self.notify_test().await),
            Call::Why(address) => json(self.why(&address).await),
            Call::Parked => json(self.parked()),
            Call::Undo(request) => json(self.undo(request).await),
            Call::Snapshots(request) => json(self.snapshots(request).await),
            Call::Lists => json(self.lists()),
            Call::Release(request) => json(self.release(request).await),
            Call::Consent(ConsentRequest::Of(address)) => json(self.consent_of(&address).await),
            Call::Consent(ConsentRequest::Verify) => json(self.verify_consent().await),
            Call::State(request) => json(self.look_after(request).await),
            Call::People(request) => json(self.people(request).await),
            Call::Segments(request) => json(self.segments(request).await),
            Call::Forget(request) => json(self.forget(request).await),
            Call::Pull(request) => json(self.pull(request, &|_| ()).await),
            Call::PullHistory(request) => json(self.pull_history(request).await),
            Call::ClearMirror(request) => json(self.clear_mirror(request).await),
            Call::Tokens(request) => json(self.tokens(request).await),
            Call::Webhooks(request) => json(self.set_up_webhooks(request).await),
        }
    }

    fn is_leaving(&self) -> bool {
        self.workspace.is_stopping()
    }
}
