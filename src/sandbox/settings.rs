//! What an account's operator or plan would decide. Plain values; nothing reads the environment.

use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::effects::{Actor, Effect, Effects, What};
use std::time::Duration;

/// Settings of both simulated accounts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The token HubSpot accepts.
    pub hubspot_token: String,
    /// The key Mailchimp accepts.
    pub mailchimp_key: String,
    /// The portal's id.
    pub portal_id: u64,
    /// HubSpot calls in ten seconds.
    pub calls_per_window: usize,
    /// HubSpot searches in one second.
    pub searches_per_second: usize,
    /// HubSpot calls a day (UTC).
    pub daily_calls: u64,
    /// How long a write takes to reach HubSpot's search.
    pub index_lag: Duration,
    /// How long a dynamic list takes to follow a property.
    pub dynamic_lag: Duration,
    /// Marketing Hub Enterprise: the batch calls of communication preferences work.
    pub enterprise: bool,
    /// How long a Mailchimp batch takes to finish.
    pub batch_delay: Duration,
    /// How long a write takes to reach Mailchimp's listings of members.
    pub listing_lag: Duration,
    /// Associations of one input on one page.
    pub association_page: usize,
    /// Simultaneous connections Mailchimp takes.
    pub connections: usize,
    /// Tags whose loss, and whose bearers' archiving, is a violation.
    pub protected_tags: Vec<String>,
    /// Prefixes of such tags.
    pub protected_prefixes: Vec<String>,
    /// Where the HTTP face is reached; result links start with it.
    pub base_url: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            hubspot_token: "sandbox-hubspot".to_owned(),
            mailchimp_key: "sandbox-mailchimp-us1".to_owned(),
            portal_id: 4_200_042,
            calls_per_window: 190,
            searches_per_second: 5,
            daily_calls: 1_000_000,
            index_lag: Duration::from_secs(3),
            dynamic_lag: Duration::ZERO,
            enterprise: false,
            batch_delay: Duration::from_secs(1),
            listing_lag: Duration::ZERO,
            association_page: 500,
            connections: 10,
            protected_tags: Vec::new(),
            protected_prefixes: Vec::new(),
            base_url: "http://127.0.0.1:4010".to_owned(),
        }
    }
}

impl Settings {
    /// Whether a tag is protected.
    pub fn protects(&self, tag: &str) -> bool {
        self.protected_tags.iter().any(|name| name.eq_ignore_ascii_case(tag))
            || self.protected_prefixes.iter().any(|prefix| tag.starts_with(prefix.as_str()))
    }
}

/// What a change needs to know and where it is written down.
pub struct Scene<'a> {
    /// The moment.
    pub now: Timestamp,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Who acts.
    pub by: Actor,
    /// The accounts' settings.
    pub settings: &'a Settings,
    /// The journal of effects.
    pub effects: &'a mut Effects,
}

impl Scene<'_> {
    /// Writes an effect down.
    pub fn record(&mut self, service: Service, what: What) {
        self.record_by(service, self.by, what);
    }

    fn record_by(&mut self, service: Service, by: Actor, what: What) {
        self.effects.record(Effect { at: self.now, asked: self.asked, service, by, what });
    }

    /// Writes down what a service did by itself.
    pub fn record_own(&mut self, service: Service, what: What) {
        self.record_by(service, Actor::Service, what);
    }

    /// Writes down a call that a careful client does not make.
    pub fn violation(&mut self, service: Service, rule: &'static str, detail: impl Into<String>) {
        self.record(service, What::Violation { rule, whose: None, detail: detail.into() });
    }

    /// The same, of a call about one person.
    pub fn violation_about(
        &mut self,
        service: Service,
        whose: &str,
        rule: &'static str,
        detail: impl Into<String>,
    ) {
        let whose = Some(whose.to_owned());
        self.record(service, What::Violation { rule, whose, detail: detail.into() });
    }
}
