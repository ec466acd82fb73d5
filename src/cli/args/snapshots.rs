//! `hsmc snapshots`: its arguments.

use super::words::{list_id, run_id};
use crate::domain::id::{ListId, RunId};
use crate::serve::snapshots::{SnapshotPart, SnapshotsRequest};
use clap::{Args, Subcommand};

/// `snapshots …`
#[derive(Clone, Debug, Subcommand)]
pub enum SnapshotsCommand {
    /// Show what a run's scan saw: in counts, or of a list, a tag or a person
    Show(SnapshotShowArgs),
    /// Show who joined or left which list, gained or lost which tag, changed status
    Diff {
        /// The run of the first scan
        #[arg(value_parser = run_id)]
        from: RunId,
        /// The run of the second
        #[arg(value_parser = run_id)]
        to: RunId,
    },
}

/// `snapshots show`
#[derive(Clone, Debug, Args)]
pub struct SnapshotShowArgs {
    /// The run that made the scan
    #[arg(value_parser = run_id)]
    pub run: RunId,
    /// One person
    #[arg(value_name = "ADDRESS", conflicts_with_all = ["list", "tag"])]
    pub person: Option<String>,
    /// Everybody in a list
    #[arg(long, value_name = "ID", value_parser = list_id, conflicts_with = "tag")]
    pub list: Option<ListId>,
    /// Everybody who bears a tag
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
}

impl From<&SnapshotsCommand> for SnapshotsRequest {
    fn from(command: &SnapshotsCommand) -> SnapshotsRequest {
        match command {
            SnapshotsCommand::Diff { from, to } => SnapshotsRequest::Diff { from: *from, to: *to },
            SnapshotsCommand::Show(args) => {
                let part = match args {
                    SnapshotShowArgs { person: Some(person), .. } => SnapshotPart::Person(person.clone()),
                    SnapshotShowArgs { list: Some(list), .. } => SnapshotPart::List(*list),
                    SnapshotShowArgs { tag: Some(tag), .. } => SnapshotPart::Tag(tag.clone()),
                    SnapshotShowArgs { .. } => SnapshotPart::All,
                };
                SnapshotsRequest::Show { run: args.run, part }
            }
        }
    }
}
