//! `hsmc state` and `hsmc config`: their arguments.

use clap::Subcommand;
use std::path::PathBuf;

/// `state …`
#[derive(Clone, Debug, Subcommand)]
pub enum StateCommand {
    /// Show what takes how much room
    Size,
    /// Check that everything is as it was written, without changing it
    Check,
    /// Write a backup, while a daemon runs or without one
    Backup {
        /// A new file, .tar.zst or .tar.gz, or a new directory
        #[arg(value_name = "FILE|DIR")]
        file: PathBuf,
    },
    /// Put a backup in the place of the state directory
    Restore {
        /// A backup
        #[arg(value_name = "FILE|DIR")]
        file: PathBuf,
        /// Move aside what is there
        #[arg(long)]
        force: bool,
    },
    /// Let go of the room of what was deleted
    Compact,
}

/// `config …`
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Tell what a key does, its default, and what set the value in force; without a key, list all
    Explain {
        /// Such as `sync.every` or `group[0].list[1].tag`
        key: Option<String>,
    },
    /// Show every value in force and what set it; secrets stay hidden
    Show,
    /// Print the JSON Schema of the config file, for editors
    Schema,
}
