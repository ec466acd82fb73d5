//! Probes: the reads that settle an unknown outcome, batched where a batch exists. A probe never guesses:
//! whom an answer does not name stays in doubt.

use super::away::audience_is_there;
use super::last_look::archived_meanwhile;
use super::list::urgency;
use super::outcome::{holds, in_doubt, of_failure, refused};
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::SubscriberHash;
use crate::domain::event::{Direction, StepOutcome};
use crate::domain::failure::RefusalCode;
use crate::domain::id::{ListId, RecordId};
use crate::domain::member::{Member, MemberStatus};
use crate::domain::person::Person;
use crate::domain::port::{CallResult, MemberQuery, Priority};
use crate::domain::step::{Before, Step, Target};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// Up to so many members are read one by one; above it, what has changed since is listed first.
const SINGLY: usize = 20;
/// Listings may lag behind single reads (Mailchimp contract §17.8).
const OVERLAP: Duration = Duration::from_secs(300);
/// What is known of the difference between two clocks is not known to the second.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);
/// So long after hsmc noted its own archive, Mailchimp may date it.
const ARCHIVE_SHOWS: Duration = Duration::from_secs(30);

/// Probes one batch of a lane. Every item is answered.
pub async fn probe(shared: &Shared, target: &Target, ready: Vec<Ready>) {
    if ready.is_empty() {
        return;
    }
    match target {
        Target::List(list) => lists(shared, *list, ready).await,
        Target::Contacts => contacts(shared, ready).await,
        Target::ContactOptOut => opt_outs(shared, ready).await,
        Target::Audience | Target::AudienceOptOut | Target::Tag(_) => members(shared, ready).await,
        Target::Local => {
            for one in ready {
                one.item.settle_all(StepOutcome::Done).await;
            }
        }
    }
}

async fn lists(shared: &Shared, list: ListId, ready: Vec<Ready>) {
    let mut rest = ready;
    while !rest.is_empty() {
        let part: Vec<Ready> = rest.drain(..rest.len().min(100)).collect();
        let records: Vec<RecordId> = part.iter().filter_map(|one| one.person.record).collect();
        let answer = shared.crm.memberships_of(urgency(&part), &records).await;
        for one in part {
            let outcome = match (&answer, one.person.record) {
                (Err(failure), _) => again(shared, failure),
                (Ok(found), Some(record)) => match found.get(&record) {
                    Some(lists) => {
                        let wanted = matches!(one.step.step, Step::JoinList { .. });
                        holds(lists.contains(&list) == wanted)
                    }
                    None => unnamed(shared, &one, list, record).await,
                },
                (Ok(_), None) => refused(RefusalCode::NotFound, "the person has no HubSpot record"),
            };
            one.item.settle_all(outcome).await;
        }
    }
}

/// A record the probe's answer has no entry for: gone, merged into another, or just not answered.
async fn unnamed(shared: &Shared, one: &Ready, list: ListId, record: RecordId) -> StepOutcome {
    match shared.crm.contact(one.item.priority, record).await {
        Ok(None) if matches!(one.step.step, Step::LeaveList { .. }) => StepOutcome::Done,
        Ok(None) => gone(one),
        Ok(Some(contact)) if contact.record != record => survivor(shared, one, list, contact.record).await,
        Ok(Some(_)) => not_named(shared, one),
        Err(failure) => again(shared, &failure),
    }
}

/// Where the record is gone nothing can be done; and nothing is left that could be taken back.
fn gone(one: &Ready) -> StepOutcome {
    match one.item.direction {
        Direction::Forward => refused(RefusalCode::NotFound, "HubSpot has no such record"),
        Direction::Undo => StepOutcome::Done,
    }
}

fn not_named(shared: &Shared, one: &Ready) -> StepOutcome {
    in_doubt(shared, one.item.attempts, "the probe's answer does not name this person".to_owned())
}

