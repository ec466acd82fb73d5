//! `hsmc people` and `hsmc segments`: their arguments.

use crate::serve::export::FileFormat;
use crate::serve::people::PeopleRequest;
use clap::{Args, Subcommand, ValueEnum};

/// `people`
#[derive(Clone, Debug, Args)]
pub struct PeopleArgs {
    /// Only members of this segment of the config
    #[arg(long, value_name = "NAME")]
    pub segment: Option<String>,
    /// Only those for whom a rule holds, such as 'lifecyclestage = customer' (docs/segments.md)
    #[arg(long = "where", value_name = "RULE")]
    pub filter: Option<String>,
    /// By this column, -COLUMN with the largest first; by record id when left out
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// At most so many; 50 in a table, everybody in a file when left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Go on where an answer ended
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
    /// Properties, or record, consent, sync_state, member, tags, lists; with commas between them
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// How they are written; json with --json
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// How people are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading
    Table,
    /// One array, a line for each
    Json,
    /// For spreadsheets: nothing in it is taken for a formula
    Csv,
    /// For what counts and joins; not for a terminal
    Parquet,
}

impl Format {
    /// The kind of file; none for what is read on a terminal.
    pub fn file(self) -> Option<FileFormat> {
        match self {
            Format::Table => None,
            Format::Json => Some(FileFormat::Json),
            Format::Csv => Some(FileFormat::Csv),
            Format::Parquet => Some(FileFormat::Parquet),
        }
    }
}

impl PeopleArgs {
    /// The first page.
    pub fn request(&self) -> PeopleRequest {
        PeopleRequest {
            segment: self.segment.clone(),
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            columns: self.columns.clone(),
            limit: 0,
            cursor: self.cursor.clone(),
        }
    }
}

/// `segments …`
#[derive(Clone, Debug, Subcommand)]
pub enum SegmentsCommand {
    /// Show one, with some of its members
    Show {
        /// Its name
        name: String,
    },
}
