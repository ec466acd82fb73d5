//! The HTTP face of the sandbox: HubSpot at `/hubspot`, Mailchimp at `/mailchimp/3.0`, the control
//! endpoints at `/_sandbox`. It listens on 127.0.0.1 only, and needs no credentials for the control
//! endpoints: everything behind it is made up.
//!
//! A lost answer is a connection closed without a byte of it. A caller who hangs up does not stop
//! what was begun, as with the real services.

use super::cut::{Cut, Door};
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::{Act, Delivery, Fault, Sandbox, WireRequest, WireResponse};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// A sandbox being served. Dropping it stops the serving.
#[derive(Debug)]
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Served {
    /// HubSpot's base URL.
    pub fn hubspot_url(&self) -> String {
        format!("http://{}/hubspot", self.address)
    }

    /// Mailchimp's base URL.
    pub fn mailchimp_url(&self) -> String {
        format!("http://{}/mailchimp/3.0", self.address)
    }

    /// Stops listening and ends open connections.
    pub async fn shut_down(mut self) {
        if let Some(stop) = self.stop.take()
            && stop.send(()).is_err()
        {
            tracing::debug!("the sandbox had stopped already");
        }
        self.task.abort();
        if let Err(error) = (&mut self.task).await
            && !error.is_cancelled()
        {
            tracing::warn!(%error, "the sandbox ended badly");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a sandbox on 127.0.0.1 (port 0 = any free one) with no latency.
///
/// # Errors
/// The port cannot be had.
pub async fn serve(sandbox: Arc<Mutex<Sandbox>>, port: u16) -> io::Result<Served> {
    serve_slowly(sandbox, port, Duration::ZERO).await
}

/// The same, each call taking at least `latency`.
///
/// # Errors
/// The port cannot be had.
pub async fn serve_slowly(sandbox: Arc<Mutex<Sandbox>>, port: u16, latency: Duration) -> io::Result<Served> {
    serve_by(sandbox, port, latency, Arc::new(wall_clock)).await
}

/// The same by another clock: a simulation's own.
///
/// # Errors
/// The port cannot be had.
pub async fn serve_by(
    sandbox: Arc<Mutex<Sandbox>>,
    port: u16,
    latency: Duration,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
) -> io::Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    held(&sandbox).settings.base_url = format!("http://{address}");
    let face = Face { sandbox, latency, clock };
    let router = axum::Router::new().fallback(answer).with_state(face);
    let (stop, stopped) = oneshot::channel();
    let service = router.into_make_service_with_connect_info::<Cut>();
    let serving = axum::serve(Door(listener), service).with_graceful_shutdown(async move {
        // A dropped sender stops the serving just as a message does.
        stopped.await.unwrap_or(());
    });
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::warn!(%error, "the sandbox stopped serving");
        }
    });
    Ok(Served { address, stop: Some(stop), task })
}

/// Serves a scenario until ctrl-c, after printing where and with which credentials.
///
/// # Errors
/// There is no such scenario, or the port cannot be had.
pub async fn sandbox_command(
    scenario: &str,
    seed: u64,
    port: u16,
    latency_ms: u64,
    people: Option<usize>,
) -> io::Result<()> {
    let Some(sandbox) = crate::sandbox::scenario::named(scenario, seed, people) else {
        let names = crate::sandbox::scenario::NAMES.join(", ");
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("there is no scenario `{scenario}`; there are: {names}"),
        ));
    };
    let settings = sandbox.settings.clone();
    let sandbox = Arc::new(Mutex::new(sandbox));
    let served = serve_slowly(sandbox, port, Duration::from_millis(latency_ms)).await?;
    println!("HubSpot    {}", served.hubspot_url());
    println!("  token    {}", settings.hubspot_token);
    println!("Mailchimp  {}", served.mailchimp_url());
    println!("  api key  {}", settings.mailchimp_key);
    println!("  audience {}", crate::sandbox::scenario::AUDIENCE);
    println!(
        "Control    http://{}/_sandbox (config, state, effects, calls, faults, act, clock)",
        served.address
    );
    tokio::signal::ctrl_c().await?;
    served.shut_down().await;
    Ok(())
}

#[derive(Clone)]
struct Face {
    sandbox: Arc<Mutex<Sandbox>>,
    latency: Duration,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// A poisoned lock only means that some other call panicked; the state is still the state.
fn held(sandbox: &Mutex<Sandbox>) -> MutexGuard<'_, Sandbox> {
    sandbox.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().plus(since)
}

