//! Scenarios: `tiny` (each condition once, about 40 people), `agency` (3,700 people), `large` (as many as
//! asked for) and `objects` (as many records of each type as asked for, and three associations to each). The same scenario and seed give the same world.

mod agency;
mod builder;
mod config;
mod objects;
mod people;

pub use builder::{AUDIENCE, Builder, START};
pub use config::config_toml;
pub use people::{ALL as CONDITIONS, Condition, add as add_person};

use super::world::Sandbox;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The names of the scenarios.
pub const NAMES: [&str; 4] = ["tiny", "agency", "large", "objects"];

/// A builder with the agency's lists, tags and properties, and nobody in them.
pub fn agency_without_people() -> Builder {
    agency::empty(START)
}

/// The scenario of that name; none when there is no such. `people` sets the size of `large` (default
/// 100,000), of `agency` and of `objects` (default 10,000).
pub fn named(name: &str, seed: u64, people: Option<usize>) -> Option<Sandbox> {
    match name {
        "tiny" => Some(tiny(seed)),
        "agency" => Some(crowd(seed, people.unwrap_or(3_700))),
        "large" => Some(crowd(seed, people.unwrap_or(100_000))),
        "objects" => Some(objects::records(seed, people.unwrap_or(10_000))),
        _ => None,
    }
}

/// Every condition once, and some settled people around them.
pub fn tiny(seed: u64) -> Sandbox {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut builder = agency_without_people();
    let settled = std::iter::repeat_n(Condition::Settled, 5);
    for (number, condition) in people::ALL.into_iter().chain(settled).enumerate() {
        builder.later(Duration::from_secs(60));
        people::add(&mut builder, &mut chance, number + 1, condition);
    }
    builder.build()
}

/// That many people, most of them settled.
pub fn crowd(seed: u64, people: usize) -> Sandbox {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut builder = agency_without_people();
    for number in 1..=people {
        if number.is_multiple_of(50) {
            builder.later(Duration::from_secs(1));
        }
        let condition = people::by_chance(&mut chance);
        people::add(&mut builder, &mut chance, number, condition);
    }
    builder.build()
}
