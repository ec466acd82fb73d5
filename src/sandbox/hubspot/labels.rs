//! Definitions of association labels: listed, made, renamed and taken away (HubSpot contract §10). hsmc reads them at
//! most; the other calls are made by whoever fills an account, and leave no effects.

use super::answers::{invalid, not_found};
use super::associations::described;
use super::kinds::{Between, Refused};
use super::portal::Portal;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

/// Answers a call under the labels between two types; none when there is no such call.
pub(super) fn answer(
    portal: &mut Portal,
    request: &WireRequest,
    between: Between<'_>,
    path: &[&str],
) -> Option<WireResponse> {
    let body = request.json().unwrap_or(Value::Null);
    match (request.method.as_str(), path) {
        ("GET", []) => {
            let kinds = portal.kinds.all(between);
            Some(listed(kinds.into_iter().map(|(number, kind)| described(number, kind)).collect()))
        }
        ("POST", []) => Some(define(portal, between, &body)),
        ("PUT", []) => Some(rename(portal, between, &body)),
        ("DELETE", [number]) => Some(remove(portal, between, number)),
        _ => None,
    }
}

fn listed(kinds: Vec<Value>) -> WireResponse {
    WireResponse::json(200, &json!({ "results": kinds }))
}

/// A text that says something.
fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Answers the label as both types see it: with two numbers, where the directions can be told apart.
fn define(portal: &mut Portal, (from, to): Between<'_>, body: &Value) -> WireResponse {
    if portal.kinds.unlabelled((from, to)).is_none() {
        return invalid(&format!("Records of {from} and {to} cannot be associated."));
    }
    let (Some(name), Some(label)) = (text(body, "name"), text(body, "label")) else {
        return invalid("name and label are needed.");
    };
    match portal.kinds.define((from, to), name, label, text(body, "inverseLabel")) {
        Ok(number) => {
            let there = portal.kinds.get((from, to), number);
            let back = there.map(|kind| kind.inverse).filter(|back| *back != number);
            let here = back.and_then(|back| Some((back, portal.kinds.get((to, from), back)?)));
            let both = there.map(|kind| (number, kind)).into_iter().chain(here);
            listed(both.map(|(number, kind)| described(number, kind)).collect())
        }
        Err(refused) => refusal(refused),
    }
}

fn rename(portal: &mut Portal, between: Between<'_>, body: &Value) -> WireResponse {
    let number = body.get("associationTypeId").and_then(Value::as_u64);
    let (Some(number), Some(label)) = (number, text(body, "label")) else {
        return invalid("associationTypeId and label are needed.");
    };
    match portal.kinds.relabel(between, number, label, text(body, "inverseLabel")) {
        Ok(()) => WireResponse::empty(204),
        // The number stands in the body, not in the path: what is wrong is what was sent.
        Err(Refused::Unknown) => invalid(&format!("There is no association type {number} here.")),
        Err(refused) => refusal(refused),
    }
}

/// Whoever was joined with the label stays joined without it.
fn remove(portal: &mut Portal, between: Between<'_>, number: &str) -> WireResponse {
    let Ok(number) = number.parse::<u64>() else { return not_found("The association type") };
    match portal.kinds.remove(between, number) {
        Ok(back) => {
            portal.forget_kind(between, number, back);
            WireResponse::empty(204)
        }
        Err(refused) => refusal(refused),
    }
}

fn refusal(refused: Refused) -> WireResponse {
    match refused {
        Refused::Taken => invalid("A label with this name or these words exists."),
        Refused::HubSpots => invalid("An association type that HubSpot defines cannot be changed."),
        Refused::Unknown => not_found("The association type"),
    }
}
