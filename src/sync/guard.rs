//! Looks once more, right before moves begin: consent on both sides before anything that needs it
//! (design §3.10), protected tags and HubSpot's opt-outs before anything that takes somebody away, the exit tag
//! before a handover (R15). Whoever does not pass is dropped, by name; the next run sees them.

use super::error::RunError;
use super::patience::patiently;
use super::planning::Due;
use super::undo::present;
use super::workspace::Workspace;
use crate::actors::reading::{self, Bar, Barred, Whom};
use crate::domain::email::SubscriberHash;
use crate::domain::event::{MoveEnd, MoveEvent};
use crate::domain::failure::Service;
use crate::domain::id::{MoveId, PersonId, RecordId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{MemoryChange, Move, MoveKind};
use crate::domain::person::Person;
use crate::domain::port::Priority;
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::domain::undo::are_still_due;
use crate::engine::fold;
use crate::engine::retry::STALE_AFTER;
use crate::journal::store::Batch;
use std::collections::{BTreeMap, BTreeSet};

/// Members read one by one, at most: the listing of a tag's bearers leaves out who has not confirmed yet. Of more all of
/// those are listed.
const SINGLES: u32 = 20;

/// The looks of one run.
pub struct Guard<'a> {
    workspace: &'a Workspace,
    /// When consent was last read of everybody: by the scan.
    seen: Timestamp,
    bearers: BTreeMap<TagName, (Timestamp, BTreeSet<SubscriberHash>)>,
    /// Tags of which the bearers who have not confirmed yet are among these.
    whole: BTreeSet<TagName>,
    singles: u32,
}

