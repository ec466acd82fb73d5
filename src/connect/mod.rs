//! The two accounts over HTTP, and the webhooks that people are told by.
//!
//! What it promises: every exchange first asks the account's gate and afterwards tells it what was
//! seen; a write is sent once and never again by itself; an answer that cannot be read is a failure,
//! never an empty result and never a panic. A failed call says whether it may have happened.
//!
//! What it never does: decide when something is sent again (the engine does, from the failure's
//! class), know a rule, or let an address, a subscriber hash or a token into an error or a log.

pub mod classify;
pub mod http;
pub mod hubspot;
mod lenient;
mod line;
pub mod mailchimp;
pub mod notify;
mod open_gate;
pub mod scrub;

pub use classify::CallKind;
pub use http::{Answer, Http, HttpProblem, HttpSettings, Incoming, Loss, Outgoing, Reading, Transport};
pub use hubspot::{HubSpotClient, HubSpotSettings};
pub use mailchimp::{MailchimpClient, MailchimpSettings, default_base_url};
pub use open_gate::OpenGate;
