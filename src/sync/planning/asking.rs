//! Who everybody is and what is wanted of them: one look at all, then rounds of questions to HubSpot, until nobody's
//! verdict waits for an answer.

use super::gathering::{Gathered, Questions};
use super::judged::Found;
use super::{Planning, blocking};
use crate::domain::email::SubscriberHash;
use crate::domain::id::{PersonId, RecordId};
use crate::domain::plan::Limits;
use crate::sync::error::RunError;
use crate::sync::identify::{self, Asker, Strangers};
use crate::sync::judging::Lost;
use crate::sync::recognising::Recognised;
use crate::sync::scan::{ScanContext, Stop, look_up, opted_out, prove, trace};
use crate::sync::side_by_side::side_by_side;
use crate::sync::snapshot::{Lookup, PersonKey, PersonRow, SnapshotError};
use std::collections::BTreeMap;

/// Rounds of questions at most: a look-up may lead to one about consent, that to a proof, and no further.
const ROUNDS: usize = 5;
/// Addresses asked for at once, so that answers do not pile up in memory.
const LOOKUPS: usize = 5_000;

/// Who is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    /// Everybody.
    All,
    /// Those of whom there was something to do: the answers are theirs.
    Noted,
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
        let (planning, mut questions, mut limits) = match self.renames {
            None => self.meet(context, stop).await?,
            Some(_) => self.judge(Whom::All).await?,
        };
        self = planning;
        for _ in 0..ROUNDS {
            if questions.is_empty() {
                break;
            }
            for emails in questions.emails.chunks(LOOKUPS) {
                let now = self.world.seen;
                let found = look_up(context, emails, stop).await?;
                for (contact, lists) in found.values().flatten() {
                    self.proofs.insert(contact.record, lists.keys().copied().collect());
                }
                let answers =
                    found.into_iter().map(|(hash, found)| Lookup { hash, at: now, found }).collect();
                self.answered(answers, context, stop).await?;
            }
            self.proofs.extend(prove(context, &questions.records, stop).await?);
            self.follow(context, questions.traces, stop).await?;
            let scopes = &self.rules.opt_out_scopes;
            self.address_consents.extend(opted_out(context, &questions.consents, scopes, stop).await?);
            // A member that has been followed is somebody else's row, too.
            let whom = if self.renames().is_empty() { Whom::Noted } else { Whom::All };
            (self, questions, limits) = self.judge(whom).await?;
        }
        Ok((self, limits))
    }

    /// Recognises everybody, gives the new ones a number, and judges all: in one pass, unless somebody has moved.
    async fn meet(
        mut self,
        context: &ScanContext,
        stop: &Stop,
    ) -> Result<(Planning, Questions, Limits), RunError> {
        loop {
            let (planning, strangers, gathered) = blocking(self, |planning, _| planning.look()).await?;
            self = planning;
            if self.unite(strangers.several(), context, stop).await? {
                continue;
            }
            let everybody_else_stands = strangers.are_new_only();
            let new = strangers.new_at().to_vec();
            let renames =
                identify::identify(&self.journal, &self.forgotten, &self.snapshot, strangers, self.now)
                    .await?;
            let nobody_moved = renames.is_empty();
            self.renames = Some(renames);
            if !(everybody_else_stands && nobody_moved) {
                return self.judge(Whom::All).await;
            }
            let (planning, questions, limits) = blocking(self, move |planning, _| {
                let found = std::mem::take(&mut planning.found);
                planning.collect_at(&new, found, gathered)
            })
            .await?;
            return Ok((planning, questions, limits));
        }
    }

    /// One look at everybody: who is not where they are remembered, and what the rules say of the others, as far as
    /// that is sure.
    fn look(&mut self) -> Result<(Strangers, Gathered), RunError> {
        let (mut strangers, mut found) = (Strangers::default(), Found::default());
        let mut gathered = Gathered::of(self);
        let meet = |people: Vec<(u32, Recognised)>| {
            let (mut strangers, mut weighed) = (Strangers::default(), Vec::with_capacity(people.len()));
            for (place, (row, person)) in people {
                let is_new = strangers.note(&self.journal, place, &row, person.as_ref())?;
                if let Some(person) = person.filter(|_| !is_new && strangers.are_new_only()) {
                    weighed.extend(self.weigh(row, person)?.map(|one| (place, one)));
                }
            }
            Ok((strangers, weighed))
        };
        side_by_side(&self.journal, self.snapshot.people()?, 0.., meet, |(theirs, weighed)| {
            strangers.add(theirs);
            // Once somebody has moved, all are judged again.
            if strangers.are_new_only() {
                for (place, one) in weighed {
                    self.note(&mut found, place, one, &mut gathered);
                }
            }
        })?;
        self.found = found;
        Ok((strangers, gathered))
    }

    async fn judge(self, whom: Whom) -> Result<(Planning, Questions, Limits), RunError> {
        blocking(self, move |planning, _| {
            let gathered = Gathered::of(planning);
            let mut found = std::mem::take(&mut planning.found);
            match whom {
                Whom::All => planning.collect(gathered),
                Whom::Noted => {
                    let places = found.take_noted();
                    planning.collect_at(&places, found, gathered)
                }
            }
        })
        .await
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
            // Their own address has a member that is to leave it first. An opt-out does not wait for that.
            let leaving = address.and_then(|hash| self.renames().old.get(&hash));
            let is_leaving = leaving.is_some_and(|leaving| *leaving != person) && !contact.opted_out;
            let has_member = self.has_member(address)?;
            if owner.is_some_and(|owner| owner != person) && (!has_member || is_leaving) {
                self.lost.insert(record, Lost::Elsewhere);
                continue;
            }
            self.proofs.insert(contact.record, lists.keys().copied().collect());
            answers.push(Lookup { hash, at: self.world.seen, found: Some((contact, lists)) });
        }
        self.answered(answers, context, stop).await
    }

    /// Whoever was known as several people becomes one.
    async fn unite(&self, keys: &[PersonKey], context: &ScanContext, stop: &Stop) -> Result<bool, RunError> {
        let asker = Asker { context, scopes: &self.rules.opt_out_scopes, stop };
        identify::unite_all(&self.journal, &self.snapshot, keys, &asker, self.now).await
    }

    /// Records answers; a member found to be a contact's by another address of theirs is followed, and whoever is found to
    /// have been several people is one.
    async fn answered(
        &mut self,
        answers: Vec<Lookup>,
        context: &ScanContext,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let found = answers.iter().filter(|answer| answer.found.is_some());
        let hashes: Vec<SubscriberHash> = found.map(|answer| answer.hash).collect();
        self.snapshot.record_lookups(answers)?;
        let keys: Vec<PersonKey> = hashes.into_iter().map(PersonKey::Hash).collect();
        self.unite(&keys, context, stop).await?;
        for key in keys {
            if let Some(row) = self.snapshot.person(key)? {
                let renames = self.renames.get_or_insert_default();
                identify::join(&self.journal, &self.snapshot, renames, &row)?;
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

    /// Everybody, in the snapshot's order.
    fn collect(&mut self, gathered: Gathered) -> Result<(Questions, Limits), RunError> {
        let rows = self.snapshot.people()?;
        self.collect_from(rows, 0.., Found::default(), gathered)
    }

    /// Those at these places, which ascend, beside those found already.
    fn collect_at(
        &mut self,
        places: &[u32],
        found: Found,
        gathered: Gathered,
    ) -> Result<(Questions, Limits), RunError> {
        let rows = self.snapshot.people_at(places)?;
        self.collect_from(rows, places.iter().copied(), found, gathered)
    }

    fn collect_from(
        &mut self,
        rows: impl Iterator<Item = Result<PersonRow, SnapshotError>> + Send,
        places: impl Iterator<Item = u32> + Send,
        mut found: Found,
        mut gathered: Gathered,
    ) -> Result<(Questions, Limits), RunError> {
        let weigh = |people: Vec<(u32, Recognised)>| {
            let mut weighed = Vec::with_capacity(people.len());
            for (place, (row, person)) in people {
                if let Some(person) = person {
                    weighed.extend(self.weigh(row, person)?.map(|one| (place, one)));
                }
            }
            Ok(weighed)
        };
        side_by_side(&self.journal, rows, places, weigh, |weighed| {
            for (place, one) in weighed {
                self.note(&mut found, place, one, &mut gathered);
            }
        })?;
        found.sort();
        self.found = found;
        Ok(gathered.finish(self))
    }
}
