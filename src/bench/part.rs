//! Parts of a benchmark that are done in a process of their own: what they take of memory is theirs alone, and what they
//! leave behind is what a killed process leaves.

use super::error::BenchError;
use super::{plan, recovery};
use crate::serve::bench::{Part, PartView};
use std::process::Stdio;
use tokio::process::Command;

/// Does a part here; for the process that was started for it.
///
/// # Errors
/// As the benchmark it is a part of.
pub async fn part(part: Part) -> Result<PartView, BenchError> {
    match part {
        Part::LeaveOpen { folder, moves } => recovery::leave_open(&folder, moves).await,
        Part::Recover { folder, people } => recovery::recover(&folder, people).await,
        Part::FirstRun { folder, people } => plan::first_run(&folder, people).await,
        Part::PlanAgain { folder, people } => plan::plan_again(&folder, people).await,
    }
}

/// Does a part in a process of its own.
pub(super) async fn apart(part: &Part) -> Result<PartView, BenchError> {
    let broke =
        |problem: &dyn std::fmt::Display| BenchError::Broke(format!("a part of the benchmark: {problem}"));
    let asked = serde_json::to_string(part).map_err(|problem| broke(&problem))?;
    let program = std::env::current_exe().map_err(|problem| broke(&problem))?;
    let output = Command::new(program)
        .args(["bench", "--json", "--part", &asked])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|problem| broke(&problem))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return Err(broke(&format!("{}: {}", output.status, said.trim())));
    }
    serde_json::from_slice(&output.stdout).map_err(|problem| broke(&problem))
}

impl PartView {
    /// Notes a value under a name.
    pub(super) fn note(&mut self, name: &str, value: f64) {
        self.values.insert(name.to_owned(), value);
    }

    /// The value of a name.
    pub(super) fn value(&self, name: &str) -> Result<f64, BenchError> {
        let missing = || BenchError::Broke(format!("a part of the benchmark does not say: {name}"));
        self.values.get(name).copied().ok_or_else(missing)
    }
}