impl<'a> Guard<'a> {
    /// Consent was last read at `seen`.
    pub fn new(workspace: &'a Workspace, seen: Timestamp) -> Guard<'a> {
        Guard { workspace, seen, bearers: BTreeMap::new(), whole: BTreeSet::new(), singles: 0 }
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
            let comes_back: BTreeSet<PersonId> = mail
                .iter()
                .filter(|due| matches!(due.kind, MoveKind::Restore | MoveKind::Undo))
                .map(|due| due.person)
                .collect();
            for (person, bar) in self.barred(&people).await?.why {
                let why = match bar {
                    Bar::OptedOut => "opted out since the plan was made",
                    Bar::Archived if comes_back.contains(&person) => continue,
                    Bar::Archived => "archived by somebody else since the plan was made",
                    Bar::Gone => "HubSpot has the contact no longer",
                    Bar::Renamed => "the contact has another address by now",
                };
                refused.insert(person, why);
            }
        }
        for person in self.protected(&chunk).await? {
            refused.insert(person, "bears a protected tag since the plan was made");
        }
        for person in self.to_be_told(&chunk).await? {
            refused.insert(person, "opted out since the plan was made");
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
        let barred = self.barred(people).await?.why.into_iter();
        Ok(barred.filter(|(_, bar)| *bar == Bar::OptedOut).map(|(person, _)| person).collect())
    }

    /// Who of these may not get mail; of the others it is noted when they were looked at.
    async fn barred(&self, people: &[Person]) -> Result<Barred, RunError> {
        let shared = &self.workspace.shared;
        let whom: Vec<Whom> = people.iter().map(Whom::of).collect();
        let silent = patiently(self.workspace, Service::Mailchimp, || {
            reading::barred_members(shared, &whom, self.seen)
        });
        let mut barred = silent.await?;
        let contacts =
            patiently(self.workspace, Service::HubSpot, || reading::barred_contacts(shared, &whom));
        barred.add(contacts.await?);
        let pass = people.iter().map(|person| person.id).filter(|person| !barred.why.contains_key(person));
        shared.looks.note(pass, barred.read);
        Ok(barred)
    }

    /// Whom a protected tag that was set since the scan spares: all but a critical exclusion, which untags them
    /// and leaves them unarchived.
    async fn protected(&self, chunk: &[Due]) -> Result<BTreeSet<PersonId>, RunError> {
        let shared = &self.workspace.shared;
        if shared.settings.protection.is_none() || shared.clock.now().since(self.seen) <= STALE_AFTER {
            return Ok(BTreeSet::new());
        }
        let (mut whom, mut excluded) = (Vec::new(), BTreeMap::new());
        for due in chunk.iter().filter(|due| takes_away(due.kind)) {
            let Some(person) = shared.journal.person(due.person)? else { continue };
            whom.push(Whom::of(&person));
            if let Some(record) = person.record.filter(|_| due.kind == MoveKind::Exclude) {
                excluded.insert(person.id, record);
            }
        }
        let look = || reading::protected(shared, &whom, reading::SINGLY);
        let mut spared = patiently(self.workspace, Service::Mailchimp, look).await?;
        excluded.retain(|person, _| spared.contains(person));
        let critical = self.in_critical(excluded).await?;
        spared.retain(|person| !critical.contains(person));
        Ok(spared)
    }

    /// Who of these is in a critical exclusion list now.
    async fn in_critical(
        &self,
        excluded: BTreeMap<PersonId, RecordId>,
    ) -> Result<BTreeSet<PersonId>, RunError> {
        let (crm, critical) = (&self.workspace.shared.crm, &self.workspace.rules.critical);
        let mut found = BTreeSet::new();
        let people: Vec<(PersonId, RecordId)> = excluded.into_iter().collect();
        for chunk in people.chunks(100) {
            let records: Vec<RecordId> = chunk.iter().map(|(_, record)| *record).collect();
            let read = || crm.memberships_of(Priority::HandOver, &records);
            let lists = patiently(self.workspace, Service::HubSpot, read).await?;
            let holds = |record| {
                lists.get(record).is_some_and(|in_lists| critical.iter().any(|list| in_lists.contains(list)))
            };
            found.extend(chunk.iter().filter(|(_, record)| holds(record)).map(|(person, _)| *person));
        }
        Ok(found)
    }

    /// Who is to be taken away and has opted out in HubSpot since the scan: archived, they would stay subscribed to
    /// whoever brings them back, and Mailchimp could not be told any more (R21).
    async fn to_be_told(&self, chunk: &[Due]) -> Result<BTreeSet<PersonId>, RunError> {
        let shared = &self.workspace.shared;
        let mut whom = Vec::new();
        if shared.clock.now().since(self.seen) > STALE_AFTER {
            for due in chunk.iter().filter(|due| takes_away(due.kind)) {
                let person = shared.journal.person(due.person)?;
                // Of an opt-out that is known both sides were told, or are by a move of its own.
                whom.extend(person.filter(|person| person.opt_out.is_none()).as_ref().map(Whom::of));
            }
        }
        self.opted_out_in_hubspot(&whom).await
    }

    /// Who of these has opted out in HubSpot: what an archive would keep from Mailchimp.
    ///
    /// # Errors
    /// When a call fails.
    pub async fn opted_out_in_hubspot(&self, whom: &[Whom]) -> Result<BTreeSet<PersonId>, RunError> {
        let shared = &self.workspace.shared;
        let contacts = patiently(self.workspace, Service::HubSpot, || reading::barred_contacts(shared, whom));
        let barred = contacts.await?.into_iter();
        Ok(barred.filter(|(_, bar)| *bar == Bar::OptedOut).map(|(person, _)| person).collect())
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

    /// Whether a handover's exit tag is still borne, by a look that is no older than a minute: that of the scan, or
    /// one more.
    async fn still_finished(&mut self, due: &Due) -> Result<bool, RunError> {
        if self.workspace.shared.clock.now().since(self.seen) <= STALE_AFTER {
            return Ok(true);
        }
        let Some((exit_tag, hash)) = self.unlisted(due.id, due.person).await? else { return Ok(true) };
        if self.singles >= SINGLES {
            return self.has_not_confirmed(&exit_tag, hash).await;
        }
        self.singles += 1;
        let member = self.member(hash).await?;
        Ok(member.is_some_and(|member| member.status != MemberStatus::Archived && member.bears(&exit_tag)))
    }

    /// Whether a member who has not confirmed yet bears the tag: all of them are listed, once.
    async fn has_not_confirmed(&mut self, tag: &TagName, hash: SubscriberHash) -> Result<bool, RunError> {
        let shared = &self.workspace.shared;
        let Some((_, bearers)) = self.bearers.get_mut(tag) else { return Ok(false) };
        if !self.whole.contains(tag) {
            let read =
                patiently(self.workspace, Service::Mailchimp, || reading::pending_bearers(shared, tag));
            bearers.extend(read.await?);
            self.whole.insert(tag.clone());
        }
        Ok(bearers.contains(&hash))
    }

    /// Whether somebody took the exit tag away again while its handover was under way. Not so of a member who is
    /// archived, or gone: nothing shows their tags.
    ///
    /// # Errors
    /// When a call or the journal fails.
    pub async fn is_withdrawn(&mut self, id: MoveId, person: PersonId) -> Result<bool, RunError> {
        let Some((exit_tag, hash)) = self.unlisted(id, person).await? else { return Ok(false) };
        let member = self.member(hash).await?;
        Ok(member.is_some_and(|member| member.status != MemberStatus::Archived && !member.bears(&exit_tag)))
    }

    /// The exit tag of a handover, and its member, where the listing of those who bear it does not show that one.
    async fn unlisted(
        &mut self,
        id: MoveId,
        person: PersonId,
    ) -> Result<Option<(TagName, SubscriberHash)>, RunError> {
        let shared = &self.workspace.shared;
        let Ok(status) = fold(&shared.journal.events(id)?) else { return Ok(None) };
        let person = shared.journal.person(person)?;
        let hash = person.as_ref().and_then(Person::member_email).map(|email| email.hash());
        let (Some(exit_tag), Some(hash)) = (exit_tag(&status.draft), hash) else { return Ok(None) };
        let now = shared.clock.now();
        if self.bearers.get(exit_tag).is_none_or(|(at, _)| now.since(*at) > STALE_AFTER) {
            let read =
                patiently(self.workspace, Service::Mailchimp, || reading::bearers(shared, exit_tag)).await?;
            self.bearers.insert(exit_tag.clone(), (now, read));
            self.whole.remove(exit_tag);
        }
        let is_listed = self.bearers.get(exit_tag).is_none_or(|(_, bearers)| bearers.contains(&hash));
        Ok((!is_listed).then(|| (exit_tag.clone(), hash)))
    }

    async fn member(&self, hash: SubscriberHash) -> Result<Option<Member>, RunError> {
        let audience = &self.workspace.shared.audience;
        patiently(self.workspace, Service::Mailchimp, || audience.member(Priority::HandOver, hash)).await
    }
}

/// The exit tag that a handover answers; none of any other move.
pub(super) fn exit_tag(draft: &Move) -> Option<&TagName> {
    draft.then.iter().find_map(|change| match change {
        MemoryChange::HandedOver { exit_tag, .. } => Some(exit_tag),
        _ => None,
    })
}

/// Whether a move of this kind archives or untags whom it is about.
fn takes_away(kind: MoveKind) -> bool {
    matches!(kind, MoveKind::Exclude | MoveKind::HandOver | MoveKind::Orphan)
}
