//! The audience's state and the changes it can undergo. Every change keeps the indices true and is
//! written down; whether a change is allowed is the callers' question (`members`, `subscribe`).
//!
//! Members have numbers in order of sign-up, never used again.

use super::batches::Batch;
use super::lagging::Before;
use super::member::{Field, Hash, Member, Segment, Status, hash_of};
use super::webhooks::Hook;
use crate::domain::failure::Service;
use crate::domain::time::Timestamp;
use crate::sandbox::effects::What;
use crate::sandbox::settings::Scene;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Everything Mailchimp knows about one audience.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    pub(super) id: String,
    pub(super) members: BTreeMap<usize, Member>,
    pub(super) by_hash: HashMap<Hash, usize>,
    pub(super) by_status: BTreeMap<Status, BTreeSet<usize>>,
    pub(super) by_opted: BTreeSet<(Timestamp, usize)>,
    pub(super) by_changed: BTreeSet<(Timestamp, usize)>,
    pub(super) segments: BTreeMap<u64, Segment>,
    pub(super) segment_names: HashMap<String, u64>,
    pub(super) fields: Vec<Field>,
    pub(super) forgotten: BTreeSet<Hash>,
    pub(super) batches: BTreeMap<String, Batch>,
    pub(super) hooks: Vec<Hook>,
    pub(super) connections: usize,
    pub(super) before: Before,
    /// Journeys started, by member number and segment.
    journeys: BTreeMap<(usize, u64), u32>,
    last_member: usize,
    pub(super) last_number: u64,
}

impl Audience {
    /// An empty audience.
    pub fn new(id: &str) -> Audience {
        Audience { id: id.to_owned(), ..Audience::default() }
    }

    /// The members in order of sign-up.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// A member by address.
    pub fn member(&self, address: &str) -> Option<&Member> {
        self.members.get(self.by_hash.get(&hash_of(address))?)
    }

    /// The number of a member by address.
    pub fn number(&self, address: &str) -> Option<usize> {
        self.by_hash.get(&hash_of(address)).copied()
    }

    /// The names of a member's tags.
    pub fn tags_of(&self, member: &Member) -> Vec<&str> {
        member.tags.keys().filter_map(|id| self.segments.get(id)).map(|tag| tag.name.as_str()).collect()
    }

    /// Whether the member of that address bears the tag.
    pub fn bears(&self, address: &str, tag: &str) -> bool {
        self.member(address)
            .is_some_and(|member| self.tags_of(member).iter().any(|name| name.eq_ignore_ascii_case(tag)))
    }

    /// How often a journey was started by a tag for an address.
    pub fn journeys(&self, address: &str, tag: &str) -> u32 {
        let segment = self.segment_names.get(&tag.to_lowercase());
        let (Some(number), Some(segment)) = (self.number(address), segment) else { return 0 };
        self.journeys.get(&(number, *segment)).copied().unwrap_or(0)
    }

