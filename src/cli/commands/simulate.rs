//! `simulate`: plays seeds, says how to play a failing one again.

use super::{Show, write};
use crate::cli::args::SimulateArgs;
use crate::cli::{ExitCode, Failure, Progress};
use crate::domain::code::Code;
use crate::simulate::{Outcome, Summary, simulate as play, simulate_all};
use std::io;
use std::path::{Path, PathBuf};

/// Failing seeds told one by one.
const TOLD: usize = 20;

pub(super) async fn simulate(args: &SimulateArgs, show: &Show<'_>) -> Result<ExitCode, Failure> {
    // It has runtimes of its own, which do not begin within another.
    tokio::task::block_in_place(|| match args.seed {
        Some(seed) => one(seed, args.trace),
        None => many(args, show),
    })
}

fn one(seed: u64, trace: bool) -> Result<ExitCode, Failure> {
    let scratch = Scratch::new()?;
    let outcome = play(seed, trace, &scratch.0).map_err(|problem| cannot(&problem))?;
    for line in &outcome.trace {
        write(&format!("{line}\n"))?;
    }
    write(&told(&outcome))?;
    Ok(if outcome.broken.is_empty() { ExitCode::Done } else { ExitCode::Failed })
}

fn many(args: &SimulateArgs, show: &Show<'_>) -> Result<ExitCode, Failure> {
    let scratch = Scratch::new()?;
    let all = args.seeds.end - args.seeds.start;
    show.watch.phase("playing seeds");
    let (mut done, mut failed) = (0, 0);
    let summary = simulate_all(args.seeds.clone(), args.threads, &scratch.0, |outcome| {
        done += 1;
        show.watch.advance(done, Some(all));
        if !outcome.broken.is_empty() {
            failed += 1;
            if failed <= TOLD {
                show.watch.say(told(outcome).trim_end());
            }
        }
    });
    let summary = summary.map_err(|problem| cannot(&problem))?;
    show.watch.finish();
    write(&summed(&summary))?;
    Ok(if summary.failed.is_empty() { ExitCode::Done } else { ExitCode::Failed })
}

fn told(outcome: &Outcome) -> String {
    let Outcome { seed, broken, fingerprint, processes, killed, calls, .. } = outcome;
    let lived = format!("{processes} processes, {killed} of them killed, {calls} calls");
    if broken.is_empty() {
        return format!("seed {seed}: everything holds ({lived}; trace {fingerprint:08x})\n");
    }
    let mut text = format!("seed {seed}: {} things do not hold ({lived})\n", broken.len());
    for what in broken {
        text += &format!("  {what}\n");
    }
    text + &format!("  again: cargo run --release -- simulate --seed {seed} --trace\n")
}

fn summed(summary: &Summary) -> String {
    let Summary { seeds, failed, processes, killed, calls, fingerprint } = summary;
    let failures = match failed.len() {
        0 => "none failed".to_owned(),
        number => format!("{number} failed: {failed:?}"),
    };
    format!(
        "{seeds} seeds, {failures}; {processes} processes, {killed} killed, {calls} calls; traces {fingerprint:016x}\n"
    )
}

fn cannot(problem: &io::Error) -> Failure {
    Failure::failed(Code::Inside, format!("this machine cannot simulate: {problem}"))
}

/// A directory of this process's own: in memory where the system has such a place.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, Failure> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let path = parent.join(format!("hsmc-simulate-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|problem| cannot(&problem))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(problem) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%problem, "the directory of the simulation stays");
        }
    }
}
