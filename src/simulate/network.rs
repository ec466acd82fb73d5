//! The network between hsmc and the simulated accounts: every call takes a drawn time there and back, and what
//! the accounts' script of faults says becomes of it.
//!
//! As with real services, whoever hangs up does not stop what was begun.

use super::clock::VirtualClock;
use super::fuse::{Fuse, Place};
use super::held;
use super::stage::Stage;
use crate::connect::{Incoming, Loss, Outgoing, Transport};
use crate::domain::failure::Service;
use crate::sandbox::calls::kind;
use crate::sandbox::{Delivery, Reply, WireRequest, WireResponse};
use async_trait::async_trait;
use secrecy::ExposeSecret;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long hsmc waits for an answer.
const PATIENCE: Duration = Duration::from_secs(130);
/// Longer than that.
const NEVER: Duration = Duration::from_secs(1_000);

/// How often, of a hundred calls that change something, somebody interferes.
const INTERFERE: u64 = 4;

/// Where the accounts are reached.
pub(super) const HUBSPOT: &str = "http://simulated.invalid/hubspot";
pub(super) const MAILCHIMP: &str = "http://simulated.invalid/mailchimp/3.0";
/// What links in answers start with.
pub(super) const BASE: &str = "http://simulated.invalid";

#[derive(Clone)]
pub(super) struct Network {
    pub(super) stage: Arc<Stage>,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) fuse: Arc<Fuse>,
    /// After so many calls, hsmc's clock jumps by so many milliseconds.
    pub(super) jump: Arc<Mutex<Option<(u64, i64)>>>,
}

impl Network {
    fn takes(&self) -> Duration {
        match self.stage.calm {
            true => Duration::from_millis(20),
            false => {
                let mut chance = held(&self.stage.chance);
                let longest = if chance.percent(5) { 5_000 } else { 300 };
                chance.time(1, longest)
            }
        }
    }

    fn count_down(&self) {
        let mut jump = held(&self.jump);
        match &mut *jump {
            Some((0, by)) => {
                let by = *by;
                self.stage.trace.tell(|| format!("the clock jumps by {by} ms"));
                self.clock.jump(by);
                *jump = None;
            }
            Some((calls, _)) => *calls -= 1,
            None => {}
        }
    }

    /// Lets a call take its time and its place; no response = the answer is lost.
    async fn carry_out(self, request: WireRequest) -> Option<WireResponse> {
        let stage = &self.stage;
        let refused = held(&stage.sandbox).begin(request.service);
        let id = stage.leaves(&request, true);
        tokio::time::sleep(self.takes()).await;
        if self.fuse.is_gone() {
            // What was on the wire when the process died is the stage's.
            std::future::pending::<()>().await;
        }
        let now = self.clock.true_now();
        stage.set_now(now);
        let before = held(&stage.sandbox).effects.len();
        let reply = match refused {
            Some(response) => Reply { response, delivery: Delivery::Now },
            None => held(&stage.sandbox).handle(now, &request),
        };
        stage.trace.tell(|| {
            let call = kind(&request);
            format!(
                "{} {} {}: {} {:?}",
                call.service, call.method, call.template, reply.response.status, reply.delivery
            )
        });
        for act in stage.arrives(id) {
            stage.act(&act);
        }
        if !stage.calm {
            stage.may_interfere(INTERFERE, before);
        }
        self.count_down();
        self.fuse.pass(Place::CallDone).await;
        let wait = match reply.delivery {
            Delivery::Now => self.takes(),
            Delivery::After(delay) => delay,
            Delivery::Lost if held(&stage.chance).percent(50) => self.takes(),
            Delivery::Lost => NEVER,
        };
        tokio::time::sleep(wait).await;
        stage.ends(id);
        (reply.delivery != Delivery::Lost).then_some(reply.response)
    }
}

#[async_trait]
impl Transport for Network {
    async fn exchange(&self, request: Outgoing) -> Result<Incoming, Loss> {
        self.fuse.pass(Place::CallLeaves).await;
        let patience = request.timeout.map_or(PATIENCE, |timeout| timeout.min(PATIENCE));
        let Some(request) = on_the_wire(&request) else {
            return Err(Loss::NotSent("there is nobody of that name".to_owned()));
        };
        let carried = tokio::spawn(self.clone().carry_out(request));
        let answer = match tokio::time::timeout(patience, carried).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(_) => Err(Loss::Lost("the connection broke".to_owned())),
            Err(_) => Err(Loss::Lost("no answer in time".to_owned())),
        };
        self.fuse.pass(Place::CallAnswered).await;
        let WireResponse { status, headers, body } = answer?;
        Ok(Incoming { status, headers, body: Ok(body), at: self.clock.true_now() })
    }
}

fn on_the_wire(request: &Outgoing) -> Option<WireRequest> {
    let path = request.url.path();
    let (service, path) = match (path.strip_prefix("/hubspot"), path.strip_prefix("/mailchimp")) {
        (Some(rest), _) => (Service::HubSpot, rest),
        (_, Some(rest)) => (Service::Mailchimp, rest),
        _ => return None,
    };
    let mut wire = WireRequest::new(service, request.method.as_str(), path);
    wire.query = request.url.query_pairs().into_owned().collect();
    if let Some(secret) = &request.authorization {
        wire = wire.with_header("authorization", secret.expose_secret());
    }
    if let Some(body) = &request.body {
        wire.body = body.as_bytes().to_vec();
        wire = wire.with_header("content-type", "application/json");
    }
    Some(wire)
}
