//! hsmc beside durable-execution libraries, doing the same: workflows of five steps that do nothing, so many in flight at
//! once; and coming back after a kill with many unfinished.
//!
//! Promises: everybody has the same disk and takes turns in rounds, and who begins goes round; each figure is a median
//! and stands beside the others of the same run. Never: failing because a figure is worse than was aimed at.

mod contender;
mod durare;
mod figure;
mod library;
mod memable;
mod part;
mod workflow;

use anyhow::{Context, Result};
use contender::{Contender, Pace, Recovery, Size};
use figure::{Rounds, median};
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

/// Workflows in flight: as many as `hsmc bench steps` has.
const IN_FLIGHT: [u64; 3] = [1, 64, 1024];
/// Where something is aimed at: with so many in flight, so many times the fastest library.
const AIM: (u64, f64) = (64, 6.0);

const FULL: Size =
    Size { quick: false, rounds: 5, span: Duration::from_secs(1), recoveries: 3, unfinished: 10_000 };
/// Shows that it works, for no figures to keep.
const QUICK: Size =
    Size { quick: true, rounds: 1, span: Duration::from_millis(100), recoveries: 1, unfinished: 200 };

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, asked] = arguments.as_slice()
        && first == "--part"
    {
        return part::here(serde_json::from_str(asked)?).await;
    }
    let size = if arguments.iter().any(|argument| argument == "--quick") { QUICK } else { FULL };
    tokio::task::spawn_blocking(move || compare(&size)).await?
}

fn compare(size: &Size) -> Result<()> {
    let beside = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let contenders = Contender::all()?;
    println!("on the disk of {}, load before {}", beside.display(), load());

    println!("\nsteps in a second, medians of {} rounds in turn", size.rounds);
    let paces = in_turn(&contenders, size.rounds, |contender| contender.paces(beside, &IN_FLIGHT, size))?;
    for in_flight in IN_FLIGHT {
        tell_paces(&contenders, in_flight, &paces);
    }

    let (unfinished, recoveries) = (size.unfinished, size.recoveries);
    println!("\n{unfinished} unfinished after a kill, seconds, medians of {recoveries} rounds in turn");
    let back = in_turn(&contenders, recoveries, |contender| contender.recovery(beside, unfinished))?;
    tell_recovery(&contenders, &back);
    println!("\nload after {}", load());
    Ok(())
}

/// One measurement of each in each round, in the order of `contenders`, whoever began.
fn in_turn<T: Debug>(
    contenders: &[Contender],
    rounds: usize,
    measure: impl Fn(&Contender) -> Result<T>,
) -> Result<Vec<Vec<T>>> {
    let mut all = Vec::new();
    for round in 0..rounds {
        let mut found = Vec::new();
        for turn in 0..contenders.len() {
            let whose = (round + turn) % contenders.len();
            let contender = contenders.get(whose).context("everybody has a turn")?;
            let measured = measure(contender).with_context(|| contender.name())?;
            eprintln!("round {} of {rounds}: {}: {measured:?}", round + 1, contender.name());
            found.push((whose, measured));
        }
        found.sort_by_key(|(whose, _)| *whose);
        all.push(found.into_iter().map(|(_, measured)| measured).collect());
    }
    Ok(all)
}

fn tell_paces(contenders: &[Contender], in_flight: u64, paces: &[Vec<Vec<Pace>>]) {
    let at = |turn: &Vec<Pace>| turn.iter().find(|pace| pace.in_flight == in_flight).copied();
    let turns: Vec<Vec<Pace>> = paces.iter().map(|round| round.iter().filter_map(at).collect()).collect();
    let rounds =
        Rounds { rounds: turns.iter().map(|round| round.iter().map(|pace| pace.steps).collect()).collect() };
    println!("{in_flight} in flight");
    let mut fastest = (0.0, 0.0);
    for (which, contender) in contenders.iter().enumerate() {
        let steps = rounds.median_of(which);
        if which == 0 {
            println!("  {:<16}{steps:>9.0}", contender.name());
            continue;
        }
        let ratio = rounds.ratio(0, which);
        println!("  {:<16}{steps:>9.0}   hsmc is {ratio:.1} times that", contender.name());
        if steps > fastest.0 {
            fastest = (steps, ratio);
        }
    }
    let bare: Vec<f64> = turns.iter().flatten().filter_map(|pace| pace.bare).collect();
    println!("  {:<16}{:>9.0}   seven bare records a workflow", "bare committer", median(bare));
    let (aimed_at, least) = AIM;
    if in_flight == aimed_at {
        let reached = if fastest.1 >= least { "met" } else { "missed" };
        println!("  aim: at least {least} times the fastest library: {reached}");
    }
}

fn tell_recovery(contenders: &[Contender], back: &[Vec<Recovery>]) {
    let rounds =
        Rounds { rounds: back.iter().map(|round| round.iter().map(|one| one.taken_up).collect()).collect() };
    for (which, contender) in contenders.iter().enumerate() {
        let ended: Vec<f64> =
            back.iter().filter_map(|round| round.get(which).and_then(|one| one.all_ended)).collect();
        let ended =
            if ended.is_empty() { String::new() } else { format!(", all ended {:.2}", median(ended)) };
        let beside = if which == 0 {
            String::new()
        } else {
            format!("   {:.1} times as long as hsmc", rounds.ratio(which, 0))
        };
        println!("  {:<16}all taken up {:>7.2}{ended}{beside}", contender.name(), rounds.median_of(which));
    }
}

/// Processes that wanted to run in the last minute, where the system says it.
fn load() -> String {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split_whitespace().next().unwrap_or("unknown").to_owned()
}
