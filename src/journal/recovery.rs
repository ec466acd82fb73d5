//! Puts index, snapshots and log together again at start.
//!
//! Promises: what comes out holds every acknowledged commit, save values whose keys it names; otherwise
//! it refuses. Nothing is moved or written before it is known that the start will succeed. The decisions
//! are told in docs/journal-format.md.

use super::change::{self, DAMAGED, Effect, Found, FullKey, damage_marker};
use super::directory::{self, Directory};
use super::index::{Index, Mark, Trouble};
use super::log::{self, Finding, LogEnd};
use super::overlay::Layer;
use super::snapshot::{self, SnapshotFile, Worth};
use super::store::{Entry, Sequence, StoreError};
use super::totals::Totals;
use std::collections::BTreeSet;
use std::fs;

/// How much is gathered before it goes into the index.
const BATCH: usize = 256 * 1024;

/// A store put together.
pub(crate) struct Recovered {
    pub(crate) index: Index,
    pub(crate) mark: Mark,
    pub(crate) end: LogEnd,
    /// Keys whose records could not be read whole.
    pub(crate) damaged: BTreeSet<FullKey>,
    /// Bytes in the log since the newest snapshot; counted as endless when a new snapshot is due anyway.
    pub(crate) log_bytes: u64,
}

/// What the log is applied to.
enum Base {
    Index(Index, Mark),
    Snapshot(SnapshotFile),
    Nothing,
}

impl Base {
    fn sequence(&self) -> Sequence {
        match self {
            Base::Index(_, mark) => mark.sequence,
            Base::Snapshot(snapshot) => snapshot.sequence,
            Base::Nothing => 0,
        }
    }
}

/// What reading the log from a base found.
struct Survey {
    end: LogEnd,
    /// Damage at or below the base: harmless today, gone with the next snapshot.
    old_damage: bool,
}

/// Puts everything together.
pub(crate) fn recover(directory: &Directory, cache_bytes: u64) -> Result<Recovered, StoreError> {
    for path in [directory.root().to_path_buf(), directory.log(), directory.snapshots()] {
        directory::sweep(&path)?;
    }
    directory.remove_new_index()?;
    let snapshots = snapshot::list(&directory.snapshots())?;
    let reached = snapshots.first().map_or(0, |snapshot| snapshot.sequence);
    let reached = reached.max(directory.read_log_end().unwrap_or(0));
    let index = open_index(directory, cache_bytes);

    let Choice { base, survey, unusable: unusable_snapshots } =
        choose(directory, index, &snapshots, reached)?;
    let (index, mark) = match base {
        Base::Index(index, mark) => (index, mark),
        Base::Snapshot(snapshot) => rebuild(directory, cache_bytes, Some(&snapshot))?,
        Base::Nothing => rebuild(directory, cache_bytes, None)?,
    };
    let (mark, damaged) = replay(directory, &index, mark, &survey)?;
    if survey.end.torn || directory.read_log_end() != Some(mark.sequence) {
        log::rewrite_newest(&survey.end)?;
    }
    // A damaged snapshot must not be one of the two that are kept.
    for snapshot in &unusable_snapshots {
        snapshot::set_aside(snapshot)?;
    }
    let newest = snapshots.first().map_or(0, |snapshot| snapshot.sequence);
    let due = survey.old_damage || !unusable_snapshots.is_empty();
    let log_bytes = if due { u64::MAX } else { bytes_since(directory, newest)? };
    Ok(Recovered { index, mark, end: survey.end, damaged, log_bytes })
}

/// The index, when it adds up.
fn open_index(directory: &Directory, cache_bytes: u64) -> Option<(Index, Mark)> {
    let path = directory.index();
    if !path.exists() {
        return None;
    }
    let opened = Index::open(&path, cache_bytes).and_then(|index| match index.verify() {
        Ok(mark) => Ok((index, mark)),
        Err(error) => {
            close(index);
            Err(error)
        }
    });
    opened.inspect_err(|error| tracing::warn!(error = %error, "the index cannot be used and is rebuilt")).ok()
}

fn close(index: Index) {
    if let Err(error) = index.close() {
        tracing::debug!(error = %error, "the damaged index did not close in order");
    }
}

