//! What can be asked of a running system. Values only; they travel over the control socket as JSON.

use super::consent::ConsentRequest;
use super::forget::ForgetRequest;
use super::state::StateRequest;
use crate::domain::code::Code;
use crate::domain::event::OperatorRequest;
use crate::domain::failure::Service;
use crate::domain::id::{ListId, MoveId, RunId};
use crate::domain::time::Timestamp;
use crate::serve::hooks_setup::WebhooksRequest;
use crate::serve::parked::ReleaseRequest;
use crate::serve::people::{PeopleRequest, SegmentsRequest};
use crate::serve::pull::{ClearRequest, HistoryRequest, PullRequest};
use crate::serve::snapshots::SnapshotsRequest;
use crate::serve::tokens::TokenRequest;
use crate::serve::undo::UndoRequest;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Narrows a run; never changes its meaning (R26).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Only {
    /// People of this list.
    List(ListId),
    /// This person, by address.
    Contact(String),
}

/// Make a plan and show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Save it here, to be applied later.
    pub out: Option<PathBuf>,
    /// Only these; everybody when empty.
    pub only: Vec<Only>,
    /// At most so many moves.
    pub limit: Option<u64>,
    /// Read everything.
    pub full: bool,
}

/// Apply a saved plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyRequest {
    /// The plan.
    pub file: PathBuf,
}

/// Carry out what a waiting run has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveRequest {
    /// Which run.
    pub run: RunId,
    /// Plan and show only.
    pub dry_run: bool,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// Passes gates, never limits.
    pub yes: bool,
    /// Plan and show only.
    pub dry_run: bool,
    /// Read everything.
    pub full: bool,
    /// Read what changed since then.
    pub since: Option<Timestamp>,
    /// Only these; everybody when empty.
    pub only: Vec<Only>,
    /// At most so many moves.
    pub limit: Option<u64>,
}

/// What `status` is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Everything.
    All,
    /// One move.
    Move(MoveId),
    /// One run.
    Run(RunId),
    /// What waits for one list.
    List(ListId),
    /// One person, by address.
    Person(String),
}

/// What a pause holds back. Opt-outs are never held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    All,
    /// One person, by address.
    Person(String),
    /// One list.
    List(ListId),
    /// One side.
    Service(Service),
}

/// An operator's word on one move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperateRequest {
    /// Which move.
    pub id: MoveId,
    /// What to do with it.
    pub request: OperatorRequest,
}

/// Settles that archived members may be restored (R6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdoptRequest {
    /// These people, by address.
    People(Vec<String>),
    /// Everybody in this list.
    List(ListId),
}

/// The two services on a loopback port, with a day's worth of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxRequest {
    /// Which story.
    pub scenario: String,
    /// Of its chance.
    pub seed: u64,
    /// Where to listen; 0 takes a free one.
    pub port: u16,
    /// Added to each answer.
    pub latency_ms: u64,
    /// How many people, instead of the scenario's own number.
    pub people: Option<u32>,
}

/// Everything that can be asked of the process that owns a state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// What goes on.
    Status(Subject),
    /// The last runs.
    Runs(usize),
    /// One run's report.
    Run(RunId),
    /// Scan and plan.
    Plan(PlanRequest),
    /// Apply a saved plan.
    Apply(ApplyRequest),
    /// One run.
    Sync(SyncRequest),
    /// Carry out what a waiting run has shown.
    Approve(ApproveRequest),
    /// End a waiting run.
    Reject(RunId),
    /// An operator's word on a move.
    Operate(OperateRequest),
    /// Hold work back.
    Pause(Scope),
    /// Let it go on.
    Resume(Scope),
    /// Settle who may be enrolled again.
    Adopt(AdoptRequest),
    /// Send a test message to everybody who is told of alerts.
    NotifyTest,
    /// One person's timeline, by address.
    Why(String),
    /// Whom hsmc leaves alone for good.
    Parked,
    /// The lists that the config names.
    Lists,
    /// Let people be judged afresh.
    Release(ReleaseRequest),
    /// Evidence of consent.
    Consent(ConsentRequest),
    /// Look after the state directory.
    State(StateRequest),
    /// Take a run or a move back.
    Undo(UndoRequest),
    /// What kept scans saw.
    Snapshots(SnapshotsRequest),
    /// One page of people.
    People(PeopleRequest),
    /// Segments, and who belongs to one.
    Segments(SegmentsRequest),
    /// Forget somebody for good.
    Forget(ForgetRequest),
    /// Copy HubSpot's objects into the mirror.
    Pull(PullRequest),
    /// Past pulls.
    PullHistory(HistoryRequest),
    /// Empty the mirror, or show what is in it.
    ClearMirror(ClearRequest),
    /// Who may ask over HTTP.
    Tokens(TokenRequest),
    /// How webhooks are set up.
    Webhooks(WebhooksRequest),
}

impl Call {
    /// Whether asking once more comes to the same, however far the first time came: questions, and runs, which go on
    /// where the last one stood. An operator's word may have been taken already.
    pub fn may_be_repeated(&self) -> bool {
        match self {
            Call::Status(_)
            | Call::Runs(_)
            | Call::Run(_)
            | Call::Plan(_)
            | Call::Apply(_)
            | Call::Sync(_)
            | Call::Why(_)
            | Call::Parked
            | Call::Lists
            | Call::Consent(_)
            | Call::Pull(_)
            | Call::PullHistory(_)
            | Call::Snapshots(_)
            | Call::People(_)
            | Call::Segments(_) => true,
            Call::Approve(request) => request.dry_run,
            Call::Reject(_)
            | Call::Operate(_)
            | Call::Pause(_)
            | Call::Resume(_)
            | Call::Adopt(_)
            | Call::NotifyTest
            | Call::Release(_) => false,
            Call::Undo(request) => !request.apply,
            Call::Forget(request) => request.dry_run,
            Call::State(request) => matches!(request, StateRequest::Size | StateRequest::Check),
            Call::Webhooks(request) => !request.setup,
            Call::ClearMirror(request) => request.confirm.is_none(),
            Call::Tokens(request) => *request == TokenRequest::List,
        }
    }
}

/// What went wrong, on its way to the terminal: one message, the place, the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The exit code it means.
    pub exit: u8,
    /// What it is: its page says what to do.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// Where; may be empty.
    pub place: String,
    /// What to do; may be empty.
    pub way_out: String,
}

impl Trouble {
    /// It failed.
    pub fn failed(code: Code, message: impl Into<String>) -> Trouble {
        Trouble { exit: 1, code, message: message.into(), place: String::new(), way_out: String::new() }
    }

    /// What was asked for makes no sense here.
    pub fn usage(code: Code, message: impl Into<String>) -> Trouble {
        Trouble { exit: 2, ..Trouble::failed(code, message) }
    }

    /// The same, with the way out.
    #[must_use]
    pub fn with_way_out(mut self, way_out: impl Into<String>) -> Trouble {
        self.way_out = way_out.into();
        self
    }
}
