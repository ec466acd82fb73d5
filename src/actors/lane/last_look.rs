//! The last look before what cannot be taken back. Whatever makes somebody get mail leaves only while their consent on
//! both sides was read less than a minute ago (design §3.10), however long the step has waited: for a service, a
//! pause, a window, or a restart. Nobody is archived over an opt-out, or over a protected tag, that came after the
//! plan.

use super::outcome::{of_failure, refused};
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::actors::reading::{Bar, Whom, barred, protected, silent};
use crate::domain::event::{Direction, StepOutcome};
use crate::domain::failure::{FailureClass, Refusal, RefusalCode};
use crate::domain::id::{PersonId, RecordId};
use crate::domain::member::MemberStatus;
use crate::domain::port::{CallResult, Priority};
use crate::domain::step::{Before, Delivery, Step};
use crate::domain::time::Timestamp;
use crate::engine::retry::STALE_AFTER;
use std::collections::BTreeSet;
use std::time::Duration;

/// Before an archive up to so many members are read one by one: a listing of the two kinds costs as much.
const FEW: usize = 2;

/// Whether a step, in the direction it is going, can make somebody get mail.
pub fn starts_mail(ready: &Ready) -> bool {
    match &ready.step.step {
        Step::SetTag { delivery, .. } => *delivery == Delivery::Loud,
        Step::RestoreMember { .. } | Step::ReturnMember { .. } => true,
        Step::UpsertMember { .. } => ready.step.before == Before::NotHeld,
        _ => false,
    }
}

/// Whether the step is for a member who is archived.
fn brings_back(ready: &Ready) -> bool {
    matches!(ready.step.step, Step::RestoreMember { .. } | Step::ReturnMember { .. })
}

fn whom(ready: &Ready) -> Whom {
    Whom { member: ready.member_hash(), ..Whom::of(&ready.person) }
}

/// The oldest plan of these.
fn planned(ready: &[Ready]) -> Timestamp {
    ready.iter().map(|one| one.item.planned_at).min().unwrap_or_default()
}

/// Those who may get mail now. Who has opted out is refused, and who was archived; where nobody can look, nothing is
/// sent.
pub async fn last_look(shared: &Shared, ready: Vec<Ready>) -> Vec<Ready> {
    let ready = still_wanted(shared, ready).await;
    let now = shared.clock.now();
    let (sure, unsure): (Vec<Ready>, Vec<Ready>) =
        ready.into_iter().partition(|one| shared.looks.recent(one.item.person, now).is_some());
    if unsure.is_empty() {
        return sure;
    }
    let people: Vec<Whom> = unsure.iter().map(whom).collect();
    let barred = match barred(shared, &people, planned(&unsure)).await {
        Ok(barred) => barred,
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
        match barred.why.get(&one.item.person) {
            Some(Bar::OptedOut) => {
                let refusal = refused(RefusalCode::OptedOut, "opted out since the plan was made");
                one.item.settle_all(refusal).await;
            }
            Some(Bar::Gone) => {
                let refusal = refused(RefusalCode::NotFound, "HubSpot has the contact no longer");
                one.item.settle_all(refusal).await;
            }
            Some(Bar::Renamed) => {
                let refusal = refused(RefusalCode::Unwanted, "the contact has another address by now");
                one.item.settle_all(refusal).await;
            }
            Some(Bar::Archived) if !brings_back(&one) => {
                one.item.settle_all(StepOutcome::Refused(archived_meanwhile())).await;
            }
            Some(Bar::Archived) | None => {
                shared.looks.note([one.item.person], barred.read);
                may.push(one);
            }
        }
    }
    may
}

