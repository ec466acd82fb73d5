//! What a damaged record means, and for whom: each table has a consequence of its own, and the rest goes on.

use super::workspace::Workspace;
use crate::domain::id::MoveId;
use crate::engine::fold;
use crate::journal::ledger::{Journal, JournalResult};
use crate::journal::store::Table;

/// Damaged records told one by one.
const TOLD: usize = 20;
/// Open moves read at once.
const PAGE: usize = 1_000;

/// Makes anew what can be, before a run: the rest is told, and holds whom it must.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn mend(workspace: &Workspace) -> JournalResult<()> {
    let learned: Vec<&str> = [super::run::SCANNED].into_iter().chain(super::preflight::LEARNED).collect();
    let mended = workspace.shared.journal.mend(&learned).await?;
    if mended > 0 {
        tracing::warn!(mended, "damaged records were made anew from others");
    }
    Ok(())
}

/// What is damaged and what it means, a line each; for status and reports.
pub fn lines(journal: &Journal) -> Vec<String> {
    let damaged = journal.damaged();
    let more = damaged.len().saturating_sub(TOLD);
    let told = damaged.iter().take(TOLD).map(|(table, key)| {
        format!("damaged record, {}: {}", journal.name_of(*table, key), meaning(*table, key))
    });
    let more = (more > 0).then(|| format!("damaged records: {more} more; `hsmc state check` names them"));
    told.chain(more).collect()
}

/// Open moves that this version cannot go on with, and why: their records are damaged, contradict each other, or were
/// written by a newer hsmc. A look without effects.
///
/// # Errors
/// The journal cannot be read.
pub fn incompatible(journal: &Journal) -> JournalResult<Vec<(MoveId, String)>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = journal.open_moves(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(*last);
        found.extend(page.into_iter().filter_map(|id| why_not(journal, id).map(|why| (id, why))));
    }
}

/// Why an open move cannot be gone on with; none when it can.
pub fn why_not(journal: &Journal, id: MoveId) -> Option<String> {
    match journal.events(id) {
        Ok(events) => fold(&events).err().map(|problem| problem.to_string()),
        Err(problem) => Some(problem.to_string()),
    }
}

/// The consequence of a damaged record, in words for whoever runs hsmc.
pub fn meaning(table: Table, key: &[u8]) -> &'static str {
    match table {
        Table::Meta => setting(key),
        Table::Runs => "the report of this run is incomplete",
        Table::Moves | Table::OpenMoves => {
            "the move is not gone on with, and its person gets no other; nobody else is held"
        }
        Table::PersonMoves => "the move is missing from its person's timeline",
        Table::People => {
            "this person is held: nothing but an opt-out is done for them; restore a backup, or `hsmc release` them to \
             go on with what is left"
        }
        Table::PeopleByHash | Table::PeopleByRecord => "nothing: the next run makes it anew from the people",
        Table::Evidence => "one piece of this person's evidence cannot be shown any more",
        Table::Watermarks => "the next run reads everything",
        Table::Consent => {
            "the chain of evidence has a place that does not hold; `hsmc consent verify` names it"
        }
        Table::Outbox => "one notification is not sent",
        Table::Forgotten => "somebody who was forgotten; they stay so",
        Table::ListNames => "an earlier name of this list is not known any more",
        Table::History => "one past state is missing from this person's timeline",
        Table::Salts => "nobody can tell any more whose address this person's evidence was about",
        Table::Audit => "one line of the audit cannot be shown any more",
    }
}

fn setting(key: &[u8]) -> &'static str {
    match key {
        b"pauses" => "what was paused is not known: everything is paused until `hsmc resume --all`",
        b"next-person" | b"last-run" => "nothing: the number is found again from the records",
        b"forgotten-key" => {
            "who was forgotten is not recognised any more: no run begins until a backup is restored"
        }
        b"consent-head" => {
            "the chain of evidence goes on, and has a place that does not hold; `hsmc consent verify` names it"
        }
        b"scanned config" => "the next run reads everything",
        _ => "a setting of hsmc's own; it is made anew when it is next needed",
    }
}
