//! Whoever is remembered and nobody has met: no list that is read holds them, and they are no member any more. What they
//! were is over (design §3.14); what binds them, an opt-out or a handover above all, stays.
//!
//! Never: somebody taken for gone because of something that was not read whole.

use super::Planning;
use crate::domain::id::PersonId;
use crate::domain::person::{Person, PersonState};
use crate::sync::error::RunError;
use std::collections::BTreeMap;

/// People read at once.
const PAGE: usize = 1_000;
const BITS: u64 = u64::BITS as u64;

/// Who was met: a bit for each number, by numbers that are next to one another.
#[derive(Default)]
pub(super) struct Met(BTreeMap<u64, u64>);

impl Met {
    pub(super) fn insert(&mut self, person: PersonId) {
        *self.0.entry(person.0 / BITS).or_default() |= 1 << (person.0 % BITS);
    }

    fn contains(&self, person: PersonId) -> bool {
        self.0.get(&(person.0 / BITS)).is_some_and(|bits| bits & (1 << (person.0 % BITS)) != 0)
    }
}

impl Planning {
    /// Everybody whom this plan has not met and who is something that is over, each with what they are now.
    pub(super) fn unmet(
        &self,
        mut each: impl FnMut(&Person, Person) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let all_read = self.world.lists.values().all(|list| list.complete);
        if !all_read || !self.narrowing.is_about_everybody() {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = self.journal.people(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            let unmet = page.iter().filter(|person| !self.found.met.contains(person.id));
            for person in unmet.filter(|person| is_over(person) && !self.held.contains_key(&person.id)) {
                each(
                    person,
                    Person {
                        state: PersonState::Foreign,
                        why: "in no list that is read, and no member".to_owned(),
                        since: self.world.seen,
                        enrolled: None,
                        ..person.clone()
                    },
                )?;
            }
        }
    }
}

fn is_over(person: &Person) -> bool {
    match person.state {
        PersonState::OptedOut | PersonState::Contested | PersonState::Foreign => false,
        PersonState::HandedOver => person.handed_over.is_none(),
        PersonState::Protected
        | PersonState::Excluded
        | PersonState::Enrolled
        | PersonState::Pending
        | PersonState::Parked
        | PersonState::NoAddress
        | PersonState::Twin
        | PersonState::ArchivedByOthers
        | PersonState::LeftOut => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_those_are_met_who_were() {
        let mut met = Met::default();
        let some = [0, 1, 63, 64, 1_000_000].map(PersonId);
        some.into_iter().for_each(|person| met.insert(person));
        assert!(some.into_iter().all(|person| met.contains(person)));
        assert!([2, 62, 65, 999_999, 1_000_001, u64::MAX].into_iter().all(|id| !met.contains(PersonId(id))));
    }
}
