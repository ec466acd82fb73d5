//! Makes a plan from a snapshot: every person through the rules, questions asked in batches, limits and
//! gates over all. Passes over sorted files; memory does not grow with the number of people, but for a
//! few bytes for each move that is due.

use super::approval::Shower;
use super::error::RunError;
use super::forgetting::{is_forgotten, must_be_told};
use super::identify::{self, Renames};
use super::judging::{Asked, Lost, judge, world};
use super::naming;
use super::preflight::Accounts;
use super::scan::{ScanContext, Stop, look_up, prove, trace};
use super::snapshot::{Lookup, PersonKey, PersonRow, Snapshot};
use crate::domain::consent::{ConsentEntry, seen_by_planning};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::event::{MoveEnd, MoveEvent};
use crate::domain::id::{ListId, MoveId, PersonId, RecordId, RunId};
use crate::domain::moves::{Move, MoveKind};
use crate::domain::naming::Names;
use crate::domain::person::Person;
use crate::domain::plan::{
    Admission, LimitCollector, Limits, PlanSummary, move_fingerprint, state_when_left_out, way_fingerprint,
};
use crate::domain::port::{Hands, Waits, long_work, wait_for};
use crate::domain::rules::{AddressView, Decision, Question, RuleSet, Verdict, World, taken_as_given};
use crate::domain::shown::{ShownMove, ShownPlan};
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::journal::consent::ConsentLedger;
use crate::journal::forgotten::ForgottenPeople;
use crate::journal::ledger::Journal;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rounds of questions at most: a look-up may lead to a proof, and no further.
const ROUNDS: usize = 4;
/// People whose records are made durable at once.
const CHUNK: usize = 500;
/// Addresses asked for at once, so that answers do not pile up in memory.
const LOOKUPS: usize = 5_000;

/// Narrows a run; never changes its meaning (R26).
#[derive(Clone, Debug, Default)]
pub struct Narrowing {
    /// Only people of these lists.
    pub lists: BTreeSet<ListId>,
    /// Only these people.
    pub emails: BTreeSet<Email>,
    /// At most so many moves.
    pub limit: Option<u64>,
    /// Only moves that were shown before, and come out the same.
    pub shown: Option<Arc<ShownPlan>>,
}

impl Narrowing {
    /// How many lists and people it is about, for the report; none when it is about everybody.
    pub fn in_words(&self) -> Option<String> {
        let mut words: Vec<String> = self.lists.iter().map(|list| format!("list {list}")).collect();
        match self.emails.len() {
            0 => {}
            1 => words.push("one person".to_owned()),
            several => words.push(format!("{several} people")),
        }
        words.extend(self.limit.map(|limit| format!("at most {limit} moves")));
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn keeps(&self, row: &PersonRow, person: &Person) -> bool {
        if self.lists.is_empty() && self.emails.is_empty() {
            return true;
        }
        let in_list =
            row.contacts.iter().any(|(_, lists)| lists.keys().any(|list| self.lists.contains(list)));
        in_list || person.email.as_ref().is_some_and(|email| self.emails.contains(email))
    }
}

/// Which moves a pass is for: opt-outs are a run of their own (R24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Opt-outs only.
    OptOuts,
    /// Everything else.
    Rest,
}

impl Part {
    fn takes(self, kind: MoveKind) -> bool {
        (self == Part::OptOuts) == kind.is_opt_out()
    }

    fn word(self) -> &'static str {
        match self {
            Part::OptOuts => "opt-outs",
            Part::Rest => "rest",
        }
    }
}

/// A move that was journaled by an earlier run and has not begun.
#[derive(Clone, Debug)]
pub struct Unbegun {
    /// Which.
    pub id: MoveId,
    /// What it would do.
    pub fingerprint: Fingerprint,
    /// The same in words.
    pub shown: ShownMove,
    /// A pause holds it back.
    pub paused: bool,
}

/// What a dispatched move is, in few bytes: the order of application, whose, which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Kinds in the order of `MoveKind`.
    pub kind: MoveKind,
    /// Whoever goes the same way goes together, so that lanes fill up.
    pub way: Fingerprint,
    /// Oldest first.
    pub since: Timestamp,
    /// Which.
    pub id: MoveId,
    /// Whose.
    pub person: PersonId,
}

