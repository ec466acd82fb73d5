//! Questions a plan asks HubSpot after the scan: is there a contact with this address, and which
//! lists is this contact really in. In batches, several in flight; what is not answered is left out and
//! stays a question.

use super::context::ScanContext;
use super::crm::BATCH;
use super::error::ScanError;
use super::progress::{NoProgress, Source, Stop};
use super::reader::Reader;
use crate::domain::contact::Contact;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::failure::FailureClass;
use crate::domain::id::{ListId, PersonId, RecordId};
use crate::domain::port::{CrmAccount, Priority};
use crate::domain::rules::AddressConsent;
use crate::domain::step::OptOutScope;
use crate::sync::snapshot::{Found, Lists};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};

/// Who has these addresses, as their own or as a secondary one, and which of the scanned lists they are
/// in. An address that HubSpot does not know is answered with none; one whose answer is not complete
/// is left out.
///
/// # Errors
/// When a call is refused or keeps failing.
pub async fn look_up(
    ctx: &ScanContext,
    emails: &[Email],
    stop: &Stop,
) -> Result<BTreeMap<SubscriberHash, Option<Found>>, ScanError> {
    let reader = Reader { ctx, progress: &NoProgress, stop, in_vain: Stop::never() };
    let batches = emails.chunks(BATCH).map(<[_]>::to_vec).map(|chunk| ask(&reader, chunk));
    let mut answers: BTreeMap<SubscriberHash, Option<Contact>> = stream::iter(batches)
        .buffered(ctx.tuning.batches_at_once.max(1))
        .try_fold(BTreeMap::new(), |mut all, some| async move {
            all.extend(some);
            Ok(all)
        })
        .await?;
    let mut records: Vec<RecordId> = answers.values().flatten().map(|contact| contact.record).collect();
    records.sort_unstable();
    records.dedup();
    let lists = prove(ctx, &records, stop).await?;
    // In no list is an answer; no entry is none.
    answers.retain(|_, contact| contact.as_ref().is_none_or(|contact| lists.contains_key(&contact.record)));
    Ok(answers
        .into_iter()
        .map(|(hash, contact)| (hash, contact.map(|contact| with_lists(ctx, contact, &lists))))
        .collect())
}

/// The lists these contacts are in now. A record without an entry stays unproven.
///
/// # Errors
/// When a call is refused or keeps failing.
pub async fn prove(
    ctx: &ScanContext,
    records: &[RecordId],
    stop: &Stop,
) -> Result<BTreeMap<RecordId, BTreeSet<ListId>>, ScanError> {
    let reader = Reader { ctx, progress: &NoProgress, stop, in_vain: Stop::never() };
    let crm: &dyn CrmAccount = ctx.crm.as_ref();
    let batches: Vec<_> = records
        .chunks(BATCH)
        .map(|chunk| {
            reader.call(Source::Memberships, move || async move {
                crm.memberships_of(Priority::Scan, chunk).await
            })
        })
        .collect();
    stream::iter(batches)
        .buffered(ctx.tuning.batches_at_once.max(1))
        .try_fold(BTreeMap::new(), |mut all, some| async move {
            all.extend(some);
            Ok(all)
        })
        .await
}

/// What became of these records: the contact, under its survivor's number where it was merged, with the
/// scanned lists it is in; none when it was deleted. A record without a complete answer is left out.
///
/// # Errors
/// When a call is refused or keeps failing.
pub async fn trace(
    ctx: &ScanContext,
    records: &[RecordId],
    stop: &Stop,
) -> Result<BTreeMap<RecordId, Option<Found>>, ScanError> {
    let reader = Reader { ctx, progress: &NoProgress, stop, in_vain: Stop::never() };
    let crm: &dyn CrmAccount = ctx.crm.as_ref();
    let mut found: BTreeMap<RecordId, Option<Contact>> = BTreeMap::new();
    for chunk in records.chunks(BATCH) {
        let answer =
            reader.call(Source::LookUp, || async move { crm.contacts(Priority::Scan, chunk).await }).await?;
        found.extend(answer.into_iter().map(|contact| (contact.record, Some(contact))));
        // A batch leaves out who was deleted and who was merged; only asking for one tells which.
        for record in chunk.iter().copied().filter(|record| !found.contains_key(record)).collect::<Vec<_>>() {
            let one = reader
                .call(Source::LookUp, || async move { crm.contact(Priority::Scan, record).await })
                .await?;
            found.insert(record, one);
        }
    }
    found.retain(|record, _| records.contains(record));
    let alive: Vec<RecordId> = found.values().flatten().map(|contact| contact.record).collect();
    let lists = prove(ctx, &alive, stop).await?;
    found.retain(|_, contact| contact.as_ref().is_none_or(|contact| lists.contains_key(&contact.record)));
    Ok(found
        .into_iter()
        .map(|(record, contact)| (record, contact.map(|contact| with_lists(ctx, contact, &lists))))
        .collect())
}

