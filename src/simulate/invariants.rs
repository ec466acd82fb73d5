//! What must hold once the world is healed and everything has come to rest: the invariants of design §3, looked at
//! from outside, in the accounts' own state and their journals of effects.
//!
//! Whom people touched meanwhile is judged by what nobody may do to anybody; everybody else must also be where an
//! undisturbed run of the same world puts them.

use super::people::{folded, name_of};
use crate::domain::rules::RuleSet;
use crate::domain::time::Timestamp;
use crate::sandbox::mailchimp::Status;
use crate::sandbox::{Actor, Effect, Sandbox, What};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How old an opt-out may be and still be overlooked: a look at consent counts for a minute (design §3.10), a call
/// may be on its way for 130 s, and HubSpot's search lags behind.
const OVERLOOKED: Duration = Duration::from_secs(60 + 130 + 20);

/// How somebody's consent stood at the beginning: who had opted out.
pub(super) struct Consent {
    opted_out: BTreeSet<String>,
}

impl Consent {
    pub(super) fn of(sandbox: &Sandbox) -> Consent {
        let here = sandbox.hubspot.contacts().map(|record| record.email());
        let mut opted_out: BTreeSet<String> = here
            .filter(|email| !email.is_empty() && sandbox.hubspot.is_opted_out(email))
            .map(folded)
            .collect();
        for member in sandbox.mailchimp.members() {
            let stands = member.hidden.unwrap_or(member.status);
            if matches!(stands, Status::Unsubscribed | Status::Cleaned) {
                opted_out.insert(folded(&member.email));
            }
        }
        Consent { opted_out }
    }
}

/// Every call was one that a careful client makes. What people did a moment before it could not be known.
pub(super) fn nothing_forbidden(sandbox: &Sandbox) -> Vec<String> {
    let mut broken = Vec::new();
    let mut set_by_people: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut archived_by_people: Option<Timestamp> = None;
    let just_before =
        |done: Option<Timestamp>, at: Timestamp| done.is_some_and(|done| done.plus(OVERLOOKED) >= at);
    for Effect { at, by, what, .. } in sandbox.effects.all() {
        match what {
            What::TagSet { tag, .. } if *by != Actor::Api => {
                set_by_people.insert(tag, *at);
            }
            What::Archived { .. } if *by != Actor::Api => archived_by_people = Some(*at),
            What::Violation { rule: "protected-bearer-archived", detail }
                if just_before(set_by_people.get(detail.as_str()).copied(), *at) => {}
            What::Violation { rule: "tag-without-member", .. } if just_before(archived_by_people, *at) => {}
            What::Violation { rule, detail } => broken.push(format!("a forbidden call: {rule}: {detail}")),
            _ => {}
        }
    }
    broken
}

/// Nobody is subscribed by a call who had opted out, bounced, or was archived by others (design §3.4), nor is mail
/// started for them by a tag.
pub(super) fn consent_only_tightens(consent: &Consent, sandbox: &Sandbox) -> Vec<String> {
    let mut broken = Vec::new();
    // Since when somebody is out, and whether by a hand on the archive.
    let mut out: BTreeMap<String, Timestamp> =
        consent.opted_out.iter().map(|email| (email.clone(), Timestamp(0))).collect();
    let mut archived: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut tagged = None;
    for Effect { at, by, what, .. } in sandbox.effects.all() {
        let by_call = *by == Actor::Api;
        match what {
            What::OptedOut { email, .. } => {
                out.entry(folded(email)).or_insert(*at);
            }
            // By their own hand, in either account: whether that counts is for an operator to say.
            What::OptedIn { email, .. } if !by_call => {
                out.remove(&folded(email));
            }
            What::StatusChanged { email, to: "unsubscribed" | "cleaned", .. } => {
                out.entry(folded(email)).or_insert(*at);
            }
            What::TagSet { email, tag, .. } => tagged = by_call.then_some((email, tag)),
            What::JourneyStarted { email, tag }
                if tagged == Some((email, tag))
                    && out.get(&folded(email)).is_some_and(|since| since.plus(OVERLOOKED) < *at) =>
            {
                broken.push(format!("{email} had opted out, and a call before {} starts {tag}", at.iso()));
            }
            What::Archived { email, .. } if !by_call => {
                archived.insert(folded(email), *at);
            }
            What::MemberRenamed { from, to } => {
                for told in [&mut out, &mut archived] {
                    if let Some(since) = told.remove(&folded(from)) {
                        told.insert(folded(to), since);
                    }
                }
            }
            What::MemberCreated { email, status: "subscribed" | "pending" }
            | What::StatusChanged { email, to: "subscribed" | "pending", .. } => {
                let email = folded(email);
                if !by_call {
                    out.remove(&email);
                    archived.remove(&email);
                    continue;
                }
                for (since, why) in
                    [(out.get(&email), "opted out"), (archived.get(&email), "archived by others")]
                {
                    if since.is_some_and(|since| since.plus(OVERLOOKED) < *at) {
                        broken.push(format!("{email} was {why}, and a call of {} subscribes them", at.iso()));
                    }
                }
            }
            _ => {}
        }
    }
    broken
}

