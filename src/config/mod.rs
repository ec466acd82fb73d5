//! The config of a workspace: read, layered, checked, in final types.
//!
//! Promises: what `load` returns can be used as it stands; what is wrong is told all at once, each
//! with its line and the way out. Never: asking either service (that is the check before a run, R27),
//! or showing a secret.
//!
//! Layers, the later over the earlier: defaults, the file, `HSMC_SECTION__KEY` from the environment.
//! Any text may be `env:NAME` or `file:PATH` (its first line). The keys are those of
//! `docs/examples/agency.toml`.

#[cfg(test)]
mod anything_tests;
mod api;
pub mod condition;
mod environment;
mod error;
pub mod explain;
mod json_schema;
pub mod keys;
mod lenient;
mod load;
mod notify;
mod position;
mod pull;
mod rules;
mod schema;
mod secret;
mod segments;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod webhooks;

pub use api::{Api, Tls};
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors};
pub use json_schema::schema;
pub use load::{load, load_text, read_text};
pub use notify::Notify;
pub use position::Positions;
pub use pull::{Pull, PullObject};
pub use settings::{Apply, Config, Consent, HubSpot, Log, Mailchimp, Sync};
pub use template::TEMPLATE;
pub use webhooks::Webhooks;