/// Of those whose enrolment was planned more than a minute ago: who is still in its source list, and in no list that
/// stands against it (R1, R12, R16). The others are refused; where nobody can look, nothing is sent.
async fn still_wanted(shared: &Shared, ready: Vec<Ready>) -> Vec<Ready> {
    let now = shared.clock.now();
    let has_waited = |one: &Ready| {
        one.item.enrolls_from.is_some()
            && one.item.direction == Direction::Forward
            && (one.item.planned_at > now || now.since(one.item.planned_at) > STALE_AFTER)
    };
    let (waited, mut may): (Vec<Ready>, Vec<Ready>) = ready.into_iter().partition(has_waited);
    let mut rest = waited;
    while !rest.is_empty() {
        let part: Vec<Ready> = rest.drain(..rest.len().min(100)).collect();
        let records: Vec<RecordId> = part.iter().filter_map(|one| one.person.record).collect();
        if records.is_empty() {
            may.extend(part);
            continue;
        }
        let lists = match shared.crm.memberships_of(Priority::HandOver, &records).await {
            Ok(lists) => lists,
            Err(failure) => {
                for one in part {
                    let outcome = of_failure(shared, &failure, one.item.attempts);
                    one.item.settle_all(not_sent(outcome, now)).await;
                }
                continue;
            }
        };
        for one in part {
            let lists = one.person.record.and_then(|record| lists.get(&record));
            let from = one.item.enrolls_from;
            let why_not =
                from.zip(lists).and_then(|(from, lists)| shared.settings.barring.why_not(from, lists));
            match why_not {
                Some(why) => one.item.settle_all(refused(RefusalCode::Unwanted, &why)).await,
                None => may.push(one),
            }
        }
    }
    may
}

/// Somebody archived the member since the plan was made: nothing is done for them, and nobody brings them back (R6).
pub fn archived_meanwhile() -> Refusal {
    let message = "archived by somebody else since the plan was made".to_owned();
    Refusal { code: RefusalCode::Archived, message }
}

/// A look that failed leaves nothing in doubt: the step itself was not sent.
fn not_sent(outcome: StepOutcome, now: Timestamp) -> StepOutcome {
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

/// Whether a step would hide a member's status for good: an archive, as planned or of whom a move has made that is
/// being unwound.
pub fn hides_status(ready: &Ready) -> bool {
    ready.step.step == Step::ArchiveMember
}

/// Those who may be archived now. Once archived, nobody can see any more that they had opted out (Mailchimp
/// contract §6): whoever has, since the plan was made, is left as they are, and the next run tells HubSpot. So is who
/// bears a protected tag by now.
pub async fn look_before_archive(shared: &Shared, ready: Vec<Ready>) -> Vec<Ready> {
    if ready.is_empty() {
        return ready;
    }
    let now = shared.clock.now();
    let spared = match spared(shared, &ready).await {
        Ok(spared) => spared,
        Err(failure) => {
            for one in ready {
                let outcome = of_failure(shared, &failure, one.item.attempts);
                one.item.settle_all(not_sent(outcome, now)).await;
            }
            return Vec::new();
        }
    };
    let mut may = Vec::with_capacity(ready.len());
    for one in ready {
        match spared.contains(&one.item.person) {
            true => one.item.settle_all(StepOutcome::LeftTheirs).await,
            false => may.push(one),
        }
    }
    may
}

async fn spared(shared: &Shared, ready: &[Ready]) -> CallResult<BTreeSet<PersonId>> {
    let all: Vec<Whom> = ready.iter().map(whom).collect();
    let mut spared = protected(shared, &all, FEW).await?;
    // Whoever the plan saw as unsubscribed was told of before: their status is in the journal.
    let was_silent = |one: &&Ready| {
        let silent = [MemberStatus::Unsubscribed, MemberStatus::Cleaned];
        matches!(&one.step.before, Before::Status(status) if silent.contains(status))
    };
    let unsure: Vec<Whom> = ready.iter().filter(|one| !was_silent(one)).map(whom).collect();
    if !unsure.is_empty() {
        spared.extend(silent(shared, &unsure, planned(ready), FEW).await?);
    }
    Ok(spared)
}
