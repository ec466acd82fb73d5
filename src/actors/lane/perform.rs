//! One batch of a lane: sorted by what is to be done, each part by its cheapest call, every step answered.

use super::item::{LaneItem, LaneStep, Work};
use super::last_look::{hides_status, last_look, look_before_archive, starts_mail};
use super::outcome::{of_failure, of_item, refused};
use super::{audience, away, bulk, contacts, erase, list, opt_out, probe, tag};
use crate::actors::context::Shared;
use crate::actors::leave_by::leaving_by;
use crate::domain::email::{Email, SubscriberHash};
use crate::domain::event::StepOutcome;
use crate::domain::failure::{FailureClass, RefusalCode};
use crate::domain::id::StepIndex;
use crate::domain::person::Person;
use crate::domain::port::{CallResult, ItemOutcome};
use crate::domain::step::{Before, Delivery, Step, Target};
use crate::domain::time::Timestamp;
use crate::engine::retry::STALE_AFTER;
use crate::failpoint;
use futures::StreamExt;
use futures::future::join_all;
use std::collections::BTreeMap;

/// Members of one call to Mailchimp (contract §8, §9).
const MEMBERS_A_CALL: usize = 500;

/// How many steps leave a lane together: as many as one call carries, and in the audience's, whose archives go in
/// asynchronous batches, as many as are worth one of these.
pub fn batch_limit(shared: &Shared, target: &Target) -> usize {
    let taken = match target {
        Target::List(_) => shared.crm.list_write_limit(),
        Target::Audience => 2 * MEMBERS_A_CALL,
        Target::Tag(_) | Target::AudienceOptOut => MEMBERS_A_CALL,
        Target::Contacts => 100,
        Target::ContactOptOut => 64,
        Target::Local => 1,
    };
    taken.min(shared.settings.lane_carries).max(1)
}

/// A lane's name for people.
pub fn lane_name(target: &Target) -> String {
    match target {
        Target::Audience => "audience".to_owned(),
        Target::AudienceOptOut => "audience opt-outs".to_owned(),
        Target::Tag(tag) => format!("tag \"{tag}\""),
        Target::List(list) => format!("list {list}"),
        Target::Contacts => "contacts".to_owned(),
        Target::ContactOptOut => "contact opt-outs".to_owned(),
        Target::Local => "local".to_owned(),
    }
}

/// An item whose person is known.
pub struct Ready {
    /// The item.
    pub item: LaneItem,
    /// Its first step: the only one but for a new member and their tags.
    pub step: LaneStep,
    /// The person, addresses included.
    pub person: Person,
}

impl Ready {
    /// The address the step's member has in Mailchimp: with a rename, the one it shall have.
    pub fn member_email(&self) -> Option<&Email> {
        match self.step.step {
            Step::RenameMember => self.person.email.as_ref(),
            _ => self.person.member_email(),
        }
    }

    /// The same as Mailchimp names it.
    pub fn member_hash(&self) -> Option<SubscriberHash> {
        self.member_email().map(Email::hash)
    }
}

/// The call that carries a part of a batch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Add to the lane's list.
    Join,
    /// Remove from the lane's list.
    Leave,
    /// Add the lane's tag.
    SetTag,
    /// Remove the lane's tag.
    ClearTag,
    /// Create members, with their tags.
    Subscribe,
    /// Unsubscribe members.
    Unsubscribe,
    /// Write properties.
    SetProperties,
    /// One call for each: everything else.
    Singly,
}

impl Verb {
    fn word(&self) -> &'static str {
        match self {
            Verb::Join => "join",
            Verb::Leave => "leave",
            Verb::SetTag => "set-tag",
            Verb::ClearTag => "clear-tag",
            Verb::Subscribe => "subscribe",
            Verb::Unsubscribe => "unsubscribe",
            Verb::SetProperties => "set-properties",
            Verb::Singly => "singly",
        }
    }

    fn of(step: &LaneStep) -> Verb {
        match &step.step {
            Step::JoinList { .. } => Verb::Join,
            Step::LeaveList { .. } => Verb::Leave,
            Step::SetTag { delivery: Delivery::Loud, .. } => Verb::SetTag,
            Step::ClearTag { .. } => Verb::ClearTag,
            Step::UpsertMember { .. } if step.before == Before::NotHeld => Verb::Subscribe,
            Step::UnsubscribeMember => Verb::Unsubscribe,
            Step::SetProperty { .. } if step.undoes.is_none() => Verb::SetProperties,
            Step::SetTag { delivery: Delivery::Silent, .. }
            | Step::UpsertMember { .. }
            | Step::RestoreMember { .. }
            | Step::RefreshMember { .. }
            | Step::RenameMember
            | Step::ArchiveMember
            | Step::CreateContact
            | Step::SetProperty { .. }
            | Step::OptOut { .. }
            | Step::RecordEvidence
            | Step::ReturnMember { .. }
            | Step::EraseMember
            | Step::EraseContact { .. } => Verb::Singly,
        }
    }
}

