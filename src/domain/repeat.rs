//! What goes wrong run after run: remembered with its first date, so that the second time is named as such
//! (design §3.14). Pure: what a run has seen goes in, what it saw before too comes out.
//!
//! People are numbers, and there is a bound on everything: a failure of everybody is told with its number, and
//! with the first date of those that are remembered one by one.

use super::id::PersonId;
use super::report::{Repeated, RepeatedKind};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Different things remembered at most.
const MOST_THINGS: usize = 200;
/// People remembered at most for all of them together.
const MOST_PEOPLE: usize = 10_000;
/// People named in a report for one thing.
const EXAMPLES: usize = 5;
/// A person whose move failed may not be tried in every run: that long it is the same failure.
const SAME_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a run has seen go wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// What kind of thing.
    pub kind: RepeatedKind,
    /// What, in words that are the same the next time.
    pub what: String,
    /// Whose; none where it is about the run, or about so many.
    pub person: Option<PersonId>,
    /// How many, where it is about so many; else 1.
    pub amount: u64,
}

/// How often, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Times {
    times: u32,
    since: Timestamp,
    last: Timestamp,
    amount: u64,
}

impl Times {
    fn first(now: Timestamp, amount: u64) -> Times {
        Times { times: 1, since: now, last: now, amount }
    }

    fn again(self, now: Timestamp, amount: u64) -> Times {
        // A backlog that shrinks is progress, and is told from its new size on.
        if amount < self.amount {
            return Times::first(now, amount);
        }
        Times { times: self.times.saturating_add(1), last: now, amount, ..self }
    }
}

/// Everything remembered. Persisted as a single value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    things: BTreeMap<(RepeatedKind, String), BTreeMap<Option<PersonId>, Times>>,
}

/// How far what a run did not see is over: only a run about everybody that came to its end can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It was about everybody, and came to its end.
    Whole,
    /// It was narrowed, or broke off.
    Part,
}

impl Memory {
    /// Takes in what a run has seen; answers what it has seen before too, the most frequent first.
    pub fn take(&mut self, wrongs: &BTreeSet<Wrong>, reach: Reach, now: Timestamp) -> Vec<Repeated> {
        let mut repeated: BTreeMap<(RepeatedKind, &str), Repeated> = BTreeMap::new();
        let mut seen: BTreeSet<(RepeatedKind, &str, Option<PersonId>)> = BTreeSet::new();
        for Wrong { kind, what, person, amount } in wrongs {
            seen.insert((*kind, what, *person));
            let people = self.things.entry((*kind, what.clone())).or_default();
            let times = match people.get(person) {
                Some(before) if now.since(before.last) <= SAME_FOR => before.again(now, *amount),
                _ => Times::first(now, *amount),
            };
            people.insert(*person, times);
            if times.times < 2 {
                continue;
            }
            let one = repeated.entry((*kind, what)).or_insert_with(|| Repeated {
                kind: *kind,
                what: what.clone(),
                people: 0,
                times: 0,
                since: times.since,
                examples: Vec::new(),
            });
            one.people += if *kind == RepeatedKind::Run { 0 } else { *amount };
            one.times = one.times.max(times.times);
            one.since = one.since.min(times.since);
            one.examples.extend(person.filter(|_| one.examples.len() < EXAMPLES));
        }
        let is_over = |kind: RepeatedKind, what: &str, person: &Option<PersonId>, times: &Times| match kind {
            // Nobody is tried in every run.
            RepeatedKind::Failed => now.since(times.last) > SAME_FOR,
            RepeatedKind::Run | RepeatedKind::Open | RepeatedKind::LeftOut => {
                reach == Reach::Whole && !seen.contains(&(kind, what, *person))
            }
        };
        for ((kind, what), people) in &mut self.things {
            people.retain(|person, times| !is_over(*kind, what, person, times));
        }
        self.bound();
        let mut repeated: Vec<Repeated> = repeated.into_values().collect();
        repeated.sort_by(|a, b| (b.times, b.people, &a.what).cmp(&(a.times, a.people, &b.what)));
        repeated
    }

