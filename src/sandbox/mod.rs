//! Simulated HubSpot and Mailchimp accounts: a function from request to response over state that
//! starts from a scenario and a seed. No sockets, no clock of its own, no chance but the seed's: the
//! same scenario and the same requests at the same moments give the same bytes.
//!
//! It follows the two API contracts, of two possible answers mostly the harder one, and writes down
//! every real change and every call a careful client would not have made (`effects`), so that a test
//! can say what happened and that nothing else did. `serve::sandbox_http` gives it an HTTP face.

pub mod act;
pub mod calls;
mod dump;
pub mod effects;
pub mod fault;
pub mod hubspot;
pub mod mailchimp;
pub mod scenario;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod wire;
mod world;

pub use act::Act;
pub use effects::{Actor, Effect, Effects, What};
pub use fault::{Fault, FaultKind, Faults, Matches};
pub use settings::Settings;
pub use wire::{Delivery, Reply, WireRequest, WireResponse};
pub use world::Sandbox;
