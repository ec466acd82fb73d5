//! Both accounts in one world: time passes, faults strike, calls are counted and answered.

use super::calls::Calls;
use super::effects::{Actor, Effects};
use super::fault::{Fault, FaultKind, Faults};
use super::hubspot::{Portal, error, limits};
use super::mailchimp::{Audience, problem};
use super::settings::{Scene, Settings};
use super::wire::{Delivery, Reply, WireRequest, WireResponse, http_date};
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The simulated accounts.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// What the operators of the accounts decided; may be changed at any time.
    pub settings: Settings,
    /// HubSpot's side.
    pub hubspot: Portal,
    /// Mailchimp's side.
    pub mailchimp: Audience,
    /// What happened.
    pub effects: Effects,
    /// What was called.
    pub calls: Calls,
    faults: Faults,
    /// By when they are due, with when they came.
    later: BTreeMap<(Timestamp, u64), (Timestamp, WireRequest)>,
    clock: Timestamp,
    ahead: Duration,
    sequence: u64,
}

impl Sandbox {
    /// Two empty accounts at a moment; `scenario` fills them.
    pub fn new(settings: Settings, audience: &str, start: Timestamp) -> Sandbox {
        Sandbox {
            settings,
            hubspot: Portal::default(),
            mailchimp: Audience::new(audience),
            effects: Effects::default(),
            calls: Calls::default(),
            faults: Faults::default(),
            later: BTreeMap::new(),
            clock: start,
            ahead: Duration::ZERO,
            sequence: 0,
        }
    }

    /// Answers a request at a moment. A clock set back is taken as standing still.
    pub fn handle(&mut self, now: Timestamp, request: &WireRequest) -> Reply {
        let reply = self.answer(now, request);
        Reply { response: reply.response.with_header("date", &http_date(self.clock)), ..reply }
    }

    fn answer(&mut self, now: Timestamp, request: &WireRequest) -> Reply {
        self.settle(now);
        self.calls.count(request);
        let service = request.service;
        let refused = |response| Reply { response, delivery: Delivery::Now };
        let lost = |response| Reply { response, delivery: Delivery::Lost };
        match self.faults.strike(self.clock, request) {
            None => Reply { response: self.perform(request), delivery: Delivery::Now },
            Some(FaultKind::Status { code, body }) => refused(status(service, code, body)),
            Some(FaultKind::Http429 { retry_after }) => {
                let response = too_many(service);
                refused(match retry_after {
                    Some(seconds) => response.with_header("retry-after", &seconds.to_string()),
                    None => response,
                })
            }
            Some(FaultKind::Html) => refused(gateway(502)),
            Some(FaultKind::Unauthorized) => refused(unauthorized(service)),
            Some(FaultKind::LostBefore | FaultKind::Reset | FaultKind::Down { .. }) => {
                lost(WireResponse::empty(503))
            }
            Some(FaultKind::LostAfter) => lost(self.perform(request)),
            Some(FaultKind::LostThenDoneLater(delay)) => {
                self.deliver(request.clone(), delay);
                lost(WireResponse::empty(504))
            }
            Some(FaultKind::Slow(delay)) => {
                Reply { response: self.perform(request), delivery: Delivery::After(delay) }
            }
        }
    }

    /// A request whose sender is gone is carried out this much later.
    pub fn deliver(&mut self, request: WireRequest, delay: Duration) {
        self.sequence += 1;
        self.later.insert((self.clock.plus(delay), self.sequence), (self.clock, request));
    }

    /// Lets time pass until a moment, with everything that falls due on the way, in order.
    pub fn settle(&mut self, now: Timestamp) {
        let target = now.plus(self.ahead).max(self.clock);
        while let Some(((due, _), _)) = self.later.first_key_value() {
            if *due > target {
                break;
            }
            if let Some(((due, _), (came, request))) = self.later.pop_first() {
                self.pass(due);
                // Nobody waits for this answer.
                self.perform_since(came, &request);
            }
        }
        self.pass(target);
    }

    fn pass(&mut self, to: Timestamp) {
        self.clock = to.max(self.clock);
        let (hubspot, mailchimp, mut scene) = self.stage(Actor::Api);
        hubspot.settle(&mut scene);
        mailchimp.settle(&mut scene);
    }

    /// Both accounts and the scene for somebody who acts now.
    pub(super) fn stage(&mut self, by: Actor) -> (&mut Portal, &mut Audience, Scene<'_>) {
        let (now, asked) = (self.clock, self.clock);
        let scene = Scene { now, asked, by, settings: &self.settings, effects: &mut self.effects };
        (&mut self.hubspot, &mut self.mailchimp, scene)
    }

    fn perform(&mut self, request: &WireRequest) -> WireResponse {
        self.perform_since(self.clock, request)
    }

    fn perform_since(&mut self, asked: Timestamp, request: &WireRequest) -> WireResponse {
        let (hubspot, mailchimp, mut scene) = self.stage(Actor::Api);
        scene.asked = asked;
        match request.service {
            Service::HubSpot => hubspot.answer(&mut scene, request),
            Service::Mailchimp => mailchimp.answer(&mut scene, request),
        }
    }

    /// A connection opens; the answer it gets at once when there are too many. Pair with `end`.
    pub fn begin(&mut self, service: Service) -> Option<WireResponse> {
        match service {
            Service::Mailchimp if !self.mailchimp.connect(self.settings.connections) => {
                Some(too_many(service))
            }
            _ => None,
        }
    }

    /// A connection that `begin` saw closes.
    pub fn end(&mut self, service: Service) {
        if service == Service::Mailchimp {
            self.mailchimp.disconnect();
        }
    }

    /// Adds a fault to the script.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Moves the accounts' time ahead of the caller's by this much more.
    pub fn advance(&mut self, by: Duration) {
        self.ahead = self.ahead.saturating_add(by);
    }

    /// The moment the accounts have reached.
    pub fn now(&self) -> Timestamp {
        self.clock
    }
}

fn gateway(code: u16) -> WireResponse {
    WireResponse::html(
        code,
        "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>",
    )
}

fn status(service: Service, code: u16, body: Option<String>) -> WireResponse {
    match (body, service) {
        (Some(body), _) => {
            let kind = if body.trim_start().starts_with('<') { "text/html" } else { "application/json" };
            WireResponse::html(code, &body).with_type(kind)
        }
        (None, _) if matches!(code, 502..=504) => gateway(code),
        (None, Service::HubSpot) => error(code, "SANDBOX_FAULT", "A scripted fault.", Vec::new()),
        (None, Service::Mailchimp) => problem(code, "Sandbox Fault", "A scripted fault."),
    }
}

fn too_many(service: Service) -> WireResponse {
    match service {
        Service::HubSpot => {
            limits::refusal("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.", 0)
        }
        Service::Mailchimp => {
            problem(429, "TooManyRequests", "You have exceeded the limit of 10 simultaneous connections.")
        }
    }
}

fn unauthorized(service: Service) -> WireResponse {
    match service {
        Service::HubSpot => error(401, "EXPIRED_AUTHENTICATION", "The token is no longer valid.", Vec::new()),
        Service::Mailchimp => problem(401, "API Key Invalid", "Your API key may be invalid."),
    }
}
