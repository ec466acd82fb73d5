//! Everybody of a snapshot through the rules. One pass of a plan judges everybody and notes at which places there is
//! something to do; later ones go over these only.
//!
//! Promises: whoever is passed over is counted, and nothing was due, or to be written, of them. Memory grows by four
//! bytes for each place that is noted, and a bit for each person.

use super::Planning;
use super::gathering::Gathered;
use super::unmet::Met;
use crate::domain::id::PersonId;
use crate::domain::member::Member;
use crate::domain::moves::{Move, MoveKind};
use crate::domain::person::{Person, PersonState};
use crate::domain::plan::{Admission, Limits, PlanSummary, state_when_left_out};
use crate::domain::rules::{AddressView, Decision, Question, Verdict};
use crate::sync::error::RunError;
use crate::sync::forgetting::{is_forgotten, must_be_told};
use crate::sync::identify;
use crate::sync::judging::{Asked, judge};
use crate::sync::recognising::recognised;
use crate::sync::snapshot::PersonRow;

/// What a pass over all people says of each.
pub(super) struct Seen {
    pub(super) row: PersonRow,
    pub(super) person: Person,
    pub(super) verdict: Verdict,
    /// Their record goes again: they were forgotten, and nothing is to be told of them any more.
    pub(super) is_to_be_forgotten: bool,
}

/// What everybody was found to be.
#[derive(Default)]
pub(super) struct Found {
    /// Where there is something to do, by place in the snapshot, ascending.
    noted: Vec<u32>,
    /// Everybody else, counted.
    pub(super) at_rest: PlanSummary,
    /// All of them.
    pub(super) met: Met,
}

impl Found {
    /// Takes out the places where there was something to do: they are to be judged again.
    pub(super) fn take_noted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.noted)
    }

    /// Once all are judged, in whatever order.
    pub(super) fn sort(&mut self) {
        self.noted.sort_unstable();
    }
}

/// What was found of one person.
pub(super) enum Weighed {
    /// Nothing is to be done, whatever the rest of the plan is: what they are, and what is to be said of them.
    AtRest(PersonId, PersonState, Vec<String>),
    /// Something may be.
    Open(Box<Seen>),
}

impl Planning {
    /// Judges somebody, and looks whether anything is to be done. None where they are passed over.
    pub(super) fn weigh(&self, row: PersonRow, person: Person) -> Result<Option<Weighed>, RunError> {
        let Some(seen) = self.judged(row, person)? else { return Ok(None) };
        Ok(Some(match seen.verdict {
            Verdict::Settled(decision)
                if self.is_at_rest(&decision, &seen.person, seen.is_to_be_forgotten) =>
            {
                Weighed::AtRest(seen.person.id, decision.state, decision.notes)
            }
            verdict => Weighed::Open(Box::new(Seen { verdict, ..seen })),
        }))
    }

    /// Counts whoever stands at one place, or notes the place.
    pub(super) fn note(&self, found: &mut Found, place: u32, weighed: Weighed, gathered: &mut Gathered) {
        match weighed {
            Weighed::AtRest(person, state, notes) => {
                found.met.insert(person);
                found.at_rest.count(state, None, notes);
            }
            Weighed::Open(seen) => {
                found.met.insert(seen.person.id);
                if !seen.is_to_be_forgotten {
                    gathered.see(self, &seen);
                }
                found.noted.push(place);
            }
        }
    }

    /// Those of whom there is something to do, in the snapshot's order, judged by what is remembered of them now.
    /// Those whose record is to go are given back.
    pub(super) fn pass(
        &self,
        mut each: impl FnMut(Seen) -> Result<(), RunError>,
    ) -> Result<Vec<Person>, RunError> {
        let mut to_forget = Vec::new();
        for recognised in recognised(&self.journal, self.snapshot.people_at(&self.found.noted)?) {
            let (row, person) = recognised?;
            match person.map(|person| self.judged(row, person)).transpose()?.flatten() {
                Some(seen) if seen.is_to_be_forgotten => to_forget.push(seen.person),
                Some(seen) => each(seen)?,
                None => {}
            }
        }
        Ok(to_forget)
    }

