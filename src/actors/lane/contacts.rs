//! The lane of contact records: properties, and the creation of people HubSpot does not know.

use super::list::urgency;
use super::perform::{Ready, StepAnswer};
use crate::actors::context::Shared;
use crate::domain::failure::{CallFailure, FailureClass, RefusalCode, Service};
use crate::domain::id::{PersonId, RecordId};
use crate::domain::person::Person;
use crate::domain::port::{CallResult, ItemOutcome};
use crate::domain::step::Step;
use crate::journal::ledger::JournalError;
use crate::journal::store::Batch;
use std::collections::BTreeMap;

/// Writes one property of each; one outcome for each, in order.
pub async fn set_properties(shared: &Shared, part: &[Ready]) -> CallResult<Vec<ItemOutcome>> {
    let mut updates: BTreeMap<RecordId, BTreeMap<String, String>> = BTreeMap::new();
    for ready in part {
        if let (Some(record), Step::SetProperty { property, value }) = (ready.person.record, &ready.step.step)
        {
            updates.entry(record).or_default().insert(property.clone(), value.clone());
        }
    }
    let answer = shared.crm.update_contacts(urgency(part), &updates).await?;
    Ok(part
        .iter()
        .map(|ready| {
            ready
                .person
                .record
                .and_then(|record| answer.get(&record).cloned())
                .unwrap_or(ItemOutcome::Unknown)
        })
        .collect())
}

fn property(ready: &Ready) -> Option<&String> {
    match &ready.step.step {
        Step::SetProperty { property, .. } => Some(property),
        _ => None,
    }
}

/// Whether more than one property is written.
pub fn are_several(part: &[Ready]) -> bool {
    part.iter().any(|ready| property(ready) != part.first().and_then(property))
}

/// The same, a part for each property.
pub fn by_property(part: Vec<Ready>) -> Vec<Vec<Ready>> {
    let mut parts: BTreeMap<Option<String>, Vec<Ready>> = BTreeMap::new();
    for ready in part {
        parts.entry(property(&ready).cloned()).or_default().push(ready);
    }
    parts.into_values().collect()
}

/// Restores a property's before-image, unless somebody else has written since: then theirs stays.
pub async fn restore_property(
    shared: &Shared,
    ready: &Ready,
    property: &str,
    value: &str,
) -> CallResult<StepAnswer> {
    let Some(record) = ready.person.record else { return Ok(StepAnswer::Item(ItemOutcome::Done)) };
    let priority = ready.item.priority;
    let Some(contact) = shared.crm.contact(priority, record).await? else {
        return Ok(StepAnswer::Item(ItemOutcome::Done));
    };
    let present = contact.properties.get(property).map_or("", String::as_str);
    if present == value {
        return Ok(StepAnswer::Item(ItemOutcome::Done));
    }
    if let Some(Step::SetProperty { value: ours, .. }) = &ready.step.undoes
        && present != ours
    {
        return Ok(StepAnswer::LeftTheirs);
    }
    let updates =
        BTreeMap::from([(contact.record, BTreeMap::from([(property.to_owned(), value.to_owned())]))]);
    let answer = shared.crm.update_contacts(priority, &updates).await?;
    Ok(StepAnswer::Item(answer.get(&contact.record).cloned().unwrap_or(ItemOutcome::Unknown)))
}

/// Creates the contact and remembers its record, so that the steps after it can name it.
pub async fn create(shared: &Shared, ready: &Ready) -> CallResult<ItemOutcome> {
    let Some(email) = &ready.person.email else { return Ok(ItemOutcome::Unknown) };
    let record = shared.crm.create_contact(ready.item.priority, email).await?;
    remember_record(shared, ready, record).await?;
    Ok(ItemOutcome::Done)
}

/// Makes a person's record durable in their memory.
pub async fn remember_record(shared: &Shared, ready: &Ready, record: RecordId) -> CallResult<()> {
    let learned = vec![(ready.item.person, Learned::Record(record))];
    remember(shared, learned, Service::HubSpot, "remember the new contact's record").await
}

/// What a call has told of somebody.
pub enum Learned {
    /// Their record in HubSpot.
    Record(RecordId),
    /// Mailchimp's own number of their member.
    Number(String),
}

/// Makes durable what a call has told of people. Where that fails, the call is in doubt: a look tells it again.
pub async fn remember(
    shared: &Shared,
    learned: Vec<(PersonId, Learned)>,
    service: Service,
    what: &str,
) -> CallResult<()> {
    let kept = async {
        let mut batch = Batch::new();
        for (person, learned) in learned {
            // As they are by now, not as they were when the call left.
            let Some(before) = shared.journal.person(person)? else { continue };
            let after = match learned {
                Learned::Record(record) => Person { record: Some(record), ..before.clone() },
                Learned::Number(number) => Person { contact_id: Some(number), ..before.clone() },
            };
            shared.journal.put_person(&mut batch, &after, Some(&before))?;
        }
        match batch.is_empty() {
            true => Ok(()),
            false => shared.journal.commit(batch).await.map(|_| ()),
        }
    };
    kept.await.map_err(|error: JournalError| CallFailure {
        service,
        class: FailureClass::InDoubt,
        refusal: RefusalCode::Other,
        status: None,
        what: what.to_owned(),
        message: error.to_string(),
        trace: None,
    })
}