impl Due {
    /// A journaled move.
    pub fn of(id: MoveId, planned: &Move) -> Due {
        let way = way_fingerprint(planned);
        Due { kind: planned.kind, way, since: planned.since, id, person: planned.person }
    }
}

/// A plan in the making.
pub struct Planning {
    /// The journal.
    pub journal: Journal,
    /// The ledger of consent over it.
    pub consent: ConsentLedger,
    /// Long work.
    pub hands: Arc<dyn Hands>,
    /// Who was forgotten.
    pub forgotten: ForgottenPeople,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// What holds for everybody.
    pub world: World,
    /// The names of lists, and of the tags that follow them (R11).
    pub names: Names,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Memberships proven by a probe.
    pub proofs: BTreeMap<RecordId, BTreeSet<ListId>>,
    /// Records that were traced and did not lead back to their person.
    lost: BTreeMap<RecordId, Lost>,
    /// Renamed people.
    pub renames: Renames,
    /// People with a move under way, or stuck: they stay as they are, but for an opt-out, which overtakes.
    pub held: BTreeSet<PersonId>,
    /// Moves of earlier runs that have not begun.
    pub unbegun: BTreeMap<PersonId, Unbegun>,
    /// How the run is narrowed.
    pub narrowing: Narrowing,
    /// When each opt-out that is due was given.
    pub opt_outs: Vec<Timestamp>,
    /// Moves shown before that came out the same, as of the last pass over everybody.
    came_out: BTreeSet<Fingerprint>,
}

/// What a pass over all people says of each.
struct Seen {
    row: PersonRow,
    person: Person,
    verdict: Verdict,
}

impl Planning {
    /// Gathers what a plan is made from.
    ///
    /// # Errors
    /// When the snapshot or the journal cannot be read or written.
    pub async fn new(
        journal: Journal,
        consent: ConsentLedger,
        hands: Arc<dyn Hands>,
        rules: Arc<RuleSet>,
        snapshot: Snapshot,
        accounts: &Accounts,
        now: Timestamp,
    ) -> Result<Planning, RunError> {
        let forgotten = ForgottenPeople::load(&journal)?;
        let renames = identify::identify(&journal, &forgotten, &snapshot, now).await?;
        let names = naming::names_under(&journal, &rules, snapshot.header())?;
        naming::remember(&journal, &names).await?;
        let world = world(snapshot.header(), accounts, &names);
        Ok(Planning {
            journal,
            consent,
            hands,
            forgotten,
            rules,
            world,
            names,
            snapshot,
            proofs: BTreeMap::new(),
            lost: BTreeMap::new(),
            renames,
            held: BTreeSet::new(),
            unbegun: BTreeMap::new(),
            narrowing: Narrowing::default(),
            opt_outs: Vec::new(),
            came_out: BTreeSet::new(),
        })
    }

    /// Narrows the run (R26). Tags are renamed by runs that are about everybody.
    pub fn narrow(&mut self, narrowing: Narrowing) {
        if !narrowing.lists.is_empty() || !narrowing.emails.is_empty() {
            let names = self.names.clone().as_they_are();
            self.set_names(names);
        }
        self.narrowing = narrowing;
    }

    /// Plans with these names from now on.
    pub fn set_names(&mut self, names: Names) {
        self.world.list_tags.clone_from(&names.tags);
        self.world.renamed_tags = names.renamed();
        self.names = names;
    }

    /// Moves shown before that no longer come out the same: they are not applied (design §3.10).
    pub fn dropped_of_shown(&self) -> Vec<&ShownMove> {
        self.narrowing.shown.iter().flat_map(|shown| shown.dropped(&self.came_out)).collect()
    }

    /// Why too many of them do not (design §3.10).
    pub fn too_different(&self) -> Option<String> {
        self.narrowing.shown.as_ref()?.too_different(&self.came_out, self.rules.max_changed_share)
    }

