//! Benchmarks as they are asked for and answered: each figure beside what it was compared with in the same run, and
//! beside what was aimed at. Plain values; whoever measures is `bench`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bench {
    /// Durable records, beside a bare committer.
    Records,
    /// Moves of five steps that do nothing.
    Steps,
    /// A start with a hundred thousand open moves.
    Recovery,
    /// The plan of a million people.
    Plan,
    /// Calls and time of whole runs.
    Runs,
    /// Room on the disk.
    Size,
    /// How soon `status` answers.
    Status,
    /// Four months of runs in one process.
    Soak,
}

impl Bench {
    /// All, in the order in which they are run.
    pub const ALL: [Bench; 8] = [
        Bench::Records,
        Bench::Steps,
        Bench::Recovery,
        Bench::Plan,
        Bench::Runs,
        Bench::Size,
        Bench::Status,
        Bench::Soak,
    ];

    /// The word it is asked for by.
    pub fn word(self) -> &'static str {
        match self {
            Bench::Records => "records",
            Bench::Steps => "steps",
            Bench::Recovery => "recovery",
            Bench::Plan => "plan",
            Bench::Runs => "runs",
            Bench::Size => "size",
            Bench::Status => "status",
            Bench::Soak => "soak",
        }
    }

    /// What it measures, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Bench::Records => "durable records, each writer waiting for its own before the next",
            Bench::Steps => "moves of five steps that do nothing, through journal, actors and lanes",
            Bench::Recovery => "a start with unfinished moves: all classified, the first handed on",
            Bench::Plan => "everybody judged anew by the rules, with nothing changed",
            Bench::Runs => "whole runs on simulated accounts: 30 ms a call, the real limits",
            Bench::Size => "room on the disk, before and after compaction, and over many runs",
            Bench::Status => "`hsmc status` asked again and again while a run is going on",
            Bench::Soak => {
                "four months of runs every eight hours in one process, each day something else goes wrong"
            }
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchRequest {
    /// In this order.
    pub which: Vec<Bench>,
    /// Small and short: to see that it works, not for figures to keep.
    pub quick: bool,
}

/// A part of a benchmark that is done in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Journals so many moves that have begun, and ends like a process that is killed.
    LeaveOpen {
        /// The state directory.
        folder: PathBuf,
        /// How many.
        moves: u64,
    },
    /// Starts with them.
    Recover {
        /// The state directory.
        folder: PathBuf,
        /// How many people there are.
        people: u64,
    },
    /// Reads so many made-up people and remembers them.
    FirstRun {
        /// The state directory.
        folder: PathBuf,
        /// How many.
        people: u64,
    },
    /// Plans over what was read.
    PlanAgain {
        /// The state directory.
        folder: PathBuf,
        /// How many people there are.
        people: u64,
    },
}

/// What a part found, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartView {
    /// Seconds and megabytes.
    pub values: BTreeMap<String, f64>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchView {
    /// On what.
    pub machine: MachineView,
    /// Whether it was small and short.
    pub quick: bool,
    /// One for each benchmark.
    pub results: Vec<ResultView>,
}

/// The machine, as far as it matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineView {
    /// Processors this program may use.
    pub cores: usize,
    /// Processes that wanted to run in the minute before; none where the system does not say.
    pub load_before: Option<f64>,
    /// The disk that was measured is the one with this folder.
    pub folder: String,
}

/// What one benchmark found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    /// Which.
    pub bench: Bench,
    /// How long it took in all.
    pub seconds: f64,
    /// What it measured.
    pub figures: Vec<Figure>,
    /// What has to be said beside.
    pub notes: Vec<String>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// In a second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millions of bytes.
    Megabytes,
    /// Bytes.
    Bytes,
    /// Calls to both services.
    Calls,
    /// Nanoseconds for each person.
    NanosecondsEach,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Of what: `64 writers`.
    pub what: String,
    /// What it counts.
    pub unit: Unit,
    /// What was measured: the median, where there were rounds.
    pub measured: f64,
    /// What it is compared with.
    pub beside: Option<Beside>,
    /// What was aimed at.
    pub aim: Option<Aim>,
    /// Whether that was reached; none without an aim.
    pub reached: Option<bool>,
    /// Both in turn, round by round, where there were rounds.
    pub rounds: Vec<Round>,
}

