//! Deleting a person for good. A member may stand under two addresses while a rename is due: both go.

use super::perform::Ready;
use crate::actors::context::Shared;
use crate::domain::email::SubscriberHash;
use crate::domain::port::{CallResult, ItemOutcome};
use std::collections::BTreeSet;

/// Deletes the member under every address the person has here.
pub async fn member(shared: &Shared, ready: &Ready) -> CallResult<ItemOutcome> {
    let mut outcome = ItemOutcome::AlreadyHeld;
    for hash in hashes(ready) {
        match shared.audience.erase(ready.item.priority, hash).await? {
            ItemOutcome::AlreadyHeld => {}
            ItemOutcome::Done => outcome = ItemOutcome::Done,
            other => return Ok(other),
        }
    }
    Ok(outcome)
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