    /// Asks every question the rules have, in batches, until none is left; then knows the limits.
    ///
    /// # Errors
    /// When a call, the snapshot or the journal fails.
    pub async fn settle(
        mut self,
        context: &ScanContext,
        stop: &Stop,
    ) -> Result<(Planning, Limits), RunError> {
        for round in 0.. {
            let (planning, questions, limits) =
                blocking(self, |planning, _| Planning::collect(planning)).await?;
            self = planning;
            if questions.is_empty() || round >= ROUNDS {
                return Ok((self, limits));
            }
            for emails in questions.emails.chunks(LOOKUPS) {
                let now = self.world.seen;
                let found = look_up(context, emails, stop).await?;
                for (contact, lists) in found.values().flatten() {
                    self.proofs.insert(contact.record, lists.keys().copied().collect());
                }
                let answers =
                    found.into_iter().map(|(hash, found)| Lookup { hash, at: now, found }).collect();
                self.answered(answers)?;
            }
            self.proofs.extend(prove(context, &questions.records, stop).await?);
            self.follow(context, questions.traces, stop).await?;
        }
        Err(RunError::Internal("the rules never stop asking".to_owned()))
    }

    /// Asks for records whose address HubSpot no longer knows (R10): a contact found under another address
    /// is recorded as the answer to the old one; the others are deleted, or somebody else by now.
    async fn follow(
        &mut self,
        context: &ScanContext,
        traces: BTreeMap<RecordId, (SubscriberHash, PersonId)>,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let records: Vec<RecordId> = traces.keys().copied().collect();
        let mut answers = Vec::new();
        for (record, found) in trace(context, &records, stop).await? {
            let Some((hash, person)) = traces.get(&record).copied() else { continue };
            let Some((contact, lists)) = found else {
                self.lost.insert(record, Lost::Gone);
                continue;
            };
            let address = contact.email().map(|email| email.hash());
            let owner = address.map(|hash| self.journal.person_by_hash(hash)).transpose()?.flatten();
            if owner.is_some_and(|owner| owner != person) && !self.has_member(address)? {
                self.lost.insert(record, Lost::Elsewhere);
                continue;
            }
            self.proofs.insert(contact.record, lists.keys().copied().collect());
            answers.push(Lookup { hash, at: self.world.seen, found: Some((contact, lists)) });
        }
        self.answered(answers)
    }

    /// Records answers; a member found to be a contact's by another address of theirs is followed.
    fn answered(&mut self, answers: Vec<Lookup>) -> Result<(), RunError> {
        let found = answers.iter().filter(|answer| answer.found.is_some());
        let hashes: Vec<SubscriberHash> = found.map(|answer| answer.hash).collect();
        self.snapshot.record_lookups(answers)?;
        for hash in hashes {
            if let Some(row) = self.snapshot.person(PersonKey::Hash(hash))? {
                identify::join(&self.journal, &self.snapshot, &mut self.renames, &row)?;
            }
        }
        Ok(())
    }

    /// Whether Mailchimp has a member of this address.
    fn has_member(&self, address: Option<SubscriberHash>) -> Result<bool, RunError> {
        let Some(hash) = address else { return Ok(false) };
        let row = self.snapshot.person(PersonKey::Hash(hash))?;
        Ok(row.is_some_and(|row| row.member.is_some()))
    }

    fn collect(&mut self) -> Result<(Questions, Limits), RunError> {
        let mut questions = Questions::default();
        let mut collector = LimitCollector::new(&self.rules, self.world.subscribed, self.world.seen);
        let (mut came_out, mut opt_outs) = (BTreeSet::new(), Vec::new());
        self.pass(|seen| {
            match &seen.verdict {
                Verdict::Ask(Question::LookUp) => questions.emails.extend(seen.person.email.clone()),
                Verdict::Ask(Question::Trace) => {
                    if let (Some(record), PersonKey::Hash(hash)) = (seen.person.record, seen.row.key) {
                        questions.traces.insert(record, (hash, seen.person.id));
                    }
                }
                Verdict::Ask(Question::Prove) => {
                    questions.records.extend(seen.row.contacts.iter().map(|(contact, _)| contact.record));
                }
                Verdict::Settled(decision) => match &decision.due {
                    Some(due) if due.kind.is_opt_out() => {
                        let given = decision.memory.opt_out.as_ref().map(|opt_out| opt_out.at);
                        opt_outs.push(given.unwrap_or(self.world.seen));
                    }
                    Some(due) if self.is_shown(due) => {
                        collector.collect(due);
                        if self.narrowing.shown.is_some() {
                            came_out.insert(move_fingerprint(due));
                        }
                    }
                    Some(_) | None => {}
                },
            }
            Ok(())
        })?;
        self.came_out = came_out;
        self.opt_outs = opt_outs;
        Ok((questions, collector.finish()))
    }

