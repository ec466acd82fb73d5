//! What hsmc itself must know in the end, read from its own journal: everybody in exactly one state, every open
//! move stuck and shown, an unbroken chain of evidence, sound records.

use super::people::folded;
use super::trace::Trace;
use crate::app::App;
use crate::app::show::{self, Names};
use crate::domain::event::{Direction, MoveEnd, MoveEvent, StepOutcome};
use crate::domain::id::StepIndex;
use crate::domain::step::{Inverse, Step};
use crate::domain::time::Timestamp;
use crate::engine::fold;
use crate::journal::ledger::JournalError;
use crate::journal::verify;
use crate::serve::views::ReportView;
use std::collections::{BTreeMap, BTreeSet};

/// What does not hold of an app that has come to rest.
pub(super) fn look(app: &App) -> Vec<String> {
    let mut broken = Vec::new();
    if let Err(problem) = look_at(app, &mut broken) {
        broken.push(format!("the journal cannot be read: {problem}"));
    }
    broken
}

fn look_at(app: &App, broken: &mut Vec<String>) -> Result<(), JournalError> {
    let shared = &app.workspace.shared;
    let journal = &shared.journal;
    let (_, defects) = verify::records(journal.store().as_ref())?;
    let named = defects.iter().filter(|defect| !defect.harmless);
    broken.extend(named.map(|defect| format!("a record is wrong: {}: {}", defect.place, defect.what)));
    let chain = shared.consent.verify()?;
    if let Some(end) = chain.broken {
        broken.push(format!("the chain of evidence breaks at {}: {}", end.place, end.what));
    }
    for id in journal.open_moves(None, usize::MAX)? {
        match fold(&journal.events(id)?) {
            Ok(status) if status.is_stuck() => {
                broken.push(format!("move {id} is stuck in a healed world: {}", status.trouble()));
            }
            Ok(status) => broken.push(format!("move {id} is open and not stuck: {:?}", status.phase)),
            Err(problem) => broken.push(format!("move {id} cannot be read: {problem:?}")),
        }
    }
    Ok(())
}

/// Every move's life, for the trace.
pub(super) fn tell_moves(app: &App, trace: &Trace) {
    let journal = &app.workspace.shared.journal;
    let runs = journal.runs(usize::MAX).unwrap_or_default();
    for run in runs.iter().rev() {
        for (id, _) in journal.moves_of_run(run.id, None, usize::MAX).unwrap_or_default() {
            if let Ok(Some(view)) = show::detail(journal, id, Names::Addresses) {
                trace.explain(|| format!("{id} {} {}: {}", view.person, view.kind, view.reason));
                for event in view.events {
                    trace.explain(|| format!("    {event}"));
                }
            }
        }
    }
}

/// The people of a report, counted one by one.
pub(super) fn adds_up(app: &App, report: &ReportView) -> Vec<String> {
    let people = match app.workspace.shared.journal.people(None, usize::MAX) {
        Ok(people) => people,
        Err(problem) => return vec![format!("people cannot be counted: {problem}")],
    };
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for person in &people {
        *counted.entry(person.state.word().to_owned()).or_default() += 1;
    }
    match counted == report.run.counts.people {
        true => Vec::new(),
        false => vec![format!("people do not add up: told {:?}, are {counted:?}", report.run.counts.people)],
    }
}

/// Who came to what end, by address.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Every move that was begun for them was unwound, and nothing was left as somebody else's.
    pub(super) unwound: BTreeSet<String>,
    /// They are parked, or stand in no state that a run puts them in.
    pub(super) parked: BTreeSet<String>,
    /// Each move that was unwound, nothing left as somebody else's.
    pub(super) spans: Vec<Span>,
    /// From the first call of each archive until it was found to hold: who else archives them then cannot be told apart.
    pub(super) archives: Vec<Span>,
}

/// When something was: a move that was unwound, from its plan to that of the person's next move; or an archive.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) email: String,
    pub(super) record: Option<u64>,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// How everybody's moves have ended.
pub(super) fn ends(app: &App) -> Ends {
    let journal = &app.workspace.shared.journal;
    let mut ends = Ends::default();
    for person in journal.people(None, usize::MAX).unwrap_or_default() {
        let Some(email) = &person.email else { continue };
        let email = folded(email.as_str());
        if person.parked.is_some() || person.contested.is_some() {
            ends.parked.insert(email.clone());
        }
        let moves = journal.moves_of_person(person.id).unwrap_or_default();
        let mut lives: Vec<Life> =
            moves.iter().filter_map(|id| Life::of(&journal.events(*id).ok()?)).collect();
        lives.sort_by_key(|life| life.planned);
        if !lives.is_empty() && lives.iter().all(|life| life.unwound && !life.keeps) {
            ends.unwound.insert(email.clone());
        }
        let record = person.record.map(|record| record.0);
        for (from, until) in moves.iter().flat_map(|id| archives(&journal.events(*id).unwrap_or_default())) {
            ends.archives.push(Span { email: email.clone(), record, from, until });
        }
        for (place, life) in lives.iter().enumerate().filter(|(_, life)| life.unwound) {
            let until = lives.get(place + 1).map_or(Timestamp(i64::MAX), |next| next.planned);
            ends.spans.push(Span { email: email.clone(), record, from: life.planned, until });
        }
    }
    ends
}

/// From when to when each archive of a move was under way.
fn archives(events: &[MoveEvent]) -> Vec<(Timestamp, Timestamp)> {
    let Some(MoveEvent::Planned { draft, .. }) = events.first() else { return Vec::new() };
    let archives =
        |index: &StepIndex| draft.step(*index).is_some_and(|planned| planned.step == Step::ArchiveMember);
    let mut sent = BTreeMap::new();
    let mut found = Vec::new();
    for event in events {
        match event {
            MoveEvent::Intent { step, direction: Direction::Forward, at, .. } if archives(step) => {
                sent.entry(*step).or_insert(*at);
            }
            MoveEvent::Outcome { step, direction: Direction::Forward, outcome: StepOutcome::Done, at } => {
                found.extend(sent.get(step).map(|sent| (*sent, *at)));
            }
            _ => {}
        }
    }
    found
}

/// A move, as far as it was begun.
struct Life {
    planned: Timestamp,
    unwound: bool,
    /// It did something that no undo takes back: fresh merge fields stay.
    keeps: bool,
}

impl Life {
    fn of(events: &[MoveEvent]) -> Option<Life> {
        let Some(MoveEvent::Planned { at: planned, draft }) = events.first() else { return None };
        let unwound = match events.last() {
            Some(MoveEvent::Ended { end: MoveEnd::Dropped { .. }, .. }) => return None,
            Some(MoveEvent::Ended { end: MoveEnd::Unwound { left_theirs, .. }, .. }) => {
                left_theirs.is_empty()
            }
            _ => false,
        };
        let stays = |index: &StepIndex| {
            let planned = draft.step(*index);
            planned.is_some_and(|planned| planned.step.inverse(&planned.before) == Inverse::Nothing)
        };
        let keeps = events.iter().any(|event| match event {
            MoveEvent::Outcome { step, outcome: StepOutcome::Done, .. } => stays(step),
            _ => false,
        });
        Some(Life { planned: *planned, unwound, keeps })
    }
}
