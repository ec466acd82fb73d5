//! HubSpot's connector: [`HubSpotClient`] is the [`CrmAccount`](crate::domain::port::CrmAccount) and the
//! [`ObjectAccount`](crate::domain::object::ObjectAccount) of one portal.
//!
//! What it promises: the cheapest documented call for each question (HubSpot contract §18); answers
//! are matched by id, never by position; whatever an answer leaves unclear comes back as unknown.
//! What it never does: retry, merge, erase, create without an address, or write to a list it was not
//! asked to write to.

mod classify;
mod client;
mod consent;
mod lists;
mod object_wire;
mod objects;
mod paths;
mod search;
mod wire;

pub use classify::classify;
pub(crate) use classify::is_daily;
pub use client::{HubSpotClient, HubSpotSettings};
