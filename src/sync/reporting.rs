//! What a run's report is made of: how its moves ended, who is in which state, what the limits left out, and
//! how the run itself ended by all that.
//!
//! Everybody ever seen is in exactly one state, so the people of a report add up to all who are known, however
//! the run was narrowed and however it ended. Never: a person named, but by number.

use super::alerts::{self, Learned};
use super::applying::Applied;
use super::error::RunError;
use super::workspace::Workspace;
use crate::domain::event::MoveEnd;
use crate::domain::id::{MoveId, RunId};
use crate::domain::plan::{Limits, PlanSummary, audience_change};
use crate::domain::report::{AudienceSize, ParkedFor, PhaseTook};
use crate::domain::run::{Run, RunCounts, RunEnd};
use crate::domain::shown::ShownMove;
use crate::domain::time::Timestamp;
use crate::engine::fold;
use std::collections::{BTreeMap, BTreeSet};

/// Moves shown before that are named one by one when they are dropped.
const DROPPED_SHOWN: usize = 50;
/// Runs that may have ended meanwhile.
const LOOKED_BACK: usize = 32;
/// Open moves that are looked at for what they wait for.
const LOOKED_AT: usize = 1_000;

/// The run enters a phase, or, without one, is over: how long each took is in its report.
pub(super) fn enter(run: &mut Run, phase: Option<&str>, now: Timestamp) {
    if let Some(last) = run.report.phases.last_mut().filter(|last| last.took_ms == 0) {
        last.took_ms = u64::try_from(now.since(last.began).as_millis()).unwrap_or(u64::MAX).max(1);
    }
    let entered = phase.map(|phase| PhaseTook { phase: phase.to_owned(), began: now, took_ms: 0 });
    run.report.phases.extend(entered);
}

/// Why a run fails whose moves are neither over nor stuck.
pub(super) fn in_vain(workspace: &Workspace, waits_for: Option<String>) -> String {
    let told = workspace.patience.in_words();
    let waits_for = told
        .clone()
        .filter(|_| workspace.patience.knows_until_when())
        .or_else(|| target_away(workspace))
        .or(waits_for)
        .or(told)
        .unwrap_or_else(|| "a service does not answer".to_owned());
    format!("moves wait: {waits_for}; the next run goes on with them (see `hsmc status`)")
}

/// Which list, tag or audience open moves wait for; none where none does.
fn target_away(workspace: &Workspace) -> Option<String> {
    let journal = &workspace.shared.journal;
    let open = journal.open_moves(None, LOOKED_AT).ok()?;
    open.into_iter().find_map(|id| {
        let status = fold(&journal.events(id).ok()?).ok()?;
        let state = status.steps.get(usize::from(status.current_step()?.0))?;
        status.waits_for_target().then(|| state.setback.as_ref().map(|setback| setback.why.clone()))?
    })
}

/// How the run ended, by what became of its moves and of those it took up.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn end(
    workspace: &Workspace,
    counts: &mut RunCounts,
    applied: [Applied; 3],
    waits_for: Option<String>,
) -> Result<RunEnd, RunError> {
    if applied.contains(&Applied::Stopped) {
        return Ok(RunEnd::Interrupted);
    }
    if applied.contains(&Applied::Waiting) {
        return Ok(RunEnd::Failed { why: in_vain(workspace, waits_for) });
    }
    let mut stuck = counts.ended.contains_key("stuck") || counts.ended.contains_key("broken");
    let mut last_looks = 0;
    let now = workspace.shared.clock.now();
    let journal = &workspace.shared.journal;
    let mut after = None;
    loop {
        let page = journal.open_moves(after, 1_000)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for id in page {
            match journal.events(id).map(|events| fold(&events)) {
                Ok(Ok(status)) if status.awaits_last_look() => last_looks += 1,
                Ok(Ok(status)) if status.waits_for_batch() => {
                    let note = "moves wait for an asynchronous batch of Mailchimp (see `hsmc status`)";
                    *counts.notes.entry(note.to_owned()).or_default() += 1;
                }
                Ok(Ok(status)) if !status.is_stuck() => match workspace.shared.holds(&status, now) {
                    Some(held) => {
                        *counts.notes.entry(format!("{}{}", alerts::HELD_BACK, held.why)).or_default() += 1;
                    }
                    None => stuck = true,
                },
                _ => stuck = true,
            }
        }
    }
    if last_looks > 0 {
        counts.notes.insert(
            "moves given up look once more, 130 s after their lost call (see `hsmc status`)".to_owned(),
            last_looks,
        );
    }
    Ok(if stuck { RunEnd::Stuck } else { RunEnd::Done })
}

/// Everybody ever seen, by the one state they are in, and who of them is parked for what.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn count_people(workspace: &Workspace, run: &mut Run) -> Result<(), RunError> {
    let mut people: BTreeMap<String, u64> = BTreeMap::new();
    let mut parked: BTreeMap<String, ParkedFor> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = workspace.shared.journal.people(after, 1_000)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for person in &page {
            *people.entry(person.state.word().to_owned()).or_default() += 1;
            if let Some((reason, since)) = person.parked_for() {
                let one = ParkedFor { reason: reason.to_owned(), people: 0, since };
                let all = parked.entry(reason.to_owned()).or_insert(one);
                all.people += 1;
                all.since = all.since.min(since);
            }
        }
    }
    run.counts.people = people;
    run.report.parked = parked.into_values().collect();
    Ok(())
}

