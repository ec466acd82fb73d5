//! Listing members (Mailchimp contract §10).

use super::answers::{found, invalid};
use super::audience::Audience;
use super::member::{Member, Status};
use crate::domain::time::Timestamp;
use crate::sandbox::wire::{WireRequest, WireResponse};
use serde_json::{Value, json};

impl Audience {
    /// A page of members. Archived ones are left out unless asked for.
    pub(super) fn list(&self, request: &WireRequest) -> WireResponse {
        let (Some(count @ 0..=1000), Some(offset)) =
            (request.number("count", 10), request.number("offset", 0))
        else {
            return invalid("count must not exceed 1000.");
        };
        let status = match request.query("status") {
            None => None,
            Some(word) => match Status::from_wire(word) {
                Some(status) => Some(status),
                None => return invalid("The status is unknown."),
            },
        };
        let moment = |name: &str| match request.query(name) {
            None => Ok(None),
            Some(text) => Timestamp::parse(text).map(Some).ok_or(()),
        };
        let (Ok(changed), Ok(before), Ok(unsubscribed)) =
            (moment("since_last_changed"), moment("before_last_changed"), moment("unsubscribed_since"))
        else {
            return invalid("A date is malformed.");
        };
        if unsubscribed.is_some() && status != Some(Status::Unsubscribed) {
            return invalid("unsubscribed_since needs the status unsubscribed.");
        }
        let down = request.query("sort_dir").is_some_and(|dir| dir.eq_ignore_ascii_case("desc"));
        let order = request.query("sort_field").unwrap_or("timestamp_signup");
        let fits = |member: &Member| {
            status.map_or(member.status != Status::Archived, |status| member.status == status)
                && unsubscribed.is_none_or(|since| member.unsubscribed.is_some_and(|at| at >= since))
        };
        let (total, page) = if changed.is_some() || before.is_some() || unsubscribed.is_some() {
            let from = changed.unwrap_or(Timestamp(i64::MIN));
            let to = before.unwrap_or(Timestamp(i64::MAX));
            let mut hits: Vec<(usize, &Member)> = Vec::new();
            if from < to {
                let range = self.by_changed.range((from, 0)..(to, 0));
                hits.extend(range.filter_map(|(_, number)| self.members.get(number).map(|m| (*number, m))));
            }
            hits.retain(|(_, member)| fits(member));
            hits.sort_by_key(|(number, member)| match order {
                "timestamp_opt" => (member.opted, *number),
                "last_changed" => (member.changed, *number),
                _ => (Timestamp(0), *number),
            });
            if down {
                hits.reverse();
            }
            (hits.len(), hits.into_iter().skip(offset).take(count).map(|(_, member)| member).collect())
        } else {
            let total = match status {
                Some(status) => self.count(status),
                None => self.members.len() - self.count(Status::Archived),
            };
            let numbers: Box<dyn DoubleEndedIterator<Item = usize> + '_> = match (order, status) {
                ("timestamp_opt", _) => Box::new(self.by_opted.iter().map(|(_, number)| *number)),
                ("last_changed", _) => Box::new(self.by_changed.iter().map(|(_, number)| *number)),
                (_, Some(status)) => Box::new(self.by_status.get(&status).into_iter().flatten().copied()),
                _ => Box::new(self.members.keys().copied()),
            };
            let numbers: Box<dyn Iterator<Item = usize> + '_> =
                if down { Box::new(numbers.rev()) } else { Box::new(numbers) };
            let rows = numbers.filter_map(|number| self.members.get(&number)).filter(|member| fits(member));
            (total, rows.skip(offset).take(count).collect::<Vec<&Member>>())
        };
        let members: Vec<Value> = page.into_iter().map(|member| self.shown(member)).collect();
        found(request, &json!({ "members": members, "list_id": self.id, "total_items": total }))
    }
}
