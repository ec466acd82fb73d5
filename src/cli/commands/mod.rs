//! One file per noun. A command asks the backend and shows the answer; what is asked and answered are
//! values of `serve`.

mod accounts;
mod bench;
mod config;
mod consent;
mod explain;
mod export;
mod forget;
mod init;
mod lists;
mod moves;
mod notify;
mod people;
mod plan;
mod pull;
mod runs;
mod segments;
mod setup;
mod simulate;
mod snapshots;
mod state;
mod status;
mod token;
mod undo;
mod webhooks;

use super::Terminal;
use super::args::{Cli, Command, ParkedCommand};
use super::backend::Backend;
use super::error::Failure;
use super::exit_code::ExitCode;
use super::printable::printable;
use super::progress::Watch;
use super::table::Layout;
use crate::domain::code::Code;
use crate::serve::parked::ReleaseRequest;
use crate::serve::snapshots::SnapshotsRequest;
use serde::Serialize;
use std::io::{BufRead, Write};

/// Does what the command line says.
///
/// # Errors
/// Whatever the backend could not do.
pub async fn run<B: Backend>(cli: &Cli, backend: &B, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let watch = Watch::new(terminal.errors_watched);
    let show = Show { json: cli.global.json, layout: terminal.layout, watch: &watch };
    match &cli.command {
        Command::Demo { crash, seed } => accounts::demo(backend, *crash, *seed, &show).await,
        Command::Sandbox(args) => accounts::sandbox(backend, args, &show).await,
        Command::Simulate(args) => simulate::simulate(args, &show).await,
        Command::Init => init::init(&cli.global.config),
        Command::Check => setup::check(backend, &show).await,
        Command::Plan(args) => plan::plan(backend, args, &show).await,
        Command::Apply { file } => plan::apply(backend, file, &show).await,
        Command::Sync(args) => runs::sync(backend, args, &show).await,
        Command::Approve { run, dry_run } => runs::approve(backend, *run, *dry_run, &show).await,
        Command::Reject { run } => runs::reject(backend, *run, &show).await,
        Command::Daemon => runs::daemon(backend, &show).await,
        Command::Status { what, watch: again } => {
            status::status(backend, what.clone(), *again, terminal.watched, &show).await
        }
        Command::Runs { command, last } => runs::runs(backend, command.as_ref(), *last, &show).await,
        command @ (Command::Retry(_) | Command::Skip(_) | Command::Rollback(_) | Command::Cancel(_)) => {
            moves::operate(backend, command, &show).await
        }
        Command::Pause(args) => moves::pause(backend, args, &show).await,
        Command::Resume(args) => moves::resume(backend, args, &show).await,
        Command::Adopt(args) => moves::adopt(backend, args, &show).await,
        Command::Why { address } => people::why(backend, address, &show).await,
        Command::Pull(args) => pull::pull(backend, args, terminal.watched, &show).await,
        Command::People(args) => export::people(backend, args, &show).await,
        Command::Segments { command } => segments::segments(backend, command.as_ref(), &show).await,
        Command::Snapshots { command } => {
            let request = command.as_ref().map_or(SnapshotsRequest::List, SnapshotsRequest::from);
            snapshots::snapshots(backend, request, &show).await
        }
        Command::Undo(args) => undo::undo(backend, args, terminal.watched, &show).await,
        Command::Lists { command } => lists::lists(backend, *command, &show).await,
        Command::Parked { command: None } => people::parked(backend, &show).await,
        Command::Parked { command: Some(ParkedCommand::Release(args)) } => {
            people::release(backend, args.into(), &show).await
        }
        Command::Release { people } => {
            people::release(backend, ReleaseRequest::People(people.clone()), &show).await
        }
        Command::Forget(args) => forget::forget(backend, args, &show).await,
        Command::Consent { what } => consent::consent(backend, what, &show).await,
        Command::Config { command } => config::config(&cli.global.config, command, &show),
        Command::Explain { code } => explain::explain(code.as_deref(), &show),
        Command::State { command } => state::state(backend, command, &show).await,
        Command::Notify { command } => notify::notify(backend, *command, &show).await,
        Command::Webhooks { command } => webhooks::webhooks(backend, command.as_ref(), &show).await,
        Command::Token { command } => token::token(backend, command, &show).await,
        Command::Bench(args) => bench::bench(backend, args, &show).await,
        Command::Completions { shell } => setup::completions(*shell),
    }
}

/// How an answer is shown.
struct Show<'a> {
    json: bool,
    layout: Layout,
    watch: &'a Watch,
}

impl Show<'_> {
    /// Prints the view as JSON, or the text made of it.
    fn answer<V: Serialize>(&self, view: &V, text: impl FnOnce(Layout) -> String) -> Result<(), Failure> {
        self.watch.finish();
        let shown = if self.json {
            let json = serde_json::to_string_pretty(view).map_err(|error| {
                Failure::failed(Code::Output, format!("the answer cannot be written as JSON: {error}"))
            })?;
            format!("{json}\n")
        } else {
            printable(&text(self.layout), self.layout).into_owned()
        };
        write(&shown)
    }
}

/// Writes data to standard output. A reader that has gone is no failure.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(Code::Output, format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Asks whoever sits there.
fn says_yes(question: &str) -> Result<bool, Failure> {
    let io = |problem: std::io::Error| {
        Failure::failed(Code::Output, format!("the terminal cannot be read: {problem}"))
    };
    let mut errors = std::io::stderr().lock();
    write!(errors, "\n{question} [y/N] ").and_then(|()| errors.flush()).map_err(io)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(io)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
