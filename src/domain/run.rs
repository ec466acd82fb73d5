//! Runs: one execution of a plan, as a journaled workflow (design §1).

use super::code::Code;
use super::id::RunId;
use super::report::{Asked, RunReport};
use super::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Where a run stands. Every change of phase is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunPhase {
    /// Reading both sides.
    Scanning,
    /// Making the plan.
    Planning,
    /// A gate asks: waits for a person.
    AwaitingApproval {
        /// Which gate, in words.
        why: String,
    },
    /// The moves are journaled and being performed.
    Applying,
    /// Writing the report.
    Reporting,
    /// Over.
    Finished(RunEnd),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunEnd {
    /// Everything planned was done (some people may be parked).
    Done,
    /// Done, but moves are stuck.
    Stuck,
    /// It could not go on.
    Failed {
        /// Why, in one line.
        why: String,
    },
    /// A newer run took its place.
    Superseded,
    /// Stopped by a signal; goes on at the next start.
    Interrupted,
    /// An operator said no to its plan.
    Rejected,
    /// An operator said yes to its plan, and another run carried it out.
    Approved {
        /// That run.
        by: RunId,
    },
}

/// Why a run was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunCause {
    /// A person asked.
    Command,
    /// It was due.
    Schedule,
    /// A saved plan was applied.
    PlanFile,
    /// An operator approved the plan of an earlier run.
    Approval,
    /// An operator undoes an earlier run, or a move of it.
    Undo,
    /// A webhook said that somebody changed: nothing but opt-outs.
    Webhook,
}

/// Counts of a run, for `status` and its report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunCounts {
    /// People by state word, after planning.
    pub people: BTreeMap<String, u64>,
    /// Moves planned, by kind word.
    pub planned: BTreeMap<String, u64>,
    /// Moves by end: `done`, `unwound`, `superseded`, `dropped`, `refused`, `stuck`, `skipped`.
    pub ended: BTreeMap<String, u64>,
    /// Whole moves left out, by the limit that left them out.
    pub left_out: BTreeMap<String, u64>,
    /// Parked by refusal word, in this run.
    pub parked: BTreeMap<String, u64>,
    /// Calls by service word.
    pub calls: BTreeMap<String, u64>,
    /// Things an operator should read: fittings, conflicts, two exit tags. Text and count.
    pub notes: BTreeMap<String, u64>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Why it was started.
    pub cause: RunCause,
    /// The earlier run it approves or undoes, or whose plan it shows as it is now.
    pub of: Option<RunId>,
    /// Whether everything was read, or only what can have changed.
    pub full: bool,
    /// When it started.
    pub started: Timestamp,
    /// When its scan's reading began: how old the plan's sight of the world is.
    pub seen: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Where it stands.
    pub phase: RunPhase,
    /// Its counts.
    pub counts: RunCounts,
    /// What its report says beside them.
    pub report: RunReport,
    /// The number of the code it failed with; kept as a number, so that one this version does not know is no damage.
    pub code: Option<u16>,
}

/// The note of a run that only showed a plan.
pub const PLAN_ONLY: &str = "plan only: nothing was applied";

impl Run {
    /// Whether it only showed a plan.
    pub fn is_plan_only(&self) -> bool {
        self.counts.notes.contains_key(PLAN_ONLY)
    }

    /// The code whose page says what to do about how it stands; none when there is nothing to do.
    pub fn code(&self) -> Option<Code> {
        match &self.phase {
            RunPhase::Scanning | RunPhase::Planning | RunPhase::Applying | RunPhase::Reporting => None,
            RunPhase::AwaitingApproval { .. } => {
                Some(self.report.asked.map_or(Code::ApprovalAsked, Asked::code))
            }
            RunPhase::Finished(end) => match end {
                RunEnd::Done | RunEnd::Approved { .. } => None,
                RunEnd::Stuck => Some(Code::MovesStuck),
                RunEnd::Failed { .. } => self.code.and_then(Code::of_number),
                RunEnd::Superseded | RunEnd::Rejected => Some(Code::PlanLapsed),
                RunEnd::Interrupted => Some(Code::Interrupted),
            },
        }
    }
}

impl fmt::Display for RunPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunPhase::Scanning => f.write_str("scanning"),
            RunPhase::Planning => f.write_str("planning"),
            RunPhase::AwaitingApproval { why } => write!(f, "waits for approval: {why}"),
            RunPhase::Applying => f.write_str("applying"),
            RunPhase::Reporting => f.write_str("reporting"),
            RunPhase::Finished(RunEnd::Done) => f.write_str("done"),
            RunPhase::Finished(RunEnd::Stuck) => f.write_str("done, with stuck moves"),
            RunPhase::Finished(RunEnd::Failed { why }) => write!(f, "failed: {why}"),
            RunPhase::Finished(RunEnd::Superseded) => f.write_str("superseded"),
            RunPhase::Finished(RunEnd::Interrupted) => f.write_str("interrupted"),
            RunPhase::Finished(RunEnd::Rejected) => f.write_str("rejected"),
            RunPhase::Finished(RunEnd::Approved { by }) => write!(f, "approved: carried out by run {by}"),
        }
    }
}
