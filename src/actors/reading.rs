//! What both services say of people now, read again before anything that must not rest on an older look (design
//! §3.10): the one place that decides who may not get mail, and who is not to be taken away. Moves are looked at
//! before they begin, and steps once more before they leave; both by this.
//!
//! Never: a write, or a guess: whoever cannot be read is an error, and nothing is sent.

use super::context::Shared;
use crate::domain::contact::Contact;
use crate::domain::email::SubscriberHash;
use crate::domain::id::{PersonId, RecordId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::person::Person;
use crate::domain::port::{CallResult, MemberQuery, Page, Priority};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use crate::engine::retry::STALE_AFTER;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

/// Up to so many members are read one by one; above it, what became of members since is listed.
pub const SINGLY: usize = 20;
/// How far before the plan a listing of who has opted out begins. The clock here may be wrong, by minutes or by hours,
/// and is not the service's, and listings lag (Mailchimp contract §17); those of a day more are a page at most.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// Somebody to look at.
#[derive(Clone, Copy, Debug)]
pub struct Whom {
    /// Who.
    pub person: PersonId,
    /// Their contact.
    pub record: Option<RecordId>,
    /// Their member.
    pub member: Option<SubscriberHash>,
    /// The address that their contact has, as far as is known; none where it is another one than theirs anyway.
    pub address: Option<SubscriberHash>,
}

impl Whom {
    /// By what is remembered of the person.
    pub fn of(person: &Person) -> Whom {
        let member = person.member_email().map(|email| email.hash());
        let address = person.email.as_ref().filter(|_| person.second.is_none()).map(|email| email.hash());
        Whom { person: person.id, record: person.record, member, address }
    }
}

/// Why somebody may not get mail now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bar {
    /// Opted out on either side, or bounced.
    OptedOut,
    /// Archived: nobody sees what they had said before (R6).
    Archived,
    /// HubSpot has their contact no longer, deleted or merged into another: nobody sees what they had said there.
    Gone,
    /// Their contact has another address by now: nobody sees what they had said under the one before.
    Renamed,
}

/// Who may not get mail now, and when that was read.
#[derive(Clone, Debug)]
pub struct Barred {
    /// The older of both reads.
    pub read: Timestamp,
    /// Whom, and why.
    pub why: BTreeMap<PersonId, Bar>,
}

impl Barred {
    /// What the other side says of them, too. An opt-out counts before anything else.
    pub fn add(&mut self, others: BTreeMap<PersonId, Bar>) {
        for (person, bar) in others {
            let known = self.why.entry(person).or_insert(bar);
            *known = bar.min(*known);
        }
    }
}

/// What Mailchimp says of members that are not to get mail, and since when that was listed.
#[derive(Clone, Debug)]
struct Listing {
    since: Timestamp,
    read: Timestamp,
    status: BTreeMap<SubscriberHash, MemberStatus>,
}

/// Listings that still count, so that not every batch reads them anew.
#[derive(Default)]
pub struct Listings {
    silent: tokio::sync::Mutex<Option<Listing>>,
    protected: tokio::sync::Mutex<Option<(Timestamp, BTreeSet<SubscriberHash>)>>,
}

/// Whether a member of this status has no consent any more.
fn is_silent(status: &MemberStatus) -> bool {
    matches!(status, MemberStatus::Unsubscribed | MemberStatus::Cleaned)
}

fn bar_of(status: &MemberStatus) -> Option<Bar> {
    match status {
        MemberStatus::Archived => Some(Bar::Archived),
        status => is_silent(status).then_some(Bar::OptedOut),
    }
}

/// Who of these may not get mail: opted out on either side, bounced, or archived. `since` is how old the oldest
/// look at any of them may be.
///
/// # Errors
/// When a call fails.
pub async fn barred(shared: &Shared, people: &[Whom], since: Timestamp) -> CallResult<Barred> {
    let mut barred = barred_members(shared, people, since).await?;
    barred.add(barred_contacts(shared, people).await?);
    Ok(barred)
}

/// The same by what Mailchimp says.
///
/// # Errors
/// When a call fails.
pub async fn barred_members(shared: &Shared, people: &[Whom], since: Timestamp) -> CallResult<Barred> {
    let (read, status) = members(shared, people, since).await?;
    let bar = |one: &Whom| one.member.and_then(|hash| status.get(&hash)).and_then(bar_of);
    let why = people.iter().filter_map(|one| Some((one.person, bar(one)?))).collect();
    Ok(Barred { read, why })
}