/// A merged contact is followed to the survivor (design §8), which has taken its memberships over: what holds of it
/// holds of the person, and further steps are about it.
async fn survivor(shared: &Shared, one: &Ready, list: ListId, survivor: RecordId) -> StepOutcome {
    let looked = async {
        let found = shared.crm.memberships_of(one.item.priority, &[survivor]).await?;
        if found.contains_key(&survivor) {
            super::contacts::remember_record(shared, one, survivor).await?;
        }
        Ok(found)
    };
    match looked.await {
        Ok(found) => match found.get(&survivor) {
            Some(lists) => holds(lists.contains(&list) == matches!(one.step.step, Step::JoinList { .. })),
            None => not_named(shared, one),
        },
        Err(failure) => again(shared, &failure),
    }
}

fn again(shared: &Shared, failure: &crate::domain::failure::CallFailure) -> StepOutcome {
    // Whatever kept the probe from an answer, the step is as much in doubt as before.
    match of_failure(shared, failure, 2) {
        StepOutcome::RetryAt { at, why, .. } => StepOutcome::InDoubt { probe_at: at, why },
        StepOutcome::Refused(refusal) => in_doubt(shared, 4, refusal.to_string()),
        other => other,
    }
}

async fn contacts(shared: &Shared, ready: Vec<Ready>) {
    futures::stream::iter(ready)
        .for_each_concurrent(shared.settings.singles_at_once.max(1), |one| async move {
            let outcome = contact(shared, &one).await.unwrap_or_else(|failure| again(shared, &failure));
            one.item.settle_all(outcome).await;
        })
        .await;
}

async fn contact(shared: &Shared, one: &Ready) -> CallResult<StepOutcome> {
    let priority = one.item.priority;
    match &one.step.step {
        Step::SetProperty { property, value } => {
            let Some(record) = one.person.record else {
                return Ok(refused(RefusalCode::NotFound, "the person has no HubSpot record"));
            };
            Ok(match shared.crm.contact(priority, record).await? {
                Some(contact) => holds(contact.properties.get(property).map_or("", String::as_str) == value),
                None => gone(one),
            })
        }
        Step::EraseContact { record } => Ok(holds(shared.crm.contact(priority, *record).await?.is_none())),
        _ => {
            let Some(email) = one.person.email.clone() else {
                return Ok(refused(RefusalCode::InvalidAddress, "the person has no address"));
            };
            let found = shared.crm.contacts_by_email(priority, &[email]).await?;
            if let Some(contact) = found.first() {
                super::contacts::remember_record(shared, one, contact.record).await?;
            }
            Ok(holds(!found.is_empty()))
        }
    }
}

async fn opt_outs(shared: &Shared, ready: Vec<Ready>) {
    futures::stream::iter(ready)
        .for_each_concurrent(shared.settings.singles_at_once.max(1), |one| async move {
            let outcome = opt_out(shared, &one).await.unwrap_or_else(|failure| again(shared, &failure));
            one.item.settle_all(outcome).await;
        })
        .await;
}

async fn opt_out(shared: &Shared, one: &Ready) -> CallResult<StepOutcome> {
    let emails = super::opt_out::consent_addresses(shared, &one.person).await?;
    let Step::OptOut { scope } = one.step.step else { return Ok(holds(false)) };
    if emails.is_empty() {
        return Ok(refused(RefusalCode::InvalidAddress, "the person has no address"));
    }
    for email in emails {
        if !shared.crm.is_opted_out(Priority::OptOut, &email, scope).await? {
            return Ok(holds(false));
        }
    }
    Ok(holds(true))
}

/// Steps on members: one read tells status, tags and merge fields.
async fn members(shared: &Shared, ready: Vec<Ready>) {
    let listed = if ready.len() > SINGLY {
        changed(shared, &ready).await.unwrap_or_default()
    } else {
        BTreeMap::new()
    };
    let listed = &listed;
    futures::stream::iter(ready)
        .for_each_concurrent(shared.settings.singles_at_once.max(1), |one| async move {
            let Some(hash) = one.member_hash() else {
                one.item.settle_all(refused(RefusalCode::InvalidAddress, "the person has no address")).await;
                return;
            };
            if one.step.step == Step::EraseMember {
                let gone = super::erase::is_gone(shared, &one).await;
                one.item.settle_all(gone.map_or_else(|failure| again(shared, &failure), holds)).await;
                return;
            }
            // A listing may lag: what it shows as done is done; what it does not show is asked for singly.
            if let Some(member) = listed.get(&hash)
                && member_holds(&one.step.step, &one.step.before, &one.person, Some(member))
            {
                one.item.settle_all(StepOutcome::Done).await;
                return;
            }
            let outcome = match shared.audience.member(one.item.priority, hash).await {
                // Nobody there is an answer to this, unless nothing is there.
                Ok(None) if member_holds(&one.step.step, &one.step.before, &one.person, None) => {
                    let there = audience_is_there(shared).await;
                    there.map_or_else(|failure| again(shared, &failure), |()| StepOutcome::Done)
                }
                Ok(Some(member)) if is_archived_since(shared, &one, &member) => {
                    StepOutcome::Refused(archived_meanwhile())
                }
                Ok(member) => {
                    holds(member_holds(&one.step.step, &one.step.before, &one.person, member.as_ref()))
                }
                Err(failure) => again(shared, &failure),
            };
            one.item.settle_all(outcome).await;
        })
        .await;
}

