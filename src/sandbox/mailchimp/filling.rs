//! Calls that hsmc never makes, and whoever fills an account does, by Mailchimp's own clients: audiences listed, members
//! searched, one member put into a tag or taken out of it, a tag deleted (Mailchimp contract §8, §10).

use super::answers::{found, invalid, not_found};
use super::audience::Audience;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

impl Audience {
    /// All audiences: this one.
    pub(super) fn list_audiences(&self, request: &WireRequest) -> WireResponse {
        let only = WireRequest { query: Vec::new(), ..request.clone() };
        let list = self.show_audience(&only).value();
        found(request, &json!({ "lists": [list], "total_items": 1 }))
    }

    /// Members by a part of their address.
    pub(super) fn search_members(&self, request: &WireRequest) -> WireResponse {
        let query = request.query("query").unwrap_or_default().trim().to_lowercase();
        if query.is_empty() {
            return invalid("query is needed.");
        }
        let hits = self.members().filter(|member| member.email.to_lowercase().contains(&query));
        let hits: Vec<Value> = hits.map(|member| self.shown(member)).collect();
        let (exact, others): (Vec<Value>, Vec<Value>) = hits.into_iter().partition(|member| {
            member
                .get("email_address")
                .and_then(Value::as_str)
                .is_some_and(|email| email.to_lowercase() == query)
        });
        let part = |members: Vec<Value>| json!({ "total_items": members.len(), "members": members });
        found(request, &json!({ "exact_matches": part(exact), "full_search": part(others) }))
    }

    /// One member of a tag.
    pub(super) fn tag_member_call(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        tag: u64,
        who: Option<&str>,
    ) -> Option<WireResponse> {
        let number = match (request.method.as_str(), who) {
            ("POST", None) => {
                let body = request.json().unwrap_or(Value::Null);
                self.number(body.get("email_address").and_then(Value::as_str).unwrap_or_default())
            }
            ("DELETE", Some(hash)) => {
                let hash = hex::decode(hash).ok().and_then(|bytes| bytes.try_into().ok());
                hash.and_then(|hash: [u8; 16]| self.by_hash.get(&hash).copied())
            }
            _ => return None,
        };
        let Some(number) = number else { return Some(not_found()) };
        if who.is_some() {
            self.clear_tag(scene, number, tag, true);
            return Some(WireResponse::empty(204));
        }
        self.set_tag(scene, number, tag, true);
        Some(match self.members.get(&number) {
            Some(member) => WireResponse::json(200, &self.shown(member)),
            None => not_found(),
        })
    }

    /// Deletes a tag; its bearers lose it.
    pub(super) fn delete_tag(&mut self, scene: &mut Scene<'_>, tag: u64) -> WireResponse {
        let bearers: Vec<usize> = self
            .segments
            .get(&tag)
            .map(|segment| segment.bearers.iter().copied().collect())
            .unwrap_or_default();
        for number in bearers {
            self.clear_tag(scene, number, tag, false);
        }
        if let Some(segment) = self.segments.remove(&tag) {
            self.segment_names.remove(&segment.name.to_lowercase());
        }
        WireResponse::empty(204)
    }
}
