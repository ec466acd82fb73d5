//! What people do to the accounts meanwhile: by a link in a mail, a form, or the services' own pages.

use super::chance::Chance;
use super::stage::Happening;
use crate::domain::rules::RuleSet;
use crate::sandbox::hubspot::Rule;
use crate::sandbox::{Act, Actor, Effect, Sandbox, What};
use std::collections::{BTreeMap, BTreeSet};

/// Acts, and whom they touch: addresses in the form they are compared in.
pub(super) struct Acts {
    pub(super) happenings: Vec<Happening>,
    pub(super) touched: BTreeSet<String>,
}

/// The form addresses are compared in.
pub(super) fn folded(address: &str) -> String {
    address.trim().to_lowercase()
}

/// How somebody is called: by address, or by number without one.
pub(super) fn name_of(contact: u64, email: &str) -> String {
    match folded(email) {
        email if email.is_empty() => format!("contact {contact}"),
        email => email,
    }
}

/// Draws what happens within so many calls.
pub(super) fn acts(chance: &mut Chance, sandbox: &Sandbox, rules: &RuleSet, calls: u64) -> Acts {
    let contacts: Vec<(u64, String)> =
        sandbox.hubspot.contacts().map(|record| (record.id, record.email().to_owned())).collect();
    let exits: Vec<String> =
        rules.handovers.iter().map(|handover| handover.exit_tag.as_str().to_owned()).collect();
    let tags: Vec<String> = rules.named_tags().iter().map(|tag| tag.as_str().to_owned()).collect();
    let lists: Vec<u64> = rules.all_lists().iter().map(|list| list.0).collect();
    let mut acts = Acts { happenings: Vec::new(), touched: BTreeSet::new() };
    let number = if chance.percent(20) { 0 } else { chance.number(1, 12) };
    for _ in 0..number {
        let Some((id, email)) = chance.one_of(&contacts).cloned() else { break };
        let list = chance.one_of(&lists).copied().unwrap_or_default();
        let tag = chance.one_of(&tags).cloned().unwrap_or_default();
        let exit = chance.one_of(&exits).cloned().unwrap_or_default();
        acts.touched.insert(name_of(id, &email));
        let (contact, fresh) = (id.to_string(), chance.number(1, 99));
        let act = match chance.number(1, 100) {
            1..=16 => Act::Unsubscribe { email },
            17..=28 => Act::OptOut { email, subscription: None },
            29..=38 => Act::SetTag { email, tag: exit },
            39..=43 => Act::SetTag { email, tag },
            44..=48 => Act::ClearTag { email, tag },
            49..=56 => Act::JoinList { contact, list },
            57..=63 if static_list(sandbox, list) => Act::LeaveList { contact, list },
            64..=67 => {
                let value = format!("moved.{fresh}@example.org");
                acts.touched.insert(value.clone());
                Act::SetProperty { contact, property: "email".to_owned(), value }
            }
            68..=71 => {
                let value = format!("Zoë {fresh}");
                Act::SetProperty { contact, property: "firstname".to_owned(), value }
            }
            72..=76 => {
                let Some((other, address)) = chance.one_of(&contacts).cloned() else { continue };
                acts.touched.insert(name_of(other, &address));
                Act::Merge { primary: contact, other: other.to_string() }
            }
            77..=80 => Act::DeleteContact { contact },
            81..=83 => Act::Archive { email },
            84..=86 => Act::Clean { email },
            87..=88 => Act::Resubscribe { email },
            89..=90 => Act::OptIn { email, subscription: None },
            91..=94 => {
                let email = format!("new.{fresh}@example.com");
                acts.touched.insert(email.clone());
                let list =
                    rules.groups.first().and_then(|group| group.lists.last()).map(|source| source.list.0);
                let join = Act::JoinList { contact: email.clone(), list: list.unwrap_or_default() };
                let after = chance.number(0, calls);
                let properties = BTreeMap::from([("email".to_owned(), email)]);
                acts.happenings.push(Happening { after, act: Act::AddContact { properties } });
                acts.happenings.push(Happening { after: after + 1, act: join });
                continue;
            }
            95..=97 => Act::SetTag { email, tag: "VIP".to_owned() },
            _ => Act::SetField { email, field: "FNAME".to_owned(), value: "Nobody".to_owned() },
        };
        acts.happenings.push(Happening { after: chance.number(0, calls), act });
    }
    acts
}

/// Whoever a call has just changed does something themselves, or somebody else does it to them: between two steps of
/// their move, between a plan and its delivery, or while nobody is there. With it, whom that touches. None where a call changed nobody.
pub(super) fn interferes(
    chance: &mut Chance,
    sandbox: &Sandbox,
    changed: &[Effect],
) -> Option<(Act, BTreeSet<String>)> {
    let by_calls: Vec<&Effect> = changed.iter().filter(|effect| effect.by == Actor::Api).collect();
    let what = &chance.one_of(&by_calls)?.what;
    let email = match what {
        What::PropertySet { contact, .. }
        | What::ListJoined { contact, .. }
        | What::ListLeft { contact, .. }
        | What::ContactCreated { contact } => sandbox.hubspot.contact(*contact)?.email().to_owned(),
        What::MemberCreated { email, .. }
        | What::StatusChanged { email, .. }
        | What::Archived { email, .. }
        | What::FieldSet { email, .. }
        | What::TagSet { email, .. }
        | What::TagCleared { email, .. } => email.clone(),
        _ => return None,
    };
    if email.is_empty() {
        return None;
    }
    let mut whose = BTreeSet::from([folded(&email)]);
    whose.extend(sandbox.hubspot.contact_by_email(&email).into_iter().flat_map(|record| record.addresses()));
    let act = match (chance.number(1, 100), what) {
        (1..=35, _) => Act::Unsubscribe { email },
        (36..=60, _) => Act::OptOut { email, subscription: None },
        (61..=70, _) => Act::SetTag { email, tag: "VIP".to_owned() },
        (71..=78, _) => Act::Archive { email },
        (79..=88, What::ListJoined { list, contact }) => {
            Act::LeaveList { contact: contact.to_string(), list: *list }
        }
        (79..=88, What::ListLeft { list, contact }) => {
            Act::JoinList { contact: contact.to_string(), list: *list }
        }
        (79..=88, What::TagSet { tag, .. }) => Act::ClearTag { email, tag: tag.clone() },
        (79..=88, What::TagCleared { tag, .. }) => Act::SetTag { email, tag: tag.clone() },
        (89..=94, _) => Act::DeleteContact { contact: email },
        _ => Act::SetProperty { contact: email, property: "firstname".to_owned(), value: "Zoë".to_owned() },
    };
    Some((act, whose))
}

fn static_list(sandbox: &Sandbox, list: u64) -> bool {
    let rule: Option<&Option<Rule>> = sandbox.hubspot.lists().get(&list).map(|list| &list.rule);
    matches!(rule, Some(None))
}
