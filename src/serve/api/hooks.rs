//! Where webhooks come in. They carry no token: their signature is what lets them in. Answered once what they tell of is
//! durable, and counted, whatever is answered.

use super::Api;
use super::problem::Problem;
use crate::domain::code::Code;
use crate::domain::failure::Service;
use crate::domain::hint::Says;
use crate::domain::time::Timestamp;
use crate::serve::webhooks::{
    Delivery, Event, LARGEST, Refusal, Replays, Sources, WINDOW, Whom, hubspot, mailchimp,
};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Webhooks taken at once; a commit of the journal carries many.
const AT_ONCE: usize = 2_048;
/// A body has so long to come.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// Events are known again for this long: the services repeat for a day (HubSpot contract §13).
const EVENTS_FOR: Duration = Duration::from_secs(24 * 3600);
/// Marks remembered of either kind.
const REMEMBERED: usize = 500_000;

/// What came, and what became of it.
#[derive(Default)]
pub(super) struct Counted {
    taken: [AtomicU64; 2],
    events: [AtomicU64; 2],
    repeated: [AtomicU64; 2],
    hints: [AtomicU64; 2],
    refused: Mutex<BTreeMap<(Service, Refusal), u64>>,
}

/// The doors for webhooks.
pub(super) struct Hooks {
    sources: Sources,
    deliveries: Mutex<Replays>,
    events: Mutex<Replays>,
    at_once: Semaphore,
    pub(super) counted: Counted,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of(service: Service, counts: &[AtomicU64; 2]) -> &AtomicU64 {
    let [hubspot, mailchimp] = counts;
    match service {
        Service::HubSpot => hubspot,
        Service::Mailchimp => mailchimp,
    }
}

/// One service's figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) taken: u64,
    pub(super) events: u64,
    pub(super) repeated: u64,
    pub(super) hints: u64,
    pub(super) refused: BTreeMap<&'static str, u64>,
}

impl Counted {
    pub(super) fn figures(&self, service: Service) -> Figures {
        let read = |counts: &[AtomicU64; 2]| of(service, counts).load(Ordering::Relaxed);
        let refused = held(&self.refused);
        let of_each = Refusal::ALL
            .into_iter()
            .map(|why| (why.word(), refused.get(&(service, why)).copied().unwrap_or(0)));
        Figures {
            taken: read(&self.taken),
            events: read(&self.events),
            repeated: read(&self.repeated),
            hints: read(&self.hints),
            refused: of_each.collect(),
        }
    }
}

impl Hooks {
    pub(super) fn new(sources: Sources) -> Hooks {
        Hooks {
            sources,
            deliveries: Mutex::new(Replays::new(WINDOW * 2, REMEMBERED)),
            events: Mutex::new(Replays::new(EVENTS_FOR, REMEMBERED)),
            at_once: Semaphore::new(AT_ONCE),
            counted: Counted::default(),
        }
    }

    /// How many there have been by now.
    fn count_refused(&self, service: Service, why: Refusal, times: usize) -> u64 {
        let mut refused = held(&self.counted.refused);
        let count = refused.entry((service, why)).or_default();
        *count += times as u64;
        *count
    }

    fn refuse(&self, service: Service, why: Refusal) -> Problem {
        let times = self.count_refused(service, why, 1);
        // The first, the tenth, the hundredth: a wrong clock or secret refuses all of them.
        if 10_u64.pow(times.ilog10()) == times {
            let code = Code::WebhookRefused;
            tracing::warn!(%service, why = why.word(), times, %code, "webhooks are refused: `hsmc explain` says what to do");
        }
        let problem = Problem::new(why.status(), Code::WebhookRefused, format!("refused: {}", why.word()));
        if why == Refusal::Busy { problem.retry_after(1) } else { problem }
    }
}

/// Adds the doors.
pub(super) fn add(router: Router<Arc<Api>>) -> Router<Arc<Api>> {
    // On creation Mailchimp looks whether anybody is there.
    let there = || async { StatusCode::OK };
    router
        .route("/v1/webhooks/hubspot", post(from_hubspot))
        .route("/v1/webhooks/mailchimp", get(there).post(from_mailchimp))
}

async fn from_hubspot(State(api): State<Arc<Api>>, request: Request) -> Response {
    take(&api, Service::HubSpot, request, |headers, body, now| {
        let source = api.hooks.sources.hubspot.as_ref().ok_or(Refusal::NotExpected)?;
        hubspot::take(source, text(headers, hubspot::SIGNATURE), text(headers, hubspot::MOMENT), body, now)
    })
    .await
}

async fn from_mailchimp(State(api): State<Arc<Api>>, request: Request) -> Response {
    take(&api, Service::Mailchimp, request, |headers, body, now| {
        let source = api.hooks.sources.mailchimp.as_ref().ok_or(Refusal::NotExpected)?;
        mailchimp::take(source, text(headers, mailchimp::SIGNATURE), body, now)
    })
    .await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn take(
    api: &Api,
    service: Service,
    request: Request,
    read: impl FnOnce(&HeaderMap, &[u8], Timestamp) -> Result<Delivery, Refusal>,
) -> Response {
    match taken(api, service, request, read).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn taken(
    api: &Api,
    service: Service,
    request: Request,
    read: impl FnOnce(&HeaderMap, &[u8], Timestamp) -> Result<Delivery, Refusal>,
) -> Result<(), Problem> {
    let hooks = &api.hooks;
    if api.owner.is_leaving() {
        return Err(Problem::leaving());
    }
    let _place = hooks.at_once.try_acquire().map_err(|_| hooks.refuse(service, Refusal::Busy))?;
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, LARGEST)).await;
    let body: Bytes = match body {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(hooks.refuse(service, Refusal::Oversized)),
        Err(_) => return Err(hooks.refuse(service, Refusal::Malformed)),
    };
    let delivery = read(&parts.headers, &body, api.owner.now()).map_err(|why| hooks.refuse(service, why))?;
    if held(&hooks.deliveries).has(delivery.mark) {
        return Err(hooks.refuse(service, Refusal::Replayed));
    }
    let count = |counts: &[AtomicU64; 2], by: usize| {
        of(service, counts).fetch_add(by as u64, Ordering::Relaxed);
    };
    let told = delivery.events.len();
    let new: Vec<Event> = {
        let seen = held(&hooks.events);
        delivery.events.into_iter().filter(|event| !seen.has(event.mark)).collect()
    };
    for says in Says::ALL {
        let of_them = new.iter().filter(|event| event.says == says);
        let whom: Vec<Whom> = of_them.flat_map(|event| event.whom.iter().copied()).collect();
        if whom.is_empty() {
            continue;
        }
        let hints = api.owner.hear_of(whom, says).await.map_err(|trouble| Problem {
            status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            ..Problem::of(&trouble)
        })?;
        of(service, &hooks.counted.hints).fetch_add(hints, Ordering::Relaxed);
    }
    // Only now: what is not durable may be sent again.
    let now = api.owner.now();
    held(&hooks.deliveries).note(delivery.mark, now);
    let mut seen = held(&hooks.events);
    for event in &new {
        seen.note(event.mark, now);
    }
    drop(seen);
    count(&hooks.counted.taken, 1);
    if delivery.unreadable > 0 {
        hooks.count_refused(service, Refusal::Malformed, delivery.unreadable);
        tracing::warn!(%service, events = delivery.unreadable, "events of a webhook cannot be read");
    }
    count(&hooks.counted.events, told);
    count(&hooks.counted.repeated, told.saturating_sub(new.len()));
    Ok(())
}
