//! What must hold once the world is healed and everything has come to rest: the invariants of design §3, looked at
//! from outside, in the accounts' own state and their journals of effects.
//!
//! Whom people touched meanwhile is judged by what nobody may do to anybody; everybody else must also be where an
//! undisturbed run of the same world puts them.

mod consent;
mod forbidden;

pub(super) use consent::{Consent, consent_only_tightens, no_opt_out_hidden, opt_outs_crossed};
pub(super) use forbidden::nothing_forbidden;

use super::accounting::Span;
use super::people::{folded, name_of};
use crate::domain::id::ListId;
use crate::domain::rules::{RuleSet, TagSource};
use crate::sandbox::{Actor, Effect, Sandbox, What};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Only lists, tags and properties that the config names are touched (design §3.6).
pub(super) fn only_what_is_named(
    rules: &[RuleSet],
    forgotten: &BTreeMap<String, bool>,
    before: &Sandbox,
    sandbox: &Sandbox,
) -> Vec<String> {
    let lists: BTreeSet<ListId> = rules.iter().flat_map(RuleSet::all_lists).collect();
    let named =
        rules.iter().flat_map(|rules| rules.named_tags().into_iter().map(|tag| tag.as_str().to_lowercase()));
    let mut tags: BTreeSet<String> = named.collect();
    // A tag that is named after its list.
    let mut sources = rules.iter().flat_map(|rules| &rules.groups).flat_map(|group| &group.lists);
    if sources.any(|source| source.tag == TagSource::ListName) {
        tags.extend(sandbox.hubspot.lists().values().map(|list| list.name.to_lowercase()));
    }
    let named = rules.iter().flat_map(|rules| [&rules.import_list, &rules.ori_lists, &rules.bounce_property]);
    let properties: BTreeSet<&String> = named.flatten().collect();
    let mut broken = Vec::new();
    // Every address that contacts have had, also by a merge: whoever was asked to be forgotten had one of these.
    let mut had: BTreeMap<u64, BTreeSet<String>> = before
        .hubspot
        .contacts()
        .map(|record| (record.id, record.addresses().into_iter().collect()))
        .collect();
    let is_asked_for = |address: &String| forgotten.contains_key(address);
    for Effect { by, what, .. } in sandbox.effects.all() {
        match what {
            What::PropertySet { contact, property, value } if property == "email" => {
                had.entry(*contact).or_default().insert(folded(value));
            }
            What::ContactMerged { contact, into } => {
                let addresses = had.get(contact).cloned().unwrap_or_default();
                had.entry(*into).or_default().extend(addresses);
            }
            _ => {}
        }
        let named = match what {
            _ if *by != Actor::Api => true,
            What::ListJoined { list, .. } | What::ListLeft { list, .. } => {
                lists.iter().any(|named| named.0 == *list)
            }
            What::TagSet { tag, .. } | What::TagCleared { tag, .. } => tags.contains(&tag.to_lowercase()),
            What::PropertySet { property, .. } => {
                properties.contains(property) || property.starts_with("hs_email_optout")
            }
            // Whoever was asked to be forgotten under any address of theirs, and whoever came later.
            What::MemberForgotten { email } => {
                let theirs = |addresses: &BTreeSet<String>| {
                    addresses.contains(&folded(email)) && addresses.iter().any(is_asked_for)
                };
                is_asked_for(&folded(email)) || had.values().any(theirs)
            }
            What::ContactForgotten { contact } if !forgotten.is_empty() => {
                had.get(contact).is_none_or(|addresses| addresses.iter().any(is_asked_for))
            }
            What::ContactDeleted { .. }
            | What::ContactForgotten { .. }
            | What::ContactMerged { .. }
            | What::ListRenamed { .. }
            | What::ListDeleted { .. }
            | What::OptedIn { .. }
            | What::TagRenamed { .. } => false,
            _ => true,
        };
        if !named {
            broken.push(format!("a call did what nobody asked for: {what:?}"));
        }
    }
    broken
}

/// No journey is started twice by a call for whom nobody touched, nor a list joined twice (design §3.15, and what
/// "effectively once" means).
pub(super) fn once(sandbox: &Sandbox, touched: &BTreeSet<String>) -> Vec<String> {
    let mut times: BTreeMap<(String, &str), u32> = BTreeMap::new();
    let mut last_set: Option<(&str, &str, Actor)> = None;
    for Effect { by, what, .. } in sandbox.effects.all() {
        match what {
            What::TagSet { email, tag, .. } => last_set = Some((email, tag, *by)),
            What::JourneyStarted { email, tag } if last_set == Some((email, tag, Actor::Api)) => {
                *times.entry((folded(email), tag)).or_default() += 1;
            }
            _ => {}
        }
    }
    let twice = times.into_iter().filter(|((email, _), times)| *times > 1 && !touched.contains(email));
    twice
        .map(|((email, tag), times)| format!("{email}: the journey of {tag} was started {times} times"))
        .collect()
}

/// Who bears a protected tag at the end: all who bore it, save those from whom people took it.
pub(super) fn protected_intact(before: &Sandbox, after: &Sandbox, touched: &BTreeSet<String>) -> Vec<String> {
    let mut broken = Vec::new();
    for member in before.mailchimp.members() {
        if touched.contains(&folded(&member.email)) {
            continue;
        }
        let Some(now) = after.mailchimp.member(&member.email) else {
            broken.push(format!("{} is no member any more", member.email));
            continue;
        };
        let kept = after.mailchimp.tags_of(now);
        for tag in before.mailchimp.tags_of(member) {
            if before.settings.protects(tag) && !kept.contains(&tag) {
                broken.push(format!("{} lost the protected tag {tag}", member.email));
            }
        }
    }
    broken
}

