//! Consent only tightens, and no opt-out is lost.

use crate::domain::time::Timestamp;
use crate::sandbox::hubspot::Record;
use crate::sandbox::mailchimp::Status;
use crate::sandbox::{Actor, Effect, Sandbox, What};
use crate::simulate::accounting::Span;
use crate::simulate::people::folded;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long before a call leaves something may have happened and still be overlooked: a look at consent counts for a
/// minute (design §3.10), HubSpot's search lags behind, and a call may have to wait for its turn.
pub(super) const OVERLOOKED: Duration = Duration::from_secs(60 + 40);
/// Before an archive leaves there is a look of its own.
const UNSEEN: Duration = Duration::from_secs(40);

/// How somebody's consent stood at the beginning: who had opted out.
pub(in crate::simulate) struct Consent {
    opted_out: BTreeSet<String>,
}

impl Consent {
    pub(in crate::simulate) fn of(sandbox: &Sandbox) -> Consent {
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

/// Nobody is subscribed by a call who had opted out, bounced, or was archived by others (design §3.4), nor is mail
/// started for them by a tag.
pub(in crate::simulate) fn consent_only_tightens(
    consent: &Consent,
    archives: &[Span],
    sandbox: &Sandbox,
) -> Vec<String> {
    // While a call of hsmc's own archives somebody, nobody can tell who else did.
    let is_ours = |email: &str, at: Timestamp| {
        archives.iter().any(|span| span.email == email && span.from <= at && at <= span.until)
    };
    let mut broken = Vec::new();
    // Since when somebody is out, and whether by a hand on the archive.
    let mut out: BTreeMap<String, Timestamp> =
        consent.opted_out.iter().map(|email| (email.clone(), Timestamp(0))).collect();
    let mut archived: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut tagged = None;
    for Effect { at, asked, by, what, .. } in sandbox.effects.all() {
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
                    && out.get(&folded(email)).is_some_and(|since| since.plus(OVERLOOKED) < *asked) =>
            {
                broken.push(format!("{email} had opted out, and a call before {} starts {tag}", at.iso()));
            }
            What::Archived { email, .. } if !by_call && !is_ours(&folded(email), *at) => {
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
                    if since.is_some_and(|since| since.plus(OVERLOOKED) < *asked) {
                        broken.push(format!("{email} was {why}, and a call of {} subscribes them", at.iso()));
                    }
                }
            }
            _ => {}
        }
    }
    broken
}

/// Nobody is archived over an opt-out that HubSpot has not heard of: once archived, nobody can see it any more (design
/// §3.10). Who had opted out a moment before, or is archived by hand, could not be known.
pub(in crate::simulate) fn no_opt_out_hidden(consent: &Consent, sandbox: &Sandbox) -> Vec<String> {
    let mut out: BTreeMap<String, Timestamp> =
        consent.opted_out.iter().map(|email| (email.clone(), Timestamp(0))).collect();
    let mut hidden: BTreeSet<String> = BTreeSet::new();
    for Effect { at, asked, by, what, .. } in sandbox.effects.all() {
        match what {
            What::StatusChanged { email, to: "unsubscribed", .. } => {
                out.entry(folded(email)).or_insert(*at);
            }
            What::StatusChanged { email, .. } => {
                out.remove(&folded(email));
                hidden.remove(&folded(email));
            }
            What::Archived { email, from: "unsubscribed" } if *by == Actor::Api => {
                let email = folded(email);
                if out.get(&email).is_some_and(|since| since.plus(UNSEEN) < *asked) {
                    hidden.insert(email);
                }
            }
            What::MemberRenamed { from, to } => {
                if let Some(since) = out.remove(&folded(from)) {
                    out.insert(folded(to), since);
                }
                if hidden.remove(&folded(from)) {
                    hidden.insert(folded(to));
                }
            }
            What::OptedIn { email, .. } if *by != Actor::Api => {
                hidden.remove(&folded(email));
            }
            _ => {}
        }
    }
    let knows = |email: &String| {
        sandbox.hubspot.contact_by_email(email).is_none_or(|contact| has_opted_out(sandbox, contact, email))
    };
    hidden.retain(|email| !knows(email));
    hidden
        .into_iter()
        .map(|email| format!("{email} was archived over an opt-out that HubSpot never heard of"))
        .collect()
}

/// What HubSpot shows of the contact: a merge carries it over to the survivor.
fn has_opted_out(sandbox: &Sandbox, contact: &Record, email: &str) -> bool {
    let shown = contact.properties.get("hs_email_optout").is_some_and(|value| value == "true");
    shown || sandbox.hubspot.is_opted_out(email)
}

/// An opt-out on one side has reached the other (design §3.5): save for whoever opted in again by their own hand
/// since, and whose opt-out an operator took as delivered.
pub(in crate::simulate) fn opt_outs_crossed(sandbox: &Sandbox, skipped: &BTreeSet<String>) -> Vec<String> {
    let mut again: BTreeSet<String> = BTreeSet::new();
    // Addresses that members had before: by one of these their contact is found, where HubSpot does not know the new one.
    let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Effect { by, what, .. } in sandbox.effects.all() {
        match what {
            What::MemberRenamed { from, to } => {
                let mut had = before.remove(&folded(from)).unwrap_or_default();
                had.insert(folded(from));
                before.insert(folded(to), had);
            }
            What::OptedIn { email, .. } => {
                again.insert(folded(email));
            }
            What::StatusChanged { email, to: "subscribed", .. } if *by != Actor::Api => {
                again.insert(folded(email));
            }
            What::OptedOut { email, .. } | What::StatusChanged { email, to: "unsubscribed", .. }
                if *by != Actor::Api =>
            {
                again.remove(&folded(email));
            }
            _ => {}
        }
    }
    let mut broken = Vec::new();
    let shown_of = |id: u64| sandbox.hubspot.contact(id).map(|record| format!("{:?}", record.properties));
    for member in sandbox.mailchimp.members() {
        let email = folded(&member.email);
        let had = before.get(&email).into_iter().flatten();
        let mut addresses = std::iter::once(&email).chain(had);
        if addresses.clone().any(|address| again.contains(address) || skipped.contains(address)) {
            continue;
        }
        let Some(contact) = addresses.find_map(|address| sandbox.hubspot.contact_by_email(address)) else {
            continue;
        };
        let opted_out = has_opted_out(sandbox, contact, &email);
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
