//! What `/metrics` shows, in Prometheus' text format: figures of the status, and of what came in over HTTP.
//!
//! Never: a label that names a person, an address, a list or a tag.

use super::hooks::Hooks;
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::serve::views::{RunState, RunView, StatusView};
use crate::telemetry::metric::{self, Kind, Metric};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// The media type of the format.
pub(super) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers by the first digit of their status.
#[derive(Default)]
pub(super) struct Answers([AtomicU64; 6]);

impl Answers {
    pub(super) fn count(&self, status: u16) {
        if let Some(count) = self.0.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn samples(&self) -> impl Iterator<Item = Sample> {
        let one = |(digit, count): (usize, &AtomicU64)| {
            (vec![("status", format!("{digit}xx"))], count.load(Ordering::Relaxed) as f64)
        };
        self.0.iter().enumerate().skip(2).map(one)
    }
}

type Sample = (Vec<(&'static str, String)>, f64);

/// The text in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    /// A metric with its samples; nothing of one that has none.
    fn add(&mut self, metric: Metric, samples: impl IntoIterator<Item = Sample>) {
        let Metric { name, kind, help } = metric;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let mut lines = String::new();
        for (labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // Writing to a string does not fail.
            writeln!(lines, "{name}{labels} {value}").unwrap_or_default();
        }
        if !lines.is_empty() {
            write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}").unwrap_or_default();
        }
    }

    fn one(&mut self, metric: Metric, value: Option<f64>) {
        self.add(metric, value.map(|value| (Vec::new(), value)));
    }

    fn by(&mut self, metric: Metric, label: &'static str, counts: &BTreeMap<String, u64>) {
        self.add(metric, counts.iter().map(|(word, count)| (vec![(label, word.clone())], *count as f64)));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1_000.0
}

/// The word of a value that is one word in JSON.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The whole page.
pub(super) fn page(status: &StatusView, waiting: u64, hooks: &Hooks, answers: &Answers) -> String {
    let mut page = Page::default();
    page.add(metric::BUILD, [(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)]);
    page.by(metric::PEOPLE, "state", &status.people);
    page.by(metric::OPEN_MOVES, "phase", &status.by_phase);
    let (queued, in_flight) =
        status.lanes.iter().fold((0, 0), |(queued, out), lane| (queued + lane.queued, out + lane.in_flight));
    let steps = [("queued", queued), ("in-call", in_flight)];
    page.add(
        metric::LANE_STEPS,
        steps.map(|(where_, count)| (vec![("where", where_.to_owned())], count as f64)),
    );
    services(&mut page, status);
    page.one(metric::RUNNING, Some(f64::from(u8::from(status.current_run.is_some()))));
    page.one(metric::NEXT_RUN, status.next_run_at.map(seconds));
    if let Some(run) = &status.last_run {
        last(&mut page, run);
    }
    let mut alerts: BTreeMap<String, u64> =
        ["note", "warning", "error"].map(|word| (word.to_owned(), 0)).into();
    for alert in &status.alerts {
        *alerts.entry(alert.severity.clone()).or_default() += 1;
    }
    page.by(metric::ALERTS, "severity", &alerts);
    page.one(metric::PAUSES, Some(status.pauses.len() as f64));
    page.one(metric::HINTS_WAITING, Some(waiting as f64));
    webhooks(&mut page, hooks);
    page.add(metric::REQUESTS, answers.samples());
    page.0
}

fn services(page: &mut Page, status: &StatusView) {
    let each = |value: fn(&crate::serve::views::BudgetView) -> Option<f64>| {
        let budgets = status.budgets.iter();
        budgets
            .filter_map(move |one| Some((vec![("service", one.service.to_lowercase())], value(one)?)))
            .collect::<Vec<_>>()
    };
    page.add(metric::CALLS_USED, each(|one| Some(one.used as f64)));
    page.add(metric::CALLS_MOST, each(|one| Some(one.max as f64)));
    page.add(metric::CALLS_LEFT, each(|one| one.remaining_today.map(|left| left as f64)));
    page.add(metric::BREAKER, each(|one| Some(f64::from(u8::from(one.breaker != "closed")))));
}

fn last(page: &mut Page, run: &RunView) {
    page.one(metric::LAST_ENDED, run.ended.map(seconds));
    page.one(metric::LAST_TOOK, run.ended.map(|ended| ended.since(run.started).as_secs_f64()));
    let states =
        [RunState::Done, RunState::Stuck, RunState::Failed, RunState::Superseded, RunState::Interrupted];
    let one = |state: RunState| (vec![("state", word(&state))], f64::from(u8::from(run.state == state)));
    page.add(metric::LAST_STATE, states.map(one));
    let calls: BTreeMap<String, u64> =
        run.counts.calls.iter().map(|(service, calls)| (service.to_lowercase(), *calls)).collect();
    page.by(metric::LAST_CALLS, "service", &calls);
    page.by(metric::LAST_MOVES, "kind", &run.counts.planned);
}

fn webhooks(page: &mut Page, hooks: &Hooks) {
    let services = [Service::HubSpot, Service::Mailchimp];
    let figures =
        services.map(|service| (service.to_string().to_lowercase(), hooks.counted.figures(service)));
    let each = |value: fn(&super::hooks::Figures) -> u64| {
        figures
            .iter()
            .map(move |(service, one)| (vec![("service", service.clone())], value(one) as f64))
            .collect::<Vec<_>>()
    };
    page.add(metric::WEBHOOKS, each(|one| one.taken));
    page.add(metric::EVENTS, each(|one| one.events));
    page.add(metric::REPEATED, each(|one| one.repeated));
    page.add(metric::HINTS, each(|one| one.hints));
    let refused = figures.iter().flat_map(|(service, one)| {
        one.refused.iter().map(|(reason, count)| {
            (vec![("service", service.clone()), ("reason", (*reason).to_owned())], *count as f64)
        })
    });
    page.add(metric::REFUSED, refused);
}
