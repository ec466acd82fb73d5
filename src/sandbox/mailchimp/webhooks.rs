//! Webhooks of the audience (Mailchimp contract §13): made, shown and removed. The sandbox calls nobody, so none is ever
//! sent, and nobody looks whether anybody answers.

use super::answers::{found, invalid, not_found};
use super::audience::Audience;
use crate::domain::failure::Service;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

/// One webhook.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    id: String,
    url: String,
    events: Value,
    sources: Value,
}

impl Hook {
    fn shown(&self, list: &str) -> Value {
        json!({
            "id": self.id, "url": self.url, "events": self.events, "sources": self.sources, "list_id": list,
            "signing_enabled": true,
        })
    }
}

impl Audience {
    pub(super) fn webhook_call(
        &mut self,
        scene: &mut Scene<'_>,
        request: &WireRequest,
        path: &[&str],
    ) -> Option<WireResponse> {
        match (request.method.as_str(), path) {
            ("GET", []) => Some(self.list_hooks(request)),
            ("POST", []) => Some(self.make_hook(scene, request)),
            ("GET", [id]) => Some(match self.hooks.iter().find(|hook| hook.id == *id) {
                Some(hook) => found(request, &hook.shown(&self.id)),
                None => not_found(),
            }),
            ("DELETE", [id]) => Some(match self.hooks.iter().position(|hook| hook.id == *id) {
                Some(at) => {
                    let url = self.hooks.remove(at).url;
                    scene.record(Service::Mailchimp, What::WebhookDeleted { url });
                    WireResponse::empty(204)
                }
                None => not_found(),
            }),
            _ => None,
        }
    }

    fn list_hooks(&self, request: &WireRequest) -> WireResponse {
        let (Some(count @ 0..=1000), Some(offset)) =
            (request.number("count", 10), request.number("offset", 0))
        else {
            return invalid("count must not exceed 1000.");
        };
        let page: Vec<Value> =
            self.hooks.iter().skip(offset).take(count).map(|hook| hook.shown(&self.id)).collect();
        found(request, &json!({ "webhooks": page, "list_id": self.id, "total_items": self.hooks.len() }))
    }

    fn make_hook(&mut self, scene: &mut Scene<'_>, request: &WireRequest) -> WireResponse {
        let body = request.json().unwrap_or(Value::Null);
        let Some(url) = body.get("url").and_then(Value::as_str).filter(|url| url.starts_with("http")) else {
            return invalid("The URL cannot be reached.");
        };
        let id = format!("{:010x}", self.next_number());
        let part = |name: &str| body.get(name).cloned().unwrap_or_else(|| json!({}));
        let hook = Hook { id, url: url.to_owned(), events: part("events"), sources: part("sources") };
        let mut answer = hook.shown(&self.id);
        if let Some(answer) = answer.as_object_mut() {
            // Shown this once.
            answer.insert("signing_secret".to_owned(), json!(format!("secret-of-{}", hook.id)));
        }
        scene.record(Service::Mailchimp, What::WebhookCreated { url: hook.url.clone() });
        self.hooks.push(hook);
        WireResponse::json(200, &answer)
    }
}
