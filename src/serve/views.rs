//! What is shown: plain values, equal on the control socket, in `--json` and under the tables.
//! Moments are milliseconds since 1970 in UTC, lengths of time are milliseconds.
//!
//! A `person` is an address only where an operator asks on their own terminal; elsewhere it is the
//! person's number (design §3.13).

use super::alert_views::{AlertView, TargetView};
use crate::domain::code::Code;
use crate::domain::id::{MoveId, RunId};
use crate::domain::report::{ApprovalAsked, RunReport};
use crate::domain::run::{Run, RunCause, RunCounts, RunEnd, RunPhase};
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a process owns the state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessView {
    /// It does.
    Running(RunningView),
    /// None does: this is what the last one left.
    NotRunning,
}

/// The process that owns a state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningView {
    /// Its id.
    pub pid: u32,
    /// `daemon`, `sync`.
    pub what: String,
}

/// Everything at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusView {
    /// When this was true.
    pub at: Timestamp,
    /// The workspace's name.
    pub workspace: String,
    /// Who runs.
    pub process: ProcessView,
    /// The last run that ended.
    pub last_run: Option<RunView>,
    /// The run in progress.
    pub current_run: Option<RunView>,
    /// When the next is due.
    pub next_run_at: Option<Timestamp>,
    /// Open moves, the most urgent first; cut, see `open_moves`.
    pub moves: Vec<MoveView>,
    /// How many are open in all.
    pub open_moves: u64,
    /// Open moves by phase word.
    pub by_phase: BTreeMap<String, u64>,
    /// Lanes with work.
    pub lanes: Vec<LaneView>,
    /// The two accounts.
    pub budgets: Vec<BudgetView>,
    /// What is paused, in words.
    pub pauses: Vec<String>,
    /// What whoever runs hsmc should know besides, in words.
    #[serde(default)]
    pub notices: Vec<String>,
    /// People by state word.
    pub people: BTreeMap<String, u64>,
    /// Alerts that stand, the worst first.
    #[serde(default)]
    pub alerts: Vec<AlertView>,
    /// How telling them goes, by target.
    #[serde(default)]
    pub told: Vec<TargetView>,
}

/// One open move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoveView {
    /// Which.
    pub id: MoveId,
    /// Whose.
    pub person: String,
    /// Kind word.
    pub kind: String,
    /// Where it stands.
    pub phase: MovePhase,
    /// The code of what holds it up.
    #[serde(default)]
    pub code: Option<Code>,
    /// The step it is at: `2/5 leave list 987`.
    pub step: String,
    /// Tries of this step so far.
    pub attempts: u32,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
    /// What it waits for, in words.
    pub waiting_for: Option<String>,
    /// Since it was planned.
    pub age_ms: u64,
    /// The last failure, in one line.
    pub last_error: Option<String>,
}

/// Where an open move stands, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MovePhase {
    /// It can neither go on nor be unwound.
    Stuck,
    /// This hsmc cannot read what was recorded of it, or not go on with it.
    Incompatible,
    /// Its steps are being undone.
    Unwinding,
    /// A step failed and is tried again later.
    Retrying,
    /// Held back by an operator.
    Paused,
    /// A call is under way.
    Running,
    /// For its turn.
    Waiting,
}

impl MovePhase {
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            MovePhase::Stuck => "stuck",
            MovePhase::Incompatible => "incompatible",
            MovePhase::Unwinding => "unwinding",
            MovePhase::Retrying => "retrying",
            MovePhase::Paused => "paused",
            MovePhase::Running => "running",
            MovePhase::Waiting => "waiting",
        }
    }
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaneView {
    /// `list 946`, `tag Recruitment`, `audience`.
    pub target: String,
    /// Steps waiting.
    pub queued: u64,
    /// Steps in a call.
    pub in_flight: u64,
    /// Held back.
    pub paused: bool,
}

/// The budget of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetView {
    /// `HubSpot`, `Mailchimp`.
    pub service: String,
    /// Calls in the window, or connections in use.
    pub used: u64,
    /// The most.
    pub max: u64,
    /// The window's length in seconds; 0 where connections are counted.
    pub window_s: u64,
    /// Calls left today, as the service says.
    pub remaining_today: Option<u64>,
    /// What the breaker says: `closed`, `open until …`, `credentials refused`.
    pub breaker: String,
}

/// How a run stands, for exit codes and scripts; `phase` beside it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// In progress.
    Running,
    /// A gate asks.
    NeedsApproval,
    /// Over, everything done.
    Done,
    /// Over, moves are stuck.
    Stuck,
    /// It could not go on.
    Failed,
    /// A newer run took its place.
    Superseded,
    /// Stopped by a signal.
    Interrupted,
    /// An operator said no to its plan.
    Rejected,
    /// An operator said yes to its plan, and another run carried it out.
    Approved,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    /// Its number.
    pub id: RunId,
    /// `command`, `plan` where nothing but that was made, `schedule`, `plan file`, `approval`, `undo`, `webhook`.
    pub cause: String,
    /// The earlier run that it approves or undoes, or whose plan it shows as it is now.
    pub of: Option<RunId>,
    /// Whether everything was read.
    pub full: bool,
    /// How it stands.
    pub state: RunState,
    /// The code of that; none when there is nothing to do.
    #[serde(default)]
    pub code: Option<Code>,
    /// Words of its counts and report that have a page, with their codes.
    #[serde(default)]
    pub codes: BTreeMap<String, Code>,
    /// The same in words, with the reason.
    pub phase: String,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Its counts.
    pub counts: RunCounts,
    /// What its report says beside them.
    pub report: RunReport,
    /// What it asks, while it waits for a yes.
    pub asks: Option<ApprovalAsked>,
}

