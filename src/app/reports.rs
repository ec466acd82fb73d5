//! What runs leave behind for people: one line each in `summary.log`, and a page each in `reports/`. People are
//! numbers in both (design §3.13), so that they can be mailed.
//!
//! Promises: every run that is over, or waits for a yes, gets its line once and its page, also one that failed or
//! was ended by another process. Never: holding up a run; what cannot be written is told of in the log.

use super::App;
use super::show::{self, Names};
use crate::domain::id::RunId;
use crate::domain::run::{Run, RunPhase};
use crate::journal::ledger::JournalError;
use crate::journal::store::Batch;
use crate::serve::report_page;
use crate::serve::views::RunView;
use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Runs looked at after each run.
const LATEST: usize = 8;
/// The last run with a line in the summary log, in the journal.
const SUMMARISED: &str = "summarised run";
/// The summary log is put aside at this size, and so many older ones are kept.
const LOG_SIZE: usize = 1 << 20;
const LOGS_KEPT: usize = 4;

impl App {
    /// Writes what the latest runs leave behind, as far as that has not been done.
    pub async fn keep_reports(&self) {
        if let Err(problem) = self.try_keep_reports().await {
            tracing::warn!(%problem, "the report of a run cannot be kept");
        }
    }

    async fn try_keep_reports(&self) -> Result<(), KeepError> {
        let journal = &self.workspace.shared.journal;
        let mut runs: Vec<Run> = journal.runs(LATEST)?;
        runs.retain(|run| matches!(run.phase, RunPhase::Finished(_) | RunPhase::AwaitingApproval { .. }));
        runs.reverse();
        let last: Option<RunId> = journal.meta_get(SUMMARISED)?;
        let new: Vec<&Run> = runs.iter().filter(|run| last.is_none_or(|last| run.id > last)).collect();
        if let Some(newest) = new.last() {
            append(&self.state.join("summary.log"), &new)?;
            let mut batch = Batch::new();
            journal.meta_put(&mut batch, SUMMARISED, &newest.id)?;
            journal.commit(batch).await?;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.state.join("reports"))?;
        for run in &runs {
            let path = page_of(&self.state, run);
            // A run that waited has another end by now.
            let is_told =
                fs::read_to_string(&path).is_ok_and(|page| report_page::tells(&page, &RunView::from(run)));
            if !is_told {
                write(&path, &report_page::page(&show::report(self, run, Names::Numbers)?))?;
            }
        }
        self.prune_pages()?;
        Ok(())
    }

    /// Removes pages older than snapshots are kept: they tell of the same runs.
    fn prune_pages(&self) -> Result<(), KeepError> {
        let journal = &self.workspace.shared.journal;
        let now = self.workspace.shared.clock.now();
        for entry in fs::read_dir(self.state.join("reports"))? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let run = number.map(|number| journal.run(RunId(number))).transpose()?.flatten();
            if run.is_none_or(|run| now.since(run.started) > self.workspace.settings.snapshots) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn page_of(state: &Path, run: &Run) -> PathBuf {
    state.join("reports").join(format!("{:010}.html", run.id.0))
}

/// Writes a page for its owner only, whole or not at all.
///
/// # Errors
/// The disk refuses.
pub fn write(path: &Path, page: &str) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(page.as_bytes())?;
    fs::rename(&part, path)
}

/// Adds a line for each run, the oldest first.
fn append(path: &Path, runs: &[&Run]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let (kept, limit) = (AppendCount::new(LOGS_KEPT), ContentLimit::BytesSurpassed(LOG_SIZE));
    let mut log = FileRotate::new(path, kept, limit, Compression::None, Some(options));
    for run in runs {
        writeln!(log, "{}", summary_line(run))?;
    }
    log.flush()
}

/// One run in one line (R29): `2026-11-23T01:01:03+00:00 run 12 (schedule, full) took 63s: done | people 3,852 | …`
pub fn summary_line(run: &Run) -> String {
    let view = RunView::from(run);
    let reach = if run.full { "full" } else { "incremental" };
    // A run that waits for a yes has not ended, and is busy no more.
    let busy = run.report.phases.iter().map(|phase| phase.took_ms).sum::<u64>() / 1_000;
    let took = run.ended.map_or(busy, |ended| ended.since(run.started).as_secs());
    let counts = &run.counts;
    let known: u64 = counts.people.values().sum();
    let mut parts = vec![
        format!("{} run {} ({}, {reach}) took {took}s: {}", run.started.iso(), run.id, view.cause, run.phase),
        format!("people {known}"),
        format!("moves {}", listed(&counts.planned)),
        format!("ended {}", listed(&counts.ended)),
        format!("parked {}", listed(&counts.parked)),
        format!("left out {}", listed(&counts.left_out)),
        format!("calls {}", listed(&counts.calls)),
    ];
    if !run.report.makes_progress() {
        parts.push(format!("again {}", run.report.repeated.len()));
    }
    parts.join(" | ").replace(['\n', '\r'], " ")
}

/// `enroll 40, hand-over 12`
fn listed(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}
