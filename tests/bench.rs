//! `hsmc bench`: that it measures, that its figures add up, and that it leaves nothing behind. Never how fast anything is:
//! that depends on the machine and on who else uses it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hsmc::serve::bench::{Aim, Bench, BenchView, Figure, median};
use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in a folder, with nothing of the outer environment.
fn hsmc(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hsmc")).args(arguments).current_dir(folder).env_clear().output().unwrap()
}

/// What a small and short benchmark says, in an empty folder that is empty again afterwards.
fn measured(what: &str) -> BenchView {
    let folder = tempfile::tempdir().unwrap();
    let output = hsmc(folder.path(), &["bench", what, "--quick", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{what} leaves {left:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

/// Whatever can be reckoned again from what is told beside it comes out the same.
fn adds_up(figure: &Figure) {
    assert!(figure.measured > 0.0, "{figure:?}");
    let told = figure.beside.as_ref();
    if !figure.rounds.is_empty() {
        let beside = told.expect("rounds are of two");
        let of =
            |value: fn(&hsmc::serve::bench::Round) -> f64| median(figure.rounds.iter().map(value).collect());
        assert!(same(figure.measured, of(|round| round.measured)), "{figure:?}");
        assert!(same(beside.measured, of(|round| round.beside)), "{figure:?}");
        assert!(same(beside.ratio, of(|round| round.measured / round.beside)), "{figure:?}");
    } else if let Some(beside) = told {
        assert!(same(beside.ratio, figure.measured / beside.measured), "{figure:?}");
    }
    let ratio = told.map(|beside| beside.ratio);
    let reached = figure.aim.and_then(|aim| match aim {
        Aim::RatioAtLeast(least) => ratio.map(|ratio| ratio >= least),
        Aim::RatioAtMost(most) => ratio.map(|ratio| ratio <= most),
        Aim::AtMost(most) => Some(figure.measured <= most),
    });
    assert_eq!(figure.reached, reached, "{figure:?}");
}

fn check(bench: Bench) -> BenchView {
    let view = measured(bench.word());
    assert!(view.quick && view.machine.cores > 0);
    assert_eq!(view.results.iter().map(|result| result.bench).collect::<Vec<_>>(), [bench]);
    assert!(!view.results[0].figures.is_empty());
    view.results[0].figures.iter().for_each(adds_up);
    view
}

#[test]
fn records_are_measured_beside_a_bare_committer_and_the_figures_add_up() {
    let view = check(Bench::Records);
    let figures = &view.results[0].figures;
    let what: Vec<&str> = figures.iter().map(|figure| figure.what.as_str()).collect();
    assert_eq!(what, ["1 writer", "64 writers", "1024 writers", "64 writers, 8 events a key"]);
    assert!(figures.iter().all(|figure| figure.rounds.len() == 3));
    assert_eq!(figures[1].aim, Some(Aim::RatioAtLeast(0.45)));
}

#[test]
fn steps_and_a_recovery_are_measured_and_the_figures_add_up() {
    check(Bench::Steps);
    check(Bench::Recovery);
}

#[test]
#[ignore = "takes a while: run alone, with --ignored"]
fn everything_else_is_measured_and_the_figures_add_up() {
    for bench in [Bench::Plan, Bench::Runs, Bench::Size, Bench::Status, Bench::Soak] {
        check(bench);
    }
}

#[test]
fn a_benchmark_that_is_none_is_a_wrong_command_line() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(hsmc(folder.path(), &["bench", "everything"]).status.code(), Some(2));
}