/// The same by what HubSpot says.
///
/// # Errors
/// When a call fails.
pub async fn barred_contacts(shared: &Shared, people: &[Whom]) -> CallResult<BTreeMap<PersonId, Bar>> {
    let records: BTreeSet<RecordId> = people.iter().filter_map(|one| one.record).collect();
    let records: Vec<RecordId> = records.into_iter().collect();
    let mut found: BTreeMap<RecordId, Contact> = BTreeMap::new();
    for chunk in records.chunks(100) {
        let contacts: Vec<Contact> = shared.crm.contacts(Priority::HandOver, chunk).await?;
        found.extend(contacts.into_iter().map(|contact| (contact.record, contact)));
    }
    let bar = |one: &Whom| match found.get(&one.record?) {
        None => Some(Bar::Gone),
        Some(contact) if contact.opted_out => Some(Bar::OptedOut),
        Some(contact) => {
            let now = contact.email().map(|email| email.hash());
            one.address.zip(now).is_some_and(|(known, now)| known != now).then_some(Bar::Renamed)
        }
    };
    Ok(people.iter().filter_map(|one| Some((one.person, bar(one)?))).collect())
}

/// Whom an archive would hide: the status of each who is unsubscribed or cleaned now, read at this moment.
///
/// # Errors
/// When a call fails.
pub async fn silent(
    shared: &Shared,
    people: &[Whom],
    since: Timestamp,
    singly: usize,
) -> CallResult<BTreeSet<PersonId>> {
    let hashes = hashes(people);
    let status = if hashes.len() <= singly {
        one_by_one(shared, Priority::HandOver, hashes).await?
    } else {
        // Not the archived: after a thousand archives of a run they are pages, which say nothing of this.
        let since = since.minus(OVERLAP);
        list(shared, &[unsubscribed(since), changed(MemberStatus::Cleaned, since)]).await?
    };
    let is_so = |one: &&Whom| one.member.and_then(|hash| status.get(&hash)).is_some_and(is_silent);
    Ok(people.iter().filter(is_so).map(|one| one.person).collect())
}

/// Whose members are unsubscribed or cleaned now, however soon after: a listing may be a while behind (Mailchimp contract
/// §17), so whom it does not show as that is read singly.
///
/// # Errors
/// When a call fails.
pub async fn silent_now(
    shared: &Shared,
    people: &[Whom],
    since: Timestamp,
) -> CallResult<BTreeSet<PersonId>> {
    let mut rest = hashes(people);
    let mut status = BTreeMap::new();
    if rest.len() > SINGLY {
        let since = since.minus(OVERLAP);
        status = list(shared, &[unsubscribed(since), changed(MemberStatus::Cleaned, since)]).await?;
        rest.retain(|hash| !status.get(hash).is_some_and(is_silent));
    }
    status.extend(one_by_one(shared, Priority::OptOut, rest).await?);
    let is_so = |one: &&Whom| one.member.and_then(|hash| status.get(&hash)).is_some_and(is_silent);
    Ok(people.iter().filter(is_so).map(|one| one.person).collect())
}

/// Who of these bears a protected tag now.
///
/// # Errors
/// When a call fails.
pub async fn protected(shared: &Shared, people: &[Whom], singly: usize) -> CallResult<BTreeSet<PersonId>> {
    let protection = &shared.settings.protection;
    if protection.is_none() || people.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut found = BTreeSet::new();
    if people.len() <= singly {
        for one in people {
            let Some(hash) = one.member else { continue };
            let member = shared.audience.member(Priority::HandOver, hash).await?;
            if member.is_some_and(|member| member.tags.iter().any(|tag| protection.holds(tag))) {
                found.insert(one.person);
            }
        }
        return Ok(found);
    }
    let mut kept = shared.listings.protected.lock().await;
    let now = shared.clock.now();
    let bearers = match kept.take().filter(|(read, _)| *read <= now && now.since(*read) <= STALE_AFTER) {
        Some((read, bearers)) => kept.insert((read, bearers)),
        None => {
            let mut bearers = BTreeSet::new();
            for tag in shared.audience.tags(Priority::HandOver).await? {
                if protection.holds(&tag.name) && tag.member_count > 0 {
                    let all = |after: Option<String>| async move {
                        shared.audience.bearers(Priority::HandOver, tag.segment, after.as_deref()).await
                    };
                    each(all, |member| bearers.extend([member.hash()])).await?;
                }
            }
            kept.insert((now, bearers))
        }
    };
    let is_so = |one: &&Whom| one.member.is_some_and(|hash| bearers.1.contains(&hash));
    found.extend(people.iter().filter(is_so).map(|one| one.person));
    Ok(found)
}

/// The member of one address, if it may bear a tag that starts mail: there, and not archived.
///
/// # Errors
/// When the call fails.
pub async fn is_active(shared: &Shared, priority: Priority, hash: SubscriberHash) -> CallResult<bool> {
    let member = shared.audience.member(priority, hash).await?;
    Ok(member.is_some_and(|member| member.status != MemberStatus::Archived))
}

