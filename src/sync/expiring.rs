//! Expiry: once a day, behind a run, what is older than `sync.history` goes for good: the lines of moves whose details
//! were given up before, states that people have left, and runs of which no move is there in detail any more.
//!
//! Promises: a state directory grows with people, and with what happens to them within that time, and no further; done
//! in batches that are durable each for itself, so that it can be cut off anywhere. Never: evidence of consent, people
//! as they are, the newest run, moves that are open or stuck, or a journal that is busy for long.

use super::error::RunError;
use super::workspace::Workspace;
use crate::domain::run::{Run, RunPhase};
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::journal::expiring::Found;
use crate::journal::ledger::JournalResult;
use crate::journal::store::Batch;
use std::time::Duration;

/// Entries looked at in one go.
const PAGE: usize = 500;
/// A pause after each batch, so that whoever works has the disk.
const PAUSE: Duration = Duration::from_millis(5);
/// All of them are gone over, so not behind every run.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// When that was done last, and for which length of history, in the journal.
const DONE: &str = "expired";

/// Gives up what is due; how many entries that were.
///
/// # Errors
/// The journal cannot be read or written. What was committed stays.
pub(super) async fn expire(workspace: &Workspace) -> Result<u64, RunError> {
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    let history = workspace.settings.history;
    let done: Option<(Timestamp, Duration)> = journal.meta_get(DONE)?;
    if done.is_some_and(|(done, then)| then == history && done <= now && now.since(done) < EVERY) {
        return Ok(0);
    }
    let before = now.minus(history);
    let old = |is_old| Ok(if is_old { Verdict::Old } else { Verdict::Kept });
    let lines = each(
        workspace,
        |after, limit| journal.audit_lines(after, limit),
        |_, line| old(line.ended <= before),
        |batch, key| journal.drop_line(batch, key),
    );
    let states = each(
        workspace,
        |after, limit| journal.states_left(after, limit),
        |_, past| old(past.until <= before),
        |batch, key| journal.drop_state(batch, key),
    );
    let newest = journal.last_run_id()?;
    let runs = each(
        workspace,
        |after, limit| journal.runs_after(after, limit),
        |id, run| match run.started > before || Some(*id) == newest {
            true => Ok(Verdict::NothingBehind),
            false => old(is_over_since(run, before) && !journal.has_moves(*id)?),
        },
        |batch, id| journal.drop_run(batch, *id),
    );
    let given_up = lines.await? + states.await? + runs.await?;
    if !workspace.is_stopping() {
        let mut batch = Batch::new();
        journal.meta_put(&mut batch, DONE, &(now, history))?;
        journal.commit(batch).await?;
    }
    Ok(given_up)
}

fn is_over_since(run: &Run, before: Timestamp) -> bool {
    matches!(run.phase, RunPhase::Finished(_)) && run.ended.is_some_and(|ended| ended <= before)
}

/// What is to become of an entry.
enum Verdict {
    Old,
    Kept,
    /// It is kept, and so is whatever comes behind it.
    NothingBehind,
}

/// Goes over a table, page by page; how many entries were dropped.
async fn each<K, V>(
    workspace: &Workspace,
    page: impl Fn(Option<&K>, usize) -> JournalResult<Found<K, V>>,
    look: impl Fn(&K, &V) -> JournalResult<Verdict>,
    drop: impl Fn(&mut Batch, &K),
) -> Result<u64, RunError> {
    let (mut dropped, mut after) = (0, None);
    while !workspace.is_stopping() {
        let entries = page(after.as_ref(), PAGE)?;
        let (mut batch, mut at_end) = (Batch::new(), entries.is_empty());
        for (key, value) in &entries {
            let Some(value) = value else { continue };
            match look(key, value)? {
                Verdict::Old => {
                    drop(&mut batch, key);
                    dropped += 1;
                }
                Verdict::Kept => {}
                Verdict::NothingBehind => {
                    at_end = true;
                    break;
                }
            }
        }
        if !batch.is_empty() {
            failpoint::pass(|| format!("{}:before", failpoint::EXPIRY));
            workspace.shared.journal.commit(batch).await?;
            failpoint::pass(|| format!("{}:after", failpoint::EXPIRY));
            workspace.shared.clock.sleep(PAUSE).await;
        }
        if at_end {
            break;
        }
        after = entries.into_iter().next_back().map(|(key, _)| key);
    }
    Ok(dropped)
}