impl RunView {
    /// Whether its audience is what was planned: not what has become of it.
    pub fn plans_audience(&self) -> bool {
        !matches!(self.state, RunState::Done | RunState::Stuck | RunState::Failed)
    }
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> RunView {
        let cause = match run.cause {
            _ if run.is_plan_only() => "plan",
            RunCause::Command => "command",
            RunCause::Schedule => "schedule",
            RunCause::PlanFile => "plan file",
            RunCause::Approval => "approval",
            RunCause::Undo => "undo",
            RunCause::Webhook => "webhook",
        };
        let state = match &run.phase {
            RunPhase::Scanning | RunPhase::Planning | RunPhase::Applying | RunPhase::Reporting => {
                RunState::Running
            }
            RunPhase::AwaitingApproval { .. } => RunState::NeedsApproval,
            RunPhase::Finished(RunEnd::Done) => RunState::Done,
            RunPhase::Finished(RunEnd::Stuck) => RunState::Stuck,
            RunPhase::Finished(RunEnd::Failed { .. }) => RunState::Failed,
            RunPhase::Finished(RunEnd::Superseded) => RunState::Superseded,
            RunPhase::Finished(RunEnd::Interrupted) => RunState::Interrupted,
            RunPhase::Finished(RunEnd::Rejected) => RunState::Rejected,
            RunPhase::Finished(RunEnd::Approved { .. }) => RunState::Approved,
        };
        RunView {
            id: run.id,
            cause: cause.to_owned(),
            of: run.of,
            full: run.full,
            state,
            code: run.code(),
            codes: super::codes::of_run(run),
            phase: run.phase.to_string(),
            started: run.started,
            ended: run.ended,
            counts: run.counts.clone(),
            report: run.report.clone(),
            asks: ApprovalAsked::of(run),
        }
    }
}

/// One move with its whole life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoveDetailView {
    /// Which.
    pub id: MoveId,
    /// Whose.
    pub person: String,
    /// Kind word.
    pub kind: String,
    /// Why it was made: rule and text.
    pub reason: String,
    /// Where it stands, or how it ended.
    pub standing: String,
    /// The code of what holds it up, or of what ended it.
    #[serde(default)]
    pub code: Option<Code>,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
    /// Every event, oldest first, one line each.
    pub events: Vec<String>,
}

/// One step, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// What shall be true.
    pub text: String,
    /// It cannot be undone (design §3.15).
    pub for_good: bool,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// When the world was seen.
    pub seen: Timestamp,
    /// Whether everything was read.
    pub full: bool,
    /// Moves by kind word.
    pub planned: BTreeMap<String, u64>,
    /// People by state word.
    pub people: BTreeMap<String, u64>,
    /// Whole moves left out, by the limit that left them out.
    pub left_out: BTreeMap<String, u64>,
    /// Things an operator should read, with their count.
    pub notes: BTreeMap<String, u64>,
    /// What it takes as given: people found so, whom no move of hsmc made so, with their count (R28a).
    #[serde(default)]
    pub given: BTreeMap<String, u64>,
    /// The gate that asks, in words.
    pub gate: Option<String>,
    /// The moves; cut, see `total`.
    pub moves: Vec<PlanMoveView>,
    /// How many there are in all.
    pub total: u64,
    /// Where the plan was saved.
    pub saved: Option<String>,
}

/// One move of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanMoveView {
    /// Whose.
    pub person: String,
    /// Kind word.
    pub kind: String,
    /// Rule and text.
    pub reason: String,
    /// In order.
    pub steps: Vec<StepView>,
}

/// The report of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportView {
    /// The run with its counts.
    pub run: RunView,
    /// Moves stuck now.
    pub stuck: Vec<MoveView>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// No run can start.
    Error,
    /// A run would start, but something is likely not meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// One finding of `check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What it is: its page says what to do. None for a note that asks for nothing.
    pub code: Option<Code>,
    /// File, line and key.
    pub place: String,
    /// What was found.
    pub message: String,
    /// What to do; empty for a note.
    pub way_out: String,
}

/// What `check` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// What was looked at, in words: `config`, `HubSpot account`, …
    pub checked: Vec<String>,
    /// Findings.
    pub findings: Vec<Finding>,
}

/// A request was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acknowledgement {
    /// What happens now, in one sentence.
    pub message: String,
    /// What could not be done, a line each.
    pub left_out: Vec<String>,
}

/// What the demo showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoView {
    /// What was checked at the end, and whether it held.
    pub checks: Vec<(String, bool)>,
    /// The seed, to run the same again.
    pub seed: u64,
}

/// The answer to `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StatusAnswer {
    /// Of everything, or of one list.
    Overview(Box<StatusView>),
    /// Of one run.
    Run(Box<ReportView>),
    /// Of one move, or of one person's moves.
    Moves(Vec<MoveDetailView>),
}

/// The answer to `sync` and `apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SyncAnswer {
    /// It ran, or stands before a gate.
    Ran(Box<ReportView>),
    /// It was a dry run, or `apply = "never"`.
    Planned(Box<PlanView>),
}
