//! The command line: every command and flag is defined, explained and read here, and nowhere else.

mod bench;
mod operating;
mod people;
mod pull;
mod runs;
mod sandbox;
mod snapshots;
mod state;
mod tokens;
mod webhooks;
mod words;

pub use bench::BenchArgs;
pub use operating::{AdoptArgs, ForgetArgs, MoveArgs, ParkedCommand, ParkedReleaseArgs, ScopeArgs};
pub use people::{Format, PeopleArgs, SegmentsCommand};
pub use pull::PullArgs;
pub use runs::{Narrow, PlanArgs, RunsCommand, SyncArgs, UndoArgs};
pub use sandbox::{SandboxArgs, SimulateArgs};
pub use snapshots::{SnapshotShowArgs, SnapshotsCommand};
pub use state::{ConfigCommand, StateCommand};
pub use tokens::TokenCommand;
pub use webhooks::WebhooksCommand;

use crate::domain::event::OperatorRequest;
use crate::domain::id::{MoveId, RunId};
use crate::serve::consent::ConsentRequest;
use crate::serve::requests::Subject;
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use words::{list_id, run_id};

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
        /// Their address, or their number in logs and reports
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
        /// A person's address, or their number, or the word `verify`
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

/// `lists …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ListsCommand {
    /// Every name that each list has had, and since when
    History,
}

/// `notify …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test message to every target under `[notify]`, and show what it answers
    Test,
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

fn consent(text: &str) -> Result<ConsentRequest, String> {
    match text {
        "verify" => Ok(ConsentRequest::Verify),
        who if who.contains('@') || who.trim_start_matches("person=").parse::<u64>().is_ok() => {
            Ok(ConsentRequest::Of(who.to_owned()))
        }
        _ => Err("write a person's address or number, or verify".to_owned()),
    }
}

fn subject(text: &str) -> Result<Subject, String> {
    if let Some(id) = text.strip_prefix("list=") {
        return list_id(id).map(Subject::List);
    }
    if let Some(number) = text.strip_prefix("person=") {
        return Ok(Subject::Person(number.to_owned()));
    }
    if text.contains('@') {
        return Ok(Subject::Person(text.to_owned()));
    }
    if let Ok(id) = text.parse() {
        return Ok(Subject::Move(id));
    }
    text.parse().map(Subject::Run).map_err(|_| {
        "write a move (12.3), a run (12), a list (list=987) or a person's address or number (person=15)"
            .to_owned()
    })
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
