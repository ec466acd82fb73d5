//! What listings show: members as they were a moment ago, where the settings say that listings lag behind (Mailchimp
//! contract §17). A single member is always shown as it is.
//!
//! Never: work where nothing lags; or anything forgotten of what a listing has still to show.

use super::audience::Audience;
use super::member::Member;
use crate::domain::time::Timestamp;
use crate::sandbox::settings::Scene;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Members as they were before their last changes, each until when listings show that; none for whom there was not
/// yet. Oldest first.
pub(super) type Before = BTreeMap<usize, Vec<(Timestamp, Option<Member>)>>;

impl Audience {
    /// A member is about to change: listings go on showing them as they are now, for as long as they lag.
    pub(super) fn lag_behind(&mut self, scene: &Scene<'_>, number: usize) {
        self.before.retain(|_, kept| {
            kept.retain(|(until, _)| *until > scene.now);
            !kept.is_empty()
        });
        if !scene.settings.listing_lag.is_zero() {
            let until = scene.now.plus(scene.settings.listing_lag);
            self.before.entry(number).or_default().push((until, self.members.get(&number).cloned()));
        }
    }

    /// The audience as listings show it.
    pub(super) fn as_listed(&self, now: Timestamp) -> Cow<'_, Audience> {
        let shown = |(number, kept): (&usize, &Vec<(Timestamp, Option<Member>)>)| {
            kept.iter().find(|(until, _)| *until > now).map(|(_, member)| (*number, member.clone()))
        };
        let older: Vec<(usize, Option<Member>)> = self.before.iter().filter_map(shown).collect();
        if older.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut listed = self.clone();
        for (number, member) in older {
            listed.take_away(number);
            if let Some(member) = member {
                listed.place(number, member);
            }
        }
        Cow::Owned(listed)
    }

    /// A member leaves, and every index of them.
    pub(super) fn take_away(&mut self, number: usize) -> Option<Member> {
        let member = self.members.remove(&number)?;
        self.by_hash.remove(&member.hash());
        self.by_opted.remove(&(member.opted, number));
        self.by_changed.remove(&(member.changed, number));
        if let Some(held) = self.by_status.get_mut(&member.status) {
            held.remove(&number);
        }
        for tag in member.tags.keys() {
            if let Some(segment) = self.segments.get_mut(tag) {
                segment.bearers.remove(&number);
            }
        }
        Some(member)
    }

    /// A member comes, with every index of them.
    pub(super) fn place(&mut self, number: usize, member: Member) {
        self.by_hash.insert(member.hash(), number);
        self.by_opted.insert((member.opted, number));
        self.by_changed.insert((member.changed, number));
        self.by_status.entry(member.status).or_default().insert(number);
        for tag in member.tags.keys() {
            if let Some(segment) = self.segments.get_mut(tag) {
                segment.bearers.insert(number);
            }
        }
        self.members.insert(number, member);
    }
}
