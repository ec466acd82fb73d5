//! The face to the outside: what is asked and what is answered, in the same words on the control
//! socket, in `--json` and in the tables of the command line.
//!
//! Promises: `requests` and `views` are plain values, the only form in which the inside is shown; each
//! face listens on loopback or a private socket only. Never: deciding anything.

pub mod alert_views;
pub mod api;
pub mod bench;
pub mod codes;
pub mod consent;
mod cut;
pub mod explained;
pub mod export;
pub mod forget;
pub mod hooks_setup;
pub mod lists;
pub mod parked;
pub mod people;
pub mod pull;
pub mod report_page;
pub mod requests;
pub mod sandbox_http;
pub mod snapshots;
pub mod socket;
pub mod state;
pub mod tokens;
pub mod undo;
pub mod views;
pub mod webhooks;
pub mod why;
