//! The last look before what cannot be taken back. Whatever makes somebody get mail leaves only while their consent on both sides
//! was read less than a minute ago (design §3.10), however long the step has waited: for a service, a pause, a
//! window, or a restart. Nobody is archived over an opt-out that came after the plan.

use super::outcome::{of_failure, refused};
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::SubscriberHash;
use crate::domain::event::{Direction, StepOutcome};
use crate::domain::failure::RefusalCode;
use crate::domain::id::{PersonId, RecordId};
use crate::domain::member::MemberStatus;
use crate::domain::port::{CallResult, MemberQuery, Priority};
use crate::domain::step::{Before, Delivery, Step};
use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Up to so many members are read one by one; above it, who opted out since is listed.
const SINGLY: usize = 20;
/// The same before an archive, where a listing of the two kinds costs as much.
const FEW: usize = 2;
/// How much earlier than the step was last sure of consent opt-outs are listed.
const OVERLAP: Duration = Duration::from_secs(300);

/// Whether a step, in the direction it is going, can make somebody get mail.
pub fn starts_mail(ready: &Ready) -> bool {
    match &ready.step.step {
        Step::SetTag { delivery, .. } => *delivery == Delivery::Loud,
        Step::RestoreMember { .. } | Step::ReturnMember { .. } => true,
        Step::UpsertMember { .. } => ready.step.before == Before::NotHeld,
        _ => false,
    }
}

/// Those who may get mail now. Who has opted out is refused, and where nobody can look, nothing is sent.
pub async fn last_look(shared: &Shared, ready: Vec<Ready>) -> Vec<Ready> {
    let now = shared.clock.now();
    let (sure, unsure): (Vec<Ready>, Vec<Ready>) =
        ready.into_iter().partition(|one| shared.looks.recent(one.item.person, now).is_some());
    if unsure.is_empty() {
        return sure;
    }
    let opted_out = match look(shared, &unsure).await {
        Ok(opted_out) => opted_out,
        Err(failure) => {
            for one in unsure {
                let outcome = of_failure(shared, &failure, one.item.attempts);
                one.item.settle_all(not_sent(outcome, now)).await;
            }
            return sure;
        }
    };
    let mut may = sure;
    for one in unsure {
        if opted_out.contains(&one.item.person) {
            let refusal = refused(RefusalCode::OptedOut, "opted out since the plan was made");
            one.item.settle_all(refusal).await;
        } else {
            shared.looks.note([one.item.person], now);
            may.push(one);
        }
    }
    may
}

/// A look that failed leaves nothing in doubt: the step itself was not sent.
fn not_sent(outcome: crate::domain::event::StepOutcome, now: Timestamp) -> crate::domain::event::StepOutcome {
    use crate::domain::event::StepOutcome;
    use crate::domain::failure::FailureClass;
    match outcome {
        StepOutcome::InDoubt { probe_at, why } => {
            StepOutcome::RetryAt { at: probe_at.max(now), class: FailureClass::Transient, why }
        }
        StepOutcome::Refused(refusal) => StepOutcome::RetryAt {
            at: now.plus(Duration::from_secs(60)),
            class: FailureClass::Misconfigured,
            why: format!("consent cannot be read: {refusal}"),
        },
        other => other,
    }
}

async fn look(shared: &Shared, unsure: &[Ready]) -> CallResult<BTreeSet<PersonId>> {
    let mut opted_out = in_hubspot(shared, unsure).await?;
    opted_out.extend(in_mailchimp(shared, unsure).await?);
    Ok(opted_out)
}

async fn in_hubspot(shared: &Shared, unsure: &[Ready]) -> CallResult<BTreeSet<PersonId>> {
    let by_record: BTreeMap<RecordId, PersonId> =
        unsure.iter().filter_map(|one| Some((one.person.record?, one.item.person))).collect();
    let records: Vec<RecordId> = by_record.keys().copied().collect();
    let mut found = BTreeSet::new();
    for chunk in records.chunks(100) {
        let contacts = shared.crm.contacts(Priority::HandOver, chunk).await?;
        let silent = contacts.iter().filter(|contact| contact.opted_out);
        found.extend(silent.filter_map(|contact| by_record.get(&contact.record)));
    }
    Ok(found)
}

async fn in_mailchimp(shared: &Shared, unsure: &[Ready]) -> CallResult<BTreeSet<PersonId>> {
    Ok(silent(shared, unsure, SINGLY).await?.into_keys().collect())
}

/// Whom Mailchimp has as unsubscribed or cleaned now, of these: read one by one when there are no more than
/// `singly`, else by listing who became so since the oldest of their plans.
async fn silent(
    shared: &Shared,
    ready: &[Ready],
    singly: usize,
) -> CallResult<BTreeMap<PersonId, MemberStatus>> {
    let by_hash: BTreeMap<SubscriberHash, PersonId> =
        ready.iter().filter_map(|one| Some((one.member_hash()?, one.item.person))).collect();
    let mut found = BTreeMap::new();
    if by_hash.len() <= singly {
        for (hash, person) in by_hash {
            let member = shared.audience.member(Priority::HandOver, hash).await?;
            let status = member.map(|member| member.status).filter(is_silent);
            found.extend(status.map(|status| (person, status)));
        }
        return Ok(found);
    }
    let since = ready.iter().map(|one| one.item.planned_at).min().unwrap_or_default().minus(OVERLAP);
    let unsubscribed = MemberQuery {
        status: Some(MemberStatus::Unsubscribed),
        unsubscribed_since: Some(since),
        ..MemberQuery::default()
    };
    let cleaned = MemberQuery {
        status: Some(MemberStatus::Cleaned),
        changed_since: Some(since),
        ..MemberQuery::default()
    };
    for query in [unsubscribed, cleaned] {
        let mut after = None;
        loop {
            let page = shared.audience.members(Priority::HandOver, &query, after.as_deref()).await?;
            for member in &page.rows {
                let person = by_hash.get(&member.hash());
                found.extend(person.map(|person| (*person, member.status.clone())));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(found)
}

fn is_silent(status: &MemberStatus) -> bool {
    matches!(status, MemberStatus::Unsubscribed | MemberStatus::Cleaned)
}

/// Whether a step would hide a member's status for good: the archive of a move that goes forward.
pub fn hides_status(ready: &Ready) -> bool {
    ready.step.step == Step::ArchiveMember && ready.item.direction == Direction::Forward
}

/// Those who may be archived now. Once archived, nobody can see any more that they had opted out (Mailchimp
/// contract §6): whoever has, since the plan was made, is left as they are, and the next run tells HubSpot.
pub async fn look_before_archive(shared: &Shared, ready: Vec<Ready>) -> Vec<Ready> {
    // Whoever the plan saw as unsubscribed was told of before: their status is in the journal.
    let (seen_so, unsure): (Vec<Ready>, Vec<Ready>) = ready
        .into_iter()
        .partition(|one| matches!(&one.step.before, Before::Status(status) if is_silent(status)));
    if unsure.is_empty() {
        return seen_so;
    }
    let now = shared.clock.now();
    let silent = match silent(shared, &unsure, FEW).await {
        Ok(silent) => silent,
        Err(failure) => {
            for one in unsure {
                let outcome = of_failure(shared, &failure, one.item.attempts);
                one.item.settle_all(not_sent(outcome, now)).await;
            }
            return seen_so;
        }
    };
    let mut may = seen_so;
    for one in unsure {
        match silent.get(&one.item.person) {
            Some(_) => one.item.settle_all(StepOutcome::LeftTheirs).await,
            None => may.push(one),
        }
    }
    may
}