    /// What the address of their row is to a person.
    fn address(&self, row: &PersonRow, person: &Person) -> Result<AddressView, RunError> {
        let is_second = || identify::is_second(&self.snapshot, row);
        Ok(match self.renames.away.contains(&person.id) {
            true => AddressView::MemberAway,
            false if is_second()? => AddressView::Second,
            false => AddressView::Own,
        })
    }

    /// Whether this run may make the move: one of those shown before, where it is about these only.
    fn is_shown(&self, due: &Move) -> bool {
        self.narrowing.shown.as_ref().is_none_or(|shown| shown.holds(due))
    }

    /// Every person through the rules, in the snapshot's order. Who was forgotten is passed over, save with an
    /// opt-out of theirs; those whose record is to go are given back.
    fn pass(&self, mut each: impl FnMut(Seen) -> Result<(), RunError>) -> Result<Vec<Person>, RunError> {
        let mut to_forget = Vec::new();
        for row in self.snapshot.people()? {
            let row = row?;
            if identify::stands_elsewhere(&self.snapshot, &self.renames, &row)? {
                continue;
            }
            let is_forgotten = is_forgotten(&self.forgotten, &row);
            let Some(person) = identify::known(&self.journal, &row)? else { continue };
            if !self.narrowing.keeps(&row, &person) {
                continue;
            }
            let member = row.member.as_ref().or_else(|| self.renames.members.get(&person.id));
            let proof = row.contacts.first().and_then(|(contact, _)| self.proofs.get(&contact.record));
            let lost = person.record.and_then(|record| self.lost.get(&record).copied());
            let asked = Asked { proof, lost, address: self.address(&row, &person)? };
            let mut verdict = judge(&self.rules, &self.world, &row, &person, member, asked);
            // Whoever may have to be told of an opt-out is looked for in any case: it overtakes everything else.
            let asks = matches!(verdict, Verdict::Ask(Question::LookUp | Question::Trace));
            if self.held.contains(&person.id) && !is_opt_out(&verdict) && !asks {
                verdict = Verdict::Settled(rest(&person));
            }
            if is_forgotten && !is_opt_out(&verdict) && !(asks && must_be_told(&row)) {
                if !self.held.contains(&person.id) {
                    to_forget.push(person);
                }
                continue;
            }
            each(Seen { row, person, verdict })?;
        }
        Ok(to_forget)
    }

    /// The plan in figures, and its first moves; all of them written down where the plan is to wait. Nothing is
    /// journaled.
    ///
    /// # Errors
    /// When the snapshot or the journal cannot be read, or the disk refuses.
    pub async fn show(
        self,
        limits: Limits,
        most: usize,
        mut shower: Option<Shower>,
    ) -> Result<(Planning, PlanSummary, Vec<Move>), RunError> {
        let (planning, summary, moves) = blocking(self, move |planning, _| {
            let mut summary = PlanSummary { gate: limits.gate.clone(), ..PlanSummary::default() };
            let mut moves = Vec::new();
            let mut left = planning.narrowing.limit.unwrap_or(u64::MAX);
            planning.pass(|seen| {
                let decision = settled(seen.verdict, &seen.person);
                let due = planning.admitted(&decision, &limits, &mut left);
                summary.count(decision.state, due, decision.notes.iter().cloned());
                summary.count_given(taken_as_given(&seen.person, &decision));
                if let Some((due, Admission::Yes)) = due {
                    if let Some(shower) = &mut shower {
                        shower.add(due)?;
                    }
                    if moves.len() < most {
                        moves.push(due.clone());
                    }
                }
                Ok(())
            })?;
            shower.map(Shower::finish).transpose()?;
            // As they would be applied: what is most urgent first.
            moves.sort_by_key(|due| (due.kind, way_fingerprint(due), due.since, due.person));
            Ok((summary, moves))
        })
        .await?;
        Ok((planning, summary, moves))
    }

