//! Deleting a person for good. A member may stand under two addresses while a rename is due: both go.

use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::SubscriberHash;
use crate::domain::failure::{CallFailure, FailureClass};
use crate::domain::id::RecordId;
use crate::domain::port::{CallResult, ItemOutcome, Priority};
use crate::domain::step::OptOutScope;
use std::collections::BTreeSet;

/// Deletes the member under every address the person has here.
pub async fn member(shared: &Shared, ready: &Ready) -> CallResult<ItemOutcome> {
    let mut outcome = ItemOutcome::AlreadyHeld;
    for hash in hashes(ready) {
        match shared.audience.erase(ready.item.priority, hash).await.map_err(for_good)? {
            ItemOutcome::AlreadyHeld => {}
            ItemOutcome::Done => outcome = ItemOutcome::Done,
            other => return Ok(other),
        }
    }
    Ok(outcome)
}

/// Deletes a contact. HubSpot keeps opt-outs by address (HubSpot contract §12): one that the contact was given since,
/// of which nobody has been told, is opted out first.
pub async fn contact(shared: &Shared, ready: &Ready, record: RecordId) -> CallResult<ItemOutcome> {
    let priority = ready.item.priority;
    let found = shared.crm.contact(priority, record).await?.and_then(|contact| contact.email());
    let own = hashes(ready);
    if let Some(email) = found.filter(|email| !own.contains(&email.hash())) {
        let basis = &shared.settings.basis;
        match shared.crm.opt_out(Priority::OptOut, &email, OptOutScope::All, basis).await? {
            ItemOutcome::Done | ItemOutcome::AlreadyHeld => {}
            other => return Ok(other),
        }
    }
    shared.crm.erase_contact(priority, record).await.map_err(for_good)
}

/// A right that is missing comes by nobody's waiting: the move is stuck at once, and whoever asked is told.
fn for_good(failure: CallFailure) -> CallFailure {
    match failure.class {
        FailureClass::Misconfigured => CallFailure { class: FailureClass::Permanent, ..failure },
        _ => failure,
    }
}

/// Whether there is no member under any of them.
pub async fn is_gone(shared: &Shared, ready: &Ready) -> CallResult<bool> {
    for hash in hashes(ready) {
        if shared.audience.member(ready.item.priority, hash).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn hashes(ready: &Ready) -> BTreeSet<SubscriberHash> {
    [&ready.person.email, &ready.person.previous_email]
        .into_iter()
        .flatten()
        .map(|email| email.hash())
        .collect()
}
