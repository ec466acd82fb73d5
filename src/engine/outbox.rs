//! What is to be told next, and to whom: decided from the alerts that stand and what each target has taken
//! of them. Pure; the same after a restart as before.
//!
//! Promises: a target gets its messages in the order in which they became due; a target that is away holds up
//! nobody but itself; what it has not taken for a day is given up, by name; one message it refuses does not
//! hold up the next.

use super::retry::RetryPolicy;
use crate::domain::alert::{Answered, Delivery, GivenUp, Hindrance, Said, Severity, Standing, Trying};
use crate::domain::time::Timestamp;
use std::time::Duration;

/// What is not taken for so long, and in so many tries, is given up.
const TRIES: u32 = 5;
const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);
/// When a message is tried again.
const AGAIN: RetryPolicy = RetryPolicy {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(15 * 60),
    before_probe: Duration::ZERO,
};
/// The longest a target's own word is followed: it may have said a day by mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// Something to be told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The alert's number.
    pub number: u64,
    /// What of it.
    pub said: Said,
    /// Since when it was to be told.
    pub since: Timestamp,
}

/// What a target is to be told now: of what is due the oldest, and what it has refused before last. While it
/// is away, or has asked to be left alone, nothing.
pub fn due(standing: &[Standing], target: &str, from: Severity, now: Timestamp) -> Option<Due> {
    let is_left_alone = trying(standing, target).any(|trying| trying.next_try > now && !is_refusal(trying));
    if is_left_alone {
        return None;
    }
    pending(standing, target, from)
        .map(|(one, said, since)| (Due { number: one.number, said, since }, tried(one, target)))
        .filter(|(due, tried)| due.since <= now && tried.is_none_or(|trying| trying.next_try <= now))
        .min_by_key(|(due, tried)| (tried.is_some_and(is_refusal), due.since, due.number))
        .map(|(due, _)| due)
}

/// How many messages a target still has to get.
pub fn backlog(standing: &[Standing], target: &str, from: Severity) -> u64 {
    pending(standing, target, from).count() as u64
}

/// What a target was told in vain and is to be told again, the last try first.
pub fn last_trouble<'a>(standing: &'a [Standing], target: &'a str) -> Option<&'a Trying> {
    trying(standing, target).max_by_key(|trying| trying.next_try)
}

fn pending<'a>(
    standing: &'a [Standing],
    target: &'a str,
    from: Severity,
) -> impl Iterator<Item = (&'a Standing, Said, Timestamp)> {
    standing
        .iter()
        .filter(move |one| one.alert.severity() >= from)
        .filter_map(move |one| one.pending(target).map(|(said, due)| (one, said, due)))
}

fn trying<'a>(standing: &'a [Standing], target: &'a str) -> impl Iterator<Item = &'a Trying> {
    standing.iter().filter_map(move |one| tried(one, target))
}

fn tried<'a>(one: &'a Standing, target: &str) -> Option<&'a Trying> {
    one.deliveries.get(target)?.trying.as_ref()
}

fn is_refusal(trying: &Trying) -> bool {
    matches!(trying.why, Hindrance::Refused(_))
}

/// What one try changes; what is given up by it, if anything. `chance` is in 0..1.
pub fn settle(
    delivery: &mut Delivery,
    due: Due,
    answered: Answered,
    now: Timestamp,
    chance: f64,
) -> Option<Hindrance> {
    let Due { said, since, .. } = due;
    let attempts = delivery.trying.take().map_or(0, |trying| trying.attempts);
    let (why, attempts, asked) = match answered {
        Answered::Taken => {
            delivery.told = Some((said, now));
            return None;
        }
        Answered::Later(asked) => (Hindrance::LeaveAlone, attempts, asked),
        Answered::Refused(why) => (Hindrance::Refused(why), attempts.saturating_add(1), None),
        Answered::Away(why) => (Hindrance::Away(why), attempts.saturating_add(1), None),
    };
    if now.since(since) >= GIVE_UP && attempts >= TRIES {
        delivery.given_up = Some(GivenUp { said, at: now, why: why.clone() });
        return Some(why);
    }
    let wait = asked.map_or_else(|| AGAIN.wait(attempts.max(1), chance), |asked| asked.min(LONGEST_ASKED));
    delivery.trying = Some(Trying { said, since, attempts, next_try: now.plus(wait), why });
    None
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