/// Who bears a tag now, of those that a listing shows: nobody a tag that is not there.
///
/// # Errors
/// When a call fails.
pub async fn bearers(shared: &Shared, tag: &TagName) -> CallResult<BTreeSet<SubscriberHash>> {
    let mut bearers = BTreeSet::new();
    if shared.tags.find(tag).is_none() {
        // Before the first scan of a process none is known.
        shared.tags.learn(&shared.audience.tags(Priority::HandOver).await?);
    }
    let Some(segment) = shared.tags.find(tag) else { return Ok(bearers) };
    let all = |after: Option<String>| async move {
        shared.audience.bearers(Priority::HandOver, segment, after.as_deref()).await
    };
    each(all, |member| bearers.extend([member.hash()])).await?;
    Ok(bearers)
}

/// Who has not confirmed yet and bears a tag: the listing of its bearers leaves them out (Mailchimp contract §8).
///
/// # Errors
/// When a call fails.
pub async fn pending_bearers(shared: &Shared, tag: &TagName) -> CallResult<BTreeSet<SubscriberHash>> {
    let query = &MemberQuery { status: Some(MemberStatus::Pending), ..MemberQuery::default() };
    let mut bearers = BTreeSet::new();
    let all = |after: Option<String>| async move {
        shared.audience.members(Priority::HandOver, query, after.as_deref()).await
    };
    each(all, |member| bearers.extend(member.bears(tag).then(|| member.hash()))).await?;
    Ok(bearers)
}

fn hashes(people: &[Whom]) -> BTreeSet<SubscriberHash> {
    people.iter().filter_map(|one| one.member).collect()
}

async fn one_by_one(
    shared: &Shared,
    priority: Priority,
    hashes: BTreeSet<SubscriberHash>,
) -> CallResult<BTreeMap<SubscriberHash, MemberStatus>> {
    let read = |hash| async move {
        let member = shared.audience.member(priority, hash).await?;
        Ok(member.map(|member| (hash, member.status)))
    };
    let at_once = shared.settings.singles_at_once.max(1);
    let found: Vec<_> = stream::iter(hashes).map(read).buffer_unordered(at_once).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The status of members, and when it was read: now of each of a few, else of all who became unsubscribed, cleaned or
/// archived since, by a listing that still counts.
async fn members(
    shared: &Shared,
    people: &[Whom],
    since: Timestamp,
) -> CallResult<(Timestamp, BTreeMap<SubscriberHash, MemberStatus>)> {
    let now = shared.clock.now();
    let hashes = hashes(people);
    if hashes.len() <= SINGLY {
        return Ok((now, one_by_one(shared, Priority::HandOver, hashes).await?));
    }
    let since = since.minus(OVERLAP);
    let mut kept = shared.listings.silent.lock().await;
    let counts = |listing: &Listing| {
        listing.since <= since && listing.read <= now && now.since(listing.read) < STALE_AFTER
    };
    if kept.as_ref().is_none_or(|listing| !counts(listing)) {
        *kept = None;
        let queries = [
            unsubscribed(since),
            changed(MemberStatus::Cleaned, since),
            changed(MemberStatus::Archived, since),
        ];
        *kept = Some(Listing { since, read: now, status: list(shared, &queries).await? });
    }
    Ok(kept.as_ref().map(|listing| (listing.read, listing.status.clone())).unwrap_or((now, BTreeMap::new())))
}

/// Who has unsubscribed in Mailchimp since then, and is not archived.
///
/// # Errors
/// When a call fails.
pub async fn unsubscribed_since(shared: &Shared, since: Timestamp) -> CallResult<BTreeSet<SubscriberHash>> {
    let query = &unsubscribed(since.minus(OVERLAP));
    let mut found = BTreeSet::new();
    let all = |after: Option<String>| async move {
        shared.audience.members(Priority::OptOut, query, after.as_deref()).await
    };
    each(all, |member| found.extend([member.hash()])).await?;
    Ok(found)
}

fn unsubscribed(since: Timestamp) -> MemberQuery {
    let status = Some(MemberStatus::Unsubscribed);
    MemberQuery { status, unsubscribed_since: Some(since), ..MemberQuery::default() }
}

fn changed(status: MemberStatus, since: Timestamp) -> MemberQuery {
    MemberQuery { status: Some(status), changed_since: Some(since), ..MemberQuery::default() }
}

async fn list(
    shared: &Shared,
    queries: &[MemberQuery],
) -> CallResult<BTreeMap<SubscriberHash, MemberStatus>> {
    let mut found = BTreeMap::new();
    for query in queries {
        let all = |after: Option<String>| async move {
            shared.audience.members(Priority::HandOver, query, after.as_deref()).await
        };
        each(all, |member| found.extend([(member.hash(), member.status)])).await?;
    }
    Ok(found)
}

/// Every member of every page.
async fn each<Fut: Future<Output = CallResult<Page<Member>>>>(
    page: impl Fn(Option<String>) -> Fut,
    mut each: impl FnMut(Member),
) -> CallResult<()> {
    let mut after = None;
    loop {
        let read = page(after).await?;
        read.rows.into_iter().for_each(&mut each);
        match read.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