/// Whether an archived member has changed since hsmc archived them, or since the call that was to bring them back left: it
/// has brought them back, and another hand has archived them again. Whatever they did in between, nothing shows it (R6).
fn is_archived_since(shared: &Shared, one: &Ready, member: &Member) -> bool {
    let brings_back = matches!(one.step.step, Step::RestoreMember { .. } | Step::ReturnMember { .. });
    let left = || Some(shared.audience_clock.offset().of_theirs(one.item.noted_at?).minus(CLOCKS_DIFFER));
    let known = match &one.person.archived {
        Some(archived) => Some(archived.at.plus(ARCHIVE_SHOWS)),
        // Others archived them, and an operator has settled that.
        None => left(),
    };
    let is_since = |changed| known.is_some_and(|known| changed > known);
    brings_back && member.status == MemberStatus::Archived && member.changed.is_some_and(is_since)
}

/// Members changed since the oldest of these calls was sent, archived ones too.
async fn changed(shared: &Shared, ready: &[Ready]) -> CallResult<BTreeMap<SubscriberHash, Member>> {
    let sent = ready.iter().filter_map(|one| one.item.sent_at).min().unwrap_or(shared.clock.now());
    let wanted: std::collections::BTreeSet<SubscriberHash> =
        ready.iter().filter_map(Ready::member_hash).collect();
    let mut found = BTreeMap::new();
    for status in [None, Some(MemberStatus::Archived)] {
        let query =
            MemberQuery { status, changed_since: Some(sent.minus(OVERLAP)), unsubscribed_since: None };
        let mut after = None;
        loop {
            let page = shared.audience.members(urgency(ready), &query, after.as_deref()).await?;
            found.extend(
                page.rows
                    .into_iter()
                    .map(|member| (member.hash(), member))
                    .filter(|(hash, _)| wanted.contains(hash)),
            );
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(found)
}

/// Whether a step holds of a member as read.
pub fn member_holds(step: &Step, before: &Before, person: &Person, member: Option<&Member>) -> bool {
    let active = member.filter(|member| member.status != MemberStatus::Archived);
    let has_fields = |member: &Member| {
        person.fields.iter().all(|(tag, value)| member.fields.get(tag).map_or("", String::as_str) == value)
    };
    match step {
        Step::UpsertMember { .. } if *before == Before::NotHeld => active.is_some(),
        Step::UpsertMember { .. } | Step::RefreshMember { .. } => member.is_some_and(has_fields),
        Step::RestoreMember { .. } | Step::ReturnMember { .. } | Step::RenameMember => active.is_some(),
        Step::SetTag { tag, .. } => active.is_some_and(|member| member.bears(tag)),
        Step::ClearTag { tag } => !member.is_some_and(|member| member.bears(tag)),
        Step::ArchiveMember => active.is_none(),
        Step::EraseMember => member.is_none(),
        Step::UnsubscribeMember => !active.is_some_and(|member| {
            matches!(
                member.status,
                MemberStatus::Subscribed | MemberStatus::Pending | MemberStatus::Transactional
            )
        }),
        Step::CreateContact
        | Step::JoinList { .. }
        | Step::LeaveList { .. }
        | Step::SetProperty { .. }
        | Step::OptOut { .. }
        | Step::RecordEvidence
        | Step::EraseContact { .. } => false,
    }
}
