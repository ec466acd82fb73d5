//! Contested people (design §3.11): somebody else keeps taking back what hsmc does. After the third time it
//! is left to them, and an operator is told: another tool, or another person, is at work.
//!
//! Pure. A change counts as taken back when the rules want the very same change again although a move has
//! made it; only changes of the last days count, so that a person who comes and goes over months does not.

use super::moves::{Move, MoveKind};
use super::person::{Contested, MadeChange, Person};
use super::rules::Digest;
use super::step::{Fingerprint, Step};
use super::time::Timestamp;
use std::time::Duration;

/// Changes older than this do not count.
const WITHIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So often the same change is made; when it is wanted once more, it is contested.
const TIMES: usize = 3;
/// Changes remembered of one person, at most.
const REMEMBERED: usize = 12;

/// Whether moves of this kind move somebody to or fro: the others only follow data or consent.
fn counts(kind: MoveKind) -> bool {
    kind.is_gated()
}

/// The same change has the same fingerprint: what it is about, without values that may differ each time.
fn change_of(planned: &Move) -> Fingerprint {
    let mut digest = Digest::new();
    digest.text(planned.kind.word());
    let moves_somebody = |step: &&Step| {
        matches!(
            step,
            Step::SetTag { .. }
                | Step::ClearTag { .. }
                | Step::JoinList { .. }
                | Step::LeaveList { .. }
                | Step::ArchiveMember
                | Step::RestoreMember { .. }
        )
    };
    for step in planned.steps.iter().map(|planned| &planned.step).filter(moves_somebody) {
        digest.text(&step.to_string());
    }
    digest.finish()
}

/// Notes that a move has been made.
pub fn made(person: &mut Person, done: &Move, at: Timestamp) {
    person.made.retain(|made| at.since(made.at) <= WITHIN);
    if counts(done.kind) {
        let surplus = (person.made.len() + 1).saturating_sub(REMEMBERED);
        person.made.drain(..surplus);
        person.made.push(MadeChange { kind: done.kind, change: change_of(done), at });
    }
}

/// Whether the move that is due would make once more what has been made and taken back often enough.
pub fn is_taken_back(person: &Person, due: &Move, seen: Timestamp) -> Option<Contested> {
    let change = change_of(due);
    let same = person
        .made
        .iter()
        .filter(|made| made.kind == due.kind && made.change == change && seen.since(made.at) <= WITHIN);
    let times = same.count();
    (counts(due.kind) && times >= TIMES).then(|| Contested {
        kind: due.kind,
        times: u32::try_from(times).unwrap_or(u32::MAX),
        since: seen,
    })
}
