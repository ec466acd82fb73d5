//! The simulated HubSpot portal: what the HubSpot contract says a portal answers, as a function of
//! its state. It knows nothing of sockets, faults or Mailchimp.

mod answers;
mod associations;
mod contacts;
mod expanded;
mod filling;
mod history;
mod index;
mod joining;
mod kinds;
mod labels;
pub(super) mod limits;
mod lists;
mod objects;
mod portal;
mod preferences;
mod properties;
mod record;
mod schemas;
mod search;
mod types;

pub use history::History;
pub use portal::Portal;
pub use record::{Choice, Definition, Joined, List, Record, Rule, Subscription};

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
                joining::of_record(self, scene, request, (&kind, *id), rest)
            }
            ["crm", "objects", version, kind, rest @ ..] | ["crm", version, "objects", kind, rest @ ..]
                if known(version) =>
            {
                let kind = self.named(kind);
                self.records(scene, request, &kind, rest)
            }
            ["crm", "associations", version, from, to, "labels", rest @ ..]
            | ["crm", version, "associations", from, to, "labels", rest @ ..]
                if known(version) =>
            {
                let (from, to) = (self.named(from), self.named(to));
                labels::answer(self, request, (&from, &to), rest)
            }
            ["crm", "associations", version, from, to, rest @ ..]
            | ["crm", version, "associations", from, to, rest @ ..]
                if known(version) =>
            {
                let (from, to) = (self.named(from), self.named(to));
                associations::answer(self, scene, request, (&from, &to), rest)
                    .or_else(|| joining::between(self, scene, request, (&from, &to), rest))
            }
            ["crm-object-schemas", version, "schemas", rest @ ..]
            | ["crm", version, "schemas", rest @ ..]
                if known(version) =>
            {
                schemas::answer(self, scene, request, rest)
            }
            ["crm", "properties", version, kind, rest @ ..]
            | ["crm", version, "properties", kind, rest @ ..]
                if known(version) =>
            {
                let kind = self.named(kind);
                properties::answer(self, scene, request, &kind, rest)
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

    /// Answers a call under the records of a type.
    fn records(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        kind: &str,
        path: &[&str],
    ) -> Option<WireResponse> {
        let (asked, wishes) =
            match (expanded::asked(self, request, path), joining::wishes(self, request, kind, path)) {
                (Ok(asked), Ok(wishes)) => (asked, wishes),
                (Err(refusal), _) | (_, Err(refusal)) => return Some(refusal),
            };
        let answer = match kind {
            "contacts" => contacts::answer(self, scene, request, path)
                .or_else(|| filling::contacts(self, scene, request, path)),
            kind => objects::answer(self, scene, request, kind, path)
                .or_else(|| filling::objects(self, scene, request, kind, path)),
        }?;
        joining::join_made(self, kind, &wishes, &answer);
        Some(match asked {
            Some(asked) => expanded::answer(self, kind, &asked, answer),
            None => answer,
        })
    }
}
