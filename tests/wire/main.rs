//! What both connectors put on the wire, and what they make of the answers: each call of the ports
//! against a server on the loopback that records requests and plays scripted answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod anything;
mod every_call;
mod hubspot;
mod mailchimp;
mod server;
mod transport;
