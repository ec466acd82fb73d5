//! What the contracts promise, asked of the simulated accounts as a client would ask.

mod hubspot;
mod labels;
mod mailchimp;
mod objects;
mod reads;
mod schemas;
mod world;

use super::scenario::{Builder, START};
use super::wire::{Delivery, Reply, WireRequest};
use super::world::Sandbox;
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// A client with a clock in its hand.
struct Client {
    sandbox: Sandbox,
    now: Timestamp,
}

impl Client {
    fn of(builder: Builder) -> Client {
        Client { sandbox: builder.build(), now: START.plus(Duration::from_secs(86_400)) }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    fn send(&mut self, service: Service, method: &str, target: &str, body: Option<&Value>) -> Reply {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = WireRequest::new(service, method, path);
        request.query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        request = match service {
            Service::HubSpot => request.with_bearer("sandbox-hubspot"),
            Service::Mailchimp => request.with_bearer("sandbox-mailchimp-us1"),
        };
        if let Some(body) = body {
            request = request.with_json(body);
        }
        self.sandbox.handle(self.now, &request)
    }

    /// A HubSpot call that is answered at once.
    fn hub(&mut self, method: &str, target: &str, body: impl Into<Option<Value>>) -> (u16, Value) {
        let reply = self.send(Service::HubSpot, method, target, body.into().as_ref());
        assert_eq!(reply.delivery, Delivery::Now);
        (reply.response.status, reply.response.value())
    }

    /// A Mailchimp call under the audience that is answered at once.
    fn chimp(&mut self, method: &str, target: &str, body: impl Into<Option<Value>>) -> (u16, Value) {
        let target = format!("/3.0/lists/aud0000001{target}");
        let reply = self.send(Service::Mailchimp, method, &target, body.into().as_ref());
        assert_eq!(reply.delivery, Delivery::Now);
        (reply.response.status, reply.response.value())
    }

    fn broken_rules(&self) -> Vec<&'static str> {
        self.sandbox.effects.violations().into_iter().map(|(rule, _)| rule).collect()
    }
}

fn hash(email: &str) -> String {
    crate::domain::email::Email::parse(email).unwrap().hash().hex()
}