/// Performs, probes or polls one batch. Every item is answered.
pub async fn perform(shared: &Shared, target: &Target, batch: Vec<LaneItem>) {
    let mut by_verb: BTreeMap<Verb, Vec<Ready>> = BTreeMap::new();
    let (mut probes, mut mail, mut archives) = (Vec::new(), Vec::new(), Vec::new());
    let mut polls: BTreeMap<String, Vec<LaneItem>> = BTreeMap::new();
    for item in batch {
        if let Work::Poll { ticket } = &item.work {
            polls.entry(ticket.clone()).or_default().push(item);
            continue;
        }
        let Some(step) = item.first().cloned() else { continue };
        let person = match shared.journal.person(item.person) {
            Ok(Some(person)) => person,
            Ok(None) => {
                item.settle_all(refused(
                    RefusalCode::NotFound,
                    "the person's record is gone from the journal",
                ))
                .await;
                continue;
            }
            Err(error) => {
                let at = shared.clock.now().plus(shared.settings.retry.longest);
                let outcome =
                    StepOutcome::RetryAt { at, class: FailureClass::Transient, why: error.to_string() };
                item.settle_all(outcome).await;
                continue;
            }
        };
        let ready = Ready { item, step, person };
        match ready.item.work {
            Work::Probe => probes.push(ready),
            Work::Perform | Work::Poll { .. } if starts_mail(&ready) => mail.push(ready),
            Work::Perform | Work::Poll { .. } if hides_status(&ready) => archives.push(ready),
            Work::Perform | Work::Poll { .. } => {
                by_verb.entry(Verb::of(&ready.step)).or_default().push(ready);
            }
        }
    }
    let (mail, archives) = futures::join!(last_look(shared, mail), look_before_archive(shared, archives));
    let mut looked_at: BTreeMap<Verb, Timestamp> = BTreeMap::new();
    let now = shared.clock.now();
    let mail = mail.into_iter().map(|ready| (shared.looks.recent(ready.item.person, now), ready));
    for (looked, ready) in mail.chain(archives.into_iter().map(|ready| (None, ready))) {
        let (verb, looked) = (Verb::of(&ready.step), looked.unwrap_or(now));
        let oldest = looked_at.entry(verb.clone()).or_insert(looked);
        *oldest = looked.min(*oldest);
        by_verb.entry(verb).or_default().push(ready);
    }
    let looked_at = &looked_at;
    let verbs = join_all(by_verb.into_iter().map(|(verb, ready)| async move {
        let looked = looked_at.get(&verb).copied();
        let calls = async {
            match verb {
                Verb::Singly => singly(shared, ready).await,
                _ => batched(shared, target, &verb, ready).await,
            }
        };
        match looked {
            Some(looked) => leaving_by(looked.plus(STALE_AFTER), calls).await,
            None => calls.await,
        }
    }));
    let polled = join_all(polls.into_iter().map(|(ticket, items)| bulk::poll(shared, ticket, items)));
    futures::join!(verbs, probe::probe(shared, target, probes), polled);
}

/// One call for many, and several at once where they are more than it carries.
async fn batched(shared: &Shared, target: &Target, verb: &Verb, ready: Vec<Ready>) {
    let carries = match verb {
        Verb::Subscribe | Verb::Unsubscribe => MEMBERS_A_CALL.min(batch_limit(shared, target)),
        _ => batch_limit(shared, target),
    };
    let mut rest = addressable(verb, ready).await;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let part: Vec<Ready> = rest.drain(..rest.len().min(carries)).collect();
        parts.push(together(shared, target, verb, part));
    }
    join_all(parts).await;
}

/// One call for all of them. A batch refused because of one bad input is halved until the bad one stands alone; one
/// refused because its target is away waits for that, and nobody is to blame.
async fn together(shared: &Shared, target: &Target, verb: &Verb, ready: Vec<Ready>) {
    let mut parts = vec![ready];
    let mut seen_there = false;
    while let Some(mut part) = parts.pop() {
        let answer = match (verb, target) {
            (Verb::Join, Target::List(list)) => list::join(shared, *list, &part).await,
            (Verb::Leave, Target::List(list)) => list::leave(shared, *list, &part).await,
            (Verb::SetTag, Target::Tag(tag)) => tag::set(shared, tag, &part, true).await,
            (Verb::ClearTag, Target::Tag(tag)) => tag::set(shared, tag, &part, false).await,
            (Verb::Subscribe, _) => audience::subscribe(shared, &part).await,
            (Verb::Unsubscribe, _) => opt_out::unsubscribe(shared, &part).await,
            (Verb::SetProperties, _) => contacts::set_properties(shared, &part).await,
            _ => Ok(Vec::new()),
        };
        match answer {
            Ok(outcomes) => {
                let mut outcomes = outcomes.into_iter();
                for (answered, ready) in part.into_iter().enumerate() {
                    if answered > 0 {
                        failpoint::pass(|| format!("{}:{}", failpoint::BATCH, verb.word()));
                    }
                    let outcome = of_item(shared, outcomes.next().as_ref(), ready.item.attempts);
                    answer_bundle(shared, ready, outcome).await;
                }
            }
            // Each property by itself: of those that can be written nobody has to wait.
            Err(failure) if failure.refusal == RefusalCode::NotWritable && contacts::are_several(&part) => {
                parts.extend(contacts::by_property(part));
            }
            Err(failure) => {
                let failure = match away::of_refusal(shared, target, verb, failure, seen_there).await {
                    Ok(failure) => failure,
                    Err(_) if part.len() > 1 => {
                        seen_there = true;
                        let half = part.split_off(part.len() / 2);
                        parts.push(half);
                        parts.push(part);
                        continue;
                    }
                    Err(failure) => failure,
                };
                // Nobody stays half moved for what nobody can change. All of them are about the same.
                let without = match part.first() {
                    Some(first) => away::goes_on_without(shared, &first.step.step, &failure).await,
                    None => None,
                };
                for ready in part {
                    let outcome = match &without {
                        Some(outcome) => outcome.clone(),
                        None => of_failure(shared, &failure, ready.item.attempts),
                    };
                    ready.item.settle_all(outcome).await;
                }
            }
        }
    }
}

