//! What a member did (Mailchimp contract §14), as far as is known here: that they unsubscribed by themselves. No mail
//! is sent here, so nothing is opened or clicked; what an API caller or an admin does to a member is not their doing.

use super::answers::{found, moment, not_found};
use super::audience::Audience;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

/// How much of it is told.
const LAST: usize = 50;

impl Audience {
    /// The latest activity of a member, newest first. It can be read while they are archived: whether it can in truth
    /// the contract leaves open.
    pub(super) fn show_activity(&self, request: &WireRequest, number: Option<usize>) -> WireResponse {
        let Some(member) = number.and_then(|number| self.members.get(&number)) else { return not_found() };
        let latest = member.opt_outs.iter().rev().take(LAST);
        let activity: Vec<Value> =
            latest.map(|at| json!({ "action": "unsub", "timestamp": moment(Some(*at)) })).collect();
        let body = json!({
            "activity": activity, "email_id": hex::encode(member.hash()), "list_id": self.id,
            "total_items": member.opt_outs.len(),
        });
        found(request, &body)
    }
}
