//! What `undo` asks for and shows. People are named by address: this goes to an operator's own terminal only.

use super::views::{PlanMoveView, ReportView};
use crate::domain::id::{MoveId, RunId};
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UndoOf {
    /// Everything a run has done.
    Run(RunId),
    /// What one move has done.
    Move(MoveId),
}

/// Undo something, or show what that would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRequest {
    /// What.
    pub of: UndoOf,
    /// Do it; else it is planned only.
    pub apply: bool,
    /// The moves that somebody has seen and said yes to, by fingerprint; none when whatever comes out may be
    /// done.
    pub agreed: Option<Vec<String>>,
}

/// A plan to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoView {
    /// `run 12`, `move 12.3`.
    pub of: String,
    /// When both sides were read.
    pub seen: Timestamp,
    /// The moves; cut, see `total`.
    pub moves: Vec<PlanMoveView>,
    /// How many there are in all.
    pub total: u64,
    /// All of them, by fingerprint.
    pub agreed: Vec<String>,
    /// What stays as it is; cut, see `stays_total`.
    pub stays: Vec<StaysView>,
    /// How much stays in all.
    pub stays_total: u64,
    /// The same counted, by reason.
    pub stays_because: BTreeMap<String, u64>,
    /// Whole moves left out, by the limit that left them out.
    pub left_out: BTreeMap<String, u64>,
    /// Why the plan would surprise: `max_changed_share`.
    pub gate: Option<String>,
    /// Things to be read.
    pub notes: Vec<String>,
}

/// Something that is not undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaysView {
    /// Whose.
    pub person: String,
    /// Of which move.
    pub of: MoveId,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// The answer to `undo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoAnswer {
    /// The plan.
    pub plan: UndoView,
    /// What became of it; none when it was planned only, or there was nothing to do.
    pub report: Option<ReportView>,
}
