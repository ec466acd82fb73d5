//! A tag's lane: bearers on and off.

use super::away::{audience_is_there, is_not_found};
use super::last_look::archived_meanwhile;
use super::list::urgency;
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::actors::reading::is_active;
use crate::domain::email::Email;
use crate::domain::failure::FailureClass;
use crate::domain::port::{CallResult, ItemOutcome, Priority};
use crate::domain::step::Delivery;
use crate::domain::tag::TagName;
use futures::{FutureExt, StreamExt};

/// Sets or clears the tag for all; one outcome for each, in order. Whom the batch's answer does not
/// name is asked for singly, by a call that is safe to repeat (Mailchimp contract §8).
pub async fn set(shared: &Shared, tag: &TagName, part: &[Ready], on: bool) -> CallResult<Vec<ItemOutcome>> {
    let priority = urgency(part);
    if let [only] = part {
        return Ok(vec![one(shared, only, tag, on, priority, Delivery::Loud).await?]);
    }
    if !on && shared.tags.find(tag).is_none() {
        // Asking for the segment would create the tag that is to be cleared.
        return each(shared, part, tag, on, priority).await;
    }
    let emails: Vec<Email> = part.iter().filter_map(|ready| ready.member_email().cloned()).collect();
    let (add, remove): (&[Email], &[Email]) = if on { (&emails, &[]) } else { (&[], &emails) };
    let segment = shared.tags.resolve(shared.audience.as_ref(), priority, tag).await?;
    let answer = match shared.audience.tag_many(priority, segment, add, remove).await {
        // Deleted since it was read: nobody bears it any more, and whoever shall bear it needs a new one.
        Err(failure) if is_not_found(&failure) => {
            shared.tags.forget(segment);
            if !on {
                return each(shared, part, tag, on, priority).await;
            }
            let segment = shared.tags.resolve(shared.audience.as_ref(), priority, tag).await?;
            shared.audience.tag_many(priority, segment, add, remove).await?
        }
        answer => answer?,
    };
    let mut outcomes: Vec<ItemOutcome> = part
        .iter()
        .map(|ready| {
            let hash = ready.member_hash();
            hash.and_then(|hash| answer.get(&hash).cloned()).unwrap_or(ItemOutcome::Unknown)
        })
        .collect();
    let mut asked = Vec::new();
    for (index, ready) in part.iter().enumerate() {
        if outcomes.get(index) == Some(&ItemOutcome::Unknown) {
            asked.push(
                async move {
                    let outcome = one(shared, ready, tag, on, priority, Delivery::Loud).await;
                    (index, outcome.unwrap_or(ItemOutcome::Unknown))
                }
                .boxed(),
            );
        }
    }
    let settled: Vec<(usize, ItemOutcome)> =
        futures::stream::iter(asked).buffer_unordered(shared.settings.singles_at_once.max(1)).collect().await;
    for (index, outcome) in settled {
        if let Some(slot) = outcomes.get_mut(index) {
            *slot = outcome;
        }
    }
    Ok(outcomes)
}

async fn each(
    shared: &Shared,
    part: &[Ready],
    tag: &TagName,
    on: bool,
    priority: Priority,
) -> CallResult<Vec<ItemOutcome>> {
    let mut outcomes = Vec::with_capacity(part.len());
    for ready in part {
        outcomes.push(one(shared, ready, tag, on, priority, Delivery::Loud).await?);
    }
    Ok(outcomes)
}

/// Sets the tag without starting journeys: every undo is silent (design §3.15).
pub async fn set_silently(shared: &Shared, ready: &Ready, tag: &TagName) -> CallResult<ItemOutcome> {
    one(shared, ready, tag, true, ready.item.priority, Delivery::Silent).await
}

async fn one(
    shared: &Shared,
    ready: &Ready,
    tag: &TagName,
    on: bool,
    priority: Priority,
    delivery: Delivery,
) -> CallResult<ItemOutcome> {
    let Some(hash) = ready.member_hash() else { return Ok(ItemOutcome::Unknown) };
    // The batched call leaves out who is archived; this one would tag them.
    if on && delivery == Delivery::Loud && !is_active(shared, priority, hash).await? {
        audience_is_there(shared).await?;
        return Ok(ItemOutcome::Refused(archived_meanwhile()));
    }
    let _naming = if on { shared.tags.naming(std::slice::from_ref(tag)).await } else { None };
    let answer = shared.audience.tag_one(priority, hash, &[(tag.clone(), on)], delivery).await;
    if answer.as_ref().is_err_and(is_not_found) {
        audience_is_there(shared).await?;
    }
    match answer {
        Ok(()) => Ok(ItemOutcome::Done),
        // Nobody there bears nothing.
        Err(failure) if !on && is_not_found(&failure) => Ok(ItemOutcome::Done),
        Err(failure) if failure.class == FailureClass::Permanent => {
            Ok(ItemOutcome::Refused(failure.as_refusal()))
        }
        Err(failure) => Err(failure),
    }
}