/// Whether these addresses have opted out in HubSpot, of everything or of one of these scopes. One without an answer
/// is left out; so are all in a portal that refuses to say.
///
/// # Errors
/// When a call keeps failing.
pub async fn opted_out(
    ctx: &ScanContext,
    addresses: &[(PersonId, Email)],
    scopes: &[OptOutScope],
    stop: &Stop,
) -> Result<BTreeMap<PersonId, AddressConsent>, ScanError> {
    let reader = Reader { ctx, progress: &NoProgress, stop, in_vain: Stop::never() };
    let crm: &dyn CrmAccount = ctx.crm.as_ref();
    let mut found = BTreeMap::new();
    let narrower = scopes.iter().copied().filter(|scope| *scope != OptOutScope::All);
    let scopes: Vec<OptOutScope> = std::iter::once(OptOutScope::All).chain(narrower).collect();
    for (person, email) in addresses {
        let mut consent = Some(AddressConsent::NotOptedOut);
        for scope in scopes.iter().copied() {
            let ask = || async move { crm.is_opted_out(Priority::Scan, email, scope).await };
            match reader.call(Source::LookUp, ask).await {
                Ok(false) => {}
                Ok(true) => {
                    consent = Some(AddressConsent::OptedOut);
                    break;
                }
                Err(ScanError::Call { failure, .. }) if is_refused(failure.class) => consent = None,
                Err(error) => return Err(error),
            }
        }
        found.extend(consent.map(|consent| (*person, consent)));
    }
    Ok(found)
}

fn is_refused(class: FailureClass) -> bool {
    match class {
        FailureClass::Permanent | FailureClass::Misconfigured | FailureClass::TargetAway => true,
        FailureClass::Transient
        | FailureClass::RateLimited { .. }
        | FailureClass::InDoubt
        | FailureClass::Unauthorized => false,
    }
}

/// A contact with the scanned lists among those it is in.
fn with_lists(ctx: &ScanContext, contact: Contact, lists: &BTreeMap<RecordId, BTreeSet<ListId>>) -> Found {
    let all = lists.get(&contact.record).into_iter().flatten();
    let scanned: Lists = all.filter(|list| ctx.lists.contains(list)).map(|list| (*list, None)).collect();
    (contact, scanned)
}

/// One batch. The answer names contacts by their own address only, so whoever answers under another
/// address has one of those asked for as a secondary one: which, is found by asking for fewer.
async fn ask(
    reader: &Reader<'_>,
    emails: Vec<Email>,
) -> Result<BTreeMap<SubscriberHash, Option<Contact>>, ScanError> {
    let crm: &dyn CrmAccount = reader.ctx.crm.as_ref();
    let mut found = BTreeMap::new();
    let mut open: Vec<Vec<Email>> = vec![emails];
    while let Some(emails) = open.pop() {
        let asked = &emails;
        let answer = reader
            .call(Source::LookUp, || async move { crm.contacts_by_email(Priority::Scan, asked).await })
            .await?;
        let mut left: BTreeSet<&Email> = emails.iter().collect();
        let before = left.len();
        let mut others: Vec<Contact> = Vec::new();
        for contact in answer {
            match contact.email() {
                Some(own) if emails.contains(&own) => {
                    left.remove(&own);
                    found.insert(own.hash(), Some(contact));
                }
                _ => others.push(contact),
            }
        }
        let rest: Vec<Email> = left.into_iter().cloned().collect();
        match (rest.as_slice(), others.pop()) {
            ([], _) => {}
            ([last], Some(contact)) => {
                found.insert(last.hash(), Some(contact));
            }
            (_, Some(_)) => {
                let (one, two) = rest.split_at(rest.len() / 2);
                open.extend([one.to_vec(), two.to_vec()]);
            }
            // Somebody who answered may have another of these addresses too, and answers only once.
            (_, None) if rest.len() < before => open.push(rest),
            (_, None) => found.extend(rest.iter().map(|email| (email.hash(), None))),
        }
    }
    Ok(found)
}
