//! What a pass over people gathers beside their verdicts: the questions that are open, what the limits have to know, the
//! opt-outs that are due, and which moves came out as they were shown.

use super::Planning;
use super::judged::Seen;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::id::{PersonId, RecordId};
use crate::domain::plan::{LimitCollector, Limits, move_fingerprint};
use crate::domain::rules::{Question, Verdict};
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;
use crate::sync::snapshot::PersonKey;
use std::collections::{BTreeMap, BTreeSet};

/// Questions to HubSpot.
#[derive(Default)]
pub(super) struct Questions {
    pub(super) emails: Vec<Email>,
    pub(super) records: Vec<RecordId>,
    /// Records to be traced: under which address their person stands in the snapshot, and who it is.
    pub(super) traces: BTreeMap<RecordId, (SubscriberHash, PersonId)>,
    /// Whose member's own address may have opted out.
    pub(super) consents: Vec<(PersonId, Email)>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.emails.is_empty()
            && self.records.is_empty()
            && self.traces.is_empty()
            && self.consents.is_empty()
    }
}

/// What is gathered.
pub(super) struct Gathered {
    questions: Questions,
    collector: LimitCollector,
    came_out: BTreeSet<Fingerprint>,
    opt_outs: Vec<Timestamp>,
}

impl Gathered {
    /// Nothing yet.
    pub(super) fn of(planning: &Planning) -> Gathered {
        Gathered {
            questions: Questions::default(),
            collector: LimitCollector::new(&planning.rules, planning.world.subscribed, planning.world.seen),
            came_out: BTreeSet::new(),
            opt_outs: Vec::new(),
        }
    }

    /// One person.
    pub(super) fn see(&mut self, planning: &Planning, seen: &Seen) {
        match &seen.verdict {
            Verdict::Ask(Question::LookUp) => self.questions.emails.extend(seen.person.email.clone()),
            Verdict::Ask(Question::Trace) => {
                if let (Some(record), PersonKey::Hash(hash)) = (seen.person.record, seen.row.key) {
                    self.questions.traces.insert(record, (hash, seen.person.id));
                }
            }
            Verdict::Ask(Question::Consent) => {
                // The member's, where it is not the contact's own; else the one that they had before.
                let own = seen.row.contacts.first().and_then(|(contact, _)| contact.email());
                let member = planning.member_of(&seen.row, &seen.person).map(|member| &member.email);
                let asked = member.filter(|email| own.as_ref() != Some(email)).or(seen.person.email.as_ref());
                self.questions.consents.extend(asked.map(|email| (seen.person.id, email.clone())));
            }
            Verdict::Ask(Question::Prove) => {
                self.questions.records.extend(seen.row.contacts.iter().map(|(contact, _)| contact.record));
            }
            Verdict::Settled(decision) => match &decision.due {
                Some(due) if due.kind.is_opt_out() => {
                    let given = decision.memory.opt_out.as_ref().map(|opt_out| opt_out.at);
                    self.opt_outs.push(given.unwrap_or(planning.world.seen));
                }
                Some(due) if planning.is_shown(due) => {
                    self.collector.collect(due);
                    if planning.narrowing.shown.is_some() {
                        self.came_out.insert(move_fingerprint(due));
                    }
                }
                Some(_) | None => {}
            },
        }
    }

    /// Everybody was seen.
    pub(super) fn finish(self, planning: &mut Planning) -> (Questions, Limits) {
        planning.came_out = self.came_out;
        planning.opt_outs = self.opt_outs;
        (self.questions, self.collector.finish())
    }
}
