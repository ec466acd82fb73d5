//! Whoever is measured. hsmc by its own program, as an operator measures it; a library by this one, each measurement in
//! a process of its own and in a folder that is gone with it.

use crate::part::{Asked, Found, Part, Which};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const NO_HSMC: &str = "HSMC_BIN must name hsmc's program by its whole path: `cargo build --release` in hsmc's own folder \
    makes target/release/hsmc";

/// One of those who take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contender {
    /// hsmc, and the bare committer that it measures beside itself.
    Hsmc(OsString),
    /// A library.
    Library(Which),
}

/// Steps in a second with so many workflows in flight.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// At once.
    pub in_flight: u64,
    /// Steps in a second.
    pub steps: f64,
    /// Of the bare committer, where it was measured beside.
    pub bare: Option<f64>,
}

/// How long it took to come back after a kill.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Until everything unfinished was taken up.
    pub taken_up: f64,
    /// Until all of it had ended, where it was let end.
    pub all_ended: Option<f64>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Small and short.
    pub quick: bool,
    /// How often all take their turns at steps.
    pub rounds: usize,
    /// How long a library is measured in a turn.
    pub span: Duration,
    /// How often all take their turns at coming back.
    pub recoveries: usize,
    /// With so many unfinished.
    pub unfinished: u64,
}

impl Contender {
    /// hsmc first, then what it is held against.
    pub fn all() -> Result<[Contender; 3]> {
        let program = std::env::var_os("HSMC_BIN").context(NO_HSMC)?;
        ensure!(Path::new(&program).is_absolute() && Path::new(&program).is_file(), NO_HSMC);
        let [durare, memable] = [Which::Durare, Which::Memable].map(Contender::Library);
        Ok([Contender::Hsmc(program), durare, memable])
    }

    /// What it is called in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Contender::Hsmc(_) => "hsmc",
            Contender::Library(Which::Durare) => "durare, FULL",
            Contender::Library(Which::Memable) => "memable",
        }
    }

    /// One turn: how fast at each of `loads`. hsmc says the median of some measurements as long.
    pub fn paces(&self, beside: &Path, loads: &[u64], size: &Size) -> Result<Vec<Pace>> {
        match self {
            Contender::Hsmc(program) => {
                let scratch = tempfile::tempdir_in(beside)?;
                let view: View = answer(hsmc_steps(program, scratch.path(), size.quick))?;
                loads.iter().map(|in_flight| view.pace(*in_flight)).collect()
            }
            Contender::Library(which) => {
                let milliseconds = u64::try_from(size.span.as_millis())?;
                let pace = |in_flight: &u64| {
                    let scratch = tempfile::tempdir_in(beside)?;
                    let part = Part::Steps { in_flight: *in_flight, milliseconds };
                    let found: Found = answer(library(*which, scratch.path(), part)?)?;
                    Ok(Pace { in_flight: *in_flight, steps: found.value("steps")?, bare: None })
                };
                loads.iter().map(pace).collect()
            }
        }
    }

    /// One turn: leaves so many workflows in the midst of their first step, and comes back.
    pub fn recovery(&self, beside: &Path, workflows: u64) -> Result<Recovery> {
        let scratch = tempfile::tempdir_in(beside)?;
        match self {
            Contender::Hsmc(program) => {
                let folder = scratch.path().join("state");
                // It puts nothing in order before it ends; and what has come back is not let end.
                let left = json!({"leave-open": {"folder": folder, "moves": workflows}});
                let _: Found = answer(hsmc_part(program, &left))?;
                let back = json!({"recover": {"folder": folder, "people": workflows}});
                let found: Found = answer(hsmc_part(program, &back))?;
                Ok(Recovery { taken_up: found.value("all")?, all_ended: None })
            }
            Contender::Library(which) => {
                kill_once_ready(library(*which, scratch.path(), Part::LeaveOpen { workflows })?)?;
                let found: Found = answer(library(*which, scratch.path(), Part::Finish { workflows })?)?;
                let all_ended = Some(found.value("all ended")?);
                Ok(Recovery { taken_up: found.value("taken up")?, all_ended })
            }
        }
    }
}

impl Found {
    fn value(&self, name: &str) -> Result<f64> {
        self.values.get(name).copied().with_context(|| format!("it does not say: {name}"))
    }
}

/// What `hsmc bench --json` says, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct View {
    results: Vec<ResultView>,
}

#[derive(Debug, Deserialize)]
struct ResultView {
    figures: Vec<Figure>,
}

#[derive(Debug, Deserialize)]
struct Figure {
    what: String,
    measured: f64,
    beside: Beside,
}

#[derive(Debug, Deserialize)]
struct Beside {
    measured: f64,
}

impl View {
    /// `1 move at a time`, `64 in flight`: the number is the first word.
    fn pace(&self, in_flight: u64) -> Result<Pace> {
        let mut figures = self.results.iter().flat_map(|result| &result.figures);
        let first = in_flight.to_string();
        let figure = figures.find(|figure| figure.what.split(' ').next() == Some(first.as_str()));
        let figure =
            figure.with_context(|| format!("hsmc does not say how fast {in_flight} in flight are"))?;
        Ok(Pace { in_flight, steps: figure.measured, bare: Some(figure.beside.measured) })
    }
}

fn hsmc_steps(program: &OsString, folder: &Path, quick: bool) -> Command {
    let mut command = Command::new(program);
    command.args(["bench", "steps", "--json"]).current_dir(folder);
    if quick {
        command.arg("--quick");
    }
    command
}

fn hsmc_part(program: &OsString, part: &serde_json::Value) -> Command {
    let mut command = Command::new(program);
    command.args(["bench", "--json", "--part", &part.to_string()]);
    command
}

fn library(which: Which, folder: &Path, part: Part) -> Result<Command> {
    let asked = Asked { which, folder: folder.to_path_buf(), part };
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--part", &serde_json::to_string(&asked)?]);
    Ok(command)
}

/// Runs it to its end, and reads what it says.
fn answer<T: DeserializeOwned>(mut command: Command) -> Result<T> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complained = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?}: {}: {} {}", output.status, said.trim(), complained.trim());
    }
    serde_json::from_str(&said).with_context(|| format!("{command:?}: {said}"))
}

/// Runs it until it says something, and kills it there.
fn kill_once_ready(mut command: Command) -> Result<()> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("it has no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    child.kill()?;
    let status = child.wait()?;
    ensure!(!line.is_empty(), "{command:?}: {status} before it was ready");
    Ok(())
}
