//! Looks once more, right before moves begin: consent on both sides before anything that needs it
//! (design §3.10), the exit tag before a handover (R15). Whoever does not pass is dropped, by name; the
//! next run sees them.

use super::error::RunError;
use super::patience::patiently;
use super::planning::Due;
use super::undo::present;
use super::workspace::Workspace;
use crate::domain::email::SubscriberHash;
use crate::domain::event::{MoveEnd, MoveEvent};
use crate::domain::failure::Service;
use crate::domain::id::{PersonId, RecordId};
use crate::domain::member::MemberStatus;
use crate::domain::moves::{MemoryChange, MoveKind};
use crate::domain::person::Person;
use crate::domain::port::{MemberQuery, Priority};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::domain::undo::are_still_due;
use crate::engine::fold;
use crate::engine::retry::STALE_AFTER;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much earlier than the last look opt-outs are asked for again.
const OVERLAP: Duration = Duration::from_secs(120);

/// Members read one by one, at most: the listing of a tag's bearers leaves out who has not confirmed yet.
const SINGLES: u32 = 20;

/// The looks of one run.
pub struct Guard<'a> {
    workspace: &'a Workspace,
    /// When consent was last read of everybody: by the scan.
    seen: Timestamp,
    unsubscribed: BTreeSet<SubscriberHash>,
    unsubscribed_at: Option<Timestamp>,
    bearers: BTreeMap<TagName, (Timestamp, BTreeSet<SubscriberHash>)>,
    singles: u32,
}

