//! An alert as it stands: since when, how often, and what each target has been told of it. One record for
//! each alert, however often it is raised: equal alerts are folded by being the same record.

use super::{Alert, Said};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The same alert is not told again sooner than this, unless it ends: what flickers makes no noise.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// Summaries of runs kept while nobody takes them; the oldest go.
pub const EVENTS_KEPT: usize = 20;

/// What is in the way of telling, in our own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hindrance {
    /// The target asks to be left alone for a while.
    LeaveAlone,
    /// It refuses this message.
    Refused(String),
    /// It does not answer, or is broken.
    Away(String),
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::LeaveAlone => f.write_str("asks to be left alone for a while"),
            Hindrance::Refused(why) => write!(f, "refuses: {why}"),
            Hindrance::Away(why) => f.write_str(why),
        }
    }
}

/// Something that was tried in vain, and is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    /// What is to be told.
    pub said: Said,
    /// Since when.
    pub since: Timestamp,
    /// How often it was not taken.
    pub attempts: u32,
    /// When it is tried again.
    pub next_try: Timestamp,
    /// Why it was not taken.
    pub why: Hindrance,
}

/// Something a target never took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// What.
    pub said: Said,
    /// When it was given up.
    pub at: Timestamp,
    /// Why it was not taken.
    pub why: Hindrance,
}

/// What one target has been told of one alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The last thing it took, and when.
    pub told: Option<(Said, Timestamp)>,
    /// The last thing given up.
    pub given_up: Option<GivenUp>,
    /// What is being tried again.
    pub trying: Option<Trying>,
}

/// One alert that is so, or was until a moment ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its number in this state directory; never used twice.
    pub number: u64,
    /// As it was seen last.
    pub alert: Alert,
    /// As it was when the present edition was made.
    pub announced: Alert,
    /// Counts up whenever there is news of it.
    pub edition: u32,
    /// When the present edition was made.
    pub announced_at: Timestamp,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How often it was seen.
    pub times: u64,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// By target.
    pub deliveries: BTreeMap<String, Delivery>,
}

impl Standing {
    /// An alert seen for the first time.
    pub fn new(number: u64, alert: Alert, now: Timestamp) -> Standing {
        Standing {
            number,
            announced: alert.clone(),
            alert,
            edition: 1,
            announced_at: now,
            first: now,
            last: now,
            times: 1,
            resolved: None,
            deliveries: BTreeMap::new(),
        }
    }

    /// It is seen again. Told again when there is news, or when it has been so for as long as `quiet`.
    pub fn see(&mut self, alert: Alert, now: Timestamp, quiet: Duration) {
        let was_told_over = self.resolved.is_some()
            && self.deliveries.values().any(|to| matches!(to.told, Some((Said::Over(_), _))));
        if was_told_over || self.has_news(&alert, now, quiet) {
            self.edition = self.edition.saturating_add(1);
            self.announced_at = now;
            self.announced = alert.clone();
        }
        self.resolved = None;
        self.times = self.times.saturating_add(1);
        self.last = now;
        self.alert = alert;
    }

    /// Whether seeing it as `alert` would be worth telling.
    pub fn has_news(&self, alert: &Alert, now: Timestamp, quiet: Duration) -> bool {
        alert.is_news_after(&self.announced) || now.since(self.announced_at) >= quiet
    }

    /// It is over.
    pub fn resolve(&mut self, now: Timestamp) {
        self.resolved = self.resolved.or(Some(now));
    }

    /// What everybody should have been told by now.
    pub fn wants(&self) -> Said {
        if self.resolved.is_some() { Said::Over(self.edition) } else { Said::Raised(self.edition) }
    }

    /// What a target is still to be told, and from when on. Who was never told of it need not hear that it is
    /// over.
    pub fn pending(&self, target: &str) -> Option<(Said, Timestamp)> {
        let wants = self.wants();
        let nothing = Delivery::default();
        let delivery = self.deliveries.get(target).unwrap_or(&nothing);
        if delivery.given_up.as_ref().is_some_and(|given_up| given_up.said == wants) {
            return None;
        }
        let due = match (wants, delivery.told) {
            (_, Some((told, _))) if told == wants => return None,
            (Said::Over(_), None | Some((Said::Over(_), _))) => return None,
            (Said::Over(_), Some((Said::Raised(_), _))) => self.resolved.unwrap_or(self.last),
            (Said::Raised(_), None) => self.announced_at,
            (Said::Raised(_), Some((_, at))) => self.announced_at.max(at.plus(AGAIN)),
        };
        Some((wants, due))
    }

    /// Whether a target has taken any message about it.
    pub fn was_told(&self, target: &str) -> bool {
        self.deliveries.get(target).is_some_and(|delivery| delivery.told.is_some())
    }

    /// Whether nobody needs the record any more: nothing is left to tell any of these targets, and it ended
    /// long enough ago that a new one would not be the same flickering.
    pub fn is_over(&self, targets: &[&str], now: Timestamp, quiet: Duration) -> bool {
        let ended = match &self.alert {
            Alert::RunSummary { .. } => true,
            alert if alert.is_event() => now.since(self.last) >= quiet,
            _ => self.resolved.is_some_and(|at| now.since(at) >= AGAIN),
        };
        ended && targets.iter().all(|target| self.pending(target).is_none())
    }
}
