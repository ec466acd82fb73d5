//! The fewest calls that do a task, and the least time that the services' limits let them take: reckoned from the sizes
//! that docs/services.md names, without looking at what hsmc does. Pure.
//!
//! Besides what the services' pages say, the looks that design §3.10 demands belong to the task: consent is read again
//! before whatever starts mail.

use crate::sandbox::effects::{Actor, Effect, What};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rows of a membership page, records of a batch, hits of a search page (HubSpot contract §5).
const MEMBERSHIPS: u64 = 250;
const RECORDS: u64 = 100;
const HITS: u64 = 200;
/// Members of a page and of a batch call (Mailchimp contract §8 to §10).
const MEMBERS: u64 = 1_000;
const CHANGES: u64 = 500;
/// Up to so many single calls cost less than an asynchronous batch: its post, one look, one download (§12).
const SINGLY: u64 = 3;
const BATCHED: u64 = 3;

/// HubSpot's calls in ten seconds, and searches in one.
const PER_TEN_SECONDS: f64 = 190.0;
const SEARCHES_PER_SECOND: f64 = 5.0;
/// Connections to Mailchimp.
const CONNECTIONS: f64 = 8.0;

/// Calls, by what bounds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// Of HubSpot's ordinary budget.
    pub(super) hubspot: u64,
    /// HubSpot's searches.
    pub(super) searches: u64,
    /// Of Mailchimp.
    pub(super) mailchimp: u64,
    /// The longest row of calls that need each the answer of the one before.
    pub(super) in_a_row: u64,
}

impl Calls {
    /// All.
    pub(super) fn all(self) -> u64 {
        self.hubspot + self.searches + self.mailchimp
    }

    /// One task after another.
    pub(super) fn then(self, next: Calls) -> Calls {
        Calls {
            hubspot: self.hubspot + next.hubspot,
            searches: self.searches + next.searches,
            mailchimp: self.mailchimp + next.mailchimp,
            in_a_row: self.in_a_row + next.in_a_row,
        }
    }

    /// The least time they take, each call lasting `latency`.
    #[expect(clippy::cast_precision_loss, reason = "calls are far below 2^52")]
    pub(super) fn least_time(self, latency: Duration) -> Duration {
        let latency = latency.as_secs_f64();
        let ordinary = (self.hubspot as f64 - PER_TEN_SECONDS).max(0.0) / (PER_TEN_SECONDS / 10.0);
        let searches = (self.searches as f64 - SEARCHES_PER_SECOND).max(0.0) / SEARCHES_PER_SECOND;
        let mailchimp = self.mailchimp as f64 * latency / CONNECTIONS;
        let in_a_row = self.in_a_row as f64 * latency;
        Duration::from_secs_f64(ordinary.max(searches).max(mailchimp).max(in_a_row))
    }
}

/// What there is to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Members of each list that the config names.
    pub(super) lists: Vec<u64>,
    /// People in any of them.
    pub(super) listed: u64,
    /// Contacts who opted out.
    pub(super) opted_out: u64,
    /// Members who are not archived.
    pub(super) members: u64,
    /// Archived ones.
    pub(super) archived: u64,
    /// Bearers of each exit tag that somebody bears.
    pub(super) exit_tags: Vec<u64>,
}

fn pages(rows: u64, size: u64) -> u64 {
    rows.div_ceil(size).max(1)
}

/// Reading everything.
pub(super) fn reading(sizes: &Sizes) -> Calls {
    let memberships: u64 = sizes.lists.iter().map(|members| pages(*members, MEMBERSHIPS)).sum();
    let members = pages(sizes.members, MEMBERS);
    Calls {
        // The portal, the properties.
        hubspot: 2 + memberships + sizes.listed.div_ceil(RECORDS),
        // All lists in one, who opted out.
        searches: 1 + pages(sizes.opted_out, HITS),
        // Merge fields, tags.
        mailchimp: 2 + members + pages(sizes.archived, MEMBERS),
        in_a_row: 2 + members
            .max(sizes.lists.iter().map(|list| pages(*list, MEMBERSHIPS)).max().unwrap_or(1)),
    }
}

/// Finding that nothing has changed since: by the marks of lists, by dates of change, and exit tags by their bearers, for
/// whom no date may move (Mailchimp contract §10).
pub(super) fn reading_changes(sizes: &Sizes) -> Calls {
    let exit_tags: u64 = sizes.exit_tags.iter().map(|bearers| pages(*bearers, MEMBERS)).sum();
    Calls { hubspot: 2, searches: 2, mailchimp: 3 + exit_tags, in_a_row: 3 }
}

