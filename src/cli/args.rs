//! The command line: every command and flag is defined, explained and read here, and nowhere else.

mod people;
mod pull;
mod webhooks;

pub use people::{Format, PeopleArgs, SegmentsCommand};
pub use pull::PullArgs;
pub use webhooks::WebhooksCommand;

use crate::domain::event::OperatorRequest;
use crate::domain::failure::Service;
use crate::domain::id::{ListId, MoveId, RunId};
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenScope};
use crate::serve::bench::{Bench, BenchRequest, Part};
use crate::serve::consent::ConsentRequest;
use crate::serve::parked::ReleaseRequest;
use crate::serve::requests::{AdoptRequest, Only, PlanRequest, SandboxRequest, Scope, Subject, SyncRequest};
use crate::serve::snapshots::{SnapshotPart, SnapshotsRequest};
use crate::serve::tokens::TokenRequest;
use crate::serve::undo::UndoOf;
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// Keeps HubSpot and Mailchimp telling the same story about every person, and loses no one.
#[derive(Clone, Debug, Parser)]
#[command(name = "hsmc", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What goes for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done or nothing to do · 1 failed · 2 command line or config wrong · \
     3 needs approval · 4 done, but moves are stuck · 130 interrupted";

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The config file
    #[arg(long, global = true, value_name = "FILE", default_value = "./hsmc.toml")]
    pub config: PathBuf,
    /// The state directory
    #[arg(long, global = true, value_name = "DIR", default_value = "./state")]
    pub state: PathBuf,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// No colours (as does the variable NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Log into this file too, as JSON lines (`[log]` in the config says how much and how long)
    #[arg(long, global = true, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Log more: -v what happens, -vv why, -vvv everything
    #[arg(short = 'v', long = "verbose", global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Show on simulated accounts what hsmc does: no keys, no network
    Demo {
        /// Kill it in the middle and let it recover
        #[arg(long)]
        crash: bool,
        /// The seed of its chance
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Serve a simulated HubSpot and Mailchimp on a loopback port
    Sandbox(SandboxArgs),
    /// Play out seeded disasters on simulated accounts in virtual time, and check that every promise holds
    Simulate(SimulateArgs),
    /// Write a commented config file to begin with
    Init,
    /// Check the config, and the accounts it names, without changing anything
    Check,
    /// Show what a run would do, without doing it
    Plan(PlanArgs),
    /// Apply a saved plan
    Apply {
        /// A file written by `hsmc plan --out FILE`
        file: PathBuf,
    },
    /// Run once: scan, plan, apply, report
    Sync(SyncArgs),
    /// Say yes to the plan of a waiting run: what still comes out the same is applied
    Approve {
        /// The run that waits
        #[arg(value_name = "RUN", value_parser = run_id)]
        run: RunId,
        /// Show what would be applied now, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say no to the plan of a waiting run: nothing of it is applied
    Reject {
        /// The run that waits
        #[arg(value_name = "RUN", value_parser = run_id)]
        run: RunId,
    },
    /// Run on schedule until stopped
    Daemon,
    /// Show what goes on: everything, or a move (12.3), a run (12), a list (list=987), a person (address)
    Status {
        /// What to show
        #[arg(value_name = "WHAT", value_parser = subject)]
        what: Option<Subject>,
        /// Show it again every two seconds
        #[arg(long)]
        watch: bool,
    },
    /// List past runs
    Runs {
        /// What to do with them; lists them when left out
        #[command(subcommand)]
        command: Option<RunsCommand>,
        /// How many to list
        #[arg(long, default_value_t = 20)]
        last: usize,
    },
    /// Try a stuck move again
    Retry(MoveArgs),
    /// Take the step a move is stuck at as settled, and go on
    Skip(MoveArgs),
    /// Unwind a move: undo its steps in reverse
    Rollback(MoveArgs),
    /// End a move: drop it when not begun, else unwind it
    Cancel(MoveArgs),
    /// Hold work back; opt-outs go on
    Pause(ScopeArgs),
    /// Let paused work go on
    Resume(ScopeArgs),
    /// Settle that archived members may be enrolled again
    Adopt(AdoptArgs),
    /// Tell everything about one person: what holds, since when, by whom, and what comes next
    Why {
        /// Their address
        address: String,
    },
    /// List the HubSpot lists that the config names: what each is for, and how it stands
    Lists {
        /// The names they have had; how they stand when left out
        #[command(subcommand)]
        command: Option<ListsCommand>,
    },
    /// List whom hsmc leaves alone for good, and what would change it
    Parked {
        /// What to do about them; lists them when left out
        #[command(subcommand)]
        command: Option<ParkedCommand>,
    },
    /// Copy HubSpot's objects and what joins them into the mirror, or list past pulls: nothing is written there
    Pull(PullArgs),
    /// Show or export people: members of a segment, or whoever a rule holds for
    People(PeopleArgs),
    /// List the segments of the config and how many belong to each
    Segments {
        /// What to do with them; lists them when left out
        #[command(subcommand)]
        command: Option<SegmentsCommand>,
    },
    /// List kept scans; show what one saw, or what is different in another
    Snapshots {
        /// What to do with them; lists them when left out
        #[command(subcommand)]
        command: Option<SnapshotsCommand>,
    },
    /// Take back what a run (12) or a move (12.3) has done, as far as nobody changed it since
    Undo(UndoArgs),
    /// Let people be judged afresh: parked, contested or handed over; opt-outs stay
    Release {
        /// Their addresses
        #[arg(value_name = "ADDRESS", required = true)]
        people: Vec<String>,
    },
    /// Show the evidence of a person's consent, or verify that none of it was changed
    Consent {
        /// A person's address, or the word `verify`
        #[arg(value_name = "ADDRESS|verify", value_parser = consent)]
        what: ConsentRequest,
    },
    /// Explain the config: what each key does, and what is in force
    Config {
        /// What to show
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Look after the state directory
    State {
        /// What to do
        #[command(subcommand)]
        command: StateCommand,
    },
    /// See whether alerts arrive
    Notify {
        /// What to do
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// Show how webhooks of both services are set up (`[webhooks]` in the config)
    Webhooks {
        /// What to do about them; shows them when left out
        #[command(subcommand)]
        command: Option<WebhooksCommand>,
    },
    /// Say who may ask a daemon over HTTP (`[api]` in the config)
    Token {
        /// What to do
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Tell what a code means and what to do: HSMC3001; without one, list them all
    Explain {
        /// As it stands in a message, a report or an alert
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// Delete somebody for good: in both services, and here; prints a receipt
    Forget(ForgetArgs),
    /// Measure hsmc on this machine, each figure beside what it is compared with; no keys, no network
    Bench(BenchArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `bench`
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[arg(value_name = "WHAT", default_value = "all", value_parser = bench_names())]
    pub what: String,
    /// Small and short: shows that it works, for no figures to keep
    #[arg(long)]
    pub quick: bool,
    /// A part of a benchmark, for the process that was started for it
    #[arg(long, hide = true, value_parser = part)]
    pub part: Option<Part>,
}

fn part(text: &str) -> Result<Part, String> {
    serde_json::from_str(text).map_err(|problem| problem.to_string())
}

fn bench_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Bench::ALL.map(Bench::word).into_iter().chain(["all"]))
}

impl From<&BenchArgs> for BenchRequest {
    fn from(args: &BenchArgs) -> BenchRequest {
        let asked = |bench: &Bench| args.what == "all" || args.what == bench.word();
        BenchRequest { which: Bench::ALL.into_iter().filter(asked).collect(), quick: args.quick }
    }
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

/// `lists …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ListsCommand {
    /// Every name that each list has had, and since when
    History,
}

/// `parked …`
#[derive(Clone, Debug, Subcommand)]
pub enum ParkedCommand {
    /// Let them be judged afresh by the next run
    Release(ParkedReleaseArgs),
}

/// `parked release`
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ParkedReleaseArgs {
    /// These people
    #[arg(value_name = "ADDRESS")]
    pub people: Vec<String>,
    /// Everybody parked for this reason, as `hsmc parked` names it
    #[arg(long, value_name = "CODE")]
    pub reason: Option<String>,
    /// Everybody parked or contested
    #[arg(long)]
    pub all: bool,
}

impl From<&ParkedReleaseArgs> for ReleaseRequest {
    fn from(args: &ParkedReleaseArgs) -> ReleaseRequest {
        match args {
            ParkedReleaseArgs { reason: Some(reason), .. } => ReleaseRequest::Reason(reason.clone()),
            ParkedReleaseArgs { all: true, .. } => ReleaseRequest::All,
            ParkedReleaseArgs { people, .. } => ReleaseRequest::People(people.clone()),
        }
    }
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

/// `notify …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message to every target under `[notify]`, and show what it answers
    Test,
}

/// `token …`
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once, and kept only as a hash
    Create {
        /// What it may do: read, operate or admin; each includes those before it
        #[arg(long, value_name = "SCOPE")]
        scope: TokenScope,
        /// What it is for
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// How long it is good, as 90d; without it, until it is revoked
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
    },
    /// List all tokens, without their secrets
    List,
    /// Let a token be good for nothing from now on
    Revoke {
        /// Its id, as `hsmc token list` shows it
        id: TokenId,
    },
}

impl From<&TokenCommand> for TokenRequest {
    fn from(command: &TokenCommand) -> TokenRequest {
        match command {
            TokenCommand::Create { scope, name, expires } => {
                TokenRequest::Create { name: name.clone(), scope: *scope, expires: *expires }
            }
            TokenCommand::List => TokenRequest::List,
            TokenCommand::Revoke { id } => TokenRequest::Revoke(*id),
        }
    }
}

/// `sandbox`
#[derive(Clone, Debug, Args)]
pub struct SandboxArgs {
    /// Which story the accounts tell
    #[arg(long, default_value = "agency")]
    pub scenario: String,
    /// The seed of its chance
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Milliseconds added to each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
    /// How many people, instead of the scenario's own number
    #[arg(long, value_name = "N")]
    pub people: Option<u32>,
}

/// `simulate`
#[derive(Clone, Debug, Args)]
pub struct SimulateArgs {
    /// Which seeds: 0..10000 (the end is left out)
    #[arg(long, value_name = "FROM..TO", value_parser = seeds, default_value = "0..100")]
    pub seeds: Range<u64>,
    /// Only this one
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Print everything that happens (with --seed)
    #[arg(long, requires = "seed")]
    pub trace: bool,
    /// Seeds played side by side
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub threads: usize,
}

impl From<&SandboxArgs> for SandboxRequest {
    fn from(args: &SandboxArgs) -> SandboxRequest {
        SandboxRequest {
            scenario: args.scenario.clone(),
            seed: args.seed,
            port: args.port,
            latency_ms: args.latency,
            people: args.people,
        }
    }
}

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

/// A move to operate on.
#[derive(Clone, Copy, Debug, Args)]
pub struct MoveArgs {
    /// The move, as `hsmc status` shows it: 12.3
    #[arg(value_name = "MOVE", value_parser = move_id)]
    pub id: MoveId,
}

/// What a pause holds back.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ScopeArgs {
    /// One person
    #[arg(long, value_name = "ADDRESS")]
    pub person: Option<String>,
    /// One list
    #[arg(long, value_name = "ID", value_parser = list_id)]
    pub list: Option<ListId>,
    /// One side: hubspot or mailchimp
    #[arg(long, value_name = "NAME", value_parser = service)]
    pub service: Option<Service>,
    /// Everything
    #[arg(long)]
    pub all: bool,
}

impl From<&ScopeArgs> for Scope {
    fn from(args: &ScopeArgs) -> Scope {
        match args {
            ScopeArgs { person: Some(person), .. } => Scope::Person(person.clone()),
            ScopeArgs { list: Some(list), .. } => Scope::List(*list),
            ScopeArgs { service: Some(service), .. } => Scope::Service(*service),
            _ => Scope::All,
        }
    }
}

/// Whom to adopt.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct AdoptArgs {
    /// These people
    #[arg(value_name = "ADDRESS")]
    pub people: Vec<String>,
    /// Everybody in this list
    #[arg(long, value_name = "ID", value_parser = list_id)]
    pub list: Option<ListId>,
}

impl From<&AdoptArgs> for AdoptRequest {
    fn from(args: &AdoptArgs) -> AdoptRequest {
        match args.list {
            Some(list) => AdoptRequest::List(list),
            None => AdoptRequest::People(args.people.clone()),
        }
    }
}

/// `forget`
#[derive(Clone, Debug, Args)]
pub struct ForgetArgs {
    /// Whom
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl Command {
    /// The move and the request of `retry`, `skip`, `rollback` and `cancel`.
    pub(super) fn operation(&self) -> Option<(MoveId, OperatorRequest)> {
        match self {
            Command::Retry(args) => Some((args.id, OperatorRequest::Retry)),
            Command::Skip(args) => Some((args.id, OperatorRequest::Skip)),
            Command::Rollback(args) => Some((args.id, OperatorRequest::RollBack)),
            Command::Cancel(args) => Some((args.id, OperatorRequest::Cancel)),
            _ => None,
        }
    }
}

fn move_id(text: &str) -> Result<MoveId, String> {
    text.parse()
}

fn run_id(text: &str) -> Result<RunId, String> {
    text.parse().map_err(|_| format!("`{text}` is no run: runs are numbers, see `hsmc runs`"))
}

fn list_id(text: &str) -> Result<ListId, String> {
    text.parse().map_err(|_| format!("`{text}` is no list: write the digits of its HubSpot id"))
}

fn undo_of(text: &str) -> Result<UndoOf, String> {
    if let Ok(id) = text.parse() {
        return Ok(UndoOf::Move(id));
    }
    text.parse().map(UndoOf::Run).map_err(|_| "write a run (12) or a move (12.3)".to_owned())
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| format!("`{text}` is no date such as 2026-11-23"))
}

fn service(text: &str) -> Result<Service, String> {
    match text.to_lowercase().as_str() {
        "hubspot" => Ok(Service::HubSpot),
        "mailchimp" => Ok(Service::Mailchimp),
        _ => Err("write hubspot or mailchimp".to_owned()),
    }
}

fn consent(text: &str) -> Result<ConsentRequest, String> {
    match text {
        "verify" => Ok(ConsentRequest::Verify),
        address if address.contains('@') => Ok(ConsentRequest::Of(address.to_owned())),
        _ => Err("write a person's address, or verify".to_owned()),
    }
}

fn only(text: &str) -> Result<Only, String> {
    match text.split_once('=') {
        Some(("list", id)) => list_id(id).map(Only::List),
        Some(("contact", address)) if address.contains('@') => Ok(Only::Contact(address.to_owned())),
        _ => Err("write list=ID or contact=ADDRESS".to_owned()),
    }
}

fn subject(text: &str) -> Result<Subject, String> {
    if let Some(id) = text.strip_prefix("list=") {
        return list_id(id).map(Subject::List);
    }
    if text.contains('@') {
        return Ok(Subject::Person(text.to_owned()));
    }
    if let Ok(id) = text.parse() {
        return Ok(Subject::Move(id));
    }
    text.parse()
        .map(Subject::Run)
        .map_err(|_| "write a move (12.3), a run (12), a list (list=987) or a person's address".to_owned())
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range
        .filter(|range| !range.is_empty())
        .ok_or_else(|| "write the first and the end, as 0..10000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_documented_form_is_read() {
        for line in [
            "hsmc demo --crash",
            "hsmc sandbox --scenario agency --seed 7 --port 4000 --latency 20 --people 5000",
            "hsmc simulate",
            "hsmc simulate --seeds 0..10000 --threads 4",
            "hsmc simulate --seed 7 --trace",
            "hsmc init",
            "hsmc check --config a.toml --state b --json --no-color -vv",
            "hsmc plan --out p.json --only list=987 --only contact=a@example.com --limit 5 --full",
            "hsmc apply p.json",
            "hsmc sync --yes --full",
            "hsmc sync --dry-run --since 2026-11-23 --limit 3",
            "hsmc approve 12",
            "hsmc approve 12 --dry-run",
            "hsmc reject 12",
            "hsmc daemon",
            "hsmc status",
            "hsmc status 12.3",
            "hsmc status list=987 --watch",
            "hsmc runs show 12",
            "hsmc runs show 12 --html run.html",
            "hsmc retry 12.3",
            "hsmc skip 12.3",
            "hsmc rollback 12.3",
            "hsmc cancel 12.3",
            "hsmc pause --service HubSpot",
            "hsmc resume --all",
            "hsmc pause --person a@example.com",
            "hsmc adopt a@example.com b@example.com",
            "hsmc adopt --list 987",
            "hsmc why a@example.com --json",
            "hsmc undo 12 --yes",
            "hsmc undo 12.3 --dry-run",
            "hsmc snapshots",
            "hsmc snapshots show 12 --list 987",
            "hsmc snapshots show 12 --tag Guest",
            "hsmc snapshots show 12 a@example.com",
            "hsmc snapshots diff 11 12 --json",
            "hsmc lists",
            "hsmc lists history",
            "hsmc parked",
            "hsmc parked release --reason fake-address",
            "hsmc parked release --all",
            "hsmc parked release a@example.com b@example.com",
            "hsmc release a@example.com",
            "hsmc consent a@example.com --json",
            "hsmc consent verify",
            "hsmc config explain",
            "hsmc config explain sync.every",
            "hsmc config show --json",
            "hsmc config schema",
            "hsmc explain",
            "hsmc explain HSMC3001 --json",
            "hsmc state size",
            "hsmc state check --json",
            "hsmc state backup b.tar.zst",
            "hsmc state restore b.tar.zst --force",
            "hsmc state compact",
            "hsmc notify test",
            "hsmc token create --scope read --name grafana --expires 90d",
            "hsmc token list",
            "hsmc webhooks",
            "hsmc webhooks setup --replace --json",
            "hsmc token revoke 0123456789abcdef",
            "hsmc forget a@example.com --yes --json",
            "hsmc people --segment cold --where company=x --sort -createdate --limit 5 --columns email,record",
            "hsmc people --format csv --cursor abc",
            "hsmc people --json",
            "hsmc segments",
            "hsmc segments show cold",
            "hsmc pull all --full --debug",
            "hsmc pull contacts --since 7d --batch-size 50 --limit 10 --overwrite",
            "hsmc pull deals --since 2026-11-23 --dry-run",
            "hsmc pull associations contacts companies",
            "hsmc pull history contacts --last 5 --json",
            "hsmc pull clear --yes",
            "hsmc forget a@example.com --dry-run",
            "hsmc completions bash",
        ] {
            read(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "hsmc",
            "hsmc sync --yes --dry-run",
            "hsmc pause",
            "hsmc pause --all --list 3",
            "hsmc adopt",
            "hsmc consent everybody",
            "hsmc forget",
            "hsmc pull",
            "hsmc people --limit 0",
            "hsmc people --format xml",
            "hsmc segments show",
            "hsmc pull contacts --since yesterday",
            "hsmc pull contacts --since 30",
            "hsmc pull contacts --full --since 7d",
            "hsmc pull contacts --limit 0",
            "hsmc forget a@example.com --yes --dry-run",
            "hsmc retry 12",
            "hsmc undo",
            "hsmc undo twelve",
            "hsmc snapshots show 12 --list 9 --tag Guest",
            "hsmc snapshots diff 12",
            "hsmc undo 12 --dry-run --yes",
            "hsmc release",
            "hsmc parked release",
            "hsmc parked release --all --reason fake-address",
            "hsmc plan --only everything",
            "hsmc status whatever",
            "hsmc token create",
            "hsmc token create --scope everything",
            "hsmc token revoke 12",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
