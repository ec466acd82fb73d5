//! What the command line needs of the running system: one method per operation, values in and out.
//! With a daemon running, an implementation asks it through the control socket; otherwise it owns the
//! state directory itself.

use super::error::Failure;
use super::progress::Progress;
use crate::domain::id::RunId;
use crate::serve::alert_views::TestedView;
use crate::serve::bench::{BenchRequest, BenchView, Part, PartView};
use crate::serve::consent::{ChainView, ConsentView};
use crate::serve::forget::{ForgetRequest, ForgetView};
use crate::serve::hooks_setup::{WebhooksRequest, WebhooksView};
use crate::serve::lists::ListsView;
use crate::serve::parked::{ParkedView, ReleaseRequest};
use crate::serve::people::{PeoplePage, PeopleRequest, SegmentsRequest, SegmentsView};
use crate::serve::pull::{ClearRequest, ClearView, HistoryRequest, PullAnswer, PullRequest, PullView};
use crate::serve::requests::{
    AdoptRequest, ApplyRequest, ApproveRequest, OperateRequest, PlanRequest, SandboxRequest, Scope, Subject,
    SyncRequest,
};
use crate::serve::snapshots::{SnapshotsAnswer, SnapshotsRequest};
use crate::serve::state::{RestoreView, StateAnswer, StateRequest};
use crate::serve::tokens::{TokenAnswer, TokenRequest};
use crate::serve::undo::{UndoAnswer, UndoRequest};
use crate::serve::views::{
    Acknowledgement, CheckView, DemoView, PlanView, ReportView, RunView, StatusAnswer, SyncAnswer,
};
use crate::serve::why::WhyView;
use async_trait::async_trait;
use std::path::PathBuf;

/// What an operation answers.
pub type Answer<T> = Result<T, Failure>;

/// The system behind the commands.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Shows on simulated accounts what hsmc does; tells its story through `progress`.
    async fn demo(&self, crash: bool, seed: u64, progress: &dyn Progress) -> Answer<DemoView>;
    /// Serves the simulated accounts until stopped.
    async fn sandbox(&self, request: SandboxRequest, progress: &dyn Progress) -> Answer<()>;
    /// Looks at the config and the accounts (R27). A config that does not load is a finding, not a
    /// failure.
    async fn check(&self, progress: &dyn Progress) -> Answer<CheckView>;
    /// Scans and plans.
    async fn plan(&self, request: PlanRequest, progress: &dyn Progress) -> Answer<PlanView>;
    /// Applies a saved plan.
    async fn apply(&self, request: ApplyRequest, progress: &dyn Progress) -> Answer<SyncAnswer>;
    /// One run.
    async fn sync(&self, request: SyncRequest, progress: &dyn Progress) -> Answer<SyncAnswer>;
    /// Carries out what a waiting run has shown.
    async fn approve(&self, request: ApproveRequest, progress: &dyn Progress) -> Answer<SyncAnswer>;
    /// Ends a waiting run.
    async fn reject(&self, run: RunId) -> Answer<Acknowledgement>;
    /// Runs on schedule until stopped.
    async fn daemon(&self, progress: &dyn Progress) -> Answer<()>;
    /// What goes on.
    async fn status(&self, subject: Subject) -> Answer<StatusAnswer>;
    /// The last runs, the newest first.
    async fn runs(&self, last: usize) -> Answer<Vec<RunView>>;
    /// The report of one run.
    async fn run(&self, id: RunId) -> Answer<ReportView>;
    /// Retry, skip, roll back or cancel a move.
    async fn operate(&self, request: OperateRequest) -> Answer<Acknowledgement>;
    /// Holds work back.
    async fn pause(&self, scope: Scope) -> Answer<Acknowledgement>;
    /// Lets it go on.
    async fn resume(&self, scope: Scope) -> Answer<Acknowledgement>;
    /// Looks after the state directory.
    async fn state(&self, request: StateRequest) -> Answer<StateAnswer>;
    /// Puts a backup in its place; nobody may use it meanwhile.
    async fn restore(&self, file: PathBuf, force: bool) -> Answer<RestoreView>;
    /// Sends a test message to everybody who is told of alerts.
    async fn notify_test(&self) -> Answer<Vec<TestedView>>;
    /// Settles who may be enrolled again.
    async fn adopt(&self, request: AdoptRequest) -> Answer<Acknowledgement>;
    /// One person's whole timeline, by address.
    async fn why(&self, address: &str) -> Answer<WhyView>;
    /// Whom hsmc leaves alone for good.
    async fn parked(&self) -> Answer<ParkedView>;
    /// The lists that the config names.
    async fn lists(&self) -> Answer<ListsView>;
    /// Lets people be judged afresh.
    async fn release(&self, request: ReleaseRequest) -> Answer<Acknowledgement>;
    /// The evidence of a person's consent.
    async fn consent_of(&self, address: String) -> Answer<ConsentView>;
    /// Deletes somebody for good, or says what that would do.
    async fn forget(&self, request: ForgetRequest) -> Answer<ForgetView>;
    /// Whether the chain of evidence holds.
    async fn verify_consent(&self) -> Answer<ChainView>;
    /// Takes a run or a move back, or shows what that would be.
    async fn undo(&self, request: UndoRequest) -> Answer<UndoAnswer>;
    /// Measures hsmc on this machine.
    async fn bench(&self, request: BenchRequest, progress: &dyn Progress) -> Answer<BenchView>;
    /// Does a part of a benchmark, in the process that was started for it.
    async fn bench_part(&self, part: Part) -> Answer<PartView>;
    /// Copies HubSpot's objects into the mirror.
    async fn pull(&self, request: PullRequest, progress: &dyn Progress) -> Answer<PullAnswer>;
    /// Past pulls, the newest first.
    async fn pull_history(&self, request: HistoryRequest) -> Answer<Vec<PullView>>;
    /// Empties the mirror, or says what is in it.
    async fn clear_mirror(&self, request: ClearRequest) -> Answer<ClearView>;
    /// People, page after page: each is handed over, and what is handed back is asked next.
    async fn people(
        &self,
        request: PeopleRequest,
        take: &mut (dyn FnMut(PeoplePage) -> Option<PeopleRequest> + Send),
    ) -> Answer<()>;
    /// The segments of the config, or one of them.
    async fn segments(&self, request: SegmentsRequest) -> Answer<SegmentsView>;
    /// Who may ask over HTTP.
    async fn tokens(&self, request: TokenRequest) -> Answer<TokenAnswer>;
    /// How webhooks are set up.
    async fn webhooks(&self, request: WebhooksRequest) -> Answer<WebhooksView>;
    /// What kept scans saw.
    async fn snapshots(&self, request: SnapshotsRequest) -> Answer<SnapshotsAnswer>;
}
