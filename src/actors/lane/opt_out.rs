//! The two opt-out lanes: they overtake everything else.

use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::Email;
use crate::domain::person::Person;
use crate::domain::port::{CallResult, ItemOutcome, Priority};
use crate::domain::step::OptOutScope;
use std::collections::BTreeSet;

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

/// Opts one person out in HubSpot: under every address that it keeps their consent under.
pub async fn opt_out(shared: &Shared, ready: &Ready, scope: OptOutScope) -> CallResult<ItemOutcome> {
    let emails = consent_addresses(shared, &ready.person).await?;
    if emails.is_empty() {
        return Ok(ItemOutcome::Unknown);
    }
    for email in emails {
        match shared.crm.opt_out(Priority::OptOut, &email, scope, &shared.settings.basis).await? {
            // Already opted out is success, and an opt-out is never undone: no difference to keep.
            ItemOutcome::Done | ItemOutcome::AlreadyHeld => {}
            other => return Ok(other),
        }
    }
    Ok(ItemOutcome::Done)
}

/// The addresses that HubSpot keeps the person's consent under (HubSpot contract §12). A second member stands under
/// another one than their contact's own, which the contact gets its mail under: an opt-out is of both. So it is where the
/// member was given another address in Mailchimp, which may be that of a contact in no list (R10, R20).
pub async fn consent_addresses(shared: &Shared, person: &Person) -> CallResult<BTreeSet<Email>> {
    let mut emails: BTreeSet<Email> = person.email.clone().into_iter().collect();
    emails.extend(person.previous_email.clone().filter(|_| person.moved.is_some()));
    if let Some(record) = person.record.filter(|_| person.second.is_some()) {
        let contact = shared.crm.contact(Priority::OptOut, record).await?;
        emails.extend(contact.and_then(|contact| contact.email()));
    }
    Ok(emails)
}
