//! Four months of a daemon's life in some minutes: a run every eight hours in one process, people who change meanwhile,
//! and each day something else that goes wrong. What is kept, on the disk and in memory, must come to an end.
//!
//! Time is not the wall's: it goes faster while a run waits, and jumps from one run to the next.

use super::error::BenchError;
use super::machine::megabytes_now;
use super::stage::Stage;
use super::stopwatch::Stopwatch;
use super::{Found, Size};
use crate::app::ports::SystemClock;
use crate::app::{App, Keeping, Ports};
use crate::domain::failure::Service;
use crate::domain::port::Clock;
use crate::domain::time::Timestamp;
use crate::journal::size::{self, TableSize};
use crate::journal::store::Table;
use crate::journal::store::live::Settings;
use crate::sandbox::fault::{Fault, FaultKind, Matches};
use crate::sandbox::{Act, scenario};
use crate::serve::bench::{Aim, Figure, Unit};
use crate::serve::requests::SyncRequest;
use crate::serve::views::{ReportView, RunState, SyncAnswer};
use crate::sync::scan::NoProgress;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// From one run to the next.
const EVERY: Duration = Duration::from_secs(8 * 3600);
/// Runs a day, each with the same thing going wrong.
const A_DAY: usize = 3;
/// How much faster time goes while somebody waits.
const FASTER: u32 = 120;
/// People whose data change before each run.
const CHANGED: usize = 10;
/// What counts as flat: the most of the second half, of the most of the first.
const FLAT: f64 = 1.1;

/// A clock that goes faster than the wall's, and jumps.
struct Quick {
    since: Stopwatch,
    began: Timestamp,
    ahead_ms: AtomicI64,
}

impl Quick {
    fn new() -> Quick {
        Quick { since: Stopwatch::start(), began: SystemClock.now(), ahead_ms: AtomicI64::new(0) }
    }

    fn jump(&self, by: Duration) {
        self.ahead_ms.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Quick {
    fn now(&self) -> Timestamp {
        let gone = self.began.plus(self.since.elapsed() * FASTER);
        Timestamp(gone.0 + self.ahead_ms.load(Ordering::Relaxed))
    }

    async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration / FASTER).await;
    }
}

/// What goes wrong on a day, in turn: nothing, then each in its own way.
fn wrong(day: usize) -> Vec<Fault> {
    let service = if day.is_multiple_of(2) { Service::HubSpot } else { Service::Mailchimp };
    let of = |matches: Matches, kind: FaultKind| vec![Fault { matches, kind }];
    let some = |nth, times| Matches { nth: Some(nth), times: Some(times), ..Matches::all(service) };
    match day % 8 {
        0 => Vec::new(),
        1 => of(some(2, 3), FaultKind::Status { code: 503, body: None }),
        2 => of(Matches::changes(service).nth(1), FaultKind::LostAfter),
        3 => of(some(4, 2), FaultKind::Http429 { retry_after: Some(3) }),
        4 => of(Matches::changes(service).nth(1), FaultKind::LostBefore),
        5 => of(some(3, 2), FaultKind::Html),
        6 => of(some(1, 4), FaultKind::Reset),
        _ => of(Matches::changes(service).nth(2), FaultKind::LostThenDoneLater(Duration::from_secs(90))),
    }
}

