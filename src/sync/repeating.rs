//! What went wrong in a run, in words that are the same the next time, and what of it went wrong before.
//! Never: an address, or a service's own words, which may change from one answer to the next.

use super::error::RunError;
use super::workspace::Workspace;
use crate::domain::id::{MoveId, PersonId};
use crate::domain::plan::Limit;
use crate::domain::repeat::{Memory, Reach, Wrong};
use crate::domain::report::RepeatedKind;
use crate::domain::run::{Run, RunEnd};
use crate::engine::fold;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// The name under which the journal keeps what went wrong lately.
const MEMORY: &str = "repeated failures";

/// Moves that have not ended.
#[derive(Default)]
pub(super) struct Open {
    /// By kind word.
    pub(super) by_kind: BTreeMap<String, u64>,
    /// Those that nobody holds back, as something that is not over yet.
    pub(super) wrongs: BTreeSet<Wrong>,
}

/// Looks at every open move.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn open_moves(workspace: &Workspace) -> Result<Open, RunError> {
    let journal = &workspace.shared.journal;
    let now = workspace.shared.clock.now();
    let mut open = Open::default();
    let mut after = None;
    loop {
        let page = journal.open_moves(after, 1_000)?;
        let Some(last) = page.last() else { return Ok(open) };
        after = Some(*last);
        for id in page {
            let Ok(Ok(status)) = journal.events(id).map(|events| fold(&events)) else {
                *open.by_kind.entry("unreadable".to_owned()).or_default() += 1;
                continue;
            };
            *open.by_kind.entry(status.draft.kind.word().to_owned()).or_default() += 1;
            if status.awaits_last_look() || workspace.shared.holds(&status, now).is_some() {
                continue;
            }
            open.wrongs.insert(Wrong {
                kind: RepeatedKind::Open,
                what: status.trouble(),
                person: Some(status.draft.person),
                amount: 1,
            });
        }
    }
}

/// Forgets what went wrong for these people.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn forget(journal: &Journal, batch: &mut Batch, people: &[PersonId]) -> Result<(), RunError> {
    let Some(before) = journal.meta_get::<Memory>(MEMORY)? else { return Ok(()) };
    let mut memory = before.clone();
    people.iter().for_each(|person| memory.forget(*person));
    if memory != before {
        journal.meta_put(batch, MEMORY, &memory)?;
    }
    Ok(())
}

/// Names in the report what repeats itself; what is remembered for the next run goes into the batch.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn name_repeated(
    workspace: &Workspace,
    batch: &mut Batch,
    run: &mut Run,
    end: &RunEnd,
    (failed, open): (&[MoveId], Open),
) -> Result<(), RunError> {
    let journal = &workspace.shared.journal;
    let mut wrongs = open.wrongs;
    for id in failed {
        // Records that cannot be read are told of elsewhere.
        let Ok(Ok(status)) = journal.events(*id).map(|events| fold(&events)) else { continue };
        let person = Some(status.draft.person);
        if status.is_over() {
            wrongs.insert(Wrong { kind: RepeatedKind::Failed, what: status.trouble(), person, amount: 1 });
        }
    }
    // The window opens by itself: who waits for it is no trouble.
    let trouble =
        run.counts.left_out.iter().filter(|(limit, _)| limit.as_str() != Limit::EnrollBetween.word());
    for (limit, amount) in trouble {
        let what = format!("left out by {limit}");
        wrongs.insert(Wrong { kind: RepeatedKind::LeftOut, what, person: None, amount: *amount });
    }
    if let RunEnd::Failed { why } = end {
        let what = failed_at(why);
        wrongs.insert(Wrong { kind: RepeatedKind::Run, what, person: None, amount: 1 });
    }
    let whole = matches!(end, RunEnd::Done | RunEnd::Stuck) && run.report.narrowed.is_none();
    let reach = if whole { Reach::Whole } else { Reach::Part };
    let mut memory: Memory = journal.meta_get(MEMORY)?.unwrap_or_default();
    run.report.repeated = memory.take(&wrongs, reach, workspace.shared.clock.now());
    journal.meta_put(batch, MEMORY, &memory)?;
    Ok(())
}

/// What a run failed at: the first part of why. A service's own words, and moments, stand behind it, and differ
/// from one time to the next.
fn failed_at(why: &str) -> String {
    why.split(": ").next().unwrap_or(why).chars().take(200).collect()
}
