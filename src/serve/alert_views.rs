//! Alerts as they are shown: what stands, and how telling it goes.

use crate::domain::alert::{Hindrance, Standing, Trying};
use crate::domain::code::Code;
use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One alert that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertView {
    /// Its number.
    pub number: u64,
    /// Its kind.
    pub kind: String,
    /// The code whose page says more.
    #[serde(default)]
    pub code: Option<Code>,
    /// `note`, `warning`, `error`.
    pub severity: String,
    /// What is so.
    pub text: String,
    /// Figures by name.
    pub counts: BTreeMap<String, u64>,
    /// What to do; may be empty.
    pub way_out: String,
    /// How often it was seen.
    pub times: u64,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
}

impl From<&Standing> for AlertView {
    fn from(standing: &Standing) -> AlertView {
        let alert = &standing.alert;
        AlertView {
            number: standing.number,
            kind: alert.kind().to_owned(),
            code: alert.code(),
            severity: alert.severity().word().to_owned(),
            text: alert.text(),
            counts: alert.counts(),
            way_out: alert.way_out(),
            times: standing.times,
            first: standing.first,
            last: standing.last,
        }
    }
}

/// One place where alerts are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetView {
    /// `teams`, `slack`, `webhook`.
    pub target: String,
    /// Messages it still has to get.
    pub waiting: u64,
    /// Alerts of which it was never told, because it took nothing for a day.
    pub given_up: u64,
    /// Why it did not take the last one.
    pub error: Option<String>,
    /// The code of that.
    #[serde(default)]
    pub code: Option<Code>,
    /// Since when that one is tried.
    pub since: Option<Timestamp>,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
}

impl TargetView {
    /// How telling this target goes.
    pub fn of(target: &str, waiting: u64, standing: &[Standing], last: Option<&Trying>) -> TargetView {
        let given_up: Vec<&Hindrance> = standing
            .iter()
            .filter_map(|one| Some(&one.deliveries.get(target)?.given_up.as_ref()?.why))
            .collect();
        let error = last.map(|trying| &trying.why).or(given_up.last().copied()).map(ToString::to_string);
        TargetView {
            target: target.to_owned(),
            waiting,
            given_up: given_up.len() as u64,
            code: error.is_some().then_some(Code::AlertNotTold),
            error,
            since: last.map(|trying| trying.since),
            next_try: last.map(|trying| trying.next_try),
        }
    }
}

/// What one target answered to a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestedView {
    /// `teams`, `slack`, `webhook`.
    pub target: String,
    /// Whether it took the message.
    pub taken: bool,
    /// The code of why not.
    pub code: Option<Code>,
    /// What it answered, in words.
    pub answer: String,
}
