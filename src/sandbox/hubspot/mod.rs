//! The simulated HubSpot portal: what the HubSpot contract says a portal answers, as a function of
//! its state. It knows nothing of sockets, faults or Mailchimp.

mod answers;
mod associations;
mod contacts;
mod filling;
mod index;
pub(super) mod limits;
mod lists;
mod objects;
mod portal;
mod preferences;
mod properties;
mod record;
mod search;

pub use portal::Portal;
pub use record::{Definition, Joined, List, Record, Rule, Subscription};

pub(super) use answers::error;

use super::settings::Scene;
use super::wire::{WireRequest, WireResponse, iso_millis};
use crate::domain::failure::Service;
use serde_json::json;

/// Versions whose paths are served: dated ones and the numbered one before them.
const VERSIONS: [&str; 4] = ["2026-09", "2026-03", "v3", "v4"];

impl Portal {
    /// Answers one call: credentials, then budget, then the call itself.
    pub fn answer(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        self.traces += 1;
        let trace = format!("sandbox-{}", self.traces);
        let expected = format!("Bearer {}", scene.settings.hubspot_token);
        if request.header("authorization") != Some(expected.as_str()) {
            return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.", Vec::new());
        }
        let segments = request.segments();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let search = matches!(path.as_slice(), ["crm", "objects", .., "search"])
            || matches!(path.as_slice(), ["crm", "v3", "objects", .., "search"]);
        if let Err(refusal) = self.limits.charge(scene.now, scene.settings, search, self.traces) {
            return refusal;
        }
        let mut response = self.route(scene, request, &path).unwrap_or_else(|| {
            let call = format!("{} {}", request.method, request.path.split('@').next().unwrap_or_default());
            scene.violation(Service::HubSpot, "unknown-call", call);
            error(404, "OBJECT_NOT_FOUND", "There is no such call here.", Vec::new())
        });
        response.headers.push(("x-hubspot-correlation-id".to_owned(), trace));
        if !search {
            response.headers.extend(self.limits.headers(scene.settings));
        }
        response
    }

    /// A type by one name, whatever it is called by: custom ones by their id.
    fn named(&self, kind: &str) -> String {
        let name = match kind {
            "0-1" | "contact" => "contacts",
            "0-2" | "company" => "companies",
            "0-3" | "deal" => "deals",
            "0-421" | "appointment" => "appointments",
            other => {
                let is_it = |name: &str| name == other || objects::qualified(name) == other;
                self.custom.iter().find(|(_, name)| is_it(name)).map_or(other, |(id, _)| id)
            }
        };
        name.to_owned()
    }

    fn route(&mut self, scene: &mut Scene<'_>, request: &WireRequest, path: &[&str]) -> Option<WireResponse> {
        let known = |version: &str| VERSIONS.contains(&version);
        match path {
            ["account-info", version, "details"] if known(version) => Some(WireResponse::json(
                200,
                &json!({
                    "portalId": scene.settings.portal_id, "accountType": "STANDARD",
                    "timeZone": "Europe/London", "companyCurrency": "GBP", "utcOffset": "+00:00",
                    "utcOffsetMilliseconds": 0, "uiDomain": "app.hubspot.com",
                    "dataHostingLocation": "eu1", "asOf": iso_millis(scene.now),
                }),
            )),
            ["crm", "lists", version, rest @ ..] | ["crm", version, "lists", rest @ ..] if known(version) => {
                lists::answer(self, scene, request, rest)
                    .or_else(|| filling::lists(self, scene, request, rest))
            }
            ["crm", "objects", version, kind, id, "associations", rest @ ..]
            | ["crm", version, "objects", kind, id, "associations", rest @ ..]
                if known(version) =>
            {
                let kind = self.named(kind);
                filling::joined(self, scene, request, (&kind, *id), rest)
            }
            ["crm", "objects", version, "contacts" | "0-1", rest @ ..]
            | ["crm", version, "objects", "contacts" | "0-1", rest @ ..]
                if known(version) =>
            {
                let answer = contacts::answer(self, scene, request, rest)
                    .or_else(|| filling::contacts(self, scene, request, rest));
                filling::join_created(self, "contacts", request, answer.as_ref());
                answer
            }
            ["crm", "objects", version, kind, rest @ ..] | ["crm", version, "objects", kind, rest @ ..]
                if known(version) =>
            {
                let kind = self.named(kind);
                let answer = objects::answer(self, scene, request, &kind, rest)
                    .or_else(|| filling::objects(self, scene, request, &kind, rest));
                filling::join_created(self, &kind, request, answer.as_ref());
                answer
            }
            ["crm", "associations", version, from, to, rest @ ..]
            | ["crm", version, "associations", from, to, rest @ ..]
                if known(version) =>
            {
                let (from, to) = (self.named(from), self.named(to));
                associations::answer(self, scene, request, (&from, &to), rest)
                    .or_else(|| filling::associations(self, scene, request, (&from, &to), rest))
            }
            ["crm-object-schemas", version, "schemas", rest @ ..]
            | ["crm", version, "schemas", rest @ ..]
                if known(version) =>
            {
                objects::schemas(self, request, rest).or_else(|| filling::schemas(self, scene, request, rest))
            }
            ["crm", "properties", version, kind] | ["crm", version, "properties", kind]
                if known(version) && self.objects.contains_key(&self.named(kind)) =>
            {
                Some(properties::of_objects(self, &self.named(kind)))
            }
            ["crm", "properties", version, "contacts" | "0-1", rest @ ..]
            | ["crm", version, "properties", "contacts" | "0-1", rest @ ..]
                if known(version) =>
            {
                properties::answer(self, scene, request, rest)
            }
            ["crm", version, "owners"] if known(version) => {
                Some(WireResponse::json(200, &json!({ "results": [] })))
            }
            ["communication-preferences", version, rest @ ..] if known(version) => {
                preferences::answer(self, scene, request, rest)
                    .or_else(|| filling::preferences(self, scene, request, rest))
            }
            _ => None,
        }
    }
}