/// Measures.
pub(super) async fn measure(folder: &Path, size: Size) -> Result<Found, BenchError> {
    // After some fifty days the index has its files, and begins to use them again.
    let days = size.pick(120, 4);
    let clock = Arc::new(Quick::new());
    let stage = Stage::serve_by(folder, scenario::tiny(1), Arc::clone(&clock) as Arc<dyn Clock>).await?;
    let people: Vec<String> = {
        let sandbox = stage.sandbox();
        let contacts = sandbox.hubspot.contacts().filter(|contact| !contact.email().is_empty());
        contacts.map(|contact| contact.id.to_string()).take(CHANGED).collect()
    };
    // The log is cut early, so that four months see it cut many times.
    let store = Settings { checkpoint_bytes: 128 * 1024, segment_bytes: 32 * 1024, ..Settings::default() };
    let ports = Ports {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        keeping: Keeping::InState(store),
        ..Ports::default()
    };
    // What is kept for longer than the four months would grow all through them.
    let keeping =
        ["HSMC_SYNC__RETENTION", "HSMC_SYNC__HISTORY", "HSMC_SYNC__SNAPSHOTS"].map(|key| (key, "7d"));
    let app = stage.open(&keeping, ports)?;
    let (mut kept, mut memory, mut unwell) = (Vec::new(), Vec::new(), 0_u64);
    let mut last = None;
    let (mut then, half) = (Kept::default(), days * A_DAY / 2);
    for run in 0..days * A_DAY {
        if run == half {
            then = Kept::of(&app, &stage.state())?;
        }
        {
            let mut sandbox = stage.sandbox();
            // What the accounts write down is no state of hsmc's.
            sandbox.effects.clear();
            sandbox.calls.clear();
            for contact in &people {
                let (contact, property) = (contact.clone(), "firstname".to_owned());
                sandbox.act(&Act::SetProperty { contact, property, value: format!("Name {run}") });
            }
            sandbox.clear_faults();
            wrong(run / A_DAY).into_iter().for_each(|fault| sandbox.add_fault(fault));
        }
        last = once(&app).await?;
        unwell += u64::from(!last.as_ref().is_some_and(is_well));
        kept.push(on_disk(&stage.state()));
        memory.push(megabytes_now());
        clock.jump(EVERY);
    }
    let grown = Kept::of(&app, &stage.state())?.grown_since(&then);
    // The world is healed, and nothing is left over.
    stage.sandbox().clear_faults();
    for _ in 0..2 {
        last = once(&app).await?;
        clock.jump(EVERY);
    }
    app.close().await;
    drop(app);
    stage.close().await;
    let last = last.ok_or_else(|| BenchError::Broke("the last run gave no report".to_owned()))?;
    if !is_well(&last) {
        return Err(BenchError::Broke(format!("once nothing goes wrong, a run ends as {}", last.run.phase)));
    }
    let runs = days * A_DAY;
    let note = format!(
        "{runs} runs in {days} days, each with {CHANGED} people changed; something went wrong on seven days of eight, and \
         {unwell} runs did not end as done; everything but evidence is kept for seven days"
    );
    Ok((
        vec![flat("state", Unit::Bytes, &kept, size), flat("memory", Unit::Megabytes, &memory, size)],
        vec![note, format!("grown in the second half: {grown}")],
    ))
}

/// What is kept, by what it is for.
#[derive(Default)]
struct Kept {
    /// Bytes of files.
    files: BTreeMap<&'static str, u64>,
    /// Records and their bytes.
    tables: BTreeMap<Table, TableSize>,
}

impl Kept {
    fn of(app: &App, state: &Path) -> Result<Kept, BenchError> {
        let tables = size::tables(app.workspace.shared.journal.store().as_ref())?;
        Ok(Kept { files: size::on_disk(state).into_iter().collect(), tables })
    }

    /// What is more than before, the most first.
    fn grown_since(&self, then: &Kept) -> String {
        let mut files: Vec<(u64, String)> = Vec::new();
        for (what, bytes) in &self.files {
            let more = bytes.saturating_sub(then.files.get(what).copied().unwrap_or_default());
            files.push((more, format!("{what} {} kB", more / 1_000)));
        }
        let mut tables: Vec<(u64, String)> = Vec::new();
        for (table, now) in &self.tables {
            let before = then.tables.get(table).copied().unwrap_or_default();
            let more = now.bytes.saturating_sub(before.bytes);
            let records = now.records.saturating_sub(before.records);
            tables.push((more, format!("{table:?} {records} of {} kB", more / 1_000)));
        }
        format!("{}; records: {}", most_first(files), most_first(tables))
    }
}

fn most_first(mut grown: Vec<(u64, String)>) -> String {
    grown.retain(|(more, _)| *more >= 1_000);
    grown.sort_by_key(|(more, _)| std::cmp::Reverse(*more));
    grown.into_iter().map(|(_, told)| told).collect::<Vec<_>>().join(", ")
}

fn is_well(report: &ReportView) -> bool {
    report.run.state == RunState::Done
}

/// One run, however it ends.
async fn once(app: &Arc<App>) -> Result<Option<ReportView>, BenchError> {
    let request = SyncRequest { yes: true, ..SyncRequest::default() };
    match app.sync(request, &NoProgress).await {
        Ok(SyncAnswer::Ran(report)) => Ok(Some(*report)),
        Ok(SyncAnswer::Planned(_)) => Err(BenchError::Broke("a run only planned".to_owned())),
        // A run that could not even begin: a service was away.
        Err(_) => Ok(None),
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes are far below 2^52")]
fn on_disk(state: &Path) -> f64 {
    size::on_disk(state).into_iter().map(|(_, bytes)| bytes).sum::<u64>() as f64
}

/// The most of the second half, beside the most of the first.
fn flat(what: &str, unit: Unit, of_each_run: &[f64], size: Size) -> Figure {
    let (early, late) = of_each_run.split_at(of_each_run.len() / 2);
    let most = |runs: &[f64]| runs.iter().copied().fold(0.0, f64::max);
    let figure = Figure::alone(format!("{what}, second half, at most"), unit, most(late))
        .beside("first half", most(early));
    if size == Size::Full { figure.aim(Aim::RatioAtMost(FLAT)) } else { figure }
}