async fn answer(State(face): State<Face>, ConnectInfo(cut): ConnectInfo<Cut>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let path = parts.uri.path();
    if let Some(control) = path.strip_prefix("/_sandbox/") {
        return control_call(&face, parts.method.as_str(), control, &body);
    }
    let (service, path) = match (path.strip_prefix("/hubspot"), path.strip_prefix("/mailchimp")) {
        (Some(rest), _) => (Service::HubSpot, rest),
        (_, Some(rest)) => (Service::Mailchimp, rest),
        _ => return plain(StatusCode::NOT_FOUND),
    };
    let query = parts.uri.query().unwrap_or_default();
    let request = WireRequest {
        service,
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: body.to_vec(),
    };
    // In a task of its own: hanging up does not undo what was begun.
    match tokio::spawn(carry_out(face, request)).await {
        Ok(Some(response)) => http(response),
        Ok(None) => {
            cut.now();
            plain(StatusCode::GATEWAY_TIMEOUT)
        }
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Lets a call take its time and its place; no response = the answer is lost.
async fn carry_out(face: Face, request: WireRequest) -> Option<WireResponse> {
    let service = request.service;
    let refused = held(&face.sandbox).begin(service);
    if !face.latency.is_zero() {
        tokio::time::sleep(face.latency).await;
    }
    let reply = match refused {
        Some(response) => crate::sandbox::Reply { response, delivery: Delivery::Now },
        None => held(&face.sandbox).handle((face.clock)(), &request),
    };
    if let Delivery::After(delay) = reply.delivery {
        tokio::time::sleep(delay).await;
    }
    held(&face.sandbox).end(service);
    (reply.delivery != Delivery::Lost).then_some(reply.response)
}

fn control_call(face: &Face, method: &str, path: &str, body: &Bytes) -> Response {
    let mut sandbox = held(&face.sandbox);
    sandbox.settle((face.clock)());
    let answer = match (method, path) {
        ("GET", "state") => Ok(sandbox.state()),
        ("GET", "effects") => Ok(json!(sandbox.effects.all())),
        ("GET", "calls") => Ok(json!(
            sandbox
                .calls
                .all()
                .iter()
                .map(|(kind, count)| {
                    json!({ "service": kind.service, "method": kind.method, "template": kind.template,
                            "mutating": kind.mutating, "count": count })
                })
                .collect::<Vec<Value>>()
        )),
        ("DELETE", "calls") => {
            sandbox.calls.clear();
            Ok(json!({}))
        }
        ("GET", "config") => {
            let base = &sandbox.settings.base_url;
            let text = crate::sandbox::scenario::config_toml(
                &format!("{base}/hubspot"),
                &format!("{base}/mailchimp/3.0"),
            );
            return http(WireResponse::html(200, &text).with_type("application/toml"));
        }
        // One fault or an array of them.
        ("POST", "faults") => one_or_many::<Fault>(body).map(|faults| {
            let added = faults.len();
            faults.into_iter().for_each(|fault| sandbox.add_fault(fault));
            json!({ "added": added })
        }),
        ("DELETE", "faults") => {
            sandbox.clear_faults();
            Ok(json!({}))
        }
        ("POST", "act") => one_or_many::<Act>(body)
            .map(|acts| json!({ "done": acts.iter().map(|act| sandbox.act(act)).collect::<Vec<bool>>() })),
        ("POST", "clock") => {
            serde_json::from_slice::<Value>(body).map_err(|error| error.to_string()).and_then(|body| {
                let ms = body.get("advance_ms").and_then(Value::as_u64).ok_or("advance_ms is missing")?;
                sandbox.advance(Duration::from_millis(ms));
                sandbox.settle((face.clock)());
                Ok(json!({ "now": sandbox.now().iso() }))
            })
        }
        _ => return plain(StatusCode::NOT_FOUND),
    };
    drop(sandbox);
    match answer {
        Ok(value) => http(WireResponse::json(200, &value)),
        Err(message) => http(WireResponse::json(400, &json!({ "message": message }))),
    }
}

fn one_or_many<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let entries = match value {
        Value::Array(entries) => entries,
        one => vec![one],
    };
    entries
        .into_iter()
        .map(|entry| serde_json::from_value(entry).map_err(|error| error.to_string()))
        .collect()
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn http(answer: WireResponse) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}

#[cfg(test)]
#[path = "sandbox_http_tests.rs"]
mod tests;
