//! From a row of a snapshot to the rules' verdict on one person: the same for everybody in a plan and for
//! the one person whom somebody asks about. Pure; whoever calls has read what is judged.

use super::preflight::Accounts;
use super::snapshot::{Header, PersonRow};
use crate::domain::contact::Contact;
use crate::domain::id::ListId;
use crate::domain::member::Member;
use crate::domain::naming::Names;
use crate::domain::person::Person;
use crate::domain::rules::{
    AddressConsent, AddressView, ContactView, PersonView, RuleSet, Verdict, World, decide,
};
use crate::domain::tag::TagName;
use std::collections::{BTreeMap, BTreeSet};

/// What holds for everybody under this snapshot.
pub fn world(header: &Header, accounts: &Accounts, names: &Names) -> World {
    World {
        lists: header.lists.clone(),
        list_tags: names.tags.clone(),
        renamed_tags: names.renamed(),
        read_only: accounts.read_only.clone(),
        merge_fields: accounts.merge_fields.clone(),
        subscribed: header.counts.subscribed,
        seen: header.seen,
    }
}

/// What became of a record that no longer shows its person's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Deleted.
    Gone,
    /// It has an address that is somebody else's here.
    Elsewhere,
}

/// What is known of one person beside their row: what HubSpot was asked, and what other rows show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Every list they are really in, where a probe has told.
    pub proof: Option<&'a BTreeSet<ListId>>,
    /// What became of their record, where it was traced and did not lead back to them.
    pub lost: Option<Lost>,
    /// What the address they stand under is to them.
    pub address: AddressView,
    /// Whether the member's own address has opted out in HubSpot.
    pub address_consent: AddressConsent,
}

/// The member with tags that are about to be renamed under their new names; none when there are none.
fn under_new_names(world: &World, member: &Member) -> Option<Member> {
    if !member.tags.iter().any(|tag| world.renamed_tags.contains_key(tag)) {
        return None;
    }
    let new = |tag: &TagName| world.renamed_tags.get(tag).unwrap_or(tag).clone();
    Some(Member { tags: member.tags.iter().map(new).collect(), ..member.clone() })
}

/// What the rules say of one person. `member` is theirs, under whatever address it stands.
pub fn judge(
    rules: &RuleSet,
    world: &World,
    row: &PersonRow,
    person: &Person,
    member: Option<&Member>,
    asked: Asked<'_>,
) -> Verdict {
    let proof = asked.proof;
    let nowhere = BTreeMap::new();
    let twins: Vec<Contact>;
    let mut merged = BTreeMap::new();
    let lists = match (row.contacts.as_slice(), proof) {
        ([], _) => &nowhere,
        ([(_, lists)], None) => lists,
        ([(_, lists)], Some(proof)) => {
            merged.extend(
                proof
                    .iter()
                    .filter(|list| world.lists.contains_key(list))
                    .map(|list| (*list, lists.get(list).copied().flatten())),
            );
            &merged
        }
        (several, _) => {
            merged.extend(several.iter().flat_map(|(_, lists)| lists.iter().map(|(list, at)| (*list, *at))));
            &merged
        }
    };
    let contact = match row.contacts.as_slice() {
        [] if row.looked_up.is_some() => match asked.lost {
            None => ContactView::NotInHubSpot,
            Some(Lost::Gone) => ContactView::Gone,
            Some(Lost::Elsewhere) => ContactView::Elsewhere,
        },
        [] => ContactView::NotLookedUp,
        [(one, _)] => ContactView::Known(one),
        several => {
            twins = several.iter().map(|(contact, _)| contact.clone()).collect();
            ContactView::Twins(&twins)
        }
    };
    let renamed = member.and_then(|member| under_new_names(world, member));
    let member = renamed.as_ref().or(member);
    let proven = proof.is_some();
    let Asked { address, address_consent, .. } = asked;
    let view = PersonView { contact, lists, proven, member, address, address_consent, memory: person };
    decide(rules, world, &view)
}
