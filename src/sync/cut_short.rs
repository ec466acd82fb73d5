//! Moves that were cut short and may still be taken back, once it is more than a minute ago that they were planned.
//!
//! Promises: before they go on, it is looked whether they are still wanted; a move whose person has opted out since, or
//! a handover whose exit tag was taken away again (R15), is unwound instead; a handover whose person has opted out in
//! HubSpot since ends there, and the opt-out goes next (design §3.5). Never: looking at a move that can only go forward.

use super::error::RunError;
use super::guard::{Guard, exit_tag};
use super::workspace::Workspace;
use crate::actors::reading::Whom;
use crate::domain::event::{Direction, MoveEnd, MoveEvent};
use crate::domain::failure::{Refusal, RefusalCode};
use crate::domain::id::{MoveId, PersonId};
use crate::domain::moves::MoveKind;
use crate::domain::port::Priority;
use crate::domain::step::Step;
use crate::domain::time::Timestamp;
use crate::engine::MoveStatus;
use crate::engine::retry::STALE_AFTER;
use crate::journal::store::Batch;
use std::collections::BTreeMap;

/// Moves looked at together.
const CHUNK: usize = 500;

/// A move to go on.
pub(super) type Handed = (PersonId, MoveId, Priority);

/// What to look for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Of what starts mail: whether they have opted out since.
    Consent,
    /// Of a handover: whether the exit tag is borne still, and whether they have opted out in HubSpot since.
    ExitTag,
    /// Of a handover that has begun to take tags away: whether they have opted out there since.
    OptOut,
}

/// What becomes of a move that nothing leads to any more.
enum Unwanted {
    /// What was done is taken back.
    Unwind(Refusal),
    /// An opt-out takes its place.
    Supersede,
}

impl Doubt {
    fn of(status: &MoveStatus) -> Option<Doubt> {
        if status.direction() != Some(Direction::Forward) || status.is_past_pivot() {
            return None;
        }
        match status.draft.kind {
            // Once hsmc itself may have taken the exit tag away, its absence says nothing.
            MoveKind::HandOver => {
                let exit_tag = exit_tag(&status.draft);
                let clears = |step: &Step| matches!(step, Step::ClearTag { tag } if Some(tag) == exit_tag);
                Some(if status.has_begun_with(clears) { Doubt::OptOut } else { Doubt::ExitTag })
            }
            kind => kind.needs_consent().then_some(Doubt::Consent),
        }
    }
}

/// Those that are to be looked at first.
#[derive(Default)]
pub(super) struct CutShort {
    moves: Vec<(Handed, Doubt)>,
    /// When all of them were last looked at, at the latest.
    seen: Option<Timestamp>,
}

impl CutShort {
    /// Whether the move is one of these; whoever hands it in leaves it alone then.
    pub(super) fn takes(&mut self, handed: Handed, status: &MoveStatus, now: Timestamp) -> bool {
        let is_fresh = status.planned_at <= now && now.since(status.planned_at) <= STALE_AFTER;
        let Some(doubt) = Doubt::of(status).filter(|_| !is_fresh) else { return false };
        self.moves.push((handed, doubt));
        self.seen = Some(self.seen.map_or(status.planned_at, |seen| seen.min(status.planned_at)));
        true
    }

    /// Looks at them, and hands them on.
    ///
    /// # Errors
    /// When a call or the journal fails.
    pub(super) async fn go_on(self, workspace: &Workspace) -> Result<(), RunError> {
        let Some(seen) = self.seen else { return Ok(()) };
        let journal = &workspace.shared.journal;
        let mut guard = Guard::new(workspace, seen);
        for chunk in self.moves.chunks(CHUNK) {
            let unwanted = unwanted(workspace, &mut guard, chunk).await?;
            let at = workspace.shared.clock.now();
            let mut batch = Batch::new();
            for ((person, id, _), _) in chunk {
                let event = match unwanted.get(id) {
                    Some(Unwanted::Unwind(because)) => MoveEvent::Unwinding { because: because.clone(), at },
                    Some(Unwanted::Supersede) => MoveEvent::Ended { end: MoveEnd::Superseded, at },
                    None => continue,
                };
                journal.append_event(&mut batch, *id, *person, &event)?;
            }
            if !batch.is_empty() {
                journal.commit(batch).await?;
            }
            let goes_on = |id: &MoveId| !matches!(unwanted.get(id), Some(Unwanted::Supersede));
            let handed = chunk.iter().map(|(handed, _)| *handed).filter(|(_, id, _)| goes_on(id));
            workspace.moves.submit(handed.collect()).await;
        }
        Ok(())
    }
}

/// Which of these nothing leads to any more, and why.
async fn unwanted(
    workspace: &Workspace,
    guard: &mut Guard<'_>,
    chunk: &[(Handed, Doubt)],
) -> Result<BTreeMap<MoveId, Unwanted>, RunError> {
    let mut unwanted = BTreeMap::new();
    let (mut mailed, mut handed_over) = (Vec::new(), Vec::new());
    for ((person, id, _), doubt) in chunk {
        let known = workspace.shared.journal.person(*person)?;
        match doubt {
            Doubt::Consent => mailed.extend(known),
            // Of one that is in memory Mailchimp was told, or is by a move of its own.
            Doubt::ExitTag | Doubt::OptOut => {
                handed_over.extend(known.filter(|known| known.opt_out.is_none()).as_ref().map(Whom::of));
            }
        }
        if *doubt == Doubt::ExitTag && guard.is_withdrawn(*id, *person).await? {
            let message = "no longer bears the exit tag".to_owned();
            unwanted.insert(*id, Unwanted::Unwind(Refusal { code: RefusalCode::Unwanted, message }));
        }
    }
    let no_mail = guard.opted_out(&mailed).await?;
    // Whoever unsubscribed or bounced in Mailchimp is handed over and not archived: the look before an archive sees it.
    let to_be_told = guard.opted_out_in_hubspot(&handed_over).await?;
    for ((person, id, _), _) in chunk {
        if no_mail.contains(person) {
            let message = "opted out since the plan was made".to_owned();
            unwanted.insert(*id, Unwanted::Unwind(Refusal { code: RefusalCode::Compliance, message }));
        } else if to_be_told.contains(person) {
            unwanted.insert(*id, Unwanted::Supersede);
        }
    }
    Ok(unwanted)
}
