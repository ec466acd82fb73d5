//! The audience's lane: members created, refreshed, restored, renamed, archived.

use super::away;
use super::contacts::{Learned, remember};
use super::item::LaneItem;
use super::list::urgency;
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::SubscriberHash;
use crate::domain::failure::{Refusal, RefusalCode, Service};
use crate::domain::member::MemberStatus;
use crate::domain::port::{CallResult, ItemOutcome, NewMember, Subscribed};
use crate::domain::step::Step;
use crate::domain::tag::TagName;
use std::collections::BTreeMap;

/// Creates members with their tags; one outcome for each, in order. An existing member is left alone by
/// this call; whether that is our own earlier call is looked at, singly.
pub async fn subscribe(shared: &Shared, part: &[Ready]) -> CallResult<Vec<ItemOutcome>> {
    let members: Vec<NewMember> = part.iter().filter_map(new_member).collect();
    let tags: Vec<TagName> = members.iter().flat_map(|member| member.tags.iter().cloned()).collect();
    let naming = shared.tags.naming(&tags).await;
    let Subscribed { outcomes: answer, numbers } = shared.audience.subscribe(urgency(part), &members).await?;
    drop(naming);
    remember_numbers(shared, part, &numbers).await?;
    let mut outcomes = Vec::with_capacity(part.len());
    for ready in part {
        let hash = ready.member_hash();
        let item = hash.and_then(|hash| answer.get(&hash).cloned()).unwrap_or(ItemOutcome::Unknown);
        outcomes.push(match (item, ready.item.attempts) {
            // A call sent before may have created them: only a look can tell.
            (ItemOutcome::Refused(Refusal { code: RefusalCode::AlreadyExists, .. }), attempts)
                if attempts > 0 =>
            {
                ItemOutcome::Unknown
            }
            (item, _) => item,
        });
    }
    Ok(outcomes)
}

/// Makes Mailchimp's own numbers of new members durable in their people's memory: by them they are found again where
/// somebody gives them another address before the next scan (R10).
async fn remember_numbers(
    shared: &Shared,
    part: &[Ready],
    numbers: &BTreeMap<SubscriberHash, String>,
) -> CallResult<()> {
    let number = |ready: &Ready| numbers.get(&ready.member_hash()?).cloned();
    let learned =
        part.iter().filter_map(|ready| Some((ready.item.person, Learned::Number(number(ready)?)))).collect();
    remember(shared, learned, Service::Mailchimp, "remember the new members' numbers").await
}

fn new_member(ready: &Ready) -> Option<NewMember> {
    let email = ready.member_email()?.clone();
    let pending = matches!(ready.step.step, Step::UpsertMember { pending: true, .. });
    let tags = ready
        .item
        .steps
        .iter()
        .filter_map(|step| match &step.step {
            Step::SetTag { tag, .. } => Some(tag.clone()),
            _ => None,
        })
        .collect();
    let status = if pending { MemberStatus::Pending } else { MemberStatus::Subscribed };
    Some(NewMember { email, status, fields: wire_fields(&ready.person.fields), tags })
}

/// Merge-field values as the wire takes them: an address is an object, everything else a string.
pub fn wire_fields(fields: &BTreeMap<String, String>) -> BTreeMap<String, serde_json::Value> {
    fields
        .iter()
        .map(|(tag, value)| {
            let object = value.starts_with('{').then(|| serde_json::from_str(value).ok()).flatten();
            let value = match object {
                Some(object @ serde_json::Value::Object(_)) => object,
                _ => serde_json::Value::String(value.clone()),
            };
            (tag.clone(), value)
        })
        .collect()
}

/// One member, one call.
pub async fn single(shared: &Shared, ready: &Ready) -> CallResult<ItemOutcome> {
    let Some(email) = ready.member_email() else { return Ok(ItemOutcome::Unknown) };
    let priority = ready.item.priority;
    let audience = shared.audience.as_ref();
    match &ready.step.step {
        Step::ArchiveMember => {
            let answer = audience.archive(priority, email.hash()).await?;
            if is_missing(&answer) {
                away::audience_is_there(shared).await?;
            }
            return Ok(archived(&ready.item, answer));
        }
        Step::RestoreMember { .. } => {
            let fields = wire_fields(&ready.person.fields);
            audience.restore(priority, email, &MemberStatus::Subscribed, &fields).await?
        }
        Step::ReturnMember { status } => {
            audience.restore(priority, email, status, &BTreeMap::new()).await?;
        }
        Step::RenameMember => {
            let Some(old) = &ready.person.previous_email else { return Ok(ItemOutcome::Done) };
            audience.rename(priority, old.hash(), email).await?;
        }
        // Of an existing member only merge fields are written, never a status (R5).
        _ => audience.refresh(priority, email, &wire_fields(&ready.person.fields)).await?,
    }
    Ok(ItemOutcome::Done)
}

/// Whether a member is cleaned or pending by now, which Mailchimp does not archive (405): they are left as they
/// are, and the next run sees what they have become.
pub fn cannot_be_archived(item: &LaneItem, outcome: &ItemOutcome) -> bool {
    let archives = item.first().is_some_and(|step| step.step == Step::ArchiveMember);
    let unremovable =
        matches!(outcome, ItemOutcome::Refused(Refusal { code: RefusalCode::NotRemovable, .. }));
    archives && unremovable
}

/// Whether nobody is there to whom it could be done.
pub fn is_missing(outcome: &ItemOutcome) -> bool {
    matches!(outcome, ItemOutcome::Refused(Refusal { code: RefusalCode::NotFound, .. }))
}

/// What the answer to an archive means: nobody there is as good as archived, and who was archived before our
/// only call was archived by somebody else; after an earlier call of ours it was that one.
pub fn archived(item: &LaneItem, outcome: ItemOutcome) -> ItemOutcome {
    match outcome {
        missing if is_missing(&missing) => ItemOutcome::AlreadyHeld,
        ItemOutcome::AlreadyHeld if item.attempts > 0 => ItemOutcome::Done,
        other => other,
    }
}