impl<'a> Guard<'a> {
    /// Consent was last read at `seen`.
    pub fn new(workspace: &'a Workspace, seen: Timestamp) -> Guard<'a> {
        Guard {
            workspace,
            seen,
            unsubscribed: BTreeSet::new(),
            unsubscribed_at: None,
            bearers: BTreeMap::new(),
            singles: 0,
        }
    }

    /// Those of a chunk that may begin; the others are dropped, durably.
    ///
    /// # Errors
    /// When a call or the journal fails.
    pub async fn pass(&mut self, chunk: Vec<Due>) -> Result<Vec<Due>, RunError> {
        let journal = &self.workspace.shared.journal;
        let mail: Vec<Due> = chunk.iter().copied().filter(|due| due.kind.needs_consent()).collect();
        let mut refused: BTreeMap<PersonId, &'static str> = BTreeMap::new();
        let looks = &self.workspace.shared.looks;
        looks.note(mail.iter().map(|due| due.person), self.seen);
        if !mail.is_empty() && self.workspace.shared.clock.now().since(self.seen) > STALE_AFTER {
            let mut people = Vec::with_capacity(mail.len());
            for due in &mail {
                people.extend(journal.person(due.person)?);
            }
            for person in self.opted_out(&people).await? {
                refused.insert(person, "opted out since the plan was made");
            }
        }
        for person in self.changed_since(&chunk).await? {
            refused.insert(person, "changed by somebody else since the undo was planned");
        }
        for due in chunk.iter().filter(|due| due.kind == MoveKind::HandOver) {
            if !self.still_finished(due).await? {
                refused.insert(due.person, "no longer bears the exit tag");
            }
        }
        let (passed, dropped): (Vec<Due>, Vec<Due>) =
            chunk.into_iter().partition(|due| !refused.contains_key(&due.person));
        let at = self.workspace.shared.clock.now();
        let mut batch = Batch::new();
        for due in &dropped {
            let why = refused.get(&due.person).copied().unwrap_or_default();
            self.workspace.moves.count_dropped(due.id, due.kind, why).await;
            let why = why.to_owned();
            journal.append_event(
                &mut batch,
                due.id,
                due.person,
                &MoveEvent::Ended { end: MoveEnd::Dropped { why }, at },
            )?;
        }
        if !batch.is_empty() {
            journal.commit(batch).await?;
        }
        Ok(passed)
    }

    /// Who of these has opted out on either side since the last look at everybody.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn opted_out(&mut self, people: &[Person]) -> Result<BTreeSet<PersonId>, RunError> {
        let shared = &self.workspace.shared;
        let now = shared.clock.now();
        if self.unsubscribed_at.is_none_or(|at| now.since(at) > STALE_AFTER) {
            for (status, unsubscribed_since) in
                [(MemberStatus::Unsubscribed, Some(self.seen.minus(OVERLAP))), (MemberStatus::Cleaned, None)]
            {
                let changed_since = unsubscribed_since.is_none().then(|| self.seen.minus(OVERLAP));
                let query = MemberQuery { status: Some(status), changed_since, unsubscribed_since };
                let mut after = None;
                loop {
                    let page = patiently(self.workspace, Service::Mailchimp, || {
                        shared.audience.members(Priority::HandOver, &query, after.as_deref())
                    })
                    .await?;
                    self.unsubscribed.extend(page.rows.iter().map(|member| member.hash()));
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
            }
            self.unsubscribed_at = Some(now);
        }
        let by_record: BTreeMap<RecordId, PersonId> =
            people.iter().filter_map(|person| Some((person.record?, person.id))).collect();
        let records: Vec<RecordId> = by_record.keys().copied().collect();
        let mut found: BTreeSet<PersonId> = people
            .iter()
            .filter(|person| {
                person.member_email().is_some_and(|email| self.unsubscribed.contains(&email.hash()))
            })
            .map(|person| person.id)
            .collect();
        for chunk in records.chunks(100) {
            let contacts = patiently(self.workspace, Service::HubSpot, || {
                shared.crm.contacts(Priority::HandOver, chunk)
            })
            .await?;
            found.extend(
                contacts
                    .iter()
                    .filter(|contact| contact.opted_out)
                    .filter_map(|contact| by_record.get(&contact.record)),
            );
        }
        // As old as the older of both reads.
        let read = self.unsubscribed_at.unwrap_or(now).min(now);
        let pass = people.iter().map(|person| person.id).filter(|person| !found.contains(person));
        shared.looks.note(pass, read);
        Ok(found)
    }

    /// Whose undo is no longer what it was planned on, by a look that is no older than a minute (R28).
    async fn changed_since(&self, chunk: &[Due]) -> Result<BTreeSet<PersonId>, RunError> {
        let shared = &self.workspace.shared;
        let mut changed = BTreeSet::new();
        if shared.clock.now().since(self.seen) <= STALE_AFTER {
            return Ok(changed);
        }
        let (mut people, mut steps) = (Vec::new(), BTreeMap::new());
        for due in chunk.iter().filter(|due| due.kind == MoveKind::Undo) {
            if let Ok(status) = fold(&shared.journal.events(due.id)?) {
                steps.insert(due.person, status.draft.steps);
                people.extend(shared.journal.person(due.person)?);
            }
        }
        if people.is_empty() {
            return Ok(changed);
        }
        let present = present::read(self.workspace, &people).await?;
        for person in &people {
            let (Some(steps), Some(present)) = (steps.get(&person.id), present.get(&person.id)) else {
                continue;
            };
            if !are_still_due(steps, &self.workspace.rules, person, present) {
                changed.insert(person.id);
            }
        }
        Ok(changed)
    }

    async fn still_finished(&mut self, due: &Due) -> Result<bool, RunError> {
        let shared = &self.workspace.shared;
        let Ok(status) = fold(&shared.journal.events(due.id)?) else { return Ok(true) };
        let exit_tag = status.draft.then.iter().find_map(|change| match change {
            MemoryChange::HandedOver { exit_tag, .. } => Some(exit_tag.clone()),
            _ => None,
        });
        let person = shared.journal.person(due.person)?;
        let hash = person.as_ref().and_then(Person::member_email).map(|email| email.hash());
        let (Some(exit_tag), Some(hash)) = (exit_tag, hash) else { return Ok(true) };
        let Some(segment) = shared.tags.find(&exit_tag) else { return Ok(true) };
        let now = shared.clock.now();
        if self.bearers.get(&exit_tag).is_none_or(|(at, _)| now.since(*at) > STALE_AFTER) {
            let mut bearers = BTreeSet::new();
            let mut after = None;
            loop {
                let page = patiently(self.workspace, Service::Mailchimp, || {
                    shared.audience.bearers(Priority::HandOver, segment, after.as_deref())
                })
                .await?;
                bearers.extend(page.rows.iter().map(|member| member.hash()));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            self.bearers.insert(exit_tag.clone(), (now, bearers));
        }
        if self.bearers.get(&exit_tag).is_none_or(|(_, bearers)| bearers.contains(&hash)) {
            return Ok(true);
        }
        if self.singles >= SINGLES {
            return Ok(false);
        }
        self.singles += 1;
        let member = patiently(self.workspace, Service::Mailchimp, || {
            shared.audience.member(Priority::HandOver, hash)
        })
        .await?;
        Ok(member.is_some_and(|member| member.status != MemberStatus::Archived && member.bears(&exit_tag)))
    }
}
