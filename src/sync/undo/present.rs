//! How people stand now, on both sides, read in batches: what an undo is planned on, and looked at again
//! before it begins.

use crate::domain::contact::Contact;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::Service;
use crate::domain::id::{ListId, PersonId, RecordId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::person::Person;
use crate::domain::port::{MemberQuery, Priority};
use crate::domain::step::OptOutScope;
use crate::domain::undo::Present;
use crate::sync::error::RunError;
use crate::sync::patience::patiently;
use crate::sync::workspace::Workspace;
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};

/// Contacts, or memberships, asked for at once.
const BATCH: usize = 100;
/// Up to so many members are asked for one by one; above it the whole audience is listed.
const SINGLY: usize = 200;
/// Members asked for side by side.
const AT_ONCE: usize = 8;

/// Reads these people.
///
/// # Errors
/// When a call fails for good, or hsmc is asked to stop.
pub async fn read(workspace: &Workspace, people: &[Person]) -> Result<BTreeMap<PersonId, Present>, RunError> {
    let records: Vec<RecordId> = people.iter().filter_map(|person| person.record).collect();
    let (members, (contacts, lists)) =
        futures::try_join!(members(workspace, people), contacts(workspace, &records))?;
    let mut out_by_address = BTreeSet::new();
    for person in people {
        let contact = person.record.and_then(|record| contacts.get(&record));
        let member = person.member_email().and_then(|email| members.get(&email.hash()));
        let Some(member) = member.filter(|member| member.status == MemberStatus::Archived) else { continue };
        if contact.and_then(Contact::email).as_ref() != Some(&member.email)
            && is_opted_out(workspace, &member.email).await?
        {
            out_by_address.insert(person.id);
        }
    }
    let present = |person: &Person| {
        let member = person.member_email().and_then(|email| members.get(&email.hash())).cloned();
        let contact = person.record.and_then(|record| contacts.get(&record)).cloned();
        // Without its contact, what is said of a record may be somebody else's.
        let lists =
            person.record.filter(|_| contact.is_some()).and_then(|record| lists.get(&record)).cloned();
        let opted_out_by_address = out_by_address.contains(&person.id);
        (person.id, Present { member, contact, lists, opted_out_by_address })
    };
    Ok(people.iter().map(present).collect())
}

/// Whether HubSpot keeps an opt-out under an address that no contact read here has: it shows in none (HubSpot contract §12).
async fn is_opted_out(workspace: &Workspace, email: &Email) -> Result<bool, RunError> {
    let narrower = workspace.rules.opt_out_scopes.iter().copied().filter(|scope| *scope != OptOutScope::All);
    for scope in std::iter::once(OptOutScope::All).chain(narrower) {
        let crm = &workspace.shared.crm;
        let ask = || crm.is_opted_out(Priority::HandOver, email, scope);
        if patiently(workspace, Service::HubSpot, ask).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

type Contacts = BTreeMap<RecordId, Contact>;
type Lists = BTreeMap<RecordId, BTreeSet<ListId>>;

/// Contacts under the very record asked for, and their lists: a survivor of a merge is somebody else's to judge.
async fn contacts(workspace: &Workspace, records: &[RecordId]) -> Result<(Contacts, Lists), RunError> {
    let crm = &workspace.shared.crm;
    let (mut contacts, mut lists) = (BTreeMap::new(), BTreeMap::new());
    for chunk in records.chunks(BATCH) {
        let found =
            patiently(workspace, Service::HubSpot, || crm.contacts(Priority::HandOver, chunk)).await?;
        contacts.extend(found.into_iter().map(|contact| (contact.record, contact)));
        lists.extend(
            patiently(workspace, Service::HubSpot, || crm.memberships_of(Priority::HandOver, chunk)).await?,
        );
    }
    Ok((contacts, lists))
}

async fn members(
    workspace: &Workspace,
    people: &[Person],
) -> Result<BTreeMap<SubscriberHash, Member>, RunError> {
    let audience = &workspace.shared.audience;
    let wanted: BTreeSet<SubscriberHash> =
        people.iter().filter_map(Person::member_email).map(|email| email.hash()).collect();
    if wanted.len() <= SINGLY {
        let found: Vec<Option<Member>> = futures::stream::iter(wanted)
            .map(|hash| {
                patiently(workspace, Service::Mailchimp, move || audience.member(Priority::HandOver, hash))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        return Ok(found.into_iter().flatten().map(|member| (member.hash(), member)).collect());
    }
    let mut found = BTreeMap::new();
    for status in [None, Some(MemberStatus::Archived)] {
        let query = MemberQuery { status, ..MemberQuery::default() };
        let mut after = None;
        loop {
            let page = patiently(workspace, Service::Mailchimp, || {
                audience.members(Priority::HandOver, &query, after.as_deref())
            })
            .await?;
            let ours = page.rows.into_iter().map(|member| (member.hash(), member));
            found.extend(ours.filter(|(hash, _)| wanted.contains(hash)));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    // People shift between pages: whom the listing missed is asked for alone.
    let missed: Vec<SubscriberHash> = wanted.into_iter().filter(|hash| !found.contains_key(hash)).collect();
    let singly: Vec<Option<Member>> = futures::stream::iter(missed)
        .map(|hash| {
            patiently(workspace, Service::Mailchimp, move || audience.member(Priority::HandOver, hash))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    found.extend(singly.into_iter().flatten().map(|member| (member.hash(), member)));
    Ok(found)
}