/// What [`choose`] chose.
struct Choice {
    base: Base,
    survey: Survey,
    /// Snapshots that were looked at and are not whole.
    unusable: Vec<SnapshotFile>,
}

/// The best base from which the log can be read without a gap.
fn choose(
    directory: &Directory,
    index: Option<(Index, Mark)>,
    snapshots: &[SnapshotFile],
    mut reached: Sequence,
) -> Result<Choice, StoreError> {
    let mut refusal = None;
    if let Some((index, mark)) = index {
        reached = reached.max(mark.sequence);
        match survey(directory, mark.sequence, reached) {
            Ok(survey) => {
                return Ok(Choice { base: Base::Index(index, mark), survey, unusable: Vec::new() });
            }
            Err(error) => {
                tracing::warn!(error = %error, "the log does not continue the index");
                refusal = Some(error);
                close(index);
            }
        }
    }
    let mut unusable = Vec::new();
    let mut partial = Vec::new();
    let mut bases = Vec::new();
    for snapshot in snapshots {
        let worth = snapshot::read(snapshot, |_, _| Ok(()))?;
        if worth == Worth::Whole {
            bases.push(Base::Snapshot(snapshot.clone()));
            continue;
        }
        tracing::warn!(snapshot = %snapshot.path.display(), ?worth, "the snapshot is damaged");
        unusable.push(snapshot.clone());
        if worth == Worth::Partial {
            partial.push(Base::Snapshot(snapshot.clone()));
        }
    }
    // Whole bases first, the beginning of the log among them; then what can name its damage.
    bases.push(Base::Nothing);
    bases.extend(partial);
    for base in bases {
        match survey(directory, base.sequence(), reached) {
            Ok(survey) => return Ok(Choice { base, survey, unusable }),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| directory.damaged("no snapshot can be read")))
}

/// Whether the log holds every commit above `base`, with readable keys, up to `reached` at least.
fn survey(directory: &Directory, base: Sequence, reached: Sequence) -> Result<Survey, StoreError> {
    let mut old_damage = false;
    let refuse = |what: String| directory.damaged(what);
    let end = log::read(&directory.log(), base, &refuse, |finding| {
        match finding {
            Finding::Lost(first, last) if last > base => {
                return Err(refuse(format!("commits {first} to {last} are gone from the log")));
            }
            Finding::Lost(..) => old_damage = true,
            Finding::Frame(sequence, _, whole) if sequence <= base => old_damage |= !whole,
            Finding::Frame(_, _, true) => {}
            Finding::Frame(sequence, payload, false) => {
                each_change(payload, |_| Ok(()))
                    .ok_or_else(|| refuse(format!("commit {sequence} in the log cannot be read")))??;
            }
        }
        Ok(())
    })?;
    let last = end.end.next.saturating_sub(1);
    if last < reached {
        return Err(refuse(format!("the log ends at commit {last}, but {reached} commits were made")));
    }
    Ok(Survey { end, old_damage })
}

/// Visits the changes of a payload; none when a key cannot be read.
pub(super) fn each_change(
    payload: &[u8],
    mut visit: impl FnMut(Found) -> Result<(), StoreError>,
) -> Option<Result<(), StoreError>> {
    let mut rest = payload;
    while !rest.is_empty() {
        let (found, after) = change::read(rest)?;
        if let Err(error) = visit(found) {
            return Some(Err(error));
        }
        rest = after;
    }
    Some(Ok(()))
}

fn unusable(directory: &Directory) -> impl Fn(Trouble) -> StoreError + '_ {
    |error| super::fault::io(&directory.index(), error)
}

