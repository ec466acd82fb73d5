//! What of a plan that was shown has been carried out since: it does not come out again because it holds, not because
//! the world has changed. Nobody has to look at it again, and nobody is asked.

use super::error::RunError;
use super::planning::Planning;
use super::workspace::Workspace;
use crate::domain::event::MoveEnd;
use crate::domain::id::PersonId;
use crate::domain::plan::move_fingerprint;
use crate::domain::step::Fingerprint;
use crate::engine::fold;
use crate::journal::ledger::Journal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The notes of a report about them.
const DONE: &str = "moves of the plan shown before are done already";
const UNDER_WAY: &str = "moves of the plan shown before are under way already";

/// What has become of a move that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    UnderWay,
}

/// Takes out of the plan that was shown what is done or under way, and says how much that is.
///
/// # Errors
/// The journal cannot be read.
pub fn leave_out(
    workspace: &Workspace,
    planning: &mut Planning,
    notes: &mut BTreeMap<String, u64>,
) -> Result<(), RunError> {
    let Some(shown) = planning.narrowing.shown.clone() else { return Ok(()) };
    let mut gone = BTreeSet::new();
    for (print, one) in planning.missing_of_shown() {
        let Some(fate) = fate(&workspace.shared.journal, one.person, print)? else { continue };
        gone.insert(print);
        let note = match fate {
            Fate::Done => DONE,
            Fate::UnderWay => UNDER_WAY,
        };
        *notes.entry(note.to_owned()).or_default() += 1;
    }
    if !gone.is_empty() {
        planning.narrowing.shown = Some(Arc::new(shown.without(&gone)));
    }
    Ok(())
}

/// What has become of this very move; none when it was never begun, or came to another end.
fn fate(journal: &Journal, person: PersonId, print: Fingerprint) -> Result<Option<Fate>, RunError> {
    for id in journal.moves_of_person(person)?.into_iter().rev() {
        // What cannot be read is nothing that anybody could call done.
        let Ok(status) = fold(&journal.events(id)?) else { continue };
        if move_fingerprint(&status.draft) != print {
            continue;
        }
        match status.end() {
            Some(MoveEnd::Done) => return Ok(Some(Fate::Done)),
            None if status.has_begun() => return Ok(Some(Fate::UnderWay)),
            _ => {}
        }
    }
    Ok(None)
}
