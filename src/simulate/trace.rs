//! What happened, in order: kept in full for one seed, as a fingerprint for many.

use super::held;
use crate::domain::time::Timestamp;
use std::sync::Mutex;

#[derive(Default)]
struct Told {
    /// Kept only when the trace is to be shown.
    lines: Option<Vec<String>>,
    now: Timestamp,
    hash: crc32fast::Hasher,
}

/// A trace.
pub(super) struct Trace(Mutex<Told>);

impl Trace {
    pub(super) fn new(kept: bool) -> Trace {
        Trace(Mutex::new(Told { lines: kept.then(Vec::new), ..Told::default() }))
    }

    /// It is this late now.
    pub(super) fn at(&self, now: Timestamp) {
        held(&self.0).now = now;
    }

    /// Something happened.
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        let mut told = held(&self.0);
        let line = format!("{} {}", told.now.iso(), what());
        told.hash.update(line.as_bytes());
        if let Some(lines) = &mut told.lines {
            lines.push(line);
        }
    }

    /// Something worth reading beside what happened: it is no part of the fingerprint.
    pub(super) fn explain(&self, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut held(&self.0).lines {
            lines.push(what());
        }
    }

    /// All of it, and a number that is the same for the same trace.
    pub(super) fn end(&self) -> (Vec<String>, u32) {
        let mut told = held(&self.0);
        (told.lines.take().unwrap_or_default(), told.hash.clone().finalize())
    }
}