    /// The move a decision leads to in this run, and whether a limit leaves it out.
    fn admitted<'a>(
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

    /// Journals one part of the plan as the moves of `run`, with everybody's memory. Answers what is to
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
            let mut writer = Writer {
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
            };
            let mut left = planning.narrowing.limit.unwrap_or(u64::MAX);
            let to_forget = planning.pass(|seen| {
                let decision = settled(seen.verdict, &seen.person);
                let due = planning.admitted(&decision, &limits, &mut left);
                if part == Part::Rest {
                    writer.journaled.summary.count(decision.state, due, decision.notes.iter().cloned());
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
                    Some((due, Admission::LeftOut(_))) if part == Part::Rest => {
                        let mut memory = decision.memory.clone();
                        memory.state = state_when_left_out(memory.state, due.kind);
                        if memory.state != decision.memory.state && seen.person.state == memory.state {
                            memory.since = seen.person.since;
                        }
                        writer.person(&seen.person, memory, carried)?;
                        writer.gone(unbegun, seen.person.id)?;
                    }
                    _ if part == Part::Rest => {
                        writer.person(&seen.person, decision.memory.clone(), carried)?;
                        writer.gone(unbegun, seen.person.id)?;
                    }
                    _ => {}
                }
                writer.flush_when_full()
            })?;
            if part == Part::Rest {
                for person in &to_forget {
                    writer.forget(person)?;
                    writer.flush_when_full()?;
                }
                // Whoever no pass has met, because the run is narrowed or they are gone, has nothing due now.
                for (person, unbegun) in &planning.unbegun {
                    if !writer.met.contains(person) {
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

fn is_opt_out(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Settled(decision) => decision.due.as_ref().is_some_and(|due| due.kind.is_opt_out()),
        Verdict::Ask(_) => false,
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
fn settled(verdict: Verdict, person: &Person) -> Box<Decision> {
    match verdict {
        Verdict::Settled(decision) => decision,
        Verdict::Ask(_) => {
            let notes = vec!["left as they are: their question to HubSpot has no answer".to_owned()];
            Box::new(Decision { notes, ..*rest(person) })
        }
    }
}

/// What was journaled.
#[derive(Default)]
pub struct Journaled {
    /// To be dispatched, in order of application.
    pub due: Vec<Due>,
    /// The plan in figures (of the main part).
    pub summary: PlanSummary,
    /// Moves of earlier runs taken over.
    pub confirmed: u64,
    /// Moves of earlier runs dropped.
    pub dropped: u64,
}

#[derive(Default)]
struct Questions {
    emails: Vec<Email>,
    records: Vec<RecordId>,
    /// Records to be traced: under which address their person stands in the snapshot, and who it is.
    traces: BTreeMap<RecordId, (SubscriberHash, PersonId)>,
}

impl Questions {
    fn is_empty(&self) -> bool {
        self.emails.is_empty() && self.records.is_empty() && self.traces.is_empty()
    }
}

struct Writer<'a> {
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

impl Writer<'_> {
    /// `carried`: an opt-out of theirs is told by the move that carries it.
    fn person(&mut self, before: &Person, after: Person, carried: bool) -> Result<(), RunError> {
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

    /// A record that was made only to carry an opt-out over goes again.
    fn forget(&mut self, person: &Person) -> Result<(), RunError> {
        self.journal.erase_records(&self.consent, &mut self.batch, person, &[])?;
        self.journal.set_must_compact(&mut self.batch)?;
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

    fn flush_when_full(&mut self) -> Result<(), RunError> {
        if self.pending >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), RunError> {
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

/// Runs a pass where it may take its time.
async fn blocking<A: Send + 'static, B: Send + 'static>(
    planning: Planning,
    work: impl FnOnce(&mut Planning, &dyn Waits) -> Result<(A, B), RunError> + Send + 'static,
) -> Result<(Planning, A, B), RunError> {
    let hands = Arc::clone(&planning.hands);
    long_work(hands.as_ref(), move |waits| {
        let mut planning = planning;
        let (a, b) = work(&mut planning, waits)?;
        Ok((planning, a, b))
    })
    .await?
}
