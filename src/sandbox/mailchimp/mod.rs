//! The simulated Mailchimp audience: what the Mailchimp contract says an audience answers, as a
//! function of its state. It knows nothing of sockets, faults or HubSpot.

mod activity;
mod answers;
mod audience;
mod batches;
mod consent;
mod fields;
mod filling;
mod lagging;
mod listing;
mod member;
mod members;
mod subscribe;
mod tags;
mod webhooks;

pub use audience::Audience;
pub use member::{Member, Segment, Status};

pub(super) use answers::problem;

use super::settings::Scene;
use super::wire::{WireRequest, WireResponse};
use crate::domain::failure::Service;
use answers::{found, moment, not_found};
use base64::Engine;
use serde_json::json;

impl Audience {
    /// Takes a connection; false when there are too many already.
    pub fn connect(&mut self, limit: usize) -> bool {
        self.connections += 1;
        self.connections <= limit
    }

    /// Gives a connection back.
    pub fn disconnect(&mut self) {
        self.connections = self.connections.saturating_sub(1);
    }

    /// Answers one call: credentials, then the call itself.
    pub fn answer(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let segments = request.segments();
        if let [results, file] = segments.as_slice()
            && results == "results"
        {
            return self.results(scene, request, file);
        }
        if !authorized(request, &scene.settings.mailchimp_key) {
            return problem(
                401,
                "API Key Invalid",
                "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
            );
        }
        self.route(scene, request)
    }

    fn route(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let response = match path.split_first() {
            Some((&"3.0", rest)) => self.dispatch(scene, request, rest),
            _ => None,
        };
        response.unwrap_or_else(|| {
            let call = format!("{} {}", request.method, request.path);
            scene.violation(Service::Mailchimp, "unknown-call", call);
            not_found()
        })
    }

    fn dispatch(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        path: &[&str],
    ) -> Option<WireResponse> {
        let method = request.method.as_str();
        match (method, path) {
            ("GET", []) => Some(WireResponse::json(
                200,
                &json!({
                    "account_id": "sandbox0000000001", "account_name": "Sandbox", "login_id": "1",
                    "account_timezone": "Europe/London", "role": "owner", "pricing_plan_type": "monthly",
                    "total_subscribers": self.count(Status::Subscribed),
                }),
            )),
            ("GET", ["ping"]) => {
                Some(WireResponse::json(200, &json!({ "health_status": "Everything's Chimpy!" })))
            }
            (_, ["batches", rest @ ..]) => self.batch_call(scene, request, rest),
            ("GET", ["lists"]) => Some(self.list_audiences(request)),
            ("GET", ["search-members"]) => Some(self.search_members(request)),
            (_, ["lists", list, rest @ ..]) if *list == self.id => match (method, rest) {
                ("GET", []) => Some(self.show_audience(request)),
                ("POST", []) => Some(self.subscribe(scene, request)),
                ("GET", ["merge-fields"]) => Some(self.list_fields(request)),
                ("POST", ["merge-fields"]) => Some(self.create_field(scene, request)),
                ("GET", ["members"]) => Some(self.as_listed(scene.now).list(request)),
                ("POST", ["members"]) => Some(self.post(scene, request)),
                (_, ["members", who, rest @ ..]) => self.member_call(scene, request, who, rest),
                ("GET", ["tag-search"]) => Some(self.tag_search(request)),
                (_, ["segments", rest @ ..]) => self.segment_call(scene, request, rest),
                (_, ["webhooks", rest @ ..]) => self.webhook_call(scene, request, rest),
                _ => None,
            },
            (_, ["lists", ..]) => Some(not_found()),
            _ => None,
        }
    }

    fn show_audience(&self, request: &WireRequest) -> WireResponse {
        let body = json!({
            "id": self.id, "name": "Sandbox audience", "double_optin": false, "marketing_permissions": false,
            "date_created": moment(self.by_opted.first().map(|(at, _)| *at)),
            "stats": {
                "member_count": self.count(Status::Subscribed),
                "unsubscribe_count": self.count(Status::Unsubscribed),
                "cleaned_count": self.count(Status::Cleaned),
                "merge_field_count": self.fields.len(), "campaign_count": 0,
            },
        });
        found(request, &body)
    }
}

fn authorized(request: &WireRequest, key: &str) -> bool {
    let Some(given) = request.header("authorization") else { return false };
    if let Some(token) = given.strip_prefix("Bearer ") {
        return token == key;
    }
    let Some(encoded) = given.strip_prefix("Basic ") else { return false };
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&decoded).split_once(':').is_some_and(|(_, password)| password == key)
}
