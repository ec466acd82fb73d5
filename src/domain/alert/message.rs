//! What a target is told: one message, complete in itself, before it takes any target's form.

use super::{Alert, Severity, Standing};
use crate::domain::code::Code;
use crate::domain::id::RunId;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Something said of an alert: its edition, and whether it was raised or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It is so.
    Raised(u32),
    /// It is over.
    Over(u32),
}

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The target has it.
    Taken,
    /// The target wants to be left alone, for so long when it says so.
    Later(Option<Duration>),
    /// It refuses this message; in our own words.
    Refused(String),
    /// It does not answer, or is broken; in our own words. It may have taken the message.
    Away(String),
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An alert, for the first time.
    Raised,
    /// The same, still or again.
    Again,
    /// It is over.
    Resolved,
    /// Nothing: somebody wants to see whether messages arrive.
    Test,
}

impl Event {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Event::Raised => "raised",
            Event::Again => "again",
            Event::Resolved => "resolved",
            Event::Test => "test",
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same whenever the same is told again: a receiver folds repeats by it.
    pub id: String,
    /// What it tells.
    pub event: Event,
    /// The alert's kind; `test` for a test.
    pub kind: &'static str,
    /// The code whose page says more; none where there is nothing to do.
    pub code: Option<Code>,
    /// How bad it is.
    pub severity: Severity,
    /// The workspace's name.
    pub workspace: String,
    /// What it is about; may be empty.
    pub subject: String,
    /// The run it is about.
    pub run: Option<RunId>,
    /// Figures by name.
    pub counts: BTreeMap<String, u64>,
    /// Figures in words.
    pub facts: Vec<(&'static str, String)>,
    /// How often it was seen.
    pub times: u64,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// When what the message tells was so.
    pub at: Timestamp,
    /// What is so, in one line.
    pub text: String,
    /// What to do; may be empty.
    pub way_out: String,
}

impl Message {
    /// What is to be said of an alert to a target. Whoever hears of it for the first time is not told *again*, however
    /// often it was so before.
    pub fn of(standing: &Standing, said: Said, target: &str, workspace: &str) -> Message {
        let alert: &Alert = &standing.alert;
        let Standing { number, first, .. } = standing;
        let (event, edition, at) = match said {
            Said::Raised(edition) if !standing.was_told(target) => {
                (Event::Raised, edition, standing.announced_at)
            }
            Said::Raised(edition) => (Event::Again, edition, standing.announced_at),
            Said::Over(edition) => (Event::Resolved, edition, standing.resolved.unwrap_or(standing.last)),
        };
        let end = if event == Event::Resolved { "-resolved" } else { "" };
        let is_over = event == Event::Resolved;
        Message {
            // The moment keeps numbers apart that an older copy of the state directory would give out again.
            id: format!("{}-{number}-{edition}{end}", first.0),
            event,
            kind: alert.kind(),
            code: alert.code(),
            severity: alert.severity(),
            workspace: workspace.to_owned(),
            subject: alert.subject(),
            run: alert.run(),
            counts: alert.counts(),
            facts: if is_over { Vec::new() } else { alert.facts() },
            times: standing.times,
            first: *first,
            last: standing.last,
            at,
            text: alert.text(),
            way_out: if is_over { String::new() } else { alert.way_out() },
        }
    }

    /// A message that only wants to arrive.
    pub fn test(workspace: &str, now: Timestamp) -> Message {
        Message {
            id: format!("{}-test", now.0),
            event: Event::Test,
            kind: "test",
            code: None,
            severity: Severity::Note,
            workspace: workspace.to_owned(),
            subject: String::new(),
            run: None,
            counts: BTreeMap::new(),
            facts: Vec::new(),
            times: 1,
            first: now,
            last: now,
            at: now,
            text: "this is a test: alerts of this workspace arrive here".to_owned(),
            way_out: String::new(),
        }
    }

    /// The message's heading: `error: run failed · agency`.
    pub fn heading(&self) -> String {
        let what = self.kind.replace('-', " ");
        let start = match self.event {
            Event::Raised => format!("{}: {what}", self.severity),
            Event::Again => format!("{}, again: {what}", self.severity),
            Event::Resolved => format!("resolved: {what}"),
            Event::Test => "test".to_owned(),
        };
        let start = match self.code.filter(|_| self.event != Event::Resolved) {
            Some(code) => format!("{start} [{code}]"),
            None => start,
        };
        let subject = if self.subject.is_empty() { String::new() } else { format!(" ({})", self.subject) };
        format!("{start}{subject} · {}", self.workspace)
    }

    /// What to do, and where there is more; none when there is nothing to do.
    pub fn advice(&self) -> Option<String> {
        let more = self.code.map(|code| format!("more: `hsmc explain {code}`"));
        match (self.way_out.is_empty(), more) {
            (true, _) => None,
            (false, Some(more)) => Some(format!("{}; {more}", self.way_out)),
            (false, None) => Some(self.way_out.clone()),
        }
    }

    /// How often it was seen since when; none for what was seen once and is not over.
    pub fn history(&self) -> Option<String> {
        match (self.event, self.times) {
            (Event::Test, _) | (Event::Raised, 1) => None,
            (Event::Resolved, times) => {
                Some(format!("from {} to {}, seen {}", self.first, self.at, often(times)))
            }
            (_, times) => Some(format!("{} since {}, last {}", often(times), self.first, self.last)),
        }
    }
}

fn often(times: u64) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}
