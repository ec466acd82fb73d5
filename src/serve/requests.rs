//! What can be asked of a running system. Values only; they travel over the control socket as JSON.

use crate::domain::event::OperatorRequest;
use crate::domain::failure::Service;
use crate::domain::id::{ListId, MoveId, RunId};
use crate::domain::time::Timestamp;
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
