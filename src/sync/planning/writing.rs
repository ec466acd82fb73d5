//! Writes a plan into the journal: its moves, everybody's memory, and what the ledger of consent must know.
//!
//! Never: a move without its person's memory in the same commit.

use super::due::{Due, Journaled, Unbegun};
use super::judged::settled;
use super::narrowing::Part;
use super::{Planning, blocking};
use crate::domain::consent::{ConsentEntry, seen_by_planning};
use crate::domain::event::{MoveEnd, MoveEvent};
use crate::domain::forget::Trace;
use crate::domain::id::{MoveId, PersonId, RunId};
use crate::domain::moves::Move;
use crate::domain::person::Person;
use crate::domain::plan::{Admission, Limits, move_fingerprint, state_when_left_out};
use crate::domain::port::{Waits, wait_for};
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::journal::consent::ConsentLedger;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use crate::sync::error::RunError;
use std::collections::BTreeSet;

/// People whose records are made durable at once.
const CHUNK: usize = 500;

impl Planning {
    /// Journals one part of the plan, once everybody is settled, as the moves of `run`, with everybody's memory. Answers what is to
    /// be dispatched, in order of application. Moves of earlier runs that come out the same are taken
    /// over under their own number; the others are dropped, by name.
    ///
    /// # Errors
    /// When the snapshot or the journal cannot be read or written.
    pub async fn journal(
        self,
        run: RunId,
        part: Part,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<(Planning, Journaled), RunError> {
        let limits = limits.clone();
        let (planning, journaled, ()) = blocking(self, move |planning, waits| {
            let mut writer = Writer::new(planning, waits, run, part, now);
            if part == Part::Rest {
                writer.journaled.summary = planning.found.at_rest.clone();
            }
            let mut left = planning.narrowing.limit.unwrap_or(u64::MAX);
            let to_forget = planning.pass(|seen| {
                let decision = settled(seen.verdict, &seen.person);
                let due = planning.admitted(&decision, &limits, &mut left);
                let later = planning.later(&decision, due.is_some(), &seen.person);
                let state = later.map_or(decision.state, |(state, _)| state);
                if part == Part::Rest {
                    let why = later.map(|(_, why)| why.to_owned());
                    let notes = decision.notes.iter().cloned().chain(why);
                    writer.journaled.summary.count(state, due, notes);
                }
                let carried = due.is_some_and(|(due, _)| due.kind.is_opt_out());
                let unbegun = planning.unbegun.get(&seen.person.id);
                if unbegun.is_some()
                    && (part == Part::Rest || due.is_some_and(|(due, _)| part.takes(due.kind)))
                {
                    writer.met.insert(seen.person.id);
                }
                match due {
                    Some((due, Admission::Yes)) if part.takes(due.kind) => {
                        writer.person(&seen.person, decision.memory.clone(), carried)?;
                        writer.due(due, unbegun)?;
                    }
                    _ if part == Part::Rest => {
                        let mut memory = decision.memory.clone();
                        memory.state = match due {
                            Some((due, _)) => state_when_left_out(memory.state, due.kind),
                            None => state,
                        };
                        if memory.state != decision.memory.state && seen.person.state == memory.state {
                            memory.since = seen.person.since;
                            if later.is_some() {
                                memory.why.clone_from(&seen.person.why);
                            }
                        }
                        writer.person(&seen.person, memory, carried)?;
                        writer.gone(unbegun, seen.person.id)?;
                    }
                    _ => {}
                }
                writer.flush_when_full()
            })?;
            if part == Part::Rest {
                planning.unmet(|before, after| {
                    writer.person(before, after, false)?;
                    writer.flush_when_full()
                })?;
                for person in &to_forget {
                    writer.forget(person)?;
                    writer.flush_when_full()?;
                }
                // Whoever no pass has met is gone, and nothing is due for them; unless the run is not about them: then
                // their moves stay as they are (R26).
                for (person, unbegun) in &planning.unbegun {
                    if planning.narrowing.is_about_everybody() && !writer.met.contains(person) {
                        writer.gone(Some(unbegun), *person)?;
                        writer.flush_when_full()?;
                    }
                }
            }
            writer.flush()?;
            planning.unbegun.retain(|person, _| !writer.met.contains(person));
            writer.journaled.due.sort_unstable();
            Ok((writer.journaled, ()))
        })
        .await?;
        Ok((planning, journaled))
    }
}

pub(super) struct Writer<'a> {
    journal: Journal,
    consent: ConsentLedger,
    waits: &'a dyn Waits,
    run: RunId,
    part: Part,
    now: Timestamp,
    batch: Batch,
    /// What the batch tells of people's consent.
    entries: Vec<ConsentEntry>,
    pending: usize,
    number: u32,
    /// People with a move of an earlier run that this pass has dealt with.
    met: BTreeSet<PersonId>,
    journaled: Journaled,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        planning: &Planning,
        waits: &'a dyn Waits,
        run: RunId,
        part: Part,
        now: Timestamp,
    ) -> Writer<'a> {
        Writer {
            journal: planning.journal.clone(),
            consent: planning.consent.clone(),
            waits,
            run,
            part,
            now,
            batch: Batch::new(),
            entries: Vec::new(),
            pending: 0,
            number: 0,
            met: BTreeSet::new(),
            journaled: Journaled::default(),
        }
    }

    /// `carried`: an opt-out of theirs is told by the move that carries it.
    pub(super) fn person(&mut self, before: &Person, after: Person, carried: bool) -> Result<(), RunError> {
        let untold = after.opt_out.as_ref().is_some_and(|opt_out| opt_out.delivered.is_none());
        let has_links = !untold || self.consent.knows(after.id)?;
        for fact in seen_by_planning(before, &after, carried, has_links, self.now) {
            self.entries.push(ConsentEntry { person: after.id, email: after.email.clone(), fact });
            self.pending += 1;
        }
        if *before != after {
            self.journal.put_person(&mut self.batch, &after, Some(before))?;
            self.pending += 1;
        }
        Ok(())
    }

    /// A record that was made only to carry an opt-out over goes again, and what scans kept of them for that.
    fn forget(&mut self, person: &Person) -> Result<(), RunError> {
        self.journal.erase_records(&self.consent, &mut self.batch, person, &[])?;
        match self.journal.moves_of_person(person.id)?.pop() {
            Some(by) => {
                let trace = Trace::of_carrier(by, person, self.now);
                self.journal.put_trace(&mut self.batch, &trace)?;
            }
            None => self.journal.set_must_compact(&mut self.batch)?,
        }
        self.pending += 1;
        Ok(())
    }

    fn due(&mut self, due: &Move, unbegun: Option<&Unbegun>) -> Result<(), RunError> {
        let id = match unbegun {
            Some(unbegun) if unbegun.fingerprint == move_fingerprint(due) => {
                let event = MoveEvent::Confirmed { at: self.now };
                self.journal.append_event(&mut self.batch, unbegun.id, due.person, &event)?;
                self.journaled.confirmed += 1;
                unbegun.id
            }
            unbegun => {
                self.gone(unbegun, due.person)?;
                self.number += 1;
                let id = MoveId { run: self.run, number: self.number };
                let event = MoveEvent::Planned { draft: Box::new(due.clone()), at: self.now };
                self.journal.append_event(&mut self.batch, id, due.person, &event)?;
                id
            }
        };
        self.pending += 1;
        self.journaled.due.push(Due::of(id, due));
        Ok(())
    }

    fn gone(&mut self, unbegun: Option<&Unbegun>, person: PersonId) -> Result<(), RunError> {
        let Some(unbegun) = unbegun else { return Ok(()) };
        let end = MoveEnd::Dropped {
            why: format!("planned anew by run {}, which comes out differently", self.run),
        };
        self.journal.append_event(
            &mut self.batch,
            unbegun.id,
            person,
            &MoveEvent::Ended { end, at: self.now },
        )?;
        self.journaled.dropped += 1;
        self.pending += 1;
        Ok(())
    }

    pub(super) fn flush_when_full(&mut self) -> Result<(), RunError> {
        if self.pending >= CHUNK { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), RunError> {
        self.pending = 0;
        let (batch, entries) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.entries));
        if !batch.is_empty() || !entries.is_empty() {
            failpoint::pass(|| format!("{}:{}", failpoint::PLANNED, self.part.word()));
            let consent = self.consent.clone();
            wait_for(self.waits, async move { consent.commit(batch, entries).await })??;
            failpoint::pass(|| format!("{}:{}", failpoint::JOURNALED, self.part.word()));
        }
        Ok(())
    }
}
