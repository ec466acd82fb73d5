//! Many records of each type and what joins them, for pulls into the mirror; nobody in a list, and no members.

use super::agency_without_people;
use crate::sandbox::world::Sandbox;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// The custom type: its id and name.
pub const DIVISIONS: (&str, &str) = ("2-4200001", "divisions");
const CITIES: [&str; 5] = ["Leeds", "York", "Bath", "Hull", "Ely"];

/// So many contacts, companies, deals, appointments and divisions, and three times as many associations.
pub fn records(seed: u64, count: usize) -> Sandbox {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut builder = agency_without_people();
    builder.custom_object(DIVISIONS.0, DIVISIONS.1);
    let kinds = ["companies", "deals", "appointments", DIVISIONS.0];
    let mut ids: [Vec<u64>; 4] = Default::default();
    let mut contacts = Vec::with_capacity(count);
    for number in 1..=count {
        if number.is_multiple_of(50) {
            builder.later(Duration::from_secs(1));
        }
        let city = CITIES.get(chance.random_range(0..CITIES.len())).copied().unwrap_or("Ely");
        let email = format!("person.{number}@example.com");
        contacts.push(builder.contact(&[("email", &email), ("firstname", "Pat"), ("lastname", city)]));
        let amount = chance.random_range(100..10_000).to_string();
        let name = format!("No. {number}");
        for (kind, ids) in kinds.iter().zip(&mut ids) {
            ids.push(
                builder.object(
                    kind,
                    &[("name", &name), ("dealname", &name), ("city", city), ("amount", &amount)],
                ),
            );
        }
    }
    let [companies, deals, ..] = &ids;
    for contact in &contacts {
        for _ in 0..2 {
            if let Some(company) = companies.get(chance.random_range(0..companies.len().max(1))) {
                let label = if chance.random_range(0..10) == 0 { "Owner" } else { "" };
                builder.link(("contacts", *contact), ("companies", *company), label);
            }
        }
        if let Some(deal) = deals.get(chance.random_range(0..deals.len().max(1))) {
            builder.link(("contacts", *contact), ("deals", *deal), "");
        }
    }
    builder.build()
}
