//! The command line: reads arguments, asks the backend, shows the answer.
//!
//! Promises: data goes to standard output, everything else to standard error; `--json` prints the view
//! that the table is made of; exit codes are those of [`ExitCode`]. Never: a rule, a call to a service,
//! or a look into the state directory.

pub mod args;
mod backend;
mod commands;
mod demo;
mod error;
mod exit_code;
mod holding;
mod printable;
mod progress;
pub mod render;
mod signals;
mod system;
pub mod table;
mod table_sheet;

pub use args::{Cli, Command, Global};
pub use backend::{Answer, Backend};
pub use commands::run;
pub use error::{Failure, Problem};
pub use exit_code::ExitCode;
pub use progress::{Progress, Silent, Watch};
pub use system::System;

use crate::config::{self, Environment};
use crate::domain::code::Code;
use crate::telemetry::{Level, LogFile, Logging};
use clap::Parser;
use std::io::{IsTerminal, Write};
use std::path::Path;
use table::Layout;

/// What the process was started with, as far as its output depends on it.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// Layout of standard output.
    pub layout: Layout,
    /// Whether somebody watches standard output.
    pub watched: bool,
    /// Whether somebody watches standard error.
    pub errors_watched: bool,
    /// Colours on standard error.
    pub errors_colour: bool,
    /// Whether a failure is told as JSON.
    pub json: bool,
}

impl Terminal {
    /// Of this process: colours only on a terminal, without `--no-color` and `NO_COLOR`.
    pub fn of_process(global: &Global) -> Terminal {
        let colour = !global.no_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let watched = std::io::stdout().is_terminal();
        let errors_watched = std::io::stderr().is_terminal();
        Terminal {
            layout: Layout { colour: colour && watched, ..Layout::PLAIN },
            watched,
            errors_watched,
            errors_colour: colour && errors_watched,
            json: global.json,
        }
    }

    /// How logs look here.
    pub fn logging(&self, cli: &Cli) -> Logging {
        let global = &cli.global;
        // A command that only asks writes nothing into a file that a daemon turns over.
        let runs = matches!(
            cli.command,
            Command::Daemon
                | Command::Sync(_)
                | Command::Apply { .. }
                | Command::Approve { .. }
                | Command::Pull(_)
        );
        let file = global.log_file.clone().map(LogFile::at).or_else(|| {
            // A config that does not load is told of by the command itself.
            let config = config::load(&global.config, &Environment::of_process()).ok().filter(|_| runs)?;
            let folder = global.config.parent().unwrap_or(Path::new(""));
            let config::Log { file, level, size, keep } = config.log;
            let level = Level::parse(&level).unwrap_or_default();
            Some(LogFile { path: folder.join(file?), level, size, keep })
        });
        let asked = matches!(&cli.command, Command::Pull(args) if args.debug);
        let verbosity = if asked { global.verbose.max(2) } else { global.verbose };
        Logging { verbosity, json: global.json, colour: self.errors_colour, file }
    }
}

/// Reads the command line. Help and version are answered here; mistakes end with [`ExitCode::Usage`].
///
/// # Errors
/// The exit code to end with, after the answer or message was printed.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done };
        // A closed pipe is the reader's business, not a failure.
        error.print().ok();
        if code == ExitCode::Usage {
            let code = Code::CommandLine;
            std::io::stderr().write_all(format!("code {code}; more: hsmc explain {code}\n").as_bytes()).ok();
        }
        code
    })
}

/// Prints a failure to standard error.
pub fn complain(failure: &Failure, terminal: &Terminal) -> ExitCode {
    let width = terminal.errors_watched.then_some(usize::from(terminal.layout.width));
    // With standard error gone, the exit code is all that can be said.
    let text = if terminal.json { failure.json() } else { failure.render(width, terminal.errors_colour) };
    std::io::stderr().write_all(text.as_bytes()).ok();
    failure.exit
}
