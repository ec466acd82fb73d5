//! What makes runs, shows them and takes them back: the arguments of `plan`, `sync`, `runs` and `undo`.

use super::words::{list_id, run_id};
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use crate::serve::requests::{Only, PlanRequest, SyncRequest};
use crate::serve::undo::UndoOf;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What narrows a run.
#[derive(Clone, Debug, Args)]
pub struct Narrow {
    /// Only these people: list=ID or contact=ADDRESS; may be given several times
    #[arg(long, value_name = "list=ID|contact=ADDRESS", value_parser = only)]
    pub only: Vec<Only>,
    /// At most N moves; opt-outs always go
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Read everything, not only what can have changed
    #[arg(long)]
    pub full: bool,
}

fn only(text: &str) -> Result<Only, String> {
    match text.split_once('=') {
        Some(("list", id)) => list_id(id).map(Only::List),
        Some(("contact", address)) if address.contains('@') => Ok(Only::Contact(address.to_owned())),
        _ => Err("write list=ID or contact=ADDRESS".to_owned()),
    }
}

/// `plan`
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Save the plan, to look at and apply later
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What narrows it.
    #[command(flatten)]
    pub narrow: Narrow,
}

impl From<&PlanArgs> for PlanRequest {
    fn from(args: &PlanArgs) -> PlanRequest {
        let Narrow { only, limit, full } = args.narrow.clone();
        PlanRequest { out: args.out.clone(), only, limit, full }
    }
}

/// `sync`
#[derive(Clone, Debug, Args)]
pub struct SyncArgs {
    /// Pass gates (never limits)
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Read what changed since a date (2026-11-23) or moment (2026-11-23T14:00:00Z)
    #[arg(long, value_name = "DATE", value_parser = moment, conflicts_with = "full")]
    pub since: Option<Timestamp>,
    /// What narrows it.
    #[command(flatten)]
    pub narrow: Narrow,
}

impl From<&SyncArgs> for SyncRequest {
    fn from(args: &SyncArgs) -> SyncRequest {
        let Narrow { only, limit, full } = args.narrow.clone();
        SyncRequest { yes: args.yes, dry_run: args.dry_run, full, since: args.since, only, limit }
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| format!("`{text}` is no date such as 2026-11-23"))
}

/// `runs …`
#[derive(Clone, Debug, Subcommand)]
pub enum RunsCommand {
    /// Show the report of one run
    Show {
        /// Its number
        #[arg(value_parser = run_id)]
        id: RunId,
        /// Write it as a page to this file: whole in itself, people as numbers
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        html: Option<PathBuf>,
    },
}

/// `undo`
#[derive(Clone, Debug, Args)]
pub struct UndoArgs {
    /// A run (12) or a move (12.3)
    #[arg(value_name = "RUN|MOVE", value_parser = undo_of)]
    pub of: UndoOf,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do it without asking (limits hold)
    #[arg(long)]
    pub yes: bool,
}

fn undo_of(text: &str) -> Result<UndoOf, String> {
    if let Ok(id) = text.parse() {
        return Ok(UndoOf::Move(id));
    }
    text.parse().map(UndoOf::Run).map_err(|_| "write a run (12) or a move (12.3)".to_owned())
}