/// The first step's outcome holds for its bundle, but for a refusal: what follows was never tried.
async fn answer_bundle(shared: &Shared, ready: Ready, outcome: StepOutcome) {
    let follows = match &outcome {
        StepOutcome::Refused(_) => super::outcome::not_sent(shared.clock.now()),
        other => other.clone(),
    };
    let first = ready.step.index;
    let outcomes: Vec<(StepIndex, StepOutcome)> = ready
        .item
        .steps
        .iter()
        .map(|step| (step.index, if step.index == first { outcome.clone() } else { follows.clone() }))
        .collect();
    ready.item.settle(outcomes).await;
}

/// Leaves out, with an answer, whoever lacks what the call needs.
async fn addressable(verb: &Verb, ready: Vec<Ready>) -> Vec<Ready> {
    let mut able = Vec::with_capacity(ready.len());
    for one in ready {
        let lacks = match verb {
            Verb::Join | Verb::Leave | Verb::SetProperties => one
                .person
                .record
                .is_none()
                .then_some((RefusalCode::NotFound, "the person has no HubSpot record")),
            Verb::SetTag | Verb::ClearTag | Verb::Subscribe | Verb::Unsubscribe | Verb::Singly => one
                .member_email()
                .is_none()
                .then_some((RefusalCode::InvalidAddress, "the person has no address")),
        };
        match lacks {
            Some((code, message)) => one.item.settle_all(refused(code, message)).await,
            None => able.push(one),
        }
    }
    able
}

/// One call for each, several at once; above a handful, an asynchronous batch where the service has one.
async fn singly(shared: &Shared, ready: Vec<Ready>) {
    let (bulk, single): (Vec<_>, Vec<_>) = ready.into_iter().partition(|one| bulk::bulk_call(one).is_some());
    let rest = if bulk.len() > shared.settings.batch_above { bulk::submit(shared, bulk).await } else { bulk };
    let all: Vec<Ready> = single.into_iter().chain(rest).collect();
    futures::stream::iter(all)
        .for_each_concurrent(shared.settings.singles_at_once.max(1), |one| async move {
            let outcome = match single_call(shared, &one).await {
                Ok(StepAnswer::Item(item)) => of_item(shared, Some(&item), one.item.attempts),
                Ok(StepAnswer::LeftTheirs) => StepOutcome::LeftTheirs,
                Err(failure) => {
                    let failure = away::of_single(shared, &one.step.step, failure).await;
                    match away::goes_on_without(shared, &one.step.step, &failure).await {
                        Some(outcome) => outcome,
                        None => of_failure(shared, &failure, one.item.attempts),
                    }
                }
            };
            one.item.settle_all(outcome).await;
        })
        .await;
}

/// What a single call may say beyond an item's outcome.
pub enum StepAnswer {
    /// Of the input.
    Item(ItemOutcome),
    /// Somebody else changed it since: left as theirs.
    LeftTheirs,
}

async fn single_call(shared: &Shared, ready: &Ready) -> CallResult<StepAnswer> {
    let item = match &ready.step.step {
        Step::CreateContact => contacts::create(shared, ready).await?,
        Step::EraseContact { record } => erase::contact(shared, ready, *record).await?,
        Step::EraseMember => erase::member(shared, ready).await?,
        Step::SetProperty { property, value } => {
            return contacts::restore_property(shared, ready, property, value).await;
        }
        Step::OptOut { scope } => opt_out::opt_out(shared, ready, *scope).await?,
        Step::SetTag { tag, .. } => tag::set_silently(shared, ready, tag).await?,
        Step::RecordEvidence => ItemOutcome::Done,
        _ => audience::single(shared, ready).await?,
    };
    if audience::cannot_be_archived(&ready.item, &item) {
        return Ok(StepAnswer::LeftTheirs);
    }
    Ok(StepAnswer::Item(item))
}
