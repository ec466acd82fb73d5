//! `hsmc state`: the state directory itself, asked of the process that owns it or, where none does, of the
//! directory. No config is needed, and nothing is sent to anybody.

use super::control::{Done, failed};
use super::ports::SystemClock;
use crate::config::Config;
use crate::domain::code::Code;
use crate::domain::event::MoveEvent;
use crate::domain::port::Clock;
use crate::domain::time::Timestamp;
use crate::journal::backup::{About, BackupError, Kept};
use crate::journal::inspect::{self, Inspected};
use crate::journal::ledger::Journal;
use crate::journal::restore;
use crate::journal::size;
use crate::journal::store::live::{LiveStore, Settings};
use crate::journal::store::{Store, StoreError, Table};
use crate::journal::verify::{self, Defect, Place};
use crate::serve::requests::Trouble;
use crate::serve::state::{
    BackupView, CompactView, DefectView, GrowthView, RestoreView, RoomView, SizeView, SoundView, StateAnswer,
    StateRequest, TableView,
};
use crate::sync::damage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Defects told one by one.
const TOLD: usize = 200;

/// A state directory's journal, open.
pub struct Opened {
    /// The store.
    pub store: Arc<LiveStore>,
    /// The workspace's name; empty when not known.
    pub workspace: String,
    /// How long details are kept.
    pub retention: Option<Duration>,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        match error {
            StoreError::Locked { .. } => Trouble::failed(error.code(), error.to_string())
                .with_way_out("wait for the process that uses it, or stop it"),
            StoreError::Newer { .. } => Trouble::usage(error.code(), error.to_string()),
            other => failed(other.code(), other.to_string()),
        }
    }
}

impl From<BackupError> for Trouble {
    fn from(error: BackupError) -> Trouble {
        match error {
            BackupError::Store(store) => store.into(),
            BackupError::Taken { .. } => {
                Trouble::usage(error.code(), error.to_string()).with_way_out("name another file")
            }
            BackupError::Damaged { .. } => Trouble::failed(error.code(), error.to_string())
                .with_way_out("use another backup; nothing was changed"),
            BackupError::Occupied { .. } => Trouble::usage(error.code(), error.to_string()).with_way_out(
                "`--force` moves what is there aside, into `before-restore-…` inside that directory",
            ),
        }
    }
}

/// Answers for a directory that no process owns.
///
/// # Errors
/// There is no state; it is in use, newer or damaged; or a file cannot be read or written.
pub async fn alone(state: &Path, config: Option<&Config>, request: StateRequest) -> Done<StateAnswer> {
    exists(state)?;
    if request == StateRequest::Check {
        return Ok(StateAnswer::Check(check_files(state).await?));
    }
    let opened = match LiveStore::open(state) {
        Ok(store) => Opened {
            store: Arc::new(store),
            workspace: config.map(|config| config.workspace.clone()).unwrap_or_default(),
            retention: config.map(|config| config.sync.retention),
        },
        // How much room it takes can be told all the same.
        Err(error @ (StoreError::Damaged { .. } | StoreError::Newer { .. }))
            if request == StateRequest::Size =>
        {
            return Ok(StateAnswer::Size(uncounted(state, error.to_string())));
        }
        Err(error) => return Err(error.into()),
    };
    let answer = answer(&opened, request, SystemClock.now()).await;
    opened.store.close()?;
    answer
}

/// Whether a journal was begun there.
pub fn has_journal(state: &Path) -> bool {
    ["format", "log", "snapshot", "restored.1", "restored.2"].iter().any(|name| state.join(name).exists())
}

fn exists(state: &Path) -> Done<()> {
    if has_journal(state) {
        return Ok(());
    }
    Err(Trouble::usage(Code::NothingKept, format!("nothing has run in {} yet", state.display()))
        .with_way_out("--state names another directory"))
}