/// An opt-out on one side has reached the other (design §3.5): save for whoever opted in again by their own hand.
pub(super) fn opt_outs_crossed(sandbox: &Sandbox) -> Vec<String> {
    let mut again: BTreeSet<String> = BTreeSet::new();
    for Effect { by, what, .. } in sandbox.effects.all() {
        match what {
            What::OptedIn { email, .. } => {
                again.insert(folded(email));
            }
            What::StatusChanged { email, to: "subscribed", .. } if *by != Actor::Api => {
                again.insert(folded(email));
            }
            _ => {}
        }
    }
    let mut broken = Vec::new();
    let shown_of = |id: u64| sandbox.hubspot.contact(id).map(|record| format!("{:?}", record.properties));
    for member in sandbox.mailchimp.members() {
        let email = folded(&member.email);
        if again.contains(&email) {
            continue;
        }
        let Some(contact) = sandbox.hubspot.contact_by_email(&email) else { continue };
        // What HubSpot shows of the contact: a merge carries it over to the survivor.
        let shown = contact.properties.get("hs_email_optout").is_some_and(|value| value == "true");
        let opted_out = shown || sandbox.hubspot.is_opted_out(&email);
        match member.status {
            Status::Unsubscribed if !opted_out => {
                broken.push(format!("{email} unsubscribed in Mailchimp, and HubSpot does not know"));
            }
            // Whoever is pending under a further address of an opted-out survivor of a merge gets no mail unless they
            // confirm, which is a choice of their own.
            Status::Pending if folded(contact.email()) != email => {}
            Status::Subscribed | Status::Pending if opted_out => {
                let contact = shown_of(contact.id).unwrap_or_default();
                broken.push(format!("{email} opted out in HubSpot, and still gets mail: {contact}"));
            }
            _ => {}
        }
    }
    broken
}

/// Only lists, tags and properties that the config names are touched (design §3.6).
pub(super) fn only_what_is_named(rules: &RuleSet, sandbox: &Sandbox) -> Vec<String> {
    let lists = rules.all_lists();
    let tags: BTreeSet<String> = rules.named_tags().iter().map(|tag| tag.as_str().to_lowercase()).collect();
    let named = [&rules.import_list, &rules.ori_lists, &rules.bounce_property];
    let properties: BTreeSet<&String> = named.into_iter().flatten().collect();
    let mut broken = Vec::new();
    for Effect { by, what, .. } in sandbox.effects.all() {
        let named = match what {
            _ if *by != Actor::Api => true,
            What::ListJoined { list, .. } | What::ListLeft { list, .. } => {
                lists.iter().any(|named| named.0 == *list)
            }
            What::TagSet { tag, .. } | What::TagCleared { tag, .. } => tags.contains(&tag.to_lowercase()),
            What::PropertySet { property, .. } => {
                properties.contains(property) || property.starts_with("hs_email_optout")
            }
            What::ContactDeleted { .. }
            | What::ContactForgotten { .. }
            | What::ContactMerged { .. }
            | What::ListRenamed { .. }
            | What::ListDeleted { .. }
            | What::OptedIn { .. }
            | What::MemberForgotten { .. }
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