/// Where everybody stands, by address; whoever has none, by number.
pub(super) fn picture(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let mut picture: BTreeMap<String, Value> = BTreeMap::new();
    for record in sandbox.hubspot.contacts() {
        let key = name_of(record.id, record.email());
        let kept = ["import_list", "ori_lists", "mailchimp_bounced", "segments", "disengaged"];
        let properties: BTreeMap<&str, &String> =
            kept.into_iter().filter_map(|name| Some((name, record.properties.get(name)?))).collect();
        let lists: Vec<u64> = sandbox.hubspot.lists_of(record.id).into_keys().collect();
        let contact = json!({
            "lists": lists, "properties": properties,
            "opted_out": sandbox.hubspot.is_opted_out(record.email()),
        });
        let entry = picture.entry(key).or_insert(json!({}));
        if let Value::Object(entry) = entry {
            let number = entry.len();
            entry.insert(format!("contact{number}"), contact);
        }
    }
    for member in sandbox.mailchimp.members() {
        let mut tags = sandbox.mailchimp.tags_of(member);
        tags.sort_unstable();
        let shown = json!({ "status": member.status.wire(), "tags": tags, "fields": member.fields });
        let entry = picture.entry(folded(&member.email)).or_insert(json!({}));
        if let Value::Object(entry) = entry {
            entry.insert("member".to_owned(), shown);
        }
    }
    picture
}

/// Nobody whom people left alone stands elsewhere than an undisturbed run puts them: nobody is half moved, nobody
/// lost (design §3.1, §3.14).
pub(super) fn as_undisturbed(calm: &Sandbox, found: &Sandbox, touched: &BTreeSet<String>) -> Vec<String> {
    let (wanted, found) = (picture(calm), picture(found));
    let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "nobody".to_owned(), Value::to_string);
    keys.into_iter()
        .filter(|key| !touched.contains(*key) && wanted.get(*key) != found.get(*key))
        .map(|key| format!("{key} is {}, and undisturbed {}", shown(found.get(key)), shown(wanted.get(key))))
        .collect()
}

/// Whose every move was unwound stands where they stood before; a member whom hsmc created is archived (design §4).
pub(super) fn as_before(before: &Sandbox, found: &Sandbox, unwound: &BTreeSet<String>) -> Vec<String> {
    let (before, found) = (picture(before), picture(found));
    let created = |was: Option<&Value>, is: &Value| {
        let archived = is.pointer("/member/status").is_some_and(|status| status == "archived");
        archived && was.is_none_or(|was| was.get("member").is_none())
    };
    let mut broken = Vec::new();
    for email in unwound {
        let (was, mut is) = (before.get(email), found.get(email).cloned().unwrap_or(json!({})));
        if created(was, &is)
            && let Some(is) = is.as_object_mut()
        {
            is.remove("member");
        }
        if was.is_some_and(|was| *was != is) {
            broken.push(format!("{email} was unwound to {is}, and stood before as {}", was.unwrap_or(&is)));
        }
    }
    broken
}

/// Whoever was forgotten is nowhere, and comes back by no call.
pub(super) fn stays_forgotten(forgotten: &BTreeMap<String, bool>, sandbox: &Sandbox) -> Vec<String> {
    let mut gone: BTreeSet<String> = BTreeSet::new();
    let mut broken = Vec::new();
    for Effect { at, by, what, .. } in sandbox.effects.all() {
        match what {
            What::MemberForgotten { email } => {
                gone.insert(folded(email));
            }
            What::MemberCreated { email, .. } if gone.contains(&folded(email)) && *by == Actor::Api => {
                broken.push(format!("{email} was forgotten, and a call of {} makes them a member", at.iso()));
            }
            _ => {}
        }
    }
    let stays = |(email, done): &(&String, &bool)| **done && sandbox.mailchimp.member(email).is_some();
    let staying = forgotten.iter().filter(stays);
    broken.extend(staying.map(|(email, _)| format!("{email} was forgotten, and is a member")));
    broken
}

/// What calls did for somebody from the plan of a move that was unwound to that of their next one comes to nothing: all
/// that was done was taken back, and no call that was lost takes effect behind it (design §3.1, §3.3).
pub(super) fn unwound_whole(spans: &[Span], touched: &BTreeSet<String>, sandbox: &Sandbox) -> Vec<String> {
    let mut broken = Vec::new();
    for Span { email, record, from, until } in spans.iter().filter(|span| !touched.contains(&span.email)) {
        let mut sums: BTreeMap<String, i32> = BTreeMap::new();
        let within = sandbox.effects.all().iter().filter(|effect| effect.at >= *from && effect.at < *until);
        for Effect { what, .. } in within.filter(|effect| effect.by == Actor::Api) {
            let (key, by) = match what {
                What::ListJoined { list, contact } if Some(*contact) == *record => {
                    (format!("list {list}"), 1)
                }
                What::ListLeft { list, contact } if Some(*contact) == *record => (format!("list {list}"), -1),
                What::TagSet { email: whose, tag, .. } if folded(whose) == *email => {
                    (format!("tag {tag}"), 1)
                }
                What::TagCleared { email: whose, tag, .. } if folded(whose) == *email => {
                    (format!("tag {tag}"), -1)
                }
                _ => continue,
            };
            *sums.entry(key).or_default() += by;
        }
        let left = sums.into_iter().filter(|(_, sum)| *sum != 0);
        broken.extend(left.map(|(what, sum)| {
            let which = if sum > 0 { "set" } else { "gone" };
            format!("{email}: a move of {} was unwound, and {what} is {which}", from.iso())
        }));
    }
    broken
}