    /// Forgets a person, for good.
    pub fn forget(&mut self, person: PersonId) {
        self.things.values_mut().for_each(|people| {
            people.remove(&Some(person));
        });
        self.bound();
    }

    /// Keeps what has lasted longest.
    fn bound(&mut self) {
        self.things.retain(|_, people| !people.is_empty());
        while self.things.len() > MOST_THINGS {
            let youngest = self
                .things
                .iter()
                .max_by_key(|(_, people)| people.values().map(|times| times.since).min())
                .map(|(thing, _)| thing.clone());
            let Some(youngest) = youngest else { return };
            self.things.remove(&youngest);
        }
        let mut room = MOST_PEOPLE;
        for people in self.things.values_mut() {
            let kept = people.len().min(room);
            if let Some(first_out) = people.keys().nth(kept).copied() {
                people.split_off(&first_out);
            }
            room -= kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;

    fn failed(person: u64) -> Wrong {
        let what = "bounce: property bounced is true: not-writable".to_owned();
        Wrong { kind: RepeatedKind::Failed, what, person: Some(PersonId(person)), amount: 1 }
    }

    fn left_out(amount: u64) -> Wrong {
        Wrong { kind: RepeatedKind::LeftOut, what: "audience_cap".to_owned(), person: None, amount }
    }

    fn take(memory: &mut Memory, wrongs: &[Wrong], day: i64) -> Vec<Repeated> {
        memory.take(&wrongs.iter().cloned().collect(), Reach::Whole, Timestamp(day * DAY))
    }

    #[test]
    fn the_second_time_the_same_fails_for_the_same_person_it_is_named_with_its_first_date() {
        let mut memory = Memory::default();
        assert_eq!(take(&mut memory, &[failed(1), failed(2)], 1), vec![]);
        let again = take(&mut memory, &[failed(2), failed(3)], 2);
        assert_eq!((again[0].people, again[0].times, again[0].since), (1, 2, Timestamp(DAY)));
        assert_eq!(again[0].examples, vec![PersonId(2)]);
        let again = take(&mut memory, &[failed(1), failed(2), failed(3)], 3);
        assert_eq!((again[0].people, again[0].times, again[0].since), (3, 3, Timestamp(DAY)));
    }

    #[test]
    fn what_is_over_is_forgotten_and_begins_anew() {
        let mut memory = Memory::default();
        take(&mut memory, &[failed(1), left_out(5)], 1);
        take(&mut memory, &[], 2);
        assert_eq!(take(&mut memory, &[left_out(5)], 3), vec![], "it was let in meanwhile");
        assert_eq!(take(&mut memory, &[failed(1)], 40), vec![], "too long ago to be the same");
        memory.forget(PersonId(1));
        assert_eq!(memory, Memory::default());
    }

    #[test]
    fn a_narrowed_or_broken_run_ends_nothing() {
        let mut memory = Memory::default();
        take(&mut memory, &[left_out(5)], 1);
        memory.take(&BTreeSet::new(), Reach::Part, Timestamp(2 * DAY));
        assert_eq!(take(&mut memory, &[left_out(5)], 3).len(), 1);
    }

    #[test]
    fn a_backlog_that_shrinks_is_progress_and_one_that_does_not_is_none() {
        let mut memory = Memory::default();
        take(&mut memory, &[left_out(300)], 1);
        assert_eq!(take(&mut memory, &[left_out(200)], 2), vec![]);
        let again = take(&mut memory, &[left_out(200)], 3);
        assert_eq!((again[0].people, again[0].times, again[0].since), (200, 2, Timestamp(2 * DAY)));
    }

    #[test]
    fn however_much_goes_wrong_the_memory_is_bounded() {
        let mut memory = Memory::default();
        let wrongs: BTreeSet<Wrong> = (0..30_000)
            .map(|person| Wrong { what: format!("thing {}", person % 500), ..failed(person) })
            .collect();
        memory.take(&wrongs, Reach::Whole, Timestamp(DAY));
        assert!(memory.things.len() <= MOST_THINGS);
        assert!(memory.things.values().map(BTreeMap::len).sum::<usize>() <= MOST_PEOPLE);
    }
}
