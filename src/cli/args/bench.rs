//! `hsmc bench`: its arguments.

use crate::serve::bench::{Bench, BenchRequest, Part};
use clap::Args;
use clap::builder::PossibleValuesParser;

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