    pub(super) fn count(&self, status: Status) -> usize {
        self.by_status.get(&status).map_or(0, BTreeSet::len)
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Makes a member; checks are the caller's. Gives back its number.
    pub fn create(&mut self, scene: &mut Scene<'_>, email: &str, status: Status) -> usize {
        self.last_member += 1;
        let number = self.last_member;
        let member = Member {
            email: email.trim().to_owned(),
            contact_id: format!("{number:032x}"),
            status,
            hidden: None,
            by_person: false,
            reason: None,
            fields: BTreeMap::new(),
            tags: BTreeMap::new(),
            signup: scene.now,
            opted: scene.now,
            changed: scene.now,
            unsubscribed: (status == Status::Unsubscribed).then_some(scene.now),
            opt_outs: Vec::new(),
        };
        let what = What::MemberCreated { email: member.email.clone(), status: status.wire() };
        self.lag_behind(scene, number);
        self.place(number, member);
        scene.record(Service::Mailchimp, what);
        number
    }

    fn touch(&mut self, now: Timestamp, number: usize) {
        if let Some(member) = self.members.get_mut(&number) {
            self.by_changed.remove(&(member.changed, number));
            member.changed = now;
            self.by_changed.insert((now, number));
        }
    }

    /// Gives a member a status; archiving remembers the one before.
    pub fn set_status(&mut self, scene: &mut Scene<'_>, number: usize, to: Status, by_person: bool) {
        let Some(from) = self.members.get(&number).map(|member| member.status) else { return };
        if from == to {
            return;
        }
        self.lag_behind(scene, number);
        let Some(member) = self.members.get_mut(&number) else { return };
        member.hidden = (to == Status::Archived).then_some(from);
        member.status = to;
        match to {
            Status::Unsubscribed => {
                member.unsubscribed = Some(scene.now);
                member.by_person = by_person || (from == Status::Archived && member.by_person);
                let reason = if by_person {
                    "N/A (Unsubscribed by the person)"
                } else {
                    "N/A (Unsubscribed by an admin)"
                };
                member.reason = Some(reason.to_owned());
                if by_person {
                    member.opt_outs.push(scene.now);
                }
            }
            Status::Subscribed => {
                self.by_opted.remove(&(member.opted, number));
                member.opted = scene.now;
                self.by_opted.insert((scene.now, number));
                member.by_person = false;
                member.reason = None;
                member.unsubscribed = None;
            }
            _ => {}
        }
        let email = member.email.clone();
        if let Some(held) = self.by_status.get_mut(&from) {
            held.remove(&number);
        }
        self.by_status.entry(to).or_default().insert(number);
        self.touch(scene.now, number);
        let what = if to == Status::Archived {
            What::Archived { email, from: from.wire() }
        } else {
            What::StatusChanged { email, from: from.wire(), to: to.wire() }
        };
        scene.record(Service::Mailchimp, what);
    }

    /// Writes merge fields; only real changes count.
    pub fn set_fields(&mut self, scene: &mut Scene<'_>, number: usize, fields: &BTreeMap<String, Value>) {
        self.lag_behind(scene, number);
        let Some(member) = self.members.get_mut(&number) else { return };
        let mut changed = false;
        for (name, value) in fields {
            let empty = value.as_str() == Some("");
            let same = member.fields.get(name).map_or(empty, |held| held == value);
            if same {
                continue;
            }
            changed = true;
            if empty {
                member.fields.remove(name);
            } else {
                member.fields.insert(name.clone(), value.clone());
            }
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let what = What::FieldSet { email: member.email.clone(), field: name.clone(), value };
            scene.record(Service::Mailchimp, what);
        }
        if changed {
            self.touch(scene.now, number);
        }
    }

    /// Gives a member another address; false when somebody has it.
    pub fn rename(&mut self, scene: &mut Scene<'_>, number: usize, address: &str) -> bool {
        let hash = hash_of(address);
        if self.by_hash.get(&hash).is_some_and(|other| *other != number) {
            return false;
        }
        self.lag_behind(scene, number);
        let Some(member) = self.members.get_mut(&number) else { return false };
        if member.hash() == hash {
            return true;
        }
        self.by_hash.remove(&member.hash());
        let from = std::mem::replace(&mut member.email, address.trim().to_owned());
        self.by_hash.insert(hash, number);
        self.touch(scene.now, number);
        let what = What::MemberRenamed { from, to: address.trim().to_owned() };
        scene.record(Service::Mailchimp, what);
        true
    }

    /// Deletes a member for good: only a sign-up form may bring the address back.
    pub fn forget(&mut self, scene: &mut Scene<'_>, number: usize) {
        self.lag_behind(scene, number);
        let Some(member) = self.take_away(number) else { return };
        self.forgotten.insert(member.hash());
        scene.record(Service::Mailchimp, What::MemberForgotten { email: member.email });
    }

    /// The tag of that name, made when there is none.
    pub fn tag(&mut self, scene: &mut Scene<'_>, name: &str) -> u64 {
        let name = name.trim();
        if let Some(id) = self.segment_names.get(&name.to_lowercase()) {
            return *id;
        }
        let id = 1_000 + self.next_number();
        let segment = Segment {
            name: name.to_owned(),
            bearers: BTreeSet::new(),
            created: scene.now,
            updated: scene.now,
        };
        self.segments.insert(id, segment);
        self.segment_names.insert(name.to_lowercase(), id);
        scene.record(Service::Mailchimp, What::TagCreated { tag: name.to_owned() });
        id
    }

    /// Sets a tag; true when it was not borne. A loud one starts a journey for a subscribed member.
    /// `last_changed` does not move: the harder of the two answers the contract leaves open.
    pub fn set_tag(&mut self, scene: &mut Scene<'_>, number: usize, segment: u64, loud: bool) -> bool {
        self.lag_behind(scene, number);
        let (Some(member), Some(held)) = (self.members.get_mut(&number), self.segments.get_mut(&segment))
        else {
            return false;
        };
        if member.tags.contains_key(&segment) {
            return false;
        }
        member.tags.insert(segment, scene.now);
        held.bearers.insert(number);
        held.updated = scene.now;
        let (email, tag) = (member.email.clone(), held.name.clone());
        let starts = loud && member.status == Status::Subscribed;
        scene.record(Service::Mailchimp, What::TagSet { email: email.clone(), tag: tag.clone(), loud });
        if starts {
            *self.journeys.entry((number, segment)).or_default() += 1;
            scene.record_own(Service::Mailchimp, What::JourneyStarted { email, tag });
        }
        true
    }

    /// Clears a tag; true when it was borne.
    pub fn clear_tag(&mut self, scene: &mut Scene<'_>, number: usize, segment: u64, loud: bool) -> bool {
        self.lag_behind(scene, number);
        let (Some(member), Some(held)) = (self.members.get_mut(&number), self.segments.get_mut(&segment))
        else {
            return false;
        };
        if member.tags.remove(&segment).is_none() {
            return false;
        }
        held.bearers.remove(&number);
        held.updated = scene.now;
        let (email, tag) = (member.email.clone(), held.name.clone());
        if scene.by == crate::sandbox::effects::Actor::Api && scene.settings.protects(&tag) {
            scene.violation_about(Service::Mailchimp, &email, "protected-tag-cleared", tag.clone());
        }
        scene.record(Service::Mailchimp, What::TagCleared { email, tag, loud });
        true
    }

    /// Gives a tag another name; false when it is taken or there is no such tag.
    pub fn rename_tag(&mut self, scene: &mut Scene<'_>, segment: u64, name: &str) -> bool {
        let folded = name.trim().to_lowercase();
        if self.segment_names.get(&folded).is_some_and(|other| *other != segment) {
            return false;
        }
        let Some(held) = self.segments.get_mut(&segment) else { return false };
        if held.name == name.trim() {
            return true;
        }
        let from = std::mem::replace(&mut held.name, name.trim().to_owned());
        held.updated = scene.now;
        self.segment_names.remove(&from.to_lowercase());
        self.segment_names.insert(folded, segment);
        scene.record(Service::Mailchimp, What::TagRenamed { from, to: name.trim().to_owned() });
        true
    }
}
