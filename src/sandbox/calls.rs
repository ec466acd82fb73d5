//! Counts of calls by service, method and path with its ids taken out. It keeps no bodies.

use crate::domain::failure::Service;
use crate::sandbox::wire::WireRequest;
use serde::Serialize;
use std::collections::BTreeMap;

/// The name of one kind of call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CallKind {
    /// Which service.
    pub service: Service,
    /// Upper-case method.
    pub method: String,
    /// The path with `{id}`, `{hash}` and `{email}` in place of what varies.
    pub template: String,
    /// Whether the call may change something.
    pub mutating: bool,
}

/// How often each kind of call was made.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    counts: BTreeMap<CallKind, u64>,
}

impl Calls {
    /// Counts one.
    pub fn count(&mut self, request: &WireRequest) {
        *self.counts.entry(kind(request)).or_default() += 1;
    }

    /// All kinds with their counts.
    pub fn all(&self) -> &BTreeMap<CallKind, u64> {
        &self.counts
    }

    /// Calls in all.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Calls that may change something.
    pub fn mutating(&self) -> u64 {
        self.counts.iter().filter(|(kind, _)| kind.mutating).map(|(_, count)| count).sum()
    }

    /// Starts again from zero.
    pub fn clear(&mut self) {
        self.counts.clear();
    }
}

/// What kind of call a request is.
pub fn kind(request: &WireRequest) -> CallKind {
    let template: String =
        request.segments().iter().map(|segment| format!("/{}", placeholder(segment))).collect();
    let reading = request.method == "GET"
        || (request.method == "POST" && (template.ends_with("/search") || template.ends_with("/read")));
    CallKind { service: request.service, method: request.method.clone(), template, mutating: !reading }
}

fn placeholder(segment: &str) -> &str {
    if segment.bytes().all(|byte| byte.is_ascii_digit()) {
        "{id}"
    } else if segment.len() == 32 && segment.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "{hash}"
    } else if segment.contains('@') {
        "{email}"
    } else {
        segment
    }
}