/// Making these changes. Lists take so many ids in one write.
pub(super) fn changing(effects: &[Effect], ids_of_a_write: u64) -> Calls {
    let mut lists: BTreeMap<(u64, bool), u64> = BTreeMap::new();
    let (mut set, mut tags): (BTreeSet<u64>, BTreeMap<(&str, bool), u64>) = Default::default();
    let (mut made, mut fields, mut mailed): (BTreeSet<&str>, BTreeSet<&str>, BTreeSet<&str>) =
        Default::default();
    let (mut archived, mut unsubscribed, mut singly) = (0_u64, 0_u64, Calls::default());
    for effect in effects.iter().filter(|effect| effect.by == Actor::Api) {
        match &effect.what {
            What::ListJoined { list, .. } => *lists.entry((*list, true)).or_default() += 1,
            What::ListLeft { list, .. } => *lists.entry((*list, false)).or_default() += 1,
            What::PropertySet { contact, .. } => drop(set.insert(*contact)),
            What::MemberCreated { email, .. } => drop((made.insert(email), mailed.insert(email))),
            // In the call that made them.
            What::TagSet { email, .. } | What::FieldSet { email, .. } if made.contains(email.as_str()) => {}
            What::TagSet { tag, email, loud } => {
                *tags.entry((tag, true)).or_default() += 1;
                if *loud {
                    mailed.insert(email);
                }
            }
            What::TagCleared { tag, .. } => *tags.entry((tag, false)).or_default() += 1,
            What::FieldSet { email, .. } => drop(fields.insert(email)),
            What::Archived { .. } => archived += 1,
            What::StatusChanged { to: "unsubscribed", .. } => unsubscribed += 1,
            What::StatusChanged { .. }
            | What::MemberRenamed { .. }
            | What::FieldCreated { .. }
            | What::TagCreated { .. }
            | What::TagRenamed { .. }
            | What::MemberForgotten { .. } => singly.mailchimp += 1,
            What::ContactCreated { .. }
            | What::OptedOut { .. }
            | What::PropertyCreated { .. }
            | What::ContactForgotten { .. } => singly.hubspot += 1,
            // Nobody's call, or none that hsmc makes.
            What::ContactDeleted { .. }
            | What::ContactMerged { .. }
            | What::ListRenamed { .. }
            | What::ListDeleted { .. }
            | What::OptedIn { .. }
            | What::JourneyStarted { .. }
            | What::BatchSubmitted { .. }
            | What::WebhookCreated { .. }
            | What::WebhookDeleted { .. }
            | What::Violation { .. } => {}
        }
    }
    let ids = ids_of_a_write.max(1);
    let looks = (mailed.len() as u64).div_ceil(RECORDS);
    Calls {
        hubspot: singly.hubspot
            + lists.values().map(|members| members.div_ceil(ids)).sum::<u64>()
            + (set.len() as u64).div_ceil(RECORDS)
            + looks,
        searches: 0,
        mailchimp: singly.mailchimp
            + tags.values().map(|bearers| bearers.div_ceil(CHANGES)).sum::<u64>()
            + (made.len() as u64).div_ceil(CHANGES)
            + unsubscribed.div_ceil(CHANGES)
            + bulk(fields.len() as u64)
            + bulk(archived)
            + if mailed.is_empty() { 0 } else { 2 },
        in_a_row: u64::from(!effects.is_empty()) * 6,
    }
}

/// Calls of members that have no batch of their own: single ones, or asynchronous batches.
fn bulk(members: u64) -> u64 {
    if members <= SINGLY { members } else { members.div_ceil(MEMBERS) * BATCHED }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Service;
    use crate::domain::time::Timestamp;

    fn effects(what: Vec<What>) -> Vec<Effect> {
        let at = Timestamp(0);
        let of = |what| Effect { at, asked: at, service: Service::HubSpot, by: Actor::Api, what };
        what.into_iter().map(of).collect()
    }

    #[test]
    fn reading_counts_each_list_by_its_pages_and_each_person_once() {
        let sizes = Sizes { lists: vec![0, 250, 251], listed: 400, members: 2_500, ..Sizes::default() };
        let calls = reading(&sizes);
        assert_eq!((calls.hubspot, calls.searches, calls.mailchimp), (2 + 1 + 1 + 2 + 4, 2, 2 + 3 + 1));
        assert_eq!(reading_changes(&sizes).all(), 7);
    }

    #[test]
    fn a_thousand_handovers_cost_a_handful_of_calls() {
        let email = |number: u64| format!("p{number}@example.com");
        let mut what = Vec::new();
        for number in 0..1_000 {
            what.push(What::ListJoined { list: 946, contact: number });
            what.push(What::ListLeft { list: 987, contact: number });
            what.push(What::TagCleared { email: email(number), tag: "General".to_owned(), loud: false });
            what.push(What::Archived { email: email(number), from: "subscribed" });
        }
        let calls = changing(&effects(what), 500);
        assert_eq!((calls.hubspot, calls.mailchimp), (2 + 2, 2 + 3));
    }

    #[test]
    fn whoever_is_made_with_their_tags_costs_one_call_and_the_look_before_it() {
        let email = "ann@example.com".to_owned();
        let made = vec![
            What::MemberCreated { email: email.clone(), status: "subscribed" },
            What::TagSet { email: email.clone(), tag: "Entry".to_owned(), loud: true },
            What::FieldSet { email, field: "FNAME".to_owned(), value: "Ann".to_owned() },
        ];
        let calls = changing(&effects(made), 500);
        assert_eq!((calls.hubspot, calls.mailchimp), (1, 1 + 2));
    }

    #[test]
    fn the_least_time_is_that_of_the_tightest_limit() {
        let latency = Duration::from_millis(30);
        let few = Calls { hubspot: 190, searches: 5, mailchimp: 8, in_a_row: 4 };
        assert_eq!(few.least_time(latency), Duration::from_millis(120));
        let many = Calls { hubspot: 190 + 190, ..few };
        assert_eq!(many.least_time(latency), Duration::from_secs(10));
    }
}
