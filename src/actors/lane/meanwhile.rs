//! Who opts out while Mailchimp works on a batch of archives. It takes as long as it takes, and once it has archived
//! them nobody can see that they had unsubscribed (Mailchimp contract §6). So they are looked for as long as it runs:
//! what is seen is remembered, an archive does not take it back, and the next run tells HubSpot (R20).
//!
//! Never: a call while a batch is young, which most of them are when they end; or an opt-out that is taken back.

use super::item::LaneItem;
use crate::actors::context::Shared;
use crate::actors::reading::unsubscribed_since;
use crate::domain::failure::Service;
use crate::domain::id::PersonId;
use crate::domain::member::MemberStatus;
use crate::domain::person::OptOutMemory;
use crate::domain::step::{Before, Step};
use crate::domain::time::Timestamp;
use crate::journal::ledger::JournalError;
use crate::journal::store::Batch;
use std::time::Duration;

/// A batch younger than this was preceded by the look before its archives.
const YOUNG: Duration = Duration::from_secs(10);

/// Looks for those of a batch who have unsubscribed since it was handed over, and remembers it. A look that fails is
/// made again with the next one.
pub async fn remember_opt_outs(shared: &Shared, items: &[LaneItem]) {
    let now = shared.clock.now();
    let watched: Vec<&LaneItem> = items.iter().filter(|item| is_watched(item, now)).collect();
    let Some(since) = watched.iter().filter_map(|item| left_at(item)).min() else { return };
    let silent = match unsubscribed_since(shared, since).await {
        Ok(silent) => silent,
        Err(failure) => {
            tracing::warn!(what = %failure, "nobody could look who opts out while a batch archives");
            return;
        }
    };
    if silent.is_empty() {
        return;
    }
    for item in watched {
        let Ok(Some(person)) = shared.journal.person(item.person) else { continue };
        if !person.member_email().is_some_and(|email| silent.contains(&email.hash())) {
            continue;
        }
        if let Err(problem) = remember(shared, item.person, now).await {
            tracing::error!(%problem, "an opt-out seen while a batch archives cannot be remembered");
        }
    }
}

/// Whether an archive of somebody is under way who was not silent when it began.
fn is_watched(item: &LaneItem, now: Timestamp) -> bool {
    let silent = [MemberStatus::Unsubscribed, MemberStatus::Cleaned];
    let was_silent = |before: &Before| matches!(before, Before::Status(status) if silent.contains(status));
    let archives =
        item.first().is_some_and(|step| step.step == Step::ArchiveMember && !was_silent(&step.before));
    archives && left_at(item).is_some_and(|sent| now.since(sent) > YOUNG)
}

/// When it was handed over, by whichever process: what an earlier one left behind is looked at before anything else.
fn left_at(item: &LaneItem) -> Option<Timestamp> {
    item.noted_at.or(item.sent_at)
}

async fn remember(shared: &Shared, id: PersonId, at: Timestamp) -> Result<(), JournalError> {
    let Some(before) = shared.journal.person(id)? else { return Ok(()) };
    if before.opt_out.is_some() {
        return Ok(());
    }
    let mut after = before.clone();
    after.opt_out = Some(OptOutMemory { seen: Service::Mailchimp, at, delivered: None });
    let mut batch = Batch::new();
    shared.journal.put_person(&mut batch, &after, Some(&before))?;
    shared.journal.commit(batch).await.map(|_| ())
}
