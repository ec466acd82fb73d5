//! One person as the rules see them: the view with everything worked out of it that more than one
//! rule needs. Read-only; it never decides anything.

use super::feed::filled;
use super::fingerprint::input_of;
use super::merge_fields::{Fitted, fit};
use super::{ContactView, PersonView, RuleSet, World};
use crate::domain::contact::{Contact, ListKind};
use crate::domain::id::ListId;
use crate::domain::member::{Member, MemberStatus};
use crate::domain::moves::{MemoryChange, Move, MoveKind, PlannedStep, Reason};
use crate::domain::step::Fingerprint;
use crate::domain::time::Timestamp;

/// The rules, the world, one person, and what follows from them at once.
pub(super) struct Sight<'a> {
    pub rules: &'a RuleSet,
    pub world: &'a World,
    pub view: &'a PersonView<'a>,
    /// The one contact; none when unknown, missing or a twin.
    pub contact: Option<&'a Contact>,
    /// Every contact with the address: none, one, or the twins.
    pub contacts: &'a [Contact],
    /// The merge-field values wanted; empty without exactly one contact.
    pub fitted: Fitted,
    /// The fingerprint of what the decision is made from, memory left out.
    pub input: Fingerprint,
}

impl<'a> Sight<'a> {
    pub fn new(rules: &'a RuleSet, world: &'a World, view: &'a PersonView<'a>) -> Sight<'a> {
        let (contact, contacts): (Option<&Contact>, &[Contact]) = match view.contact {
            ContactView::NotLookedUp
            | ContactView::NotInHubSpot
            | ContactView::Gone
            | ContactView::Elsewhere => (None, &[]),
            ContactView::Known(contact) => (Some(contact), std::slice::from_ref(contact)),
            ContactView::Twins(twins) => (None, twins),
        };
        let fitted = contact.map(|contact| fit(rules, world, contact)).unwrap_or_default();
        let mut sight = Sight { rules, world, view, contact, contacts, fitted, input: Fingerprint::NOT_SEEN };
        let filled = filled(&sight);
        sight.fitted.values.extend(filled);
        sight.input = input_of(rules, view, contacts, &sight.fitted.values);
        sight
    }

    /// The member, unless archived.
    pub fn present(&self) -> Option<&'a Member> {
        self.view.member.filter(|member| member.status != MemberStatus::Archived)
    }

    /// Whether the person is in the list.
    pub fn is_in(&self, list: ListId) -> bool {
        self.view.lists.contains_key(&list)
    }

    /// Whether the person is in any source list.
    pub fn in_any_source(&self) -> bool {
        self.sources_holding().next().is_some()
    }

    /// Every source list holding the person, in config order.
    pub fn sources_holding(&self) -> impl Iterator<Item = ListId> + '_ {
        self.rules
            .groups
            .iter()
            .flat_map(|group| &group.lists)
            .map(|source| source.list)
            .filter(|list| self.is_in(*list))
    }

    /// Whether the list can be written to. An unknown list cannot.
    pub fn is_static(&self, list: ListId) -> bool {
        self.world.lists.get(&list).is_some_and(|info| info.kind == ListKind::Static && info.of_contacts)
    }

    /// Whether absence from the list means anything. An unknown list says nothing.
    pub fn is_complete(&self, list: ListId) -> bool {
        self.world.lists.get(&list).is_some_and(|info| info.complete)
    }

    /// The list's name in HubSpot.
    pub fn name_of(&self, list: ListId) -> Option<&'a str> {
        self.world.lists.get(&list).map(|info| info.name.trim()).filter(|name| !name.is_empty())
    }

    /// Since when a cause has held: the moment of joining the list behind it, else the member's last
    /// change, else the person's present state.
    pub fn since(&self, cause: Option<ListId>) -> Timestamp {
        cause
            .and_then(|list| self.view.lists.get(&list).copied().flatten())
            .or_else(|| self.view.member.and_then(|member| member.changed))
            .unwrap_or(self.view.memory.since)
    }

    /// A contact property's value; blank counts as unset.
    pub fn property(&self, name: &str) -> Option<&'a str> {
        self.contact?.properties.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A move for this person.
    pub fn draft(
        &self,
        kind: MoveKind,
        (rule, text): (&str, String),
        steps: Vec<PlannedStep>,
        then: Vec<MemoryChange>,
        cause: Option<ListId>,
    ) -> Move {
        Move {
            person: self.view.memory.id,
            kind,
            reason: Reason { rule: rule.to_owned(), text },
            steps,
            then,
            since: self.since(cause),
            input: self.input,
        }
    }
}