/// Answers for an open journal, while others may use it.
///
/// # Errors
/// As [`alone`].
pub async fn answer(opened: &Opened, request: StateRequest, now: Timestamp) -> Done<StateAnswer> {
    let root = opened.store.root().to_path_buf();
    Ok(match request {
        StateRequest::Size => {
            let (store, retention) = (Arc::clone(&opened.store), opened.retention);
            StateAnswer::Size(apart(move || size_of(&store, retention, now)).await?)
        }
        StateRequest::Check => {
            let store = Arc::clone(&opened.store);
            StateAnswer::Check(
                apart(move || {
                    let mut found = inspect::files(store.root())?;
                    found.looked.push("index: in use; held against the log at every start".to_owned());
                    sound(&root, store.as_ref(), found)
                })
                .await?,
            )
        }
        StateRequest::Backup(file) => {
            let about = About { workspace: opened.workspace.clone(), at: now };
            let kept = opened.store.backup(&file, about).await?;
            StateAnswer::Backup(backup_view(&file, &kept))
        }
        StateRequest::Compact => {
            let before = rooms(&root);
            opened.store.compact().await?;
            let path = root.display().to_string();
            StateAnswer::Compact(CompactView { path, before, after: rooms(&root) })
        }
    })
}

/// Restores a backup into a directory that no process owns.
///
/// # Errors
/// As [`restore::restore`].
pub async fn restore(from: &Path, state: &Path, force: bool) -> Done<RestoreView> {
    let put = restore::restore(from, state, force, SystemClock.now()).await?;
    Ok(RestoreView {
        backup: backup_view(from, &put.kept),
        state: state.display().to_string(),
        aside: put.aside.map(|aside| aside.display().to_string()),
    })
}

/// Work that reads a lot, where it holds nobody up.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Done<T> + Send + 'static) -> Done<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|problem| Err(Trouble::failed(Code::Inside, problem.to_string())))
}

