//! Asynchronous batches of Mailchimp: many single calls handed over at once, and their answers fetched later.
//!
//! Promises: each step is settled by what the batch's result says of it, and by a look of its own where that says
//! nothing. Never: waiting here for a batch that takes long, or taking a batch whose answer was lost for one that was
//! not taken while it may still be (see [`LostBatch`]).

use super::audience::{archived, is_missing, wire_fields};
use super::away;
use super::item::LaneItem;
use super::list::urgency;
use super::meanwhile;
use super::outcome::{in_doubt, of_failure, of_item};
use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::event::StepOutcome;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode};
use crate::domain::lost_batch::LostBatch;
use crate::domain::member::MemberStatus;
use crate::domain::port::{BatchCall, BatchState, CallResult, ItemOutcome, Priority};
use crate::domain::step::{Delivery, Step};
use crate::domain::time::Timestamp;
use crate::engine::retry::still_running;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How old a batch is before it is first looked at: none is over at once, and each look is a call. Then the wait is doubled.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How long the answer of an asynchronous batch is awaited between looks, at most.
const LONGEST_LOOK: Duration = Duration::from_secs(15);
/// How long one poll stays with a batch, and how much later it is asked for again when it is not over then.
const LONGEST_STAY: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// So long it takes at most, while hsmc runs, until it is looked who of a batch unsubscribes.
pub const LOOKED_FOR_WITHIN: Duration = LONGEST_STAY.saturating_add(LOOK_AGAIN);
/// Looks at a batch that may fail one after another before its steps are probed one by one.
const LOOKS: u32 = 20;

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
            let lost = LostBatch { sent, operations: calls.len() };
            let found = find(shared, priority, lost).await;
            StepOutcome::Ticket(found.unwrap_or_else(|| lost.ticket()))
        }
        Err(failure) => of_failure(shared, &failure, 0),
    };
    for one in ready {
        one.item.settle_all(outcome.clone()).await;
    }
    Vec::new()
}

/// Looks for a batch whose answer was lost, by its moment and size (Mailchimp contract §18). None of it, or two that
/// could be it, are no answer.
async fn find(shared: &Shared, priority: Priority, lost: LostBatch) -> Option<String> {
    let batches = shared.audience.batches(priority).await.ok()?;
    let since = lost.sent.minus(Duration::from_secs(2));
    let mut ours = batches.into_iter().filter(|batch| {
        usize::try_from(batch.operations) == Ok(lost.operations)
            && batch.submitted.is_some_and(|at| at >= since)
    });
    let first = ours.next()?;
    ours.next().is_none().then_some(first.ticket)
}

/// Asks for a lost batch as long as it may still be taken: it would archive whoever opts out meanwhile, so they are
/// watched as with any other. Whose batch is not found after that are looked at one by one.
async fn poll_lost(shared: &Shared, lost: LostBatch, items: Vec<LaneItem>) {
    meanwhile::remember_opt_outs(shared, &items).await;
    let priority = items.iter().map(|item| item.priority).min().unwrap_or(Priority::HandOver);
    let found = find(shared, priority, lost).await;
    let now = shared.clock.now();
    for item in items {
        match &found {
            Some(ticket) => item.settle_all(StepOutcome::Ticket(ticket.clone())).await,
            None if now.since(lost.sent) <= still_running() => item.ask_again(now.plus(LOOK_AGAIN)).await,
            None => {
                let why = "the answer to a batch was lost, and Mailchimp shows no such batch".to_owned();
                let outcome = in_doubt(shared, 0, why);
                item.settle_all(outcome).await;
            }
        }
    }
}

/// Waits for an asynchronous batch and answers each of its steps. However many ask for the same batch, one
/// of them does the looking.
pub async fn poll(shared: &Shared, ticket: String, items: Vec<LaneItem>) {
    if let Some(lost) = LostBatch::of(&ticket) {
        return poll_lost(shared, lost, items).await;
    }
    let priority = items.iter().map(|item| item.priority).min().unwrap_or(Priority::HandOver);
    let sent = items.iter().filter_map(|item| item.sent_at).max().unwrap_or_default();
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
    let state = shared_look.get_or_init(|| look(shared, priority, &ticket, sent)).await;
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
                    let asked = match is_only_call(&item) {
                        true => what_it_is(shared, &item).await,
                        // An earlier call of ours may have archived them.
                        false => None,
                    };
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

async fn look(shared: &Shared, priority: Priority, ticket: &str, sent: Timestamp) -> CallResult<BatchState> {
    let mut wait = FIRST_LOOK;
    let mut failures = 0;
    let (began, mut finished) = (shared.clock.now(), 0);
    let young = wait.saturating_sub(began.since(sent));
    if !young.is_zero() {
        shared.clock.sleep(young).await;
    }
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

/// Whether nothing but this batch has been sent for the step: handing it over counts as one call.
fn is_only_call(item: &LaneItem) -> bool {
    item.attempts <= 1
}

/// A batch's 405 does not tell whether the member was archived before or cannot be archived: a read does. Whom the batch
/// could not archive and who is archived, somebody else has; whoever can be archived by now is looked at afresh first.
async fn what_it_is(shared: &Shared, item: &LaneItem) -> Option<StepOutcome> {
    let person = shared.journal.person(item.person).ok().flatten()?;
    let member = shared.audience.member(item.priority, person.member_email()?.hash()).await.ok().flatten()?;
    match member.status {
        MemberStatus::Archived => Some(StepOutcome::AlreadyHeld),
        MemberStatus::Cleaned | MemberStatus::Pending => Some(StepOutcome::LeftTheirs),
        _ => None,
    }
}