    /// One person through the rules. Who was forgotten is passed over, save with an opt-out of theirs.
    pub(super) fn judged(&self, row: PersonRow, person: Person) -> Result<Option<Seen>, RunError> {
        if identify::stands_elsewhere(&self.snapshot, self.renames(), &row, &person)?
            || !self.narrowing.keeps(&row, &person)
        {
            return Ok(None);
        }
        let member = self.member_of(&row, &person);
        let proof = row.contacts.first().and_then(|(contact, _)| self.proofs.get(&contact.record));
        let lost = person.record.and_then(|record| self.lost.get(&record).copied());
        let address_consent = self.address_consents.get(&person.id).copied().unwrap_or_default();
        let asked = Asked { proof, lost, address: self.address(&row, &person)?, address_consent };
        let mut verdict = judge(&self.rules, &self.world, &row, &person, member, asked);
        let under_way = self.held.get(&person.id);
        let is_held = under_way.is_some();
        // A second opt-out beside one that is stuck would only be stuck, too.
        let overtakes =
            opt_out_due(&verdict).is_some_and(|kind| under_way.is_none_or(|kinds| !kinds.contains(&kind)));
        // Whoever may have to be told of an opt-out is looked for in any case: it overtakes everything else.
        let asks = matches!(verdict, Verdict::Ask(Question::LookUp | Question::Trace | Question::Consent));
        if is_held && !overtakes && !asks {
            verdict = Verdict::Settled(rest(&person));
        }
        let is_to_be_forgotten = is_forgotten(&self.forgotten, &row)
            && opt_out_due(&verdict).is_none()
            && !(asks && must_be_told(&row));
        Ok((!is_to_be_forgotten || !is_held).then_some(Seen { row, person, verdict, is_to_be_forgotten }))
    }

    /// Their member, under whatever address it stands.
    pub(super) fn member_of<'a>(&'a self, row: &'a PersonRow, person: &Person) -> Option<&'a Member> {
        row.member.as_ref().or_else(|| self.renames().members.get(&person.id))
    }

    /// Whether there is nothing to do of somebody, whatever the rest of the plan is.
    fn is_at_rest(&self, decision: &Decision, person: &Person, is_to_be_forgotten: bool) -> bool {
        let is_told = decision.memory.opt_out.as_ref().is_none_or(|opt_out| opt_out.delivered.is_some());
        decision.due.is_none()
            && decision.memory == *person
            && is_told
            && !is_to_be_forgotten
            && !self.held.contains_key(&person.id)
            && !self.unbegun.contains_key(&person.id)
    }

    /// What the address of their row is to a person.
    fn address(&self, row: &PersonRow, person: &Person) -> Result<AddressView, RunError> {
        let member = self.member_of(row, person);
        let is_second = || identify::is_second(&self.journal, &self.snapshot, self.renames(), row, member);
        Ok(match self.renames().away.contains(&person.id) {
            true => AddressView::MemberAway,
            false if is_second()? => AddressView::Second,
            false => AddressView::Own,
        })
    }

    /// Whether this run may make the move: one of those shown before, where it is about these only.
    pub(super) fn is_shown(&self, due: &Move) -> bool {
        self.narrowing.shown.as_ref().is_none_or(|shown| shown.holds(due))
    }

    /// The move a decision leads to in this run, and whether a limit leaves it out.
    pub(super) fn admitted<'a>(
        &self,
        decision: &'a Decision,
        limits: &Limits,
        left: &mut u64,
    ) -> Option<(&'a Move, Admission)> {
        let due = decision.due.as_ref()?;
        // Opt-outs go before everything else, whatever narrows the run but for whom it is about (R24).
        if due.kind.is_opt_out() {
            return Some((due, Admission::Yes));
        }
        if !self.is_shown(due) {
            return None;
        }
        let admission = limits.admits(due);
        if admission == Admission::Yes {
            if *left == 0 {
                return None;
            }
            *left -= 1;
        }
        Some((due, admission))
    }
}

impl Planning {
    /// What somebody is whose move this run does not take, and why it does not: nothing has been done for them.
    pub(super) fn later(
        &self,
        decision: &Decision,
        taken: bool,
        present: &Person,
    ) -> Option<(PersonState, &'static str)> {
        let due = decision.due.as_ref().filter(|_| !taken)?;
        let state = match due.kind {
            MoveKind::HandOver | MoveKind::Exclude => present.state,
            kind => state_when_left_out(decision.state, kind),
        };
        let why = match self.is_shown(due) {
            true => "left for a later run by --limit",
            false => "left for a later run: not in the plan that was shown",
        };
        Some((state, why))
    }
}

/// The kind of opt-out that is due, if one is.
fn opt_out_due(verdict: &Verdict) -> Option<MoveKind> {
    match verdict {
        Verdict::Settled(decision) => {
            decision.due.as_ref().map(|due| due.kind).filter(|kind| kind.is_opt_out())
        }
        Verdict::Ask(_) => None,
    }
}

/// Whoever has a move under way is what they were, and nothing is due.
fn rest(person: &Person) -> Box<Decision> {
    Box::new(Decision {
        state: person.state,
        why: person.why.clone(),
        due: None,
        memory: person.clone(),
        notes: Vec::new(),
    })
}

/// What is decided of a person. Of whom a question is still open, nothing is: they stay what they were, and are
/// counted as that.
pub(super) fn settled(verdict: Verdict, person: &Person) -> Box<Decision> {
    match verdict {
        Verdict::Settled(decision) => decision,
        Verdict::Ask(_) => {
            let notes = vec!["left as they are: their question to HubSpot has no answer".to_owned()];
            Box::new(Decision { notes, ..*rest(person) })
        }
    }
}
