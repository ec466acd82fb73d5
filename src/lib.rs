//! hsmc keeps HubSpot and Mailchimp telling the same story about every person.
//!
//! A *run* reads both accounts into a snapshot, lets the rules say what should hold for each person, and
//! makes it so. What should change for one person is a *move*: a few *steps*, each a change written as what
//! shall be true. A step is written down before its call leaves and after its answer has come, so whoever
//! starts again after a crash finds every move where it stood, looks at what is in doubt, and goes on. No move
//! is left half done, and doing a step twice changes nothing.
//!
//! ```text
//!  schedule / command
//!         │
//!         ▼
//!    scan ──► snapshot ──► plan ──► (approve) ──► journal ──► people ──► lanes ──► HubSpot / Mailchimp
//!    sync::scan  sync::    domain::rules          journal     actors,    actors::    connect
//!                snapshot  sync::planning                     engine     lane
//!                                                   ▲                      │
//!                                                   └───── outcomes ◄──────┘
//! ```
//!
//! From the bottom up; each imports only what stands above it in this list (`tests/architecture.rs`):
//!
//! - [`domain`]: the words of the sync as values, and its rules as one pure function; the ports to the world.
//! - [`telemetry`]: logs, and what their fields are called.
//! - `threads`: the locks at which threads meet; a scheduler's, where tests play their orders.
//! - [`failpoint`]: places where a crash matters, so that tests can kill the binary there; empty in release builds.
//! - [`config`]: the config file, its layers and checks, secrets.
//! - [`journal`]: the durable record. Log and snapshots are the truth, sled is the index.
//! - [`mirror`]: a copy of HubSpot's objects, to be asked without a call, and the engines that pull it.
//! - [`people`]: who is asked for, page by page, and who belongs to which segment.
//! - [`engine`]: what comes next for a move, as a pure function of what was recorded of it.
//! - [`connect`]: both accounts over HTTP; what a failed call means.
//! - [`actors`]: one writer for each person in flight, each list, tag and account.
//! - [`sync`]: a run, from recovery and scan to plan, application and report.
//! - [`sandbox`]: both accounts simulated, as a function from request to response.
//! - [`serve`]: what can be asked and what is answered, the control socket, the HTTP API, the sandbox's HTTP face.
//! - [`app`]: puts the parts together, does what is asked, takes them apart in order.
//! - [`simulate`]: the app against the sandbox in virtual time, with every disaster that a seed draws.
//! - [`bench`](mod@bench): measures these parts on the machine at hand, each beside something simpler.
//! - [`cli`]: commands, tables, exit codes, the demo.
//!
//! Where to begin: `domain::step` and `domain::moves` for the words, `engine` for how a move lives,
//! `sync::run` for how a run goes, `actors::contact` for the loop between the journal and the network.

pub mod actors;
pub mod app;
pub mod bench;
pub mod cli;
pub mod config;
pub mod connect;
pub mod domain;
pub mod engine;
pub mod failpoint;
pub mod journal;
pub mod mirror;
pub mod people;
pub mod sandbox;
pub mod serve;
pub mod simulate;
pub mod sync;
pub mod telemetry;
mod threads;
mod tls;
