//! `hsmc sandbox` and `hsmc simulate`: their arguments.

use crate::serve::requests::SandboxRequest;
use clap::Args;
use std::ops::Range;

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

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range
        .filter(|range| !range.is_empty())
        .ok_or_else(|| "write the first and the end, as 0..10000".to_owned())
}