async fn check_files(state: &Path) -> Done<SoundView> {
    let state = state.to_path_buf();
    apart(move || {
        let mut found = inspect::files(&state)?;
        match inspect::trial(&state, &mut found) {
            Ok((store, _scratch)) => {
                let view = sound(&state, &store, found)?;
                store.close()?;
                Ok(view)
            }
            Err(StoreError::Damaged { what, .. }) => {
                let place = Place::File("a start".to_owned());
                let what = format!("would be refused: {what}");
                found.defects.push(Defect { place, what, harmless: false });
                Ok(sound_view(&state, found, BTreeMap::new()))
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

fn sound(root: &Path, store: &dyn Store, mut found: Inspected) -> Done<SoundView> {
    let (counts, defects) = verify::records(store)?;
    let read: u64 = counts.values().sum();
    found.looked.push(format!("records: {read} read, each index held against what it points to"));
    found.defects.extend(defects);
    Ok(sound_view(root, found, counts))
}

fn sound_view(root: &Path, found: Inspected, counts: BTreeMap<Table, u64>) -> SoundView {
    let Inspected { looked, mut defects } = found;
    defects.sort_by(|one, other| (one.harmless, &one.place).cmp(&(other.harmless, &other.place)));
    defects.dedup();
    let more = defects.len().saturating_sub(TOLD);
    let mut told: Vec<DefectView> = defects.into_iter().take(TOLD).map(defect_view).collect();
    if more > 0 {
        told.push(DefectView {
            place: format!("{more} more"),
            what: "not told one by one".to_owned(),
            means: String::new(),
            harmless: false,
        });
    }
    let code = told.iter().any(|defect| !defect.harmless).then_some(Code::StateDamaged);
    SoundView { path: root.display().to_string(), looked, records: by_word(&counts), defects: told, code }
}

fn defect_view(defect: Defect) -> DefectView {
    let means = match &defect.place {
        _ if defect.harmless => "nothing is lost; the next start or checkpoint mends it".to_owned(),
        Place::File(_) => "restore a backup, or move the directory aside to start anew".to_owned(),
        Place::Record(table, key) => damage::meaning(*table, key).to_owned(),
    };
    DefectView { place: defect.place.to_string(), what: defect.what, means, harmless: defect.harmless }
}

fn by_word(counts: &BTreeMap<Table, u64>) -> BTreeMap<String, u64> {
    let full = counts.iter().filter(|(_, count)| **count > 0);
    full.map(|(table, count)| (table.word().to_owned(), *count)).collect()
}

fn backup_view(file: &Path, kept: &Kept) -> BackupView {
    let manifest = &kept.manifest;
    BackupView {
        file: file.display().to_string(),
        bytes: kept.on_disk,
        sequence: manifest.sequence,
        made_at: manifest.made_at,
        workspace: manifest.workspace.clone(),
        hsmc: manifest.hsmc.clone(),
        format: manifest.format,
        sha256: manifest.sha256.clone(),
        records: by_word(&kept.records),
    }
}

fn rooms(root: &Path) -> Vec<RoomView> {
    let sizes = size::on_disk(root).into_iter();
    sizes.map(|(what, bytes)| RoomView { what: what.to_owned(), bytes }).collect()
}

fn uncounted(root: &Path, why: String) -> SizeView {
    let disk = rooms(root);
    let total = disk.iter().map(|room| room.bytes).sum();
    let path = root.display().to_string();
    SizeView { path, disk, total, tables: Vec::new(), uncounted: Some(why), growth: None }
}

fn size_of(store: &Arc<LiveStore>, retention: Option<Duration>, now: Timestamp) -> Done<SizeView> {
    let sizes = size::tables(store.as_ref())?;
    let details: u64 = [Table::Moves, Table::PersonMoves, Table::OpenMoves]
        .iter()
        .filter_map(|table| sizes.get(table))
        .map(|size| size.bytes)
        .sum();
    let disk = rooms(store.root());
    let snapshots = disk.iter().filter(|room| room.what == "snapshots of the journal").map(|room| room.bytes);
    let growth = oldest_move(store)?.map(|since| {
        let per_day = rate(details, now.since(since));
        let kept_days = retention.unwrap_or(90 * DAY).as_secs() / DAY.as_secs();
        let Settings { checkpoint_bytes, segment_bytes, .. } = Settings::default();
        GrowthView {
            since,
            details_a_day: per_day,
            kept_days,
            details_at_most: per_day.saturating_mul(kept_days),
            // Up to the older of the two snapshots that are kept.
            log_at_most: 2 * checkpoint_bytes.max(snapshots.sum::<u64>() / 2) + segment_bytes,
        }
    });
    let tables = sizes.into_iter().filter(|(_, size)| size.records > 0);
    let tables = tables
        .map(|(table, size)| TableView {
            table: table.word().to_owned(),
            records: size.records,
            bytes: size.bytes,
        })
        .collect();
    Ok(SizeView { tables, uncounted: None, growth, ..uncounted(store.root(), String::new()) })
}

/// Bytes a day; a day not over yet counts as one.
fn rate(bytes: u64, span: Duration) -> u64 {
    let days = span.as_secs_f64() / DAY.as_secs_f64();
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let per_day = (bytes as f64 / days.max(1.0)) as u64;
    per_day
}

/// When the oldest move was planned whose details are kept.
fn oldest_move(store: &Arc<LiveStore>) -> Done<Option<Timestamp>> {
    let journal = Journal::new(Arc::clone(store) as Arc<dyn Store>);
    let Some((key, _)) = store.scan(Table::Moves, &[], None, 1)?.into_iter().next() else { return Ok(None) };
    let Some(id) = crate::journal::key::Key::from_key(&key) else { return Ok(None) };
    Ok(match journal.events(id)?.first() {
        Some(MoveEvent::Planned { at, .. }) => Some(*at),
        _ => None,
    })
}

/// The path as whoever asks means it: the process that answers may stand in another folder.
pub fn absolute(request: StateRequest) -> StateRequest {
    match request {
        StateRequest::Backup(file) => {
            let file: PathBuf = std::path::absolute(&file).unwrap_or(file);
            StateRequest::Backup(file)
        }
        other => other,
    }
}
