//! Communication preferences (HubSpot contract §12): opt-outs by address, known or not.

use super::answers::{envelope, error, invalid, not_found};
use super::portal::Portal;
use super::record::folded;
use crate::domain::failure::Service;
use crate::sandbox::settings::Scene;
use crate::sandbox::wire::{WireRequest, WireResponse, iso_millis, set};
use serde_json::{Value, json};

/// Answers a call under the preferences prefix; none when there is no such call.
pub fn answer(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    path: &[&str],
) -> Option<WireResponse> {
    let response = match (request.method.as_str(), path) {
        ("GET", ["definitions"]) => definitions(portal, scene),
        ("POST", ["statuses", "batch", what @ ..]) => {
            if !scene.settings.enterprise {
                return Some(error(
                    403,
                    "MISSING_SCOPES",
                    "This call needs Marketing Hub Enterprise.",
                    Vec::new(),
                ));
            }
            return batch(portal, scene, request, what);
        }
        ("GET", ["statuses", email, "unsubscribe-all"]) => {
            envelope(200, scene.now, wide(portal, email), Vec::new())
        }
        ("POST", ["statuses", email, "unsubscribe-all"]) => {
            let changed = portal.opt_out(scene, email, None);
            let mut results = wide(portal, email);
            for result in &mut results {
                set(
                    result,
                    "setStatusSuccessReason",
                    json!(if changed { "UNSUBSCRIBE_FROM_ALL_OCCURRED" } else { "NO_STATUS_CHANGE" }),
                );
            }
            envelope(200, scene.now, results, Vec::new())
        }
        ("GET", ["statuses", email]) => {
            let ids: Vec<u64> = portal.subscriptions.keys().copied().collect();
            let statuses = ids.into_iter().map(|id| status(portal, email, id)).collect();
            envelope(200, scene.now, statuses, Vec::new())
        }
        ("POST", ["statuses", email]) => write(portal, scene, request, email),
        _ => return None,
    };
    Some(response)
}

fn definitions(portal: &Portal, scene: &Scene<'_>) -> WireResponse {
    let all = portal
        .subscriptions
        .iter()
        .map(|(id, subscription)| {
            json!({
                "id": id.to_string(), "name": subscription.name, "description": subscription.name,
                "purpose": "Marketing", "communicationMethod": "Email", "isActive": subscription.active,
                "isDefault": false, "isInternal": subscription.internal, "businessUnitId": 0,
            })
        })
        .collect();
    envelope(200, scene.now, all, Vec::new())
}

fn status(portal: &Portal, email: &str, subscription: u64) -> Value {
    let own = portal.opt_outs.get(&(folded(email), Some(subscription)));
    let wide = portal.opt_outs.get(&(folded(email), None));
    let name = portal.subscriptions.get(&subscription).map_or("", |known| known.name.as_str());
    json!({
        "subscriptionId": subscription, "subscriptionName": name, "businessUnitId": 0, "channel": "EMAIL",
        "status": if own.or(wide).is_some() { "UNSUBSCRIBED" } else { "NOT_SPECIFIED" },
        "source": "API", "timestamp": own.or(wide).map(|at| iso_millis(*at)),
    })
}

/// Empty = not opted out of everything.
fn wide(portal: &Portal, email: &str) -> Vec<Value> {
    let at = portal.opt_outs.get(&(folded(email), None));
    at.map(|at| {
        json!({
            "wideStatusType": "PORTAL_WIDE", "status": "UNSUBSCRIBED", "channel": "EMAIL",
            "timestamp": iso_millis(*at), "subscriberIdString": email,
        })
    })
    .into_iter()
    .collect()
}

fn write(portal: &mut Portal, scene: &mut Scene<'_>, request: &WireRequest, email: &str) -> WireResponse {
    let body = request.json().unwrap_or(Value::Null);
    let Some(id) = body.get("subscriptionId").and_then(Value::as_u64) else {
        return invalid("subscriptionId must be a number.");
    };
    if body.get("channel").and_then(Value::as_str) != Some("EMAIL") {
        return invalid("channel must be EMAIL.");
    }
    match set_status(portal, scene, email, id, body.get("statusState").and_then(Value::as_str)) {
        Ok(result) => envelope(200, scene.now, vec![result], Vec::new()),
        Err(refusal) => refusal,
    }
}

fn set_status(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    email: &str,
    id: u64,
    state: Option<&str>,
) -> Result<Value, WireResponse> {
    if !portal.subscriptions.contains_key(&id) {
        return Err(not_found("The subscription type"));
    }
    let changed = match state {
        Some("UNSUBSCRIBED") => portal.opt_out(scene, email, Some(id)),
        Some("SUBSCRIBED" | "NOT_SPECIFIED") => {
            scene.violation(Service::HubSpot, "resubscribe", "a subscription status other than UNSUBSCRIBED");
            portal.opt_in(scene, email, Some(id))
        }
        _ => return Err(invalid("statusState is unknown.")),
    };
    let mut result = status(portal, email, id);
    set(
        &mut result,
        "setStatusSuccessReason",
        json!(if changed { "REQUESTED_CHANGE_OCCURRED" } else { "NO_STATUS_CHANGE" }),
    );
    Ok(result)
}

fn batch(
    portal: &mut Portal,
    scene: &mut Scene<'_>,
    request: &WireRequest,
    what: &[&str],
) -> Option<WireResponse> {
    let body = request.json().unwrap_or(Value::Null);
    let inputs = body.get("inputs").and_then(Value::as_array).cloned().unwrap_or_default();
    if inputs.len() > 100 {
        scene.violation(Service::HubSpot, "batch-over-limit", "communication preferences");
        return Some(invalid("At most 100 inputs."));
    }
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &inputs {
        let email = input.as_str().or_else(|| input.get("subscriberIdString")?.as_str()).unwrap_or_default();
        match what {
            ["read"] => {
                let statuses: Vec<Value> =
                    portal.subscriptions.keys().map(|id| status(portal, email, *id)).collect();
                results.push(json!({ "subscriberIdString": email, "statuses": statuses }));
            }
            ["unsubscribe-all", "read"] => {
                results.push(json!({ "subscriberIdString": email, "wideStatuses": wide(portal, email) }));
            }
            ["unsubscribe-all"] => {
                portal.opt_out(scene, email, None);
                results.push(json!({ "subscriberIdString": email, "wideStatuses": wide(portal, email) }));
            }
            ["write"] => {
                let id = input.get("subscriptionId").and_then(Value::as_u64).unwrap_or_default();
                let state = input.get("statusState").and_then(Value::as_str);
                match set_status(portal, scene, email, id, state) {
                    Ok(mut result) => {
                        set(&mut result, "subscriberIdString", json!(email));
                        results.push(result);
                    }
                    Err(refusal) => errors.push(refusal.value()),
                }
            }
            _ => return None,
        }
    }
    Some(envelope(200, scene.now, results, errors))
}
