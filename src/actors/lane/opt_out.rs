//! The two opt-out lanes: they overtake everything else.

use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::Email;
use crate::domain::person::Person;
use crate::domain::port::{CallResult, ItemOutcome, Priority};
use crate::domain::step::OptOutScope;

/// Unsubscribes members; one outcome for each, in order.
pub async fn unsubscribe(shared: &Shared, part: &[Ready]) -> CallResult<Vec<ItemOutcome>> {
    let emails: Vec<Email> = part.iter().filter_map(|ready| ready.member_email().cloned()).collect();
    let answer = shared.audience.unsubscribe(Priority::OptOut, &emails).await?;
    Ok(part
        .iter()
        .map(|ready| {
            let hash = ready.member_hash();
            hash.and_then(|hash| answer.get(&hash).cloned()).unwrap_or(ItemOutcome::Unknown)
        })
        .collect())
}

/// Opts one person out in HubSpot.
pub async fn opt_out(shared: &Shared, ready: &Ready, scope: OptOutScope) -> CallResult<ItemOutcome> {
    let Some(email) = contact_email(shared, &ready.person).await? else { return Ok(ItemOutcome::Unknown) };
    let answer = shared.crm.opt_out(Priority::OptOut, &email, scope, &shared.settings.basis).await?;
    // Already opted out is success, and an opt-out is never undone: no difference to keep.
    Ok(if answer == ItemOutcome::AlreadyHeld { ItemOutcome::Done } else { answer })
}

/// The address that HubSpot keeps the person's consent under: that of a second member is not its contact's own.
pub async fn contact_email(shared: &Shared, person: &Person) -> CallResult<Option<Email>> {
    match person.record.filter(|_| person.second.is_some()) {
        Some(record) => {
            let contact = shared.crm.contact(Priority::OptOut, record).await?;
            Ok(contact.and_then(|contact| contact.email()).or_else(|| person.email.clone()))
        }
        None => Ok(person.email.clone()),
    }
}