/// The audience as it has become: who joined and left by moves that are done, opt-outs delivered meanwhile among
/// them. Nothing else is known of it before the next scan.
///
/// # Errors
/// The journal cannot be read.
pub(super) fn count_audience(
    workspace: &Workspace,
    run: &mut Run,
    others: Option<&BTreeSet<RunId>>,
) -> Result<(), RunError> {
    let Some(mut size) = run.report.audience else { return Ok(()) };
    let journal = &workspace.shared.journal;
    let meanwhile = |other: &Run| other.id == run.id || other.ended.is_some_and(|ended| ended >= run.seen);
    let mut runs: BTreeSet<RunId> =
        journal.runs(LOOKED_BACK)?.iter().filter(|one| meanwhile(one)).map(|one| one.id).collect();
    runs.extend(others.into_iter().flatten());
    (size.joining, size.leaving) = (0, 0);
    for id in runs {
        let mut after = None;
        loop {
            let page = journal.moves_of_run(id, after, 1_000)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (_, events) in page {
                // One that contradicts itself is told of elsewhere.
                let Ok(status) = fold(&events) else { continue };
                if status.end() == Some(&MoveEnd::Done) && status.last_event_at >= run.seen {
                    let (joins, leaves) = audience_change(&status.draft);
                    size.joining += u64::from(joins);
                    size.leaving += u64::from(leaves);
                }
            }
        }
    }
    run.report.audience = Some(size);
    Ok(())
}

/// What a run remembers of its moves until its report is written.
#[derive(Default)]
pub(super) struct Fates {
    /// Those that ended as nobody wanted.
    pub(super) failed: Vec<MoveId>,
    /// What the last that had to wait was waiting for.
    pub(super) waits_for: Option<String>,
    /// Earlier runs whose moves ended in this one.
    pub(super) others: BTreeSet<RunId>,
    /// What people may have to be told.
    pub(super) learned: Learned,
}

/// Counts the moves of run `id`, and has them forgotten.
pub(super) async fn tally(workspace: &Workspace, fates: &mut Fates, run: &mut Run, id: RunId) {
    let tally = workspace.moves.tally(id).await;
    fates.waits_for = tally.last_why.clone().or(fates.waits_for.take());
    for ((kind, word), count) in tally.by_kind {
        let ends = run.report.by_kind.entry(kind.word().to_owned()).or_default();
        *ends.entry(word.to_owned()).or_default() += count;
    }
    let counts = &mut run.counts;
    for (word, count) in tally.ended {
        *counts.ended.entry(word.to_owned()).or_default() += count;
    }
    for (word, count) in tally.refused {
        *counts.parked.entry(word.to_owned()).or_default() += count;
    }
    for (why, count) in tally.dropped {
        *counts.notes.entry(format!("dropped: {why}")).or_default() += count;
    }
    if tally.stuck > 0 {
        *counts.ended.entry("stuck".to_owned()).or_default() += tally.stuck;
    }
    if tally.broken > 0 {
        *counts.ended.entry("broken".to_owned()).or_default() += tally.broken;
        counts.notes.insert(format!("broken: {}", tally.last_why.unwrap_or_default()), tally.broken);
    }
    fates.failed.extend(workspace.moves.forget(id).await);
}

/// The plan in figures: the run's, from here on.
pub(super) fn count_plan(run: &mut Run, summary: &PlanSummary, limits: &Limits, cap: Option<u64>) {
    run.counts.people.clone_from(&summary.people);
    run.counts.planned.clone_from(&summary.moves);
    run.counts.left_out.clone_from(&summary.left_out);
    for (note, count) in &summary.notes {
        run.counts.notes.insert(note.clone(), *count);
    }
    run.report.judged = Some(summary.people.values().sum());
    let PlanSummary { joining, leaving, .. } = *summary;
    run.report.audience = Some(AudienceSize { before: limits.subscribed, joining, leaving, cap });
}

/// What became of moves that earlier runs left open: of those that had begun, and of the others taken over and dropped.
/// Those that had begun are counted by their own run.
pub(super) fn note_earlier(notes: &mut BTreeMap<String, u64>, begun: u64, (taken_over, dropped): (u64, u64)) {
    for (what, count) in [
        ("moves begun by an earlier run, and seen to their end", begun),
        ("moves of an earlier run taken over", taken_over),
        ("moves of an earlier run dropped: planned anew, they come out differently", dropped),
    ] {
        if count > 0 {
            notes.insert(what.to_owned(), count);
        }
    }
}

/// Moves shown before that are not applied, by name.
pub(super) fn in_words(dropped: &[&ShownMove]) -> Vec<String> {
    let line = |shown: &&ShownMove| format!("dropped from the plan: {shown}");
    let mut lines: Vec<String> = dropped.iter().take(DROPPED_SHOWN).map(line).collect();
    if dropped.len() > DROPPED_SHOWN {
        // Notes are sorted, and this one is to be the last.
        lines.push(format!("dropped from the plan: … and {} more", dropped.len() - DROPPED_SHOWN));
    }
    lines
}

/// Adds lines to notes.
pub(super) fn note(notes: &mut BTreeMap<String, u64>, more: &[String]) {
    for line in more {
        *notes.entry(line.clone()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PersonId;
    use crate::domain::moves::MoveKind;

    #[test]
    fn how_many_more_were_dropped_stands_behind_those_that_are_named() {
        let shown = |person| ShownMove {
            kind: MoveKind::Enroll,
            person: PersonId(person),
            rule: "R1".to_owned(),
            why: "in source list 987".to_owned(),
        };
        let all: Vec<ShownMove> = (0..167).map(shown).collect();
        let mut notes = BTreeMap::new();
        note(&mut notes, &in_words(&all.iter().collect::<Vec<_>>()));
        assert_eq!(notes.len(), DROPPED_SHOWN + 1);
        assert!(notes.keys().next_back().unwrap().ends_with("and 117 more"));
    }
}