/// A new index from a snapshot, or an empty one.
fn rebuild(
    directory: &Directory,
    cache_bytes: u64,
    from: Option<&SnapshotFile>,
) -> Result<(Index, Mark), StoreError> {
    directory.set_index_aside()?;
    let index = Index::open(&directory.index(), cache_bytes).map_err(unusable(directory))?;
    let mut totals = Totals::default();
    if let Some(snapshot) = from {
        let mut entries: Vec<Entry> = Vec::new();
        let mut weight = 0;
        // Markers of damaged keys: those in the snapshot come first, table 0 being the lowest.
        let mut markers: BTreeSet<FullKey> = BTreeSet::new();
        snapshot::read(snapshot, |key, value| {
            match value {
                Some(value) => {
                    totals.add(&key, &value);
                    weight += key.len() + value.len();
                    if key.first() == Some(&DAMAGED) {
                        markers.insert(key.clone());
                    }
                    entries.push((key, value));
                }
                None => {
                    let marker = damage_marker(&key);
                    if markers.insert(marker.clone()) {
                        totals.add(&marker, &[]);
                        entries.push((marker, Vec::new()));
                    }
                }
            }
            if weight > BATCH {
                weight = 0;
                index.load(std::mem::take(&mut entries)).map_err(unusable(directory))?;
            }
            Ok(())
        })?;
        index.load(entries).map_err(unusable(directory))?;
    }
    let mark = Mark { sequence: from.map_or(0, |snapshot| snapshot.sequence), totals };
    index.set_mark(&mark).map_err(unusable(directory))?;
    Ok((index, mark))
}

/// Applies the log above the mark; gives the new mark and the damaged keys.
fn replay(
    directory: &Directory,
    index: &Index,
    mark: Mark,
    survey: &Survey,
) -> Result<(Mark, BTreeSet<FullKey>), StoreError> {
    let base = mark.sequence;
    let mut damaged = markers(index).map_err(unusable(directory))?;
    let mut mark = mark;
    let mut layer = Layer::default();
    let refuse = |what: String| directory.damaged(what);
    log::read(&directory.log(), base, &refuse, |finding| {
        let Finding::Frame(sequence, payload, _) = finding else { return Ok(()) };
        if sequence <= base {
            return Ok(());
        }
        each_change(payload, |found| {
            match found {
                Found::Whole(key, effect) => {
                    if effect.replaces() && damaged.remove(&key) {
                        layer.add(damage_marker(&key), Effect::Delete);
                    }
                    note(&mut damaged, &key, &effect);
                    layer.add(key, effect);
                }
                Found::ValueDamaged(key) => {
                    layer.add(damage_marker(&key), Effect::Put(Vec::new()));
                    damaged.insert(key);
                }
            }
            Ok(())
        })
        .ok_or_else(|| refuse(format!("commit {sequence} in the log cannot be read")))??;
        layer.upto = sequence;
        if layer.weight > BATCH {
            mark = put(index, &mark, &std::mem::take(&mut layer)).map_err(unusable(directory))?;
        }
        Ok(())
    })?;
    if !layer.is_empty() {
        mark = put(index, &mark, &layer).map_err(unusable(directory))?;
    }
    mark.sequence = survey.end.end.next.saturating_sub(1);
    for key in &damaged {
        tracing::error!(table = key.first().copied().unwrap_or_default(), "a record is damaged");
    }
    Ok((mark, damaged))
}

/// Markers that the log itself carries.
fn note(damaged: &mut BTreeSet<FullKey>, key: &[u8], effect: &Effect) {
    if let Some((&DAMAGED, marked)) = key.split_first() {
        match effect {
            Effect::Delete => damaged.remove(marked),
            _ => damaged.insert(marked.to_vec()),
        };
    }
}

fn put(index: &Index, mark: &Mark, layer: &Layer) -> Result<Mark, Trouble> {
    index.apply(index.prepare(mark, layer)?)
}

/// Keys the index has as damaged.
fn markers(index: &Index) -> Result<BTreeSet<FullKey>, Trouble> {
    let found = index.scan(&Default::default(), &[DAMAGED], std::ops::Bound::Unbounded, usize::MAX)?;
    Ok(found.into_iter().filter_map(|(key, _)| key.split_first().map(|(_, key)| key.to_vec())).collect())
}

/// Bytes in segments that begin above a sequence.
fn bytes_since(directory: &Directory, sequence: Sequence) -> Result<u64, StoreError> {
    let segments = log::segments(&directory.log())?;
    let above = segments.iter().filter(|segment| segment.first > sequence);
    Ok(above.filter_map(|segment| fs::metadata(&segment.path).ok()).map(|metadata| metadata.len()).sum())
}
