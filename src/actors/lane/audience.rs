//! The audience's lane: members created, refreshed, restored, renamed, archived.

use super::away;
use super::contacts::{Learned, remember};
use super::item::LaneItem;
use super::list::urgency;
use super::meanwhile;
use super::outcome::{in_doubt, of_failure, of_item};
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::SubscriberHash;
use crate::domain::event::StepOutcome;
use crate::domain::failure::{CallFailure, FailureClass, Refusal, RefusalCode, Service};
use crate::domain::member::MemberStatus;
use crate::domain::port::{BatchCall, BatchState, CallResult, ItemOutcome, NewMember, Priority, Subscribed};
use crate::domain::step::{Delivery, Step};
use crate::domain::tag::TagName;
use crate::domain::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long the answer of an asynchronous batch is awaited between looks, at most.
const LONGEST_LOOK: Duration = Duration::from_secs(15);
/// How long one poll stays with a batch, and how much later it is asked for again when it is not over then.
const LONGEST_STAY: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Looks at a batch that may fail one after another before its steps are probed one by one.
const LOOKS: u32 = 20;

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

/// A batch's 405 does not tell whether the member was archived before or cannot be archived: one more call
/// does.
async fn ask_again(shared: &Shared, item: &LaneItem) -> Option<StepOutcome> {
    let person = shared.journal.person(item.person).ok().flatten()?;
    let hash = person.member_email()?.hash();
    Some(match shared.audience.archive(item.priority, hash).await {
        Ok(answer) if cannot_be_archived(item, &answer) => StepOutcome::LeftTheirs,
        Ok(answer) => of_item(shared, Some(&archived(item, answer)), item.attempts),
        Err(failure) => of_failure(shared, &failure, item.attempts),
    })
}

fn is_missing(outcome: &ItemOutcome) -> bool {
    matches!(outcome, ItemOutcome::Refused(Refusal { code: RefusalCode::NotFound, .. }))
}

/// What the answer to an archive means: nobody there is as good as archived, and who was archived before our
/// only call was archived by somebody else; after an earlier call of ours it was that one.
fn archived(item: &LaneItem, outcome: ItemOutcome) -> ItemOutcome {
    match outcome {
        missing if is_missing(&missing) => ItemOutcome::AlreadyHeld,
        ItemOutcome::AlreadyHeld if item.attempts > 0 => ItemOutcome::Done,
        other => other,
    }
}

/// The call an asynchronous batch can carry for this step; none for steps that go singly whatever their
/// number.
pub fn bulk_call(ready: &Ready) -> Option<BatchCall> {
    ready.member_email()?;
    match &ready.step.step {
        Step::ArchiveMember => Some(BatchCall::Archive),
        Step::RefreshMember { .. } | Step::UpsertMember { .. } => {
            Some(BatchCall::Refresh(wire_fields(&ready.person.fields)))
        }
        Step::SetTag { tag, delivery: Delivery::Silent } => {
            Some(BatchCall::Tags { changes: vec![(tag.clone(), true)], delivery: Delivery::Silent })
        }
        _ => None,
    }
}

/// The name of a step in an asynchronous batch.
fn operation_id(item: &LaneItem) -> String {
    let index = item.first().map_or(0, |step| step.index.0);
    format!("{}.{index}.{:?}", item.id, item.direction)
}

/// Hands many calls to an asynchronous batch. Gives back those that have to go singly after all.
pub async fn submit(shared: &Shared, ready: Vec<Ready>) -> Vec<Ready> {
    let calls: Vec<_> = ready
        .iter()
        .filter_map(|one| {
            let email = one.member_email()?.clone();
            Some((operation_id(&one.item), email.hash(), Some(email), bulk_call(one)?))
        })
        .collect();
    let priority = urgency(&ready);
    let sent = shared.clock.now();
    let outcome = match shared.audience.submit(priority, &calls).await {
        Ok(ticket) => StepOutcome::Ticket(ticket),
        // Not every plan or stand-in has asynchronous batches.
        Err(failure) if matches!(failure.class, FailureClass::Permanent | FailureClass::Misconfigured) => {
            return ready;
        }
        Err(failure) if failure.class == FailureClass::InDoubt => {
            match find_lost(shared, priority, sent, calls.len()).await {
                Some(ticket) => StepOutcome::Ticket(ticket),
                None => in_doubt(shared, 0, failure.to_string()),
            }
        }
        Err(failure) => of_failure(shared, &failure, 0),
    };
    for one in ready {
        one.item.settle_all(outcome.clone()).await;
    }
    Vec::new()
}

