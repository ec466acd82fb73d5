//! HubSpot's budgets (HubSpot contract §4): a rolling window of ten seconds, a day, and searches in a
//! second of their own. A refused call is not charged.

use crate::domain::time::Timestamp;
use crate::sandbox::settings::Settings;
use crate::sandbox::wire::WireResponse;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(10);
const DAY_MS: i64 = 86_400_000;

/// What was spent lately.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    calls: VecDeque<Timestamp>,
    searches: VecDeque<Timestamp>,
    day: i64,
    today: u64,
}

impl Limits {
    /// Charges one call, or answers why not.
    pub fn charge(
        &mut self,
        now: Timestamp,
        settings: &Settings,
        search: bool,
        trace: u64,
    ) -> Result<(), WireResponse> {
        if now.0.div_euclid(DAY_MS) != self.day {
            self.day = now.0.div_euclid(DAY_MS);
            self.today = 0;
        }
        expire(&mut self.calls, now, WINDOW);
        expire(&mut self.searches, now, Duration::from_secs(1));
        if self.today >= settings.daily_calls {
            return Err(refusal("DAILY", "You have reached your daily limit.", trace));
        }
        if search {
            if self.searches.len() >= settings.searches_per_second {
                return Err(refusal("SECONDLY", "You have reached your secondly limit.", trace));
            }
            self.searches.push_back(now);
        } else {
            if self.calls.len() >= settings.calls_per_window {
                return Err(refusal(
                    "TEN_SECONDLY_ROLLING",
                    "You have reached your ten_secondly_rolling limit.",
                    trace,
                ));
            }
            self.calls.push_back(now);
        }
        self.today += 1;
        Ok(())
    }

    /// The rate headers; searches carry none.
    pub fn headers(&self, settings: &Settings) -> Vec<(String, String)> {
        let left = settings.calls_per_window.saturating_sub(self.calls.len());
        [
            ("x-hubspot-ratelimit-daily", settings.daily_calls.to_string()),
            (
                "x-hubspot-ratelimit-daily-remaining",
                settings.daily_calls.saturating_sub(self.today).to_string(),
            ),
            ("x-hubspot-ratelimit-interval-milliseconds", WINDOW.as_millis().to_string()),
            ("x-hubspot-ratelimit-max", settings.calls_per_window.to_string()),
            ("x-hubspot-ratelimit-remaining", left.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

fn expire(calls: &mut VecDeque<Timestamp>, now: Timestamp, window: Duration) {
    while calls.front().is_some_and(|at| now.since(*at) >= window) {
        calls.pop_front();
    }
}

/// The 429 answer of a policy.
pub fn refusal(policy: &str, message: &str, trace: u64) -> WireResponse {
    WireResponse::json(
        429,
        &json!({
            "status": "error", "message": message, "errorType": "RATE_LIMIT", "policyName": policy,
            "correlationId": format!("sandbox-{trace}"), "requestId": format!("request-{trace}"),
        }),
    )
}
