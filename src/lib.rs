//! hsmc keeps HubSpot and Mailchimp telling the same story about every person.

pub mod actors;
pub mod app;
pub mod cli;
pub mod config;
pub mod connect;
pub mod domain;
pub mod engine;
pub mod journal;
pub mod sandbox;
pub mod serve;
pub mod sync;
pub mod telemetry;
