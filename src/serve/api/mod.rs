//! The HTTP API: the requests and views of the control socket for whoever is not on this machine's terminal.
//!
//! Promises: nothing is answered without a token of the scope that the path asks for, save health, readiness, the
//! description and its page; body, rate, concurrency and time are bounded; every error is a `problem` with a code;
//! every answer carries a request id. Never: deciding anything, another meaning than the command of that name, or an
//! address in a path, a query or a log.
//!
//! `route` makes paths and their description from the same types; `guard` stands before each of them.

mod address;
mod body;
mod bucket;
mod description;
mod export;
mod guard;
mod hooks;
mod listen;
mod metrics;
mod operations;
mod page;
mod plain;
mod problem;
mod route;
mod routes;
#[cfg(test)]
mod tests;
mod unread;

pub use listen::{Served, TlsFiles};
pub use problem::Problem;

use super::pull::PullView;
use super::requests::{Call, Trouble};
use super::socket::Control;
use super::views::RunView;
use super::webhooks::{Sources, Whom};
use crate::domain::code::Code;
use crate::domain::hint::Says;
use crate::domain::id::PersonId;
use crate::domain::time::Timestamp;
use crate::domain::token::{Token, TokenId};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whoever owns the state directory, as far as the API needs more than calls.
#[async_trait]
pub trait Owner: Control {
    /// The time.
    fn now(&self) -> Timestamp;
    /// Bytes that nobody can guess.
    fn unguessable(&self) -> [u8; 32];
    /// What is kept of a token.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn token(&self, id: TokenId) -> Result<Option<Token>, Trouble>;
    /// The address of a person, by number; none when nobody has it.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn address(&self, person: PersonId) -> Result<Option<String>, Trouble>;
    /// The newest run.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn newest_run(&self) -> Result<Option<RunView>, Trouble>;
    /// The newest pull.
    ///
    /// # Errors
    /// The mirror cannot be read.
    async fn newest_pull(&self) -> Result<Option<PullView>, Trouble>;
    /// Keeps whom a webhook is about, durably, until somebody has looked; how many of them were not waiting yet.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    async fn hear_of(&self, whom: Vec<Whom>, says: Says) -> Result<u64, Trouble>;
    /// How many people wait to be looked at.
    fn waiting(&self) -> u64;
}

/// How the API is served.
#[derive(Clone)]
pub struct Settings {
    /// Where.
    pub listen: SocketAddr,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Bytes that a body may have.
    pub body_limit: usize,
    /// Requests of one token in a minute.
    pub requests_per_minute: u32,
    /// Requests answered at once.
    pub concurrency: usize,
    /// An answer that takes longer is given up.
    pub answer_within: Duration,
    /// Where webhooks come from.
    pub webhooks: Sources,
}

/// What every path has at hand.
pub(crate) struct Api {
    owner: Arc<dyn Owner>,
    settings: Settings,
    guard: guard::Guard,
    operations: operations::Operations,
    hooks: hooks::Hooks,
    answers: metrics::Answers,
    description: String,
}

impl Api {
    /// Asks as the control socket does.
    async fn ask<A: DeserializeOwned>(&self, call: Call) -> Result<A, Problem> {
        if self.owner.is_leaving() {
            return Err(Problem::leaving());
        }
        let value = self.owner.call(call).await.map_err(|trouble| Problem::of(&trouble))?;
        serde_json::from_value(value).map_err(|problem| {
            Problem::of(&Trouble::failed(
                Code::Inside,
                format!("the answer is not what was promised: {problem}"),
            ))
        })
    }

    /// Begins what goes on for longer.
    fn begin(&self, what: operations::Begun, call: Call) -> Result<operations::OperationView, Problem> {
        self.operations.begin(&self.owner, what, call)
    }
}

/// Serves the API until what it returns is dropped.
///
/// # Errors
/// The address, the certificate or its key cannot be had: the message says which.
pub async fn serve(settings: Settings, owner: Arc<dyn Owner>) -> Result<Served, Trouble> {
    let (listen, tls) = (settings.listen, settings.tls.clone());
    let connections = settings.concurrency.saturating_mul(4).max(1_024);
    listen::serve(listen, tls.as_ref(), connections, router(settings, owner)).await
}

/// Every path, guarded.
fn router(settings: Settings, owner: Arc<dyn Owner>) -> axum::Router {
    let routes = routes::all();
    let api = Arc::new(Api {
        guard: guard::Guard::new(settings.requests_per_minute, settings.concurrency),
        operations: operations::Operations::default(),
        hooks: hooks::Hooks::new(settings.webhooks.clone()),
        answers: metrics::Answers::default(),
        description: routes.description(),
        owner,
        settings,
    });
    guard::around(hooks::add(routes.router()), &api).with_state(api)
}

/// The description alone, as OpenAPI 3.1.
pub fn description() -> String {
    routes::all().description()
}
