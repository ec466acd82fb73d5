//! What the rules ask: rounds of questions to HubSpot, until nobody's verdict waits for an answer.

use super::{Planning, blocking};
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::{PersonId, RecordId};
use crate::domain::plan::{LimitCollector, Limits, move_fingerprint};
use crate::domain::rules::{Question, Verdict};
use crate::sync::error::RunError;
use crate::sync::identify;
use crate::sync::judging::Lost;
use crate::sync::scan::{ScanContext, Stop, look_up, prove, trace};
use crate::sync::snapshot::{Lookup, PersonKey};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds of questions at most: a look-up may lead to a proof, and no further.
const ROUNDS: usize = 4;
/// Addresses asked for at once, so that answers do not pile up in memory.
const LOOKUPS: usize = 5_000;

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

impl Planning {
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
        let found = self.judge_everybody(|seen| {
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
        self.found = found;
        self.came_out = came_out;
        self.opt_outs = opt_outs;
        Ok((questions, collector.finish()))
    }
}
