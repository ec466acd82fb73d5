//! From two accounts to one picture, from the picture to a plan, from the plan to moves that are over.
//!
//! ```text
//!   run ── preflight ── recovering ── scan ──► snapshot ── identify ── planning ── guard ── applying
//! ```
//!
//! A *scan* asks the two accounts, page by page, and puts every page on disk before it asks for the
//! next. A *snapshot* is what comes out: sorted files that never change, joined per person. Planning makes
//! passes over them. Everything works with streams, so memory stays small however many people there are.
//!
//! Never: HTTP, kameo or sled; the accounts are ports, the actors are behind their handles.

pub mod alerts;
pub mod applying;
pub mod approval;
mod carried_out;
mod consent_alone;
mod cut_short;
pub mod damage;
pub mod error;
mod expiring;
pub mod forgetting;
mod gate;
pub mod guard;
pub mod hinted;
pub mod identify;
pub mod judging;
mod looking;
mod merged;
pub mod naming;
pub mod patience;
pub mod planning;
pub mod preflight;
mod recognising;
pub mod recovering;
mod repeating;
mod reporting;
pub mod restored;
pub mod retention;
pub mod run;
pub mod scan;
mod side_by_side;
pub mod snapshot;
pub mod undo;
pub mod workspace;

pub use error::RunError;