/// What a figure is compared with, in the same run and the same unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// What that is: `bare committer`.
    pub what: String,
    /// How much it came to: the median, where there were rounds.
    pub measured: f64,
    /// How many times that the figure is: the median of the rounds, where there were any.
    pub ratio: f64,
}

/// One round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Of hsmc.
    pub measured: f64,
    /// Of what it is compared with.
    pub beside: f64,
}

/// What was aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aim {
    /// At least so many times what it is compared with.
    RatioAtLeast(f64),
    /// At most so many times what it is compared with.
    RatioAtMost(f64),
    /// At most this.
    AtMost(f64),
}

impl Figure {
    /// A figure that stands alone.
    pub fn alone(what: impl Into<String>, unit: Unit, measured: f64) -> Figure {
        let what = what.into();
        Figure { what, unit, measured, beside: None, aim: None, reached: None, rounds: Vec::new() }
    }

    /// The same, compared with another of the same run.
    #[must_use]
    pub fn beside(mut self, what: impl Into<String>, measured: f64) -> Figure {
        self.beside = Some(Beside { what: what.into(), measured, ratio: ratio(self.measured, measured) });
        self
    }

    /// A figure from rounds that took turns with another: medians, and the median of the rounds' ratios.
    pub fn of_rounds(
        what: impl Into<String>,
        unit: Unit,
        beside: impl Into<String>,
        rounds: Vec<Round>,
    ) -> Figure {
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let beside = Beside {
            what: beside.into(),
            measured: of(|round| round.beside),
            ratio: of(|round| ratio(round.measured, round.beside)),
        };
        let alone = Figure::alone(what, unit, of(|round| round.measured));
        Figure { beside: Some(beside), rounds, ..alone }
    }

    /// The same with what was aimed at.
    #[must_use]
    pub fn aim(mut self, aim: Aim) -> Figure {
        let ratio = self.beside.as_ref().map(|beside| beside.ratio);
        self.reached = match aim {
            Aim::RatioAtLeast(least) => ratio.map(|ratio| ratio >= least),
            Aim::RatioAtMost(most) => ratio.map(|ratio| ratio <= most),
            Aim::AtMost(most) => Some(self.measured <= most),
        };
        self.aim = Some(aim);
        self
    }
}

fn ratio(measured: f64, beside: f64) -> f64 {
    if beside > 0.0 { measured / beside } else { 0.0 }
}

/// The middle one; of an even number, the mean of the two in the middle; of none, zero.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|below| values.get(below))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_rounds_is_the_median_of_their_ratios_and_not_the_ratio_of_medians() {
        let rounds =
            [(1.0, 10.0), (8.0, 10.0), (6.0, 20.0)].map(|(measured, beside)| Round { measured, beside });
        let figure = Figure::of_rounds("a", Unit::PerSecond, "b", rounds.to_vec());
        let beside = figure.beside.clone().unwrap();
        assert_eq!((figure.measured, beside.measured, beside.ratio), (6.0, 10.0, 0.3));
        assert_eq!(figure.aim(Aim::RatioAtLeast(0.45)).reached, Some(false));
    }

    #[test]
    fn an_aim_is_reached_at_its_very_bound_and_never_without_something_to_compare_with() {
        let figure = Figure::alone("a", Unit::Seconds, 3.0);
        assert_eq!(figure.clone().aim(Aim::AtMost(3.0)).reached, Some(true));
        assert_eq!(figure.clone().aim(Aim::AtMost(2.9)).reached, Some(false));
        assert_eq!(figure.clone().aim(Aim::RatioAtMost(1.0)).reached, None);
        assert_eq!(figure.beside("b", 2.0).aim(Aim::RatioAtMost(1.5)).reached, Some(true));
    }

    #[test]
    fn a_median_of_few_is_right() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
    }
}