/// A batch whose answer was lost is found by its moment and size, if it was taken (Mailchimp contract §18).
async fn find_lost(
    shared: &Shared,
    priority: Priority,
    sent: Timestamp,
    operations: usize,
) -> Option<String> {
    let batches = shared.audience.batches(priority).await.ok()?;
    let since = sent.minus(Duration::from_secs(2));
    let mut ours = batches.into_iter().filter(|batch| {
        usize::try_from(batch.operations) == Ok(operations) && batch.submitted.is_some_and(|at| at >= since)
    });
    let first = ours.next()?;
    ours.next().is_none().then_some(first.ticket)
}

/// Waits for an asynchronous batch and answers each of its steps. However many ask for the same batch, one
/// of them does the looking.
pub async fn poll(shared: &Shared, ticket: String, items: Vec<LaneItem>) {
    let priority = items.iter().map(|item| item.priority).min().unwrap_or(Priority::HandOver);
    meanwhile::remember_opt_outs(shared, &items).await;
    let shared_look = {
        let mut looks = shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, look| look.strong_count() > 0);
        match looks.get(&ticket).and_then(Weak::upgrade) {
            Some(look) => look,
            None => {
                let look = Arc::new(OnceCell::new());
                looks.insert(ticket.clone(), Arc::downgrade(&look));
                look
            }
        }
    };
    let state = shared_look.get_or_init(|| look(shared, priority, &ticket)).await;
    if matches!(state, Ok(BatchState::Running(_))) {
        meanwhile::remember_opt_outs(shared, &items).await;
    }
    let away = match state {
        Ok(BatchState::Finished(results))
            if results.values().any(|result| result.as_ref().is_ok_and(is_missing)) =>
        {
            away::audience_is_there(shared).await.err()
        }
        _ => None,
    };
    for item in items {
        let outcome = match state {
            Ok(BatchState::Finished(results)) => match (results.get(&operation_id(&item)), &away) {
                (Some(Ok(missing)), Some(failure)) if is_missing(missing) => {
                    of_failure(shared, failure, item.attempts)
                }
                (Some(Err(failure)), _) if failure.refusal == RefusalCode::NotRemovable => {
                    let why = "the batch's result does not say what the member has become".to_owned();
                    let asked = ask_again(shared, &item).await;
                    asked.unwrap_or_else(|| in_doubt(shared, item.attempts, why))
                }
                (result, _) => of_result(shared, result, &item),
            },
            // Nobody waits for it here: it may take hours, and an opt-out is not to wait for it either.
            Ok(BatchState::Running(_)) => {
                item.ask_again(shared.clock.now().plus(LOOK_AGAIN)).await;
                continue;
            }
            Ok(BatchState::Unknown) => {
                in_doubt(shared, 0, format!("the service knows nothing of batch {ticket} any more"))
            }
            Err(failure) => in_doubt(shared, 0, failure.to_string()),
        };
        item.settle_all(outcome).await;
    }
}

async fn look(shared: &Shared, priority: Priority, ticket: &str) -> CallResult<BatchState> {
    let mut wait = Duration::from_millis(500);
    let mut failures = 0;
    let (began, mut finished) = (shared.clock.now(), 0);
    loop {
        match shared.audience.batch(priority, ticket).await {
            Ok(BatchState::Running(now_finished)) => {
                if now_finished > finished {
                    shared.got_further();
                    finished = now_finished;
                }
                if shared.clock.now().since(began) > LONGEST_STAY {
                    return Ok(BatchState::Running(finished));
                }
                failures = 0;
            }
            // The batch goes on whether or not somebody can look.
            Err(failure)
                if failures < LOOKS
                    && matches!(
                        failure.class,
                        FailureClass::Transient | FailureClass::RateLimited { .. } | FailureClass::InDoubt
                    ) =>
            {
                failures += 1;
            }
            Err(failure) if failure.class == FailureClass::Permanent => return Ok(BatchState::Unknown),
            answer => return answer,
        }
        shared.clock.sleep(wait).await;
        wait = (wait * 2).min(LONGEST_LOOK);
    }
}

fn of_result(
    shared: &Shared,
    result: Option<&Result<ItemOutcome, CallFailure>>,
    item: &LaneItem,
) -> StepOutcome {
    match result {
        Some(Ok(outcome)) => of_item(shared, Some(&archived(item, outcome.clone())), item.attempts),
        Some(Err(failure)) => of_failure(shared, failure, item.attempts),
        None => in_doubt(shared, item.attempts, "the batch's result does not name this step".to_owned()),
    }
}
