//! The names of metrics: one spelling each, with what each counts. `docs/api.md` and the dashboard in
//! `docs/grafana-dashboard.json` use no others.
//!
//! Never: a label that names a person, an address, a list or a tag.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from the start of the process on.
    Counter,
    /// It is as it is now.
    Gauge,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it counts.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal, $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric { name: $name, kind: Kind::$kind, help: $help };
        )+

        /// All of them.
        pub const ALL: &[Metric] = &[$($constant,)+];
    };
}

metrics! {
    BUILD: Gauge "hsmc_build_info", "Always 1; the label `version` is hsmc's.";
    PEOPLE: Gauge "hsmc_people", "People by state.";
    OPEN_MOVES: Gauge "hsmc_open_moves", "Moves that are not over, by phase.";
    LANE_STEPS: Gauge "hsmc_lane_steps", "Steps in lanes: queued or in a call.";
    CALLS_USED: Gauge "hsmc_service_calls_used", "Calls in the service's window, or connections in use.";
    CALLS_MOST: Gauge "hsmc_service_calls_most", "The most of them.";
    CALLS_LEFT: Gauge "hsmc_service_calls_left_today", "Calls left today, as the service says.";
    BREAKER: Gauge "hsmc_service_held_back", "1 while calls to the service are held back: its breaker is open, or it refuses the credentials.";
    RUNNING: Gauge "hsmc_run_under_way", "1 while a run goes on or waits for a yes.";
    NEXT_RUN: Gauge "hsmc_next_run_timestamp_seconds", "When the next run is due.";
    LAST_ENDED: Gauge "hsmc_last_run_ended_timestamp_seconds", "When the last run ended.";
    LAST_TOOK: Gauge "hsmc_last_run_duration_seconds", "How long it took.";
    LAST_STATE: Gauge "hsmc_last_run_state", "1 for how it ended.";
    LAST_CALLS: Gauge "hsmc_last_run_calls", "Calls it made, by service.";
    LAST_MOVES: Gauge "hsmc_last_run_moves", "Moves it planned, by kind.";
    ALERTS: Gauge "hsmc_alerts", "Alerts that stand, by severity.";
    PAUSES: Gauge "hsmc_pauses", "Pauses in force.";
    HINTS_WAITING: Gauge "hsmc_hints_waiting", "People whom webhooks told of and nobody has looked at yet.";
    WEBHOOKS: Counter "hsmc_webhooks_taken_total", "Webhooks answered with 200.";
    EVENTS: Counter "hsmc_webhook_events_total", "Events in webhooks that were taken or repeated.";
    REPEATED: Counter "hsmc_webhook_events_repeated_total", "Events that had come before.";
    HINTS: Counter "hsmc_webhook_hints_total", "People to be looked at because of a webhook.";
    REFUSED: Counter "hsmc_webhooks_refused_total", "Webhooks refused, by reason.";
    REQUESTS: Counter "hsmc_http_requests_total", "Requests answered, by status.";
}
