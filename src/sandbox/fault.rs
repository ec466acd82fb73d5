//! Faults by script: which call goes wrong, and how. A script decides only; the world carries it out.

use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::calls;
use crate::sandbox::wire::WireRequest;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which calls a fault is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matches {
    /// The service.
    pub service: Service,
    /// The method; any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path; any when absent.
    #[serde(default)]
    pub path_contains: Option<String>,
    /// Only calls that may change something.
    #[serde(default)]
    pub mutating: bool,
    /// The first matching call it hits, counted from 1 (default 1).
    #[serde(default)]
    pub nth: Option<u64>,
    /// How many matching calls it hits: one when `nth` is given, else all of them.
    #[serde(default)]
    pub times: Option<u64>,
}

impl Matches {
    /// Every call to a service.
    pub fn all(service: Service) -> Matches {
        Matches { service, method: None, path_contains: None, mutating: false, nth: None, times: None }
    }

    /// Every call to a service that may change something.
    pub fn changes(service: Service) -> Matches {
        Matches { mutating: true, ..Matches::all(service) }
    }

    /// Calls with this method and this part in their path.
    pub fn call(service: Service, method: &str, path_contains: &str) -> Matches {
        Matches {
            method: Some(method.to_owned()),
            path_contains: Some(path_contains.to_owned()),
            ..Matches::all(service)
        }
    }

    /// Only the nth of them, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Matches {
        Matches { nth: Some(nth), ..self }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// An error status with the service's usual body, or this one. Nothing was done.
    Status {
        /// HTTP status.
        code: u16,
        /// The body, where the usual one will not do.
        #[serde(default)]
        body: Option<String>,
    },
    /// Too many requests. Nothing was done.
    Http429 {
        /// Seconds for `Retry-After`, when it is to be sent.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Nothing was done and no answer came.
    LostBefore,
    /// It was done; the answer was lost.
    LostAfter,
    /// No answer came, and it was done this much later.
    LostThenDoneLater(#[serde(with = "humantime_serde")] Duration),
    /// It was done; the answer takes this long.
    Slow(#[serde(with = "humantime_serde")] Duration),
    /// A gateway's HTML page with status 502. Nothing was done.
    Html,
    /// The connection breaks. Nothing was done.
    Reset,
    /// The service cannot be reached from one moment until another. Nothing is done.
    Down {
        /// From this moment on.
        from: Timestamp,
        /// Until before this one.
        until: Timestamp,
    },
    /// The credentials are refused.
    Unauthorized,
}

/// One entry of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which calls.
    pub matches: Matches,
    /// What happens to them.
    pub kind: FaultKind,
}

/// A script being played.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    script: Vec<(Fault, u64)>,
}

impl Faults {
    /// Adds a fault; its counting starts now.
    pub fn add(&mut self, fault: Fault) {
        self.script.push((fault, 0));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&mut self) {
        self.script.clear();
    }

    /// What goes wrong with this call: the first fault of the script that hits it. All matching
    /// faults count the call.
    pub fn strike(&mut self, now: Timestamp, request: &WireRequest) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.script {
            let matches = &fault.matches;
            let fits = matches.service == request.service
                && matches.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
                && (!matches.mutating || calls::kind(request).mutating)
                && matches.path_contains.as_ref().is_none_or(|part| request.path.contains(part.as_str()));
            if !fits {
                continue;
            }
            if let FaultKind::Down { from, until } = fault.kind
                && (now < from || now >= until)
            {
                continue;
            }
            *seen += 1;
            let first = matches.nth.unwrap_or(1);
            let times = matches.times.unwrap_or(if matches.nth.is_some() { 1 } else { u64::MAX });
            if struck.is_none() && *seen >= first && *seen - first < times {
                struck = Some(fault.kind.clone());
            }
        }
        struck
    }
}
