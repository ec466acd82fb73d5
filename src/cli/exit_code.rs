//! What a process says when it ends.

use crate::serve::views::{CheckView, DemoView, ReportView, RunState, Severity, SyncAnswer};

/// The exit codes. They are part of the interface: scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done, or nothing to do.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line or the config is wrong.
    Usage = 2,
    /// A gate asks: nothing but opt-outs was changed.
    NeedsApproval = 3,
    /// Done, but moves are stuck.
    Stuck = 4,
    /// Stopped by a signal; the next start goes on.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

impl From<&ReportView> for ExitCode {
    fn from(report: &ReportView) -> ExitCode {
        match report.run.state {
            RunState::NeedsApproval => ExitCode::NeedsApproval,
            RunState::Failed | RunState::Superseded | RunState::Rejected => ExitCode::Failed,
            RunState::Interrupted => ExitCode::Interrupted,
            RunState::Stuck => ExitCode::Stuck,
            RunState::Done | RunState::Running if !report.stuck.is_empty() => ExitCode::Stuck,
            RunState::Done | RunState::Running | RunState::Approved => ExitCode::Done,
        }
    }
}

impl From<&SyncAnswer> for ExitCode {
    fn from(answer: &SyncAnswer) -> ExitCode {
        match answer {
            SyncAnswer::Ran(report) => ExitCode::from(report.as_ref()),
            SyncAnswer::Planned(_) => ExitCode::Done,
        }
    }
}

impl From<&CheckView> for ExitCode {
    fn from(check: &CheckView) -> ExitCode {
        let refused = check.findings.iter().any(|finding| finding.severity == Severity::Error);
        if refused { ExitCode::Usage } else { ExitCode::Done }
    }
}

impl From<&DemoView> for ExitCode {
    fn from(demo: &DemoView) -> ExitCode {
        if demo.checks.iter().all(|(_, held)| *held) { ExitCode::Done } else { ExitCode::Failed }
    }
}
